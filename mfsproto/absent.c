/* SPDX-License-Identifier: MIT */
/* roma/mfs.h, roma/wire.h and roma/conform.h in a library that was built without MooseFS: the same symbols, which say so. */
#include <roma/conform.h>
#include <roma/mfs.h>
#include <roma/wire.h>

#include <stdio.h>

#include "core/backend.h"

static void absent(roma_store *store)
{
        ri_loop_error(store->loop, ROMA_ENOTSUP, "this libroma was built without MooseFS");
}

roma_op roma_aio_mfs_chunks(roma_store *store, const char *key, const roma_opts *opts, roma_done *done,
                            void *arg)
{
        (void)key, (void)opts, (void)done, (void)arg;
        absent(store);
        return 0;
}

roma_mfs_map *roma_mfs_chunks(roma_store *store, const char *key, const roma_opts *opts)
{
        (void)key, (void)opts;
        absent(store);
        return NULL;
}

roma_mfs_map *roma_mfs_map_ref(const roma_mfs_map *map)
{
        (void)map;
        return NULL;
}

void roma_mfs_map_unref(roma_mfs_map *map)
{
        (void)map;
}

roma_op roma_aio_mfs_replica_crcs(roma_store *store, const roma_mfs_copy *copy, uint64_t chunk,
                                  uint32_t version, const roma_opts *opts, roma_done *done, void *arg)
{
        (void)copy, (void)chunk, (void)version, (void)opts, (void)done, (void)arg;
        absent(store);
        return 0;
}

int roma_mfs_replica_crcs(roma_store *store, const roma_mfs_copy *copy, uint64_t chunk, uint32_t version,
                          const roma_opts *opts, roma_mfs_crcs *out)
{
        (void)copy, (void)chunk, (void)version, (void)opts, (void)out;
        absent(store);
        return -1;
}

roma_op roma_aio_mfs_replica_read(roma_store *store, const roma_mfs_copy *copy, uint64_t chunk,
                                  uint32_t version, void *buf, size_t len, uint64_t offset,
                                  const roma_opts *opts, roma_done *done, void *arg)
{
        (void)copy, (void)chunk, (void)version, (void)buf, (void)len, (void)offset;
        (void)opts, (void)done, (void)arg;
        absent(store);
        return 0;
}

int64_t roma_mfs_replica_read(roma_store *store, const roma_mfs_copy *copy, uint64_t chunk, uint32_t version,
                              void *buf, size_t len, uint64_t offset, const roma_opts *opts)
{
        (void)copy, (void)chunk, (void)version, (void)buf, (void)len, (void)offset, (void)opts;
        absent(store);
        return -1;
}

roma_op roma_aio_mfs_settled(roma_store *store, uint32_t inode, uint32_t index, const roma_opts *opts,
                             roma_done *done, void *arg)
{
        (void)inode, (void)index, (void)opts, (void)done, (void)arg;
        absent(store);
        return 0;
}

int roma_mfs_settled(roma_store *store, uint32_t inode, uint32_t index, const roma_opts *opts,
                     roma_mfs_place *out)
{
        (void)inode, (void)index, (void)opts, (void)out;
        absent(store);
        return -1;
}

roma_op roma_aio_mfs_disks(roma_store *store, const roma_mfs_copy *copy, const roma_opts *opts,
                           roma_done *done, void *arg)
{
        (void)copy, (void)opts, (void)done, (void)arg;
        absent(store);
        return 0;
}

int roma_mfs_disks(roma_store *store, const roma_mfs_copy *copy, const roma_opts *opts)
{
        (void)copy, (void)opts;
        absent(store);
        return -1;
}

roma_wire *roma_wire_new(const roma_wire_opts *opts)
{
        (void)opts;
        return NULL;
}

void roma_wire_free(roma_wire *w)
{
        (void)w;
}

const roma_wire_rule *roma_wire_rule_at(size_t n)
{
        (void)n;
        return NULL;
}

int roma_wire_linktype_ok(int linktype)
{
        (void)linktype;
        return 0;
}

void roma_wire_frame(roma_wire *w, int linktype, int64_t time_ns, const void *frame, size_t len,
                     size_t wirelen)
{
        (void)w, (void)linktype, (void)time_ns, (void)frame, (void)len, (void)wirelen;
}

void roma_wire_end(roma_wire *w)
{
        (void)w;
}

const roma_wire_report *roma_wire_report_of(const roma_wire *w)
{
        static const roma_wire_report nothing;

        (void)w;
        return &nothing;
}

const roma_conform_check *roma_conform_check_at(size_t n)
{
        (void)n;
        return NULL;
}

roma_conform *roma_conform_new(const roma_conform_opts *opts)
{
        (void)opts;
        return NULL;
}

int roma_conform_run(roma_conform *c)
{
        (void)c;
        return 2;
}

const char *roma_conform_error(const roma_conform *c)
{
        (void)c;
        return "";
}

const char *roma_conform_server(const roma_conform *c)
{
        (void)c;
        return "";
}

void roma_conform_stop(roma_conform *c)
{
        (void)c;
}

void roma_conform_free(roma_conform *c)
{
        (void)c;
}

roma_served *roma_served_new(const roma_served_opts *opts, char *why, size_t size)
{
        (void)opts;
        snprintf(why, size, "this libroma was built without MooseFS");
        return NULL;
}

const char *roma_served_uri(const roma_served *s)
{
        (void)s;
        return "";
}

void roma_served_end(roma_served *s)
{
        (void)s;
}

const roma_wire_report *roma_served_report(const roma_served *s)
{
        (void)s;
        return roma_wire_report_of(NULL);
}

void roma_served_free(roma_served *s)
{
        (void)s;
}
