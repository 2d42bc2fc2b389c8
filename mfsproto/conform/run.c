/* SPDX-License-Identifier: MIT */
/* A run: settings, the folder, one check after the other, the end. */
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/config.h"
#include "core/digest.h"
#include "core/hosts.h"
#include "core/loop.h"
#include "core/uri.h"
#include "mfsproto/conform/inner.h"

enum { MASTER_PORT = 9421 };

static const struct cf_check *const tables[] = {
        cf_checks_frame, cf_checks_session, cf_checks_names,  cf_checks_attrs, cf_checks_tree,
        cf_checks_locks, cf_checks_chunk,   cf_checks_read,   cf_checks_write, cf_checks_diagnose,
        cf_checks_info,  cf_checks_gates,   cf_checks_length,
};

const struct cf_check *cf_check_at(size_t n)
{
        for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
                for (const struct cf_check *k = tables[i]; k->pub.name; k++)
                        if (n-- == 0)
                                return k;
        return NULL;
}

const roma_conform_check *roma_conform_check_at(size_t n)
{
        const struct cf_check *k = cf_check_at(n);

        return k ? &k->pub : NULL;
}

/* ---- settings ------------------------------------------------------------------------------------------------ */

static bool read_number(const struct ri_uri *uri, const char *name, uint32_t *out, struct ri_str *err)
{
        uint64_t n = *out;

        if (ri_uri_opt_u64(uri, name, 0, UINT32_MAX, &n, err) < 0)
                return false;
        *out = (uint32_t)n;
        return true;
}

static bool read_host(struct cf *c, const struct ri_uri *uri)
{
        struct ri_hosts hosts;
        bool ok;

        if (ri_hosts_parse(uri->authority, MASTER_PORT, &hosts, &c->error) < 0)
                return false;
        ok = hosts.n == 1 && strlen(hosts.v[0].name) < sizeof(c->host);
        if (ok) {
                snprintf(c->host, sizeof(c->host), "%s", hosts.v[0].name);
                c->port = hosts.v[0].port;
        } else {
                ri_str_fail(&c->error, "conform asks one master: expected one host");
        }
        ri_hosts_clear(&hosts);
        return ok;
}

/* From the file that the option password_file names; roma.conf is not read here. */
static bool read_password(struct cf *c, const struct ri_uri *uri)
{
        struct ri_str secret = RI_STR_INIT(RI_SECRET_FILE_MAX);
        unsigned char sum[RI_DIGEST_MAX];
        int rc = ri_secret_get(uri, NULL, "password", &secret, &c->error);

        if (rc > 0) {
                rc = ri_digest_bytes(RI_MD5, secret.p, secret.len, sum, &c->error);
                memcpy(c->password_md5, sum, sizeof(c->password_md5));
                explicit_bzero(sum, sizeof(sum));
                c->has_password = true;
        }
        ri_str_wipe(&secret);
        return rc >= 0;
}

static bool read_uri(struct cf *c, const struct ri_uri *uri)
{
        static const char *const known[] = { "export", "password_file", "uid", "gid", NULL };
        const char *export = ri_uri_opt(uri, "export");

        if (uri->kind != RI_URI_STORE || strcmp(uri->scheme, "mfs") != 0) {
                ri_str_fail(&c->error, "expected mfs://HOST[:PORT]/FOLDER");
                return false;
        }
        if (ri_uri_check_opts(uri, known, &c->error) < 0 || !read_number(uri, "uid", &c->uid, &c->error) ||
            !read_number(uri, "gid", &c->gid, &c->error) || !read_host(c, uri) || !read_password(c, uri))
                return false;
        c->folder = strdup(uri->path);
        c->export = strdup(export ? export : "/");
        if (!c->folder || !c->export || strlen(c->export) >= WIRE_PATH_MAX) {
                ri_str_fail(&c->error, "no memory, or an export longer than %d bytes", WIRE_PATH_MAX - 1);
                return false;
        }
        return true;
}

static bool settings(struct cf *c, const roma_conform_opts *o)
{
        struct ri_uri uri;
        bool ok;

        if (o->as && !wire_ver_parse(o->as, &c->declared)) {
                ri_str_fail(&c->error, "'%.40s' is no version like 3.0.117", o->as);
                return false;
        }
        if (!wire_ver_at_least(c->declared, WIRE_VER(1, 7, 32))) {
                ri_str_fail(&c->error,
                            "clients older than 1.7.32 get attributes that these checks cannot read");
                return false;
        }
        if (ri_uri_parse(c->uri, &uri, &c->error) < 0)
                return false;
        ok = read_uri(c, &uri);
        ri_uri_clear(&uri);
        return ok;
}

