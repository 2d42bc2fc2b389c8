/* SPDX-License-Identifier: MIT */
/* The RADOS store, inner declarations. doc/rados-layout.md describes what it keeps where.
 *
 * Threads: everything runs on the loop's thread but what says otherwise. librados calls back on threads of its own, in
 * parallel; such a call only puts its request into the store's box and posts the box to the loop. What can only block
 * (connecting, pool listings, commands to the monitors) is a job of core's workers. */
#ifndef RAD_RADOS_H
#define RAD_RADOS_H

#include <pthread.h>
#include <rados/librados.h>

#include "cephio/cephio.h"
#include "cephio/rados/codec.h"
#include "core/workers.h"

extern const struct ri_backend rados_backend, rados_raw_backend;

/* No gc has a shorter grace, but for one that knows that nobody writes: 4 times the usual limit of time of a request. */
enum { RAD_GUARD_MS = 120000 };

/* What the URI says. Counted: jobs that outlive their store have a share. */
struct rad_opts {
        unsigned refs; /* atomic */
        char *pool, *ns, *root, *conf, *client, *keyring;
        bool raw;
        unsigned shards; /* of a namespace that is new */
        uint32_t piece;
        uint32_t inline_max;
        uint64_t keep_ms;  /* replaced pieces stay so long for those who read them */
        uint64_t grace_ms; /* a commit that was announced so long ago is over */
        uint64_t
                guard_ms; /* 4 times osd_s, at least RAD_GUARD_MS; no grace is shorter, but 0: nobody writes */
        unsigned connect_s, osd_s;
};
struct rad_opts *rad_opts_new(const struct ri_uri *uri, struct ri_error *e);
struct rad_opts *rad_opts_ref(struct rad_opts *o);
void rad_opts_unref(struct rad_opts *o); /* any thread */

/* conn.c: the handles of clusters, shared and counted in a process, and I/O contexts on them. Any thread. */
struct rad_conn;
struct rad_io {
        unsigned refs; /* atomic */
        struct rad_conn *conn;
        rados_ioctx_t ctx;
        char where[64]; /* for sentences: the monitors */
        char fsid[40];  /* of the cluster; "": not known */
};
/* Blocks. NULL: *e says why. */
struct rad_io *rad_io_open(const struct rad_opts *o, struct ri_error *e);
struct rad_io *rad_io_ref(struct rad_io *io);
/* The last one closes, which may block a while. */
void rad_io_unref(struct rad_io *io);
/* The same where nothing may block: the closing is left to a thread of its own. */
void rad_io_unref_later(struct rad_io *io);
rados_t rad_io_cluster(const struct rad_io *io);
/* The cluster has shut this client out: nobody gets this handle any more. */
void rad_io_dead(struct rad_io *io);
bool rad_io_is_dead(const struct rad_io *io);
/* Handles of clusters that live in this process. */
unsigned rad_conns(void);

/* error.c */
/* rc: a negative errno of librados. what: "read", static. */
void rad_error(struct ri_error *e, int rc, const char *what, const char *object, const char *where);

/* req.c: requests to OSDs. */
enum rad_kind { RAD_WRITE_OP, RAD_READ_OP, RAD_READ, RAD_STAT };

struct rad_box;
struct rad_req {
        struct ri_list link; /* store's waiting or flying */
        struct rad_store *rs;
        struct rad_box *box;
        struct rad_io *io;    /* counted, from the start on */
        struct rad_req *next; /* in the box */
        rados_completion_t c;
        enum rad_kind kind;
        char *oid;
        size_t weight; /* bytes that it moves */
        rados_write_op_t wop;
        rados_read_op_t rop;
        /* Where a read operation puts things; see rad_read_head(), rad_omap_page(). */
        rados_xattrs_iter_t xattrs;
        rados_omap_iter_t omap;
        unsigned char omap_more;
        int part_rc[2];
        /* RAD_READ: into a counted buffer of the loop or memory of its own */
        roma_buf *buf;
        char *mem;
        size_t mem_len, mem_off, got;
        uint64_t offset;
        /* the end */
        int rc;
        uint64_t version, size;
        time_t mtime;
        bool retried;
        bool once;        /* not repeated on a new connection */
        uint64_t send_by; /* when it has waited here for longer it ends with -ECANCELED; 0: no limit */
        int (*build)(struct rad_req *r); /* fills rop again; NULL: cannot be repeated */
        void (*fill)(
                struct rad_req
                        *r); /* puts the bytes into wop when it is sent: those of what waits are not copied */
        void *build_arg;
        struct ri_op
                *op; /* whose time it is, for traces; NULL once that has ended, or when it serves several */
        const char *what; /* "read", for sentences; static */
        bool may_miss;    /* that there is no such object is no failure */
        uint64_t queued_ns, begun_ns;
        void (*done)(struct rad_req *r); /* NULL: nobody waits. The request is freed behind it. */
        void *arg;
};

