/* SPDX-License-Identifier: MIT */
/* The options of all commands, in one table; each command says which groups it takes. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tools/tool.h"

enum id {
        ID_HELP = 'h',
        ID_RECURSIVE = 'r',
        ID_QUIET = 'q',
        ID_VERBOSE = 'v',
        ID_LONG = 'l',
        ID_PARENTS = 'p',
        ID_ALGORITHM = 'a',
        ID_JOBS = 'j',
        ID_FORCE = 'f',
        ID_COUNT = 'c',
        ID_JSON = 256,
        ID_TIMING,
        ID_TRACE,
        ID_CONFIG,
        ID_STALL,
        ID_DEADLINE,
        ID_MAX,
        ID_ALL,
        ID_OFFSET,
        ID_LENGTH,
        ID_IF_ABSENT,
        ID_VERIFY,
        ID_KEEP_TIMES,
        ID_SIZE_HINT,
        ID_NO_TRASH,
        ID_NO_META,
        ID_OLDER_THAN,
        ID_DRY_RUN,
        ID_CRC,
        ID_NOFOLLOW,
        ID_METHOD,
        ID_EXPIRES,
        ID_CONTENT_TYPE,
        ID_DISPOSITION,
        ID_UPLOAD_ID,
        ID_PART,
        ID_MIN_SIZE,
        ID_MAX_SIZE,
        ID_PREFIX,
        ID_AGAINST,
        ID_DEEP,
        ID_RESUME,
        ID_RATE,
        ID_ERROR_GAP,
        ID_INDEX,
        ID_PICTURE,
        ID_PORT,
        ID_INODE,
        ID_CHUNK,
        ID_SERVER,
        ID_DELETE,
        ID_CHECKSUM,
        ID_GO_ON,
        ID_AS,
        ID_FILTER,
        ID_SLOW,
        ID_LIST,
        ID_SERVE,
        ID_CACHE_CONTROL,
        ID_HEADER,
        ID_META,
        ID_IF_MATCH,
        ID_IF_NONE_MATCH
};

struct definition {
        int id;
        const char *name;
        unsigned group;    /* enum option_bit */
        int argument;      /* no_argument ... */
        const char *shown; /* name of the argument */
        const char *help;
};

