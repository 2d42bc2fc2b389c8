/* SPDX-License-Identifier: MIT */
/* Multipart uploads: whatever order, repetition and race, the object is exactly what one complete was given, or is not
 * there. */
#include "check.h"

enum { MOST = 1000 };

/* On S3 the uploads are the server's: a later part takes the place of an earlier one, and who ends what first is its word. */
static bool served(void)
{
        return env.caps & ROMA_CAP_PROPS;
}

/* Servers refuse small parts that are not the last; where objects have pieces, a part shall have some. */
static size_t part_size(void)
{
        return served() ? 5 << 20 : env.caps & ROMA_CAP_DIRS ? 70001 : 700001;
}

/* The parts and uploads of a result are copied in the callback: they live no longer. */
struct parts {
        roma_part v[MOST];
        size_t n;
};
struct uploads {
        roma_upload v[MOST];
        size_t n;
};

static void parts_done(void *arg, const roma_result *r)
{
        struct wait *w = arg;
        const roma_part_list *l = r->code ? NULL : r->extra;
        struct parts *p = w->arg;

        for (size_t i = 0; l && i < l->count && i < MOST; i++) {
                p->v[p->n] = l->part[i];
                p->v[p->n++].etag = text("%s", l->part[i].etag);
        }
        w_done(arg, r);
}

static void uploads_done(void *arg, const roma_result *r)
{
        struct wait *w = arg;
        const roma_upload_list *l = r->code ? NULL : r->extra;
        struct uploads *u = w->arg;

        for (size_t i = 0; l && i < l->count && i < MOST; i++)
                u->v[u->n++] = (roma_upload){ text("%s", l->upload[i].key), text("%s", l->upload[i].id),
                                              l->upload[i].begun_ns };
        w_done(arg, r);
}

static const struct res *x_parts(roma_store *s, const char *key, const char *id, struct parts *p)
{
        struct wait *w = w_new();

        p->n = 0;
        w->arg = p;
        w->id = roma_aio_upload_parts(s, key, id, NULL, parts_done, w);
        return w_wait(w);
}

static const struct res *x_uploads(roma_store *s, const char *prefix, struct uploads *u)
{
        struct wait *w = w_new();

        u->n = 0;
        w->arg = u;
        w->id = roma_aio_upload_list(s, prefix, NULL, 0, NULL, uploads_done, w);
        return w_wait(w);
}

static const struct res *x_begin(const char *key)
{
        roma_upload_opts o = ROMA_UPLOAD_OPTS_INIT;
        struct wait *w;

        o.flags = ROMA_WRITER_PARENTS;
        if (env.drive == DRIVE_OWN)
                return env_took(roma_upload_begin(S, key, &o));
        w = w_new();
        w->id = roma_aio_upload_begin(S, key, &o, w_done, w);
        return w_wait(w);
}

static const struct res *x_part(roma_store *s, const char *key, const char *id, unsigned number,
                                const void *p, size_t n)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_upload_part(s, key, id, number, p, n, NULL));
        w = w_new();
        w->id = roma_aio_upload_part(s, key, id, number, p, n, NULL, w_done, w);
        return w_wait(w);
}

static struct wait *complete_start(roma_store *s, const char *key, const char *id, const roma_part *v,
                                   size_t n, int precondition)
{
        roma_complete_opts o = ROMA_COMPLETE_OPTS_INIT;
        struct wait *w = w_new();

        o.precondition = precondition;
        w->id = roma_aio_upload_complete(s, key, id, v, n, &o, w_done, w);
        return w;
}

static const struct res *x_complete(roma_store *s, const char *key, const char *id, const roma_part *v,
                                    size_t n)
{
        return w_wait(complete_start(s, key, id, v, n, ROMA_ALWAYS));
}

static const struct res *x_abort_upload(roma_store *s, const char *key, const char *id)
{
        struct wait *w;

        if (env.drive == DRIVE_OWN)
                return env_took(roma_upload_abort(s, key, id, NULL));
        w = w_new();
        w->id = roma_aio_upload_abort(s, key, id, NULL, w_done, w);
        return w_wait(w);
}

