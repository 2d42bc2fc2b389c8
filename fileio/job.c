/* SPDX-License-Identifier: MIT */
/* Jobs: how an operation gets its system calls done in a worker, and what happens when it ends before they do. */
#include "fileio/fileio.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fio_root *fio_root_of(roma_store *store)
{
        return store->impl;
}

/* Thread: any; the last user of the job. */
void fio_job_unref(struct fio_job *j)
{
        if (atomic_fetch_sub(&j->refs, 1) != 1)
                return;
        if (j->release)
                j->release(j);
        if (j->new_fd >= 0)
                close(j->new_fd);
        if (j->buf)
                roma_buf_unref(j->buf);
        if (j->stray)
                ri_strays_end(j->fd->strays);
        fio_fd_unref(j->fd);
        if (j->being_made)
                atomic_fetch_sub(&j->root->being_made, 1);
        fio_root_unref(j->root);
        free(j->iov_mem);
        free(j->text);
        free(j->key);
        free(j->key2);
        free(j);
}

static void job_work(struct ri_job *job)
{
        struct fio_job *j = ri_container_of(job, struct fio_job, job);

        atomic_store(&j->begun, true);
        if (j->queued_ns)
                j->begun_ns = ri_now();
        j->work(j);
        if (j->queued_ns)
                j->ended_ns = ri_now();
}

static void job_orphan(struct ri_job *job)
{
        fio_job_unref(ri_container_of(job, struct fio_job, job));
}

/* A slow disk and too few workers look alike from outside. A stream's bytes are counted when its piece is full. */
static void report(const struct fio_job *j)
{
        bool failed = j->err || j->code;

        if (!j->queued_ns)
                return;
        ri_trace_span(j->loop, j->op, "queue", NULL, j->queued_ns, j->begun_ns, 0, ROMA_OK);
        ri_trace_span(j->loop, j->op, "disk", NULL, j->begun_ns, j->ended_ns,
                      failed || j->poll_again ? 0 : j->got, failed ? ROMA_ELOCALIO : ROMA_OK);
}

static void job_done(struct ri_job *job)
{
        struct fio_job *j = ri_container_of(job, struct fio_job, job);

        j->running = false;
        report(j);
        if (!j->op) {
                fio_job_unref(j);
        } else if (j->err || j->code) {
                fio_job_fail(j);
                fio_job_unref(j);
        } else {
                j->end(j);
        }
}

static void job_cancel(struct ri_op *op)
{
        struct fio_job *j = op->impl;

        /* Counted before those that wait for this one are let go. */
        if (j->running && j->change && j->fd && !j->keep) {
                ri_strays_begin(j->fd->strays);
                j->stray = true;
        }
        if (j->running && j->temporary) {
                atomic_fetch_add(&j->root->being_made, 1);
                j->being_made = true;
        }
        fio_job_detach(j);
        if (!j->running) {
                fio_job_unref(j);
                return;
        }
        if (j->keep && !atomic_load(&j->begun))
                return;
        atomic_fetch_add(&j->refs, 1);
        if (j->buf)
                ri_buf_orphan(j->buf);
        /* Not begun: taken back now, and no earlier piece of it was under way. A worker that has the job may not have said yet
         * that it begins. */
        if (ri_job_abandon(&j->job) && !atomic_load(&j->begun))
                op->outcome = ROMA_NOT_DONE;
        fio_job_unref(j);
}

struct fio_job *fio_job_alone(roma_loop *loop)
{
        struct fio_job *j = calloc(1, sizeof(*j));

        if (!j)
                return NULL;
        j->loop = loop;
        j->job.work = job_work;
        j->job.done = job_done;
        j->job.orphan = job_orphan;
        j->job.bytes = sizeof(*j);
        j->new_fd = -1;
        ri_list_init(&j->in_order);
        ri_list_init(&j->wait.link);
        atomic_init(&j->refs, 1);
        return j;
}

static int copy_key(char **to, const char *from)
{
        if (!from)
                return 0;
        *to = strdup(from);
        return *to ? 0 : -1;
}

