/* SPDX-License-Identifier: ISC */
/*
 * http_response - an HTTP/1.1 response out of bytes (RFC 9112). Pure. Called
 * by: http_forward.c.
 */
#ifndef SOURCE_HTTP_RESPONSE_H
#define SOURCE_HTTP_RESPONSE_H
#include <stdbool.h>
#include <stddef.h>

enum http_parse { HTTP_PARSE_BAD = -1, HTTP_PARSE_MORE, HTTP_PARSE_DONE };

enum {
	HTTP_RESPONSE_BODY_MAX = 16 * 1024,
	/* Head, body and the coding of its chunks; more is bad. */
	HTTP_RESPONSE_MAX = 32 * 1024
};

struct http_response {
	unsigned status;
	bool keep; /* the connection may be used again */
	size_t used;
	size_t body_len;
	char body[HTTP_RESPONSE_BODY_MAX];
};

/*
 * Reads the response to a POST that bytes begins with, behind interim (1xx)
 * ones. end: no more will come. MORE: not whole yet, *out is undefined. A
 * length told in two ways, or twice and differently, is bad.
 */
enum http_parse http_response_parse(
    const char *bytes, size_t len, bool end, struct http_response *out);
#endif
