/* SPDX-License-Identifier: MIT */
/* Stores and what can be done with names in them. */
#ifndef ROMA_STORE_H
#define ROMA_STORE_H

#include <roma/types.h>

ROMA_BEGIN

/* What a store can do; roma_store_caps(). */
enum roma_caps {
        ROMA_CAP_DIRS = 1,    /* folders are things of their own: mkdir, rmdir, rename of folders */
        ROMA_CAP_SORTED = 2,  /* lists come sorted by bytes */
        ROMA_CAP_INPLACE = 4, /* objects can be written in place */
        ROMA_CAP_RENAME = 8,
        ROMA_CAP_LINK = 16,
        ROMA_CAP_SYMLINK = 32,
        ROMA_CAP_IF_ABSENT = 64, /* a put that fails when the name exists, atomically */
        ROMA_CAP_REPLICAS = 128, /* several copies that verify can read one by one */
        ROMA_CAP_MODE = 256,     /* keeps mode and owner */
        ROMA_CAP_PROPS = 512,    /* keeps headers and metadata with an object: roma_prop */
        ROMA_CAP_IF_MATCH =
                1024 /* a put that replaces only a certain object, atomically; not every server of the kind can */
};

/* Opens the place that `uri` names: "mfs://10.77.0.1/photos", "file:///srv/x", "name:path" ... The URI's path
 * becomes the root of all keys; it must exist, and a folder store never leaves it. Connects, and for MooseFS
 * registers a session. Result: store, the caller's to close.
 * Errors: ROMA_EURI, ROMA_ECONFIG, ROMA_ENOTINSTALLED, ROMA_ERESOLVE, ROMA_ECONNECT, ROMA_EPROTOCOL, ROMA_EAUTH,
 * ROMA_EACCES, ROMA_ENOENT, ROMA_EVERSION, ROMA_ETIMEDOUT. */
ROMA_API roma_op roma_aio_store_open(roma_loop *loop, const char *uri, const roma_opts *opts, roma_done *done,
                                     void *arg);
ROMA_API roma_store *roma_store_open(roma_loop *loop, const char *uri, const roma_opts *opts) ROMA_MUST_CHECK;

/* Closes: what is in flight ends with ROMA_ECANCELED, open files and writers become invalid (writers are
 * aborted), the session ends. The handle is invalid at once. At most 5 s. Legal in callbacks. With done NULL
 * nobody is told. The blocking form in a place where nothing may block starts the asynchronous one; NULL is allowed there. */
ROMA_API roma_op roma_aio_store_close(roma_store *store, roma_done *done, void *arg);
ROMA_API void roma_store_close(roma_store *store);

ROMA_API roma_loop *roma_store_loop(roma_store *store);
ROMA_API unsigned roma_store_caps(roma_store *store); /* enum roma_caps */
/* The URI as it may be shown to anybody: no secrets. Lives as long as the store. */
ROMA_API const char *roma_store_uri(roma_store *store);

/* Whether `key` of `store` is `folder` of `of` or lies below it, whatever the two URIs: of stores without folders, which have no
 * inode numbers to compare. 1: it does; 0: it does not, or a store has folders. Keys without a slash at their end; "" is the root.
 * No server is asked. S3 and its relatives: by the bucket and the endpoint, where those of one vendor's regions are one, and names
 * of a server that differ are two. RADOS: by the numbers of the cluster and the pool, and the namespace. */
ROMA_API int roma_store_lies_in(roma_store *store, const char *key, roma_store *of, const char *folder);

/* Attributes of `key` ("" is the root of the store). Symbolic links are followed inside the store, except with
 * ROMA_NOFOLLOW. Result: attr, and props where the store keeps some. The blocking form: attr may be NULL. */
enum roma_stat_flags { ROMA_NOFOLLOW = 1 };
ROMA_API roma_op roma_aio_stat(roma_store *store, const char *key, unsigned flags, const roma_opts *opts,
                               roma_done *done, void *arg);
ROMA_API int roma_stat(roma_store *store, const char *key, unsigned flags, const roma_opts *opts,
                       roma_attr *attr);

/* Listing, page by page.
 * prefix: only keys that start with it ("photos/" lists inside that folder).
 * delimiter: NULL for every key below; "/" rolls up what lies deeper into one entry "photos/2026/" of type
 *   ROMA_TYPE_DIR. Other delimiters are ROMA_ENOTSUP on folder stores.
 * start_after: only keys greater than this (bytes; a folder sorts as its name + "/"); NULL from the start.
 * max: entries of a page, 1..10000 (default 1000).
 * Temporaries of unfinished writers are hidden unless ROMA_LIST_TEMPORARIES is set.
 * ROMA_LIST_DIRS (folder stores, without delimiter): folders appear as entries of their own, "photos/". */
