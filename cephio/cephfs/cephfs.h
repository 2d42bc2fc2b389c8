/* SPDX-License-Identifier: MIT */
/* The store over libcephfs, inner declarations.
 *
 * Every call of libcephfs may block, some of them for ever (a stopped MDS), and none can be called back. So each runs in
 * a worker (core/workers.h), and a job owns all that it touches: copies of names, a counted mount, a counted descriptor,
 * a counted buffer. An operation that ends early leaves its job behind. */
#ifndef CFS_H
#define CFS_H

#include <pthread.h>
#include <stdatomic.h>

#include <cephfs/libcephfs.h>

#include "cephio/cephio.h"
#include "core/str.h"
#include "core/strays.h"
#include "core/workers.h"

/* What a mount is made with. Two stores with the same share one. */
struct cfs_conf {
        char *conf;      /* ceph.conf; NULL: where Ceph looks for it */
        char *client;    /* without "client."; NULL: as Ceph chooses, admin */
        char *keyring;   /* NULL: as in ceph.conf */
        char *fs;        /* NULL: the default filesystem */
        char *subfolder; /* what is mounted; "/" */
        uint32_t mount_timeout_s, osd_timeout_s;
        bool nudge;
};

enum cfs_stage {
        CFS_NONE,
        CFS_CREATE,
        CFS_READ_CONF,
        CFS_SET,
        CFS_INIT,
        CFS_OTHER_CLUSTER,
        CFS_SELECT,
        CFS_MOUNT,
        CFS_HANGING,
        CFS_FORKED
};

/* Why there is no mount: errno, how far it came, and words for the sentence. */
struct cfs_why {
        int err;
        enum cfs_stage stage;
        char mon_host[160];
        char want[40], got[40]; /* fsid: of the configuration, of the cluster */
        uint64_t connected_ns;  /* when the monitors had answered; 0: they did not, or nothing was made */
        bool others;            /* another job made the mount, or tried to, and this one waited for it */
        char said[300];         /* by them, when no MDS answers */
};

struct cfs_nudger;

/* A mount, shared in the process. All members are under the registry's lock, except `cm`, which does not change while
 * anybody has a reference. */
struct cfs_mount {
        struct ri_list in_all;
        struct cfs_conf conf;
        unsigned refs;
        pid_t pid;              /* who made it */
        bool made, failed;      /* or still being made */
        bool listed;            /* new users get it */
        bool sick;              /* calls in it hang */
        struct ri_list hanging; /* cfs_call.in_mount: those that nobody waits for any more */
        struct cfs_why why;     /* it failed */
        struct ceph_mount_info *cm;
        struct cfs_nudger *nudger;
        /* Not under the registry's lock. libcephfs 16.2.15 crashes, or lets a lookup hang for ever, when one thread renames
         * what another removes (3 s of two threads that do so are enough): a rename has it alone, removals share it. */
        pthread_rwlock_t names;
};

/* A worker inside libcephfs. Under the registry's lock. */
struct cfs_call {
        struct cfs_mount *mount; /* NULL: it is not inside */
        uint64_t since_ns;
        bool abandoned;
        struct ri_list in_mount; /* while abandoned */
};

/* What store and jobs share; jobs may outlive the store. */
struct cfs_root {
        atomic_uint refs;
        struct cfs_conf conf;
        char *path; /* in the mount: "" or "/a/b" */
        pthread_mutex_t lock;
        struct cfs_mount *mount;     /* the one that is used now, counted; NULL: none yet */
        struct ri_list lines;        /* loop only: cfs_line.in_root */
        struct cfs_closing *closing; /* loop only */
};

/* Someone who may be waiting for the MDS to write its journal; see nudge.c. */
struct cfs_waiter {
        struct ri_list link; /* empty: not registered */
        const char *path;
        uint64_t due_ns;
        unsigned nudged; /* how often while it waited */
};

/* The data operations on one object by their starts, whichever of its open files they came through. Loop only. It stays as
 * long as a descriptor of the object is open, also of a file that was closed: it may have strays. */
struct cfs_line {
        struct ri_list in_root;
        unsigned refs; /* open files */
        uint64_t ino;
        struct ri_list order; /* cfs_job.in_order */
        unsigned waiting;     /* how many of them wait for an earlier one */
        struct ri_strays *strays;
};

