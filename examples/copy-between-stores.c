/* SPDX-License-Identifier: MIT */
/* Copies an object from one store to another. The bytes go through this program's memory, never to its disk, and the
 * copy is shown under its name only when all of it has arrived.
 *
 *   cc -o copy-between-stores copy-between-stores.c $(pkg-config --cflags --libs roma)
 *   ./copy-between-stores mfs://10.77.0.1/photos 2026/a.jpg file:///backup 2026/a.jpg */
#include <stdio.h>

#include <roma/roma.h>

static void progress(void *arg, uint64_t done, uint64_t total)
{
        (void)arg;
        fprintf(stderr, "%llu of %llu bytes\n", (unsigned long long)done, (unsigned long long)total);
}

static int copy(roma_loop *loop, char **argv)
{
        roma_store *from = roma_store_open(loop, argv[1], NULL);
        roma_store *to = from ? roma_store_open(loop, argv[3], NULL) : NULL;
        roma_copy_opts opts = ROMA_COPY_OPTS_INIT;
        roma_result result = { 0 };
        int code = -1;

        opts.precondition = ROMA_IF_ABSENT; /* fail when the name exists */
        opts.flags = ROMA_WRITER_PARENTS;
        opts.keep_times = 1;
        opts.progress = progress;
        if (to)
                code = roma_copy(from, argv[2], to, argv[4], &opts, &result);
        if (code < 0)
                fprintf(stderr, "%s\n", roma_error(loop));
        else
                printf("%llu bytes, CRC-32 %08x\n", (unsigned long long)result.bytes, result.crc32);
        roma_store_close(to);
        roma_store_close(from);
        return code;
}

int main(int argc, char **argv)
{
        if (argc != 5) {
                fprintf(stderr, "usage: copy-between-stores FROM-STORE KEY TO-STORE KEY\n");
                return 2;
        }
        roma_loop *loop = roma_loop_new();
        if (!loop) {
                perror("copy-between-stores");
                return 1;
        }
        int code = copy(loop, argv);
        roma_loop_free(loop);
        return code < 0;
}
