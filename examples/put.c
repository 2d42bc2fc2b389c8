/* SPDX-License-Identifier: MIT */
/* Stores a local file, the blocking way.
 *
 *   cc -o put put.c $(pkg-config --cflags --libs roma)
 *   ./put mfs://10.77.0.1/photos 2026/a.jpg /tmp/a.jpg */
#include <stdio.h>

#include <roma/roma.h>

int main(int argc, char **argv)
{
        if (argc != 4) {
                fprintf(stderr, "usage: put STORE KEY FILE\n");
                return 2;
        }
        roma_loop *loop = roma_loop_new();
        if (!loop) {
                fprintf(stderr, "%s\n", roma_error(NULL));
                return 1;
        }
        int result = -1;
        roma_store *store = roma_store_open(loop, argv[1], NULL);
        if (store) {
                roma_put_opts opts = ROMA_PUT_OPTS_INIT;
                opts.verify = ROMA_MD5;           /* read the object again and compare */
                opts.flags = ROMA_WRITER_PARENTS; /* make missing folders */
                result = roma_put_path(store, argv[2], argv[3], &opts, NULL);
        }
        if (result < 0)
                fprintf(stderr, "%s\n", roma_error(loop)); /* what, which object, which server, what to do */
        roma_store_close(store);
        roma_loop_free(loop);
        return result < 0;
}