/* Memory for one, with this object name; NULL: none. */
struct rad_req *rad_req_new(struct rad_store *rs, enum rad_kind kind, const char *oid, struct ri_op *op,
                            const char *what, void (*done)(struct rad_req *), void *arg);
/* Not started: gives it back. */
void rad_req_free(struct rad_req *r);
/* Starts it, or lets it wait behind others. done always comes later. */
void rad_req_go(struct rad_req *r);
/* Something has changed for those who wait: there is a connection, or there will be none. */
void rad_pump(struct rad_store *rs);
/* Nobody waits any more: done will not be called. Reads are called off, changes go on. */
void rad_req_drop(struct rad_req *r);
/* Fails the operation with what became of the request. */
void rad_req_fail(struct rad_req *r, struct ri_op *op);
void rad_req_error(struct rad_req *r, struct ri_error *e);

/* An answer on `io` was rc: when that says that the cluster has shut this client out, a new connection is made. */
void rad_lost(struct rad_store *rs, const struct rad_io *io, int rc);

struct rad_box *rad_box_new(struct rad_store *rs);
/* The store goes: what is in flight frees itself. wait_ms: how long to wait for it. */
void rad_box_close(struct rad_box *b, unsigned wait_ms);

/* store.c */
struct rad_index;
struct rad_store {
        roma_store *store;
        roma_loop *loop;
        struct rad_opts *o;
        struct rad_io *io; /* NULL while there is no connection */
        struct rad_box *box;
        struct ri_list waiting, flying; /* struct rad_req */
        unsigned in_flight;
        uint64_t in_flight_bytes;
        struct rad_connecting *connecting; /* a new connection is on its way */
        struct ri_error broken;            /* code 0: none; why there is no new connection */
        struct rad_index *index;           /* indexed mode */
        bool sure;                         /* of its number of shards; see laid.c */
        unsigned background;               /* things that closing waits for */
        struct ri_list owned;              /* struct rad_own: those of them that nobody else would free */
        bool closing;
        struct ri_timer close_limit;
        struct rad_closing *closer; /* the last step of closing has begun */
};

static inline struct rad_store *rad_of(roma_store *store)
{
        return store->impl;
}

/* A connection anew, after the cluster has shut the old one out; waiting requests go on with it. */
void rad_reconnect(struct rad_store *rs);
void rad_background(struct rad_store *rs, int delta);
/* Something in the background, whose requests may never be answered: when the store goes without waiting any longer,
 * drop frees it. */
struct rad_own {
        struct ri_list link;
        void (*drop)(struct rad_own *o);
};
void rad_own(struct rad_store *rs, struct rad_own *o, void (*drop)(struct rad_own *o));
void rad_disown(struct rad_store *rs, struct rad_own *o);
void rad_close_step(struct rad_store *rs);
/* The key with the store's root before it, in `out`, or the operation has failed. */
bool rad_key(struct ri_op *op, const char *key, char out[RAD_KEY_MAX + 1]);
int64_t rad_now_ns(void);
int rad_random(void *p, size_t n); /* -1: none, never in practice */
/* The end of a stat: it is a name below which keys lie, or the root. */
void rad_stat_folder(struct ri_op *op);

/* job.c: blocking calls for an operation. */
enum { RAD_PHASES = 6 };
struct rad_job {
        struct ri_job job;
        struct ri_op *op;
        struct rad_opts *o;
        struct rad_io *io;
        void (*work)(struct rad_job *j);    /* worker */
        void (*end)(struct rad_job *j);     /* loop; finishes or fails op */
        void (*release)(struct rad_job *j); /* any thread; frees arg */
        void *arg;
        uint64_t queued_ns; /* 0: nobody is told of phases */
        int rc;
        struct ri_error e; /* code above 0: it has failed */
        struct rad_phase {
                const char *name;
                uint64_t start_ns, end_ns;
        } phase[RAD_PHASES];
        unsigned phases;
};
/* Worker: the phase began then and ends now. */
void rad_job_phase(struct rad_job *j, const char *name, uint64_t start_ns);
/* NULL: the operation has failed. */
struct rad_job *rad_job_new(struct ri_op *op, void (*work)(struct rad_job *), void (*end)(struct rad_job *));
void rad_job_go(struct rad_job *j);

/* layout.c */
void rad_layout_of(struct ri_op *op, const char *key, unsigned flags);
void rad_raw_layout_of(struct ri_op *op, const char *key, unsigned flags);

/* ping.c */
void rad_statfs(struct ri_op *op);
void rad_ping(struct ri_op *op);
/* In a worker: how many OSDs are there, as the monitors say, behind what the error says. */
void rad_say_osds(struct ri_error *e, const struct rad_io *io);

