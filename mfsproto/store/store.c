/* SPDX-License-Identifier: MIT */
/* The mfs:// store: from a URI to a session, and the table of what it can do.
 *
 *   mfs://host[,host2][:9421]/path?export=/sub&password_file=F&uid=N&gid=N[,N...]&declare=X.Y.Z
 *
 * export is the folder that the master is asked for as our root (default /), path the root of the store below it. uid
 * and gid say who we are for the master's checks (default: the effective user and all groups of this process). declare is
 * the MooseFS version that we say we are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/config.h"
#include "core/digest.h"
#include "core/hosts.h"
#include "core/uri.h"
#include "core/value.h"
#include "mfsproto/store/query.h"
#include <roma/mfs.h>

#include "mfsproto/store/store.h"

enum { PORT = 9421, LEAST_STALL_MS = 35000 };

/* ---- from the URI ----------------------------------------------------------------------------------------- */

struct settings {
        struct mfs_host host[RI_HOSTS_MAX];
        uint32_t gid[WIRE_GIDS_MAX];
        struct mfs_session_cfg cfg;
};

static int read_hosts(struct settings *set, const struct ri_uri *uri, struct ri_str *err)
{
        struct ri_hosts hosts;
        int rc = 0;

        if (ri_hosts_parse(uri->authority, PORT, &hosts, err) < 0)
                return -1;
        for (size_t i = 0; i < hosts.n && rc == 0; i++) {
                const char *name = hosts.v[i].name;

                if (strchr(name, ':') || strlen(name) >= sizeof(set->host[i].name)) {
                        ri_str_printf(err, "the host %.80s: MooseFS needs a name or an IPv4 address", name);
                        rc = -1;
                        break;
                }
                memcpy(set->host[i].name, name, strlen(name) + 1);
                set->host[i].port = hosts.v[i].port;
        }
        set->cfg.host = set->host;
        set->cfg.hosts = hosts.n;
        ri_hosts_clear(&hosts);
        return rc;
}

static int read_number(const char *text, const char **end, uint32_t *v)
{
        char *stop;
        unsigned long long n;

        if (*text < '0' || *text > '9')
                return -1;
        errno = 0;
        n = strtoull(text, &stop, 10);
        if (errno || n > UINT32_MAX)
                return -1;
        *v = (uint32_t)n;
        *end = stop;
        return 0;
}

static int process_gids(struct settings *set)
{
        gid_t groups[WIRE_GIDS_MAX];
        int n = getgroups(WIRE_GIDS_MAX, groups);

        set->gid[0] = getegid();
        set->cfg.gids = 1;
        for (int i = 0; i < n && set->cfg.gids < WIRE_GIDS_MAX; i++)
                if (groups[i] != set->gid[0])
                        set->gid[set->cfg.gids++] = groups[i];
        return 0;
}

static int read_gids(struct settings *set, const char *text, struct ri_str *err)
{
        const char *p = text;

        while (set->cfg.gids < WIRE_GIDS_MAX && read_number(p, &p, &set->gid[set->cfg.gids]) == 0) {
                set->cfg.gids++;
                if (*p == '\0')
                        return 0;
                if (*p++ != ',')
                        break;
        }
        ri_str_printf(err, "option gid: '%.40s' is not understood, expected numbers with commas between them",
                      text);
        return -1;
}

static int read_identity(struct settings *set, const struct ri_uri *uri, struct ri_str *err)
{
        const char *gid = ri_uri_opt(uri, "gid"), *declare = ri_uri_opt(uri, "declare");
        uint64_t uid = geteuid();

        if (ri_uri_opt_u64(uri, "uid", 0, UINT32_MAX, &uid, err) < 0)
                return -1;
        set->cfg.uid = (uint32_t)uid;
        set->cfg.gid = set->gid;
        if (declare && !wire_ver_parse(declare, &set->cfg.declare)) {
                ri_str_printf(err,
                              "option declare: '%.40s' is not understood, expected a version like 4.59.2",
                              declare);
                return -1;
        }
        return gid ? read_gids(set, gid, err) : process_gids(set);
}

