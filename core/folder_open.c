/* SPDX-License-Identifier: MIT */
/* Opening the writer of a store with folders: what is there, where links lead, the temporary and its attributes. */
#include "core/folder_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINKS = 16 };

static void make(struct fw *f);
static void both(struct fw *f);

/* Opening */

static void opened(struct fw *f)
{
        struct ri_op *op = ri_fw_let_go(f);

        ri_op_finish(op);
}

/* The key in the folder of `key`. NULL: no memory. */
static char *sibling(const char *key, const char *name)
{
        const char *slash = strrchr(key, '/');
        size_t n = slash ? (size_t)(slash - key) + 1 : 0;
        char *s = malloc(n + strlen(name) + 1);

        if (!s)
                return NULL;
        memcpy(s, key, n);
        memcpy(s + n, name, strlen(name) + 1);
        return s;
}

static bool name_temp(struct fw *f)
{
        char name[RI_TEMP_NAME];

        free(f->temp);
        f->temp = ri_temp_name(name) < 0 ? NULL : sibling(f->target, name);
        return f->temp != NULL;
}

static void set_done(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        f->child = 0;
        /* What was only to be kept is kept as far as the store lets us. */
        if (r->code && f->w->attr.mask & f->set.mask)
                ri_fw_give_up_from(f, r);
        else
                opened(f);
}

/* One attribute that cannot be kept must not cost the others: without the right to give files away only the mode is
 * set. */
static void owner_done(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        f->child = 0;
        if (r->code && f->w->attr.mask & (ROMA_ATTR_UID | ROMA_ATTR_GID)) {
                ri_fw_give_up_from(f, r);
                return;
        }
        if (f->set.mask & ROMA_ATTR_MODE) {
                f->set.mask = ROMA_ATTR_MODE;
                ri_fw_setattr(f, &f->set, set_done);
        } else {
                opened(f);
        }
}

static void set_owner(struct fw *f)
{
        roma_attr a = f->set;

        a.mask &= ROMA_ATTR_UID | ROMA_ATTR_GID;
        ri_fw_setattr(f, &a, owner_done);
}

/* Before the first byte is written, so that what was readable by few is never readable by more. */
static void set_attributes(struct fw *f)
{
        const roma_attr *ask = &f->w->attr, *old = &f->old;
        roma_attr *set = &f->set;

        memset(set, 0, sizeof(*set));
        set->size = sizeof(*set);
        set->mask = (ask->mask | old->mask) & (ROMA_ATTR_MODE | ROMA_ATTR_UID | ROMA_ATTR_GID);
        set->mode = ask->mask & ROMA_ATTR_MODE ? ask->mode : old->mode;
        set->uid = ask->mask & ROMA_ATTR_UID ? ask->uid : old->uid;
        set->gid = ask->mask & ROMA_ATTR_GID ? ask->gid : old->gid;
        if (!(f->store->be->caps & ROMA_CAP_MODE))
                set->mask = 0;
        f->mode = set->mask & ROMA_ATTR_MODE ? set->mode : 0;
        if (f->now.mask & ROMA_ATTR_MODE && f->now.mode == set->mode)
                set->mask &= ~(uint32_t)ROMA_ATTR_MODE;
        if (f->now.mask & ROMA_ATTR_UID && f->now.uid == set->uid)
                set->mask &= ~(uint32_t)ROMA_ATTR_UID;
        if (f->now.mask & ROMA_ATTR_GID && f->now.gid == set->gid)
                set->mask &= ~(uint32_t)ROMA_ATTR_GID;
        if (set->mask & (ROMA_ATTR_UID | ROMA_ATTR_GID))
                set_owner(f);
        else if (set->mask)
                ri_fw_setattr(f, set, set_done);
        else
                opened(f);
}

static void in_place_opened(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        f->child = 0;
        if (r->code) {
                ri_fw_give_up_from(f, r);
                return;
        }
        f->file = r->file;
        ri_file_own(f->file);
        f->now = *r->attr;
        opened(f);
}

