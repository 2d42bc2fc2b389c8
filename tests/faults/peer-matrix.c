/* SPDX-License-Identifier: MIT */
/* Every packet of one put and one get, times every fault: in the end the bytes are right on every copy, or there is a
 * clear error and the old object. Never a hang, never wrong bytes, nothing left over. Each case is a process of its own;
 * many run at once, because they mostly wait.
 *
 *      peer-matrix                     all of them
 *      peer-matrix put                 one half
 *      peer-matrix 'put cs CLTOCS_WRITE 1 close'       one case, in this process
 *
 * The last argument is PHASE and a line of a script, see peer.h. ROMA_PEER_VERSION=4.59.2 in the environment: servers of
 * that version. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <roma/roma.h>

#include "mfsproto/peer/peer.h"
#include "mfsproto/wire/version.h"

enum { PARALLEL = 48, DEADLINE_MS = 6000, CASE_SECONDS = 60, OLD = 150000, NEW = 200001, MOST_KINDS = 128 };

/* ---- one case ---------------------------------------------------------------------------------------------- */

struct play {
        struct mfs_peer *peer;
        roma_loop *loop;
        roma_store *store;
        uint8_t *old, *new, *back;
        int code, outcome;
        char error[1024], server[64];
        const char *wrong; /* what must not be */
        struct ri_str detail;
};

static void wrong(struct play *p, const char *what)
{
        if (!p->wrong)
                p->wrong = what;
}

static void fill(uint8_t *to, size_t n, unsigned seed)
{
        for (size_t i = 0; i < n; i++)
                to[i] = (uint8_t)((seed = seed * 1103515245u + 12345u) >> 16);
}

static void note(struct play *p)
{
        const roma_result *r = roma_last(p->loop);

        p->code = r->code;
        p->outcome = r->outcome;
        snprintf(p->error, sizeof p->error, "%s", r->message);
        snprintf(p->server, sizeof p->server, "%s", r->server);
}

static bool copies_are(struct play *p, const uint8_t *data, size_t n)
{
        struct mfs_peer_file f;

        if (!mfs_peer_stat(p->peer, "f", &f) || f.length != n)
                return false;
        for (unsigned i = 0; i < 2; i++)
                if (mfs_peer_bytes(p->peer, "f", i, 0, p->back, NEW) != (ssize_t)n ||
                    memcmp(p->back, data, n) != 0)
                        return false;
        return true;
}

static void begin(struct play *p, const char *script)
{
        struct mfs_peer_cfg cfg = { .servers = 3, .copies = 2, .park_ms = 1500 };
        roma_opts opts = ROMA_OPTS_INIT;
        const char *version = getenv("ROMA_PEER_VERSION");
        char why[300] = "no memory";

        if (version && !wire_ver_parse(version, &cfg.master_version)) {
                fprintf(stderr, "ROMA_PEER_VERSION: %s is no version\n", version);
                exit(2);
        }
        ri_str_init(&p->detail, 1 << 16);
        p->old = malloc(OLD);
        p->new = malloc(NEW);
        p->back = malloc(NEW);
        p->peer = mfs_peer_new(&cfg, why, sizeof why);
        p->loop = roma_loop_new();
        if (!p->old || !p->new || !p->back || !p->peer || !p->loop) {
                fprintf(stderr, "%s\n", why);
                exit(2);
        }
        fill(p->old, OLD, 1);
        fill(p->new, NEW, 2);
        if (!mfs_peer_plant(p->peer, "f", p->old, OLD) ||
            !mfs_peer_script(p->peer, script, why, sizeof why)) {
                fprintf(stderr, "%s: %s\n", script, why);
                exit(2);
        }
        opts.deadline_ms = DEADLINE_MS;
        p->store = roma_store_open(p->loop, mfs_peer_uri(p->peer), &opts);
        if (!p->store)
                note(p);
}

static void put(struct play *p)
{
        roma_put_opts opts = ROMA_PUT_OPTS_INIT;

        opts.deadline_ms = DEADLINE_MS;
        if (!p->store)
                return;
        roma_put(p->store, "f", p->new, NEW, &opts);
        note(p);
}

