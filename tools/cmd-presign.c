/* SPDX-License-Identifier: MIT */
/* roma presign URI: a link, or a form, for somebody who has no keys. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools/tool.h"

static const struct kind {
        const char *name;
        int kind;
} kinds[] = {
        { "GET", ROMA_PRESIGN_GET },   { "PUT", ROMA_PRESIGN_PUT },   { "DELETE", ROMA_PRESIGN_DELETE },
        { "part", ROMA_PRESIGN_PART }, { "POST", ROMA_PRESIGN_FORM },
};

static int kind_of(struct tool *t, int *kind)
{
        const char *asked = t->opt.method ? t->opt.method : t->opt.upload_id ? "part" : "GET";

        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
                if (!strcasecmp(kinds[i].name, asked)) {
                        *kind = kinds[i].kind;
                        return 0;
                }
        usage(t, "--method is GET, PUT, DELETE, part or POST");
        return -1;
}

static void show_json(struct tool *t, const char *key, const roma_presigned *p)
{
        json_t *o = json_of(json_object()), *fields = json_of(json_array());

        json_name(o, "key", key);
        json_object_set_new(o, "method", json_of(json_string(p->method)));
        json_object_set_new(o, "url", json_of(json_string(p->url)));
        json_object_set_new(o, "expires_at", json_of(json_integer(p->expires_at)));
        for (size_t i = 0; i < p->fields; i++) {
                json_t *f = json_of(json_object());

                json_name(f, "name", p->field[i].name);
                json_name(f, "value", p->field[i].value);
                json_array_append_new(fields, f);
        }
        json_object_set_new(o, "fields", fields);
        out_json(t, o);
}

static void show(struct tool *t, const char *key, const roma_presigned *p)
{
        if (t->opt.json) {
                show_json(t, key, p);
                return;
        }
        out(t, "%s\n", p->url);
        for (size_t i = 0; i < p->fields; i++)
                out(t, "%s=%s\n", p->field[i].name, p->field[i].value);
}

/* The link lives during the callback only. */
struct asking {
        struct flight flight;
        const struct location *at;
        const char *key; /* a slash at its end belongs to it here */
};

static void made(struct flight *f, const roma_result *r)
{
        struct asking *a = (struct asking *)f;

        if (r->code)
                report_failure(f->tool, r, a->at->shown);
        else
                show(f->tool, a->key, r->extra);
}

static void one(struct tool *t, const char *arg, roma_presign_opts *o)
{
        struct asking a = { 0 };
        struct location l;

        if (!location_parse(t, &l, arg))
                return;
        if (l.stdio) {
                usage(t, "- has no links");
        } else if (location_open(t, &l)) {
                char *key = l.slash && *l.key ? need_format("%s/", l.key) : need_copy(l.key);

                a.at = &l;
                a.key = key;
                flight_track(t, &a.flight, made,
                             roma_aio_presign(l.place->store, key, o, flight_done, &a.flight));
                flight_drive(t);
                free(key);
        }
        location_free(&l);
}

int cmd_presign(struct tool *t, int argc, char **argv)
{
        roma_presign_opts o = ROMA_PRESIGN_OPTS_INIT;

        if (argc < 1)
                return usage(t, "name at least one object");
        if (kind_of(t, &o.kind) < 0)
                return t->status;
        /* Else a link for the whole object would be taken for one of a part. */
        if ((t->opt.part || t->opt.upload_id) &&
            (o.kind != ROMA_PRESIGN_PART || !t->opt.part || !t->opt.upload_id))
                return usage(t, "--upload-id and --part belong together, and to no other --method than part");
        o.expires_s = t->opt.expires_s;
        o.content_type = t->opt.content_type;
        o.disposition = t->opt.disposition;
        o.upload_id = t->opt.upload_id;
        o.part = t->opt.part;
        o.min_bytes = t->opt.min_size;
        o.max_bytes = t->opt.max_size;
        o.flags = t->opt.prefix ? ROMA_PRESIGN_PREFIX : 0;
        o.deadline_ms = t->opt.deadline_ms;
        for (int i = 0; i < argc && !t->stopping; i++)
                one(t, argv[i], &o);
        return t->status;
}
