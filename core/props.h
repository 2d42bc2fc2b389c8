/* SPDX-License-Identifier: MIT */
/* Headers and metadata of objects: copies, and what is true of them on every store. */
#ifndef RI_PROPS_H
#define RI_PROPS_H

#include "core/backend.h"

/* In one piece of memory with all its strings: free() frees it. */
struct ri_props {
        size_t n;
        roma_prop v[];
};

/* NULL: no memory. */
struct ri_props *ri_props_copy(const roma_prop *v, size_t n);
/* Of a source's those that its copy gets (all metadata, and the headers that say what the bytes are), and those asked for instead
 * or besides. timed: the copy has an mtime of its own. bare: it gets
 * the type only. NULL: no memory. */
struct ri_props *ri_props_for_copy(const roma_prop *v, size_t n, const struct ri_props *asked, bool timed,
                                   bool bare);
/* Whether they can be given to this store, and are names and values at all. 0, or -1 with the loop's error set. name: of the
 * call. */
int ri_props_check(roma_store *store, const char *name, const char *key, const roma_prop *v, size_t n);

#endif
