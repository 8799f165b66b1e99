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
/* Wipes and frees; NULL is fine. Sets *secret to NULL. */
void secret_free(char **secret, size_t len);
/* The time it takes depends on the lengths only. */
bool secret_equal(const void *a, size_t a_len, const void *b, size_t b_len);
#endif
