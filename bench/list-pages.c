/* SPDX-License-Identifier: MIT */
/* What a page of a long list costs at its beginning, in the middle and at its end: list-pages URI KEYS. The keys are those of
 * roma-bench put-many. */
#include <stdio.h>
#include <stdlib.h>

#include <roma/roma.h>

#include "bench/measure.h"

enum { ROUNDS = 21 };

static int by_size(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
        static const char *const names[] = { "first page", "in the middle", "last page" };
        roma_loop *loop = roma_loop_new();
        roma_store *store = argc == 3 && loop ? roma_store_open(loop, argv[1], NULL) : NULL;
        unsigned long keys = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

        if (!store || keys < 2000) {
                fprintf(stderr, "usage: list-pages URI KEYS (%s)\n", loop ? roma_error(loop) : "no loop");
                return 2;
        }
        for (int i = 0; i < 3; i++) {
                unsigned long from = i == 0 ? 0 : i == 1 ? keys / 2 : keys - 1000;
                roma_list_opts o = ROMA_LIST_OPTS_INIT;
                double t[ROUNDS];
                char after[64];
                size_t n = 0;

                snprintf(after, sizeof(after), "f%06lu", from ? from - 1 : 0);
                o.start_after = from ? after : NULL;
                for (int k = 0; k < ROUNDS; k++) {
                        t[k] = bench_now();
                        if (roma_list_page(store, "", &o) < 0) {
                                fprintf(stderr, "%s\n", roma_error(loop));
                                return 1;
                        }
                        t[k] = bench_now() - t[k];
                        n = roma_last(loop)->list->count;
                }
                qsort(t, ROUNDS, sizeof(t[0]), by_size);
                printf("%-14s %zu of %lu keys in %.2f ms\n", names[i], n, keys, t[ROUNDS / 2] * 1000);
        }
        roma_store_close(store);
        roma_loop_free(loop);
        return 0;
}
