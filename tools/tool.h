/* SPDX-License-Identifier: MIT */
/* What the parts of the program share. Prototypes stand under the name of the file that has the function. */
#ifndef TOOL_H
#define TOOL_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>
#include <roma/roma.h>
#include <roma/wire.h>

/* Exit codes; doc/roma.md explains them to users. */
enum exit_code {
        EXIT_OK = 0,
        EXIT_OTHER = 1,
        EXIT_USAGE = 2,
        EXIT_NOT_FOUND = 3,
        EXIT_DENIED = 4,
        EXIT_NETWORK = 5,
        EXIT_NO_SPACE = 6,
        EXIT_INTEGRITY = 7,
        EXIT_UNKNOWN = 8,
        EXIT_EXISTS = 9
};

struct tool;
struct place;
struct progress;
struct timing;

/* One bit for each option, so that a command can say which it takes. */
enum option_bit {
        OPT_COMMON = 1u << 0, /* those of every command */
        OPT_RECURSIVE = 1u << 1,
        OPT_LONG = 1u << 2,
        OPT_MAX = 1u << 3,
        OPT_ALL = 1u << 4,
        OPT_RANGE = 1u << 5,
        OPT_WRITE = 1u << 6, /* if-absent, verify, keep-times, parents */
        OPT_SIZE_HINT = 1u << 7,
        OPT_JOBS = 1u << 8,
        OPT_FORCE = 1u << 9,
        OPT_NO_TRASH = 1u << 10,
        OPT_CONDITION = 1u << 11, /* if-match, if-none-match: of what is read */
        OPT_ALGORITHM = 1u << 12,
        OPT_GC = 1u << 13,
        OPT_COUNT = 1u << 14,
        OPT_CRC = 1u << 15,
        OPT_NOFOLLOW = 1u << 16,
        OPT_MKDIR = 1u << 17,
        OPT_AGAINST = 1u << 18,
        OPT_DEEP = 1u << 19, /* deep, rate, error-gap */
        OPT_RESUME = 1u << 20,
        OPT_GAP = 1u << 21, /* rate, error-gap */
        OPT_INDEX = 1u << 22,
        OPT_PRESIGN = 1u << 23,
        OPT_WIRE = 1u << 24,
        OPT_LENGTH = 1u << 25,
        OPT_CONFORM = 1u << 26,
        OPT_UPLOAD = 1u << 27, /* upload-id, part, if-absent, parents */
        OPT_SYNC = 1u << 28,
        OPT_GO_ON = 1u << 29, /* put --resume */
        OPT_PROPS = 1u << 30  /* content-type, cache-control, disposition, header, meta */
};

struct options {
        bool recursive, quiet, verbose, json, timing, help;
        const char *trace, *config;
        uint32_t stall_ms, deadline_ms; /* 0: the library's default */
        bool long_form, all, nofollow;
        uint64_t max; /* 0: no limit */
        uint64_t offset, length;
        bool if_absent, keep_times, parents, force, no_trash, no_meta, dry_run, crc;
        int verify; /* enum roma_verify */
        uint64_t size_hint;
        unsigned jobs;
        int algorithm; /* ROMA_MD5, ROMA_SHA256, ROMA_CRC32 */
        uint64_t older_than_s;
        unsigned count;
        /* presign */
        const char *method, *content_type, *disposition, *upload_id;
        uint32_t expires_s;
        unsigned part;
        uint64_t min_size, max_size;
        bool prefix;
        const char *against, *resume;
        bool deep, picture;
        bool remove, checksum; /* sync */
        bool go_on;            /* put --resume */
        roma_prop props[ROMA_MAX_PROPS];
        size_t nprops;
        const char *if_match, *if_none_match;
        uint64_t rate;         /* bytes a second; 0: no limit */
        uint64_t error_gap_ms; /* between a CRC error and the next read from that chunkserver */
        uint64_t index;        /* UINT64_MAX: not said */
        uint16_t ports[32];    /* wire: none means any */
        size_t nports;
        uint64_t inode, chunk; /* wire: 0 means all */
        const char *server;
        bool audit;
        const char *as, *filter; /* conform */
        bool slow, list, serve;
};

