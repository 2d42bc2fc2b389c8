/* SPDX-License-Identifier: MIT */
/* Messages for people (one line) and for programs (one JSON object). Both walk the decoded values; what a field
 * looks like comes from its hint. The output is bounded, the return value says what was needed. */
#include "table.h"

#include <stdarg.h>
#include <stdio.h>

struct printer {
        char *buf;
        size_t size;
        size_t len; /* needed so far, may be more than size */
        bool json;
        unsigned max_items;
};

#define DATA_SHOWN 16 /* bytes of binary data */
#define GIDS_SHOWN 32

static void add(struct printer *p, const char *text, size_t n)
{
        if (p->len < p->size) {
                size_t room = p->size - p->len;

                memcpy(p->buf + p->len, text, n < room ? n : room);
        }
        p->len += n;
}

static void addf(struct printer *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void addf(struct printer *p, const char *format, ...)
{
        char text[128];
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        if (n > 0)
                add(p, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

static void add_hex(struct printer *p, const uint8_t *bytes, size_t n)
{
        for (size_t i = 0; i < n; i++)
                addf(p, "%02x", bytes[i]);
}

/* ---- text ------------------------------------------------------------------------------------------------- */

/* Length of the UTF-8 character at s, 0 when it is none. */
static size_t utf8_char(const uint8_t *s, size_t n)
{
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        size_t len = s[0] < 0x80         ? 1
                     : (s[0] >> 5) == 6  ? 2
                     : (s[0] >> 4) == 14 ? 3
                     : (s[0] >> 3) == 30 ? 4
                                         : 0;
        uint32_t c;

        if (len < 2)
                return len;
        if (len > n)
                return 0;
        c = s[0] & (0x7FU >> len);
        for (size_t i = 1; i < len; i++) {
                if ((s[i] & 0xC0) != 0x80)
                        return 0;
                c = (c << 6) | (s[i] & 0x3F);
        }
        return c < least[len] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) ? 0 : len;
}

static bool is_utf8(const uint8_t *s, size_t n)
{
        while (n) {
                size_t len = utf8_char(s, n);

                if (!len)
                        return false;
                s += len;
                n -= len;
        }
        return true;
}

/* Control characters are escaped, so that a name from a server can neither break the line nor drive a terminal. */
static void add_text(struct printer *p, const uint8_t *s, size_t n)
{
        add(p, "\"", 1);
        while (n) {
                size_t len = utf8_char(s, n);
                bool control = s[0] < 0x20 || s[0] == 0x7F || (s[0] == 0xC2 && len == 2 && s[1] < 0xA0);

                if (s[0] == '"' || s[0] == '\\')
                        addf(p, "\\%c", s[0]);
                else if (control && p->json)
                        addf(p, "\\u%04x", len == 2 ? s[1] : s[0]);
                else if (control)
                        addf(p, len == 2 ? "\\u%04x" : "\\x%02x", len == 2 ? s[1] : s[0]);
                else
                        add(p, (const char *)s, len);
                s += len;
                n -= len;
        }
        add(p, "\"", 1);
}

/* ---- key and value ---------------------------------------------------------------------------------------- */

static void add_key(struct printer *p, const char *name, const char *suffix)
{
        if (p->json)
                addf(p, "\"%s%s\":", name, suffix);
        else
                addf(p, "%s=", name);
}

/* Something that is a word: quoted in JSON. */
static void add_word(struct printer *p, const char *word)
{
        addf(p, p->json ? "\"%s\"" : "%s", word);
}

static const char *rcode_name(uint64_t v)
{
        static const char *const names[] = { "0",     "getrandom",      "newsession",  "reconnect",
                                             "tools", "newmetasession", "closesession" };

        return v < sizeof(names) / sizeof(names[0]) ? names[v] : "unknown";
}

static const char *node_name(uint64_t v)
{
        static const char *const names[] = { "0",        "file",    "directory", "symlink", "fifo",
                                             "blockdev", "chardev", "socket",    "trash",   "sustained" };

        return v < sizeof(names) / sizeof(names[0]) ? names[v] : "unknown";
}

static const char *copy_name(uint64_t v)
{
        static const char *const names[] = { "valid", "removing", "wrong version", "removing, wrong version",
                                             "invalid" };

        return v < sizeof(names) / sizeof(names[0]) ? names[v] : "unknown";
}

static void add_number(struct printer *p, enum wire_hint hint, uint8_t kind, uint64_t v)
{
        char text[32];

        switch (hint) {
        case WH_IP:
                snprintf(text, sizeof(text), "%u.%u.%u.%u", (unsigned)(v >> 24) & 255,
                         (unsigned)(v >> 16) & 255, (unsigned)(v >> 8) & 255, (unsigned)v & 255);
                add_word(p, text);
                break;
        case WH_VERSION: add_word(p, wire_ver_print((uint32_t)v, text, sizeof(text))); break;
        case WH_STATUS: add_word(p, wire_status_name((uint8_t)v)); break;
        case WH_RCODE: add_word(p, rcode_name(v)); break;
        case WH_NODETYPE: add_word(p, node_name(v)); break;
        case WH_COPYSTATE: add_word(p, copy_name(v)); break;
        case WH_CHUNKID:
                snprintf(text, sizeof(text), "%016llX", (unsigned long long)v);
                add_word(p, text);
                break;
        case WH_HEX:
        case WH_SESFLAGS:
                snprintf(text, sizeof(text), "0x%0*llX", 2 * (int)wire_kind_width(kind),
                         (unsigned long long)v);
                add_word(p, text);
                break;
        case WH_OCT:
                snprintf(text, sizeof(text), "0%llo", (unsigned long long)v);
                add_word(p, text);
                break;
        default: addf(p, "%llu", (unsigned long long)v);
        }
}

static void add_attr(struct printer *p, const struct wire_val *v)
{
        struct wire_attr a;

        if (v->host)
                memcpy(&a, v->ptr, sizeof(a));
        else if (!wire_attr_decode(&a, v->ptr, v->len))
                memset(&a, 0, sizeof(a));
        if (p->json)
                addf(p, "{\"type\":\"%s\",\"mode\":\"0%o\",\"uid\":%u,\"gid\":%u,", node_name(a.type), a.mode,
                     a.uid, a.gid);
        else
                addf(p, "{%s 0%o %u:%u ", node_name(a.type), a.mode, a.uid, a.gid);
        if (p->json)
                addf(p, "\"atime\":%u,\"mtime\":%u,\"ctime\":%u,\"nlink\":%u,", a.atime, a.mtime, a.ctime,
                     a.nlink);
        else
                addf(p, "atime=%u mtime=%u ctime=%u nlink=%u ", a.atime, a.mtime, a.ctime, a.nlink);
        if (a.type == WIRE_NODE_BLOCKDEV || a.type == WIRE_NODE_CHARDEV)
                addf(p, p->json ? "\"major\":%u,\"minor\":%u," : "dev=%u:%u ", a.major, a.minor);
        else
                addf(p, p->json ? "\"length\":%llu," : "length=%llu ", (unsigned long long)a.length);
        addf(p, p->json ? "\"flags\":%u,\"winattr\":%u}" : "flags=%u winattr=%u}", a.flags, a.winattr);
}

static void add_ug(struct printer *p, const struct wire_msg *msg, const struct wire_val *v)
{
        struct wire_msg *m = (struct wire_msg *)msg; /* an index below count cannot fail */
        uint32_t shown = v->count < GIDS_SHOWN ? v->count : GIDS_SHOWN;

        addf(p, p->json ? "{\"uid\":%u,\"gids\":[" : "%u:", (unsigned)v->u);
        for (uint32_t i = 0; i < shown; i++)
                addf(p, "%s%u", i ? "," : "", wire_get_gid(m, i));
        if (p->json)
                addf(p, "],\"ngids\":%u}", v->count);
        else if (shown < v->count)
                addf(p, ",+%u", v->count - shown);
}

static void add_data(struct printer *p, const struct wire_val *v)
{
        size_t shown = v->len < DATA_SHOWN ? v->len : DATA_SHOWN;

        addf(p, p->json ? "{\"bytes\":%zu,\"hex\":\"" : "(%zu bytes: ", v->len);
        add_hex(p, v->ptr, shown);
        if (p->json)
                addf(p, "\"}");
        else
                addf(p, "%s)", shown < v->len ? ".." : "");
}

static void add_fields(struct printer *p, const struct wire_msg *msg);

static void add_group(struct printer *p, const struct wire_msg *msg, const struct wire_val *v)
{
        struct wire_iter it = { (struct wire_msg *)msg, (enum wire_form)v->u, v->ptr, v->len, v->count };
        struct wire_msg item;
        unsigned shown = 0;

        add(p, "[", 1);
        while (shown < p->max_items && wire_group_next(&it, &item)) {
                addf(p, "%s{", shown++ ? (p->json ? "," : " ") : "");
                add_fields(p, &item);
                add(p, "}", 1);
        }
        add(p, "]", 1);
        if (shown < v->count && !p->json)
                addf(p, "+%u", v->count - shown);
}

static void add_bytes(struct printer *p, enum wire_hint hint, const char *name, const struct wire_val *v)
{
        bool text = hint == WH_TEXT && is_utf8(v->ptr, v->len);

        if (hint == WH_SECRET) {
                add_key(p, name, "");
                add_word(p, "***");
        } else if (text) {
                add_key(p, name, "");
                add_text(p, v->ptr, v->len);
        } else if (hint == WH_TEXT) {
                add_key(p, name, "_hex");
                addf(p, p->json ? "\"" : "x'");
                add_hex(p, v->ptr, v->len);
                addf(p, p->json ? "\"" : "'");
        } else {
                add_key(p, name, "");
                add_data(p, v);
        }
}

static void add_field(struct printer *p, const struct wire_msg *msg, const struct wire_val *v)
{
        const char *name = wire_field_name(v->field);
        enum wire_hint hint = wire_field_hint(v->field);

        if (!wire_kind_is_number(v->kind) && v->kind != WK_UG && v->kind != WK_ATTR && v->kind != WK_GROUP) {
                add_bytes(p, hint, name, v);
                return;
        }
        if (v->kind == WK_GROUP && p->json)
                addf(p, "\"%s_count\":%u,", name, v->count);
        add_key(p, name, "");
        if (v->kind == WK_UG)
                add_ug(p, msg, v);
        else if (v->kind == WK_ATTR)
                add_attr(p, v);
        else if (v->kind == WK_GROUP)
                add_group(p, msg, v);
        else
                add_number(p, hint, v->kind, v->u);
        if (hint == WH_STATUS && p->json)
                addf(p, ",\"%s_nr\":%llu", name, (unsigned long long)v->u);
}

static void add_fields(struct printer *p, const struct wire_msg *msg)
{
        bool first = true;

        for (unsigned i = 0; i < msg->nvals && p->len < p->size; i++) {
                const struct wire_val *v = &msg->vals[i];

                if (wire_field_hint(v->field) == WH_HIDE)
                        continue;
                if (!first)
                        add(p, p->json ? "," : " ", 1);
                first = false;
                add_field(p, msg, v);
        }
}

static const char *dir_name(uint32_t dir)
{
        switch (dir) {
        case WIRE_TO_MASTER: return "to_master";
        case WIRE_FROM_MASTER: return "from_master";
        case WIRE_TO_CS: return "to_chunkserver";
        case WIRE_FROM_CS: return "from_chunkserver";
        default: return "unknown";
        }
}

static size_t finish(struct printer *p)
{
        if (p->size)
                p->buf[p->len < p->size ? p->len : p->size - 1] = 0;
        return p->len;
}

size_t wire_print(const struct wire_msg *msg, char *buf, size_t size, unsigned max_items)
{
        struct printer p = { buf, size, 0, false, max_items };

        addf(&p, "%s(%u) ", msg->packet ? msg->packet->name : "UNKNOWN", msg->type);
        if (msg->layout)
                addf(&p, "[%s] ", msg->layout->name);
        if (msg->error != WIRE_OK)
                addf(&p, "(%s) ", wire_error_name(msg->error));
        add_fields(&p, msg);
        return finish(&p);
}

static void json_head(struct printer *p, const struct wire_msg *msg)
{
        addf(p, "{\"packet\":\"%s\",\"type\":%u,\"dir\":\"%s\"", msg->packet ? msg->packet->name : "UNKNOWN",
             msg->type, dir_name(msg->dir));
        if (msg->layout)
                addf(p, ",\"layout\":\"%s\"", msg->layout->name);
        if (msg->error != WIRE_OK)
                addf(p, ",\"error\":\"%s\"", wire_error_name(msg->error));
}

size_t wire_print_json(const struct wire_msg *msg, char *buf, size_t size, unsigned max_items)
{
        struct printer p = { buf, size, 0, true, max_items };
        size_t needed;

        json_head(&p, msg);
        addf(&p, ",\"fields\":{");
        add_fields(&p, msg);
        addf(&p, "}}");
        needed = finish(&p);
        if (needed < size)
                return needed;
        /* half an object helps no program */
        p.len = 0;
        json_head(&p, msg);
        addf(&p, ",\"truncated\":true}");
        if (p.len >= size)
                p.len = 0;
        finish(&p);
        return needed;
}