roma_conform *roma_conform_new(const roma_conform_opts *o)
{
        struct cf *c = calloc(1, sizeof(*c));

        if (!c)
                return NULL;
        ri_str_init(&c->error, RI_STR_MAX_ERROR);
        ri_str_init(&c->text, RI_STR_MAX_ERROR);
        c->declared = WIRE_VER(4, 59, 2);
        c->uid = geteuid();
        c->gid = getegid();
        c->slow = o->slow;
        c->result = o->result;
        c->arg = o->arg;
        c->uri = strdup(o->uri ? o->uri : "");
        c->filter = strdup(o->filter ? o->filter : "");
        c->wake[0] = c->wake[1] = -1;
        if (!c->uri || !c->filter || pipe2(c->wake, O_CLOEXEC | O_NONBLOCK) < 0) {
                roma_conform_free((roma_conform *)c);
                return NULL;
        }
        (void)settings(c, o); /* what is wrong is said by roma_conform_run() */
        return (roma_conform *)c;
}

void roma_conform_free(roma_conform *handle)
{
        struct cf *c = (struct cf *)handle;

        if (!c)
                return;
        cf_links_free(c);
        for (int i = 0; i < 2; i++)
                if (c->wake[i] >= 0)
                        close(c->wake[i]);
        ri_str_free(&c->error);
        ri_str_free(&c->text);
        free(c->uri);
        free(c->filter);
        free(c->folder);
        free(c->export);
        explicit_bzero(c->password_md5, sizeof(c->password_md5));
        free(c);
}

void roma_conform_stop(roma_conform *handle)
{
        struct cf *c = (struct cf *)handle;

        if (write(c->wake[1], "", 1) < 0)
                return; /* it is full: it has been told already */
}

const char *roma_conform_error(const roma_conform *c)
{
        return ri_str_cstr(&((const struct cf *)c)->error);
}

const char *roma_conform_server(const roma_conform *c)
{
        return ((const struct cf *)c)->version;
}

/* ---- the folder ---------------------------------------------------------------------------------------------- */

static bool resolve(struct cf *c)
{
        struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
        int rc = getaddrinfo(c->host, NULL, &hints, &found);

        if (rc != 0) {
                ri_str_fail(&c->error, "%s: %s", c->host, gai_strerror(rc));
                return false;
        }
        c->ip = ntohl(((struct sockaddr_in *)(void *)found->ai_addr)->sin_addr.s_addr);
        freeaddrinfo(found);
        return true;
}

/* The folder that was given. */
static uint32_t find_base(struct cf *c)
{
        uint32_t inode = WIRE_ROOT_INODE;
        char name[WIRE_NAME_MAX + 1];
        uint8_t status = WIRE_STATUS_OK;

        for (const char *p = c->folder; *p && !c->failed;) {
                size_t n = strcspn(p, "/");

                if (n > WIRE_NAME_MAX) {
                        cf_unsure(c, "a name in %s is longer than %d bytes", c->folder, WIRE_NAME_MAX);
                } else if (n) {
                        memcpy(name, p, n);
                        name[n] = 0;
                        inode = cf_lookup(c, c->ma, inode, name, &status);
                        if (status)
                                cf_unsure(c, "the folder %s cannot be used: %s: %s", c->folder, name,
                                          wire_status_text(status));
                }
                p += n;
                p += *p == '/';
        }
        return inode;
}

/* What is removed goes to no trash; a server that knows no such thing is no failure. */
static void no_trash(struct cf *c)
{
        struct wire_msg m;

        cf_msg(&m, WIRE_CLTOMA_FUSE_SETTRASHRETENTION);
        wire_set_u(&m, WF_INODE, c->scratch);
        wire_set_u(&m, WF_UID, c->uid);
        wire_set_u(&m, WF_RETENTION, 0);
        wire_set_u(&m, WF_SMODE, WIRE_SMODE_SET);
        (void)cf_ask(c, c->ma, &m);
}

/* Two copies, where the server can: with one there are no chains. */
static void two_copies(struct cf *c)
{
        struct wire_msg m;

        cf_msg(&m, WIRE_CLTOMA_FUSE_SETSCLASS);
        wire_set_u(&m, WF_INODE, c->scratch);
        wire_set_u(&m, WF_UID, c->uid);
        wire_set_u(&m, WF_GOAL, 2);
        wire_set_u(&m, WF_SMODE, WIRE_SMODE_SET);
        (void)cf_ask(c, c->ma, &m);
}

