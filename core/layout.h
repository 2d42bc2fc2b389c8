/* SPDX-License-Identifier: MIT */
/* Making a roma_layout, for backends. One thread at a time, any thread. */
#ifndef RI_LAYOUT_H
#define RI_LAYOUT_H

#include <stdbool.h>

#include <roma/layout.h>

#include "core/backend.h"

enum { RI_LAYOUT_PIECES = 1 << 22 }; /* of one object */

struct ri_layout;

/* What is made; fill the numbers in. NULL: no memory. */
roma_layout *ri_layout_new(const char *kind, const char *pool, const char *ns);
/* A string that lives as long as the layout; "" when memory is missing, which ri_layout_finish() tells. */
const char *ri_layout_text(roma_layout *layout, const char *s);
/* Appends one; NULL: no memory. It moves when the next one is added. */
roma_piece *ri_layout_piece(roma_layout *layout, uint64_t offset, uint64_t length, const char *name);
roma_piece *ri_layout_at(roma_layout *layout, size_t piece);
/* All servers of one piece. Their strings are copied. */
void ri_layout_copies(roma_layout *layout, size_t piece, const roma_piece_copy *copy, size_t n);
void ri_layout_remark(roma_layout *layout, int weight, const char *kind, int64_t piece, const char *fmt, ...)
        __attribute__((format(printf, 5, 6)));
/* Takes the layout over and ends the operation with it. */
void ri_layout_finish(struct ri_op *op, roma_layout *layout);

#endif
