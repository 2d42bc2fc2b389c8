/* SPDX-License-Identifier: MIT */
/* Standard output, with every write checked, and messages on standard error. A program that prints a result which
 * did not arrive must not say that all went well. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/tool.h"

void out_failed(struct tool *t, int error)
{
        if (t->output_errno)
                return;
        t->output_errno = error ? error : EIO;
        /* A reader that went away (EPIPE) has what it wanted: no message, as with other programs. */
        if (t->output_errno != EPIPE) {
                complain(t, "standard output: %s", strerror(t->output_errno));
                status_raise(t, error == ENOSPC || error == EDQUOT ? EXIT_NO_SPACE : EXIT_OTHER);
        }
        flight_stop(t);
}

static void check(struct tool *t, bool good)
{
        if (!good)
                out_failed(t, errno);
}

void out(struct tool *t, const char *format, ...)
{
        va_list ap;

        if (t->output_errno)
                return;
        progress_clear(t);
        va_start(ap, format);
        int n = vprintf(format, ap);
        va_end(ap);
        check(t, n >= 0);
}

void out_bytes(struct tool *t, const void *data, size_t len)
{
        if (t->output_errno)
                return;
        progress_clear(t);
        check(t, fwrite(data, 1, len, stdout) == len);
}

void out_name(struct tool *t, const char *name)
{
        static int terminal = -1;

        if (terminal < 0)
                terminal = isatty(STDOUT_FILENO);
        if (!terminal) {
                out_bytes(t, name, strlen(name));
                return;
        }
        /* A name must not be able to send commands to a terminal. */
        char *shown = need_copy(name);
        for (char *c = shown; *c; c++)
                if ((unsigned char)*c < 0x20 || *c == 0x7f)
                        *c = '?';
        out_bytes(t, shown, strlen(shown));
        free(shown);
}

void out_json(struct tool *t, json_t *object)
{
        char *line = need(json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(12)));

        json_decref(object);
        out_bytes(t, line, strlen(line));
        out_bytes(t, "\n", 1);
        free(line);
        out_flush(t);
}

void out_flush(struct tool *t)
{
        if (!t->output_errno)
                check(t, fflush(stdout) == 0);
}

void out_close(struct tool *t)
{
        out_flush(t);
        if (ferror(stdout) && !t->output_errno)
                out_failed(t, EIO);
        /* Closing is where NFS and quotas report. Standard output that was closed from the start is no failure: with
         * nothing to write nothing was lost. */
        if (fclose(stdout) != 0 && errno != EBADF && !t->output_errno)
                out_failed(t, errno);
}

/* One line, whatever bytes are in it. */
static void print_line(const char *text)
{
        size_t n = strlen(text);
        char *line = malloc(4 * n + 8), *to = line;

        if (!line)
                return;
        to = stpcpy(to, "roma: ");
        for (const char *c = text; *c; c++) {
                if (*c == '\n')
                        to = stpcpy(to, "\\n");
                else if ((unsigned char)*c < 0x20 || *c == 0x7f)
                        to += snprintf(to, 5, "\\x%02x", (unsigned char)*c);
                else
                        *to++ = *c;
        }
        *to++ = '\n';
        fwrite(line, 1, (size_t)(to - line), stderr);
        free(line);
}

void complain(struct tool *t, const char *format, ...)
{
        va_list ap;
        char *text = NULL;

        progress_clear(t);
        va_start(ap, format);
        int n = vasprintf(&text, format, ap);
        va_end(ap);
        print_line(n < 0 ? "out of memory" : text);
        if (n >= 0)
                free(text);
}

/* The page that tells more: the command's own, or the list of commands. */
static const char *own_help(struct tool *t)
{
        return command_find(t->command->name) && t->command->run != cmd_help ? t->command->name : "";
}

int usage(struct tool *t, const char *format, ...)
{
        const bool in_command = *own_help(t) || t->command->run == cmd_help;
        va_list ap;
        char *text = NULL;

        va_start(ap, format);
        int n = vasprintf(&text, format, ap);
        va_end(ap);
        complain(t, "%s%s%s; see `roma help%s%s`", in_command ? t->command->name : "", in_command ? ": " : "",
                 n < 0 ? "out of memory" : text, *own_help(t) ? " " : "", own_help(t));
        if (n >= 0)
                free(text);
        status_raise(t, EXIT_USAGE);
        return EXIT_USAGE;
}
