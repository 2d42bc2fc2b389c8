/* SPDX-License-Identifier: MIT */
/* A timer of 10 ms in the same loop must never be late while everything else goes wrong:
 *
 *   heartbeat URI --loop ev|fd [--second URI --stop PID] [--resolve NAME] [--only-file]
 *
 * URI: a store that works; a thousand operations are kept in flight on it, with starts, cancels and closes inside
 * callbacks. At the same time: a FIFO that nobody writes to as source of a put; peers that accept and close, or accept
 * and stay silent; with --second a store of a second cluster whose master, process PID, is stopped; with --resolve a
 * host name whose name server never answers. In the end the loop returns by itself and nothing is left. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <ev.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include <roma/ev.h>
#include <roma/roma.h>

enum { IN_FLIGHT = 1000, LEN = 100000, RUN_MS = 6000, BEAT_MS = 10, LATE_MS = 250 };

static struct {
        const char *uri, *second, *name;
        pid_t stop;
        bool ev, only_file;
} opt;
static roma_loop *loop;
static struct ev_loop *ev;
static roma_store *store, *second;
static roma_file *file;
static uint8_t data[LEN];
static char folder[64], fifo[128];

static uint64_t started, ended, cancelled, closed;
static uint64_t end_ms;
static double worst_ms, beats;
static unsigned waiting; /* troubles that have not ended */

static void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void die(const char *fmt, ...)
{
        va_list ap;

        if (opt.stop)
                kill(opt.stop, SIGCONT);
        va_start(ap, fmt);
        printf("FAIL: ");
        vprintf(fmt, ap);
        printf("\n");
        va_end(ap);
        fflush(stdout);
        _exit(1);
}

static double now(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec * 1000 + (double)ts.tv_nsec / 1e6;
}

static bool over(void)
{
        return now() > (double)end_ms;
}

/* The beat */

static double next_beat, waited_before;

/* Milliseconds that this thread was ready to run and the machine ran others: not the library's doing. 0 where the
 * kernel does not tell. */
static double waited(void)
{
        unsigned long long run, wait = 0;
        FILE *f = fopen("/proc/thread-self/schedstat", "re");

        if (f && fscanf(f, "%llu %llu", &run, &wait) != 2)
                wait = 0;
        if (f)
                fclose(f);
        return (double)wait / 1e6;
}

static void beat(void)
{
        double w = waited(), late = now() - next_beat - (w - waited_before);

        waited_before = w;
        beats++;
        if (late > worst_ms)
                worst_ms = late;
        next_beat = now() + BEAT_MS;
}

static void on_beat(struct ev_loop *l, ev_timer *t, int revents)
{
        (void)l;
        (void)t;
        (void)revents;
        beat();
}

/* Until `*done`, or with NULL until the loop has nothing in flight. */
static void drive(const bool *done)
{
        next_beat = now() + BEAT_MS;
        if (opt.ev) {
                static ev_timer t;

                ev_now_update(ev);
                ev_timer_init(&t, on_beat, BEAT_MS / 1000., BEAT_MS / 1000.);
                ev_timer_start(ev, &t);
                ev_unref(ev);
                while (!(done && *done)) {
                        int busy = ev_run(ev, done ? EVRUN_ONCE : 0);

                        if (!done && !busy)
                                break;
                }
                ev_ref(ev);
                ev_timer_stop(ev, &t);
                return;
        }
        for (;;) {
                struct pollfd p = { .fd = roma_loop_fd(loop), .events = POLLIN };
                double wait = next_beat - now();
                int left;

                poll(&p, 1, wait > 0 ? (int)wait + 1 : 0);
                if (now() >= next_beat)
                        beat();
                left = roma_loop_turn(loop, 0);
                if (left < 0)
                        die("roma_loop_turn: %s", roma_error(loop));
                if (done ? *done : left == 0)
                        break;
        }
}

/* One operation and its end. */
struct once {
        bool done;
        int code;
        char message[512];
        roma_store *store;
        roma_file *file;
};

static void on_once(void *arg, const roma_result *r)
{
        struct once *o = arg;

        o->done = true;
        o->code = r->code;
        snprintf(o->message, sizeof(o->message), "%s", r->message);
        o->store = r->store;
        o->file = r->file;
}

static void must(struct once *o, roma_op op, const char *what)
{
        if (!op)
                die("%s: %s", what, roma_error(loop));
        drive(&o->done);
        if (o->code != ROMA_OK)
                die("%s: %s", what, o->message);
}

