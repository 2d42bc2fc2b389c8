/* SPDX-License-Identifier: MIT */
/* Uploads. A backend that has them brings struct ri_upload_ops; for the others there is the generic way, inner
 * declarations of which follow: everything lies in a hidden folder beside the object, ".roma~ID/".
 *
 *      upload~CRC            made first: key and attributes of the object. CRC-32 of the name: a wrong key finds nothing
 *      00007~TIME~MD5~CRC~LENGTH   a part. Parts are never replaced: each putting has a name of its own, and the name says
 *                            all that is to be known of it
 *      piece~00007~TIME      where objects cannot be renamed: the bytes of the part whose name begins so; that one is empty
 *      decided               made once, if absent: "abort", or "complete" and a digest of what was asked for. Whoever
 *                            makes it has won; others help or give up
 *
 * complete: join the parts in a writer of the object -> decide -> commit -> remove the folder
 * abort:    decide -> remove the folder
 * Removing: parts, the upload's own file, `decided` last. So a decision for complete with parts missing means that the
 * object has been shown, and a complete that was killed anywhere can be repeated. Where no folder goes with them,
 * `decided` without the upload's own file says nothing: there it may have been made too late. */
#ifndef RI_UPLOAD_H
#define RI_UPLOAD_H

#include <roma/upload.h>

#include "core/compose.h"
#include "core/writer.h"

struct ri_upload_ops {
        void (*begin)(struct ri_op *op, const char *key, const roma_upload_opts *opts); /* res.text */
        const struct ri_writer_ops *part; /* of a writer with `upload` and `part` set */
        void (*parts)(struct ri_op *op, const char *key, const char *id);
        void (*list)(struct ri_op *op, const char *prefix, const char *after, unsigned max);
        /* Everything given lives during the call only. */
        void (*complete)(struct ri_op *op, const char *key, const char *id, const roma_part *parts,
                         size_t count, const roma_complete_opts *opts);
        void (*abort)(struct ri_op *op, const char *key, const char *id);
        /* See roma_upload_part_limits(). */
        void (*limits)(roma_store *store, uint64_t *least, uint64_t *most);
};

/* writer.c: a part where the store has uploads of its own. */
void ri_writer_open_part(struct ri_op *op, const char *key, const char *id, unsigned number,
                         const roma_writer_opts *opts);

/* upload_list.c: results, for all kinds of store. Strings are copied. 0, or -1: no memory. */
struct ri_parts;
struct ri_parts *ri_parts_new(void);
void ri_parts_free(struct ri_parts *p);
int ri_parts_add(struct ri_parts *p, unsigned number, uint64_t length, int64_t mtime_ns, const char *etag);
void ri_parts_give(struct ri_parts *p, struct ri_op *op); /* sorted; takes p over, finishes op */
struct ri_uploads;
struct ri_uploads *ri_uploads_new(void);
void ri_uploads_free(struct ri_uploads *u);
int ri_uploads_add(struct ri_uploads *u, const char *key, const char *id, int64_t begun_ns);
size_t ri_uploads_count(const struct ri_uploads *u);
int ri_uploads_give(struct ri_uploads *u, struct ri_op *op,
                    const char *next); /* takes u over and finishes op; -1: nothing has happened */

