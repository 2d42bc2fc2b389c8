/* SPDX-License-Identifier: MIT */
/* Writes the tables of doc/moosefs-protocol.md from the wire table of the library, so that page and code are one.
 * tests/protocol-page.sh compares, and puts them into the page with --update. */
#include "mfsproto/wire/wire.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const topics[] = {
        "Common",    "Sessions",    "Names and attributes", "Chunks and their data",
        "Diagnosis", "Information", "Administration"
};

static const char *dirs_text(uint8_t dirs)
{
        switch (dirs) {
        case WIRE_TO_MASTER: return "client to master";
        case WIRE_FROM_MASTER: return "master to client";
        case WIRE_TO_CS: return "to a chunkserver";
        case WIRE_FROM_CS: return "from a chunkserver";
        case WIRE_TO_MASTER | WIRE_TO_CS: return "to either server";
        case WIRE_FROM_MASTER | WIRE_FROM_CS: return "from either server";
        default: return "any way";
        }
}

/* ---- fields ------------------------------------------------------------------------------------------------ */

static void counted(const struct wire_fdesc *fd)
{
        printf("%s", wire_field_name(fd->ref));
        for (unsigned i = 1; i <= fd->more; i++)
                printf(" + %s", wire_field_name((uint16_t)(fd->ref + i)));
}

static void group(const struct wire_fdesc *fd)
{
        const char *form = wire_form_name((enum wire_form)fd->arg);

        if (fd->more == WB_COUNT)
                printf("%s: %s times ", wire_field_name(fd->field), wire_field_name(fd->ref));
        else if (fd->more == WB_SIZE)
                printf("%s: %s bytes of ", wire_field_name(fd->field), wire_field_name(fd->ref));
        else
                printf("%s: any number of ", wire_field_name(fd->field));
        printf("[%s](#records)", form);
}

static void number(const struct wire_fdesc *fd, const char *kind)
{
        if (fd->only >= 0)
                printf("%s:%s = %" PRId32, wire_field_name(fd->field), kind, fd->only);
        else if (fd->arg)
                printf("%s:%s >= %" PRIu32, wire_field_name(fd->field), kind, fd->arg);
        else
                printf("%s:%s", wire_field_name(fd->field), kind);
}

static void field(const struct wire_fdesc *fd, uint8_t attrlen)
{
        const char *name = wire_field_name(fd->field);

        switch (fd->kind) {
        case WK_U8: number(fd, "u8"); break;
        case WK_U16: number(fd, "u16"); break;
        case WK_U24: number(fd, "u24"); break;
        case WK_U32: number(fd, "u32"); break;
        case WK_U64: number(fd, "u64"); break;
        case WK_NAME: printf("%s:NAME", name); break;
        case WK_NAME_IF: printf("%s:NAME if %s is %" PRIu32, name, wire_field_name(fd->ref), fd->arg); break;
        case WK_STR16: printf("%s:STR16", name); break;
        case WK_STR32: printf("%s:STR32", name); break;
        case WK_UG: printf("UG"); break;
        case WK_ATTR: printf("ATTR of %u bytes", attrlen); break;
        case WK_BYTES: printf("%s: %" PRIu32 " bytes", name, fd->arg); break;
        case WK_CONST: printf("%s: 64 constant bytes", name); break;
        case WK_FILL: printf("%s: up to %s bytes in all", name, wire_field_name(fd->ref)); break;
        case WK_MUL:
                printf("%s: ", name);
                if (fd->arg != 1)
                        printf("%" PRIu32 " bytes for each of ", fd->arg);
                counted(fd);
                printf("%s", fd->arg == 1 ? " bytes" : "");
                break;
        case WK_REST: printf("%s: the rest", name); break;
        case WK_GROUP: group(fd); break;
        default: break;
        }
}

static void fields(const struct wire_fdesc *fd, uint8_t attrlen)
{
        if (fd->field == WF_NONE)
                printf("nothing");
        for (bool first = true; fd->field != WF_NONE; fd++, first = false) {
                printf("%s", first ? "" : ", ");
                field(fd, attrlen);
        }
}

