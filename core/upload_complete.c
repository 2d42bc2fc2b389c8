/* SPDX-License-Identifier: MIT */
/* Completing and aborting, where a store has no uploads of its own.
 *
 * Which of several that end an upload wins is decided by one object that is made if absent. It is made when the joined
 * object is ready to be shown, and not before: a complete that fails leaves the upload as it was. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc.h"
#include "core/digest.h"
#include "core/upload.h"

/* Small parts are read so many ahead, and written in pieces of this size: a round trip for each would take longer than all
 * the rest. */
enum { IN_FLIGHT = 8 << 20, AHEAD = 16, GATHER = 1 << 20 };

struct wanted {
        unsigned number;
        char etag[RI_PART_ETAG];
        const struct ri_part_name *found;
};

/* One write in flight. */
struct flight {
        struct ri_list link;
        struct complete *c;
        roma_op op;
        size_t len;
        char *bytes; /* ours, or NULL */
};

/* A small part that is read ahead of its turn. */
struct ahead {
        struct complete *c;
        roma_op op;
        char *bytes; /* NULL: not yet */
};

struct complete {
        struct ri_up *u;
        struct wanted *v;
        size_t n, at;
        int precondition;
        bool summed;
        char decision[64];
        uint64_t length;
        uint32_t crc;
        roma_writer *writer;
        roma_reader *reader;       /* of the part that is copied */
        uint64_t read;             /* bytes of it */
        bool end;                  /* all of it has been read */
        struct ahead ahead[AHEAD]; /* of part i at i % AHEAD */
        size_t ahead_end;          /* those from `at` up to this one are on their way or here */
        char *gathered;            /* small parts, to be written together */
        size_t gathered_len;
        struct ri_list writes;
        uint64_t in_flight;
        roma_attr made;
        struct ri_error why;
};

static void move(struct complete *c);
static void next_part(struct complete *c);

static void stop_writes(struct complete *c)
{
        struct ri_list *l;

        while ((l = ri_list_pop(&c->writes))) {
                struct flight *w = ri_container_of(l, struct flight, link);

                ri_op_drop(c->u->op->loop, w->op);
                free(w->bytes);
                free(w);
        }
}

static void stop_ahead(struct complete *c)
{
        for (size_t i = 0; i < AHEAD; i++) {
                ri_op_drop(c->u->op->loop, c->ahead[i].op);
                free(c->ahead[i].bytes);
        }
}

static void complete_clear(struct ri_up *u)
{
        struct complete *c = u->own;

        if (!c)
                return;
        stop_writes(c);
        stop_ahead(c);
        free(c->gathered);
        roma_reader_close(c->reader);
        if (c->writer)
                roma_aio_writer_abort(c->writer, NULL, NULL, NULL);
        free(c->v);
        free(c);
}

/* The end of one that has been shown: what is left of the upload goes. */

static void finish(struct ri_up *u)
{
        struct complete *c = u->own;
        uint64_t bytes = c->length;
        uint32_t crc = c->summed ? c->crc : 0;
        bool summed = c->summed;
        roma_attr made = c->made;
        struct ri_op *op = ri_up_end(u);

        ri_op_set_attr(op, &made);
        op->res.bytes = bytes;
        op->res.crc32 = crc;
        op->res.has_crc32 = summed;
        ri_op_finish(op);
}

static void shown_before(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;
        struct complete *c = u->own;

        u->child = 0;
        /* It has been shown, and perhaps replaced or removed since. */
        if (r->code == ROMA_OK)
                c->made = *r->attr;
        c->length = c->made.length;
        ri_up_remove(u, finish);
}

static void was_shown(struct ri_up *u)
{
        roma_opts o = ri_child_opts(u->op);

        u->op->outcome = ROMA_DONE;
        ri_up_step(u, roma_aio_stat(u->op->store, u->key, ROMA_NOFOLLOW, &o, shown_before, u));
}

/* Committing */

