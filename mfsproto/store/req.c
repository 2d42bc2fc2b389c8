/* SPDX-License-Identifier: MIT */
/* What all operations of the store do: ask the master, end well or badly, and find out what became of a change whose
 * answer was lost with the connection. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mfsproto/store/store.h"

static void req_free(struct mfs_req *r)
{
        mfs_call_cancel(&r->call);
        if (r->bulk)
                mfs_bulk_cancel(r->bulk);
        if (r->child)
                ri_op_drop(r->op->loop, r->child);
        mfs_walk_free(&r->walk[0]);
        mfs_walk_free(&r->walk[1]);
        if (r->ino)
                mfs_inode_put(r->ino);
        if (r->held)
                mfs_session_inode_release(r->st->session, r->inode);
        if (r->release)
                r->release(r);
        free(r->key);
        free(r->key2);
        free(r->text);
        free(r);
}

static void req_cancel(struct ri_op *op)
{
        struct mfs_req *r = op->impl;
        const struct ri_op *child = ri_op_find(op->loop, r->child);

        op->impl = NULL;
        if (r->changing)
                op->outcome = r->call.sent || r->call.again || r->half ? ROMA_UNKNOWN : ROMA_NOT_DONE;
        if (child && child->outcome != ROMA_NOT_DONE)
                op->outcome = ROMA_UNKNOWN;
        req_free(r);
}

/* Of a change that is sent again without a look: was it, perhaps, made? */
static bool maybe_set(const struct mfs_call *c, const struct mfs_reply *rep)
{
        return rep->error ? c->sent || c->again : rep->status == WIRE_STATUS_OK || rep->replayed;
}

static void call_done(struct mfs_call *c, const struct mfs_reply *rep)
{
        struct mfs_req *r = ri_container_of(c, struct mfs_req, call);
        bool changing = r->changing && r->look;

        if (r->changing && !r->look && maybe_set(c, rep))
                r->op->outcome = ROMA_UNKNOWN;
        r->changing = false;
        ri_op_progress(r->op);
        if (!rep->error) {
                r->next(r, rep);
                return;
        }
        r->error = *rep->error;
        if (changing && rep->error->outcome == ROMA_UNKNOWN) {
                r->op->outcome = ROMA_UNKNOWN;
                r->look(r);
        } else {
                mfs_req_fail(r);
        }
}

struct mfs_req *mfs_req_new(struct ri_op *op)
{
        struct mfs_req *r = calloc(1, sizeof(*r));

        if (!r) {
                ri_op_fail(op, ROMA_ENOMEM, "out of memory");
                return NULL;
        }
        r->op = op;
        r->st = mfs_store_of(op);
        r->call.done = call_done;
        r->walk[0].req = r->walk[1].req = r;
        op->impl = r;
        op->cancel = req_cancel;
        return r;
}

struct ri_op *mfs_req_end(struct mfs_req *r)
{
        struct ri_op *op = r->op;

        op->impl = NULL;
        op->cancel = NULL;
        req_free(r);
        return op;
}

void mfs_req_finish(struct mfs_req *r)
{
        ri_op_finish(mfs_req_end(r));
}

void mfs_req_fail(struct mfs_req *r)
{
        struct ri_error e = r->error;

        ri_op_fail_error(mfs_req_end(r), &e);
}

void mfs_req_fail_from(struct mfs_req *r, const roma_result *res)
{
        if (res->outcome == ROMA_UNKNOWN)
                r->op->outcome = ROMA_UNKNOWN;
        ri_op_fail_from(mfs_req_end(r), res);
}

void mfs_req_child_ended(void *arg, const roma_result *res)
{
        struct mfs_req *r = arg;

        r->child = 0;
        r->child_done(r, res);
}

void mfs_req_adopt(struct mfs_req *r, roma_op child, void (*done)(struct mfs_req *r, const roma_result *res))
{
        r->child = child;
        r->child_done = done;
        if (!child)
                mfs_req_fail_with(r, ROMA_ENOMEM, "out of memory");
}

