/* SPDX-License-Identifier: MIT */
/* Each socket call of a small session fails once, in turn: nothing hangs, leaks or lies. What the program was told to be
 * done is there; what failed said why. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <roma/roma.h>

#include "mfsproto/peer/peer.h"
#include "mfsproto/sys.h"
#include "mfsproto/transport.h"

enum { LENGTH = 200000 };

static struct mfs_sys real;
static unsigned countdown; /* the call that fails; 0: none */
static int failure;
static unsigned calls;

static bool fails(void)
{
        calls++;
        if (countdown == 0 || --countdown)
                return false;
        errno = failure;
        return true;
}

static int bad_socket(int domain, int type, int protocol)
{
        return fails() ? -1 : real.socket(domain, type, protocol);
}

static int bad_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
        return fails() ? -1 : real.connect(fd, addr, len);
}

static int bad_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
        return fails() ? -1 : real.getsockopt(fd, level, name, value, len);
}

/* Servers whose connection was ended so that nothing more can arrive. */
static uint16_t aborted[64];
static unsigned naborted;

static int watch_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
        struct sockaddr_in addr;
        socklen_t size = sizeof(addr);
        unsigned i = 0;

        if (level == SOL_SOCKET && name == SO_LINGER &&
            getpeername(fd, (struct sockaddr *)&addr, &size) == 0) {
                while (i < naborted && aborted[i] != addr.sin_port)
                        i++;
                if (i == naborted && naborted < 64)
                        aborted[naborted++] = addr.sin_port;
        }
        return real.setsockopt(fd, level, name, value, len);
}

static int bad_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
        return fails() ? -1 : real.setsockopt(fd, level, name, value, len);
}

static ssize_t bad_sendmsg(int fd, const struct msghdr *msg, int flags)
{
        return fails() ? -1 : real.sendmsg(fd, msg, flags);
}

/* A part is taken, then the rest: what any kernel may do. */
static ssize_t short_sendmsg(int fd, const struct msghdr *msg, int flags)
{
        struct iovec iov = msg->msg_iov[0];
        struct msghdr part = { .msg_iov = &iov, .msg_iovlen = 1 };

        if (!fails())
                return real.sendmsg(fd, msg, flags);
        iov.iov_len = iov.iov_len > 3 ? 3 : iov.iov_len;
        return real.sendmsg(fd, &part, flags);
}

static ssize_t bad_recvmsg(int fd, struct msghdr *msg, int flags)
{
        return fails() ? -1 : real.recvmsg(fd, msg, flags);
}

static ssize_t end_recvmsg(int fd, struct msghdr *msg, int flags)
{
        return fails() ? 0 : real.recvmsg(fd, msg, flags);
}

static ssize_t short_recvmsg(int fd, struct msghdr *msg, int flags)
{
        struct iovec iov = msg->msg_iov[0];
        struct msghdr part = { .msg_iov = &iov, .msg_iovlen = 1 };

        calls++;
        iov.iov_len = iov.iov_len > 7 ? 7 : iov.iov_len;
        return real.recvmsg(fd, &part, flags);
}

static const struct fault {
        const char *name;
        int failure;
        bool harmless; /* nothing may fail because of it */
} faults[] = {
        { "socket", EMFILE, false },         { "connect", ENETUNREACH, false },
        { "connect", ECONNREFUSED, false },  { "getsockopt", EBADF, false },
        { "setsockopt", ENOPROTOOPT, true }, { "sendmsg", EPIPE, false },
        { "sendmsg", ECONNRESET, false },    { "sendmsg", EINTR, true },
        { "sendmsg", EAGAIN, true },         { "short send", 0, true },
        { "recvmsg", ECONNRESET, false },    { "recvmsg", EINTR, true },
        { "recvmsg", EAGAIN, true },         { "end of stream", 0, false },
};