static roma_store *open_store(const char *uri)
{
        struct once o = { 0 };

        must(&o, roma_aio_store_open(loop, uri, NULL, on_once, &o), "store_open");
        return o.store;
}

/* A thousand in flight */

struct slot {
        roma_op op;
        unsigned kind, nr;
        uint64_t at;
        uint8_t buf[1000];
};
static struct slot slot[IN_FLIGHT];

static void start_slot(struct slot *s);

static const char *own_key(const char *what, unsigned nr)
{
        static char key[128];

        snprintf(key, sizeof(key), "%s/%s%u", folder, what, nr);
        return key;
}

static void on_slot(void *arg, const roma_result *r)
{
        struct slot *s = arg;

        ended++;
        s->op = 0;
        if (r->code == ROMA_ECANCELED)
                cancelled++;
        else if (r->code != ROMA_OK)
                die("kind %u: %s", s->kind, r->message);
        else if (s->kind == 0 &&
                 (r->bytes != sizeof(s->buf) || memcmp(s->buf, data + s->at, sizeof(s->buf)) != 0))
                die("a pread brought something else");
        else if (s->kind == 1 && r->attr->length != LEN)
                die("a stat brought something else");
        if (r->store) {
                roma_aio_store_close(r->store, NULL, NULL);
                closed++;
        }
        if (ended % 7 == 0 && !over())
                roma_cancel(loop, slot[rand() % IN_FLIGHT].op);
        if (!over())
                start_slot(s);
}

static void start_slot(struct slot *s)
{
        unsigned nr = (unsigned)(s - slot);

        s->kind = nr == 999 ? 4 : nr >= 980 ? 3 : nr >= 960 ? 2 : nr % 2;
        s->at = (uint64_t)rand() % (LEN - sizeof(s->buf));
        switch (s->kind) {
        case 0: s->op = roma_aio_pread(file, s->buf, sizeof(s->buf), s->at, NULL, on_slot, s); break;
        case 1: s->op = roma_aio_stat(store, own_key("file", 0), 0, NULL, on_slot, s); break;
        case 2: s->op = roma_aio_put(store, own_key("put", nr), data, 1 + s->at, NULL, on_slot, s); break;
        case 3: s->op = roma_aio_hash(store, own_key("file", 0), ROMA_MD5, NULL, on_slot, s); break;
        case 4: s->op = roma_aio_store_open(loop, opt.uri, NULL, on_slot, s); break;
        }
        if (!s->op)
                die("kind %u did not start: %s", s->kind, roma_error(loop));
        started++;
}

/* Trouble */

struct trouble {
        const char *name;
        int want[3]; /* codes that are right */
        roma_op op;
        double start, limit;
        bool done;
};

static void on_closed(void *arg, const roma_result *r)
{
        const double *start = arg;

        waiting--;
        if (r->code != ROMA_OK || now() - *start > 10000)
                die("closing a store whose master is stopped: %s after %.0f ms", roma_code_name(r->code),
                    now() - *start);
}

/* What the put has left on the stopped master would be tidied up for a stall time, for the master may go on. A store that is
 * closed waits 5 s for that. */
static void close_second(void)
{
        static double start;

        start = now();
        waiting++;
        if (!roma_aio_store_close(second, on_closed, &start))
                die("store_close: %s", roma_error(loop));
}

static void on_trouble(void *arg, const roma_result *r)
{
        struct trouble *t = arg;
        double took = now() - t->start;

        waiting--;
        t->done = true;
        printf("%s: %s after %.0f ms: %s\n", t->name, roma_code_name(r->code), took, r->message);
        if (r->code != t->want[0] && r->code != t->want[1] && r->code != t->want[2])
                die("%s: expected %s or %s", t->name, roma_code_name(t->want[0]), roma_code_name(t->want[1]));
        if (!*r->message || took > t->limit)
                die("%s: no sentence, or too late", t->name);
        if (!waiting && second)
                close_second();
}

static void begin(struct trouble *t, roma_op op)
{
        if (!op)
                die("%s did not start: %s", t->name, roma_error(loop));
        t->op = op;
        waiting++;
}

static int listen_here(int port_out[1])
{
        struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
        socklen_t len = sizeof(sa);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 100) < 0 ||
            getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
                die("listen: %s", strerror(errno));
        port_out[0] = ntohs(sa.sin_port);
        return fd;
}

static void *accept_and_close(void *arg)
{
        int fd = *(int *)arg, c;

        while ((c = accept(fd, NULL, NULL)) >= 0)
                close(c);
        return NULL;
}