struct fio_job *fio_job_new(struct ri_op *op, const char *key, const char *key2)
{
        struct fio_job *j = fio_job_alone(op->loop);

        if (!j || copy_key(&j->key, key) < 0 || copy_key(&j->key2, key2) < 0) {
                if (j)
                        fio_job_unref(j);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for the request");
                return NULL;
        }
        if (op->store) /* a file that ends with its store is closed by an operation without one */
                j->root = fio_root_ref(fio_root_of(op->store));
        j->op = op;
        op->impl = j;
        op->cancel = job_cancel;
        ri_op_waits(op, "the disk", NULL);
        return j;
}

void fio_job_go(struct fio_job *j)
{
        j->running = true;
        j->queued_ns = ri_trace_start(j->loop, j->op, "queue");
        if (j->op && j->change)
                j->op->outcome = ROMA_UNKNOWN;
        ri_job_start(j->loop, &j->job);
}

struct ri_op *fio_job_detach(struct fio_job *j)
{
        struct ri_op *op = j->op;

        op->impl = NULL;
        j->op = NULL;
        if (j->leave)
                j->leave(j);
        return op;
}

void fio_job_errno(struct fio_job *j, const char *what)
{
        j->err = errno ? errno : EIO;
        j->what = what;
}

static void full_path(struct ri_str *s, const struct fio_root *r, const char *key)
{
        if (r->confined)
                ri_str_puts(s, r->path);
        if (r->confined && *key && strcmp(r->path, "/") != 0)
                ri_str_putc(s, '/');
        ri_str_puts(s, key);
}

/* What no refusal of this machine's own says: a file system behind a network, or behind a program, has lost the answer, and may
 * have done what was asked. */
static bool answer_lost(int err)
{
        switch (err) {
        case EIO:
        case EINTR:
        case ETIMEDOUT:
        case ENOTCONN:
        case ECONNABORTED:
        case ECONNRESET:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case ESHUTDOWN:
        case EREMOTEIO: return true;
        default: return false;
        }
}

static int outcome_of(const struct fio_job *j)
{
        if (j->unsafe)
                return ROMA_DONE;
        return j->change && (j->done > 0 || answer_lost(j->err)) ? ROMA_UNKNOWN : ROMA_NOT_DONE;
}

void fio_job_fail(struct fio_job *j)
{
        struct ri_error e;
        struct ri_str path = RI_STR_INIT(RI_STR_MAX_ERROR);
        struct ri_op *op = fio_job_detach(j);
        const char *key = j->second && j->key2 ? j->key2 : j->key;

        memset(&e, 0, sizeof(e));
        op->outcome = outcome_of(j);
        full_path(&path, j->root, key ? key : op->object ? op->object : "");
        if (j->code)
                ri_error_set(&e, j->code, NULL, "%s", j->text ? j->text : roma_code_text(j->code));
        else if (j->err == FIO_OUTSIDE)
                ri_error_set(&e, ROMA_EACCES, NULL,
                             "a symbolic link on the way to %.200s leads out of the store's folder %.200s; "
                             "open a store "
                             "on the folder that it leads to",
                             ri_str_cstr(&path), j->root->path);
        else
                ri_error_errno(&e, j->err, j->what, ri_str_cstr(&path));
        ri_str_free(&path);
        ri_op_fail_error(op, &e);
}

struct fio_fd *fio_fd_new(int fd, struct ri_strays *strays)
{
        struct fio_fd *f = calloc(1, sizeof(*f));

        if (!f)
                return NULL;
        atomic_init(&f->refs, 1);
        f->strays = ri_strays_ref(strays);
        f->fd = fd;
        return f;
}

struct fio_fd *fio_fd_ref(struct fio_fd *f)
{
        atomic_fetch_add(&f->refs, 1);
        return f;
}

void fio_fd_unref(struct fio_fd *f)
{
        if (!f || atomic_fetch_sub(&f->refs, 1) != 1)
                return;
        if (f->fd >= 0)
                close(f->fd);
        ri_strays_unref(f->strays);
        free(f);
}
