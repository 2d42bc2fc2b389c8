/* SPDX-License-Identifier: MIT */
/* Ethernet (with VLAN tags), Linux cooked (both), loopback, PPP-less raw IP; IPv4 and IPv6; TCP. */
#include "mfsproto/audit/inner.h"

/* LINKTYPE_* of pcap; the numbers of raw IP that systems use inside (12, 14) are there for those who pass them on. */
enum {
        LT_NULL = 0,
        LT_ETHERNET = 1,
        LT_DLT_RAW_A = 12,
        LT_DLT_RAW_B = 14,
        LT_RAW = 101,
        LT_LOOP = 108,
        LT_SLL = 113,
        LT_IPV4 = 228,
        LT_IPV6 = 229,
        LT_SLL2 = 276,
};

enum { ET_IPV4 = 0x0800, ET_IPV6 = 0x86DD, ET_VLAN = 0x8100, ET_QINQ = 0x88A8, ET_QINQ_OLD = 0x9100 };
enum { PROTO_TCP = 6 };

bool au_link_known(int linktype)
{
        switch (linktype) {
        case LT_NULL:
        case LT_ETHERNET:
        case LT_DLT_RAW_A:
        case LT_DLT_RAW_B:
        case LT_RAW:
        case LT_LOOP:
        case LT_SLL:
        case LT_IPV4:
        case LT_IPV6:
        case LT_SLL2: return true;
        default: return false;
        }
}

static void parse_stamp(const uint8_t *p, size_t len, struct au_segment *s)
{
        enum { END = 0, NOP = 1, STAMP = 8, STAMP_SIZE = 10 };
        size_t at = 20;

        while (at < len && p[at] != END) {
                size_t size = p[at] == NOP ? 1 : at + 1 < len ? p[at + 1] : 0;

                if (!size || size > len - at || (p[at] != NOP && size < 2))
                        return;
                if (p[at] == STAMP && size == STAMP_SIZE) {
                        s->stamped = true;
                        s->ts = wire_be32(p + at + 2);
                        s->ecr = wire_be32(p + at + 6);
                        return;
                }
                at += size;
        }
}

static enum au_link parse_tcp(const uint8_t *p, size_t len, size_t full, struct au_segment *s)
{
        size_t head;

        if (full < 20 || len < 20)
                return AU_LINK_DAMAGED;
        s->from.port = wire_be16(p);
        s->to.port = wire_be16(p + 2);
        s->seq = wire_be32(p + 4);
        s->ack = wire_be32(p + 8);
        head = (size_t)(p[12] >> 4) * 4;
        s->flags = p[13];
        if (head < 20 || head > full)
                return AU_LINK_DAMAGED;
        s->full = full - head;
        s->len = len > head ? len - head : 0;
        s->data = s->len ? p + head : NULL;
        if (head > 20)
                parse_stamp(p, head < len ? head : len, s);
        return AU_LINK_TCP;
}

static enum au_link parse_ipv4(const uint8_t *p, size_t len, size_t wire, struct au_segment *s)
{
        size_t head, total;

        if (len < 20 || p[0] >> 4 != 4)
                return AU_LINK_DAMAGED;
        head = (size_t)(p[0] & 15) * 4;
        total = wire_be16(p + 2);
        if (!total) /* too long for the field, or filled in by the network card */
                total = wire;
        if (head < 20 || head > total)
                return AU_LINK_DAMAGED;
        if (p[9] != PROTO_TCP)
                return AU_LINK_OTHER;
        if (wire_be16(p + 6) & 0x3FFF) /* a fragment */
                return AU_LINK_DAMAGED;
        s->from.v = s->to.v = 4;
        memcpy(s->from.ip, p + 12, 4);
        memcpy(s->to.ip, p + 16, 4);
        if (len > total)
                len = total; /* padding of short Ethernet frames */
        if (len < head)
                return AU_LINK_DAMAGED;
        return parse_tcp(p + head, len - head, total - head, s);
}

/* Steps over extension headers. */
static enum au_link parse_ipv6(const uint8_t *p, size_t len, size_t wire, struct au_segment *s)
{
        size_t at = 40, total;
        uint8_t next;

        if (len < 40 || p[0] >> 4 != 6)
                return AU_LINK_DAMAGED;
        total = wire_be16(p + 4) ? 40 + (size_t)wire_be16(p + 4) : wire;
        next = p[6];
        if (len > total)
                len = total;
        while (next == 0 || next == 43 || next == 60) {
                if (len < at + 8)
                        return AU_LINK_DAMAGED;
                next = p[at];
                at += 8 + (size_t)p[at + 1] * 8;
        }
        if (next == 44)
                return AU_LINK_DAMAGED;
        if (next != PROTO_TCP)
                return AU_LINK_OTHER;
        if (at > len || at > total)
                return AU_LINK_DAMAGED;
        s->from.v = s->to.v = 6;
        memcpy(s->from.ip, p + 8, 16);
        memcpy(s->to.ip, p + 24, 16);
        return parse_tcp(p + at, len - at, total - at, s);
}

static enum au_link parse_ip(const uint8_t *p, size_t len, size_t wire, struct au_segment *s)
{
        if (!len)
                return AU_LINK_DAMAGED;
        return p[0] >> 4 == 6 ? parse_ipv6(p, len, wire, s) : parse_ipv4(p, len, wire, s);
}

/* By the type of Ethernet, whose 2 bytes stand at `at`; VLAN tags may come first. */
static enum au_link parse_ether(const uint8_t *p, size_t len, size_t wire, size_t at, size_t head,
                                struct au_segment *s)
{
        uint16_t type;

        if (len < head)
                return AU_LINK_DAMAGED;
        type = wire_be16(p + at);
        while (type == ET_VLAN || type == ET_QINQ || type == ET_QINQ_OLD) {
                if (len < head + 4)
                        return AU_LINK_DAMAGED;
                type = wire_be16(p + head + 2);
                head += 4;
        }
        if (type != ET_IPV4 && type != ET_IPV6)
                return AU_LINK_OTHER;
        return parse_ip(p + head, len - head, wire > head ? wire - head : 0, s);
}

/* roma_wire_frame() puts the length on the wire into s->full. */
enum au_link au_link_parse(int linktype, const uint8_t *frame, size_t len, struct au_segment *s)
{
        size_t wire = s->full;

        switch (linktype) {
        case LT_ETHERNET: return parse_ether(frame, len, wire, 12, 14, s);
        case LT_SLL: return parse_ether(frame, len, wire, 14, 16, s);
        case LT_SLL2: return parse_ether(frame, len, wire, 0, 20, s);
        case LT_NULL:
        case LT_LOOP:
                /* a family whose number and byte order differ from system to system: the version tells */
                return len < 4 ? AU_LINK_DAMAGED : parse_ip(frame + 4, len - 4, wire > 4 ? wire - 4 : 0, s);
        default: return parse_ip(frame, len, wire, s);
        }
}