static void taken_back(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;
        struct complete *c = u->own;
        struct ri_error e = c->why;

        (void)r;
        u->child = 0;
        ri_op_fail_error(ri_up_end(u), &e);
}

/* The object could not be shown: the upload is open again. */
static void take_back(struct ri_up *u)
{
        roma_opts o = ri_child_opts(u->op);
        char *key = ri_upload_key(u->key, u->id, RI_DECIDED);

        ri_up_step(u, key ? roma_aio_unlink(u->op->store, key, ROMA_UNLINK_NO_TRASH, &o, taken_back, u) : 0);
        free(key);
}

static void not_shown(struct ri_up *u)
{
        struct complete *c = u->own;
        struct ri_error e = c->why;

        if (e.outcome == ROMA_UNKNOWN || !u->decider)
                ri_op_fail_error(ri_up_end(u), &e);
        else
                take_back(u);
}

/* There is an object already. It may be this one: shown by the same complete, which was stopped then or runs beside us. */
static void compared(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;
        struct complete *c = u->own;

        u->child = 0;
        if (!r->code && r->bytes == c->length && r->has_crc32 && r->crc32 == c->crc) {
                was_shown(u);
        } else if (!r->code || r->code == ROMA_ENOENT) {
                not_shown(u);
        } else {
                u->op->outcome = ROMA_UNKNOWN;
                ri_up_fail_from(u, r);
        }
}

static void compare(struct ri_up *u)
{
        roma_opts o = ri_child_opts(u->op);

        ri_up_step(u, roma_aio_hash(u->op->store, u->key, ROMA_CRC32, &o, compared, u));
}

static void committed(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;
        struct complete *c = u->own;

        u->child = 0;
        if (!r->code) {
                c->made = *r->attr;
                u->op->outcome = ROMA_DONE;
                ri_up_remove(u, finish);
                return;
        }
        ri_error_from(&c->why, r);
        u->op->outcome = c->why.outcome = r->outcome;
        if (r->code == ROMA_EEXIST && c->precondition == ROMA_IF_ABSENT)
                compare(u);
        else
                not_shown(u);
}

/* Something else was decided; when nothing is there after all, ours may still be on its way. */
static void lost(struct ri_up *u)
{
        if (*u->decided)
                u->op->outcome = ROMA_NOT_DONE;
        ri_up_fail_absent(u);
}

/* Without a folder that goes, a decision that lost may stand alone when whoever made it was killed: see still_there(). It is
 * no word of an object. One made while the upload's own file was there is. */
static void decided_late(struct ri_up *u)
{
        u->decided[0] = '\0';
        ri_up_fail_absent(u);
}

static void show(struct ri_up *u)
{
        struct complete *c = u->own;
        roma_opts o = ri_child_opts(u->op);
        roma_writer *w = c->writer;

        u->op->outcome = ROMA_UNKNOWN;
        c->writer = NULL;
        ri_up_step(u, roma_aio_writer_commit(w, &o, committed, u));
}

static void decided_before(struct ri_up *u)
{
        struct complete *c = u->own;
        bool same = strcmp(u->decided, c->decision) == 0;

        if (u->there && same) {
                show(u);
        } else if (same && u->op->store->be->flags & RI_FOLDERS) {
                /* The same complete elsewhere, which has shown the object and is removing the rest; or it has lost. */
                ri_error_set(&c->why, ROMA_ENOENT, NULL,
                             "the upload %.40s ended meanwhile, and the object is not of these parts", u->id);
                c->why.outcome = ROMA_UNKNOWN;
                compare(u);
        } else {
                u->op->outcome = ROMA_NOT_DONE;
                decided_late(u);
        }
}

static void decided(struct ri_up *u)
{
        const struct complete *c = u->own;

        if (strcmp(u->decided, c->decision) != 0)
                lost(u);
        else if (u->decider)
                show(u);
        else
                ri_up_look(u, decided_before); /* perhaps somebody who has lost is about to take it back */
}

/* Joining */

