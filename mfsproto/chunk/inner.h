/* SPDX-License-Identifier: MIT */
/* What the files of this folder share. An inode has chunks; a chunk knows where it is (place) and who writes it
 * (writer). Prototypes stand under the name of the file that defines them. */
#ifndef MFS_CHUNK_INNER_H
#define MFS_CHUNK_INNER_H

#include "core/buf.h"
#include "core/crc.h"
#include "mfsproto/chunk/chunk.h"
#include "mfsproto/chunk/pool.h"

#define MFS_NS_PER_MS        UINT64_C(1000000)
#define MFS_MAX_LOCS         100u
#define MFS_CS_SILENCE_MS    5000u  /* no byte of a read for so long: try another replica */
#define MFS_WRITE_ACK_MS     15000u /* no acknowledgement for so long: the chain is broken */
#define MFS_LOCK_DATA_MS     30000u /* no new data under a lock older than this */
#define MFS_LOCK_SURE_MS     90000u /* after this the lock may have ended (120 s): no CONTINUEOP, no data */
#define MFS_WRITE_LINGER_MS  2000u  /* silence after which a lock is given back */
#define MFS_ORPHAN_MS        30000u /* how long bytes of an ended operation are still tried */
#define MFS_WRITERS_PER_FILE 4u
#define MFS_WINDOW           64u /* unacknowledged packets of one chain */

struct mfs_inode;
struct mfs_chunk;
struct mfs_writer;
struct mfs_wop;

/* ---- data.c: what belongs to the session ---- */
struct mfs_data {
        struct mfs_session *session;
        roma_loop *loop;
        struct mfs_pool pool;
        struct mfs_watch watch;
        struct ri_map inodes;
        struct ri_list locked; /* writers that hold a chunk lock */
        struct ri_list ending; /* struct mfs_ending */
        struct ri_task tell;   /* mfs_endings_tell() */
        struct ri_list enders; /* WRITE_CHUNK_ENDs that nobody waits for */
        struct ri_list truncs; /* TRUNCATEs that were sent and whose operation has ended */
        struct mfs_call space; /* STATFS */
        bool space_asked;
        uint64_t most_space; /* largest total that a statfs showed */
};

/* A place in the order of an inode's operations: truncate lets earlier ones end and later ones wait; what is started
 * behind an append waits until that has its place. */
struct mfs_turn {
        struct ri_list link;
        bool append; /* waits for no other append */
        void (*start)(struct mfs_turn *t);
};

struct mfs_inode {
        struct ri_map_node node;
        struct mfs_data *data;
        uint32_t number;
        unsigned refs;
        uint64_t master_length; /* as the master last said */
        struct ri_map chunks;
        struct ri_list old;         /* places that some still read from */
        struct ri_list writers;     /* all; in order of creation */
        unsigned active;            /* writers that hold or ask for a lock */
        bool gate;                  /* a truncate is under way */
        unsigned reserving;         /* appends that do not know their place yet */
        struct ri_list turns;       /* waiting behind these */
        bool sole_writer;           /* nobody else can write it: a lost lock is ours */
        uint64_t maybe_until;       /* until then a chunk may be locked for us without our knowing it */
        unsigned changes;           /* how often bytes may have become others */
        unsigned gaps;              /* how often changes may have happened that we were not told of */
        unsigned losses;            /* how often bytes of ended operations could not be completed */
        struct ri_error lost_error; /* the latest */
};

/* start() may be called before this returns. */
void mfs_turn_take(struct mfs_inode *ino, struct mfs_turn *t, void (*start)(struct mfs_turn *t));
void mfs_turn_leave(struct mfs_turn *t); /* allowed when it has started */
void mfs_gate_close(struct mfs_inode *ino);
void mfs_gate_open(struct mfs_inode *ino);
void mfs_reserving_begin(struct mfs_inode *ino);
void mfs_reserving_end(struct mfs_inode *ino);
void mfs_inode_grown(struct mfs_inode *ino, uint64_t length);
/* Bytes of operations that have ended, perhaps well, are not what they should be: the next flush of each file says so. */
void mfs_inode_lost(struct mfs_inode *ino, const struct ri_error *e);
/* True while another operation than op keeps the loop driven. */
bool mfs_others_running(const roma_loop *loop, const struct ri_op *op);

