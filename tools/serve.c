/* SPDX-License-Identifier: MIT */
/* conform --serve: servers that look at what a client does. */
#include <roma/conform.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tools/tool.h"

/* Exit codes, as those of wire audit. */
enum { SERVE_CLEAN = 0, SERVE_BROKEN = 1, SERVE_UNSURE = 2 };

/* A block takes that long: what a client does too early is seen to be early. */
enum { DELAY_MS = 10 };

extern char **environ;

static void got_finding(void *arg, const roma_wire_finding *f)
{
        struct tool *t = arg;

        finding_show(t, f);
        out_flush(t);
}

static void got_unchecked(void *arg, const char *text)
{
        struct tool *t = arg;

        if (!t->opt.json)
                out(t, "not checked: %s\n", text);
}

/* ---- the client ---------------------------------------------------------------------------------------------- */

/* "mfs://host:port" of "mfs://host:port/": a name can be written behind it. */
static char *place_of(const char *uri)
{
        char *place = need_copy(uri);
        size_t n = strlen(place);

        if (n && place[n - 1] == '/')
                place[n - 1] = 0;
        return place;
}

static bool start(struct tool *t, const char *uri, char **argv, const sigset_t *usual, pid_t *pid)
{
        char *place = place_of(uri);
        posix_spawnattr_t attr;
        int error;

        if (setenv("ROMA_CONFORM_URI", place, 1) < 0 ||
            setenv("ROMA_CONFORM_MASTER", place + strlen("mfs://"), 1) < 0 ||
            posix_spawnattr_init(&attr) != 0) {
                free(place);
                complain(t, "conform: no memory");
                return false;
        }
        free(place);
        posix_spawnattr_setsigmask(&attr, usual);
        posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
        error = posix_spawnp(pid, argv[0], NULL, &attr, argv, environ);
        posix_spawnattr_destroy(&attr);
        if (error)
                complain(t, "conform: %s cannot be started: %s", argv[0], strerror(error));
        return !error;
}

/* Until the client ends or a signal comes, which it gets too. -1: it did not end well. */
static int wait_for(struct tool *t, const sigset_t *set, pid_t pid)
{
        int number, status;

        for (;;) {
                if (sigwait(set, &number) != 0)
                        return -1;
                if (number != SIGCHLD) {
                        t->signal = number;
                        if (pid > 0)
                                kill(pid, number);
                }
                if (pid <= 0 && number != SIGCHLD)
                        return 0;
                if (pid > 0 && waitpid(pid, &status, WNOHANG) == pid)
                        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
        }
}

/* ---- the end ------------------------------------------------------------------------------------------------- */

static int verdict(struct tool *t, const roma_wire_report *r, bool well)
{
        if (t->opt.json) {
                json_t *o = json_of(json_object());

                json_object_set_new(o, "messages", json_of(json_integer((json_int_t)r->messages)));
                json_object_set_new(o, "writes", json_of(json_integer((json_int_t)r->writes)));
                json_object_set_new(o, "findings", json_of(json_integer((json_int_t)r->findings)));
                json_object_set_new(o, "unchecked", json_of(json_integer((json_int_t)r->unchecked)));
                out_json(t, o);
        } else {
                out(t, "%" PRIu64 " messages, %" PRIu64 " write sessions: %" PRIu64 " rule%s broken\n",
                    r->messages, r->writes, r->findings, r->findings == 1 ? "" : "s");
        }
        if (r->findings)
                return SERVE_BROKEN;
        if (!r->messages)
                complain(t, "conform: no client came");
        else if (!well)
                complain(t, "conform: the client did not end well, so it may not have shown everything");
        return !r->messages || !well || r->unchecked || r->forgotten ? SERVE_UNSURE : SERVE_CLEAN;
}

int serve(struct tool *t, int argc, char **argv)
{
        const struct sigaction usually = { .sa_handler = SIG_DFL };
        roma_served_opts opts = ROMA_SERVED_OPTS_INIT;
        sigset_t set, usual;
        char why[300];
        roma_served *s;
        pid_t pid = -1;
        bool well = true;

        sigaction(SIGCHLD, &usually, NULL); /* it is inherited, and never comes where it is ignored */
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGHUP);
        sigaddset(&set, SIGCHLD);
        pthread_sigmask(SIG_BLOCK, &set, &usual); /* before there is another thread */
        opts.as = t->opt.as;
        opts.port = t->opt.nports ? t->opt.ports[0] : 0;
        opts.delay_ms = DELAY_MS;
        opts.finding = got_finding;
        opts.unchecked = got_unchecked;
        opts.arg = t;
        s = roma_served_new(&opts, why, sizeof(why));
        if (!s) {
                complain(t, "conform: %s", why);
                return t->status = SERVE_UNSURE;
        }
        if (!argc) {
                out(t, "%s\n", roma_served_uri(s));
                out_flush(t);
                (void)wait_for(t, &set, -1);
                t->signal = 0; /* that is how it ends */
        } else {
                well = start(t, roma_served_uri(s), argv, &usual, &pid) && wait_for(t, &set, pid) == 0;
        }
        roma_served_end(s);
        t->status = verdict(t, roma_served_report(s), well);
        roma_served_free(s);
        return t->status;
}
