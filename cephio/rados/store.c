/* SPDX-License-Identifier: MIT */
/* Opening and closing, connections that are lost, and the two tables that core knows the store by. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "cephio/rados/rados.h"
#include "core/writer.h"

enum { CLOSE_MS = 3000, DROP_WAIT_MS = 2000, LAYOUT_READ = 64 };

int64_t rad_now_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int rad_random(void *p, size_t n)
{
        return getrandom(p, n, 0) == (ssize_t)n ? 0 : -1;
}

bool rad_key(struct ri_op *op, const char *key, char out[RAD_KEY_MAX + 1])
{
        const char *root = rad_of(op->store)->o->root;
        size_t r = strlen(root), n = strlen(key);

        if (n == 0) {
                ri_op_fail(op, ROMA_EISDIR, "the store's root is no object; name a key");
                return false;
        }
        if (n > RAD_KEY_MAX - r) {
                ri_op_fail(op, ROMA_ENAMETOOLONG, "the key has %zu bytes and at most %d are possible", r + n,
                           RAD_KEY_MAX);
                return false;
        }
        memcpy(out, root, r);
        memcpy(out + r, key, n + 1);
        return true;
}

void rad_stat_folder(struct ri_op *op)
{
        roma_attr a = ROMA_ATTR_INIT;

        a.mask = ROMA_ATTR_TYPE;
        a.type = ROMA_TYPE_DIR;
        ri_op_set_attr(op, &a);
        ri_op_finish(op);
}

/* Connecting */

struct rad_connecting {
        struct ri_job job;
        struct rad_store *rs; /* loop only */
        struct ri_op *op;     /* of the first one */
        struct rad_opts *o;
        struct rad_io *io;
        uint32_t shards;
        bool sure; /* that is how the namespace is laid out */
        struct ri_error e;
        uint64_t begun_ns, work_ns, connected_ns; /* by the loop, by the worker, when the pool was open */
};

static void connecting_free(struct rad_connecting *c)
{
        rad_io_unref_later(c->io);
        rad_opts_unref(c->o);
        free(c);
}

static int layout_bad(struct rad_connecting *c, const char *why)
{
        ri_error_set(
                &c->e, ROMA_ECORRUPT, c->io->where,
                "the object \"roma\" of pool %.100s says how the namespace is laid out, and %s; use raw=1 "
                "for data of other programs, or another namespace (ns=)",
                c->o->pool, why);
        return -1;
}

/* 1: read, 0: not there, -1: failed. */
static int layout_read(struct rad_connecting *c)
{
        char buf[LAYOUT_READ];
        struct rad_layout l;
        const char *why = "";
        int r = rados_read(c->io->ctx, "roma", buf, sizeof(buf), 0);

        if (r == -ENOENT)
                return 0;
        if (r < 0) {
                rad_error(&c->e, r, "read the layout (object roma)", NULL, c->io->where);
                if (r == -ETIMEDOUT)
                        rad_say_osds(&c->e, c->io);
                return -1;
        }
        if (rad_layout_decode(buf, (size_t)r, &l, &why) < 0)
                return layout_bad(c, why);
        c->shards = l.shards;
        c->sure = true;
        return 1;
}

static int layout_write(struct rad_connecting *c)
{
        uint8_t bytes[RAD_LAYOUT_BYTES];
        rados_write_op_t op = rados_create_write_op();
        int r;

        rad_layout_encode(&(struct rad_layout){ c->o->shards }, bytes);
        rados_write_op_create(op, LIBRADOS_CREATE_EXCLUSIVE, NULL);
        rados_write_op_write_full(op, (const char *)bytes, sizeof(bytes));
        r = rados_write_op_operate(op, c->io->ctx, "roma", NULL, 0);
        rados_release_write_op(op);
        return r;
}

/* The first to come decides how many shards there are. */
static void layout(struct rad_connecting *c)
{
        int r = layout_read(c);

        if (r)
                return;
        r = layout_write(c);
        c->sure = r >= 0;
        if (r == -EEXIST)
                r = layout_read(c) < 0 ? -1 : 0;
        /* Nothing is there, and this client may not begin: it can read that nothing is there, for now; see laid.c. */
        if (r == -EPERM || r == -EACCES || r == -ENOSPC || r == -EDQUOT)
                r = 0;
        if (r < 0 && !c->e.code)
                rad_error(&c->e, r, "write the layout (object roma)", NULL, c->io->where);
        if (!c->shards)
                c->shards = c->o->shards;
}

