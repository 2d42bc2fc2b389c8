/* SPDX-License-Identifier: MIT */
/* From the library's result to a line for people, an object for programs and an exit code. */
#include <errno.h>
#include <string.h>

#include "tools/tool.h"

static const struct {
        int code, exit;
} exits[] = {
        { ROMA_OK, EXIT_OK },
        { ROMA_EINVAL, EXIT_USAGE },
        { ROMA_EURI, EXIT_USAGE },
        { ROMA_ECONFIG, EXIT_USAGE },
        { ROMA_ENOTSUP, EXIT_USAGE },
        { ROMA_ENOTINSTALLED, EXIT_USAGE },
        { ROMA_ENAMETOOLONG, EXIT_USAGE },
        { ROMA_ENOENT, EXIT_NOT_FOUND },
        { ROMA_EACCES, EXIT_DENIED },
        { ROMA_EAUTH, EXIT_DENIED },
        { ROMA_EROFS, EXIT_DENIED },
        { ROMA_ERESOLVE, EXIT_NETWORK },
        { ROMA_ECONNECT, EXIT_NETWORK },
        { ROMA_ECLOSED, EXIT_NETWORK },
        { ROMA_ETIMEDOUT, EXIT_NETWORK },
        { ROMA_EPROTOCOL, EXIT_NETWORK },
        { ROMA_EUNAVAILABLE, EXIT_NETWORK },
        { ROMA_ENOSPC, EXIT_NO_SPACE },
        { ROMA_EQUOTA, EXIT_NO_SPACE },
        { ROMA_ESOURCE, EXIT_INTEGRITY },
        { ROMA_ECORRUPT, EXIT_INTEGRITY },
        { ROMA_ELOST, EXIT_INTEGRITY },
        { ROMA_EEXIST, EXIT_EXISTS },
        { ROMA_EPRECONDITION, EXIT_EXISTS },
};

/* A local file failed: what the system said decides. */
static int exit_of_errno(int error)
{
        switch (error) {
        case ENOENT: return EXIT_NOT_FOUND;
        case EACCES:
        case EPERM:
        case EROFS: return EXIT_DENIED;
        case ENOSPC:
        case EDQUOT: return EXIT_NO_SPACE;
        case EEXIST: return EXIT_EXISTS;
        default: return EXIT_OTHER;
        }
}

int exit_of(const roma_result *r)
{
        if (r->code != ROMA_OK && r->outcome == ROMA_UNKNOWN)
                return EXIT_UNKNOWN;
        if (r->code == ROMA_ELOCALIO && r->status_kind == ROMA_STATUS_ERRNO)
                return exit_of_errno(r->server_status);
        for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++)
                if (exits[i].code == r->code)
                        return exits[i].exit;
        return EXIT_OTHER;
}

/* Gravest first: when several things failed, the exit code names the one that must not be overlooked. */
static int gravity(int exit_code)
{
        static const int order[] = { EXIT_UNKNOWN,   EXIT_INTEGRITY, EXIT_NO_SPACE, EXIT_NETWORK, EXIT_DENIED,
                                     EXIT_NOT_FOUND, EXIT_EXISTS,    EXIT_OTHER,    EXIT_USAGE,   EXIT_OK };
        int i = 0;

        while (order[i] != exit_code && order[i] != EXIT_OK)
                i++;
        return i;
}

/* diagnose, salvage, chunkfile, wire and conform: 0 clean, 1 not, and 2 whatever has failed. */
static bool has_verdict(const struct command *c)
{
        return c->options & (OPT_AGAINST | OPT_INDEX | OPT_WIRE | OPT_CONFORM);
}

void status_raise(struct tool *t, int exit_code)
{
        if (exit_code != EXIT_OK && has_verdict(t->command))
                exit_code = EXIT_USAGE;
        if (gravity(exit_code) < gravity(t->status))
                t->status = exit_code;
}

static void report_json(struct tool *t, const roma_result *r, const char *name)
{
        json_t *o = json_of(json_object());

        json_name(o, "key", name);
        json_object_set_new(o, "error", json_of(json_string(roma_code_name(r->code))));
        json_name(o, "message", r->message);
        json_object_set_new(o, "outcome", json_of(json_string(roma_outcome_name(r->outcome))));
        json_object_set_new(o, "retriable", json_boolean(r->flags & ROMA_RETRIABLE));
        if (r->server && *r->server)
                json_name(o, "server", r->server);
        if (r->status_name && *r->status_name)
                json_name(o, "server_status", r->status_name);
        json_object_set_new(o, "exit_code", json_of(json_integer(exit_of(r))));
        out_json(t, o);
}

/* Of these commands only a folder above the new name can be what is not there; a missing source has another code. */
static bool lacks_folder(struct tool *t, const roma_result *r)
{
        return r->code == ROMA_ENOENT && r->status_kind != ROMA_STATUS_HTTP && !t->opt.parents &&
               (t->command->run == cmd_put || t->command->run == cmd_mkdir);
}

/* What the library cannot know: how this program takes folders. */
static const char *hint(struct tool *t, const roma_result *r)
{
        bool folder =
                r->code == ROMA_EISDIR || (r->code == ROMA_ELOCALIO && r->status_kind == ROMA_STATUS_ERRNO &&
                                           r->server_status == EISDIR);

        if (folder && (t->command->options & OPT_RECURSIVE) && !t->opt.recursive)
                return " (use -r for folders)";
        return lacks_folder(t, r) ? " (use -p to make missing folders)" : "";
}

void report_failure(struct tool *t, const roma_result *r, const char *name)
{
        if (t->stopping && r->code == ROMA_ECANCELED && r->outcome != ROMA_UNKNOWN)
                return;
        complain(t, "%s%s", r->message && *r->message ? r->message : roma_code_text(r->code), hint(t, r));
        if (t->opt.json)
                report_json(t, r, name);
        status_raise(t, exit_of(r));
}
