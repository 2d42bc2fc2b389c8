/* SPDX-License-Identifier: MIT */
/* Handles of clusters. One costs 12 threads and 22 MB, so all stores of a process that mean the same cluster and client
 * share one, whichever loop they belong to; the last one shuts it down. All of this blocks and runs on workers. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cephio/monitors.h"
#include "cephio/rados/rados.h"

struct rad_conn {
        struct ri_list link; /* of `conns`; off it when nobody is to find it any more */
        unsigned refs;       /* under `lock` */
        char *id;            /* configuration, client and keyring: who it is for */
        bool up, failed, dead;
        pid_t pid; /* who made it */
        rados_t cluster;
        struct ri_error why; /* failed */
};

static struct ri_list conns = RI_LIST_INIT(conns);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned living;

/* A child has none of the threads of these handles: it makes its own, and leaves its parent's alone. */
static void forked(void)
{
        pthread_mutex_init(&lock, NULL);
        pthread_cond_init(&changed, NULL);
        ri_list_init(&conns);
        living = 0;
}

static void watch_forks(void)
{
        pthread_atfork(NULL, NULL, forked);
}

unsigned rad_conns(void)
{
        unsigned n;

        pthread_mutex_lock(&lock);
        n = living;
        pthread_mutex_unlock(&lock);
        return n;
}

/* Settings. An unknown name is no error: it is one of another release. */

static void set(rados_t c, const char *name, const char *value)
{
        (void)rados_conf_set(c, name, value);
}

static void set_seconds(rados_t c, const char *name, unsigned s)
{
        char v[16];

        snprintf(v, sizeof(v), "%u", s);
        set(c, name, v);
}

static void settings(rados_t c, const struct rad_opts *o)
{
        set_seconds(c, "client_mount_timeout", o->connect_s);
        set_seconds(c, "rados_mon_op_timeout", o->connect_s);
        set_seconds(c, "rados_osd_op_timeout", o->osd_s);
        /* librados blocks whoever asks for more than these allow, which would be the loop: the store has limits of its
         * own (req.c), far below. */
        set(c, "objecter_inflight_ops", "1048576");
        set(c, "objecter_inflight_op_bytes", "1099511627776");
        /* A library writes nothing on its own, and keeps no thousands of log lines. */
        set(c, "log_to_stderr", "false");
        set(c, "err_to_stderr", "false");
        set(c, "log_file", "");
        set(c, "admin_socket", "");
        set(c, "log_max_recent", "500");
        set(c, "debug_ms", "0/0");
        set(c, "debug_objecter", "0/0");
        set(c, "debug_rados", "0/0");
}

static void mons(rados_t c, char *out, size_t n)
{
        char v[256] = "";

        if (rados_conf_get(c, "mon_host", v, sizeof(v)) < 0 || !v[0])
                snprintf(v, sizeof(v), "(no mon host in the configuration)");
        snprintf(out, n, "%.*s", (int)n - 1, v);
}

static int configure(struct rad_conn *c, const struct rad_opts *o)
{
        int r = rados_create(&c->cluster, o->client);

        if (r < 0) {
                rad_error(&c->why, r, "make a client", o->client, NULL);
                c->cluster = NULL;
                return -1;
        }
        r = rados_conf_read_file(c->cluster, o->conf);
        /* Without a file the environment may say all that is needed. */
        if (r < 0 && (o->conf || r != -ENOENT)) {
                ri_error_set(&c->why, ROMA_ECONFIG, NULL, "the Ceph configuration %.200s cannot be read: %s",
                             o->conf ? o->conf : "/etc/ceph/ceph.conf", strerror(-r));
                return -1;
        }
        (void)rados_conf_parse_env(c->cluster, NULL);
        if (o->keyring)
                set(c->cluster, "keyring", o->keyring);
        settings(c->cluster, o);
        return 0;
}

/* The client as the cluster knows it. */
static const char *client_of(const struct rad_opts *o)
{
        return o->client ? o->client : "admin";
}

