/* SPDX-License-Identifier: MIT */
/* Bytes of files: an inode shared by all files of a session that have it open, its chunks, reads from replicas,
 * and one writer for each chunk. Protocol pages 4 and 5. */
#ifndef MFS_CHUNK_H
#define MFS_CHUNK_H

#include "mfsproto/session/session.h"

struct mfs_data;  /* of one session: inodes, the pool of chunkserver connections */
struct mfs_inode; /* counted */

struct mfs_data *mfs_data_new(struct mfs_session *s);
void mfs_data_free(
        struct mfs_data *d); /* drops connections at once; no inode may be held, no operation in flight */

/* Takes a share of the inode (holding it open for the master, as OPEN has registered it). length as the master said.
 * NULL when memory is missing. */
struct mfs_inode *mfs_inode_get(struct mfs_data *d, uint32_t inode, uint64_t length);
/* The same for whoever only wants to know whether it is open here: NULL when it is not. */
struct mfs_inode *mfs_inode_find(struct mfs_data *d, uint32_t inode);
/* Gives it back. Its writers must have been flushed (mfs_inode_flush). */
void mfs_inode_put(struct mfs_inode *ino);
uint64_t mfs_inode_length(const struct mfs_inode *ino); /* own writes included */
uint32_t mfs_inode_number(const struct mfs_inode *ino);

/* The caller knows that nobody else can write this file (a temporary of its own): a chunk lock whose answer was lost
 * with the connection is then certainly ours, and need not be waited for. */
void mfs_inode_sole_writer(struct mfs_inode *ino, bool sole);
/* What the master said about the file just now. */
void mfs_inode_set_length(struct mfs_inode *ino, uint64_t length);

/* Each works on op and finishes or fails it; sets op->cancel. They keep the rules: overlapping writes apply in the
 * order of submission; reads and truncates of a dirty range flush first; a write completes when every replica has
 * acknowledged it. */
void mfs_inode_read(struct ri_op *op, struct mfs_inode *ino, const struct iovec *iov, int n, uint64_t offset);
void mfs_inode_write(struct ri_op *op, struct mfs_inode *ino, const struct iovec *iov, int n,
                     uint64_t offset);
/* The same for a buffer of the loop, which the operation holds: CRCs that came with its bytes are not computed again. */
void mfs_inode_write_buf(struct ri_op *op, struct mfs_inode *ino, roma_buf *buf, uint64_t offset);
/* RESERVE at the master, then write there; res.offset. */
void mfs_inode_append(struct ri_op *op, struct mfs_inode *ino, const struct iovec *iov, int n);
void mfs_inode_truncate(struct ri_op *op, struct mfs_inode *ino, uint64_t length);
/* All acknowledged, FINISH, every WRITE_CHUNK_END answered, mtime on its way. A loss of bytes whose write had ended is
 * reported here, to each file that has the inode open for writing: *told says up to which loss that file knows (when it
 * is opened: mfs_inode_losses()), and lives until op ends. */
void mfs_inode_flush(struct ri_op *op, struct mfs_inode *ino, unsigned *told);
unsigned mfs_inode_losses(const struct mfs_inode *ino);

/* What is known of changes of its bytes, by whomever. */
struct mfs_changes {
        unsigned seen; /* writes that began or ended, truncates */
        unsigned gaps; /* times in which the master could not tell us of any */
};
struct mfs_changes mfs_inode_changes(const struct mfs_inode *ino);

/* Something sits between reads and the chunkservers' answers of another client: forget cached places. */
void mfs_inode_forget(struct mfs_inode *ino);

#endif
