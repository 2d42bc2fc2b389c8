/* SPDX-License-Identifier: MIT */
/* Of which parts an object was made. HEAD with a part number is answered with that part's length where the server has it
 * (AWS; radosgw from 19 on); radosgw 16 ignores the number. Then only the number of parts is known, from the ETag, and equal
 * parts are assumed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/layout.h"
#include "core/value.h"
#include "s3compat/sign/sign.h"
#include "s3compat/store.h"

enum { ASK_MAX = 1000, MIB = 1 << 20 };

struct asking {
        struct s3_store *st;
        struct ri_op *op;
        struct s3_request *r;
        char *key;
        roma_layout *l;
        uint64_t parts, next, at;
};

static struct ri_op *asking_end(struct asking *a)
{
        struct ri_op *op = a->op;

        op->impl = NULL;
        op->cancel = NULL;
        s3_request_free(a->r);
        roma_layout_unref(a->l);
        free(a->key);
        free(a);
        return op;
}

static void asking_cancel(struct ri_op *op)
{
        asking_end(op->impl);
}

static void finish(struct asking *a)
{
        roma_layout *l = a->l;

        a->l = NULL;
        ri_layout_finish(asking_end(a), l);
}

/* "md5-of-md5s-N": N parts. 0: none. */
static uint64_t parts_of(const char *etag)
{
        const char *dash = strrchr(etag, '-');
        uint64_t n;

        return dash && ri_value_u64(dash + 1, &n) == 0 && n <= S3_MAX_PARTS ? n : 0;
}

static bool add_part(struct asking *a, uint64_t n, uint64_t length, bool guessed)
{
        char name[32];
        roma_piece *p;

        snprintf(name, sizeof(name), "part %" PRIu64, n);
        p = ri_layout_piece(a->l, a->at, length, name);
        if (!p)
                return false;
        p->guessed = guessed;
        a->at += length;
        return true;
}

/* Parts of a whole number of MiB, as clients make them, or what comes nearest. */
static void guess(struct asking *a)
{
        uint64_t length = a->l->length, n = a->parts, size = (length + n - 1) / n,
                 round = (size + MIB - 1) / MIB * MIB;

        if (n > 1 && round <= (length - 1) / (n - 1))
                size = round;
        while (a->at < length)
                if (!add_part(a, a->l->pieces + 1, size < length - a->at ? size : length - a->at, true))
                        break;
        a->l->object_size = size;
        ri_layout_remark(a->l, ROMA_REMARK_NOTE, "parts", -1,
                         "the ETag says that %" PRIu64
                         " parts were joined; this server does not say how long they "
                         "are, so equal parts of %" PRIu64 " bytes are assumed",
                         n, size);
        finish(a);
}

static void ask_part(struct asking *a);

/* A server that does not know part numbers in HEAD, and no failure of another kind. */
static bool unsupported(const struct s3_request *r)
{
        return r->status == 400 || r->status == 405 || r->status == 416 || r->status == 501;
}

static void part_said(struct s3_request *r)
{
        struct asking *a = r->arg;
        struct ri_error e;
        const char *count = s3_fields_get(&r->reply, "x-amz-mp-parts-count"),
                   *length = s3_fields_get(&r->reply, "content-length");
        uint64_t n, len;

        if (r->error.code && (a->next > 1 || !unsupported(r))) {
                e = r->error;
                ri_op_fail_error(asking_end(a), &e);
                return;
        }
        if (r->error.code || !count || ri_value_u64(count, &n) < 0 || n != a->parts || !length ||
            ri_value_u64(length, &len) < 0 || len > a->l->length - a->at) {
                if (a->next == 1) {
                        guess(a);
                        return;
                }
                ri_op_fail(asking_end(a), ROMA_EPRECONDITION,
                           "it was replaced while its parts were asked for");
                return;
        }
        ri_op_progress(a->op);
        if (!add_part(a, a->next, len, false)) {
                finish(a);
                return;
        }
        if (a->next++ < a->parts && a->next <= ASK_MAX) {
                ask_part(a);
                return;
        }
        if (a->at != a->l->length)
                ri_layout_remark(a->l, a->parts > ASK_MAX ? ROMA_REMARK_NOTE : ROMA_REMARK_BAD, "parts", -1,
                                 a->parts > ASK_MAX ? "only the first 1000 parts were asked for"
                                                    : "its parts do not add up to its length");
        finish(a);
}

static void ask_part(struct asking *a)
{
        struct s3_request *r = s3_request_new(a->st, a->op, "HeadObject", "HEAD", a->key);

        s3_request_free(a->r);
        a->r = r;
        if (!r) {
                ri_op_fail(asking_end(a), ROMA_ENOMEM, "no memory for a request");
                return;
        }
        r->done = part_said;
        r->arg = a;
        s3_fields_addf(&r->query, "partNumber", "%" PRIu64, a->next);
        s3_request_start(r);
}

