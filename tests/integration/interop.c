/* SPDX-License-Identifier: MIT */
/* The library's side of the comparison with mfsmount: small verbs for the scripts of this folder. */
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* make FILE SIZE SEED */
static int verb_make(int argc, char **argv)
{
        struct rnd r = { strtoull(argv[2], NULL, 0) };
        uint64_t left = strtoull(argv[1], NULL, 0);
        static uint8_t buf[1 << 20];
        FILE *f = fopen(argv[0], "wb");

        (void)argc;
        while (f && left) {
                size_t n = left < sizeof(buf) ? (size_t)left : sizeof(buf);

                rnd_fill(&r, buf, n);
                if (fwrite(buf, 1, n, f) != n)
                        die("%s: %s", argv[0], strerror(errno));
                left -= n;
        }
        if (!f || fclose(f) != 0)
                die("%s: %s", argv[0], strerror(errno));
        return 0;
}

/* put URI KEY FILE */
static int verb_put(int argc, char **argv)
{
        struct place p = place_open(argv[0]);

        (void)argc;
        if (roma_put_path(p.store, argv[1], argv[2], NULL, NULL) < 0)
                die("%s", roma_error(p.loop));
        place_close(&p);
        return 0;
}

/* get URI KEY FILE */
static int verb_get(int argc, char **argv)
{
        struct place p = place_open(argv[0]);

        (void)argc;
        if (roma_get_path(p.store, argv[1], argv[2], NULL, NULL) < 0)
                die("%s", roma_error(p.loop));
        place_close(&p);
        return 0;
}

/* patch URI KEY OFFSET FILE: its bytes go there, in place. */
static int verb_patch(int argc, char **argv)
{
        struct place p = place_open(argv[0]);
        roma_file *f = roma_file_open(p.store, argv[1], ROMA_O_WRITE, 0, NULL);
        uint64_t n;
        int fd = open_local(argv[3], &n);
        uint8_t *buf = malloc(n ? n : 1);

        (void)argc;
        read_local(fd, buf, n, 0);
        close(fd);
        if (!f || roma_pwrite(f, buf, n, strtoull(argv[2], NULL, 0), NULL) != (int64_t)n ||
            roma_file_close(f, NULL) < 0)
                die("%s", roma_error(p.loop));
        free(buf);
        place_close(&p);
        return 0;
}

/* replicas URI KEY FILE COPIES */
static int verb_replicas(int argc, char **argv)
{
        struct place p = place_open(argv[0]);
        unsigned bad = replicas_check(&p, argv[1], argv[2], (unsigned)strtoul(argv[3], NULL, 0));

        (void)argc;
        place_close(&p);
        return bad != 0;
}

/* disk URI KEY FILE COPIES FOLDER... */
static int verb_disk(int argc, char **argv)
{
        struct place p = place_open(argv[0]);
        unsigned bad =
                disk_check(&p, argv[1], argv[2], (unsigned)strtoul(argv[3], NULL, 0), argv + 4, argc - 4);

        place_close(&p);
        return bad != 0;
}

/* flip URI KEY OFFSET FIX_CRC FOLDER... */
static int verb_flip(int argc, char **argv)
{
        struct place p = place_open(argv[0]);

        disk_flip(&p, argv[1], strtoull(argv[2], NULL, 0), (int)strtol(argv[3], NULL, 0), argv + 4, argc - 4);
        place_close(&p);
        return 0;
}

/* repeat URI KEY MOUNTED_FILE COUNT SEED COPIES SCRATCH_FILE: all sizes, both ways, replicas too. */
static void compare_file(const char *path, const uint8_t *want, size_t n, const char *what)
{
        static uint8_t got[2 << 20];
        uint64_t size;
        int fd = open_local(path, &size);

        if (size != n)
                die("%s: %s has %" PRIu64 " bytes, expected %zu", what, path, size, n);
        read_local(fd, got, n, 0);
        if (memcmp(got, want, n) != 0)
                die("%s: %s differs", what, path);
        close(fd);
}

