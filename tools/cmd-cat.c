/* SPDX-License-Identifier: MIT */
/* roma cat URI...: objects, or a range of each, to standard output. */
#include <errno.h>
#include <string.h>

#include "tools/tool.h"

struct cat {
        struct tool *tool;
        struct sink *sink;
        bool writing;
        int error;
};

static void written(void *arg, int error)
{
        struct cat *c = arg;

        c->writing = false;
        c->error = error;
}

static roma_reader *open_reader(struct tool *t, const struct location *l)
{
        roma_reader_opts opts = ROMA_READER_OPTS_INIT;
        struct answer a = { 0 };

        opts.stall_ms = t->opt.stall_ms;
        opts.deadline_ms = t->opt.deadline_ms;
        opts.offset = t->opt.offset;
        opts.length = t->opt.length;
        opts.if_match = t->opt.if_match;
        opts.if_none_match = t->opt.if_none_match;
        ANSWER(t, &a, roma_aio_reader_open(l->place->store, l->key, &opts, flight_done, &a.flight));
        if (answer_wait(t, &a) != ROMA_OK)
                report_failure(t, &a.result, l->shown);
        roma_reader *reader = a.result.reader;
        answer_free(&a);
        return reader;
}

/* Waits until the piece has been written, while the loop reads ahead. false: standard output failed, or Ctrl-C. */
static bool write_piece(struct cat *c, roma_buf *buf)
{
        struct tool *t = c->tool;

        c->writing = true;
        c->error = 0;
        sink_write(c->sink, roma_buf_data(buf), roma_buf_len(buf), written, c);
        while (c->writing && !t->stopping)
                if (roma_loop_turn(t->loop, -1) < 0)
                        return false;
        if (c->writing)
                return false; /* the buffer stays with the thread that writes it */
        roma_buf_unref(buf);
        if (c->error)
                out_failed(t, c->error);
        return !c->error;
}

static bool copy(struct cat *c, roma_reader *reader, const char *shown)
{
        struct tool *t = c->tool;
        const roma_opts opts = request_opts(t);
        bool good = true, end = false;

        while (good && !end && !t->stopping) {
                struct answer a = { 0 };

                ANSWER(t, &a, roma_aio_reader_next(reader, &opts, flight_done, &a.flight));
                if (answer_wait(t, &a) != ROMA_OK) {
                        report_failure(t, &a.result, shown);
                        good = false;
                } else if (!a.result.buf) {
                        end = true;
                } else {
                        progress_bytes(t, (int64_t)a.result.bytes);
                        good = write_piece(c, a.result.buf);
                }
                answer_free(&a);
        }
        return good;
}

static void one(struct cat *c, const char *arg)
{
        struct tool *t = c->tool;
        struct location l;
        roma_reader *reader;

        if (!location_parse(t, &l, arg))
                return;
        if (l.stdio) {
                usage(t, "standard input is no object");
        } else if (location_is_object(t, &l) && location_open(t, &l) &&
                   (reader = open_reader(t, &l)) != NULL) {
                const roma_attr *attr = roma_reader_attr(reader);
                if (t->opt.offset == 0 && t->opt.length == UINT64_MAX && (attr->mask & ROMA_ATTR_LENGTH))
                        progress_expect(t, 1, (int64_t)attr->length);
                (void)copy(c, reader, l.shown);
                roma_reader_close(reader);
        }
        location_free(&l);
}

int cmd_cat(struct tool *t, int argc, char **argv)
{
        struct cat c = { .tool = t };

        if (argc < 1)
                return usage(t, "name at least one object");
        if (t->opt.json)
                return usage(t, "the bytes of an object cannot be JSON");
        c.sink = sink_new(t);
        if (!c.sink)
                return t->status;
        for (int i = 0; i < argc && !t->stopping; i++)
                one(&c, argv[i]);
        sink_free(c.sink);
        return t->status;
}