/* Takes UDP questions on port 53 of loopback and never answers. */
static int silent_name_server(void)
{
        struct sockaddr_in sa = { .sin_family = AF_INET,
                                  .sin_port = htons(53),
                                  .sin_addr = { htonl(INADDR_LOOPBACK) } };
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
                die("port 53: %s", strerror(errno));
        return fd;
}

static struct trouble troubles[] = {
        { .name = "a FIFO as source", .want = { ROMA_ETIMEDOUT }, .limit = 8000 },
        { .name = "a peer that closes",
          .want = { ROMA_ECLOSED, ROMA_EPROTOCOL, ROMA_ETIMEDOUT },
          .limit = 8000 },
        { .name = "a peer that is silent", .want = { ROMA_ETIMEDOUT }, .limit = 8000 },
        { .name = "a closed port", .want = { ROMA_ECONNECT, ROMA_ETIMEDOUT, ROMA_ECONNECT }, .limit = 8000 },
        { .name = "a stopped master", .want = { ROMA_ETIMEDOUT }, .limit = 8000 },
        { .name = "a put to a stopped master", .want = { ROMA_ETIMEDOUT }, .limit = 8000 },
        { .name = "a silent name server", .want = { ROMA_ETIMEDOUT, ROMA_ERESOLVE }, .limit = 8000 },
};

static roma_op open_trouble(struct trouble *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static roma_op open_trouble(struct trouble *t, const char *fmt, ...)
{
        roma_opts o = ROMA_OPTS_INIT;
        char uri[256];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(uri, sizeof(uri), fmt, ap);
        va_end(ap);
        o.deadline_ms = 3000;
        t->start = now();
        return roma_aio_store_open(loop, uri, &o, on_trouble, t);
}

static int closing_fd = -1, silent_fd = -1, name_fd = -1;
static pthread_t acceptor;

static void make_trouble(void)
{
        roma_put_opts po = ROMA_PUT_OPTS_INIT;
        roma_opts o = ROMA_OPTS_INIT;
        int closing, silent;

        po.deadline_ms = o.deadline_ms = 3000;
        troubles[0].start = now();
        begin(&troubles[0],
              roma_aio_put_path(store, own_key("fifo", 0), fifo, &po, on_trouble, &troubles[0]));
        if (opt.only_file)
                return;
        closing_fd = listen_here(&closing);
        silent_fd = listen_here(&silent);
        if (pthread_create(&acceptor, NULL, accept_and_close, &closing_fd) != 0)
                die("pthread_create");
        begin(&troubles[1], open_trouble(&troubles[1], "mfs://127.0.0.1:%d/", closing));
        begin(&troubles[2], open_trouble(&troubles[2], "mfs://127.0.0.1:%d/", silent));
        begin(&troubles[3], open_trouble(&troubles[3], "mfs://127.0.0.1:1/"));
        if (second) {
                kill(opt.stop, SIGSTOP);
                troubles[4].start = troubles[5].start = now();
                begin(&troubles[4], roma_aio_stat(second, "some/thing", 0, &o, on_trouble, &troubles[4]));
                begin(&troubles[5], roma_aio_put(second, "thing", data, LEN, &po, on_trouble, &troubles[5]));
        }
        if (opt.name) {
                name_fd = silent_name_server();
                begin(&troubles[6], open_trouble(&troubles[6], "mfs://%s/", opt.name));
        }
}

static void end_trouble(void)
{
        if (waiting)
                die("%u troubles have not ended", waiting);
        if (second)
                kill(opt.stop, SIGCONT);
        /* Lets the worker go that may stand in open(). */
        close(open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC));
        if (closing_fd >= 0) {
                shutdown(closing_fd, SHUT_RDWR);
                pthread_join(acceptor, NULL);
                close(closing_fd);
                close(silent_fd);
        }
        if (name_fd >= 0)
                close(name_fd);
}

static void prepare(void)
{
        char local[] = "/tmp/heartbeat-XXXXXX";
        struct once a = { 0 }, b = { 0 }, c = { 0 };

        if (!mkdtemp(local))
                die("%s", local);
        snprintf(fifo, sizeof(fifo), "%s/fifo", local);
        if (mkfifo(fifo, 0600) < 0)
                die("mkfifo: %s", strerror(errno));
        snprintf(folder, sizeof(folder), "heartbeat-%d-%d", (int)getpid(), (int)(time(NULL) % 100000));
        for (size_t i = 0; i < LEN; i++)
                data[i] = (uint8_t)rand();
        store = open_store(opt.uri);
        must(&a, roma_aio_mkdir(store, folder, 0755, 0, NULL, on_once, &a), "mkdir");
        must(&b, roma_aio_put(store, own_key("file", 0), data, LEN, NULL, on_once, &b), "put");
        must(&c, roma_aio_file_open(store, own_key("file", 0), ROMA_O_READ, 0, NULL, on_once, &c), "open");
        file = c.file;
        if (opt.second)
                second = open_store(opt.second);
}

