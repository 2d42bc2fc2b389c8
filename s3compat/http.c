/* SPDX-License-Identifier: MIT */
#include "s3compat/http.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KEEP_EASY = 32, CONNECT_MS = 10000, KEEP_IDLE_S = 4, BUFFER = 256 << 10 };

struct s3_http {
        roma_loop *loop;
        const struct s3_profile *profile;
        CURLM *multi;
        struct ri_timer timer;
        struct ri_list socks;
        CURL *idle[KEEP_EASY];
        unsigned n_idle, busy;
        bool closed;
        int *open; /* descriptors of connections */
        size_t n_open, cap_open;
};

/* A descriptor that curl wants watched. */
struct sock {
        struct ri_list link;
        struct ri_fd fd;
        struct s3_http *h;
};

static void collect(struct s3_http *h)
{
        CURLMsg *m;
        int left;

        while (!h->closed && (m = curl_multi_info_read(h->multi, &left))) {
                struct s3_call *call = NULL;
                CURLcode code = m->data.result;

                if (m->msg != CURLMSG_DONE)
                        continue;
                curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&call);
                curl_multi_remove_handle(h->multi, m->easy_handle);
                call->done(call, code);
        }
}

static void http_destroy(struct s3_http *h)
{
        struct ri_list *l;

        ri_timer_stop(&h->timer);
        for (unsigned i = 0; i < h->n_idle; i++)
                curl_easy_cleanup(h->idle[i]);
        h->n_idle = 0;
        curl_multi_cleanup(h->multi); /* closes the connections that were kept */
        while ((l = ri_list_pop(&h->socks))) {
                struct sock *s = ri_container_of(l, struct sock, link);

                ri_fd_stop(&s->fd);
                free(s);
        }
        ri_timer_stop(&h->timer);
        h->loop->stats.connections -= h->n_open;
        free(h->open);
        free(h);
}

/* Lets curl work, then tells who has ended. Whoever is told may free h. */
static void act(struct s3_http *h, curl_socket_t fd, int events)
{
        int running;

        h->busy++;
        curl_multi_socket_action(h->multi, fd, events, &running);
        collect(h);
        if (--h->busy == 0 && h->closed)
                http_destroy(h);
}

static void timer_fired(struct ri_timer *t)
{
        act(ri_container_of(t, struct s3_http, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int timer_wanted(CURLM *multi, long ms, void *arg)
{
        struct s3_http *h = arg;

        (void)multi;
        if (ms < 0)
                ri_timer_stop(&h->timer);
        else
                ri_timer_start(h->loop, &h->timer, (uint64_t)ms);
        return 0;
}

static void sock_ready(struct ri_fd *fd, unsigned events)
{
        struct sock *s = ri_container_of(fd, struct sock, fd);
        int what = (events & RI_READ ? CURL_CSELECT_IN : 0) | (events & RI_WRITE ? CURL_CSELECT_OUT : 0);

        act(s->h, fd->fd, what);
}

static struct sock *sock_new(struct s3_http *h, curl_socket_t fd)
{
        struct sock *s = calloc(1, sizeof(*s));

        if (!s)
                return NULL;
        s->h = h;
        s->fd.fd = fd;
        s->fd.ready = sock_ready;
        ri_list_add_tail(&h->socks, &s->link);
        curl_multi_assign(h->multi, fd, s);
        return s;
}

static void sock_free(struct sock *s)
{
        ri_fd_stop(&s->fd);
        ri_list_del(&s->link);
        free(s);
}

static int sock_wanted(CURL *easy, curl_socket_t fd, int what, void *arg, void *sock)
{
        struct s3_http *h = arg;
        struct sock *s = sock;
        unsigned events = (what & CURL_POLL_IN ? RI_READ : 0) | (what & CURL_POLL_OUT ? RI_WRITE : 0);

        (void)easy;
        if (what == CURL_POLL_REMOVE) {
                if (s) {
                        curl_multi_assign(h->multi, fd, NULL);
                        sock_free(s);
                }
                return 0;
        }
        if (!s)
                s = sock_new(h, fd);
        if (!s)
                return -1;
        if (s->fd.loop)
                return ri_fd_change(&s->fd, events) < 0 ? -1 : 0;
        return ri_fd_start(h->loop, &s->fd, events) < 0 ? -1 : 0;
}

/* Connections are counted where they begin and end. curl closes one that was not yet made without a word to us: its
 * number comes again, or is left over at the end. */
static void count(struct s3_http *h, int fd)
{
        for (size_t i = 0; i < h->n_open; i++)
                if (h->open[i] == fd)
                        return;
        if (h->n_open == h->cap_open) {
                size_t cap = h->cap_open ? 2 * h->cap_open : 16;
                int *v = reallocarray(h->open, cap, sizeof(*v));

                if (!v)
                        return;
                h->open = v;
                h->cap_open = cap;
        }
        h->open[h->n_open++] = fd;
        h->loop->stats.connections++;
}

static void uncount(struct s3_http *h, int fd)
{
        for (size_t i = 0; i < h->n_open; i++)
                if (h->open[i] == fd) {
                        h->open[i] = h->open[--h->n_open];
                        h->loop->stats.connections--;
                        return;
                }
}

static curl_socket_t sock_open(void *arg, curlsocktype type, struct curl_sockaddr *a)
{
        struct s3_http *h = arg;
        int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);

        (void)type;
        if (fd < 0)
                return CURL_SOCKET_BAD;
        count(h, fd);
        h->loop->stats.connects_total++;
        return fd;
}

static int sock_close(void *arg, curl_socket_t fd)
{
        struct s3_http *h = arg;

        ri_list_for_each_safe(l, tmp, &h->socks)
        {
                struct sock *s = ri_container_of(l, struct sock, link);

                if (s->fd.fd == fd)
                        sock_free(s);
        }
        uncount(h, fd);
        return close(fd);
}

struct s3_http *s3_http_new(roma_loop *loop, const struct s3_profile *p)
{
        struct s3_http *h = calloc(1, sizeof(*h));

        if (!h || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
                free(h);
                return NULL;
        }
        h->loop = loop;
        h->profile = p;
        h->timer.fire = timer_fired;
        ri_list_init(&h->socks);
        h->multi = curl_multi_init();
        if (!h->multi) {
                free(h);
                return NULL;
        }
        curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, sock_wanted);
        curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
        curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, timer_wanted);
        curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
        /* Requests take turns before they come here; those beside the turns find one more. */
        curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)p->connections + 1);
        curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)p->connections);
        curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
        return h;
}