/* read.c: a range of an object made of pieces, or of one plain object. */
struct rad_span {
        char oid[RAD_NAME_MAX];
        uint64_t offset;
        size_t len;
        bool last; /* less may come: the object ends there */
};
/* The part of [at, at + want) that lies in one object. */
typedef void rad_locate(void *arg, uint64_t at, uint64_t want, struct rad_span *s);
/* A piece was not there, or shorter than it must be: takes the operation over and fails it. */
typedef void rad_missing(void *arg, struct ri_op *op, const char *oid, int rc, size_t got, size_t want);
/* Reads up to `len` bytes at `at`; the caller has cut it at the end of the object, unless that is not known
 * (plain objects: less is no error). */
void rad_read_iov(struct ri_op *op, struct rad_store *rs, const struct iovec *iov, int n, uint64_t at,
                  uint64_t len, rad_locate *locate, rad_missing *missing, void *arg);
void rad_read_buf(struct ri_op *op, struct rad_store *rs, roma_buf *buf, uint64_t at, uint64_t len,
                  rad_locate *locate, rad_missing *missing, void *arg);

/* raw.c, rawfile.c, rawlist.c, rawwriter.c */
void rad_raw_stat(struct ri_op *op, const char *key, unsigned flags);
void rad_raw_unlink(struct ri_op *op, const char *key, unsigned flags);
void rad_raw_list(struct ri_op *op, const char *prefix, const roma_list_opts *opts);
void rad_raw_open(struct ri_op *op, roma_file *file, const char *key, unsigned flags, uint32_t mode);
void rad_raw_close(struct ri_op *op, roma_file *file);
void rad_raw_drop(roma_file *file);
void rad_raw_preadv(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset);
void rad_raw_pwritev(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset);
void rad_raw_append(struct ri_op *op, roma_file *file, const struct iovec *iov, int n);
void rad_raw_truncate(struct ri_op *op, roma_file *file, uint64_t length);
void rad_raw_fsync(struct ri_op *op, roma_file *file);
void rad_raw_fstat(struct ri_op *op, roma_file *file);
bool rad_raw_changed(roma_file *file, const roma_attr *then, const roma_attr *now);
void rad_raw_read_buf(struct ri_op *op, roma_file *file, roma_buf *buf, size_t len, uint64_t offset);
extern const struct ri_writer_ops rad_raw_writer;

/* head.c */
struct rad_seen {
        bool there;
        struct rad_head head;
        uint8_t blob[RAD_HEAD_BYTES]; /* as it was read, to compare with */
        char *data;                   /* the object, or the encoded segments */
        size_t data_len;
};
/* Reads the head of a whole key. with_data: its data too. done gets the request; rad_head_seen() makes sense of it. */
struct rad_req *rad_read_head(struct rad_store *rs, const char *key, bool with_data, struct ri_op *op,
                              void (*done)(struct rad_req *), void *arg);
/* 0 and *s is filled (there false: no such head), or -1 and *e. data moves to the caller when there was any. */
int rad_head_seen(struct rad_req *r, struct rad_seen *s, struct ri_error *e);
void rad_head_attr(const struct rad_head *h, roma_attr *a);
void rad_head_entry(const struct rad_head *h, struct rad_entry *e);

/* index.c: entries are set and settled in batches, a batch per shard at a time. */
struct rad_index *rad_index_new(struct rad_store *rs, uint32_t shards);
void rad_index_free(struct rad_index *ix);
uint32_t rad_index_shards(const struct rad_index *ix);
typedef void rad_indexed(void *arg, int rc);
struct rad_ix;
/* Says that something will be done to the key, and makes *value what stands there now. NULL: no memory. */
struct rad_ix *rad_index_mark(struct rad_store *rs, const char *key, uint8_t value[RAD_ENTRY_BYTES],
                              struct ri_op *op, rad_indexed *done, void *arg);
/* Nothing will be done, and nobody waits: done will not be called. In the background, when the mark is there, the entry is made
 * true again. */
void rad_index_drop(struct rad_ix *i);
/* In the background: if the entry is still `value`, it becomes `entry` (NULL: goes). If not, it is made true again. */
void rad_index_settle(struct rad_store *rs, const char *key, const uint8_t value[RAD_ENTRY_BYTES],
                      const struct rad_entry *entry);
/* In the background: looks at the head and settles with what is there. */
void rad_index_repair(struct rad_store *rs, const char *key, const uint8_t value[RAD_ENTRY_BYTES]);

/* laid.c: for a store that is not sure. make: lays the namespace out, unless somebody has (-EEXIST), else reads how. */
/* NULL: no memory. */
struct rad_req *rad_layout_ask(struct rad_store *rs, bool make, struct ri_op *op,
                               void (*done)(struct rad_req *), void *arg);