static int verb_repeat(int argc, char **argv)
{
        static const size_t sizes[] = { 100, 100000, (1 << 20) + 1 };
        struct place p = place_open(argv[0]);
        const char *key = argv[1], *mounted = argv[2], *scratch = argv[6];
        unsigned count = (unsigned)strtoul(argv[3], NULL, 0), copies = (unsigned)strtoul(argv[5], NULL, 0);
        struct rnd r = { strtoull(argv[4], NULL, 0) };
        static uint8_t data[2 << 20], got[2 << 20];

        (void)argc;
        for (unsigned i = 0; i < count; i++)
                for (size_t k = 0; k < 3; k++) {
                        size_t n = sizes[k];

                        rnd_fill(&r, data, n);
                        if (roma_put(p.store, key, data, n, NULL) < 0)
                                die("repetition %u, %zu bytes: %s", i, n, roma_error(p.loop));
                        compare_file(mounted, data, n, "put by roma, read by mfsmount");
                        write_local(scratch, data, n);
                        if (replicas_check(&p, key, scratch, copies))
                                die("repetition %u, %zu bytes: replicas differ after roma", i, n);
                        rnd_fill(&r, data, n);
                        write_local(mounted, data, n);
                        roma_file *f = roma_file_open(p.store, key, ROMA_O_READ, 0, NULL);

                        if (!f || roma_pread(f, got, sizeof(got), 0, NULL) != (int64_t)n ||
                            memcmp(got, data, n) || roma_file_close(f, NULL) < 0)
                                die("repetition %u, %zu bytes by mfsmount, read by roma: differs or %s", i, n,
                                    roma_error(p.loop));
                }
        place_close(&p);
        printf("%u repetitions, %u copies: 0 differences\n", count, copies);
        return 0;
}

/* poll URI KEY MOUNTED_FILE COUNT SEED: overwrites by roma while two readers look. The content describes itself. */
struct head {
        char magic[8];
        uint64_t seq, length;
        uint32_t crc; /* of all that follows */
        uint32_t zero;
};

static size_t make_content(uint8_t *buf, uint64_t seq, struct rnd *r)
{
        struct head h = { "romapol", seq, sizeof(h) + rnd_below(r, seq % 3 ? 300000 : 3000000), 0, 0 };

        rnd_fill(r, buf + sizeof(h), (size_t)h.length - sizeof(h));
        h.crc = crc32_of(buf + sizeof(h), (size_t)h.length - sizeof(h));
        memcpy(buf, &h, sizeof(h));
        return (size_t)h.length;
}

static uint64_t check_content(const uint8_t *buf, size_t n, const char *who, uint64_t last)
{
        struct head h;

        if (n < sizeof(h))
                die("%s: short read of %zu bytes after %" PRIu64, who, n, last);
        memcpy(&h, buf, sizeof(h));
        if (memcmp(h.magic, "romapol", 8) != 0)
                die("%s: not the beginning of any version, after %" PRIu64, who, last);
        if (h.length != n)
                die("%s: version %" PRIu64 " has %" PRIu64 " bytes, got %zu", who, h.seq, h.length, n);
        if (crc32_of(buf + sizeof(h), n - sizeof(h)) != h.crc)
                die("%s: version %" PRIu64 " is mixed with another", who, h.seq);
        if (h.seq < last)
                die("%s: version %" PRIu64 " after %" PRIu64, who, h.seq, last);
        return h.seq;
}

enum { POLL_MAX = 4 << 20 };
static volatile sig_atomic_t stop;

static void on_term(int sig)
{
        (void)sig;
        stop = 1;
}