/* Asks the master for the length (GETATTR as opened). */
struct mfs_getlen {
        struct mfs_call call;
        struct mfs_inode *ino;
        void (*done)(struct mfs_getlen *g, const struct ri_error *e); /* NULL: master_length is fresh */
};
void mfs_getlen_start(struct mfs_getlen *g, struct mfs_inode *ino, struct ri_op *op);
void mfs_getlen_cancel(struct mfs_getlen *g);

/* The answer to a WRITE_CHUNK or END was lost: a lock of our own may be left, which ends by itself. */
void mfs_lock_lost(struct mfs_inode *ino);
/* A refusal that says "locked": is it perhaps that lock? Then waiting for its end is progress. */
void mfs_lock_waits(struct mfs_inode *ino, struct ri_op *op, uint8_t status);

/* Milliseconds that an operation may still wait without progress; UINT32_MAX: no limit. */
uint32_t mfs_op_patience(const struct ri_op *op);

/* ---- iov.c ---- */
/* Cuts [skip, skip + len) out of iov; at most max pieces. Number of pieces; *got bytes are covered. */
int mfs_iov_cut(const struct iovec *iov, int n, size_t skip, size_t len, struct iovec *out, int max,
                size_t *got);
size_t mfs_iov_len(const struct iovec *iov, int n); /* SIZE_MAX when it overflows */

/* ---- locate.c: where a chunk is ---- */
struct mfs_loc {
        uint32_t ip, csver;
        uint16_t port;
};

/* An answer of READ_CHUNK or WRITE_CHUNK; counted, so that a read can tell whether it still holds. */
struct mfs_place {
        struct ri_list link; /* inode->old, when it was a chunk's and is in use only */
        uint32_t index;      /* of that chunk */
        unsigned refs;
        bool stale;
        uint8_t proto;
        uint64_t chunkid;
        uint32_t version;
        uint64_t length; /* of the file */
        unsigned n;
        struct mfs_loc loc[];
};

struct mfs_chunk {
        struct ri_map_node node;
        struct mfs_inode *ino;
        uint32_t index;
        struct mfs_place *place; /* NULL: not known */
        struct mfs_call call;    /* READ_CHUNK */
        bool asking;
        unsigned pins;          /* in use by a function further up */
        struct ri_list waiters; /* struct mfs_locate */
        struct mfs_writer *writer;
};

struct mfs_locate {
        struct ri_list link;
        struct mfs_chunk *chunk; /* NULL: not active */
        struct ri_op *op;
        bool refused; /* the question could not be sent: error says why, done() will not come */
        struct ri_error error;
        /* e: no answer; status: the master's refusal; else p, with a reference for the receiver. */
        void (*done)(struct mfs_locate *l, struct mfs_place *p, uint8_t status, const struct ri_error *e);
};

struct mfs_chunk *mfs_chunk_get(struct mfs_inode *ino, uint32_t index); /* NULL: no memory */
struct mfs_chunk *mfs_chunk_find(struct mfs_inode *ino, uint32_t index);
void mfs_chunk_tidy(struct mfs_chunk *c); /* frees it when it holds nothing */
/* The cached place with a reference; NULL: done() will follow, unless l->refused. */
struct mfs_place *mfs_locate_start(struct mfs_locate *l, struct mfs_chunk *c, struct ri_op *op);
void mfs_locate_cancel(struct mfs_locate *l);
void mfs_place_unref(struct mfs_place *p);
void mfs_chunk_forget(struct mfs_chunk *c); /* it has changed: what was read from the place counts no more */
void mfs_chunk_ask_again(struct mfs_chunk *c); /* the place did not help; what others read there is right */
void mfs_chunk_place(struct mfs_chunk *c, struct mfs_place *p); /* it is there; takes a reference */
/* Somebody says that the chunk is this one now: another one is forgotten. */
void mfs_chunk_is(struct mfs_chunk *c, uint64_t chunkid, uint32_t version);
/* The same for places that are in use only; chunkid 0: all of that chunk. */
void mfs_places_are(struct mfs_inode *ino, uint32_t index, uint64_t chunkid, uint32_t version);
struct mfs_place *mfs_place_parse(const struct wire_msg *msg, struct ri_error *e, const char *server);
/* Statuses that pass: milliseconds to wait before try number n (1, 2 ...); 0: this status does not pass. */
uint32_t mfs_status_delay(uint8_t status, unsigned n);

