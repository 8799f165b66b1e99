/* SPDX-License-Identifier: ISC */
/*
 * uri - the target of a request, as its client wrote it: a path and the pairs
 * of its query (RFC 3986). Pure.
 */
#ifndef HTTP_URI_H
#define HTTP_URI_H
#include <stddef.h>

enum {
	HTTP_URI_MAX = 4096, /* bytes as written */
	HTTP_URI_PAIRS = 16,
	HTTP_URI_NAME = 32,
	HTTP_URI_PATH = 256,
	HTTP_URI_VALUE = 1024
};

/* All decoded, and NUL-terminated; none holds a NUL or another control byte. */
struct http_uri {
	char path[HTTP_URI_PATH + 1];
	size_t count;
	struct http_uri_pair {
		char name[HTTP_URI_NAME + 1]; /* a-z 0-9 _ - */
		char value[HTTP_URI_VALUE + 1];
	} pairs[HTTP_URI_PAIRS];
};

/* NULL, or what is wrong with it: a constant sentence. What two programs could
 * read in two ways is wrong: a name twice, a bare '+', a coded slash. */
const char *http_uri_parse(const char *text, struct http_uri *out);
/* NULL when it is not there. */
const char *http_uri_value(const struct http_uri *u, const char *name);
#endif
