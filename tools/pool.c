/* SPDX-License-Identifier: MIT */
/* Many tasks, at most `limit` of them at a time. What waits is bounded by whoever adds: it looks at pool_full() and
 * goes on when `low` is called. */
#include "tools/tool.h"

void pool_init(struct pool *pool, struct tool *t, unsigned limit)
{
        *pool = (struct pool){ .tool = t, .limit = limit ? limit : 1 };
}

static struct task *take(struct pool *pool)
{
        struct task *task = pool->head;

        pool->head = task->next;
        if (!pool->head)
                pool->tail = NULL;
        pool->waiting--;
        return task;
}

static void start(struct pool *pool)
{
        while (pool->head && pool->tool->stopping) {
                struct task *task = take(pool);
                task->drop(task);
        }
        while (pool->head && pool->active < pool->limit) {
                struct task *task = take(pool);
                pool->active++;
                task->start(task);
        }
}

void pool_add(struct pool *pool, struct task *task)
{
        task->pool = pool;
        task->next = NULL;
        if (pool->tail)
                pool->tail->next = task;
        else
                pool->head = task;
        pool->tail = task;
        pool->waiting++;
        start(pool);
}

bool pool_full(const struct pool *pool)
{
        return pool->waiting >= pool->limit;
}

void task_finished(struct pool *pool)
{
        pool->active--;
        start(pool);
        if (pool->low && !pool_full(pool))
                pool->low(pool->low_arg);
}
