/* SPDX-License-Identifier: MIT */
/* The other end of bench/s3: a server that speaks as much of S3 as roma, curl, awscli, rclone and s3cmd need to put and
 * get, keeps no large body and invents those that it sends, so that only the client costs anything worth measuring.
 *
 *      s3-sink         prints its port, then serves on loopback until it is killed
 *
 * A key that begins with a number and a '-', such as 1073741824-x, is an object of so many bytes. What is put is
 * remembered by name, size and MD5; bodies up to 1 MiB are kept and come back as they were. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_MAX = 64 << 10, PATTERN = 1 << 20, KEEP = 1 << 20, NAME_MAX_LEN = 1100 };

struct object {
        struct object *next;
        char name[NAME_MAX_LEN];
        char etag[48];
        uint64_t size;
        unsigned char *body;
        bool upload; /* parts are being put */
        unsigned parts;
};

struct conn {
        int fd;
        char in[HEAD_MAX];
        size_t have;
};

struct request {
        char method[8], path[NAME_MAX_LEN], query[2048];
        uint64_t length, from, to;
        bool ranged, close, chunked, expect;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct object *objects;
static unsigned char *pattern;

/* ---- objects ----------------------------------------------------------------------------------------------- */

static struct object *find(const char *name)
{
        for (struct object *o = objects; o; o = o->next)
                if (!strcmp(o->name, name))
                        return o;
        return NULL;
}

/* With the lock held. */
static struct object *make(const char *name)
{
        struct object *o = find(name);

        if (o)
                return o;
        o = calloc(1, sizeof *o);
        if (!o)
                abort();
        snprintf(o->name, sizeof o->name, "%s", name);
        o->next = objects;
        objects = o;
        return o;
}

static void forget(const char *name)
{
        for (struct object **at = &objects; *at; at = &(*at)->next)
                if (!strcmp((*at)->name, name)) {
                        struct object *o = *at;

                        *at = o->next;
                        free(o->body);
                        free(o);
                        return;
                }
}

static const char *key_of(const char *path)
{
        const char *slash = *path ? strchr(path + 1, '/') : NULL;

        return slash ? slash + 1 : "";
}

/* ---- sending and receiving --------------------------------------------------------------------------------- */

static bool send_all(int fd, const void *bytes, size_t n)
{
        const char *p = bytes;

        while (n) {
                ssize_t r = send(fd, p, n, MSG_NOSIGNAL);

                if (r <= 0)
                        return false;
                p += r;
                n -= (size_t)r;
        }
        return true;
}

static bool answer(struct conn *c, const char *status, const char *headers, const char *body)
{
        char head[2048];
        int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nServer: sink\r\n%sContent-Length: %zu\r\n\r\n",
                         status, headers, strlen(body));

        return send_all(c->fd, head, (size_t)n) && send_all(c->fd, body, strlen(body));
}

static bool xml(struct conn *c, const char *body)
{
        return answer(c, "200 OK", "Content-Type: application/xml\r\n", body);
}

static bool absent(struct conn *c, bool head)
{
        return answer(c, "404 Not Found", "Content-Type: application/xml\r\n",
                      head ? "" : "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>");
}

/* ---- request heads ----------------------------------------------------------------------------------------- */

static void unquote(char *s)
{
        char *to = s;

        for (; *s; s++) {
                unsigned hex;

                if (*s == '%' && sscanf(s + 1, "%2x", &hex) == 1) {
                        *to++ = (char)hex;
                        s += 2;
                } else {
                        *to++ = *s;
                }
        }
        *to = 0;
}

static void header(struct request *r, const char *line)
{
        if (!strncasecmp(line, "content-length:", 15))
                r->length = strtoull(line + 15, NULL, 10);
        else if (!strncasecmp(line, "transfer-encoding:", 18))
                r->chunked = true;
        else if (!strncasecmp(line, "expect:", 7))
                r->expect = true;
        else if (!strncasecmp(line, "connection:", 11))
                r->close = strcasestr(line, "close") != NULL;
        else if (!strncasecmp(line, "range:", 6))
                r->ranged = sscanf(line + 6, " bytes=%" SCNu64 "-%" SCNu64, &r->from, &r->to) >= 1;
}