static void connect_work(struct ri_job *job)
{
        struct rad_connecting *c = ri_container_of(job, struct rad_connecting, job);

        c->work_ns = ri_now();
        c->io = rad_io_open(c->o, &c->e);
        c->connected_ns = ri_now();
        if (c->io && !c->o->raw)
                layout(c);
        if (c->e.code) {
                rad_io_unref(c->io);
                c->io = NULL;
        }
}

static void connect_orphan(struct ri_job *job)
{
        connecting_free(ri_container_of(job, struct rad_connecting, job));
}

static void adopt(struct rad_store *rs, struct rad_connecting *c)
{
        rs->io = c->io;
        c->io = NULL;
        rs->broken.code = 0;
        rs->store->loop->stats.connections++;
        rs->store->loop->stats.connects_total++;
}

static void adopt_index(struct rad_store *rs, struct rad_connecting *c)
{
        if (rs->o->raw)
                return;
        if (!rs->index)
                rs->index = rad_index_new(rs, c->shards);
        if (!rs->index)
                ri_error_set(&c->e, ROMA_ENOMEM, NULL, "no memory for the store");
        else if (c->sure && c->shards != rad_index_shards(rs->index))
                rad_error(&c->e, -ESTALE, "connect", "roma", c->io->where);
        else
                rs->sure = rs->sure || c->sure;
}

static void tell(struct rad_store *rs, const struct ri_op *op, const struct rad_connecting *c)
{
        const char *where = c->io ? c->io->where : "";

        if (!c->begun_ns)
                return;
        ri_trace_span(rs->loop, op, "queue", "", c->begun_ns, c->work_ns, 0, ROMA_OK);
        ri_trace_span(rs->loop, op, "connect", where, c->work_ns, c->connected_ns, 0,
                      c->io ? ROMA_OK : c->e.code);
        if (c->io && !c->o->raw)
                ri_trace_span(rs->loop, op, "read the layout", where, c->connected_ns, ri_now(), 0,
                              c->e.code);
}

static void connect_done(struct ri_job *job)
{
        struct rad_connecting *c = ri_container_of(job, struct rad_connecting, job);
        struct rad_store *rs = c->rs;
        struct ri_op *op = c->op;

        rs->connecting = NULL;
        if (op) {
                op->impl = NULL;
                tell(rs, op, c);
        }
        if (!c->e.code)
                adopt_index(rs, c);
        if (!c->e.code)
                adopt(rs, c);
        else
                rs->broken = c->e;
        if (!op) {
                rad_pump(rs);
                rad_close_step(rs);
        } else if (c->e.code) {
                ri_op_fail_error(op, &c->e); /* the store goes with it */
        } else {
                ri_op_finish(op);
        }
        connecting_free(c);
}

static bool connecting_start(struct rad_store *rs, struct ri_op *op)
{
        struct rad_connecting *c = calloc(1, sizeof(*c));

        if (!c)
                return false;
        c->rs = rs;
        c->op = op;
        c->o = rad_opts_ref(rs->o);
        c->job.work = connect_work;
        c->job.done = connect_done;
        c->job.orphan = connect_orphan;
        c->job.bytes = sizeof(*c);
        c->begun_ns = ri_trace_start(rs->loop, op, "connect");
        rs->connecting = c;
        ri_job_start(rs->loop, &c->job);
        return true;
}

static void connecting_stop(struct rad_store *rs)
{
        struct rad_connecting *c = rs->connecting;

        rs->connecting = NULL;
        if (c)
                ri_job_abandon(&c->job);
}

static void connect_cancel(struct ri_op *op)
{
        connecting_stop(op->impl);
}

static void be_connect(struct ri_op *op)
{
        struct rad_store *rs = rad_of(op->store);

        op->impl = rs;
        op->cancel = connect_cancel;
        ri_op_waits(op, "the monitors", NULL);
        if (!connecting_start(rs, op)) {
                op->impl = NULL;
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a connection");
        }
}

static void let_go_of_io(struct rad_store *rs)
{
        if (!rs->io)
                return;
        rad_io_unref_later(rs->io);
        rs->io = NULL;
        rs->loop->stats.connections--;
}