static const char *begun(const char *key)
{
        const struct res *r = x_begin(key);

        if (r->code == ROMA_ENOTSUP) {
                env.skipped = true;
                env.why = text("no uploads here");
        } else if (r->code != ROMA_OK || !r->r.text || !*r->r.text)
                check_fail(__FILE__, __LINE__, "begin %s: %s", key, check_code_text(r));
        return r->r.text;
}
#define BEGIN(id, key) ALSO(id = begun(key))

/* One part that must succeed, and what complete wants to know of it. */
static roma_part put_part(roma_store *s, const char *key, const char *id, unsigned number, const void *p,
                          size_t n)
{
        const struct res *r = x_part(s, key, id, number, p, n);

        if (r->code != ROMA_OK || !(r->attr.mask & ROMA_ATTR_ETAG) || r->r.bytes != n)
                check_fail(__FILE__, __LINE__, "part %u: %s", number, check_code_text(r));
        return (roma_part){ number, n, 0, text("%s", r->attr.etag) };
}
#define PART(v, s, key, id, number, p, n) ALSO(v = put_part(s, key, id, number, p, n))

static void nothing_is_left(const char *key, const char *id)
{
        struct uploads *u = mem(sizeof(*u));
        struct parts *p = mem(sizeof(*p));

        CODE(x_parts(S, key, id, p), ROMA_ENOENT);
        OK(x_uploads(S, K(""), u));
        EQ(u->n, 0);
        NO_TEMPORARIES();
}
#define NOTHING_IS_LEFT(key, id) ALSO(nothing_is_left(key, id))

/* In parallel, in any order, and the last one short. */
static void any_order(void)
{
        static const unsigned order[] = { 3, 1, 4, 2 };
        const size_t P = part_size(), n = 3 * P + 12345;
        uint8_t *data = rnd_bytes(n);
        struct parts *p = mem(sizeof(*p));
        const char *k = K("folder/file"), *id;
        struct wait *w[4];
        const struct res *r;

        BEGIN(id, k);
        for (int i = 0; i < 4; i++) {
                unsigned number = order[i];

                w[i] = w_new();
                w[i]->id = roma_aio_upload_part(S, k, id, number, data + (number - 1) * P,
                                                number == 4 ? 12345 : P, NULL, w_done, w[i]);
        }
        for (int i = 0; i < 4; i++)
                OK(w_wait(w[i]));
        ABSENT(S, k);
        OK(x_parts(S, k, id, p));
        EQ(p->n, 4);
        for (unsigned i = 0; i < 4; i++) {
                size_t len = i == 3 ? 12345 : P;

                EQ(p->v[i].number, i + 1);
                EQ(p->v[i].length, len);
                EQ_STR(p->v[i].etag, ref_digest("md5", data + i * P, len));
        }
        r = x_complete(S, k, id, p->v, p->n);
        OK(r);
        EQ(r->r.outcome, ROMA_DONE);
        CHECK(r->r.attr && r->attr.mask & ROMA_ATTR_ETAG);
        EQ_STR(x_stat(S, k, 0)->attr.etag, r->attr.etag);
        HOLDS(S, k, data, n);
        HOLDS(other(), k, data, n);
        NOTHING_IS_LEFT(k, id);
        OK(x_unlink(S, k, 0));
        if (env.caps & ROMA_CAP_DIRS)
                OK(x_rmdir(S, K("folder")));
}

