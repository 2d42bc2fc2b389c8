/* SPDX-License-Identifier: MIT */
/* Each step of an upload, killed after the first, second, third ... turn of its loop, on any store:
 *
 *   upload-kills URI [--every N] [--only STEP] [--after COMMAND]
 *
 * The victim is a process of its own. Whatever it had done, the object is the old one or the whole new one, a part that was
 * acknowledged can be completed, the same step once more ends well or says that the upload has ended, and gc leaves nothing.
 * COMMAND PID is run after each kill: some stores must be told that a client is gone. */
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <roma/roma.h>

enum { LONG = 70001, OTHER = 65003, TAIL = 777, MOST_TURNS = 2000, BATCH = 8, FINISHED = 10, FAILED = 11 };

static struct run {
        const char *self, *uri, *after;
        roma_loop *loop;
        roma_store *store;
        bool replaces; /* a later part takes the place of an earlier one */
        bool failed;
        char folder[64];
        char *a, *b, *tail, *new, *newer; /* new: a and tail, newer: b and tail */
} run;

struct trial {
        char key[100], id[300];
        char a[80], tail[80]; /* ETags */
        unsigned turns;
        bool finished; /* the victim says so */
        bool odd;      /* of what can be done next, the other thing */
};

static void wrong(const struct trial *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void wrong(const struct trial *t, const char *fmt, ...)
{
        va_list ap;

        printf("FAIL %s, killed after %u turns: ", t->key, t->turns);
        va_start(ap, fmt);
        vprintf(fmt, ap);
        va_end(ap);
        printf("\n");
        run.failed = true;
}

static int code(void)
{
        return roma_last(run.loop)->code;
}

static char *content(size_t n, unsigned seed)
{
        char *p = malloc(n + 1);

        if (!p)
                abort();
        for (size_t i = 0; i < n; i++) {
                seed = seed * 1103515245u + 12345u;
                p[i] = (char)(seed >> 16);
        }
        return p;
}

static char *joined(const char *p, size_t n, const char *q, size_t m)
{
        char *s = malloc(n + m);

        if (!s)
                abort();
        memcpy(s, p, n);
        memcpy(s + n, q, m);
        return s;
}

static void contents(void)
{
        run.a = content(LONG, 1);
        run.b = content(OTHER, 2);
        run.tail = content(TAIL, 3);
        run.new = joined(run.a, LONG, run.tail, TAIL);
        run.newer = joined(run.b, OTHER, run.tail, TAIL);
}

/* What the object holds: a letter. o: the old one, n: the new one, m: with the other first part, -: nothing, ?: anything else */
static char holds(struct trial *t)
{
        size_t n = 0;
        char *all = malloc(LONG + OTHER);
        roma_reader *r = roma_reader_open(run.store, t->key, NULL);
        char what = '?';
        roma_buf *b;

        if (!all)
                abort();
        if (!r) {
                what = code() == ROMA_ENOENT ? '-' : '?';
                if (what == '?')
                        wrong(t, "%s", roma_error(run.loop));
                free(all);
                return what;
        }
        while ((b = roma_reader_next(r, NULL))) {
                if (roma_buf_len(b) <= (size_t)(LONG + OTHER) - n)
                        memcpy(all + n, roma_buf_data(b), roma_buf_len(b));
                n += roma_buf_len(b);
                roma_buf_unref(b);
        }
        if (code() != ROMA_OK)
                wrong(t, "%s", roma_error(run.loop));
        else if (n == 3 && memcmp(all, "old", 3) == 0)
                what = 'o';
        else if (n == LONG + TAIL && memcmp(all, run.new, n) == 0)
                what = 'n';
        else if (n == OTHER + TAIL && memcmp(all, run.newer, n) == 0)
                what = 'm';
        else
                wrong(t, "the object is none that was made: %zu bytes", n);
        roma_reader_close(r);
        free(all);
        return what;
}

static void must_hold(struct trial *t, char want, const char *when)
{
        char got = holds(t);

        if (got != want && got != '?')
                wrong(t, "%s the object is '%c' and not '%c' (o: old, n: new, m: of the other part, -: none)",
                      when, got, want);
}

/* The steps: what the victim does. */

static roma_part parts[2];

static void named(const char *first, const char *second)
{
        parts[0] = (roma_part){ 1, LONG, 0, first };
        parts[1] = (roma_part){ 2, TAIL, 0, second };
}

static roma_op start(const char *step, char **v, roma_done *done)
{
        roma_complete_opts o = ROMA_COMPLETE_OPTS_INIT;
        const char *key = v[0], *id = v[1];

        if (strcmp(step, "begin") == 0) {
                roma_upload_opts b = ROMA_UPLOAD_OPTS_INIT;

                b.flags = ROMA_WRITER_PARENTS;
                return roma_aio_upload_begin(run.store, key, &b, done, NULL);
        }
        if (strcmp(step, "part") == 0)
                return roma_aio_upload_part(run.store, key, id, 1, run.b, OTHER, NULL, done, NULL);
        if (strcmp(step, "abort") == 0)
                return roma_aio_upload_abort(run.store, key, id, NULL, done, NULL);
        if (strcmp(step, "gc") == 0) {
                char folder[100];

                snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(key, '/') + 1 - key), key);
                return roma_aio_gc(run.store, folder, 0, NULL, done, NULL);
        }
        named(v[2], v[3]);
        if (strcmp(step, "complete-if-absent") == 0)
                o.precondition = ROMA_IF_ABSENT;
        return roma_aio_upload_complete(run.store, key, id, parts, 2, &o, done, NULL);
}

