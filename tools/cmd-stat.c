/* SPDX-License-Identifier: MIT */
/* roma stat URI...: all that the store knows about an object without reading it. */
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

static void line_time(struct tool *t, const roma_attr *attr, unsigned bit, const char *label, int64_t ns)
{
        char text[40];

        if (!(attr->mask & bit))
                return;
        format_time(text, ns, true);
        out(t, "%10s: %s\n", label, text);
}

static void line_number(struct tool *t, const roma_attr *attr, unsigned bit, const char *label,
                        uint64_t value)
{
        if (attr->mask & bit)
                out(t, "%10s: %llu\n", label, (unsigned long long)value);
}

static void print_props(struct tool *t, const roma_prop *v, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                out(t, "%10s: ", v[i].kind == ROMA_PROP_META ? "metadata" : "header");
                out_name(t, v[i].name);
                out(t, ": ");
                out_name(t, v[i].value);
                out(t, "\n");
        }
}

static void print_text(struct tool *t, const struct location *l, const roma_attr *attr)
{
        char mode[11];

        format_mode(mode, attr);
        out(t, "%10s: ", "name");
        out_name(t, l->shown);
        out(t, "\n%10s: %s\n", "type", type_name(attr->type));
        if (attr->type != ROMA_TYPE_DIR)
                line_number(t, attr, ROMA_ATTR_LENGTH, "length", attr->length);
        line_number(t, attr, ROMA_ATTR_BLOCKS, "storage", attr->blocks);
        if (attr->mask & ROMA_ATTR_MODE)
                out(t, "%10s: %04o (%s)\n", "mode", attr->mode & 07777, mode);
        line_number(t, attr, ROMA_ATTR_UID, "uid", attr->uid);
        line_number(t, attr, ROMA_ATTR_GID, "gid", attr->gid);
        line_number(t, attr, ROMA_ATTR_NLINK, "links", attr->nlink);
        line_number(t, attr, ROMA_ATTR_INODE, "inode", attr->inode);
        line_time(t, attr, ROMA_ATTR_MTIME, "modified", attr->mtime_ns);
        line_time(t, attr, ROMA_ATTR_ATIME, "read", attr->atime_ns);
        line_time(t, attr, ROMA_ATTR_CTIME, "changed", attr->ctime_ns);
        if (attr->mask & ROMA_ATTR_ETAG)
                out(t, "%10s: %s\n", "etag", attr->etag);
}

/* false after a message. */
static bool conditions_hold(struct tool *t, const struct location *l, const roma_attr *attr)
{
        const struct options *o = &t->opt;
        const char *etag = attr->mask & ROMA_ATTR_ETAG ? attr->etag : "";
        bool other = o->if_match && strcmp(etag, o->if_match) != 0;
        roma_result bad = { .code = ROMA_EPRECONDITION, .server = "", .status_name = "", .text = "" };
        char *why;

        if (!other && !(o->if_none_match && strcmp(etag, o->if_none_match) == 0))
                return true;
        why = need_format("stat %s: it has the ETag %s%s%s", l->shown, *etag ? etag : "(none)",
                          other ? ", and not " : " still", other ? o->if_match : "");
        bad.message = why;
        report_failure(t, &bad, l->shown);
        free(why);
        return false;
}

/* Of what lies below a name on a store without folders nothing more is known. */
static void print_below(struct tool *t, const struct location *l)
{
        const roma_attr folder = { .size = sizeof(folder), .mask = ROMA_ATTR_TYPE, .type = ROMA_TYPE_DIR };

        if (!conditions_hold(t, l, &folder)) {
                ;
        } else if (t->opt.json) {
                json_t *o = json_of(json_object());

                json_name(o, "key", l->key);
                json_attr(o, &folder);
                out_json(t, o);
        } else {
                print_text(t, l, &folder);
        }
}

static void one(struct tool *t, const char *arg)
{
        const roma_opts opts = request_opts(t);
        struct location l;
        struct answer a = { 0 };

        if (!location_parse(t, &l, arg))
                return;
        if (l.stdio) {
                usage(t, "standard input has no attributes");
        } else if (location_open(t, &l) && location_is_below(&l)) {
                if (walk_finds(t, &l, 0))
                        print_below(t, &l);
        } else if (l.place) {
                ANSWER(t, &a,
                       roma_aio_stat(l.place->store, l.key, t->opt.nofollow ? ROMA_NOFOLLOW : 0, &opts,
                                     flight_done, &a.flight));
                if (answer_wait(t, &a) != ROMA_OK) {
                        report_failure(t, &a.result, l.shown);
                } else if ((!t->opt.nofollow && !location_is_as_said(t, &l, &a.attr)) ||
                           !conditions_hold(t, &l, &a.attr)) {
                        ;
                } else if (t->opt.json) {
                        json_t *o = json_of(json_object());
                        json_name(o, "key", l.key);
                        json_attr(o, &a.attr);
                        json_props(o, a.result.props, a.result.n_props);
                        out_json(t, o);
                } else {
                        print_text(t, &l, &a.attr);
                        print_props(t, a.result.props, a.result.n_props);
                }
                answer_free(&a);
        }
        location_free(&l);
}

int cmd_stat(struct tool *t, int argc, char **argv)
{
        if (argc < 1)
                return usage(t, "name at least one object");
        for (int i = 0; i < argc && !t->stopping; i++) {
                if (i && !t->opt.json)
                        out(t, "\n");
                one(t, argv[i]);
        }
        return t->status;
}
