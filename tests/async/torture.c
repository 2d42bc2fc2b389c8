/* SPDX-License-Identifier: MIT */
/* One put and one get with the n-th allocation failing, or the n-th system call on a socket or on the loop's own
 * descriptors, for every n until nothing fails any more:
 *
 *   torture malloc|socket URI [FIRST [LAST]]
 *
 * Each time the right error or none, the object whole or not there, no leak (the address sanitizer looks at the end),
 * no descriptor left, no crash. The linker leads the calls of the library to the __wrap functions; those that libc
 * makes for itself are not reached. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <pthread.h>

#include <roma/roma.h>

enum { LEN = 100000, UNSTARTED = -1 };

static bool sockets, armed;
static long countdown, calls;
static bool failed_one;
static const char *failed_what = "";
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool fails(bool is_socket, const char *what)
{
        bool now = false;

        if (!armed || is_socket != sockets)
                return false;
        pthread_mutex_lock(&lock);
        calls++;
        if (countdown >= 0 && countdown-- == 0) {
                now = failed_one = true;
                failed_what = what;
        }
        pthread_mutex_unlock(&lock);
        return now;
}

/* Allocations */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
int __real_vasprintf(char **out, const char *fmt, va_list ap);
int __real_posix_memalign(void **out, size_t align, size_t n);
int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
int __wrap_asprintf(char **out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int __wrap_vasprintf(char **out, const char *fmt, va_list ap);
int __wrap_posix_memalign(void **out, size_t align, size_t n);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);

static bool no_memory(const char *what)
{
        if (!fails(false, what))
                return false;
        errno = ENOMEM;
        return true;
}

void *__wrap_malloc(size_t n)
{
        return no_memory("malloc") ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
        return no_memory("calloc") ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
        return no_memory("realloc") ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *s)
{
        return no_memory("strdup") ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
        return no_memory("strndup") ? NULL : __real_strndup(s, n);
}

int __wrap_vasprintf(char **out, const char *fmt, va_list ap)
{
        return no_memory("vasprintf") ? -1 : __real_vasprintf(out, fmt, ap);
}

int __wrap_asprintf(char **out, const char *fmt, ...)
{
        va_list ap;
        int r;

        if (no_memory("asprintf"))
                return -1;
        va_start(ap, fmt);
        r = __real_vasprintf(out, fmt, ap);
        va_end(ap);
        return r;
}

int __wrap_posix_memalign(void **out, size_t align, size_t n)
{
        return no_memory("posix_memalign") ? ENOMEM : __real_posix_memalign(out, align, n);
}

/* A thread needs a stack. */
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
        return fails(false, "pthread_create") ? EAGAIN : __real_pthread_create(t, a, fn, arg);
}

/* System calls of sockets, and those the loop stands on */

int __real_socket(int domain, int type, int protocol);
int __real_connect(int fd, const struct sockaddr *sa, socklen_t len);
ssize_t __real_send(int fd, const void *buf, size_t n, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __real_recv(int fd, void *buf, size_t n, int flags);
ssize_t __real_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t __real_readv(int fd, const struct iovec *iov, int n);
ssize_t __real_writev(int fd, const struct iovec *iov, int n);
int __real_setsockopt(int fd, int level, int name, const void *v, socklen_t len);
int __real_getsockopt(int fd, int level, int name, void *v, socklen_t *len);
int __real_epoll_create1(int flags);
int __real_epoll_ctl(int ep, int op, int fd, struct epoll_event *ev);
int __real_eventfd(unsigned v, int flags);
int __real_timerfd_create(int clock, int flags);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t len);
ssize_t __wrap_send(int fd, const void *buf, size_t n, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t n, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t __wrap_readv(int fd, const struct iovec *iov, int n);
ssize_t __wrap_writev(int fd, const struct iovec *iov, int n);
int __wrap_setsockopt(int fd, int level, int name, const void *v, socklen_t len);
int __wrap_getsockopt(int fd, int level, int name, void *v, socklen_t *len);
int __wrap_epoll_create1(int flags);
int __wrap_epoll_ctl(int ep, int op, int fd, struct epoll_event *ev);
int __wrap_eventfd(unsigned v, int flags);
int __wrap_timerfd_create(int clock, int flags);

static bool broken(const char *what, int err)
{
        if (!fails(true, what))
                return false;
        errno = err;
        return true;
}

int __wrap_socket(int domain, int type, int protocol)
{
        return broken("socket", EMFILE) ? -1 : __real_socket(domain, type, protocol);
}

int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
        return broken("connect", ECONNREFUSED) ? -1 : __real_connect(fd, sa, len);
}

