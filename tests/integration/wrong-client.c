/* SPDX-License-Identifier: MIT */
/* A MooseFS client that corrupts files on purpose, one bug at a time, at random positions and sizes: to prove that the
 * tools find what it has done. Everything else it does as the protocol asks, so what is broken is that one rule.
 *
 *      wrong-client --list                          each bug: name, the rules of doc/wire-rules.md that it breaks (in
 *                                                    brackets: may break), what it does
 *      wrong-client BUG MASTER[:PORT] FOLDER/NAME LOCAL [SEED [SIZE]]
 *
 * LOCAL is what the file should hold; it is made, of random bytes, unless it exists. The bug strikes somewhere that
 * follows from the seed, and what it did is printed. The exit code is 0 when the client believes that all went well:
 * that is the point. 3: it could not go on; 4: the bug is a race, and it was lost. */
#include "tests/unit/raw-client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/crc.h"

enum {
        NONE,
        FINISH_EARLY,
        STATUS_OFF,
        HEAD_ONLY,
        NO_END,
        END_ZERO,
        END_RELATIVE,
        END_SHORT,
        END_LONG,
        BLOCK_RESTART,
        INDEX_ZERO,
        BLOCK_FROM_START,
        NO_TRUNCATE,
        CROSS_BLOCK,
        TOO_LONG,
        CRC_RANGE,
        WRITEID_ZERO,
        WRONG_ID,
        GIVE_UP,
        RESEND_LATER,
        PAD,
        END_EARLY,
        AFTER_END,
        STALE_GRANT,
        CONTINUE,
        LOCK_TIME,
        PIPELINE,
        MSGID_ZERO,
        BAD_PACKET,
        SWAP,
        SHIFT,
        BIT,
        BUGS
};

enum {
        MIB = 1 << 20,
        CHUNK = 64 * MIB,
        BLOCK = WIRE_BLOCK_SIZE,
        WINDOW = 16,
        LARGE = 1, /* needs a file of more than one chunk */
};

struct bug {
        const char *name, *rules, *what;
        unsigned flags;
};

static const struct bug bugs[BUGS] = {
        [NONE] = { "none", "-", "nothing: a client that keeps all rules", 0 },
        [FINISH_EARLY] = { "finish-early", "finish-early", "WRITE_FINISH before the statuses have come", 0 },
        [STATUS_OFF] = { "status-off-by-one", "finish-early",
                         "takes the status of the chain for that of the first packet", 0 },
        [HEAD_ONLY] = { "head-only", "chain", "writes to the first server only", 0 },
        [NO_END] = { "no-end", "no-end", "no WRITE_CHUNK_END", 0 },
        [END_ZERO] = { "end-zero", "end-short", "WRITE_CHUNK_END with length 0", 0 },
        [END_RELATIVE] = { "end-relative", "end-relative", "END's length counted from the chunk", LARGE },
        [END_SHORT] = { "end-short", "end-short", "END's length too short", 0 },
        [END_LONG] = { "end-long", "end-long", "END's length too long", 0 },
        [BLOCK_RESTART] = { "block-restart", "end-long", "block numbers start at 0 in each write call", 0 },
        [INDEX_ZERO] = { "index-zero", "end-index", "the chunk index is always 0", LARGE },
        [BLOCK_FROM_START] = { "block-from-start", "block,(lost-data)",
                               "block numbers counted from the start of the file", LARGE },
        [NO_TRUNCATE] = { "no-truncate", "no-truncate", "overwrites a longer file and does not truncate", 0 },
        [CROSS_BLOCK] = { "cross-block", "block,(lost-data)", "one packet crosses a block", 0 },
        [TOO_LONG] = { "too-long", "block,lost-data", "one packet is longer than a block", 0 },
        [CRC_RANGE] = { "crc-range", "crc,lost-data", "one CRC is over the whole block", 0 },
        [WRITEID_ZERO] = { "writeid-zero", "writeid-zero,(lost-data)", "one packet has writeid 0", 0 },
        [WRONG_ID] = { "wrong-id", "wrong-id,lost-data", "one packet names another chunk", 0 },
        [GIVE_UP] = { "give-up", "lost-data", "closes with packets unanswered, then END", 0 },
        [RESEND_LATER] = { "resend-later", "lost-data", "after a failure goes on with later data only", 0 },
        [PAD] = { "pad", "end-short", "fills the last block with old memory", 0 },
        [END_EARLY] = { "end-early", "end-early", "END before the statuses have come", 0 },
        [AFTER_END] = { "after-end", "after-end", "more data after END", 0 },
        [STALE_GRANT] = { "stale-grant", "no-grant", "writes again with an old chunk id", 0 },
        [CONTINUE] = { "continue", "continue", "CONTINUEOP while another client holds the chunk", 0 },
        [LOCK_TIME] = { "lock-time", "lock-time", "writes 125 s after the grant", 0 },
        [PIPELINE] = { "pipeline", "pipeline", "the next READ before the end of the one before", 0 },
        [MSGID_ZERO] = { "msgid-zero", "msgid", "asks the master with msgid 0", 0 },
        [BAD_PACKET] = { "bad-packet", "packet", "a packet of a length that the master does not take", 0 },
        [SWAP] = { "swap", "-", "two blocks change places (a capture cannot show it)", 0 },
        [SHIFT] = { "shift", "-", "from one place on, bytes are shifted (nor this)", 0 },
        [BIT] = { "bit", "-", "one bit flips before the CRC is made (nor this)", 0 },
};

