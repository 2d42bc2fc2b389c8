/* SPDX-License-Identifier: MIT */
/* Whether a place lies in a folder that has another name there: one store has as many URIs as its server has names,
 * roma.conf adds its own, and symbolic links do. What is copied into its own source would be copied again, for ever. Stores without
 * folders have no numbers to compare: there the library says what it knows of their URIs. */
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

enum { TRIES = 3 };

static bool look(struct tool *t, struct place *place, const char *key, roma_attr *attr)
{
        const roma_opts o = request_opts(t);
        struct answer a = { 0 };
        bool folder;

        ANSWER(t, &a, roma_aio_stat(place->store, key, 0, &o, flight_done, &a.flight));
        answer_wait(t, &a);
        *attr = a.attr;
        folder = a.code == ROMA_OK && attr->type == ROMA_TYPE_DIR && attr->mask & ROMA_ATTR_INODE &&
                 attr->mask & ROMA_ATTR_CTIME;
        answer_free(&a);
        return folder;
}

/* Folders of two stores may have one number by chance, and roots always have; but then not the same times and owners. */
static bool alike(const roma_attr *a, const roma_attr *b)
{
        return a->ctime_ns == b->ctime_ns && a->mtime_ns == b->mtime_ns && a->mode == b->mode &&
               a->nlink == b->nlink && a->uid == b->uid && a->gid == b->gid;
}

static bool same(struct tool *t, struct place *place, const char *key, struct place *of, const char *folder)
{
        roma_attr a, b;

        for (int i = 0; i < TRIES && !t->stopping; i++) {
                if (!look(t, place, key, &b) || !look(t, of, folder, &a) || a.inode != b.inode)
                        return false;
                if (alike(&a, &b))
                        return true;
        }
        return false;
}

bool place_same_kind(const struct place *a, const struct place *b)
{
        const char *x = roma_store_uri(a->store), *y = roma_store_uri(b->store);

        return !strncmp(x, y, strcspn(x, ":") + 1);
}

bool place_has_folders(const struct place *p)
{
        return (roma_store_caps(p->store) & ROMA_CAP_DIRS) != 0;
}

bool lies_in(struct tool *t, struct place *place, const char *key, struct place *of, const char *folder)
{
        bool in = roma_store_lies_in(place->store, key, of->store, folder);
        char *above = need_copy(key);

        while (!in && place_same_kind(place, of) && place_has_folders(place)) {
                char *slash = strrchr(above, '/');

                in = same(t, place, above, of, folder);
                if (in || !*above || t->stopping)
                        break;
                *(slash ? slash : above) = 0;
        }
        free(above);
        return in;
}
