/* SPDX-License-Identifier: MIT */
/* The store over a local folder: opening, closing, room, and the table that core knows it by. */
#include "fileio/fileio.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int store_new(roma_store *store, const struct ri_uri *uri, struct ri_error *e)
{
        if (uri && uri->kind == RI_URI_STORE && uri->authority[0] &&
            strcmp(uri->authority, "localhost") != 0) {
                ri_error_set(e, ROMA_EURI, NULL,
                             "a folder of another host (%.100s) cannot be opened; write file:///folder",
                             uri->authority);
                return -1;
        }
        if (uri && !uri->path[0]) {
                ri_error_set(e, ROMA_EURI, NULL, "no folder is named; write file:///folder");
                return -1;
        }
        store->impl = fio_root_new(uri ? uri->path : "", uri != NULL);
        if (!store->impl) {
                ri_error_set(e, ROMA_ENOMEM, NULL, "no memory for the store");
                return -1;
        }
        return 0;
}

static void finish(struct fio_job *j)
{
        struct ri_op *op = fio_job_detach(j);

        fio_job_unref(j);
        ri_op_finish(op);
}

static void connect_work(struct fio_job *j)
{
        if (fio_root_connect(j->root) < 0)
                fio_job_errno(j, "open folder");
}

static void fio_connect(struct ri_op *op)
{
        struct fio_job *j = fio_job_new(op, "", NULL);

        if (!j)
                return;
        j->work = connect_work;
        j->end = finish;
        fio_job_go(j);
}

static void fio_close(roma_store *store, bool now)
{
        struct fio_root *r = store->impl;

        (void)now;
        store->impl = NULL;
        fio_root_unref(r);
        ri_store_closed(store);
}

/* Saturates: a filesystem that claims more than 2^64 bytes has enough. */
static uint64_t times(uint64_t a, uint64_t b)
{
        return b && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

static void statfs_work(struct fio_job *j)
{
        struct statvfs v;

        if (fstatvfs(j->root->fd, &v) < 0) {
                fio_job_errno(j, "ask for the room of");
                return;
        }
        j->space.total = times(v.f_blocks, v.f_frsize);
        j->space.available = times(v.f_bavail, v.f_frsize);
        j->space.objects = v.f_files >= v.f_ffree ? v.f_files - v.f_ffree : UINT64_MAX;
}

static void statfs_end(struct fio_job *j)
{
        if (ri_op_set_space(j->op, &j->space) < 0) {
                fio_job_detach(j);
                fio_job_unref(j);
                return;
        }
        finish(j);
}

static void fio_statfs(struct ri_op *op)
{
        struct fio_job *j = fio_job_new(op, "", NULL);

        if (!j)
                return;
        j->work = statfs_work;
        j->end = statfs_end;
        fio_job_go(j);
}

static void ping_end(struct fio_job *j)
{
        char text[160];

        snprintf(text, sizeof(text), "the folder answers, %" PRIu64 " of %" PRIu64 " MiB are free",
                 j->space.available >> 20, j->space.total >> 20);
        if (ri_op_set_text(j->op, text, strlen(text)) < 0) {
                fio_job_detach(j);
                fio_job_unref(j);
                return;
        }
        finish(j);
}

static void fio_ping(struct ri_op *op)
{
        struct fio_job *j = fio_job_new(op, "", NULL);

        if (!j)
                return;
        j->work = statfs_work;
        j->end = ping_end;
        fio_job_go(j);
}

static const char *const schemes[] = { "file", NULL };
static const char *const options[] = { NULL };

const struct ri_backend fileio_backend = {
        .abi = RI_BACKEND_ABI,
        .name = "file",
        .schemes = schemes,
        .options = options,
        .flags = RI_FOLDERS | RI_RECHECK | RI_STREAMS | RI_NO_LOOK,
        .caps = ROMA_CAP_DIRS | ROMA_CAP_SORTED | ROMA_CAP_INPLACE | ROMA_CAP_RENAME | ROMA_CAP_LINK |
                ROMA_CAP_SYMLINK | ROMA_CAP_IF_ABSENT | ROMA_CAP_MODE,
        .store_new = store_new,
        .connect = fio_connect,
        .close = fio_close,
        .stat = fio_stat,
        .unlink = fio_unlink,
        .mkdir = fio_mkdir,
        .rmdir = fio_rmdir,
        .rename = fio_rename,
        .link = fio_link,
        .symlink = fio_symlink,
        .readlink = fio_readlink,
        .setattr = fio_setattr,
        .statfs = fio_statfs,
        .ping = fio_ping,
        .readdir = fio_readdir,
        .file_open = fio_file_open,
        .file_close = fio_file_close,
        .file_drop = fio_file_drop,
        .file_preadv = fio_file_preadv,
        .file_pwritev = fio_file_pwritev,
        .file_append = fio_file_append,
        .file_truncate = fio_file_truncate,
        .file_fsync = fio_file_fsync,
        .file_stat = fio_file_stat,
        .file_setattr = fio_file_setattr,
        .file_read_buf = fio_file_read_buf,
        .file_write_buf = fio_file_write_buf,
        .file_source = fio_file_source,
};
