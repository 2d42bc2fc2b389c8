/* SPDX-License-Identifier: MIT */
/* The writer of stores with folders, inner declarations: folder_writer.c says how it works. */
#ifndef RI_FOLDER_WRITER_H
#define RI_FOLDER_WRITER_H

#include "core/compose.h"
#include "core/writer.h"

struct fw {
        roma_writer *w;
        roma_store *store;
        struct ri_op *op; /* who waits, or NULL */
        roma_op child;    /* the step that is under way */
        roma_op look;     /* the stat of the target, while opening */
        roma_file *file;  /* owned */
        char *target;     /* the key, or where its symbolic links lead */
        char *temp;       /* NULL: in place */
        bool made;        /* the temporary may be there */
        bool in_place;
        bool parents_made;
        bool stat_done, open_done;
        bool removing;
        int links;
        struct ri_error stat_error, open_error, why;
        bool fail;     /* `op` fails with `why` when the removal has ended */
        roma_attr old; /* of the target; mask 0: none */
        roma_attr now; /* of the temporary */
        uint32_t mode; /* that it is to have; 0: any */
        roma_attr set; /* still to be set at opening */
};

/* Limits of a step. */
roma_opts ri_fw_limits(const struct fw *f);
/* Adopts a step that has started; gives up when it has not. Nothing may be done with f afterwards. */
void ri_fw_step(struct fw *f, roma_op child);
void ri_fw_waits_for(struct fw *f, struct ri_op *op);
/* The operation is over for us: returns it. */
struct ri_op *ri_fw_let_go(struct fw *f);
/* Removes the temporary, then fails the operation. f is gone, or soon will be. */
void ri_fw_give_up(struct fw *f, const struct ri_error *e);
void ri_fw_give_up_from(struct fw *f, const roma_result *r);
void ri_fw_close_file(struct fw *f);
/* A step: attributes of what is being written. */
void ri_fw_setattr(struct fw *f, const roma_attr *a, roma_done *done);
/* Nothing is left. */
void ri_fw_gone(struct fw *f);

/* folder_open.c */
void ri_fw_open(struct ri_op *op, roma_writer *w);

#endif
