/* SPDX-License-Identifier: MIT */
/* Jobs: how an operation gets its calls of libcephfs done in a worker, and what happens when it ends before they do. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cephio/cephfs/cephfs.h"

struct cfs_root *cfs_root_of(roma_store *store)
{
        return store->impl;
}

bool cfs_is_temporary(const char *key)
{
        const char *slash = strrchr(key, '/'), *name = slash ? slash + 1 : key;

        return ri_temp_is(name, strlen(name));
}

/* Thread: any; the last user of the job. */
void cfs_job_unref(struct cfs_job *j)
{
        if (atomic_fetch_sub(&j->refs, 1) != 1)
                return;
        if (j->release)
                j->release(j);
        cfs_fd_unref(j->new_fd);
        if (j->buf)
                roma_buf_unref(j->buf);
        if (j->stray)
                ri_strays_end(j->fd->strays);
        cfs_fd_unref(j->fd);
        cfs_root_unref(j->root);
        free(j->iov_mem);
        free(j->text);
        free(j->key);
        free(j->key2);
        free(j);
}

/* Worker */

void cfs_job_phase(struct cfs_job *j, const char *name, uint64_t start_ns, uint64_t bytes)
{
        if (start_ns && j->phases < CFS_PHASES)
                j->phase[j->phases++] = (struct cfs_phase){ name, start_ns, ri_now(), bytes };
}

static void cfs_job_phase_until(struct cfs_job *j, const char *name, uint64_t start_ns, uint64_t end_ns)
{
        cfs_job_phase(j, name, start_ns, 0);
        if (start_ns && j->phases)
                j->phase[j->phases - 1].end_ns = end_ns;
}

static struct cfs_mount *mount_for(struct cfs_job *j)
{
        uint64_t start = cfs_phase_start(j), connected;
        struct cfs_mount *m;

        if (j->fd)
                return cfs_mount_ref(j->fd->mount);
        m = cfs_root_mount(j->root, &j->call, &j->why);
        if (!m)
                j->err = j->why.err ? j->why.err : EIO;
        connected = j->why.connected_ns;
        if (connected > start && !j->why.others) {
                cfs_job_phase_until(j, "connect", start, connected);
                cfs_job_phase(j, "mds_session", start ? connected : 0, 0);
        } else if (start && (j->why.others || !m)) {
                cfs_job_phase(j, j->why.others ? "mount_wait" : "connect", start, 0);
        }
        return m;
}

/* What the nudger looks at. Symbolic links are followed by libcephfs: it only asks. */
static char *guarded_path(const struct cfs_job *j)
{
        char *path;

        if (!j->guard)
                return NULL;
        if (j->fd)
                return strdup(j->fd->path);
        if (asprintf(&path, "%s/%s", j->root->path, j->key) < 0)
                return NULL;
        return path;
}

/* The journal is written after a nudge or two. What goes on for longer waits for something else: another client that does
 * not give up what it has, the MDS itself. */
enum { JOURNAL_NUDGES = 10 };

static void journal_phase(struct cfs_job *j, uint64_t start, const struct cfs_waiter *w)
{
        uint64_t end = j->mds_end_ns ? j->mds_end_ns : ri_now();
        unsigned nudged = j->mds_end_ns ? j->mds_nudged : w->nudged;

        if (nudged && nudged <= JOURNAL_NUDGES)
                cfs_job_phase_until(j, "journal_wait", start, end);
}

/* Evicted or blocklisted: ESHUTDOWN at once, from every call. But of a session that an MDS does not take on, behind a failover say,
 * every request to it says EPERM, as one does that asks for what is not allowed. Which it is, something tells that is allowed
 * to everybody. */
static bool is_cut_off(const struct cfs_job *j, struct cfs_mount *m)
{
        if (j->err == EPERM && !j->code)
                return cfs_round_trip(m->cm, "/") == -EPERM;
        return j->err == ESHUTDOWN || j->err == ENOTCONN;
}

static void work_once(struct cfs_job *j, struct cfs_mount *m)
{
        char *path = guarded_path(j);
        uint64_t start = cfs_phase_start(j);
        struct cfs_waiter w;

        j->mount = m;
        cfs_call_begin(&j->call, m);
        j->waiter = &w;
        j->mds_end_ns = 0;
        cfs_guard_begin(m, &w, path);
        j->work(j);
        cfs_guard_end(m, &w);
        j->waiter = NULL;
        j->cut = is_cut_off(j, m);
        if (j->cut)
                cfs_mount_dead(m);
        cfs_call_end(&j->call);
        j->mount = NULL;
        j->nudged += w.nudged;
        journal_phase(j, start, &w);
        free(path);
}

/* What can be done a second time is, on a new mount. */
static bool goes_on(struct cfs_job *j)
{
        return j->cut && j->again && !j->fd && !ri_job_abandoned(&j->job);
}