static void open_in_place(struct fw *f)
{
        roma_opts o = ri_fw_limits(f);

        f->in_place = true;
        free(f->temp);
        f->temp = NULL;
        ri_fw_step(f, roma_aio_file_open(f->store, f->target, ROMA_O_WRITE | RI_O_STREAM, 0, &o,
                                         in_place_opened, f));
}

/* The temporary, where there is one, is in the wrong folder or not needed: away with it, then `next`. */
static void without_temp(struct fw *f, roma_done *next)
{
        roma_opts o = ri_fw_limits(f);

        ri_fw_close_file(f);
        if (!f->made) {
                const roma_result none = { .code = ROMA_OK };

                next(f, &none);
                return;
        }
        f->made = false;
        ri_fw_step(f, roma_aio_unlink(f->store, f->temp, ROMA_UNLINK_NO_TRASH, &o, next, f));
}

static void special_next(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        (void)r;
        f->child = 0;
        open_in_place(f);
}

static void looked(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        f->look = 0;
        f->stat_done = true;
        if (r->code)
                ri_error_from(&f->stat_error, r);
        else
                f->old = *r->attr;
        if (f->open_done || f->store->raw_keys)
                both(f);
}

static void begin(struct fw *f)
{
        roma_opts o = ri_fw_limits(f);

        f->stat_done = f->open_done = false;
        memset(&f->stat_error, 0, sizeof(f->stat_error));
        memset(&f->open_error, 0, sizeof(f->open_error));
        f->old.mask = 0;
        f->look = ri_adopt(f->op, roma_aio_stat(f->store, f->target, ROMA_NOFOLLOW, &o, looked, f));
        if (!f->look)
                ri_fw_step(f, 0);
        /* Names that are paths can mean anything, "-" too: no temporary before we know. */
        else if (!f->store->raw_keys)
                make(f);
}

/* Takes empty components and "." out of a key. */
static void tidy(char *key)
{
        char *out = key, *p = key;

        while (*p) {
                size_t n = strcspn(p, "/");
                char *next = p + n + (p[n] == '/');

                if (n && !(n == 1 && p[0] == '.')) {
                        if (out > key)
                                *out++ = '/';
                        memmove(out, p, n);
                        out += n;
                }
                p = next;
        }
        *out = '\0';
}

/* The first "..", or NULL. */
static char *first_up(char *key)
{
        for (char *p = key; *p; p += strcspn(p, "/"), p += *p == '/')
                if (strncmp(p, "..", 2) == 0 && (p[2] == '\0' || p[2] == '/'))
                        return p;
        return NULL;
}

/* Where the name of the folder begins that this ".." leaves. */
static char *left_by(char *key, char *up)
{
        char *slash = memrchr(key, '/', (size_t)(up - key) - 1);

        return slash ? slash + 1 : key;
}

static void outside(struct fw *f, const char *target)
{
        struct ri_error e;

        ri_error_set(&e, ROMA_EACCES, NULL,
                     "it is a symbolic link to %.200s, outside of the store; put to that place", target);
        ri_fw_give_up(f, &e);
}

static bool too_many_links(struct fw *f)
{
        struct ri_error e;

        if (++f->links <= MAX_LINKS)
                return false;
        ri_error_set(&e, ROMA_EINVAL, NULL, "more than %d symbolic links, one after the other", MAX_LINKS);
        ri_fw_give_up(f, &e);
        return true;
}

static void no_memory(struct fw *f)
{
        struct ri_error e;

        ri_error_set(&e, ROMA_ENOMEM, NULL, "out of memory");
        ri_fw_give_up(f, &e);
}

static void go_up(struct fw *f);