/* ---- rjob.c: one range of one chunk from one server ---- */
enum mfs_rjob_end { RJOB_OK, RJOB_NET, RJOB_STATUS, RJOB_CRC, RJOB_PROTOCOL };

/* A run of bytes that is contiguous in the file; a job over a part of an erasure coded chunk has several. */
struct mfs_seg {
        uint32_t pos; /* in the chunk */
        uint32_t len;
        uint32_t crc;
};

struct mfs_rjob {
        struct mfs_cs_want want;
        struct mfs_cs_conn *conn;
        struct mfs_cs *cs;
        roma_loop *loop;
        struct ri_op *op;
        uint64_t chunkid; /* with the part's number */
        uint32_t version, csver;
        uint32_t offset, size; /* in the chunk or part */
        struct iovec *iov;     /* exactly `size` bytes; owned */
        int niov;
        struct mfs_seg *seg; /* owned */
        unsigned nseg;

        unsigned iseg; /* of the byte at `done` */
        uint32_t seg_done;
        uint32_t done; /* bytes in complete, checked packets */
        uint32_t need, got;
        uint32_t crc, run; /* of the packet under way: expected, so far */
        int ivec;          /* where the next byte goes */
        size_t ivec_off;
        unsigned char head[WIRE_HEADER_SIZE + WIRE_READ_DATA_HEADER];
        unsigned head_len;
        unsigned char req[32];
        unsigned req_len, req_sent;
        bool counted, answered;
        struct ri_timer silence;
        uint64_t heard_at, start_ns;

        enum mfs_rjob_end end;
        uint8_t status;
        uint32_t bad_block; /* RJOB_CRC by our own check */
        struct ri_error error;
        void (*moved)(struct mfs_rjob *j); /* `done` has grown */
        void (*ended)(struct mfs_rjob *j);
        struct mfs_piece *piece; /* the owner's */
};
void mfs_rjob_start(struct mfs_rjob *j);
void mfs_rjob_stop(struct mfs_rjob *j); /* releases all it owns; allowed at any time, also when zeroed */

/* ---- writer.c: one writer for each chunk ---- */
enum mfs_item_kind { MFS_PART, MFS_BARRIER };
struct mfs_item {
        struct ri_list link; /* writer->queue */
        enum mfs_item_kind kind;
};

/* The bytes of one write that lie in one chunk. from <= acked <= sent <= high <= to. */
struct mfs_wpart {
        struct mfs_item item;
        struct mfs_writer *writer; /* NULL: all acknowledged */
        struct mfs_wop *wop;       /* NULL: the operation has ended early, `copy` has what was sent */
        uint32_t from, to;         /* in the chunk */
        uint32_t acked, sent;
        uint32_t high;       /* sent at any time: bytes between acked and high are on some servers */
        size_t base;         /* where `from` is in the operation's bytes */
        uint32_t crc;        /* of [from, acked) */
        uint64_t start_ns;   /* of its first packet, for traces */
        unsigned char *copy; /* bytes from copy_from on */
        uint32_t copy_from;
        uint64_t orphaned_at; /* with `copy`: when the operation ended */
};

/* Fires when all that was queued before it is acknowledged and its lock given back. */
struct mfs_barrier {
        struct mfs_item item;
        struct mfs_writer *writer; /* NULL: not waiting */
        struct ri_task task;
        void (*fire)(struct mfs_barrier *b);
};

struct mfs_packet {
        struct mfs_wpart *part;
        uint32_t from, size, id, crc;
        bool acked;
};

enum mfs_ws_state { WS_NONE, WS_CONNECT, WS_OPEN, WS_DATA };