static int ended = -1;

static void victim_done(void *arg, const roma_result *r)
{
        (void)arg;
        ended = r->code;
        if (r->code)
                fprintf(stderr, "%s\n", r->message);
}

/* upload-kills URI --victim STEP TURNS KEY ID ETAG ETAG */
static int victim(const char *step, const char *turns, char **v)
{
        unsigned long n = strtoul(turns, NULL, 10);

        alarm(120);
        if (!start(step, v, victim_done)) {
                fprintf(stderr, "%s\n", roma_error(run.loop));
                return FAILED;
        }
        for (unsigned long i = 0; ended < 0; i++) {
                if (i == n)
                        kill(getpid(), SIGKILL);
                roma_loop_turn(run.loop, -1);
        }
        return ended ? FAILED : FINISHED;
}

static void after_kill(const struct trial *t, pid_t killed)
{
        int status = 0;
        char number[20];
        pid_t pid;

        if (!run.after)
                return;
        snprintf(number, sizeof(number), "%d", (int)killed);
        pid = fork();
        if (pid == 0) {
                execl(run.after, run.after, number, (char *)NULL);
                _exit(1);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
                wrong(t, "%s %s: status %x", run.after, number, (unsigned)status);
}

static bool kill_one(const char *step, struct trial *t)
{
        char turns[20];
        int status = 0;
        pid_t pid;

        snprintf(turns, sizeof(turns), "%u", t->turns);
        pid = fork();
        if (pid == 0) {
                execl(run.self, run.self, run.uri, "--victim", step, turns, t->key, t->id, t->a, t->tail,
                      (char *)NULL);
                _exit(1);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid) {
                perror("fork");
                exit(1);
        }
        t->finished = WIFEXITED(status) && WEXITSTATUS(status) == FINISHED;
        if (!t->finished && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
                wrong(t, "the victim has failed by itself: status %x", (unsigned)status);
        after_kill(t, pid);
        return !run.failed;
}

/* Before: an upload with two parts. */

static bool put_part(struct trial *t, unsigned number, const char *p, size_t n, char *etag)
{
        if (roma_upload_part(run.store, t->key, t->id, number, p, n, NULL) < 0) {
                wrong(t, "part %u: %s", number, roma_error(run.loop));
                return false;
        }
        snprintf(etag, 80, "%s", roma_last(run.loop)->attr->etag);
        return true;
}

static bool prepare(struct trial *t, const char *step)
{
        roma_upload_opts o = ROMA_UPLOAD_OPTS_INIT;

        o.flags = ROMA_WRITER_PARENTS;
        snprintf(t->id, sizeof(t->id), "none");
        if (strcmp(step, "begin") == 0)
                return true;
        if (roma_upload_begin(run.store, t->key, &o) < 0) {
                wrong(t, "begin: %s", roma_error(run.loop));
                return false;
        }
        snprintf(t->id, sizeof(t->id), "%s", roma_last(run.loop)->text);
        if (strcmp(step, "complete-if-absent") != 0 && roma_put(run.store, t->key, "old", 3, NULL) < 0) {
                wrong(t, "put: %s", roma_error(run.loop));
                return false;
        }
        return put_part(t, 1, run.a, LONG, t->a) && put_part(t, 2, run.tail, TAIL, t->tail);
}

/* After: what may be found. */

static int complete(struct trial *t, const char *first, bool if_absent)
{
        roma_complete_opts o = ROMA_COMPLETE_OPTS_INIT;

        o.precondition = if_absent ? ROMA_IF_ABSENT : ROMA_ALWAYS;
        named(first, t->tail);
        return roma_upload_complete(run.store, t->key, t->id, parts, 2, &o) < 0 ? code() : ROMA_OK;
}

static void after_begin(struct trial *t)
{
        const roma_upload_list *l;

        if (roma_upload_list_page(run.store, t->key, NULL, 0, NULL) < 0) {
                wrong(t, "the list of uploads: %s", roma_error(run.loop));
                return;
        }
        l = roma_last(run.loop)->extra;
        if (l->count > 1 || (t->finished && l->count != 1))
                wrong(t, "%zu uploads are listed", l->count);
        if (l->count != 1)
                return;
        snprintf(t->id, sizeof(t->id), "%s", l->upload[0].id);
        if (put_part(t, 1, run.a, LONG, t->a) && put_part(t, 2, run.tail, TAIL, t->tail)) {
                if (complete(t, t->a, false) != ROMA_OK)
                        wrong(t, "complete: %s", roma_error(run.loop));
                must_hold(t, 'n', "after the complete");
        }
}

static void after_part(struct trial *t)
{
        const roma_part_list *l;
        char listed[80] = "";
        bool older;

        must_hold(t, 'o', "before the complete");
        if (roma_upload_parts(run.store, t->key, t->id, NULL) < 0) {
                wrong(t, "the list of parts: %s", roma_error(run.loop));
                return;
        }
        l = roma_last(run.loop)->extra;
        if (l->count == 2 && strcmp(l->part[1].etag, t->tail) == 0)
                snprintf(listed, sizeof(listed), "%s", l->part[0].etag);
        if (!*listed || (t->finished && strcmp(listed, t->a) == 0)) {
                wrong(t, "a part that was acknowledged is not listed");
                return;
        }
        older = strcmp(listed, t->a) == 0 || (!run.replaces && t->odd);
        if (complete(t, older ? t->a : listed, false) != ROMA_OK)
                wrong(t, "complete of the %s part: %s", older ? "older" : "later", roma_error(run.loop));
        must_hold(t, older ? 'n' : 'm', "after the complete");
}

static void complete_again(struct trial *t, bool if_absent)
{
        int r;

        if (holds(t) != 'n') {
                if (t->finished)
                        wrong(t, "the complete was acknowledged, and the object is not there");
                must_hold(t, if_absent ? '-' : 'o', "after the kill");
        }
        r = complete(t, t->a, if_absent);
        if (r != ROMA_OK && r != ROMA_ENOENT)
                wrong(t, "complete once more: %s", roma_error(run.loop));
        must_hold(t, 'n', "after the same complete once more");
}

static void after_complete(struct trial *t)
{
        complete_again(t, false);
}

static void after_complete_if_absent(struct trial *t)
{
        complete_again(t, true);
}

static void after_abort(struct trial *t)
{
        bool again = t->odd;
        int r = ROMA_ENOENT;

        if (again && roma_upload_abort(run.store, t->key, t->id, NULL) < 0 && code() != ROMA_ENOENT)
                wrong(t, "abort once more: %s", roma_error(run.loop));
        r = complete(t, t->a, false);
        if (r != ROMA_ENOENT && (r != ROMA_OK || again || t->finished))
                wrong(t, "complete after the abort: %s", r ? roma_error(run.loop) : "it is done");
        must_hold(t, r == ROMA_OK ? 'n' : 'o', "after the abort");
}

static void after_gc(struct trial *t)
{
        int r = complete(t, t->a, false);

        if (r != ROMA_ENOENT && (r != ROMA_OK || t->finished))
                wrong(t, "complete after the gc: %s", r ? roma_error(run.loop) : "it is done");
        must_hold(t, r == ROMA_OK ? 'n' : 'o', "after the gc");
}

static const struct step {
        const char *name;
        void (*check)(struct trial *t);
        bool waits; /* for what has been made to be old */
} steps[] = {
        { "begin", after_begin, false },       { "part", after_part, false },
        { "complete", after_complete, false }, { "complete-if-absent", after_complete_if_absent, false },
        { "abort", after_abort, false },       { "gc", after_gc, true },
};

static void forget(struct trial *t)
{
        if (!run.failed && roma_unlink(run.store, t->key, ROMA_UNLINK_NO_TRASH, NULL) < 0 &&
            code() != ROMA_ENOENT)
                wrong(t, "rm: %s", roma_error(run.loop));
}

/* Times of a MooseFS are whole seconds. */
static void second(void)
{
        if (strncmp(run.uri, "file:", 5) != 0)
                usleep(1100000);
}

static void try_step(const struct step *s, unsigned every)
{
        static struct trial batch[BATCH];
        unsigned turns = 0, kills = 0;
        unsigned next = BATCH;
        bool over = false;

        for (; !over && !run.failed && turns < MOST_TURNS; turns += every, next++) {
                struct trial *t;

                if (next == BATCH) {
                        for (next = 0; next < BATCH && !run.failed; next++) {
                                t = &batch[next];
                                *t = (struct trial){ .turns = turns + next * every, .odd = next % 2 };
                                snprintf(t->key, sizeof(t->key), "%s/%s %u/object", run.folder, s->name,
                                         t->turns);
                                /* The others are made when they are needed. */
                                if (s->waits && !prepare(t, s->name))
                                        return;
                        }
                        if (s->waits)
                                second();
                        next = 0;
                }
                t = &batch[next];
                if (!s->waits && !prepare(t, s->name))
                        return;
                if (!kill_one(s->name, t))
                        return;
                s->check(t);
                forget(t);
                kills += !t->finished;
                over = t->finished;
        }
        for (; s->waits && next < BATCH; next++)
                forget(&batch[next]);
        if (!run.failed)
                printf("ok   %s: killed %u times, then it has ended by itself\n", s->name, kills);
        fflush(stdout);
}

/* gc, and then nothing but empty folders. */
static void nothing_left(void)
{
        roma_list_opts o = ROMA_LIST_OPTS_INIT;
        char folder[80], **v;
        const roma_list *l;
        size_t n;

        second();
        snprintf(folder, sizeof(folder), "%s/", run.folder);
        o.max = MOST_TURNS;
        o.flags = ROMA_LIST_TEMPORARIES | (roma_store_caps(run.store) & ROMA_CAP_DIRS ? ROMA_LIST_DIRS : 0);
        if (roma_gc(run.store, folder, 0, NULL) < 0 || roma_list_page(run.store, folder, &o) < 0) {
                printf("FAIL gc: %s\n", roma_error(run.loop));
                run.failed = true;
                return;
        }
        l = roma_last(run.loop)->list;
        n = l->count;
        v = calloc(n + 1, sizeof(*v));
        for (size_t i = 0; v && i < n; i++)
                v[i] = strdup(l->entry[i].key);
        for (size_t i = n; v && i-- > 0; free(v[i])) {
                size_t len = v[i] ? strlen(v[i]) : 0;

                if (!len || v[i][len - 1] != '/') {
                        printf("FAIL left after gc: %s\n", len ? v[i] : "no memory");
                        run.failed = true;
                } else {
                        v[i][len - 1] = '\0';
                        (void)roma_rmdir(run.store, v[i], NULL);
                }
        }
        free(v);
        (void)roma_rmdir(run.store, run.folder, NULL);
}

static bool can_if_absent(void)
{
        return roma_store_caps(run.store) & ROMA_CAP_DIRS || !run.replaces;
}

int main(int argc, char **argv)
{
        const char *only = NULL;
        unsigned every = 1;

        run.self = argv[0];
        run.uri = argc > 1 ? argv[1] : "";
        contents();
        run.loop = roma_loop_new();
        run.store = run.loop ? roma_store_open(run.loop, run.uri, NULL) : NULL;
        if (!run.store) {
                printf("FAIL %s: %s\n", run.uri, run.loop ? roma_error(run.loop) : "no loop");
                return 1;
        }
        /* Its store stays open, as when it is killed; what exit() takes apart, threads of Ceph would still use. */
        if (argc == 9 && strcmp(argv[2], "--victim") == 0)
                _exit(victim(argv[3], argv[4], argv + 5));
        for (int i = 2; i + 1 < argc; i += 2)
                if (strcmp(argv[i], "--every") == 0)
                        every = (unsigned)strtoul(argv[i + 1], NULL, 10);
                else if (strcmp(argv[i], "--only") == 0)
                        only = argv[i + 1];
                else if (strcmp(argv[i], "--after") == 0)
                        run.after = argv[i + 1];
        run.replaces = roma_store_caps(run.store) & ROMA_CAP_PROPS;
        snprintf(run.folder, sizeof(run.folder), "kills-%" PRIx64,
                 (uint64_t)time(NULL) << 16 | (uint64_t)(getpid() & 0xffff));
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !run.failed && every; i++) {
                if (only && strcmp(only, steps[i].name) != 0)
                        continue;
                if (strcmp(steps[i].name, "complete-if-absent") == 0 && !can_if_absent())
                        printf("skip complete-if-absent: this store does not do it\n");
                else
                        try_step(&steps[i], every);
        }
        if (!run.failed)
                nothing_left();
        roma_store_close(run.store);
        roma_loop_free(run.loop);
        return run.failed;
}
