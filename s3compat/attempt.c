/* SPDX-License-Identifier: MIT */
/* One try of a request: signed anew, since signatures age, and given to curl. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "s3compat/part.h"

/* Headers of an answer that are kept: those of an object may be as many as it was given. */
enum { MAX_REPLIES = ROMA_MAX_PROPS + 100 };

static void moves(struct s3_request *r)
{
        s3_progress(r->op);
        if (r->moved)
                r->moved(r);
        s3_line_moves(r->st);
}

static size_t gather(struct s3_request *r, char *to, size_t room)
{
        uint64_t skip = r->at;
        size_t put = 0;

        for (size_t i = 0; i < r->spans && put < room; i++) {
                size_t len = r->body[i].n, take;

                if (skip >= len) {
                        skip -= len;
                        continue;
                }
                take = len - (size_t)skip < room - put ? len - (size_t)skip : room - put;
                memcpy(to + put, (const char *)r->body[i].p + skip, take);
                put += take;
                skip = 0;
        }
        return put;
}

static size_t on_body(char *to, size_t size, size_t n, void *arg)
{
        struct s3_request *r = arg;
        size_t room = size * n,
               put = r->drawn ? s3_part_read(r->drawn, to, room, r->at) : gather(r, to, room);

        if (put > room)
                return put; /* a word of curl's */
        r->at += put;
        r->st->loop->stats.bytes_out_total += put;
        moves(r);
        return put;
}

/* Asked when curl has to send the body again on a fresh connection. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
        struct s3_request *r = arg;

        /* What is drawn is summed up from its beginning. */
        if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > r->length || (r->drawn && offset))
                return CURL_SEEKFUNC_FAIL;
        r->at = (uint64_t)offset;
        return CURL_SEEKFUNC_OK;
}

/* Asked before curl sends it. It does so again by itself when a connection that was kept has swallowed it without a word: that
 * is a lost answer. (After a refusal of Expect it may.) */
