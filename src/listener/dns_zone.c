/* SPDX-License-Identifier: ISC */
/*
 * dns_zone - names of a DNS list. A mapped address in nibbles is the IPv4 one,
 * as everywhere.
 */
#include "dns_zone.h"

#include <string.h>
#include <strings.h>

enum {
	LABEL_MAX = 63,
	OCTETS = 4,
	OCTET_DIGITS = 3,
	OCTET_MAX = 255,
	NIBBLES = 32
};

static bool is_label_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool dns_zone_parse(const char *text, struct dns_zone *out)
{
	size_t used = 0;

	memset(out, 0, sizeof(*out));
	while (*text) {
		size_t len = strcspn(text, ".");
		if (len < 1 || len > LABEL_MAX ||
		    used + 1 + len + 1 > sizeof(out->name))
			return false;
		for (size_t i = 0; i < len; i++)
			if (!is_label_byte(text[i]))
				return false;
		out->name[used++] = (uint8_t)len;
		memcpy(out->name + used, text, len);
		used += len;
		text += len + (text[len] == '.');
	}
	out->len = (uint8_t)(used + 1); /* the root's empty label */
	return used > 0;
}

/* The labels before the zone's, last first. */
struct labels {
	size_t count;
	const uint8_t *at[NIBBLES]; /* length byte first */
};

/* False: more than any address has. */
static bool split(const uint8_t *name, size_t len, struct labels *out)
{
	const uint8_t *at[NIBBLES];
	size_t n = 0;

	for (size_t i = 0; i < len; i += name[i] + (size_t)1) {
		if (n == NIBBLES)
			return false;
		at[n++] = name + i;
	}
	out->count = n;
	for (size_t i = 0; i < n; i++)
		out->at[i] = at[n - 1 - i];
	return true;
}

static bool read_octet(const uint8_t *label, uint8_t *out)
{
	unsigned value = 0;

	if (label[0] > OCTET_DIGITS || (label[0] > 1 && label[1] == '0'))
		return false;
	for (size_t i = 1; i <= label[0]; i++) {
		if (label[i] < '0' || label[i] > '9')
			return false;
		value = value * 10 + (unsigned)(label[i] - '0');
	}
	*out = (uint8_t)value;
	return value <= OCTET_MAX;
}

static bool read_ipv4(const struct labels *l, struct addr *out)
{
	memset(out, 0, sizeof(*out));
	memset(out->bytes + 10, 0xff, 2);
	if (l->count > OCTETS)
		return false;
	for (size_t i = 0; i < l->count; i++)
		if (!read_octet(l->at[i], &out->bytes[12 + i]))
			return false;
	return true;
}

static bool read_nibble(const uint8_t *label, uint8_t *out)
{
	uint8_t c = label[1];

	if (label[0] != 1)
		return false;
	if (c >= '0' && c <= '9')
		*out = c - '0';
	else if (c >= 'a' && c <= 'f')
		*out = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		*out = c - 'A' + 10;
	else
		return false;
	return true;
}

static bool read_ipv6(const struct labels *l, struct addr *out)
{
	uint8_t nibble;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < l->count; i++) {
		if (!read_nibble(l->at[i], &nibble))
			return false;
		out->bytes[i / 2] |= (uint8_t)(i % 2 ? nibble : nibble << 4);
	}
	return true;
}

static enum dns_place find_below(
    const struct labels *l, struct addr *addr, bool *branch)
{
	bool six = read_ipv6(l, addr);

	if (six && l->count == NIBBLES)
		return DNS_ADDRESS;
	*branch = six;
	if (!read_ipv4(l, addr))
		return six ? DNS_BRANCH : DNS_NOWHERE;
	return l->count == OCTETS ? DNS_ADDRESS : DNS_BRANCH;
}

/* Upper and lower case are the same; the lengths of labels are no letters. */
static bool is_zone(const struct dns_zone *z, const uint8_t *name)
{
	return strncasecmp((const char *)z->name, (const char *)name, z->len) ==
	       0;
}

enum dns_place dns_zone_find(const struct dns_zone *z, const uint8_t *name,
    size_t len, struct addr *addr, bool *branch)
{
	struct labels labels;
	size_t at = 0;

	memset(addr, 0, sizeof(*addr));
	*branch = false;
	/* To where as much is left as the zone has, label by label. */
	while (len - at > z->len)
		at += name[at] + (size_t)1;
	if (len - at != z->len || !is_zone(z, name + at))
		return DNS_OUTSIDE;
	if (at == 0)
		return DNS_APEX;
	if (!split(name, at, &labels))
		return DNS_NOWHERE;
	return find_below(&labels, addr, branch);
}
