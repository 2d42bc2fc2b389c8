/* SPDX-License-Identifier: MIT */
/* Where a bucket is and what its server is like: vendor, endpoint, region, addressing. No sockets. */
#ifndef S3_PROFILE_H
#define S3_PROFILE_H

#include "core/uri.h"
#include "s3compat/sign/sign.h"

enum s3_vendor {
        S3_VENDOR_AWS,
        S3_VENDOR_OSS,
        S3_VENDOR_OBS,
        S3_VENDOR_MINIO,
        S3_VENDOR_RADOSGW,
        S3_VENDOR_GENERIC
};

/* How the bytes of a body are protected on their way. */
enum s3_checksum {
        S3_SUM_AUTO,
        S3_SUM_NONE,
        S3_SUM_SIGNED, /* a SHA-256 of the body in the signature */
        S3_SUM_MD5,    /* Content-MD5 */
        S3_SUM_CRC32,  /* x-amz-checksum-crc32 */
        S3_SUM_CRC64,  /* OSS: x-oss-hash-crc64ecma of the answer, compared */
        S3_SUM_CRC32C, /* x-amz-checksum-crc32c */
        S3_SUM_CRC64NVME,
        S3_SUMS
};

/* What a read of a whole object is compared with. */
enum s3_verify {
        S3_VERIFY_AUTO, /* a checksum that the server tells, else the ETag where the vendor's are MD5 */
        S3_VERIFY_NO,
        S3_VERIFY_ETAG /* also where that is not known */
};

/* How an ETag is written in If-Match of a PUT. */
enum s3_if_match { S3_MATCH_NONE, S3_MATCH_QUOTED, S3_MATCH_BARE };

/* What a kind of server takes; facts and sources in doc/s3.md. */
struct s3_traits {
        const char *name;
        enum s3_dialect dialect;
        enum s3_checksum checksum;
        unsigned sums;   /* 1 << enum s3_checksum: what may be asked for */
        bool etag_md5;   /* the ETag of an object that was put whole and is not encrypted */
        bool tells_sums; /* x-amz-checksum-... to whoever asks */
        bool path_style;
        bool if_none_match;           /* "If-None-Match: *" of a PUT is atomic */
        bool if_none_match_complete;  /* and so is a condition at the end of an upload */
        enum s3_if_match if_match;    /* of a PUT, atomic too */
        const char *forbid_overwrite; /* a header that does the same; NULL: none */
        bool list_v2, list_encoding;
        uint64_t min_part;
        uint64_t max_copy; /* bytes of an object that it copies in one request */
        bool copies_aloud; /* and sends something meanwhile: the limit of time without progress does not end it */
        uint64_t max_meta; /* bytes of names and values of an object's metadata */
};
const struct s3_traits *s3_traits(enum s3_vendor v);

struct s3_profile {
        enum s3_vendor vendor;
        const struct s3_traits *traits;
        enum s3_dialect dialect;
        enum s3_checksum checksum;
        enum s3_verify verify;
        bool tls, path_style, anonymous, insecure, list_v2, if_absent;
        char *bucket;                       /* "" only for presigning nothing: always given */
        char *prefix;                       /* of all keys: "" or with a slash at its end */
        char *host;                         /* name[:port], without the bucket */
        char *region;                       /* "" until it is known: from files, or the vendor's first */
        char *access_key;                   /* option; or "" */
        char *aws_profile;                  /* of ~/.aws; "" : $AWS_PROFILE, default */
        char *ca, *proxy, *cert, *cert_key; /* paths and a URL; "": none */
        bool region_given, endpoint_given;
        uint64_t part;     /* bytes of a part; 0: chosen */
        uint64_t copy_max; /* longest object that the server copies in one request; 0: it copies none */
        unsigned attempts, connections;
};

extern const char *const s3_options[];
/* 0, or -1 with a sentence. Reads no files; `env` gives the environment (NULL: getenv). */
int s3_profile_from_uri(struct s3_profile *p, const struct ri_uri *u, struct ri_str *err);
/* The region has become known (files, an answer): the endpoint follows when it was not given. -1: no memory, or no name of a region,
 * which is not to become a part of a host's name. */
int s3_profile_set_region(struct s3_profile *p, const char *region);
void s3_profile_clear(struct s3_profile *p);
/* Whether a redirect to host[:port] may be followed; redirect.c. */
bool s3_redirect_is_ours(const struct s3_profile *p, const char *host);
/* Whether a bucket's name means the same bucket at both endpoints, as far as their names tell; redirect.c. */
bool s3_same_server(const struct s3_profile *p, const struct s3_profile *q);
/* "bucket.host" or "host" */
int s3_profile_host(const struct s3_profile *p, struct ri_str *out);

#endif