/* A write session on one chain of chunkservers. */
struct mfs_wsession {
        enum mfs_ws_state state;
        struct mfs_cs_want want;
        struct mfs_cs_conn *conn;
        struct mfs_cs *head;
        bool heard;                         /* the server has answered in this session */
        bool was_up;                        /* the chain has answered */
        struct mfs_packet ring[MFS_WINDOW]; /* sent, not acknowledged; oldest at `first` */
        unsigned first, count;
        uint32_t next_id;
        bool sending;      /* the latest packet of the ring is not wholly sent */
        uint32_t send_pos; /* bytes of it, with its header */
        unsigned char hdr[WIRE_HEADER_SIZE + WIRE_WRITE_DATA_HEADER];
        unsigned char ctl[WIRE_HEADER_SIZE + 13 + 6 * MFS_MAX_LOCS]; /* WRITE, NOP */
        unsigned ctl_len, ctl_pos;
        unsigned char in[256];
        unsigned in_len;
        struct ri_timer tick;
        uint64_t sent_at, acked_at, start_ns;
        uint64_t bytes;
};

enum mfs_writer_state { MW_IDLE, MW_LOCK, MW_SPACE, MW_WAIT, MW_SESSION, MW_END };

struct mfs_writer {
        struct mfs_chunk *chunk;
        struct mfs_inode *ino;
        struct ri_list in_inode;
        struct ri_list in_locked;
        struct ri_list queue; /* struct mfs_item, in order of submission */
        struct ri_task task;  /* mfs_writer_step() */
        enum mfs_writer_state state;
        bool active;    /* counted in ino->active */
        bool locked;    /* the master has granted the chunk and END was not answered */
        bool maybe;     /* a WRITE_CHUNK was sent and its answer lost */
        bool expired;   /* given back, or it may have ended by itself: others may have had it since */
        bool ours;      /* granted since locked_at, in an answer that there was no memory for */
        bool closing;   /* no new data under this lock; what servers have in part is completed */
        bool lost;      /* the last refusal said that the chunk is lost */
        bool giving_up; /* nothing of the queue will be written any more */
        uint64_t locked_at;
        struct mfs_place *place; /* the grant */
        uint32_t acked_end;      /* highest acknowledged offset in the chunk that no END has covered */
        bool whole;              /* a write has been acknowledged to its end since the last END */
        uint32_t dirty_from;
        unsigned tries;        /* broken chains since the last acknowledgement */
        unsigned refusals;     /* of WRITE_CHUNK in a row */
        uint64_t refused_at;   /* first of them */
        uint64_t idle_since;   /* lingering: nothing to send, lock held */
        struct ri_timer timer; /* retry, or lingering */
        struct mfs_call call;
        struct mfs_getlen getlen;
        uint64_t end_length;
        unsigned end_tries;
        uint32_t again_ms; /* not 0: after the lock has ended, ask for it again in so much time */
        struct ri_error again;
        struct mfs_wsession ws;
        const char *waits, *waits_server;
};

/* The writer of the chunk, made when there is none. NULL: no memory. */
struct mfs_writer *mfs_writer_get(struct mfs_inode *ino, uint32_t index);
void mfs_writer_add(struct mfs_writer *w, struct mfs_wpart *p);
/* Its operation ends early: what was sent is copied, so that the replicas still become equal; the rest is dropped.
 * The part is the writer's afterwards, or gone. */
void mfs_writer_abandon(struct mfs_wpart *p);
/* Before a lock is asked for: gives up bytes of ended operations that it is too late for. True when it did. */
bool mfs_writer_drop_orphans(struct mfs_writer *w);
void mfs_barrier_add(struct mfs_writer *w, struct mfs_barrier *b, void (*fire)(struct mfs_barrier *b));
void mfs_barrier_cancel(struct mfs_barrier *b);
void mfs_writer_hurry(struct mfs_writer *w); /* end the lock as soon as all is acknowledged */
void mfs_writer_kill(struct mfs_writer *w);  /* at once; what is not acknowledged is lost */
bool mfs_writer_busy(const struct mfs_writer *w);
void mfs_writer_step(struct mfs_writer *w);          /* does what is next; never frees w */
uint64_t mfs_writer_end(const struct mfs_writer *w); /* file offset behind its acknowledged bytes, 0: none */
/* What a WRITE_CHUNK_END says: that, or the length of the file when the file is longer; 0: nothing was written. */
uint64_t mfs_writer_end_length(const struct mfs_writer *w);

/* From the session. */
struct mfs_wpart *mfs_writer_next(struct mfs_writer *w); /* the part to send from, or NULL */
void mfs_writer_acked(struct mfs_writer *w, struct mfs_wpart *p, uint32_t size, uint32_t crc);
void mfs_writer_down(struct mfs_writer *w, const struct ri_error *e); /* the session is over */

