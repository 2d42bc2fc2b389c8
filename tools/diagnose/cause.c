/* SPDX-License-Identifier: MIT */
/* What may have made a file as it is. Each rule looks at what was found and says how likely its cause is and what speaks
 * for it; doc/diagnose.md has the list, and which causes bytes alone cannot tell apart. The effects are those seen on real servers of
 * 3.0.117 and 4.59.2. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/diagnose/diagnose.h"

#define CHUNK ROMA_MFS_CHUNK_SIZE

/* Blocks in one of two groups: copies differ from each other, or all copies have the same wrong bytes. */
struct group {
        uint64_t blocks, zero, content, bit, shift, offset, far_offset, pad, runs;
        bool tail;
};

struct facts {
        const struct dg_file *file;
        struct group split, common;
        uint64_t rot;
        uint64_t table; /* blocks of `split` of which only a bit of a checksum table seems to differ */
        uint64_t
                unread; /* blocks of `split` whose pattern was not seen in bytes, nor follows from the tables */
        bool alternating;    /* now this copy is bad, now that one */
        bool last_only;      /* of the copies that differ: just the last block of the data */
        bool common_differs; /* all copies are wrong somewhere, and not in the same way */
        bool later_chunk;    /* something common is wrong in another chunk than the first */
        uint32_t copies_bad;
};

struct list {
        struct dg_cause *out;
        size_t n;
        unsigned percent;   /* of a score, where it rests on something weak, */
        const char *caveat; /* and what that is; "" */
};

