/* SPDX-License-Identifier: MIT */
/* One file under examination: roma diagnose. */
#ifndef EXAMINE_H
#define EXAMINE_H

#include "tools/mix.h"

enum verdict { CLEAN = 0, DIFFERS = 1, CANNOT_TELL = 2 };

enum weight { NOTE_INFO, NOTE_UNKNOWN, NOTE_BAD };

/* What is no run of blocks. */
struct note {
        enum weight weight;
        const char *kind; /* for programs */
        int64_t chunk;    /* -1: the file */
        char *text;
};

struct probe;

struct subject {
        struct looker *l;
        char *key, *shown;
        struct original *o; /* NULL: none */
        bool deep;
        int map_code; /* why there is no map */
        char *map_message;
        roma_mfs_map *map;
        struct dg_range *range;
        size_t ranges, room;
        size_t dropped; /* ranges that were not kept */
        struct note *note;
        size_t notes, note_room;
        struct dg_file facts;
        size_t compared;     /* copies whose tables (or bytes) were looked at */
        struct look *window; /* tables that were asked for ahead */
        size_t window_first, window_count;
        unsigned peeks;
        struct probe *probes;
        unsigned probed;
        char md5[33];      /* of the file as it is read now; "" when it was not computed */
        char *md5_message; /* why not */
        bool mixed;        /* the copies were searched for the MD5 */
        struct mix mix;
        roma_mfs_map *mix_map; /* of what was searched */
        struct dg_cause cause[DG_CAUSES_MAX];
        size_t causes;
};

/* The maps of several files at once, and the tables of their first chunks. */
void examine_prepare(struct subject *s, size_t n);
enum verdict examine(struct subject *s);
enum verdict examine_verdict(const struct subject *s);
void examine_clear(struct subject *s);
void examine_note(struct subject *s, enum weight weight, const char *kind, int64_t chunk, const char *format,
                  ...) __attribute__((format(printf, 5, 6)));

/* The runs of this chunk from the i-th of the file on are made anew: a server has refused a block meanwhile (look_bad). Runs in
 * front of it that consist of such blocks are made anew with them. Returns from where on. */
size_t examine_again(struct subject *s, struct look *look, size_t i);

/* refine.c: bytes of the blocks that differ. */
void refine_chunk(struct subject *s, struct look *look, size_t first);
void refine_search(struct subject *s); /* in the whole original */
void refine_clear(struct subject *s);

/* findings.c */
void findings_print(struct tool *t, struct subject *s);

#endif
