/* SPDX-License-Identifier: MIT */
/* The list of generations that may have to be collected, and removing the pieces of one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/rados/rados.h"

/* A writer has at most WINDOW pieces in flight, so behind AFTER_END that are not there none can be. */
enum { REMOVING = 16, AFTER_END = 64 };

struct rad_req *rad_gc_set(struct rad_store *rs, const uint8_t gen[RAD_ID], const struct rad_gc *g,
                           const uint8_t *if_is, size_t if_len, struct ri_op *op,
                           void (*done)(struct rad_req *), void *arg)
{
        char name[RAD_NAME_MAX], key[RAD_HEX];
        uint8_t value[RAD_GC_MAX];
        const char *k = key, *v = (const char *)value;
        size_t kn = RAD_HEX - 1, vn = rad_gc_encode(g, value);
        struct rad_req *r;

        rad_hex(gen, key);
        rad_gc_name(gen, name);
        r = rad_req_new(rs, RAD_WRITE_OP, name, op, "write the list of pieces to collect", done, arg);
        if (!r)
                return NULL;
        if (if_is)
                rados_write_op_omap_cmp2(r->wop, k, LIBRADOS_CMPXATTR_OP_EQ, (const char *)if_is, kn, if_len,
                                         NULL);
        rados_write_op_omap_set2(r->wop, &k, &v, &kn, &vn, 1);
        rad_req_go(r);
        return r;
}

/* Not done: gc will find the generation to be alive, or gone. */
void rad_gc_forget(struct rad_store *rs, const uint8_t gen[RAD_ID], const uint8_t *if_is, size_t if_len)
{
        char name[RAD_NAME_MAX], key[RAD_HEX];
        const char *k = key;
        size_t kn = RAD_HEX - 1;
        struct rad_req *r;

        rad_hex(gen, key);
        rad_gc_name(gen, name);
        r = rad_req_new(rs, RAD_WRITE_OP, name, NULL, "forget", NULL, NULL);
        if (!r)
                return;
        if (if_is)
                rados_write_op_omap_cmp2(r->wop, k, LIBRADOS_CMPXATTR_OP_EQ, (const char *)if_is, kn, if_len,
                                         NULL);
        rados_write_op_omap_rm_keys2(r->wop, &k, &kn, 1);
        rad_req_go(r);
}

struct removal {
        struct rad_own own;
        struct rad_store *rs;
        uint8_t gen[RAD_ID];
        uint64_t pieces, next, removed;
        unsigned flying, absent; /* how many in a row were not there */
        int rc;
        bool started;
        rad_removed *done;
        void *arg;
};

static void more(struct removal *m);

static void removal_drop(struct rad_own *o)
{
        free(ri_container_of(o, struct removal, own));
}

static void piece_removed(struct rad_req *r)
{
        struct removal *m = r->arg;

        m->flying--;
        if (r->rc == 0) {
                m->removed++;
                m->absent = 0;
        } else if (r->rc == -ENOENT) {
                m->absent++;
        } else {
                m->rc = r->rc;
        }
        more(m);
}

static bool wants_more(const struct removal *m)
{
        if (m->rc < 0 || m->next > UINT32_MAX)
                return false;
        return m->pieces ? m->next < m->pieces : m->absent < AFTER_END;
}

static void more(struct removal *m)
{
        char name[RAD_NAME_MAX];

        while (m->flying < REMOVING && wants_more(m)) {
                struct rad_req *r;

                rad_piece_name(m->gen, (uint32_t)m->next, name);
                r = rad_req_new(m->rs, RAD_WRITE_OP, name, NULL, "remove", piece_removed, m);
                if (!r) {
                        m->rc = -ENOMEM;
                        break;
                }
                rados_write_op_remove(r->wop);
                m->next++;
                m->flying++;
                rad_req_go(r);
        }
        if (m->flying)
                return;
        if (m->rc == 0)
                rad_gc_forget(m->rs, m->gen, NULL, 0);
        rad_disown(m->rs, &m->own);
        if (m->done)
                m->done(m->arg, m->removed, m->rc);
        free(m);
}

void rad_gc_remove(struct rad_store *rs, const uint8_t gen[RAD_ID], uint64_t pieces, rad_removed *done,
                   void *arg)
{
        struct removal *m = calloc(1, sizeof(*m));

        if (!m) {
                if (done)
                        done(arg, 0, -ENOMEM);
                return;
        }
        m->rs = rs;
        memcpy(m->gen, gen, RAD_ID);
        m->pieces = pieces;
        m->done = done;
        m->arg = arg;
        rad_own(rs, &m->own, removal_drop);
        more(m);
}
