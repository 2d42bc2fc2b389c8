/* SPDX-License-Identifier: MIT */
/* Of which objects a file is made: its layout gives their names and lengths, the cluster where they are. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cephio/cephfs/cephfs.h"
#include "cephio/pieces.h"

struct striping {
        uint64_t unit, count, object;
};

/* Bytes of a file of this length that object n holds, and the first of them. 0: none. */
static uint64_t held(const struct striping *s, uint64_t length, uint64_t n, uint64_t *first)
{
        uint64_t per = s->object / s->unit, block = n / s->count * per * s->count + n % s->count, last;

        *first = block * s->unit;
        if (*first >= length)
                return 0;
        /* The last block of the file that is this object's. */
        last = (length - 1) / s->unit;
        last = last < block ? block : block + (last - block) / s->count * s->count;
        if ((last - block) / s->count >= per)
                return s->object;
        last = (last - block) / s->count; /* in the object */
        block = (block + last * s->count) * s->unit;
        return last * s->unit + (length - block < s->unit ? length - block : s->unit);
}

/* False: the job has failed. */
static bool add_objects(struct cfs_job *j, roma_layout *l, const struct striping *s)
{
        uint64_t set = s->object * s->count,
                 n = l->length / set * s->count + (l->length % set ? s->count : 0);
        char name[48];
        uint64_t first;

        if (n > RI_LAYOUT_PIECES) {
                j->code = ROMA_EFBIG;
                return false;
        }
        for (uint64_t i = 0; i < n; i++) {
                uint64_t len = held(s, l->length, i, &first);

                snprintf(name, sizeof(name), "%" PRIx64 ".%08" PRIx64, l->inode, i);
                if (len && !ri_layout_piece(l, first, len, name)) {
                        j->code = ROMA_ENOMEM;
                        return false;
                }
        }
        return true;
}

static void asked_release(struct cfs_job *j)
{
        roma_layout_unref((roma_layout *)j->result);
}

static int look(struct cfs_job *j, const char *path, struct ceph_statx *st, struct striping *s,
                char pool[256], char ns[256])
{
        struct ceph_mount_info *cm = j->mount->cm;
        int unit = 0, count = 0, object = 0, id, r;

        r = ceph_statx(cm, path, st, CFS_STATX, AT_SYMLINK_NOFOLLOW);
        if (r < 0 || !S_ISREG(st->stx_mode))
                return r;
        r = ceph_get_path_layout(cm, path, &unit, &count, &object, &id);
        if (r < 0)
                return r;
        if (unit <= 0 || count <= 0 || object < unit || object % unit)
                return -EIO;
        *s = (struct striping){ (uint64_t)unit, (uint64_t)count, (uint64_t)object };
        r = ceph_get_path_pool_name(cm, path, pool, 255);
        if (r < 0)
                return r;
        pool[r < 255 ? r : 255] = 0;
        r = ceph_getxattr(cm, path, "ceph.file.layout.pool_namespace", ns, 255);
        ns[r > 0 ? r : 0] = 0;
        return 0;
}

static void take(struct cfs_job *j, const struct ceph_statx *st, const struct striping *s, const char *pool,
                 const char *ns)
{
        roma_layout *l = ri_layout_new("cephfs", pool, ns);

        j->result = l;
        if (!l) {
                j->code = ROMA_ENOMEM;
                return;
        }
        l->length = st->stx_size;
        l->inode = st->stx_ino;
        l->stripe_unit = s->unit;
        l->stripe_count = (unsigned)s->count;
        l->object_size = s->object;
        add_objects(j, l, s);
}

static void layout_work(struct cfs_job *j)
{
        char *path = cfs_resolve(j, false, true), pool[256] = "", ns[256] = "";
        uint64_t t = cfs_phase_start(j);
        struct ceph_statx st;
        struct striping s = { 1, 1, 1 };
        int r;

        if (!path)
                return;
        r = look(j, path, &st, &s, pool, ns);
        cfs_job_phase(j, "mds_layout", t, 0);
        free(path);
        if (r < 0)
                cfs_job_error(j, r, "ask for the layout");
        else if (!S_ISREG(st.stx_mode))
                j->code = S_ISDIR(st.stx_mode) ? ROMA_EISDIR : ROMA_EINVAL;
        else
                take(j, &st, &s, pool, ns);
}

static void layout_end(struct cfs_job *j)
{
        const struct cfs_conf *c = &j->root->conf;
        roma_layout *l = j->result;
        const struct ceph_where where = { l->pool,         l->ns,      c->conf,
                                          c->client,       c->keyring, c->mount_timeout_s,
                                          c->osd_timeout_s };

        j->result = NULL;
        ceph_pieces_ask(cfs_job_detach(j), l, &where, j->flags, true);
        cfs_job_unref(j);
}

void cfs_layout(struct ri_op *op, const char *key, unsigned flags)
{
        struct cfs_job *j = cfs_job_new(op, key, NULL);

        if (!j)
                return;
        j->flags = flags;
        j->guard = true;
        j->work = layout_work;
        j->end = layout_end;
        j->release = asked_release;
        cfs_job_go(j);
}