/* One packet of data. */
struct piece {
        uint64_t at; /* in the file */
        uint32_t index, size;
        uint16_t block, offset;
};

struct client {
        int bug;
        uint64_t seed;
        uint8_t *want, *data; /* what the file should hold, and what is sent */
        uint64_t size;
        uint64_t hole; /* at its start */
        struct piece *piece;
        size_t pieces, strike;
        uint32_t chunks, inode;
        uint32_t ip; /* of the master */
        uint16_t port;
        struct raw ma, cs;
        bool closed;             /* by the chunkserver */
        bool missed;             /* the bug did not strike */
        uint32_t writeid, acked; /* of this session */
};

void raw_failed(const char *fmt, ...)
{
        va_list ap;

        fputs("wrong-client: ", stderr);
        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fputc('\n', stderr);
        exit(3);
}

static uint64_t rnd(struct client *c, uint64_t n)
{
        c->seed += UINT64_C(0x9E3779B97F4A7C15);
        uint64_t x = c->seed;

        x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
        x ^= x >> 31;
        return n ? x % n : x;
}

/* ---- the local file ---------------------------------------------------------------------------------------- */

static void make_local(struct client *c, const char *path)
{
        FILE *f = fopen(path, "wbx");

        /* most of a large file is a hole, so that what was written is seen in a small capture */
        if (bugs[c->bug].flags & LARGE && c->size > CHUNK)
                c->hole = CHUNK - (c->size < CHUNK + BLOCK ? 100 : 3 * BLOCK);
        for (uint64_t i = c->hole; i < c->size; i += 8) {
                uint64_t v = rnd(c, 0);

                memcpy(c->want + i, &v, c->size - i < 8 ? (size_t)(c->size - i) : 8);
        }
        if (!f || fwrite(c->want, 1, c->size, f) != c->size || fclose(f) != 0)
                raw_failed("%s: %s", path, strerror(errno));
}

static uint64_t choose_size(struct client *c)
{
        if (bugs[c->bug].flags & LARGE)
                return CHUNK + 1 + rnd(c, 8 * BLOCK);
        return 4 * BLOCK + 1 + rnd(c, 60 * BLOCK);
}

