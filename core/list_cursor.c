/* SPDX-License-Identifier: MIT */
/* Walks that stopped because a page was full. Whoever asks for the page behind it soon, and with no change through this
 * store in between, goes on with the names that have been read; otherwise they are forgotten. */
#include "core/listing.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_CURSORS = 2, KEEP_MS = 5000 };

struct cursor {
        struct ri_list link;
        struct ri_timer timer;
        struct listing *l;
        uint64_t changes; /* of the store, when the page ended */
        char last[];
};

static struct listing *cursor_free(struct cursor *c)
{
        struct listing *l = c->l;

        ri_timer_stop(&c->timer);
        ri_list_del(&c->link);
        free(c);
        return l;
}

static void cursor_old(struct ri_timer *t)
{
        ri_listing_free(cursor_free(ri_container_of(t, struct cursor, timer)));
}

void ri_cursors_free(roma_store *store)
{
        struct ri_list *it;

        while ((it = ri_list_first(&store->cursors)))
                ri_listing_free(cursor_free(ri_list_entry(it, struct cursor, link)));
}

void ri_cursor_keep(roma_store *store, struct listing *l, const char *last)
{
        struct cursor *c = calloc(1, sizeof(*c) + strlen(last) + 1);

        if (!c || store->closing) {
                free(c);
                ri_listing_free(l);
                return;
        }
        c->l = l;
        c->changes = store->changes;
        memcpy(c->last, last, strlen(last) + 1);
        c->timer.fire = cursor_old;
        ri_list_add_tail(&store->cursors, &c->link);
        if (ri_list_count(&store->cursors) > MOST_CURSORS)
                ri_listing_free(
                        cursor_free(ri_list_entry(ri_list_first(&store->cursors), struct cursor, link)));
        if (ri_timer_start(store->loop, &c->timer, KEEP_MS) < 0)
                ri_listing_free(cursor_free(c));
}

struct listing *ri_cursor_take(roma_store *store, const char *prefix, const char *after, bool delimited,
                               unsigned flags)
{
        ri_list_for_each_safe(it, tmp, &store->cursors)
        {
                struct cursor *c = ri_list_entry(it, struct cursor, link);
                const struct listing *l = c->l;

                if (c->changes != store->changes)
                        ri_listing_free(cursor_free(c));
                else if (strcmp(c->last, after) == 0 && strcmp(l->prefix, prefix) == 0 &&
                         l->delimited == delimited && l->flags == flags)
                        return cursor_free(c);
        }
        return NULL;
}
