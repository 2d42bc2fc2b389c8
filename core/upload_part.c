/* SPDX-License-Identifier: MIT */
/* Beginning an upload, and its parts, where a store has none of its own. A part is written by the writer of its store; at
 * the commit, when MD5, CRC and length are known, it gets its name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/upload.h"

/* Begin: the folder, then the file that makes it an upload. */

static void begun(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;
        struct ri_op *op;

        u->child = 0;
        if (r->code) {
                ri_up_fail_from(u, r);
                return;
        }
        if (ri_op_set_text(u->op, u->id, strlen(u->id)) < 0) {
                ri_up_free(u);
                return;
        }
        op = ri_up_end(u);
        ri_op_finish(op);
}

static void note_free(struct ri_up *u)
{
        ri_str_free(u->own);
        free(u->own);
}

static void folder_made(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;
        const struct ri_str *note = u->own;
        roma_put_opts o = ROMA_PUT_OPTS_INIT;
        char *key;

        u->child = 0;
        if (r && r->code) {
                ri_up_fail_from(u, r);
                return;
        }
        key = ri_upload_own(u->key, u->id);
        o.stall_ms = u->op->stall_ms;
        o.deadline_ms = ROMA_NEVER;
        ri_up_step(u, key ? roma_aio_put(u->op->store, key, note->p, note->len, &o, begun, u) : 0);
        free(key);
}

static void parents_made(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;
        roma_opts o = ri_child_opts(u->op);
        char *folder;

        u->child = 0;
        if (r && r->code) {
                ri_up_fail_from(u, r);
                return;
        }
        folder = ri_upload_key(u->key, u->id, "");
        ri_up_step(u, folder ? roma_aio_mkdir(u->op->store, folder, 0755, 0, &o, folder_made, u) : 0);
        free(folder);
}

static void make_parents(struct ri_up *u)
{
        roma_opts o = ri_child_opts(u->op);
        const char *slash = strrchr(u->key, '/');
        char *folder = strndup(u->key, slash ? (size_t)(slash - u->key) : 0);

        ri_up_step(u, folder ? roma_aio_mkdir(u->op->store, folder, 0755, ROMA_MKDIR_PARENTS, &o,
                                              parents_made, u)
                             : 0);
        free(folder);
}

void ri_upload_begin(struct ri_op *op, const char *key, const roma_upload_opts *opts)
{
        char name[RI_TEMP_NAME];
        struct ri_str *note;
        struct ri_up *u;

        if (ri_temp_name(name) < 0) {
                ri_op_fail(op, ROMA_ESYSTEM, "no random numbers for the id of an upload");
                return;
        }
        u = ri_up_new(op, key, name + sizeof(RI_TEMP_PREFIX) - 1);
        if (!u)
                return;
        note = calloc(1, sizeof(*note));
        if (note)
                ri_str_init(note, 65536 + 200);
        u->own = note;
        u->clear = note ? note_free : NULL;
        if (!note || ri_upload_note(note, key, opts->attr) < 0)
                ri_up_fail(u, ROMA_ENOMEM, "out of memory");
        else if (!(op->store->be->flags & RI_FOLDERS))
                folder_made(u, NULL);
        else if (opts->flags & ROMA_WRITER_PARENTS && strchr(key, '/'))
                make_parents(u);
        else
                parents_made(u, NULL);
}

/* A part */

struct part {
        unsigned number;
        uint64_t size_hint;
        uint64_t time; /* 0: of the commit */
};

static void part_free(struct ri_up *u)
{
        free(u->own);
}

