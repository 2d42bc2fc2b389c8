/* SPDX-License-Identifier: MIT */
/* The rules, and what is said when one was broken. The order is that of enum au_rule. */
#include "mfsproto/audit/inner.h"

#include <stdarg.h>
#include <stdio.h>

static const roma_wire_rule rules[AU_RULES] = {
        [AU_FINISH_EARLY] = { "finish-early",
                              "WRITE_FINISH comes after the status of every packet of data. The status with "
                              "writeid 0 "
                              "says that the chain is up and answers no data.",
                              "all servers but the last drop the blocks that they have not yet written: the "
                              "replicas "
                              "differ, with holes of zeros at block borders, and all are VALID (a single "
                              "server writes "
                              "them all the same)" },
        [AU_END_EARLY] = { "end-early", "WRITE_CHUNK_END comes after the status of every packet of data.",
                           "a snapshot, a truncate, a replication or another writer may run at the same time "
                           "as the "
                           "late data: replicas and snapshots may differ" },
        [AU_CHAIN] = { "chain", "head and chain are exactly the servers of the WRITE_CHUNK reply, each once.",
                       "a server that is left out keeps an old or empty copy, which is VALID and read as "
                       "often as the "
                       "others: the file has several contents (a server named twice writes twice, which is "
                       "harmless)" },
        [AU_BLOCK] = { "block",
                       "a packet of data lies inside one block: offset + size <= 65536, block number < 1024, "
                       "payload = "
                       "24 + size.",
                       "the chunkserver refuses it and closes (in a chain without a status): the data of "
                       "this and all "
                       "later packets are not stored" },
        [AU_CRC] = { "crc", "the CRC of a packet is that of exactly its own bytes.",
                     "the chunkserver refuses it and closes (in a chain without a status): the data of this "
                     "and all "
                     "later packets are not stored" },
        [AU_WRITEID_ZERO] = { "writeid-zero", "data never have writeid 0.",
                              "they are acknowledged before they are written, and the session never ends "
                              "well: what "
                              "follows may be lost on any replica" },
        [AU_WRONG_ID] = { "wrong-id",
                          "chunk id and version are those of the WRITE_CHUNK reply, in every packet.",
                          "the session is refused, or another chunk or an old version of this one is written "
                          "to" },
        [AU_LOST_DATA] = { "lost-data",
                           "after a refusal or the end of a connection every packet without an answer is "
                           "sent again, to "
                           "the whole new chain, before END says that the file has it.",
                           "each replica has these blocks or not: zeros or old content on some, at equal "
                           "versions, all "
                           "VALID" },
        [AU_END_SHORT] = { "end-short",
                           "END's length is index * 64 MiB + the highest acknowledged offset, or the old "
                           "length if that "
                           "is larger.",
                           "the tail is invisible, and comes back when the file grows later: the file is "
                           "cut, or shows "
                           "garbage then" },
        [AU_END_LONG] = { "end-long",
                          "END's length is index * 64 MiB + the highest acknowledged offset, or the old "
                          "length if that "
                          "is larger.",
                          "the file ends in zeros that nobody wrote; when block numbers started again in "
                          "each call, "
                          "earlier blocks were overwritten as well" },
        [AU_END_RELATIVE] = { "end-relative",
                              "END's length is counted from the start of the file, not of the chunk.",
                              "the length does not grow: all behind the last border of 64 MiB is cut off" },
        [AU_END_INDEX] = { "end-index",
                           "each 64 MiB of a file has a chunk index of its own, asked for by WRITE_CHUNK.",
                           "blocks of an earlier chunk are overwritten, the later part of the file is "
                           "zeros" },
        [AU_NO_TRUNCATE] = { "no-truncate",
                             "a file that becomes shorter is truncated by TRUNCATE; END never makes it "
                             "shorter.",
                             "the old tail remains behind the new content" },
        [AU_NO_END] = { "no-end", "each WRITE_CHUNK reply is followed by a WRITE_CHUNK_END.",
                        "the length of the file does not grow, so the data are invisible, and the chunk "
                        "stays locked for "
                        "120 s" },
        [AU_AFTER_END] = { "after-end", "no data after WRITE_CHUNK_END without a new WRITE_CHUNK.",
                           "nothing protects this write: a snapshot, a truncate, a replication or another "
                           "writer runs "
                           "beside it, and replicas may differ" },
        [AU_LOCK_TIME] = { "lock-time", "a chunk is asked for again within 120 s of its grant.",
                           "the lock has ended without a word: another client may be writing to the same "
                           "chunk" },
        [AU_NO_GRANT] = { "no-grant",
                          "a chunk is written to only after a WRITE_CHUNK of its own; ids from a cache, "
                          "LOOKUP or "
                          "READ_CHUNK are for reading.",
                          "no lock, and no copy is made of a chunk that a snapshot shares: the write changes "
                          "the snapshot "
                          "too" },
        [AU_CONTINUE] = { "continue", "CONTINUEOP is only for who holds the lock of this chunk.",
                          "two writers at once: their packets arrive in another order on each replica" },
        [AU_PIPELINE] = { "pipeline", "no request to a chunkserver before the READ_STATUS of the one before.",
                          "the chunkserver closes the connection and the read fails" },
        [AU_MSGID] = { "msgid", "a query to the master never has msgid 0, which is for what it says unasked.",
                       "the reply is taken for an announcement: the client waits, or believes the wrong "
                       "reply" },
        [AU_PACKET] = { "packet", "a packet has one of the lengths that the server's version takes.",
                        "the master ends the connection without a word, and all that was under way is lost" },
};

