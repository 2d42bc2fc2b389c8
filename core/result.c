/* SPDX-License-Identifier: MIT */
/* The names and the few words of the codes. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/op.h"

struct code {
        int code;
        const char *name, *text;
};

#define CODE(c, text)                      \
        {                                  \
                ROMA_##c, "ROMA_" #c, text \
        }

static const struct code codes[] = {
        CODE(OK, "success"),
        CODE(EINVAL, "invalid argument"),
        CODE(ECANCELED, "cancelled"),
        CODE(EWRONGCONTEXT, "a blocking call is not possible here"),
        CODE(EFORK, "the loop belongs to the parent process"),
        CODE(ENOMEM, "out of memory"),
        CODE(EURI, "not a usable URI"),
        CODE(ECONFIG, "wrong configuration"),
        CODE(ENOTSUP, "not supported by this store"),
        CODE(ENOTINSTALLED, "not installed"),
        CODE(ESOURCE, "the source changed while it was read"),
        CODE(ELOCALIO, "a local file failed"),
        CODE(EBUSY, "busy"),
        CODE(ESYSTEM, "a system call failed"),
        CODE(ERESOLVE, "unknown host"),
        CODE(ECONNECT, "no connection"),
        CODE(ECLOSED, "connection lost"),
        CODE(ETIMEDOUT, "timed out"),
        CODE(EPROTOCOL, "protocol error"),
        CODE(ENOENT, "no such object"),
        CODE(EEXIST, "exists already"),
        CODE(EACCES, "permission denied"),
        CODE(EAUTH, "authentication failed"),
        CODE(ENOTDIR, "not a folder"),
        CODE(EISDIR, "is a folder"),
        CODE(ENOTEMPTY, "folder not empty"),
        CODE(EROFS, "read-only"),
        CODE(ENOSPC, "no space left"),
        CODE(EQUOTA, "quota exceeded"),
        CODE(ENAMETOOLONG, "name too long"),
        CODE(EFBIG, "too large"),
        CODE(ESERVERIO, "the server could not read or write its disks"),
        CODE(ECORRUPT, "data are corrupt"),
        CODE(EUNAVAILABLE, "data are not available now"),
        CODE(ELOST, "data are lost"),
        CODE(EPRECONDITION, "precondition failed"),
        CODE(ELOCKED, "locked"),
        CODE(EVERSION, "version refused"),
        CODE(ESERVER, "the server refused"),
};

static const struct code *code_find(int code)
{
        for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
                if (codes[i].code == code)
                        return &codes[i];
        return NULL;
}

const char *roma_code_name(int code)
{
        const struct code *c = code_find(code);

        return c ? c->name : "ROMA_E?";
}

const char *roma_code_text(int code)
{
        const struct code *c = code_find(code);

        return c ? c->text : "unknown error";
}

const char *roma_outcome_name(int outcome)
{
        switch (outcome) {
        case ROMA_NOT_DONE: return "not done";
        case ROMA_DONE: return "done";
        default: return "unknown";
        }
}

struct local {
        int err, code;
        const char *advice;
};

static const struct local locals[] = {
        { ENOENT, ROMA_ENOENT, NULL },
        { EEXIST, ROMA_EEXIST, NULL },
        { EACCES, ROMA_EACCES, "check owner and mode" },
        { EPERM, ROMA_EACCES, "check owner, mode and attributes" },
        { ENOTDIR, ROMA_ENOTDIR, "a part of the path is not a folder" },
        { EISDIR, ROMA_EISDIR, NULL },
        { ENOTEMPTY, ROMA_ENOTEMPTY, NULL },
        { EROFS, ROMA_EROFS, "the file system is mounted read-only" },
        { ENOSPC, ROMA_ENOSPC, "free some space" },
        { EDQUOT, ROMA_EQUOTA, "free some space or raise the quota" },
        { ENAMETOOLONG, ROMA_ENAMETOOLONG, NULL },
        { EFBIG, ROMA_EFBIG, "the file system or a limit (ulimit -f) allows no larger file" },
        { ELOOP, ROMA_EINVAL, "too many symbolic links, or one where none is followed" },
        { EXDEV, ROMA_EINVAL, "it leads out of the store, or to another file system" },
        { EINVAL, ROMA_EINVAL, NULL },
        { ENOMEM, ROMA_ENOMEM, NULL },
        { EMFILE, ROMA_ESYSTEM, "raise the limit of open files (ulimit -n)" },
        { ENFILE, ROMA_ESYSTEM, "the system has no more open files" },
        { EBUSY, ROMA_EBUSY, NULL },
        { ETXTBSY, ROMA_EBUSY, "it is being executed" },
        { EOPNOTSUPP, ROMA_ENOTSUP, NULL },
        { ENOSYS, ROMA_ENOTSUP, NULL },
        { EPIPE, ROMA_ELOCALIO, "the reader of the pipe has gone" },
};

void ri_error_errno(struct ri_error *e, int err, const char *what, const char *path)
{
        /* Of a long path the middle goes: the reason is behind it. */
        enum { SHOWN = 300, HEAD = 100 };
        const char *advice = err == EIO ? "check the disk and the kernel log" : NULL;
        const char *blank = path ? " " : "";
        char words[128];
        size_t n;
        bool cut;

        memset(e, 0, sizeof *e);
        e->code = ROMA_ELOCALIO;
        for (size_t i = 0; i < sizeof locals / sizeof locals[0]; i++)
                if (locals[i].err == err) {
                        e->code = locals[i].code;
                        advice = locals[i].advice;
                }
        e->status_kind = ROMA_STATUS_ERRNO;
        e->server_status = err;
        e->status_name = strerrorname_np(err);
        path = path ? path : "";
        n = strlen(path);
        cut = n > SHOWN;
        snprintf(e->text, sizeof e->text, "%s%s%.*s%s%s: %s%s%s", what, blank, cut ? HEAD : (int)n, path,
                 cut ? "..." : "", cut ? path + n - (SHOWN - HEAD - 3) : "",
                 strerror_r(err, words, sizeof words), advice ? "; " : "", advice ? advice : "");
}

void ri_error_set(struct ri_error *e, int code, const char *server, const char *fmt, ...)
{
        va_list ap;

        memset(e, 0, sizeof *e);
        e->code = code;
        snprintf(e->server, sizeof e->server, "%s", server ? server : "");
        va_start(ap, fmt);
        vsnprintf(e->text, sizeof e->text, fmt, ap);
        va_end(ap);
}
