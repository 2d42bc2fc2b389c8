/* SPDX-License-Identifier: MIT */
/* Extended attributes, and the question for a quota, as a 3.0.117 master answers them. Protocol page 3.6. */
#include <stdlib.h>
#include <string.h>

#include "mfsproto/peer/inner.h"

struct xattr {
        struct ri_list link;
        size_t name_len, len;
        uint8_t *value;
        uint8_t name[WIRE_NAME_MAX];
};

static struct xattr *find(struct peer_node *n, const uint8_t *name, size_t len)
{
        ri_list_for_each(l, &n->xattrs)
        {
                struct xattr *x = ri_container_of(l, struct xattr, link);

                if (x->name_len == len && !memcmp(x->name, name, len))
                        return x;
        }
        return NULL;
}

/* All names, each with its NUL. */
static size_t names_length(const struct peer_node *n)
{
        size_t total = 0;

        ri_list_for_each(l, &n->xattrs) total += ri_container_of(l, struct xattr, link)->name_len + 1;
        return total;
}

static void drop(struct xattr *x)
{
        ri_list_del(&x->link);
        free(x->value);
        free(x);
}

void peer_xattrs_free(struct peer_node *n)
{
        while (!ri_list_empty(&n->xattrs))
                drop(ri_container_of(ri_list_first(&n->xattrs), struct xattr, link));
}

static uint8_t set_value(struct xattr *x, const uint8_t *value, size_t len)
{
        uint8_t *copy;

        if (len > WIRE_XATTR_VALUE_MAX)
                return WIRE_STATUS_ERANGE;
        copy = (uint8_t *)ri_memdup0(value, len);
        if (!copy)
                return WIRE_STATUS_OUTOFMEMORY;
        free(x->value);
        x->value = copy;
        x->len = len;
        return WIRE_STATUS_OK;
}

static uint8_t add(struct peer_node *n, const uint8_t *name, size_t name_len, const uint8_t *value,
                   size_t len)
{
        struct xattr *x;
        uint8_t status;

        if (names_length(n) + name_len + 1 > WIRE_XATTR_VALUE_MAX)
                return WIRE_STATUS_ERANGE;
        x = calloc(1, sizeof *x);
        if (!x)
                return WIRE_STATUS_OUTOFMEMORY;
        memcpy(x->name, name, name_len);
        x->name_len = name_len;
        status = set_value(x, value, len);
        if (status)
                free(x);
        else
                ri_list_add_head(&n->xattrs, &x->link);
        return status;
}

bool peer_xattrs_clone(const struct peer_node *from, struct peer_node *to)
{
        ri_list_for_each(l, &from->xattrs)
        {
                const struct xattr *x = ri_container_of(l, struct xattr, link);

                if (add(to, x->name, x->name_len, x->value, x->len))
                        return false;
        }
        return true;
}

static bool begins(const uint8_t *name, size_t len, const char *prefix)
{
        size_t n = strlen(prefix);

        return len >= n && !memcmp(name, prefix, n);
}

static uint8_t may_set(struct peer_req *r, const struct peer_node *n, const uint8_t *name, size_t len)
{
        struct peer_ug ug;

        peer_ug_of(r, &ug);
        if (ug.uid && (begins(name, len, "trusted.") || begins(name, len, "security.")))
                return WIRE_STATUS_EPERM;
        if (ug.uid && ug.uid != n->attr.uid && begins(name, len, "system."))
                return WIRE_STATUS_EPERM;
        if (!wire_get_u8(&r->msg, WF_OPENED) && !peer_may(n, &ug, 2))
                return WIRE_STATUS_EACCES;
        return memchr(name, 0, len) ? WIRE_STATUS_EINVAL : WIRE_STATUS_OK;
}

static uint8_t set(struct peer_req *r, struct peer_node *n)
{
        size_t name_len, len;
        const uint8_t *name = wire_get_bytes(&r->msg, WF_NAME, &name_len);
        const uint8_t *value = wire_get_bytes(&r->msg, WF_VALUE, &len);
        uint8_t mode = wire_get_u8(&r->msg, WF_XMODE), status = may_set(r, n, name, name_len);
        struct xattr *x;

        if (status)
                return status;
        if (mode > WIRE_SETXATTR_REMOVE || name_len > WIRE_NAME_MAX)
                return WIRE_STATUS_EINVAL;
        x = find(n, name, name_len);
        if (!x && (mode == WIRE_SETXATTR_REPLACE || mode == WIRE_SETXATTR_REMOVE))
                return WIRE_STATUS_ENOATTR;
        if (x && mode == WIRE_SETXATTR_CREATE)
                return WIRE_STATUS_EEXIST;
        if (mode == WIRE_SETXATTR_REMOVE)
                drop(x);
        else
                status = x ? set_value(x, value, len) : add(n, name, name_len, value, len);
        if (!status)
                n->attr.ctime = peer_time();
        return status;
}

