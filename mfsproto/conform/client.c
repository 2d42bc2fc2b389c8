/* SPDX-License-Identifier: MIT */
/* What every client does: a session, names, attributes, tidying up. */
#include <stdio.h>
#include <stdlib.h>

#include "core/digest.h"
#include "mfsproto/conform/inner.h"

struct cf_link *cf_master(struct cf *c)
{
        return cf_link_to(c, c->ip, c->port, false);
}

void cf_register_msg(struct cf *c, struct wire_msg *m, uint32_t declared)
{
        static const char info[] = "roma conform";

        cf_msg(m, WIRE_CLTOMA_FUSE_REGISTER);
        wire_set_u(m, WF_RCODE, WIRE_REGISTER_NEWSESSION);
        wire_set_u(m, WF_VERSION, declared);
        wire_set_bytes(m, WF_INFO, info, sizeof(info));
        wire_set_bytes(m, WF_PATH, c->export, strlen(c->export) + 1);
}

void cf_challenge(struct cf *c, struct cf_link *l, uint8_t out[32])
{
        struct wire_msg m, reply;

        cf_msg(&m, WIRE_CLTOMA_FUSE_REGISTER);
        wire_set_u(&m, WF_RCODE, WIRE_REGISTER_GETRANDOM);
        cf_call(c, l, &m, &reply);
        memset(out, 0, 32);
        if (c->failed)
                return;
        cf_eq(c, "length of the challenge", l->len, 32);
        if (!c->failed)
                memcpy(out, l->buf, 32);
}

void cf_digest(struct cf *c, struct cf_link *l, struct wire_msg *m, const uint8_t password_md5[16])
{
        uint8_t random[32], text[48], sum[RI_DIGEST_MAX];

        if (!c->has_password || !l)
                return;
        cf_challenge(c, l, random);
        memcpy(text, random, 16);
        memcpy(text + 16, password_md5, 16);
        memcpy(text + 32, random + 16, 16);
        if (ri_digest_bytes(RI_MD5, text, sizeof(text), sum, NULL) < 0)
                cf_unsure(c, "no memory");
        memcpy(l->digest, sum, sizeof(l->digest)); /* the message only points at it */
        wire_set_bytes(m, WF_DIGEST, l->digest, sizeof(l->digest));
        explicit_bzero(text, sizeof(text));
}

/* In words, as it is the first thing that an older client meets at a 4.x master. */
static void tell_refusal(struct cf *c, const struct wire_msg *reply, uint32_t declared)
{
        uint8_t status;
        char v[32];

        if (c->failed || !wire_is_status(reply, &status) || status != WIRE_STATUS_EPERM)
                return;
        cf_fail(c,
                "the master refuses a client that declares %s (EPERM): a 4.x master wants 4.26.0 or newer, "
                "unless its "
                "mfsmaster.cfg has RESTRICT_INCOMPATIBLE_CLIENT_VERSIONS = 0; or see minversion in "
                "mfsexports.cfg",
                wire_ver_print(declared, v, sizeof(v)));
}

static void tell_password(struct cf *c, const struct wire_msg *reply)
{
        uint8_t status;

        if (c->failed || !wire_is_status(reply, &status))
                return;
        if (status == WIRE_STATUS_NOPASSWORD)
                cf_fail(c, "this export needs a password (status 36); give it with the option password_file");
        else if (status == WIRE_STATUS_BADPASSWORD)
                cf_fail(c, "the master says that the password is wrong (status 37); compare the password "
                           "file with "
                           "the master's mfsexports.cfg");
}

void cf_register(struct cf *c, struct cf_link *l, uint32_t declared)
{
        struct wire_msg m, reply;

        if (!l)
                return;
        l->declared = declared;
        cf_register_msg(c, &m, declared);
        cf_digest(c, l, &m, c->password_md5);
        cf_call(c, l, &m, &reply);
        tell_refusal(c, &reply, declared);
        tell_password(c, &reply);
        l->session = (uint32_t)cf_u(c, &reply, WF_SESSIONID);
        if (c->failed)
                return;
        l->metaid = wire_get_u_or(&reply, WF_METAID, 0);
        l->server = (uint32_t)cf_u(c, &reply, WF_VERSION);
}

struct cf_link *cf_client(struct cf *c)
{
        struct cf_link *l = cf_master(c);

        cf_register(c, l, c->declared);
        return l;
}

void cf_ug(struct cf *c, struct wire_msg *m)
{
        wire_set_ug(m, c->uid, &c->gid, 1);
}

void cf_entry(struct cf *c, struct wire_msg *m, uint32_t type, uint32_t parent, const char *name)
{
        cf_msg(m, type);
        wire_set_u(m, WF_PARENT, parent);
        wire_set_str(m, WF_NAME, name);
        cf_ug(c, m);
}

uint32_t cf_lookup(struct cf *c, struct cf_link *l, uint32_t parent, const char *name, uint8_t *status)
{
        struct wire_msg m, reply;

        *status = WIRE_STATUS_OK;
        cf_entry(c, &m, WIRE_CLTOMA_FUSE_LOOKUP, parent, name);
        cf_call(c, l, &m, &reply);
        if (c->failed || wire_is_status(&reply, status))
                return 0;
        return (uint32_t)cf_u(c, &reply, WF_INODE);
}

