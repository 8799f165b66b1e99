/* SPDX-License-Identifier: ISC */
/*
 * http_write - answers of the http listener as JSON. Pure. Bytes that are no
 * UTF-8 cannot stand in JSON: such a user is told %XX-coded in "user_coded".
 * Called by: daemon/gateway_read.c.
 */
#ifndef LISTENER_HTTP_WRITE_H
#define LISTENER_HTTP_WRITE_H
#include <jansson.h>

#include "decide/explain.h"

/* All are new references. users: whose lease it is may be told. */
json_t *http_write_lease(const struct lease *row, const char *source,
    const char *server, struct moment now, bool users);
json_t *http_write_answer(const struct answer *a, bool users);
json_t *http_write_explain(const struct explain *e, struct moment now);
/* The text; the caller frees it. Gives the reference up. */
char *http_write_text(json_t *json);
#endif
