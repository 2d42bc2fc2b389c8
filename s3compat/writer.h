/* SPDX-License-Identifier: MIT */
/* The writer of an object, inner declarations. writer.c takes bytes and ends things, writer_parts.c has the parts on their way,
 * writer_commit.c shows the object. */
#ifndef S3_WRITER_H
#define S3_WRITER_H

#include "core/writer.h"
#include "s3compat/part.h"
#include "s3compat/patience.h"

enum {
        S3W_HELD =
                32
                << 20, /* bytes in parts of all writers, above which those wait that have parts in flight */
        S3W_LONGEST_ATOMIC = 64 << 20 /* for conditions where only a single PUT can be conditional */
};

struct told_part {
        uint32_t crc32;
        char etag[80];
        uint64_t sum;
        uint64_t length;
};

struct s3w_pending {
        struct ri_list link;
        struct ri_op *op;
        const char *data;
        size_t len, taken;
        roma_buf *buf; /* the caller's, lives as long as op */
        struct s3w *w;
};

struct s3w {
        roma_writer *w;
        struct s3_store *st;
        struct ri_op *op;       /* open, commit or abort */
        struct ri_list pending; /* writes whose bytes are not all taken */
        struct s3_part *cur;
        struct ri_list parts;  /* full: waiting for the upload's id, digested, sent */
        struct ri_op *drawing; /* NULL: bytes are written, or all has been drawn */
        struct ri_draw *draw;  /* of it */
        char *drawn_name;
        uint64_t drawn; /* bytes that parts have been made of */
        unsigned in_flight, next_number;
        struct told_part *told; /* by number - 1 */
        size_t told_cap;
        char *upload;         /* id; NULL: none begun */
        struct s3_request *r; /* look, create, complete, find out, abort */
        struct ri_str body;   /* of complete */
        struct s3_span span;
        bool committing, failed, aborting;
        bool completing; /* the server may be at it: an abort now could take the parts from under the object */
        struct s3_patience patience;
        struct ri_error why;
        struct ri_task failer;
        struct ri_timer limit; /* of an abort that nobody waits for */
};

/* writer.c */
void s3w_gone(struct s3w *f); /* frees f, and its writer is no more */
/* The operation is over for us. */
struct ri_op *s3w_let_go(struct s3w *f);
void s3w_waits_for(struct s3w *f, struct ri_op *op);
/* f->r, to be filled and started; NULL: no memory. */
struct s3_request *s3w_request(struct s3w *f, const char *name, const char *method,
                               void (*done)(struct s3_request *r));
void s3w_end_request(struct s3w *f);
/* What is pending fails, later writes are refused by core; the commit fails with the reason. */
void s3w_fail(struct s3w *f, const struct ri_error *e);
void s3w_fail_with(struct s3w *f, int code, const char *text);
struct ri_op *s3w_end_draw(struct s3w *f);
/* A part has gone: what waited goes on. May free f. */
void s3w_pump(struct s3w *f);
/* Takes the upload away, where that does no harm, and ends the operation. May free f. */
void s3w_give_up(struct s3w *f);

/* writer_parts.c */
uint64_t s3w_part_size(const struct s3w *f);
unsigned s3w_most_in_flight(const struct s3w *f);
bool s3w_needs_digest(const struct s3w *f);
int s3w_digest_kind(const struct s3w *f);
/* Whether only a single PUT can be conditional as it is wanted. */
bool s3w_is_single_only(const struct s3_store *st, const roma_writer *w);
/* The part that was filled. */
void s3w_release_filled(struct s3w *f);
void s3w_parts_free(struct s3w *f);
bool s3w_draws(const roma_writer *w);
void s3w_draw(struct ri_op *op, roma_writer *w, struct ri_draw *d);
void s3w_draw_parts(struct s3w *f);

/* writer_commit.c */
void s3w_commit(struct ri_op *op, roma_writer *w);
/* All writes have been taken. */
void s3w_commit_step(struct s3w *f);
/* In the words of whoever has set the condition. */
void s3w_refused_instead(const struct s3w *f, struct ri_error *e);

#endif