/* Numbers left out, parts not wanted, a part that comes again with other content, an object in the place. */
static void repeated(void)
{
        const size_t P = part_size();
        uint8_t *a = rnd_bytes(P), *b = rnd_bytes(P), *c = rnd_bytes(99), *whole = mem(P + 99);
        struct parts *p = mem(sizeof(*p));
        const char *k = K("file"), *id;
        roma_part v[2], first;

        OK(x_put(S, k, "old", 3, NULL));
        BEGIN(id, k);
        PART(first, S, k, id, 7, a, P);
        PART(v[0], S, k, id, 7, b, P);
        PART(v[1], other(), k, id, 100, c, 99);
        CHECK(strcmp(first.etag, v[0].etag) != 0);
        OK(x_parts(other(), k, id, p));
        EQ(p->n, 2);
        EQ(p->v[0].number, 7);
        EQ_STR(p->v[0].etag, v[0].etag);
        EQ(p->v[1].number, 100);
        HOLDS(S, k, "old", 3);
        OK(x_complete(other(), k, id, v, 2));
        memcpy(whole, b, P);
        memcpy(whole + P, c, 99);
        HOLDS(S, k, whole, P + 99);
        NOTHING_IS_LEFT(k, id);
}

/* Elsewhere than on S3 an acknowledged part can be completed whatever came after it. */
static void older_one(void)
{
        uint8_t *a = rnd_bytes(5000), *b = rnd_bytes(6000);
        const char *k = K("file"), *id;
        roma_part older, newer;

        if (served())
                SKIP("a later part takes the place of an earlier one here");
        BEGIN(id, k);
        PART(older, S, k, id, 1, a, 5000);
        PART(newer, S, k, id, 1, b, 6000);
        CHECK(strcmp(older.etag, newer.etag) != 0);
        OK(x_complete(S, k, id, &older, 1));
        HOLDS(S, k, a, 5000);
        NOTHING_IS_LEFT(k, id);
}

static struct wait *part_start(roma_store *s, const char *key, const char *id, unsigned number, const void *p,
                               size_t n)
{
        struct wait *w = w_new();

        w->id = roma_aio_upload_part(s, key, id, number, p, n, NULL, w_done, w);
        return w;
}

/* The same part twice at the same time with other content: both are acknowledged, one of them is listed, and the object is
 * of the one that complete names. */
static void repeated_at_once(void)
{
        const size_t P = part_size();
        uint8_t *data[2] = { rnd_bytes(P), rnd_bytes(P) };
        struct parts *p = mem(sizeof(*p));
        const char *k = K("file"), *id;

        for (int round = 0; round < 2; round++) {
                struct wait *w[2];
                int which;

                BEGIN(id, k);
                w[0] = part_start(S, k, id, 1, data[0], P);
                w[1] = part_start(other(), k, id, 1, data[1], P);
                OK(w_wait(w[0]));
                OK(w_wait(w[1]));
                OK(x_parts(S, k, id, p));
                EQ(p->n, 1);
                which = strcmp(p->v[0].etag, w[1]->res->attr.etag) == 0;
                EQ_STR(p->v[0].etag, w[which]->res->attr.etag);
                /* Where both stay, the one that is not listed is as good. */
                if (round && !served())
                        which = !which;
                p->v[0].etag = w[which]->res->attr.etag;
                OK(x_complete(other(), k, id, p->v, 1));
                HOLDS(S, k, data[which], P);
                NOTHING_IS_LEFT(k, id);
        }
}

/* A part comes again while the upload is completed with what it was before. Both, or the complete alone: the object is of the
 * parts that it names. A server that replaces parts may refuse it; then all is as before, with the new part. */
static void complete_under_retry(void)
{
        const size_t P = part_size();
        uint8_t *a = rnd_bytes(P), *b = rnd_bytes(P), *whole = mem(P + 777);
        const char *k = K("file"), *id;

        rnd_fill(whole + P, 777);
        for (unsigned round = 0; round < 6; round++) {
                struct wait *c, *w;
                roma_part v[2];

                OK(x_put(S, k, "old", 3, NULL));
                BEGIN(id, k);
                PART(v[0], S, k, id, 1, a, P);
                PART(v[1], S, k, id, 2, whole + P, 777);
                if (round % 2) {
                        w = part_start(other(), k, id, 1, b, P);
                        w_ms(round * round);
                        c = complete_start(S, k, id, v, 2, ROMA_ALWAYS);
                } else {
                        c = complete_start(S, k, id, v, 2, ROMA_ALWAYS);
                        w_ms(round * round);
                        w = part_start(other(), k, id, 1, b, P);
                }
                w_wait(c);
                w_wait(w);
                CHECK(w->res->code == ROMA_OK || w->res->code == ROMA_ENOENT);
                memcpy(whole, a, P);
                if (c->res->code != ROMA_OK) {
                        CHECK(served());
                        CODE(c->res, ROMA_EPRECONDITION);
                        HOLDS(S, k, "old", 3);
                        OK(w->res);
                        v[0].etag = w->res->attr.etag;
                        OK(x_complete(S, k, id, v, 2));
                        memcpy(whole, b, P);
                }
                HOLDS(S, k, whole, P + 777);
                HOLDS(other(), k, whole, P + 777);
                NOTHING_IS_LEFT(k, id);
        }
}