static const struct {
        const char *name, *text, *advice;
} causes[DG_CAUSES] = {
        [DG_CAUSE_FINISH] = { "finish-early",
                              "the client sent WRITE_FINISH (or closed) before every data status had come: "
                              "servers in front "
                              "of the last drop their queued blocks",
                              "make the client wait for the status of each writeid before WRITE_FINISH, FIN "
                              "and "
                              "WRITE_CHUNK_END; save the file with roma salvage and write it again" },
        [DG_CAUSE_LAST_STATUS] = { "last-status",
                                   "the client counts statuses off by one: it takes the status with writeid "
                                   "0 (the chain is "
                                   "up) for the answer to its first block and never waits for the last",
                                   "match statuses by writeid; 0 answers the chain, not data" },
        [DG_CAUSE_ONE_COPY] = { "one-copy",
                                "the client wrote to some of the servers of the WRITE_CHUNK reply only: the "
                                "chain was not "
                                "named, or not all of it",
                                "name all servers of the reply once each, the first as the one to connect to "
                                "and the others "
                                "in CLTOCS_WRITE" },
        [DG_CAUSE_NO_END] = { "no-end",
                              "WRITE_CHUNK_END never came, or came with length 0: bytes are stored that no "
                              "reader sees (or "
                              "the writer was killed before it)",
                              "send WRITE_CHUNK_END with the file's length after the last status; truncating "
                              "the file to its "
                              "real length shows what is stored" },
        [DG_CAUSE_END_CHUNK] = { "end-relative",
                                 "the length in WRITE_CHUNK_END was counted from the start of the chunk, not "
                                 "of the file: "
                                 "everything behind the last chunk border is cut",
                                 "send index * 64 MiB + the offset in the chunk; truncating the file to its "
                                 "real length shows "
                                 "what is stored" },
        [DG_CAUSE_END_SHORT] = { "end-short", "the length in WRITE_CHUNK_END was too small",
                                 "send the end of the highest acknowledged byte; truncating the file to its "
                                 "real length shows "
                                 "what is stored" },
        [DG_CAUSE_END_LONG] = { "end-long",
                                "the length in WRITE_CHUNK_END was too large: the file goes on with zeros "
                                "that nobody wrote",
                                "send the end of the highest acknowledged byte, not of the block or packet; "
                                "truncate the file" },
        [DG_CAUSE_BLOCK_NUMBER] = { "block-number",
                                    "the client computes block numbers wrongly: they start again at 0 in "
                                    "each write, or count "
                                    "from the start of the file in a later chunk",
                                    "block = (offset mod 64 MiB) / 64 KiB, counted in the chunk" },
        [DG_CAUSE_CHUNK_INDEX] = { "chunk-index",
                                   "the client computes the chunk's index wrongly: data of a later chunk "
                                   "went into another one",
                                   "index = offset / 64 MiB, with a WRITE_CHUNK for each" },
        [DG_CAUSE_NO_TRUNCATE] = { "no-truncate",
                                   "a longer file was overwritten without truncating it: its old tail "
                                   "remains",
                                   "truncate to the new length (WRITE_CHUNK_END never makes a file "
                                   "shorter)" },
        [DG_CAUSE_REFUSED] = { "refused-packet",
                               "a packet was refused (it crossed a 64 KiB block, named another chunk, was "
                               "too long, or had a "
                               "wrong CRC), the servers "
                               "closed the connection, and the client went on as if nothing had happened",
                               "split at block borders, take the CRC of exactly the payload, and treat the "
                               "end of a write "
                               "connection as a failure of everything unanswered" },
        [DG_CAUSE_WRITEID] = { "writeid-0",
                               "data were sent with writeid 0, which is acknowledged before it is written",
                               "number packets from 1 in each session" },
        [DG_CAUSE_RESEND] = { "no-resend",
                              "a writer died or its connection broke with packets unanswered, and they were "
                              "not sent again to "
                              "the whole chain",
                              "keep each packet until its status has come; after a failure send all that are "
                              "unanswered again "
                              "to all servers of a new WRITE_CHUNK" },
        [DG_CAUSE_WRITERS] = { "unlocked-writers",
                               "several writers were in the chunk at once: a lock of more than 120 s, "
                               "WRITE_CHUNK_END by "
                               "another, CONTINUEOP without holding the lock, or data after WRITE_CHUNK_END",
                               "one writer for each chunk, between its own WRITE_CHUNK and WRITE_CHUNK_END, "
                               "within 120 s" },
        [DG_CAUSE_MEMORY] = { "memory",
                              "a bit changed in memory before the checksum was computed (the checksum fits "
                              "the wrong bytes)",
                              "test the memory of the machine that wrote the file, and of the server if only "
                              "its copy is wrong" },
        [DG_CAUSE_DISK] = { "disk", "bytes changed on a disk after they were written",
                            "look at the disk's health (SMART, kernel log); the server makes a new copy when "
                            "another one is good" },
        [DG_CAUSE_BUFFER] = { "client-buffer",
                              "the client sent the bytes of another place: a wrong offset in its buffer, a "
                              "short read taken for "
                              "a full one, or a buffer that was filled again too early",
                              "keep a packet's bytes unchanged until its status has come; check the length "
                              "of every read" },
        [DG_CAUSE_PADDING] = { "padding",
                               "the client wrote whole packets or blocks past the end of the file: the bytes "
                               "are hidden now and "
                               "appear when the file grows",
                               "write the exact length; truncating down to the length and not up again "
                               "clears them" },
        [DG_CAUSE_CRASH] = { "server-crash",
                             "a chunkserver ended in the middle of writing: its checksum table was not "
                             "written to disk",
                             "rewrite the blocks from another copy; HDD_FSYNC_BEFORE_CLOSE=1 makes the "
                             "window smaller" },
        [DG_CAUSE_OTHER_FILE] = { "cached-chunk",
                                  "somebody wrote to a chunk id from a cache, without WRITE_CHUNK: it was "
                                  "shared with a snapshot, "
                                  "or belonged to another time",
                                  "ask WRITE_CHUNK before each session and write to the id and version that "
                                  "it answers" },
        [DG_CAUSE_GONE] = { "servers-gone", "no server that is connected has a usable copy",
                            "bring the chunkservers back that are missing (mfscli -SCS), before anybody "
                            "calls mfsfilerepair" },
};

const char *dg_cause_name(enum dg_cause_id id)
{
        return id < DG_CAUSES ? causes[id].name : "unknown";
}

const char *dg_cause_text(enum dg_cause_id id)
{
        return id < DG_CAUSES ? causes[id].text : "unknown";
}

const char *dg_cause_advice(enum dg_cause_id id)
{
        return id < DG_CAUSES ? causes[id].advice : "";
}

/* ---- what was found --------------------------------------------------------------------------------------- */

static void count(struct group *g, const struct dg_range *r)
{
        uint64_t from = (uint64_t)r->detail / CHUNK;

        g->runs++;
        g->blocks += r->count;
        switch (r->pattern) {
        case DG_TAIL:
                g->tail = true;
                g->zero += r->count;
                break;
        case DG_ZERO: g->zero += r->count; break;
        case DG_BIT: g->bit += r->count; break;
        case DG_SHIFT: g->shift += r->count; break;
        case DG_SWAP:
        case DG_OFFSET:
                if (from == r->chunk)
                        g->offset += r->count;
                else
                        g->far_offset += r->count;
                break;
        case DG_PAD: g->pad += r->count; break;
        default: g->content += r->count; break;
        }
}

