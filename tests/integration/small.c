/* SPDX-License-Identifier: MIT */
/* What a small program costs that puts one file: linked as a user would, by pkg-config. */
#include <stdio.h>

#include <roma/roma.h>

int main(int argc, char **argv)
{
        roma_loop *loop = roma_loop_new();
        roma_store *store = argc == 4 && loop ? roma_store_open(loop, argv[1], NULL) : NULL;

        if (!store || roma_put_path(store, argv[2], argv[3], NULL, NULL) < 0) {
                fprintf(stderr, "%s\n", roma_error(loop));
                return 1;
        }
        roma_store_close(store);
        roma_loop_free(loop);
        return 0;
}
