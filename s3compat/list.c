/* SPDX-License-Identifier: MIT */
/* Lists: ListObjectsV2, or V1 where a vendor has nothing better. Objects and rolled-up prefixes come in two lists, each
 * sorted; a page of ours merges them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/value.h"
#include "s3compat/store.h"

struct item {
        char *key;
        roma_attr attr;
};

struct page {
        roma_list list;
        roma_entry *entry; /* for list.entry; the strings are of item */
        struct item *item;
        size_t n, cap;
};

struct listing {
        struct ri_op *op;
        struct s3_request *r;
        struct page *page;
        char *prefix, *after, *delimiter; /* whole: with the store's prefix */
        char *token;                      /* V2: where the server's page ended */
        size_t base, max;
        bool more, encoded, nomem, odd;
        /* while an answer is read */
        struct item now;
        bool in_contents;
        char *last; /* the greatest key of the answer */
        /* whether the server sorts */
        const char *before[2]; /* what came last of objects and of prefixes; of page->item */
        char *late;            /* the first key that came behind a greater one */
        bool missed;           /* an object that an earlier page should have had */
};

static void ask(struct listing *l);

static void page_free(void *payload)
{
        struct page *p = payload;

        if (!p)
                return;
        for (size_t i = 0; i < p->n; i++)
                free(p->item[i].key);
        free(p->item);
        free(p->entry);
        free(p);
}

static void listing_free(struct listing *l)
{
        s3_request_free(l->r);
        page_free(l->page);
        free(l->prefix);
        free(l->after);
        free(l->delimiter);
        free(l->token);
        free(l->now.key);
        free(l->last);
        free(l->late);
        free(l);
}

static void list_cancel(struct ri_op *op)
{
        listing_free(op->impl);
}

/* Reading an answer */