/* The block that holds the last byte of the data. */
static bool is_last(const struct dg_file *f, const struct dg_range *r)
{
        uint64_t length = f->want_length != DG_UNKNOWN ? f->want_length : f->length;
        uint64_t block = (uint64_t)r->chunk * DG_BLOCKS + r->first;

        return length && r->count == 1 && block == (length - 1) / DG_BLOCK;
}

static void look(const struct dg_file *file, struct facts *f)
{
        uint32_t before = 0;

        memset(f, 0, sizeof(*f));
        f->file = file;
        f->last_only = true;
        for (size_t i = 0; i < file->ranges; i++) {
                const struct dg_range *r = &file->range[i];
                if (r->rot)
                        f->rot += r->count;
                if (!r->bad)
                        continue;
                if (r->by_original && !r->good) {
                        count(&f->common, r);
                        f->later_chunk |= r->chunk > 0;
                        f->common_differs |= !r->same;
                        continue;
                }
                count(&f->split, r);
                f->unread += r->sure ? 0 : r->count;
                f->table += r->table_bit && r->at == DG_UNKNOWN ? r->count : 0;
                f->last_only &= is_last(file, r);
                f->alternating |= before && !r->guess && r->bad != before;
                f->copies_bad |= r->bad;
                if (!r->guess)
                        before = r->bad;
        }
        f->last_only &= f->split.blocks > 0;
}

/* ---- the rules -------------------------------------------------------------------------------------------- */

