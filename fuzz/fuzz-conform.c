/* SPDX-License-Identifier: MIT */
/* `roma conform` against servers that answer anything: the checks end, and nothing is left behind.
 *
 * The servers are those of mfsproto/peer, on the same thread, so that every check gets as far as with an honest server; what
 * they say is spoiled on its way as the input wants it. Time is the target's own: when both sides wait, it jumps.
 *
 * The input: a byte (bit 0: 4.59.2 servers, else 3.0.117; bits 1-2: the version that is declared; bit 3: also before the
 * checks), two bytes for the number of the check, then steps of five bytes: which connection, at which byte of what the server
 * says (two bytes), what, and a value. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <roma/conform.h>
#include <roma/roma.h>

#include "mfsproto/peer/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __real_connect(int fd, const struct sockaddr *a, socklen_t n);
int __wrap_connect(int fd, const struct sockaddr *a, socklen_t n);
int __real_poll(struct pollfd *p, nfds_t n, int ms);
int __wrap_poll(struct pollfd *p, nfds_t n, int ms);
ssize_t __real_recv(int fd, void *buf, size_t n, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t n, int flags);
ssize_t __real_send(int fd, const void *buf, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *buf, size_t n, int flags);
int __real_close(int fd);
int __wrap_close(int fd);
ssize_t __wrap_getrandom(void *buf, size_t n, unsigned flags);

enum { FDS = 256, STEPS = 16, TURNS = 3, WAITS = 20000, CHECK_FROM = 3 };
enum { XOR, SET32, CLOSE, STALL, DROP, INSERT, WHATS };

struct step {
        unsigned link, at, what, value;
};

static struct {
        bool running; /* the client is; outside the servers' turns */
        uint64_t ns;
        roma_loop *loop;
        roma_conform *conform;
        unsigned links, waits;
        unsigned number[FDS]; /* of the connection, from 1 on; 0: not the client's */
        unsigned said[FDS];   /* bytes that have come */
        unsigned extra[FDS];  /* bytes that are still made up */
        uint8_t filler[FDS];
        bool ended[FDS], stalled[FDS];
        struct step step[STEPS];
        unsigned steps;
} w;

static void must(bool condition, const char *what)
{
        if (condition)
                return;
        fprintf(stderr, "%s\n", what);
        abort();
}

/* ---- the world that the client sees -------------------------------------------------------------------------- */

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
        if (id != CLOCK_MONOTONIC || !w.ns)
                return __real_clock_gettime(id, ts);
        ts->tv_sec = (time_t)(w.ns / 1000000000);
        ts->tv_nsec = (long)(w.ns % 1000000000);
        return 0;
}

static void turns(void)
{
        bool was = w.running;

        w.running = false;
        for (int i = 0; i < TURNS; i++)
                (void)roma_loop_turn(w.loop, 0);
        w.running = was;
}

static bool ours(int fd)
{
        return w.running && fd >= 0 && fd < FDS && w.number[fd];
}

int __wrap_connect(int fd, const struct sockaddr *a, socklen_t n)
{
        int rc = __real_connect(fd, a, n);

        if (!w.running || fd < 0 || fd >= FDS)
                return rc;
        w.number[fd] = ++w.links;
        w.said[fd] = w.extra[fd] = 0;
        w.ended[fd] = w.stalled[fd] = false;
        turns();
        return rc;
}

/* When nothing happens time goes on, faster and faster. */
int __wrap_poll(struct pollfd *p, nfds_t n, int ms)
{
        int waited = 0, fd = n ? p[0].fd : -1, rc;

        if (!w.running)
                return __real_poll(p, n, ms);
        if (++w.waits == WAITS)
                roma_conform_stop(w.conform);
        if (ours(fd) && w.stalled[fd])
                p[0].fd = -1;
        for (;;) {
                turns();
                rc = __real_poll(p, n, 0);
                if (rc || waited >= ms)
                        break;
                int step = waited < 50 ? 5 : waited < 500 ? 50 : 500;
                w.ns += (uint64_t)step * 1000000;
                waited += step;
        }
        if (n)
                p[0].fd = fd;
        return rc;
}

/* What becomes of the next bytes of this connection: how many of n can be given as they are; 0 when *what applies now. */
static size_t until_step(int fd, size_t n, struct step **what)
{
        *what = NULL;
        for (unsigned i = 0; i < w.steps; i++) {
                struct step *s = &w.step[i];

                if (s->link != w.number[fd] || s->at < w.said[fd])
                        continue;
                if (s->at == w.said[fd]) {
                        *what = s;
                        return 0;
                }
                if (s->at - w.said[fd] < n)
                        n = s->at - w.said[fd];
        }
        return n;
}

static ssize_t made_up(int fd, uint8_t *buf, size_t n)
{
        if (n > w.extra[fd])
                n = w.extra[fd];
        memset(buf, w.filler[fd], n);
        w.extra[fd] -= (unsigned)n;
        return (ssize_t)n;
}

static ssize_t honest(int fd, void *buf, size_t n, int flags)
{
        ssize_t k = __real_recv(fd, buf, n, flags);

        if (k < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                turns();
                k = __real_recv(fd, buf, n, flags);
        }
        return k;
}