static const struct definition definitions[] = {
        { ID_RECURSIVE, "recursive", OPT_RECURSIVE, no_argument, NULL, "folders with all that is in them" },
        { ID_LONG, "long", OPT_LONG, no_argument, NULL, "mode, links, owner, group, length and time" },
        { ID_ALL, "all", OPT_ALL, no_argument, NULL, "also the temporaries of unfinished writers" },
        { ID_MAX, "max", OPT_MAX, required_argument, "N", "stop after N entries" },
        { ID_NOFOLLOW, "no-follow", OPT_NOFOLLOW, no_argument, NULL,
          "a symbolic link itself, not its target" },
        { ID_OFFSET, "offset", OPT_RANGE, required_argument, "N",
          "start at byte N (K, M, G, T: powers of 1024)" },
        { ID_LENGTH, "length", OPT_RANGE, required_argument, "N", "at most N bytes" },
        { ID_LENGTH, "length", OPT_LENGTH, required_argument, "N",
          "take the file as N bytes long, whatever the master says" },
        { ID_IF_ABSENT, "if-absent", OPT_WRITE | OPT_UPLOAD, no_argument, NULL,
          "fail when the name exists (decided atomically by the store)" },
        { ID_VERIFY, "verify", OPT_WRITE | OPT_SYNC, optional_argument, "HOW",
          "compare afterwards: md5 (default), sha256 or crc32 read the object again, replicas checks every "
          "copy" },
        { ID_KEEP_TIMES, "keep-times", OPT_WRITE, no_argument, NULL,
          "give the copy the times, and where possible the mode, of the source" },
        { ID_PARENTS, "parents", OPT_WRITE | OPT_MKDIR | OPT_UPLOAD, no_argument, NULL,
          "make missing folders above" },
        { ID_SIZE_HINT, "size-hint", OPT_SIZE_HINT, required_argument, "N",
          "how many bytes standard input or a FIFO will bring; another number is a failure" },
        { ID_JOBS, "jobs", OPT_JOBS, required_argument, "N", "objects in flight at once (default 16)" },
        { ID_FORCE, "force", OPT_FORCE, no_argument, NULL, "no failure when there is nothing to remove" },
        { ID_FORCE, "force", OPT_LENGTH, no_argument, NULL, "replace the destination and its map" },
        { ID_NO_TRASH, "no-trash", OPT_NO_TRASH, no_argument, NULL,
          "without going to the trash of the store, where it has one" },
        { ID_NO_META, "no-meta", OPT_WRITE | OPT_SYNC, no_argument, NULL,
          "leave out the source's metadata and headers, but its type (between stores like S3)" },
        { ID_ALGORITHM, "algorithm", OPT_ALGORITHM, required_argument, "NAME",
          "md5 (default), sha256 or crc32" },
        { ID_OLDER_THAN, "older-than", OPT_GC, required_argument, "TIME",
          "only what nobody has written to for so long (default 24h)" },
        { ID_DRY_RUN, "dry-run", OPT_GC, no_argument, NULL, "only show what would be removed" },
        { ID_DRY_RUN, "dry-run", OPT_SYNC, no_argument, NULL, "only show what would be done" },
        { ID_DELETE, "delete", OPT_SYNC, no_argument, NULL,
          "remove from the destination what the source does not have" },
        { ID_CHECKSUM, "checksum", OPT_SYNC, no_argument, NULL,
          "read both sides and compare them, whatever their times say" },
        { ID_COUNT, "count", OPT_COUNT, required_argument, "N", "round trips to measure (default 3)" },
        { ID_CRC, "crc", OPT_CRC, no_argument, NULL,
          "read the checksum table of every copy and compare them" },
        { ID_AGAINST, "against", OPT_AGAINST, required_argument, "FILE|MD5",
          "the original: a local file, an object of any store, or just its MD5" },
        { ID_DEEP, "deep", OPT_DEEP, no_argument, NULL,
          "read every block of every copy, each from its own server" },
        { ID_RATE, "rate", OPT_DEEP | OPT_GAP, required_argument, "SIZE",
          "read at most so many bytes a second from chunkservers" },
        { ID_ERROR_GAP, "error-gap", OPT_DEEP | OPT_GAP, required_argument, "TIME",
          "after a CRC error leave that chunkserver in peace for so long (default 10m); 0 takes the risk "
          "that it "
          "gives up the disk" },
        { ID_RESUME, "resume", OPT_RESUME, required_argument, "FILE",
          "keep in FILE how far the scan has come, and go on from there" },
        { ID_GO_ON, "resume", OPT_GO_ON, no_argument, NULL,
          "as a multipart upload; one of this name that was interrupted is continued" },
        { ID_AGAINST, "against", OPT_INDEX, required_argument, "FILE", "the original, a local file" },
        { ID_LENGTH, "length", OPT_INDEX, required_argument, "N", "take out the first N bytes only" },
        { ID_FORCE, "force", OPT_INDEX, no_argument, NULL, "replace the destination" },
        { ID_INDEX, "index", OPT_INDEX, required_argument, "N",
          "the place of the chunk in its file: 0 for the first 64 MiB" },
        { ID_PORT, "port", OPT_WIRE, required_argument, "N,N",
          "only TCP to these ports is MooseFS (default: found by what is said)" },
        { ID_INODE, "inode", OPT_WIRE, required_argument, "N", "only what is about this file" },
        { ID_CHUNK, "chunk", OPT_WIRE, required_argument, "HEX", "only what is about this chunk" },
        { ID_SERVER, "server", OPT_WIRE, required_argument, "IP[:PORT]",
          "only what goes to or comes from it" },
        { ID_AS, "as", OPT_CONFORM, required_argument, "VERSION",
          "the version that the client declares (default 4.59.2); with --serve, that of the servers "
          "(3.0.117)" },
        { ID_FILTER, "filter", OPT_CONFORM, required_argument, "TEXT",
          "only checks with this in their name" },
        { ID_SLOW, "slow", OPT_CONFORM, no_argument, NULL, "also checks that take longer than 4 s" },
        { ID_LIST, "list", OPT_CONFORM, no_argument, NULL, "list the checks, ask no server" },
        { ID_SERVE, "serve", OPT_CONFORM, no_argument, NULL,
          "be the servers, and look at what a client does" },
        { ID_PORT, "port", OPT_CONFORM, required_argument, "N",
          "with --serve: of the master (default: any)" },
        { ID_METHOD, "method", OPT_PRESIGN, required_argument, "NAME",
          "GET (default), PUT, DELETE, part, or POST for a form" },
        { ID_EXPIRES, "expires", OPT_PRESIGN, required_argument, "TIME", "how long it lives (default 1h)" },
        { ID_CONTENT_TYPE, "content-type", OPT_PRESIGN, required_argument, "TYPE",
          "what must be sent, or with GET what the answer says; image/ in a form: any image" },
        { ID_DISPOSITION, "disposition", OPT_PRESIGN, required_argument, "TEXT",
          "Content-Disposition of the answer to a GET" },
        { ID_CONTENT_TYPE, "content-type", OPT_PROPS, required_argument, "TYPE",
          "of the object, instead of what its name says (stores like S3)" },
        { ID_CACHE_CONTROL, "cache-control", OPT_PROPS, required_argument, "TEXT",
          "how browsers may keep it: max-age=3600" },
        { ID_DISPOSITION, "disposition", OPT_PROPS, required_argument, "TEXT",
          "Content-Disposition: attachment; filename=\"x.pdf\"" },
        { ID_HEADER, "header", OPT_PROPS, required_argument, "NAME:VALUE",
          "any other header that is kept with the object (may be repeated)" },
        { ID_META, "meta", OPT_PROPS, required_argument, "NAME=VALUE",
          "metadata of your own (may be repeated)" },
        { ID_IF_MATCH, "if-match", OPT_PROPS, required_argument, "ETAG",
          "replace only the object with this ETag (decided atomically by the store)" },
        { ID_IF_MATCH, "if-match", OPT_CONDITION, required_argument, "ETAG",
          "fail when the object has another ETag" },
        { ID_IF_NONE_MATCH, "if-none-match", OPT_CONDITION, required_argument, "ETAG",
          "fail when the object has this ETag still" },
        { ID_UPLOAD_ID, "upload-id", OPT_PRESIGN | OPT_UPLOAD, required_argument, "ID",
          "of the multipart upload" },
        { ID_PART, "part", OPT_PRESIGN | OPT_UPLOAD, required_argument, "N", "number of the part, from 1" },
        { ID_MIN_SIZE, "min-size", OPT_PRESIGN, required_argument, "N", "least length of a posted file" },
        { ID_MAX_SIZE, "max-size", OPT_PRESIGN, required_argument, "N", "greatest length of a posted file" },
        { ID_PREFIX, "prefix", OPT_PRESIGN, no_argument, NULL,
          "a form for any key that begins with this one" },
        { ID_PICTURE, "picture", OPT_CRC, no_argument, NULL,
          "with --crc, a row of cells for each copy, also where standard output is no terminal" },
        { ID_QUIET, "quiet", OPT_COMMON, no_argument, NULL,
          "no progress bar, and no line that only says that all is well" },
        { ID_VERBOSE, "verbose", OPT_COMMON, no_argument, NULL, "a line for each thing done" },
        { ID_JSON, "json", OPT_COMMON, no_argument, NULL, "one JSON object a line, for programs" },
        { ID_TIMING, "timing", OPT_COMMON, no_argument, NULL,
          "print at the end where the time went, by phase and server" },
        { ID_TRACE, "trace", OPT_COMMON, required_argument, "FILE",
          "write every phase to FILE, for Perfetto" },
        { ID_CONFIG, "config", OPT_COMMON, required_argument, "FILE",
          "named stores from FILE, not from roma.conf" },
        { ID_STALL, "stall", OPT_COMMON, required_argument, "TIME",
          "longest time without any progress, as 90s or 5m (default 60s; MooseFS at least 35s)" },
        { ID_DEADLINE, "deadline", OPT_COMMON, required_argument, "TIME",
          "longest time for one operation, as 500ms, 90s or 2h" },
        { ID_HELP, "help", OPT_COMMON, no_argument, NULL, "this text" },
};

