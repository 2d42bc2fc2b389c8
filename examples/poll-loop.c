/* SPDX-License-Identifier: MIT */
/* libroma inside any other event loop: here a plain poll(), which also watches a timer of the program's own.
 *
 *   cc -o poll-loop poll-loop.c $(pkg-config --cflags --libs roma)
 *   ./poll-loop mfs://10.77.0.1/photos 2026/a.jpg */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include <sys/timerfd.h>

#include <roma/roma.h>

struct work {
        roma_store *store;
        const char *key;
        int over, bad;
};

static void hashed(void *arg, const roma_result *r)
{
        struct work *w = arg;

        if (r->code == ROMA_OK)
                printf("%s  %s\n", r->text, w->key);
        else
                fprintf(stderr, "%s\n", r->message);
        w->bad = r->code != ROMA_OK;
        w->over = 1;
        (void)roma_aio_store_close(w->store, NULL, NULL);
}

static void connected(void *arg, const roma_result *r)
{
        struct work *w = arg;

        w->store = r->store;
        if (r->code == ROMA_OK && roma_aio_hash(r->store, w->key, ROMA_MD5, NULL, hashed, w))
                return;
        fprintf(stderr, "%s\n", r->code == ROMA_OK ? roma_error(roma_store_loop(r->store)) : r->message);
        w->bad = w->over = 1;
}

int main(int argc, char **argv)
{
        struct itimerspec every = { { 0, 100000000 }, { 0, 100000000 } };
        struct work w = { 0 };
        unsigned long ticks = 0;

        if (argc != 3) {
                fprintf(stderr, "usage: poll-loop STORE KEY\n");
                return 2;
        }
        w.key = argv[2];
        roma_loop *loop = roma_loop_new();
        int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
        if (!loop || timer < 0 || timerfd_settime(timer, 0, &every, NULL) < 0) {
                perror("poll-loop");
                return 1;
        }
        struct pollfd fds[] = { { roma_loop_fd(loop), POLLIN, 0 }, { timer, POLLIN, 0 } };
        if (!roma_aio_store_open(loop, argv[1], NULL, connected, &w)) {
                fprintf(stderr, "%s\n", roma_error(loop));
                return 1;
        }
        int in_flight = 1;
        while (in_flight > 0) {
                if (poll(fds, 2, -1) < 0)
                        continue; /* EINTR */
                if (fds[1].revents) {
                        uint64_t n;
                        if (read(timer, &n, sizeof(n)) == sizeof(n))
                                ticks += (unsigned long)n;
                }
                in_flight = roma_loop_turn(loop, 0); /* one turn, without waiting */
        }
        fprintf(stderr, "%lu ticks of 100 ms passed meanwhile\n", ticks);
        close(timer);
        roma_loop_free(loop);
        return !w.over || w.bad;
}