const roma_wire_rule *roma_wire_rule_at(size_t n)
{
        return n < AU_RULES ? &rules[n] : NULL;
}

char *au_addr_text(const struct au_addr *a, char out[56])
{
        int n = 0;

        if (a->v != 6) {
                snprintf(out, 56, "%u.%u.%u.%u:%u", a->ip[0], a->ip[1], a->ip[2], a->ip[3], a->port);
                return out;
        }
        for (int i = 0; i < 16; i += 2)
                n += snprintf(out + n, 56 - (size_t)n, "%s%x", i ? ":" : "[", wire_be16(a->ip + i));
        snprintf(out + n, 56 - (size_t)n, "]:%u", a->port);
        return out;
}

void au_broken(roma_wire *w, enum au_rule rule, const struct au_spot *at, const char *fmt, ...)
{
        char from[56] = "", to[56] = "";
        roma_wire_finding f = { .rule = &rules[rule],
                                .frame = w->frame,
                                .time_ns = w->frame_ns,
                                .chunk = at->chunk,
                                .block = at->block,
                                .from = from,
                                .to = to };
        va_list ap;

        if (at->where) {
                f.frame = at->where->frame;
                f.time_ns = at->where->time_ns;
                f.connection = at->where->conn;
                au_addr_text(&at->where->from, from);
                au_addr_text(&at->where->to, to);
        } else if (at->c) {
                f.connection = at->c->number;
                au_addr_text(au_client(at->c), from);
                au_addr_text(au_server(at->c), to);
        }
        if (at->g) {
                f.inode = at->g->inode;
                f.index = at->g->index;
        }
        ri_str_reset(&w->text);
        va_start(ap, fmt);
        ri_str_vprintf(&w->text, fmt, ap);
        va_end(ap);
        f.text = ri_str_cstr(&w->text);
        au_held_take(w, rule, &f, at);
}

void au_unchecked(roma_wire *w, const char *fmt, ...)
{
        va_list ap;

        if (++w->report.unchecked > AU_TOLD_MAX || !w->opts.unchecked)
                return;
        ri_str_reset(&w->text);
        va_start(ap, fmt);
        ri_str_vprintf(&w->text, fmt, ap);
        va_end(ap);
        w->opts.unchecked(w->opts.arg, ri_str_cstr(&w->text));
}
