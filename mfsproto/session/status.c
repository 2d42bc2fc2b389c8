/* SPDX-License-Identifier: MIT */
/* What a refusal of the master means to a program, and to a person. */
#include "mfsproto/session/session.h"

struct meaning {
        int code;
        const char *advice; /* NULL: the codec's own sentence */
};

static const struct meaning meanings[WIRE_STATUS_COUNT] = {
        [WIRE_STATUS_EPERM] = { ROMA_EACCES, "not permitted for this user, or disabled for this session in "
                                             "mfsexports.cfg (disable=), or the object is immutable" },
        [WIRE_STATUS_ENOTDIR] = { ROMA_ENOTDIR, "a part of the path is not a folder" },
        [WIRE_STATUS_ENOENT] = { ROMA_ENOENT, "no such object" },
        [WIRE_STATUS_ENOENT_NOCACHE] = { ROMA_ENOENT, "no such object" },
        [WIRE_STATUS_EACCES] = { ROMA_EACCES,
                                 "the mode or owner forbids it; the options uid and gid say who we are" },
        [WIRE_STATUS_EEXIST] = { ROMA_EEXIST, "the name exists already" },
        [WIRE_STATUS_EINVAL] = { ROMA_EINVAL, NULL },
        [WIRE_STATUS_ENOTEMPTY] = { ROMA_ENOTEMPTY, "the folder is not empty" },
        [WIRE_STATUS_CHUNKLOST] = { ROMA_ELOST, "no chunkserver has the data any more" },
        [WIRE_STATUS_INDEXTOOBIG] = { ROMA_EFBIG, "beyond the largest file of MooseFS" },
        [WIRE_STATUS_LOCKED] = { ROMA_ELOCKED, "another client is writing there" },
        [WIRE_STATUS_NOCHUNKSERVERS] = { ROMA_EUNAVAILABLE, "no chunkserver is connected to the master; "
                                                            "start them, or wait when the "
                                                            "master has just been started" },
        [WIRE_STATUS_NOCHUNK] = { ROMA_ELOST, "the master does not know this chunk" },
        [WIRE_STATUS_CHUNKBUSY] = { ROMA_ELOCKED, "the chunk is busy" },
        [WIRE_STATUS_NOTOPENED] = { ROMA_EINVAL, "the file is not open in this session" },
        [WIRE_STATUS_NOSPACE] = { ROMA_ENOSPC, "the chunkservers have no room for it, or too few of them fit "
                                               "the storage class" },
        [WIRE_STATUS_IO] = { ROMA_ESERVERIO, NULL },
        [WIRE_STATUS_CRC] = { ROMA_ECORRUPT, "the stored bytes do not match their checksum" },
        [WIRE_STATUS_WRONGVERSION] = { ROMA_EUNAVAILABLE, "this copy has another version" },
        [WIRE_STATUS_EROFS] = { ROMA_EROFS, "the session is read-only (ro in mfsexports.cfg)" },
        [WIRE_STATUS_QUOTA] = { ROMA_EQUOTA, "a quota of a folder above is used up (mfsgetquota shows it)" },
        [WIRE_STATUS_BADSESSIONID] = { ROMA_EUNAVAILABLE, "the master has forgotten the session" },
        [WIRE_STATUS_NOPASSWORD] = { ROMA_EAUTH, "a password is needed" },
        [WIRE_STATUS_BADPASSWORD] = { ROMA_EAUTH, "the password is wrong" },
        [WIRE_STATUS_ENOATTR] = { ROMA_ENOENT, "no such attribute" },
        [WIRE_STATUS_ENOTSUP] = { ROMA_ENOTSUP, "this master does not know the request" },
        [WIRE_STATUS_CSNOTPRESENT] = { ROMA_EUNAVAILABLE,
                                       "the data are on chunkservers that are not connected now" },
        [WIRE_STATUS_EAGAIN] = { ROMA_EUNAVAILABLE, "the master asks to try again later" },
        [WIRE_STATUS_EPERM_NOTADMIN] = { ROMA_EACCES,
                                         "only a session with admin in mfsexports.cfg may do that" },
        [WIRE_STATUS_ENAMETOOLONG] = { ROMA_ENAMETOOLONG, "a name may have 255 bytes" },
        [WIRE_STATUS_EMLINK] = { ROMA_ESERVER, "it has too many hard links" },
        [WIRE_STATUS_ETIMEDOUT] = { ROMA_EUNAVAILABLE, NULL },
        [WIRE_STATUS_EFBIG] = { ROMA_EFBIG, "beyond the largest file of MooseFS" },
        [WIRE_STATUS_EISDIR] = { ROMA_EISDIR, "it is a folder" },
        [WIRE_STATUS_INCOMPATVERSION] = { ROMA_EVERSION, NULL },
};

void mfs_status_error(struct ri_error *e, uint8_t status, const char *server, const char *what)
{
        const struct meaning *m = status < WIRE_STATUS_COUNT ? &meanings[status] : &meanings[0];
        const char *advice = m->advice ? m->advice : wire_status_text(status);

        ri_error_set(e, m->code ? m->code : ROMA_ESERVER, server, "%s%s%s (%s, status %u)", what ? what : "",
                     what ? ": " : "", advice, wire_status_name(status), status);
        e->status_kind = ROMA_STATUS_MFS;
        e->server_status = status;
        e->status_name = wire_status_name(status);
        e->flags = wire_status_retriable(status) ? ROMA_RETRIABLE : 0;
        e->outcome = ROMA_NOT_DONE;
}
