/* SPDX-License-Identifier: MIT */
/* What the end of a try means: a good answer, an error to report, or a reason to try again. doc/s3.md has the rules. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "s3compat/store.h"

enum { MAX_REDIRECTS = 3, SURELY_SKEWED_S = 300 };

/* The servers' words. `name` is what a result carries, so it must be static. */
static const struct word {
        const char *name;
        int code;
        enum s3_verdict verdict;
} words[] = {
        { "NoSuchKey", ROMA_ENOENT, S3_FAILED },
        { "NoSuchBucket", ROMA_ENOENT, S3_FAILED },
        { "NoSuchUpload", ROMA_ENOENT, S3_FAILED },
        { "NoSuchVersion", ROMA_ENOENT, S3_FAILED },
        { "AccessDenied", ROMA_EACCES, S3_FAILED },
        { "AllAccessDisabled", ROMA_EACCES, S3_FAILED },
        { "InvalidAccessKeyId", ROMA_EAUTH, S3_REFRESH },
        { "SignatureDoesNotMatch", ROMA_EAUTH, S3_FAILED },
        { "ExpiredToken", ROMA_EAUTH, S3_REFRESH },
        { "TokenRefreshRequired", ROMA_EAUTH, S3_REFRESH },
        { "SecurityTokenExpired", ROMA_EAUTH, S3_REFRESH },
        { "InvalidSecurityToken", ROMA_EAUTH, S3_REFRESH },
        { "InvalidToken", ROMA_EAUTH, S3_REFRESH },
        { "RequestTimeTooSkewed", ROMA_EAUTH, S3_AGAIN_NOW },
        { "AuthorizationHeaderMalformed", ROMA_EAUTH, S3_FAILED },
        { "PreconditionFailed", ROMA_EPRECONDITION, S3_FAILED },
        { "FileAlreadyExists", ROMA_EEXIST, S3_FAILED },
        { "ConditionalRequestConflict", ROMA_ELOCKED, S3_FAILED },
        { "BucketAlreadyExists", ROMA_EEXIST, S3_FAILED },
        { "BucketAlreadyOwnedByYou", ROMA_EEXIST, S3_FAILED },
        { "BucketNotEmpty", ROMA_ENOTEMPTY, S3_FAILED },
        { "InvalidBucketName", ROMA_EINVAL, S3_FAILED },
        { "KeyTooLongError", ROMA_ENAMETOOLONG, S3_FAILED },
        { "KeyTooLong", ROMA_ENAMETOOLONG, S3_FAILED },
        { "MetadataTooLarge", ROMA_EINVAL, S3_FAILED },
        { "EntityTooLarge", ROMA_EFBIG, S3_FAILED },
        { "EntityTooSmall", ROMA_ESERVER, S3_FAILED },
        { "QuotaExceeded", ROMA_EQUOTA, S3_FAILED },
        { "StorageFull", ROMA_ENOSPC, S3_FAILED },
        { "XMinioStorageFull", ROMA_ENOSPC, S3_FAILED },
        { "BadDigest", ROMA_ECORRUPT, S3_AGAIN },
        { "InvalidDigest", ROMA_ECORRUPT, S3_FAILED },
        { "XAmzContentSHA256Mismatch", ROMA_ECORRUPT, S3_AGAIN },
        { "XAmzContentChecksumMismatch", ROMA_ECORRUPT, S3_AGAIN },
        { "InvalidPart", ROMA_ESERVER, S3_FAILED },
        { "InvalidPartOrder", ROMA_ESERVER, S3_FAILED },
        { "InvalidRange", ROMA_EINVAL, S3_FAILED },
        { "NotImplemented", ROMA_ENOTSUP, S3_FAILED },
        { "MethodNotAllowed", ROMA_ENOTSUP, S3_FAILED },
        { "RequestTimeout", ROMA_ETIMEDOUT, S3_AGAIN },
        { "InternalError", ROMA_ESERVERIO, S3_AGAIN },
        { "ServiceUnavailable", ROMA_EUNAVAILABLE, S3_AGAIN_SLOWLY },
        { "SlowDown", ROMA_EUNAVAILABLE, S3_AGAIN_SLOWLY },
        { "Throttling", ROMA_EUNAVAILABLE, S3_AGAIN_SLOWLY },
        { "RequestLimitExceeded", ROMA_EUNAVAILABLE, S3_AGAIN_SLOWLY },
        { "QpsLimitExceeded", ROMA_EUNAVAILABLE, S3_AGAIN_SLOWLY },
        { "TooManyRequests", ROMA_EUNAVAILABLE, S3_AGAIN_SLOWLY },
        { "OperationAborted", ROMA_ELOCKED, S3_AGAIN },
};

