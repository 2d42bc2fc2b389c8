/* SPDX-License-Identifier: MIT */
/* Finds and reads roma.conf and files that hold one secret, see config.h. */
#include "core/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEM_FILE  "/etc/roma/roma.conf"
#define PATH_LONGEST 4096

/* "FILE: sentence" */
static int refuse(const char *path, struct ri_str *err, const char *sentence, const char *detail)
{
        if (!err)
                return -1;
        ri_str_reset(err);
        ri_str_quoted(err, path, strlen(path), 1000);
        ri_str_printf(err, ": %s%s", sentence, detail);
        return -1;
}

static int refuse_errno(const char *path, struct ri_str *err, const char *what)
{
        int saved = errno;
        char text[128];

        refuse(path, err, what, strerror_r(saved, text, sizeof(text)));
        errno = saved;
        return -1;
}

static int refuse_shared(const char *path, struct ri_str *err)
{
        refuse(path, err,
               "the file holds a secret and others than its owner can read or change it: chmod 600 ", "");
        if (err)
                ri_str_quoted(err, path, strlen(path), 1000);
        errno = EPERM;
        return -1;
}

/* Appends the whole file of at most `max` bytes to `out`. *shared: others than the owner can read or change it. Both
 * are asked of the open file, so that nobody can exchange it in between. O_NONBLOCK: a pipe of that name must not hang
 * the program before it is refused. */
static int read_file(const char *path, size_t max, struct ri_str *out, bool *shared, struct ri_str *err)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat st;
        ssize_t got = 1;
        int r = -1;

        if (fd < 0)
                return refuse_errno(path, err, "cannot be opened: ");
        if (fstat(fd, &st) < 0) {
                refuse_errno(path, err, "cannot be read: ");
        } else if (!S_ISREG(st.st_mode)) {
                refuse(path, err, "is not a regular file", "");
                errno = EINVAL;
        } else if (ri_str_reserve(out, max + 1) < 0) {
                refuse(path, err, "no memory to read it", "");
                errno = ENOMEM;
        } else {
                *shared = (st.st_mode & (S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH)) != 0;
                r = 0;
        }
        /* One byte more than allowed is read, to tell a file that is too long from one that just fits. */
        while (r == 0 && got > 0 && out->len <= max) {
                got = read(fd, out->p + out->len, max + 1 - out->len);
                if (got > 0)
                        out->len += (size_t)got;
                else if (got < 0)
                        r = refuse_errno(path, err, "cannot be read: ");
        }
        if (r == 0 && out->len > max) {
                char limit[48];

                snprintf(limit, sizeof(limit), "%zu bytes", max);
                r = refuse(path, err, "is longer than ", limit);
                errno = EINVAL;
        }
        close(fd);
        return r;
}

int ri_config_load_file(struct ri_config *c, const char *path, struct ri_str *err)
{
        struct ri_str text = RI_STR_INIT(RI_CONFIG_MAX_FILE + 1);
        bool shared = true;
        int saved, r;

        memset(c, 0, sizeof(*c));
        r = read_file(path, RI_CONFIG_MAX_FILE, &text, &shared, err);
        if (r == 0)
                r = ri_config_parse(c, path, ri_str_cstr(&text), text.len, err);
        if (r == 0 && shared && ri_config_has_secret(c)) {
                r = refuse_shared(path, err);
                saved = errno;
                ri_config_clear(c);
                errno = saved;
        }
        saved = errno;
        ri_str_wipe(&text);
        errno = saved;
        return r;
}

/* 1: loaded. 0: there is no such file. -1: error. */
static int try_file(struct ri_config *c, const char *path, struct ri_str *err)
{
        if (ri_config_load_file(c, path, err) == 0)
                return 1;
        if (errno != ENOENT && errno != ENOTDIR)
                return -1;
        if (err)
                ri_str_reset(err);
        return 0;
}

/* Folders that are not absolute are ignored, as the XDG Base Directory Specification says. */
static int user_file(struct ri_str *path)
{
        const char *xdg = secure_getenv("XDG_CONFIG_HOME");
        const char *home = secure_getenv("HOME");

        if (xdg && xdg[0] == '/')
                return ri_str_printf(path, "%s/roma/roma.conf", xdg);
        if (home && home[0] == '/')
                return ri_str_printf(path, "%s/.config/roma/roma.conf", home);
        return -1;
}

int ri_config_load_default(struct ri_config *c, struct ri_str *err)
{
        struct ri_str path = RI_STR_INIT(PATH_LONGEST);
        const char *named = secure_getenv("ROMA_CONFIG");
        int r = 0;

        memset(c, 0, sizeof(*c));
        if (named && named[0])
                return ri_config_load_file(c, named, err);
        if (user_file(&path) == 0)
                r = try_file(c, ri_str_cstr(&path), err);
        if (r == 0)
                r = try_file(c, SYSTEM_FILE, err);
        ri_str_free(&path);
        return r < 0 ? -1 : 0;
}

int ri_secret_file_read(const char *path, struct ri_str *out, struct ri_str *err)
{
        struct ri_str text = RI_STR_INIT(RI_SECRET_FILE_MAX + 1);
        bool shared = true;
        int r = read_file(path, RI_SECRET_FILE_MAX, &text, &shared, err);

        if (r == 0 && shared)
                r = refuse_shared(path, err);
        if (r == 0) {
                if (text.len && text.p[text.len - 1] == '\n')
                        text.len--;
                if (text.len && text.p[text.len - 1] == '\r')
                        text.len--;
                errno = EINVAL;
                if (text.len == 0)
                        r = refuse(path, err, "is empty, expected a secret", "");
                else if (memchr(text.p, '\0', text.len))
                        r = refuse(path, err, "contains a zero byte, which no secret can", "");
        }
        if (r == 0) {
                ri_str_wipe(out);
                r = ri_str_append(out, text.p, text.len);
                if (r < 0) {
                        errno = ENOMEM;
                        refuse(path, err, "no memory for the secret", "");
                }
        }
        ri_str_wipe(&text);
        return r;
}
