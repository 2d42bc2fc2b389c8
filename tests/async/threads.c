/* SPDX-License-Identifier: MIT */
/* Two loops in two threads, each with a store on both places at once:
 *
 *   threads URI_A URI_B
 *
 * Each thread puts, reads back, copies from one place to the other, renames and removes, in folders of its own, and
 * compares everything. Two loops share nothing, so the thread sanitizer and the eye should find nothing either. */
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <roma/roma.h>

enum { ROUNDS = 60, MAX = 700000 };

struct job {
        const char *uri[2];
        unsigned nr;
        char error[512];
};

static int failed(struct job *j, roma_loop *loop, const char *what)
{
        snprintf(j->error, sizeof(j->error), "thread %u: %s: %s", j->nr, what, loop ? roma_error(loop) : "");
        return -1;
}

static int same(roma_store *s, const char *key, const uint8_t *want, size_t n)
{
        static _Thread_local uint8_t got[MAX + 1];
        roma_file *f = roma_file_open(s, key, ROMA_O_READ, 0, NULL);
        int64_t r = f ? roma_pread(f, got, sizeof(got), 0, NULL) : -1;

        if (f && roma_file_close(f, NULL) < 0)
                return 0;
        return r == (int64_t)n && memcmp(got, want, n) == 0;
}

static int round_of(struct job *j, roma_loop *loop, roma_store **s, const char *folder, uint8_t *data,
                    unsigned i, unsigned *seed)
{
        size_t n = (size_t)rand_r(seed) % MAX;
        char a[128], b[128];

        for (size_t k = 0; k < n; k++)
                data[k] = (uint8_t)rand_r(seed);
        snprintf(a, sizeof(a), "%s/a%u", folder, i);
        snprintf(b, sizeof(b), "%s/b%u", folder, i);
        if (roma_put(s[0], a, data, n, NULL) < 0)
                return failed(j, loop, "put");
        if (roma_copy(s[0], a, s[1], b, NULL, NULL) < 0)
                return failed(j, loop, "copy from the first place to the second");
        if (!same(s[1], b, data, n))
                return failed(j, loop, "the copy differs");
        if (roma_rename(s[1], b, a, 0, NULL) < 0)
                return failed(j, loop, "rename");
        if (roma_unlink(s[0], a, ROMA_UNLINK_NO_TRASH, NULL) < 0)
                return failed(j, loop, "unlink");
        if (roma_copy(s[1], a, s[0], b, NULL, NULL) < 0)
                return failed(j, loop, "copy back");
        if (!same(s[0], b, data, n))
                return failed(j, loop, "the copy of the copy differs");
        if (roma_unlink(s[0], b, ROMA_UNLINK_NO_TRASH, NULL) < 0 ||
            roma_unlink(s[1], a, ROMA_UNLINK_NO_TRASH, NULL) < 0)
                return failed(j, loop, "unlink");
        return 0;
}

static int all_closed(struct job *j, roma_loop *loop)
{
        roma_stats st = { .size = sizeof(st) };

        for (int i = 0; i < 200; i++) {
                roma_loop_stats(loop, &st);
                if (!(st.operations | st.stores | st.files | st.connections | st.descriptors | st.timers |
                      st.buffers | st.threads | st.jobs))
                        return 0;
                roma_loop_turn(loop, 20);
        }
        snprintf(j->error, sizeof(j->error), "thread %u: not all is closed", j->nr);
        return -1;
}

static void *work(void *arg)
{
        struct job *j = arg;
        roma_loop *loop = roma_loop_new();
        roma_store *s[2] = { NULL, NULL };
        unsigned seed = 1000 + j->nr;
        uint8_t *data = malloc(MAX);
        char folder[64];
        int ok = loop != NULL;

        snprintf(folder, sizeof(folder), "threads-%d-%u", (int)getpid(), j->nr);
        for (int i = 0; ok && i < 2; i++) {
                s[i] = roma_store_open(loop, j->uri[i], NULL);
                if (!s[i] || roma_mkdir(s[i], folder, 0755, ROMA_MKDIR_PARENTS, NULL) < 0)
                        ok = failed(j, loop, j->uri[i]) == 0;
        }
        for (unsigned i = 0; ok && i < ROUNDS; i++)
                ok = round_of(j, loop, s, folder, data, i, &seed) == 0;
        for (int i = 0; ok && i < 2; i++)
                if (roma_rmdir(s[i], folder, NULL) < 0 && roma_last(loop)->code != ROMA_ENOENT)
                        ok = failed(j, loop, "rmdir") == 0;
        for (int i = 0; i < 2; i++)
                if (s[i])
                        roma_store_close(s[i]);
        if (ok && all_closed(j, loop) < 0)
                ok = 0;
        roma_loop_free(loop);
        free(data);
        return NULL;
}

int main(int argc, char **argv)
{
        struct job job[2];
        pthread_t t[2];
        int bad = 0;

        if (argc != 3)
                return 2;
        for (unsigned i = 0; i < 2; i++) {
                memset(&job[i], 0, sizeof(job[i]));
                job[i].nr = i;
                job[i].uri[0] = argv[1 + i];
                job[i].uri[1] = argv[2 - i];
                if (pthread_create(&t[i], NULL, work, &job[i]) != 0)
                        return 1;
        }
        for (unsigned i = 0; i < 2; i++) {
                pthread_join(t[i], NULL);
                if (job[i].error[0]) {
                        printf("FAIL: %s\n", job[i].error);
                        bad = 1;
                }
        }
        if (!bad)
                printf("two loops in two threads, %d rounds each between %s and %s\n", ROUNDS, argv[1],
                       argv[2]);
        return bad;
}