/* The first words with the server: when they fail nothing else can be tried. */
static bool begin(struct cf *c)
{
        uint64_t number = 0;

        if (c->error.len || !resolve(c))
                return false;
        c->ma = cf_client(c);
        c->server = c->ma ? c->ma->server : 0;
        wire_ver_print(c->server, c->version, sizeof(c->version));
        c->base = find_base(c);
        if (getrandom(&number, sizeof(number), 0) != sizeof(number))
                cf_unsure(c, "no random number for the name of the folder");
        snprintf(c->scratch_name, sizeof(c->scratch_name), ".roma-conform-%016llx",
                 (unsigned long long)number);
        c->scratch = cf_mkdir(c, c->ma, c->base, c->scratch_name);
        if (!c->failed)
                no_trash(c);
        if (!c->failed)
                two_copies(c);
        if (c->failed)
                ri_str_fail(&c->error, "%s:%u: %s", c->host, c->port, ri_str_cstr(&c->text));
        return !c->failed;
}

static void forget_session(struct cf *c, struct cf_link *l)
{
        struct wire_msg m;

        if (!l || l->fd < 0 || !l->session)
                return;
        cf_msg(&m, WIRE_CLTOMA_FUSE_REGISTER);
        wire_set_u(&m, WF_RCODE, WIRE_REGISTER_CLOSESESSION);
        wire_set_u(&m, WF_SESSIONID, l->session);
        if (l->metaid)
                wire_set_u(&m, WF_METAID, l->metaid);
        cf_send(c, l, &m);
        (void)cf_next(c, l, CF_QUIET_MS);
}

static void fresh(struct cf *c)
{
        for (struct cf_link *l = c->links; l; l = l->next) {
                c->failed = false;
                forget_session(c, l);
        }
        cf_links_free(c);
        c->failed = false;
        c->verdict = ROMA_CONFORM_PASS;
        ri_str_reset(&c->text);
}

/* With a failure, what was said stays. Ours is removed also when the run was stopped. */
static void end(struct cf *c)
{
        char byte[64];

        while (read(c->wake[0], byte, sizeof(byte)) > 0)
                ;
        if (c->scratch) {
                fresh(c);
                c->ma = cf_client(c);
                if (!cf_remove(c, c->ma, c->base, c->scratch_name, c->scratch) && !c->error.len)
                        ri_str_fail(&c->error, "the folder %s could not be removed from %s: %s",
                                    c->scratch_name, c->folder,
                                    c->text.len ? ri_str_cstr(&c->text) : "refused");
        }
        fresh(c);
}

/* ---- checks -------------------------------------------------------------------------------------------------- */

static bool meant(struct cf *c, const struct cf_check *k)
{
        if (*c->filter && !strstr(k->pub.name, c->filter))
                return false;
        return true;
}

static void run_one(struct cf *c, const struct cf_check *k)
{
        fresh(c);
        c->check = k;
        if (!wire_gate_open(&k->gate, c->server, c->declared)) {
                cf_skip(c, "for %s servers, this one is %s", k->pub.servers, c->version);
                return;
        }
        if (k->pub.slow && !c->slow) {
                cf_skip(c, "slow checks were not asked for");
                return;
        }
        c->ma = cf_client(c);
        c->dir = 0;
        k->run(c);
}

static bool stopped(struct cf *c)
{
        char byte;

        return read(c->wake[0], &byte, 1) > 0;
}

static void tell(struct cf *c, uint64_t since)
{
        roma_conform_result r = { &c->check->pub, c->verdict, ri_str_cstr(&c->text), ri_now() - since };

        if (c->result)
                c->result(c->arg, &r);
}

static int run_all(struct cf *c)
{
        bool failed = false, unsure = false, none = true;
        const struct cf_check *k;

        for (size_t i = 0; (k = cf_check_at(i)); i++) {
                uint64_t since = ri_now();

                if (!meant(c, k))
                        continue;
                none = false;
                run_one(c, k);
                if (stopped(c)) {
                        ri_str_fail(&c->error, "stopped");
                        return failed ? 1 : 2;
                }
                failed |= c->verdict == ROMA_CONFORM_FAIL;
                unsure |= c->verdict == ROMA_CONFORM_UNSURE;
                tell(c, since);
        }
        if (none)
                ri_str_fail(&c->error, "no check has '%s' in its name", c->filter);
        return failed ? 1 : unsure || none ? 2 : 0;
}

int roma_conform_run(roma_conform *handle)
{
        struct cf *c = (struct cf *)handle;
        int code = 2;

        if (begin(c))
                code = run_all(c);
        end(c);
        return c->error.len && !code ? 2 : code; /* what it made may still be there */
}
