/* SPDX-License-Identifier: MIT */
/* One object from one place to another, as a task: put, get or copy, by what the two ends are; then, for a move, the
 * removal of the source. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "tools/tool.h"

static struct transfer *of_flight(struct flight *f)
{
        return (struct transfer *)((char *)f - offsetof(struct transfer, flight));
}

void end_free(struct end *e)
{
        free(e->key);
        free(e->path);
        free(e->shown);
}

static void drop(struct task *task)
{
        struct transfer *x = (struct transfer *)task; /* its first member */

        end_free(&x->from);
        end_free(&x->to);
        free(x->target);
        free(x->spare);
        free(x->fault);
        free(x);
}

static void finish(struct transfer *x)
{
        struct pool *pool = x->task.pool;

        progress_file(x->tool);
        drop(&x->task);
        task_finished(pool);
}

static void fail(struct transfer *x, const roma_result *r)
{
        struct tool *t = x->tool;
        bool to_output = x->to.path && !strcmp(x->to.path, "-");

        if (x->failed)
                *x->failed = true;
        /* The library wrote to standard output for us: a reader that went away is as in the program's own writes. */
        if (to_output && r->code == ROMA_ELOCALIO && r->status_kind == ROMA_STATUS_ERRNO &&
            r->server_status == EPIPE)
                out_failed(t, EPIPE);
        else
                report_failure(t, r, x->from.shown);
        finish(x);
}

static void count(void *arg, uint64_t done, uint64_t total)
{
        struct transfer *x = arg;

        if (!x->expected && total != ROMA_SIZE_UNKNOWN) {
                progress_expect(x->tool, 0, (int64_t)total);
                x->expected = true;
        }
        progress_bytes(x->tool, (int64_t)(done - x->counted));
        x->counted = done;
}

static void report_json(struct transfer *x, const roma_result *r)
{
        json_t *o = json_of(json_object());
        char crc[16];

        json_name(o, "source", x->from.shown);
        json_name(o, "destination", x->to.shown);
        if (x->target) {
                json_name(o, "link", x->target);
        } else {
                json_object_set_new(o, "bytes", json_of(json_integer((json_int_t)r->bytes)));
                if (r->has_crc32) {
                        snprintf(crc, sizeof(crc), "%08x", r->crc32);
                        json_object_set_new(o, "crc32", json_of(json_string(crc)));
                }
                if (r->text && *r->text)
                        json_name(o, "digest", r->text);
        }
        json_object_set_new(o, "seconds", json_of(json_real((double)(now_ns() - x->started_ns) / 1e9)));
        out_json(x->tool, o);
}

static void report(struct transfer *x, const roma_result *r)
{
        struct tool *t = x->tool;
        const char *digest = r->text && *r->text ? r->text : NULL;

        if (x->to.path && !strcmp(x->to.path, "-"))
                return; /* nothing may stand between the bytes */
        if (t->opt.json) {
                report_json(x, r);
        } else if (t->opt.verbose) {
                out_name(t, x->from.shown);
                out(t, " -> ");
                out_name(t, x->to.shown);
                if (x->target)
                        out(t, " (link)\n");
                else
                        out(t, " (%llu bytes%s%s)\n", (unsigned long long)r->bytes, digest ? ", " : "",
                            digest ? digest : "");
                out_flush(t);
        }
}

static void source_removed(struct flight *f, const roma_result *r)
{
        struct transfer *x = of_flight(f);

        if (r->code != ROMA_OK)
                fail(x, r);
        else
                finish(x);
}

/* Where there are no inodes, the time at which the store made the object counts: the other one is kept by copies, and a
 * listing may not know it. */
static bool differ(const roma_attr *a, const roma_attr *b)
{
        uint32_t both = a->mask & b->mask;
        bool made = !(both & ROMA_ATTR_INODE) && (both & ROMA_ATTR_CTIME);

        return ((both & ROMA_ATTR_INODE) && a->inode != b->inode) ||
               ((both & ROMA_ATTR_LENGTH) && a->length != b->length) ||
               ((both & ROMA_ATTR_ETAG) && strcmp(a->etag, b->etag) != 0) ||
               (made ? a->ctime_ns != b->ctime_ns : (both & ROMA_ATTR_MTIME) && a->mtime_ns != b->mtime_ns);
}

/* Fails with a sentence of our own, which is freed. */
static void refuse(struct transfer *x, int code, int outcome, char *why)
{
        const roma_result r = {
                .code = code, .outcome = outcome, .message = why, .server = "", .status_name = "", .text = ""
        };

        fail(x, &r);
        free(why);
}

/* What has the source's name now is removed only when it is what was copied. Two names of one store need not look alike
 * (mfs://host and mfs://host:9421, a name and an address), and an object that was moved to itself would be lost. */
