/* SPDX-License-Identifier: MIT */
/* The removal of an upload's folder. A part that was on its way may appear while it goes on: then once more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/upload.h"

enum { PAGE = 10000, ROUNDS = 8, AT_ONCE = 16 };

struct removal {
        struct ri_op *op;
        roma_op child;
        char *key, *id, *folder; /* the folder with a slash */
        bool stale;
        unsigned round;
        char **v; /* keys of this page */
        size_t n, at;
        roma_op *going; /* of those that are being removed */
        size_t in_flight;
        bool parts; /* this page had some */
        bool more;
        bool moved; /* the folder has another name */
};

static void list(struct removal *m);
static void next(struct removal *m);

static void page_clear(struct removal *m)
{
        for (size_t i = 0; i < m->n; i++)
                free(m->v[i]);
        m->n = m->at = 0;
}

static void removal_free(struct removal *m)
{
        ri_op_drop(m->op->loop, m->child);
        for (size_t i = 0; i < m->at; i++)
                ri_op_drop(m->op->loop, m->going[i]);
        page_clear(m);
        free(m->going);
        free(m->v);
        free(m->key);
        free(m->id);
        free(m->folder);
        free(m);
}

static void removal_cancel(struct ri_op *op)
{
        removal_free(op->impl);
}

static void fail(struct removal *m, const struct ri_error *e)
{
        struct ri_op *op = m->op;
        struct ri_error copy = *e;

        removal_free(m);
        ri_op_fail_error(op, &copy);
}

static void started(struct removal *m, roma_op child)
{
        struct ri_op *op = m->op;

        m->child = ri_adopt(op, child);
        if (child)
                return;
        removal_free(m);
        ri_fail_start(op);
}

static void folder_removed(void *arg, const roma_result *r)
{
        struct removal *m = arg;
        struct ri_op *op = m->op;
        struct ri_error e;

        m->child = 0;
        if (r->code == ROMA_ENOTEMPTY && ++m->round < ROUNDS) {
                list(m);
        } else if (r->code && r->code != ROMA_ENOENT) {
                ri_error_from(&e, r);
                fail(m, &e);
        } else {
                removal_free(m);
                ri_op_finish(op);
        }
}

static void remove_folder(struct removal *m)
{
        roma_opts o = ri_child_opts(m->op);
        struct ri_op *op = m->op;

        if (!(op->store->be->flags & RI_FOLDERS)) {
                removal_free(m);
                ri_op_finish(op);
                return;
        }
        m->folder[strlen(m->folder) - 1] = '\0';
        started(m, roma_aio_rmdir(op->store, m->folder, &o, folder_removed, m));
}

static void moved(void *arg, const roma_result *r)
{
        struct removal *m = arg;
        struct ri_error e;

        m->child = 0;
        if (r->code && r->code != ROMA_ENOENT) {
                ri_error_from(&e, r);
                fail(m, &e);
                return;
        }
        list(m);
}

/* What was decided is the last to go, and then nobody may decide anew: so it goes together with the name of the folder. */
static void move_folder(struct removal *m)
{
        roma_opts o = ri_child_opts(m->op);
        char name[RI_TEMP_NAME], *to;
        roma_op child = 0;

        m->moved = true;
        m->folder[strlen(m->folder) - 1] = '\0';
        to = ri_temp_name(name) < 0 ? NULL : ri_upload_key(m->key, name + sizeof(RI_TEMP_PREFIX) - 1, "");
        if (to) {
                child = roma_aio_rename(m->op->store, m->folder, to, 0, &o, moved, m);
                snprintf(m->folder, strlen(m->folder) + 1, "%s", to); /* as long as the other name */
        }
        free(to);
        started(m, child);
}

static void unlinked(void *arg, const roma_result *r)
{
        struct removal *m = arg;
        struct ri_error e;

        m->in_flight--;
        ri_op_progress(m->op);
        if (r->code && r->code != ROMA_ENOENT) {
                ri_error_from(&e, r);
                fail(m, &e);
                return;
        }
        next(m);
}

/* Parts go side by side. What says something about the others goes alone; and a part is not without its bytes as long as it
 * has its name. */
static bool may_go(const struct removal *m)
{
        size_t n = strlen(m->folder);

        if (!m->in_flight)
                return true;
        return m->parts && m->in_flight < AT_ONCE && m->v[m->at][n] == m->v[m->at - 1][n];
}

/* false: the operation has failed. */
static bool unlink_next(struct removal *m)
{
        roma_opts o = ri_child_opts(m->op);
        struct ri_op *op = m->op;
        roma_op child = roma_aio_unlink(op->store, m->v[m->at], ROMA_UNLINK_NO_TRASH, &o, unlinked, m);

        if (!child) {
                removal_free(m);
                ri_fail_start(op);
                return false;
        }
        m->going[m->at++] = ri_adopt(op, child);
        m->in_flight++;
        return true;
}

static void next(struct removal *m)
{
        while (m->at < m->n && may_go(m))
                if (!unlink_next(m))
                        return;
        if (m->in_flight)
                return;
        if (m->parts || m->more || (m->moved && m->n))
                list(m);
        else if (!m->moved && m->op->store->be->flags & RI_FOLDERS)
                move_folder(m);
        else
                remove_folder(m);
}

/* Parts and temporaries begin with digits and a dot, so that they are listed before the others; these go only when a page
 * has nothing else: the upload's own file before what was decided (in the page it is the other way round). */
