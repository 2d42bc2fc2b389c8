/* SPDX-License-Identifier: MIT */
/* One call of roma/upload.h on an S3-like store: upload-call URI begin|part|parts|list|complete|abort. Prints how it ended:
 * code, outcome, and what came back. Exit code 1: something of the loop is left when the store is closed. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <roma/roma.h>

#define ID "UP1"

static const char etag[] = "5d41402abc4b2a76b9719d911017c592"; /* of "hello" */

static int call(roma_store *s, const char *what)
{
        const roma_part part = { .number = 1, .length = 5, .etag = etag };

        if (strcmp(what, "begin") == 0)
                return roma_upload_begin(s, "k", NULL);
        if (strcmp(what, "part") == 0)
                return roma_upload_part(s, "k", ID, 1, "hello", 5, NULL);
        if (strcmp(what, "parts") == 0)
                return roma_upload_parts(s, "k", ID, NULL);
        if (strcmp(what, "list") == 0)
                return roma_upload_list_page(s, "", NULL, 0, NULL);
        if (strcmp(what, "complete") == 0)
                return roma_upload_complete(s, "k", ID, &part, 1, NULL);
        return roma_upload_abort(s, "k", ID, NULL);
}

static void show(const roma_result *r, const char *what)
{
        printf("%s %s", roma_code_name(r->code), roma_outcome_name(r->outcome));
        if (r->code) {
                printf("\n%s\n", r->message);
                return;
        }
        if (strcmp(what, "begin") == 0)
                printf(" %s", r->text);
        if (strcmp(what, "part") == 0 || strcmp(what, "complete") == 0)
                printf(" %s", r->attr->etag);
        if (strcmp(what, "parts") == 0) {
                const roma_part_list *l = r->extra;

                for (size_t i = 0; i < l->count; i++)
                        printf(" %u:%s:%" PRIu64, l->part[i].number, l->part[i].etag, l->part[i].length);
        }
        if (strcmp(what, "list") == 0) {
                const roma_upload_list *l = r->extra;

                for (size_t i = 0; i < l->count; i++)
                        printf(" %s:%s", l->upload[i].key, l->upload[i].id);
        }
        printf("\n");
}

int main(int argc, char **argv)
{
        roma_stats n = { .size = sizeof(n) };
        roma_loop *loop = roma_loop_new();
        roma_store *store = loop && argc == 3 ? roma_store_open(loop, argv[1], NULL) : NULL;
        int held;

        if (!store) {
                fprintf(stderr, "usage: upload-call URI CALL (%s)\n", loop ? roma_error(loop) : "no loop");
                return 2;
        }
        (void)call(store, argv[2]);
        show(roma_last(loop), argv[2]);
        /* Connections may be kept for the next call: one, and the one that asked whether the server is alive. */
        roma_loop_stats(loop, &n);
        held = n.operations || n.connections > 2 || n.buffers;
        if (held)
                printf("held: %" PRIu64 " operations, %" PRIu64 " connections, %" PRIu64 " buffers\n",
                       n.operations, n.connections, n.buffers);
        roma_store_close(store);
        roma_loop_stats(loop, &n);
        if (n.stores || n.operations || n.connections || n.writers || n.buffers || n.timers) {
                printf("left: %" PRIu64 " stores, %" PRIu64 " operations, %" PRIu64 " connections, %" PRIu64
                       " writers, %" PRIu64 " buffers, %" PRIu64 " timers\n",
                       n.stores, n.operations, n.connections, n.writers, n.buffers, n.timers);
                held = 1;
        }
        roma_loop_free(loop);
        return held;
}
