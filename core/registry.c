/* SPDX-License-Identifier: MIT */
/* Which backend speaks a scheme: those built in, then modules, opened by scheme. The one place in core that names
 * backends. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/backend.h"
#include <config.h>

#ifdef ROMA_WITH_FILEIO
extern const struct ri_backend fileio_backend;
#endif
#ifdef ROMA_WITH_MFS
extern const struct ri_backend mfs_backend;
#endif

static const struct ri_backend *const built_in[] = {
#ifdef ROMA_WITH_FILEIO
        &fileio_backend,
#endif
#ifdef ROMA_WITH_MFS
        &mfs_backend,
#endif
        NULL,
};

struct module {
        const char *scheme, *module, *package;
};

/* Schemes that a module brings. A module exports roma_module(scheme, &backend), which returns NULL or why
 * it cannot serve. */
static const struct module modules[] = {
        { "cephfs", "cephio", "libroma-ceph" }, { "rados", "cephio", "libroma-ceph" },
        { "s3", "s3compat", "libroma-s3" },     { "oss", "s3compat", "libroma-s3" },
        { "obs", "s3compat", "libroma-s3" },    { "minio", "s3compat", "libroma-s3" },
};

static bool speaks(const struct ri_backend *be, const char *scheme)
{
        for (const char *const *s = be->schemes; *s; s++)
                if (strcmp(*s, scheme) == 0)
                        return true;
        return false;
}

/* ROMA_MODULE_DIR is for programs that are not installed, such as our own tests. Where the process has more rights than
 * its user, the environment does not decide what is loaded. */
static void module_path(const struct module *m, char path[4096])
{
        const char *dir = secure_getenv("ROMA_MODULE_DIR");

        snprintf(path, 4096, "%s/%s.so", dir && *dir ? dir : ROMA_MODULE_DIR, m->module);
}

const char *roma_scheme(unsigned i, int *installed)
{
        char path[4096];
        int there = 1;

        if (!installed)
                installed = &there;
        for (const struct ri_backend *const *b = built_in; *b; b++)
                for (const char *const *s = (*b)->schemes; *s; s++, i--)
                        if (i == 0) {
                                *installed = 1;
                                return *s;
                        }
        if (i >= sizeof modules / sizeof modules[0])
                return NULL;
        module_path(&modules[i], path);
        *installed = access(path, R_OK) == 0;
        return modules[i].scheme;
}

/* Loaded once and kept: the backend's table is used as long as the process lives. */
static const struct ri_backend *module_open(const struct module *m, struct ri_error *e)
{
        const char *(*backend)(const char *scheme, const struct ri_backend **be);
        const struct ri_backend *be = NULL;
        char path[4096];
        const char *why;
        void *lib;

        module_path(m, path);
        lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!lib) {
                why = dlerror();
                if (access(path, F_OK) != 0)
                        ri_error_set(e, ROMA_ENOTINSTALLED, NULL, "%s:// is not installed: package %s",
                                     m->scheme, m->package);
                else
                        ri_error_set(e, ROMA_ENOTINSTALLED, NULL, "%s:// cannot be loaded: %s", m->scheme,
                                     why ? why : path);
                return NULL;
        }
        *(void **)(&backend) = dlsym(lib, "roma_module");
        why = backend ? backend(m->scheme, &be) : "it is no module of libroma";
        if (!why && be->abi != RI_BACKEND_ABI)
                why = "it belongs to another version of libroma";
        if (!why)
                return be;
        ri_error_set(e, ROMA_ENOTINSTALLED, NULL,
                     "%s:// cannot be used: %s: %s; install package %s of this version", m->scheme, path, why,
                     m->package);
        dlclose(lib);
        return NULL;
}

const struct ri_backend *ri_backend_for(const char *scheme, struct ri_error *e)
{
        for (const struct ri_backend *const *b = built_in; *b; b++)
                if (speaks(*b, scheme))
                        return *b;
        for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++)
                if (strcmp(modules[i].scheme, scheme) == 0)
                        return module_open(&modules[i], e);
        ri_error_set(e, ROMA_EURI, NULL,
                     "no store speaks %.32s://; file, mfs, cephfs, rados, s3, oss, obs and minio do", scheme);
        return NULL;
}
