/* SPDX-License-Identifier: MIT */
/* conform: does a server keep the MooseFS protocol. TAP, or one JSON object for each check. */
#include <roma/conform.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "tools/tool.h"

/* Exit codes of this command alone. */
enum { CONFORM_PASS = 0, CONFORM_FAIL = 1, CONFORM_UNSURE = 2 };

struct job {
        struct tool *t;
        unsigned number;
        unsigned count[4]; /* by verdict */
};

static const char *const verdicts[] = { "pass", "fail", "skip", "unsure" };

/* ---- results ------------------------------------------------------------------------------------------------- */

static void add(json_t *o, const char *name, const char *text)
{
        json_name(o, name, text);
}

static void check_json(json_t *o, const roma_conform_check *k)
{
        add(o, "check", k->name);
        add(o, "expects", k->expects);
        add(o, "servers", k->servers);
        add(o, "source", k->source);
}

static void result_json(struct job *j, const roma_conform_result *r)
{
        json_t *o = json_of(json_object());

        check_json(o, r->check);
        add(o, "verdict", verdicts[r->verdict]);
        if (*r->text)
                add(o, "text", r->text);
        json_object_set_new(o, "ms", json_of(json_integer((json_int_t)(r->ns / 1000000))));
        out_json(j->t, o);
}

/* A sentence from a server may hold anything: it must not end its line. */
static void out_line(struct tool *t, const char *text)
{
        for (; *text; text++)
                out_bytes(t, (unsigned char)*text < ' ' ? "?" : text, 1);
}

static void result_tap(struct job *j, const roma_conform_result *r)
{
        struct tool *t = j->t;

        out(t, "%s %u - %s", r->verdict == ROMA_CONFORM_FAIL ? "not ok" : "ok", j->number, r->check->name);
        if (r->verdict == ROMA_CONFORM_SKIP || r->verdict == ROMA_CONFORM_UNSURE) {
                out(t, " # SKIP %s", r->verdict == ROMA_CONFORM_UNSURE ? "could not tell: " : "");
                out_line(t, r->text);
        }
        out(t, "\n");
        if (r->verdict != ROMA_CONFORM_FAIL)
                return;
        out(t, "  ---\n  expects: \"%s\"\n  got: \"", r->check->expects);
        for (const char *p = r->text; *p; p++)
                out_bytes(t, *p == '"' || *p == '\\' ? "'" : (unsigned char)*p < ' ' ? "?" : p, 1);
        out(t, "\"\n  servers: \"%s\"\n  source: \"doc/moosefs-protocol.md %s\"\n  ...\n", r->check->servers,
            r->check->source);
}

static void got_result(void *arg, const roma_conform_result *r)
{
        struct job *j = arg;

        j->number++;
        j->count[r->verdict]++;
        if (j->t->opt.json)
                result_json(j, r);
        else
                result_tap(j, r);
        out_flush(j->t);
}

/* ---- the run ------------------------------------------------------------------------------------------------- */

static roma_conform *volatile running;
static volatile sig_atomic_t caught;

static void on_signal(int number)
{
        roma_conform *c = running;
        int error = errno;

        if (!caught) {
                caught = number;
                if (c)
                        roma_conform_stop(c);
        }
        errno = error;
}

static void watch_signals(void)
{
        struct sigaction act = { .sa_handler = on_signal }, now;
        static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };

        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
                        sigaction(numbers[i], &act, NULL);
        act.sa_handler = SIG_IGN;
        sigaction(SIGPIPE, &act, NULL);
}

static void summary(struct job *j, roma_conform *c)
{
        struct tool *t = j->t;
        json_t *o;

        if (!t->opt.json) {
                out(t, "1..%u\n# server %s: %u pass, %u fail, %u skipped, %u could not tell\n", j->number,
                    *roma_conform_server(c) ? roma_conform_server(c) : "unknown", j->count[ROMA_CONFORM_PASS],
                    j->count[ROMA_CONFORM_FAIL], j->count[ROMA_CONFORM_SKIP], j->count[ROMA_CONFORM_UNSURE]);
                return;
        }
        o = json_of(json_object());
        add(o, "server", roma_conform_server(c));
        for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
                json_object_set_new(o, verdicts[i], json_of(json_integer((json_int_t)j->count[i])));
        out_json(t, o);
}

static int list(struct tool *t)
{
        const roma_conform_check *k;

        for (size_t i = 0; (k = roma_conform_check_at(i)); i++) {
                if (t->opt.filter && !strstr(k->name, t->opt.filter))
                        continue;
                if (t->opt.json) {
                        json_t *o = json_of(json_object());

                        check_json(o, k);
                        out_json(t, o);
                } else {
                        out(t, "%s\n  expects: %s\n  servers: %s%s\n  source:  doc/moosefs-protocol.md %s\n",
                            k->name, k->expects, k->servers, k->slow ? "; slow" : "", k->source);
                }
        }
        return CONFORM_PASS;
}

int cmd_conform(struct tool *t, int argc, char **argv)
{
        roma_conform_opts opts = ROMA_CONFORM_OPTS_INIT;
        struct job j = { .t = t };
        roma_conform *c;

        if (t->opt.list && argc == 0)
                return list(t);
        if (t->opt.serve)
                return serve(t, argc, argv);
        if (argc != 1)
                return usage(t, "name one folder of a MooseFS: mfs://HOST[:PORT]/FOLDER");
        opts.uri = argv[0];
        opts.as = t->opt.as;
        opts.filter = t->opt.filter;
        opts.slow = t->opt.slow;
        opts.result = got_result;
        opts.arg = &j;
        c = roma_conform_new(&opts);
        if (!c) {
                complain(t, "conform: no memory, or a libroma that was built without MooseFS");
                return t->status = CONFORM_UNSURE;
        }
        running = c;
        watch_signals();
        t->status = roma_conform_run(c);
        if (*roma_conform_error(c)) {
                complain(t, "conform: %s", roma_conform_error(c));
                if (!t->opt.json)
                        out(t, "Bail out! %s\n", roma_conform_error(c));
        }
        summary(&j, c);
        t->signal = caught;
        running = NULL; /* a signal that comes now has nothing to stop */
        roma_conform_free(c);
        return t->status;
}
