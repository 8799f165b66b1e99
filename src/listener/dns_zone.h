/* SPDX-License-Identifier: ISC */
/*
 * dns_zone - which address a name asks for, in the form of all DNS lists (RFC
 * 5782): the octets of IPv4 or the nibbles of IPv6, last one first, and then
 * the zone. Pure. Called by: dns.c.
 *
 *	7.113.0.203.relaypass.invalid	203.0.113.7
 */
#ifndef LISTENER_DNS_ZONE_H
#define LISTENER_DNS_ZONE_H
#include "base/addr.h"
#include "dns_message.h"

/* 32 nibbles stand before it, with a byte of length each. */
enum { DNS_ZONE_MAX = DNS_NAME_MAX - 64 };

struct dns_zone {
	uint8_t len;
	uint8_t name[DNS_ZONE_MAX]; /* labels, as in a message */
};

/* "relaypass.invalid", with or without a dot at its end. False: it is no name
 * of letters, digits, '-' and '_', or too long. */
bool dns_zone_parse(const char *text, struct dns_zone *out);

enum dns_place {
	DNS_OUTSIDE = 0,
	DNS_APEX,    /* the zone's own name */
	DNS_BRANCH,  /* nothing itself, but names below it may be addresses */
	DNS_ADDRESS, /* *addr is filled */
	DNS_NOWHERE  /* under the zone, and no address */
};

/* *branch: an address, and at the same time what DNS_BRANCH means: 1.0.0.2 is
 * 2.0.0.1 and the way to 2001::. */
enum dns_place dns_zone_find(const struct dns_zone *z, const uint8_t *name,
    size_t len, struct addr *addr, bool *branch);
#endif
