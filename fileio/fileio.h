/* SPDX-License-Identifier: MIT */
/* The store over a local folder, inner declarations.
 *
 * Every system call on a path or an open file runs in a worker (core/workers.h), because a slow disk must not stop the
 * loop. A worker's call cannot be revoked, so a job owns all that it touches: copies of names, a counted root, a counted
 * descriptor, a counted buffer. An operation that ends early leaves its job behind. */
#ifndef FIO_H
#define FIO_H

#include <stdatomic.h>
#include <sys/stat.h>

#include "core/backend.h"
#include "core/strays.h"
#include "core/workers.h"

/* The folder below which all keys lie. Shared by the store and its jobs, of which some may outlive it. */
struct fio_root {
        atomic_uint refs;
        int fd;        /* O_PATH; AT_FDCWD for the local endpoints of transfers; -1 until connected */
        bool confined; /* keys never leave the folder; false: keys are paths as the program wrote them */
        bool whole;    /* the folder is "/", out of which nothing leads */
        bool openat2;  /* the kernel confines, else root.c walks component by component */
        char *path;    /* for sentences; no slash at the end except for "/" */
        struct ri_list lines; /* loop only: fio_line.in_root */
        /* Temporaries whose opening was cancelled and that a worker may still be making. Who removes one waits for
         * them, or it would come too early. */
        atomic_uint being_made;
};

/* The data operations on one object by their starts, whichever of its open files they came through. Loop only. */
struct fio_line {
        struct ri_list in_root;
        unsigned refs; /* open files; at 0 it stays as long as there may be strays */
        uint64_t dev, ino;
        struct ri_list order; /* fio_job.in_order */
        unsigned waiting;     /* how many of them wait for an earlier one */
        struct ri_strays *strays;
};

/* A descriptor shared by a roma_file and its jobs. The last reference closes it. */
struct fio_fd {
        atomic_uint refs;
        int fd;
        atomic_int stream_mode; /* see stream.c */
        struct ri_strays *strays;
};

/* roma_file.impl */
struct fio_file {
        struct fio_fd *fd;
        struct fio_line *line;     /* counted */
        struct fio_stream *stream; /* what cannot be read at offsets: pipes, terminals ...; else NULL */
};

enum { FIO_OUTSIDE = 0x10000 }; /* fio_job.err: a symbolic link leads out of the root */

/* One thing to do in a worker for one operation. Fields are set by the loop before the start and by the worker during
 * it, never by both at a time. */
struct fio_job {
        struct ri_job job;
        struct ri_op *op; /* loop only; NULL once the operation has ended */
        roma_loop *loop;
        atomic_uint refs; /* one of whoever will see it end, one of a canceller that looks at `begun` */
        atomic_bool begun;
        bool running;                       /* handed to the workers and not back */
        bool change;                        /* ends as UNKNOWN when nobody waits for the answer */
        bool stray;                         /* counted in fd->strays */
        bool temporary;                     /* makes one */
        bool being_made;                    /* counted in root->being_made */
        bool keep;                          /* is carried out also when the operation has ended */
        void (*work)(struct fio_job *j);    /* in a worker */
        void (*end)(struct fio_job *j);     /* on the loop, when err is 0 */
        void (*leave)(struct fio_job *j);   /* on the loop, when the operation ends in any way; may be NULL */
        void (*release)(struct fio_job *j); /* on any thread, before the job is freed; may be NULL */

        struct fio_root *root;
        struct fio_fd *fd; /* counted, or NULL */
        char *key, *key2;
        const char *what; /* what failed: "open", static */
        bool second;      /* it was key2 that failed */
        int err;          /* errno, FIO_OUTSIDE, or 0 */
        int code;         /* when not 0: this code with `text` in place of err */
        unsigned flags;
        uint32_t mode;
        roma_attr attr; /* in or out */
        uint64_t dev;   /* out, beside attr.inode */
        char *text;     /* out; owned */
        size_t text_len;
        roma_space space;
        int new_fd;      /* out, -1: none */
        bool new_stream; /* new_fd is one without offsets */
        mode_t new_type; /* S_IF... of new_fd */

        roma_file *file; /* loop only */

        uint64_t queued_ns, begun_ns, ended_ns; /* 0: nobody watches */

        /* data.c */
        struct ri_list in_order;
        uint64_t line_off, line_len; /* the bytes it counts as touching */
        bool order_waits;
        void (*launch)(struct fio_job *j);
        void (*go)(struct fio_job *j); /* starts a piece */
        struct iovec *iov;             /* the caller's memory; touched on the loop only */
        int iovcnt;
        size_t iov_off; /* bytes of iov[0] that are through */
        struct iovec *iov_mem;
        uint64_t offset, length; /* the whole range */
        uint64_t done;           /* bytes of it that are through */
        bool unsafe;             /* it was done, and the disk may lose it */
        roma_buf *buf;
        struct ri_buf_wait wait;
        bool buf_waits;
        size_t want, got; /* of this piece */
        uint32_t crc;

        /* readdir.c */
        struct fio_dir *dir;
        /* stream.c */
        bool on_stream;
        void (*piece_end)(struct fio_job *j);
        bool poll_again; /* out: nothing could be done without waiting */
        bool no_reader;  /* out: the pipe has no other end yet */
        struct ri_timer again;
};