ssize_t __wrap_send(int fd, const void *buf, size_t n, int flags)
{
        return broken("send", EPIPE) ? -1 : __real_send(fd, buf, n, flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
        return broken("sendmsg", ECONNRESET) ? -1 : __real_sendmsg(fd, msg, flags);
}

ssize_t __wrap_recv(int fd, void *buf, size_t n, int flags)
{
        return broken("recv", ECONNRESET) ? -1 : __real_recv(fd, buf, n, flags);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
        return broken("recvmsg", ECONNRESET) ? -1 : __real_recvmsg(fd, msg, flags);
}

static bool is_socket(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

ssize_t __wrap_readv(int fd, const struct iovec *iov, int n)
{
        return is_socket(fd) && broken("readv", ECONNRESET) ? -1 : __real_readv(fd, iov, n);
}

ssize_t __wrap_writev(int fd, const struct iovec *iov, int n)
{
        return is_socket(fd) && broken("writev", EPIPE) ? -1 : __real_writev(fd, iov, n);
}

int __wrap_setsockopt(int fd, int level, int name, const void *v, socklen_t len)
{
        return broken("setsockopt", ENOBUFS) ? -1 : __real_setsockopt(fd, level, name, v, len);
}

int __wrap_getsockopt(int fd, int level, int name, void *v, socklen_t *len)
{
        return broken("getsockopt", ENOBUFS) ? -1 : __real_getsockopt(fd, level, name, v, len);
}

int __wrap_epoll_create1(int flags)
{
        return broken("epoll_create1", EMFILE) ? -1 : __real_epoll_create1(flags);
}

int __wrap_epoll_ctl(int ep, int op, int fd, struct epoll_event *ev)
{
        return op != EPOLL_CTL_DEL && broken("epoll_ctl", ENOSPC) ? -1 : __real_epoll_ctl(ep, op, fd, ev);
}

int __wrap_eventfd(unsigned v, int flags)
{
        return broken("eventfd", EMFILE) ? -1 : __real_eventfd(v, flags);
}

int __wrap_timerfd_create(int clock, int flags)
{
        return broken("timerfd_create", EMFILE) ? -1 : __real_timerfd_create(clock, flags);
}

/* The scenario */

static uint8_t data[LEN], other[LEN], got[LEN + 1];
static char where[600];
static long n_now;

static void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void die(const char *fmt, ...)
{
        va_list ap;

        armed = false;
        va_start(ap, fmt);
        printf("FAIL: %s number %ld (%s): ", sockets ? "system call" : "allocation", n_now, failed_what);
        vprintf(fmt, ap);
        printf("\n");
        va_end(ap);
        fflush(stdout);
        _exit(1);
}

/* A failure must be the right one, and say something. */
static int explain(roma_loop *loop, const char *what)
{
        int code = roma_last(loop)->code;

        snprintf(where, sizeof(where), "%s: %s: %s", what, roma_code_name(code), roma_error(loop));
        if (!failed_one)
                die("nothing failed, and yet: %s", where);
        if (code == ROMA_OK || !*roma_error(loop))
                die("%s failed without a code or a sentence (%s)", what, where);
        if (!sockets && code != ROMA_ENOMEM && code != ROMA_ESYSTEM)
                die("the wrong error: %s", where);
        if (sockets && code != ROMA_ESYSTEM && code != ROMA_ECONNECT && code != ROMA_ECLOSED &&
            code != ROMA_ENOMEM)
                die("the wrong error: %s", where);
        return -1;
}

static int put_and_get(const char *uri)
{
        roma_loop *loop;
        roma_store *s = NULL;
        roma_file *f = NULL;
        int r = -1;

        where[0] = 0;
        loop = roma_loop_new();
        if (!loop) {
                if (!failed_one)
                        die("no loop, though nothing failed");
                return -1;
        }
        s = roma_store_open(loop, uri, NULL);
        if (!s)
                r = explain(loop, "store_open");
        else if (roma_put(s, "torture", data, LEN, NULL) < 0)
                r = explain(loop, "put");
        else if (!(f = roma_file_open(s, "torture", ROMA_O_READ, 0, NULL)))
                r = explain(loop, "open");
        else {
                int64_t n = roma_pread(f, got, LEN + 1, 0, NULL);

                if (n < 0)
                        r = explain(loop, "pread");
                else if (n != LEN || memcmp(got, data, LEN) != 0)
                        die("the bytes that came back are wrong");
                else
                        r = 0;
        }
        if (f && roma_file_close(f, NULL) < 0)
                r = explain(loop, "close");
        if (s)
                roma_store_close(s);
        roma_loop_free(loop);
        return r;
}

static unsigned open_fds(void)
{
        DIR *d = opendir("/proc/self/fd");
        unsigned n = 0;

        while (d && readdir(d))
                n++;
        if (d)
                closedir(d);
        return n;
}

static void list_fds(void)
{
        for (int fd = 0; fd < 1024; fd++) {
                char link[64], to[256] = "";

                snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
                if (readlink(link, to, sizeof(to) - 1) >= 0)
                        printf("descriptor %d: %s\n", fd, to);
        }
}

/* Without faults: the object is the old one or the new one, and whole. */
static void inspect(const char *uri, bool must_be_new)
{
        roma_loop *loop = roma_loop_new();
        roma_store *s = roma_store_open(loop, uri, NULL);
        roma_file *f = s ? roma_file_open(s, "torture", ROMA_O_READ, 0, NULL) : NULL;
        int64_t n = f ? roma_pread(f, got, LEN + 1, 0, NULL) : -1;

        if (n != LEN)
                die("the object has gone bad (%" PRId64 " bytes): %s", n, roma_error(loop));
        if (memcmp(got, data, LEN) != 0 && (must_be_new || memcmp(got, other, LEN) != 0))
                die("the object is neither the old one nor the new one");
        if (roma_file_close(f, NULL) < 0 || roma_put(s, "torture", other, LEN, NULL) < 0 ||
            roma_gc(s, "", 0, NULL) < 0)
                die("putting the old object back: %s", roma_error(loop));
        roma_store_close(s);
        roma_loop_free(loop);
}

int main(int argc, char **argv)
{
        long first = argc > 3 ? strtol(argv[3], NULL, 0) : 0,
             last = argc > 4 ? strtol(argv[4], NULL, 0) : 100000;
        unsigned recovered = 0, refused = 0, fds;

        if (argc < 3)
                return 2;
        sockets = strcmp(argv[1], "socket") == 0;
        srand(99);
        for (size_t i = 0; i < LEN; i++) {
                data[i] = (uint8_t)rand();
                other[i] = (uint8_t)rand();
        }
        if (put_and_get(argv[2]) < 0)
                die("%s", where);
        inspect(argv[2], true);
        fds = open_fds();
        for (n_now = first; n_now <= last; n_now++) {
                int r;

                countdown = n_now;
                calls = 0;
                failed_one = false;
                failed_what = "none";
                armed = true;
                r = put_and_get(argv[2]);
                armed = false;
                if (open_fds() != fds) {
                        list_fds();
                        die("%u descriptors, %u before (%s)", open_fds(), fds, where);
                }
                inspect(argv[2], r == 0);
                if (!failed_one)
                        break;
                if (r == 0)
                        recovered++;
                else
                        refused++;
        }
        printf("%s %s: %ld times, %u recovered, %u refused rightly\n", argv[1], argv[2], n_now - first,
               recovered, refused);
        return n_now - first < 5 && !(sockets && strncmp(argv[2], "file:", 5) == 0);
}
