/* SPDX-License-Identifier: MIT */
/* The store of S3 and its relatives, inner declarations.
 *
 * Everything is one signed HTTP request or several of them. request.c sends one: it signs, waits, retries what may be
 * sent again, understands errors, and tells its owner once. What an operation of core needs is built on that, one file
 * for each kind. */
#ifndef S3_STORE_H
#define S3_STORE_H

#include "core/upload.h"
#include "core/workers.h"
#include "s3compat/creds.h"
#include "s3compat/http.h"
#include "s3compat/profile.h"
#include "s3compat/xml.h"

enum {
        S3_MAX_KEY = 1024,        /* bytes, of every vendor but OSS: 1023 */
        S3_MAX_ANSWER = 16 << 20, /* of XML */
        S3_MAX_ERROR = 64 << 10,  /* what is kept of an error's body */
        S3_MAX_HEADERS = 64 << 10,
        S3_MAX_PARTS = 10000,
        S3_PART_MOST = 1 << 30 /* of upload_part.c, which holds it in memory */
};

struct s3_store {
        roma_store *store;
        roma_loop *loop;
        struct s3_profile profile;
        struct s3_creds creds;
        bool creds_fixed; /* from roma.conf: nothing to be looked up again */
        unsigned renewed; /* how often a lookup has found other keys */
        struct s3_http *http;
        struct ri_uri uri;        /* for secrets named by it */
        int64_t skew;             /* seconds that the server's clock is ahead of ours */
        uint64_t random;          /* of the jitter */
        struct keys_job *keys;    /* while keys are looked up */
        struct ri_list wait_keys; /* s3_request.link */
        /* While all connections are in use: s3_request.link, longest first. [1]: what moves many bytes. */
        struct ri_list line[2];
        bool heavy_turn;     /* which of the two is next */
        unsigned slots;      /* tries under way */
        uint64_t moved_ns;   /* when those in the lines were last told that bytes move */
        uint64_t held;       /* bytes that writers hold in memory of their own */
        uint64_t ahead;      /* bytes of objects that came when they were opened, and were not read yet */
        uint64_t referenced; /* bytes of the loop's buffers that writers hold */
};

static inline struct s3_store *s3_of(roma_store *store)
{
        return store->impl;
}

/* A part of a body in memory. */
struct s3_span {
        const void *p;
        size_t n;
};

/* One request and all its tries. Made, filled, started; then `done` exactly once, unless it is cancelled before. The owner
 * frees it. */
struct s3_request {
        struct s3_store *st;
        struct ri_op *op; /* what it is for: progress, tries, server; NULL: nobody looks */
        void (*done)(struct s3_request *r);
        void (*moved)(struct s3_request *r); /* bytes went or came; may be NULL */
        void *arg;

        /* what is asked */
        const char *name;   /* "PutObject", static */
        const char *method; /* static */
        char *key;          /* whole, with the store's prefix; owned */
        bool of_bucket;     /* the key is not in the path */
        struct s3_fields query, headers;
        const struct s3_span *body; /* borrowed until done */
        size_t spans;
        uint64_t length;
        struct s3_part *drawn; /* in place of them: a part that is read as it is sent */
        bool has_body;
        const char *sha256;       /* of the body, hexadecimal, borrowed; NULL: not signed */
        bool changes;             /* something on the server */
        bool safe;                /* may be sent again when an answer is lost */
        bool looks;               /* not safe, and its owner finds out what has become of it */
        bool heavy;               /* keeps the server for as long as a long body, without having one */
        const struct iovec *into; /* where a good answer's bytes go, borrowed; NULL: into `answer` */
        int into_n;
        size_t into_max;

        /* what came */
        struct ri_error error; /* code 0: the answer is good */
        char code[64];         /* the server's word for an error */
        long status;
        struct s3_fields reply; /* headers, lower case */
        struct ri_str answer;
        size_t got; /* bytes in `into` */

