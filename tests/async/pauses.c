/* SPDX-License-Identifier: MIT */
/* Blocking calls with long pauses between them, in which nobody drives the loop, while another client reads:
 *
 *   pauses URI KEY MOUNTED_FILE SECONDS
 *
 * write, pause, write, pause, fsync, pause, append, close. Each call must be right, none may need longer than a few
 * seconds, and the readers (one through the library, one through the mount, each in a process of its own) must always
 * get an answer soon: no lock may be held during a pause. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <roma/roma.h>

enum { LEN = 300000, PARTS = 4, LIMIT_MS = 8000 };

static uint8_t data[PARTS * LEN], got[PARTS * LEN + 1];
static volatile sig_atomic_t stop;

static void on_term(int sig)
{
        (void)sig;
        stop = 1;
}

static void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void die(const char *fmt, ...)
{
        va_list ap;

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

static void soon(double start, const char *what)
{
        if (now() - start > LIMIT_MS)
                die("%s took %.0f ms", what, now() - start);
}

/* What has been seen must be the beginning of the truth, zeros where a later write has not come yet. */
static size_t prefix(const char *who, size_t n, size_t before)
{
        if (n > sizeof(data))
                die("%s: %zu bytes", who, n);
        if (n < before)
                die("%s: the file has shrunk from %zu to %zu", who, before, n);
        if (memcmp(got, data, n) != 0)
                die("%s: wrong bytes among the first %zu", who, n);
        return n;
}

static void watch_by_roma(const char *uri, const char *key)
{
        roma_loop *loop = roma_loop_new();
        roma_store *s = roma_store_open(loop, uri, NULL);
        size_t seen = 0;
        unsigned reads = 0;

        if (!s)
                die("reader: %s", roma_error(loop));
        while (!stop) {
                double start = now();
                roma_file *f = roma_file_open(s, key, ROMA_O_READ, 0, NULL);
                int64_t n = f ? roma_pread(f, got, sizeof(got), 0, NULL) : -1;

                if (n < 0 || roma_file_close(f, NULL) < 0)
                        die("reader: %s", roma_error(loop));
                soon(start, "a read by another client");
                seen = prefix("reader", (size_t)n, seen);
                reads++;
                usleep(200000);
        }
        roma_store_close(s);
        roma_loop_free(loop);
        if (reads < 5 || seen != sizeof(data))
                die("reader: %u reads, %zu bytes at the end", reads, seen);
        _exit(0);
}

static void watch_by_mount(const char *path)
{
        size_t seen = 0;
        unsigned reads = 0;

        while (!stop) {
                double start = now();
                int fd = open(path, O_RDONLY);
                ssize_t r = 1;
                size_t n = 0;

                if (fd < 0)
                        die("mount: %s", strerror(errno));
                while (r > 0 && n < sizeof(got)) {
                        r = read(fd, got + n, sizeof(got) - n);
                        n += r > 0 ? (size_t)r : 0;
                }
                if (r < 0)
                        die("mount: %s", strerror(errno));
                close(fd);
                soon(start, "a read through the mount");
                seen = prefix("mount", n, seen);
                reads++;
                usleep(200000);
        }
        if (reads < 5 || seen != sizeof(data))
                die("mount: %u reads, %zu bytes at the end", reads, seen);
        _exit(0);
}

static unsigned seconds;

static void pause_here(const char *after, double start)
{
        soon(start, after);
        printf("%s took %.0f ms; now %u s of silence\n", after, now() - start, seconds);
        fflush(stdout);
        for (double end = now() + seconds * 1000.; now() < end;)
                usleep(100000);
}

static void writer(const char *uri, const char *key)
{
        roma_loop *loop = roma_loop_new();
        roma_store *s = roma_store_open(loop, uri, NULL);
        roma_file *f = s ? roma_file_open(s, key, ROMA_O_READ | ROMA_O_WRITE, 0, NULL) : NULL;
        double t = now();

#define MUST(call)                                              \
        do {                                                    \
                t = now();                                      \
                if ((call) < 0)                                 \
                        die("%s: %s", #call, roma_error(loop)); \
        } while (0)
        if (!f)
                die("open: %s", roma_error(loop));
        MUST(roma_pwrite(f, data, LEN, 0, NULL));
        pause_here("the first write", t);
        MUST(roma_pwrite(f, data + LEN, LEN, LEN, NULL));
        pause_here("the second write", t);
        MUST(roma_fsync(f, NULL));
        pause_here("fsync", t);
        MUST(roma_append(f, data + 2 * LEN, LEN, NULL));
        pause_here("append", t);
        MUST(roma_pwrite(f, data + 3 * LEN, LEN, 3 * LEN, NULL));
        soon(t, "the last write");
        MUST(roma_pread(f, got, sizeof(got), 0, NULL));
        if (memcmp(got, data, sizeof(data)) != 0)
                die("the writer reads something else than it wrote");
        MUST(roma_file_close(f, NULL));
        soon(t, "close");
        usleep(1000000);
        roma_store_close(s);
        roma_loop_free(loop);
}

int main(int argc, char **argv)
{
        pid_t child[2];
        int status, failed = 0;

        if (argc != 5)
                return 2;
        seconds = (unsigned)strtoul(argv[4], NULL, 0);
        srand(4711);
        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t)(1 + rand() % 255);
        sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_term }, NULL);
        for (int i = 0; i < 2; i++) {
                child[i] = fork();
                /* They must not outlive a writer that fails. */
                if (child[i] == 0)
                        prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (child[i] == 0 && i == 0)
                        watch_by_roma(argv[1], argv[2]);
                if (child[i] == 0)
                        watch_by_mount(argv[3]);
        }
        writer(argv[1], argv[2]);
        for (int i = 0; i < 2; i++) {
                kill(child[i], SIGTERM);
                if (waitpid(child[i], &status, 0) != child[i] || status != 0)
                        failed = 1;
        }
        return failed;
}