static void source_looked(struct flight *f, const roma_result *r)
{
        struct transfer *x = of_flight(f);
        struct tool *t = x->tool;
        const roma_opts opts = request_opts(t);

        if (r->code != ROMA_OK) {
                fail(x, r);
        } else if (differ(&x->was, r->attr)) {
                char *why = need_format(
                        "%s %s: it was copied to %s and is not removed: it has changed since, or both "
                        "names mean the same object",
                        t->command->name, x->from.shown, x->to.shown);
                refuse(x, ROMA_ESOURCE, ROMA_NOT_DONE, why);
        } else {
                flight_track(t, f, source_removed,
                             roma_aio_unlink(x->from.place->store, x->from.key, 0, &opts, flight_done, f));
        }
}

static void done(struct flight *f, const roma_result *r)
{
        struct transfer *x = of_flight(f);
        struct tool *t = x->tool;

        if (r->code != ROMA_OK) {
                fail(x, r);
                return;
        }
        if (!x->link)
                count(x, r->bytes, r->bytes);
        report(x, r);
        if (x->good)
                ++*x->good;
        if (!x->move) {
                finish(x);
                return;
        }
        const roma_opts opts = request_opts(t);
        flight_track(t, f, source_looked,
                     roma_aio_stat(x->from.place->store, x->from.key, ROMA_NOFOLLOW, &opts, flight_done, f));
}

/* Symbolic links: read, make. Where the name is taken: made under the name of a temporary and moved over it, so that
 * what was there stays until the link is. */

static void link_make(struct transfer *x);

static void spare_gone(struct flight *f, const roma_result *r)
{
        struct transfer *x = of_flight(f);
        char *fault = x->fault;

        (void)r; /* roma gc takes it when this could not */
        x->fault = NULL;
        refuse(x, x->fault_code, x->fault_outcome, fault);
}

static void spare_moved(struct flight *f, const roma_result *r)
{
        struct transfer *x = of_flight(f);
        const roma_opts opts = request_opts(x->tool);

        if (r->code == ROMA_OK) {
                done(f, r);
                return;
        }
        x->fault_code = r->code;
        x->fault_outcome = r->outcome;
        x->fault = need_copy(r->message);
        flight_track(
                x->tool, f, spare_gone,
                roma_aio_unlink(x->to.place->store, x->spare, ROMA_UNLINK_NO_TRASH, &opts, flight_done, f));
}

static void spare_made(struct flight *f, const roma_result *r)
{
        struct transfer *x = of_flight(f);
        const roma_opts opts = request_opts(x->tool);

        if (r->code != ROMA_OK)
                fail(x, r);
        else
                flight_track(
                        x->tool, f, spare_moved,
                        roma_aio_rename(x->to.place->store, x->spare, x->to.key, 0, &opts, flight_done, f));
}

/* The key of a temporary beside it. NULL: no random numbers. */
static char *spare_key(const char *key)
{
        static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
        const char *slash = strrchr(key, '/');
        unsigned char random[16];
        char name[sizeof random + 1] = "";

        if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
                return NULL;
        for (size_t i = 0; i < sizeof random; i++)
                name[i] = letters[random[i] % (sizeof letters - 1)];
        return need_format("%.*s.roma~%s", slash ? (int)(slash + 1 - key) : 0, key, name);
}

static void link_replace(struct transfer *x)
{
        const roma_opts opts = request_opts(x->tool);

        x->spare = spare_key(x->to.key);
        if (!x->spare)
                refuse(x, ROMA_ESYSTEM, ROMA_NOT_DONE,
                       need_format("no random numbers for a temporary beside %s", x->to.shown));
        else
                flight_track(x->tool, &x->flight, spare_made,
                             roma_aio_symlink(x->to.place->store, x->target, x->spare, &opts, flight_done,
                                              &x->flight));
}

static void link_folder(struct flight *f, const roma_result *r)
{
        struct transfer *x = of_flight(f);

        if (r->code != ROMA_OK)
                fail(x, r);
        else
                link_make(x);
}

/* The folder of the link may still be on its way: makes it, as a put does. False: nothing has been started. */
static bool link_parents(struct transfer *x)
{
        struct tool *t = x->tool;
        const roma_opts opts = request_opts(t);
        const char *slash = strrchr(x->to.key, '/');
        char *folder;

        if (x->link_parents || !(x->in_tree || t->opt.parents) || t->stopping || !slash || slash == x->to.key)
                return false;
        x->link_parents = true;
        folder = need_copy(x->to.key);
        folder[slash - x->to.key] = 0;
        flight_track(t, &x->flight, link_folder,
                     roma_aio_mkdir(x->to.place->store, folder, 0755, ROMA_MKDIR_PARENTS, &opts, flight_done,
                                    &x->flight));
        free(folder);
        return true;
}

static void link_made(struct flight *f, const roma_result *r)
{
        struct transfer *x = of_flight(f);
        struct tool *t = x->tool;

        if (r->code == ROMA_ENOENT && link_parents(x))
                return;
        if (r->code == ROMA_EEXIST && !t->opt.if_absent && !t->stopping)
                link_replace(x);
        else
                done(f, r);
}