/* ---- versions ---------------------------------------------------------------------------------------------- */

static const char *version(uint32_t v)
{
        static char text[4][32];
        static unsigned at;

        at = (at + 1) % 4;
        return wire_ver_print(v, text[at], sizeof(text[at]));
}

/* One bound; prints a separator when something stands before it. */
static bool bound(bool before, const char *who, uint32_t from, uint32_t to, uint32_t hole)
{
        if (!from && !to)
                return before;
        printf("%s%s", before ? ", " : "", who);
        if (from)
                printf(" >= %s", version(from));
        if (to)
                printf(" < %s", version(to));
        if (hole)
                printf(" (4.x: >= %s)", version(hole));
        return true;
}

static bool gate(const struct wire_gate *g)
{
        bool any = bound(false, "server", g->server_from, g->server_to, g->server_hole);

        return bound(any, "client", g->client_from, g->client_to, g->client_hole);
}

/* ---- packets ----------------------------------------------------------------------------------------------- */

static void layout(const struct wire_layout *l)
{
        printf("| %s | %zu | ", l->name, wire_layout_min(l));
        if (!gate(&l->gate))
                printf("any");
        if (l->flags & WL_OLD)
                printf(", old");
        if (l->flags & WL_INFERRED)
                printf(", not seen");
        printf(" | ");
        fields(l->fields, l->attrlen);
        printf(" |\n");
}

static void flags(const struct wire_packet *p)
{
        static const struct {
                unsigned flag;
                const char *text;
        } texts[] = {
                { WP_UNREGISTERED, "answered without a session" },
                { WP_NOREPLY, "no reply" },
                { WP_UNSOLICITED, "comes unasked" },
                { WP_KILLS, "no known server takes it: the connection ends" },
                { WP_DANGEROUS, "changes the cluster and needs no password" },
                { WP_META, "only in a session for the trash" },
        };

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                if (p->flags & texts[i].flag)
                        printf("; %s", texts[i].text);
}

static void packet(const struct wire_packet *p)
{
        printf("\n#### %s %" PRIu32 "\n\n%s", p->name, p->type, dirs_text(p->dirs));
        flags(p);
        if (p->gate.server_from || p->gate.server_to) {
                printf("; ");
                gate(&p->gate);
        }
        printf("\n\n| layout | bytes, at least | versions | payload |\n|---|---|---|---|\n");
        for (unsigned i = 0; i < p->nlayouts; i++)
                layout(&p->layouts[i]);
}

static void packets(void)
{
        for (unsigned t = 0; t < sizeof(topics) / sizeof(topics[0]); t++) {
                printf("\n### %s\n", topics[t]);
                for (const struct wire_packet *p = NULL; (p = wire_packet_next(p));)
                        if (p->topic == t)
                                packet(p);
        }
}

static void records(void)
{
        uint8_t attrlen;

        printf("\n### Records\n\nItems of the lists above.\n\n| record | bytes |\n|---|---|\n");
        for (int f = 0; f < WFORM_COUNT; f++) {
                const struct wire_fdesc *fd = wire_form_fields((enum wire_form)f, &attrlen);

                printf("| %s | ", wire_form_name((enum wire_form)f));
                fields(fd, attrlen);
                printf(" |\n");
        }
}

static void statuses(void)
{
        printf("\n### Statuses\n\n| nr | name | retried | meaning |\n|---|---|---|---|\n");
        for (unsigned s = 0; s < WIRE_STATUS_COUNT; s++)
                printf("| %u | %s | %s | %s |\n", s, wire_status_name((uint8_t)s),
                       wire_status_retriable((uint8_t)s) ? "yes" : "", wire_status_text((uint8_t)s));
}

int main(void)
{
        packets();
        records();
        statuses();
        return fflush(stdout) == 0 ? 0 : 1;
}
