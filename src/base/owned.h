/* SPDX-License-Identifier: ISC */
/*
 * owned - files whose word counts, because nobody but root or this account can
 * have written them. Called by: secret.c, decide/senders.c; ledger/guard.c for
 * the names.
 */
#ifndef BASE_OWNED_H
#define BASE_OWNED_H
#include <stddef.h>
#include <sys/types.h>

#include "err.h"

enum { OWNED_NAME_SIZE = 64 };

/* The account's name, its number when it has none. Returns out. */
const char *owned_name(uid_t uid, char out[static OWNED_NAME_SIZE]);
/*
 * Reads a whole regular file of at most max bytes that belongs to root or to
 * this account, and of whose mode no bit of `closed` is set (S_IRWXG | S_IRWXO:
 * nobody else may even read it). *out is NUL-terminated behind *len bytes;
 * release: free(). -1 and *err (EXIT_USER) with the command that mends it.
 */
int owned_read(const char *path, mode_t closed, size_t max, char **out,
    size_t *len, struct err *err);
#endif