/* An open descriptor, shared by a roma_file and its jobs. The last reference closes it, in a worker where it can. */
struct cfs_fd {
        atomic_uint refs;
        struct cfs_mount *mount; /* counted */
        int fd;
        char *path;   /* as it was opened */
        uint64_t ino; /* of the file */
        bool writes;
        atomic_uint changed, synced; /* dirty, bytes or attributes, unless they are the same */
        struct ri_strays *strays;    /* counted; NULL: nobody has got the file yet */
};

/* roma_file.impl */
struct cfs_file {
        struct cfs_fd *fd;
        struct cfs_line *line; /* counted */
};

enum { CFS_OUTSIDE = 0x10000 }; /* cfs_job.err: a symbolic link leads out of the store */

enum { CFS_PHASES = 12 };
struct cfs_phase {
        const char *name;
        uint64_t start_ns, end_ns, bytes;
};

/* One thing to do in a worker for one operation. Fields are set by the loop before the start and by the worker during
 * it, never by both at a time. */
struct cfs_job {
        struct ri_job job;
        struct ri_op *op; /* loop only; NULL once the operation has ended */
        roma_loop *loop;
        atomic_uint refs; /* one of whoever will see it end, one of a canceller that looks at `begun` */
        atomic_bool begun;
        bool running;                     /* handed to the workers and not back */
        bool change;                      /* ends as UNKNOWN when nobody waits for the answer */
        bool again;                       /* may be done a second time when the mount turns out to be dead */
        bool stray;                       /* counted in fd->strays */
        bool keep;                        /* is carried out also when the operation has ended */
        bool guard;                       /* may wait for the MDS's journal: nudge it */
        bool mountless;                   /* its work needs no mount, and must not wait for one */
        bool temporary;                   /* makes or removes a hidden name that nobody else knows */
        void (*work)(struct cfs_job *j);  /* in a worker */
        void (*end)(struct cfs_job *j);   /* on the loop, when err is 0 */
        void (*leave)(struct cfs_job *j); /* on the loop, when the operation ends in any way; may be NULL */
        void (*release)(struct cfs_job *j); /* on any thread, before the job is freed; may be NULL */

        struct cfs_root *root;   /* counted */
        struct cfs_mount *mount; /* during work: counted through root->mount's get, or fd's */
        struct cfs_call call;
        struct cfs_fd *fd; /* counted, or NULL */
        char *key, *key2;
        const char *what;   /* what failed: "open", static */
        bool second;        /* it was key2 that failed */
        int err;            /* errno, CFS_OUTSIDE, or 0 */
        bool cut;           /* err says that the cluster has cut this client off */
        struct cfs_why why; /* stage not CFS_NONE: there was no mount */
        int code;           /* when not 0: this code with `text` in place of err */
        unsigned flags;
        uint32_t mode;
        roma_attr attr; /* in or out */
        char *text;     /* out; owned */
        size_t text_len;
        roma_space space;
        struct cfs_fd *new_fd; /* out; owned */
        unsigned nudged;       /* out */

        bool traced;
        struct cfs_waiter *waiter; /* during work, of a guarded job */
        uint64_t
                mds_end_ns; /* traced: from here on it is not the MDS that it waits for; 0: it may always be */
        unsigned mds_nudged; /* nudges until then */
        struct cfs_phase phase[CFS_PHASES];
        unsigned phases;
        uint64_t queued_ns;

        roma_file *file; /* loop only */

        /* data.c */
        struct ri_list in_order;
        uint64_t line_off, line_len; /* the bytes it counts as touching */
        bool order_waits;
        void (*launch)(struct cfs_job *j);
        struct iovec *iov; /* the caller's memory; touched on the loop only */
        int iovcnt;
        size_t iov_off; /* bytes of iov[0] that are through */
        struct iovec *iov_mem;
        uint64_t offset, length; /* the whole range */
        uint64_t done;           /* bytes of it that are through */
        roma_buf *buf;
        struct ri_buf_wait wait;
        bool buf_waits;
        size_t want, got; /* of this piece */
        bool partly;      /* some of this piece may be there, though it has failed */
        uint32_t crc;

        /* readdir.c */
        struct cfs_dir *dir;

        void *result; /* layout.c */
};

/* mount.c: worker threads only. */
/* 0, or an errno with *stage; *cm is NULL then and nothing is left behind. */
int cfs_mount_make(const struct cfs_conf *conf, struct ceph_mount_info **cm, struct cfs_why *why);
void cfs_mount_unmake(struct ceph_mount_info *cm);
/* Returns when the MDS in charge of the folder has handled all that this mount has sent it before. */
int cfs_round_trip(struct ceph_mount_info *cm, const char *folder);
/* A thread that takes no signals of the program; 0 or an errno. */
int cfs_thread(pthread_t *t, void *(*run)(void *), void *arg);