enum { DEFINITIONS = sizeof(definitions) / sizeof(definitions[0]) };

static bool takes(const struct command *c, const struct definition *d)
{
        return ((c->options | OPT_COMMON) & d->group) != 0;
}

/* The tables of getopt_long(): only what this command takes. */
static void build(const struct command *c, char *letters, struct option *longs)
{
        *letters++ = ':'; /* tell a missing argument from an unknown option */
        for (size_t i = 0; i < DEFINITIONS; i++) {
                const struct definition *d = &definitions[i];
                if (!takes(c, d))
                        continue;
                *longs++ = (struct option){ d->name, d->argument, NULL, d->id };
                if (d->id >= 256)
                        continue;
                *letters++ = (char)d->id;
                if (d->argument == required_argument)
                        *letters++ = ':';
        }
        *letters = 0;
        *longs = (struct option){ 0 };
}

static bool number(const char *text, uint64_t lowest, uint64_t highest, uint64_t *value)
{
        return parse_size(text, value) && *value >= lowest && *value <= highest;
}

static bool milliseconds(const char *text, uint32_t *value)
{
        uint64_t ms;

        if (!parse_duration_ms(text, &ms) || ms == 0 || ms >= ROMA_NEVER)
                return false;
        *value = (uint32_t)ms;
        return true;
}