static int take(struct removal *m, const struct roma_list *page)
{
        size_t n = strlen(m->folder);

        page_clear(m);
        m->more = page->more;
        m->parts = false;
        for (size_t i = 0; i < page->count; i++) {
                const char *name = page->entry[i].key + n;

                m->parts = m->parts || (*name != RI_DECIDED[0] && *name != 'u');
        }
        for (size_t i = 0; i < page->count; i++) {
                size_t k = m->parts || m->stale ? i : page->count - 1 - i;
                const char *key = page->entry[k].key;
                bool decided = key[n] == RI_DECIDED[0];

                if (m->parts && (decided || key[n] == 'u'))
                        continue;
                if (decided && !m->moved && m->op->store->be->flags & RI_FOLDERS)
                        continue;
                m->v[m->n] = strdup(key);
                if (!m->v[m->n++])
                        return -1;
        }
        return 0;
}

static void listed(void *arg, const roma_result *r)
{
        struct removal *m = arg;
        struct ri_error e;

        m->child = 0;
        ri_op_progress(m->op);
        if (r->code) {
                ri_error_from(&e, r);
                fail(m, &e);
        } else if (take(m, r->list) < 0) {
                ri_error_set(&e, ROMA_ENOMEM, NULL, "out of memory");
                fail(m, &e);
        } else {
                next(m);
        }
}

static void list(struct removal *m)
{
        roma_list_opts o = ROMA_LIST_OPTS_INIT;

        if (m->folder[strlen(m->folder) - 1] != '/')
                m->folder[strlen(m->folder)] = '/'; /* its room is there, and the next byte is a NUL */
        o.stall_ms = m->op->stall_ms;
        o.deadline_ms = ROMA_NEVER;
        o.max = PAGE;
        o.flags = ROMA_LIST_TEMPORARIES;
        started(m, roma_aio_list(m->op->store, m->folder, &o, listed, m));
}

/* A stale one: the decision first, then its own file. Whoever comes meanwhile finds an upload that can still be completed,
 * or none. */
static void own_gone(void *arg, const roma_result *r)
{
        struct removal *m = arg;
        struct ri_error e;

        m->child = 0;
        if (r->code && r->code != ROMA_ENOENT) {
                ri_error_from(&e, r);
                fail(m, &e);
        } else if (m->op->store->be->flags & RI_FOLDERS) {
                move_folder(m); /* so that nobody decides about what is going */
        } else {
                list(m);
        }
}

static void own_listed(void *arg, const roma_result *r)
{
        struct removal *m = arg;
        roma_opts o = ri_child_opts(m->op);
        struct ri_error e;

        m->child = 0;
        if (r->code && r->code != ROMA_ENOENT) {
                ri_error_from(&e, r); /* parts may not go before it */
                fail(m, &e);
        } else if (r->code || !r->list->count) {
                list(m);
        } else {
                started(m, roma_aio_unlink(m->op->store, r->list->entry[0].key, ROMA_UNLINK_NO_TRASH, &o,
                                           own_gone, m));
        }
}

static void decided_gone(void *arg, const roma_result *r)
{
        struct removal *m = arg;
        roma_list_opts o = ROMA_LIST_OPTS_INIT;
        char *prefix = ri_upload_key(m->key, m->id, "upload~");
        struct ri_error e;

        m->child = 0;
        if (r->code && r->code != ROMA_ENOENT) {
                ri_error_from(&e, r);
                fail(m, &e);
        } else if (prefix) {
                o.stall_ms = m->op->stall_ms;
                o.deadline_ms = ROMA_NEVER;
                started(m, roma_aio_list(m->op->store, prefix, &o, own_listed, m));
        } else {
                ri_error_set(&e, ROMA_ENOMEM, NULL, "out of memory");
                fail(m, &e);
        }
        free(prefix);
}

static void begin_stale(struct removal *m)
{
        roma_opts o = ri_child_opts(m->op);
        char *key = ri_upload_key(m->key, m->id, RI_DECIDED);

        started(m, key ? roma_aio_unlink(m->op->store, key, ROMA_UNLINK_NO_TRASH, &o, decided_gone, m) : 0);
        free(key);
}

roma_op ri_aio_upload_remove(roma_store *store, const char *key, const char *id, bool stale,
                             const roma_opts *opts, roma_done *done, void *arg)
{
        struct ri_op *op = ri_op_new(store->loop, store, RI_TRANSFER, "remove", key, opts, done, arg);
        struct removal *m;
        roma_op number = ri_op_id(op);
        char *folder;

        if (!op)
                return 0;
        m = calloc(1, sizeof(*m));
        folder = ri_upload_key(key, id, "");
        if (m) {
                m->op = op;
                m->key = strdup(key);
                m->id = strdup(id);
                m->v = calloc(PAGE, sizeof(*m->v));
                m->going = calloc(PAGE, sizeof(*m->going));
                m->stale = stale;
                m->folder = folder ? calloc(1, strlen(folder) + 3) : NULL;
                if (m->folder)
                        snprintf(m->folder, strlen(folder) + 2, "%s/", folder);
        }
        free(folder);
        if (!m || !m->key || !m->id || !m->v || !m->going || !m->folder) {
                if (m)
                        removal_free(m);
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return number;
        }
        ri_compose(op, m, removal_cancel);
        if (stale)
                begin_stale(m);
        else
                list(m);
        return number;
}
