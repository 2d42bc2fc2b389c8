/* SPDX-License-Identifier: MIT */
/* What a store has to bring. core/registry.c names the backends; nothing else in core knows one.
 *
 * A function that takes a struct ri_op must lead to exactly one ri_op_finish()/ri_op_fail*() on it, unless core
 * ends it through op->cancel (core/op.h). It may finish at once: delivery is later in any case. Keys have been
 * checked by core: below the store's root, no NUL, on folder stores (RI_FOLDERS) no empty, "." or ".." component
 * and no trailing slash; "" is the root. All run on the loop's thread and never block it. */
#ifndef RI_BACKEND_H
#define RI_BACKEND_H

#include <roma/transfer.h>

#include "core/buf.h"
#include "core/op.h"
#include "core/source.h"
#include "core/uri.h"
#include "core/whole.h"

#define RI_BACKEND_ABI 9

enum ri_backend_flags {
        /* Keys are paths in a tree; core builds list, writer and mkdir -p on readdir, file_*, rename. */
        RI_FOLDERS = 1,
        /* Others may write under our hands: a reader looks again at the end. */
        RI_RECHECK = 2,
        /* Opens pipes and devices, when asked with RI_O_STREAM: read and written in order, without offsets. */
        RI_STREAMS = 4,
        /* A folder store whose new objects take their name while the file is still open, after which it is synced once
         * more and closed: see core/folder_writer.c. */
        RI_RENAME_OPEN = 8,
        /* Where a change has been told UNKNOWN, a look at the names does not tell what became of it: what is there need not be safe,
         * and what has been given up may still go on. */
        RI_NO_LOOK = 16
};

/* Something that lives in a store: a file, writer, reader. When the store closes, `end` starts its ending; when it
 * is gone it calls ri_child_gone(). With `now` it must be gone before end returns. */
struct ri_child {
        struct ri_list link;
        void (*end)(struct ri_child *c, bool now);
};

enum { RI_O_STREAM = 0x10000 }; /* file_open: a stream will do; then the attributes have no length */

struct roma_store {
        roma_loop *loop;
        const struct ri_backend *be;
        void *impl; /* the backend's own */
        char *uri;  /* without secrets */
        struct ri_list in_loop;
        struct ri_list ops;      /* until delivered */
        struct ri_list children; /* struct ri_child */
        struct ri_list cursors;  /* of core/list_cursor.c */
        size_t list_window;      /* bytes of names that a list may read ahead for the pages to come */
        uint64_t changes;        /* of names, begun or ended: what was listed before may be no longer so */
        uint32_t stall_ms;       /* from ?stall=, 0: default */
        uint32_t min_stall_ms;   /* of the backend */
        bool opened;             /* connect succeeded */
        bool closing, ended, be_closing;
        bool telling;   /* its children are told to end */
        bool raw_keys;  /* keys are paths as the program wrote them, "-" is standard input or output */
        bool transient; /* nobody holds it: it closes when nothing lives in it any more */
        struct ri_op *close_op;
        struct ri_timer close_limit;
        /* of a transient one */
        roma_store *parent;
        struct ri_child child; /* of the parent */
        struct ri_task closer;
};

struct roma_file {
        roma_store *store;
        void *impl;
        char *key;
        unsigned flags; /* enum roma_open_flags */
        struct ri_child child;
        struct ri_list ops; /* data operations in flight: ri_op.in_file */
        bool closing;
        const roma_attr *known; /* during file_open: what a list has said of it, a hint; or NULL */
        struct ri_whole
                whole; /* what the store knows of all bytes: set by file_open, compared by a reader of all */
};

/* core/store.c: goes on closing when something has ended. */
void ri_store_step(roma_store *store);
/* A store over this machine's paths, for one end of a transfer: see raw_keys, transient. The closing of `parent` waits
 * for it. NULL: the error is set. */
roma_store *ri_store_local(roma_store *parent);
/* Closes at once: the loop goes away. */
void ri_store_close_now(roma_store *store);

/* For what lives in a store. */
void ri_child_add(roma_store *store, struct ri_child *c, void (*end)(struct ri_child *c, bool now));
void ri_child_gone(roma_store *store, struct ri_child *c);
/* roma_aio_file_open(), with what a list has said of the object (NULL: nothing); not kept. */
roma_op ri_aio_file_open(roma_store *store, const char *key, unsigned flags, uint32_t mode,
                         const roma_attr *known, const roma_opts *opts, roma_done *done, void *arg);
/* A composite takes a file over: it, not the store's closing, will close it. */
void ri_file_own(roma_file *file);
/* Closes at once, without asking or telling anybody: for the `now` of an owner's ending. */
void ri_file_drop(roma_file *file);