static void wrote(void *arg, const roma_result *r)
{
        struct flight *w = arg;
        struct complete *c = w->c;

        ri_list_del(&w->link);
        c->in_flight -= w->len;
        free(w->bytes);
        free(w);
        if (r->code) {
                ri_up_fail_from(c->u, r);
                return;
        }
        ri_op_progress(c->u->op);
        move(c);
}

/* A buffer of the loop's, or bytes that become the write's. false: the operation has failed. */
static bool write_start(struct complete *c, roma_buf *buf, char *bytes, size_t len)
{
        struct ri_up *u = c->u;
        roma_opts o = ri_child_opts(u->op);
        struct flight *w = calloc(1, sizeof(*w));

        if (w) {
                w->c = c;
                w->len = len;
                w->bytes = bytes;
                w->op = ri_adopt(u->op, buf ? roma_aio_writer_write_buf(c->writer, buf, &o, wrote, w)
                                            : roma_aio_writer_write(c->writer, bytes, len, &o, wrote, w));
        }
        roma_buf_unref(buf);
        if (!w || !w->op) {
                free(bytes);
                free(w);
                ri_up_fail(u, ROMA_ENOMEM, "out of memory");
                return false;
        }
        c->in_flight += len;
        ri_list_add_tail(&c->writes, &w->link);
        return true;
}

/* What is gathered is written. false: the operation has failed. */
static bool flush(struct complete *c)
{
        char *bytes = c->gathered;
        size_t len = c->gathered_len;

        if (!len)
                return true;
        c->gathered = NULL;
        c->gathered_len = 0;
        return write_start(c, NULL, bytes, len);
}

/* A part went while it was read: when the upload has been ended by somebody else, that is the reason. */
static void part_lost(struct ri_up *u)
{
        if (*u->decided || !u->there)
                ri_up_fail_absent(u);
        else
                not_shown(u);
}

static void damaged(struct complete *c, const struct ri_part_name *p, uint64_t length)
{
        ri_up_fail(c->u, ROMA_ECORRUPT,
                   "part %u has %" PRIu64 " bytes, and its name says %" PRIu64
                   ": it is damaged; put it again",
                   p->number, length, p->length);
}

static void got(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;
        struct complete *c = u->own;
        const struct ri_part_name *p = c->v[c->at].found;

        u->child = 0;
        if (r->code == ROMA_ESOURCE || r->code == ROMA_ENOENT) {
                ri_error_from(&c->why, r);
                ri_up_look(u, part_lost);
                return;
        }
        if (r->code) {
                ri_up_fail_from(u, r);
                return;
        }
        ri_op_progress(u->op);
        if (r->buf) {
                c->read += roma_buf_len(r->buf);
                if (write_start(c, r->buf, NULL, roma_buf_len(r->buf)))
                        move(c);
        } else if (c->read != p->length) {
                damaged(c, p, c->read);
        } else {
                roma_reader_close(c->reader);
                c->reader = NULL;
                c->at++;
                next_part(c);
        }
}

static void move(struct complete *c)
{
        struct ri_up *u = c->u;
        roma_opts o = ri_child_opts(u->op);

        if (u->child)
                return;
        if (c->reader) {
                if (c->in_flight < IN_FLIGHT)
                        ri_up_step(u, roma_aio_reader_next(c->reader, &o, got, u));
        } else if (ri_list_empty(&c->writes) || c->at < c->n) {
                next_part(c);
        }
}

static void part_opened(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;
        struct complete *c = u->own;

        u->child = 0;
        if (r->code == ROMA_ENOENT) {
                /* Ended by somebody else while we joined. */
                snprintf(u->decided, sizeof(u->decided), "%s", c->decision);
                ri_up_fail_absent(u);
                return;
        }
        if (r->code) {
                ri_up_fail_from(u, r);
                return;
        }
        c->reader = r->reader;
        c->read = 0;
        move(c);
}

static void joined(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;
        struct complete *c = u->own;

        u->child = 0;
        if (r->code) {
                ri_up_fail_from(u, r);
                return;
        }
        ri_op_progress(u->op);
        c->at++;
        next_part(c);
}

