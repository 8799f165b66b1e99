/* SPDX-License-Identifier: ISC */
/*
 * relay_ctrl_packet - reads and writes the datagrams, one item after the other.
 */
#include "relay_ctrl_packet.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hmac.h"
#include "base/secret.h"

enum {
	VERSION = 0x01,
	TERMINATOR = 0x00,
	IPV4_SIZE = 4,
	IPV6_SIZE = 16,
	IPV4_AT = 12,        /* behind ::ffff: in a struct addr */
	SECONDS_DIGITS = 11, /* beyond the year 5000 */
	FRACTION_DIGITS = 9,
	ITEM_HEAD = 2, /* type and length */
	MAC_ITEM = ITEM_HEAD + RELAY_CTRL_MAC_SIZE
};
_Static_assert((int)RELAY_CTRL_MAC_SIZE == (int)HMAC_SIZE, "one MAC");

enum item_type {
	ITEM_REQUEST = 0,
	ITEM_RESPONSE = 1,
	ITEM_TIMESTAMP = 3,
	ITEM_IPV4 = 4,
	ITEM_IPV6 = 5,
	ITEM_ENV = 6,
	ITEM_MAC = 7
};

/* What a packet has told already: none of it may come twice. */
enum seen {
	SEEN_TIME = 1,
	SEEN_ADDR = 2,
	SEEN_USER = 4,
	SEEN_DOMAIN = 8,
	SEEN_MAC = 16
};

/* --- reading ---------------------------------------------------------------
 */

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* "1700000000.123456" to ms; what is finer is cut. */
static bool read_time(const uint8_t *text, size_t len, int64_t *ms)
{
	size_t at = 0, fraction;
	int64_t value = 0, unit = 100;

	while (at < len && at < SECONDS_DIGITS && is_digit(text[at]))
		value = value * 10 + (text[at++] - '0');
	if (at == 0)
		return false;
	*ms = value * 1000;
	if (at == len)
		return true;
	if (text[at++] != '.')
		return false;
	for (fraction = at; at < len && is_digit(text[at]); at++, unit /= 10)
		*ms += unit * (text[at] - '0');
	return at == len && at > fraction && at - fraction <= FRACTION_DIGITS;
}

static bool read_addr(const uint8_t *bytes, size_t len, struct addr *out)
{
	static const uint8_t mapped[IPV4_AT] = { [10] = 0xff, [11] = 0xff };

	if (len == IPV4_SIZE) {
		memcpy(out->bytes, mapped, sizeof(mapped));
		memcpy(out->bytes + IPV4_AT, bytes, IPV4_SIZE);
		return true;
	}
	memcpy(out->bytes, bytes, IPV6_SIZE);
	return len == IPV6_SIZE;
}

static bool read_value(
    const uint8_t *text, size_t len, char *out, uint8_t *out_len)
{
	if (len > RELAY_CTRL_VALUE_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] == 0x7f)
			return false;
	memcpy(out, text, len);
	out[len] = '\0';
	*out_len = (uint8_t)len;
	return true;
}

