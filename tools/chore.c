/* SPDX-License-Identifier: MIT */
/* One small operation on one key, as a task for a pool. */
#include <stdlib.h>
#include <sys/stat.h>

#include "tools/tool.h"

roma_opts request_opts(const struct tool *t)
{
        roma_opts opts = ROMA_OPTS_INIT;

        opts.stall_ms = t->opt.stall_ms;
        opts.deadline_ms = t->opt.deadline_ms;
        return opts;
}

static struct chore *of_task(struct task *task)
{
        return (struct chore *)task; /* its first member */
}

static struct chore *of_flight(struct flight *f)
{
        return (struct chore *)((char *)f - offsetof(struct chore, flight));
}

static void drop(struct task *task)
{
        struct chore *c = of_task(task);

        free(c->key);
        free(c->shown);
        free(c);
}

static void ended(struct flight *f, const roma_result *r)
{
        struct chore *c = of_flight(f);
        struct pool *pool = c->task.pool;

        if (c->end)
                c->end(f->tool, c, r);
        else if (r->code != ROMA_OK)
                report_failure(f->tool, r, c->shown);
        drop(&c->task);
        task_finished(pool);
}

static void start(struct task *task)
{
        struct chore *c = of_task(task);
        struct tool *t = task->pool->tool;

        flight_track(t, &c->flight, ended, c->begin(t, c));
}

struct chore *chore_new(struct place *place, const char *key, const char *shown,
                        roma_op (*begin)(struct tool *t, struct chore *c))
{
        struct chore *c = need_zeroed(sizeof(*c));

        c->task.start = start;
        c->task.drop = drop;
        c->place = place;
        c->key = need_copy(key);
        c->shown = need_copy(shown);
        c->begin = begin;
        return c;
}

void chore_add(struct pool *pool, struct chore *c)
{
        pool_add(pool, &c->task);
}

roma_op chore_mkdir(struct tool *t, struct chore *c)
{
        const roma_opts opts = request_opts(t);
        static mode_t mask = (mode_t)-1;
        uint32_t mode = 0777;

        if (mask == (mode_t)-1) {
                mask = umask(0);
                umask(mask);
        }
        if (c->attr.mask & ROMA_ATTR_MODE)
                mode = c->attr.mode | 0700; /* files must be able to come in */
        return roma_aio_mkdir(c->place->store, c->key, mode & 0777 & ~mask, ROMA_MKDIR_PARENTS, &opts,
                              flight_done, &c->flight);
}

roma_op chore_unlink(struct tool *t, struct chore *c)
{
        const roma_opts opts = request_opts(t);

        return roma_aio_unlink(c->place->store, c->key, t->opt.no_trash ? ROMA_UNLINK_NO_TRASH : 0, &opts,
                               flight_done, &c->flight);
}