static void read_by_roma(const char *uri, const char *key)
{
        struct place p = place_open(uri);
        uint8_t *buf = malloc(POLL_MAX);
        uint64_t last = 0, reads = 0, versions = 0;

        while (!stop) {
                roma_file *f = roma_file_open(p.store, key, ROMA_O_READ, 0, NULL);
                int64_t n = f ? roma_pread(f, buf, POLL_MAX, 0, NULL) : -1;
                uint64_t seq;

                if (n < 0)
                        die("read by roma: %s", roma_error(p.loop));
                seq = check_content(buf, (size_t)n, "read by roma", last);
                versions += seq != last;
                last = seq;
                reads++;
                if (roma_file_close(f, NULL) < 0)
                        die("read by roma: %s", roma_error(p.loop));
        }
        place_close(&p);
        free(buf);
        printf("read by roma: %" PRIu64 " whole reads of %" PRIu64 " versions\n", reads, versions);
        fflush(stdout);
        _exit(versions < 2);
}

static void read_by_mount(const char *path)
{
        uint8_t *buf = malloc(POLL_MAX);
        uint64_t last = 0, reads = 0, versions = 0;

        while (!stop) {
                int fd = open(path, O_RDONLY);
                size_t n = 0;
                ssize_t r = 1;
                uint64_t seq;

                if (fd < 0)
                        die("read by mfsmount: open %s: %s", path, strerror(errno));
                while (r > 0 && n < POLL_MAX) {
                        r = read(fd, buf + n, POLL_MAX - n);
                        n += r > 0 ? (size_t)r : 0;
                }
                if (r < 0)
                        die("read by mfsmount: %s", strerror(errno));
                close(fd);
                seq = check_content(buf, n, "read by mfsmount", last);
                versions += seq != last;
                last = seq;
                reads++;
        }
        free(buf);
        printf("read by mfsmount: %" PRIu64 " whole reads of %" PRIu64 " versions\n", reads, versions);
        fflush(stdout);
        _exit(versions < 2);
}

static int verb_poll(int argc, char **argv)
{
        struct rnd r = { strtoull(argv[4], NULL, 0) };
        unsigned count = (unsigned)strtoul(argv[3], NULL, 0);
        struct place p = place_open(argv[0]);
        uint8_t *buf = malloc(POLL_MAX);
        pid_t child[2];
        int failed = 0;

        (void)argc;
        if (roma_put(p.store, argv[1], buf, make_content(buf, 1, &r), NULL) < 0)
                die("%s", roma_error(p.loop));
        sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_term, .sa_flags = SA_RESTART }, NULL);
        fflush(stdout);
        for (int i = 0; i < 2; i++) {
                child[i] = fork();
                if (child[i] == 0 && i == 0)
                        read_by_roma(argv[0], argv[1]);
                if (child[i] == 0)
                        read_by_mount(argv[2]);
        }
        for (unsigned i = 2; i <= count + 1; i++) {
                usleep(20000);
                if (roma_put(p.store, argv[1], buf, make_content(buf, i, &r), NULL) < 0) {
                        printf("overwrite %u: %s\n", i, roma_error(p.loop));
                        failed = 1;
                        break;
                }
        }
        usleep(200000);
        for (int i = 0; i < 2; i++) {
                int status;

                kill(child[i], SIGTERM);
                if (waitpid(child[i], &status, 0) != child[i] || status != 0)
                        failed = 1;
        }
        place_close(&p);
        free(buf);
        return failed;
}

static const struct verb {
        const char *name;
        int min;
        int (*fn)(int argc, char **argv);
} verbs[] = {
        { "make", 3, verb_make },         { "put", 3, verb_put },   { "get", 3, verb_get },
        { "replicas", 4, verb_replicas }, { "disk", 5, verb_disk }, { "flip", 5, verb_flip },
        { "repeat", 7, verb_repeat },     { "poll", 5, verb_poll }, { "patch", 4, verb_patch },
};

int main(int argc, char **argv)
{
        for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
                if (strcmp(argv[1], verbs[i].name) == 0 && argc - 2 >= verbs[i].min)
                        return verbs[i].fn(argc - 2, argv + 2);
        fprintf(stderr, "usage: interop VERB ARGUMENTS (see interop.c)\n");
        return 2;
}