/* What the server keeps of the whole content. */
static void take_sums(struct asking *a, const struct s3_fields *reply)
{
        static const char *const names[] = { "crc32", "crc32c", "sha1", "sha256", "crc64nvme" };
        const char *type = s3_fields_get(reply, "x-amz-checksum-type"),
                   *crc64 = s3_fields_get(reply, "x-oss-hash-crc64ecma");
        unsigned char be[4];
        char name[40];
        size_t n;

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                const char *v;

                snprintf(name, sizeof(name), "x-amz-checksum-%s", names[i]);
                v = s3_fields_get(reply, name);
                if (!v)
                        continue;
                ri_layout_remark(a->l, ROMA_REMARK_NOTE, "checksum", -1,
                                 "the server keeps the %s %.100s%s%.40s", names[i], v, type ? ", " : "",
                                 type ? type : "");
                if (i == 0 && !strchr(v, '-') && (!type || !strcmp(type, "FULL_OBJECT")) &&
                    s3_base64_decode(v, be, sizeof(be), &n) == 0 && n == sizeof(be)) {
                        a->l->whole_known = 1;
                        a->l->whole_crc =
                                (uint32_t)be[0] << 24 | (uint32_t)be[1] << 16 | (uint32_t)be[2] << 8 | be[3];
                }
        }
        if (crc64)
                ri_layout_remark(a->l, ROMA_REMARK_NOTE, "checksum", -1,
                                 "the server keeps the crc64ecma %.40s", crc64);
}

/* With keys of the server's key store, or of the client, the ETag is no MD5 though it looks like one. */
static bool encrypted(const struct s3_fields *reply)
{
        static const char *const names[] = { "amz", "obs", "oss" };
        char name[64];
        const char *how;

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                snprintf(name, sizeof(name), "x-%s-server-side-encryption-customer-algorithm", names[i]);
                if (s3_fields_get(reply, name))
                        return true;
                snprintf(name, sizeof(name), "x-%s-server-side-encryption", names[i]);
                how = s3_fields_get(reply, name);
                if (how && strcasecmp(how, "AES256"))
                        return true;
        }
        return false;
}

/* Nor is it when an object was made by appending. */
static bool appended(const struct s3_fields *reply)
{
        const char *oss = s3_fields_get(reply, "x-oss-object-type"),
                   *obs = s3_fields_get(reply, "x-obs-object-type");

        return (oss && !strcasecmp(oss, "Appendable")) || (obs && !strcasecmp(obs, "Appendable"));
}

static void take_kind_of_etag(struct asking *a, const struct s3_fields *reply)
{
        if (encrypted(reply))
                ri_layout_remark(
                        a->l, ROMA_REMARK_UNKNOWN, "opaque-etag", -1,
                        "it is encrypted with a key by which its ETag is no MD5: only the original can "
                        "tell (--against)");
        else if (appended(reply))
                ri_layout_remark(a->l, ROMA_REMARK_UNKNOWN, "opaque-etag", -1,
                                 "it was made by appending, so its ETag is no MD5: only the original can "
                                 "tell (--against)");
}

static void head_said(struct s3_request *r)
{
        struct asking *a = r->arg;
        struct ri_error e;
        roma_attr attr;

        if (r->error.code) {
                e = r->error;
                ri_op_fail_error(asking_end(a), &e);
                return;
        }
        s3_attr_from_reply(&attr, &r->reply);
        a->l = ri_layout_new("s3", a->st->profile.bucket, "");
        if (!a->l || !(attr.mask & ROMA_ATTR_LENGTH)) {
                bool mem = !a->l;

                ri_op_fail(asking_end(a), mem ? ROMA_ENOMEM : ROMA_EPROTOCOL,
                           mem ? "no memory for the list of its parts"
                               : "the server does not say how long the object is");
                return;
        }
        a->l->length = attr.length;
        if (attr.mask & ROMA_ATTR_ETAG)
                a->l->etag = ri_layout_text(a->l, attr.etag);
        take_sums(a, &r->reply);
        take_kind_of_etag(a, &r->reply);
        a->parts = parts_of(a->l->etag);
        if (!a->parts) {
                (void)ri_layout_piece(a->l, 0, attr.length, "object");
                finish(a);
                return;
        }
        a->next = 1;
        ask_part(a);
}

void s3_layout(struct ri_op *op, const char *key, unsigned flags)
{
        struct asking *a = *key ? calloc(1, sizeof(*a)) : NULL;

        (void)flags; /* a part cannot be asked for anything else, and copies are nobody's to see */
        if (!*key) {
                ri_op_fail(op, ROMA_EISDIR, "the bucket is no object");
                return;
        }
        if (a) {
                a->st = s3_of(op->store);
                a->op = op;
                a->key = strdup(key);
                a->r = a->key ? s3_request_new(a->st, op, "HeadObject", "HEAD", key) : NULL;
        }
        if (!a || !a->r) {
                if (a)
                        free(a->key);
                free(a);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a request");
                return;
        }
        op->impl = a;
        op->cancel = asking_cancel;
        a->r->done = head_said;
        a->r->arg = a;
        if (a->st->profile.checksum == S3_SUM_CRC32)
                s3_fields_add(&a->r->headers, "x-amz-checksum-mode", "ENABLED");
        s3_request_start(a->r);
}