struct ri_op *mfs_req_child(struct mfs_req *r, enum ri_op_kind kind, const char *name,
                            void (*done)(struct mfs_req *r, const roma_result *res))
{
        struct ri_op *op =
                ri_op_new(r->op->loop, r->op->store, kind, name, r->key, NULL, mfs_req_child_ended, r);

        if (!op) {
                mfs_req_fail_with(r, ROMA_ENOMEM, "out of memory");
                return NULL;
        }
        ri_op_set_parent(op, r->op);
        r->child = op->id;
        r->child_done = done;
        return op;
}

void mfs_req_fail_with(struct mfs_req *r, int code, const char *fmt, ...)
{
        va_list ap;

        memset(&r->error, 0, sizeof(r->error));
        r->error.code = code;
        snprintf(r->error.server, sizeof(r->error.server), "%s", mfs_session_server(r->st->session));
        va_start(ap, fmt);
        vsnprintf(r->error.text, sizeof(r->error.text), fmt, ap);
        va_end(ap);
        mfs_req_fail(r);
}

void mfs_req_fail_status(struct mfs_req *r, uint8_t status, const char *what)
{
        mfs_status_error(&r->error, status, mfs_session_server(r->st->session), what);
        mfs_req_fail(r);
}

bool mfs_req_keep(struct mfs_req *r, char **where, const char *text)
{
        char *copy = strdup(text);

        if (!copy) {
                mfs_req_fail_with(r, ROMA_ENOMEM, "out of memory");
                return false;
        }
        *where = copy;
        return true;
}

void mfs_req_ask(struct mfs_req *r, struct wire_msg *m, const char *phase,
                 void (*next)(struct mfs_req *r, const struct mfs_reply *rep))
{
        r->next = next;
        if (mfs_call_start(r->st->session, &r->call, m, MFS_REPLAY, phase, r->op, &r->error) < 0)
                mfs_req_fail(r);
}

void mfs_req_set(struct mfs_req *r, struct wire_msg *m, const char *phase,
                 void (*next)(struct mfs_req *r, const struct mfs_reply *rep))
{
        r->look = NULL;
        r->changing = true;
        mfs_req_ask(r, m, phase, next);
}

void mfs_req_change(struct mfs_req *r, struct wire_msg *m, const char *phase,
                    void (*next)(struct mfs_req *r, const struct mfs_reply *rep),
                    void (*look)(struct mfs_req *r))
{
        r->next = next;
        r->look = look;
        r->changing = true;
        if (mfs_call_start(r->st->session, &r->call, m, 0, phase, r->op, &r->error) < 0)
                mfs_req_fail(r);
}

void mfs_req_not_made(struct mfs_req *r, void (*again)(struct mfs_req *r))
{
        r->op->outcome = r->half ? ROMA_UNKNOWN : ROMA_NOT_DONE;
        r->op->tries++;
        if (++r->looks > MFS_LOOKS_MAX) {
                mfs_req_fail_with(r, ROMA_ECLOSED, "the connection was lost %u times before the answer came",
                                  r->looks);
                return;
        }
        again(r);
}

void mfs_req_unknown(struct mfs_req *r)
{
        ri_error_set(&r->error, ROMA_ECLOSED, mfs_session_server(r->st->session),
                     "the connection was lost before the answer came, and what is there now does not tell "
                     "whether it "
                     "was done; look before trying again");
        r->error.outcome = ROMA_UNKNOWN;
        mfs_req_fail(r);
}

bool mfs_req_stale(struct mfs_req *r, uint8_t status)
{
        if (r->stale_tried || !r->begin || !(r->walk[0].used_cache || r->walk[1].used_cache) ||
            (!mfs_is_enoent(status) && status != WIRE_STATUS_ENOTDIR && status != WIRE_STATUS_EINVAL))
                return false;
        r->stale_tried = true;
        mfs_dirs_clear(&r->st->dirs);
        r->begin(r);
        return true;
}

