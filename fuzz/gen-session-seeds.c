/* SPDX-License-Identifier: MIT */
/* Records seeds for fuzz-session: gen-session-seeds FOLDER. A real client talks to the peer over real sockets, through
 * a transport that listens; what the servers said becomes the input. */
#include "core/loop.h"
#include "core/op.h"
#include "mfsproto/peer/peer.h"
#include "mfsproto/transport.h"
#include "session-play.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(bool condition, const char *what)
{
        if (condition)
                return;
        fprintf(stderr, "%s\n", what);
        exit(EXIT_FAILURE);
}

/* ---- requests and their answers ---------------------------------------------------------------------------- */

struct request {
        struct request *next;
        unsigned conn;
        bool closed;
        uint32_t type, msgid, writeid;
        struct ri_str answer;
};

static struct request *requests, **requests_end = &requests;
static unsigned conns;

static void on_request(unsigned conn, uint32_t type, const uint8_t *p, size_t len)
{
        const struct wire_packet *packet = wire_packet_find(type);
        struct request *r;

        if (!packet || (packet->flags & WP_NOREPLY))
                return;
        r = calloc(1, sizeof *r);
        must(r != NULL, "no memory");
        r->conn = conn;
        r->type = type;
        if (type == WIRE_CLTOCS_WRITE_DATA)
                r->writeid = wire_be32(p + 8);
        else if ((packet->dirs & WIRE_TO_MASTER) && type != WIRE_CLTOMA_FUSE_REGISTER && len >= 4)
                r->msgid = wire_be32(p);
        ri_str_init(&r->answer, 1 << 20);
        *requests_end = r;
        requests_end = &r->next;
}

static bool answers(const struct request *r, uint32_t type, const uint8_t *p, size_t len)
{
        switch (type) {
        case WIRE_CSTOCL_READ_DATA:
        case WIRE_CSTOCL_READ_STATUS: return r->type == WIRE_CLTOCS_READ;
        case WIRE_CSTOCL_WRITE_STATUS:
                if (len < 12 || !wire_be32(p + 8))
                        return r->type == WIRE_CLTOCS_WRITE;
                return r->type == WIRE_CLTOCS_WRITE_DATA && r->writeid == wire_be32(p + 8);
        default: return r->type == type - 1 && (!r->msgid || (len >= 4 && wire_be32(p) == r->msgid));
        }
}

/* The newest request of this connection that it fits. */
static void on_answer(unsigned conn, uint32_t type, const uint8_t *p, size_t len)
{
        struct request *found = NULL;
        uint8_t head[WIRE_HEADER_SIZE];

        for (struct request *r = requests; r; r = r->next)
                if (r->conn == conn && answers(r, type, p, len))
                        found = r;
        if (!found)
                return;
        wire_put32(head, type);
        wire_put32(head + 4, (uint32_t)len);
        ri_str_append(&found->answer, head, sizeof head);
        ri_str_append(&found->answer, p, len);
}

static void on_end(unsigned conn)
{
        struct request *last = NULL;

        for (struct request *r = requests; r; r = r->next)
                if (r->conn == conn)
                        last = r;
        if (last)
                last->closed = true;
}

/* ---- the transport that listens ---------------------------------------------------------------------------- */

struct tee {
        struct mfs_transport t;
        struct mfs_transport *real;
        unsigned conn;
        struct wire_frame to, from;
};

static struct mfs_dialer real;

static void listen_to(struct tee *tee, struct wire_frame *f, const struct iovec *iov, int n, size_t left,
                      void (*heard)(unsigned conn, uint32_t type, const uint8_t *p, size_t len))
{
        for (int i = 0; i < n && left; i++) {
                const uint8_t *p = iov[i].iov_base;
                size_t k = iov[i].iov_len < left ? iov[i].iov_len : left;
                int event;

                left -= k;
                while ((event = wire_frame_feed(f, &p, &k)) > 0)
                        if (event == WIRE_FRAME_PACKET)
                                heard(tee->conn, f->type, f->payload, f->length);
        }
}

static ssize_t tee_send(struct mfs_transport *t, const struct iovec *iov, int n)
{
        struct tee *tee = ri_container_of(t, struct tee, t);
        ssize_t k = tee->real->ops->send(tee->real, iov, n);

        if (k > 0)
                listen_to(tee, &tee->to, iov, n, (size_t)k, on_request);
        return k;
}

