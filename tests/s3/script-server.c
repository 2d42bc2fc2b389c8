/* SPDX-License-Identifier: MIT */
/* An HTTP server that answers from a script: script-server FOLDER LOG. Prints its port, then serves until it is killed.
 *
 * The n-th request gets the answer in FOLDER/n (01, 02 ...), later ones that of FOLDER/last. An answer is the text to
 * send, lines up to the first empty one being headers (sent with CR LF; AUTO in "Content-Length: AUTO" is the body's
 * length; "Location: SELF" leads back here), the rest the body, without the last line end. Lines that begin with @ come first and are directions:
 *   @delay MS    wait before the answer
 *   @wait        wait before the answer until there is FOLDER/go, a minute at most
 *   @slow MS [N] wait so long after each byte of the body, or after the first N of them
 *   @cut N       of the body send only N bytes, then end the connection
 *   @close       end the connection after the answer
 *   @drop        end the connection without an answer
 *   @early       answer before the body of the request is read
 *   @break N     end the connection when N bytes of the body of the request have come
 *   @keep        the body of the request goes to FOLDER/part.N, N being its partNumber
 *   @echo        REQUEST in the body stands for the request, its headers in one line
 * Every request's first line and headers go to LOG. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FILE = 1 << 20 };

static const char *folder;
static FILE *logfile;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned served, port;

struct answer {
        char *text; /* owned */
        const char *headers, *body;
        size_t headers_len, body_len;
        unsigned delay, slow;
        unsigned long slowly; /* bytes */
        long cut;             /* -1: all */
        long broken;          /* -1: not */
        bool close, drop, early, echo, keep, wait;
};

static void sleep_ms(unsigned ms)
{
        nanosleep(&(struct timespec){ ms / 1000, (long)(ms % 1000) * 1000000 }, NULL);
}

static char *slurp(const char *name, size_t *n)
{
        char path[4096], *text = malloc(MAX_FILE + 1);
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        f = fopen(path, "r");
        if (!f || !text) {
                free(text);
                return NULL;
        }
        *n = fread(text, 1, MAX_FILE, f);
        text[*n] = '\0';
        fclose(f);
        return text;
}

static void read_slow(struct answer *a, const char *p)
{
        char *end;

        a->slow = (unsigned)strtoul(p, &end, 10);
        a->slowly = *end == ' ' ? strtoul(end, NULL, 10) : ULONG_MAX;
}

static const char *direction(struct answer *a, const char *p)
{
        const char *end = strchr(p, '\n');

        if (strncmp(p, "@delay ", 7) == 0)
                a->delay = (unsigned)strtoul(p + 7, NULL, 10);
        else if (strncmp(p, "@slow ", 6) == 0)
                read_slow(a, p + 6);
        else if (strncmp(p, "@cut ", 5) == 0)
                a->cut = strtol(p + 5, NULL, 10);
        else if (strncmp(p, "@close", 6) == 0)
                a->close = true;
        else if (strncmp(p, "@drop", 5) == 0)
                a->drop = true;
        else if (strncmp(p, "@early", 6) == 0)
                a->early = true;
        else if (strncmp(p, "@echo", 5) == 0)
                a->echo = true;
        else if (strncmp(p, "@break ", 7) == 0)
                a->broken = strtol(p + 7, NULL, 10);
        else if (strncmp(p, "@wait", 5) == 0)
                a->wait = true;
        else if (strncmp(p, "@keep", 5) == 0)
                a->keep = true;
        return end ? end + 1 : p + strlen(p);
}

/* The next answer of the script. */
static bool next_answer(struct answer *a)
{
        char name[16];
        const char *p, *blank;
        size_t n;

        memset(a, 0, sizeof(*a));
        a->cut = a->broken = -1;
        pthread_mutex_lock(&lock);
        snprintf(name, sizeof(name), "%02u", ++served);
        pthread_mutex_unlock(&lock);
        a->text = slurp(name, &n);
        if (!a->text)
                a->text = slurp("last", &n);
        if (!a->text)
                return false;
        for (p = a->text; *p == '@';)
                p = direction(a, p);
        a->headers = p;
        blank = strstr(p, "\n\n");
        a->headers_len = blank ? (size_t)(blank - p) + 1 : strlen(p);
        a->body = blank ? blank + 2 : "";
        a->body_len = blank ? n - (size_t)(a->body - a->text) : 0;
        if (a->body_len && a->body[a->body_len - 1] == '\n')
                a->body_len--;
        return true;
}

static bool put(int fd, const char *p, size_t n)
{
        while (n) {
                ssize_t r = send(fd, p, n, MSG_NOSIGNAL);

                if (r <= 0)
                        return false;
                p += r;
                n -= (size_t)r;
        }
        return true;
}

static bool put_headers(int fd, const struct answer *a)
{
        for (size_t i = 0, len; i < a->headers_len; i += len + 1) {
                static const char automatic[] = "Content-Length: AUTO", self[] = "Location: SELF";
                char line[64];

                len = strcspn(a->headers + i, "\n");
                if (len == sizeof(automatic) - 1 && strncmp(a->headers + i, automatic, len) == 0) {
                        int n = snprintf(line, sizeof(line), "Content-Length: %zu\r\n", a->body_len);

                        if (!put(fd, line, (size_t)n))
                                return false;
                } else if (len == sizeof(self) - 1 && strncmp(a->headers + i, self, len) == 0) {
                        int n = snprintf(line, sizeof(line), "Location: http://127.0.0.1:%u/elsewhere\r\n",
                                         port);

                        if (!put(fd, line, (size_t)n))
                                return false;
                } else if (!put(fd, a->headers + i, len) || !put(fd, "\r\n", 2))
                        return false;
        }
        return put(fd, "\r\n", 2);
}