bool mfs_req_refused(struct mfs_req *r, const struct mfs_reply *rep)
{
        if (rep->status == WIRE_STATUS_OK)
                return false;
        if (!mfs_req_stale(r, rep->status))
                mfs_req_fail_status(r, rep->status, NULL);
        return true;
}

bool mfs_req_readonly(struct mfs_req *r)
{
        if (!(mfs_session_info(r->st->session)->flags & WIRE_SESFLAG_READONLY))
                return false;
        mfs_req_fail_with(
                r, ROMA_EROFS,
                "the master gave us a read-only session; see the line of this export in mfsexports.cfg");
        return true;
}

void mfs_req_lookup(struct mfs_req *r, uint32_t parent, const char *name, size_t len,
                    void (*next)(struct mfs_req *r, const struct mfs_reply *rep))
{
        struct wire_msg m;

        wire_msg_init(&m, WIRE_CLTOMA_FUSE_LOOKUP, WIRE_TO_MASTER);
        wire_set_u(&m, WF_PARENT, parent);
        wire_set_bytes(&m, WF_NAME, name, len);
        mfs_session_set_ug(r->st->session, &m);
        mfs_req_ask(r, &m, "lookup", next);
}

bool mfs_is_enoent(uint8_t status)
{
        return status == WIRE_STATUS_ENOENT || status == WIRE_STATUS_ENOENT_NOCACHE;
}

void mfs_attr_convert(roma_attr *out, const struct wire_attr *in, uint32_t inode)
{
        static const uint8_t types[] = {
                [WIRE_NODE_FILE] = ROMA_TYPE_FILE,         [WIRE_NODE_DIRECTORY] = ROMA_TYPE_DIR,
                [WIRE_NODE_SYMLINK] = ROMA_TYPE_SYMLINK,   [WIRE_NODE_FIFO] = ROMA_TYPE_FIFO,
                [WIRE_NODE_BLOCKDEV] = ROMA_TYPE_BLOCKDEV, [WIRE_NODE_CHARDEV] = ROMA_TYPE_CHARDEV,
                [WIRE_NODE_SOCKET] = ROMA_TYPE_SOCKET,     [WIRE_NODE_TRASH] = ROMA_TYPE_FILE,
                [WIRE_NODE_SUSTAINED] = ROMA_TYPE_FILE,
        };

        memset(out, 0, sizeof(*out));
        out->size = sizeof(*out);
        out->mask = ROMA_ATTR_TYPE | ROMA_ATTR_MODE | ROMA_ATTR_UID | ROMA_ATTR_GID | ROMA_ATTR_ATIME |
                    ROMA_ATTR_MTIME | ROMA_ATTR_CTIME | ROMA_ATTR_NLINK | ROMA_ATTR_INODE;
        out->type = in->type < sizeof(types) ? types[in->type] : ROMA_TYPE_UNKNOWN;
        out->mode = in->mode & 07777;
        out->uid = in->uid;
        out->gid = in->gid;
        out->nlink = in->nlink;
        out->inode = inode;
        out->atime_ns = (int64_t)in->atime * 1000000000;
        out->mtime_ns = (int64_t)in->mtime * 1000000000;
        out->ctime_ns = (int64_t)in->ctime * 1000000000;
        /* that of a folder is no number of bytes */
        if (out->type != ROMA_TYPE_DIR) {
                out->length = in->length;
                out->mask |= ROMA_ATTR_LENGTH;
        }
        if (out->type == ROMA_TYPE_FILE) {
                out->mask |= ROMA_ATTR_ETAG;
                snprintf(out->etag, sizeof(out->etag), "%x-%x-%x-%llx", inode, in->mtime, in->ctime,
                         (unsigned long long)in->length);
        }
}
