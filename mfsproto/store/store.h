/* SPDX-License-Identifier: MIT */
/* The inside of the mfs:// store, shared by the files of this folder. */
#ifndef MFS_STORE_H
#define MFS_STORE_H

#include "core/backend.h"
#include "mfsproto/chunk/chunk.h"
#include "mfsproto/session/session.h"

enum {
        MFS_DIRS_MAX = 4096, /* folders remembered */
        MFS_DIR_MS = 2000,   /* for so long */
        MFS_LINKS_MAX = 40,
        MFS_LOOKS_MAX = 4 /* how often a change is made anew after a look showed that it had not been made */
};

/* Folders seen lately: (parent, name) -> inode. Never the last component of a path. */
struct mfs_dirs {
        struct ri_map map;
        struct ri_list lru; /* oldest first */
};

struct mfs_store {
        roma_store *store;
        struct mfs_session *session;
        struct mfs_data *data; /* NULL until connected */
        struct mfs_dirs dirs;
        struct mfs_watch watch;
        char *base;              /* path of the store's root below the export, no slash at its ends; "" */
        struct ri_list restores; /* see trash.c */
        struct ri_list queries;  /* idle connections to chunkservers, see replica.c */
};

static inline struct mfs_store *mfs_store_of(const struct ri_op *op)
{
        return op->store->impl;
}

/* dirs.c */
void mfs_dirs_init(struct mfs_dirs *d);
void mfs_dirs_clear(struct mfs_dirs *d);
uint32_t mfs_dirs_find(struct mfs_dirs *d, uint32_t parent, const char *name, size_t len); /* 0: not known */
void mfs_dirs_put(struct mfs_dirs *d, uint32_t parent, const char *name, size_t len, uint32_t inode);

struct mfs_req;

/* A path on its way from the root of the export to its last component. */
enum mfs_walk_flags {
        MFS_WALK_PARENT = 1,   /* only up to the folder of the last component, which is not looked at */
        MFS_WALK_NOFOLLOW = 2, /* a symbolic link as last component is the result */
        MFS_WALK_MISSING = 4   /* a missing last component is no error: inode 0, parent and name set */
};

struct mfs_walk {
        struct mfs_req *req;
        unsigned flags;
        char *key;     /* what comes behind the base; owned */
        char *rest;    /* components to come; owned */
        size_t at;     /* in rest */
        uint32_t *dir; /* folders from the export's root to where we are; owned */
        size_t depth, room;
        bool in_base;      /* still on the way to the store's root */
        size_t base_depth; /* of that */
        uint32_t base_inode;
        unsigned links;
        bool used_cache, no_cache;
        void (*done)(struct mfs_req *r); /* only when it went well; else the request has failed */

        /* the result */
        uint32_t parent, inode;
        char name[WIRE_NAME_MAX + 1];
        size_t name_len;
        bool has_attr; /* not for the store's root, nor for a folder that was remembered */
        struct wire_attr attr;
};

/* The work on one operation: a few steps, each of which is a call to the master. Lives in op->impl. */
struct mfs_req {
        struct ri_op *op;
        struct mfs_store *st;
        struct mfs_call call;
        struct mfs_walk walk[2];
        struct mfs_bulk *bulk;
        struct ri_error error;
        roma_op child; /* an operation of ours that this one waits for */
        void (*child_done)(struct mfs_req *r, const roma_result *res);

        void (*next)(struct mfs_req *r, const struct mfs_reply *rep);
        void (*look)(
                struct mfs_req *r); /* finds out about a change whose answer was lost; NULL: sent again */
        void (*begin)(struct mfs_req *r); /* starts the whole request, again when remembered folders misled */
        void (*release)(struct mfs_req *r); /* frees what hangs on `more` */
        bool changing;                      /* the call in flight is a change */
        bool half;                          /* the first of two changes is made */
        bool stale_tried;                   /* the walk was repeated without remembered folders */
        unsigned looks;

        /* of single operations */
        unsigned flags;
        uint32_t mode;
        uint32_t inode;
        uint32_t retention; /* that the file had before a removal set it to 0; 0: nothing to give back */
        void (*trash_passed)(struct mfs_req *r);
        bool held; /* `inode` is in the list of open ones on behalf of an open that is on its way */
        roma_attr attr;
        char *key, *key2, *text; /* owned */
        roma_file *file;
        struct mfs_inode *ino;
        unsigned told; /* of a file that is closed: see mfs_inode_flush() */
        ri_dirent_fn *fn;
        void *fn_arg;
        struct wire_readdir rd;
        uint64_t edge; /* where the list of the folder goes on */
        bool stopped, rd_begun;
        uint8_t hint;
        void *more;
};

/* req.c */
struct mfs_req *mfs_req_new(struct ri_op *op); /* NULL: op has failed */
struct ri_op *mfs_req_end(struct mfs_req *r);  /* frees r; the caller ends the operation */
void mfs_req_finish(struct mfs_req *r);
void mfs_req_fail_from(struct mfs_req *r, const roma_result *res);
/* An operation of ours about r->key, to be given to somebody who works on it. NULL: r has failed. */
struct ri_op *mfs_req_child(struct mfs_req *r, enum ri_op_kind kind, const char *name,
                            void (*done)(struct mfs_req *r, const roma_result *res));