static int on_issue(void *arg, char *to, char *from, int to_port, int from_port)
{
        struct s3_request *r = arg;

        (void)to, (void)from, (void)to_port, (void)from_port;
        return r->issued++ && !r->header_bytes ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static void keep_header(struct s3_request *r, const char *line, size_t n)
{
        const char *colon = memchr(line, ':', n);
        char *name, *value;
        size_t len;

        if (!colon || r->header_bytes > S3_MAX_HEADERS || r->reply.n >= MAX_REPLIES)
                return;
        len = (size_t)(colon - line);
        name = strndup(line, len);
        for (colon++; colon < line + n && (*colon == ' ' || *colon == '\t'); colon++)
                ;
        value = strndup(colon, (size_t)(line + n - colon));
        if (name && value)
                s3_fields_add(&r->reply, name, value);
        free(name);
        free(value);
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
        struct s3_request *r = arg;
        size_t len = size * n, all = len;

        r->header_bytes += len;
        while (len && (line[len - 1] == '\n' || line[len - 1] == '\r' || line[len - 1] == ' '))
                len--;
        /* A new answer: the one before was 100 Continue. */
        if (len > 5 && strncmp(line, "HTTP/", 5) == 0)
                s3_fields_clear(&r->reply);
        else
                keep_header(r, line, len);
        moves(r);
        return all;
}

static size_t scatter(struct s3_request *r, const char *p, size_t n)
{
        size_t skip = r->got, done = 0;

        for (int i = 0; i < r->into_n && done < n; i++) {
                size_t len = r->into[i].iov_len, take;

                if (skip >= len) {
                        skip -= len;
                        continue;
                }
                take = len - skip < n - done ? len - skip : n - done;
                memcpy((char *)r->into[i].iov_base + skip, p + done, take);
                done += take;
                skip = 0;
        }
        r->got += done;
        return done;
}

static size_t on_answer(char *p, size_t size, size_t n, void *arg)
{
        struct s3_request *r = arg;
        size_t len = size * n, max;
        long status = 0;

        curl_easy_getinfo(r->call.easy, CURLINFO_RESPONSE_CODE, &status);
        r->st->loop->stats.bytes_in_total += len;
        moves(r);
        if (status / 100 == 2 && r->into) {
                if (len > r->into_max - r->got) {
                        r->overrun = true;
                        return 0;
                }
                return scatter(r, p, len);
        }
        max = status / 100 == 2 ? r->answer.max : S3_MAX_ERROR;
        if (status / 100 != 2 && r->answer.len >= max)
                return len; /* of an error's page the beginning is enough */
        if (ri_str_append(&r->answer, p, len) < 0) {
                r->overrun = true;
                return 0;
        }
        return len;
}

/* Nothing that a caller gave may begin another header. */
static bool header_is_clean(const struct s3_field *f)
{
        return !strpbrk(f->name, "\r\n: ") && (!f->value || !strpbrk(f->value, "\r\n"));
}

static int make_list(struct s3_request *r, const struct s3_fields *headers)
{
        struct ri_str line = RI_STR_INIT(S3_MAX_HEADERS);

        curl_slist_free_all(r->list);
        r->list = NULL;
        for (size_t i = 0; i < headers->n; i++) {
                const struct s3_field *f = &headers->v[i];
                struct curl_slist *more;

                ri_str_reset(&line);
                if (f->value && *f->value)
                        ri_str_printf(&line, "%s: %s", f->name, f->value);
                else if (f->name[strlen(f->name) - 1] == ':')
                        ri_str_puts(&line, f->name); /* curl is to send none */
                else
                        ri_str_printf(&line, "%s;", f->name);
                more = line.failed ? NULL : curl_slist_append(r->list, ri_str_cstr(&line));
                if (!more) {
                        ri_str_wipe(&line);
                        return -1;
                }
                r->list = more;
        }
        ri_str_wipe(&line);
        return 0;
}

static int sign(struct s3_request *r, const char *host, const char *path, struct s3_fields *headers)
{
        struct s3_store *st = r->st;
        struct ri_str err = RI_STR_INIT(400);
        const struct s3_sign s = { .dialect = st->profile.dialect,
                                   .keys = { st->creds.id, st->creds.secret, st->creds.token },
                                   .region = *st->profile.region ? st->profile.region : "us-east-1",
                                   .now = (int64_t)time(NULL) + (r->skewed ? r->skew : st->skew),
                                   .method = r->method,
                                   .host = host,
                                   .bucket = st->profile.bucket,
                                   .key = r->of_bucket ? "" : r->key,
                                   .path = path,
                                   .payload = r->sha256   ? r->sha256
                                              : r->length ? S3_UNSIGNED_PAYLOAD
                                                          : S3_EMPTY_SHA256 };
        int rc = 0;

        r->dated = s.now;
        r->renewed = st->renewed;
        if (st->profile.dialect == S3_OSS4) {
                struct s3_sign oss = s;

                oss.payload = S3_UNSIGNED_PAYLOAD;
                rc = s3_sign_headers(&oss, &r->query, headers, NULL, &err);
        } else {
                rc = s3_sign_headers(&s, &r->query, headers, NULL, &err);
        }
        if (rc < 0)
                ri_error_set(&r->error, ROMA_ESYSTEM, r->server, "%s", ri_str_cstr(&err));
        ri_str_free(&err);
        return rc;
}

static int make_headers(struct s3_request *r, const char *host, const char *path)
{
        struct s3_fields headers = { 0 };
        int rc = -1;

        s3_fields_copy(&headers, &r->headers);
        for (size_t i = 0; i < headers.n; i++)
                if (!header_is_clean(&headers.v[i])) {
                        ri_error_set(&r->error, ROMA_EINVAL, NULL, "the header %.60s has a line end in it",
                                     headers.v[i].name);
                        s3_fields_clear(&headers);
                        return -1;
                }
        if (r->st->profile.anonymous || sign(r, host, path, &headers) == 0) {
                /* curl would add these on its own. */
                if (r->has_body && !s3_fields_get(&headers, "content-type"))
                        s3_fields_add(&headers, "Content-Type:", NULL);
                rc = headers.failed ? -1 : make_list(r, &headers);
                if (rc == 0 && r->length < 1 << 20) {
                        struct curl_slist *l = curl_slist_append(r->list, "Expect:");

                        if (l)
                                r->list = l;
                }
        }
        if (rc < 0 && !r->error.code)
                ri_error_set(&r->error, ROMA_ENOMEM, NULL, "no memory for the headers of a request");
        s3_fields_clear(&headers);
        return rc;
}

static void set_method(struct s3_request *r, CURL *e)
{
        if (strcmp(r->method, "HEAD") == 0) {
                curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
        } else if (r->has_body) {
                curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
                curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
                curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->length);
                curl_easy_setopt(e, CURLOPT_READFUNCTION, on_body);
                curl_easy_setopt(e, CURLOPT_READDATA, r);
                curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
                curl_easy_setopt(e, CURLOPT_SEEKDATA, r);
        } else if (strcmp(r->method, "GET") != 0) {
                curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
        }
        if (r->changes) {
                curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_issue);
                curl_easy_setopt(e, CURLOPT_PREREQDATA, r);
        }
        /* A connection that was kept and is dead would swallow what may be sent only once. */
        if (r->changes && !r->safe && !r->looks)
                curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(e, CURLOPT_HTTPHEADER, r->list);
        curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(e, CURLOPT_HEADERDATA, r);
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_answer);
        curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
        curl_easy_setopt(e, CURLOPT_USERAGENT, "roma");
}