static void get(struct play *p)
{
        roma_opts opts = ROMA_OPTS_INIT;
        roma_file *file;
        int64_t n;

        opts.deadline_ms = DEADLINE_MS;
        if (!p->store)
                return;
        file = roma_file_open(p->store, "f", ROMA_O_READ, 0, &opts);
        if (!file) {
                note(p);
                return;
        }
        memset(p->back, 0, NEW);
        n = roma_pread(file, p->back, NEW, 0, &opts);
        note(p);
        if (n >= 0 && (n != OLD || memcmp(p->back, p->old, OLD) != 0))
                wrong(p, "the bytes that were read are not those of the file");
        roma_file_close(file, &opts);
}

static void judge_error(struct play *p)
{
        const char *at;
        bool named = false;

        if (p->code == ROMA_OK)
                return;
        if (strlen(p->error) < 20)
                wrong(p, "no sentence");
        /* a fault of the network or a server: which one? Not counting the name of the store. */
        for (at = p->error; (at = strstr(at, "127.0.0.1:")); at++)
                named |= at - p->error < 6 || memcmp(at - 6, "mfs://", 6) != 0;
        if (p->code >= 100 && !named)
                wrong(p, "the sentence names no server");
}

/* lied: the master did it and said that it had not. */
static void judge_put(struct play *p, bool lied)
{
        bool old = copies_are(p, p->old, OLD), new = copies_are(p, p->new, NEW);

        if (p->code == ROMA_OK && !new)
                wrong(p, "put succeeded, but the copies do not have its bytes");
        if (p->code != ROMA_OK && !old && !new)
                wrong(p, "put failed, and the object is neither the old nor the new one");
        if (p->code != ROMA_OK && new && p->outcome == ROMA_NOT_DONE && !lied)
                wrong(p, "put said NOT_DONE, but it was done");
}

static void judge_names(struct play *p)
{
        struct ri_str names = RI_STR_INIT(65536);
        const char *name;

        mfs_peer_list(p->peer, "", &names);
        for (name = ri_str_cstr(&names); *name; name += strcspn(name, "\n") + 1)
                if (*name != '.' && strncmp(name, "f\n", 2) != 0)
                        wrong(p, "a name appeared that is not hidden");
        ri_str_free(&names);
}

/* Servers back to normal, everything closed: what is left? */
static void end(struct play *p)
{
        roma_stats s = { .size = sizeof s };
        size_t broken;

        mfs_peer_script_clear(p->peer);
        for (unsigned i = 0; i <= 3; i++) {
                mfs_peer_power(p->peer, i, MFS_PEER_CONT);
                mfs_peer_power(p->peer, i, MFS_PEER_START);
        }
        if (p->store)
                roma_store_close(p->store);
        roma_loop_stats(p->loop, &s);
        if (s.operations || s.stores || s.files || s.writers || s.readers || s.connections || s.descriptors ||
            s.timers || s.buffers || s.buffer_bytes || s.queued_for_buffers)
                wrong(p, "something is left after the close");
        roma_loop_free(p->loop);
        /* a put that was given up leaves a lock behind when the master or its deadline did not let it end it */
        broken = mfs_peer_violations(p->peer, &p->detail) - mfs_peer_broken(p->peer, MFS_RULE_NO_END);
        if (broken)
                wrong(p, "a rule of the protocol was broken");
}

static int play(const char *phase, const char *script, char *line, size_t size)
{
        struct play p = { 0 };
        bool putting = !strcmp(phase, "put");
        unsigned fired;

        begin(&p, script);
        if (putting)
                put(&p);
        else
                get(&p);
        fired = mfs_peer_fired(p.peer);
        judge_error(&p);
        end(&p);
        if (putting)
                judge_put(&p, strstr(script, " MATOCL_") && strstr(script, " status "));
        judge_names(&p);
        snprintf(line, size, "%s %s%s %s %s: %s%s%s%s%s", p.wrong ? "FAIL" : "ok", fired ? "" : "(never) ",
                 phase, script, roma_code_name(p.code), p.error, p.wrong ? " -- " : "",
                 p.wrong ? p.wrong : "", p.detail.len ? "\n     " : "", ri_str_cstr(&p.detail));
        mfs_peer_free(p.peer);
        ri_str_free(&p.detail);
        free(p.old);
        free(p.new);
        free(p.back);
        return p.wrong ? 1 : 0;
}