void s3_http_free(struct s3_http *h)
{
        if (!h)
                return;
        h->closed = true;
        if (!h->busy)
                http_destroy(h);
}

static void set_tls(const struct s3_profile *p, CURL *e)
{
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, p->insecure ? 0L : 1L);
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, p->insecure ? 0L : 2L);
        if (*p->ca)
                curl_easy_setopt(e, CURLOPT_CAINFO, p->ca);
        if (*p->cert)
                curl_easy_setopt(e, CURLOPT_SSLCERT, p->cert);
        if (*p->cert_key)
                curl_easy_setopt(e, CURLOPT_SSLKEY, p->cert_key);
        if (*p->proxy)
                curl_easy_setopt(e, CURLOPT_PROXY, p->proxy);
}

/* What is the same for all. HTTP/1.1 only: S3 itself speaks nothing else. Redirects are ours: they need a new
 * signature. No signals: they belong to the program. */
static void set_common(struct s3_http *h, CURL *e)
{
        curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
        curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
        curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
        curl_easy_setopt(e, CURLOPT_HTTP_CONTENT_DECODING, 0L);
        curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
        curl_easy_setopt(e, CURLOPT_EXPECT_100_TIMEOUT_MS, 1000L);
        curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
        curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, 30L);
        /* AWS ends idle connections after some seconds: better ours than a request into a dead one. */
        curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)KEEP_IDLE_S);
        curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)BUFFER);
        curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, (long)BUFFER);
        curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, sock_open);
        curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, h);
        curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, sock_close);
        curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, h);
        set_tls(h->profile, e);
}

CURL *s3_http_easy(struct s3_http *h, struct s3_call *call)
{
        CURL *e = h->n_idle ? h->idle[--h->n_idle] : curl_easy_init();

        if (!e)
                return NULL;
        set_common(h, e);
        call->why[0] = '\0';
        curl_easy_setopt(e, CURLOPT_ERRORBUFFER, call->why);
        curl_easy_setopt(e, CURLOPT_PRIVATE, call);
        call->http = h;
        call->easy = e;
        return e;
}

int s3_http_start(struct s3_call *call)
{
        return curl_multi_add_handle(call->http->multi, call->easy) == CURLM_OK ? 0 : -1;
}

void s3_http_resume(struct s3_call *call)
{
        if (!call->easy)
                return;
        curl_easy_pause(call->easy, CURLPAUSE_CONT);
        act(call->http, CURL_SOCKET_TIMEOUT, 0);
}

void s3_http_stop(struct s3_call *call)
{
        struct s3_http *h = call->http;
        CURL *e = call->easy;

        if (!e)
                return;
        call->easy = NULL;
        curl_multi_remove_handle(h->multi, e);
        curl_easy_reset(e);
        if (h->n_idle < KEEP_EASY)
                h->idle[h->n_idle++] = e;
        else
                curl_easy_cleanup(e);
}
