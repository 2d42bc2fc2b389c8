/* SPDX-License-Identifier: MIT */
/* Paths to inodes, component by component, since a path is nothing to a MooseFS master of version 3.
 *
 * Symbolic links are followed here: a relative target from the folder of the link, an absolute one from the root of the
 * export (what a mount would call its own root). Wherever they lead on the way, the end must lie below the store's
 * root: a store never leaves it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"
#include "mfsproto/store/store.h"

static void step(struct mfs_walk *w);

void mfs_walk_free(struct mfs_walk *w)
{
        free(w->rest);
        free(w->key);
        free(w->dir);
        w->rest = w->key = NULL;
        w->dir = NULL;
}

static void no_memory(struct mfs_walk *w)
{
        mfs_req_fail_with(w->req, ROMA_ENOMEM, "out of memory");
}

static bool push(struct mfs_walk *w, uint32_t inode)
{
        if (w->depth == w->room) {
                size_t room = w->room ? 2 * w->room : 16;
                uint32_t *dir = realloc(w->dir, room * sizeof(*dir));

                if (!dir) {
                        no_memory(w);
                        return false;
                }
                w->dir = dir;
                w->room = room;
        }
        w->dir[w->depth++] = inode;
        return true;
}

/* Which part of the path a sentence is about, when that is not plain: "", or "at \"photos\": ". */
static const char *where(const struct mfs_walk *w, char *buf, size_t size)
{
        struct ri_str s = RI_STR_INIT(400);

        ri_str_puts(&s, w->in_base ? "on the way to the store's root, at \"" : "at \"");
        ri_str_quoted(&s, w->name, w->name_len, 80);
        ri_str_puts(&s, "\"");
        snprintf(buf, size, "%s", ri_str_cstr(&s));
        ri_str_free(&s);
        return buf;
}

static bool at_end(const struct mfs_walk *w)
{
        return w->rest[w->at + strspn(w->rest + w->at, "/")] == '\0';
}

static bool is_last(const struct mfs_walk *w)
{
        return !w->in_base && at_end(w);
}

/* Inside the store: links may lead through other places, but not end there. */
static bool inside(const struct mfs_walk *w)
{
        return (w->depth >= w->base_depth && w->dir[w->base_depth - 1] == w->base_inode) ||
               w->inode == w->base_inode;
}

static void finish(struct mfs_walk *w)
{
        if (!inside(w)) {
                mfs_req_fail_with(
                        w->req, ROMA_EACCES,
                        "a symbolic link leads out of the store; open the store further up to follow it");
                return;
        }
        w->done(w->req);
}

static void fail_status(struct mfs_walk *w, uint8_t status)
{
        char at[400];

        if (mfs_req_stale(w->req, status))
                return;
        mfs_req_fail_status(w->req, status, is_last(w) ? NULL : where(w, at, sizeof(at)));
}

static void follow(struct mfs_walk *w, const char *target, size_t len)
{
        size_t left = strlen(w->rest + w->at);
        char *rest = malloc(len + 1 + left + 1);

        if (!rest) {
                no_memory(w);
                return;
        }
        memcpy(rest, target, len);
        rest[len] = '/';
        memcpy(rest + len + 1, w->rest + w->at, left + 1);
        free(w->rest);
        w->rest = rest;
        w->at = 0;
        if (len && target[0] == '/')
                w->depth = 1;
        step(w);
}

/* The request's walk that is under way: the second only begins when the first has ended. */
static struct mfs_walk *current(struct mfs_req *r)
{
        return r->walk[1].rest ? &r->walk[1] : &r->walk[0];
}

static void link_read(struct mfs_req *r, const struct mfs_reply *rep)
{
        struct mfs_walk *w = current(r);
        struct wire_msg m;
        const uint8_t *p;
        size_t len;

        if (rep->status) {
                fail_status(w, rep->status);
                return;
        }
        m = *rep->msg;
        p = wire_get_bytes(&m, WF_TARGET, &len);
        if (!wire_msg_ok(&m)) {
                mfs_req_fail_with(r, ROMA_EPROTOCOL, "the target of a symbolic link cannot be read");
                return;
        }
        follow(w, (const char *)p, strnlen((const char *)p, len));
}

static void read_link(struct mfs_walk *w, uint32_t inode)
{
        struct wire_msg m;

        if (++w->links > MFS_LINKS_MAX) {
                mfs_req_fail_with(w->req, ROMA_EINVAL, "more than %d symbolic links on the way",
                                  MFS_LINKS_MAX);
                return;
        }
        wire_msg_init(&m, WIRE_CLTOMA_FUSE_READLINK, WIRE_TO_MASTER);
        wire_set_u(&m, WF_INODE, inode);
        mfs_req_ask(w->req, &m, "readlink", link_read);
}