static void load(struct client *c, const char *path, const char *size)
{
        struct stat st;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        uint64_t got = 0;

        if (fd >= 0 && fstat(fd, &st) == 0)
                c->size = (uint64_t)st.st_size;
        else
                c->size = size ? strtoull(size, NULL, 0) : choose_size(c);
        if (!c->size || c->size > UINT64_C(16) * CHUNK)
                raw_failed("%s: a size between 1 byte and 1 GiB, please", path);
        c->want = calloc(1, c->size);
        c->data = malloc(c->size + 2 * BLOCK);
        if (!c->want || !c->data)
                raw_failed("no memory");
        if (fd < 0)
                make_local(c, path);
        while (fd >= 0 && got < c->size) {
                ssize_t n = read(fd, c->want + got, c->size - got);

                if (n <= 0)
                        raw_failed("%s: cannot be read", path);
                got += (uint64_t)n;
        }
        if (fd >= 0)
                close(fd);
        memcpy(c->data, c->want, c->size);
        memset(c->data + c->size, 0xA5, 2 * BLOCK);
}

/* ---- what is going to be sent ------------------------------------------------------------------------------ */

static struct piece *add_piece(struct client *c)
{
        c->piece = realloc(c->piece, (c->pieces + 1) * sizeof(*c->piece));
        if (!c->piece)
                raw_failed("no memory");
        return &c->piece[c->pieces++];
}

/* Whole blocks, as most clients send them, or calls of any size. */
static void plan(struct client *c)
{
        bool odd = c->bug == CRC_RANGE || (c->bug != BLOCK_RESTART && rnd(c, 2));
        uint64_t at = c->hole, call = 0, left = 0;

        while (at < c->size) {
                struct piece *p = add_piece(c);
                uint32_t room = BLOCK - (uint32_t)(at % BLOCK);

                if (!left) {
                        call = at;
                        left = odd ? 1 + rnd(c, c->size < BLOCK ? c->size / 2 + 1 : 3 * BLOCK)
                                   : (1 + rnd(c, 4)) * BLOCK;
                }
                p->at = at;
                p->index = (uint32_t)(at / CHUNK);
                p->block = (uint16_t)(at % CHUNK / BLOCK);
                p->offset = (uint16_t)(at % BLOCK);
                p->size = room < left ? room : (uint32_t)left;
                if (p->size > c->size - at)
                        p->size = (uint32_t)(c->size - at);
                if (c->bug == BLOCK_RESTART)
                        p->block = (uint16_t)((at - call) / BLOCK);
                if (c->bug == BLOCK_FROM_START)
                        p->block = (uint16_t)(at / BLOCK);
                at += p->size;
                left -= p->size;
        }
        c->chunks = (uint32_t)((c->size + CHUNK - 1) / CHUNK);
}

static void struck(struct client *c, const char *what)
{
        const struct piece *p = &c->piece[c->strike];

        printf("struck: %s, chunk index %u block %u offset %u, bytes %" PRIu64 " to %" PRIu64 "\n", what,
               p->index, p->block, p->offset, p->at, p->at + p->size);
}

/* Where it strikes: somewhere, but where it can be seen. */
static void aim(struct client *c)
{
        size_t first = 0, n = c->pieces;

        if (c->bug == BLOCK_FROM_START || c->bug == INDEX_ZERO)
                while (first < c->pieces - 1 && c->piece[first].index == 0)
                        first++;
        if (c->bug == AFTER_END || c->bug == LOCK_TIME || c->bug == RESEND_LATER)
                first = 1 < n ? 1 : 0; /* something before it */
        if (c->bug == RESEND_LATER && n > 2)
                n--; /* and behind it */
        c->strike = first + (size_t)rnd(c, n - first);
        for (size_t i = 0; c->bug == CRC_RANGE && i < n && c->piece[c->strike].size == BLOCK; i++)
                c->strike = (c->strike + 1) % n; /* the CRC of a whole block would be right */
}

