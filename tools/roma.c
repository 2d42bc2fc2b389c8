/* SPDX-License-Identifier: MIT */
/* The program: finds the command, sets up what all commands need, and ends with an exit code that tells what
 * happened. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/tool.h"

static const struct command nothing = { "roma", NULL, "", "", "", 0 };

/* -h, --help and --version in the place of a command. */
static const struct command *by_option(const char *word)
{
        if (!strcmp(word, "--version") || !strcmp(word, "-V"))
                return command_find("version");
        if (!strcmp(word, "--help") || !strcmp(word, "-h"))
                return command_find("help");
        return NULL;
}

static bool needs_loop(const struct command *c)
{
        return c->run != cmd_help && c->run != cmd_version && c->run != cmd_wire && c->run != cmd_conform;
}

static bool set_up(struct tool *t)
{
        t->loop = roma_loop_new();
        if (!t->loop) {
                complain(t, "%s: no event loop could be made: %s", t->command->name, roma_error(NULL));
                status_raise(t, EXIT_OTHER);
                return false;
        }
        if (roma_config_load(t->loop, t->opt.config) < 0) {
                complain(t, "%s", roma_error(t->loop));
                status_raise(t, EXIT_USAGE);
                return false;
        }
        return timing_start(t);
}

static void take_down(struct tool *t)
{
        roma_stats stats = { .size = sizeof(stats) };

        progress_stop(t);
        places_close(t);
        /* The ends of the sessions are part of the picture. */
        do
                roma_loop_stats(t->loop, &stats);
        while (stats.stores && roma_loop_turn(t->loop, -1) >= 0);
        /* A thread inside a library's call, perhaps the one that closes: the libraries must not be taken apart under it. */
        t->hanging |= stats.stuck_threads > 0;
        if (!t->hanging && t->timing)
                (void)roma_loop_run(t->loop);
        timing_stop(t);
}

static void run(struct tool *t, int argc, char **argv)
{
        if (!signals_start(t)) {
                complain(t, "%s: no thread for signals could be made", t->command->name);
                status_raise(t, EXIT_OTHER);
                return;
        }
        t->command->run(t, argc, argv);
        take_down(t);
        signals_stop();
}

/* Ends as a program does that a signal has ended, but after cleaning up. */
static int finish(struct tool *t)
{
        if (t->signal)
                return 128 + t->signal;
        if (t->output_errno == EPIPE && t->status == EXIT_OK) {
                struct sigaction act = { .sa_handler = SIG_DFL };
                sigaction(SIGPIPE, &act, NULL);
                raise(SIGPIPE);
        } else if (t->output_errno && t->status == EXIT_OK) {
                /* A command whose verdict is its exit code sets that last. */
                status_raise(t, EXIT_OTHER);
        }
        return t->status;
}

/* Standard input, output or error that the program was started without would be the next descriptor that is opened: the loop's
 * own, or a file's that is written, to which messages would go then. What stands there now fails as a closed one does. */
static void keep_standard(void)
{
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
                    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
                        return;
}

int main(int argc, char **argv)
{
        struct tool t = { .command = &nothing };
        int first;

        keep_standard();
        if (argc < 2) {
                usage(&t, "name a command");
                return EXIT_USAGE;
        }
        t.command = by_option(argv[1]);
        if (!t.command)
                t.command = command_find(argv[1]);
        if (!t.command) {
                t.command = &nothing;
                return usage(&t, "there is no command %s%s", argv[1],
                             argv[1][0] == '-' ? "; options stand behind the command" : "");
        }
        if (options_parse(&t.opt, t.command, argc - 1, argv + 1, &first) < 0)
                return EXIT_USAGE;
        argc -= 1 + first;
        argv += 1 + first;
        if (t.opt.help) {
                char *name[] = { (char *)t.command->name };
                cmd_help(&t, 1, name);
        } else if (!needs_loop(t.command)) {
                t.command->run(&t, argc, argv);
        } else {
                if (set_up(&t))
                        run(&t, argc, argv);
                if (!t.hanging)
                        roma_loop_free(t.loop);
        }
        out_close(&t);
        int code = finish(&t);
        if (t.hanging)
                _exit(code); /* nothing is taken apart that the thread may still use */
        return code;
}