static const struct word *find_word(const char *code)
{
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (strcmp(words[i].name, code) == 0)
                        return &words[i];
        return NULL;
}

/* Without a word the status must do: HEAD has no body, and proxies have their own pages. */
static struct word by_status(long status)
{
        switch (status) {
        case 301:
        case 302:
        case 307:
        case 308: return (struct word){ "Redirect", ROMA_ESERVER, S3_FAILED };
        case 304: return (struct word){ "Not Modified", ROMA_EPRECONDITION, S3_FAILED };
        case 400: return (struct word){ "Bad Request", ROMA_ESERVER, S3_FAILED };
        case 401: return (struct word){ "Unauthorized", ROMA_EAUTH, S3_REFRESH };
        case 403: return (struct word){ "Forbidden", ROMA_EACCES, S3_FAILED };
        case 404: return (struct word){ "Not Found", ROMA_ENOENT, S3_FAILED };
        case 405: return (struct word){ "Method Not Allowed", ROMA_ENOTSUP, S3_FAILED };
        case 408: return (struct word){ "Request Timeout", ROMA_ETIMEDOUT, S3_AGAIN };
        case 409: return (struct word){ "Conflict", ROMA_ELOCKED, S3_FAILED };
        case 412: return (struct word){ "Precondition Failed", ROMA_EPRECONDITION, S3_FAILED };
        case 413: return (struct word){ "Payload Too Large", ROMA_EFBIG, S3_FAILED };
        case 416: return (struct word){ "Range Not Satisfiable", ROMA_EINVAL, S3_FAILED };
        case 429: return (struct word){ "Too Many Requests", ROMA_EUNAVAILABLE, S3_AGAIN_SLOWLY };
        case 501: return (struct word){ "Not Implemented", ROMA_ENOTSUP, S3_FAILED };
        case 502: return (struct word){ "Bad Gateway", ROMA_EUNAVAILABLE, S3_AGAIN };
        case 503: return (struct word){ "Service Unavailable", ROMA_EUNAVAILABLE, S3_AGAIN_SLOWLY };
        case 504: return (struct word){ "Gateway Timeout", ROMA_EUNAVAILABLE, S3_AGAIN };
        case 507: return (struct word){ "Insufficient Storage", ROMA_ENOSPC, S3_FAILED };
        }
        if (status >= 500)
                return (struct word){ "Internal Server Error", ROMA_ESERVERIO, S3_AGAIN };
        return (struct word){ NULL, ROMA_ESERVER, S3_FAILED };
}

/* Some servers quote the request in their message, and a bad one may send back what it likes. A secret that is cut off at the
 * end of the text counts too. */
static void hide(char *text, const char *secret)
{
        const size_t n = secret ? strlen(secret) : 0, least = n < 12 ? n : 12;

        for (; n && *text; text++) {
                size_t same = 0;

                while (same < n && text[same] == secret[same])
                        same++;
                if (same >= least) {
                        memset(text, '*', same);
                        text += same - 1;
                }
        }
}

static void hide_signature(char *text)
{
        while ((text = strcasestr(text, "signature="))) {
                text += strlen("signature=");
                memset(text, '*', strcspn(text, "&,; <\"'"));
        }
}

/* The network */

