/* SPDX-License-Identifier: MIT */
/* Reads the first bytes of many objects, all at once, on the program's own libev loop.
 *
 *   cc -o many-reads many-reads.c $(pkg-config --cflags --libs roma) -lev
 *   ./many-reads mfs://10.77.0.1/photos 2026/a.jpg 2026/b.jpg ... */
#include <stdio.h>
#include <stdlib.h>

#include <ev.h>
#include <roma/ev.h>
#include <roma/roma.h>

enum { LENGTH = 4096 };

struct job {
        const char *key;
        roma_store *store;
        roma_file *file;
        size_t *left; /* jobs that are not over yet */
        int ok;
        unsigned char buf[LENGTH];
};

/* When the last job is over the store is closed; then nothing is in flight and ev_run() returns. */
static void over(struct job *j)
{
        if (j->file)
                (void)roma_aio_file_close(j->file, NULL, NULL, NULL);
        if (--*j->left == 0)
                (void)roma_aio_store_close(j->store, NULL, NULL);
}

static void failed(struct job *j, const char *message)
{
        fprintf(stderr, "%s: %s\n", j->key, message);
        over(j);
}

static void got(void *arg, const roma_result *r)
{
        struct job *j = arg;

        if (r->code != ROMA_OK) {
                failed(j, r->message);
                return;
        }
        j->ok = 1;
        printf("%s: %llu bytes, the first is %02x\n", j->key, (unsigned long long)r->bytes,
               r->bytes ? j->buf[0] : 0);
        over(j);
}

static void opened(void *arg, const roma_result *r)
{
        struct job *j = arg;

        if (r->code != ROMA_OK) {
                failed(j, r->message);
                return;
        }
        j->file = r->file;
        if (!roma_aio_pread(j->file, j->buf, sizeof(j->buf), 0, NULL, got, j))
                failed(j, roma_error(roma_store_loop(j->store)));
}

struct all {
        struct job *job;
        size_t jobs, left;
};

static void connected(void *arg, const roma_result *r)
{
        struct all *all = arg;

        if (r->code != ROMA_OK) {
                fprintf(stderr, "%s\n", r->message);
                return;
        }
        for (size_t i = 0; i < all->jobs; i++)
                all->job[i].store = r->store;
        for (size_t i = 0; i < all->jobs; i++) {
                struct job *j = &all->job[i];
                if (!roma_aio_file_open(r->store, j->key, ROMA_O_READ, 0, NULL, opened, j))
                        failed(j, roma_error(roma_store_loop(r->store)));
        }
}

int main(int argc, char **argv)
{
        if (argc < 3) {
                fprintf(stderr, "usage: many-reads STORE KEY...\n");
                return 2;
        }
        struct all all = { .jobs = (size_t)argc - 2, .left = (size_t)argc - 2 };
        all.job = calloc(all.jobs, sizeof(*all.job));
        roma_loop *loop = roma_loop_attach(EV_DEFAULT);
        if (!all.job || !loop) {
                fprintf(stderr, "no loop or no memory\n");
                return 1;
        }
        for (size_t i = 0; i < all.jobs; i++) {
                all.job[i].key = argv[i + 2];
                all.job[i].left = &all.left;
        }
        if (!roma_aio_store_open(loop, argv[1], NULL, connected, &all))
                fprintf(stderr, "%s\n", roma_error(loop));
        ev_run(EV_DEFAULT, 0); /* returns when nothing is in flight */
        roma_loop_free(loop);
        int bad = 0;
        for (size_t i = 0; i < all.jobs; i++)
                bad |= !all.job[i].ok;
        free(all.job);
        ev_default_destroy();
        return bad;
}