static bool algorithm(const char *text, int *value)
{
        if (!text || !strcmp(text, "md5"))
                *value = ROMA_MD5;
        else if (!strcmp(text, "sha256"))
                *value = ROMA_SHA256;
        else if (!strcmp(text, "crc32"))
                *value = ROMA_CRC32;
        else
                return false;
        return true;
}

static bool verification(const char *text, int *value)
{
        if (text && !strcmp(text, "replicas")) {
                *value = ROMA_REPLICAS;
                return true;
        }
        return algorithm(text, value);
}

static bool ports(const char *text, struct options *o)
{
        char *end;

        for (o->nports = 0; o->nports < sizeof(o->ports) / sizeof(o->ports[0]); text = end + 1) {
                unsigned long n = strtoul(text, &end, 10);

                if (end == text || *text == '-' || !n || n > 65535 || (*end && *end != ','))
                        return false;
                o->ports[o->nports++] = (uint16_t)n;
                if (!*end)
                        return true;
        }
        return false;
}

static bool hexadecimal(const char *text, uint64_t *value)
{
        char *end;

        *value = strtoull(text, &end, 16);
        return end != text && *text != '-' && !*end && *value;
}

static bool prop(struct options *o, int kind, const char *name, const char *value)
{
        if (!*name || !*value || o->nprops == ROMA_MAX_PROPS)
                return false;
        o->props[o->nprops++] = (roma_prop){ kind, name, value };
        return true;
}

/* "NAME:VALUE" or "NAME=VALUE"; the name ends where it stands, in the program's own arguments. */
static bool named_prop(struct options *o, int kind, const char *text, char sign)
{
        char *at = strchr(text, sign);
        bool good;

        if (!at)
                return false;
        *at = 0;
        good = prop(o, kind, text, at + 1 + (sign == ':' ? strspn(at + 1, " ") : 0));
        if (!good)
                *at = sign; /* for the message */
        return good;
}

