/* SPDX-License-Identifier: ISC */
/*
 * relay_ctrl_keys - reads the key file, finds and tries a peer's keys.
 */
#include "relay_ctrl_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"

/* A netset, which knows one value a network, would not hold two keys. */
struct row {
	struct net net;
	struct relay_ctrl_key key; /* into text */
};

struct relay_ctrl_keys {
	size_t count;
	char *text; /* owned; wiped at the end */
	size_t len;
	struct row rows[RELAY_CTRL_KEYS_MAX];
};

static const char *add_row(
    void *ctx, const char *net, size_t net_len, const char *key, size_t key_len)
{
	struct relay_ctrl_keys *k = ctx;
	struct row *row = &k->rows[k->count];

	if (k->count == RELAY_CTRL_KEYS_MAX)
		return "too many keys";
	if (!net_parse(net, net_len, &row->net))
		return "expected a network such as 192.0.2.0/24, then a secret";
	if (key_len < RELAY_CTRL_KEY_MIN)
		return "the secret must have 16 bytes or more; "
		       "\"openssl rand -hex 32\" makes a good one";
	row->key = (struct relay_ctrl_key){ key, key_len };
	k->count++;
	return NULL;
}

/* Takes text over; it has room for a NUL behind it. */
static struct relay_ctrl_keys *read_text(
    char *text, size_t len, const char *name, struct err *err)
{
	struct relay_ctrl_keys *k = xcalloc(1, sizeof(*k));

	k->text = text;
	k->len = len;
	if (secret_rows(text, len, name, add_row, k, err) != 0)
		relay_ctrl_keys_free(&k);
	return k;
}

struct relay_ctrl_keys *relay_ctrl_keys_parse(
    const char *text, size_t len, const char *name, struct err *err)
{
	char *copy = xmalloc(len + 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	return read_text(copy, len, name, err);
}

struct relay_ctrl_keys *relay_ctrl_keys_read(const char *path, struct err *err)
{
	char *text;
	size_t len;

	if (secret_read(path, &text, &len, err) != 0)
		return NULL;
	return read_text(text, len, path, err);
}

void relay_ctrl_keys_free(struct relay_ctrl_keys **kp)
{
	struct relay_ctrl_keys *k = *kp;

	*kp = NULL;
	if (!k)
		return;
	secret_free(&k->text, k->len);
	free(k);
}

/* Bits of the longest network that holds the peer; -1: none does. */
static int longest(const struct relay_ctrl_keys *k, const struct addr *peer)
{
	int bits = -1;

	for (size_t i = 0; k && i < k->count; i++)
		if (k->rows[i].net.bits > bits &&
		    net_contains(&k->rows[i].net, peer))
			bits = k->rows[i].net.bits;
	return bits;
}

bool relay_ctrl_keys_has(
    const struct relay_ctrl_keys *k, const struct addr *peer)
{
	return longest(k, peer) >= 0;
}

const struct relay_ctrl_key *relay_ctrl_keys_verify(
    const struct relay_ctrl_keys *k, const struct addr *peer,
    const uint8_t *bytes, const struct relay_ctrl_packet *p)
{
	int bits = longest(k, peer);

	for (size_t i = 0; k && i < k->count; i++) {
		const struct row *row = &k->rows[i];
		if (row->net.bits == bits && net_contains(&row->net, peer) &&
		    relay_ctrl_verify(bytes, p, row->key.bytes, row->key.len))
			return &row->key;
	}
	return NULL;
}