static bool on_set(struct peer_req *r)
{
        struct peer_node *n = peer_node_in(r, WF_INODE);

        if (peer_read_only(r))
                return peer_status(r, WIRE_STATUS_EROFS);
        return peer_status(r, n ? set(r, n) : WIRE_STATUS_ENOENT);
}

static bool reply_value(struct peer_req *r, const uint8_t *value, size_t len)
{
        struct wire_msg m;

        peer_reply_init(r, &m);
        if (wire_get_u8(&r->msg, WF_XMODE) == WIRE_GETXATTR_LENGTH)
                wire_set_u(&m, WF_VALUE_LENGTH, len);
        else
                wire_set_bytes(&m, WF_VALUE, value, len);
        return peer_reply(r, &m);
}

static bool reply_names(struct peer_req *r, const struct peer_node *n)
{
        size_t len = names_length(n), at = 0;
        uint8_t *all = malloc(len + 1);
        bool done;

        if (!all)
                return peer_status(r, WIRE_STATUS_OUTOFMEMORY);
        ri_list_for_each(l, &n->xattrs)
        {
                const struct xattr *x = ri_container_of(l, struct xattr, link);

                memcpy(all + at, x->name, x->name_len);
                at += x->name_len;
                all[at++] = 0;
        }
        done = reply_value(r, all, len);
        free(all);
        return done;
}

static bool on_get(struct peer_req *r)
{
        struct peer_node *n = peer_node_in(r, WF_INODE);
        const struct xattr *x;
        struct peer_ug ug;
        const uint8_t *name;
        size_t len;

        if (wire_get_u8(&r->msg, WF_XMODE) > WIRE_GETXATTR_LENGTH)
                return peer_status(r, WIRE_STATUS_EINVAL);
        if (!n)
                return peer_status(r, WIRE_STATUS_ENOENT);
        peer_ug_of(r, &ug);
        if (!wire_get_u8(&r->msg, WF_OPENED) && !peer_may(n, &ug, 4))
                return peer_status(r, WIRE_STATUS_EACCES);
        name = wire_get_bytes(&r->msg, WF_NAME, &len);
        if (!len)
                return reply_names(r, n);
        x = find(n, name, len);
        return x ? reply_value(r, x->value, x->len) : peer_status(r, WIRE_STATUS_ENOATTR);
}

/* ---- quota -------------------------------------------------------------------------------------------------- */

/* Reading is for all; setting needs an export with `admin`, which this master does not give. */
static bool on_quota(struct peer_req *r)
{
        static const enum wire_field zero[] = { WF_QFLAGS,  WF_PFLAGS, WF_GRACE,     WF_SINODES,
                                                WF_SLENGTH, WF_SSIZE,  WF_SREALSIZE, WF_HINODES,
                                                WF_HLENGTH, WF_HSIZE,  WF_HREALSIZE };
        struct peer_node *n;
        struct peer_sizes s;
        struct wire_msg m;

        if (wire_get_u8(&r->msg, WF_QFLAGS))
                return peer_status(r, peer_read_only(r) ? WIRE_STATUS_EROFS : WIRE_STATUS_EPERM);
        n = peer_node_in(r, WF_INODE);
        if (!n)
                return peer_status(r, WIRE_STATUS_ENOENT);
        if (n->attr.type != WIRE_NODE_DIRECTORY)
                return peer_status(r, WIRE_STATUS_EPERM);
        if (!peer_sizes_of(n, &s))
                return peer_status(r, WIRE_STATUS_OUTOFMEMORY);
        peer_reply_init(r, &m);
        for (size_t i = 0; i < sizeof zero / sizeof zero[0]; i++)
                wire_set_u(&m, zero[i], 0);
        wire_set_u(&m, WF_CINODES, s.inodes - 1); /* without the folder itself */
        wire_set_u(&m, WF_CLENGTH, s.length);
        wire_set_u(&m, WF_CSIZE, s.size);
        wire_set_u(&m, WF_CREALSIZE, s.real);
        return peer_reply(r, &m);
}

const struct peer_command peer_commands_xattr[] = {
        { WIRE_CLTOMA_FUSE_GETXATTR, on_get },
        { WIRE_CLTOMA_FUSE_SETXATTR, on_set },
        { WIRE_CLTOMA_FUSE_QUOTACONTROL, on_quota },
        { 0, NULL },
};