static bool parse(struct request *r, char *head)
{
        char target[4096], *save, *line = strtok_r(head, "\r\n", &save), *q;

        memset(r, 0, sizeof *r);
        r->to = UINT64_MAX;
        if (!line || sscanf(line, "%7s %4095s", r->method, target) != 2)
                return false;
        while ((line = strtok_r(NULL, "\r\n", &save)))
                header(r, line);
        q = strchr(target, '?');
        if (q) {
                *q = 0;
                snprintf(r->query, sizeof r->query, "%s", q + 1);
        }
        unquote(target);
        snprintf(r->path, sizeof r->path, "%.*s", NAME_MAX_LEN - 1, target);
        return !r->chunked;
}

/* The next head, ended by NUL. False: the connection is over. */
static bool read_head(struct conn *c, struct request *r)
{
        for (;;) {
                char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
                ssize_t n;

                if (end) {
                        size_t used = (size_t)(end + 4 - c->in);
                        bool ok;

                        *end = 0;
                        ok = parse(r, c->in);
                        c->have -= used;
                        memmove(c->in, c->in + used, c->have);
                        return ok;
                }
                if (c->have == sizeof c->in)
                        return false;
                n = recv(c->fd, c->in + c->have, sizeof c->in - c->have, 0);
                if (n <= 0)
                        return false;
                c->have += (size_t)n;
        }
}

/* ---- bodies ------------------------------------------------------------------------------------------------ */

struct body {
        uint64_t size;
        unsigned char *kept;
        char md5[33];
};

static bool read_body(struct conn *c, const struct request *r, struct body *b)
{
        static __thread unsigned char buf[256 << 10];
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        unsigned char digest[EVP_MAX_MD_SIZE];
        uint64_t left = r->length;

        memset(b, 0, sizeof *b);
        b->size = r->length;
        if (r->length <= KEEP)
                b->kept = malloc(r->length + 1);
        EVP_DigestInit_ex(md, EVP_md5(), NULL);
        if (r->expect && left && !c->have && !send_all(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25))
                left = UINT64_MAX;
        while (left && left != UINT64_MAX) {
                size_t want = left < sizeof buf ? (size_t)left : sizeof buf;
                ssize_t n;

                if (c->have) {
                        n = (ssize_t)(c->have < want ? c->have : want);
                        memcpy(buf, c->in, (size_t)n);
                        c->have -= (size_t)n;
                        memmove(c->in, c->in + n, c->have);
                } else {
                        n = recv(c->fd, buf, want, 0);
                }
                if (n <= 0)
                        break;
                EVP_DigestUpdate(md, buf, (size_t)n);
                if (b->kept)
                        memcpy(b->kept + (r->length - left), buf, (size_t)n);
                left -= (uint64_t)n;
        }
        EVP_DigestFinal_ex(md, digest, NULL);
        EVP_MD_CTX_free(md);
        for (unsigned i = 0; i < 16; i++)
                snprintf(b->md5 + 2 * i, 3, "%02x", digest[i]);
        if (left)
                free(b->kept);
        return left == 0;
}

static bool send_body(struct conn *c, const struct object *o, uint64_t from, uint64_t n)
{
        if (o->body)
                return send_all(c->fd, o->body + from, n);
        while (n) {
                size_t at = (size_t)(from % PATTERN), step = PATTERN - at < n ? PATTERN - at : (size_t)n;

                if (!send_all(c->fd, pattern + at, step))
                        return false;
                from += step;
                n -= step;
        }
        return true;
}

/* ---- requests ---------------------------------------------------------------------------------------------- */

/* The object of a path, as a copy; its body stays where it is. */
static bool known(const char *path, struct object *out)
{
        const char *key = key_of(path), *dash = strchr(key, '-');
        struct object *o;
        char *end;

        pthread_mutex_lock(&lock);
        o = find(path);
        if (o)
                *out = *o;
        pthread_mutex_unlock(&lock);
        if (o)
                return !out->upload;
        memset(out, 0, sizeof *out);
        out->size = strtoull(key, &end, 10);
        snprintf(out->etag, sizeof out->etag, "0123456789abcdef0123456789abcdef-1");
        return *key && dash && end == dash;
}