void mfs_req_fail(struct mfs_req *r); /* with r->error */
void mfs_req_fail_with(struct mfs_req *r, int code, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
void mfs_req_fail_status(struct mfs_req *r, uint8_t status, const char *what);
/* The same for an operation that was started with mfs_req_child_ended and r; 0: it was not, r fails. */
void mfs_req_adopt(struct mfs_req *r, roma_op child, void (*done)(struct mfs_req *r, const roma_result *res));
void mfs_req_child_ended(void *arg, const roma_result *res);
/* A request that changes nothing. next() gets the answer; an error ends r. */
void mfs_req_ask(struct mfs_req *r, struct wire_msg *m, const char *phase,
                 void (*next)(struct mfs_req *r, const struct mfs_reply *rep));
/* A change that changes nothing more the second time: the same, and the outcome is kept. */
void mfs_req_set(struct mfs_req *r, struct wire_msg *m, const char *phase,
                 void (*next)(struct mfs_req *r, const struct mfs_reply *rep));
/* A change. When its answer is lost look() finds out what happened. */
void mfs_req_change(struct mfs_req *r, struct wire_msg *m, const char *phase,
                    void (*next)(struct mfs_req *r, const struct mfs_reply *rep),
                    void (*look)(struct mfs_req *r));
/* Verdicts of look(): it was not made, so it is made by again(); it cannot be said. */
void mfs_req_not_made(struct mfs_req *r, void (*again)(struct mfs_req *r));
void mfs_req_unknown(struct mfs_req *r);
/* A refusal that remembered folders may have caused: true when r->begin() runs again without them. */
bool mfs_req_stale(struct mfs_req *r, uint8_t status);
/* The answer's status: true when r has ended or begun again because of it. */
bool mfs_req_refused(struct mfs_req *r, const struct mfs_reply *rep);
/* True when the session is read-only: r has failed. */
bool mfs_req_readonly(struct mfs_req *r);
/* A LOOKUP of a name; next() gets the answer whatever it is. */
void mfs_req_lookup(struct mfs_req *r, uint32_t parent, const char *name, size_t len,
                    void (*next)(struct mfs_req *r, const struct mfs_reply *rep));
/* *where becomes a copy, owned by r. false: r has failed and is gone, and nothing was touched. */
bool mfs_req_keep(struct mfs_req *r, char **where, const char *text);
bool mfs_is_enoent(uint8_t status);
void mfs_attr_convert(roma_attr *out, const struct wire_attr *in, uint32_t inode);

/* walk.c. May call done() at once. */
void mfs_walk_start(struct mfs_req *r, unsigned which, const char *key, unsigned flags,
                    void (*done)(struct mfs_req *r));
void mfs_walk_free(struct mfs_walk *w);

/* The backend's table: names.c, links.c, space.c, readdir.c, file.c */
void mfs_be_stat(struct ri_op *op, const char *key, unsigned flags);
void mfs_be_unlink(struct ri_op *op, const char *key, unsigned flags);
void mfs_be_mkdir(struct ri_op *op, const char *key, uint32_t mode);
void mfs_be_rmdir(struct ri_op *op, const char *key);
void mfs_be_rename(struct ri_op *op, const char *from, const char *to, unsigned flags);
void mfs_be_link(struct ri_op *op, const char *key, const char *name);
void mfs_be_symlink(struct ri_op *op, const char *target, const char *name);
void mfs_be_readlink(struct ri_op *op, const char *key);
void mfs_be_setattr(struct ri_op *op, const char *key, const roma_attr *attr, unsigned flags);
void mfs_be_statfs(struct ri_op *op);
void mfs_be_ping(struct ri_op *op);
void mfs_be_readdir(struct ri_op *op, const char *key, ri_dirent_fn *fn, void *arg);
void mfs_be_file_open(struct ri_op *op, roma_file *file, const char *key, unsigned flags, uint32_t mode);
void mfs_be_file_close(struct ri_op *op, roma_file *file);
void mfs_be_file_drop(roma_file *file);
void mfs_be_file_preadv(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset);
void mfs_be_file_pwritev(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset);
void mfs_be_file_write_buf(struct ri_op *op, roma_file *file, roma_buf *buf, uint64_t offset);
void mfs_be_file_append(struct ri_op *op, roma_file *file, const struct iovec *iov, int n);
void mfs_be_file_truncate(struct ri_op *op, roma_file *file, uint64_t length);
void mfs_be_file_fsync(struct ri_op *op, roma_file *file);
void mfs_be_file_stat(struct ri_op *op, roma_file *file);
void mfs_be_file_setattr(struct ri_op *op, roma_file *file, const roma_attr *attr);
bool mfs_be_file_changed(roma_file *file, const roma_attr *then, const roma_attr *now);
struct mfs_inode *mfs_be_file_inode(roma_file *file);
unsigned *mfs_be_file_told(roma_file *file); /* see mfs_inode_flush() */
/* trash.c: what r->walk[0] found will not go to the trash when it is removed, in next(), unless it is not ours. */
void mfs_trash_pass(struct mfs_req *r, void (*next)(struct mfs_req *r));
void mfs_trash_removed(struct mfs_req *r); /* it was; else the end of r makes it as it was */
void mfs_trash_restore(struct mfs_req *r); /* now, if there is something to give back */
void mfs_trash_drop(struct mfs_store *st);
/* concat.c */
void mfs_be_file_concat(struct ri_op *op, roma_file *file, uint64_t offset, const char *key);

void mfs_be_verify_replicas(struct ri_op *op, const char *key, uint64_t length, const uint32_t *crcs,
                            size_t n);

/* The mask and fields of a SETATTR; 0 when there is nothing to set. */
uint8_t mfs_setattr_fill(struct mfs_req *r, struct wire_msg *m, uint32_t inode, bool opened,
                         const roma_attr *attr);

extern const struct ri_backend mfs_backend;

#endif
