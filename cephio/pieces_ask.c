/* SPDX-License-Identifier: MIT */
/* Questions about one object of a pool: to the monitors (where it is), to its OSDs (how long it is, and what it holds), to
 * its placement group (what scrubs have found). Workers only.
 *
 * What 16.2 allows: a client cannot choose the copy that answers a read. It can ask that any copy may answer (balanced
 * reads), but an OSD of 16.2.15 ends itself when such a read meets a copy that does not match its digest
 * (rep_repair_primary_object; ceph/ceph pull request 70909), and to look for damage must not cost a server: so copies are
 * not compared. And the list of inconsistent objects of a placement group is only in the interface for C++; the number of
 * errors is in the group's statistics. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cephio/pieces_ask.h"
#include "core/str.h"

enum { REMARKS = 20, COPIES_MAX = 16, ROUNDS = 3 };

/* ---- answers of the monitors, in JSON --------------------------------------------------------------------- */

/* Names of objects may be any bytes, and stand in answers as they are. Nothing that is looked for here is one. */
static json_t *parse(const char *text, size_t n)
{
        char *plain = malloc(n + 1);
        json_t *json;

        if (!plain)
                return NULL;
        for (size_t i = 0; i < n; i++)
                plain[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
        json = json_loadb(plain, n, 0, NULL);
        free(plain);
        return json;
}

/* The answer to one command, or NULL and *rc. A command to a placement group when pgid is given. */
static json_t *command(struct ceph_pieces *p, const char *pgid, const char *cmd, int *rc)
{
        const char *cmds[] = { cmd };
        char *out = NULL, *status = NULL;
        size_t n = 0, status_n = 0;
        rados_t c = rad_io_cluster(p->io);
        json_t *json = NULL;

        *rc = pgid ? rados_pg_command(c, pgid, cmds, 1, NULL, 0, &out, &n, &status, &status_n)
                   : rados_mon_command(c, cmds, 1, NULL, 0, &out, &n, &status, &status_n);
        if (*rc >= 0) {
                json = parse(out ? out : "", out ? n : 0);
                if (!json_is_object(json)) { /* another release, or cut: what it means is not known */
                        json_decref(json);
                        json = NULL;
                        *rc = -EBADMSG;
                }
        }
        rados_buffer_free(out);
        rados_buffer_free(status);
        return json;
}

/* A string in JSON, with its quotes. */
static void quote(struct ri_str *s, const char *text)
{
        ri_str_putc(s, '"');
        for (const unsigned char *c = (const unsigned char *)text; *c; c++)
                if (*c == '"' || *c == '\\')
                        ri_str_printf(s, "\\%c", *c);
                else if (*c < 0x20)
                        ri_str_printf(s, "\\u%04x", *c);
                else
                        ri_str_putc(s, (char)*c);
        ri_str_putc(s, '"');
}

/* A string of an object; "" when there is none. */
static void string_of(const json_t *json, const char *name, char *to, size_t room)
{
        const char *v = json_string_value(json_object_get(json, name));

        snprintf(to, room, "%s", v ? v : "");
}

/* A number of an object that counts something; 0 when there is none. */
static unsigned long long count_of(const json_t *json, const char *name)
{
        json_int_t n = json_integer_value(json_object_get(json, name));

        return n > 0 ? (unsigned long long)n : 0;
}

/* ---- where it is ------------------------------------------------------------------------------------------ */

/* {"host":"a","root":"default"} -> host=a root=default */
static void crush_place(const json_t *osd, char *to, size_t room)
{
        json_t *where = json_object_get(osd, "crush_location"), *v;
        const char *kind;
        size_t n = 0;

        *to = 0;
        json_object_foreach(where, kind, v)
        {
                const char *name = json_string_value(v);
                int k = snprintf(to + n, room - n, "%s%s=%s", n ? " " : "", kind, name ? name : "?");

                if (k < 0 || (size_t)k >= room - n)
                        return;
                n += (size_t)k;
        }
}

/* The first address, by the newer form or the older one. */
static void address_of(const json_t *osd, char *to, size_t room)
{
        const json_t *list = json_object_get(json_object_get(osd, "addrs"), "addrvec");

        string_of(json_array_get(list, 0), "addr", to, room);
        if (!*to)
                string_of(osd, "ip", to, room);
}

static const struct ceph_osd *osd_of(struct ceph_pieces *p, int id)
{
        char cmd[96];
        struct ceph_osd *o;
        json_t *json;
        int rc;

        for (size_t i = 0; i < p->osds; i++)
                if (p->osd[i].id == id)
                        return &p->osd[i];
        if (p->osds == p->osd_room) {
                size_t room = p->osd_room ? 2 * p->osd_room : 16;

                o = realloc(p->osd, room * sizeof(*o));
                if (!o)
                        return NULL;
                p->osd = o;
                p->osd_room = room;
        }
        o = &p->osd[p->osds++];
        memset(o, 0, sizeof(*o));
        o->id = id;
        snprintf(cmd, sizeof(cmd), "{\"prefix\":\"osd find\",\"id\":%d,\"format\":\"json\"}", id);
        json = command(p, NULL, cmd, &rc);
        address_of(json, o->address, sizeof(o->address));
        string_of(json, "host", o->host, sizeof(o->host));
        crush_place(json, o->where, sizeof(o->where));
        json_decref(json);
        return o;
}

static void place_unknown(struct ceph_pieces *p, int rc)
{
        if (p->next == 0)
                ri_layout_remark(
                        p->layout, ROMA_REMARK_UNKNOWN, "place", -1,
                        "the monitors do not tell where the objects are (%s); this client needs `mon "
                        "'allow r'`",
                        strerrorname_np(-rc));
}

/* The OSDs of the acting set that are there; *bad: the answer has no such list. */
static size_t acting_set(struct ceph_pieces *p, const json_t *json, roma_piece_copy copy[COPIES_MAX],
                         bool *bad)
{
        const json_t *list = json_object_get(json, "acting"),
                     *first = json_object_get(json, "acting_primary");
        json_int_t primary = json_is_integer(first) ? json_integer_value(first) : -1;
        size_t n = 0;

        *bad = !json_is_array(list);
        for (size_t i = 0; i < json_array_size(list) && n < COPIES_MAX; i++) {
                const json_t *v = json_array_get(list, i);
                json_int_t id = json_is_integer(v) ? json_integer_value(v) : -1;

                /* 2147483647: nobody has that place of the group */
                if (id >= 0 && id < INT32_MAX && osd_of(p, (int)id))
                        copy[n++] = (roma_piece_copy){ .id = (int)id, .primary = id == primary };
        }
        for (size_t k = 0; k < n; k++) { /* osd_of() may have moved them */
                const struct ceph_osd *o = osd_of(p, copy[k].id);

                copy[k].host = o ? o->host : "";
                copy[k].where = o ? o->where : "";
                copy[k].address = o ? o->address : "";
        }
        return n;
}

void ceph_pieces_place(struct ceph_pieces *p, size_t i)
{
        roma_piece *piece = ri_layout_at(p->layout, i);
        roma_piece_copy copy[COPIES_MAX];
        struct ri_str cmd = RI_STR_INIT(16384);
        char group[32];
        json_t *json;
        size_t n;
        bool bad;
        int rc;

        ri_str_puts(&cmd, "{\"prefix\":\"osd map\",\"format\":\"json\",\"pool\":");
        quote(&cmd, p->o->pool);
        ri_str_puts(&cmd, ",\"object\":");
        quote(&cmd, piece->name);
        if (p->o->ns && *p->o->ns) {
                ri_str_puts(&cmd, ",\"nspace\":");
                quote(&cmd, p->o->ns);
        }
        ri_str_putc(&cmd, '}');
        json = command(p, NULL, ri_str_cstr(&cmd), &rc);
        ri_str_free(&cmd);
        if (!json) {
                place_unknown(p, rc);
                return;
        }
        string_of(json, "pgid", group, sizeof(group));
        piece->group = ri_layout_text(p->layout, group);
        n = acting_set(p, json, copy, &bad);
        json_decref(json);
        ri_layout_copies(p->layout, i, copy, n);
        if (bad || !*group)
                place_unknown(p, -EBADMSG);
        else if (!n)
                ri_layout_remark(
                        p->layout, ROMA_REMARK_BAD, "no-server", (int64_t)i,
                        "no OSD has the placement group %s now: start those that are down (`ceph pg %s "
                        "query`)",
                        group, group);
}

/* ---- how long it is --------------------------------------------------------------------------------------- */

static void missing(struct ceph_pieces *p, size_t i)
{
        const roma_piece *piece = ri_layout_at(p->layout, i);

        if (p->missing_told++ >= REMARKS)
                return;
        if (p->gap)
                ri_layout_remark(
                        p->layout, ROMA_REMARK_UNKNOWN, "missing", (int64_t)i,
                        "the object %s is not there and reads as zeros: a hole of the file, or lost; CephFS "
                        "keeps no list of objects, so only the original can tell (--against)",
                        piece->name);
        else
                ri_layout_remark(
                        p->layout, ROMA_REMARK_BAD, "missing", (int64_t)i,
                        "the object %s is not there, so bytes %llu-%llu are lost: the key must be put again",
                        piece->name, (unsigned long long)piece->offset,
                        (unsigned long long)(piece->offset + piece->length - 1));
}

static void wrong_size(struct ceph_pieces *p, size_t i)
{
        const roma_piece *piece = ri_layout_at(p->layout, i);
        bool less = piece->stored < piece->length;

        if (p->short_told++ >= REMARKS)
                return;
        /* In CephFS a short object reads as zeros behind its end, and a writer that died may have left a longer one. */
        ri_layout_remark(
                p->layout, p->gap ? ROMA_REMARK_UNKNOWN : ROMA_REMARK_BAD, "size", (int64_t)i,
                "the object %s has %llu bytes and should have %llu%s", piece->name,
                (unsigned long long)piece->stored, (unsigned long long)piece->length,
                !p->gap ? ": it was cut or written by something else; the key must be put again"
                : less  ? ": what is not there reads as zeros, a hole of the file or a loss; only the "
                          "original can tell (--against)"
                        : "; no reader sees what is too much");
}

void ceph_pieces_size(struct ceph_pieces *p, size_t i)
{
        roma_piece *piece = ri_layout_at(p->layout, i);
        time_t mtime;
        int rc = rados_stat(p->io->ctx, piece->name, &piece->stored, &mtime);

        if (rc == -ENOENT) {
                piece->state = ROMA_PIECE_MISSING;
                missing(p, i);
        } else if (rc < 0) {
                piece->state = ROMA_PIECE_UNREADABLE;
                ri_layout_remark(p->layout, rc == -EIO ? ROMA_REMARK_BAD : ROMA_REMARK_UNKNOWN, "stat",
                                 (int64_t)i, "the object %s could not be asked for: %s", piece->name,
                                 strerrorname_np(-rc));
        } else {
                piece->state = ROMA_PIECE_THERE;
                if (piece->stored != piece->length)
                        wrong_size(p, i);
        }
}

/* ---- what it holds ---------------------------------------------------------------------------------------- */

struct answer {
        int rc;
        uint64_t size;
        uint32_t crc;
};

/* The answer of the copy that answers reads: its length and the CRC-32C of all its bytes. */
static void read_all(struct ceph_pieces *p, const char *oid, struct answer *a)
{
        rados_read_op_t op = rados_create_read_op();
        uint32_t seed = UINT32_MAX;
        unsigned char sum[8] = { 0 };
        int rc[2] = { 0 };
        time_t mtime;

        memset(a, 0, sizeof(*a));
        rados_read_op_stat(op, &a->size, &mtime, &rc[0]);
        rados_read_op_checksum(op, LIBRADOS_CHECKSUM_TYPE_CRC32C, (const char *)&seed, sizeof(seed), 0, 0, 0,
                               (char *)sum, sizeof(sum), &rc[1]);
        a->rc = rados_read_op_operate(op, p->io->ctx, oid, 0);
        rados_release_read_op(op);
        for (int k = 0; k < 2 && a->rc >= 0; k++)
                a->rc = rc[k] < 0 ? rc[k] : a->rc;
        /* A count, then the checksums; little endian. */
        a->crc = (uint32_t)sum[4] | (uint32_t)sum[5] << 8 | (uint32_t)sum[6] << 16 | (uint32_t)sum[7] << 24;
}

/* Once, with the reason: in an erasure coded pool a read is put together from parts, and there are no copies. */
static void tell_not_compared(struct ceph_pieces *p)
{
        struct ri_str cmd = RI_STR_INIT(16384);
        char profile[64];
        json_t *json;
        int rc;

        p->pool_asked = true;
        ri_str_puts(&cmd, "{\"prefix\":\"osd pool get\",\"var\":\"all\",\"format\":\"json\",\"pool\":");
        quote(&cmd, p->o->pool);
        ri_str_putc(&cmd, '}');
        json = command(p, NULL, ri_str_cstr(&cmd), &rc);
        ri_str_free(&cmd);
        string_of(json, "erasure_code_profile", profile, sizeof(profile));
        if (*profile)
                ri_layout_remark(p->layout, ROMA_REMARK_NOTE, "not-compared", -1,
                                 "the pool is erasure coded: all bytes are read once, and its parts were not "
                                 "compared; a deep scrub does that");
        else if (!json)
                ri_layout_remark(p->layout, ROMA_REMARK_UNKNOWN, "not-compared", -1,
                                 "copies were not compared: the monitors do not tell what kind of pool it is "
                                 "(%s)",
                                 strerrorname_np(-rc));
        else
                ri_layout_remark(
                        p->layout, ROMA_REMARK_NOTE, "not-compared", -1,
                        "only the copies that answer reads were read: to ask others can end an OSD that "
                        "has a damaged one; a deep scrub (`ceph pg deep-scrub`) compares all");
        json_decref(json);
}

/* What is damaged answers EIO (a checksum or the disk) or EINVAL (fewer bytes than were written). All else (no answer in
 * time, shut out, not there) says nothing about the bytes. */
static void unreadable(struct ceph_pieces *p, size_t i, int rc)
{
        roma_piece *piece = ri_layout_at(p->layout, i);

        if (rc == -ENOENT) {
                ri_layout_remark(p->layout, ROMA_REMARK_UNKNOWN, "moving", (int64_t)i,
                                 "the object %s is being removed, or a copy of it is gone: look again later, "
                                 "or scrub (`ceph pg deep-scrub %s`)",
                                 piece->name, piece->group);
                return;
        }
        piece->state = ROMA_PIECE_UNREADABLE;
        if (rc == -EIO || rc == -EINVAL)
                ri_layout_remark(
                        p->layout, ROMA_REMARK_BAD, "unreadable", (int64_t)i,
                        "the object %s cannot be read (%s): see `ceph health detail` for its placement "
                        "group %s",
                        piece->name, strerrorname_np(-rc), piece->group);
        else
                ri_layout_remark(p->layout, ROMA_REMARK_UNKNOWN, "unreadable", (int64_t)i,
                                 "the object %s could not be read (%s), which says nothing about its bytes: "
                                 "look again later",
                                 piece->name, strerrorname_np(-rc));
}

void ceph_pieces_content(struct ceph_pieces *p, size_t i)
{
        roma_piece *piece = ri_layout_at(p->layout, i);
        struct answer a = { .rc = -ENOENT };
        char sum[24];

        if (piece->state != ROMA_PIECE_THERE)
                return;
        if (!p->pool_asked)
                tell_not_compared(p);
        for (int round = 0; round < ROUNDS && a.rc == -ENOENT; round++)
                read_all(p, piece->name, &a);
        if (a.rc < 0) {
                unreadable(p, i, a.rc);
                return;
        }
        snprintf(sum, sizeof(sum), "crc32c:%08x", a.crc);
        piece->checksum = ri_layout_text(p->layout, sum);
        /* It may have grown or shrunk since it was asked for: what counts is what was read. */
        piece->stored = a.size;
}

/* ---- what scrubs have found ------------------------------------------------------------------------------- */

static bool asked(struct ceph_pieces *p, const char *group)
{
        for (size_t k = 0; k < p->groups; k++)
                if (strcmp(p->group[k], group) == 0)
                        return true;
        if (p->groups == p->group_room) {
                size_t room = p->group_room ? 2 * p->group_room : 64;
                void *mem = realloc(p->group, room * sizeof(*p->group));

                if (!mem)
                        return true;
                p->group = mem;
                p->group_room = room;
        }
        snprintf(p->group[p->groups++], sizeof(*p->group), "%s", group);
        return false;
}

/* Of the whole placement group: of this object they say nothing. That its own copies differ is seen when they are read. */
static void scrub_said(struct ceph_pieces *p, const roma_piece *piece, const json_t *json)
{
        const json_t *stats = json_object_get(json_object_get(json, "info"), "stats"),
                     *sums = json_object_get(stats, "stat_sum");
        unsigned long long errors = count_of(sums, "num_scrub_errors"),
                           unfound = count_of(sums, "num_objects_unfound");
        char state[128], when[64];

        string_of(json, "state", state, sizeof(state));
        string_of(stats, "last_deep_scrub_stamp", when, sizeof(when));
        if (!json_is_object(sums) || !*state)
                ri_layout_remark(p->layout, ROMA_REMARK_NOTE, "scrub", -1,
                                 "what the placement group %s says of itself has another form than is known "
                                 "here: see `ceph health detail`",
                                 piece->group);
        if (strstr(state, "inconsistent") || errors)
                ri_layout_remark(
                        p->layout, ROMA_REMARK_UNKNOWN, "scrub", -1,
                        "scrubs have found %llu errors in the placement group %s (%s, deep scrub of %s): "
                        "perhaps in other objects of it; `rados list-inconsistent-obj %s` names them",
                        errors, piece->group, state, *when ? when : "unknown date", piece->group);
        if (unfound)
                ri_layout_remark(
                        p->layout, ROMA_REMARK_UNKNOWN, "unfound", -1,
                        "the placement group %s has %llu objects of which no good copy is on an OSD that is "
                        "up; `ceph pg %s list_unfound` names them",
                        piece->group, unfound, piece->group);
}

void ceph_pieces_scrub(struct ceph_pieces *p, size_t i)
{
        const roma_piece *piece = ri_layout_at(p->layout, i);
        char cmd[96];
        json_t *json;
        int rc;

        if (!*piece->group || p->scrub_denied || asked(p, piece->group))
                return;
        snprintf(cmd, sizeof(cmd),
                 "{\"prefix\":\"pg\",\"pgid\":\"%s\",\"cmd\":\"query\",\"format\":\"json\"}", piece->group);
        json = command(p, piece->group, cmd, &rc);
        if (json) {
                scrub_said(p, piece, json);
        } else {
                p->scrub_denied = true;
                ri_layout_remark(
                        p->layout, ROMA_REMARK_NOTE, "scrub", -1,
                        "what scrubs have found is not told to this client (%s): see `ceph health detail`",
                        strerrorname_np(-rc));
        }
        json_decref(json);
}
