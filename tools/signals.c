/* SPDX-License-Identifier: MIT */
/* Ctrl-C and its like. A thread waits for the signals and posts to the loop, which cancels what is in flight, so that
 * writers remove their temporaries. The second signal ends the program at once: the thread can do that also when the
 * loop's thread hangs. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tools/tool.h"

static const int caught[] = { SIGINT, SIGTERM, SIGHUP };

static struct {
        struct tool *tool;
        pthread_t thread;
        sigset_t set;
        pthread_mutex_t lock; /* the loop is not freed while a post is on its way */
        bool stopped;
        int number;
} signals = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Whether the command makes temporaries, here or in a store. */
static bool makes_temporaries(const struct command *c)
{
        return (c->options & (OPT_WRITE | OPT_SYNC | OPT_UPLOAD)) || c->run == cmd_salvage;
}

static void interrupted(void *arg)
{
        struct tool *t = arg;

        t->signal = signals.number;
        complain(t, "%s: ended by %s%s", t->command->name,
                 t->signal == SIGINT ? "Ctrl-C" : strsignal(t->signal),
                 makes_temporaries(t->command)
                         ? "; temporaries are being removed (`roma gc` takes what stays)"
                         : "");
        flight_stop(t);
}

static void *wait_for_signals(void *arg)
{
        int number, seen = 0;

        (void)arg;
        while (sigwait(&signals.set, &number) == 0) {
                if (number == SIGUSR1) /* signals_stop() */
                        break;
                if (seen++)
                        _exit(128 + number);
                signals.number = number;
                pthread_mutex_lock(&signals.lock);
                if (signals.stopped || roma_loop_post(signals.tool->loop, interrupted, signals.tool) < 0)
                        _exit(128 + number);
                pthread_mutex_unlock(&signals.lock);
        }
        return NULL;
}

bool signals_start(struct tool *t)
{
        pthread_attr_t attr;
        struct sigaction now, ignore = { .sa_handler = SIG_IGN };

        signals.tool = t;
        sigemptyset(&signals.set);
        sigaddset(&signals.set, SIGUSR1);
        for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
                /* nohup and background jobs of a script ignore some of them on purpose. */
                if (sigaction(caught[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
                        sigaddset(&signals.set, caught[i]);
        /* Both would kill the program between a write and the removal of its temporary; without them the write
         * fails, and that is reported like any other failure. */
        sigaction(SIGPIPE, &ignore, NULL);
        sigaction(SIGXFSZ, &ignore, NULL);
        if (pthread_sigmask(SIG_BLOCK, &signals.set, NULL) != 0 || pthread_attr_init(&attr) != 0)
                return false;
        pthread_attr_setstacksize(&attr, 256 * 1024);
        int error = pthread_create(&signals.thread, &attr, wait_for_signals, NULL);
        pthread_attr_destroy(&attr);
        return error == 0;
}

void signals_stop(void)
{
        pthread_mutex_lock(&signals.lock);
        signals.stopped = true;
        pthread_mutex_unlock(&signals.lock);
        pthread_kill(signals.thread, SIGUSR1);
        pthread_join(signals.thread, NULL);
}
