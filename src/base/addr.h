/* SPDX-License-Identifier: ISC */
/*
 * addr - an IP address, a network, and their one strict parser and printer.
 * IPv4 is kept as ::ffff:a.b.c.d, so that there is one kind of address.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct addr {
	uint8_t bytes[16];
};

/* A network: bits counts in the 128-bit form (192.0.2.0/24 has 120). */
struct net {
	struct addr addr; /* bits behind the prefix are zero */
	uint8_t bits;
};

enum { ADDR_TEXT_SIZE = 46, NET_TEXT_SIZE = 50 };

/*
 * Takes what inet_pton(3) takes, and nothing else: no leading zeros, zones,
 * ports, brackets, names or blanks; len bytes, no NUL needed. A mapped address
 * becomes its IPv4 form. False: *out is all zero.
 */
bool addr_parse(const char *text, size_t len, struct addr *out);
/* Canonical text: dotted quad, or RFC 5952. Returns its length. */
size_t addr_print(const struct addr *a, char out[static ADDR_TEXT_SIZE]);
bool addr_is_ipv4(const struct addr *a);
bool addr_equal(const struct addr *a, const struct addr *b);
/* The address with all bits behind the first `bits` (0..128) zero. */
struct addr addr_mask(const struct addr *a, unsigned bits);

/*
 * "192.0.2.0/24", "2001:db8::/32", a bare address (one host), or the dotted
 * prefix of old maps, "10.1." or "192.168." (with its last dot). Host bits that
 * are set are refused: the writer meant something else.
 */
bool net_parse(const char *text, size_t len, struct net *out);
size_t net_print(const struct net *n, char out[static NET_TEXT_SIZE]);
bool net_contains(const struct net *n, const struct addr *a);
#endif