uint32_t cf_create(struct cf *c, uint32_t parent, const char *name)
{
        struct wire_msg m, reply;

        cf_entry(c, &m, WIRE_CLTOMA_FUSE_CREATE, parent, name);
        wire_set_u(&m, WF_MODE, 0644);
        wire_set_u(&m, WF_UMASK, 022);
        cf_call(c, c->ma, &m, &reply);
        return (uint32_t)cf_u(c, &reply, WF_INODE);
}

uint32_t cf_mkdir(struct cf *c, struct cf_link *l, uint32_t parent, const char *name)
{
        struct wire_msg m, reply;

        cf_entry(c, &m, WIRE_CLTOMA_FUSE_MKDIR, parent, name);
        wire_set_u(&m, WF_MODE, 0755);
        wire_set_u(&m, WF_UMASK, 022);
        wire_set_u(&m, WF_COPYSGID, 0);
        cf_call(c, l, &m, &reply);
        return (uint32_t)cf_u(c, &reply, WF_INODE);
}

uint32_t cf_dir(struct cf *c)
{
        char name[24];

        if (!c->dir && !c->failed) {
                snprintf(name, sizeof(name), "%u", ++c->dirs);
                c->dir = cf_mkdir(c, c->ma, c->scratch, name);
        }
        return c->dir;
}

uint32_t cf_new(struct cf *c)
{
        char name[24];

        snprintf(name, sizeof(name), "f%u", ++c->dirs);
        return cf_create(c, cf_dir(c), name);
}

void cf_attr(struct cf *c, uint32_t inode, struct wire_attr *attr)
{
        struct wire_msg m, reply;

        memset(attr, 0, sizeof(*attr));
        cf_msg(&m, WIRE_CLTOMA_FUSE_GETATTR);
        wire_set_u(&m, WF_INODE, inode);
        wire_set_u(&m, WF_OPENED, 0);
        wire_set_u(&m, WF_UID, c->uid);
        wire_set_u(&m, WF_GID, c->gid);
        cf_call(c, c->ma, &m, &reply);
        if (c->failed)
                return;
        if (!wire_has(&reply, WF_ATTR))
                cf_u(c, &reply, WF_ATTR); /* says what came instead */
        else
                wire_get_attr(&reply, attr);
}

/* ---- tidying up ---------------------------------------------------------------------------------------------- */

static bool gone(struct cf *c, struct cf_link *l, uint32_t type, uint32_t parent, const char *name)
{
        struct wire_msg m;

        cf_entry(c, &m, type, parent, name);
        return cf_ask(c, l, &m) == WIRE_STATUS_OK && !c->failed;
}

struct entry {
        struct entry *next;
        uint32_t inode;
        uint8_t type;
        char name[WIRE_NAME_MAX + 1];
};

static struct entry *list(struct cf *c, struct cf_link *l, uint32_t inode)
{
        struct wire_msg m, reply, item;
        struct entry *all = NULL, *e;
        struct wire_iter it;

        cf_msg(&m, WIRE_CLTOMA_FUSE_READDIR);
        wire_set_u(&m, WF_INODE, inode);
        cf_ug(c, &m);
        wire_set_u(&m, WF_FLAGS, 0);
        wire_set_u(&m, WF_MAXENTRIES, UINT32_MAX);
        wire_set_u(&m, WF_NEDGEID, 0);
        cf_call(c, l, &m, &reply);
        if (c->failed || !wire_has(&reply, WF_ENTRIES))
                return NULL;
        wire_group_begin(&reply, WF_ENTRIES, &it);
        while (wire_group_next(&it, &item)) {
                size_t n;
                const uint8_t *name = wire_get_bytes(&item, WF_NAME, &n);

                if (!name || n > WIRE_NAME_MAX || (n == 1 && name[0] == '.') ||
                    (n == 2 && !memcmp(name, "..", 2)))
                        continue;
                if (!(e = calloc(1, sizeof(*e))))
                        break;
                memcpy(e->name, name, n);
                e->inode = wire_get_u32(&item, WF_INODE);
                e->type = wire_get_u8(&item, WF_NODETYPE);
                e->next = all;
                all = e;
        }
        return all;
}

/* A server may list folders without an end: what is ours is neither so deep nor so much. */
enum { DEPTH_MAX = 64, ENTRIES_MAX = 1 << 16 };

static bool remove_all(struct cf *c, struct cf_link *l, uint32_t parent, const char *name, uint32_t inode,
                       unsigned depth, unsigned *entries)
{
        struct entry *e = depth < DEPTH_MAX ? list(c, l, inode) : NULL, *next;
        bool all = depth < DEPTH_MAX;

        for (; e; e = next) {
                next = e->next;
                if (++*entries > ENTRIES_MAX)
                        all = false;
                else if (e->type == WIRE_NODE_DIRECTORY)
                        all &= remove_all(c, l, inode, e->name, e->inode, depth + 1, entries);
                else
                        all &= gone(c, l, WIRE_CLTOMA_FUSE_UNLINK, inode, e->name);
                free(e);
        }
        return gone(c, l, WIRE_CLTOMA_FUSE_RMDIR, parent, name) && all;
}

bool cf_remove(struct cf *c, struct cf_link *l, uint32_t parent, const char *name, uint32_t inode)
{
        unsigned entries = 0;

        return remove_all(c, l, parent, name, inode, 0, &entries);
}
