/* SPDX-License-Identifier: ISC */
/*
 * json - JSON bodies under limits. Pure. Called by: whoever reads a body.
 */
#ifndef HTTP_JSON_H
#define HTTP_JSON_H
#include <jansson.h>
#include <stdbool.h>

enum {
	HTTP_BODY_MAX = 16 * 1024,
	HTTP_DEPTH_MAX = 8 /* of objects and arrays within each other */
};

/*
 * Reads one JSON text of len bytes, an object or array. NULL: malformed, too
 * long or too deep, a member given twice, a NUL in a string, bytes that are no
 * UTF-8. Release: json_decref(). jansson reads a seed from a file at its first
 * object: call http_json_init() before a lock-down.
 */
json_t *http_json_load(const char *body, size_t len);
void http_json_init(void);

/* The bytes of a member that is a string, or NULL. */
const char *http_json_text(const json_t *object, const char *key, size_t *len);
/* The same of 1..max bytes without control bytes. */
const char *http_json_plain(
    const json_t *object, const char *key, size_t max, size_t *len);
bool http_json_is(const json_t *object, const char *key, const char *text);
bool http_json_is_true(const json_t *object, const char *key);
bool http_json_is_false(const json_t *object, const char *key);
#endif
