/* SPDX-License-Identifier: MIT */
/* A digest of a stream, computed on a worker, piece after piece. It keeps a copy of what it has not yet read, so that a
 * worker never looks at memory that somebody else may take back. */
#ifndef RI_DIGESTER_H
#define RI_DIGESTER_H

#include "core/digest.h"
#include "core/workers.h"

struct ri_digester;

/* NULL, with a sentence in err. moved: after each piece that was read, on the loop; may free the digester. */
struct ri_digester *ri_digester_new(roma_loop *loop, enum ri_digest_kind kind, void (*moved)(void *arg),
                                    void *arg, struct ri_str *err);
int ri_digester_feed(struct ri_digester *d, const void *bytes, size_t n); /* -1: out of memory */
size_t ri_digester_pending(const struct ri_digester *d);                  /* bytes not yet read */
/* When nothing is pending: 0 and the text, or -1 with a sentence. Once. */
int ri_digester_end(struct ri_digester *d, char out[RI_DIGEST_HEX_MAX], struct ri_str *err);
void ri_digester_free(struct ri_digester *d);

#endif