/* registry.c: any thread but the loop's, except where said. */
/* A counted mount, made when there is none; NULL with *why. call: of the job that asks. */
struct cfs_mount *cfs_mount_get(const struct cfs_conf *conf, struct cfs_call *call, struct cfs_why *why);
/* Whether it would give one that is there already. */
bool cfs_mount_there(const struct cfs_conf *conf);
struct cfs_mount *cfs_mount_ref(struct cfs_mount *m);
/* The last one unmounts, which may take long. */
void cfs_mount_put(struct cfs_mount *m);
/* The same on the loop's thread when the loop goes away: waits no longer than this for the unmounting. */
void cfs_mount_put_within(struct cfs_mount *m, unsigned ms);
bool cfs_mount_listed(struct cfs_mount *m);
/* The cluster has cut this client off: nobody new gets this mount. */
void cfs_mount_dead(struct cfs_mount *m);
void cfs_call_begin(struct cfs_call *call, struct cfs_mount *m);
void cfs_call_end(struct cfs_call *call);
/* Loop thread too. The call goes on with nobody waiting for it: when it has been in there for long, the mount is sick. */
void cfs_call_abandon(struct cfs_call *call);
bool cfs_conf_equal(const struct cfs_conf *a, const struct cfs_conf *b);
int cfs_conf_copy(struct cfs_conf *to, const struct cfs_conf *from); /* 0, or -1: no memory */
void cfs_conf_clear(struct cfs_conf *c);

/* nudge.c */
/* conf must live as long as the nudger. It costs nothing until somebody waits. NULL: no memory. */
struct cfs_nudger *cfs_nudger_new(const struct cfs_conf *conf);
void cfs_guard_begin(struct cfs_mount *m, struct cfs_waiter *w, const char *path);
void cfs_guard_end(struct cfs_mount *m, struct cfs_waiter *w);
unsigned cfs_guard_nudged(struct cfs_mount *m, const struct cfs_waiter *w);
/* Ends its threads and its mount; the last user of the mount has gone. */
void cfs_nudger_stop(struct cfs_nudger *n);

/* job.c */
/* A job for `op`, or NULL and the operation has failed. keys may be NULL. */
struct cfs_job *cfs_job_new(struct ri_op *op, const char *key, const char *key2);
void cfs_job_unref(struct cfs_job *j);
void cfs_job_go(struct cfs_job *j);
/* Fails the operation with the job's error; the job's reference is the caller's still. */
void cfs_job_fail(struct cfs_job *j);
/* The operation is over and the job no longer belongs to it: returns it. */
struct ri_op *cfs_job_detach(struct cfs_job *j);
/* Well ended: detaches, frees, finishes. */
void cfs_job_finish(struct cfs_job *j);
/* In a worker, immediately before a call that changes something: nobody waits for the operation any more, so it is not to begin. Before this
 * it may have waited for long, for an MDS or a lock, and what it would do now would be done to what somebody has made since,
 * of which he was told that it is there. A temporary is nobody else's. */
bool cfs_job_given_up(struct cfs_job *j);
/* In a worker: notes what a call returned (a negative errno). */
void cfs_job_error(struct cfs_job *j, int r, const char *what);
/* In a worker: the time since start_ns belongs to this phase; name is static. */
void cfs_job_phase(struct cfs_job *j, const char *name, uint64_t start_ns, uint64_t bytes);
static inline uint64_t cfs_phase_start(const struct cfs_job *j)
{
        return j->traced ? ri_now() : 0;
}
struct cfs_root *cfs_root_of(roma_store *store);
bool cfs_is_temporary(const char *key);

/* root.c */
struct cfs_root *cfs_root_new(void);
struct cfs_root *cfs_root_ref(struct cfs_root *r);
void cfs_root_unref(struct cfs_root *r); /* the mount has been given back */
/* In a worker: the mount to be used now, counted; NULL with *why. */
struct cfs_mount *cfs_root_mount(struct cfs_root *r, struct cfs_call *call, struct cfs_why *why);
/* Gives the mount back: the store closes. NULL: there was none. */
struct cfs_mount *cfs_root_take(struct cfs_root *r);