static void connect_error(struct rad_conn *c, int r, const struct rad_opts *o)
{
        char where[64];

        mons(c->cluster, where, sizeof(where));
        rad_error(&c->why, r, "connect", NULL, where);
        if (r == -ETIMEDOUT)
                ri_error_set(&c->why, ROMA_ECONNECT, where,
                             "no monitor answered within %u s; see whether the monitors run and whether "
                             "mon host in the Ceph configuration names them%s",
                             o->connect_s, ceph_mon_hint(where));
        else if (r == -EACCES || r == -EPERM)
                ri_error_set(
                        &c->why, ROMA_EAUTH, where,
                        "the monitors do not accept the key of client.%.60s; compare its keyring with "
                        "`ceph auth get client.%.60s`, and see whether they are those of the cluster that is "
                        "meant",
                        client_of(o), client_of(o));
        else if (r == -ENOENT)
                ri_error_set(
                        &c->why, ROMA_EAUTH, where,
                        "there is no key for client.%.60s; name its keyring in the Ceph configuration or "
                        "with keyring=, and the client with client=",
                        client_of(o));
        c->why.flags = r == -ETIMEDOUT ? ROMA_RETRIABLE : 0;
        c->why.status_kind = ROMA_STATUS_ERRNO;
        c->why.server_status = -r;
        c->why.status_name = strerrorname_np(-r);
}

/* Monitors of another cluster under a familiar address: nothing that is kept there is what was meant. */
static int same_cluster(struct rad_conn *c, const char *want)
{
        char got[64] = "", where[64];

        if (strlen(want) != 36 || strspn(want, "0-") == 36 ||
            rados_cluster_fsid(c->cluster, got, sizeof(got)) < 0 || strcmp(want, got) == 0)
                return 0;
        mons(c->cluster, where, sizeof(where));
        ri_error_set(
                &c->why, ROMA_ECONFIG, where,
                "the cluster there has the fsid %.40s and the Ceph configuration says %.40s; see whether "
                "mon host names the cluster that is meant",
                got, want);
        return -1;
}

static int connect_now(struct rad_conn *c, const struct rad_opts *o)
{
        char fsid[64] = "";
        int r;

        if (configure(c, o) < 0)
                return -1;
        /* Connecting overwrites it with what the monitors say. */
        if (rados_conf_get(c->cluster, "fsid", fsid, sizeof(fsid)) < 0)
                fsid[0] = '\0';
        r = rados_connect(c->cluster);
        if (r < 0) {
                connect_error(c, r, o);
                return -1;
        }
        return same_cluster(c, fsid);
}

static void conn_free(struct rad_conn *c)
{
        if (c->cluster)
                rados_shutdown(c->cluster);
        pthread_mutex_lock(&lock);
        living--;
        pthread_mutex_unlock(&lock);
        free(c->id);
        free(c);
}

/* Under the lock. */
static bool conn_let_go(struct rad_conn *c)
{
        if (--c->refs)
                return false;
        ri_list_del(&c->link);
        return true;
}

static void conn_unref(struct rad_conn *c)
{
        bool last;

        pthread_mutex_lock(&lock);
        last = conn_let_go(c);
        pthread_mutex_unlock(&lock);
        if (last)
                conn_free(c);
}

static char *id_of(const struct rad_opts *o)
{
        const char *env = getenv("CEPH_CONF");
        char *id;

        return asprintf(&id, "%s\n%s\n%s\n%u\n%u",
                        o->conf ? o->conf
                        : env   ? env
                                : "",
                        client_of(o), o->keyring ? o->keyring : "", o->connect_s, o->osd_s) < 0
                       ? NULL
                       : id;
}

static struct rad_conn *find(const char *id)
{
        ri_list_for_each(l, &conns)
        {
                struct rad_conn *c = ri_container_of(l, struct rad_conn, link);

                if (!c->dead && !c->failed && strcmp(c->id, id) == 0)
                        return c;
        }
        return NULL;
}

/* A share of one that is there (perhaps not yet connected), or a new one that the caller has to connect. */
static struct rad_conn *find_or_add(char *id, bool *mine)
{
        struct rad_conn *c = find(id);

        *mine = !c;
        if (c) {
                c->refs++;
                return c;
        }
        c = calloc(1, sizeof(*c));
        if (!c)
                return NULL;
        c->id = id;
        c->refs = 1;
        c->pid = getpid();
        living++;
        ri_list_add_tail(&conns, &c->link);
        return c;
}