static int read_password(roma_store *store, struct settings *set, const struct ri_uri *uri,
                         struct ri_str *err)
{
        struct ri_str secret = RI_STR_INIT(RI_SECRET_FILE_MAX);
        unsigned char sum[RI_DIGEST_MAX];
        int rc = ri_secret_get(uri, store->loop->config, "password", &secret, err);

        if (rc > 0) {
                rc = ri_digest_bytes(RI_MD5, secret.p, secret.len, sum, err);
                memcpy(set->cfg.password_md5, sum, sizeof(set->cfg.password_md5));
                explicit_bzero(sum, sizeof(sum));
                set->cfg.has_password = true;
        }
        ri_str_wipe(&secret);
        return rc;
}

/* The path without slashes at its ends. Its components are names: "." and ".." are not what they are elsewhere. */
static int read_base(struct mfs_store *st, const struct ri_uri *uri, struct ri_str *err)
{
        const char *p = uri->path + strspn(uri->path, "/");
        size_t n = strlen(p);

        while (n && p[n - 1] == '/')
                n--;
        st->base = strndup(p, n);
        if (!st->base) {
                ri_str_puts(err, "out of memory");
                return -1;
        }
        for (const char *c = st->base; *c;) {
                size_t len = strcspn(c, "/");

                if (len == 0 || (len == 1 && c[0] == '.') || (len == 2 && c[0] == '.' && c[1] == '.')) {
                        ri_str_puts(err, "the path has a component that is empty, '.' or '..'");
                        return -1;
                }
                c += len;
                c += *c == '/';
        }
        return 0;
}

static int read_export(struct settings *set, const struct ri_uri *uri, struct ri_str *err)
{
        const char *export = ri_uri_opt(uri, "export");

        if (!export)
                export = "/";
        if (export[0] != '/' || strlen(export) >= WIRE_PATH_MAX) {
                ri_str_printf(err, "option export: a path from / of at most %d bytes is expected",
                              WIRE_PATH_MAX - 1);
                return -1;
        }
        set->cfg.export_path = export;
        return 0;
}

/* ---- the life of a store ---------------------------------------------------------------------------------- */

static void all_changed(struct mfs_watch *w)
{
        mfs_dirs_clear(&ri_container_of(w, struct mfs_store, watch)->dirs);
}

static void store_free(struct mfs_store *st)
{
        mfs_dirs_clear(&st->dirs);
        free(st->base);
        free(st);
}

static int store_new(roma_store *store, const struct ri_uri *uri, struct ri_error *e)
{
        struct mfs_store *st = calloc(1, sizeof(*st));
        struct settings *set = calloc(1, sizeof(*set));
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);
        int rc = -1;

        memset(e, 0, sizeof(*e));
        if (!st || !set) {
                ri_error_set(e, ROMA_ENOMEM, "", "out of memory");
                free(st);
                free(set);
                return -1;
        }
        mfs_dirs_init(&st->dirs);
        ri_list_init(&st->restores);
        ri_list_init(&st->queries);
        st->store = store;
        st->watch.all_changed = all_changed;
        errno = 0;
        if (read_hosts(set, uri, &err) == 0 && read_base(st, uri, &err) == 0 &&
            read_export(set, uri, &err) == 0 && read_identity(set, uri, &err) == 0)
                rc = 0;
        if (rc < 0)
                ri_error_set(e, errno == ENOMEM ? ROMA_ENOMEM : ROMA_EURI, "", "%s", ri_str_cstr(&err));
        if (rc == 0 && read_password(store, set, uri, &err) < 0) {
                ri_error_set(e, errno == ENOMEM ? ROMA_ENOMEM : ROMA_ECONFIG, "", "%s", ri_str_cstr(&err));
                rc = -1;
        }
        set->cfg.info = "libroma";
        if (rc == 0) {
                st->session = mfs_session_new(store->loop, &set->cfg, e);
                rc = st->session ? 0 : -1;
        }
        ri_str_free(&err);
        explicit_bzero(set, sizeof(*set));
        free(set);
        if (rc < 0) {
                store_free(st);
                return -1;
        }
        ri_list_init(&st->watch.link);
        mfs_session_watch(st->session, &st->watch);
        store->impl = st;
        store->min_stall_ms = LEAST_STALL_MS;
        return 0;
}

