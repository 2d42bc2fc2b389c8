/* SPDX-License-Identifier: MIT */
/* From bytes and holes to packets. A hole inside of a packet costs that packet's bytes only; after one that swallows a
 * header the next packet is looked for. Ports say nothing here: the first packets tell who is master or chunkserver. */
#include "mfsproto/audit/inner.h"

#include "core/crc.h"

enum {
        SCAN_MAX = 1 << 20, /* a stream without a packet in so many bytes is something else */
        TYPE_MAX = 2000,    /* numbers beyond are no packets of any version */
        FIND_MAX = 1 << 20, /* payload of a packet that is found in the middle of a stream */
};

static uint8_t dir_bits(enum au_role role, bool to_server)
{
        if (role == AU_MASTER)
                return to_server ? WIRE_TO_MASTER : WIRE_FROM_MASTER;
        return to_server ? WIRE_TO_CS : WIRE_FROM_CS;
}

/* ---- who is the server ------------------------------------------------------------------------------------- */

static struct au_known *named(roma_wire *w, const struct au_addr *a)
{
        struct ri_map_node *n = ri_map_find(&w->servers, a, sizeof(*a));

        return n ? ri_container_of(n, struct au_known, by_addr) : NULL;
}

/* One that has shown itself. */
static struct au_known *known(roma_wire *w, const struct au_addr *a)
{
        struct au_known *k = named(w, a);

        return k && k->role != AU_UNKNOWN ? k : NULL;
}

static struct au_known *name(roma_wire *w, const struct au_addr *a)
{
        struct au_known *k = named(w, a);

        if (k || w->servers.count >= AU_SERVERS_KNOWN)
                return k;
        k = au_mem_new(w, sizeof(*k));
        if (!k)
                return NULL;
        k->addr = *a;
        k->role = AU_UNKNOWN;
        if (ri_map_insert(&w->servers, &k->by_addr, &k->addr, sizeof(k->addr)))
                return k;
        au_mem_free(w, k, sizeof(*k));
        return NULL;
}

static void learn(roma_wire *w, const struct au_addr *a, enum au_role role)
{
        struct au_known *k = name(w, a);

        if (!k || k->role != AU_UNKNOWN)
                return;
        k->role = role;
        k->number = role == AU_MASTER ? ++w->masters : 0;
}

static void be(roma_wire *w, struct au_conn *c, enum au_role role, bool swapped)
{
        c->role = role;
        c->swapped = swapped;
        learn(w, au_server(c), role);
        w->report.moosefs++;
        au_tcp_watch(w, c);
        if (!c->syn)
                w->report.joined++;
}

void au_stream_learn(roma_wire *w, uint32_t ip, uint16_t port)
{
        struct au_addr a = { .port = port, .v = 4 };

        wire_put32(a.ip, ip);
        name(w, &a);
}

bool au_stream_server(roma_wire *w, const struct au_addr *a)
{
        return named(w, a) != NULL;
}

bool au_stream_master(roma_wire *w, const struct au_addr *a)
{
        const struct au_known *k = known(w, a);

        return k && k->role == AU_MASTER;
}

/* A server that is known from other connections. */
static void recognise(roma_wire *w, struct au_conn *c)
{
        struct au_known *a = known(w, &c->ends.a), *b = known(w, &c->ends.b);

        if (b && (!a || (c->syn && !c->swapped)))
                be(w, c, b->role, false);
        else if (a && (!b || (c->syn && c->swapped)))
                be(w, c, a->role, true);
}

static bool registers(const uint8_t *p, size_t n)
{
        size_t blob = sizeof(WIRE_REGISTER_BLOB) - 1;

        return n < WIRE_HEADER_SIZE + blob || !memcmp(p + WIRE_HEADER_SIZE, WIRE_REGISTER_BLOB, blob);
}

/* What this packet says about the two ends. */
static void deduce(roma_wire *w, struct au_conn *c, unsigned dir, const struct wire_packet *p)
{
        bool from_a = dir == 0, may_client, may_server;
        uint8_t dirs = p->dirs;
        bool master = dirs & (WIRE_TO_MASTER | WIRE_FROM_MASTER), cs = dirs & (WIRE_TO_CS | WIRE_FROM_CS);

        if (master == cs)
                return;
        may_client = dirs & (WIRE_TO_MASTER | WIRE_TO_CS);
        may_server = dirs & (WIRE_FROM_MASTER | WIRE_FROM_CS);
        if (may_client == may_server)
                return;
        /* the client is a: the server is b, not swapped */
        if (c->syn && c->swapped != (may_client ? !from_a : from_a))
                return;
        be(w, c, master ? AU_MASTER : AU_CS, may_client ? !from_a : from_a);
}

/* ---- looking for a packet ---------------------------------------------------------------------------------- */

