/* SPDX-License-Identifier: MIT */
/* The writer of stores with folders: bytes go to a temporary in the target's folder, which takes the target's name when
 * all is there. What is no regular file (a pipe, a device) is written in place instead.
 *
 * Opening:    stat of the target, at the same time as the temporary is made -> its mode and owner to the temporary
 * Committing: fsync -> times -> close -> rename (if-absent: rename without replacing, or link and unlink)
 * Giving up:  close and unlink, as operations that go on while the store closes */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/compose.h"
#include "core/writer.h"

enum { MAX_LINKS = 16 };

struct fw {
        roma_writer *w;
        roma_store *store;
        struct ri_op *op; /* who waits, or NULL */
        roma_op child;    /* the step that is under way */
        roma_op look;     /* the stat of the target, while opening */
        roma_file *file;  /* owned */
        char *target;     /* the key, or where its symbolic links lead */
        char *temp;       /* NULL: in place */
        bool made;        /* the temporary may be there */
        bool in_place;
        bool parents_made;
        bool stat_done, open_done;
        bool removing;
        int links;
        struct ri_error stat_error, open_error, why;
        bool fail;     /* `op` fails with `why` when the removal has ended */
        roma_attr old; /* of the target; mask 0: none */
        roma_attr now; /* of the temporary */
        roma_attr set; /* still to be set at opening */
};

static void make(struct fw *f);
static void both(struct fw *f);
static void remove_all(struct fw *f);

/* Common */

static roma_opts limits(const struct fw *f)
{
        if (f->op)
                return ri_child_opts(f->op);
        return (roma_opts)ROMA_OPTS_INIT;
}

static void fw_free(struct fw *f)
{
        free(f->target);
        free(f->temp);
        free(f);
}

/* Nothing is left. */
static void gone(struct fw *f)
{
        roma_writer *w = f->w;

        w->impl = NULL;
        fw_free(f);
        ri_writer_gone(w);
}

static void fw_cancel(struct ri_op *op)
{
        struct fw *f = op->impl;

        f->op = NULL;
        if (f->removing)
                return; /* goes on with nobody waiting */
        ri_op_drop(op->loop, f->child);
        ri_op_drop(op->loop, f->look);
        f->child = f->look = 0;
        remove_all(f);
}

static void waits_for(struct fw *f, struct ri_op *op)
{
        f->op = op;
        ri_compose(op, f, fw_cancel);
}

/* The operation is over for us. */
static struct ri_op *let_go(struct fw *f)
{
        struct ri_op *op = f->op;

        f->op = NULL;
        if (op) {
                op->cancel = NULL;
                op->impl = NULL;
        }
        return op;
}

static void give_up(struct fw *f, const struct ri_error *e)
{
        f->why = *e;
        f->fail = true;
        ri_op_drop(f->store->loop, f->look);
        f->look = 0;
        remove_all(f);
}

static void give_up_from(struct fw *f, const roma_result *r)
{
        struct ri_error e;

        ri_error_from(&e, r);
        give_up(f, &e);
}

/* Adopts a child that has started; gives up when it has not. */
static void step(struct fw *f, roma_op child)
{
        const roma_result *r = &f->store->loop->refused;
        struct ri_error e;

        f->child = child;
        if (child) {
                if (f->op)
                        ri_adopt(f->op, child);
                return;
        }
        ri_error_set(&e, r->code ? r->code : ROMA_ENOMEM, NULL, "%s",
                     r->code ? f->store->loop->error : "out of memory");
        give_up(f, &e);
}

/* Giving up */

static void removed(void *arg, const roma_result *r)
{
        struct fw *f = arg;
        struct ri_op *op = let_go(f);
        char *temp = f->temp;
        bool fail = f->fail;
        struct ri_error e = f->why;

        f->temp = NULL;
        f->child = 0;
        if (r && r->code && r->code != ROMA_ENOENT) {
                size_t n = strlen(e.text);

                if (!fail)
                        ri_error_from(&e, r);
                else
                        snprintf(e.text + n, sizeof(e.text) - n,
                                 "; the temporary %.100s could not be removed, gc will", temp);
                fail = true;
        }
        gone(f);
        free(temp);
        if (op && fail)
                ri_op_fail_error(op, &e);
        else if (op)
                ri_op_finish(op);
}

static void close_file(struct fw *f)
{
        roma_file *file = f->file;

        f->file = NULL;
        if (file && !ri_file_end(file))
                ri_file_drop(file);
}

