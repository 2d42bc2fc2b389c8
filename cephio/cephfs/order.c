/* SPDX-License-Identifier: MIT */
/* The order of data operations on one object: workers run in parallel, so an operation waits on the loop until no earlier
 * one on the same bytes is under way, when one of the two is a change. */
#include <stdlib.h>

#include "cephio/cephfs/cephfs.h"

static void line_free(struct cfs_line *line)
{
        ri_list_del(&line->in_root);
        ri_strays_unref(line->strays);
        free(line);
}

void cfs_lines_free(struct cfs_root *r, bool all)
{
        ri_list_for_each_safe(it, tmp, &r->lines)
        {
                struct cfs_line *line = ri_list_entry(it, struct cfs_line, in_root);

                if (!line->refs && (all || !ri_strays_shared(line->strays)))
                        line_free(line);
        }
}

static struct cfs_line *line_new(struct cfs_root *r, uint64_t ino)
{
        struct cfs_line *line = calloc(1, sizeof(*line));

        if (!line)
                return NULL;
        line->strays = ri_strays_new();
        if (!line->strays) {
                free(line);
                return NULL;
        }
        line->ino = ino;
        ri_list_init(&line->order);
        ri_list_add_tail(&r->lines, &line->in_root);
        return line;
}

struct cfs_line *cfs_line_ref(struct cfs_root *r, uint64_t ino)
{
        struct cfs_line *found = NULL;

        ri_list_for_each(it, &r->lines)
        {
                struct cfs_line *line = ri_list_entry(it, struct cfs_line, in_root);

                if (line->ino == ino)
                        found = line;
        }
        if (!found)
                found = line_new(r, ino);
        if (found)
                found->refs++;
        cfs_lines_free(r, false);
        return found;
}

void cfs_line_unref(struct cfs_line *line)
{
        if (--line->refs == 0 && !ri_strays_shared(line->strays))
                line_free(line);
}

static bool overlap(const struct cfs_job *a, const struct cfs_job *b)
{
        if (!a->change && !b->change)
                return false;
        if (a->line_off < b->line_off)
                return b->line_off - a->line_off < a->line_len;
        return a->line_off - b->line_off < b->line_len;
}

static bool blocked(const struct cfs_line *line, const struct cfs_job *j)
{
        ri_list_for_each(it, &line->order)
        {
                const struct cfs_job *earlier = ri_list_entry(it, struct cfs_job, in_order);

                if (earlier == j)
                        return false;
                if (overlap(earlier, j))
                        return true;
        }
        return false;
}

void cfs_order_add(struct cfs_job *j)
{
        struct cfs_line *line = ((struct cfs_file *)j->file->impl)->line;

        ri_list_add_tail(&line->order, &j->in_order);
        if (blocked(line, j)) {
                j->order_waits = true;
                line->waiting++;
                ri_op_waits(j->op, "an earlier operation on the same bytes", NULL);
        } else {
                j->launch(j);
        }
}

static struct cfs_job *next_free(struct cfs_line *line)
{
        ri_list_for_each(it, &line->order)
        {
                struct cfs_job *j = ri_list_entry(it, struct cfs_job, in_order);

                if (j->order_waits && !blocked(line, j))
                        return j;
        }
        return NULL;
}

void cfs_order_end(struct cfs_job *j)
{
        struct cfs_line *line;

        if (ri_list_empty(&j->in_order))
                return;
        line = ((struct cfs_file *)j->file->impl)->line;
        ri_list_del(&j->in_order);
        if (j->order_waits)
                line->waiting--;
        j->order_waits = false;
        /* A launch may fail and come back here, so each turn looks anew. */
        while (line->waiting) {
                j = next_free(line);
                if (!j)
                        return;
                j->order_waits = false;
                line->waiting--;
                ri_op_waits(j->op, "the cluster", NULL);
                j->launch(j);
        }
}
