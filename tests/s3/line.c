/* SPDX-License-Identifier: MIT */
/* Reads of an object and looks at it, asked for at once in this order: line URI READS LOOKS. How they end does not matter here: the
 * server sees in which order they come. */
#include <stdio.h>
#include <stdlib.h>

#include <roma/roma.h>

enum { PIECE = 1 << 20 };

static void ended(void *arg, const roma_result *r)
{
        (void)r;
        ++*(unsigned long *)arg;
}

int main(int argc, char **argv)
{
        roma_loop *loop = roma_loop_new();
        roma_store *store = loop && argc == 4 ? roma_store_open(loop, argv[1], NULL) : NULL;
        roma_file *f = store ? roma_file_open(store, "k", ROMA_O_READ, 0, NULL) : NULL;
        unsigned long reads, looks, n = 0;
        static char bytes[PIECE];

        if (!f) {
                fprintf(stderr, "usage: line URI READS LOOKS (%s)\n", loop ? roma_error(loop) : "no loop");
                return 2;
        }
        reads = strtoul(argv[2], NULL, 10);
        looks = strtoul(argv[3], NULL, 10);
        for (unsigned long i = 0; i < reads; i++)
                roma_aio_pread(f, bytes, PIECE, i * PIECE, NULL, ended, &n);
        for (unsigned long i = 0; i < looks; i++)
                roma_aio_stat(store, "k", 0, NULL, ended, &n);
        while (n < reads + looks && roma_loop_turn(loop, -1) >= 0)
                ;
        roma_store_close(store);
        roma_loop_free(loop);
        return n != reads + looks;
}
