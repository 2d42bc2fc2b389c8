/* SPDX-License-Identifier: MIT */
/* How an operation ended: a code, a sentence to act on, and what the server itself said. */
#ifndef ROMA_RESULT_H
#define ROMA_RESULT_H

#include <roma/types.h>

ROMA_BEGIN

/* The range tells who failed: below 100 the call or this machine, from 100 the network, from 200 the server. */
enum roma_code {
        ROMA_OK = 0,
        /* the caller, or this machine */
        ROMA_EINVAL = 1,        /* an argument is out of range or senseless */
        ROMA_ECANCELED = 2,     /* cancelled, or its store, file or loop was closed */
        ROMA_EWRONGCONTEXT = 3, /* a blocking call on an attached loop or inside a callback */
        ROMA_EFORK = 4,         /* the loop was made by the parent of this process */
        ROMA_ENOMEM = 5,
        ROMA_EURI = 6,          /* the URI or store name cannot be understood */
        ROMA_ECONFIG = 7,       /* a configuration or secret file is wrong or readable by others */
        ROMA_ENOTSUP = 8,       /* this store cannot do that */
        ROMA_ENOTINSTALLED = 9, /* the module for this scheme is not installed */
        ROMA_ESOURCE = 10,      /* the source changed, shrank or vanished while it was read */
        ROMA_ELOCALIO = 11,     /* a local file, pipe or terminal failed */
        ROMA_EBUSY = 12,        /* too much in flight, or the handle is in a state that forbids it */
        ROMA_ESYSTEM = 13,      /* a system call failed: no descriptors, no threads ... */
        /* the network */
        ROMA_ERESOLVE = 100,  /* the host name has no address */
        ROMA_ECONNECT = 101,  /* no connection could be made */
        ROMA_ECLOSED = 102,   /* the connection ended in the middle */
        ROMA_ETIMEDOUT = 103, /* stalled, or over its deadline */
        ROMA_EPROTOCOL = 104, /* the server speaks something else, or breaks its protocol */
        /* the server */
        ROMA_ENOENT = 200,
        ROMA_EEXIST = 201,
        ROMA_EACCES = 202, /* permission denied, or the session may not do that */
        ROMA_EAUTH = 203,  /* password or key missing or wrong */
        ROMA_ENOTDIR = 204,
        ROMA_EISDIR = 205,
        ROMA_ENOTEMPTY = 206,
        ROMA_EROFS = 207,
        ROMA_ENOSPC = 208,
        ROMA_EQUOTA = 209,
        ROMA_ENAMETOOLONG = 210,
        ROMA_EFBIG = 211,
        ROMA_ESERVERIO = 212,     /* the server could not read or write its disks */
        ROMA_ECORRUPT = 213,      /* bytes or checksums that should agree do not */
        ROMA_EUNAVAILABLE = 214,  /* data are on servers that are not there now */
        ROMA_ELOST = 215,         /* data are gone, as far as the server knows */
        ROMA_EPRECONDITION = 216, /* the precondition of the request did not hold */
        ROMA_ELOCKED = 217,       /* somebody else holds it */
        ROMA_EVERSION = 218,      /* the server refuses this version of client */
        ROMA_ESERVER = 219        /* any other refusal: see server_status */
};

/* What became of a change on the server. Reads are always ROMA_NOT_DONE when they fail. */
enum roma_outcome {
        ROMA_NOT_DONE = 0,
        ROMA_DONE = 1,
        ROMA_UNKNOWN = 2 /* it was sent, and the answer is lost: look before trying again */
};

enum roma_result_flags {
        ROMA_RETRIABLE = 1 /* the same call may succeed later */
};

/* Whose number server_status is. */
enum roma_status_kind {
        ROMA_STATUS_NONE = 0,
        ROMA_STATUS_ERRNO = 1, /* of this machine */
        ROMA_STATUS_MFS = 2,   /* a MooseFS status */
        ROMA_STATUS_HTTP = 3   /* of an S3-like server; status_name is its word, such as NoSuchKey */
};

struct roma_list;
struct roma_space;

/* Grows at the end only. Everything it points to lives until the callback returns, or for roma_last() until the
 * next blocking call on that loop. */
typedef struct roma_result {
        int code;       /* enum roma_code */
        int outcome;    /* enum roma_outcome */
        unsigned flags; /* enum roma_result_flags */
        unsigned tries; /* how often the work was started over inside the library */
        const char
                *message; /* one sentence: operation, object, server, expected, got, what to do; "" when OK */
        int status_kind;  /* enum roma_status_kind */
        int server_status;
        const char *status_name; /* the server's own word for it, "" if none */
        const char *server;      /* host:port of the server the failure came from, "" if none */
        uint64_t bytes;          /* bytes read, written or copied */
        uint64_t offset;         /* append: where it went; reader_next of an object: where the piece begins */
        uint32_t crc32;          /* CRC-32 (zlib) of exactly those bytes, where has_crc32 */
        int has_crc32;
        const roma_attr *attr;          /* stat, commit, put ... */
        const struct roma_list *list;   /* list */
        const struct roma_space *space; /* statfs */
        const char *text;               /* readlink: target; hash: hexadecimal digest */
        roma_store *store;              /* store_open: now the caller's */
        roma_file *file;                /* file_open: now the caller's */
        roma_writer *writer;            /* writer_open: now the caller's */
        roma_reader *reader;            /* reader_open: now the caller's */
        roma_buf *buf;                  /* reader_next: now the caller's, NULL at the end */
        const void *extra;              /* of one kind of store: see its own header */
        const roma_prop *props;         /* stat: headers and metadata of the object, names in lower case */
        size_t n_props;
} roma_result;

/* "ROMA_ENOENT" and the like; "ROMA_E?" for a number that is none. Static. */
ROMA_API const char *roma_code_name(int code);
/* A few words for a code, such as "no such object". Static. */
ROMA_API const char *roma_code_text(int code);
/* "done", "not done" or "unknown". Static. */
ROMA_API const char *roma_outcome_name(int outcome);

ROMA_END
#endif
