/* SPDX-License-Identifier: MIT */
#include "s3compat/creds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE = 1 << 20 };

static void wipe(char **s)
{
        if (*s)
                ri_free_secret(*s, strlen(*s));
        *s = NULL;
}

void s3_creds_clear(struct s3_creds *c)
{
        wipe(&c->id);
        wipe(&c->secret);
        wipe(&c->token);
        wipe(&c->region);
        c->where = NULL;
}

int s3_creds_copy(struct s3_creds *to, const struct s3_creds *from)
{
        to->id = from->id ? strdup(from->id) : NULL;
        to->secret = from->secret ? strdup(from->secret) : NULL;
        to->token = from->token ? strdup(from->token) : NULL;
        to->region = from->region ? strdup(from->region) : NULL;
        to->where = from->where;
        if ((from->id && !to->id) || (from->secret && !to->secret) || (from->token && !to->token) ||
            (from->region && !to->region)) {
                s3_creds_clear(to);
                return -1;
        }
        return 0;
}

/* Files */

struct piece {
        const char *p;
        size_t n;
};

static struct piece trim(const char *p, size_t n)
{
        while (n && (p[n - 1] == ' ' || p[n - 1] == '\t' || p[n - 1] == '\r'))
                n--;
        while (n && (*p == ' ' || *p == '\t'))
                p++, n--;
        return (struct piece){ p, n };
}

static bool is(struct piece s, const char *word)
{
        return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

/* The name of a section: "default", "profile x" in config, "x" in credentials. */
static bool is_section(struct piece s, const char *profile, bool config)
{
        if (config && s.n > 8 && memcmp(s.p, "profile ", 8) == 0)
                return is(trim(s.p + 8, s.n - 8), profile);
        return (!config || strcmp(profile, "default") == 0) && is(s, profile);
}

static int set(char **to, struct piece value, struct ri_str *err)
{
        if (*to || !value.n)
                return 0;
        if (memchr(value.p, '\0', value.n))
                return ri_str_fail(err, "a value holds a zero byte");
        *to = strndup(value.p, value.n);
        return *to ? 0 : ri_str_fail(err, "no memory for keys");
}

static int take(struct s3_creds *c, struct piece name, struct piece value, struct ri_str *err)
{
        if (is(name, "aws_access_key_id"))
                return set(&c->id, value, err);
        if (is(name, "aws_secret_access_key"))
                return set(&c->secret, value, err);
        if (is(name, "aws_session_token") || is(name, "aws_security_token"))
                return set(&c->token, value, err);
        if (is(name, "region"))
                return set(&c->region, value, err);
        return 0;
}

static int line(struct s3_creds *c, const char *p, size_t n, bool *inside, const char *profile, bool config,
                struct ri_str *err)
{
        /* A nested setting ("s3 =" and indented lines below it) is none of ours. */
        bool indented = n && (*p == ' ' || *p == '\t');
        struct piece s = trim(p, n);
        const char *equal;

        if (!s.n || *s.p == '#' || *s.p == ';')
                return 0;
        if (*s.p == '[') {
                const char *close = memchr(s.p, ']', s.n);

                *inside = close && is_section(trim(s.p + 1, (size_t)(close - s.p) - 1), profile, config);
                return 0;
        }
        equal = memchr(s.p, '=', s.n);
        if (!*inside || !equal || indented)
                return 0;
        return take(c, trim(s.p, (size_t)(equal - s.p)), trim(equal + 1, s.n - (size_t)(equal + 1 - s.p)),
                    err);
}

int s3_creds_parse(struct s3_creds *c, const char *text, size_t n, const char *profile, bool config,
                   struct ri_str *err)
{
        bool inside = false;

        while (n) {
                const char *nl = memchr(text, '\n', n);
                size_t len = nl ? (size_t)(nl - text) : n;

                if (line(c, text, len, &inside, profile, config, err) < 0)
                        return -1;
                text += len + (nl != NULL);
                n -= len + (nl != NULL);
        }
        return 0;
}

/* All of a regular file; 1: there is none. shared: others can read or change it. */
static int slurp(const char *path, bool *shared, struct ri_str *out, struct ri_str *err)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        struct stat st;
        ssize_t got = 0;

        if (fd >= 0 && strcmp(path, "/dev/null") == 0) { /* how one says that there is none */
                close(fd);
                return 1;
        }
        if (fd < 0)
                return errno == ENOENT || errno == ENOTDIR
                               ? 1
                               : ri_str_fail(err, "%s: %s", path, strerror(errno));
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > MAX_FILE) {
                close(fd);
                return ri_str_fail(err, "%s is no regular file of at most 1 MiB", path);
        }
        *shared = st.st_mode & (S_IWGRP | S_IWOTH | S_IROTH);
        if (ri_str_reserve(out, (size_t)st.st_size + 1) == 0)
                got = read(fd, out->p, (size_t)st.st_size);
        close(fd);
        if (got < 0 || out->failed)
                return ri_str_fail(err, "%s could not be read", path);
        out->len = (size_t)got;
        out->p[got] = '\0';
        return 0;
}