static void arm(const struct fault *f, unsigned nth)
{
        mfs_sys = real;
        mfs_sys.setsockopt = watch_setsockopt;
        naborted = 0;
        countdown = nth;
        failure = f->failure;
        calls = 0;
        if (!strcmp(f->name, "socket"))
                mfs_sys.socket = bad_socket;
        else if (!strcmp(f->name, "connect"))
                mfs_sys.connect = bad_connect;
        else if (!strcmp(f->name, "getsockopt"))
                mfs_sys.getsockopt = bad_getsockopt;
        else if (!strcmp(f->name, "setsockopt"))
                mfs_sys.setsockopt = bad_setsockopt;
        else if (!strcmp(f->name, "sendmsg"))
                mfs_sys.sendmsg = bad_sendmsg;
        else if (!strcmp(f->name, "short send"))
                mfs_sys.sendmsg = short_sendmsg;
        else if (!strcmp(f->name, "recvmsg"))
                mfs_sys.recvmsg = bad_recvmsg;
        else
                mfs_sys.recvmsg = end_recvmsg;
}

static unsigned char data[LENGTH], back[LENGTH];

/* How many of its steps failed. */
static unsigned scenario(roma_loop *loop, const char *uri)
{
        roma_store *store = roma_store_open(loop, uri, NULL);
        roma_list_opts list = ROMA_LIST_OPTS_INIT;
        unsigned failed = 0;
        bool written;
        roma_file *f;

        if (!store)
                return 1;
        failed += roma_mkdir(store, "d", 0755, ROMA_MKDIR_PARENTS, NULL) < 0;
        written = roma_put(store, "d/f", data, LENGTH, NULL) == 0;
        failed += !written;
        f = roma_file_open(store, "d/f", ROMA_O_READ, 0, NULL);
        failed += !f;
        if (f) {
                if (roma_pread(f, back, LENGTH, 0, NULL) == LENGTH)
                        ck_assert(!memcmp(back, data, LENGTH)); /* whole or not at all */
                else
                        failed++;
                failed += roma_file_close(f, NULL) < 0;
        }
        failed += roma_list_page(store, "d/", &list) < 0;
        failed += f && roma_unlink(store, "d/f", 0, NULL) < 0;
        if (!failed)
                failed += roma_rmdir(store, "d", NULL) < 0;
        roma_store_close(store);
        return failed;
}

/* Number of calls that were counted, 0 when the countdown was not reached. */
static unsigned run(const struct fault *f, unsigned nth)
{
        struct mfs_peer_cfg cfg = { .copies = 2 };
        roma_stats stats = { .size = sizeof(stats) };
        struct ri_str text = RI_STR_INIT(1 << 16);
        unsigned failed, n;
        struct mfs_peer *peer;
        roma_loop *loop;
        char why[200];

        peer = mfs_peer_new(&cfg, why, sizeof(why));
        ck_assert_msg(peer != NULL, "%s", why);
        loop = roma_loop_new();
        ck_assert_ptr_nonnull(loop);
        arm(f, nth);
        failed = scenario(loop, mfs_peer_uri(peer));
        n = countdown ? 0 : calls;
        mfs_sys = real;
        ck_assert_msg(!failed || (!f->harmless && nth),
                      "%s failing at call %u: %u steps failed, the last: %s", f->name, nth, failed,
                      roma_error(loop));
        roma_loop_stats(loop, &stats);
        ck_assert_uint_eq(stats.operations + stats.stores + stats.files + stats.connections, 0);
        ck_assert_uint_eq(stats.descriptors + stats.timers + stats.buffers, 0);
        roma_loop_free(loop);
        /* A request for a lock that never arrived is repeated as one that did: right for a file of our own. */
        ck_assert_msg(mfs_peer_violations(peer, &text) == mfs_peer_broken(peer, MFS_RULE_CONTINUE),
                      "%s failing at call %u: %s", f->name, nth, ri_str_cstr(&text));
        ri_str_free(&text);
        mfs_peer_free(peer);
        return n;
}