/* Two at once with other parts: the object is what one of those got that succeeded, whole. */
static void two_completes(void)
{
        const size_t P = part_size();
        uint8_t *data = rnd_bytes(P + 777);

        for (int round = 0; round < 4; round++) {
                const char *k = K(text("file%d", round)), *id;
                struct wait *one, *two;
                roma_part v[2];
                const struct res *r, *q;
                bool longer;

                BEGIN(id, k);
                PART(v[0], S, k, id, 1, data, P);
                PART(v[1], S, k, id, 2, data + P, 777);
                one = complete_start(S, k, id, v, 1, ROMA_ALWAYS);
                two = complete_start(other(), k, id, v, 2, ROMA_ALWAYS);
                r = w_wait(one);
                q = w_wait(two);
                CHECK(r->code == ROMA_OK || q->code == ROMA_OK);
                if (!served())
                        CHECK(r->code == ROMA_ENOENT || q->code == ROMA_ENOENT);
                longer = x_stat(S, k, 0)->attr.length == P + 777;
                CHECK(longer ? q->code == ROMA_OK : r->code == ROMA_OK);
                HOLDS(S, k, data, longer ? P + 777 : P);
                NOTHING_IS_LEFT(k, id);
        }
}

/* The same twice at once, and once more afterwards. */
static void same_complete_twice(void)
{
        const char *k = K("file"), *id;
        struct wait *one, *two;
        roma_part v;

        BEGIN(id, k);
        PART(v, S, k, id, 1, "content", 7);
        one = complete_start(S, k, id, &v, 1, ROMA_ALWAYS);
        two = complete_start(other(), k, id, &v, 1, ROMA_ALWAYS);
        w_wait(one);
        w_wait(two);
        CHECK(one->res->code == ROMA_OK || two->res->code == ROMA_OK);
        CHECK(one->res->code == ROMA_OK || one->res->code == ROMA_ENOENT);
        CHECK(two->res->code == ROMA_OK || two->res->code == ROMA_ENOENT);
        HOLDS(S, k, "content", 7);
        NOTHING_IS_LEFT(k, id);
        CODE(x_part(S, k, id, 1, "x", 1), ROMA_ENOENT);
}

/* Nor is the one that comes second told that there is an object of somebody else. */
static void same_if_absent(void)
{
        for (int round = 0; round < 8; round++) {
                const char *k = K(text("file%d", round)), *id;
                struct wait *w[2];
                roma_part v;

                BEGIN(id, k);
                PART(v, S, k, id, 1, "content", 7);
                w[0] = complete_start(S, k, id, &v, 1, ROMA_IF_ABSENT);
                w[1] = complete_start(other(), k, id, &v, 1, ROMA_IF_ABSENT);
                w_wait(w[0]);
                w_wait(w[1]);
                if (w[0]->res->code == ROMA_ENOTSUP) {
                        OK(x_abort_upload(S, k, id));
                        SKIP("no complete if absent here");
                }
                CHECK(w[0]->res->code == ROMA_OK || w[1]->res->code == ROMA_OK);
                for (int i = 0; i < 2 && !served(); i++)
                        CHECK(w[i]->res->code == ROMA_OK || w[i]->res->code == ROMA_ENOENT);
                HOLDS(S, k, "content", 7);
                NOTHING_IS_LEFT(k, id);
        }
}

