/* SPDX-License-Identifier: MIT */
/* The order of data operations on one object: workers run in parallel, so an operation waits on the loop until no earlier
 * one on the same bytes is under way, when one of the two is a change. */
#include "fileio/fileio.h"

#include <stdlib.h>

static void line_free(struct fio_line *line)
{
        ri_list_del(&line->in_root);
        ri_strays_unref(line->strays);
        free(line);
}

/* Those of objects that are no longer open, and of which no descriptor is left in a worker either. */
static void sweep(struct fio_root *r)
{
        ri_list_for_each_safe(it, tmp, &r->lines)
        {
                struct fio_line *line = ri_list_entry(it, struct fio_line, in_root);

                if (!line->refs && !ri_strays_shared(line->strays))
                        line_free(line);
        }
}

struct fio_line *fio_line_ref(struct fio_root *r, uint64_t dev, uint64_t ino)
{
        struct fio_line *line;

        sweep(r);
        ri_list_for_each(it, &r->lines)
        {
                line = ri_list_entry(it, struct fio_line, in_root);
                if (line->ino == ino && line->dev == dev) {
                        line->refs++;
                        return line;
                }
        }
        line = calloc(1, sizeof(*line));
        if (line)
                line->strays = ri_strays_new();
        if (!line || !line->strays) {
                free(line);
                return NULL;
        }
        line->refs = 1;
        line->dev = dev;
        line->ino = ino;
        ri_list_init(&line->order);
        ri_list_add_tail(&r->lines, &line->in_root);
        return line;
}

/* Whoever opens the object again must still wait for the strays of the file that was closed. */
void fio_line_unref(struct fio_root *r, struct fio_line *line)
{
        line->refs--;
        sweep(r);
}

void fio_lines_free(struct fio_root *r)
{
        struct ri_list *it;

        while ((it = ri_list_first(&r->lines)))
                line_free(ri_list_entry(it, struct fio_line, in_root));
}

static bool overlap(const struct fio_job *a, const struct fio_job *b)
{
        if (!a->change && !b->change && !a->on_stream)
                return false;
        if (a->line_off < b->line_off)
                return b->line_off - a->line_off < a->line_len;
        return a->line_off - b->line_off < b->line_len;
}

static bool blocked(const struct fio_line *line, const struct fio_job *j)
{
        ri_list_for_each(it, &line->order)
        {
                const struct fio_job *earlier = ri_list_entry(it, struct fio_job, in_order);

                if (earlier == j)
                        return false;
                if (overlap(earlier, j))
                        return true;
        }
        return false;
}

void fio_order_add(struct fio_job *j)
{
        struct fio_line *line = ((struct fio_file *)j->file->impl)->line;

        ri_list_add_tail(&line->order, &j->in_order);
        if (blocked(line, j)) {
                j->order_waits = true;
                line->waiting++;
                ri_op_waits(j->op, "an earlier operation on the same bytes", NULL);
        } else {
                j->launch(j);
        }
}

static struct fio_job *next_free(struct fio_line *line)
{
        ri_list_for_each(it, &line->order)
        {
                struct fio_job *j = ri_list_entry(it, struct fio_job, in_order);

                if (j->order_waits && !blocked(line, j))
                        return j;
        }
        return NULL;
}

void fio_order_end(struct fio_job *j)
{
        struct fio_line *line;

        if (ri_list_empty(&j->in_order))
                return;
        line = ((struct fio_file *)j->file->impl)->line;
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
                ri_op_waits(j->op, "the disk", NULL);
                j->launch(j);
        }
}
