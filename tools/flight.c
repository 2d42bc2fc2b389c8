/* SPDX-License-Identifier: MIT */
/* Operations in flight: so that Ctrl-C can cancel each of them and the program waits for their ends. */
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

static void leave(struct flight *f)
{
        if (f->prev)
                f->prev->next = f->next;
        else
                f->tool->flights = f->next;
        if (f->next)
                f->next->prev = f->prev;
}

void flight_done(void *arg, const roma_result *r)
{
        struct flight *f = arg;

        leave(f);
        f->op = 0;
        f->end(f, r);
}

/* An operation that did not start ends like one that failed, and as late: its starter need not expect both. */
static void refused(void *arg)
{
        struct flight *f = arg;
        char *message = f->refused;
        const roma_result r = {
                .code = f->refused_code, .message = message, .server = "", .status_name = "", .text = ""
        };

        f->refused = NULL;
        flight_done(f, &r);
        free(message);
}

void flight_track(struct tool *t, struct flight *f, void (*end)(struct flight *f, const roma_result *r),
                  roma_op op)
{
        f->tool = t;
        f->op = op;
        f->end = end;
        f->refused = NULL;
        f->prev = NULL;
        f->next = t->flights;
        if (f->next)
                f->next->prev = f;
        t->flights = f;
        if (op) {
                if (t->stopping)
                        roma_cancel(t->loop, op);
                return;
        }
        const roma_result *why = roma_last(t->loop);
        f->refused_code = why->code != ROMA_OK ? why->code : ROMA_EINVAL;
        f->refused = need_copy(why->message);
        if (roma_loop_post(t->loop, refused, f) < 0)
                need(NULL);
}

void flight_drive(struct tool *t)
{
        while (t->flights) {
                if (roma_loop_turn(t->loop, -1) >= 0)
                        continue;
                complain(t, "the event loop failed: %s", roma_error(t->loop));
                _Exit(EXIT_OTHER);
        }
}

void flight_stop(struct tool *t)
{
        t->stopping = true;
        for (struct flight *f = t->flights; f; f = f->next)
                if (f->op)
                        roma_cancel(t->loop, f->op);
}

static char *copy(const char *s)
{
        return need_copy(s ? s : "");
}

static roma_prop *copy_props(const roma_prop *v, size_t n)
{
        roma_prop *p = need_zeroed((n + 1) * sizeof(*p));

        for (size_t i = 0; i < n; i++)
                p[i] = (roma_prop){ v[i].kind, need_copy(v[i].name), need_copy(v[i].value) };
        return p;
}

void answer_end(struct flight *f, const roma_result *r)
{
        struct answer *a = (struct answer *)f; /* its first member */

        a->code = r->code;
        a->result = *r;
        a->result.message = a->message = copy(r->message);
        a->result.text = a->text = copy(r->text);
        a->result.server = a->server = copy(r->server);
        a->result.status_name = a->status_name = copy(r->status_name);
        if (r->attr) {
                a->attr = *r->attr;
                a->result.attr = &a->attr;
        }
        a->result.props = a->props = copy_props(r->props, r->n_props);
        a->done = true;
}

int answer_wait(struct tool *t, struct answer *a)
{
        while (!a->done) {
                if (roma_loop_turn(t->loop, -1) >= 0)
                        continue;
                complain(t, "the event loop failed: %s", roma_error(t->loop));
                _Exit(EXIT_OTHER);
        }
        return a->code;
}

void answer_free(struct answer *a)
{
        free(a->message);
        free(a->text);
        free(a->server);
        free(a->status_name);
        for (size_t i = 0; a->props && i < a->result.n_props; i++) {
                free((char *)(uintptr_t)a->props[i].name);
                free((char *)(uintptr_t)a->props[i].value);
        }
        free(a->props);
        memset(a, 0, sizeof(*a));
}