/* Not where the next part would have to be written into what is shared: that costs more than a copy. */
static bool may_concat(const struct complete *c, size_t i)
{
        const struct ri_backend *be = c->u->op->store->be;
        const struct ri_part_name *p = c->v[i].found;

        return p->length && !c->gathered_len && ri_writer_can_concat(c->writer) &&
               (p->length % be->concat_unit == 0 || (i + 1 == c->n && c->n > 1));
}

/* Small parts */

static bool is_small(const struct complete *c, size_t i)
{
        const struct ri_part_name *p = c->v[i].found;

        return p->length <= RI_SMALL && !may_concat(c, i);
}

static void small_read(void *arg, const roma_result *r)
{
        struct ahead *a = arg;
        struct complete *c = a->c;
        struct ri_up *u = c->u;
        size_t i = c->at;

        a->op = 0;
        if (u->child)
                return; /* another one is gone, and we look why */
        while (&c->ahead[i % AHEAD] != a)
                i++;
        if (r->code == ROMA_ENOENT) {
                ri_error_from(&c->why, r);
                ri_up_look(u, part_lost);
                return;
        }
        if (r->code) {
                ri_up_fail_from(u, r);
                return;
        }
        if (r->bytes != c->v[i].found->length) {
                damaged(c, c->v[i].found, r->bytes);
                return;
        }
        ri_op_progress(u->op);
        a->bytes = malloc(r->bytes + 1);
        if (!a->bytes) {
                ri_up_fail(u, ROMA_ENOMEM, "out of memory");
                return;
        }
        memcpy(a->bytes, r->text, r->bytes);
        if (i == c->at)
                next_part(c);
}

/* false: the operation has failed. */
static bool read_ahead(struct complete *c)
{
        struct ri_up *u = c->u;
        roma_opts o = ri_child_opts(u->op);

        if (c->ahead_end < c->at)
                c->ahead_end = c->at;
        for (; c->ahead_end < c->n && c->ahead_end < c->at + AHEAD && is_small(c, c->ahead_end);
             c->ahead_end++) {
                struct ahead *a = &c->ahead[c->ahead_end % AHEAD];
                char *key = ri_part_data(u->op->store, u->key, u->id, c->v[c->ahead_end].found);

                a->c = c;
                if (key)
                        a->op = ri_adopt(u->op, ri_aio_small_get(u->op->store, key, &o, small_read, a));
                free(key);
                if (!a->op) {
                        ri_fail_start(ri_up_end(u));
                        return false;
                }
        }
        return true;
}

/* Takes the part whose turn it is. false: the operation has failed. */
static bool gather(struct complete *c, struct ahead *a)
{
        size_t len = (size_t)c->v[c->at].found->length;

        if (c->gathered_len + len > GATHER && !flush(c))
                return false;
        if (!c->gathered)
                c->gathered = malloc(GATHER);
        if (!c->gathered) {
                ri_up_fail(c->u, ROMA_ENOMEM, "out of memory");
                return false;
        }
        memcpy(c->gathered + c->gathered_len, a->bytes, len);
        c->gathered_len += len;
        free(a->bytes);
        a->bytes = NULL;
        c->at++;
        return true;
}

/* As many as are here; false: the operation has failed, or others are waited for. */
static bool small_parts(struct complete *c)
{
        while (c->at < c->n && is_small(c, c->at)) {
                struct ahead *a = &c->ahead[c->at % AHEAD];

                if (c->in_flight >= IN_FLIGHT || !read_ahead(c) || !a->bytes || !gather(c, a))
                        return false;
        }
        return flush(c);
}