struct command {
        const char *name;
        int (*run)(struct tool *t, int argc, char **argv); /* argv: the arguments without options */
        const char *usage;                                 /* what follows "roma NAME [OPTION]... " */
        const char *summary;                               /* one line for `roma help` */
        const char *help;                                  /* paragraphs for `roma help NAME` */
        unsigned options;                                  /* enum option_bit */
};

/* An operation that the program has started, embedded in its owner. Interruption walks the list of these. */
struct flight {
        struct flight *next, *prev;
        struct tool *tool;
        roma_op op; /* 0: did not start, or a job of the program's own */
        void (*end)(struct flight *f, const roma_result *r);
        char *refused; /* the sentence of an operation that did not start, and its code */
        int refused_code;
};

struct tool {
        const struct command *command;
        struct options opt;
        roma_loop *loop;
        struct flight *flights;
        struct place *places;
        struct progress *progress; /* NULL: no bar */
        struct timing *timing;     /* NULL: no --timing, no --trace */
        int status;                /* enum exit_code of the gravest failure so far */
        int signal;                /* the signal that ended the program, 0 if none */
        int output_errno;          /* why standard output failed, 0 if it did not */
        bool stopping;             /* nothing new is started */
        bool hanging;              /* a thread still uses buffers of the loop, which must not be freed */
};

/* roma.c */
extern const struct command commands[];
const struct command *command_find(const char *name);

/* One file for each command. */
int cmd_cat(struct tool *t, int argc, char **argv);
int cmd_chunkfile(struct tool *t, int argc, char **argv);
int cmd_chunks(struct tool *t, int argc, char **argv);
int cmd_conform(struct tool *t, int argc, char **argv);
int cmd_cp(struct tool *t, int argc, char **argv);
int cmd_gc(struct tool *t, int argc, char **argv);
int cmd_diagnose(struct tool *t, int argc, char **argv);
int cmd_get(struct tool *t, int argc, char **argv);
int cmd_hash(struct tool *t, int argc, char **argv);
int cmd_help(struct tool *t, int argc, char **argv);
int cmd_ls(struct tool *t, int argc, char **argv);
int cmd_mb(struct tool *t, int argc, char **argv);
int cmd_mkdir(struct tool *t, int argc, char **argv);
int cmd_mv(struct tool *t, int argc, char **argv);
int cmd_ping(struct tool *t, int argc, char **argv);
int cmd_presign(struct tool *t, int argc, char **argv);
int cmd_put(struct tool *t, int argc, char **argv);
int cmd_rb(struct tool *t, int argc, char **argv);
int cmd_rm(struct tool *t, int argc, char **argv);
int cmd_salvage(struct tool *t, int argc, char **argv);
int cmd_stat(struct tool *t, int argc, char **argv);
int cmd_sync(struct tool *t, int argc, char **argv);
int cmd_upload(struct tool *t, int argc, char **argv);
int cmd_version(struct tool *t, int argc, char **argv);
int cmd_wire(struct tool *t, int argc, char **argv);

/* serve.c: conform --serve. */
int serve(struct tool *t, int argc, char **argv);
/* cmd-wire.c: a broken rule, as text or JSON. */
void finding_show(struct tool *t, const roma_wire_finding *f);

/* capture.c: gives the frames of a capture file to w. */
bool capture_read(struct tool *t, const char *path, roma_wire *w, bool *damaged);

/* options.c */
/* Reads the options of `command`; *first is the index of the first argument. 0, or -1 after a message. */
int options_parse(struct options *o, const struct command *command, int argc, char **argv, int *first);
void options_help(struct tool *t, const struct command *command);