static void job_work(struct ri_job *job)
{
        struct cfs_job *j = ri_container_of(job, struct cfs_job, job);
        struct cfs_mount *m;

        atomic_store(&j->begun, true);
        cfs_job_phase(j, "queue", j->queued_ns, 0);
        if (j->mountless) {
                j->work(j);
                return;
        }
        m = mount_for(j);
        if (!m)
                return;
        work_once(j, m);
        if (goes_on(j)) {
                cfs_mount_put(m);
                j->err = j->code = 0;
                j->cut = false;
                m = mount_for(j);
                if (!m)
                        return;
                work_once(j, m);
        }
        cfs_mount_put(m);
}

bool cfs_job_given_up(struct cfs_job *j)
{
        return !j->temporary && ri_job_abandoned(&j->job);
}

void cfs_job_error(struct cfs_job *j, int r, const char *what)
{
        j->err = r < 0 ? -r : EIO;
        j->what = what;
}

/* Loop */

static void job_orphan(struct ri_job *job)
{
        cfs_job_unref(ri_container_of(job, struct cfs_job, job));
}

static void report(struct cfs_job *j)
{
        j->loop->stats.nudges_total += j->nudged;
        j->nudged = 0;
        for (unsigned i = 0; i < j->phases; i++) {
                const struct cfs_phase *p = &j->phase[i];

                ri_trace_span(j->loop, j->op, p->name, NULL, p->start_ns, p->end_ns, p->bytes,
                              j->err || j->code ? ROMA_ESERVER : ROMA_OK);
        }
        j->phases = 0;
}

static void job_done(struct ri_job *job)
{
        struct cfs_job *j = ri_container_of(job, struct cfs_job, job);

        j->running = false;
        report(j);
        if (!j->op) {
                cfs_job_unref(j);
        } else if (j->err || j->code) {
                cfs_job_fail(j);
                cfs_job_unref(j);
        } else {
                j->end(j);
        }
}

static void job_cancel(struct ri_op *op)
{
        struct cfs_job *j = op->impl;

        if (j->running && j->change && j->fd && !j->keep) {
                ri_strays_begin(j->fd->strays);
                j->stray = true;
        }
        cfs_job_detach(j);
        if (!j->running) {
                cfs_job_unref(j);
                return;
        }
        if (j->keep && !atomic_load(&j->begun))
                return;
        atomic_fetch_add(&j->refs, 1);
        cfs_call_abandon(&j->call);
        if (j->buf)
                ri_buf_orphan(j->buf);
        /* Not begun: taken back now, and no earlier piece of it was under way. A worker that has the job may not have said yet
         * that it begins. */
        if (ri_job_abandon(&j->job) && !atomic_load(&j->begun))
                op->outcome = ROMA_NOT_DONE;
        cfs_job_unref(j);
}

static int copy_key(char **to, const char *from)
{
        if (!from)
                return 0;
        *to = strdup(from);
        return *to ? 0 : -1;
}

struct cfs_job *cfs_job_new(struct ri_op *op, const char *key, const char *key2)
{
        struct cfs_job *j = calloc(1, sizeof(*j));

        if (j) {
                ri_list_init(&j->in_order);
                ri_list_init(&j->wait.link);
                atomic_init(&j->refs, 1);
        }
        if (!j || copy_key(&j->key, key) < 0 || copy_key(&j->key2, key2) < 0) {
                if (j)
                        cfs_job_unref(j);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for the request");
                return NULL;
        }
        j->loop = op->loop;
        j->job.work = job_work;
        j->job.done = job_done;
        j->job.orphan = job_orphan;
        j->job.bytes = sizeof(*j);
        if (op->store) /* a file that ends with its store is closed by an operation without one */
                j->root = cfs_root_ref(cfs_root_of(op->store));
        j->op = op;
        op->impl = j;
        op->cancel = job_cancel;
        ri_op_waits(op, "the cluster", NULL);
        return j;
}

void cfs_job_go(struct cfs_job *j)
{
        j->running = true;
        j->queued_ns = ri_trace_start(j->loop, j->op, "queue");
        j->traced = j->queued_ns != 0;
        if (j->op && j->change)
                j->op->outcome = ROMA_UNKNOWN;
        ri_job_start(j->loop, &j->job);
}

struct ri_op *cfs_job_detach(struct cfs_job *j)
{
        struct ri_op *op = j->op;

        op->impl = NULL;
        j->op = NULL;
        if (j->leave)
                j->leave(j);
        return op;
}

void cfs_job_finish(struct cfs_job *j)
{
        struct ri_op *op = cfs_job_detach(j);

        cfs_job_unref(j);
        ri_op_finish(op);
}

/* A client that was cut off, or a cluster that does not answer in time, may have done it all the same. */
static bool may_be_done(const struct cfs_job *j)
{
        return j->why.stage == CFS_NONE && (j->cut || j->err == ETIMEDOUT);
}

void cfs_job_fail(struct cfs_job *j)
{
        struct ri_error e;
        struct ri_op *op;

        memset(&e, 0, sizeof(e));
        if (j->code)
                ri_error_set(&e, j->code, NULL, "%s", j->text ? j->text : roma_code_text(j->code));
        else
                cfs_error(&e, j);
        op = cfs_job_detach(j);
        op->outcome =
                j->change && (j->done > 0 || j->partly || may_be_done(j)) ? ROMA_UNKNOWN : ROMA_NOT_DONE;
        ri_op_fail_error(op, &e);
}