static uint64_t now(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Called by the writer when all is known. */
static char *part_name(const roma_writer *w)
{
        struct ri_part_name n = { .number = w->part, .time = now(), .crc = w->crc, .length = w->bytes };

        memcpy(n.etag, w->digest, RI_PART_ETAG - 1);
        n.etag[RI_PART_ETAG - 1] = '\0';
        return ri_part_key(w->key, w->upload, &n);
}

static void writer_discard(struct ri_op *op)
{
        roma_aio_writer_abort(op->res.writer, NULL, NULL, NULL);
        op->res.writer = NULL;
}

static void part_opened(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;
        const struct part *p = u->own;
        struct ri_str err = RI_STR_INIT(300);
        roma_writer *w = r->writer;
        struct ri_op *op;

        u->child = 0;
        if (r->code == ROMA_ENOENT) {
                ri_up_fail_absent(u);
                return;
        }
        if (r->code) {
                ri_up_fail_from(u, r);
                return;
        }
        w->upload = u->id;
        u->id = NULL;
        w->part = p->number;
        w->part_time = p->time;
        if (ri_writer_digest(w, p->time ? NULL : part_name, &err) < 0) {
                roma_aio_writer_abort(w, NULL, NULL, NULL);
                ri_up_fail(u, ROMA_ESYSTEM, "%s", ri_str_cstr(&err));
        } else {
                free(w->key);
                w->key = u->key; /* sentences name the object; the folder is the same */
                u->key = NULL;
                op = ri_up_end(u);
                op->res.writer = w;
                op->discard = writer_discard;
                ri_op_finish(op);
        }
        ri_str_free(&err);
}

static void part_looked(struct ri_up *u)
{
        const struct part *p = u->own;
        /* Nobody else may read what is not yet an object: that may be meant for few. */
        const roma_attr attr = { .size = sizeof(attr), .mask = ROMA_ATTR_MODE, .mode = 0600 };
        roma_writer_opts o = ROMA_WRITER_OPTS_INIT;
        char *key, name[24];

        if (!u->there || *u->decided) {
                ri_up_fail_absent(u);
                return;
        }
        snprintf(name, sizeof(name), "%05u", p->number);
        if (p->time) {
                const struct ri_part_name n = { .number = p->number, .time = p->time };

                key = ri_part_data(u->op->store, u->key, u->id, &n);
                o.precondition = ROMA_IF_ABSENT;
        } else {
                key = ri_upload_key(u->key, u->id, name);
        }
        o.stall_ms = u->op->stall_ms;
        o.deadline_ms = ROMA_NEVER;
        o.size_hint = p->size_hint;
        o.attr = u->op->store->be->caps & ROMA_CAP_MODE ? &attr : NULL;
        ri_up_step(u, key ? roma_aio_writer_open(u->op->store, key, &o, part_opened, u) : 0);
        free(key);
}

void ri_upload_part_open(struct ri_op *op, const char *key, const char *id, unsigned number,
                         uint64_t size_hint)
{
        struct ri_up *u = ri_up_new(op, key, id);
        struct part *p = u ? calloc(1, sizeof(*p)) : NULL;

        if (!u)
                return;
        u->own = p;
        u->clear = part_free;
        if (!p) {
                ri_up_fail(u, ROMA_ENOMEM, "out of memory");
                return;
        }
        p->number = number;
        p->size_hint = size_hint;
        p->time = op->store->be->flags & RI_FOLDERS ? 0 : now();
        ri_up_look(u, part_looked);
}

/* The commit of a part where objects cannot be renamed and folders cannot go: the bytes are there, an object with the name
 * that says everything makes them a part, and then the upload must not have ended meanwhile. */
struct ending {
        struct ri_part_name name;
        roma_attr attr;
        uint64_t bytes;
};

static void ended_meanwhile(void *arg, const roma_result *r)
{
        (void)r;
        ((struct ri_up *)arg)->child = 0;
        ri_up_fail_absent(arg);
}

static void part_checked(struct ri_up *u)
{
        roma_opts o = ri_child_opts(u->op);
        struct ending *e = u->own;

        if (u->there && !*u->decided) {
                roma_attr a = e->attr;
                uint64_t bytes = e->bytes;
                uint32_t crc = e->name.crc;
                struct ri_op *op = ri_up_end(u);

                ri_op_set_attr(op, &a);
                op->res.bytes = bytes;
                op->res.crc32 = crc;
                op->res.has_crc32 = 1;
                ri_op_finish(op);
        } else if (strncmp(u->decided, "complete", 8) == 0) {
                ri_up_fail_absent(u); /* which removes it too */
        } else {
                ri_up_step(u,
                           ri_aio_upload_remove(u->op->store, u->key, u->id, false, &o, ended_meanwhile, u));
        }
}

static void part_named(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;

        u->child = 0;
        if (r->code)
                ri_up_fail_from(u, r);
        else
                ri_up_look(u, part_checked);
}

static void part_written(void *arg, const roma_result *r)
{
        struct ri_up *u = arg;
        struct ending *e = u->own;
        roma_put_opts o = ROMA_PUT_OPTS_INIT;
        char *key;

        u->child = 0;
        if (r->code) {
                u->op->outcome = ROMA_NOT_DONE;
                ri_up_fail_from(u, r);
                return;
        }
        e->attr = *r->attr;
        e->bytes = e->name.length = r->bytes;
        e->name.crc = r->crc32;
        snprintf(e->name.etag, sizeof(e->name.etag), "%.32s", r->attr->etag);
        key = ri_part_key(u->key, u->id, &e->name);
        o.stall_ms = u->op->stall_ms;
        o.deadline_ms = ROMA_NEVER;
        ri_up_step(u, key ? roma_aio_put(u->op->store, key, "", 0, &o, part_named, u) : 0);
        free(key);
}

roma_op ri_upload_part_commit(roma_writer *w, const roma_opts *opts, roma_done *done, void *arg)
{
        struct ri_op *op =
                ri_op_new(w->store->loop, w->store, RI_TRANSFER, "upload", w->key, opts, done, arg);
        struct ri_up *u = op ? ri_up_new(op, w->key, w->upload) : NULL;
        struct ending *e = u ? calloc(1, sizeof(*e)) : NULL;
        roma_op id = ri_op_id(op);
        roma_opts o;

        if (!e) {
                roma_aio_writer_abort(w, NULL, NULL, NULL);
                if (u)
                        ri_up_fail(u, ROMA_ENOMEM, "out of memory");
                return id;
        }
        u->own = e;
        u->clear = part_free;
        e->name.number = w->part;
        e->name.time = w->part_time;
        o = ri_child_opts(op);
        ri_up_step(u, ri_aio_writer_commit(w, &o, part_written, u));
        return id;
}