static ssize_t tee_recv(struct mfs_transport *t, const struct iovec *iov, int n)
{
        struct tee *tee = ri_container_of(t, struct tee, t);
        ssize_t k = tee->real->ops->recv(tee->real, iov, n);

        if (k > 0)
                listen_to(tee, &tee->from, iov, n, (size_t)k, on_answer);
        else if (k != -EAGAIN)
                on_end(tee->conn);
        return k;
}

static void tee_want_read(struct mfs_transport *t, bool on)
{
        struct tee *tee = ri_container_of(t, struct tee, t);

        tee->real->ops->want_read(tee->real, on);
}

static void tee_close(struct mfs_transport *t)
{
        struct tee *tee = ri_container_of(t, struct tee, t);

        tee->real->ops->close(tee->real);
        wire_frame_free(&tee->to);
        wire_frame_free(&tee->from);
        free(tee);
}

static const struct mfs_transport_ops tee_ops = { "tee", tee_send, tee_recv, tee_want_read, tee_close };

static struct mfs_transport *tee_dial(struct mfs_dialer *d, roma_loop *loop, uint32_t ip, uint16_t port,
                                      uint32_t connect_ms, const struct mfs_transport_events *ev, void *arg,
                                      struct ri_error *e)
{
        struct tee *tee = calloc(1, sizeof *tee);

        (void)d;
        must(tee != NULL, "no memory");
        tee->conn = ++conns;
        wire_frame_init(&tee->to, WIRE_MAX_TO_MASTER);
        wire_frame_init(&tee->from, WIRE_MAX_TO_MASTER);
        tee->real = real.dial(&real, loop, ip, port, connect_ms, ev, arg, e);
        must(tee->real != NULL, "cannot dial");
        tee->t = *tee->real; /* events go past us */
        tee->t.ops = &tee_ops;
        return &tee->t;
}

/* ---- seeds ------------------------------------------------------------------------------------------------- */

static void save(const char *folder, const char *name, uint8_t what, uint8_t flags)
{
        char path[4096];
        struct request *r;
        FILE *f;

        snprintf(path, sizeof path, "%s/%s", folder, name);
        f = fopen(path, "wb");
        must(f != NULL, path);
        fputc(what, f);
        while ((r = requests)) {
                uint8_t head[ANSWER_HEAD] = { flags };

                if (r->type != WIRE_CLTOMA_FUSE_REGISTER)
                        head[0] |= r->msgid || r->type == WIRE_CLTOCS_WRITE_DATA ? ANSWER_PATCH : 0;
                head[0] |= r->closed ? ANSWER_CLOSE : 0;
                wire_put16(head + 1, (uint16_t)r->type);
                head[3] = (uint8_t)(r->answer.len >> 16);
                wire_put16(head + 4, (uint16_t)r->answer.len);
                fwrite(head, 1, sizeof head, f);
                fwrite(ri_str_cstr(&r->answer), 1, r->answer.len, f);
                requests = r->next;
                ri_str_free(&r->answer);
                free(r);
        }
        requests_end = &requests;
        must(fclose(f) == 0, path);
}

struct seed {
        const char *name;
        uint8_t what;
        uint32_t version; /* of the servers */
        unsigned copies;
        size_t size; /* of the file that is there */
        uint8_t flags;
        const char *script;
};

#define V3 WIRE_VER(3, 0, 117)
#define V4 WIRE_VER(4, 59, 2)