static void found(struct mfs_walk *w, uint32_t inode, const struct wire_attr *attr)
{
        bool last = is_last(w);

        if (attr->type == WIRE_NODE_SYMLINK && !(last && (w->flags & MFS_WALK_NOFOLLOW))) {
                read_link(w, inode);
                return;
        }
        if (last) {
                w->inode = inode;
                w->attr = *attr;
                w->has_attr = true;
                finish(w);
                return;
        }
        if (attr->type != WIRE_NODE_DIRECTORY) {
                fail_status(w, WIRE_STATUS_ENOTDIR);
                return;
        }
        mfs_dirs_put(&w->req->st->dirs, w->parent, w->name, w->name_len, inode);
        if (push(w, inode))
                step(w);
}

static void looked_up(struct mfs_req *r, const struct mfs_reply *rep)
{
        struct mfs_walk *w = current(r);
        struct wire_attr attr;
        struct wire_msg m;
        uint32_t inode;

        if (rep->status) {
                bool missing = mfs_is_enoent(rep->status) && is_last(w) && (w->flags & MFS_WALK_MISSING);

                if (!missing)
                        fail_status(w, rep->status);
                else if (!mfs_req_stale(r, rep->status))
                        finish(w);
                return;
        }
        m = *rep->msg;
        inode = wire_get_u32(&m, WF_INODE);
        wire_get_attr(&m, &attr);
        if (!wire_msg_ok(&m) || !inode) {
                mfs_req_fail_with(r, ROMA_EPROTOCOL, "the answer to a look-up cannot be read");
                return;
        }
        found(w, inode, &attr);
}

/* The whole of `rest` was walked and ended in a folder: the root of the store is reached, or the end itself. */
static void rest_done(struct mfs_walk *w)
{
        uint32_t here = w->dir[w->depth - 1];

        if (w->in_base) {
                w->in_base = false;
                w->base_depth = w->depth;
                w->base_inode = here;
                free(w->rest);
                w->rest = strdup(w->key);
                w->at = 0;
                if (!w->rest)
                        no_memory(w);
                else
                        step(w);
                return;
        }
        w->inode = here;
        w->has_attr = false;
        w->parent = 0;
        w->name_len = 0;
        w->name[0] = '\0';
        finish(w);
}

/* The next component. */
static void step(struct mfs_walk *w)
{
        const char *p;
        size_t n;
        uint32_t inode;

        for (;;) {
                w->at += strspn(w->rest + w->at, "/");
                p = w->rest + w->at;
                n = strcspn(p, "/");
                if (n == 0) {
                        rest_done(w);
                        return;
                }
                w->at += n;
                if (n == 1 && p[0] == '.')
                        continue;
                if (n == 2 && p[0] == '.' && p[1] == '.') {
                        if (w->depth > 1)
                                w->depth--;
                        continue;
                }
                if (n > WIRE_NAME_MAX) {
                        mfs_req_fail_with(w->req, ROMA_ENAMETOOLONG,
                                          "a component of %zu bytes; MooseFS allows %d", n, WIRE_NAME_MAX);
                        return;
                }
                w->parent = w->dir[w->depth - 1];
                memcpy(w->name, p, n);
                w->name[n] = '\0';
                w->name_len = n;
                w->inode = 0;
                if (is_last(w) && (w->flags & MFS_WALK_PARENT)) {
                        finish(w);
                        return;
                }
                inode = is_last(w) || w->no_cache ? 0 : mfs_dirs_find(&w->req->st->dirs, w->parent, p, n);
                if (!inode)
                        break;
                w->used_cache = true;
                if (!push(w, inode))
                        return;
        }
        mfs_req_lookup(w->req, w->parent, w->name, w->name_len, looked_up);
}

void mfs_walk_start(struct mfs_req *r, unsigned which, const char *key, unsigned flags,
                    void (*done)(struct mfs_req *r))
{
        struct mfs_walk *w = &r->walk[which];

        mfs_walk_free(w);
        if (which == 0)
                mfs_walk_free(&r->walk[1]);
        memset(w, 0, sizeof(*w));
        w->req = r;
        w->flags = flags;
        w->done = done;
        w->no_cache = r->stale_tried;
        w->in_base = true;
        w->base_depth = 1;
        w->key = strdup(key);
        w->rest = strdup(r->st->base);
        if (!w->key || !w->rest) {
                no_memory(w);
                return;
        }
        if (push(w, WIRE_ROOT_INODE))
                step(w);
}