/* ---- wcalls.c: the writer's requests to the master ---- */
void mfs_writer_lock(struct mfs_writer *w);     /* WRITE_CHUNK, then a session */
void mfs_writer_end_lock(struct mfs_writer *w); /* WRITE_CHUNK_END */
void mfs_writer_wait(struct mfs_writer *w, uint32_t ms,
                     const struct ri_error *e);                       /* then WRITE_CHUNK again */
void mfs_writer_ended(struct mfs_writer *w);                          /* the lock is gone */
uint64_t mfs_lock_sure_until(const struct mfs_writer *w);             /* ri_now(): later it may have ended */
void mfs_writer_fail(struct mfs_writer *w, const struct ri_error *e); /* all of its operations */
void mfs_writer_says(struct mfs_writer *w, const char *what, const char *server);
void mfs_writer_kick(struct mfs_writer *w); /* mfs_writer_step() soon */
bool mfs_writer_has_parts(const struct mfs_writer *w);

/* ---- ending.c: operations that are done but for a chunk lock ---- */
/* Finishes op, at once or, when nobody would drive the loop afterwards, as soon as no chunk lock is held. */
void mfs_op_finish(struct mfs_inode *ino, struct ri_op *op);
void mfs_endings_tell(struct mfs_data *d);
void mfs_endings_tell_soon(struct mfs_data *d);        /* for those who may not end an operation now */
struct ri_op *mfs_ending_op(const struct mfs_data *d); /* one that waits for locks to end; NULL: none */

/* ---- drain.c: all writers of an inode ---- */
struct mfs_drain {
        roma_loop *loop;
        struct mfs_inode *ino;
        struct ri_op *op;
        bool active;
        struct ri_list ones;
        struct ri_task task;
        struct ri_timer again;
        void (*done)(struct mfs_drain *d); /* never called inside the start */
};
void mfs_drain_start(struct mfs_drain *d, struct mfs_inode *ino, struct ri_op *op,
                     void (*done)(struct mfs_drain *d));
void mfs_drain_cancel(struct mfs_drain *d); /* allowed when not active, also when zeroed */

/* ---- ender.c: WRITE_CHUNK_END that nobody waits for ---- */
/* good_until: ri_now(), not sent later. */
void mfs_ender_start(struct mfs_inode *ino, uint32_t index, uint64_t chunkid, uint64_t length,
                     uint64_t good_until);
void mfs_enders_drop(struct mfs_data *d);

/* ---- truncate.c ---- */
void mfs_truncs_drop(struct mfs_data *d);

/* ---- wsession.c ---- */
void mfs_ws_start(struct mfs_writer *w);
void mfs_ws_pump(struct mfs_writer *w);   /* there may be more to send; may end in mfs_writer_down() */
void mfs_ws_finish(struct mfs_writer *w); /* all acknowledged: ends the session well */
void mfs_ws_drop(struct mfs_writer *w);   /* closes at once; harmless when there is none */

/* ---- pwrite.c ---- */
struct mfs_wop {
        struct ri_op *op;
        struct mfs_inode *ino;
        struct mfs_turn turn;
        struct iovec *iov;
        int n;
        roma_buf *buf; /* that the iovec names, or NULL; the operation holds it */
        uint64_t offset;
        size_t len;
        unsigned nparts, left;
        struct mfs_wpart **part;
};
void mfs_wop_part_done(struct mfs_wop *wop);
void mfs_wop_fail(struct mfs_wop *wop, const struct ri_error *e);
/* Memory of [from, from + len) of the part, in at most max pieces; *got bytes are covered. */
int mfs_part_iov(const struct mfs_wpart *p, uint32_t from, uint32_t len, struct iovec *out, int max,
                 size_t *got);
/* Starts the write of op (for append too, whose offset is known late and whose turn it is already). Takes over the iovecs.
 * buf: see struct mfs_wop. */
void mfs_wop_run(struct ri_op *op, struct mfs_inode *ino, struct iovec *iov, int n, roma_buf *buf, size_t len,
                 uint64_t offset, bool append);
/* Copies the iovecs; NULL: op has failed. */
struct iovec *mfs_iov_copy(struct ri_op *op, const struct iovec *iov, int n, size_t *len);

#endif
