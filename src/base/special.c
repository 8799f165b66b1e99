/* SPDX-License-Identifier: ISC */
/*
 * special - the table of addresses that are nobody's customer: IANA's IPv4 and
 * IPv6 special-purpose registries, multicast, broadcast and tunnels.
 * Called by: login/rules, which asks after mapped addresses were folded.
 * Documentation networks are left out on purpose: they count as ordinary.
 */
#include "special.h"

#include "mem.h"

/* IPv4 is what most clients have, so its rows are plain numbers. */
struct block4 {
	uint32_t first;
	uint8_t bits; /* 1 to 32 */
	enum special kind;
	const char *name;
};

struct block6 {
	struct net net;
	enum special kind;
	const char *name;
};

#define QUAD(a, b, c, d)                                                       \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))
#define WORD(w) (uint8_t)((w) >> 8), (uint8_t)((w)&0xff)

/* IPv4: quad, prefix length. IPv6: the first three groups, prefix length. */
#define V4(a, b, c, d, bits, kind, name)                                       \
	{                                                                      \
		QUAD(a, b, c, d), bits, SPECIAL_##kind, name                   \
	}
#define V6(a, b, c, bits, kind, name)                                          \
	{                                                                      \
		{ { { WORD(a), WORD(b), WORD(c) } }, bits }, SPECIAL_##kind,   \
		    name                                                       \
	}

/*
 * The first row that holds an address decides. 192.0.0.0/24 and 2001::/23 have
 * smaller parts that are reachable; they are anycast services and identifiers,
 * not places where mail is read, so the whole blocks are refused.
 */
static const struct block4 blocks4[] = {
	V4(0, 0, 0, 0, 8, NEVER, "This network"),
	V4(10, 0, 0, 0, 8, PRIVATE, "Private-Use"),
	V4(100, 64, 0, 0, 10, PRIVATE, "Shared Address Space"),
	V4(127, 0, 0, 0, 8, NEVER, "Loopback"),
	V4(169, 254, 0, 0, 16, NEVER, "Link Local"),
	V4(172, 16, 0, 0, 12, PRIVATE, "Private-Use"),
	V4(192, 0, 0, 0, 24, NEVER, "IETF Protocol Assignments"),
	V4(192, 88, 99, 0, 24, NEVER, "6to4 Relay Anycast"),
	V4(192, 168, 0, 0, 16, PRIVATE, "Private-Use"),
	V4(198, 18, 0, 0, 15, PRIVATE, "Benchmarking"),
	V4(224, 0, 0, 0, 4, NEVER, "Multicast"),
	V4(255, 255, 255, 255, 32, NEVER, "Limited Broadcast"),
	V4(240, 0, 0, 0, 4, NEVER, "Reserved"),
};

static const struct block6 blocks6[] = {
	/* Inside 2000::/3. */
	V6(0x2001, 0, 0, 32, NEVER, "Teredo"),
	V6(0x2001, 2, 0, 48, NEVER, "Benchmarking"),
	V6(0x2001, 0x10, 0, 28, NEVER, "ORCHID"),
	V6(0x2001, 0, 0, 23, NEVER, "IETF Protocol Assignments"),
	V6(0x2002, 0, 0, 16, NEVER, "6to4"),
	V6(0x2000, 0, 0, 3, NONE, NULL),

	/* Outside, by name where they have one. */
	{ { { { 0 } }, 128 }, SPECIAL_NEVER, "Unspecified Address" },
	{ { { { [15] = 1 } }, 128 }, SPECIAL_NEVER, "Loopback Address" },
	V6(0, 0, 0, 96, NEVER, "IPv4-Compatible"),
	V6(0x64, 0xff9b, 0, 96, NEVER, "IPv4-IPv6 Translation"),
	V6(0x64, 0xff9b, 1, 48, NEVER, "IPv4-IPv6 Translation"),
	V6(0x100, 0, 0, 64, NEVER, "Discard-Only Address Block"),
	V6(0xfc00, 0, 0, 7, PRIVATE, "Unique-Local"),
	V6(0xfe80, 0, 0, 10, NEVER, "Link-Local Unicast"),
	V6(0xfec0, 0, 0, 10, NEVER, "Site-Local Unicast"),
	V6(0xff00, 0, 0, 8, NEVER, "Multicast"),
	V6(0, 0, 0, 0, NEVER, "Outside 2000::/3"),
};

static enum special find4(const uint8_t quad[4], const char **name_r)
{
	uint32_t a = QUAD(quad[0], quad[1], quad[2], quad[3]);

	for (size_t i = 0; i < COUNT_OF(blocks4); i++) {
		const struct block4 *b = &blocks4[i];
		if ((a ^ b->first) >> (32 - b->bits) == 0) {
			*name_r = b->name;
			return b->kind;
		}
	}
	return SPECIAL_NONE;
}

/* The last row holds every IPv6 address. */
static enum special find6(const struct addr *a, const char **name_r)
{
	const struct block6 *b = blocks6;

	while (!net_contains(&b->net, a))
		b++;
	*name_r = b->name;
	return b->kind;
}

enum special special_find(const struct addr *a, const char **name_r)
{
	const char *name = NULL;
	enum special kind =
	    addr_is_ipv4(a) ? find4(a->bytes + 12, &name) : find6(a, &name);

	if (name_r)
		*name_r = name;
	return kind;
}
