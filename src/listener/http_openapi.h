/* SPDX-License-Identifier: ISC */
/*
 * http_openapi - docs/openapi.json, as it is compiled in by tools/embed-file.
 */
#ifndef LISTENER_HTTP_OPENAPI_H
#define LISTENER_HTTP_OPENAPI_H
#include <stddef.h>

extern const char *const http_openapi; /* not NUL-terminated */
extern const size_t http_openapi_len;
#endif
