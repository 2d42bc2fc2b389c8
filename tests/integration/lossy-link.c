/* SPDX-License-Identifier: MIT */
/* A bad line between two network namespaces: packets are late, and some are lost, come twice or overtake another. For
 * kernels without netem.
 *
 *      lossy-link NAMESPACE NAMESPACE DELAY-MS PER-MILLE [SEED]
 *
 * The namespaces are files as /run/netns/NAME or /proc/PID/ns/net. In each of them there is a device `lossy` then, which
 * its caller gives addresses and sets up; "ready" is printed when they are there. SIGTERM ends it; it counts then. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { MTU = 1500, ROOM = 4096 /* packets on their way; more are lost, as in a router */ };

struct packet {
        uint64_t due; /* ns */
        size_t len;
        unsigned char data[MTU];
};

/* What goes from one device to the other, in order. */
struct way {
        int from, to;
        size_t first, count;
        struct packet ring[ROOM];
};

static struct way way[2];
static uint64_t state, delay_ns, lost, twice, late, all;
static unsigned permille;

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
        (void)number;
        stopping = 1;
}

static void die(const char *format, ...)
{
        va_list ap;

        fputs("lossy-link: ", stderr);
        va_start(ap, format);
        vfprintf(stderr, format, ap);
        va_end(ap);
        fprintf(stderr, ": %s\n", strerror(errno));
        exit(1);
}

static uint64_t now(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static bool chance(unsigned of_thousand)
{
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (state >> 33) % 1000 < of_thousand;
}

static int device_in(const char *space)
{
        struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
        int ns = open(space, O_RDONLY | O_CLOEXEC), fd;

        if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
                die("%s", space);
        close(ns);
        fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
                die("/dev/net/tun");
        memcpy(r.ifr_name, "lossy", sizeof("lossy"));
        if (ioctl(fd, TUNSETIFF, &r) < 0)
                die("a device in %s", space);
        return fd;
}

static struct packet *at(struct way *w, size_t i)
{
        return &w->ring[(w->first + i) % ROOM];
}

static void push(struct way *w, const unsigned char *data, size_t len)
{
        struct packet *p;

        if (w->count == ROOM) {
                lost++;
                return;
        }
        p = at(w, w->count++);
        p->due = now() + delay_ns;
        p->len = len;
        memcpy(p->data, data, len);
}

static void take(struct way *w)
{
        unsigned char data[MTU];
        ssize_t n;

        while ((n = read(w->from, data, sizeof(data))) > 0) {
                all++;
                if (chance(permille)) {
                        lost++;
                        continue;
                }
                push(w, data, (size_t)n);
                if (chance(permille / 4)) {
                        twice++;
                        push(w, data, (size_t)n);
                }
                if (w->count > 1 && chance(permille / 4)) {
                        struct packet *a = at(w, w->count - 2), *b = at(w, w->count - 1), x = *a;

                        late++;
                        *a = *b;
                        *b = x;
                        a->due = x.due;
                }
        }
}

static void give(struct way *w, uint64_t t)
{
        while (w->count && at(w, 0)->due <= t) {
                struct packet *p = at(w, 0);

                if (write(w->to, p->data, p->len) < 0)
                        lost++; /* the device is not up yet */
                w->first = (w->first + 1) % ROOM;
                w->count--;
        }
}

/* Milliseconds until the next packet is due; -1: none. */
static int wait_ms(uint64_t t)
{
        uint64_t next = UINT64_MAX;

        for (int i = 0; i < 2; i++)
                if (way[i].count && at(&way[i], 0)->due < next)
                        next = at(&way[i], 0)->due;
        return next == UINT64_MAX ? -1 : next <= t ? 0 : (int)((next - t + 999999) / 1000000);
}

int main(int argc, char **argv)
{
        struct pollfd p[2] = { { .events = POLLIN }, { .events = POLLIN } };
        const struct sigaction act = { .sa_handler = on_signal };

        if (argc < 5) {
                fputs("usage: lossy-link NAMESPACE NAMESPACE DELAY-MS PER-MILLE [SEED]\n", stderr);
                return 2;
        }
        delay_ns = strtoull(argv[3], NULL, 10) * 1000000;
        permille = (unsigned)strtoul(argv[4], NULL, 10);
        state = argc > 5 ? strtoull(argv[5], NULL, 10) : 1;
        p[0].fd = way[0].from = way[1].to = device_in(argv[1]);
        p[1].fd = way[1].from = way[0].to = device_in(argv[2]);
        sigaction(SIGTERM, &act, NULL);
        puts("ready");
        fflush(stdout);
        while (!stopping) {
                uint64_t t = now();

                give(&way[0], t);
                give(&way[1], t);
                if (poll(p, 2, wait_ms(t)) < 0 && errno != EINTR)
                        die("poll");
                take(&way[0]);
                take(&way[1]);
        }
        printf("%" PRIu64 " packets, %" PRIu64 " lost, %" PRIu64 " twice, %" PRIu64 " late\n", all, lost,
               twice, late);
        return 0;
}
