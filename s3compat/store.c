/* SPDX-License-Identifier: MIT */
/* Opening, closing, and the tables that core knows the stores by: one for each kind, since what they can differs. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "core/config.h"
#include "s3compat/module.h"
#include "s3compat/store.h"

static void store_destroy(struct s3_store *st)
{
        s3_keys_cancel(st);
        s3_http_free(st->http);
        s3_creds_clear(&st->creds);
        s3_profile_clear(&st->profile);
        free(st);
}

/* From roma.conf and the files that it or the URI names. */
static int configured(struct s3_store *st, const struct ri_uri *uri, struct ri_str *err)
{
        struct ri_str secret = RI_STR_INIT(RI_SECRET_FILE_MAX), token = RI_STR_INIT(RI_SECRET_FILE_MAX);
        const struct ri_config *c = st->loop->config;
        int r;

        if (!*st->profile.access_key)
                return 0;
        r = ri_secret_get(uri, c, "secret_key", &secret, err);
        if (r == 0)
                r = ri_str_fail(
                        err, "access_key is given and no secret_key: put it into roma.conf or a file named "
                             "by secret_key_file");
        if (r > 0)
                r = ri_secret_get(uri, c, "session_token", &token, err);
        if (r >= 0) {
                st->creds.id = strdup(st->profile.access_key);
                st->creds.secret = ri_str_take(&secret, NULL);
                st->creds.token = r > 0 ? ri_str_take(&token, NULL) : NULL;
                st->creds.where = "roma.conf";
                st->creds_fixed = true;
                r = st->creds.id && st->creds.secret ? 0 : ri_str_fail(err, "no memory for keys");
        }
        ri_str_wipe(&secret);
        ri_str_wipe(&token);
        return r < 0 ? -1 : 0;
}

static int store_new(roma_store *store, const struct ri_uri *uri, struct ri_error *e)
{
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);
        struct s3_store *st = calloc(1, sizeof(*st));
        int r = -1;

        if (!st) {
                ri_error_set(e, ROMA_ENOMEM, NULL, "no memory for the store");
                return -1;
        }
        st->store = store;
        st->loop = store->loop;
        ri_list_init(&st->wait_keys);
        ri_list_init(&st->line[0]);
        ri_list_init(&st->line[1]);
        if (getrandom(&st->random, sizeof(st->random), GRND_NONBLOCK) < 0 || !st->random)
                st->random = ri_now() | 1;
        if (s3_profile_from_uri(&st->profile, uri, &err) < 0) {
                ri_error_set(e, ROMA_EURI, NULL, "%s", ri_str_cstr(&err));
        } else if (configured(st, uri, &err) < 0) {
                ri_error_set(e, ROMA_ECONFIG, NULL, "%s", ri_str_cstr(&err));
        } else {
                st->http = s3_http_new(store->loop, &st->profile);
                if (st->http)
                        r = 0;
                else
                        ri_error_set(e, ROMA_ENOMEM, NULL, "libcurl could not be started");
        }
        ri_str_free(&err);
        if (r < 0)
                store_destroy(st);
        else
                store->impl = st;
        return r;
}

/* There is no session: the first request is the first word to the server. Only keys are looked for. */
static void s3_connect(struct ri_op *op)
{
        struct s3_store *st = s3_of(op->store);

        if (st->creds.id || st->profile.anonymous) {
                if (!*st->profile.region)
                        s3_profile_set_region(&st->profile, "us-east-1");
                ri_op_finish(op);
        } else if (s3_keys_lookup(st, op) < 0) {
                ri_op_fail(op, ROMA_ENOMEM, "no memory for the keys");
        }
}

static void s3_close(roma_store *store, bool now)
{
        (void)now;
        store_destroy(store->impl);
        store->impl = NULL;
        ri_store_closed(store);
}

static bool same_keys(const roma_store *a, const roma_store *b)
{
        const struct s3_profile *p = &((struct s3_store *)a->impl)->profile,
                                *q = &((struct s3_store *)b->impl)->profile;

        return strcmp(p->bucket, q->bucket) == 0 && s3_same_server(p, q);
}

static const char *prefix(const roma_store *store)
{
        return ((struct s3_store *)store->impl)->profile.prefix;
}

static const char *const s3_schemes[] = { "s3", NULL };
static const char *const oss_schemes[] = { "oss", NULL };
static const char *const obs_schemes[] = { "obs", NULL };
static const char *const minio_schemes[] = { "minio", NULL };

#define BACKEND(name_, schemes_, caps_)                                                                 \
        {                                                                                               \
                .abi = RI_BACKEND_ABI, .name = name_, .schemes = schemes_, .options = s3_options,       \
                .flags = 0, .caps = ROMA_CAP_SORTED | ROMA_CAP_PROPS | (caps_), .store_new = store_new, \
                .connect = s3_connect, .close = s3_close, .stat = s3_stat, .unlink = s3_unlink,         \
                .mkdir = s3_mkdir, .rmdir = s3_rmdir, .ping = s3_ping, .statfs = s3_statfs,             \
                .presign = s3_presign, .list = s3_list, .file_open = s3_file_open,                      \
                .file_close = s3_file_close, .file_drop = s3_file_drop, .file_preadv = s3_file_preadv,  \
                .file_fsync = s3_file_fsync, .file_stat = s3_file_stat, .writer = &s3_writer,           \
                .upload = &s3_upload, .layout = s3_layout, .can_copy = s3_can_copy, .copy = s3_copy,    \
                .same_keys = same_keys, .prefix = prefix                                                \
        }

static const struct ri_backend backends[] = {
        BACKEND("s3", s3_schemes, ROMA_CAP_IF_ABSENT | ROMA_CAP_IF_MATCH),
        BACKEND("oss", oss_schemes, ROMA_CAP_IF_ABSENT),
        BACKEND("obs", obs_schemes, 0),
        BACKEND("minio", minio_schemes, ROMA_CAP_IF_ABSENT | ROMA_CAP_IF_MATCH),
};

const struct ri_backend *s3_backend(const char *scheme)
{
        for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
                if (strcmp(backends[i].schemes[0], scheme) == 0)
                        return &backends[i];
        return NULL;
}
