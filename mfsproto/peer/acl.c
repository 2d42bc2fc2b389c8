/* SPDX-License-Identifier: MIT */
/* POSIX access control lists as a 3.0.117 master keeps them: one that says no more than a mode is none. Protocol page 3.6. */
#include <stdlib.h>
#include <string.h>

#include "mfsproto/peer/inner.h"

enum { ACCESS = 1, DEFAULT = 2, NONE = 0xFFFF, ENTRIES_MAX = 1024 };

struct peer_acl {
        uint16_t user, group, other, mask; /* mask NONE: there is none */
        uint16_t users, groups;
        struct {
                uint32_t id;
                uint16_t perm;
        } entry[]; /* users, then groups */
};

static size_t acl_size(const struct peer_acl *a)
{
        return sizeof *a + ((size_t)a->users + a->groups) * sizeof a->entry[0];
}

static struct peer_acl *acl_copy(const struct peer_acl *a)
{
        struct peer_acl *copy = malloc(acl_size(a));

        if (copy)
                memcpy(copy, a, acl_size(a));
        return copy;
}

static bool is_plain(const struct peer_acl *a)
{
        return !a->users && !a->groups && a->user <= 7 && a->group <= 7 && a->other <= 7 && a->mask == NONE;
}

static bool is_nothing(const struct peer_acl *a)
{
        return !a->users && !a->groups && a->user == NONE && a->group == NONE && a->other == NONE &&
               a->mask == NONE;
}

/* With a list the bits of the group are its mask. */
static uint16_t mode_of(const struct peer_acl *a)
{
        uint16_t middle = a->mask == NONE ? a->group : a->mask;

        return (uint16_t)((a->user & 7) << 6 | (middle & 7) << 3 | (a->other & 7));
}

void peer_acl_chmod(struct peer_node *n)
{
        struct peer_acl *a = n->acl[0];

        if (!a)
                return;
        a->user = n->attr.mode >> 6 & 7;
        a->mask = n->attr.mode >> 3 & 7;
        a->other = n->attr.mode & 7;
}

bool peer_acl_inherit(const struct peer_node *dir, struct peer_node *n)
{
        const struct peer_acl *d = dir->acl[1];
        struct peer_acl *a;

        if (is_plain(d)) {
                n->attr.mode &= 07000 | mode_of(d);
        } else {
                a = acl_copy(d);
                if (!a)
                        return false;
                a->user &= n->attr.mode >> 6 & 7;
                a->mask &= n->attr.mode >> 3 & 7;
                a->other &= n->attr.mode & 7;
                n->acl[0] = a;
                n->attr.mode = (uint16_t)((n->attr.mode & 07000) | mode_of(a));
        }
        return n->attr.type != WIRE_NODE_DIRECTORY || (n->acl[1] = acl_copy(d));
}

bool peer_acl_clone(const struct peer_node *from, struct peer_node *to)
{
        for (unsigned i = 0; i < 2; i++)
                if (from->acl[i] && !(to->acl[i] = acl_copy(from->acl[i])))
                        return false;
        return true;
}

void peer_acls_free(struct peer_node *n)
{
        free(n->acl[0]);
        free(n->acl[1]);
        n->acl[0] = n->acl[1] = NULL;
}

unsigned peer_acl_bits(const struct peer_node *n, const struct peer_ug *ug)
{
        const struct peer_acl *a = n->acl[0];
        unsigned mask = a->mask == NONE ? 7 : a->mask, bits = 0;
        bool member = peer_in_groups(ug, n->attr.gid);

        if (ug->uid == n->attr.uid)
                return a->user & 7;
        for (unsigned i = 0; i < a->users; i++)
                if (a->entry[i].id == ug->uid)
                        return a->entry[i].perm & mask & 7;
        if (member)
                bits = a->group & mask;
        for (unsigned i = a->users; i < (unsigned)a->users + a->groups; i++) {
                if (!peer_in_groups(ug, a->entry[i].id))
                        continue;
                bits |= a->entry[i].perm & mask;
                member = true;
        }
        return (member ? bits : a->other) & 7;
}

/* ---- packets ------------------------------------------------------------------------------------------------ */

static struct peer_acl **slot_of(struct peer_req *r, struct peer_node *n)
{
        uint8_t type = wire_get_u8(&r->msg, WF_ACLTYPE);

        return type == ACCESS ? &n->acl[0] : type == DEFAULT ? &n->acl[1] : NULL;
}

static void add_entries(struct wire_msg *m, enum wire_field field, struct wire_group *g,
                        const struct peer_acl *a, unsigned first, unsigned count)
{
        struct wire_msg item;

        for (unsigned i = first; i < first + count; i++) {
                wire_item_init(&item);
                wire_set_u(&item, WF_ID, a->entry[i].id);
                wire_set_u(&item, WF_PERM, a->entry[i].perm);
                wire_group_add(g, &item);
        }
        wire_set_group(m, field, g);
}

