/* SPDX-License-Identifier: MIT */
/* What librados' numbers mean, and what to do about them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cephio/rados/rados.h"

struct meaning {
        int err, code;
        unsigned flags;
        const char *words; /* NULL: those of the code */
};

/* ESHUTDOWN is also EBLOCKLISTED. */
static const struct meaning meanings[] = {
        { ENOENT, ROMA_ENOENT, 0, NULL },
        { EEXIST, ROMA_EEXIST, 0, NULL },
        { EPERM, ROMA_EACCES, 0,
          "the cluster does not allow it; see `ceph auth get` for this client's caps" },
        { EACCES, ROMA_EACCES, 0,
          "the cluster does not allow it; see `ceph auth get` for this client's caps" },
        { EROFS, ROMA_EROFS, 0, NULL },
        { ENOSPC, ROMA_ENOSPC, 0, "the cluster or the pool is full; remove objects or add OSDs" },
        { EDQUOT, ROMA_EQUOTA, 0, "the quota of the pool is used up; see `ceph osd pool get-quota`" },
        { ETIMEDOUT, ROMA_ETIMEDOUT, ROMA_RETRIABLE,
          "its OSDs did not answer in time; see `ceph health detail` for OSDs that are down" },
        { ESHUTDOWN, ROMA_ECLOSED, ROMA_RETRIABLE,
          "the cluster has blocklisted this client; the next operation makes a new connection" },
        { ENOTCONN, ROMA_ECLOSED, ROMA_RETRIABLE, "the connection to the cluster has ended" },
        { EMSGSIZE, ROMA_EFBIG, 0, "it is more than an OSD takes in one operation (osd_max_write_size)" },
        { EFBIG, ROMA_EFBIG, 0,
          "no plain object is longer than osd_max_object_size (128 MiB); without raw=1 there is no such "
          "limit" },
        { ENAMETOOLONG, ROMA_ENAMETOOLONG, 0, NULL },
        { EIO, ROMA_ESERVERIO, 0, "an OSD could not read or write its disk; see `ceph health detail`" },
        { EOPNOTSUPP, ROMA_ENOTSUP, 0,
          "the pool cannot do that: an erasure coded pool keeps no index; use a replicated one, or raw=1" },
        { ESTALE, ROMA_ECONFIG, 0,
          "somebody has laid the namespace out with another number of shards since the store was opened; "
          "open "
          "it again" },
        { EBADMSG, ROMA_ECORRUPT, 0, "its bytes are not what they should be" },
        { ENOMEM, ROMA_ENOMEM, 0, NULL },
        { EINVAL, ROMA_EINVAL, 0, NULL },
        { ECANCELED, ROMA_ECANCELED, 0, NULL },
        { EBUSY, ROMA_ELOCKED, ROMA_RETRIABLE, NULL },
};

static const struct meaning *meaning_of(int err)
{
        for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
                if (meanings[i].err == err)
                        return &meanings[i];
        return NULL;
}

void rad_error(struct ri_error *e, int rc, const char *what, const char *object, const char *where)
{
        int err = rc < 0 ? -rc : EIO;
        const struct meaning *m = meaning_of(err);
        char own[128];

        ri_error_set(e, m ? m->code : ROMA_ESERVER, where, "%s%s%.200s: %s%s%s%s", what, object ? " " : "",
                     object ? object : "", m && m->words ? m->words : strerror_r(err, own, sizeof(own)),
                     m && m->words ? " (" : "",
                     m && m->words ? strerrorname_np(err) ? strerrorname_np(err) : "?" : "",
                     m && m->words ? ")" : "");
        e->flags = m ? m->flags : 0;
        e->status_kind = ROMA_STATUS_ERRNO;
        e->server_status = err;
        e->status_name = strerrorname_np(err);
}
