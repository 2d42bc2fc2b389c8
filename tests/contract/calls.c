/* SPDX-License-Identifier: MIT */
/* Each call of the library, made in the way of the run. */
#include "env.h"

const struct res *x_stat(roma_store *s, const char *key, unsigned flags)
{
        struct wait *w;
        roma_attr a = ROMA_ATTR_INIT;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_stat(s, key, flags, NULL, &a));
        w = w_new();
        w->id = roma_aio_stat(s, key, flags, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_mkdir(roma_store *s, const char *key, uint32_t mode, unsigned flags)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_mkdir(s, key, mode, flags, NULL));
        w = w_new();
        w->id = roma_aio_mkdir(s, key, mode, flags, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_unlink(roma_store *s, const char *key, unsigned flags)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_unlink(s, key, flags, NULL));
        w = w_new();
        w->id = roma_aio_unlink(s, key, flags, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_rmdir(roma_store *s, const char *key)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_rmdir(s, key, NULL));
        w = w_new();
        w->id = roma_aio_rmdir(s, key, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_rename(roma_store *s, const char *from, const char *to, unsigned flags)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_rename(s, from, to, flags, NULL));
        w = w_new();
        w->id = roma_aio_rename(s, from, to, flags, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_link(roma_store *s, const char *key, const char *name)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_link(s, key, name, NULL));
        w = w_new();
        w->id = roma_aio_link(s, key, name, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_symlink(roma_store *s, const char *target, const char *name)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_symlink(s, target, name, NULL));
        w = w_new();
        w->id = roma_aio_symlink(s, target, name, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_readlink(roma_store *s, const char *key)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_readlink(s, key, NULL));
        w = w_new();
        w->id = roma_aio_readlink(s, key, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_setattr(roma_store *s, const char *key, const roma_attr *attr, unsigned flags)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_setattr(s, key, attr, flags, NULL));
        w = w_new();
        w->id = roma_aio_setattr(s, key, attr, flags, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_statfs(roma_store *s)
{
        struct wait *w;
        roma_space sp;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_statfs(s, NULL, &sp));
        w = w_new();
        w->id = roma_aio_statfs(s, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_ping(roma_store *s)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_ping(s, NULL));
        w = w_new();
        w->id = roma_aio_ping(s, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_pread(roma_file *f, void *buf, size_t len, uint64_t offset)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_pread(f, buf, len, offset, NULL));
        w = w_new();
        w->id = roma_aio_pread(f, buf, len, offset, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_pwrite(roma_file *f, const void *buf, size_t len, uint64_t offset)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_pwrite(f, buf, len, offset, NULL));
        w = w_new();
        w->id = roma_aio_pwrite(f, buf, len, offset, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_append(roma_file *f, const void *buf, size_t len)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_append(f, buf, len, NULL));
        w = w_new();
        w->id = roma_aio_append(f, buf, len, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_truncate(roma_file *f, uint64_t length)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_truncate(f, length, NULL));
        w = w_new();
        w->id = roma_aio_truncate(f, length, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_fsync(roma_file *f)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_fsync(f, NULL));
        w = w_new();
        w->id = roma_aio_fsync(f, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_fstat(roma_file *f)
{
        struct wait *w;
        roma_attr a = ROMA_ATTR_INIT;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_fstat(f, NULL, &a));
        w = w_new();
        w->id = roma_aio_fstat(f, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_put(roma_store *s, const char *key, const void *buf, size_t len,
                        const roma_put_opts *opts)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_put(s, key, buf, len, opts));
        w = w_new();
        w->id = roma_aio_put(s, key, buf, len, opts, w_done, w);
        return w_wait(w);
}

const struct res *x_put_path(roma_store *s, const char *key, const char *path, const roma_put_opts *opts)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_put_path(s, key, path, opts, NULL));
        w = w_new();
        w->id = roma_aio_put_path(s, key, path, opts, w_done, w);
        return w_wait(w);
}

const struct res *x_get_path(roma_store *s, const char *key, const char *path, const roma_get_opts *opts)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_get_path(s, key, path, opts, NULL));
        w = w_new();
        w->id = roma_aio_get_path(s, key, path, opts, w_done, w);
        return w_wait(w);
}

