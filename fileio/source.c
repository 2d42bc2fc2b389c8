/* SPDX-License-Identifier: MIT */
/* An open file as something that can be read again at any place: see core/source.h. */
#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/source.h"
#include "fileio/fileio.h"

struct fio_source {
        struct ri_source base;
        struct fio_fd *fd; /* counted */
};

/* Some kernels answer 0 in the middle of a file when they would have to wait: where it ends a worker finds out. */
static ssize_t cached(int fd, void *to, size_t n, uint64_t offset)
{
        struct iovec v = { to, n };
        ssize_t got = preadv2(fd, &v, 1, (off_t)offset, RWF_NOWAIT);

        if (got == 0 || (got < 0 && errno == EINTR)) {
                errno = EAGAIN;
                return -1;
        }
        return got;
}

static ssize_t source_now(struct ri_source *s, void *to, size_t n, uint64_t offset)
{
        return cached(ri_container_of(s, struct fio_source, base)->fd->fd, to, n, offset);
}

static ssize_t source_wait(struct ri_source *s, void *to, size_t n, uint64_t offset)
{
        int fd = ri_container_of(s, struct fio_source, base)->fd->fd;
        size_t got = 0;

        while (got < n) {
                ssize_t r = pread(fd, (char *)to + got, n - got, (off_t)(offset + got));

                if (r < 0 && errno == EINTR)
                        continue;
                if (r < 0)
                        return -1;
                if (r == 0)
                        break;
                got += (size_t)r;
        }
        return (ssize_t)got;
}

static void source_free(struct ri_source *s)
{
        struct fio_source *f = ri_container_of(s, struct fio_source, base);

        fio_fd_unref(f->fd);
        free(f);
}

static const struct ri_source_ops source_ops = { .now = source_now,
                                                 .wait = source_wait,
                                                 .free = source_free };

/* Not where the kernel cannot tell whether a read would wait: these are file systems behind a network or a program,
 * which may have to fetch again what is read again. */
struct ri_source *fio_file_source(roma_file *file)
{
        struct fio_file *f = file->impl;
        struct fio_source *s;
        char byte;

        if (f->stream || (cached(f->fd->fd, &byte, 1, 0) < 0 && errno != EAGAIN))
                return NULL;
        s = calloc(1, sizeof(*s));
        if (!s)
                return NULL;
        ri_source_init(&s->base, &source_ops);
        s->fd = fio_fd_ref(f->fd);
        return &s->base;
}
