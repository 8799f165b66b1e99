/* SPDX-License-Identifier: ISC */
/*
 * cursor - cursors of sources that have one thing to remember under a key of
 * their own, not a file. Called by: the kinds that hear from databases and from
 * other nodes.
 */
#ifndef SOURCE_CURSOR_H
#define SOURCE_CURSOR_H
#include "source.h"

/* len: SOURCE_CURSOR_MAX at most. */
void cursor_write(
    struct source_cursor *out, const char *key, const void *bytes, size_t len);
/* The cursor of that key among n; NULL: there is none. */
const struct source_cursor *cursor_find(
    const struct source_cursor *cursors, size_t n, const char *key);
/* What it holds, when that is len bytes. False: it is not, *out is untouched.
 */
bool cursor_read(const struct source_cursor *cursors, size_t n, const char *key,
    void *out, size_t len);
#endif