static void say(struct list *l, enum dg_cause_id id, unsigned score, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* A cause that two rules name keeps the better of them. */
static void say(struct list *l, enum dg_cause_id id, unsigned score, const char *format, ...)
{
        struct dg_cause *c = NULL;
        va_list ap;
        int len;

        score = score * l->percent / 100;
        for (size_t i = 0; i < l->n; i++)
                if (l->out[i].id == id)
                        c = &l->out[i];
        if (c && c->score >= score)
                return;
        if (!c)
                c = &l->out[l->n++];
        c->id = id;
        c->score = score;
        va_start(ap, format);
        len = vsnprintf(c->evidence, sizeof(c->evidence), format, ap);
        va_end(ap);
        if (len >= 0 && (size_t)len < sizeof(c->evidence))
                snprintf(c->evidence + len, sizeof(c->evidence) - (size_t)len, "%s", l->caveat);
}

static unsigned long long ull(uint64_t n)
{
        return n;
}

/* What follows from other content alone, when nobody has seen it. */
static void weaken(const struct facts *f, struct list *l)
{
        if (f->table == f->split.blocks) {
                l->percent = 30;
                l->caveat = "; but it may be the checksum alone";
        } else if (f->unread == f->split.blocks) {
                l->percent = 70;
                l->caveat = "; the bytes were not read";
        }
}

/* Copies differ, which a correct client leaves behind only where it told somebody that it failed. */
static void split(const struct facts *f, struct list *l)
{
        const struct group *g = &f->split;
        bool zeros = g->zero > 0, one = g->blocks == g->runs;
        bool in_all = f->common.zero > 0 || f->common_differs;

        if (!g->blocks || g->bit == g->blocks)
                return;
        weaken(f, l);
        if (f->last_only && !f->common.blocks)
                say(l, DG_CAUSE_LAST_STATUS, 85,
                    "only the last block of the data differs between the copies");
        else if (one && !f->common.blocks)
                say(l, DG_CAUSE_LAST_STATUS, 57,
                    "single blocks differ between the copies, as the last of a write would");
        else if (zeros)
                say(l, DG_CAUSE_LAST_STATUS, 30, "whole blocks are missing in a copy");
        /* Some blocks reached some copies and others none: what was under way was given up. Servers that refuse a packet
         * close at once, and lose what they have queued in front of it, down to all of it. */
        if (zeros && in_all) {
                say(l, DG_CAUSE_RESEND, 86, "some blocks are missing in one copy and others in all");
                say(l, DG_CAUSE_REFUSED, 84,
                    "blocks are missing in all copies, and in one of them also what was queued before");
        }
        say(l, DG_CAUSE_FINISH, zeros ? (g->tail ? 82 : 76) : 60,
            "copies of the same version differ in %llu whole block%s, %s", ull(g->blocks),
            g->blocks == 1 ? "" : "s",
            g->tail ? "from a block border to the end of a copy's data"
            : zeros ? "holes of zeros at block borders"
                    : "one side has other content, as if it had never got them");
        if (f->file->empty_copies)
                say(l, DG_CAUSE_ONE_COPY, in_all ? 70 : 92, "%u %s nothing at all where others have data",
                    f->file->empty_copies, f->file->empty_copies == 1 ? "copy stores" : "copies store");
        else if (!f->alternating)
                say(l, DG_CAUSE_ONE_COPY, zeros ? 40 : 58,
                    "it is always the same side that lacks what was written");
        say(l, DG_CAUSE_RESEND, f->alternating ? 65 : 55, "copies of the same version differ%s",
            f->alternating ? ", now one, now another" : "");
        if (f->alternating || (g->content && g->runs > 2))
                say(l, DG_CAUSE_WRITERS, f->alternating && g->content ? 75 : 50,
                    "%llu runs of blocks differ, %s", ull(g->runs),
                    f->alternating ? "and not always in the same copy" : "with others in between that agree");
        else
                say(l, DG_CAUSE_WRITERS, 35, "copies of the same version differ");
        say(l, DG_CAUSE_WRITEID, one ? 56 : 33, "blocks are missing in a copy that acknowledged them");
        l->percent = 100;
        l->caveat = "";
}

/* All copies agree, and are wrong. */
static void common(const struct facts *f, struct list *l)
{
        const struct group *g = &f->common;
        uint64_t content = g->content + g->pad;

        if (!g->blocks)
                return;
        if (g->zero) {
                say(l, DG_CAUSE_REFUSED, 75, "all copies have zeros in %llu whole blocks%s", ull(g->zero),
                    g->tail ? ", up to the end" : "");
                say(l, DG_CAUSE_WRITEID, 45, "all copies lack blocks that the client took for written");
                say(l, DG_CAUSE_RESEND, g->tail ? 55 : 70, "all copies lack the same blocks%s",
                    g->tail ? "" : ", and have what comes after them");
                say(l, DG_CAUSE_BLOCK_NUMBER, f->later_chunk ? 60 : 50, "all copies lack %llu blocks%s",
                    ull(g->zero), f->later_chunk ? ", and not in the first chunk only" : "");
        }
        if (g->offset)
                say(l, DG_CAUSE_BLOCK_NUMBER, 90,
                    "%llu blocks hold the bytes of another block of their chunk", ull(g->offset));
        if (g->far_offset)
                say(l, DG_CAUSE_CHUNK_INDEX, 90, "%llu blocks hold the bytes of another chunk",
                    ull(g->far_offset));
        if (f->file->absent_chunks)
                say(l, DG_CAUSE_CHUNK_INDEX, g->far_offset ? 92 : 65,
                    "%u chunks are holes where the original has data", f->file->absent_chunks);
        if (g->shift || g->offset || g->far_offset)
                say(l, DG_CAUSE_BUFFER, g->shift ? 85 : 55, "%llu blocks hold right bytes in the wrong place",
                    ull(g->shift + g->offset + g->far_offset));
        if (content) {
                say(l, DG_CAUSE_REFUSED, 60, "all copies kept what was there before in %llu blocks",
                    ull(content));
                say(l, DG_CAUSE_BUFFER, 52, "all copies have the same other bytes, with fitting checksums");
                say(l, DG_CAUSE_OTHER_FILE, 48, "all copies have the same other content");
                say(l, DG_CAUSE_BLOCK_NUMBER, 47, "all copies have other content in %llu blocks",
                    ull(content));
                say(l, DG_CAUSE_RESEND, 40, "all copies lack the same blocks");
        }
        if (g->bit)
                say(l, DG_CAUSE_MEMORY, 90, "the same bit is wrong in all copies, and the checksums fit it");
}

static void lengths(const struct facts *f, struct list *l)
{
        const struct dg_file *file = f->file;
        uint64_t want = file->want_length, length = file->length;
        bool border = length && length % CHUNK == 0;

        if (want == DG_UNKNOWN) {
                if (!file->stored_data)
                        return; /* a chunk behind the end that holds nothing does not show what happened */
                say(l, DG_CAUSE_NO_END, length ? 64 : 90,
                    "data are stored up to byte %llu, the length is %llu", ull(file->stored), ull(length));
                say(l, DG_CAUSE_END_SHORT, 62, "data are stored up to byte %llu, the length is %llu",
                    ull(file->stored), ull(length));
                if (border)
                        say(l, DG_CAUSE_END_CHUNK, 85,
                            "the length ends at a chunk border and data are stored behind it");
                say(l, DG_CAUSE_PADDING, 45, "data are stored behind the end of the file");
                return;
        }
        if (length < want) {
                say(l, DG_CAUSE_NO_END, length ? 62 : 90, "the length is %llu of %llu bytes", ull(length),
                    ull(want));
                say(l, DG_CAUSE_END_SHORT, file->stored > length ? 72 : 60,
                    "the length is %llu of %llu bytes%s", ull(length), ull(want),
                    file->stored > length ? ", and more is stored" : "");
                if (border)
                        say(l, DG_CAUSE_END_CHUNK, 92, "the length is %llu of %llu bytes: a chunk border",
                            ull(length), ull(want));
        } else if (length > want) {
                say(l, DG_CAUSE_END_LONG, file->tail_differs ? 40 : 85, "%llu bytes too many%s",
                    ull(length - want), file->tail_differs ? "" : ", all zeros");
                say(l, DG_CAUSE_NO_TRUNCATE, file->tail_differs ? 92 : 45, "%llu bytes too many%s",
                    ull(length - want), file->tail_differs ? ", with content of their own" : "");
        } else if (file->stored_data) {
                say(l, DG_CAUSE_PADDING, 80, "data are stored behind the end of the file, up to byte %llu",
                    ull(file->stored));
        }
}

static void storage(const struct facts *f, struct list *l)
{
        const struct dg_file *file = f->file;

        if (f->rot) {
                say(l, DG_CAUSE_DISK, 90, "%llu %s not match the checksums stored with them", ull(f->rot),
                    f->rot == 1 ? "block does" : "blocks do");
                say(l, DG_CAUSE_CRASH, f->rot > 1 ? 60 : 45, "a table that was not written looks the same");
        }
        if (f->table)
                say(l, DG_CAUSE_DISK, 88,
                    "the checksums of %llu %s differ in one bit only, as those of two contents do once in "
                    "134 "
                    "million times: a bit of the checksum table changed",
                    ull(f->table), f->table == 1 ? "block" : "blocks");
        if (file->invalid) {
                say(l, DG_CAUSE_DISK, 80, "the master knows %u damaged %s", file->invalid,
                    file->invalid == 1 ? "copy" : "copies");
                say(l, DG_CAUSE_CRASH, 50, "the server itself called a copy damaged");
        }
        if (f->split.bit) {
                say(l, DG_CAUSE_MEMORY, 70, "one bit differs between copies, and the checksums fit both");
                say(l, DG_CAUSE_BUFFER, 55, "a buffer that changed between two sends looks the same");
        }
        if (f->split.pad + f->common.pad)
                say(l, DG_CAUSE_PADDING, 88, "bytes behind the end of the file are not zero");
        if (f->split.shift)
                say(l, DG_CAUSE_BUFFER, 78, "a copy has the right bytes in the wrong place");
        /* Damaged copies may be all that there were: then no server need be missing. */
        if (file->lost)
                say(l, DG_CAUSE_GONE, file->invalid >= file->lost ? 60 : 95, "%u %s without a usable copy",
                    file->lost, file->lost == 1 ? "chunk is" : "chunks are");
}

size_t dg_causes(const struct dg_file *file, struct dg_cause out[DG_CAUSES_MAX])
{
        struct dg_cause all[DG_CAUSES];
        struct list l = { .out = all, .percent = 100, .caveat = "" };
        struct facts f;
        size_t n = 0;

        look(file, &f);
        split(&f, &l);
        common(&f, &l);
        lengths(&f, &l);
        storage(&f, &l);
        while (n < DG_CAUSES_MAX && n < l.n) {
                size_t best = n;
                for (size_t i = n + 1; i < l.n; i++)
                        if (all[i].score > all[best].score)
                                best = i;
                struct dg_cause c = all[best];
                all[best] = all[n];
                all[n] = c;
                out[n++] = c;
        }
        return n;
}