START_TEST(each_call_fails_once)
{
        unsigned nth = 1, most = 0, all = 0;

        /* Until the scenario ends before the fault comes. */
        while (run(&faults[_i], nth) && nth < 200) {
                most = naborted > most ? naborted : most;
                all += naborted;
                nth++;
        }
        ck_assert_uint_gt(nth, 1);
        /* What could not be sent to the end is taken back: one server at a time has failed, many times in all. */
        if (!strcmp(faults[_i].name, "sendmsg") && faults[_i].failure == EPIPE) {
                ck_assert_uint_ge(most, 1);
                ck_assert_uint_ge(all, 5);
        }
}
END_TEST

/* What a connection has sent before it is given up never arrives; what one has sent that is closed well does. */
START_TEST(nothing_arrives_late)
{
        static const struct mfs_transport_events none;
        static char bytes[1 << 16];
        struct sockaddr_in addr = { .sin_family = AF_INET };
        socklen_t size = sizeof(addr);
        struct iovec iov = { bytes, sizeof(bytes) };
        int small = 4096, server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), c;
        roma_loop *loop = roma_loop_new();
        size_t sent = 0, got = 0;
        struct mfs_transport *t;
        struct ri_error e;
        ssize_t k;

        addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ck_assert_int_eq(setsockopt(server, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
        ck_assert_int_eq(bind(server, (struct sockaddr *)&addr, sizeof(addr)), 0);
        ck_assert_int_eq(listen(server, 1), 0);
        ck_assert_int_eq(getsockname(server, (struct sockaddr *)&addr, &size), 0);
        mfs_sys = real;
        t = mfs_dialer_tcp.dial(&mfs_dialer_tcp, loop, INADDR_LOOPBACK, ntohs(addr.sin_port), 1000, &none,
                                NULL, &e);
        ck_assert_ptr_nonnull(t);
        c = accept(server, NULL, NULL);
        ck_assert_int_ge(c, 0);
        while ((k = t->ops->send(t, &iov, 1)) > 0)
                sent += (size_t)k;
        ck_assert_int_eq(k, 0);
        if (_i)
                mfs_transport_abort(t);
        else
                t->ops->close(t);
        while ((k = recv(c, bytes, sizeof(bytes), 0)) > 0)
                got += (size_t)k;
        if (_i) {
                ck_assert_int_lt(k, 0);
                ck_assert_uint_lt(got, sent);
        } else {
                ck_assert_int_eq(k, 0);
                ck_assert_uint_eq(got, sent);
        }
        close(c);
        close(server);
        roma_loop_free(loop);
}
END_TEST

START_TEST(bytes_come_in_drops)
{
        static const struct fault none = { "none", 0, true };
        struct mfs_peer_cfg cfg = { .copies = 2 };
        struct mfs_peer *peer;
        roma_loop *loop;
        char why[200];

        peer = mfs_peer_new(&cfg, why, sizeof(why));
        ck_assert_msg(peer != NULL, "%s", why);
        loop = roma_loop_new();
        arm(&none, 0);
        mfs_sys.recvmsg = short_recvmsg;
        ck_assert_msg(scenario(loop, mfs_peer_uri(peer)) == 0, "%s", roma_error(loop));
        mfs_sys = real;
        roma_loop_free(loop);
        mfs_peer_free(peer);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("mfs-sockets");
        TCase *tc = tcase_create("mfs-sockets");
        SRunner *sr;
        int failed;

        real = mfs_sys;
        for (size_t i = 0; i < LENGTH; i++)
                data[i] = (unsigned char)(i * 7 + i / 300);
        tcase_set_timeout(tc, 200);
        tcase_add_loop_test(tc, each_call_fails_once, 0, sizeof(faults) / sizeof(faults[0]));
        tcase_add_test(tc, bytes_come_in_drops);
        tcase_add_loop_test(tc, nothing_arrives_late, 0, 2);
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