/* upload_names.c */
enum { RI_PART_ETAG = 33, RI_UPLOAD_ID = 16 };
#define RI_DECIDED "decided"
struct ri_part_name {
        unsigned number;
        uint64_t time; /* nanoseconds since 1970, of the clock of whoever put it */
        char etag[RI_PART_ETAG];
        uint32_t crc;
        uint64_t length;
};
bool ri_upload_id_ok(const char *id);
/* Keys in the folder of an upload; NULL: no memory. */
char *ri_upload_key(const char *key, const char *id, const char *name);
char *ri_upload_own(const char *key, const char *id); /* the upload's own file */
char *ri_part_key(const char *key, const char *id, const struct ri_part_name *n);
/* Where its bytes are. */
char *ri_part_data(const roma_store *store, const char *key, const char *id, const struct ri_part_name *n);
bool ri_part_parse(const char *name, struct ri_part_name *n);
/* Whether a listed key lies in the folder of an upload: where its id begins, and what is behind the folder. */
bool ri_upload_split(const char *listed, const char **id, const char **name);
/* What stands in the upload's own file. */
int ri_upload_note(struct ri_str *out, const char *key, const roma_attr *attr);
/* base: only the last component of the key. false: it is no such file. */
bool ri_upload_note_read(const char *text, char **base, roma_attr *attr);

/* upload_small.c: a whole object that never changes and has at most RI_SMALL bytes. Result: text, bytes. */
enum { RI_SMALL = 65536 };
roma_op ri_aio_small_get(roma_store *store, const char *key, const roma_opts *opts, roma_done *done,
                         void *arg);

/* upload_remove.c: everything in the folder of an upload and the folder. key: any in the same folder. stale: nobody has
 * ended it, so it goes in an order that leaves no half of it to be completed. */
roma_op ri_aio_upload_remove(roma_store *store, const char *key, const char *id, bool stale,
                             const roma_opts *opts, roma_done *done, void *arg);

/* upload_steps.c: what the operations on uploads have in common. Each step goes on with `next`, or fails the operation and
 * frees u. */
struct ri_up {
        struct ri_op *op;
        roma_op child;
        char *key, *id;
        void (*next)(struct ri_up *u);
        void (*clear)(struct ri_up *u); /* frees what the owner has added; may be NULL */
        /* look */
        bool there; /* the upload's own file */
        roma_attr attr;
        char decided[64]; /* "": nothing */
        /* scan: all that were ever put, by number, the latest first */
        struct ri_part_name *v;
        size_t n, cap;
        char *after;
        bool decider; /* decide: we have made it, now */
        void *own;
};
/* NULL: op has failed. */
struct ri_up *ri_up_new(struct ri_op *op, const char *key, const char *id);
void ri_up_free(struct ri_up *u);
/* The operation is over for us: frees u, gives the operation. */
struct ri_op *ri_up_end(struct ri_up *u);
void ri_up_fail(struct ri_up *u, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void ri_up_fail_from(struct ri_up *u, const roma_result *r);
/* A child has started, or the operation fails. */
void ri_up_step(struct ri_up *u, roma_op child);
void ri_up_look(struct ri_up *u, void (*next)(struct ri_up *u));
void ri_up_scan(struct ri_up *u, void (*next)(struct ri_up *u));
/* text stays where it is until the next step. */
void ri_up_decide(struct ri_up *u, const char *text, void (*next)(struct ri_up *u));
/* Removal, as well as it goes; then next. */
void ri_up_remove(struct ri_up *u, void (*next)(struct ri_up *u));
void ri_up_fail_absent(struct ri_up *u);

/* upload_part.c: see roma_aio_writer_commit(). */
roma_op ri_upload_part_commit(roma_writer *w, const roma_opts *opts, roma_done *done, void *arg);

/* upload_gc.c */
void ri_upload_gc(struct ri_op *op, const char *prefix, int64_t before_ns);

/* The generic way, by file. */
void ri_upload_begin(struct ri_op *op, const char *key, const roma_upload_opts *opts);
void ri_upload_part_open(struct ri_op *op, const char *key, const char *id, unsigned number,
                         uint64_t size_hint);
void ri_upload_parts(struct ri_op *op, const char *key, const char *id);
void ri_upload_list(struct ri_op *op, const char *prefix, const char *after, unsigned max);
void ri_upload_complete(struct ri_op *op, const char *key, const char *id, const roma_part *parts,
                        size_t count, const roma_complete_opts *opts);
void ri_upload_abort(struct ri_op *op, const char *key, const char *id);

#endif