static void remove_all(struct fw *f)
{
        roma_store *store = f->store;
        roma_opts o = limits(f);
        struct ri_op *op;

        f->removing = true;
        close_file(f);
        if (!f->made) {
                removed(f, NULL);
                return;
        }
        op = ri_op_new(store->loop, store, RI_ENDING, "unlink", f->temp, &o, removed, f);
        if (!op) {
                removed(f, NULL); /* no memory: gc will find it */
                return;
        }
        f->child = op->id;
        store->be->unlink(op, f->temp, ROMA_UNLINK_NO_TRASH);
}

/* Opening */

static void opened(struct fw *f)
{
        struct ri_op *op = let_go(f);

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
                give_up_from(f, r);
        else
                opened(f);
}

static void start_setattr(struct fw *f, const roma_attr *a, roma_done *done)
{
        roma_store *store = f->store;
        roma_opts o = limits(f);
        struct ri_op *op;

        if (!store->be->file_setattr) {
                step(f,
                     roma_aio_setattr(store, f->temp ? f->temp : f->target, a, ROMA_NOFOLLOW, &o, done, f));
                return;
        }
        op = ri_op_new(store->loop, store, RI_SINGLE, "setattr", f->w->key, &o, done, f);
        if (op)
                store->be->file_setattr(op, f->file, a);
        step(f, ri_op_id(op));
}

/* One attribute that cannot be kept must not cost the others: without the right to give files away only the mode is
 * set. */
static void owner_done(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        f->child = 0;
        if (r->code && f->w->attr.mask & (ROMA_ATTR_UID | ROMA_ATTR_GID)) {
                give_up_from(f, r);
                return;
        }
        if (f->set.mask & ROMA_ATTR_MODE) {
                f->set.mask = ROMA_ATTR_MODE;
                start_setattr(f, &f->set, set_done);
        } else {
                opened(f);
        }
}

static void set_owner(struct fw *f)
{
        roma_attr a = f->set;

        a.mask &= ROMA_ATTR_UID | ROMA_ATTR_GID;
        start_setattr(f, &a, owner_done);
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
        if (f->now.mask & ROMA_ATTR_MODE && f->now.mode == set->mode)
                set->mask &= ~(uint32_t)ROMA_ATTR_MODE;
        if (f->now.mask & ROMA_ATTR_UID && f->now.uid == set->uid)
                set->mask &= ~(uint32_t)ROMA_ATTR_UID;
        if (f->now.mask & ROMA_ATTR_GID && f->now.gid == set->gid)
                set->mask &= ~(uint32_t)ROMA_ATTR_GID;
        if (set->mask & (ROMA_ATTR_UID | ROMA_ATTR_GID))
                set_owner(f);
        else if (set->mask)
                start_setattr(f, set, set_done);
        else
                opened(f);
}

static void in_place_opened(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        f->child = 0;
        if (r->code) {
                give_up_from(f, r);
                return;
        }
        f->file = r->file;
        ri_file_own(f->file);
        f->now = *r->attr;
        opened(f);
}

static void open_in_place(struct fw *f)
{
        roma_opts o = limits(f);

        f->in_place = true;
        free(f->temp);
        f->temp = NULL;
        step(f,
             roma_aio_file_open(f->store, f->target, ROMA_O_WRITE | RI_O_STREAM, 0, &o, in_place_opened, f));
}

/* The temporary, where there is one, is in the wrong folder or not needed: away with it, then `next`. */
static void without_temp(struct fw *f, roma_done *next)
{
        roma_opts o = limits(f);

        close_file(f);
        if (!f->made) {
                const roma_result none = { .code = ROMA_OK };

                next(f, &none);
                return;
        }
        f->made = false;
        step(f, roma_aio_unlink(f->store, f->temp, ROMA_UNLINK_NO_TRASH, &o, next, f));
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
        roma_opts o = limits(f);

        f->stat_done = f->open_done = false;
        memset(&f->stat_error, 0, sizeof(f->stat_error));
        memset(&f->open_error, 0, sizeof(f->open_error));
        f->old.mask = 0;
        f->look = ri_adopt(f->op, roma_aio_stat(f->store, f->target, ROMA_NOFOLLOW, &o, looked, f));
        if (!f->look)
                step(f, 0);
        /* Names that are paths can mean anything, "-" too: no temporary before we know. */
        else if (!f->store->raw_keys)
                make(f);
}

/* a/b/../c -> a/c, for stores whose keys have no "..". false: leads out. */
static bool normalise(char *key)
{
        char *out = key, *p = key;

        while (*p) {
                size_t n = strcspn(p, "/");
                char *next = p + n + (p[n] == '/');

                if (n == 2 && p[0] == '.' && p[1] == '.') {
                        if (out == key)
                                return false;
                        while (out > key && out[-1] != '/')
                                out--;
                        if (out > key)
                                out--;
                } else if (n && !(n == 1 && p[0] == '.')) {
                        if (out > key)
                                *out++ = '/';
                        memmove(out, p, n);
                        out += n;
                }
                p = next;
        }
        *out = '\0';
        return out > key;
}

