/* SPDX-License-Identifier: MIT */
/* Status codes: name, errno as the official client returns it, whether waiting helps, and what to do. */
#include "wire.h"

#include <errno.h>

#ifndef ENOATTR
#define ENOATTR ENODATA
#endif

struct status {
        const char *name;
        int err;
        bool retriable;
        const char *text;
};

static const struct status statuses[WIRE_STATUS_COUNT] = {
#define S(id, err, retry, text) [WIRE_STATUS_##id] = { #id, err, retry, text }
        S(OK, 0, false, "success"),
        S(EPERM, EPERM, false,
          "operation not permitted: the export, an attribute of the node or the session forbids it; check "
          "the "
          "master's exports and the node's extra attributes"),
        S(ENOTDIR, ENOTDIR, false, "a part of the path is not a directory"),
        S(ENOENT, ENOENT, false, "no such file or directory"),
        S(EACCES, EACCES, false,
          "permission denied: check mode and owner, and whether the export maps this user to another one"),
        S(EEXIST, EEXIST, false, "the name exists already"),
        S(EINVAL, EINVAL, false, "invalid argument"),
        S(ENOTEMPTY, ENOTEMPTY, false, "directory not empty"),
        S(CHUNKLOST, ENXIO, false,
          "the chunk is lost: every chunkserver is connected and none has a copy; look for a removed disk or "
          "restore the file"),
        S(OUTOFMEMORY, EINVAL, false, "the server is out of memory"),
        S(INDEXTOOBIG, EFBIG, false, "beyond the largest file size"),
        S(LOCKED, EINVAL, true, "the chunk is locked by another writer; try again"),
        S(NOCHUNKSERVERS, ENOSPC, true,
          "no chunkserver can take the data now; try again, and check that chunkservers are connected"),
        S(NOCHUNK, EINVAL, false, "no such chunk: the file changed or ends before it; ask the master again"),
        S(CHUNKBUSY, EINVAL, true, "the master works on the chunk; try again"),
        S(REGISTER, EINVAL, false, "register first: the connection has no session"),
        S(NOTDONE, EINVAL, true, "the chunkserver is busy with the chunk; try again"),
        S(NOTOPENED, EBADF, false,
          "the file is not open in this session; open it and send the list of open files"),
        S(NOTSTARTED, EINVAL, false, "write was not started on this connection"),
        S(WRONGVERSION, EINVAL, false, "this copy has another version; ask the master for the chunk again"),
        S(CHUNKEXIST, EINVAL, false, "the chunk exists already"),
        S(NOSPACE, ENOSPC, false, "no space left on the chunkservers that the storage class allows"),
        S(IO, EIO, false, "input/output error at the server; see its log and its disks"),
        S(BNUMTOOBIG, EINVAL, false, "block number beyond the end of a chunk: an error of the client"),
        S(WRONGSIZE, EINVAL, false, "wrong size of a block or range: an error of the client"),
        S(WRONGOFFSET, EINVAL, false, "range crosses the end of a block or chunk: an error of the client"),
        S(CANTCONNECT, EINVAL, false, "the chunkserver cannot connect to the next one in the chain"),
        S(WRONGCHUNKID, EINVAL, false,
          "data for another chunk than the one being written: an error of the client"),
        S(DISCONNECTED, EINVAL, false, "the next chunkserver in the chain disconnected"),
        S(CRC, EINVAL, false,
          "checksum error: the stored block or the packet is damaged; read another copy, or write the whole "
          "block"),
        S(DELAYED, EINVAL, false, "operation delayed (internal)"),
        S(CANTCREATEPATH, EINVAL, false, "cannot create the path"),
        S(MISMATCH, EINVAL, false, "data mismatch"),
        S(EROFS, EROFS, false, "the session is read-only; check the master's exports"),
        S(QUOTA, EDQUOT, false, "quota exceeded"),
        S(BADSESSIONID, EINVAL, false,
          "the session is unknown or expired, or of another instance; register anew"),
        S(NOPASSWORD, EINVAL, false, "a password is needed for this export"),
        S(BADPASSWORD, EINVAL, false, "wrong password for this export"),
        S(ENOATTR, ENOATTR, false, "no such extended attribute"),
        S(ENOTSUP, ENOTSUP, false, "not supported by the server"),
        S(ERANGE, ERANGE, false, "result too large for the buffer"),
        S(NOTFOUND, EINVAL, false, "not found"),
        S(ACTIVE, EINVAL, false, "still active: the session is connected"),
        S(CSNOTPRESENT, ENXIO, true,
          "no usable copy now, but a chunkserver is missing; start it, or try again when it is back"),
        S(WAITING, EINVAL, false, "waiting on a lock"),
        S(EAGAIN, EAGAIN, true, "temporarily unavailable; try again"),
        S(EINTR, EINTR, false, "interrupted"),
        S(ECANCELED, ECANCELED, false, "cancelled"),
        S(ENOENT_NOCACHE, ENOENT, false, "no such file or directory (do not cache this answer)"),
        S(EPERM_NOTADMIN, EPERM, false, "needs a session with the admin flag; check the master's exports"),
        S(CLASSEXISTS, EEXIST, false, "the storage class exists already"),
        S(CLASSLIMITREACH, EINVAL, false, "no more storage classes possible"),
        S(NOSUCHCLASS, EINVAL, false, "no such storage class"),
        S(CLASSINUSE, EINVAL, false, "the storage class is in use"),
        S(INCOMPATVERSION, EINVAL, false, "incompatible version"),
        S(PATTERNEXISTS, EINVAL, false, "the pattern exists already"),
        S(PATLIMITREACHED, EINVAL, false, "no more patterns possible"),
        S(NOSUCHPATTERN, EINVAL, false, "no such pattern"),
        S(ENAMETOOLONG, ENAMETOOLONG, false, "name too long"),
        S(EMLINK, EMLINK, false, "too many links"),
        S(ETIMEDOUT, EINVAL, false, "timed out at the server"),
        S(EBADF, EBADF, false, "bad file handle"),
        S(EFBIG, EFBIG, false, "file too big"),
        S(EISDIR, EISDIR, false, "is a directory"),
#undef S
};