static void spoil(struct client *c)
{
        uint64_t blocks = c->size / BLOCK, a, b;

        if (c->bug == BIT) {
                c->data[a = rnd(c, c->size)] ^= (uint8_t)(1u << rnd(c, 8));
                printf("struck: bit, byte %" PRIu64 "\n", a);
        } else if (c->bug == SHIFT) {
                a = rnd(c, c->size);
                b = 1 + rnd(c, 4096);
                memmove(c->data + a, c->want + (a + b < c->size ? a + b : a),
                        c->size - (a + b < c->size ? a + b : a));
                printf("struck: shift by %" PRIu64 " from byte %" PRIu64 "\n", b, a);
        } else if (c->bug == SWAP && blocks >= 2) {
                a = rnd(c, blocks - 1);
                b = a + 1 + rnd(c, blocks - a - 1);
                memcpy(c->data + a * BLOCK, c->want + b * BLOCK, BLOCK);
                memcpy(c->data + b * BLOCK, c->want + a * BLOCK, BLOCK);
                printf("struck: swap of blocks %" PRIu64 " and %" PRIu64 " of the file\n", a, b);
        }
}

/* ---- the master -------------------------------------------------------------------------------------------- */

static uint32_t lookup(struct client *c, uint32_t parent, const char *name)
{
        static const uint32_t gid[] = { 0 };
        struct wire_msg m, reply;

        raw_init(&c->ma, &m, WIRE_CLTOMA_FUSE_LOOKUP);
        wire_set_u(&m, WF_PARENT, parent);
        wire_set_str(&m, WF_NAME, name);
        wire_set_ug(&m, 0, gid, 1);
        raw_call(&c->ma, &m, &reply);
        return wire_has(&reply, WF_INODE) ? wire_get_u32(&reply, WF_INODE) : 0;
}

/* Without WIRE_OPEN_TRUNCATE, with which a 3.0.117 master truncates by itself. */
static void open_again(struct client *c)
{
        static const uint32_t gid[] = { 0 };
        struct wire_msg m, reply;
        uint8_t status = 0;

        raw_init(&c->ma, &m, WIRE_CLTOMA_FUSE_OPEN);
        wire_set_u(&m, WF_INODE, c->inode);
        wire_set_ug(&m, 0, gid, 1);
        wire_set_u(&m, WF_FLAGS, WIRE_OPEN_WRITE);
        raw_call(&c->ma, &m, &reply);
        if (wire_is_status(&reply, &status))
                raw_failed("open: %s", wire_status_name(status));
}

static void create(struct client *c, char *path)
{
        uint32_t folder = WIRE_ROOT_INODE;
        char *slash;

        while (*path == '/')
                path++;
        for (; (slash = strchr(path, '/')); path = slash + 1) {
                *slash = 0;
                folder = *path ? lookup(c, folder, path) : folder;
                if (!folder)
                        raw_failed("there is no folder %s", path);
        }
        c->inode = raw_create_in(&c->ma, folder, path);
        printf("inode %u\n", c->inode);
}

static void close_session(struct client *c)
{
        raw_packet(&c->ma, WIRE_CLTOMA_FUSE_SUSTAINED_INODES, "", 0);
        raw_close(&c->ma);
}

static void grant(struct client *c, uint32_t index, uint8_t flags, struct raw_grant *g)
{
        struct timespec pause = { 0, 200000000 };
        uint8_t status = WIRE_STATUS_LOCKED;

        for (int i = 0; i < 50; i++) {
                status = raw_write_chunk(&c->ma, c->inode, index, flags, g);
                if (status == WIRE_STATUS_OK || !wire_status_retriable(status))
                        break;
                nanosleep(&pause, NULL);
        }
        if (status != WIRE_STATUS_OK || !g->n)
                raw_failed("WRITE_CHUNK %u: %s", index, wire_status_name(status));
}

/* What it says at the end of a chunk. */
static uint64_t end_length(struct client *c, const struct raw_grant *g, uint32_t index)
{
        uint64_t end = (uint64_t)(index + 1) * CHUNK < c->size ? (uint64_t)(index + 1) * CHUNK : c->size;
        uint64_t length = end > g->length ? end : g->length;
        bool last = index + 1 == c->chunks;

        if (c->bug == END_ZERO)
                length = 0;
        else if (c->bug == END_RELATIVE)
                length = end - (uint64_t)index * CHUNK;
        else if (c->bug == END_SHORT && last)
                length -= 1 + rnd(c, (c->size - 1) % CHUNK);
        else if (c->bug == END_LONG && last)
                length += 1 + rnd(c, 4 * BLOCK);
        else if (c->bug == NO_TRUNCATE && last)
                length = end;
        else
                return length;
        printf("struck: END of chunk index %u says %" PRIu64 "\n", index, length);
        return length;
}