static const struct seed seeds[] = {
        { "open", 0, V3, 1, 0, 0, "" },
        { "open-4", 0, V4, 1, 0, 0, "" },
        { "open-refused", 0, V3, 1, 0, 0, "master MATOCL_FUSE_REGISTER 1 status 4" },
        { "open-export", PLAY_EXPORT | PLAY_STAT, V3, 1, 10, 0, "" },
        { "stat", PLAY_STAT, V3, 1, 10, 0, "" },
        { "stat-4", PLAY_STAT, V4, 1, 10, 0, "" },
        { "stat-drip", PLAY_STAT | PLAY_LIST, V3, 1, 10, ANSWER_DRIP, "" },
        { "list", PLAY_LIST, V3, 1, 10, 0, "" },
        { "list-4", PLAY_LIST, V4, 1, 10, 0, "" },
        { "put", PLAY_PUT, V3, 2, 10, 0, "" },
        { "put-4", PLAY_PUT, V4, 2, 10, 0, "" },
        { "put-drip", PLAY_PUT, V3, 2, 10, ANSWER_DRIP, "" },
        { "put-status", PLAY_PUT, V3, 2, 10, 0, "cs CSTOCL_WRITE_STATUS 2 status 29" },
        { "put-close", PLAY_PUT, V3, 2, 10, 0, "cs CLTOCS_WRITE_DATA 1 close" },
        { "put-nospace", PLAY_PUT, V3, 2, 10, 0, "master CLTOMA_FUSE_WRITE_CHUNK 1 status 21" },
        { "put-locked", PLAY_PUT, V3, 2, 10, 0, "master CLTOMA_FUSE_WRITE_CHUNK 1 status 11" },
        { "get", PLAY_GET, V3, 2, 3000, 0, "" },
        { "get-4", PLAY_GET, V4, 2, 3000, 0, "" },
        { "get-blocks", PLAY_GET, V3, 2, 66000, 0, "" },
        { "get-crc", PLAY_GET, V3, 2, 3000, 0, "cs CSTOCL_READ_DATA 1 crc" },
        { "get-short", PLAY_GET, V3, 2, 3000, 0, "cs CSTOCL_READ_DATA 1 short" },
        { "get-status", PLAY_GET, V3, 2, 3000, 0, "cs CSTOCL_READ_STATUS 1 status 19" },
        { "get-close", PLAY_GET, V3, 2, 3000, 0, "cs CLTOCS_READ 1 close" },
        { "get-drip", PLAY_GET, V3, 2, 3000, ANSWER_DRIP, "" },
        { "reconnect", PLAY_STAT | PLAY_GET, V3, 2, 300, 0, "master CLTOMA_FUSE_LOOKUP 1 close" },
        { "reconnect-lost", PLAY_STAT, V3, 2, 300, 0,
          "master CLTOMA_FUSE_LOOKUP 1 close\nmaster MATOCL_FUSE_REGISTER 2 status 35" },
        { "in-place", PLAY_INPLACE, V3, 2, 3000, 0, "" },
        { "in-place-4", PLAY_INPLACE, V4, 2, 3000, 0, "" },
        { "names", PLAY_NAMES, V3, 1, 10, 0, "" },
        { "names-4", PLAY_NAMES, V4, 1, 10, 0, "" },
        { "inspect", PLAY_INSPECT, V3, 2, 3000, 0, "" },
        { "inspect-4", PLAY_INSPECT, V4, 2, 3000, 0, "" },
};

static void record(const char *folder, const struct seed *s)
{
        struct mfs_peer_cfg cfg = { .servers = 2, .copies = s->copies, .master_version = s->version };
        static uint8_t bytes[100000];
        char why[300] = "";
        struct mfs_peer *peer = mfs_peer_new(&cfg, why, sizeof why);
        roma_loop *loop = roma_loop_new();

        must(peer && loop, why);
        for (size_t i = 0; i < s->size; i++)
                bytes[i] = (uint8_t)(i * 13);
        must(!s->size || mfs_peer_plant(peer, "f", bytes, s->size), "cannot plant");
        must(mfs_peer_script(peer, s->script, why, sizeof why), why);
        session_play(loop, mfs_peer_uri(peer), s->what & ~(unsigned)PLAY_EXPORT);
        roma_loop_free(loop);
        must(!*s->script || mfs_peer_fired(peer), "the fault did not come");
        mfs_peer_free(peer);
        save(folder, s->name, s->what, s->flags);
}

int main(int argc, char **argv)
{
        if (argc != 2) {
                fprintf(stderr, "usage: gen-session-seeds FOLDER\n");
                return EXIT_FAILURE;
        }
        real = mfs_dialer_tcp;
        mfs_dialer_tcp.dial = tee_dial;
        for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++)
                record(argv[1], &seeds[i]);
        return EXIT_SUCCESS;
}