static struct rad_conn *conn_get(const struct rad_opts *o, struct ri_error *e)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        char *id = id_of(o);
        struct rad_conn *c;
        bool mine = false, up;
        int r;

        pthread_once(&once, watch_forks);
        pthread_mutex_lock(&lock);
        c = id ? find_or_add(id, &mine) : NULL;
        /* Whoever connects it has a limit of time. */
        while (c && !mine && !c->up && !c->failed)
                pthread_cond_wait(&changed, &lock);
        up = c && c->up;
        pthread_mutex_unlock(&lock);
        if (!mine || !c)
                free(id);
        if (!c) {
                ri_error_set(e, ROMA_ENOMEM, NULL, "no memory for a connection");
                return NULL;
        }
        if (mine) {
                r = connect_now(c, o);
                pthread_mutex_lock(&lock);
                up = c->up = r == 0;
                c->failed = r < 0;
                pthread_cond_broadcast(&changed);
                pthread_mutex_unlock(&lock);
        }
        if (up)
                return c;
        *e = c->why;
        conn_unref(c);
        return NULL;
}

/* I/O contexts */

static void pool_error(struct ri_error *e, int r, const struct rad_opts *o, const char *where)
{
        rad_error(e, r, "open pool", o->pool, where);
        if (r == -ENOENT)
                ri_error_set(e, ROMA_ENOENT, where,
                             "the cluster has no pool \"%.100s\"; see `ceph osd pool ls`", o->pool);
}

struct rad_io *rad_io_open(const struct rad_opts *o, struct ri_error *e)
{
        struct rad_conn *c = conn_get(o, e);
        struct rad_io *io = c ? calloc(1, sizeof(*io)) : NULL;
        int r;

        if (!c)
                return NULL;
        if (!io) {
                ri_error_set(e, ROMA_ENOMEM, NULL, "no memory for a connection");
                conn_unref(c);
                return NULL;
        }
        io->refs = 1;
        io->conn = c;
        mons(c->cluster, io->where, sizeof(io->where));
        if (rados_cluster_fsid(c->cluster, io->fsid, sizeof(io->fsid)) < 0)
                io->fsid[0] = '\0';
        r = rados_ioctx_create(c->cluster, o->pool, &io->ctx);
        if (r < 0) {
                pool_error(e, r, o, io->where);
                free(io);
                conn_unref(c);
                return NULL;
        }
        rados_ioctx_set_namespace(io->ctx, o->ns);
        /* A full pool is an answer, not something to wait for. */
        rados_set_pool_full_try(io->ctx);
        return io;
}

struct rad_io *rad_io_ref(struct rad_io *io)
{
        __atomic_add_fetch(&io->refs, 1, __ATOMIC_RELAXED);
        return io;
}

static void io_free(struct rad_io *io)
{
        rados_ioctx_destroy(io->ctx);
        conn_unref(io->conn);
        free(io);
}

/* Of the parent, and the parent's to give back. */
static bool inherited(const struct rad_io *io)
{
        return io->conn->pid != getpid();
}

void rad_io_unref(struct rad_io *io)
{
        if (io && !__atomic_sub_fetch(&io->refs, 1, __ATOMIC_ACQ_REL) && !inherited(io))
                io_free(io);
}

static void *free_thread(void *io)
{
        io_free(io);
        ceph_leaving_end();
        return NULL;
}

void rad_io_unref_later(struct rad_io *io)
{
        sigset_t blocked, old;
        pthread_attr_t attr;
        pthread_t t;

        if (!io || __atomic_sub_fetch(&io->refs, 1, __ATOMIC_ACQ_REL) || inherited(io))
                return;
        pthread_attr_init(&attr);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        /* The signals of the program are not for it, nor for what it starts. */
        sigfillset(&blocked);
        pthread_sigmask(SIG_SETMASK, &blocked, &old);
        ceph_leaving_begin();
        /* Without a thread the handle stays: shutting it down from one of its own threads would hang. */
        if (pthread_create(&t, &attr, free_thread, io) != 0)
                ceph_leaving_end();
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        pthread_attr_destroy(&attr);
}

rados_t rad_io_cluster(const struct rad_io *io)
{
        return io->conn->cluster;
}

void rad_io_dead(struct rad_io *io)
{
        pthread_mutex_lock(&lock);
        io->conn->dead = true;
        pthread_mutex_unlock(&lock);
}

bool rad_io_is_dead(const struct rad_io *io)
{
        bool dead;

        pthread_mutex_lock(&lock);
        dead = io->conn->dead;
        pthread_mutex_unlock(&lock);
        return dead;
}