static bool get(struct conn *c, const struct request *r, bool head)
{
        struct object o;
        char headers[600], range[200] = "";
        uint64_t n;
        int len;

        if (!known(r->path, &o))
                return absent(c, head);
        n = o.size;
        if (r->ranged && r->from < o.size) {
                uint64_t last = r->to < o.size ? r->to : o.size - 1;

                n = last - r->from + 1;
                snprintf(range, sizeof range, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n",
                         r->from, last, o.size);
        }
        len = snprintf(headers, sizeof headers,
                       "HTTP/1.1 %s\r\nServer: sink\r\nETag: \"%s\"\r\nLast-Modified: Tue, 24 Nov 2026 "
                       "10:00:00 GMT\r\n"
                       "Accept-Ranges: bytes\r\nContent-Type: application/octet-stream\r\n%sContent-Length: "
                       "%" PRIu64 "\r\n\r\n",
                       *range ? "206 Partial Content" : "200 OK", o.etag, range, n);
        return send_all(c->fd, headers, (size_t)len) && (head || send_body(c, &o, *range ? r->from : 0, n));
}

static bool put(struct conn *c, const struct request *r)
{
        bool part = strstr(r->query, "partNumber=") != NULL;
        char headers[128];
        struct object *o;
        struct body b;

        if (!read_body(c, r, &b))
                return false;
        if (*key_of(r->path)) {
                pthread_mutex_lock(&lock);
                o = make(r->path);
                if (part) {
                        o->size += b.size;
                        o->parts++;
                        free(b.kept);
                } else {
                        free(o->body);
                        o->body = b.kept;
                        o->size = b.size;
                        o->upload = false;
                        snprintf(o->etag, sizeof o->etag, "%s", b.md5);
                }
                pthread_mutex_unlock(&lock);
        } else {
                free(b.kept);
        }
        snprintf(headers, sizeof headers, "ETag: \"%s\"\r\n", b.md5);
        return answer(c, "200 OK", headers, "");
}

/* The MD5 of the MD5s of the parts, in the order in which the client names them. */
static void upload_etag(const unsigned char *text, char *etag, size_t size)
{
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        unsigned char digest[EVP_MAX_MD_SIZE];
        const char *at = text ? strstr((const char *)text, "<ETag>") : NULL;
        unsigned parts = 0;

        EVP_DigestInit_ex(md, EVP_md5(), NULL);
        for (; at; at = strstr(at, "<ETag>")) {
                unsigned char one[16];
                unsigned n = 0, byte;

                for (at += 6; n < 16 && *at && *at != '<';) {
                        if (sscanf(at, "%2x", &byte) == 1 && at[1] &&
                            strspn(at, "0123456789abcdefABCDEF") >= 2) {
                                one[n++] = (unsigned char)byte;
                                at += 2;
                        } else {
                                at += *at == '&' ? strcspn(at, ";") + 1 : 1;
                        }
                }
                EVP_DigestUpdate(md, one, n);
                parts++;
        }
        EVP_DigestFinal_ex(md, digest, NULL);
        EVP_MD_CTX_free(md);
        for (unsigned i = 0; i < 16; i++)
                snprintf(etag + 2 * i, size - 2 * i, "%02x", digest[i]);
        snprintf(etag + 32, size - 32, "-%u", parts);
}

static bool post(struct conn *c, const struct request *r)
{
        char text[4096], etag[48];
        struct object *o;
        struct body b;

        if (!read_body(c, r, &b))
                return false;
        if (strstr(r->query, "uploadId=")) {
                if (b.kept)
                        b.kept[b.size] = 0;
                upload_etag(b.kept, etag, sizeof etag);
                pthread_mutex_lock(&lock);
                o = make(r->path);
                o->upload = false;
                snprintf(o->etag, sizeof o->etag, "%s", etag);
                pthread_mutex_unlock(&lock);
                snprintf(text, sizeof text,
                         "<CompleteMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><ETag>&quot;%s&quot;</"
                         "ETag>"
                         "</CompleteMultipartUploadResult>",
                         etag);
        } else if (!strncmp(r->query, "uploads", 7)) {
                pthread_mutex_lock(&lock);
                forget(r->path);
                o = make(r->path);
                o->upload = true;
                pthread_mutex_unlock(&lock);
                snprintf(text, sizeof text,
                         "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>%s</Key><UploadId>u1</"
                         "UploadId>"
                         "</InitiateMultipartUploadResult>",
                         key_of(r->path));
        } else {
                snprintf(text, sizeof text, "<DeleteResult></DeleteResult>");
        }
        free(b.kept);
        return xml(c, text);
}

