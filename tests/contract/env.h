/* SPDX-License-Identifier: MIT */
/* What all checks of the contract suite stand on: one loop driven in one of three ways, a scratch folder on the store
 * under test, and for each call of the library one function x_CALL that makes it in the way of the run: the blocking
 * twin on an own loop, the asynchronous one on an attached loop or through roma_loop_fd(). */
#ifndef CONTRACT_ENV_H
#define CONTRACT_ENV_H

#include <stdbool.h>
#include <stdio.h>

#include <roma/roma.h>

struct ev_loop;

enum drive { DRIVE_OWN, DRIVE_EV, DRIVE_FD };

/* A start that answered 0 and left no code; else res.code has it, and the sentence. */
enum { NOT_STARTED = -1 };

/* A result that outlives its callback. Everything it points to lives until the end of the test. */
struct res {
        int code; /* r.code, or NOT_STARTED */
        const char *message;
        roma_result r;
        roma_attr attr;
        roma_space space;
};

/* One operation in flight. */
struct wait {
        struct wait *next;
        roma_op id;
        int calls;      /* of its callback */
        bool early;     /* called before the start had returned */
        uint64_t order; /* of its end among all operations of the test, from 1 */
        struct res *res;
        void (*hook)(struct wait *w); /* runs inside the callback */
        void *arg;
};

struct env {
        enum drive drive;
        roma_loop *loop;
        struct ev_loop *ev;
        roma_store *store; /* the scratch folder of the run */
        roma_store *other; /* the same, opened a second time; see other() */
        unsigned caps;
        const char *uri;   /* of the scratch folder */
        const char *local; /* a folder on this machine, of the run */
        uint64_t seed, rnd;

        /* of the running test */
        unsigned nr;
        struct arena *arena;
        struct wait *waits;
        struct wait *waiting;
        uint64_t ended;
        char *why; /* why it failed; NULL: it has not */
        bool skipped;
};
extern struct env env;

#define S (env.store)

struct test {
        const char *name;
        unsigned caps; /* enum roma_caps that it needs */
        void (*fn)(void);
};
struct suite {
        const char *name;
        const struct test *test;
        size_t n;
};
#define SUITE(suite_name, table) \
        const struct suite suite_##suite_name = { #suite_name, table, sizeof(table) / sizeof((table)[0]) }

/* Memory that lives until the end of the test, also when it ends early with operations in flight. */
void *mem(size_t n);
char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The key of `name` in the folder of the running test, and a path in the local folder of the run. */
const char *K(const char *name);
const char *L(const char *name);

uint64_t rnd(void);
uint64_t rnd_below(uint64_t n);
void rnd_fill(void *buf, size_t n);
uint8_t *rnd_bytes(size_t n);

int env_open(enum drive drive, const char *uri, const roma_loop_opts *opts);
void env_close(void);
/* The same folder through a second connection: what another client sees. */
roma_store *other(void);
roma_stats stats(void);

/* Asynchronous: struct wait *w = w_new(); w->id = roma_aio_X(..., w_done, w); w_wait(w); */
struct wait *w_new(void);
void w_done(void *arg, const roma_result *r);
const struct res *w_wait(struct wait *w);
/* Until nothing is in flight, and for about ms. */
void w_all(void);
void w_ms(unsigned ms);
/* Every operation of the test that started has ended exactly once and after its start; NULL or what is wrong. */
const char *w_check(void);

/* Only for the x_ functions and for contract.c. */
const struct res *env_took(int64_t rc);
const struct res *env_fine(void);
void env_free_memory(void);

const struct res *x_store_open(const char *uri);
const struct res *x_store_close(roma_store *s);
const struct res *x_stat(roma_store *s, const char *key, unsigned flags);
const struct res *x_list(roma_store *s, const char *prefix, const roma_list_opts *opts);
const struct res *x_unlink(roma_store *s, const char *key, unsigned flags);
const struct res *x_mkdir(roma_store *s, const char *key, uint32_t mode, unsigned flags);
const struct res *x_rmdir(roma_store *s, const char *key);
const struct res *x_rename(roma_store *s, const char *from, const char *to, unsigned flags);
const struct res *x_link(roma_store *s, const char *key, const char *name);
const struct res *x_symlink(roma_store *s, const char *target, const char *name);
const struct res *x_readlink(roma_store *s, const char *key);
const struct res *x_setattr(roma_store *s, const char *key, const roma_attr *attr, unsigned flags);
const struct res *x_statfs(roma_store *s);
const struct res *x_ping(roma_store *s);

const struct res *x_open(roma_store *s, const char *key, unsigned flags, uint32_t mode);
const struct res *x_close(roma_file *f);
const struct res *x_pread(roma_file *f, void *buf, size_t len, uint64_t offset);
const struct res *x_preadv(roma_file *f, const struct iovec *iov, int n, uint64_t offset);
const struct res *x_pwrite(roma_file *f, const void *buf, size_t len, uint64_t offset);
const struct res *x_pwritev(roma_file *f, const struct iovec *iov, int n, uint64_t offset);
const struct res *x_append(roma_file *f, const void *buf, size_t len);
const struct res *x_truncate(roma_file *f, uint64_t length);
const struct res *x_fsync(roma_file *f);
const struct res *x_fstat(roma_file *f);

const struct res *x_writer(roma_store *s, const char *key, const roma_writer_opts *opts);
const struct res *x_write(roma_writer *w, const void *buf, size_t len);
const struct res *x_write_buf(roma_writer *w, roma_buf *buf);
const struct res *x_commit(roma_writer *w);
const struct res *x_abort(roma_writer *w);

const struct res *x_reader(roma_store *s, const char *key, const roma_reader_opts *opts);
const struct res *x_next(roma_reader *r);

const struct res *x_put_path(roma_store *s, const char *key, const char *path, const roma_put_opts *opts);
const struct res *x_put(roma_store *s, const char *key, const void *buf, size_t len,
                        const roma_put_opts *opts);
const struct res *x_get_path(roma_store *s, const char *key, const char *path, const roma_get_opts *opts);
const struct res *x_copy(roma_store *from, const char *from_key, roma_store *to, const char *to_key,
                         const roma_copy_opts *opts);
const struct res *x_hash(roma_store *s, const char *key, int algorithm);
const struct res *x_gc(roma_store *s, const char *prefix, uint64_t older_than_s);

#endif
