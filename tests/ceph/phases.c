/* SPDX-License-Identifier: MIT */
/* What an operation waits for is told by the phase that takes long: phases FILESYSTEM OSD_PID MON_PID
 *
 * Each part lets something stand still for a while, so that an operation has to wait for it, and looks for a phase that is at
 * least as long; no phase that means something else may be. The other client is a process of its own that uses libcephfs as
 * anybody would: it writes without fsync, and stands still when it is stopped. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cephfs/libcephfs.h>
#include <roma/roma.h>

enum { SIZE = 4 << 20, STOP_MS = 1000, LONG_MS = 300, TRIES = 4, ROUNDS = 60, MOST = 200 };

struct seen {
        char phase[24];
        double ms;
};

static char bytes[SIZE], got[SIZE];
static struct seen seen[MOST];
static unsigned nseen;
static roma_loop *loop;
static roma_store *store;
static pid_t other, osd, mon;
static const char *fs;
static int to_other, from_other;

static void die(const char *what, const char *why)
{
        printf("FAIL: %s: %s\n", what, why);
        fflush(stdout);
        if (other > 0)
                kill(other, SIGKILL);
        _exit(1);
}

static void pause_ms(long ms)
{
        const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

        nanosleep(&t, NULL);
}

/* The other client: a letter is an order, and the answer. */

static void must(const char *what, int r)
{
        if (r < 0) {
                printf("FAIL: the other client: %s: %s\n", what, strerror(-r));
                fflush(stdout);
                _exit(2);
        }
}

static struct ceph_mount_info *plain(void)
{
        struct ceph_mount_info *cm;

        must("create", ceph_create(&cm, NULL));
        must("read the configuration", ceph_conf_read_file(cm, NULL));
        ceph_conf_parse_env(cm, NULL);
        ceph_conf_set(cm, "admin_socket", "");
        ceph_conf_set(cm, "log_file", "/dev/null");
        must("init", ceph_init(cm));
        must("select", ceph_select_filesystem(cm, fs));
        must("mount", ceph_mount(cm, "/"));
        return cm;
}

/* w: writes, without fsync; h: and holds it open, until c: closes; t: cuts it to its half. */
static void be_other(int in, int out)
{
        struct ceph_mount_info *cm = plain();
        int fd = -1;
        char c;

        while (read(in, &c, 1) == 1) {
                if (c == 'w' || c == 'h') {
                        fd = ceph_open(cm, "/phases/file", O_CREAT | O_WRONLY, 0644);
                        must("open", fd);
                        must("write", ceph_write(cm, fd, bytes, SIZE, 0));
                }
                if (c == 'w' || c == 'c')
                        must("close", ceph_close(cm, fd));
                if (c == 't')
                        must("truncate", ceph_truncate(cm, "/phases/file", SIZE / 2));
                if (write(out, &c, 1) != 1)
                        break;
        }
        ceph_unmount(cm);
        ceph_release(cm);
        _exit(0);
}

static void start_other(void)
{
        int to[2], from[2];

        if (pipe(to) < 0 || pipe(from) < 0)
                die("pipe", strerror(errno));
        other = fork();
        if (other < 0)
                die("fork", strerror(errno));
        if (!other) {
                close(to[1]);
                close(from[0]);
                be_other(to[0], from[1]);
        }
        close(to[0]);
        close(from[1]);
        to_other = to[1];
        from_other = from[0];
}

static void tell(char c)
{
        char answer;

        if (write(to_other, &c, 1) != 1 || read(from_other, &answer, 1) != 1)
                die("the other client", "it has ended");
}

/* What libroma tells */

static void event(void *arg, const roma_trace_event *ev)
{
        (void)arg;
        if (nseen == MOST)
                return;
        snprintf(seen[nseen].phase, sizeof(seen[nseen].phase), "%s", ev->phase);
        seen[nseen++].ms = (double)(ev->end_ns - ev->start_ns) / 1e6;
}

static double longest(const char *phase)
{
        double ms = -1;

        for (unsigned i = 0; i < nseen; i++)
                if (strcmp(seen[i].phase, phase) == 0 && seen[i].ms > ms)
                        ms = seen[i].ms;
        return ms;
}

static void show(const char *what)
{
        printf("%s:", what);
        for (unsigned i = 0; i < nseen; i++)
                if (seen[i].ms >= 1)
                        printf(" %s %.0f", seen[i].phase, seen[i].ms);
        printf("\n");
        fflush(stdout);
}

/* Stopped now, and let go on after a while by a child. */
static pid_t stand_still(pid_t pid)
{
        pid_t p;

        fflush(stdout);
        if (kill(pid, SIGSTOP) < 0)
                die("kill -STOP", strerror(errno));
        p = fork();
        if (p == 0) {
                pause_ms(STOP_MS);
                kill(pid, SIGCONT);
                _exit(0);
        }
        if (p < 0)
                kill(pid, SIGCONT);
        nseen = 0;
        return p;
}

static roma_file *open_file(unsigned flags)
{
        roma_file *f = roma_file_open(store, "file", flags, 0644, NULL);

        if (!f)
                die("open", roma_error(loop));
        return f;
}

static void close_file(roma_file *f)
{
        if (roma_file_close(f, NULL) < 0)
                die("close", roma_error(loop));
}

