/* SPDX-License-Identifier: MIT */
/* Cancelling while a cluster does not answer:
 *   rados-cancel open URI     the opening
 *   rados-cancel calls URI    opens, says "ready", waits for a line, and cancels one of each kind of call
 * Each must end at once when it is cancelled, if it has not ended before; then everything is closed, and no thread may
 * be left when the limits of time of the store have passed. */
#include <roma/roma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { AFTER_MS = 300, AT_ONCE_MS = 2000, CLOSE_MS = 20000, LEAVE_MS = 150000, BIG = 6 << 20 };

static roma_loop *loop;
static char *big;
static roma_file *file;

struct call {
        const char *name;
        roma_op id;
        double cancelled, ended; /* ms; 0: not yet */
        int code;
        char message[400];
        roma_store *store;
};

static double now_ms(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void fail(const char *what, const char *why)
{
        printf("FAIL: %s: %s\n", what, why);
        exit(1);
}

static void ended(void *arg, const roma_result *r)
{
        struct call *c = arg;

        c->ended = now_ms();
        c->code = r->code;
        c->store = r->store;
        snprintf(c->message, sizeof c->message, "%s", r->message);
        roma_buf_unref(r->buf);
}

static void cancel(void *arg, const roma_result *r)
{
        struct call *c = arg;

        (void)r;
        c->cancelled = now_ms();
        roma_cancel(loop, c->id);
}

static void run(struct call *c)
{
        if (!c->id)
                fail(c->name, roma_error(loop));
        if (!roma_aio_sleep(loop, AFTER_MS, cancel, c))
                fail(c->name, roma_error(loop));
        while (!c->ended || !c->cancelled)
                if (roma_loop_turn(loop, -1) < 0)
                        fail(c->name, roma_error(loop));
        printf("%s: %s\n", c->name, c->code ? c->message : "done");
        if (c->ended > c->cancelled && c->code != ROMA_ECANCELED && c->code != ROMA_OK)
                fail(c->name, "cancelled, it ends with another error");
        if (c->ended - c->cancelled > AT_ONCE_MS)
                fail(c->name, "it ends long after it was cancelled");
}

static void calls(roma_store *s)
{
        struct call c = { .name = "put" };
        char buf[16];

        c.id = roma_aio_put(s, "cancel-small", "x", 1, NULL, ended, &c);
        run(&c);
        c = (struct call){ .name = "long put" };
        c.id = roma_aio_put(s, "cancel-long", big, BIG, NULL, ended, &c);
        run(&c);
        memset(big, 1, BIG); /* it is the program's own again */
        c = (struct call){ .name = "stat" };
        c.id = roma_aio_stat(s, "cancel", 0, NULL, ended, &c);
        run(&c);
        c = (struct call){ .name = "read" };
        c.id = roma_aio_pread(file, buf, sizeof buf, 0, NULL, ended, &c);
        run(&c);
        c = (struct call){ .name = "list" };
        c.id = roma_aio_list(s, "", NULL, ended, &c);
        run(&c);
        c = (struct call){ .name = "ping" };
        c.id = roma_aio_ping(s, NULL, ended, &c);
        run(&c);
        c = (struct call){ .name = "remove" };
        c.id = roma_aio_unlink(s, "cancel-none", 0, NULL, ended, &c);
        run(&c);
}

static long threads(void)
{
        FILE *f = fopen("/proc/self/status", "re");
        char line[256];
        long n = -1;

        while (f && fgets(line, sizeof line, f))
                if (strncmp(line, "Threads:", 8) == 0)
                        n = strtol(line + 8, NULL, 10);
        if (f)
                fclose(f);
        return n;
}

static void nothing_left(void)
{
        roma_stats st = { .size = sizeof st };
        double begun = now_ms();

        roma_loop_stats(loop, &st);
        if (st.operations || st.stores || st.files || st.writers || st.readers || st.connections ||
            st.buffers || st.queued_for_buffers || st.timers)
                fail("close", "something is left");
        printf("closed; %llu stuck threads are counted, %ld threads live\n",
               (unsigned long long)st.stuck_threads, threads());
        fflush(stdout);
        while (threads() > 1 && now_ms() - begun < LEAVE_MS) {
                roma_loop_turn(loop, 0);
                usleep(50000);
        }
        roma_loop_stats(loop, &st);
        if (threads() > 1 || st.stuck_threads || st.jobs)
                fail("close", "threads are left");
        printf("the last thread is gone after %.0f ms\n", now_ms() - begun);
}

int main(int argc, char **argv)
{
        struct call c = { .name = "open" };
        double begun;
        char line[8];

        loop = roma_loop_new();
        big = calloc(1, BIG);
        if (argc != 3 || !loop || !big)
                return 2;
        if (strcmp(argv[1], "open") == 0) {
                c.id = roma_aio_store_open(loop, argv[2], NULL, ended, &c);
                run(&c);
        } else {
                c.store = roma_store_open(loop, argv[2], NULL);
                if (!c.store || roma_put(c.store, "cancel", "content", 7, NULL) < 0)
                        fail("open", roma_error(loop));
                file = roma_file_open(c.store, "cancel", ROMA_O_READ, 0, NULL);
                if (!file)
                        fail("open", roma_error(loop));
                puts("ready");
                fflush(stdout);
                if (!fgets(line, sizeof line, stdin))
                        return 2;
                calls(c.store);
                roma_file_close(file, NULL);
        }
        begun = now_ms();
        if (c.store)
                roma_store_close(c.store);
        if (now_ms() - begun > CLOSE_MS)
                fail("close", "it took too long");
        nothing_left();
        roma_loop_free(loop);
        free(big);
        return 0;
}