static void wait_for_go(void)
{
        char path[4096];

        snprintf(path, sizeof(path), "%s/go", folder);
        for (int i = 0; i < 6000 && access(path, F_OK) != 0; i++)
                sleep_ms(10);
}

/* false: the connection is over. */
static bool send_answer(int fd, const struct answer *a)
{
        size_t n = a->cut >= 0 && (size_t)a->cut < a->body_len ? (size_t)a->cut : a->body_len;
        size_t slowly = a->slowly < n ? a->slowly : n;

        if (a->delay)
                sleep_ms(a->delay);
        if (a->wait)
                wait_for_go();
        if (a->drop || !put_headers(fd, a))
                return false;
        for (size_t i = 0; i < slowly; i++) {
                if (!put(fd, a->body + i, 1))
                        return false;
                sleep_ms(a->slow);
        }
        return put(fd, a->body + slowly, n - slowly) && a->cut < 0 && !a->close;
}

/* REQUEST in the body becomes what was asked. The new text takes the place of the old one. */
static void echo_request(struct answer *a, const char *request)
{
        const char *word = strstr(a->body, "REQUEST");
        char *text, *p;

        if (!word || asprintf(&text, "%.*s%.*s%s%s", (int)a->headers_len, a->headers, (int)(word - a->body),
                              a->body, request, word + 7) < 0)
                return;
        free(a->text);
        a->text = text;
        a->headers = text;
        a->body = text + a->headers_len;
        a->body_len = strlen(a->body);
        for (p = text + a->headers_len; *p; p++)
                if (*p == '\r' || *p == '\n')
                        *p = ' ';
}

/* Headers of one request in buf; what has been read behind them is counted. -1: the other side is gone. */
static long read_headers(int fd, char *buf, size_t max, size_t *behind)
{
        size_t n = 0;

        for (;;) {
                ssize_t r = recv(fd, buf + n, max - n - 1, 0);
                char *end;

                if (r <= 0)
                        return -1;
                n += (size_t)r;
                buf[n] = '\0';
                end = strstr(buf, "\r\n\r\n");
                if (end) {
                        long len = (long)(end - buf) + 4;

                        *behind = n - (size_t)len;
                        *end = '\0';
                        return len;
                }
                if (n + 1 >= max)
                        return -1;
        }
}

/* What comes of the body, to `to` too if that is not NULL. */
static void read_body(int fd, unsigned long left, FILE *to)
{
        char buf[65536];

        while (left) {
                ssize_t r = recv(fd, buf, left < sizeof(buf) ? left : sizeof(buf), 0);

                if (r <= 0)
                        return;
                if (to)
                        fwrite(buf, 1, (size_t)r, to);
                left -= (unsigned long)r;
        }
}

/* A whole body under its name: a part that comes twice is the last one. */
static void keep_body(int fd, unsigned long left, const char *request, const char *behind, size_t n)
{
        const char *number = strstr(request, "partNumber=");
        char path[4096];
        FILE *to;

        snprintf(path, sizeof(path), "%s/part.%lu", folder, number ? strtoul(number + 11, NULL, 10) : 0);
        to = fopen(path, "w");
        if (to)
                fwrite(behind, 1, n, to);
        read_body(fd, left, to);
        if (to)
                fclose(to);
}

/* false: the connection ends here. */
static bool take_body(int fd, const struct answer *a, const char *request, unsigned long length,
                      const char *behind, size_t n)
{
        unsigned long left = length > n ? length - n : 0;

        if (strcasestr(request, "\r\nexpect: 100-continue"))
                put(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        if (a->broken >= 0 && (unsigned long)a->broken < left) {
                read_body(fd, (unsigned long)a->broken, NULL);
                return false;
        }
        if (a->keep)
                keep_body(fd, left, request, behind, n);
        else
                read_body(fd, left, NULL);
        return true;
}

static void *serve(void *arg)
{
        int fd = (int)(long)arg;
        char buf[65536];
        bool more = true;

        while (more) {
                size_t behind = 0;
                long head;
                unsigned long length = 0;
                struct answer a;
                const char *h;

                head = read_headers(fd, buf, sizeof(buf), &behind);
                if (head < 0 || !next_answer(&a))
                        break;
                pthread_mutex_lock(&lock);
                fprintf(logfile, "%s\n\n", buf);
                fflush(logfile);
                pthread_mutex_unlock(&lock);
                h = strcasestr(buf, "\r\ncontent-length:");
                if (h)
                        length = strtoul(h + 17, NULL, 10);
                more = a.early || take_body(fd, &a, buf, length, buf + head, behind);
                if (more && a.echo)
                        echo_request(&a, buf);
                more = more && send_answer(fd, &a);
                free(a.text);
        }
        close(fd);
        return NULL;
}

int main(int argc, char **argv)
{
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
        socklen_t len = sizeof(at);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (argc != 3 || fd < 0 || bind(fd, (struct sockaddr *)&at, len) < 0 || listen(fd, 64) < 0 ||
            getsockname(fd, (struct sockaddr *)&at, &len) < 0) {
                fprintf(stderr, "usage: script-server FOLDER LOG\n");
                return 2;
        }
        folder = argv[1];
        logfile = fopen(argv[2], "a");
        if (!logfile)
                return 2;
        port = ntohs(at.sin_port);
        printf("%u\n", port);
        fflush(stdout);
        for (;;) {
                int c = accept(fd, NULL, NULL);
                pthread_t t;

                if (c < 0)
                        continue;
                if (pthread_create(&t, NULL, serve, (void *)(long)c) != 0)
                        close(c);
                else
                        pthread_detach(t);
        }
}