static void read_file(roma_file *f, size_t n)
{
        if (roma_pread(f, got, SIZE, 0, NULL) != (int64_t)n || memcmp(got, bytes, n) != 0)
                die("read", "other bytes");
}

/* The parts: each returns when what it waited for goes on. */

/* Whoever opens a file that another client has written waits for what that client has still to write. */
static void other_stands_still(void)
{
        roma_file *f;
        pid_t p;

        tell('h');
        p = stand_still(other);
        f = open_file(ROMA_O_READ);
        waitpid(p, NULL, 0);
        read_file(f, SIZE);
        tell('c');
        close_file(f);
}

static void osd_stands_still(bool write)
{
        roma_file *f = open_file(ROMA_O_READ | ROMA_O_WRITE);
        pid_t p;

        read_file(f, SIZE);
        p = stand_still(osd);
        if (!write)
                read_file(f, SIZE);
        else if (roma_pwrite(f, bytes, SIZE, 0, NULL) != SIZE)
                die("write", roma_error(loop));
        waitpid(p, NULL, 0);
        close_file(f);
}

static void read_waits(void)
{
        osd_stands_still(false);
}

static void write_waits(void)
{
        osd_stands_still(true);
}

/* A file that is being cut belongs to the MDS until its OSDs have done so. */
static void cut_meanwhile(bool write)
{
        roma_file *f;
        pid_t p;

        tell('w');
        f = open_file(ROMA_O_READ | ROMA_O_WRITE);
        read_file(f, SIZE);
        p = stand_still(osd);
        tell('t');
        if (!write)
                read_file(f, SIZE / 2);
        else if (roma_pwrite(f, bytes, 1000, 0, NULL) != 1000)
                die("write", roma_error(loop));
        waitpid(p, NULL, 0);
        close_file(f);
        tell('w');
}

static void read_of_cut(void)
{
        cut_meanwhile(false);
}

static void write_of_cut(void)
{
        cut_meanwhile(true);
}

static unsigned opened;

static void was_opened(void *arg, const roma_result *r)
{
        roma_store **s = arg;

        if (r->code != ROMA_OK)
                die("open", r->message);
        *s = r->store;
        opened++;
}

/* Two stores that ask for one mount, which is not there yet. */
static void mount_waits(void)
{
        roma_store *s[2];
        pid_t p;
        char uri[200];

        snprintf(uri, sizeof(uri), "cephfs://%s/phases?osd_timeout=31s", fs);
        opened = 0;
        p = stand_still(mon);
        for (int i = 0; i < 2; i++)
                if (!roma_aio_store_open(loop, uri, NULL, was_opened, &s[i]))
                        die("open", roma_error(loop));
        while (opened < 2)
                if (roma_loop_turn(loop, -1) < 0)
                        die("open", roma_error(loop));
        waitpid(p, NULL, 0);
        roma_store_close(s[0]);
        roma_store_close(s[1]);
}

static const struct part {
        const char *what;
        void (*run)(void);
        const char *phase, *phase2; /* phase2: or NULL */
} parts[] = {
        { "the writer of a file stands still", other_stands_still, "mds_lookup", NULL },
        { "an OSD stands still: read", read_waits, "osd_read", NULL },
        { "an OSD stands still: write", write_waits, "osd_write", NULL },
        { "a file that is being cut: read", read_of_cut, "caps_wait", NULL },
        { "a file that is being cut: write", write_of_cut, "caps_osd_write", NULL },
        { "the monitor stands still", mount_waits, "connect", "mount_wait" },
};

/* A machine that stands still itself may need another try. */
static void run(const struct part *part)
{
        int i;

        for (i = 0; i < TRIES; i++) {
                part->run();
                show(part->what);
                if (longest(part->phase) >= LONG_MS && (!part->phase2 || longest(part->phase2) >= LONG_MS))
                        break;
        }
        if (i == TRIES)
                die(part->what, "it was not told by its phase");
        if (longest("journal_wait") >= LONG_MS)
                die(part->what, "it was called a wait for the journal");
}

/* On a busy machine others may cause the journal to be written before a nudge does. */
static void foreign_upload(void)
{
        roma_file *f;

        for (int i = 0; i < ROUNDS; i++) {
                tell('w');
                nseen = 0;
                f = open_file(ROMA_O_READ);
                read_file(f, SIZE);
                show("a foreign upload");
                close_file(f);
                if (longest("journal_wait") > 0)
                        return;
        }
        die("a foreign upload", "no wait for the journal was told");
}

int main(int argc, char **argv)
{
        char uri[200];

        if (argc != 4)
                return 2;
        fs = argv[1];
        osd = (pid_t)strtol(argv[2], NULL, 10);
        mon = (pid_t)strtol(argv[3], NULL, 10);
        for (size_t i = 0; i < SIZE; i++)
                bytes[i] = (char)(i * 7 + i / 251);
        start_other();
        loop = roma_loop_new();
        snprintf(uri, sizeof(uri), "cephfs://%s/phases", fs);
        store = loop ? roma_store_open(loop, uri, NULL) : NULL;
        if (!store)
                die("open", roma_error(loop));
        roma_loop_trace(loop, event, NULL);
        foreign_upload();
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
                run(&parts[i]);
        roma_store_close(store);
        roma_loop_free(loop);
        close(to_other);
        waitpid(other, NULL, 0);
        return 0;
}