/* ---- all cases --------------------------------------------------------------------------------------------- */

struct variant {
        enum mfs_peer_action action;
        uint32_t value;
};

static const struct variant variants[] = {
        { MFS_PEER_DELAY, 300 },
        { MFS_PEER_STATUS, WIRE_STATUS_EPERM },
        { MFS_PEER_STATUS, WIRE_STATUS_ENOENT },
        { MFS_PEER_STATUS, WIRE_STATUS_LOCKED },
        { MFS_PEER_STATUS, WIRE_STATUS_NOCHUNK },
        { MFS_PEER_STATUS, WIRE_STATUS_WRONGVERSION },
        { MFS_PEER_STATUS, WIRE_STATUS_NOSPACE },
        { MFS_PEER_STATUS, WIRE_STATUS_IO },
        { MFS_PEER_STATUS, WIRE_STATUS_CRC },
        { MFS_PEER_STATUS, 200 },
        { MFS_PEER_CLOSE, 0 },
        { MFS_PEER_RESET, 0 },
        { MFS_PEER_DROP, 0 },
        { MFS_PEER_HANG, 0 },
        { MFS_PEER_HANG, 500 },
        { MFS_PEER_DIE, 0 },
        { MFS_PEER_DIE, 500 },
        { MFS_PEER_GARBAGE, 0 },
        { MFS_PEER_TRUNCATE, 1 },
        { MFS_PEER_TRUNCATE, 1000000 },
        { MFS_PEER_CUT, 5 },
        { MFS_PEER_CUT, 10 },
        { MFS_PEER_CRC, 0 },
        { MFS_PEER_SHORT, 0 },
        { MFS_PEER_WRONGID, 0 },
        { MFS_PEER_DUP, 0 },
        { MFS_PEER_MSGID, 0 },
        { MFS_PEER_NOPS, 1000 },
};

struct running {
        pid_t pid;
        int fd;
        char what[200];
        char line[4096];
        size_t len;
};

static struct running run[PARALLEL];
static unsigned cases, failures, verbose, succeeded;

static void finish(struct running *r)
{
        int status = 0;

        close(r->fd);
        waitpid(r->pid, &status, 0);
        r->line[r->len] = 0;
        cases++;
        succeeded += strstr(r->line, " ROMA_OK: ") != NULL;
        if (!WIFEXITED(status) || WEXITSTATUS(status)) {
                failures++;
                printf("%s\n", r->len ? r->line : r->what);
                if (WIFSIGNALED(status))
                        printf("     %s: ended by signal %d\n", r->what, WTERMSIG(status));
                else if (!r->len)
                        printf("     ended with %d and no word\n", WEXITSTATUS(status));
                fflush(stdout);
        } else if (verbose) {
                printf("%s\n", r->line);
        }
        r->pid = 0;
}

/* Waits until one of those that run has ended. */
static void wait_one(void)
{
        struct pollfd p[PARALLEL];
        nfds_t n = 0;

        for (int i = 0; i < PARALLEL; i++)
                p[n++] = (struct pollfd){ run[i].pid ? run[i].fd : -1, POLLIN, 0 };
        poll(p, n, -1);
        for (int i = 0; i < PARALLEL; i++) {
                struct running *r = &run[i];
                ssize_t k;

                if (!p[i].revents)
                        continue;
                k = read(r->fd, r->line + r->len, sizeof r->line - 1 - r->len);
                if (k > 0)
                        r->len += (size_t)k;
                else
                        finish(r);
        }
}

static unsigned busy(void)
{
        unsigned n = 0;

        for (int i = 0; i < PARALLEL; i++)
                n += run[i].pid != 0;
        return n;
}

static void child(int fd, const char *phase, const char *script)
{
        char line[4000];
        int bad;

        alarm(CASE_SECONDS);
        bad = play(phase, script, line, sizeof line);
        if (write(fd, line, strlen(line)) < 0)
                bad = 2;
        close(fd);
        exit(bad);
}