static bool plausible(const struct au_conn *c, unsigned dir, const uint8_t *p, size_t n)
{
        uint32_t type = wire_be32(p), length = wire_be32(p + 4);
        const struct wire_packet *packet;
        uint8_t dirs;

        if (type > TYPE_MAX || length > FIND_MAX)
                return false;
        packet = wire_packet_find(type);
        if (!packet)
                return false;
        dirs = packet->dirs;
        if (c->role == AU_MASTER || c->role == AU_CS)
                dirs &= dir_bits(c->role, c->swapped == (dir == 1));
        if (!dirs || (!(dirs & (WIRE_TO_MASTER | WIRE_FROM_MASTER)) && length > WIRE_MAX_CHUNKSERVER))
                return false;
        if (type == WIRE_ANTOAN_NOP)
                return (length == 0 || length == 4) && n >= WIRE_HEADER_SIZE + length;
        if (type == WIRE_CLTOMA_FUSE_REGISTER && !registers(p, n))
                return false;
        for (unsigned i = 0; i < packet->nlayouts; i++)
                if (length >= wire_layout_min(&packet->layouts[i]))
                        return true;
        return false;
}

/* A packet that could start here, and one more behind it, or the end of what has come. */
static bool starts(const struct au_conn *c, unsigned dir, const uint8_t *p, size_t n, bool first)
{
        uint32_t length;

        if (n < WIRE_HEADER_SIZE || !plausible(c, dir, p, n))
                return false;
        length = wire_be32(p + 4);
        if (wire_be32(p) == WIRE_ANTOAN_NOP)
                return first && n == WIRE_HEADER_SIZE + length; /* zeros look like that */
        if (n < 2 * WIRE_HEADER_SIZE + (size_t)length)
                return true;
        return plausible(c, dir, p + WIRE_HEADER_SIZE + length, n - WIRE_HEADER_SIZE - length);
}

/* How many bytes to skip; n when there is none. */
static size_t search(const struct au_conn *c, unsigned dir, const uint8_t *p, size_t n)
{
        for (size_t i = 0; i + WIRE_HEADER_SIZE <= n; i++)
                if (p[i] == 0 && p[i + 1] == 0 && p[i + 4] == 0 && starts(c, dir, p + i, n - i, i == 0))
                        return i;
        return n;
}

static void give_up(roma_wire *w, struct au_conn *c, struct au_stream *s, size_t n)
{
        s->scanned += (uint32_t)n;
        if (s->scanned > SCAN_MAX && c->role == AU_UNKNOWN && !w->nports)
                c->role = AU_FOREIGN;
}

/* ---- packets ----------------------------------------------------------------------------------------------- */

/* How many bytes of a packet of data are looked at one by one; 0: it is no data. */
static uint32_t data_head(uint32_t type)
{
        if (type == WIRE_CLTOCS_WRITE_DATA)
                return WIRE_WRITE_DATA_HEADER;
        return type == WIRE_CSTOCL_READ_DATA ? WIRE_READ_DATA_HEADER : 0;
}

static void keep(roma_wire *w, struct au_stream *s, const uint8_t *p, uint32_t n)
{
        uint32_t want = s->kept + n, cap = s->cap ? s->cap : 256;
        uint8_t *buf;

        while (cap < want)
                cap *= 2;
        if (cap != s->cap) {
                buf = au_mem_grow(w, s->buf, s->cap, cap);
                if (!buf) {
                        s->holed = true;
                        w->report.forgotten++;
                        return;
                }
                s->buf = buf;
                s->cap = cap;
        }
        memcpy(s->buf + s->kept, p, n);
        s->kept = want;
}

static void look_at_data(struct au_stream *s, uint32_t head, const uint8_t *p, uint32_t n)
{
        uint32_t last = n;

        if (s->type == WIRE_CLTOCS_WRITE_DATA && !s->holed)
                s->crc = ri_crc32(s->crc, p, n);
        while (last && !p[last - 1])
                last--;
        if (last)
                s->nonzero = s->got - head + last;
}

/* n bytes of the body, n <= what is missing of it. */
static void body_bytes(roma_wire *w, struct au_stream *s, const uint8_t *p, uint32_t n)
{
        uint32_t head = data_head(s->type), limit = head ? head : AU_KEEP, take = 0;

        if (!s->holed && s->kept < limit && s->kept == s->got) {
                take = limit - s->kept < n ? limit - s->kept : n;
                keep(w, s, p, take);
                s->got += take;
        }
        if (head && s->got >= head && n > take)
                look_at_data(s, head, p + take, n - take);
        s->got += n - take;
}

static void packet_done(roma_wire *w, struct au_conn *c, unsigned dir)
{
        struct au_stream *s = &c->dir[dir].s;
        struct au_packet p = { .c = c,
                               .to_server = c->swapped == (dir == 1),
                               .type = s->type,
                               .length = s->length,
                               .body = s->buf,
                               .kept = s->kept,
                               .whole = s->kept == s->length && !s->holed,
                               .holed = s->holed,
                               .crc = s->crc,
                               .nonzero = s->nonzero };

        s->body = false;
        s->got = 0;
        if (p.holed && !data_head(p.type)) {
                s->holes++;
                w->blind++;
        }
        if (c->role == AU_MASTER || c->role == AU_CS)
                au_talk_packet(w, &p);
        if (s->cap > 4096) {
                au_mem_free(w, s->buf, s->cap);
                s->buf = NULL;
                s->cap = 0;
        }
        s->kept = 0;
}