/* What a complete if absent leaves that was killed when it had decided and shown the object: once more is good. */
static void shown_and_killed(void)
{
        const char *k = K("file"), *id, *asked, *decision;
        const struct res *r;
        roma_part v;

        if (served())
                SKIP("the server knows that by itself");
        BEGIN(id, k);
        PART(v, S, k, id, 1, "content", 7);
        asked = text("absent\n1 %s\n", v.etag);
        decision = text("complete %s", ref_digest("md5", asked, strlen(asked)));
        OK(x_put(S, K(text(".roma~%s/decided", id)), decision, strlen(decision), NULL));
        OK(x_put(S, k, "CONTENT", 7, NULL));
        CODE(w_wait(complete_start(S, k, id, &v, 1, ROMA_IF_ABSENT)), ROMA_EEXIST);
        HOLDS(S, k, "CONTENT", 7);
        OK(x_put(S, k, "content", 7, NULL));
        r = w_wait(complete_start(S, k, id, &v, 1, ROMA_IF_ABSENT));
        OK(r);
        EQ(r->r.bytes, 7);
        HOLDS(S, k, "content", 7);
        NOTHING_IS_LEFT(k, id);
}

/* Without folders a decision may be left that was made after the end of the upload: it is no word of an object. */
static void decided_too_late(void)
{
        const char *k = K("file"), *id, *asked, *decision, *left;
        roma_part v;

        if (env.caps & ROMA_CAP_DIRS || served())
                SKIP("what is decided goes with the folder here, or is the server's");
        BEGIN(id, k);
        PART(v, S, k, id, 1, "content", 7);
        OK(x_abort_upload(S, k, id));
        asked = text("always\n1 %s\n", v.etag);
        decision = text("complete %s", ref_digest("md5", asked, strlen(asked)));
        left = K(text(".roma~%s/decided", id));
        OK(x_put(S, left, decision, strlen(decision), NULL));
        CODE(x_complete(S, k, id, &v, 1), ROMA_ENOENT);
        ABSENT(S, k);
        OK(x_unlink(S, left, 0));
        NOTHING_IS_LEFT(k, id);
}

static void abort_against_complete(void)
{
        const char *k = K("file"), *id;

        for (int round = 0; round < 6; round++) {
                struct wait *c, *a = w_new();
                roma_part v;

                BEGIN(id, k);
                PART(v, S, k, id, 1, "content", 7);
                if (round % 2) {
                        c = complete_start(S, k, id, &v, 1, ROMA_ALWAYS);
                        w_ms((unsigned)round);
                        a->id = roma_aio_upload_abort(other(), k, id, NULL, w_done, a);
                } else {
                        a->id = roma_aio_upload_abort(other(), k, id, NULL, w_done, a);
                        c = complete_start(S, k, id, &v, 1, ROMA_ALWAYS);
                }
                w_wait(a);
                w_wait(c);
                if (c->res->code == ROMA_OK) {
                        if (!served())
                                CODE(a->res, ROMA_ENOENT);
                        HOLDS(S, k, "content", 7);
                        OK(x_unlink(S, k, 0));
                } else {
                        CODE(c->res, ROMA_ENOENT);
                        OK(a->res);
                        ABSENT(S, k);
                }
                NOTHING_IS_LEFT(k, id);
        }
}

/* What fails leaves the upload as it was. */
static void failed_complete(void)
{
        const size_t P = part_size();
        uint8_t *a = rnd_bytes(P);
        const char *k = K("file"), *id;
        const struct res *r;
        roma_part v[2];

        BEGIN(id, k);
        PART(v[0], S, k, id, 1, a, P);
        v[1] = (roma_part){ 2, 0, 0, "0123456789abcdef0123456789abcdef" };
        REFUSED(x_complete(S, k, id, v, 2));
        ABSENT(S, k);
        PART(v[1], S, k, id, 2, "tail", 4);
        OK(x_put(S, k, "there", 5, NULL));
        r = w_wait(complete_start(S, k, id, v, 2, ROMA_IF_ABSENT));
        if (r->code != ROMA_ENOTSUP)
                CODE(r, ROMA_EEXIST);
        HOLDS(S, k, "there", 5);
        OK(x_unlink(S, k, 0));
        r = w_wait(complete_start(S, k, id, v, 2, ROMA_IF_ABSENT));
        if (r->code == ROMA_ENOTSUP)
                r = x_complete(S, k, id, v, 2);
        OK(r);
        EQ(x_stat(S, k, 0)->attr.length, P + 4);
        NOTHING_IS_LEFT(k, id);
}

