/* SPDX-License-Identifier: MIT */
/* The table of faults: which packet of which server, and what happens to it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mfsproto/peer/call.h"
#include "mfsproto/peer/inner.h"

#define TO_SERVER   (WIRE_TO_MASTER | WIRE_TO_CS)
#define FROM_SERVER (WIRE_FROM_MASTER | WIRE_FROM_CS)

struct line {
        struct ri_list link;
        struct mfs_peer_fault f;
        uint32_t passed; /* packets that it was about, since it was given */
};

struct seen {
        struct ri_map_node by_key;
        struct mfs_peer_seen s;
};

static const char *const names[MFS_PEER_ACTIONS] = {
        [MFS_PEER_DELAY] = "delay",     [MFS_PEER_STATUS] = "status",   [MFS_PEER_CLOSE] = "close",
        [MFS_PEER_RESET] = "reset",     [MFS_PEER_DROP] = "drop",       [MFS_PEER_HANG] = "hang",
        [MFS_PEER_DIE] = "die",         [MFS_PEER_GARBAGE] = "garbage", [MFS_PEER_TRUNCATE] = "truncate",
        [MFS_PEER_CUT] = "cut",         [MFS_PEER_CRC] = "crc",         [MFS_PEER_SHORT] = "short",
        [MFS_PEER_WRONGID] = "wrongid", [MFS_PEER_DUP] = "dup",         [MFS_PEER_MSGID] = "msgid",
        [MFS_PEER_NOPS] = "nops",
};

const char *mfs_peer_action_name(enum mfs_peer_action a)
{
        return (unsigned)a < MFS_PEER_ACTIONS ? names[a] : "?";
}

bool mfs_peer_action_fits(enum mfs_peer_action a, uint32_t type)
{
        const struct wire_packet *p = wire_packet_find(type);
        bool reply = p && (p->dirs & FROM_SERVER) && !(p->dirs & TO_SERVER);

        if (type == MFS_PEER_ANY)
                return true;
        if (!p)
                return false;
        switch (a) {
        case MFS_PEER_DELAY:
        case MFS_PEER_CLOSE:
        case MFS_PEER_RESET:
        case MFS_PEER_DROP:
        case MFS_PEER_HANG:
        case MFS_PEER_DIE: return true;
        case MFS_PEER_STATUS: return !(p->flags & (WP_NOREPLY | WP_UNSOLICITED));
        case MFS_PEER_SHORT: return type == WIRE_CSTOCL_READ_DATA;
        case MFS_PEER_WRONGID: return reply && (p->dirs & WIRE_FROM_CS);
        case MFS_PEER_MSGID:
                return type == WIRE_CSTOCL_WRITE_STATUS ||
                       (reply && (p->dirs & WIRE_FROM_MASTER) && type != WIRE_MATOCL_FUSE_REGISTER);
        default: return reply;
        }
}

/* ---- adding ------------------------------------------------------------------------------------------------ */

struct add_call {
        struct line *line;
};

static void add_run(struct mfs_peer *p, void *arg)
{
        struct add_call *call = arg;

        ri_list_add_tail(&p->faults, &call->line->link);
}

bool mfs_peer_fault(struct mfs_peer *p, const struct mfs_peer_fault *f, char *why, size_t size)
{
        struct add_call call;

        if ((unsigned)f->action >= MFS_PEER_ACTIONS || !mfs_peer_action_fits(f->action, f->type)) {
                snprintf(why, size, "%s does not fit packet %u (%s)", mfs_peer_action_name(f->action),
                         f->type, wire_packet_name(f->type));
                return false;
        }
        if (f->server != MFS_PEER_ANY && f->server > p->cfg.servers) {
                snprintf(why, size, "there is no server %u", f->server);
                return false;
        }
        if (!f->nth) {
                snprintf(why, size, "packets are counted from 1");
                return false;
        }
        call.line = calloc(1, sizeof *call.line);
        if (!call.line) {
                snprintf(why, size, "no memory");
                return false;
        }
        call.line->f = *f;
        peer_call(p, add_run, &call);
        return true;
}

static bool number(const char *text, uint32_t *n)
{
        char *end;
        unsigned long v = strtoul(text, &end, 10);

        *n = (uint32_t)v;
        return *text >= '0' && *text <= '9' && !*end && v < MFS_PEER_ANY;
}

static bool word_server(const char *text, uint32_t *server)
{
        if (!strcmp(text, "master"))
                *server = 0;
        else if (!strcmp(text, "cs") || !strcmp(text, "any"))
                *server = MFS_PEER_ANY;
        else
                return !strncmp(text, "cs", 2) && number(text + 2, server) && *server;
        return true;
}

static bool word_packet(const char *text, uint32_t *type)
{
        const struct wire_packet *p = wire_packet_by_name(text);

        if (p)
                *type = p->type;
        else if (!strcmp(text, "*"))
                *type = MFS_PEER_ANY;
        return p || *type == MFS_PEER_ANY || number(text, type);
}

static bool word_action(const char *text, enum mfs_peer_action *a)
{
        for (unsigned i = 0; i < MFS_PEER_ACTIONS; i++)
                if (!strcmp(text, names[i])) {
                        *a = (enum mfs_peer_action)i;
                        return true;
                }
        return false;
}

