/* SPDX-License-Identifier: MIT */
/* The table as a whole: finding packets, layouts and names, and checking that the table is consistent. */
#include "table.h"

#include <stdio.h>

static const struct wire_table *const tables[] = {
        &wire_table_session, &wire_table_namespace, &wire_table_tree,
        &wire_table_chunkio, &wire_table_info,      &wire_table_sclass,
};
#define NTABLES (sizeof(tables) / sizeof(tables[0]))

static const struct {
        const char *name;
        enum wire_hint hint;
} fields[WF_LIMIT] = {
        [WF_NONE] = { "none", WH_DEC },
#define X(id, text, how) [WF_##id] = { text, WH_##how },
#include "fields.def"
#undef X
};

const char *wire_field_name(enum wire_field field)
{
        return (unsigned)field < WF_LIMIT ? fields[field].name : "unknown";
}

enum wire_hint wire_field_hint(enum wire_field field)
{
        return (unsigned)field < WF_LIMIT ? fields[field].hint : WH_DATA;
}

const char *wire_kind_name(enum wire_kind kind)
{
        static const char *const names[] = {
                [WK_U8] = "u8",       [WK_U16] = "u16",   [WK_U24] = "u24",       [WK_U32] = "u32",
                [WK_U64] = "u64",     [WK_NAME] = "name", [WK_NAME_IF] = "name?", [WK_STR16] = "str16",
                [WK_STR32] = "str32", [WK_UG] = "ug",     [WK_ATTR] = "attr",     [WK_BYTES] = "bytes",
                [WK_CONST] = "const", [WK_FILL] = "fill", [WK_MUL] = "bytes*n",   [WK_REST] = "rest",
                [WK_GROUP] = "group",
        };

        return (unsigned)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "unknown";
}

bool wire_kind_is_number(uint8_t kind)
{
        return kind <= WK_U64;
}

unsigned wire_kind_width(uint8_t kind)
{
        static const uint8_t width[] = { 1, 2, 3, 4, 8 };

        return kind <= WK_U64 ? width[kind] : 0;
}

const struct wire_packet *wire_packet_find(uint32_t type)
{
        for (size_t t = 0; t < NTABLES; t++) {
                size_t low = 0, high = tables[t]->count;

                while (low < high) {
                        size_t mid = low + (high - low) / 2;
                        const struct wire_packet *p = &tables[t]->packets[mid];

                        if (p->type == type)
                                return p;
                        if (p->type < type)
                                low = mid + 1;
                        else
                                high = mid;
                }
        }
        return NULL;
}

const struct wire_packet *wire_packet_next(const struct wire_packet *after)
{
        const struct wire_packet *best = NULL;

        for (size_t t = 0; t < NTABLES; t++) {
                for (size_t i = 0; i < tables[t]->count; i++) {
                        const struct wire_packet *p = &tables[t]->packets[i];

                        if ((!after || p->type > after->type) && (!best || p->type < best->type))
                                best = p;
                }
        }
        return best;
}

const char *wire_packet_name(uint32_t type)
{
        const struct wire_packet *p = wire_packet_find(type);

        return p ? p->name : "UNKNOWN";
}

const struct wire_packet *wire_packet_by_name(const char *name)
{
        for (const struct wire_packet *p = wire_packet_next(NULL); p; p = wire_packet_next(p)) {
                if (!strcmp(p->name, name))
                        return p;
        }
        return NULL;
}

const struct wire_packet *wire_packet_reply(const struct wire_packet *request)
{
        if (!(request->dirs & (WIRE_TO_MASTER | WIRE_TO_CS)) ||
            (request->flags & (WP_NOREPLY | WP_UNSOLICITED)))
                return NULL;
        return wire_packet_find(request->type + 1);
}

const struct wire_layout *wire_layout_find(const struct wire_packet *packet, const char *name)
{
        for (unsigned i = 0; i < packet->nlayouts; i++) {
                if (!strcmp(packet->layouts[i].name, name))
                        return &packet->layouts[i];
        }
        return NULL;
}

static size_t field_min(const struct wire_fdesc *fd, uint8_t attrlen)
{
        switch (fd->kind) {
        case WK_NAME: return 1;
        case WK_STR16: return 2;
        case WK_STR32: return 4 + (size_t)fd->arg;
        case WK_UG: return 12;
        case WK_ATTR: return attrlen;
        case WK_BYTES:
        case WK_REST: return fd->arg;
        case WK_CONST: return sizeof(WIRE_REGISTER_BLOB) - 1;
        default: return wire_kind_width(fd->kind);
        }
}

static size_t fields_min(const struct wire_fdesc *fd, uint8_t attrlen)
{
        size_t min = 0;

        for (; fd->field != WF_NONE; fd++)
                min += field_min(fd, attrlen);
        return min;
}

size_t wire_layout_min(const struct wire_layout *layout)
{
        return fields_min(layout->fields, layout->attrlen);
}

uint32_t wire_max_payload(enum wire_dir dir)
{
        if (dir == WIRE_TO_MASTER)
                return WIRE_MAX_TO_MASTER;
        return dir == WIRE_FROM_MASTER ? WIRE_MAX_FROM_MASTER : WIRE_MAX_CHUNKSERVER;
}