/* The folder that ".." leaves is a link itself: up from where that one leads. */
static void up_link_read(void *arg, const roma_result *r)
{
        struct fw *f = arg;
        char *up = first_up(f->target), *name = left_by(f->target, up), *target;

        f->child = 0;
        if (r->code) {
                ri_fw_give_up_from(f, r);
        } else if (r->text[0] == '/') {
                outside(f, r->text);
        } else if (!too_many_links(f)) {
                if (asprintf(&target, "%.*s%s/%s", (int)(name - f->target), f->target, r->text, up) < 0) {
                        no_memory(f);
                        return;
                }
                free(f->target);
                f->target = target;
                tidy(f->target);
                go_up(f);
        }
}

static void up_looked(void *arg, const roma_result *r)
{
        struct fw *f = arg;
        roma_opts o = ri_fw_limits(f);
        char *up = first_up(f->target), *name = left_by(f->target, up);
        struct ri_error e;
        roma_op child;

        f->child = 0;
        if (r->code) {
                ri_fw_give_up_from(f, r);
        } else if (r->attr->type == ROMA_TYPE_DIR) {
                memmove(name, up + 2, strlen(up + 2) + 1);
                tidy(f->target);
                go_up(f);
        } else if (r->attr->type == ROMA_TYPE_SYMLINK) {
                up[-1] = '\0';
                child = roma_aio_readlink(f->store, f->target, &o, up_link_read, f);
                up[-1] = '/';
                ri_fw_step(f, child);
        } else {
                ri_error_set(&e, ROMA_ENOTDIR, NULL, "a part of %.200s is no folder", f->target);
                ri_fw_give_up(f, &e);
        }
}

/* Keys have no "..": a/b/../c becomes a/c. That is where the store itself comes to only if b is a folder, and no link to one
 * somewhere else. */
static void go_up(struct fw *f)
{
        char *up = first_up(f->target);
        roma_opts o = ri_fw_limits(f);
        char *folder;

        if (up == f->target || !*f->target) {
                outside(f, f->target);
                return;
        }
        if (!up) {
                begin(f);
                return;
        }
        folder = strndup(f->target, (size_t)(up - f->target) - 1);
        if (!folder) {
                no_memory(f);
                return;
        }
        ri_fw_step(f, roma_aio_stat(f->store, folder, ROMA_NOFOLLOW, &o, up_looked, f));
        free(folder);
}

static void link_read(void *arg, const roma_result *r)
{
        struct fw *f = arg;
        char *target;

        f->child = 0;
        if (r->code) {
                ri_fw_give_up_from(f, r);
                return;
        }
        if (r->text[0] == '/' && !f->store->raw_keys) {
                outside(f, r->text);
                return;
        }
        if (too_many_links(f))
                return;
        target = r->text[0] == '/' ? strdup(r->text) : sibling(f->target, r->text);
        if (!target) {
                no_memory(f);
                return;
        }
        free(f->target);
        f->target = target;
        /* Paths of the program's own are the kernel's affair. */
        if (f->store->raw_keys) {
                begin(f);
                return;
        }
        tidy(f->target);
        go_up(f);
}

static void read_link(struct fw *f)
{
        roma_opts o = ri_fw_limits(f);

        ri_fw_step(f, roma_aio_readlink(f->store, f->target, &o, link_read, f));
}

/* A link to something special is written through, whatever its name is good for (/dev/stdout). */
static void link_followed(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        f->child = 0;
        if (r->code == ROMA_OK && r->attr->type != ROMA_TYPE_FILE && r->attr->type != ROMA_TYPE_DIR)
                open_in_place(f);
        else
                read_link(f);
}

static void link_next(void *arg, const roma_result *r)
{
        struct fw *f = arg;
        roma_opts o = ri_fw_limits(f);

        (void)r;
        f->child = 0;
        if (f->store->be->flags & RI_STREAMS)
                ri_fw_step(f, roma_aio_stat(f->store, f->target, 0, &o, link_followed, f));
        else
                read_link(f);
}

static void parents_done(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        f->child = 0;
        if (r->code)
                ri_fw_give_up_from(f, r);
        else
                begin(f);
}