static int curl_failure(CURLcode code, bool *sent)
{
        *sent = false;
        switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY: return ROMA_ERESOLVE;
        case CURLE_COULDNT_CONNECT:
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_PEER_FAILED_VERIFICATION: return ROMA_ECONNECT;
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CERTPROBLEM: return ROMA_ECONFIG;
        case CURLE_OUT_OF_MEMORY: return ROMA_ENOMEM;
        case CURLE_URL_MALFORMAT: return ROMA_EURI;
        case CURLE_OPERATION_TIMEDOUT: *sent = true; return ROMA_ETIMEDOUT;
        case CURLE_UNSUPPORTED_PROTOCOL: /* an answer without a status line */
        case CURLE_WEIRD_SERVER_REPLY: *sent = true; return ROMA_EPROTOCOL;
        default: *sent = true; return ROMA_ECLOSED;
        }
}

/* What a different try cannot change. */
static bool is_final(CURLcode code)
{
        return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
               code == CURLE_SSL_CERTPROBLEM || code == CURLE_OUT_OF_MEMORY || code == CURLE_URL_MALFORMAT ||
               code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY;
}

/* curl's own words name the host, port or file; they are of one line. Those that quote a proxy's URL are left out: it may hold
 * a password. */
static const char *reason(struct s3_request *r, CURLcode code)
{
        char *why = r->call.why;

        if (!*why || strncmp(why, "Unsupported proxy", 17) == 0)
                return curl_easy_strerror(code);
        for (char *p = why; *p; p++)
                if ((unsigned char)*p < ' ')
                        *p = ' ';
        hide(why, r->st->creds.secret);
        hide(why, r->st->creds.token);
        hide_signature(why);
        return why;
}

static const char *network_advice(CURLcode code, const char *why)
{
        switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST: return "; look at endpoint= and at the name server";
        case CURLE_COULDNT_RESOLVE_PROXY: return "; look at proxy= and at https_proxy and its like";
        case CURLE_COULDNT_CONNECT:
                return "; look whether it runs there, at endpoint=, and at proxy= and https_proxy";
        case CURLE_SSL_CONNECT_ERROR: return "; look whether this port speaks https";
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CERTPROBLEM: return "; look at ca= (or AWS_CA_BUNDLE), cert= and cert_key=";
        case CURLE_PEER_FAILED_VERIFICATION:
                return strstr(why, "host name")
                               ? "; the endpoint has the name of a host that the certificate is for"
                               : "; name its issuer with ?ca=FILE";
        default: return "";
        }
}

static enum s3_verdict judge_network(struct s3_request *r, CURLcode code)
{
        struct ri_error *e = &r->error;
        const char *why;
        bool sent;
        int c;

        if (r->overrun) {
                ri_error_set(e, ROMA_EPROTOCOL, r->server, "%s: more bytes came than were asked for",
                             r->name);
                return S3_FAILED;
        }
        if (r->stopped)
                return S3_FAILED;
        c = curl_failure(code, &sent);
        why = reason(r, code);
        ri_error_set(e, c, r->server, "%s: %s%s%s", r->name,
                     code == CURLE_PEER_FAILED_VERIFICATION ? "the server's certificate is not trusted: "
                                                            : "",
                     why, network_advice(code, why));
        if (code == CURLE_ABORTED_BY_CALLBACK) /* on_issue() */
                ri_error_set(e, c, r->server, "%s: the connection ended without an answer", r->name);
        if (c == ROMA_EPROTOCOL)
                ri_error_set(e, c, r->server, "%s: what came is no answer in HTTP/1.1", r->name);
        e->flags = is_final(code) ? 0 : ROMA_RETRIABLE;
        r->sent = sent;
        return is_final(code) ? S3_FAILED : S3_AGAIN;
}

/* The server */

/* What to do, where the word alone does not say it. */
static const struct advice {
        const char *name, *text;
} advices[] = {
        { "NoSuchBucket", "there is no such bucket; roma mb makes one" },
        { "NoSuchKey", "there is no such object" },
        { "NoSuchUpload",
          "there is no such upload, or it has ended; roma upload ls shows those that there are" },
        { "InvalidBucketName", "names of buckets have 3 to 63 of a-z, 0-9, dots and hyphens" },
        { "BucketNotEmpty", "remove what is in it first" },
        { "SignatureDoesNotMatch", "look whether the secret key is that of the access key" },
        { "InvalidAccessKeyId", "the server does not know the access key" },
        { "ExpiredToken", "get new keys" },
        { "InvalidPart", "a part is missing or has another ETag; roma upload parts shows them" },
        { "EntityTooSmall", "all parts but the last need 5 MiB (OSS, OBS: 100 KiB)" },
};

