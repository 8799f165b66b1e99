/* SPDX-License-Identifier: ISC */
/*
 * keys - what the nodes of a site sign with: a file that nobody else may read.
 *
 *	# id	secret, at least 32 characters
 *	k2	8b0c...
 *	k1	77fe...
 *
 * The first line signs, all verify, so that a key can be changed without a gap:
 * the new one last everywhere, then first everywhere, then the old one out.
 */
#ifndef REPLICA_KEYS_H
#define REPLICA_KEYS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	REPLICA_KEYS_MAX = 16,
	REPLICA_KEY_ID_MAX = 16,
	REPLICA_SECRET_MIN = 32
};

struct replica_keys;
struct replica_key {
	char id[REPLICA_KEY_ID_MAX + 1]; /* [a-z0-9-]{1,16} */
	const char *secret;
	size_t len;
};

/* NULL and *err (EXIT_USER) with file and line, never with a secret. */
struct replica_keys *replica_keys_read(const char *path, struct err *err);
/* The same from memory; name stands in messages. */
struct replica_keys *replica_keys_parse(
    const char *text, size_t len, const char *name, struct err *err);
void replica_keys_free(struct replica_keys **k); /* wipes them */
const struct replica_key *replica_keys_first(const struct replica_keys *k);
/* Writes a hash of each key, from which nobody can tell its secret, and
 * returns how many bytes. For a note of which keys there were. */
enum { REPLICA_KEY_HASH = 8 };
size_t replica_keys_hash(const struct replica_keys *k,
    uint8_t out[static REPLICA_KEYS_MAX * REPLICA_KEY_HASH]);
/* Whether a key may have this id. */
bool replica_key_id_is_good(const char *id, size_t len);
/* NULL: there is none of this id. */
const struct replica_key *replica_keys_find(
    const struct replica_keys *k, const char *id, size_t len);
#endif