/* What came of it: 0 and the store is sure, or -EEXIST, -ENOENT (nobody has), -ESTALE (otherwise than the store thinks),
 * another errno. */
int rad_layout_said(struct rad_req *r);

/* change.c: one change of one head, as doc/rados-layout.md says: mark, swap, settle. */
struct rad_change;
struct rad_change_ops {
        /* Looks at what is there. 1: go on, 0: nothing to do, it is well, -1: *e says why not. */
        int (*decide)(void *arg, const struct rad_seen *s, struct ri_error *e);
        /* Before each swap, `tries` others of which have lost. *send_by: it is not sent later, by ri_now() (0: no limit), but tried
         * again. false: not yet; rad_change_go_on() or rad_change_stop() is to follow, unless it is dropped. NULL: it may. */
        bool (*ready)(void *arg, unsigned tries, uint64_t *send_by);
        /* Fills the operation on the head. The condition is there already. h: what the head will say; NULL: it is removed. */
        void (*build)(void *arg, const struct rad_seen *s, rados_write_op_t op, struct rad_head *h);
        /* e NULL: done, and `now` is there (NULL: nothing). The change is gone behind it. */
        void (*done)(void *arg, const struct rad_seen *old, const struct rad_head *now,
                     const struct ri_error *e);
};
/* remove: the head goes. replaces: the content goes, so its pieces become garbage. NULL: no memory. */
struct rad_change *rad_change_new(struct rad_store *rs, const char *key, bool remove, bool replaces,
                                  size_t weight, struct ri_op *op, const struct rad_change_ops *ops,
                                  void *arg);
/* guess: begins as if nothing were there. May call done before it returns. */
void rad_change_go(struct rad_change *c, bool guess);
void rad_change_go_on(struct rad_change *c, uint64_t send_by);
/* It fails: nothing is swapped, done is called. */
void rad_change_stop(struct rad_change *c, const struct ri_error *e);
/* Nobody waits any more. What is under way goes on and is settled. true: the head may have been swapped. */
bool rad_change_drop(struct rad_change *c);

/* gcmark.c: the list of generations that may have to be collected, and removing their pieces. */
/* done may be NULL. 0, or -1: no memory. */
struct rad_req *rad_gc_set(struct rad_store *rs, const uint8_t gen[RAD_ID], const struct rad_gc *g,
                           const uint8_t *if_is, size_t if_len, struct ri_op *op,
                           void (*done)(struct rad_req *), void *arg);
/* In the background; if_is: only while that is what stands there, for somebody may have noted since that the pieces become
 * garbage. NULL: there are no pieces any more. */
void rad_gc_forget(struct rad_store *rs, const uint8_t gen[RAD_ID], const uint8_t *if_is, size_t if_len);
/* Removes the pieces of a generation and then its entry, in the background; done (may be NULL) gets how many were
 * there. pieces 0: not known. */
typedef void rad_removed(void *arg, uint64_t n, int rc);
void rad_gc_remove(struct rad_store *rs, const uint8_t gen[RAD_ID], uint64_t pieces, rad_removed *done,
                   void *arg);

/* put.c, names.c, file.c, list.c, gc.c */
extern const struct ri_writer_ops rad_writer;
void rad_stat(struct ri_op *op, const char *key, unsigned flags);
void rad_unlink(struct ri_op *op, const char *key, unsigned flags);
void rad_setattr(struct ri_op *op, const char *key, const roma_attr *attr, unsigned flags);
void rad_open(struct ri_op *op, roma_file *file, const char *key, unsigned flags, uint32_t mode);
void rad_close_file(struct ri_op *op, roma_file *file);
void rad_drop_file(roma_file *file);
void rad_preadv(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset);
void rad_read_file_buf(struct ri_op *op, roma_file *file, roma_buf *buf, size_t len, uint64_t offset);
void rad_fsync(struct ri_op *op, roma_file *file);
void rad_fstat(struct ri_op *op, roma_file *file);
void rad_list(struct ri_op *op, const char *prefix, const roma_list_opts *opts);
void rad_gc(struct ri_op *op, const char *prefix, uint64_t older_than_s);

/* page.c: a page of a list. */
struct rad_page;
struct rad_page *rad_page_new(void);
void rad_page_free(struct rad_page *p);
int rad_page_add(struct rad_page *p, const char *key, size_t len, const roma_attr *attr); /* -1: no memory */
size_t rad_page_count(const struct rad_page *p);
const char *rad_page_last(const struct rad_page *p);                 /* NULL: none */
void rad_page_give(struct rad_page *p, bool more, struct ri_op *op); /* finishes op */

#endif