static void end(struct client *c, const struct raw_grant *g, uint64_t length)
{
        uint8_t status = raw_write_end(&c->ma, g, length);

        if (status != WIRE_STATUS_OK)
                raw_failed("WRITE_CHUNK_END: %s", wire_status_name(status));
}

/* ---- the chunkserver --------------------------------------------------------------------------------------- */

/* Takes one status; false: the connection has ended, or nothing comes. */
static bool take_ack(struct client *c)
{
        if (c->closed)
                return false;
        if (raw_next(&c->cs, 3000) != 1 || c->cs.type != WIRE_CSTOCL_WRITE_STATUS || c->cs.len != 13) {
                c->closed = true;
                return false;
        }
        if (c->cs.buf[12] != WIRE_STATUS_OK) {
                printf("a packet was refused: %s\n", wire_status_name(c->cs.buf[12]));
                c->closed = true;
                return false;
        }
        c->acked++;
        return true;
}

/* Until it believes that `n` packets are stored. */
static void await(struct client *c, uint32_t n)
{
        while (c->acked < n && take_ack(c))
                ;
        if (c->acked < n && c->bug == NONE)
                raw_failed("%u of %u packets were stored", c->acked, n);
}

static void start(struct client *c, const struct raw_grant *g)
{
        struct raw_grant chain = *g;

        if (c->bug == HEAD_ONLY) {
                printf("struck: 1 of %u servers\n", g->n);
                chain.n = 1;
        }
        raw_connect(&c->cs, g->ip[0], g->port[0]);
        raw_cs_write(&c->cs, &chain);
        c->closed = false;
        c->acked = c->writeid = 0;
        if (c->bug == STATUS_OFF)
                return; /* it will come, and be taken for that of the first packet */
        if (!take_ack(c))
                raw_failed("the chain of %u servers does not come up", g->n);
        c->acked = 0;
}

static void send_data(struct client *c, const struct raw_grant *g, const struct piece *p, uint32_t writeid,
                      uint32_t crc, uint64_t chunk)
{
        uint8_t head[WIRE_HEADER_SIZE + WIRE_WRITE_DATA_HEADER];
        struct wire_data d = { chunk ? chunk : g->chunk, writeid, p->block, p->offset, p->size, crc };

        wire_write_data_build(head, &d);
        raw_send(&c->cs, head, sizeof head);
        raw_send(&c->cs, c->data + p->at, p->size);
}

/* One packet, spoiled when it is its turn. */
static void send_piece(struct client *c, const struct raw_grant *g, size_t i)
{
        struct piece p = c->piece[i];
        bool strike = i == c->strike;
        uint32_t writeid = ++c->writeid, crc;
        uint64_t chunk = 0;

        if (strike && c->bug == CROSS_BLOCK) {
                p.offset = (uint16_t)(1 + rnd(c, BLOCK - 1));
                p.size = BLOCK;
        } else if (strike && c->bug == TOO_LONG) {
                p.offset = 0;
                p.size = BLOCK + 1 + (uint32_t)rnd(c, 1000);
        } else if (c->bug == PAD && i + 1 == c->pieces) {
                p.size = BLOCK - p.offset;
        }
        crc = ri_crc32(0, c->data + p.at, p.size);
        if (strike && c->bug == CRC_RANGE)
                crc = ri_crc32(0, c->data + p.at, BLOCK);
        else if (strike && c->bug == WRITEID_ZERO)
                writeid = 0;
        else if (strike && c->bug == WRONG_ID)
                chunk = g->chunk + 1 + rnd(c, 1000);
        if (strike && (c->bug == CROSS_BLOCK || c->bug == TOO_LONG || c->bug == CRC_RANGE ||
                       c->bug == WRITEID_ZERO || c->bug == WRONG_ID || c->bug == BLOCK_FROM_START))
                struck(c, bugs[c->bug].name);
        send_data(c, g, &p, writeid, crc, chunk);
}