/* One name of a folder, as readdir delivers it. name is not NUL-terminated and lives during the call. */
struct ri_dirent {
        const char *name;
        size_t name_len;
        const roma_attr *attr;
};
/* false: stop, enough. */
typedef bool ri_dirent_fn(void *arg, const struct ri_dirent *ent);

struct ri_backend {
        unsigned abi;
        const char *name;
        const char *const *schemes; /* NULL-terminated */
        const char *const *options; /* known URI options besides the common ones; NULL-terminated */
        unsigned flags;             /* enum ri_backend_flags */
        unsigned caps;              /* enum roma_caps */
        /* Folder stores: parts of an object of so many bytes go to different servers, and a copy writes two of them at
         * once. A multiple of RI_PIECE; 0: there is nothing to gain. */
        uint64_t stripe;

        /* Checks the URI and sets store->impl; no waiting. 0, or -1 with *e filled. uri NULL: raw_keys. */
        int (*store_new)(roma_store *store, const struct ri_uri *uri, struct ri_error *e);
        void (*connect)(struct ri_op *op);
        /* Nothing is in flight and no file open any more. Must lead to ri_store_closed(store) within 4 s; with
         * `now` before it returns (the loop is going away). Frees store->impl. */
        void (*close)(roma_store *store, bool now);

        void (*stat)(struct ri_op *op, const char *key, unsigned flags);
        void (*unlink)(struct ri_op *op, const char *key, unsigned flags);
        void (*mkdir)(struct ri_op *op, const char *key, uint32_t mode);
        void (*rmdir)(struct ri_op *op, const char *key);
        void (*rename)(struct ri_op *op, const char *from, const char *to, unsigned flags);
        void (*link)(struct ri_op *op, const char *key, const char *name);
        void (*symlink)(struct ri_op *op, const char *target, const char *name);
        void (*readlink)(struct ri_op *op, const char *key); /* ri_op_set_text() */
        void (*setattr)(struct ri_op *op, const char *key, const roma_attr *attr, unsigned flags);
        void (*statfs)(struct ri_op *op); /* ri_op_set_space() */
        void (*ping)(struct ri_op *op);   /* ri_op_set_text() */
        /* Folder stores: every entry except "." and "..", in any order, with type at least. */
        void (*readdir)(struct ri_op *op, const char *key, ri_dirent_fn *fn, void *arg);
        /* Other stores: a page; see roma_aio_list(). */
        void (*list)(struct ri_op *op, const char *prefix, const roma_list_opts *opts);

        /* file->impl is the backend's, set before the operation finishes; op->attr too. */
        void (*file_open)(struct ri_op *op, roma_file *file, const char *key, unsigned flags, uint32_t mode);
        /* Nothing is in flight on the file. Takes file->impl over and frees it whatever the result; `file` itself is
         * gone when this returns. */
        void (*file_close)(struct ri_op *op, roma_file *file);
        /* The same without a word to anybody, at once. */
        void (*file_drop)(roma_file *file);
        /* The iovecs are copied by the backend when it needs them after the call; the memory they name is valid until
         * the operation ends. res.bytes; res.crc32 where the bytes were checked in order. */
        void (*file_preadv)(struct ri_op *op, roma_file *file, const struct iovec *iov, int n,
                            uint64_t offset);
        void (*file_pwritev)(struct ri_op *op, roma_file *file, const struct iovec *iov, int n,
                             uint64_t offset);
        void (*file_append)(struct ri_op *op, roma_file *file, const struct iovec *iov,
                            int n); /* res.offset */
        void (*file_truncate)(struct ri_op *op, roma_file *file, uint64_t length);
        void (*file_fsync)(struct ri_op *op, roma_file *file);
        void (*file_stat)(struct ri_op *op, roma_file *file);
        /* setattr on the open file; may be NULL, then core uses the key. */
        void (*file_setattr)(struct ri_op *op, roma_file *file, const roma_attr *attr);

        /* The same for a buffer of the loop, of which the backend keeps a reference as long as it needs it: no copy where
         * a call cannot be revoked. Both may be NULL, then core passes the memory. read: up to len bytes to
         * buf->mem + buf->off, sets buf->len. */
        void (*file_read_buf)(struct ri_op *op, roma_file *file, roma_buf *buf, size_t len, uint64_t offset);
        void (*file_write_buf)(struct ri_op *op, roma_file *file, roma_buf *buf, uint64_t offset);

        /* The open file as something that can be read again at any place, for a writer that holds nothing; it may outlive the
         * file. NULL: this one cannot, or there is no memory. May be NULL. */
        struct ri_source *(*file_source)(roma_file *file);

        /* Stores without folders bring a writer of their own; see core/writer.h. */
        const struct ri_writer_ops *writer;

        /* Collects what unfinished writers left below the prefix, where that are no temporaries with names: res.bytes is how
         * many. NULL: core lists and removes temporaries. */
        void (*gc)(struct ri_op *op, const char *prefix, uint64_t older_than_s);