void rad_reconnect(struct rad_store *rs)
{
        if (rs->io && !rad_io_is_dead(rs->io))
                return;
        let_go_of_io(rs);
        if (rs->connecting || rs->closing)
                return;
        rs->loop->stats.reconnects_total++;
        if (!connecting_start(rs, NULL))
                ri_error_set(&rs->broken, ROMA_ENOMEM, NULL, "no memory for a connection");
}

/* Opening and closing */

static int store_new(roma_store *store, const struct ri_uri *uri, struct ri_error *e)
{
        struct rad_store *rs = calloc(1, sizeof(*rs));

        if (!rs || !uri) {
                free(rs);
                ri_error_set(e, ROMA_ENOMEM, NULL, "no memory for the store");
                return -1;
        }
        rs->store = store;
        rs->loop = store->loop;
        ri_list_init(&rs->waiting);
        ri_list_init(&rs->flying);
        ri_list_init(&rs->owned);
        rs->o = rad_opts_new(uri, e);
        rs->box = rs->o ? rad_box_new(rs) : NULL;
        if (rs->box) {
                store->impl = rs;
                if (rs->o->raw)
                        store->be = &rados_raw_backend;
                return 0;
        }
        if (rs->o)
                ri_error_set(e, ROMA_ENOMEM, NULL, "no memory for the store");
        rad_opts_unref(rs->o);
        free(rs);
        return -1;
}

/* The last step: shutting a handle down takes a while, so a worker does it. */
struct rad_closing {
        struct ri_job job;
        struct rad_store *rs; /* loop only */
        struct rad_io *io;
};

static void store_gone(struct rad_store *rs)
{
        roma_store *store = rs->store;

        ri_timer_stop(&rs->close_limit);
        rad_opts_unref(rs->o);
        free(rs);
        store->impl = NULL;
        ri_store_closed(store);
}

static void closing_work(struct ri_job *job)
{
        struct rad_closing *c = ri_container_of(job, struct rad_closing, job);

        rad_io_unref(c->io);
        c->io = NULL;
}

static void closing_orphan(struct ri_job *job)
{
        struct rad_closing *c = ri_container_of(job, struct rad_closing, job);

        rad_io_unref_later(c->io); /* when no worker had time for it */
        free(c);
}

static void closing_done(struct ri_job *job)
{
        struct rad_closing *c = ri_container_of(job, struct rad_closing, job);
        struct rad_store *rs = c->rs;

        free(c);
        store_gone(rs);
}

/* Ends all that needs the loop. */
static void stop(struct rad_store *rs, unsigned wait_ms)
{
        struct ri_list *l;

        rs->closing = true;
        ri_timer_stop(&rs->close_limit);
        connecting_stop(rs);
        rad_box_close(rs->box, wait_ms);
        rad_index_free(rs->index);
        while ((l = ri_list_pop(&rs->owned))) {
                struct rad_own *o = ri_container_of(l, struct rad_own, link);

                o->drop(o);
        }
        rs->box = NULL;
        rs->index = NULL;
}

static void close_last(struct rad_store *rs)
{
        struct rad_closing *c = rs->io ? calloc(1, sizeof(*c)) : NULL;

        stop(rs, 0);
        if (!c) {
                let_go_of_io(rs);
                store_gone(rs);
                return;
        }
        c->rs = rs;
        c->io = rs->io;
        c->job.work = closing_work;
        c->job.done = closing_done;
        c->job.orphan = closing_orphan;
        rs->io = NULL;
        rs->loop->stats.connections--;
        rs->closer = c;
        ri_job_start(rs->loop, &c->job);
}

static void close_late(struct ri_timer *t)
{
        close_last(ri_container_of(t, struct rad_store, close_limit));
}

void rad_close_step(struct rad_store *rs)
{
        if (rs->closing && !rs->closer && !rs->background && ri_list_empty(&rs->flying) &&
            ri_list_empty(&rs->waiting) && !rs->connecting)
                close_last(rs);
}

void rad_background(struct rad_store *rs, int delta)
{
        rs->background = (unsigned)((int)rs->background + delta);
}

void rad_own(struct rad_store *rs, struct rad_own *o, void (*drop)(struct rad_own *o))
{
        o->drop = drop;
        ri_list_add_tail(&rs->owned, &o->link);
        rad_background(rs, 1);
}

