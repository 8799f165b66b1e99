/* SPDX-License-Identifier: ISC */
/*
 * addr - the strict parser and the canonical printer of addresses and networks.
 * Called by everybody who meets an address in text; pure functions.
 * Not here: which addresses are special (special.c), sets of them (netset.c).
 */
#include "addr.h"

#include <string.h>

enum { IPV4_TEXT_MAX = 15, IPV6_TEXT_MAX = 45, WORDS = 8 };

/* The first 12 bytes of every IPv4 address as we keep it. */
static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

bool addr_is_ipv4(const struct addr *a)
{
	return memcmp(a->bytes, mapped, sizeof(mapped)) == 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

struct addr addr_mask(const struct addr *a, unsigned bits)
{
	struct addr out = { { 0 } };
	size_t whole = bits / 8;

	if (bits >= 128)
		return *a;
	memcpy(out.bytes, a->bytes, whole);
	if (bits % 8)
		out.bytes[whole] =
		    (uint8_t)(a->bytes[whole] & (0xff00U >> (bits % 8)));
	return out;
}

/* --- parsing -------------------------------------------------------------- */

/* One decimal number of a dotted quad, 0..255 without leading zeros. Returns
 * how many bytes it has, 0 when there is none. */
static size_t parse_octet(const char *p, const char *end, uint8_t *out)
{
	unsigned value = 0;
	size_t n = 0;

	while (p + n < end && p[n] >= '0' && p[n] <= '9') {
		if (n == 3 || (n > 0 && value == 0))
			return 0;
		value = value * 10 + (unsigned)(p[n] - '0');
		n++;
	}
	*out = (uint8_t)value;
	return value <= 255 ? n : 0;
}

static bool parse_ipv4(const char *p, const char *end, uint8_t out[4])
{
	for (int i = 0; i < 4; i++) {
		if (i > 0 && (p == end || *p++ != '.'))
			return false;
		size_t n = parse_octet(p, end, &out[i]);
		if (n == 0)
			return false;
		p += n;
	}
	return p == end;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Up to four hex digits; returns how many bytes they are. */
static size_t parse_group(const char *p, const char *end, uint16_t *out)
{
	unsigned value = 0;
	size_t n = 0;

	for (; n < 4 && p + n < end; n++) {
		int digit = hex_value(p[n]);
		if (digit < 0)
			break;
		value = value << 4 | (unsigned)digit;
	}
	*out = (uint16_t)value;
	return n;
}

/* Groups of an IPv6 text as they were written. */
struct groups {
	uint16_t word[WORDS];
	int count;
	int gap; /* "::" stands before this word; -1: none */
};

/* The dotted quad at the end of an IPv6 text, as two groups. */
static bool parse_tail(const char *p, const char *end, struct groups *g)
{
	uint8_t quad[4];

	if (g->count > WORDS - 2 || !parse_ipv4(p, end, quad))
		return false;
	g->word[g->count++] = (uint16_t)(quad[0] << 8 | quad[1]);
	g->word[g->count++] = (uint16_t)(quad[2] << 8 | quad[3]);
	return true;
}

/* Takes what follows a group: nothing, ":", or the "::". False: neither. */
static bool parse_colons(const char **p, const char *end, struct groups *g)
{
	if (*p == end)
		return true;
	if (*(*p)++ != ':' || *p == end)
		return false;
	if (**p != ':')
		return true;
	if (g->gap >= 0)
		return false;
	g->gap = g->count;
	(*p)++;
	return true;
}

static bool parse_groups(const char *p, const char *end, struct groups *g)
{
	if (end - p < 2)
		return false;
	if (*p == ':') {
		if (p[1] != ':')
			return false;
		g->gap = 0;
		p += 2;
	}
	while (p < end) {
		uint16_t value;
		size_t n = parse_group(p, end, &value);
		if (n == 0 || g->count == WORDS)
			return false;
		if (p + n < end && p[n] == '.')
			return parse_tail(p, end, g);
		g->word[g->count++] = value;
		p += n;
		if (!parse_colons(&p, end, g))
			return false;
	}
	return true;
}

static bool parse_ipv6(const char *p, const char *end, struct addr *out)
{
	struct groups g = { .gap = -1 };

	if (!parse_groups(p, end, &g))
		return false;
	/* A "::" stands for one group of zeros at least. */
	if (g.gap < 0 ? g.count != WORDS : g.count == WORDS)
		return false;
	uint8_t *to = out->bytes;
	for (int i = 0; i < g.count; i++) {
		if (i == g.gap)
			to += 2 * (size_t)(WORDS - g.count);
		*to++ = (uint8_t)(g.word[i] >> 8);
		*to++ = (uint8_t)g.word[i];
	}
	return true;
}

bool addr_parse(const char *text, size_t len, struct addr *out)
{
	const char *end = text + len;
	bool good = false;

	memset(out, 0, sizeof(*out));
	if (len == 0 || len > IPV6_TEXT_MAX)
		return false;
	if (memchr(text, ':', len)) {
		good = parse_ipv6(text, end, out);
	} else if (len <= IPV4_TEXT_MAX) {
		memcpy(out->bytes, mapped, sizeof(mapped));
		good = parse_ipv4(text, end, out->bytes + sizeof(mapped));
	}
	if (!good)
		memset(out, 0, sizeof(*out));
	return good;
}

/* --- printing ------------------------------------------------------------- */

static char *put_decimal(char *p, unsigned value)
{
	if (value >= 100)
		*p++ = (char)('0' + value / 100);
	if (value >= 10)
		*p++ = (char)('0' + value / 10 % 10);
	*p++ = (char)('0' + value % 10);
	return p;
}

static char *put_hex(char *p, unsigned value)
{
	static const char digits[] = "0123456789abcdef";
	bool begun = false;

	for (int shift = 12; shift >= 0; shift -= 4) {
		unsigned digit = value >> shift & 15;
		begun = begun || digit || shift == 0;
		if (begun)
			*p++ = digits[digit];
	}
	return p;
}

static char *put_ipv4(char *p, const uint8_t quad[4])
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			*p++ = '.';
		p = put_decimal(p, quad[i]);
	}
	return p;
}