enum roma_list_flags { ROMA_LIST_TEMPORARIES = 1, ROMA_LIST_DIRS = 2 };
typedef struct roma_list_opts {
        size_t size;
        uint32_t stall_ms;
        uint32_t deadline_ms;
        const char *delimiter;
        const char *start_after;
        unsigned max;
        unsigned flags;
} roma_list_opts;
#define ROMA_LIST_OPTS_INIT                                    \
        {                                                      \
                sizeof(roma_list_opts), 0, 0, NULL, NULL, 0, 0 \
        }
typedef struct roma_entry {
        const char *key; /* the whole key below the store's root; folders end in "/" */
        const roma_attr *attr;
} roma_entry;
typedef struct roma_list {
        const roma_entry *entry;
        size_t count;
        int more; /* there are more: ask again with start_after = the last entry's key */
} roma_list;
ROMA_API roma_op roma_aio_list(roma_store *store, const char *prefix, const roma_list_opts *opts,
                               roma_done *done, void *arg);
/* The page is in roma_last(loop)->list. */
ROMA_API int roma_list_page(roma_store *store, const char *prefix, const roma_list_opts *opts);

/* Removes one object (not a folder). ROMA_UNLINK_NO_TRASH: without going to the store's trash, where it has one. */
enum roma_unlink_flags { ROMA_UNLINK_NO_TRASH = 1 };
ROMA_API roma_op roma_aio_unlink(roma_store *store, const char *key, unsigned flags, const roma_opts *opts,
                                 roma_done *done, void *arg);
ROMA_API int roma_unlink(roma_store *store, const char *key, unsigned flags, const roma_opts *opts);

/* Makes one folder; with ROMA_MKDIR_PARENTS also those above, and an existing folder is no error. */
enum roma_mkdir_flags { ROMA_MKDIR_PARENTS = 1 };
ROMA_API roma_op roma_aio_mkdir(roma_store *store, const char *key, uint32_t mode, unsigned flags,
                                const roma_opts *opts, roma_done *done, void *arg);
ROMA_API int roma_mkdir(roma_store *store, const char *key, uint32_t mode, unsigned flags,
                        const roma_opts *opts);

/* Removes one empty folder. */
ROMA_API roma_op roma_aio_rmdir(roma_store *store, const char *key, const roma_opts *opts, roma_done *done,
                                void *arg);
ROMA_API int roma_rmdir(roma_store *store, const char *key, const roma_opts *opts);

/* Renames, replacing `to` as rename(2) does; with ROMA_RENAME_NOREPLACE an existing `to` is ROMA_EEXIST,
 * atomically where the store can (else ROMA_ENOTSUP). */
enum roma_rename_flags { ROMA_RENAME_NOREPLACE = 1 };
ROMA_API roma_op roma_aio_rename(roma_store *store, const char *from, const char *to, unsigned flags,
                                 const roma_opts *opts, roma_done *done, void *arg);
ROMA_API int roma_rename(roma_store *store, const char *from, const char *to, unsigned flags,
                         const roma_opts *opts);

/* A second name for an object. */
ROMA_API roma_op roma_aio_link(roma_store *store, const char *key, const char *name, const roma_opts *opts,
                               roma_done *done, void *arg);
ROMA_API int roma_link(roma_store *store, const char *key, const char *name, const roma_opts *opts);

/* A symbolic link called `name` that holds `target` as it is. */
ROMA_API roma_op roma_aio_symlink(roma_store *store, const char *target, const char *name,
                                  const roma_opts *opts, roma_done *done, void *arg);
ROMA_API int roma_symlink(roma_store *store, const char *target, const char *name, const roma_opts *opts);
/* Result: text. The blocking form's text is roma_last(loop)->text. */
ROMA_API roma_op roma_aio_readlink(roma_store *store, const char *key, const roma_opts *opts, roma_done *done,
                                   void *arg);
ROMA_API int roma_readlink(roma_store *store, const char *key, const roma_opts *opts);

/* Changes what attr->mask names: mode, uid, gid, atime, mtime. Result: attr as it is now. */
ROMA_API roma_op roma_aio_setattr(roma_store *store, const char *key, const roma_attr *attr, unsigned flags,
                                  const roma_opts *opts, roma_done *done, void *arg);
ROMA_API int roma_setattr(roma_store *store, const char *key, const roma_attr *attr, unsigned flags,
                          const roma_opts *opts);

/* Room, in bytes; UINT64_MAX where the store does not know. Result: space. The blocking form: space may be NULL. */
typedef struct roma_space {
        uint64_t total, available, objects;
} roma_space;
ROMA_API roma_op roma_aio_statfs(roma_store *store, const roma_opts *opts, roma_done *done, void *arg);
ROMA_API int roma_statfs(roma_store *store, const roma_opts *opts, roma_space *space);

/* One round trip to the server, to see that it answers. Result: text, a sentence about the server's state. */
ROMA_API roma_op roma_aio_ping(roma_store *store, const roma_opts *opts, roma_done *done, void *arg);
ROMA_API int roma_ping(roma_store *store, const roma_opts *opts);

ROMA_END
#endif
