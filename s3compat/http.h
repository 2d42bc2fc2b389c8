/* SPDX-License-Identifier: MIT */
/* libcurl's multi interface, driven by the loop: its sockets are descriptors of the loop, its one timer is a timer.
 * Handles are added and removed outside of curl's callbacks only: what ends is told when curl has returned. */
#ifndef S3_HTTP_H
#define S3_HTTP_H

#include <curl/curl.h>

#include "core/loop.h"
#include "s3compat/profile.h"

struct s3_http;

/* One exchange; embedded in its owner. */
struct s3_call {
        struct s3_http *http;
        CURL *easy;                /* NULL while nothing goes on */
        char why[CURL_ERROR_SIZE]; /* what went wrong, in curl's words: with the host, port or file; "": it has none */
        void (*done)(struct s3_call *call, CURLcode code);
};

/* NULL: no memory. The profile must live as long. */
struct s3_http *s3_http_new(roma_loop *loop, const struct s3_profile *p);
/* No call is in flight. Legal inside a call's done. */
void s3_http_free(struct s3_http *h);
/* A handle with everything set that is the same for all requests, or NULL. It goes back by s3_http_stop(). */
CURL *s3_http_easy(struct s3_http *h, struct s3_call *call);
/* 0, or -1: no memory. Later: done, unless stopped. */
int s3_http_start(struct s3_call *call);
/* What waited for its body goes on; may end, and tell so. Not from a callback of curl's. */
void s3_http_resume(struct s3_call *call);
/* Ends it, wherever it is; nothing is called any more. Allowed when nothing goes on. */
void s3_http_stop(struct s3_call *call);

#endif