/* The longest run of two zero groups or more, the first of equal ones (RFC
 * 5952, 4.2). Returns its length and where it begins. */
static int longest_zeros(const uint16_t word[WORDS], int *start_r)
{
	int best = 0;

	*start_r = -1;
	for (int i = 0; i < WORDS;) {
		int n = 0;
		while (i + n < WORDS && word[i + n] == 0)
			n++;
		if (n >= 2 && n > best) {
			best = n;
			*start_r = i;
		}
		i += n ? n : 1;
	}
	return best;
}

static char *put_ipv6(char *p, const struct addr *a)
{
	const uint8_t *from = a->bytes;
	uint16_t word[WORDS];
	int zeros;

	for (int i = 0; i < WORDS; i++, from += 2)
		word[i] = (uint16_t)(from[0] << 8 | from[1]);
	int run = longest_zeros(word, &zeros);
	for (int i = 0; i < WORDS;) {
		if (i == zeros) {
			*p++ = ':';
			*p++ = ':';
			i += run;
			continue;
		}
		if (i > 0 && p[-1] != ':')
			*p++ = ':';
		p = put_hex(p, word[i++]);
	}
	return p;
}

size_t addr_print(const struct addr *a, char out[static ADDR_TEXT_SIZE])
{
	char *end = addr_is_ipv4(a) ? put_ipv4(out, a->bytes + sizeof(mapped))
				    : put_ipv6(out, a);

	*end = '\0';
	return (size_t)(end - out);
}

/* --- networks ------------------------------------------------------------- */

/* "10." to "10.1.2.": one to three octets, each with its dot. */
static bool parse_dotted(const char *text, size_t len, struct net *out)
{
	const char *p = text, *end = text + len;
	size_t octets = 0;

	memcpy(out->addr.bytes, mapped, sizeof(mapped));
	while (p < end) {
		if (octets == 3)
			return false;
		size_t n = parse_octet(
		    p, end, &out->addr.bytes[sizeof(mapped) + octets]);
		p += n;
		if (n == 0 || p == end || *p++ != '.')
			return false;
		octets++;
	}
	out->bits = (uint8_t)(96 + 8 * octets);
	return octets > 0;
}

/* A prefix length without leading zeros, at most max; false otherwise. */
static bool parse_bits(const char *p, size_t len, unsigned max, unsigned *out)
{
	uint8_t value;

	if (len == 0 || parse_octet(p, p + len, &value) != len || value > max)
		return false;
	*out = value;
	return true;
}

static bool parse_cidr(
    const char *text, size_t len, const char *slash, struct net *out)
{
	size_t addr_len = (size_t)(slash - text);
	bool colon = memchr(text, ':', addr_len) != NULL;
	unsigned bits;

	if (!addr_parse(text, addr_len, &out->addr))
		return false;
	/* ::ffff:0:0/96 would mean all of IPv4, which nobody who writes it
	 * expects; IPv4 networks are written as such. */
	bool ipv4 = addr_is_ipv4(&out->addr);
	if (ipv4 && colon)
		return false;
	if (!parse_bits(slash + 1, len - addr_len - 1, ipv4 ? 32 : 128, &bits))
		return false;
	out->bits = (uint8_t)(ipv4 ? bits + 96 : bits);
	struct addr masked = addr_mask(&out->addr, out->bits);
	return addr_equal(&masked, &out->addr);
}

bool net_parse(const char *text, size_t len, struct net *out)
{
	const char *slash = memchr(text, '/', len);
	bool good;

	memset(out, 0, sizeof(*out));
	if (slash) {
		good = parse_cidr(text, len, slash, out);
	} else if (len > 0 && text[len - 1] == '.') {
		good = parse_dotted(text, len, out);
	} else {
		good = addr_parse(text, len, &out->addr);
		out->bits = 128;
	}
	if (!good)
		memset(out, 0, sizeof(*out));
	return good;
}

size_t net_print(const struct net *n, char out[static NET_TEXT_SIZE])
{
	size_t used = addr_print(&n->addr, out);
	unsigned bits = n->bits;

	if (bits >= 96 && addr_is_ipv4(&n->addr))
		bits -= 96;
	out[used++] = '/';
	char *end = put_decimal(out + used, bits);
	*end = '\0';
	return (size_t)(end - out);
}

bool net_contains(const struct net *n, const struct addr *a)
{
	size_t whole = n->bits / 8;
	unsigned rest = n->bits % 8;

	/* A short IPv6 prefix such as ::/0 has the mapped range inside, but an
	 * IPv4 client is not what it speaks of. */
	if (n->bits < 96 && addr_is_ipv4(a))
		return false;
	if (memcmp(n->addr.bytes, a->bytes, whole) != 0)
		return false;
	if (rest == 0)
		return true;
	return ((n->addr.bytes[whole] ^ a->bytes[whole]) >> (8 - rest)) == 0;
}