static void link_read(void *arg, const roma_result *r)
{
        struct fw *f = arg;
        struct ri_error e;
        char *target;

        f->child = 0;
        if (r->code) {
                give_up_from(f, r);
                return;
        }
        target = r->text[0] == '/' ? strdup(r->text) : sibling(f->target, r->text);
        if (!target) {
                ri_error_set(&e, ROMA_ENOMEM, NULL, "out of memory");
        } else if (++f->links > MAX_LINKS) {
                ri_error_set(&e, ROMA_EINVAL, NULL, "more than %d symbolic links, one after the other",
                             MAX_LINKS);
        } else if (!f->store->raw_keys && (target[0] == '/' || !normalise(target))) {
                ri_error_set(&e, ROMA_EACCES, NULL,
                             "it is a symbolic link to %.200s, outside of the store; put to that place",
                             r->text);
        } else {
                free(f->target);
                f->target = target;
                begin(f);
                return;
        }
        free(target);
        give_up(f, &e);
}

static void read_link(struct fw *f)
{
        roma_opts o = limits(f);

        step(f, roma_aio_readlink(f->store, f->target, &o, link_read, f));
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
        roma_opts o = limits(f);

        (void)r;
        f->child = 0;
        if (f->store->be->flags & RI_STREAMS)
                step(f, roma_aio_stat(f->store, f->target, 0, &o, link_followed, f));
        else
                read_link(f);
}

static void parents_done(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        f->child = 0;
        if (r->code)
                give_up_from(f, r);
        else
                begin(f);
}

static void make_parents(struct fw *f)
{
        const char *slash = strrchr(f->target, '/');
        roma_opts o = limits(f);
        char *folder = strndup(f->target, slash ? (size_t)(slash - f->target) : 0);

        f->parents_made = true;
        f->made = false;
        if (folder)
                f->child = roma_aio_mkdir(f->store, folder, f->store->raw_keys ? 0777 : 0755,
                                          ROMA_MKDIR_PARENTS, &o, parents_done, f);
        free(folder);
        step(f, f->child);
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
                give_up(f, &e);
                return true;
        }
        if (f->w->precondition == ROMA_IF_ABSENT) {
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
                give_up(f, &e);
        }
        return true;
}

/* The target is known, and the temporary made. */
static void both(struct fw *f)
{
        if (f->stat_error.code && f->stat_error.code != ROMA_ENOENT) {
                give_up(f, &f->stat_error);
        } else if (target_decides(f)) {
                return;
        } else if (!f->open_done) {
                make(f);
        } else if (f->open_error.code == ROMA_ENOENT && f->w->flags & ROMA_WRITER_PARENTS &&
                   !f->parents_made && strchr(f->target, '/')) {
                make_parents(f);
        } else if (f->open_error.code) {
                give_up(f, &f->open_error);
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
        roma_opts o = limits(f);
        struct ri_error e;

        if (!name_temp(f)) {
                ri_error_set(&e, ROMA_ENOMEM, NULL,
                             "no memory, or no random numbers, for the name of a temporary");
                give_up(f, &e);
                return;
        }
        f->made = true;
        step(f, roma_aio_file_open(f->store, f->temp, ROMA_O_WRITE | ROMA_O_CREATE | ROMA_O_EXCL,
                                   first_mode(f), &o, temp_made, f));
}

static void fw_open(struct ri_op *op, roma_writer *w)
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
        waits_for(f, op);
        begin(f);
}

/* Writing */

static void fw_write(struct ri_op *op, roma_writer *w, const void *data, size_t len, roma_buf *buf,
                     uint64_t offset)
{
        struct fw *f = w->impl;
        const struct ri_backend *be = f->store->be;
        struct iovec v = { (void *)(uintptr_t)data, len };

        if (buf && be->file_write_buf)
                be->file_write_buf(op, f->file, buf, offset);
        else
                be->file_pwritev(op, f->file, &v, 1, offset);
}

/* Committing */

static void committed(struct fw *f)
{
        struct ri_op *op = let_go(f);

        ri_op_set_attr(op, &f->now);
        gone(f);
        ri_op_finish(op);
}

static void not_committed(struct fw *f, const roma_result *r)
{
        f->op->outcome = ROMA_NOT_DONE;
        give_up_from(f, r);
}