/* Options with an argument. false: the argument makes no sense. */
static bool set_value(struct options *o, int id, const char *text)
{
        uint64_t n;

        switch (id) {
        case ID_TRACE: o->trace = text; return *text != 0;
        case ID_CONFIG: o->config = text; return *text != 0;
        case ID_STALL: return milliseconds(text, &o->stall_ms);
        case ID_DEADLINE: return milliseconds(text, &o->deadline_ms);
        case ID_MAX: return number(text, 1, UINT64_MAX - 1, &o->max);
        case ID_OFFSET: return number(text, 0, INT64_MAX, &o->offset);
        case ID_LENGTH: return number(text, 0, INT64_MAX, &o->length);
        case ID_AGAINST: o->against = text; return *text != 0;
        case ID_RESUME: o->resume = text; return *text != 0;
        case ID_RATE: return number(text, 1, INT64_MAX, &o->rate);
        case ID_ERROR_GAP: return parse_duration_ms(text, &o->error_gap_ms) && o->error_gap_ms < 1000000000;
        case ID_INDEX: return number(text, 0, INT32_MAX, &o->index);
        case ID_SIZE_HINT: return number(text, 0, INT64_MAX, &o->size_hint);
        case ID_VERIFY: return verification(text, &o->verify);
        case ID_ALGORITHM: return algorithm(text, &o->algorithm);
        case ID_PORT: return ports(text, o);
        case ID_INODE: return number(text, 1, UINT32_MAX, &o->inode);
        case ID_CHUNK: return hexadecimal(text, &o->chunk);
        case ID_AS: o->as = text; return *text != 0;
        case ID_FILTER: o->filter = text; return *text != 0;
        case ID_SERVER: o->server = text; return *text != 0;
        case ID_JOBS:
                if (!number(text, 1, 1024, &n))
                        return false;
                o->jobs = (unsigned)n;
                return true;
        case ID_COUNT:
                if (!number(text, 1, 1000000, &n))
                        return false;
                o->count = (unsigned)n;
                return true;
        case ID_METHOD: o->method = text; return *text != 0;
        case ID_CONTENT_TYPE: o->content_type = text; return prop(o, ROMA_PROP_HEADER, "Content-Type", text);
        case ID_CACHE_CONTROL: return prop(o, ROMA_PROP_HEADER, "Cache-Control", text);
        case ID_DISPOSITION:
                o->disposition = text;
                return prop(o, ROMA_PROP_HEADER, "Content-Disposition", text);
        case ID_IF_MATCH: o->if_match = text; return *text != 0;
        case ID_IF_NONE_MATCH: o->if_none_match = text; return *text != 0;
        case ID_HEADER: return named_prop(o, ROMA_PROP_HEADER, text, ':');
        case ID_META: return named_prop(o, ROMA_PROP_META, text, '=');
        case ID_UPLOAD_ID: o->upload_id = text; return *text != 0;
        case ID_MIN_SIZE: return number(text, 0, INT64_MAX, &o->min_size);
        case ID_MAX_SIZE: return number(text, 1, INT64_MAX, &o->max_size);
        case ID_PART:
                if (!number(text, 1, 10000, &n))
                        return false;
                o->part = (unsigned)n;
                return true;
        case ID_EXPIRES:
                if (!parse_duration_ms(text, &n) || n < 1000 || n / 1000 > UINT32_MAX)
                        return false;
                o->expires_s = (uint32_t)(n / 1000);
                return true;
        case ID_OLDER_THAN:
                if (!parse_duration_ms(text, &n))
                        return false;
                o->older_than_s = n / 1000;
                return true;
        default: return false;
        }
}