static void prefix_of(const struct request *r, char *out, size_t size)
{
        const char *p = strstr(r->query, "prefix=");
        size_t len = p ? strcspn(p + 7, "&") : 0;

        snprintf(out, size, "%.*s", (int)(len < size ? len : size - 1), p ? p + 7 : "");
        unquote(out);
}

static bool list(struct conn *c, const struct request *r)
{
        size_t room = 4 << 20, at = 0, bucket = strcspn(r->path + 1, "/") + 1;
        char *text = malloc(room), prefix[NAME_MAX_LEN];
        bool ok;

        prefix_of(r, prefix, sizeof prefix);
        at += (size_t)snprintf(text, room,
                               "<ListBucketResult><Name>b</Name><Prefix>%s</Prefix><MaxKeys>100000</MaxKeys>"
                               "<IsTruncated>false</IsTruncated>",
                               prefix);
        pthread_mutex_lock(&lock);
        for (struct object *o = objects; o; o = o->next) {
                const char *key = key_of(o->name);

                if (strncmp(o->name, r->path, bucket) != 0 || o->upload ||
                    strncmp(key, prefix, strlen(prefix)) != 0 || room - at < 4096)
                        continue;
                at += (size_t)snprintf(
                        text + at, room - at,
                        "<Contents><Key>%s</Key><LastModified>2026-11-24T10:00:00.000Z</LastModified>"
                        "<ETag>&quot;%s&quot;</ETag><Size>%" PRIu64
                        "</Size><StorageClass>STANDARD</StorageClass></Contents>",
                        key, o->etag, o->size);
        }
        pthread_mutex_unlock(&lock);
        snprintf(text + at, room - at, "</ListBucketResult>");
        ok = xml(c, text);
        free(text);
        return ok;
}

static bool serve(struct conn *c, const struct request *r)
{
        bool head = !strcmp(r->method, "HEAD");

        if (!strcmp(r->method, "PUT"))
                return put(c, r);
        if (!strcmp(r->method, "POST"))
                return post(c, r);
        if (!strcmp(r->method, "DELETE")) {
                pthread_mutex_lock(&lock);
                forget(r->path);
                pthread_mutex_unlock(&lock);
                return answer(c, "204 No Content", "", "");
        }
        if (*key_of(r->path))
                return get(c, r, head);
        if (head)
                return answer(c, "200 OK", "", "");
        if (strstr(r->query, "location"))
                return xml(c, "<LocationConstraint></LocationConstraint>");
        return list(c, r);
}

static void *conversation(void *arg)
{
        struct conn *c = arg;
        struct request r;
        int one = 1;

        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        while (read_head(c, &r) && serve(c, &r) && !r.close)
                ;
        close(c->fd);
        free(c);
        return NULL;
}

int main(void)
{
        struct sockaddr_in a = { .sin_family = AF_INET };
        socklen_t len = sizeof a;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        pattern = malloc(PATTERN);
        if (!pattern || fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 256) < 0 ||
            getsockname(fd, (struct sockaddr *)&a, &len) < 0) {
                perror("s3-sink");
                return 1;
        }
        for (size_t i = 0; i < PATTERN; i++)
                pattern[i] = (unsigned char)(i * 2654435761u >> 13);
        printf("%u\n", ntohs(a.sin_port));
        fflush(stdout);
        for (;;) {
                struct conn *c = calloc(1, sizeof *c);
                pthread_t t;

                if (!c)
                        return 1;
                c->fd = accept(fd, NULL, NULL);
                if (c->fd < 0 || pthread_create(&t, NULL, conversation, c) != 0) {
                        free(c);
                        continue;
                }
                pthread_detach(t);
        }
}