const struct res *x_copy(roma_store *from, const char *from_key, roma_store *to, const char *to_key,
                         const roma_copy_opts *opts)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_copy(from, from_key, to, to_key, opts, NULL));
        w = w_new();
        w->id = roma_aio_copy(from, from_key, to, to_key, opts, w_done, w);
        return w_wait(w);
}

const struct res *x_hash(roma_store *s, const char *key, int algorithm)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_hash(s, key, algorithm, NULL));
        w = w_new();
        w->id = roma_aio_hash(s, key, algorithm, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_gc(roma_store *s, const char *prefix, uint64_t older_than_s)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_gc(s, prefix, older_than_s, NULL));
        w = w_new();
        w->id = roma_aio_gc(s, prefix, older_than_s, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_list(roma_store *s, const char *prefix, const roma_list_opts *opts)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_list_page(s, prefix, opts));
        w = w_new();
        w->id = roma_aio_list(s, prefix, opts, w_done, w);
        return w_wait(w);
}

const struct res *x_store_open(const char *uri)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN) {
                roma_store *h = roma_store_open(env.loop, uri, NULL);
                struct res *res = (struct res *)env_took(h ? 0 : -1);

                res->r.store = h;
                return res;
        }
        w = w_new();
        w->id = roma_aio_store_open(env.loop, uri, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_open(roma_store *s, const char *key, unsigned flags, uint32_t mode)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN) {
                roma_file *h = roma_file_open(s, key, flags, mode, NULL);
                struct res *res = (struct res *)env_took(h ? 0 : -1);

                res->r.file = h;
                return res;
        }
        w = w_new();
        w->id = roma_aio_file_open(s, key, flags, mode, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_writer(roma_store *s, const char *key, const roma_writer_opts *opts)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN) {
                roma_writer *h = roma_writer_open(s, key, opts);
                struct res *res = (struct res *)env_took(h ? 0 : -1);

                res->r.writer = h;
                return res;
        }
        w = w_new();
        w->id = roma_aio_writer_open(s, key, opts, w_done, w);
        return w_wait(w);
}

const struct res *x_reader(roma_store *s, const char *key, const roma_reader_opts *opts)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN) {
                roma_reader *h = roma_reader_open(s, key, opts);
                struct res *res = (struct res *)env_took(h ? 0 : -1);

                res->r.reader = h;
                return res;
        }
        w = w_new();
        w->id = roma_aio_reader_open(s, key, opts, w_done, w);
        return w_wait(w);
}

const struct res *x_next(roma_reader *r)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN) {
                roma_buf *b = roma_reader_next(r, NULL);
                struct res *res = (struct res *)env_took(b || roma_last(env.loop)->code == ROMA_OK ? 0 : -1);

                res->r.buf = b;
                return res;
        }
        w = w_new();
        w->id = roma_aio_reader_next(r, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_store_close(roma_store *s)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN) {
                roma_store_close(s);
                return env_fine();
        }
        w = w_new();
        w->id = roma_aio_store_close(s, w_done, w);
        return w_wait(w);
}

const struct res *x_close(roma_file *f)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_file_close(f, NULL));
        w = w_new();
        w->id = roma_aio_file_close(f, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_commit(roma_writer *wr)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_writer_commit(wr, NULL));
        w = w_new();
        w->id = roma_aio_writer_commit(wr, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_write(roma_writer *wr, const void *buf, size_t len)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_writer_write(wr, buf, len, NULL));
        w = w_new();
        w->id = roma_aio_writer_write(wr, buf, len, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_abort(roma_writer *wr)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN) {
                roma_writer_abort(wr);
                return env_fine();
        }
        w = w_new();
        w->id = roma_aio_writer_abort(wr, NULL, w_done, w);
        return w_wait(w);
}

/* These have no blocking twin. */
const struct res *x_preadv(roma_file *f, const struct iovec *iov, int n, uint64_t offset)
{
        struct wait *w = w_new();

        w->id = roma_aio_preadv(f, iov, n, offset, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_pwritev(roma_file *f, const struct iovec *iov, int n, uint64_t offset)
{
        struct wait *w = w_new();

        w->id = roma_aio_pwritev(f, iov, n, offset, NULL, w_done, w);
        return w_wait(w);
}

const struct res *x_write_buf(roma_writer *wr, roma_buf *buf)
{
        struct wait *w = w_new();

        w->id = roma_aio_writer_write_buf(wr, buf, NULL, w_done, w);
        return w_wait(w);
}