        /* The store's clock, nanoseconds since 1970. NULL: this machine's. */
        int64_t (*now)(roma_store *store);

        /* A link or a form; see roma/presign.h. NULL: this kind of store has none. opts is complete and lives during the
         * call. Sets res.text and res.extra. */
        void (*presign)(struct ri_op *op, const char *key, const roma_presign_opts *opts);

        /* Compares every replica of `key` with what is known of the source: res.text says what was found. May be
         * NULL. crcs: CRC-32 of each 64 KiB block of the source, the last one padded with zeros. */
        void (*verify_replicas)(struct ri_op *op, const char *key, uint64_t length, const uint32_t *crcs,
                                size_t n);

        /* Multipart uploads of its own; NULL: core makes them of hidden objects. core/upload.h. */
        const struct ri_upload_ops *upload;

        /* A copy that the server makes, of an object of `from` to `key` of the operation's store. Fills res.attr and res.bytes;
         * opts lives during the call, and `from` as long as the operation. can_copy: whether both are of one server, which takes
         * the keys of one for the other's. Both may be NULL. */
        bool (*can_copy)(const roma_store *from, const roma_store *to);
        void (*copy)(struct ri_op *op, roma_store *from, const char *from_key, const char *key,
                     const roma_copy_opts *opts);

        /* Joins the object `key` to the end of the open file, whose length is `offset`, without moving data. May be NULL.
         * concat_unit: bytes of which offset must be a multiple. */
        void (*file_concat)(struct ri_op *op, roma_file *file, uint64_t offset, const char *key);
        uint64_t concat_unit;

        /* Of what pieces an object is made and where they are; ends with ri_layout_finish() of core/layout.h. flags: enum
         * roma_layout_flags. NULL: there is nothing to tell. */
        void (*layout)(struct ri_op *op, const char *key, unsigned flags);

        /* With RI_RECHECK: have the bytes of the open file changed since it was opened with the attributes `then`? Asked when
         * a file_stat of that moment has given `now`. NULL: its length, mtime and inode say so. */
        bool (*file_changed)(roma_file *file, const roma_attr *then, const roma_attr *now);

        /* Stores without folders: whether both are of one bucket or pool, as far as that is known without asking a server, and
         * what the store puts before all its keys ("" or with a slash at its end). Both stores have this same_keys. NULL:
         * nothing can be said. */
        bool (*same_keys)(const roma_store *a, const roma_store *b);
        const char *(*prefix)(const roma_store *store);
};

/* Reads up to len bytes into a buffer of the loop, or writes one; keeps a reference while it is in flight. */
roma_op ri_aio_read_buf(roma_file *file, roma_buf *buf, size_t len, uint64_t offset, const roma_opts *opts,
                        roma_done *done, void *arg);
roma_op ri_aio_write_buf(roma_file *file, roma_buf *buf, uint64_t offset, const roma_opts *opts,
                         roma_done *done, void *arg);
/* Closes on behalf of the store; the store waits for it. false: not possible, nothing has happened. */
bool ri_file_end(roma_file *file);
/* 0, or -1 with the loop's error set: a key the store cannot have. name: of the call. */
int ri_key_check(roma_store *store, const char *name, const char *key);
roma_op ri_aio_verify_replicas(roma_store *store, const char *key, uint64_t length, const uint32_t *crcs,
                               size_t n, const roma_opts *opts, roma_done *done, void *arg);
/* mkdir without the folders above. */
roma_op ri_aio_mkdir_one(roma_store *store, const char *key, uint32_t mode, const roma_opts *opts,
                         roma_done *done, void *arg);

/* core/list_cursor.c */
void ri_cursors_free(roma_store *store);

/* core/registry.c */
const struct ri_backend *ri_backend_for(const char *scheme, struct ri_error *e);

/* For backends. */
void ri_store_closed(roma_store *store);
int ri_op_set_text(struct ri_op *op, const char *text,
                   size_t len); /* 0, or -1 (and the operation has failed) */
void ri_op_set_attr(struct ri_op *op, const roma_attr *attr);
int ri_op_set_space(struct ri_op *op, const roma_space *space);
/* Copies them. 0, or -1 (and the operation has failed). Not together with a text. */
int ri_op_set_props(struct ri_op *op, const roma_prop *v, size_t n);
/* A hidden, short, random name for a temporary: ".roma~" + 16 of [0-9a-z]; out holds RI_TEMP_NAME bytes. */
#define RI_TEMP_PREFIX ".roma~"
enum { RI_TEMP_NAME = 24 };
int ri_temp_name(char out[RI_TEMP_NAME]); /* -1: no random numbers */
bool ri_temp_is(const char *name, size_t len);
/* Whether a component of the key that does not end before `from` is such a name: lists hide these, but for whoever asks for
 * what is below one. */
bool ri_temp_below(const char *key, size_t from);

#endif
