/* SPDX-License-Identifier: ISC */
/*
 * relay_ctrl_keys - which peers of relay-ctrl sign their packets, and with
 *what. Called by: relay_ctrl.c.
 *
 *	# network	secret
 *	192.0.2.25	0f9a...
 *	198.51.100.0/24	Xw3k...
 *
 * The longest network that holds a peer decides; several lines of the same
 * network are all good, so that a key can be changed without a gap.
 */
#ifndef SOURCE_RELAY_CTRL_KEYS_H
#define SOURCE_RELAY_CTRL_KEYS_H
#include "base/err.h"
#include "relay_ctrl_packet.h"

enum { RELAY_CTRL_KEYS_MAX = 1000 };

struct relay_ctrl_keys;
struct relay_ctrl_key {
	const char *bytes;
	size_t len;
};

/* Reads a file that others may not read (secret_read). NULL and *err
 * (EXIT_USER) with file and line, never with a secret. */
struct relay_ctrl_keys *relay_ctrl_keys_read(const char *path, struct err *err);
/* The same from memory; name stands in messages. */
struct relay_ctrl_keys *relay_ctrl_keys_parse(
    const char *text, size_t len, const char *name, struct err *err);
void relay_ctrl_keys_free(struct relay_ctrl_keys **k);
/* Whether this peer has a key, so that it must sign. NULL keys: no. */
bool relay_ctrl_keys_has(
    const struct relay_ctrl_keys *k, const struct addr *peer);
/* The peer's key with which p, decoded from bytes, was signed; NULL: none. */
const struct relay_ctrl_key *relay_ctrl_keys_verify(
    const struct relay_ctrl_keys *k, const struct addr *peer,
    const uint8_t *bytes, const struct relay_ctrl_packet *p);
#endif