        /* private */
        struct s3_call call;
        struct ri_list link; /* in st->wait_keys or st->line */
        bool slot;           /* it may have a connection, or has one */
        struct curl_slist *list;
        struct ri_timer again;
        char *host;      /* where a redirect sent it; NULL: where the profile says */
        char server[64]; /* for sentences */
        uint64_t at;     /* of the body, sent */
        size_t header_bytes;
        unsigned attempt; /* tries before this one; an owner that repeats a request sets it */
        unsigned redirects;
        char region[64];  /* that this try is signed for */
        unsigned issued;  /* how often curl has sent this try */
        int64_t dated;    /* the time that this try is signed with */
        int64_t skew;     /* that of the server's clock as an answer has told it, with `skewed` */
        unsigned renewed; /* st->renewed when this try was signed */
        bool refreshed, skewed, overrun;
        bool sent;    /* this try may have been done */
        bool perhaps; /* an earlier one may: its answer was lost */
        bool stopped; /* by us, and `error` says why */
        bool beside;  /* takes no turn for a connection: it asks about a request that has one */
        uint64_t trace;
};

/* request.c */
/* NULL: no memory. key: as core gives it, the prefix is added; NULL: of the bucket. */
struct s3_request *s3_request_new(struct s3_store *st, struct ri_op *op, const char *name, const char *method,
                                  const char *key);
/* Later: done, also for what fails at once. */
void s3_request_start(struct s3_request *r);
/* Its end, when it does not start, or not again: `error` says why. */
void s3_request_end(struct s3_request *r);
/* Bytes went or came for op (may be NULL): neither it nor what it is a part of stalls. A part of an object can take longer
 * on a slow line than an operation may be silent. */
void s3_progress(struct ri_op *op);
/* Bytes went or came on any connection: those that wait for one do not stall. */
void s3_line_moves(struct s3_store *st);
/* Frees it, in flight or not. NULL is fine. */
void s3_request_free(struct s3_request *r);
/* A request for an operation that is nothing else: op->impl, op->cancel; when it ends, r is freed after `done`. */
struct s3_request *s3_op_request(struct ri_op *op, const char *name, const char *method, const char *key,
                                 void (*done)(struct s3_request *r));
/* The end of such a one: takes r from the operation and returns that. */
struct ri_op *s3_op_take(struct s3_request *r);
void s3_op_fail(struct s3_request *r); /* with r's error; frees r */
/* An operation that is several requests, one after the other: the first member of what is kept for it. */
struct s3_steps {
        struct ri_op *op;
        struct s3_request *r;             /* under way, or just ended; NULL: none */
        void (*drop)(struct s3_steps *s); /* frees what it is a member of; r is gone already */
};
/* As op->impl, and with a cancel that drops it. */
void s3_steps_begin(struct s3_steps *s, struct ri_op *op, void (*drop)(struct s3_steps *s));
/* The next request, in the place of the one before; its `arg` is s. NULL: no memory, and s and the operation have ended. */
struct s3_request *s3_step(struct s3_steps *s, struct s3_store *st, const char *name, const char *method,
                           const char *key, void (*done)(struct s3_request *r));
/* The end: drops s and returns the operation. */
struct ri_op *s3_steps_end(struct s3_steps *s);
void s3_steps_fail(struct s3_steps *s, const struct ri_error *e);
/* Why no server of this kind takes such a whole key, or NULL; *code. */
const char *s3_key_fault(const char *key, int *code);
/* Whole key, prefix included. NULL: no memory. */
char *s3_key(const struct s3_store *st, const char *key);

/* attempt.c: one try */
/* 0: under way; -1: r->error says why not. */
int s3_attempt_start(struct s3_request *r, void (*done)(struct s3_call *call, CURLcode code));