static int hex(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 32;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *s3_url_decode(const char *text)
{
        char *out = malloc(strlen(text) + 1), *to = out;

        for (; out && *text; text++) {
                if (*text == '%') {
                        int a = hex(text[1]), b = a < 0 ? -1 : hex(text[2]);

                        if (b < 0 || (a == 0 && b == 0)) {
                                free(out);
                                return NULL;
                        }
                        *to++ = (char)(a * 16 + b);
                        text += 2;
                } else {
                        *to++ = *text == '+' ? ' ' : *text;
                }
        }
        if (out)
                *to = '\0';
        return out;
}

static char *name_of(struct listing *l, const char *text)
{
        return l->encoded ? s3_url_decode(text) : strdup(text);
}

static int add(struct listing *l, char *key, const roma_attr *attr)
{
        struct page *p = l->page;

        if (p->n == p->cap) {
                size_t cap = p->cap ? 2 * p->cap : 256;
                struct item *v = reallocarray(p->item, cap, sizeof(*v));

                if (!v) {
                        free(key);
                        l->nomem = true;
                        return -1;
                }
                p->item = v;
                p->cap = cap;
        }
        p->item[p->n++] = (struct item){ key, *attr };
        return 0;
}

/* The next page goes on behind the greatest key of this one. Of a server that lists in another order (SeaweedFS 4.48 has
 * a/1 before a-, a directory bucket of AWS any) it would not have what is still to come of lesser ones. A rolled-up prefix
 * may be less than `after`, which can lie in it. */
static void mind_order(struct listing *l, const char *key, bool dir)
{
        bool missed = !dir && l->after && strcmp(key, l->after) < 0;

        l->missed |= missed;
        if (!l->late && (missed || (l->before[dir] && strcmp(key, l->before[dir]) < 0))) {
                l->late = strdup(key);
                l->nomem |= !l->late;
        }
}

/* Takes key over. What is not behind `after` was not asked for (some servers roll up again what a page ended with). */
static int see(struct listing *l, char *key, const roma_attr *attr)
{
        bool dir = attr->type == ROMA_TYPE_DIR;

        if (!key || strncmp(key, l->prefix, strlen(l->prefix)) != 0) {
                l->odd = key != NULL;
                l->nomem = !key;
                free(key);
                return -1;
        }
        mind_order(l, key, dir);
        if (!l->last || strcmp(key, l->last) > 0) {
                free(l->last);
                l->last = strdup(key);
        }
        if (l->after && strcmp(key, l->after) <= 0) {
                free(key);
                return 0;
        }
        l->before[dir] = key;
        return add(l, key, attr);
}

static bool asks_again(const struct listing *l)
{
        return l->more && l->page->n < l->max;
}

/* A token goes on where the server's own page ended. Where all is in one page of ours, it does not matter in which order it
 * came. */
static bool leaves_out(const struct listing *l)
{
        bool goes_on = asks_again(l) ? !l->token : l->more || l->page->n > l->max;

        return l->late && (l->missed || goes_on);
}

static int object_element(struct listing *l, const char *field, const char *text)
{
        int64_t t;

        if (strcmp(field, "Key") == 0) {
                free(l->now.key);
                l->now.key = name_of(l, text);
                if (!l->now.key)
                        return -1;
        } else if (strcmp(field, "Size") == 0) {
                if (ri_value_u64(text, &l->now.attr.length) < 0 || l->now.attr.length > INT64_MAX)
                        return -1;
                l->now.attr.mask |= ROMA_ATTR_LENGTH;
        } else if (strcmp(field, "ETag") == 0) {
                s3_etag(&l->now.attr, text);
        } else if (strcmp(field, "LastModified") == 0 && s3_parse_iso_time(text, &t) == 0) {
                l->now.attr.mtime_ns = l->now.attr.ctime_ns = t * 1000000000;
                l->now.attr.mask |= ROMA_ATTR_MTIME | ROMA_ATTR_CTIME;
        }
        return 0;
}

static int begin_object(struct listing *l)
{
        memset(&l->now.attr, 0, sizeof(l->now.attr));
        l->now.attr.size = sizeof(l->now.attr);
        l->now.attr.type = ROMA_TYPE_FILE;
        l->now.attr.mask = ROMA_ATTR_TYPE;
        return 0;
}

static int end_object(struct listing *l)
{
        char *key = l->now.key;

        l->now.key = NULL;
        if (!key)
                return -1;
        return see(l, key, &l->now.attr);
}

static int prefix_element(struct listing *l, const char *text)
{
        const roma_attr dir = { .size = sizeof(dir), .mask = ROMA_ATTR_TYPE, .type = ROMA_TYPE_DIR };

        return see(l, name_of(l, text), &dir);
}

static int top_element(struct listing *l, const char *field, const char *text)
{
        if (strcmp(field, "IsTruncated") == 0) {
                l->more = strcmp(text, "true") == 0;
        } else if (strcmp(field, "NextContinuationToken") == 0) {
                free(l->token);
                l->token = strdup(text);
                if (!l->token)
                        l->nomem = true;
        }
        return 0;
}

static int element(void *arg, const char *path, const char *text)
{
        struct listing *l = arg;
        const char *rest = path + sizeof("ListBucketResult") - 1;

        if (strncmp(path, "ListBucketResult", sizeof("ListBucketResult") - 1) != 0)
                return -1;
        if (!*rest)
                return 0;
        rest++;
        if (strcmp(rest, "Contents") == 0)
                return text ? end_object(l) : begin_object(l);
        if (!text)
                return 0;
        if (strncmp(rest, "Contents/", 9) == 0)
                return object_element(l, rest + 9, text);
        if (strcmp(rest, "CommonPrefixes/Prefix") == 0)
                return prefix_element(l, text);
        return top_element(l, rest, text);
}

/* A page of ours */

static int by_key(const void *a, const void *b)
{
        return strcmp(((const struct item *)a)->key, ((const struct item *)b)->key);
}

static void give(struct listing *l)
{
        struct ri_op *op = l->op;
        struct page *p = l->page;

        if (p->n)
                qsort(p->item, p->n, sizeof(p->item[0]), by_key);
        if (p->n > l->max) {
                for (size_t i = l->max; i < p->n; i++)
                        free(p->item[i].key);
                p->n = l->max;
                l->more = true;
        }
        p->entry = calloc(p->n ? p->n : 1, sizeof(*p->entry));
        op->cancel = NULL;
        if (!p->entry) {
                listing_free(l);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a page of names");
                return;
        }
        for (size_t i = 0; i < p->n; i++)
                p->entry[i] = (roma_entry){ p->item[i].key + l->base, &p->item[i].attr };
        p->list = (roma_list){ p->entry, p->n, l->more };
        op->payload = p;
        op->payload_free = page_free;
        op->res.list = &p->list;
        l->page = NULL;
        listing_free(l);
        ri_op_finish(op);
}

static void fail(struct listing *l, const struct ri_error *e)
{
        struct ri_op *op = l->op;
        struct ri_error copy = *e;

        op->cancel = NULL;
        listing_free(l);
        ri_op_fail_error(op, &copy);
}

static void answered(struct s3_request *r)
{
        struct listing *l = r->arg;
        struct ri_str err = RI_STR_INIT(400);
        struct ri_error e = r->error;

        if (!e.code) {
                l->more = false;
                free(l->token);
                l->token = NULL;
                free(l->last);
                l->last = NULL;
                l->encoded = l->encoded && s3_xml_encoded(r->answer.p, r->answer.len, "ListBucketResult");
                if (s3_xml_read(r->answer.p ? r->answer.p : "", r->answer.len, element, l, &err) < 0)
                        ri_error_set(&e, l->nomem ? ROMA_ENOMEM : ROMA_EPROTOCOL, r->server, "%s%s",
                                     ri_str_cstr(&err),
                                     l->odd ? ": a key does not begin with the prefix that was asked for"
                                            : "");
                else if (l->nomem)
                        ri_error_set(&e, ROMA_ENOMEM, NULL, "no memory for a page of names");
                else if (l->more && !l->token && !l->last)
                        ri_error_set(&e, ROMA_EPROTOCOL, r->server,
                                     "the server says that there is more and does not say after what");
                else if (leaves_out(l))
                        ri_error_set(&e, ROMA_EPROTOCOL, r->server,
                                     "the server does not list in the order of bytes (%.200s comes too "
                                     "late), or not from where it was asked to, so a list of more than one "
                                     "page would "
                                     "leave out keys",
                                     l->late);
        }
        ri_str_free(&err);
        s3_request_free(r);
        l->r = NULL;
        if (e.code)
                fail(l, &e);
        else if (asks_again(l))
                ask(l);
        else
                give(l);
}

/* Behind everything in a rolled-up prefix that a page ended with: no key has a greater character. */
static int add_after(struct listing *l, const char *name, const char *after)
{
        size_t n = strlen(after), d = l->delimiter ? strlen(l->delimiter) : 0;

        if (d && n >= d && strcmp(after + n - d, l->delimiter) == 0 && n > strlen(l->prefix))
                return s3_fields_addf(&l->r->query, name, "%s\xf4\x8f\xbf\xbf", after);
        return s3_fields_add(&l->r->query, name, after);
}

static void ask(struct listing *l)
{
        struct s3_request *r = s3_request_new(s3_of(l->op->store), l->op, "ListObjects", "GET", NULL);
        size_t left = l->max - l->page->n;
        const char *after = l->last && !l->token ? l->last : l->after;
        struct ri_error e;

        l->r = r;
        if (!r) {
                ri_error_set(&e, ROMA_ENOMEM, NULL, "no memory for a request");
                fail(l, &e);
                return;
        }
        r->done = answered;
        r->arg = l;
        l->encoded = r->st->profile.traits->list_encoding;
        if (r->st->profile.list_v2)
                s3_fields_add(&r->query, "list-type", "2");
        if (l->encoded)
                s3_fields_add(&r->query, "encoding-type", "url");
        if (l->delimiter)
                s3_fields_add(&r->query, "delimiter", l->delimiter);
        s3_fields_addf(&r->query, "max-keys", "%zu", left < 1000 ? left : 1000);
        s3_fields_add(&r->query, "prefix", l->prefix);
        if (l->token)
                s3_fields_add(&r->query, "continuation-token", l->token);
        else if (after)
                add_after(l, r->st->profile.list_v2 ? "start-after" : "marker", after);
        s3_request_start(r);
}

void s3_list(struct ri_op *op, const char *prefix, const roma_list_opts *opts)
{
        struct s3_store *st = s3_of(op->store);
        struct listing *l = calloc(1, sizeof(*l));

        if (l) {
                l->op = op;
                l->base = strlen(st->profile.prefix);
                l->max = opts->max;
                l->page = calloc(1, sizeof(*l->page));
                l->prefix = s3_key(st, prefix);
                if (opts->start_after && *opts->start_after)
                        l->after = s3_key(st, opts->start_after);
                if (opts->delimiter && *opts->delimiter)
                        l->delimiter = strdup(opts->delimiter);
        }
        if (!l || !l->page || !l->prefix || (opts->start_after && *opts->start_after && !l->after) ||
            (opts->delimiter && *opts->delimiter && !l->delimiter)) {
                if (l)
                        listing_free(l);
                ri_op_fail(op, ROMA_ENOMEM, "no memory for a list");
                return;
        }
        op->impl = l;
        op->cancel = list_cancel;
        ask(l);
}