static void link_make(struct transfer *x)
{
        const roma_opts opts = request_opts(x->tool);

        flight_track(
                x->tool, &x->flight, link_made,
                roma_aio_symlink(x->to.place->store, x->target, x->to.key, &opts, flight_done, &x->flight));
}

static void link_read(struct flight *f, const roma_result *r)
{
        struct transfer *x = of_flight(f);

        if (r->code != ROMA_OK) {
                fail(x, r);
                return;
        }
        x->target = need_copy(r->text);
        link_make(x);
}

/* A FIFO or a device as source is read by the library's put, as destination written by its get. */
static bool from_special(const struct end *from)
{
        struct stat st;

        return !strcmp(from->path, "-") || (stat(from->path, &st) == 0 && !S_ISREG(st.st_mode));
}

static roma_put_opts options(struct transfer *x)
{
        const struct options *o = &x->tool->opt;
        roma_put_opts opts = ROMA_PUT_OPTS_INIT;

        opts.stall_ms = o->stall_ms;
        opts.deadline_ms = o->deadline_ms;
        opts.verify = o->verify;
        if (x->move && opts.verify == ROMA_VERIFY_DEFAULT)
                opts.verify = ROMA_STREAMED; /* the source goes away: read the copy again first */
        opts.precondition = o->if_absent ? ROMA_IF_ABSENT : ROMA_ALWAYS;
        if (x->tool->command->options & OPT_CONDITION) {
                opts.source_match = o->if_match;
                opts.source_none_match = o->if_none_match;
        } else if (o->if_match) {
                opts.precondition = ROMA_IF_MATCH;
                opts.if_match = o->if_match;
        }
        opts.flags = (o->parents || x->in_tree ? ROMA_WRITER_PARENTS : 0u) |
                     (x->over_link ? ROMA_WRITER_OVER_LINK : 0u) | (o->no_meta ? ROMA_NO_PROPS : 0u);
        if (x->was.mask & ROMA_ATTR_ETAG)
                opts.source_known = &x->was;
        opts.keep_times = o->keep_times || x->move;
        if (x->from.path && from_special(&x->from))
                opts.size_hint = o->size_hint;
        opts.props = o->props;
        opts.n_props = o->nprops;
        opts.progress = count;
        opts.progress_arg = x;
        return opts;
}

static roma_op begin(struct transfer *x)
{
        const roma_put_opts opts = options(x);
        struct flight *f = &x->flight;

        if (x->from.path && (!x->to.path || from_special(&x->from)))
                return roma_aio_put_path(x->to.place->store, x->to.key, x->from.path, &opts, flight_done, f);
        if (x->to.path)
                return roma_aio_get_path(x->from.place->store, x->from.key, x->to.path, &opts, flight_done,
                                         f);
        return roma_aio_copy(x->from.place->store, x->from.key, x->to.place->store, x->to.key, &opts,
                             flight_done, f);
}

/* A move to itself under another name would be removed at the end. Without inodes what has the destination's name is taken
 * for the source when nothing tells the two apart. */
static void target_looked(struct flight *f, const roma_result *r)
{
        struct transfer *x = of_flight(f);
        struct tool *t = x->tool;

        if (r->code == ROMA_OK && !differ(&x->was, r->attr)) {
                char *why = need_format(
                        "%s %s: %s seems to be the same object under another name, and nothing was "
                        "done; if it is a copy, remove one of the two with roma rm",
                        t->command->name, x->from.shown, x->to.shown);
                refuse(x, ROMA_EINVAL, ROMA_NOT_DONE, why);
        } else {
                flight_track(t, f, done, begin(x));
        }
}

static bool may_be_itself(const struct transfer *x)
{
        return x->move && x->from.place && x->to.place && !(x->was.mask & ROMA_ATTR_INODE);
}

static void start(struct task *task)
{
        struct transfer *x = (struct transfer *)task; /* its first member */
        const roma_opts opts = request_opts(x->tool);

        x->started_ns = now_ns();
        if (x->link)
                flight_track(
                        x->tool, &x->flight, link_read,
                        roma_aio_readlink(x->from.place->store, x->from.key, &opts, flight_done, &x->flight));
        else if (may_be_itself(x))
                flight_track(x->tool, &x->flight, target_looked,
                             roma_aio_stat(x->to.place->store, x->to.key, ROMA_NOFOLLOW, &opts, flight_done,
                                           &x->flight));
        else
                flight_track(x->tool, &x->flight, done, begin(x));
}

struct transfer *transfer_new(struct tool *t, const struct end *from, const struct end *to)
{
        struct transfer *x = need_zeroed(sizeof(*x));

        x->task.start = start;
        x->task.drop = drop;
        x->tool = t;
        x->from = *from;
        x->to = *to;
        return x;
}

void transfer_add(struct pool *pool, struct transfer *x)
{
        progress_expect(x->tool, 1, 0);
        pool_add(pool, &x->task);
}