/* The header is whole. False: this is no packet. */
static bool head_done(roma_wire *w, struct au_conn *c, unsigned dir)
{
        struct au_stream *s = &c->dir[dir].s;
        const struct wire_packet *p = wire_packet_find(wire_be32(s->head));
        uint32_t max;

        s->type = wire_be32(s->head);
        s->length = wire_be32(s->head + 4);
        if (c->role == AU_UNKNOWN) {
                if (!p || !plausible(c, dir, s->head,
                                     s->type == WIRE_ANTOAN_NOP ? WIRE_HEADER_SIZE + 4 : WIRE_HEADER_SIZE))
                        return false;
                deduce(w, c, dir, p);
        }
        max = c->role == AU_MASTER || c->role == AU_UNKNOWN
                      ? (c->swapped == (dir == 1) ? WIRE_MAX_TO_MASTER : WIRE_MAX_FROM_MASTER)
                      : 4 * WIRE_MAX_CHUNKSERVER;
        if (s->type > TYPE_MAX || s->length > max)
                return false;
        s->body = true;
        s->holed = false;
        s->got = s->kept = s->crc = s->nonzero = 0;
        return true;
}

static void lose(roma_wire *w, struct au_conn *c, unsigned dir)
{
        struct au_stream *s = &c->dir[dir].s;

        if (c->role == AU_UNKNOWN && c->syn && !w->nports) {
                c->role = AU_FOREIGN; /* it begins with something else */
                return;
        }
        if (c->role == AU_MASTER || c->role == AU_CS) { /* as if what comes were not there */
                w->report.gaps++;
                w->blind++;
        }
        s->lost = true;
        s->skipped = false;
        s->body = false;
        s->got = s->kept = 0;
        s->scanned = 0;
        s->holes++;
}

/* Returns how many bytes were used. */
static size_t some_bytes(roma_wire *w, struct au_conn *c, unsigned dir, const uint8_t *p, size_t n)
{
        struct au_stream *s = &c->dir[dir].s;
        size_t take;

        if (s->lost) {
                take = search(c, dir, p, n);
                s->skipped |= take > 0 && s->holes; /* else it had begun before the capture */
                if (take < n) {
                        s->lost = false;
                        /* packets may have been passed over */
                        w->blind += s->skipped && (c->role == AU_MASTER || c->role == AU_CS);
                } else {
                        give_up(w, c, s, n);
                }
                return take;
        }
        if (!s->body) {
                take = WIRE_HEADER_SIZE - s->got < n ? WIRE_HEADER_SIZE - s->got : n;
                memcpy(s->head + s->got, p, take);
                s->got += (uint32_t)take;
                if (s->got == WIRE_HEADER_SIZE) {
                        if (!head_done(w, c, dir))
                                lose(w, c, dir);
                        else if (!s->length)
                                packet_done(w, c, dir);
                }
                return take;
        }
        take = s->length - s->got < n ? s->length - s->got : n;
        body_bytes(w, s, p, (uint32_t)take);
        if (s->got == s->length)
                packet_done(w, c, dir);
        return take;
}

void au_stream_bytes(roma_wire *w, struct au_conn *c, unsigned dir, const uint8_t *p, size_t n)
{
        if (c->role == AU_UNKNOWN)
                recognise(w, c);
        if (!c->begun) {
                c->begun = true;
                for (unsigned i = 0; i < 2 && !c->syn; i++)
                        c->dir[i].s.lost = true; /* joined in the middle of anything */
        }
        while (n && c->role != AU_FOREIGN) {
                size_t used = some_bytes(w, c, dir, p, n);

                p += used;
                n -= used;
        }
}

void au_stream_hole(roma_wire *w, struct au_conn *c, unsigned dir, uint32_t n)
{
        struct au_stream *s = &c->dir[dir].s;

        if (c->role == AU_MASTER || c->role == AU_CS) {
                w->report.gaps++;
                w->report.lost += n;
        }
        if (s->lost) {
                s->skipped = s->holes > 0;
                return;
        }
        if (s->body && n <= s->length - s->got) {
                s->holed = true;
                s->got += n;
                if (s->got == s->length)
                        packet_done(w, c, dir);
                return;
        }
        if (s->body) {
                s->holed = true;
                s->got = s->length;
                packet_done(w, c, dir);
        }
        s->lost = true;
        s->skipped = false;
        s->body = false;
        s->got = s->kept = 0;
        s->scanned = 0;
        s->holes++;
        w->blind++;
}

void au_stream_free(roma_wire *w, struct au_stream *s)
{
        au_mem_free(w, s->buf, s->cap);
        s->buf = NULL;
        s->cap = 0;
}
