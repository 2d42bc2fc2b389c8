/* SPDX-License-Identifier: MIT */
/* What the client does in fuzz-session and when its seeds are recorded. */
#include "session-play.h"

#include <roma/mfs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEADLINE_MS = 20000, ROOM = 100000, PUT = 5000 };

static uint8_t buffer[ROOM];

/* For people who want to know how far an input gets. */
static void told(roma_store *store, const char *what, int64_t result)
{
        if (getenv("FUZZ_VERBOSE"))
                fprintf(stderr, "%s: %lld %s\n", what, (long long)result,
                        result < 0 ? roma_error(roma_store_loop(store)) : "");
}

static void put(roma_store *store)
{
        roma_put_opts opts = ROMA_PUT_OPTS_INIT;

        opts.deadline_ms = DEADLINE_MS;
        for (int i = 0; i < PUT; i++)
                buffer[i] = (uint8_t)(i * 7);
        told(store, "put", roma_put(store, "p", buffer, PUT, &opts));
}

static void get(roma_store *store, const roma_opts *opts)
{
        roma_file *file = roma_file_open(store, "f", ROMA_O_READ, 0, opts);
        roma_attr attr = ROMA_ATTR_INIT;

        if (!file)
                return;
        told(store, "pread", roma_pread(file, buffer, sizeof buffer, 0, opts));
        told(store, "fstat", roma_fstat(file, opts, &attr));
        told(store, "file_close", roma_file_close(file, opts));
}

static void in_place(roma_store *store, const roma_opts *opts)
{
        roma_file *file = roma_file_open(store, "f", ROMA_O_READ | ROMA_O_WRITE, 0, opts);

        if (!file)
                return;
        told(store, "pwrite", roma_pwrite(file, buffer, 700, 2500, opts));
        told(store, "truncate", roma_truncate(file, 1000, opts));
        told(store, "append", roma_append(file, buffer, 10, opts));
        told(store, "fsync", roma_fsync(file, opts));
        told(store, "file_close", roma_file_close(file, opts));
}

static void names(roma_store *store, const roma_opts *opts)
{
        roma_attr attr = ROMA_ATTR_INIT;

        attr.mask = ROMA_ATTR_MODE;
        attr.mode = 0600;
        told(store, "mkdir", roma_mkdir(store, "d/e", 0755, ROMA_MKDIR_PARENTS, opts));
        told(store, "symlink", roma_symlink(store, "f", "d/s", opts));
        told(store, "readlink", roma_readlink(store, "d/s", opts));
        told(store, "link", roma_link(store, "f", "d/l", opts));
        told(store, "rename", roma_rename(store, "d/l", "d/m", 0, opts));
        told(store, "setattr", roma_setattr(store, "d/m", &attr, 0, opts));
        told(store, "unlink", roma_unlink(store, "d/m", 0, opts));
        told(store, "rmdir", roma_rmdir(store, "d/e", opts));
}

static void inspect(roma_store *store, const roma_opts *opts)
{
        static roma_mfs_crcs crcs;
        roma_mfs_map *map = roma_mfs_chunks(store, "f", opts);

        if (!map)
                return;
        for (size_t i = 0; i < map->chunks && i < 2; i++) {
                const roma_mfs_chunk *ch = &map->chunk[i];

                for (size_t k = 0; k < ch->copies && k < 2; k++) {
                        told(store, "mfs_replica_crcs",
                             roma_mfs_replica_crcs(store, &ch->copy[k], ch->id, ch->version, opts, &crcs));
                        told(store, "mfs_replica_read",
                             roma_mfs_replica_read(store, &ch->copy[k], ch->id, ch->version, buffer, 3000, 0,
                                                   opts));
                }
        }
        roma_mfs_map_unref(map);
}

void session_play(roma_loop *loop, const char *uri, unsigned what)
{
        roma_opts opts = ROMA_OPTS_INIT;
        roma_space space;
        char place[256];
        roma_store *store;
        roma_attr attr = ROMA_ATTR_INIT;

        opts.deadline_ms = DEADLINE_MS;
        snprintf(place, sizeof place, "%s%s", uri, what & PLAY_EXPORT ? "?export=/x" : "");
        store = roma_store_open(loop, place, &opts);
        if (!store && getenv("FUZZ_VERBOSE"))
                fprintf(stderr, "open: %s\n", roma_error(loop));
        if (!store)
                return;
        if (what & PLAY_STAT) {
                told(store, "stat", roma_stat(store, "f", 0, &opts, &attr));
                told(store, "statfs", roma_statfs(store, &opts, &space));
        }
        if (what & PLAY_LIST)
                told(store, "list_page", roma_list_page(store, "", NULL));
        if (what & PLAY_PUT)
                put(store);
        if (what & PLAY_GET)
                get(store, &opts);
        if (what & PLAY_INPLACE)
                in_place(store, &opts);
        if (what & PLAY_NAMES)
                names(store, &opts);
        if (what & PLAY_INSPECT)
                inspect(store, &opts);
        roma_store_close(store);
}