static bool add_line(struct mfs_peer *p, const char *text, char *why, size_t size)
{
        char w[5][64] = { "", "", "", "", "" }, rest[2];
        struct mfs_peer_fault f = { 0 };
        int n = sscanf(text, "%63s %63s %63s %63s %63s %1s", w[0], w[1], w[2], w[3], w[4], rest);

        if (n <= 0 || w[0][0] == '#')
                return true;
        if (n < 4 || n > 5 || !word_server(w[0], &f.server) || !word_packet(w[1], &f.type) ||
            !(!strcmp(w[2], "*") ? (f.nth = MFS_PEER_ANY) != 0 : number(w[2], &f.nth)) ||
            !word_action(w[3], &f.action) || (n == 5 && !number(w[4], &f.value))) {
                snprintf(why, size, "not SERVER PACKET NTH ACTION [VALUE]: %s", text);
                return false;
        }
        return mfs_peer_fault(p, &f, why, size);
}

bool mfs_peer_script(struct mfs_peer *p, const char *text, char *why, size_t size)
{
        while (*text) {
                char one[256];
                size_t n = strcspn(text, "\n");

                if (n >= sizeof one) {
                        snprintf(why, size, "a line of the script is too long");
                        return false;
                }
                memcpy(one, text, n);
                one[n] = 0;
                if (!add_line(p, one, why, size))
                        return false;
                text += n + (text[n] == '\n');
        }
        return true;
}

static void clear_run(struct mfs_peer *p, void *arg)
{
        struct ri_list *l;

        (void)arg;
        while ((l = ri_list_pop(&p->faults)))
                free(ri_container_of(l, struct line, link));
}

void mfs_peer_script_clear(struct mfs_peer *p)
{
        peer_call(p, clear_run, NULL);
}

void peer_script_free(struct mfs_peer *p)
{
        clear_run(p, NULL);
        ri_map_for_each_safe(n, tmp, &p->seen)
        {
                ri_map_remove(&p->seen, n);
                free(ri_container_of(n, struct seen, by_key));
        }
        ri_map_free(&p->seen);
}

/* ---- looking up -------------------------------------------------------------------------------------------- */

static void count(struct peer_server *s, uint32_t type, bool sent)
{
        uint64_t key = (uint64_t)s->index << 33 | (uint64_t)sent << 32 | type;
        struct ri_map_node *n = ri_map_find_u64(&s->peer->seen, key);
        struct seen *e;

        if (!n) {
                e = calloc(1, sizeof *e);
                if (!e)
                        return;
                e->s = (struct mfs_peer_seen){ s->index, type, 0, sent };
                ri_map_insert_u64(&s->peer->seen, &e->by_key, key);
                n = &e->by_key;
        }
        ri_container_of(n, struct seen, by_key)->s.count++;
}

const struct mfs_peer_fault *peer_fault(struct peer_server *s, uint32_t type, bool sent)
{
        const struct mfs_peer_fault *found = NULL;

        count(s, type, sent);
        ri_list_for_each(l, &s->peer->faults)
        {
                struct line *line = ri_container_of(l, struct line, link);
                const struct mfs_peer_fault *f = &line->f;

                if ((f->server != MFS_PEER_ANY && f->server != s->index) ||
                    (f->type != MFS_PEER_ANY && f->type != type) || !mfs_peer_action_fits(f->action, type))
                        continue;
                line->passed++;
                if (!found && (f->nth == MFS_PEER_ANY || f->nth == line->passed))
                        found = f;
        }
        if (found)
                s->peer->fired++;
        return found;
}

/* ---- asked from outside ------------------------------------------------------------------------------------ */

static void fired_run(struct mfs_peer *p, void *arg)
{
        *(unsigned *)arg = p->fired;
}

unsigned mfs_peer_fired(struct mfs_peer *p)
{
        unsigned n = 0;

        peer_call(p, fired_run, &n);
        return n;
}

struct seen_call {
        struct mfs_peer_seen *out;
        size_t cap, n;
};

static void seen_run(struct mfs_peer *p, void *arg)
{
        struct seen_call *call = arg;

        ri_map_for_each(n, &p->seen)
        {
                if (call->n < call->cap)
                        call->out[call->n] = ri_container_of(n, struct seen, by_key)->s;
                call->n++;
        }
}

static int by_number(const void *a, const void *b)
{
        const struct mfs_peer_seen *x = a, *y = b;

        if (x->server != y->server)
                return x->server < y->server ? -1 : 1;
        return x->type < y->type ? -1 : x->type > y->type ? 1 : (int)x->sent - (int)y->sent;
}

size_t mfs_peer_seen(struct mfs_peer *p, struct mfs_peer_seen *out, size_t n)
{
        struct seen_call call = { out, n, 0 };

        peer_call(p, seen_run, &call);
        if (call.n && n)
                qsort(out, call.n < n ? call.n : n, sizeof *out, by_number);
        return call.n;
}

uint64_t mfs_peer_count(struct mfs_peer *p, uint32_t server, uint32_t type)
{
        struct mfs_peer_seen all[512];
        size_t n = mfs_peer_seen(p, all, sizeof all / sizeof all[0]);
        uint64_t sum = 0;

        for (size_t i = 0; i < n && i < sizeof all / sizeof all[0]; i++)
                if (all[i].type == type && (server == MFS_PEER_ANY || all[i].server == server))
                        sum += all[i].count;
        return sum;
}