/* fd.c */
struct cfs_fd *cfs_fd_new(struct cfs_mount *m, int fd, const char *path);
struct cfs_fd *cfs_fd_ref(struct cfs_fd *f);
void cfs_fd_unref(struct cfs_fd *f);
/* Before a change and behind it: a sync counts for what was done before it began. */
static inline void cfs_fd_changed(struct cfs_fd *f)
{
        atomic_fetch_add(&f->changed, 1);
}
static inline bool cfs_fd_dirty(struct cfs_fd *f)
{
        return atomic_load(&f->changed) != atomic_load(&f->synced);
}

/* path.c, in a worker */
/* The path in the mount of key (second: key2) without a symbolic link on the way, and with follow without one at its end;
 * the caller's to free. NULL: the job has failed. */
char *cfs_resolve(struct cfs_job *j, bool second, bool follow);

/* attr.c */
enum { CFS_STATX = CEPH_STATX_BASIC_STATS };
void cfs_attr(roma_attr *a, const struct ceph_statx *st);
/* The mask for ceph_setattrx(). */
int cfs_attr_to_statx(struct ceph_statx *st, const roma_attr *a);

/* ping.c, in a worker */
/* What the monitors say of the cluster and this filesystem, asked by a client of its own. -1: they do not answer it, and *why. */
int cfs_say_monitors(const struct cfs_conf *c, struct ri_str *s, struct cfs_why *why);
/* Any thread: what to think of an MDS that does not answer, behind what the monitors say. "" or static. */
const char *cfs_mds_hint(const char *said);

/* error.c */
void cfs_error(struct ri_error *e, const struct cfs_job *j);

extern const struct ri_backend cephfs_backend;

/* The entries of the backend table, by file. */
/* names.c */
void cfs_stat(struct ri_op *op, const char *key, unsigned flags);
void cfs_unlink(struct ri_op *op, const char *key, unsigned flags);
void cfs_mkdir(struct ri_op *op, const char *key, uint32_t mode);
void cfs_rmdir(struct ri_op *op, const char *key);
void cfs_rename(struct ri_op *op, const char *from, const char *to, unsigned flags);
void cfs_link(struct ri_op *op, const char *key, const char *name);
void cfs_symlink(struct ri_op *op, const char *target, const char *name);
void cfs_readlink(struct ri_op *op, const char *key);
void cfs_setattr(struct ri_op *op, const char *key, const roma_attr *attr, unsigned flags);
/* readdir.c */
void cfs_readdir(struct ri_op *op, const char *key, ri_dirent_fn *fn, void *arg);
/* file.c */
void cfs_file_open(struct ri_op *op, roma_file *file, const char *key, unsigned flags, uint32_t mode);
void cfs_file_close(struct ri_op *op, roma_file *file);
void cfs_file_drop(roma_file *file);
void cfs_file_fsync(struct ri_op *op, roma_file *file);
void cfs_file_stat(struct ri_op *op, roma_file *file);
void cfs_file_setattr(struct ri_op *op, roma_file *file, const roma_attr *attr);
/* data.c */
void cfs_file_preadv(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset);
void cfs_file_pwritev(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset);
void cfs_file_append(struct ri_op *op, roma_file *file, const struct iovec *iov, int n);
void cfs_file_truncate(struct ri_op *op, roma_file *file, uint64_t length);
void cfs_file_read_buf(struct ri_op *op, roma_file *file, roma_buf *buf, size_t len, uint64_t offset);
void cfs_file_write_buf(struct ri_op *op, roma_file *file, roma_buf *buf, uint64_t offset);
/* layout.c */
void cfs_layout(struct ri_op *op, const char *key, unsigned flags);
/* ping.c */
void cfs_ping(struct ri_op *op);

/* order.c: data operations on one object apply in the order of their starts where they overlap and one is a change. */
/* NULL: no memory. */
struct cfs_line *cfs_line_ref(struct cfs_root *r, uint64_t ino);
void cfs_line_unref(struct cfs_line *line);
/* Those that nobody has open any more; all: the root goes. */
void cfs_lines_free(struct cfs_root *r, bool all);
/* Puts j->line_off, j->line_len of j->file in line; j->launch(j) runs when nothing earlier is in its way, perhaps at
 * once. */
void cfs_order_add(struct cfs_job *j);
/* Leaves the line; allowed when not in it. Others may be launched. */
void cfs_order_end(struct cfs_job *j);

#endif