static void root_walked(struct mfs_req *r)
{
        mfs_req_finish(r);
}

static void session_opened(void *arg, const struct ri_error *e)
{
        struct mfs_req *r = arg;

        r->more = NULL;
        if (e) {
                r->error = *e;
                mfs_req_fail(r);
                return;
        }
        if (!r->st->data)
                r->st->data = mfs_data_new(r->st->session);
        if (!r->st->data)
                mfs_req_fail_with(r, ROMA_ENOMEM, "out of memory");
        else
                mfs_walk_start(r, 0, "", 0, root_walked);
}

static void connect_release(struct mfs_req *r)
{
        if (r->more)
                mfs_session_open_cancel(r->more);
}

static void store_connect(struct ri_op *op)
{
        struct mfs_req *r = mfs_req_new(op);

        if (!r)
                return;
        r->release = connect_release;
        r->more = r->st->session;
        mfs_session_open(r->st->session, op, session_opened, r);
}

/* The master's, which is also that of the times in its attributes. */
static int64_t mfs_be_now(roma_store *store)
{
        const struct mfs_store *st = store->impl;

        return (int64_t)mfs_session_time(st->session) * 1000;
}

static void session_closed(void *arg)
{
        struct mfs_store *st = arg;
        roma_store *store = st->store;

        store->impl = NULL;
        store_free(st);
        ri_store_closed(store);
}

static void store_close(roma_store *store, bool now)
{
        struct mfs_store *st = store->impl;

        mfs_query_drop_all(&st->queries);
        mfs_trash_drop(st);
        if (st->data)
                mfs_data_free(st->data);
        st->data = NULL;
        mfs_session_close(st->session, now, session_closed, st);
}

static const char *const schemes[] = { "mfs", NULL };
static const char *const options[] = { "export", "password_file", "uid", "gid", "declare", NULL };

const struct ri_backend mfs_backend = {
        .abi = RI_BACKEND_ABI,
        .name = "mfs",
        .schemes = schemes,
        .options = options,
        .flags = RI_FOLDERS | RI_RECHECK,
        .stripe = WIRE_CHUNK_SIZE, /* one chain of servers is one thread of each */
        .caps = ROMA_CAP_DIRS | ROMA_CAP_INPLACE | ROMA_CAP_RENAME | ROMA_CAP_LINK | ROMA_CAP_SYMLINK |
                ROMA_CAP_IF_ABSENT | ROMA_CAP_REPLICAS | ROMA_CAP_MODE | ROMA_CAP_SORTED,
        .store_new = store_new,
        .connect = store_connect,
        .close = store_close,
        .stat = mfs_be_stat,
        .unlink = mfs_be_unlink,
        .mkdir = mfs_be_mkdir,
        .rmdir = mfs_be_rmdir,
        .rename = mfs_be_rename,
        .link = mfs_be_link,
        .symlink = mfs_be_symlink,
        .readlink = mfs_be_readlink,
        .setattr = mfs_be_setattr,
        .statfs = mfs_be_statfs,
        .ping = mfs_be_ping,
        .readdir = mfs_be_readdir,
        .file_open = mfs_be_file_open,
        .file_close = mfs_be_file_close,
        .file_drop = mfs_be_file_drop,
        .file_preadv = mfs_be_file_preadv,
        .file_pwritev = mfs_be_file_pwritev,
        .file_write_buf = mfs_be_file_write_buf,
        .now = mfs_be_now,
        .file_append = mfs_be_file_append,
        .file_truncate = mfs_be_file_truncate,
        .file_fsync = mfs_be_file_fsync,
        .file_stat = mfs_be_file_stat,
        .file_setattr = mfs_be_file_setattr,
        .verify_replicas = mfs_be_verify_replicas,
        .file_concat = mfs_be_file_concat,
        .concat_unit = ROMA_MFS_CHUNK_SIZE,
        .file_changed = mfs_be_file_changed,
};
