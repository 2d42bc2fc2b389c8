/* SPDX-License-Identifier: MIT */
#include "s3compat/xml.h"

#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct reader {
        XML_Parser p;
        s3_xml_fn *fn;
        void *arg;
        struct ri_str *err;
        bool failed;
        unsigned depth;
        size_t len[S3_XML_DEPTH + 1]; /* of the path at each depth */
        char path[S3_XML_PATH];
        struct ri_str text; /* of the innermost element so far */
};

static void stop(struct reader *r, const char *why)
{
        if (!r->failed && why)
                ri_str_fail(r->err, "the answer's XML is not usable: %s", why);
        r->failed = true;
        XML_StopParser(r->p, XML_FALSE);
}

static void call(struct reader *r, const char *text)
{
        if (r->fn(r->arg, r->path, text) < 0)
                stop(r, r->err && r->err->len ? NULL : "it does not say what it should");
}

static void XMLCALL begin(void *arg, const XML_Char *name, const XML_Char **attributes)
{
        struct reader *r = arg;
        size_t at = r->len[r->depth], n = strlen(name);

        (void)attributes;
        if (r->failed)
                return;
        if (r->depth == S3_XML_DEPTH || n + 2 > sizeof(r->path) - at) {
                stop(r, "too many levels, or names too long");
                return;
        }
        if (at)
                r->path[at++] = '/';
        memcpy(r->path + at, name, n + 1);
        r->len[++r->depth] = at + n;
        ri_str_reset(&r->text);
        call(r, NULL);
}

static void XMLCALL end(void *arg, const XML_Char *name)
{
        struct reader *r = arg;

        (void)name;
        if (r->failed)
                return;
        if (r->text.failed) {
                stop(r, "an element is too long");
                return;
        }
        call(r, ri_str_cstr(&r->text));
        r->path[r->len[--r->depth]] = '\0';
        ri_str_reset(&r->text);
}

static void XMLCALL data(void *arg, const XML_Char *text, int n)
{
        struct reader *r = arg;

        if (!r->failed)
                ri_str_append(&r->text, text, (size_t)n);
}

/* Entities are declared there, which no server does and an attacker might. */
static void XMLCALL doctype(void *arg, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid,
                            int internal)
{
        (void)name;
        (void)sysid;
        (void)pubid;
        (void)internal;
        stop(arg, "a DOCTYPE is not allowed");
}

int s3_xml_read(const void *bytes, size_t n, s3_xml_fn *fn, void *arg, struct ri_str *err)
{
        struct reader r = { .fn = fn, .arg = arg, .err = err, .text = RI_STR_INIT(S3_XML_TEXT) };
        int status = XML_STATUS_ERROR;
        const char *p = bytes;

        if (err)
                ri_str_reset(err);
        if (n > 1u << 30)
                return ri_str_fail(err, "the answer's XML is longer than 1 GiB");
        r.p = XML_ParserCreate(NULL);
        if (!r.p)
                return ri_str_fail(err, "no memory for an XML parser");
        XML_SetUserData(r.p, &r);
        XML_SetElementHandler(r.p, begin, end);
        XML_SetCharacterDataHandler(r.p, data);
        XML_SetStartDoctypeDeclHandler(r.p, doctype);
        /* Blanks that kept the connection alive: expat wants none before a declaration. */
        for (; n && strchr(" \t\r\n", *p) && *p; n--)
                p++;
        status = XML_Parse(r.p, p, (int)n, 1);
        if (status != XML_STATUS_OK && !r.failed) {
                ri_str_fail(err, "the answer's XML is broken: %s in line %lu",
                            XML_ErrorString(XML_GetErrorCode(r.p)), XML_GetCurrentLineNumber(r.p));
                r.failed = true;
        }
        XML_ParserFree(r.p);
        ri_str_free(&r.text);
        return r.failed ? -1 : 0;
}

struct encoded {
        const char *root;
        bool url;
};

static int encoded_element(void *arg, const char *path, const char *text)
{
        struct encoded *e = arg;
        size_t n = strlen(e->root);

        if (text && strncmp(path, e->root, n) == 0 && strcmp(path + n, "/EncodingType") == 0)
                e->url = strcasecmp(text, "url") == 0;
        return 0;
}

bool s3_xml_encoded(const void *bytes, size_t n, const char *root)
{
        struct encoded e = { .root = root };
        struct ri_str err = RI_STR_INIT(300);
        bool read = s3_xml_read(bytes, n, encoded_element, &e, &err) == 0;

        ri_str_free(&err);
        return read && e.url;
}

int s3_xml_escape(struct ri_str *out, const char *text)
{
        for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
                switch (*p) {
                case '&': ri_str_puts(out, "&amp;"); break;
                case '<': ri_str_puts(out, "&lt;"); break;
                case '>': ri_str_puts(out, "&gt;"); break;
                case '"': ri_str_puts(out, "&quot;"); break;
                default:
                        if (*p < 0x20)
                                ri_str_printf(out, "&#%u;", *p);
                        else
                                ri_str_putc(out, (char)*p);
                }
        }
        return out->failed ? -1 : 0;
}

static int error_element(void *arg, const char *path, const char *text)
{
        struct s3_xml_error *e = arg;

        if (!text)
                return strncmp(path, "Error", 5) == 0 ? 0 : -1;
        if (strcmp(path, "Error/Code") == 0)
                snprintf(e->code, sizeof(e->code), "%s", text);
        else if (strcmp(path, "Error/Message") == 0)
                snprintf(e->message, sizeof(e->message), "%s", text);
        else if (strcasecmp(path, "Error/RequestId") == 0)
                snprintf(e->request_id, sizeof(e->request_id), "%s", text);
        else if (strcmp(path, "Error/Region") == 0)
                snprintf(e->region, sizeof(e->region), "%s", text);
        else if (strcmp(path, "Error/Endpoint") == 0)
                snprintf(e->endpoint, sizeof(e->endpoint), "%s", text);
        else if (strcmp(path, "Error/ServerTime") == 0)
                snprintf(e->server_time, sizeof(e->server_time), "%s", text);
        return 0;
}

bool s3_xml_error(const void *bytes, size_t n, struct s3_xml_error *e)
{
        memset(e, 0, sizeof(*e));
        return n && s3_xml_read(bytes, n, error_element, e, NULL) == 0 && e->code[0];
}