/* units.c */
bool parse_size(const char *text, uint64_t *bytes);       /* 10, 64K, 5G: powers of 1024 */
bool parse_duration_ms(const char *text, uint64_t *ms);   /* 90, 90s, 500ms, 5m, 24h, 7d */
int64_t whole_seconds(int64_t ns);                        /* as time_t has it: before 1970 the earlier one */
void format_size(char out[16], uint64_t bytes);           /* "5.0 GiB" */
void format_duration(char out[16], uint64_t ns);          /* "12.3 ms" */
void format_time(char out[40], int64_t ns, bool precise); /* "2026-01-31 12:00:00" in local time */

/* memory.c: the program cannot do anything sensible without memory; these end it with a sentence. */
void *need(void *p);
void *need_zeroed(size_t size);
char *need_copy(const char *s);
char *need_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* output.c: every write to standard output is checked, and the first failure stops the program. */
void out(struct tool *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void out_bytes(struct tool *t, const void *data, size_t len);
void out_name(struct tool *t, const char *name); /* control characters hidden on a terminal */
void out_json(struct tool *t, json_t *object);   /* one line; takes the reference */
void out_flush(struct tool *t);                  /* lines are seen as soon as they are true */
void out_failed(struct tool *t, int error);
void out_close(struct tool *t);
void complain(struct tool *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
int usage(struct tool *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* report.c: failures and their exit codes. */
int exit_of(const roma_result *r);
void status_raise(struct tool *t, int exit_code);
/* One line on standard error, in JSON mode also an object on standard output; remembers the exit code. Nothing
 * for what was cancelled because the program is stopping, unless its outcome is not certain. */
void report_failure(struct tool *t, const roma_result *r, const char *name);

/* names.c */
bool name_is_utf8(const char *name);
/* "field": name, with replacement characters where it is not UTF-8, and then also "field_hex". */
void json_name(json_t *object, const char *field, const char *name);
json_t *json_of(json_t *value); /* ends the program when memory was missing */
const char *name_base(const char *path);
char *key_join(const char *folder, const char *name);  /* exactly so: a slash at the end is a part of a key */
char *path_join(const char *folder, const char *name); /* with one slash between them */

/* attrs.c */
const char *type_name(unsigned type);
void json_attr(json_t *object, const roma_attr *attr);
void format_mode(char out[11], const roma_attr *attr);
/* "headers" and "metadata", where there are some. */
void json_props(json_t *object, const roma_prop *v, size_t n);

/* flight.c */
roma_done flight_done;
/* Registers an operation that was just started with flight_done and f; 0 is reported to `end` like any failure. */
void flight_track(struct tool *t, struct flight *f, void (*end)(struct flight *f, const roma_result *r),
                  roma_op op);
void flight_drive(struct tool *t); /* until nothing is in flight */
void flight_stop(struct tool *t);  /* cancels all, starts nothing new */
/* For commands that do one thing after the other. */
struct answer {
        struct flight flight;
        bool done;
        int code;
        roma_result result; /* its pointers: attr, text, message, props are copies, the others as they came */
        roma_attr attr;
        char *text, *message, *server, *status_name;
        roma_prop *props;
};
void answer_end(struct flight *f, const roma_result *r);
#define ANSWER(t, a, start) flight_track((t), &(a)->flight, answer_end, (start))
int answer_wait(struct tool *t, struct answer *a); /* enum roma_code */
void answer_free(struct answer *a);

/* pool.c: many tasks, some of them at a time. */
struct task {
        struct task *next;
        struct pool *pool;
        void (*start)(struct task *task); /* must lead to task_finished(), later */
        void (*drop)(struct task *task);  /* not started because the program is stopping */
};
struct pool {
        struct tool *tool;
        unsigned limit, active;
        size_t waiting;
        struct task *head, *tail;
        void (*low)(void *arg); /* few tasks are waiting: bring more */
        void *low_arg;
};
void pool_init(struct pool *pool, struct tool *t, unsigned limit);
void pool_add(struct pool *pool, struct task *task);
void task_finished(struct pool *pool);
bool pool_full(const struct pool *pool);

/* place.c: each store is opened once. */
struct place {
        struct place *next;
        char *uri;
        roma_store *store; /* NULL: could not be opened, and answer says why */
        struct answer answer;
        uint64_t open_ns;
};
struct place *place_open(struct tool *t, const char *uri); /* reports a failure; NULL then */
void places_close(struct tool *t);

/* location.c: an argument of the command line. */
struct location {
        const char *arg;
        char *shown;  /* the argument without options of a URI: for messages */
        char *root;   /* URI of the store */
        char *key;    /* without slashes at the end, but for those that were written %2F */
        char *path;   /* of a local file, as it was given; NULL otherwise */
        bool stdio;   /* "-" */
        bool slash;   /* ends in a slash: a folder is meant */
        bool no_name; /* ".", ".." or the root: nothing to call a copy by */
        struct place *place;
};
bool location_is_remote(const char *arg);                                 /* neither a local path nor "-" */
bool location_parse(struct tool *t, struct location *l, const char *arg); /* false after a message */
bool location_open(struct tool *t, struct location *l);                   /* opens the store */
/* "a/" where keys hold slashes: what lies below, and never the object "a". After location_open(). */
bool location_is_below(const struct location *l);
/* For commands that take objects alone: false after a message when a slash at its end says that it is a folder. */
bool location_is_object(struct tool *t, const struct location *l);
/* A name with a slash at its end is that of a folder: false after a message when `attr` says that it is something else. */
bool location_is_as_said(struct tool *t, const struct location *l, const roma_attr *attr);
void location_free(struct location *l);

/* inside.c */
bool place_same_kind(const struct place *a, const struct place *b);
bool place_has_folders(const struct place *p); /* false: a key may hold slashes */
/* Whether `key` is or lies in `folder`, whatever both are called, as far as that can be seen: on stores whose folders have
 * numbers. */
bool lies_in(struct tool *t, struct place *place, const char *key, struct place *of, const char *folder);

/* walk.c: all keys below one, page by page, no faster than `pool` takes them. */
struct walk {
        struct flight flight;
        struct pool *pool; /* may be NULL */
        struct location *at;
        char *prefix, *after;
        const char *delimiter;
        unsigned flags; /* enum roma_list_flags */
        uint64_t max;   /* entries that are still wanted */
        bool failed, ended;
        bool may_miss; /* nothing is said about what is not there */
        void (*entry)(struct walk *w, const roma_entry *e);
        void (*finished)(struct walk *w);
        void *arg;
};
void walk_start(struct tool *t, struct walk *w);
void walk_clear(struct walk *w);
/* Is anything below that key? false after a message, but for `rm -f`. flags: of enum roma_list_flags. */
bool walk_finds(struct tool *t, const struct location *l, unsigned flags);

/* chore.c: one small operation as a task. */
struct chore {
        struct task task;
        struct flight flight;
        struct place *place;
        char *key, *shown;
        roma_attr attr;
        roma_op (*begin)(struct tool *t, struct chore *c);
        void (*end)(struct tool *t, struct chore *c,
                    const roma_result *r); /* c is freed afterwards; may be NULL */
        void *arg;
};
/* Copies key and shown. */
struct chore *chore_new(struct place *place, const char *key, const char *shown,
                        roma_op (*begin)(struct tool *t, struct chore *c));
void chore_add(struct pool *pool, struct chore *c);
roma_opts request_opts(const struct tool *t);
roma_op chore_mkdir(struct tool *t, struct chore *c); /* with those above; attr: the mode, where it has one */
roma_op chore_unlink(struct tool *t, struct chore *c);

/* folders.c: folders that are dealt with after what is in them. */
struct folder {
        struct place *place;
        char *key, *shown;
        roma_attr attr;
        unsigned depth;
};
struct folders {
        struct folder *list;
        size_t count, room;
};
void folders_add(struct folders *f, struct place *place, const char *key, const char *shown,
                 const roma_attr *attr);
void folders_remove(struct tool *t, struct folders *f);  /* rmdir, deepest first */
void folders_setattr(struct tool *t, struct folders *f); /* mode and times */
void folders_clear(struct folders *f);

/* transfer.c: one object to another place. */
struct end {                 /* one side of a transfer */
        struct place *place; /* NULL: standard input or output */
        char *key;
        char *path;  /* local file or "-"; NULL otherwise */
        char *shown; /* for messages */
};
struct transfer {
        struct task task;
        struct flight flight;
        struct tool *tool;
        struct end from, to;
        bool expected;    /* the bar knows the length from a list */
        uint64_t counted; /* bytes that the bar has been told */
        uint64_t started_ns;
        bool move;         /* remove the source when the copy is certain */
        roma_attr was;     /* the source as it was listed; mask 0: it was not */
        bool in_tree;      /* missing folders above are made */
        bool link;         /* a symbolic link is made again, not followed */
        bool over_link;    /* the destination's name is a link, which is to be replaced and not followed */
        bool link_parents; /* its folder was missing: it was made, one more try */
        char *target;      /* of a symbolic link */
        char *spare;       /* its temporary name, when its own is taken */
        char *fault;       /* why it could not get its own */
        int fault_code, fault_outcome;
        bool *failed;   /* set when it does not end well */
        uint64_t *good; /* counts those that do; may be NULL */
};
/* Takes over what the ends own. */
struct transfer *transfer_new(struct tool *t, const struct end *from, const struct end *to);
void transfer_add(struct pool *pool, struct transfer *x);
void end_free(struct end *e);

/* tree.c: sources and a destination as cp takes them. */
int tree_transfer(struct tool *t, int argc, char **argv, bool move);
/* false after a message: this kind of thing cannot be copied there. */
bool can_carry(struct tool *t, const struct end *from, const struct end *to, const roma_attr *attr);
/* Whether what has the name of a folder is one, or an empty object that stands for one; false after a message: it has bytes, and
 * `to` can only make a folder of it. */
bool is_mark(struct tool *t, const char *shown, const struct place *to, const roma_attr *attr);
/* Why it cannot be a name below a folder of this machine, to be followed by the folder's name; NULL: it can. One slash at the
 * end is fine. */
const char *name_fault(const char *name);

/* resume.c: put --resume. */
int resume_put(struct tool *t, int argc, char **argv);

/* kept.c: of an object whose upload was taken up, the attributes that are asked for now: those that it has otherwise are a failure. */
struct stat;
void kept_check(struct tool *t, const struct end *to, const struct stat *was);

/* target.c: where a source goes. */
struct target {
        struct location at;
        bool into; /* the destination is a folder */
};
bool target_find(struct tool *t, struct target *d, const char *arg, int sources); /* false after a message */
/* The end for a source; below: what follows in a tree, "" for the source itself. */
void target_end(const struct target *d, const struct location *from, const char *below, struct end *to);
void location_end(const struct location *l, const char *below, struct end *e);

/* progress.c */
void progress_start(struct tool *t);
void progress_stop(struct tool *t);
void progress_clear(struct tool *t); /* takes the bar away so that a line can be printed */
void progress_expect(struct tool *t, int64_t files, int64_t bytes);
void progress_bytes(struct tool *t, int64_t bytes);
void progress_file(struct tool *t);

/* timing.c, trace-file.c */
bool timing_start(struct tool *t);
void timing_stop(struct tool *t);
struct trace_file;
struct trace_file *trace_file_open(const char *path);
void trace_file_event(struct trace_file *f, const roma_trace_event *ev);
int trace_file_close(struct trace_file *f); /* 0 or an errno */

/* signals.c */
bool signals_start(struct tool *t);
void signals_stop(void);

/* sink.c: standard output written by a thread, so that a reader that pauses stops neither the loop nor Ctrl-C. */
struct sink;
struct sink *sink_new(struct tool *t);
/* One piece at a time; done(arg, error) comes on the loop, error is an errno. */
void sink_write(struct sink *s, const void *data, size_t len, void (*done)(void *arg, int error), void *arg);
void sink_free(struct sink *s);

uint64_t now_ns(void);

#endif