static const char *advice(const struct s3_request *r, const char *word)
{
        /* radosgw says NoSuchKey of an upload */
        if (strcmp(r->name, "ListParts") == 0 && strcmp(word, "NoSuchKey") == 0)
                word = "NoSuchUpload";
        for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
                if (strcmp(advices[i].name, word) == 0)
                        return advices[i].text;
        /* HEAD is told no word. */
        if (strcmp(r->method, "HEAD") == 0 && r->status == 404)
                return strcmp(r->name, "HeadBucket") == 0 ? advices[0].text
                                                          : "there is no such object, or no such bucket";
        return NULL;
}

static void describe(struct s3_request *r, const struct s3_xml_error *x, const struct word *w)
{
        struct ri_error *e = &r->error;
        const char *id =
                *x->request_id                                 ? x->request_id
                : s3_fields_get(&r->reply, "x-amz-request-id") ? s3_fields_get(&r->reply, "x-amz-request-id")
                : s3_fields_get(&r->reply, "x-oss-request-id") ? s3_fields_get(&r->reply, "x-oss-request-id")
                : s3_fields_get(&r->reply, "x-obs-request-id") ? s3_fields_get(&r->reply, "x-obs-request-id")
                                                               : "";
        const char *word = *x->code ? x->code : w->name ? w->name : "";

        ri_error_set(e, w->code, r->server, "%s: the server answered %ld %s%s%.200s%s%.80s%s", r->name,
                     r->status, word, *x->message ? ": " : "", x->message, *id ? " (request " : "", id,
                     *id ? ")" : "");
        hide(e->text, r->st->creds.secret);
        hide(e->text, r->st->creds.token);
        hide_signature(e->text);
        e->status_kind = ROMA_STATUS_HTTP;
        e->server_status = (int)r->status;
        e->status_name = w->name;
        if (w->verdict != S3_FAILED)
                e->flags = ROMA_RETRIABLE;
        snprintf(r->code, sizeof(r->code), "%s", word);
}

/* The region that the answer names, or NULL. */
static const char *told_region(struct s3_request *r, const struct s3_xml_error *x)
{
        const char *header = s3_fields_get(&r->reply, "x-amz-bucket-region");

        if (header && *header && strlen(header) < 64)
                return header;
        return *x->region ? x->region : NULL;
}

static bool follow_region(struct s3_request *r, const struct s3_xml_error *x)
{
        const char *region = told_region(r, x);

        if (!region || strcmp(region, r->region) == 0)
                return false;
        /* Of several that were under way the first one has told. */
        return strcmp(region, r->st->profile.region) == 0 ||
               s3_profile_set_region(&r->st->profile, region) == 0;
}

/* Another host, named by Location. Only the host is taken: the rest is signed anew. */
static bool follow_location(struct s3_request *r, char refused[64])
{
        const char *l = s3_fields_get(&r->reply, "location"), *host;
        char *name;
        size_t n;

        if (!l || strncmp(l, "http", 4) != 0 || !(host = strstr(l, "://")))
                return false;
        host += 3;
        n = strcspn(host, "/?#");
        if (!n || n > 250 || memchr(host, '@', n) || (r->st->profile.tls && strncmp(l, "https:", 6) != 0))
                return false;
        name = strndup(host, n);
        if (!name)
                return false;
        if (!s3_redirect_is_ours(&r->st->profile, name)) {
                snprintf(refused, 64, "%s", name);
                free(name);
                return false;
        }
        free(r->host);
        r->host = name;
        return true;
}

/* refused: a host that is not followed, else as it was. */
static bool follow(struct s3_request *r, const struct s3_xml_error *x, char refused[64])
{
        bool moved = r->status == 301 || r->status == 302 || r->status == 307 || r->status == 308;
        bool malformed = strcmp(x->code, "AuthorizationHeaderMalformed") == 0 || r->status == 400;

        if (r->redirects >= MAX_REDIRECTS || !(moved || malformed))
                return false;
        if (!follow_region(r, x) && !(moved && follow_location(r, refused)))
                return false;
        r->redirects++;
        return true;
}