/* Until all that was sent has arrived, so that only what this client should wait for is still open. Without sleep: the
 * statuses are on their way. */
static void drain(struct client *c)
{
        int left = 1;

        for (int i = 0; i < 1000000 && left > 0; i++)
                if (ioctl(c->cs.fd, TIOCOUTQ, &left) < 0)
                        return;
}

/* By RST, which leaves nothing of what was sent in the air. */
static void hang_up(struct client *c)
{
        const struct linger now = { 1, 0 };

        setsockopt(c->cs.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        raw_close(&c->cs);
        c->closed = true;
}

/* Some bugs are races that can be lost: then nothing was wrong this time, and the exit code says so. */
static void check_struck(struct client *c)
{
        uint32_t open = c->writeid - c->acked + (c->bug == STATUS_OFF);
        int unread = 0;

        if (ioctl(c->cs.fd, FIONREAD, &unread) < 0 || (uint32_t)unread / (WIRE_HEADER_SIZE + 13) < open)
                return;
        printf("not struck: the statuses were quicker\n");
        c->missed = true;
}

/* 125 s of silence, but for what keeps the connections. */
static void oversleep(struct client *c)
{
        struct timespec second = { 1, 0 };

        for (int i = 0; i < 125; i++) {
                raw_packet(&c->cs, WIRE_ANTOAN_NOP, "", 0);
                raw_packet(&c->ma, WIRE_ANTOAN_NOP, "\0\0\0", 4);
                nanosleep(&second, NULL);
        }
}

/* ---- one chunk --------------------------------------------------------------------------------------------- */

/* What happens in front of packet i. */
static void on_the_way(struct client *c, struct raw_grant *g, size_t i)
{
        bool strike = i == c->strike;

        if (strike && c->bug == RESEND_LATER) {
                struck(c, "loses what is not answered");
                await(c, c->writeid); /* little is under way, so that nothing is left in the air */
                send_piece(c, g, i);
                drain(c);
                check_struck(c);
                hang_up(c);
                grant(c, g->index, WIRE_CHUNKOP_CONTINUEOP, g);
                start(c, g);
        } else if (strike && c->bug == AFTER_END) {
                struck(c, "END, then this and more");
                await(c, c->writeid);
                end(c, g, c->piece[i].at > g->length ? c->piece[i].at : g->length);
        } else if (strike && c->bug == LOCK_TIME) {
                struck(c, "sleeps 125 s before");
                await(c, c->writeid);
                oversleep(c);
        }
}

/* From packet `first` on, as long as they belong to the same chunk. Returns the first of the next one. */
static size_t send_chunk(struct client *c, struct raw_grant *g, size_t first)
{
        uint32_t window = c->bug == STATUS_OFF ? 0 : c->bug == GIVE_UP ? 1 : WINDOW;
        size_t i;

        for (i = first; i < c->pieces && c->piece[i].index == c->piece[first].index; i++) {
                on_the_way(c, g, i);
                if (c->bug == RESEND_LATER && i == c->strike)
                        continue;
                send_piece(c, g, i);
                while (!c->closed && c->bug != FINISH_EARLY && c->writeid - c->acked > window)
                        (void)take_ack(c);
        }
        if (c->bug == GIVE_UP) {
                drain(c);
                check_struck(c);
                printf("struck: gives up chunk index %u after %u of %u statuses\n", g->index, c->acked,
                       c->writeid);
                hang_up(c);
        }
        return i;
}

/* END while the last packet has no answer. */
static void end_early(struct client *c, const struct raw_grant *g)
{
        printf("struck: END of chunk index %u after %u of %u statuses\n", g->index, c->acked, c->writeid);
        drain(c);
        check_struck(c);
        end(c, g, end_length(c, g, g->index));
        await(c, c->writeid);
}

static void finish(struct client *c, const struct raw_grant *g)
{
        if (c->bug == FINISH_EARLY)
                printf("struck: FINISH of chunk index %u after %u of %u statuses\n", g->index, c->acked,
                       c->writeid);
        else if (c->bug == END_EARLY)
                await(c, c->writeid - 1);
        else
                await(c, c->writeid); /* with STATUS_OFF one less */
        if (c->bug == END_EARLY)
                end_early(c, g);
        if (!c->closed)
                raw_cs_finish(&c->cs, g);
        if (c->bug == STATUS_OFF)
                check_struck(c);
        if (c->bug == FINISH_EARLY)
                drain(c);
        if (c->cs.fd >= 0)
                raw_close(&c->cs);
}

static size_t write_chunk(struct client *c, size_t first)
{
        uint32_t index = c->piece[first].index;
        struct raw_grant g, other;
        struct client holder = { .bug = NONE };

        if (c->bug == CONTINUE) {
                raw_connect(&holder.ma, c->ip, c->port);
                raw_register(&holder.ma, WIRE_VER(4, 59, 2));
                holder.inode = c->inode;
                grant(&holder, index, 0, &other);
                printf("struck: CONTINUEOP for chunk index %u, which another session holds\n", index);
        }
        grant(c, c->bug == INDEX_ZERO ? 0 : index, c->bug == CONTINUE ? WIRE_CHUNKOP_CONTINUEOP : 0, &g);
        start(c, &g);
        first = send_chunk(c, &g, first);
        finish(c, &g);
        if (c->bug == NO_END)
                printf("struck: no END of chunk index %u\n", index);
        else if (c->bug != END_EARLY)
                end(c, &g, end_length(c, &g, index));
        if (c->bug == CONTINUE)
                raw_close(&holder.ma);
        return first;
}

static void write_file(struct client *c)
{
        size_t i = 0;

        while (i < c->pieces) {
                raw_packet(&c->ma, WIRE_ANTOAN_NOP, "\0\0\0", 4);
                i = write_chunk(c, i);
        }
}

/* ---- files that were there before --------------------------------------------------------------------------- */

/* A longer file, stored as it should be; the local one is written over it. */
static void longer_before(struct client *c)
{
        struct client old = *c;

        old.bug = NONE;
        old.size = c->size + 1 + rnd(c, c->size < BLOCK ? c->size : 4 * BLOCK);
        old.want = old.data = malloc(old.size);
        old.piece = NULL;
        old.pieces = 0;
        if (!old.data)
                raw_failed("no memory");
        memset(old.data, 0x5A, old.size);
        plan(&old);
        write_file(&old);
        c->ma = old.ma;
        printf("struck: the file had %" PRIu64 " bytes, is written again and not truncated\n", old.size);
        free(old.piece);
        free(old.data);
        open_again(c);
}

/* One block once more, by what is known of the chunk from the first time. */
static void write_stale(struct client *c)
{
        struct raw_grant g;

        grant(c, c->piece[c->strike].index, 0, &g);
        end(c, &g, 0);
        start(c, &g);
        c->bug = STALE_GRANT;
        struck(c, "written again without WRITE_CHUNK");
        send_piece(c, &g, c->strike);
        finish(c, &g);
}

/* ---- bugs that touch no byte of the file -------------------------------------------------------------------- */

static void read_twice(struct client *c)
{
        struct raw_grant g;
        struct wire_msg m;

        grant(c, 0, 0, &g);
        end(c, &g, 0);
        raw_connect(&c->cs, g.ip[0], g.port[0]);
        raw_init(&c->cs, &m, WIRE_CLTOCS_READ);
        wire_set_u(&m, WF_PROTO, 1);
        wire_set_u(&m, WF_CHUNKID, g.chunk);
        wire_set_u(&m, WF_CHUNKVER, g.version);
        wire_set_u(&m, WF_OFFSET, 0);
        wire_set_u(&m, WF_SIZE, 4096);
        printf("struck: two READs of chunk index 0\n");
        /* In one segment: a server that is quick must not have answered the first before it sees the second. */
        setsockopt(c->cs.fd, IPPROTO_TCP, TCP_CORK, &(int){ 1 }, sizeof(int));
        raw_msg(&c->cs, &m);
        raw_msg(&c->cs, &m);
        setsockopt(c->cs.fd, IPPROTO_TCP, TCP_CORK, &(int){ 0 }, sizeof(int));
        while (raw_next(&c->cs, 3000) == 1)
                ;
        raw_close(&c->cs);
}

/* GETATTR with msgid 0, or of a length that no version has. */
static void ask_wrongly(struct client *c, bool cut)
{
        uint8_t payload[17] = { 0 };

        wire_put32(payload, cut ? 1000 : 0);
        wire_put32(payload + 4, c->inode);
        printf("struck: GETATTR %s\n", cut ? "of 11 bytes" : "with msgid 0");
        raw_packet(&c->ma, WIRE_CLTOMA_FUSE_GETATTR, payload, cut ? 11 : sizeof payload);
        while (raw_next(&c->ma, cut ? 5000 : 1000) == 1 && cut)
                ;
}

static void run(struct client *c)
{
        plan(c);
        aim(c);
        spoil(c);
        if (c->bug == NO_TRUNCATE)
                longer_before(c);
        if (c->bug == STALE_GRANT) {
                c->bug = NONE;
                write_file(c);
                write_stale(c);
        } else {
                write_file(c);
        }
        if (c->bug == PIPELINE)
                read_twice(c);
        else if (c->bug == MSGID_ZERO || c->bug == BAD_PACKET)
                ask_wrongly(c, c->bug == BAD_PACKET);
        close_session(c);
}

/* ---- the command line -------------------------------------------------------------------------------------- */

static int list(void)
{
        for (int i = 0; i < BUGS; i++)
                printf("%s\t%s\t%s%s\n", bugs[i].name, bugs[i].rules, bugs[i].what,
                       bugs[i].flags & LARGE ? " (a file of more than 64 MiB)" : "");
        return 0;
}

static int find_bug(const char *name)
{
        for (int i = 0; i < BUGS; i++)
                if (!strcmp(bugs[i].name, name))
                        return i;
        raw_failed("there is no bug %s; see --list", name);
}

static void find_master(struct client *c, char *text)
{
        char *colon = strchr(text, ':');
        struct in_addr a;

        c->port = 9421;
        if (colon) {
                c->port = (uint16_t)strtoul(colon + 1, NULL, 10);
                *colon = 0;
        }
        if (inet_pton(AF_INET, text, &a) != 1)
                raw_failed("%s is no address", text);
        c->ip = ntohl(a.s_addr);
}

int main(int argc, char **argv)
{
        static struct client c;

        setvbuf(stdout, NULL, _IOLBF, 0);
        if (argc == 2 && !strcmp(argv[1], "--list"))
                return list();
        if (argc < 5)
                raw_failed("BUG MASTER[:PORT] FOLDER/NAME LOCAL [SEED [SIZE]], or --list");
        c.bug = find_bug(argv[1]);
        c.seed = argc > 5 ? strtoull(argv[5], NULL, 0) : (uint64_t)time(NULL) * 1000 + (uint64_t)getpid();
        printf("bug %s\nseed %" PRIu64 "\n", bugs[c.bug].name, c.seed);
        find_master(&c, argv[2]);
        load(&c, argv[4], argc > 6 ? argv[6] : NULL);
        printf("size %" PRIu64 "\n", c.size);
        raw_connect(&c.ma, c.ip, c.port);
        raw_register(&c.ma, WIRE_VER(4, 59, 2));
        create(&c, argv[3]);
        run(&c);
        free(c.piece);
        free(c.want);
        free(c.data);
        return c.missed ? 4 : 0;
}