void rad_disown(struct rad_store *rs, struct rad_own *o)
{
        ri_list_del(&o->link);
        rad_background(rs, -1);
}

static void close_now(struct rad_store *rs)
{
        if (rs->closer) {
                /* Only the handle is left, and a worker is at it. */
                ri_job_abandon(&rs->closer->job);
        } else {
                stop(rs, DROP_WAIT_MS);
                if (rs->io)
                        rs->loop->stats.connections--;
                rad_io_unref(rs->io);
        }
        store_gone(rs);
}

static void be_close(roma_store *store, bool now)
{
        struct rad_store *rs = store->impl;

        if (now) {
                close_now(rs);
                return;
        }
        rs->closing = true;
        rs->close_limit.fire = close_late;
        if (ri_timer_start(rs->loop, &rs->close_limit, CLOSE_MS) < 0)
                close_last(rs);
        else
                rad_close_step(rs);
}

/* Without a connection there are only names. */
static bool same_pool(const struct rad_store *a, const struct rad_store *b)
{
        if (!a->io || !b->io || !*a->io->fsid || !*b->io->fsid)
                return strcmp(a->o->pool, b->o->pool) == 0;
        return strcmp(a->io->fsid, b->io->fsid) == 0 &&
               rados_ioctx_get_id(a->io->ctx) == rados_ioctx_get_id(b->io->ctx);
}

static bool same_keys(const roma_store *a, const roma_store *b)
{
        const struct rad_store *p = a->impl, *q = b->impl;

        return strcmp(p->o->ns, q->o->ns) == 0 && same_pool(p, q);
}

static const char *prefix(const roma_store *store)
{
        return ((const struct rad_store *)store->impl)->o->root;
}

static const char *const schemes[] = { "rados", NULL };
static const char *const options[] = { "ns",     "raw",  "conf",  "client",  "keyring", "shards", "piece",
                                       "inline", "keep", "grace", "connect", "osd",     NULL };

const struct ri_backend rados_backend = {
        .abi = RI_BACKEND_ABI,
        .name = "rados",
        .schemes = schemes,
        .options = options,
        .caps = ROMA_CAP_SORTED | ROMA_CAP_IF_ABSENT | ROMA_CAP_MODE,
        .store_new = store_new,
        .connect = be_connect,
        .close = be_close,
        .stat = rad_stat,
        .unlink = rad_unlink,
        .setattr = rad_setattr,
        .statfs = rad_statfs,
        .ping = rad_ping,
        .list = rad_list,
        .gc = rad_gc,
        .file_open = rad_open,
        .file_close = rad_close_file,
        .file_drop = rad_drop_file,
        .file_preadv = rad_preadv,
        .file_fsync = rad_fsync,
        .file_stat = rad_fstat,
        .file_read_buf = rad_read_file_buf,
        .writer = &rad_writer,
        .layout = rad_layout_of,
        .same_keys = same_keys,
        .prefix = prefix,
};

/* One key, one plain object, as `rados get` and every other program see it. */
const struct ri_backend rados_raw_backend = {
        .abi = RI_BACKEND_ABI,
        .name = "rados (raw)",
        .schemes = schemes,
        .options = options,
        .flags = RI_RECHECK,
        .caps = ROMA_CAP_SORTED | ROMA_CAP_IF_ABSENT | ROMA_CAP_INPLACE,
        .store_new = store_new,
        .connect = be_connect,
        .close = be_close,
        .stat = rad_raw_stat,
        .unlink = rad_raw_unlink,
        .statfs = rad_statfs,
        .ping = rad_ping,
        .list = rad_raw_list,
        .file_open = rad_raw_open,
        .file_close = rad_raw_close,
        .file_drop = rad_raw_drop,
        .file_preadv = rad_raw_preadv,
        .file_pwritev = rad_raw_pwritev,
        .file_append = rad_raw_append,
        .file_truncate = rad_raw_truncate,
        .file_fsync = rad_raw_fsync,
        .file_stat = rad_raw_fstat,
        .file_changed = rad_raw_changed,
        .file_read_buf = rad_raw_read_buf,
        .writer = &rad_raw_writer,
        .layout = rad_raw_layout_of,
        .same_keys = same_keys,
        .prefix = prefix,
};