/* HEAD is answered without a body, so without the word for why: expired keys, a wrong clock and missing rights look the same. */
static bool is_mute(const struct s3_request *r, const struct s3_xml_error *x)
{
        return strcmp(r->method, "HEAD") == 0 && !*x->code && (r->status == 400 || r->status == 403) &&
               !r->st->profile.anonymous;
}

/* Once: the answer tells the server's time. Where it does not say that the time is why, the time itself has to. */
static bool learn_time(struct s3_request *r, const struct s3_xml_error *x, bool mute)
{
        const char *date = s3_fields_get(&r->reply, "date");
        int64_t t;

        if (r->skewed || !(mute || strcmp(x->code, "RequestTimeTooSkewed") == 0))
                return false;
        if (!(date && s3_parse_http_time(date, &t) == 0) && s3_parse_iso_time(x->server_time, &t) < 0)
                return false;
        if (mute && llabs((long long)(t - r->dated)) <= SURELY_SKEWED_S)
                return false;
        r->skewed = true;
        r->skew = t - (int64_t)time(NULL);
        return true;
}

/* The others get the time that an answer has told when a try with it was not turned away: a Date may be wrong too. */
static void keep_time(struct s3_request *r)
{
        if (r->skewed)
                r->st->skew = r->skew;
}

static void add(struct s3_request *r, const char *text)
{
        size_t n = strlen(r->error.text);

        snprintf(r->error.text + n, sizeof(r->error.text) - n, "; %s", text);
}

static enum s3_verdict judge_answer(struct s3_request *r, bool is_error)
{
        struct s3_xml_error x = { 0 };
        char refused[64] = "";
        struct word w = by_status(r->status);
        const struct word *known;
        bool mute;

        s3_xml_error(r->answer.p ? r->answer.p : "", r->answer.len, &x);
        known = find_word(x.code);
        if (known)
                w = *known;
        else if (is_error && r->status / 100 == 2)
                w = (struct word){ NULL, ROMA_ESERVER, S3_AGAIN };
        mute = is_mute(r, &x);
        if (follow(r, &x, refused) || learn_time(r, &x, mute))
                return S3_AGAIN_NOW;
        if (!mute)
                keep_time(r);
        describe(r, &x, &w);
        if (mute)
                add(r, "HEAD is told no reason: look at the keys, the clock and the rights");
        else if (advice(r, r->code))
                add(r, advice(r, r->code));
        if (*refused) {
                size_t n = strlen(r->error.text);

                snprintf(r->error.text + n, sizeof(r->error.text) - n,
                         "; it names the host %s, which is not this endpoint's and is not followed: if it is "
                         "right, name it with "
                         "?endpoint=",
                         refused);
                hide(r->error.text, r->st->creds.secret);
                hide(r->error.text, r->st->creds.token);
        }
        if (w.verdict == S3_AGAIN_NOW)
                return S3_FAILED;
        /* A server that broke may have done the work before; one that has said 200 had begun with it. */
        r->sent = r->status / 100 == 2 ? w.verdict != S3_FAILED : w.verdict == S3_AGAIN && r->status >= 500;
        return mute ? S3_REFRESH : w.verdict;
}

/* "200 OK" with an <Error> inside: some requests begin their answer before the work is done. */
static bool error_despite_200(const struct s3_request *r)
{
        struct s3_xml_error x;

        return !r->into && r->answer.len && s3_xml_error(r->answer.p, r->answer.len, &x);
}

enum s3_verdict s3_judge(struct s3_request *r, CURLcode code)
{
        curl_easy_getinfo(r->call.easy, CURLINFO_RESPONSE_CODE, &r->status);
        /* An answer that came although the body was not taken whole is an answer. */
        if (code == CURLE_SEND_ERROR && r->status >= 300)
                code = CURLE_OK;
        if (code != CURLE_OK)
                return judge_network(r, code);
        if (r->status / 100 == 2 && !error_despite_200(r)) {
                keep_time(r);
                return S3_GOOD;
        }
        return judge_answer(r, true);
}