/* Keys are taken all from one place: the secret or the token of another one does not belong to this id. */
static void take_keys(struct s3_creds *c, struct s3_creds *found)
{
        if (!c->id && found->id) {
                c->id = found->id;
                c->secret = found->secret;
                c->token = found->token;
                c->where = "~/.aws";
                found->id = found->secret = found->token = NULL;
        }
        if (!c->region) {
                c->region = found->region;
                found->region = NULL;
        }
        s3_creds_clear(found);
}

static int read_file(const char *path, struct s3_creds *found, const char *profile, bool config,
                     struct ri_str *err)
{
        struct ri_str text = RI_STR_INIT(MAX_FILE + 1);
        bool shared = false;
        int r = slurp(path, &shared, &text, err);

        if (r == 0)
                r = s3_creds_parse(found, ri_str_cstr(&text), text.len, profile, config, err);
        ri_str_wipe(&text);
        /* The other file may hold settings only, which anybody may read. */
        if (r == 0 && shared && (!config || found->secret || found->token))
                r = ri_str_fail(err, "%s holds keys and others can read it: chmod 600 it", path);
        return r < 0 ? -1 : 0;
}

static int from_file(struct s3_creds *c, const char *variable, const char *usual, const char *profile,
                     bool config, struct ri_str *err)
{
        const char *path = secure_getenv(variable), *home = secure_getenv("HOME");
        struct s3_creds found = { 0 };
        char buf[4096];

        if (!path || !*path) {
                if (!home || !*home || snprintf(buf, sizeof(buf), "%s/%s", home, usual) >= (int)sizeof(buf))
                        return 0;
                path = buf;
        }
        if (read_file(path, &found, profile, config, err) < 0) {
                s3_creds_clear(&found);
                return -1;
        }
        take_keys(c, &found);
        return 0;
}

/* Environment */

static const char *env(const char *name)
{
        const char *v = name ? secure_getenv(name) : NULL;

        return v && *v ? v : NULL;
}

/* Of each vendor in the order in which they are looked for. */
static const struct names {
        const char *id, *secret, *token, *old_token;
} variables[][3] = {
        { { "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN" } },
        { { "OSS_ACCESS_KEY_ID", "OSS_ACCESS_KEY_SECRET", "OSS_SESSION_TOKEN", NULL },
          { "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN",
            NULL } },
        { { "OBS_ACCESS_KEY_ID", "OBS_SECRET_ACCESS_KEY", "OBS_SECURITY_TOKEN", NULL },
          { "HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN", NULL } },
        { { "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", NULL, NULL },
          { "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", NULL },
          { "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", NULL, NULL } },
};

static int from_environment(struct s3_creds *c, enum s3_vendor vendor, struct ri_str *err)
{
        const struct names *all = variables[vendor <= S3_VENDOR_MINIO ? vendor : S3_VENDOR_AWS];

        for (size_t i = 0; i < 3; i++) {
                const char *id = env(all[i].id), *secret = env(all[i].secret), *token = env(all[i].token);

                if (!id || !secret)
                        continue;
                token = token ? token : env(all[i].old_token);
                c->id = strdup(id);
                c->secret = strdup(secret);
                c->token = token ? strdup(token) : NULL;
                c->where = "the environment";
                return c->id && c->secret && (!token || c->token) ? 0
                                                                  : ri_str_fail(err, "no memory for keys");
        }
        return 0;
}

/* What of keys there is although there are none. */
static void say_why_none(enum s3_vendor vendor, const char *profile, struct ri_str *err)
{
        const struct names *all = variables[vendor <= S3_VENDOR_MINIO ? vendor : S3_VENDOR_AWS];

        for (size_t i = 0; i < 3 && !profile; i++) {
                bool id = env(all[i].id), secret = env(all[i].secret);

                if (id != secret) {
                        ri_str_printf(err, "%s is set and %s is not", id ? all[i].id : all[i].secret,
                                      id ? all[i].secret : all[i].id);
                        return;
                }
        }
        if (!profile)
                profile = env("AWS_PROFILE");
        if (profile && vendor != S3_VENDOR_OSS && vendor != S3_VENDOR_OBS)
                ri_str_printf(err, "the profile %.60s has none in ~/.aws/credentials and ~/.aws/config",
                              profile);
}

static int find(struct s3_creds *c, enum s3_vendor vendor, const char *profile, struct ri_str *err)
{
        const char *asked = profile && *profile ? profile : secure_getenv("AWS_PROFILE");

        /* A profile that is asked for by name goes before the environment, as with the vendor's tools. */
        if (!(profile && *profile) && from_environment(c, vendor, err) < 0)
                return -1;
        if (!asked || !*asked)
                asked = "default";
        if (vendor == S3_VENDOR_OSS || vendor == S3_VENDOR_OBS)
                return 0;
        if (!c->id && from_file(c, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", asked, false, err) < 0)
                return -1;
        return from_file(c, "AWS_CONFIG_FILE", ".aws/config", asked, true, err);
}

int s3_creds_find(struct s3_creds *c, enum s3_vendor vendor, const char *profile, struct ri_str *err)
{
        if (find(c, vendor, profile, err) < 0)
                return -1;
        if (!c->id)
                say_why_none(vendor, profile && *profile ? profile : NULL, err);
        return 0;
}
