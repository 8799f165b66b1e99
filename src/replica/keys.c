/* SPDX-License-Identifier: ISC */
/*
 * keys - reads the file of keys and finds one of them by its id.
 */
#include "keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"
#include "base/mem.h"
#include "base/secret.h"

struct replica_keys {
	size_t count;
	char *text; /* owned; wiped at the end */
	size_t len;
	struct replica_key rows[REPLICA_KEYS_MAX]; /* secrets are in text */
};

bool replica_key_id_is_good(const char *id, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	for (size_t i = 0; i < len; i++)
		if (!memchr(letters, id[i], sizeof(letters) - 1))
			return false;
	return len > 0 && len <= REPLICA_KEY_ID_MAX;
}

/* What is wrong with a row, which it takes if nothing is (NULL). */
static const char *add_row(
    void *ctx, const char *id, size_t id_len, const char *secret, size_t len)
{
	struct replica_keys *k = ctx;
	struct replica_key *row = &k->rows[k->count];

	if (k->count == REPLICA_KEYS_MAX)
		return "more than 16 keys; take the old ones out";
	if (!replica_key_id_is_good(id, id_len))
		return "expected the key's id, 1 to 16 of a-z, 0-9 and \"-\", "
		       "then its secret";
	if (len < REPLICA_SECRET_MIN)
		return "the secret must have 32 characters or more; "
		       "\"openssl rand -hex 32\" makes a good one";
	if (replica_keys_find(k, id, id_len))
		return "there is a key of this id already";
	memcpy(row->id, id, id_len);
	row->secret = secret;
	row->len = len;
	k->count++;
	return NULL;
}

/* Takes text over; it has room for a NUL behind it. */
static struct replica_keys *read_text(
    char *text, size_t len, const char *name, struct err *err)
{
	struct replica_keys *k = xcalloc(1, sizeof(*k));

	k->text = text;
	k->len = len;
	if (secret_rows(text, len, name, add_row, k, err) != 0)
		replica_keys_free(&k);
	return k;
}

struct replica_keys *replica_keys_parse(
    const char *text, size_t len, const char *name, struct err *err)
{
	char *copy = xmalloc(len + 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	return read_text(copy, len, name, err);
}

struct replica_keys *replica_keys_read(const char *path, struct err *err)
{
	char *text;
	size_t len;

	if (secret_read(path, &text, &len, err) != 0)
		return NULL;
	return read_text(text, len, path, err);
}

void replica_keys_free(struct replica_keys **kp)
{
	struct replica_keys *k = *kp;

	*kp = NULL;
	if (!k)
		return;
	secret_free(&k->text, k->len);
	free(k);
}

const struct replica_key *replica_keys_first(const struct replica_keys *k)
{
	return &k->rows[0];
}

const struct replica_key *replica_keys_find(
    const struct replica_keys *k, const char *id, size_t len)
{
	for (size_t i = 0; i < k->count; i++)
		if (strlen(k->rows[i].id) == len &&
		    memcmp(k->rows[i].id, id, len) == 0)
			return &k->rows[i];
	return NULL;
}

size_t replica_keys_hash(const struct replica_keys *k,
    uint8_t out[static REPLICA_KEYS_MAX * REPLICA_KEY_HASH])
{
	uint8_t mac[HMAC_SIZE];

	for (size_t i = 0; i < k->count; i++) {
		const struct replica_key *key = &k->rows[i];

		hmac_sha256(
		    key->secret, key->len, key->id, strlen(key->id), mac);
		memcpy(out + i * REPLICA_KEY_HASH, mac, REPLICA_KEY_HASH);
	}
	return k->count * REPLICA_KEY_HASH;
}