static bool starts(const uint8_t *text, size_t len, const char *with)
{
	return len >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

/* Sets a bit; false: it was set. */
static bool once(unsigned *seen, enum seen bit)
{
	bool first = !(*seen & (unsigned)bit);

	*seen |= (unsigned)bit;
	return first;
}

static bool read_env(struct relay_ctrl_packet *p, unsigned *seen,
    const uint8_t *text, size_t len)
{
	static const char user[] = "USER=", domain[] = "DOMAIN=";
	size_t user_at = sizeof(user) - 1, domain_at = sizeof(domain) - 1;
	const uint8_t *equals = memchr(text, '=', len);

	if (starts(text, len, user))
		return once(seen, SEEN_USER) &&
		       read_value(text + user_at, len - user_at, p->user,
			   &p->user_len);
	if (starts(text, len, domain))
		return once(seen, SEEN_DOMAIN) &&
		       read_value(text + domain_at, len - domain_at, p->domain,
			   &p->domain_len);
	return equals && equals > text;
}

/* One item behind the first. at: its offset in the packet. */
static bool read_item(
    struct relay_ctrl_packet *p, unsigned *seen, const uint8_t *item, size_t at)
{
	const uint8_t *data = item + ITEM_HEAD;
	size_t len = item[1];

	if (*seen & SEEN_MAC)
		return false;
	switch (item[0]) {
	case ITEM_TIMESTAMP:
		return once(seen, SEEN_TIME) && read_time(data, len, &p->time);
	case ITEM_IPV4:
		return once(seen, SEEN_ADDR) && len == IPV4_SIZE &&
		       read_addr(data, len, &p->addr);
	case ITEM_IPV6:
		return once(seen, SEEN_ADDR) && len == IPV6_SIZE &&
		       read_addr(data, len, &p->addr);
	case ITEM_ENV:
		return len > 0 && read_env(p, seen, data, len);
	case ITEM_MAC:
		p->signed_len = (uint16_t)at;
		if (len != sizeof(p->mac))
			return false;
		memcpy(p->mac, data, sizeof(p->mac));
		return once(seen, SEEN_MAC);
	default:
		return false;
	}
}

static bool read_keyed(
    const uint8_t *bytes, size_t len, struct relay_ctrl_packet *p)
{
	const unsigned needed = SEEN_TIME | SEEN_ADDR | SEEN_MAC;
	size_t at = 1 + ITEM_HEAD, end = len - 1;
	unsigned seen = 0;

	if (len < at + 1 || bytes[end] != TERMINATOR ||
	    bytes[1] > ITEM_RESPONSE || bytes[2] != 0)
		return false;
	p->form =
	    bytes[1] == ITEM_REQUEST ? RELAY_CTRL_REQUEST : RELAY_CTRL_RESPONSE;
	while (at < end) {
		if (end - at < ITEM_HEAD ||
		    end - at - ITEM_HEAD < bytes[at + 1] ||
		    !read_item(p, &seen, bytes + at, at))
			return false;
		at += ITEM_HEAD + bytes[at + 1];
	}
	return (seen & needed) == needed;
}

bool relay_ctrl_decode(
    const uint8_t *bytes, size_t len, struct relay_ctrl_packet *out)
{
	out->form = RELAY_CTRL_PLAIN;
	out->time = 0;
	out->user_len = out->domain_len = 0;
	out->user[0] = out->domain[0] = '\0';
	out->signed_len = 0;
	if (len == 0 || len > RELAY_CTRL_PACKET_MAX)
		return false;
	if (bytes[0] == VERSION)
		return read_keyed(bytes, len, out);
	return addr_parse((const char *)bytes, len, &out->addr);
}

bool relay_ctrl_verify(const uint8_t *bytes, const struct relay_ctrl_packet *p,
    const void *key, size_t key_len)
{
	uint8_t mac[HMAC_SIZE];

	if (p->form == RELAY_CTRL_PLAIN)
		return false;
	hmac_sha256(key, key_len, bytes, p->signed_len, mac);
	return secret_equal(mac, sizeof(mac), p->mac, sizeof(p->mac));
}

/* --- writing ---------------------------------------------------------------
 */

struct writer {
	uint8_t *out;
	size_t used;
	bool full; /* nothing is written from then on */
};

static void put(struct writer *w, const void *bytes, size_t len)
{
	if (w->full || RELAY_CTRL_PACKET_MAX - w->used < len) {
		w->full = true;
		return;
	}
	memcpy(w->out + w->used, bytes, len);
	w->used += len;
}

static void put_byte(struct writer *w, uint8_t byte)
{
	put(w, &byte, 1);
}

static void put_item(
    struct writer *w, enum item_type type, const void *data, size_t len)
{
	put_byte(w, (uint8_t)type);
	put_byte(w, (uint8_t)len);
	put(w, data, len);
}

static void put_time(struct writer *w, int64_t ms)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%" PRId64 ".%03d", ms / 1000,
	    (int)(ms % 1000));

	put_item(w, ITEM_TIMESTAMP, text, (size_t)n);
}

static void put_addr(struct writer *w, const struct addr *a)
{
	if (addr_is_ipv4(a))
		put_item(w, ITEM_IPV4, a->bytes + IPV4_AT, IPV4_SIZE);
	else
		put_item(w, ITEM_IPV6, a->bytes, IPV6_SIZE);
}

static void put_env(
    struct writer *w, const char *name, const char *value, size_t len)
{
	if (len == 0)
		return;
	put_byte(w, ITEM_ENV);
	put_byte(w, (uint8_t)(strlen(name) + len));
	put(w, name, strlen(name));
	put(w, value, len);
}

static size_t write_plain(
    const struct relay_ctrl_packet *p, uint8_t out[static ADDR_TEXT_SIZE])
{
	char text[ADDR_TEXT_SIZE];
	size_t len = addr_print(&p->addr, text);

	memcpy(out, text, len);
	return len;
}

static bool can_be_written(const struct relay_ctrl_packet *p)
{
	const int64_t last = INT64_C(99999999999) * 1000; /* SECONDS_DIGITS */

	return p->time >= 0 && p->time <= last &&
	       p->user_len <= RELAY_CTRL_VALUE_MAX &&
	       p->domain_len <= RELAY_CTRL_VALUE_MAX - 2; /* a longer name */
}

size_t relay_ctrl_encode(const struct relay_ctrl_packet *p, const void *key,
    size_t key_len, uint8_t out[static RELAY_CTRL_PACKET_MAX])
{
	struct writer w = { out, 0, false };
	uint8_t mac[HMAC_SIZE];

	if (p->form == RELAY_CTRL_PLAIN)
		return write_plain(p, out);
	if (!can_be_written(p))
		return 0;
	put_byte(&w, VERSION);
	put_item(&w,
	    p->form == RELAY_CTRL_REQUEST ? ITEM_REQUEST : ITEM_RESPONSE, "",
	    0);
	put_time(&w, p->time);
	put_addr(&w, &p->addr);
	put_env(&w, "USER=", p->user, p->user_len);
	put_env(&w, "DOMAIN=", p->domain, p->domain_len);
	hmac_sha256(key, key_len, out, w.used, mac);
	put_item(&w, ITEM_MAC, mac, sizeof(mac));
	put_byte(&w, TERMINATOR);
	return w.full ? 0 : w.used;
}

bool relay_ctrl_is_reply(const uint8_t *bytes, size_t len,
    const struct relay_ctrl_packet *request, const void *key, size_t key_len)
{
	struct relay_ctrl_packet reply;

	if (request->form == RELAY_CTRL_PLAIN)
		return len == 1 && bytes[0] == RELAY_CTRL_ACK;
	return relay_ctrl_decode(bytes, len, &reply) &&
	       reply.form == RELAY_CTRL_RESPONSE &&
	       reply.time == request->time &&
	       addr_equal(&reply.addr, &request->addr) &&
	       relay_ctrl_verify(bytes, &reply, key, key_len);
}