static bool reply_acl(struct peer_req *r, const struct peer_acl *a)
{
        size_t room = ((size_t)a->users + a->groups) * 6 + 1;
        uint8_t *bytes = malloc(2 * room);
        struct wire_group users, groups;
        struct wire_msg m;
        bool done;

        if (!bytes)
                return peer_status(r, WIRE_STATUS_OUTOFMEMORY);
        peer_reply_init(r, &m);
        wire_set_u(&m, WF_USERPERM, a->user);
        wire_set_u(&m, WF_GROUPPERM, a->group);
        wire_set_u(&m, WF_OTHERPERM, a->other);
        wire_set_u(&m, WF_MASKPERM, a->mask);
        wire_set_u(&m, WF_NAMEDUSERS, a->users);
        wire_set_u(&m, WF_NAMEDGROUPS, a->groups);
        wire_group_init(&users, WFORM_ACLENTRY, bytes, room);
        wire_group_init(&groups, WFORM_ACLENTRY, bytes + room, room);
        add_entries(&m, WF_ACLUSERS, &users, a, 0, a->users);
        add_entries(&m, WF_ACLGROUPS, &groups, a, a->users, a->groups);
        done = peer_reply(r, &m);
        free(bytes);
        return done;
}

static bool on_getfacl(struct peer_req *r)
{
        struct peer_node *n = peer_node_in(r, WF_INODE);
        struct peer_acl **slot;

        if (!n)
                return peer_status(r, WIRE_STATUS_ENOENT);
        slot = slot_of(r, n);
        if (!slot)
                return peer_status(r, WIRE_STATUS_EINVAL);
        return *slot ? reply_acl(r, *slot) : peer_status(r, WIRE_STATUS_ENOATTR);
}

static unsigned take_entries(struct peer_req *r, enum wire_field field, struct peer_acl *a, unsigned at)
{
        struct wire_iter it;
        struct wire_msg item;

        wire_group_begin(&r->msg, field, &it);
        while (at < (unsigned)a->users + a->groups && wire_group_next(&it, &item)) {
                a->entry[at].id = wire_get_u32(&item, WF_ID);
                a->entry[at++].perm = wire_get_u16(&item, WF_PERM);
        }
        return at;
}

/* NULL when memory is missing. The counts were those of the groups, or the packet would not have been decoded. */
static struct peer_acl *acl_of(struct peer_req *r)
{
        uint16_t users = wire_get_u16(&r->msg, WF_NAMEDUSERS), groups = wire_get_u16(&r->msg, WF_NAMEDGROUPS);
        struct peer_acl *a = calloc(1, sizeof *a + ((size_t)users + groups) * sizeof a->entry[0]);

        if (!a)
                return NULL;
        a->user = wire_get_u16(&r->msg, WF_USERPERM);
        a->group = wire_get_u16(&r->msg, WF_GROUPPERM);
        a->other = wire_get_u16(&r->msg, WF_OTHERPERM);
        a->mask = wire_get_u16(&r->msg, WF_MASKPERM);
        a->users = users;
        a->groups = groups;
        take_entries(r, WF_ACLGROUPS, a, take_entries(r, WF_ACLUSERS, a, 0));
        return a;
}

static uint8_t may_set(struct peer_req *r, const struct peer_node *n)
{
        uint32_t uid = wire_get_u32(&r->msg, WF_UID);
        uint8_t type = wire_get_u8(&r->msg, WF_ACLTYPE);

        if (peer_read_only(r))
                return WIRE_STATUS_EROFS;
        if (!n)
                return WIRE_STATUS_ENOENT;
        if (n->attr.type == WIRE_NODE_SYMLINK || (type == DEFAULT && n->attr.type != WIRE_NODE_DIRECTORY))
                return WIRE_STATUS_EPERM;
        if (uid && uid != n->attr.uid)
                return WIRE_STATUS_EPERM;
        if (wire_get_u16(&r->msg, WF_NAMEDUSERS) > ENTRIES_MAX ||
            wire_get_u16(&r->msg, WF_NAMEDGROUPS) > ENTRIES_MAX)
                return WIRE_STATUS_EINVAL;
        return type == ACCESS || type == DEFAULT ? WIRE_STATUS_OK : WIRE_STATUS_EINVAL;
}

static bool on_setfacl(struct peer_req *r)
{
        struct peer_node *n = peer_node_in(r, WF_INODE);
        uint8_t status = may_set(r, n);
        struct peer_acl **slot, *a;

        if (status)
                return peer_status(r, status);
        slot = slot_of(r, n);
        a = acl_of(r);
        if (!a)
                return peer_status(r, WIRE_STATUS_OUTOFMEMORY);
        free(*slot);
        *slot = a;
        if (slot == &n->acl[0] && !is_nothing(a))
                n->attr.mode = (uint16_t)((n->attr.mode & 07000) | mode_of(a));
        if (is_nothing(a) || (slot == &n->acl[0] && is_plain(a))) {
                free(a);
                *slot = NULL;
        }
        n->attr.ctime = peer_time();
        return peer_status(r, WIRE_STATUS_OK);
}

const struct peer_command peer_commands_acl[] = {
        { WIRE_CLTOMA_FUSE_GETFACL, on_getfacl },
        { WIRE_CLTOMA_FUSE_SETFACL, on_setfacl },
        { 0, NULL },
};
