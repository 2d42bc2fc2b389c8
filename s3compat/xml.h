/* SPDX-License-Identifier: MIT */
/* Answers in XML, read with expat. Documents have no DOCTYPE, at most S3_XML_DEPTH levels and S3_XML_TEXT bytes of text
 * in one element: anything else is refused, because no server of this kind sends it. Namespaces are not looked at. */
#ifndef S3_XML_H
#define S3_XML_H

#include "core/str.h"

enum { S3_XML_DEPTH = 16, S3_XML_PATH = 512, S3_XML_TEXT = 65536 };

/* An element has begun (text NULL) or ended (text: its own text, "" when it has none). path: the names from the root,
 * "ListBucketResult/Contents/Key". -1: stop, it is no good. */
typedef int s3_xml_fn(void *arg, const char *path, const char *text);

/* 0, or -1 with a sentence in err. */
int s3_xml_read(const void *bytes, size_t n, s3_xml_fn *fn, void *arg, struct ri_str *err);

/* encoding-type=url was asked for: true when the answer says that its names are so written, below `root`. Some servers do
 * not know the parameter (versitygw 1.8.0), and the element may stand behind the names (MinIO). */
bool s3_xml_encoded(const void *bytes, size_t n, const char *root);

/* Appends text with &, <, >, " and control characters written so that a parser reads the same again. */
int s3_xml_escape(struct ri_str *out, const char *text);

/* <Error><Code>...: what the server said. Zeroed is nothing. */
struct s3_xml_error {
        char code[64], message[256], request_id[128], region[64], endpoint[256], server_time[40];
};
/* true: the document is an Error. */
bool s3_xml_error(const void *bytes, size_t n, struct s3_xml_error *e);

#endif