static void aborted(void)
{
        const char *k = K("file"), *id, *second;
        struct uploads *u = mem(sizeof(*u));
        roma_part v;

        OK(x_put(S, k, "old", 3, NULL));
        BEGIN(id, k);
        BEGIN(second, k);
        CHECK(strcmp(id, second) != 0);
        PART(v, S, k, id, 1, "one", 3);
        OK(x_uploads(S, K("fi"), u));
        EQ(u->n, 2);
        EQ_STR(u->v[0].key, k);
        CHECK(strcmp(u->v[0].id, u->v[1].id) != 0);
        OK(x_abort_upload(S, k, id));
        CODE(x_complete(S, k, id, &v, 1), ROMA_ENOENT);
        CODE(x_part(S, k, id, 1, "two", 3), ROMA_ENOENT);
        CODE(x_abort_upload(S, k, id), ROMA_ENOENT);
        OK(x_uploads(other(), K(""), u));
        EQ(u->n, 1);
        EQ_STR(u->v[0].id, second);
        OK(x_abort_upload(other(), k, second));
        HOLDS(S, k, "old", 3);
        NOTHING_IS_LEFT(k, second);
}

/* Parts that are being written when the upload ends do not become anything. */
static void abort_under_writing(void)
{
        const char *k = K("file"), *id;
        struct wait *w = w_new();
        const struct res *r;
        roma_writer *part;

        BEGIN(id, k);
        w->id = roma_aio_upload_part_open(S, k, id, 1, NULL, w_done, w);
        OK(w_wait(w));
        part = w->res->r.writer;
        OK(x_write(part, "content", 7));
        OK(x_abort_upload(other(), k, id));
        r = x_commit(part);
        CODE(r, ROMA_ENOENT);
        ABSENT(S, k);
        NOTHING_IS_LEFT(k, id);
        BEGIN(id, k);
        w = w_new();
        w->id = roma_aio_upload_part_open(S, k, id, 1, NULL, w_done, w);
        OK(w_wait(w));
        OK(x_write(w->res->r.writer, "content", 7));
        OK(x_abort(w->res->r.writer));
        OK(x_abort_upload(S, k, id));
        NOTHING_IS_LEFT(k, id);
}

/* A part in pieces, from a file, and one from a piece of a file. */
static void sources(void)
{
        const size_t P = part_size();
        uint8_t *data = rnd_bytes(2 * P + 500);
        const char *k = K("file"), *id, *path = L("source");
        struct wait *w = w_new();
        const struct res *r;
        roma_writer *part;
        roma_part v[3];

        local_write(path, data, 2 * P + 500);
        BEGIN(id, k);
        w->id = roma_aio_upload_part_open(S, k, id, 1, NULL, w_done, w);
        OK(w_wait(w));
        part = w->res->r.writer;
        for (size_t at = 0; at < P; at += 20000)
                OK(x_write(part, data + at, P - at < 20000 ? P - at : 20000));
        r = x_commit(part);
        OK(r);
        EQ_STR(r->attr.etag, ref_digest("md5", data, P));
        v[0] = (roma_part){ 1, P, 0, text("%s", r->attr.etag) };
        for (unsigned i = 2; i <= 3; i++) {
                w = w_new();
                w->id = roma_aio_upload_part_path(S, k, id, i, path, (i - 1) * P,
                                                  i == 2 ? P : ROMA_SIZE_UNKNOWN, NULL, w_done, w);
                OK(w_wait(w));
                v[i - 1] = (roma_part){ i, 0, 0, w->res->attr.etag };
        }
        w = w_new();
        w->id = roma_aio_upload_part_path(S, k, id, 9, path, 2 * P, 501, NULL, w_done, w);
        CODE(w_wait(w), ROMA_ESOURCE);
        OK(x_complete(S, k, id, v, 3));
        HOLDS(S, k, data, 2 * P + 500);
        NOTHING_IS_LEFT(k, id);
}