static void start(const char *phase, const char *script)
{
        struct running *r = run;
        int fd[2];

        while (busy() == PARALLEL)
                wait_one();
        while (r->pid)
                r++;
        if (pipe(fd) < 0) {
                perror("pipe");
                exit(2);
        }
        memset(r, 0, sizeof *r);
        snprintf(r->what, sizeof r->what, "%s %s", phase, script);
        fflush(stdout);
        r->pid = fork();
        if (r->pid == 0) {
                close(fd[0]);
                child(fd[1], phase, script);
        }
        close(fd[1]);
        r->fd = fd[0];
        if (r->pid < 0) {
                perror("fork");
                exit(2);
        }
}

/* The kinds of packets that pass without a fault. Learnt in a process of its own: a loop does not like fork. */
static size_t learn(const char *phase, struct mfs_peer_seen *kinds)
{
        int fd[2], status;
        size_t n = 0;
        pid_t pid;

        if (pipe(fd) < 0 || (pid = fork()) < 0) {
                perror("learn");
                exit(2);
        }
        if (pid == 0) {
                struct play p = { 0 };

                begin(&p, "");
                if (!strcmp(phase, "put"))
                        put(&p);
                else
                        get(&p);
                end(&p);
                if (p.code || p.wrong) {
                        fprintf(stderr, "%s without a fault: %s %s\n%s", phase, p.error,
                                p.wrong ? p.wrong : "", ri_str_cstr(&p.detail));
                        exit(1);
                }
                n = mfs_peer_seen(p.peer, kinds, MOST_KINDS);
                if (write(fd[1], kinds, n * sizeof *kinds) < 0)
                        exit(1);
                exit(0);
        }
        close(fd[1]);
        for (ssize_t k; (k = read(fd[0], (char *)kinds + n, MOST_KINDS * sizeof *kinds - n)) > 0;)
                n += (size_t)k;
        close(fd[0]);
        waitpid(pid, &status, 0);
        if (status) {
                failures++;
                return 0;
        }
        return n / sizeof *kinds;
}

static bool earlier(const struct mfs_peer_seen *kinds, size_t i)
{
        for (size_t k = 0; k < i; k++)
                if (kinds[k].type == kinds[i].type && !kinds[k].server == !kinds[i].server)
                        return true;
        return false;
}

/* First, second and each of them; of those that come once, once. */
static void cross(const char *phase, const struct mfs_peer_seen *kind)
{
        static const char *const nth[] = { "1", "2", "*" };
        char script[160];

        for (size_t v = 0; v < sizeof variants / sizeof variants[0]; v++) {
                if (!mfs_peer_action_fits(variants[v].action, kind->type))
                        continue;
                for (int k = 0; k < 3; k++) {
                        if (k == 1 && kind->count < 2)
                                continue;
                        snprintf(script, sizeof script, "%s %s %s %s %u", kind->server ? "cs" : "master",
                                 wire_packet_name(kind->type), nth[k],
                                 mfs_peer_action_name(variants[v].action), variants[v].value);
                        start(phase, script);
                }
        }
}

static void half(const char *phase)
{
        static struct mfs_peer_seen kinds[MOST_KINDS];
        size_t n = learn(phase, kinds);

        for (size_t i = 0; i < n; i++)
                if (!earlier(kinds, i) && kinds[i].type != WIRE_ANTOAN_NOP)
                        cross(phase, &kinds[i]);
}

int main(int argc, char **argv)
{
        const char *arg = argc > 1 ? argv[1] : "";
        const char *script = strchr(arg, ' ');
        char line[4000], phase[16];

        verbose = getenv("VERBOSE") != NULL;
        if (script) {
                snprintf(phase, sizeof phase, "%.*s", (int)(script - arg), arg);
                alarm(CASE_SECONDS);
                int bad = play(phase, script + 1, line, sizeof line);
                printf("%s\n", line);
                return bad;
        }
        if (strcmp(arg, "get") != 0)
                half("put");
        if (strcmp(arg, "put") != 0)
                half("get");
        while (busy())
                wait_one();
        printf("%u cases, %u ended well in spite of the fault, %u wrong\n", cases, succeeded, failures);
        return failures || !cases ? EXIT_FAILURE : EXIT_SUCCESS;
}
