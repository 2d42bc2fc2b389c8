/* SPDX-License-Identifier: MIT */
/* What a rados:// URI says: rados://POOL/ROOT?option=value. */
#include <stdlib.h>
#include <string.h>

#include "cephio/rados/rados.h"

enum {
        SHARDS = 16,
        PIECE = 4 << 20,
        INLINE = 1 << 20,
        KEEP_MS = 600000,
        GRACE_MS = 900000,
        CONNECT_S = 10,
        OSD_S = 30
};

/* A commit that has begun is not taken for over while a head may yet come to name its pieces, which every collector has to
 * allow for; see put.c. */
static int read_grace(struct rad_opts *o, const struct ri_uri *u, struct ri_str *err)
{
        uint64_t guard = (uint64_t)o->osd_s * 4000;

        o->guard_ms = guard > RAD_GUARD_MS ? guard : RAD_GUARD_MS;
        o->grace_ms = o->guard_ms > GRACE_MS ? o->guard_ms : GRACE_MS;
        if (ri_uri_opt_duration(u, "grace", &o->grace_ms, err) < 0)
                return -1;
        if (o->grace_ms && o->grace_ms < o->guard_ms)
                return ri_str_fail(err,
                                   "option grace: at least 2m and 4 times osd expected, here %us, or 0s when "
                                   "nobody writes while gc runs",
                                   (unsigned)(o->guard_ms / 1000));
        return 0;
}

static int read_numbers(struct rad_opts *o, const struct ri_uri *u, struct ri_str *err)
{
        uint64_t shards = SHARDS, piece = PIECE, small = INLINE, connect = CONNECT_S * 1000,
                 osd = OSD_S * 1000;

        if (ri_uri_opt_bool(u, "raw", &o->raw, err) < 0 ||
            ri_uri_opt_u64(u, "shards", 1, RAD_MAX_SHARDS, &shards, err) < 0 ||
            ri_uri_opt_size(u, "piece", &piece, err) < 0 || ri_uri_opt_size(u, "inline", &small, err) < 0 ||
            ri_uri_opt_duration(u, "keep", &o->keep_ms, err) < 0 ||
            ri_uri_opt_duration(u, "connect", &connect, err) < 0 ||
            ri_uri_opt_duration(u, "osd", &osd, err) < 0)
                return -1;
        if (piece < RAD_MIN_PIECE || piece > RAD_MAX_PIECE || small > RAD_INLINE_MAX)
                return ri_str_fail(err, "option piece: from 4KiB to 64MiB expected; inline: at most 1MiB");
        if (connect < 1000 || connect > 3600000 || osd < 1000 || osd > 3600000)
                return ri_str_fail(err, "options connect and osd: from 1s to 1h expected");
        o->shards = (unsigned)shards;
        o->piece = (uint32_t)piece;
        o->inline_max = (uint32_t)small;
        o->connect_s = (unsigned)(connect / 1000);
        o->osd_s = (unsigned)(osd / 1000);
        return read_grace(o, u, err);
}

/* "/a/b/" -> "a/b/"; "/" -> "". In raw mode the root is a prefix of names just as well. */
static char *root_of(const char *path)
{
        size_t n;
        char *s;

        path += *path == '/';
        n = strlen(path);
        s = malloc(n + 2);
        if (!s)
                return NULL;
        memcpy(s, path, n + 1);
        if (n && s[n - 1] != '/')
                memcpy(s + n, "/", 2);
        return s;
}

static int copy_option(char **to, const struct ri_uri *u, const char *name)
{
        const char *v = ri_uri_opt(u, name);

        *to = v ? strdup(v) : NULL;
        return v && !*to ? -1 : 0;
}

static int read_words(struct rad_opts *o, const struct ri_uri *u)
{
        const char *ns = ri_uri_opt(u, "ns");

        o->pool = strdup(u->authority);
        o->root = root_of(u->path);
        o->ns = strdup(ns ? ns : "");
        if (!o->pool || !o->root || !o->ns)
                return -1;
        if (copy_option(&o->conf, u, "conf") < 0 || copy_option(&o->client, u, "client") < 0 ||
            copy_option(&o->keyring, u, "keyring") < 0)
                return -1;
        ceph_client_id(o->client);
        return 0;
}

struct rad_opts *rad_opts_new(const struct ri_uri *u, struct ri_error *e)
{
        struct rad_opts *o = calloc(1, sizeof(*o));
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);

        if (!o) {
                ri_error_set(e, ROMA_ENOMEM, NULL, "no memory for the store");
                return NULL;
        }
        o->refs = 1;
        o->keep_ms = KEEP_MS;
        if (!u->authority[0])
                ri_error_set(e, ROMA_EURI, NULL, "no pool is named; write rados://POOL/KEY");
        else if (read_words(o, u) < 0)
                ri_error_set(e, ROMA_ENOMEM, NULL, "no memory for the store");
        else if (strlen(o->root) > RAD_KEY_MAX)
                ri_error_set(e, ROMA_EURI, NULL, "the path is longer than %d bytes", RAD_KEY_MAX);
        else if (read_numbers(o, u, &err) < 0)
                ri_error_set(e, ROMA_EURI, NULL, "%s", ri_str_cstr(&err));
        ri_str_free(&err);
        if (!e->code)
                return o;
        rad_opts_unref(o);
        return NULL;
}

struct rad_opts *rad_opts_ref(struct rad_opts *o)
{
        __atomic_add_fetch(&o->refs, 1, __ATOMIC_RELAXED);
        return o;
}

void rad_opts_unref(struct rad_opts *o)
{
        if (!o || __atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL))
                return;
        free(o->pool);
        free(o->ns);
        free(o->root);
        free(o->conf);
        free(o->client);
        free(o->keyring);
        free(o);
}