/* answer.c: what a try's end means */
enum s3_verdict { S3_GOOD, S3_FAILED, S3_AGAIN, S3_AGAIN_SLOWLY, S3_AGAIN_NOW, S3_REFRESH };
enum s3_verdict s3_judge(struct s3_request *r, CURLcode code);

/* keys.c */
/* Looks the keys up on a worker; then requests that wait go on. 0, or -1: no memory. */
int s3_keys_lookup(struct s3_store *st, struct ri_op *connect);
void s3_keys_cancel(struct s3_store *st);

/* attr.c */
void s3_attr_from_reply(roma_attr *a, const struct s3_fields *reply);
void s3_etag(roma_attr *a, const char *text);
/* Encrypted with keys of KMS or of the client: the ETag is no MD5 whatever it looks like. */
bool s3_etag_is_opaque(const struct s3_fields *reply);
/* Guessed from a name's end; never NULL. */
const char *s3_content_type(const char *key);

/* If-Match of a change, as the server wants it. */
void s3_if_match(struct s3_request *r, const char *etag);
/* NULL, or why that cannot be asked of this server. */
const char *s3_if_match_fault(const struct s3_store *st);

/* Headers of an object that is begun: type and, where there are some, times; then what was asked for. attr may be NULL. */
void s3_object_headers(struct s3_request *r, const char *key, const roma_attr *attr, const roma_prop *v,
                       size_t n);

/* props.c */
/* 0, or -1 with what of them cannot be sent to this server. */
int s3_props_check(const struct s3_store *st, const roma_prop *v, size_t n, struct ri_error *e);
/* As headers; what is there under that name already is replaced. */
void s3_props_add(struct s3_request *r, const roma_prop *v, size_t n);
/* Of a source's answer those that its copy gets (bare: its type alone), and what was asked for instead or besides. NULL: no
 * memory. */
struct ri_props *s3_props_for_copy(struct s3_fields *reply, const struct ri_props *asked, bool bare);
/* Those of an answer, as the result. Makes its names lower case. 0, or -1 (and op has failed). */
int s3_props_give(struct ri_op *op, struct s3_fields *reply);

/* The entries of the backend table, by file. */
/* names.c */
void s3_stat(struct ri_op *op, const char *key, unsigned flags);
void s3_unlink(struct ri_op *op, const char *key, unsigned flags);
void s3_ping(struct ri_op *op);
void s3_statfs(struct ri_op *op);
/* bucket.c */
void s3_mkdir(struct ri_op *op, const char *key, uint32_t mode);
void s3_rmdir(struct ri_op *op, const char *key);
/* presign.c */
void s3_presign(struct ri_op *op, const char *key, const roma_presign_opts *opts);
/* layout.c */
void s3_layout(struct ri_op *op, const char *key, unsigned flags);
/* list.c */
/* %XX, and + for a space, as encoding-type=url has it. NULL: no memory, or not well-formed. */
char *s3_url_decode(const char *text);
void s3_list(struct ri_op *op, const char *prefix, const roma_list_opts *opts);
/* open.c, file.c */
void s3_file_open(struct ri_op *op, roma_file *file, const char *key, unsigned flags, uint32_t mode);
void s3_file_close(struct ri_op *op, roma_file *file);
void s3_file_drop(roma_file *file);
void s3_file_preadv(struct ri_op *op, roma_file *file, const struct iovec *iov, int n, uint64_t offset);
void s3_file_fsync(struct ri_op *op, roma_file *file);
void s3_file_stat(struct ri_op *op, roma_file *file);
/* copy.c */
bool s3_can_copy(const roma_store *from, const roma_store *to);
void s3_copy(struct ri_op *op, roma_store *from, const char *from_key, const char *key,
             const roma_copy_opts *o);
/* writer.c */
extern const struct ri_writer_ops s3_writer;
/* upload.c, upload_part.c */
extern const struct ri_upload_ops s3_upload;
extern const struct ri_writer_ops s3_part_writer;

#endif
