/* SPDX-License-Identifier: ISC */
/*
 * pbs_codec - reads packets from the first byte to exactly the last.
 */
#include "pbs_codec.h"

#include <string.h>

enum {
	IPV4_SIZE = 4,
	IPV4_AT = 12, /* behind ::ffff: in a struct addr */
	MAY_RELAY = 'R',
	MAY_NOT = 'N'
};

/* What is left of a packet. */
struct rest {
	const uint8_t *at;
	size_t len;
};

static bool take_byte(struct rest *r, uint8_t *out)
{
	if (r->len == 0)
		return false;
	*out = *r->at++;
	r->len--;
	return true;
}

static bool take(struct rest *r, size_t len, const uint8_t **out)
{
	if (r->len < len)
		return false;
	*out = r->at;
	r->at += len;
	r->len -= len;
	return true;
}

static bool take_addr(struct rest *r, struct pbs_packet *p)
{
	const uint8_t *bytes;

	if (!take_byte(r, &p->addr_len) ||
	    (p->addr_len != IPV4_SIZE && p->addr_len != PBS_ADDR_MAX) ||
	    !take(r, p->addr_len, &bytes))
		return false;
	memset(&p->addr, 0, sizeof(p->addr));
	if (p->addr_len == IPV4_SIZE)
		memset(p->addr.bytes + IPV4_AT - 2, 0xff, 2);
	memcpy(p->addr.bytes + PBS_ADDR_MAX - p->addr_len, bytes, p->addr_len);
	return true;
}

/* An entry is NAME=VALUE; the name is not empty. */
static bool take_entry(struct rest *r)
{
	const uint8_t *text, *equals;
	uint8_t len;

	if (!take_byte(r, &len) || !take(r, len, &text))
		return false;
	equals = memchr(text, '=', len);
	return equals && equals > text && !memchr(text, '\0', len);
}

static bool take_add(struct rest *r, struct pbs_packet *p)
{
	if (!take_byte(r, &p->secret_len) ||
	    !take(r, p->secret_len, &p->secret) || !take_byte(r, &p->count))
		return false;
	p->entries = r->at;
	for (unsigned i = 0; i < p->count; i++)
		if (!take_entry(r))
			return false;
	return r->len == 0;
}

enum pbs_type pbs_decode(
    const uint8_t *bytes, size_t len, struct pbs_packet *out)
{
	struct rest r = { bytes, len };
	uint8_t type, status;

	memset(out, 0, sizeof(*out));
	if (len > PBS_PACKET_MAX || !take_byte(&r, &type) ||
	    !take_addr(&r, out))
		return PBS_BAD;
	if (type == PBS_ADD && take_add(&r, out))
		out->type = PBS_ADD;
	else if (type == PBS_QUERY && take_byte(&r, &status) && status == 0 &&
		 r.len == 0)
		out->type = PBS_QUERY;
	else if (type == PBS_REPLY)
		out->type = PBS_REPLY;
	return out->type;
}

bool pbs_entry(const struct pbs_packet *p, const char *name,
    const uint8_t **value, size_t *len)
{
	const uint8_t *at = p->entries;
	size_t name_len = strlen(name);
	bool found = false;

	for (unsigned i = 0; i < p->count; at += 1 + *at, i++) {
		const uint8_t *text = at + 1;
		if (*at <= name_len || text[name_len] != '=' ||
		    memcmp(text, name, name_len) != 0)
			continue;
		if (found)
			return false;
		found = true;
		*value = text + name_len + 1;
		*len = *at - name_len - 1;
	}
	return found;
}

size_t pbs_answer(const struct addr *addr, uint8_t addr_len, bool may_relay,
    uint8_t out[static PBS_ANSWER_MAX])
{
	size_t len = 0;

	out[len++] = PBS_REPLY;
	out[len++] = addr_len;
	memcpy(out + len, addr->bytes + PBS_ADDR_MAX - addr_len, addr_len);
	len += addr_len;
	out[len++] = may_relay ? MAY_RELAY : MAY_NOT;
	if (may_relay)
		out[len++] = 0; /* no entries */
	return len;
}
