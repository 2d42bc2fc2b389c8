/* SPDX-License-Identifier: MIT */
/* Standard output written by a thread of its own. A reader that pauses (a pager) would otherwise stop the loop, and
 * with it the sessions on the servers and Ctrl-C. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/tool.h"

struct sink {
        struct tool *tool;
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t wake;
        const char *data; /* set: work for the thread */
        size_t len;
        bool quit, busy;
        int error;
        void (*done)(void *arg, int error);
        void *arg;
};

static int write_all(const char *data, size_t len)
{
        while (len) {
                ssize_t n = write(STDOUT_FILENO, data, len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? errno : EIO;
                data += n;
                len -= (size_t)n;
        }
        return 0;
}

static void written(void *arg)
{
        struct sink *s = arg;

        s->busy = false;
        s->done(s->arg, s->error);
}

static void *work(void *arg)
{
        struct sink *s = arg;

        pthread_mutex_lock(&s->lock);
        while (!s->quit) {
                if (!s->data) {
                        pthread_cond_wait(&s->wake, &s->lock);
                        continue;
                }
                const char *data = s->data;
                size_t len = s->len;
                s->data = NULL;
                pthread_mutex_unlock(&s->lock);
                s->error = write_all(data, len);
                pthread_mutex_lock(&s->lock);
                if (!s->quit && roma_loop_post(s->tool->loop, written, s) < 0)
                        need(NULL);
        }
        pthread_mutex_unlock(&s->lock);
        return NULL;
}

struct sink *sink_new(struct tool *t)
{
        struct sink *s = need_zeroed(sizeof(*s));
        pthread_attr_t attr;

        s->tool = t;
        pthread_mutex_init(&s->lock, NULL);
        pthread_cond_init(&s->wake, NULL);
        if (pthread_attr_init(&attr) != 0)
                need(NULL);
        pthread_attr_setstacksize(&attr, 256 * 1024);
        int error = pthread_create(&s->thread, &attr, work, s);
        pthread_attr_destroy(&attr);
        if (!error)
                return s;
        complain(t, "no thread for standard output: %s", strerror(error));
        status_raise(t, EXIT_OTHER);
        free(s);
        return NULL;
}

void sink_write(struct sink *s, const void *data, size_t len, void (*done)(void *arg, int error), void *arg)
{
        s->done = done;
        s->arg = arg;
        s->busy = true;
        pthread_mutex_lock(&s->lock);
        s->data = data;
        s->len = len;
        pthread_cond_signal(&s->wake);
        pthread_mutex_unlock(&s->lock);
}

void sink_free(struct sink *s)
{
        pthread_mutex_lock(&s->lock);
        s->quit = true;
        pthread_cond_signal(&s->wake);
        pthread_mutex_unlock(&s->lock);
        /* A write that hangs cannot be called back. It ends with the program, which is about to end, and which must
         * leave the memory alone until then. */
        if (s->busy) {
                s->tool->hanging = true;
                return;
        }
        pthread_join(s->thread, NULL);
        pthread_cond_destroy(&s->wake);
        pthread_mutex_destroy(&s->lock);
        free(s);
}