static void forget_answer(struct s3_request *r)
{
        s3_fields_clear(&r->reply);
        ri_str_reset(&r->answer);
        r->at = 0;
        r->got = 0;
        r->issued = 0;
        r->status = 0;
        r->header_bytes = 0;
        r->perhaps |= r->sent;
        r->overrun = r->sent = r->stopped = false;
        r->code[0] = '\0';
        memset(&r->error, 0, sizeof(r->error));
}

static int no_memory(struct s3_request *r)
{
        ri_error_set(&r->error, ROMA_ENOMEM, NULL, "no memory for a request");
        return -1;
}

static int make_url(struct s3_request *r, struct ri_str *host, struct ri_str *path, struct ri_str *url)
{
        const struct s3_profile *p = &r->st->profile;

        if (r->host)
                ri_str_puts(host, r->host);
        else
                s3_profile_host(p, host);
        s3_path(path, p->path_style, p->bucket, r->of_bucket ? "" : r->key);
        ri_str_printf(url, "%s://%s%s", p->tls ? "https" : "http", ri_str_cstr(host), ri_str_cstr(path));
        if (r->query.n) {
                ri_str_putc(url, '?');
                s3_query(url, &r->query, p->dialect == S3_AWS4);
        }
        return host->failed || path->failed || url->failed || r->query.failed || r->headers.failed ? -1 : 0;
}

int s3_attempt_start(struct s3_request *r, void (*done)(struct s3_call *call, CURLcode code))
{
        struct ri_str host = RI_STR_INIT(1024), path = RI_STR_INIT(8192), url = RI_STR_INIT(65536);
        int rc = -1;
        CURL *e;

        forget_answer(r);
        snprintf(r->region, sizeof(r->region), "%s", r->st->profile.region);
        if (make_url(r, &host, &path, &url) < 0) {
                no_memory(r);
        } else {
                snprintf(r->server, sizeof(r->server), "%s", ri_str_cstr(&host));
                rc = make_headers(r, ri_str_cstr(&host), ri_str_cstr(&path));
        }
        e = rc == 0 ? s3_http_easy(r->st->http, &r->call) : NULL;
        if (rc == 0 && !e)
                rc = no_memory(r);
        if (rc == 0) {
                r->call.done = done;
                r->trace = ri_trace_start(r->st->loop, r->op, r->name);
                set_method(r, e);
                curl_easy_setopt(e, CURLOPT_URL, ri_str_cstr(&url));
                if (s3_http_start(&r->call) < 0) {
                        s3_http_stop(&r->call);
                        rc = no_memory(r);
                }
        }
        ri_str_free(&host);
        ri_str_free(&path);
        ri_str_wipe(&url);
        return rc;
}