static void many_small(void)
{
        enum { MANY = 1000, LEN = 501, AT_ONCE = 32 };
        const unsigned N = env.drive == DRIVE_OWN ? MANY : 100;
        uint8_t *data = rnd_bytes(MANY * LEN);
        const char *k = K("file"), *id;
        struct parts *p = mem(sizeof(*p));
        struct wait *w[MANY];

        if (served())
                SKIP("the server wants large parts");
        BEGIN(id, k);
        for (unsigned i = 0; i < N; i++) {
                unsigned number = N - i;

                if (i >= AT_ONCE)
                        OK(w_wait(w[i - AT_ONCE]));
                w[i] = w_new();
                w[i]->id = roma_aio_upload_part(S, k, id, number, data + (number - 1) * LEN, LEN, NULL,
                                                w_done, w[i]);
        }
        w_all();
        OK(x_parts(S, k, id, p));
        EQ(p->n, N);
        OK(x_complete(S, k, id, p->v, p->n));
        HOLDS(S, k, data, N * LEN);
        NOTHING_IS_LEFT(k, id);
}

static void collected(void)
{
        const char *k = K("file"), *id;
        struct parts *p = mem(sizeof(*p));
        roma_part v;

        BEGIN(id, k);
        PART(v, S, k, id, 1, "one", 3);
        OK(x_gc(S, K(""), 3600));
        OK(x_parts(S, k, id, p));
        EQ(p->n, 1);
        w_ms(1100); /* times of a MooseFS are whole seconds */
        OK(x_gc(S, K(""), 0));
        CODE(x_complete(S, k, id, &v, 1), ROMA_ENOENT);
        ABSENT(S, k);
        NOTHING_IS_LEFT(k, id);
}

static void senseless(void)
{
        const char *k = K("file"), *id;
        roma_part v[2] = { { 2, 0, 0, "a" }, { 1, 0, 0, "b" } };

        BEGIN(id, k);
        CODE(x_part(S, k, id, 0, "x", 1), ROMA_EINVAL);
        CODE(x_part(S, k, id, ROMA_MAX_PARTS + 1, "x", 1), ROMA_EINVAL);
        CODE(x_part(S, k, "", 1, "x", 1), ROMA_EINVAL);
        CODE(x_part(S, k, "0123456789abcdef", 1, "x", 1), ROMA_ENOENT);
        CODE(x_part(S, K("other"), id, 1, "x", 1), ROMA_ENOENT);
        CODE(x_complete(S, k, id, v, 2), ROMA_EINVAL);
        CODE(x_complete(S, k, id, v, 0), ROMA_EINVAL);
        CODE(x_abort_upload(S, K("other"), id), ROMA_ENOENT);
        OK(x_abort_upload(S, k, id));
        NOTHING_IS_LEFT(k, id);
}

static const struct test tests[] = {
        { "any_order", 0, any_order },
        { "repeated", 0, repeated },
        { "older_one", 0, older_one },
        { "repeated_at_once", 0, repeated_at_once },
        { "complete_under_retry", 0, complete_under_retry },
        { "two_completes", 0, two_completes },
        { "same_complete_twice", 0, same_complete_twice },
        { "same_if_absent", 0, same_if_absent },
        { "shown_and_killed", 0, shown_and_killed },
        { "decided_too_late", 0, decided_too_late },
        { "abort_against_complete", 0, abort_against_complete },
        { "failed_complete", 0, failed_complete },
        { "aborted", 0, aborted },
        { "abort_under_writing", 0, abort_under_writing },
        { "sources", 0, sources },
        { "many_small", 0, many_small },
        { "collected", 0, collected },
        { "senseless", 0, senseless },
};
SUITE(uploads, tests);