static void make_parents(struct fw *f)
{
        const char *slash = strrchr(f->target, '/');
        roma_opts o = ri_fw_limits(f);
        char *folder = strndup(f->target, slash ? (size_t)(slash - f->target) : 0);

        f->parents_made = true;
        f->made = false;
        if (folder)
                f->child = roma_aio_mkdir(f->store, folder, f->store->raw_keys ? 0777 : 0755,
                                          ROMA_MKDIR_PARENTS, &o, parents_done, f);
        free(folder);
        ri_fw_step(f, f->child);
}

/* What the target is decides how to go on. true: it is dealt with. */
static bool target_decides(struct fw *f)
{
        struct ri_error e;

        if (!(f->old.mask & ROMA_ATTR_TYPE))
                return false;
        f->w->exists = true;
        if (f->old.type == ROMA_TYPE_DIR) {
                ri_error_set(&e, ROMA_EISDIR, NULL, "it is a folder; name an object in it");
                ri_fw_give_up(f, &e);
                return true;
        }
        if (f->w->precondition == ROMA_IF_ABSENT ||
            (f->old.type == ROMA_TYPE_SYMLINK && f->w->flags & ROMA_WRITER_OVER_LINK)) {
                f->old.mask = 0;
                return false;
        }
        if (f->old.type == ROMA_TYPE_FILE)
                return false;
        if (f->old.type == ROMA_TYPE_SYMLINK) {
                without_temp(f, link_next);
        } else if (f->store->be->flags & RI_STREAMS) {
                without_temp(f, special_next);
        } else {
                ri_error_set(&e, ROMA_ENOTSUP, NULL,
                             "it is a pipe, a device or a socket; this store cannot write it");
                ri_fw_give_up(f, &e);
        }
        return true;
}

/* The target is known, and the temporary made. */
static void both(struct fw *f)
{
        if (f->stat_error.code && f->stat_error.code != ROMA_ENOENT) {
                ri_fw_give_up(f, &f->stat_error);
        } else if (target_decides(f)) {
                return;
        } else if (!f->open_done) {
                make(f);
        } else if (f->open_error.code == ROMA_ENOENT && f->w->flags & ROMA_WRITER_PARENTS &&
                   !f->parents_made && strchr(f->target, '/')) {
                make_parents(f);
        } else if (f->open_error.code) {
                ri_fw_give_up(f, &f->open_error);
        } else {
                set_attributes(f);
        }
}

static void temp_made(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        f->child = 0;
        f->open_done = true;
        if (r->code) {
                ri_error_from(&f->open_error, r);
                f->made = r->outcome == ROMA_UNKNOWN;
        } else {
                f->file = r->file;
                ri_file_own(f->file);
                f->now = *r->attr;
        }
        if (f->stat_done)
                both(f);
}

/* The mode of a new object; the umask of a local program has its say. */
static uint32_t first_mode(const struct fw *f)
{
        if (f->w->attr.mask & ROMA_ATTR_MODE)
                return f->w->attr.mode & 0777;
        return f->store->raw_keys ? 0666 : 0644;
}

static void make(struct fw *f)
{
        roma_opts o = ri_fw_limits(f);
        struct ri_error e;

        if (!name_temp(f)) {
                ri_error_set(&e, ROMA_ENOMEM, NULL,
                             "no memory, or no random numbers, for the name of a temporary");
                ri_fw_give_up(f, &e);
                return;
        }
        f->made = true;
        ri_fw_step(f, roma_aio_file_open(f->store, f->temp, ROMA_O_WRITE | ROMA_O_CREATE | ROMA_O_EXCL,
                                         first_mode(f), &o, temp_made, f));
}

void ri_fw_open(struct ri_op *op, roma_writer *w)
{
        struct fw *f = calloc(1, sizeof(*f));

        if (f) {
                f->w = w;
                f->store = w->store;
                f->target = strdup(w->key);
        }
        if (!f || !f->target) {
                free(f);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a writer");
                ri_writer_gone(w);
                return;
        }
        w->impl = f;
        ri_fw_waits_for(f, op);
        begin(f);
}