/* root.c: worker threads only, except ref/unref. errno is set as by open(2); EXDEV: outside. */
struct fio_root *fio_root_new(const char *path, bool confined);
struct fio_root *fio_root_ref(struct fio_root *r);
void fio_root_unref(struct fio_root *r);
int fio_root_connect(struct fio_root *r); /* 0, or -1 */
int fio_open(struct fio_root *r, const char *key, int flags, mode_t mode);
/* O_PATH descriptor of the folder that holds the last component; *base points into key. */
int fio_open_parent(struct fio_root *r, const char *key, const char **base);

/* job.c */
/* A job for `op`, or NULL and the operation has failed. keys may be NULL. */
struct fio_job *fio_job_new(struct ri_op *op, const char *key, const char *key2);
/* The same without an operation, for what must be done and nobody waits for. NULL: no memory. */
struct fio_job *fio_job_alone(roma_loop *loop);
void fio_job_unref(struct fio_job *j);
void fio_job_go(struct fio_job *j);
/* Fails the operation with the job's error; the job's reference is the caller's still. */
void fio_job_fail(struct fio_job *j);
/* The operation is over and the job no longer belongs to it: returns it. */
struct ri_op *fio_job_detach(struct fio_job *j);
/* In a worker: notes errno. */
void fio_job_errno(struct fio_job *j, const char *what);
struct fio_root *fio_root_of(roma_store *store);

struct fio_fd *fio_fd_new(int fd, struct ri_strays *strays);
struct fio_fd *fio_fd_ref(struct fio_fd *f);
void fio_fd_unref(struct fio_fd *f);

/* attr.c */
void fio_attr(roma_attr *a, const struct stat *st);
/* 0, or -1 with errno; *part is set when some of it has been changed. */
int fio_set_attr(int fd, bool path_only, const roma_attr *a, bool *part);

extern const struct ri_backend fileio_backend;

/* The entries of the backend table, by file. */
/* names.c */
void fio_stat(struct ri_op *op, const char *key, unsigned flags);
void fio_unlink(struct ri_op *op, const char *key, unsigned flags);
void fio_mkdir(struct ri_op *op, const char *key, uint32_t mode);
void fio_rmdir(struct ri_op *op, const char *key);
void fio_rename(struct ri_op *op, const char *from, const char *to, unsigned flags);
void fio_link(struct ri_op *op, const char *key, const char *name);
void fio_symlink(struct ri_op *op, const char *target, const char *name);
void fio_readlink(struct ri_op *op, const char *key);
void fio_setattr(struct ri_op *op, const char *key, const roma_attr *attr, unsigned flags);
/* readdir.c */
void fio_readdir(struct ri_op *op, const char *key, ri_dirent_fn *fn, void *arg);
/* file.c */
void fio_file_open(struct ri_op *op, roma_file *file, const char *key, unsigned flags, uint32_t mode);
void fio_file_close(struct ri_op *op, roma_file *file);
void fio_file_drop(roma_file *file);
void fio_file_truncate(struct ri_op *op, roma_file *file, uint64_t length);
void fio_file_fsync(struct ri_op *op, roma_file *file);
void fio_file_stat(struct ri_op *op, roma_file *file);
void fio_file_setattr(struct ri_op *op, roma_file *file, const roma_attr *attr);
/* data.c */
void fio_file_preadv(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset);
void fio_file_pwritev(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset);
void fio_file_append(struct ri_op *op, roma_file *file, const struct iovec *iov, int n);
void fio_file_read_buf(struct ri_op *op, roma_file *file, roma_buf *buf, size_t len, uint64_t offset);
void fio_file_write_buf(struct ri_op *op, roma_file *file, roma_buf *buf, uint64_t offset);

/* source.c */
struct ri_source *fio_file_source(roma_file *file);

/* stream.c: pipes, terminals and devices. */
/* In a worker: opens "-" or a special file; st is filled. -1: the job has failed, or no_reader. */
int fio_stream_open(struct fio_job *j, struct stat *st);
/* Of a descriptor that is opened so. NULL: no memory. */
struct fio_stream *fio_stream_new(struct fio_job *j);
void fio_stream_free(struct fio_stream *s);
int fio_stream_mode(const struct fio_job *j);
/* Makes a data job one on a stream. */
void fio_stream_job(struct fio_job *j);
void fio_stream_leave(struct fio_job *j);
bool fio_is_stdio(const struct fio_root *r, const char *key);

/* order.c: data operations on one object apply in the order of their starts where they overlap and one is a change. */
/* The line of the object with this device and inode; NULL: no memory. */
struct fio_line *fio_line_ref(struct fio_root *r, uint64_t dev, uint64_t ino);
void fio_line_unref(struct fio_root *r, struct fio_line *line);
/* The root goes, and with it what lines are left. */
void fio_lines_free(struct fio_root *r);
/* Puts j->line_off, j->line_len of j->file in line; j->launch(j) runs when nothing earlier is in its way, perhaps at
 * once. */
void fio_order_add(struct fio_job *j);
/* Leaves the line; allowed when not in it. Others may be launched. */
void fio_order_end(struct fio_job *j);

#endif
