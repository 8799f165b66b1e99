/* SPDX-License-Identifier: ISC */
/*
 * secret - a secret from a file that nobody else may read, and comparison in
 * constant time. Called by: sources and programs that prove who they are.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H
#include <stdbool.h>
#include <stddef.h>

#include "err.h"

enum { SECRET_MAX = 65536 };

/*
 * Reads a file of 1..SECRET_MAX bytes, without the LF (or CR LF) at its end.
 * Refuses (EXIT_USER) one that is no regular file, that belongs to neither root
 * nor this user, that group or others may read or write, or that is empty.
 * *out is NUL-terminated behind *len bytes; release: secret_free(). -1 and
 * *err, which never holds a byte of it.
 */
int secret_read(const char *path, char **out, size_t *len, struct err *err);
/* One row of a file of secrets; both end in the text. NULL: it is good; else
 * what is wrong with it. */
typedef const char *secret_row_fn(void *ctx, const char *name, size_t name_len,
    const char *secret, size_t len);
/*
 * Cuts a text of len bytes, with room for a NUL behind it, into rows "NAME
 * SECRET"; blank lines and those with # are none. name stands in messages. -1
 * and *err (EXIT_USER) with the line, never with a secret: a row is bad, or
 * there is none.
 */
int secret_rows(char *text, size_t len, const char *name, secret_row_fn *fn,
    void *ctx, struct err *err);
/* Wipes and frees; NULL is fine. Sets *secret to NULL. */
void secret_free(char **secret, size_t len);
/* The time it takes depends on the lengths only. */
bool secret_equal(const void *a, size_t a_len, const void *b, size_t b_len);
#endif