const char *wire_status_name(uint8_t status)
{
        return status < WIRE_STATUS_COUNT ? statuses[status].name : "UNKNOWN";
}

const char *wire_status_text(uint8_t status)
{
        return status < WIRE_STATUS_COUNT ? statuses[status].text
                                          : "a status that this version does not know";
}

int wire_status_errno(uint8_t status)
{
        return status < WIRE_STATUS_COUNT ? statuses[status].err : EINVAL;
}

int wire_status_io_errno(uint8_t status)
{
        switch (status) {
        case WIRE_STATUS_OK: return 0;
        case WIRE_STATUS_ENOENT:
        case WIRE_STATUS_EPERM:
        case WIRE_STATUS_NOCHUNK: return EBADF;
        case WIRE_STATUS_INDEXTOOBIG: return EINVAL;
        case WIRE_STATUS_QUOTA: return EDQUOT;
        case WIRE_STATUS_NOSPACE:
        case WIRE_STATUS_NOCHUNKSERVERS: return ENOSPC;
        case WIRE_STATUS_CHUNKLOST:
        case WIRE_STATUS_CSNOTPRESENT: return ENXIO;
        case WIRE_STATUS_EROFS: return EROFS;
        default: return EIO;
        }
}

bool wire_status_retriable(uint8_t status)
{
        return status < WIRE_STATUS_COUNT && statuses[status].retriable;
}

int wire_status_by_name(const char *name)
{
        for (int i = 0; i < WIRE_STATUS_COUNT; i++) {
                if (!strcmp(statuses[i].name, name))
                        return i;
        }
        return -1;
}