const char *wire_error_name(int error)
{
        switch (error) {
        case WIRE_OK: return "ok";
        case WIRE_ETYPE: return "unknown packet type";
        case WIRE_EFORMAT: return "fits no layout";
        case WIRE_EMISSING: return "field is missing";
        case WIRE_ERANGE: return "value does not fit its field";
        case WIRE_ESPACE: return "buffer too small";
        case WIRE_EVERSION: return "the peer's version cannot take it";
        case WIRE_ELIMIT: return "larger than allowed";
        case WIRE_EKIND: return "field has another kind";
        case WIRE_ENOMEM: return "out of memory";
        case WIRE_ESTOP: return "stopped by the caller";
        default: return "unknown error";
        }
}

/* ---- consistency ------------------------------------------------------------------------------------------ */

static bool defined_before(const struct wire_fdesc *list, const struct wire_fdesc *fd)
{
        for (const struct wire_fdesc *p = list; p < fd; p++) {
                if (p->field == fd->ref && wire_kind_is_number(p->kind))
                        return true;
        }
        return false;
}

/* What is wrong with one field list, or NULL. */
static const char *check_fields(const struct wire_fdesc *list, uint8_t attrlen, bool item)
{
        bool open = false, attr = false;
        size_t n = 0;

        for (const struct wire_fdesc *fd = list; fd->field != WF_NONE; fd++) {
                if (++n > WIRE_MAX_FIELDS)
                        return "too many fields";
                if (fd->field >= WF_LIMIT || fd->kind > WK_GROUP)
                        return "field or kind out of range";
                if (open)
                        return "field behind an open end";
                for (const struct wire_fdesc *p = list; p < fd; p++) {
                        if (p->field == fd->field)
                                return "field twice";
                }
                attr |= fd->kind == WK_ATTR;
                open = fd->kind == WK_REST || (fd->kind == WK_GROUP && fd->more == WB_END);
                if (item && open)
                        return "item with an open end";
                if (fd->kind == WK_GROUP && (fd->arg >= WFORM_COUNT || !wire_form_fields(fd->arg, NULL)))
                        return "group without a form";
                if ((fd->kind == WK_FILL || fd->kind == WK_NAME_IF ||
                     (fd->kind == WK_GROUP && fd->more != WB_END) || (fd->kind == WK_MUL && !item)) &&
                    !defined_before(list, fd))
                        return "size depends on a field that comes later";
        }
        if (attr != (attrlen != 0))
                return "attribute length without attributes, or the reverse";
        return item && fields_min(list, attrlen) == 0 ? "item without a size" : NULL;
}

static const char *check_packet(const struct wire_packet *p)
{
        if (!p->dirs || !p->nlayouts || !p->name)
                return "no directions, layouts or name";
        for (unsigned i = 0; i < p->nlayouts; i++) {
                const struct wire_layout *l = &p->layouts[i];
                const char *wrong = check_fields(l->fields, l->attrlen, false);

                if (wrong)
                        return wrong;
                if (wire_layout_find(p, l->name) != l)
                        return "layout name twice";
                if ((l->dirs & ~p->dirs) || wire_layout_min(l) > WIRE_MAX_TO_MASTER)
                        return "layout with foreign direction or impossible size";
                if ((l->flags & WL_STATUS) && !(p->dirs & (WIRE_FROM_MASTER | WIRE_FROM_CS)))
                        return "status in a request";
        }
        if ((p->dirs == WIRE_TO_MASTER || p->dirs == WIRE_TO_CS) && !(p->flags & WP_NOREPLY) &&
            p->type != WIRE_CLTOCS_WRITE_DATA) {
                const struct wire_packet *r = wire_packet_reply(p);
                /* WRITE is answered by 211 and READ by 201 and 202; both follow the rule too */
                if (!r || !(r->dirs & (WIRE_FROM_MASTER | WIRE_FROM_CS)))
                        return "request without a reply";
        }
        return NULL;
}

const char *wire_table_check(void)
{
        static _Thread_local char text[160];
        const struct wire_packet *last = NULL;
        size_t total = 0, seen = 0;

        for (size_t t = 0; t < NTABLES; t++) {
                total += tables[t]->count;
                for (size_t i = 1; i < tables[t]->count; i++) {
                        if (tables[t]->packets[i].type <= tables[t]->packets[i - 1].type)
                                return tables[t]->packets[i].name;
                }
        }
        for (const struct wire_packet *p = wire_packet_next(NULL); p; p = wire_packet_next(p), seen++) {
                const char *wrong = check_packet(p);

                if (!wrong && wire_packet_by_name(p->name) != p)
                        wrong = "name twice";
                if (wrong) {
                        snprintf(text, sizeof(text), "%s: %s", p->name, wrong);
                        return text;
                }
                last = p;
        }
        for (unsigned f = 0; f < WFORM_COUNT; f++) {
                uint8_t attrlen = 0;
                const struct wire_fdesc *list = wire_form_fields(f, &attrlen);
                const char *wrong = list ? check_fields(list, attrlen, true) : "no fields";

                if (wrong) {
                        snprintf(text, sizeof(text), "form %s: %s", wire_form_name(f), wrong);
                        return text;
                }
        }
        return seen == total && last ? NULL : "packet number twice";
}