static void next_part(struct complete *c)
{
        struct ri_up *u = c->u;
        roma_reader_opts ro = ROMA_READER_OPTS_INIT;
        roma_opts o = ri_child_opts(u->op);
        const struct ri_part_name *p;
        char *key;

        if (!small_parts(c))
                return;
        p = c->at < c->n ? c->v[c->at].found : NULL;
        if (!p) {
                if (!ri_list_empty(&c->writes))
                        return;
                ri_writer_expect(c->writer, c->crc);
                ri_up_decide(u, c->decision, decided);
                return;
        }
        key = ri_part_data(u->op->store, u->key, u->id, p);
        ro.stall_ms = u->op->stall_ms;
        ro.deadline_ms = ROMA_NEVER;
        if (!key)
                ri_up_fail(u, ROMA_ENOMEM, "out of memory");
        else if (may_concat(c, c->at))
                ri_up_step(u, ri_aio_writer_concat(c->writer, key, p->length, p->crc, &o, joined, u));
        else
                ri_up_step(u, roma_aio_reader_open(u->op->store, key, &ro, part_opened, u));
        free(key);
}

/* The object is there before the end: this complete was decided before us, or it is of somebody else. */
static void exists_looked(struct ri_up *u)
{
        const struct complete *c = u->own;

        if (strcmp(u->decided, c->decision) == 0)
                compare(u);
        else if (*u->decided || !u->there)
                ri_up_fail_absent(u);
        else
                not_shown(u);
}

static void writer_opened(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;
        struct complete *c = u->own;

        u->child = 0;
        if (r->code) {
                ri_up_fail_from(u, r);
                return;
        }
        c->writer = r->writer;
        if (c->precondition != ROMA_IF_ABSENT || !c->writer->exists) {
                next_part(c);
                return;
        }
        ri_error_set(&c->why, ROMA_EEXIST, NULL,
                     "there is an object of this name already, and it was to be completed only if absent");
        ri_up_look(u, exists_looked);
}

/* Finding the parts that are asked for. */

static const struct ri_part_name *find(const struct ri_up *u, const struct wanted *w)
{
        size_t low = 0, high = u->n;

        while (low < high) {
                size_t mid = low + (high - low) / 2;

                if (u->v[mid].number < w->number)
                        low = mid + 1;
                else
                        high = mid;
        }
        for (; low < u->n && u->v[low].number == w->number; low++)
                if (strcmp(u->v[low].etag, w->etag) == 0)
                        return &u->v[low];
        return NULL;
}

static void looked_again(struct ri_up *u)
{
        const struct complete *c = u->own;

        if (u->there && strcmp(u->decided, c->decision) == 0)
                was_shown(u);
        else
                decided_late(u);
}

static void found(struct ri_up *u)
{
        struct complete *c = u->own;
        roma_writer_opts o = ROMA_WRITER_OPTS_INIT;

        for (size_t i = 0; i < c->n; i++) {
                const struct ri_part_name *p = find(u, &c->v[i]);

                if (!p && strcmp(u->decided, c->decision) == 0) {
                        if (u->op->store->be->flags & RI_FOLDERS)
                                was_shown(u);
                        else
                                ri_up_look(u, looked_again);
                        return;
                }
                if (!p) {
                        ri_up_fail(u, ROMA_EPRECONDITION, "there is no part %u with the ETag %s",
                                   c->v[i].number, c->v[i].etag);
                        return;
                }
                c->v[i].found = p;
                if (p->length > INT64_MAX - c->length) {
                        ri_up_fail(u, ROMA_EFBIG, "no object is longer than 2^63 bytes");
                        return;
                }
                c->crc = ri_crc32_combine(c->crc, p->crc, p->length);
                c->length += p->length;
        }
        c->summed = true;
        o.stall_ms = u->op->stall_ms;
        o.deadline_ms = ROMA_NEVER;
        o.size_hint = c->length;
        o.precondition = c->precondition;
        if (!(u->op->store->be->caps & ROMA_CAP_MODE))
                u->attr.mask &= ~(uint32_t)ROMA_ATTR_MODE;
        o.attr = u->attr.mask ? &u->attr : NULL;
        ri_up_step(u, roma_aio_writer_open(u->op->store, u->key, &o, writer_opened, u));
}

