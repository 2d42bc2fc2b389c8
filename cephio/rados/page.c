/* SPDX-License-Identifier: MIT */
/* A page of a list, as the result of an operation holds it. */
#include <stdlib.h>
#include <string.h>

#include "cephio/rados/rados.h"

struct rad_page {
        roma_list list; /* first: the payload of the operation */
        roma_entry *entry;
        size_t cap;
};

/* An entry: attributes and key in one piece. */
struct kept {
        roma_attr attr;
        char key[];
};

struct rad_page *rad_page_new(void)
{
        return calloc(1, sizeof(struct rad_page));
}

void rad_page_free(struct rad_page *p)
{
        if (!p)
                return;
        for (size_t i = 0; i < p->list.count; i++)
                free((void *)(uintptr_t)p->entry[i].attr);
        free(p->entry);
        free(p);
}

int rad_page_add(struct rad_page *p, const char *key, size_t len, const roma_attr *attr)
{
        struct kept *k = malloc(sizeof(*k) + len + 1);

        if (!k)
                return -1;
        if (p->list.count == p->cap) {
                size_t cap = p->cap ? p->cap * 2 : 64;
                roma_entry *e = reallocarray(p->entry, cap, sizeof(*e));

                if (!e) {
                        free(k);
                        return -1;
                }
                p->entry = e;
                p->cap = cap;
        }
        k->attr = *attr;
        memcpy(k->key, key, len);
        k->key[len] = '\0';
        p->entry[p->list.count++] = (roma_entry){ k->key, &k->attr };
        return 0;
}

size_t rad_page_count(const struct rad_page *p)
{
        return p->list.count;
}

const char *rad_page_last(const struct rad_page *p)
{
        return p->list.count ? p->entry[p->list.count - 1].key : NULL;
}

static void page_free(void *p)
{
        rad_page_free(p);
}

void rad_page_give(struct rad_page *p, bool more, struct ri_op *op)
{
        p->list.entry = p->entry;
        p->list.more = more;
        op->payload = p;
        op->payload_free = page_free;
        op->res.list = &p->list;
        ri_op_finish(op);
}
