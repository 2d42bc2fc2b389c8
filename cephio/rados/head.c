/* SPDX-License-Identifier: MIT */
/* Heads: one read operation brings the record and the data that belong together. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/rados/rados.h"
#include "core/crc.h"

static int build(struct rad_req *r)
{
        r->part_rc[0] = r->part_rc[1] = 0;
        r->got = 0;
        rados_read_op_getxattrs(r->rop, &r->xattrs, &r->part_rc[0]);
        if (r->mem)
                rados_read_op_read(r->rop, 0, r->mem_len, r->mem, &r->got, &r->part_rc[1]);
        return 0;
}

struct rad_req *rad_read_head(struct rad_store *rs, const char *key, bool with_data, struct ri_op *op,
                              void (*done)(struct rad_req *), void *arg)
{
        char name[RAD_NAME_MAX];
        struct rad_req *r;

        rad_head_name(key, name);
        r = rad_req_new(rs, RAD_READ_OP, name, op, "read", done, arg);
        if (!r)
                return NULL;
        if (with_data) {
                r->mem_len = RAD_INLINE_MAX;
                r->mem = malloc(r->mem_len);
                if (!r->mem) {
                        rad_req_free(r);
                        return NULL;
                }
        }
        r->build = build;
        build(r);
        rad_req_go(r);
        return r;
}

static int bad(struct rad_req *r, struct ri_error *e, const char *why)
{
        ri_error_set(e, ROMA_ECORRUPT, r->io->where,
                     "the object \"%.200s\" of the pool cannot be what it should be: %s", r->oid, why);
        return -1;
}

/* The record among the xattrs: 0 or why not. */
static const char *find_record(struct rad_req *r, struct rad_seen *s)
{
        const char *name, *val, *why = "it has no record of libroma";
        size_t len;

        while (rados_getxattrs_next(r->xattrs, &name, &val, &len) == 0 && name) {
                if (strcmp(name, "roma") != 0)
                        continue;
                if (rad_head_decode(val, len, &s->head, &why) < 0)
                        return why;
                memcpy(s->blob, val, RAD_HEAD_BYTES);
                return NULL;
        }
        return why;
}

static int take_data(struct rad_req *r, struct rad_seen *s, struct ri_error *e)
{
        uint64_t want = s->head.list_bytes ? s->head.list_bytes : s->head.size;
        char *less;

        if (r->got != want)
                return bad(r, e, "its length is wrong");
        if (!s->head.list_bytes && ri_crc32(0, r->mem, r->got) != s->head.crc)
                return bad(r, e, "its bytes do not have the checksum that they were stored with");
        less = realloc(r->mem, r->got ? r->got : 1);
        if (!less)
                less = r->mem;
        s->data = less;
        s->data_len = r->got;
        r->mem = NULL;
        return 0;
}

int rad_head_seen(struct rad_req *r, struct rad_seen *s, struct ri_error *e)
{
        const char *why;

        memset(s, 0, sizeof(*s));
        if (r->rc == -ENOENT)
                return 0;
        if (r->rc >= 0 && (r->part_rc[0] < 0 || r->part_rc[1] < 0))
                r->rc = r->part_rc[0] < 0 ? r->part_rc[0] : r->part_rc[1];
        if (r->rc < 0) {
                rad_req_error(r, e);
                return -1;
        }
        why = find_record(r, s);
        if (why)
                return bad(r, e, why);
        s->there = true;
        return r->mem ? take_data(r, s, e) : 0;
}

void rad_head_attr(const struct rad_head *h, roma_attr *a)
{
        memset(a, 0, sizeof(*a));
        a->size = sizeof(*a);
        a->mask = ROMA_ATTR_TYPE | ROMA_ATTR_MODE | ROMA_ATTR_UID | ROMA_ATTR_GID | ROMA_ATTR_LENGTH |
                  ROMA_ATTR_ATIME | ROMA_ATTR_MTIME | ROMA_ATTR_ETAG;
        a->type = ROMA_TYPE_FILE;
        a->mode = h->mode;
        a->uid = h->uid;
        a->gid = h->gid;
        a->length = h->size;
        a->atime_ns = h->atime_ns;
        a->mtime_ns = h->mtime_ns;
        rad_hex(h->content, a->etag);
}

void rad_head_entry(const struct rad_head *h, struct rad_entry *e)
{
        memset(e, 0, sizeof(*e));
        memcpy(e->tag, h->rev, sizeof(e->tag));
        e->size = h->size;
        e->mtime_ns = h->mtime_ns;
        e->mode = h->mode;
        memcpy(e->content, h->content, RAD_ID);
}