static void looked(struct ri_up *u)
{
        struct complete *c = u->own;
        bool ours = strcmp(u->decided, c->decision) == 0;

        if (ours && !u->there && !(u->op->store->be->flags & RI_FOLDERS))
                decided_late(u);
        else if (ours && !u->there)
                was_shown(u);
        else if ((!u->there && !ours) || (*u->decided && !ours))
                ri_up_fail_absent(u);
        else
                ri_up_scan(u, found);
}

/* The parts that are asked for, and how, in a few bytes. */
static bool make_decision(struct complete *c, struct ri_error *e)
{
        struct ri_str err = RI_STR_INIT(300);
        char hex[RI_DIGEST_HEX_MAX], line[80];
        struct ri_digest d;
        int r = ri_digest_begin(&d, RI_MD5, &err);

        if (r == 0) {
                ri_digest_update(&d, c->precondition == ROMA_IF_ABSENT ? "absent\n" : "always\n", 7);
                for (size_t i = 0; i < c->n; i++) {
                        int n = snprintf(line, sizeof(line), "%u %s\n", c->v[i].number, c->v[i].etag);

                        ri_digest_update(&d, line, (size_t)n);
                }
                r = ri_digest_end_hex(&d, hex, &err);
        }
        if (r == 0)
                snprintf(c->decision, sizeof(c->decision), "complete %.40s", hex);
        else
                ri_error_set(e, ROMA_ESYSTEM, NULL, "%s", ri_str_cstr(&err));
        ri_str_free(&err);
        return r == 0;
}

/* ETags as S3 shows them have quotes. */
static void unquoted(char out[RI_PART_ETAG], const char *etag)
{
        size_t n;

        etag = etag ? etag : "";
        etag += *etag == '"';
        n = strcspn(etag, "\"");
        snprintf(out, RI_PART_ETAG, "%.*s", (int)(n < RI_PART_ETAG ? n : 0), etag);
}

void ri_upload_complete(struct ri_op *op, const char *key, const char *id, const roma_part *parts,
                        size_t count, const roma_complete_opts *opts)
{
        struct ri_up *u = ri_up_new(op, key, id);
        struct complete *c = u ? calloc(1, sizeof(*c)) : NULL;
        struct ri_error e;

        if (!u)
                return;
        u->own = c;
        u->clear = complete_clear;
        if (c) {
                ri_list_init(&c->writes);
                c->u = u;
                c->n = count;
                c->precondition = opts->precondition;
                c->made.size = sizeof(c->made);
                c->v = calloc(count, sizeof(*c->v));
        }
        if (!c || !c->v) {
                ri_up_fail(u, ROMA_ENOMEM, "no memory for the list of parts");
                return;
        }
        for (size_t i = 0; i < count; i++) {
                c->v[i].number = parts[i].number;
                unquoted(c->v[i].etag, parts[i].etag);
        }
        if (make_decision(c, &e))
                ri_up_look(u, looked);
        else
                ri_op_fail_error(ri_up_end(u), &e);
}

/* Aborting */

static void aborted(struct ri_up *u)
{
        ri_op_finish(ri_up_end(u));
}

static void abort_remove(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;

        u->child = 0;
        if (r->code)
                ri_up_fail_from(u, r);
        else
                aborted(u);
}

static void abort_decided(struct ri_up *u)
{
        roma_opts o = ri_child_opts(u->op);

        if (strcmp(u->decided, "abort") != 0) {
                lost(u);
                return;
        }
        u->op->outcome = ROMA_DONE; /* nobody can complete it any more, whatever stays for gc */
        ri_up_step(u, ri_aio_upload_remove(u->op->store, u->key, u->id, false, &o, abort_remove, u));
}

static void abort_looked(struct ri_up *u)
{
        if (*u->decided)
                abort_decided(u);
        else if (!u->there)
                ri_up_fail_absent(u);
        else
                ri_up_decide(u, "abort", abort_decided);
}

void ri_upload_abort(struct ri_op *op, const char *key, const char *id)
{
        struct ri_up *u = ri_up_new(op, key, id);

        if (u)
                ri_up_look(u, abort_looked);
}
