/* SPDX-License-Identifier: MIT */
/* Objects of stores other than MooseFS, by roma/layout.h: chunks and diagnose. */
#ifndef PIECES_H
#define PIECES_H

#include <roma/layout.h>

#include "tools/tool.h"

/* Whether chunks, tables and replicas can be asked for by roma/mfs.h. */
bool place_has_chunks(const struct place *p);
/* NULL: r.code and r.message say why; answer_free() when done with either. */
roma_layout *pieces_of(struct tool *t, struct answer *a, const struct location *l, unsigned flags);
/* roma chunks. */
void pieces_show(struct tool *t, const struct location *l);
/* For JSON. */
json_t *pieces_remark_json(const roma_remark *r);

#endif