/* A step is done when its byte comes, once. */
static ssize_t spoiled(int fd, uint8_t *buf, size_t n, int flags, struct step *s)
{
        uint8_t four[4] = { 0 };
        ssize_t k;

        s->link = 0;
        switch (s->what) {
        case CLOSE: w.ended[fd] = true; return 0;
        case STALL:
                w.stalled[fd] = true;
                errno = EAGAIN;
                return -1;
        case INSERT:
                w.extra[fd] = s->value * 7 + 1;
                w.filler[fd] = (uint8_t)s->value;
                return made_up(fd, buf, n);
        case DROP:
                for (unsigned i = 0; i <= s->value; i++)
                        if (honest(fd, four, 1, flags) <= 0)
                                break;
                return honest(fd, buf, n, flags);
        default: break;
        }
        k = honest(fd, buf, s->what == SET32 && n > 4 ? 4 : 1, flags);
        for (ssize_t i = 0; i < k; i++)
                buf[i] = s->what == XOR ? buf[i] ^ (uint8_t)s->value
                                        : (uint8_t)(i == k - 1      ? s->value
                                                    : s->value >> 7 ? 0xFF
                                                                    : 0);
        return k;
}

ssize_t __wrap_recv(int fd, void *buf, size_t n, int flags)
{
        struct step *s;
        size_t free_bytes;
        ssize_t k;

        if (!ours(fd))
                return __real_recv(fd, buf, n, flags);
        if (w.ended[fd])
                return 0;
        if (w.stalled[fd]) {
                errno = EAGAIN;
                return -1;
        }
        if (w.extra[fd])
                return made_up(fd, buf, n);
        free_bytes = until_step(fd, n, &s);
        k = s ? spoiled(fd, buf, n, flags, s) : honest(fd, buf, free_bytes, flags);
        if (k > 0)
                w.said[fd] += (unsigned)k;
        return k;
}

ssize_t __wrap_send(int fd, const void *buf, size_t n, int flags)
{
        ssize_t k = __real_send(fd, buf, n, flags);

        if (ours(fd))
                turns();
        return k;
}

/* Without TIME_WAIT, so that ports do not run out. */
int __wrap_close(int fd)
{
        const struct linger now = { 1, 0 };
        int rc;

        if (!ours(fd))
                return __real_close(fd);
        w.number[fd] = 0;
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        rc = __real_close(fd);
        turns();
        return rc;
}

ssize_t __wrap_getrandom(void *buf, size_t n, unsigned flags)
{
        (void)flags;
        memset(buf, 7, n);
        return (ssize_t)n;
}

/* ---- one run ------------------------------------------------------------------------------------------------- */

static unsigned told;

static void got(void *arg, const roma_conform_result *r)
{
        const roma_conform_check *check = arg; /* the filter may fit others, too */

        must(strstr(r->check->name, check->name) && r->text, "a verdict on something else");
        must((r->verdict == ROMA_CONFORM_PASS) == !*r->text,
             "a verdict without a reason, or a reason without one");
        told++;
}

static void read_steps(const uint8_t *data, size_t size, unsigned first_link)
{
        w.steps = 0;
        for (; size >= 5 && w.steps < STEPS; data += 5, size -= 5)
                w.step[w.steps++] =
                        (struct step){ first_link + data[0] % 16, (unsigned)data[1] << 8 | data[2],
                                       data[3] % WHATS, data[4] };
}

static const roma_conform_check *check_of(unsigned n)
{
        unsigned all = 0;

        while (roma_conform_check_at(all))
                all++;
        return roma_conform_check_at(n % all);
}

static int conform(const uint8_t *data, size_t size, const char *uri)
{
        static const char *const versions[] = { "4.59.2", "3.0.117", "3.0.71", "1.7.32" };
        roma_conform_opts opts = ROMA_CONFORM_OPTS_INIT;
        const roma_conform_check *check = check_of(size > 2 ? (unsigned)data[1] << 8 | data[2] : 0);
        int code;

        opts.uri = uri;
        opts.as = versions[data[0] >> 1 & 3];
        opts.filter = check->name;
        opts.slow = 1;
        opts.result = got;
        opts.arg = (void *)(uintptr_t)check;
        w.conform = roma_conform_new(&opts);
        must(w.conform != NULL, "no memory");
        w.running = true;
        code = roma_conform_run(w.conform);
        w.running = false;
        must(code >= 0 && code <= 2, "an exit code that is none");
        must(code == 0 || told || *roma_conform_error(w.conform), "a failure without a word");
        roma_conform_free(w.conform);
        w.conform = NULL;
        return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct mfs_peer_cfg cfg = { .servers = 2, .copies = 2 };
        struct mfs_peer *peer;
        char why[200] = "no loop";
        struct timespec ts;

        if (!size)
                return 0;
        memset(&w, 0, sizeof(w));
        told = 0;
        __real_clock_gettime(CLOCK_MONOTONIC, &ts);
        w.ns = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
        w.loop = cfg.loop = roma_loop_new();
        cfg.master_version = data[0] & 1 ? WIRE_VER(4, 59, 2) : 0;
        peer = w.loop ? mfs_peer_new(&cfg, why, sizeof(why)) : NULL;
        must(peer != NULL, why);
        /* The first connection is the one on which the folder is made; without that there is nothing to see. */
        if (size > CHECK_FROM)
                read_steps(data + CHECK_FROM, size - CHECK_FROM, data[0] & 8 ? 1 : 2);
        conform(data, size, mfs_peer_uri(peer));
        turns();
        mfs_peer_free(peer);
        roma_loop_free(w.loop);
        w.ns = 0;
        return 0;
}
