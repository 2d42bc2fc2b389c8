/* SPDX-License-Identifier: MIT */
/* MooseFS packets: whatever the decoder accepts must be encoded to the same bytes and be printable; frames and
 * READDIR replies must come out the same however they are cut into pieces; names and versions given as text are found or
 * refused. */
#include "mfsproto/wire/wire.h"
#include "wire-input.h"
#include "wire-rebuild.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
        if (!condition)
                abort();
}

static void must_be_one_line(const char *text)
{
        for (; *text; text++)
                must((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void print(const struct wire_msg *m)
{
        char text[2000];
        size_t n = wire_print(m, text, sizeof(text), 5);

        must_be_one_line(text);
        must(n >= sizeof(text) || strlen(text) == n);
        n = wire_print_json(m, text, sizeof(text), 5);
        must_be_one_line(text);
        n = strlen(text);
        must(n >= 2 && text[0] == '{' && text[n - 1] == '}');
}

static void print_status(uint8_t status)
{
        const char *name = wire_status_name(status);

        must_be_one_line(wire_status_text(status));
        must(wire_status_by_name(name) == status || !strcmp(name, "UNKNOWN"));
        must((wire_status_errno(status) == 0) == (status == WIRE_STATUS_OK));
        must((wire_status_io_errno(status) == 0) == (status == WIRE_STATUS_OK));
        must(status != WIRE_STATUS_OK || !wire_status_retriable(status));
}

/* A message that could not be decoded says why, and gives nothing. */
static void refused(struct wire_msg *m)
{
        char text[300];
        size_t len;

        must(!wire_msg_ok(m));
        must_be_one_line(wire_msg_error(m, text, sizeof(text)));
        must(strcmp(wire_error_name(m->error), "unknown error") != 0);
        print(m);
        must(wire_get_u(m, WF_INODE) == 0 && wire_get_bytes(m, WF_NAME, &len) == NULL);
}

/* Every value and every item, nested ones too. */
static void visit(struct wire_msg *m, const struct wire_fdesc *list)
{
        struct wire_msg item;
        struct wire_iter it;
        size_t len;

        for (const struct wire_fdesc *fd = list; fd->field != WF_NONE; fd++) {
                if (!wire_has(m, fd->field))
                        continue;
                if (fd->kind <= WK_U64) {
                        wire_get_u(m, fd->field);
                } else if (fd->kind == WK_GROUP) {
                        uint32_t n = 0;

                        wire_group_begin(m, fd->field, &it);
                        for (; wire_group_next(&it, &item); n++)
                                visit(&item, wire_form_fields(fd->arg, NULL));
                        must(n == wire_group_count(m, fd->field));
                } else if (fd->kind != WK_UG) {
                        wire_get_bytes(m, fd->field, &len);
                }
        }
        must(wire_msg_ok(m));
}

static void ask_everything(const struct wire_msg *m, enum wire_field field)
{
        struct wire_msg asked = *m;
        struct wire_iter it;
        uint64_t number = wire_get_u8(&asked, field);
        const uint8_t *bytes;
        size_t len;

        must(wire_msg_ok(&asked) ? number == wire_get_u_or(m, field, 256) : number == 0);
        asked = *m;
        bytes = wire_get_bytes(&asked, field, &len);
        must(wire_msg_ok(&asked) || !bytes);
        asked = *m;
        wire_group_begin(&asked, field, &it);
        must(wire_msg_ok(&asked) || wire_group_count(&asked, field) == 0);
}

/* A question that the message has no answer to gives nothing, and is not forgotten. */
static void ask_wrongly(const struct wire_msg *m)
{
        struct wire_msg asked = *m;
        struct wire_attr attr;
        char text[300];

        for (const struct wire_fdesc *fd = m->layout->fields; fd->field != WF_NONE; fd++)
                ask_everything(m, fd->field);
        must(wire_get_gid(&asked, WIRE_GIDS_MAX + 1) == 0 && !wire_msg_ok(&asked));
        must_be_one_line(wire_msg_error(&asked, text, sizeof(text)));
        wire_get_attr(&asked, &attr);
        must(attr.length == 0 && attr.uid == 0);
}

static void decode(uint32_t type, enum wire_dir dir, const struct wire_ctx *ctx, const uint8_t *bytes,
                   size_t len)
{
        struct wire_msg m;
        uint8_t *out, status;
        ssize_t n;

        if (wire_decode(&m, type, dir, bytes, len, ctx) != WIRE_OK) {
                refused(&m);
                return;
        }
        visit(&m, m.layout->fields);
        print(&m);
        ask_wrongly(&m);
        wire_hint_of(&m);
        if (wire_is_status(&m, &status))
                print_status(status);
        out = malloc(len + WIRE_HEADER_SIZE);
        must(out != NULL);
        n = wire_encode(&m, ctx, out, len + WIRE_HEADER_SIZE);
        must(n == (ssize_t)(len + WIRE_HEADER_SIZE));
        must(wire_be32(out) == type && wire_be32(out + 4) == len);
        must(len == 0 || !memcmp(out + WIRE_HEADER_SIZE, bytes, len));
        free(out);
        wire_rebuild(&m, ctx, bytes, len);
        /* for another peer: may be refused, must not be wrong */
        wire_msg_any_layout(&m);
        n = wire_encode_size(&m, ctx);
        must(n >= WIRE_HEADER_SIZE || !wire_msg_ok(&m));
}

static unsigned frames(const uint8_t *bytes, size_t len, size_t piece)
{
        struct wire_frame f;
        size_t at = 0;
        unsigned sum = 0;
        int event = WIRE_FRAME_MORE;

        wire_frame_init(&f, 5000);
        while (at < len && event >= 0) {
                size_t n = piece < len - at ? piece : len - at;
                const uint8_t *p = bytes + at;

                at += n;
                while ((event = wire_frame_feed(&f, &p, &n)) > 0) {
                        if (event == WIRE_FRAME_HEADER && (f.type & 1))
                                wire_frame_stream(&f);
                        /* every byte of it is there */
                        for (uint32_t i = 0; event == WIRE_FRAME_PACKET && i < f.length; i++)
                                sum += f.payload[i];
                        for (size_t i = 0; event == WIRE_FRAME_DATA && i < f.ndata; i++)
                                sum += f.data[i];
                }
                must(event < 0 || n == 0);
        }
        must(f.cap <= 5000);
        must(!wire_frame_idle(&f) || event >= 0);
        wire_frame_free(&f);
        return sum;
}

static int count(void *arg, const struct wire_dirent *e)
{
        uint64_t *sum = arg;

        *sum += e->inode;
        for (unsigned i = 0; i < e->namelen; i++)
                *sum += e->name[i];
        return 0;
}

static int feed(struct wire_readdir *rd, const struct wire_ctx *ctx, const uint8_t *bytes, size_t len,
                size_t piece, uint64_t *sum)
{
        int result = WIRE_OK;

        wire_readdir_init(rd, (uint32_t)len, ctx, count, sum);
        for (size_t at = 0; at < len && result == WIRE_OK; at += piece)
                result = wire_readdir_feed(rd, bytes + at, piece < len - at ? piece : len - at);
        return wire_readdir_done(rd);
}

static void readdir_reply(const struct wire_ctx *ctx, const uint8_t *bytes, size_t len, size_t piece)
{
        struct wire_readdir whole, pieces;
        uint64_t a = 0, b = 0;
        struct wire_msg m;
        int done;

        if (!len)
                return;
        done = feed(&whole, ctx, bytes, len, len, &a);
        must(done == feed(&pieces, ctx, bytes, len, piece, &b));
        must(a == b && whole.entries == pieces.entries);
        /* a byte more than the packet has */
        must(!done || wire_readdir_feed(&whole, bytes, 1) == WIRE_EFORMAT);
        if (!done || whole.is_status || ctx->hint < 1 || ctx->hint > 4 || !ctx->server || !ctx->client)
                return;
        /* the other decoder agrees */
        must(wire_decode(&m, WIRE_MATOCL_FUSE_READDIR, WIRE_FROM_MASTER, bytes, len, ctx) == WIRE_OK);
        if (m.layout->hint == ctx->hint && m.layout->attrlen == whole.attrlen)
                must(wire_group_count(&m, WF_ENTRIES) == whole.entries);
}

/* What a person or a script says: a version, a packet, a status. */
static void text(const uint8_t *bytes, size_t len)
{
        char *s = strndup((const char *)bytes, len);
        const struct wire_packet *p;
        uint32_t version, again;
        char printed[24];

        must(s != NULL);
        if (wire_ver_parse(s, &version))
                must(wire_ver_parse(wire_ver_print(version, printed, sizeof(printed)), &again) &&
                     again == version);
        p = wire_packet_by_name(s);
        must(!p || !strcmp(wire_packet_name(p->type), s));
        if (p)
                must(wire_layout_find(p, p->layouts[0].name) == p->layouts);
        must(wire_status_by_name(s) < 0 || !strcmp(wire_status_name((uint8_t)wire_status_by_name(s)), s));
        free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct wire_ctx ctx;
        uint8_t *copy;

        if (size < WIRE_INPUT_HEAD)
                return 0;
        ctx.server = wire_input_versions[data[1] % WIRE_INPUT_VERSIONS];
        ctx.client = wire_input_versions[data[1] / WIRE_INPUT_VERSIONS];
        ctx.hint = data[2];
        /* exactly as large as the payload, so that a read behind it is seen */
        copy = malloc(size - WIRE_INPUT_HEAD + 1);
        must(copy != NULL);
        memcpy(copy + 1, data + WIRE_INPUT_HEAD, size - WIRE_INPUT_HEAD);
        switch ((data[0] >> 2) % WIRE_INPUT_MODES) {
        case WIRE_INPUT_FRAMES: frames(copy + 1, size - WIRE_INPUT_HEAD, data[2] + 1U); break;
        case WIRE_INPUT_READDIR: readdir_reply(&ctx, copy + 1, size - WIRE_INPUT_HEAD, data[4] + 1U); break;
        case WIRE_INPUT_TEXT: text(copy + 1, size - WIRE_INPUT_HEAD); break;
        default: decode(wire_be16(data + 3), 1U << (data[0] & 3), &ctx, copy + 1, size - WIRE_INPUT_HEAD);
        }
        free(copy);
        return 0;
}
