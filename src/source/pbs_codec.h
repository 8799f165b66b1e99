/* SPDX-License-Identifier: ISC */
/*
 * pbs_codec - the datagrams of qmail-ldap's pbsadd and pbscheck, port 2821.
 * Pure. Called by: pbs.c.
 *
 *	'A' addrlen addr secretlen secret count {len NAME=VALUE}...
 *	'Q' addrlen addr 0
 *	'R' addrlen addr 'R' count {len NAME=VALUE}...
 *	'R' addrlen addr 'N'
 *
 * addrlen is 4 or 16; lengths and counts are one byte each. The entries of an
 * add are variables for the SMTP server's environment; they are checked, and
 * go no further.
 */
#ifndef SOURCE_PBS_CODEC_H
#define SOURCE_PBS_CODEC_H
#include "base/addr.h"

enum {
	PBS_PACKET_MAX = 1024,
	PBS_SECRET_MAX = 255,
	PBS_ADDR_MAX = 16,
	PBS_ANSWER_MAX = 2 + PBS_ADDR_MAX + 2
};

enum pbs_type {
	PBS_BAD = 0,
	PBS_ADD = 'A',
	PBS_QUERY = 'Q',
	PBS_REPLY = 'R' /* one that came to a server: not for us */
};

/* What a packet says; the pointers are into it. */
struct pbs_packet {
	enum pbs_type type;
	struct addr addr;
	uint8_t addr_len; /* as it was sent: 4 or 16 */
	/* An add's. */
	uint8_t secret_len, count;
	const uint8_t *secret;
	const uint8_t *entries; /* count of them, each with its length */
};

/* Reads one whole datagram; anything but an exact packet is PBS_BAD. */
enum pbs_type pbs_decode(
    const uint8_t *bytes, size_t len, struct pbs_packet *out);
/* The value of the entry of this name; false when there is none, or two. */
bool pbs_entry(const struct pbs_packet *p, const char *name,
    const uint8_t **value, size_t *len);
/* Writes the answer to a query: whether the address may relay. Returns its
 * length. */
size_t pbs_answer(const struct addr *addr, uint8_t addr_len, bool may_relay,
    uint8_t out[static PBS_ANSWER_MAX]);
#endif
