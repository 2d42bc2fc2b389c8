/* SPDX-License-Identifier: MIT */
/* Intrusive doubly linked list: the node lives inside the element, so linking never allocates and never fails. A head
 * and an unlinked node are both a ring of one; ri_list_empty() therefore answers "is this list empty" for a head and
 * "am I on no list" for a node. */
#ifndef RI_LIST_H
#define RI_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct ri_list {
        struct ri_list *next, *prev;
};

/* The element of type `type` whose member `member` is *ptr. */
#define ri_container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define RI_LIST_INIT(name)       \
        {                        \
                &(name), &(name) \
        }

static inline void ri_list_init(struct ri_list *l)
{
        l->next = l;
        l->prev = l;
}

static inline bool ri_list_empty(const struct ri_list *l)
{
        return l->next == l;
}

/* `node` must be on no list. */
static inline void ri_list_insert_before(struct ri_list *pos, struct ri_list *node)
{
        node->prev = pos->prev;
        node->next = pos;
        pos->prev->next = node;
        pos->prev = node;
}

static inline void ri_list_add_tail(struct ri_list *head, struct ri_list *node)
{
        ri_list_insert_before(head, node);
}

static inline void ri_list_add_head(struct ri_list *head, struct ri_list *node)
{
        ri_list_insert_before(head->next, node);
}

/* Harmless on an initialised node that is on no list: owners delete without asking first. */
static inline void ri_list_del(struct ri_list *node)
{
        node->prev->next = node->next;
        node->next->prev = node->prev;
        ri_list_init(node);
}

/* Moves every node of `from` to the end of `to`, in order; `from` is empty afterwards. */
static inline void ri_list_splice_tail(struct ri_list *to, struct ri_list *from)
{
        if (ri_list_empty(from))
                return;
        from->next->prev = to->prev;
        to->prev->next = from->next;
        from->prev->next = to;
        to->prev = from->prev;
        ri_list_init(from);
}

/* NULL when empty. */
static inline struct ri_list *ri_list_first(const struct ri_list *head)
{
        return ri_list_empty(head) ? NULL : head->next;
}

static inline struct ri_list *ri_list_last(const struct ri_list *head)
{
        return ri_list_empty(head) ? NULL : head->prev;
}

/* Takes the first node off the list; NULL when empty. A loop over this is the only walk that survives callbacks which
 * remove arbitrary other nodes; the _safe macro survives only the removal of the current one. */
static inline struct ri_list *ri_list_pop(struct ri_list *head)
{
        struct ri_list *n = ri_list_first(head);

        if (n)
                ri_list_del(n);
        return n;
}

static inline size_t ri_list_count(const struct ri_list *head)
{
        size_t n = 0;

        for (const struct ri_list *p = head->next; p != head; p = p->next)
                n++;
        return n;
}

#define ri_list_entry(ptr, type, member) ri_container_of(ptr, type, member)

#define ri_list_for_each(it, head) for (struct ri_list *it = (head)->next; it != (head); it = it->next)

/* The body may delete (or free) the element of `it`. */
#define ri_list_for_each_safe(it, tmp, head) \
        for (struct ri_list *it = (head)->next, *tmp = it->next; it != (head); it = tmp, tmp = it->next)

#endif