static bool set(struct options *o, int id, const char *text)
{
        switch (id) {
        case ID_HELP: o->help = true; return true;
        case ID_RECURSIVE: o->recursive = true; return true;
        case ID_QUIET: o->quiet = true; return true;
        case ID_VERBOSE: o->verbose = true; return true;
        case ID_JSON: o->json = true; return true;
        case ID_TIMING: o->timing = true; return true;
        case ID_LONG: o->long_form = true; return true;
        case ID_ALL: o->all = true; return true;
        case ID_NOFOLLOW: o->nofollow = true; return true;
        case ID_IF_ABSENT: o->if_absent = true; return true;
        case ID_KEEP_TIMES: o->keep_times = true; return true;
        case ID_PARENTS: o->parents = true; return true;
        case ID_FORCE: o->force = true; return true;
        case ID_NO_TRASH: o->no_trash = true; return true;
        case ID_NO_META: o->no_meta = true; return true;
        case ID_DRY_RUN: o->dry_run = true; return true;
        case ID_CRC: o->crc = true; return true;
        case ID_PREFIX: o->prefix = true; return true;
        case ID_DEEP: o->deep = true; return true;
        case ID_PICTURE: o->picture = true; return true;
        case ID_DELETE: o->remove = true; return true;
        case ID_CHECKSUM: o->checksum = true; return true;
        case ID_GO_ON: o->go_on = true; return true;
        case ID_SLOW: o->slow = true; return true;
        case ID_LIST: o->list = true; return true;
        case ID_SERVE: o->serve = true; return true;
        default: return set_value(o, id, text);
        }
}

static const struct definition *definition(int id)
{
        for (size_t i = 0; i < DEFINITIONS; i++)
                if (definitions[i].id == id)
                        return &definitions[i];
        return NULL;
}

/* What a refused value may look like. */
static const char *units_of(const char *shown)
{
        if (!strcmp(shown, "SIZE"))
                return "; a whole number of bytes, also with K, M, G or T behind it";
        return strcmp(shown, "TIME") ? "" : "; a whole number of seconds, or with ms, s, m, h or d behind it";
}

static int refuse(const struct command *c, const char *why, const char *what)
{
        fprintf(stderr, "roma: %s: %s %s; see `roma help %s`\n", c->name, why, what, c->name);
        return -1;
}

int options_parse(struct options *o, const struct command *command, int argc, char **argv, int *first)
{
        char letters[2 * DEFINITIONS + 2];
        struct option longs[DEFINITIONS + 1];
        int id;

        *o = (struct options){ .jobs = 16,
                               .length = UINT64_MAX,
                               .size_hint = UINT64_MAX,
                               .algorithm = ROMA_MD5,
                               .older_than_s = 24 * 3600,
                               .count = 3,
                               .error_gap_ms = 600000,
                               .index = UINT64_MAX };
        build(command, letters, longs);
        opterr = 0;
        optind = 1;
        while ((id = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
                if (id == ':')
                        return refuse(command, "an argument is missing after", argv[optind - 1]);
                if (id == '?')
                        return refuse(command, "it does not take the option", argv[optind - 1]);
                if (!set(o, id, optarg)) {
                        const struct definition *d = definition(id);
                        char what[500];
                        snprintf(what, sizeof(what), "--%s: %.200s (%s: %s%s)", d->name, optarg ? optarg : "",
                                 d->shown, d->help, units_of(d->shown));
                        return refuse(command, "this value cannot be used for", what);
                }
        }
        if (o->if_absent && o->if_match)
                return refuse(command, "these exclude each other:", "--if-absent and --if-match");
        *first = optind;
        return 0;
}

void options_help(struct tool *t, const struct command *command)
{
        for (size_t i = 0; i < DEFINITIONS; i++) {
                const struct definition *d = &definitions[i];
                char left[64], letter[8] = "    ";

                if (!takes(command, d))
                        continue;
                if (d->id < 256)
                        snprintf(letter, sizeof(letter), "-%c, ", d->id);
                snprintf(left, sizeof(left), "%s--%s%s%s%s", letter, d->name,
                         d->argument == optional_argument ? "[" : "", d->shown ? "=" : "",
                         d->shown ? d->shown : "");
                out(t, "  %s%s%*s %s\n", left, d->argument == optional_argument ? "]" : "",
                    (int)(24 - strlen(left) - (d->argument == optional_argument)), "", d->help);
        }
}