static void remove_all(void)
{
        struct once c = { 0 }, d = { 0 };
        char *slash;

        must(&c, roma_aio_file_close(file, NULL, on_once, &c), "close");
        for (unsigned i = 0; i < IN_FLIGHT; i++) {
                struct once o = { 0 };

                if (i == 0 || (i >= 960 && i < 980)) {
                        roma_op op = roma_aio_unlink(store, own_key(i ? "put" : "file", i),
                                                     ROMA_UNLINK_NO_TRASH, NULL, on_once, &o);

                        if (op)
                                drive(&o.done);
                }
        }
        must(&d, roma_aio_rmdir(store, folder, NULL, on_once, &d), "rmdir (a temporary is left?)");
        unlink(fifo);
        slash = strrchr(fifo, '/');
        *slash = 0;
        rmdir(fifo);
}

static void check_zero(void)
{
        roma_stats st = { .size = sizeof(st) };

        for (int i = 0; i < 400; i++) {
                struct once o = { 0 };

                roma_loop_stats(loop, &st);
                if (!(st.operations | st.stores | st.files | st.writers | st.readers | st.connections |
                      st.descriptors | st.timers | st.buffers | st.buffer_bytes | st.queued_for_buffers |
                      st.threads | st.jobs | st.stuck_threads | st.stuck_bytes))
                        return;
                must(&o, roma_aio_sleep(loop, 50, on_once, &o), "sleep");
        }
        die("left over: operations %" PRIu64 " stores %" PRIu64 " files %" PRIu64 " connections %" PRIu64
            " descriptors %" PRIu64 " timers %" PRIu64 " buffers %" PRIu64 " threads %" PRIu64
            " jobs %" PRIu64 " stuck %" PRIu64,
            st.operations, st.stores, st.files, st.connections, st.descriptors, st.timers, st.buffers,
            st.threads, st.jobs, st.stuck_threads);
}

static void parse(int argc, char **argv)
{
        static const struct option longs[] = { { "loop", 1, NULL, 'l' },      { "second", 1, NULL, '2' },
                                               { "stop", 1, NULL, 's' },      { "resolve", 1, NULL, 'r' },
                                               { "only-file", 0, NULL, 'f' }, { NULL, 0, NULL, 0 } };
        int c;

        opt.ev = true;
        while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
                switch (c) {
                case 'l': opt.ev = strcmp(optarg, "ev") == 0; break;
                case '2': opt.second = optarg; break;
                case 's': opt.stop = (pid_t)strtol(optarg, NULL, 0); break;
                case 'r': opt.name = optarg; break;
                case 'f': opt.only_file = true; break;
                default: exit(2);
                }
        if (optind + 1 != argc)
                exit(2);
        opt.uri = argv[optind];
}

int main(int argc, char **argv)
{
        parse(argc, argv);
        srand(1);
        ev = opt.ev ? ev_loop_new(EVFLAG_AUTO) : NULL;
        loop = opt.ev ? roma_loop_attach(ev) : roma_loop_new();
        if (!loop)
                die("no loop: %s", roma_error(NULL));
        prepare();
        end_ms = (uint64_t)now() + RUN_MS;
        for (int i = 0; i < IN_FLIGHT; i++)
                start_slot(&slot[i]);
        make_trouble();
        drive(NULL); /* returns when idle */
        if (!over())
                die("the loop returned with operations in flight");
        if (started != ended)
                die("%" PRIu64 " operations started, %" PRIu64 " ended", started, ended);
        end_trouble();
        remove_all();
        roma_aio_store_close(store, NULL, NULL);
        check_zero();
        roma_loop_free(loop);
        if (ev)
                ev_loop_destroy(ev);
        printf("%s: %" PRIu64 " operations (%" PRIu64 " cancelled, %" PRIu64
               " stores closed in callbacks), %.0f beats, "
               "the latest %.1f ms late\n",
               opt.ev ? "ev" : "fd", ended, cancelled, closed, beats, worst_ms);
        if (worst_ms > LATE_MS)
                die("a beat was %.1f ms late", worst_ms);
        return 0;
}
