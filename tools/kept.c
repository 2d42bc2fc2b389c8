/* SPDX-License-Identifier: MIT */
/* Of an object whose upload had been begun before and was taken up: has it what is asked for now? Attributes go with the beginning
 * of an upload, no server tells those of one that has not ended, and nothing changes them, so the object is looked at. */
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "tools/tool.h"

struct kept {
        struct tool *tool;
        const struct end *to;
        const struct answer *is;
        bool differs;
};

static void differs(struct kept *k, const char *name, const char *has, const char *asked)
{
        complain(k->tool,
                 "put %s: the object has %s%s%s%s where %s was asked for: the upload that was taken up was "
                 "begun so; put it without --resume",
                 k->to->shown, has ? "" : "no ", name, has ? ": " : "", has ? has : "", asked);
        k->differs = true;
}

/* Headers that a server tells of every object that has them. Others (an ACL, tags, keys of encryption, often the class of storage)
 * may be there without being told. */
static bool always_told(const roma_prop *p)
{
        static const char *const names[] = { "content-type",     "cache-control",    "content-disposition",
                                             "content-encoding", "content-language", "expires" };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (strcasecmp(names[i], p->name) == 0)
                        return true;
        return p->kind == ROMA_PROP_META;
}

static void check_prop(struct kept *k, const roma_prop *p)
{
        const roma_result *is = &k->is->result;
        const char *has = NULL;

        for (size_t i = 0; i < is->n_props && !has; i++)
                if (is->props[i].kind == p->kind && strcasecmp(is->props[i].name, p->name) == 0)
                        has = is->props[i].value;
        if (!has && !always_told(p))
                complain(k->tool,
                         "put %s: the server does not tell the object's %s: it is what the upload that "
                         "was taken up was begun with",
                         k->to->shown, p->name);
        else if (!has || strcmp(has, p->value) != 0)
                differs(k, p->name, has, p->value);
}

static void check_times(struct kept *k, const struct stat *was)
{
        const roma_attr *a = &k->is->attr;
        char has[40], asked[40];

        if (a->mask & ROMA_ATTR_MTIME && whole_seconds(a->mtime_ns) != (int64_t)was->st_mtim.tv_sec) {
                format_time(has, a->mtime_ns, false);
                format_time(asked, (int64_t)was->st_mtim.tv_sec * 1000000000, false);
                differs(k, "mtime", has, asked);
        }
        if (a->mask & ROMA_ATTR_MODE && (a->mode ^ (unsigned)was->st_mode) & 0777) {
                snprintf(has, sizeof(has), "%04o", a->mode & 07777);
                snprintf(asked, sizeof(asked), "%04o", (unsigned)was->st_mode & 07777);
                differs(k, "mode", has, asked);
        }
}

void kept_check(struct tool *t, const struct end *to, const struct stat *was)
{
        const roma_opts o = request_opts(t);
        struct answer is = { 0 };
        struct kept k = { .tool = t, .to = to, .is = &is };

        if (!t->opt.nprops && !t->opt.keep_times)
                return;
        ANSWER(t, &is, roma_aio_stat(to->place->store, to->key, 0, &o, flight_done, &is.flight));
        if (answer_wait(t, &is) != ROMA_OK) {
                report_failure(t, &is.result, to->shown);
        } else {
                for (size_t i = 0; i < t->opt.nprops; i++)
                        check_prop(&k, &t->opt.props[i]);
                if (t->opt.keep_times)
                        check_times(&k, was);
        }
        if (k.differs)
                status_raise(t, EXIT_OTHER);
        answer_free(&is);
}
