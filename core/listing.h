/* SPDX-License-Identifier: MIT */
/* The parts of a list over a tree: see listing.c. */
#ifndef RI_LISTING_H
#define RI_LISTING_H

#include "core/compose.h"

/* A name of a folder. In the order a folder counts as name + '/'. */
struct item {
        roma_attr attr;
        bool dir;
        size_t len;
        char name[];
};

/* A folder on the way. */
struct level {
        struct level *up;
        char *bound; /* only what sorts behind this (relative to the folder) is wanted; NULL: all */
        bool past;   /* the bound is a folder, and all below it has been listed */
        bool loaded;
        bool dropped;    /* names behind the last of v were seen and not kept */
        struct item **v; /* a heap with the greatest on top while loading, sorted afterwards */
        size_t n, cap, at;
        size_t key_len;
        char key[];
};

struct page {
        roma_list list;
        roma_entry *entry;
        size_t cap;
};

/* An entry of the page: attributes and key in one piece. */
struct kept {
        roma_attr attr;
        char key[];
};

struct listing {
        struct ri_op *op; /* NULL while kept as a cursor */
        roma_op child;
        bool nomem;
        bool delimited;
        unsigned flags, max;
        char *prefix;
        const char *filter; /* in prefix: what names of the first folder begin with */
        struct level *top;
        size_t bytes; /* of names in the levels */
        struct page *page;
};

/* list_level.c */
/* bound may be NULL. false: no memory. */
bool ri_level_push(struct listing *l, const char *folder, size_t folder_len, const char *name,
                   size_t name_len, const char *bound);
void ri_level_pop(struct listing *l);
/* Receives the names of the top folder: a ri_dirent_fn. */
bool ri_level_see(void *listing, const struct ri_dirent *ent);
/* All have been seen. */
void ri_level_sort(struct level *lv);
/* To be read again, behind the last name that was kept. false: no memory. */
bool ri_level_again(struct listing *l);

/* listing.c */
void ri_listing_free(struct listing *l);

/* list_cursor.c: where a page ended, so that the next one need not read everything again. */
/* Takes over a listing whose page is full and given away; last: its last key. */
void ri_cursor_keep(roma_store *store, struct listing *l, const char *last);
/* The listing that goes on after `after`, or NULL. */
struct listing *ri_cursor_take(roma_store *store, const char *prefix, const char *after, bool delimited,
                               unsigned flags);

#endif