/* The answer to the rename was lost: is our object there? */
static void found_out(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        f->child = 0;
        if (r->code == ROMA_OK && r->attr->mask & f->now.mask & ROMA_ATTR_INODE &&
            r->attr->inode == f->now.inode) {
                committed(f);
                return;
        }
        if (r->code == ROMA_OK || r->code == ROMA_ENOENT)
                f->op->outcome = ROMA_NOT_DONE;
        give_up(f, &f->why);
}

static void find_out(struct fw *f, const roma_result *r)
{
        roma_opts o = limits(f);

        ri_error_from(&f->why, r);
        step(f, roma_aio_stat(f->store, f->target, ROMA_NOFOLLOW, &o, found_out, f));
}

static void second_name_gone(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        (void)r; /* a temporary that stays is a second name of a good object; gc removes it */
        f->child = 0;
        committed(f);
}

static void linked(void *arg, const roma_result *r)
{
        struct fw *f = arg;
        roma_opts o = limits(f);

        f->child = 0;
        if (r->code && r->outcome == ROMA_UNKNOWN)
                find_out(f, r);
        else if (r->code)
                not_committed(f, r);
        else
                step(f, roma_aio_unlink(f->store, f->temp, ROMA_UNLINK_NO_TRASH, &o, second_name_gone, f));
}

static void renamed(void *arg, const roma_result *r)
{
        struct fw *f = arg;
        roma_opts o = limits(f);

        f->child = 0;
        if (r->code == ROMA_OK)
                committed(f);
        else if (r->code == ROMA_ENOTSUP && f->w->precondition == ROMA_IF_ABSENT)
                step(f, roma_aio_link(f->store, f->temp, f->target, &o, linked, f));
        else if (r->outcome == ROMA_UNKNOWN)
                find_out(f, r);
        else
                not_committed(f, r);
}

static void closed(void *arg, const roma_result *r)
{
        struct fw *f = arg;
        roma_opts o = limits(f);
        unsigned flags = f->w->precondition == ROMA_IF_ABSENT ? ROMA_RENAME_NOREPLACE : 0;

        f->child = 0;
        if (r->code) {
                give_up_from(f, r);
        } else if (f->in_place) {
                committed(f);
        } else {
                f->op->outcome = ROMA_UNKNOWN;
                step(f, roma_aio_rename(f->store, f->temp, f->target, flags, &o, renamed, f));
        }
}

static void close_it(struct fw *f)
{
        roma_opts o = limits(f);
        roma_file *file = f->file;

        f->file = NULL;
        step(f, roma_aio_file_close(file, &o, closed, f));
}

static void attributes_known(void *arg, const roma_result *r)
{
        struct fw *f = arg;

        f->child = 0;
        if (r->code) {
                give_up_from(f, r);
                return;
        }
        if (r->attr)
                f->now = *r->attr;
        close_it(f);
}

static void synced(void *arg, const roma_result *r)
{
        struct fw *f = arg;
        roma_opts o = limits(f);
        roma_attr a = f->w->attr;

        f->child = 0;
        if (r->code) {
                give_up_from(f, r);
                return;
        }
        a.mask &= ROMA_ATTR_ATIME | ROMA_ATTR_MTIME;
        /* Writing has cleared these bits. */
        if (f->w->attr.mask & ROMA_ATTR_MODE && f->w->attr.mode & 06000)
                a.mask |= ROMA_ATTR_MODE;
        if (a.mask)
                start_setattr(f, &a, attributes_known);
        else
                step(f, roma_aio_fstat(f->file, &o, attributes_known, f));
}

static void fw_commit(struct ri_op *op, roma_writer *w)
{
        struct fw *f = w->impl;
        roma_opts o;

        waits_for(f, op);
        o = limits(f);
        if (f->in_place)
                close_it(f);
        else
                step(f, roma_aio_fsync(f->file, &o, synced, f));
}

static void fw_abort(struct ri_op *op, roma_writer *w, const struct ri_error *why)
{
        struct fw *f = w->impl;

        if (op)
                waits_for(f, op);
        if (why)
                give_up(f, why);
        else
                remove_all(f);
}

static void fw_drop(roma_writer *w)
{
        struct fw *f = w->impl;
        roma_loop *loop = f->store->loop;

        let_go(f);
        ri_op_drop(loop, f->child);
        ri_op_drop(loop, f->look);
        if (f->file)
                ri_file_drop(f->file);
        fw_free(f);
}

const struct ri_writer_ops ri_folder_writer = {
        .open = fw_open,
        .write = fw_write,
        .commit = fw_commit,
        .abort = fw_abort,
        .drop = fw_drop,
};
