/* SPDX-License-Identifier: ISC */
/*
 * dns_message - header, one question, perhaps an OPT record; and the same back
 * with at most one record of an answer and one of authority.
 */
#include "dns_message.h"

#include <string.h>

#include "base/mem.h"
#include "dns_library.h"

enum {
	QUESTION_TAIL = 4, /* type and class */
	OPT_SIZE = 11,
	RECORD_SIZE = 12, /* with an owner that points back */
	PLAIN_ROOM = 512, /* RFC 1035 4.2.1 */
	POINTER = 0xc000,
	FLAGS = 2, /* where they are in a header */
	COUNT_AN = 6,
	COUNT_NS = 8,
	COUNT_AR = 10
};

/* --- reading ---------------------------------------------------------------
 */

/* Takes the question's name; returns its length, 0 when it is none. A pointer
 * there would point at the header. */
static size_t read_name(const uint8_t *in, size_t len)
{
	size_t at = 0;

	while (at < len && at < DNS_NAME_MAX) {
		if (in[at] == 0)
			return at + 1;
		if (in[at] > LDNS_MAX_LABELLEN)
			return 0;
		at += in[at] + (size_t)1;
	}
	return 0;
}

/* The one record that may stand behind the question, to the very end. */
static bool read_opt(const uint8_t *in, size_t len, struct dns_request *out)
{
	enum { TYPE = 1, ROOM = 3, VERSION = 6, LENGTH = 9 };

	if (len < OPT_SIZE || in[0] != 0 ||
	    ldns_read_uint16(in + TYPE) != LDNS_RR_TYPE_OPT ||
	    ldns_read_uint16(in + LENGTH) != len - OPT_SIZE)
		return false;
	out->edns = true;
	out->room = ldns_read_uint16(in + ROOM);
	if (out->room < PLAIN_ROOM)
		out->room = PLAIN_ROOM;
	if (out->room > DNS_EDNS_ROOM)
		out->room = DNS_EDNS_ROOM;
	if (in[VERSION] != 0)
		out->rcode = DNS_BADVERS;
	return true;
}

static bool read_body(const uint8_t *in, size_t len, struct dns_request *out)
{
	const uint8_t *at = in + LDNS_HEADER_SIZE;
	size_t left = len - LDNS_HEADER_SIZE, name = read_name(at, left);
	unsigned more = ldns_read_uint16(in + COUNT_AR);

	if (LDNS_QDCOUNT(in) != 1 || ldns_read_uint16(in + COUNT_AN) ||
	    ldns_read_uint16(in + COUNT_NS) || more > 1 || !name ||
	    left - name < QUESTION_TAIL)
		return false;
	out->type = ldns_read_uint16(at + name);
	out->class = ldns_read_uint16(at + name + 2);
	memcpy(out->name, at, name);
	out->name_len = (uint8_t)name;
	at += name + QUESTION_TAIL;
	left -= name + QUESTION_TAIL;
	return more ? read_opt(at, left, out) : left == 0;
}

bool dns_request_read(const uint8_t *in, size_t len, struct dns_request *out)
{
	memset(out, 0, sizeof(*out));
	if (len < LDNS_HEADER_SIZE || LDNS_QR_WIRE(in))
		return false;
	out->id = LDNS_ID_WIRE(in);
	out->opcode = LDNS_OPCODE_WIRE(in);
	out->rd = LDNS_RD_WIRE(in);
	out->cd = LDNS_CD_WIRE(in);
	out->room = PLAIN_ROOM;
	out->len = (uint16_t)len;
	if (out->opcode != LDNS_PACKET_QUERY) {
		out->rcode = LDNS_RCODE_NOTIMPL;
	} else if (!read_body(in, len, out)) {
		out->rcode = LDNS_RCODE_FORMERR;
		out->name_len = 0;
		out->edns = false;
	}
	return true;
}

/* --- writing ---------------------------------------------------------------
 */

void dns_put(struct dns_record *r, const void *data, size_t len)
{
	must(len <= sizeof(r->data) - r->len);
	memcpy(r->data + r->len, data, len);
	r->len = (uint8_t)(r->len + len);
}

void dns_put32(struct dns_record *r, uint32_t value)
{
	uint8_t bytes[4];

	ldns_write_uint32(bytes, value);
	dns_put(r, bytes, sizeof(bytes));
}

void dns_put_name(struct dns_record *r, uint16_t at)
{
	uint8_t bytes[2];

	ldns_write_uint16(bytes, (uint16_t)(POINTER | (LDNS_HEADER_SIZE + at)));
	dns_put(r, bytes, sizeof(bytes));
}

static void write_header(
    const struct dns_request *r, const struct dns_answer *a, uint8_t *out)
{
	memset(out, 0, LDNS_HEADER_SIZE);
	LDNS_ID_SET(out, r->id);
	out[FLAGS] = (uint8_t)(LDNS_QR_MASK | r->opcode << LDNS_OPCODE_SHIFT |
			       (a->authoritative ? LDNS_AA_MASK : 0) |
			       (r->rd ? LDNS_RD_MASK : 0));
	out[FLAGS + 1] = (uint8_t)((r->cd ? LDNS_CD_MASK : 0) |
				   (a->rcode & LDNS_RCODE_MASK));
}

static size_t write_question(const struct dns_request *r, uint8_t *out)
{
	if (!r->name_len)
		return 0;
	memcpy(out, r->name, r->name_len);
	ldns_write_uint16(out + r->name_len, r->type);
	ldns_write_uint16(out + r->name_len + 2, r->class);
	return r->name_len + (size_t)QUESTION_TAIL;
}

static size_t record_size(const struct dns_record *r)
{
	return r->type ? (size_t)RECORD_SIZE + r->len : 0;
}

static size_t write_record(const struct dns_record *r, uint8_t *out)
{
	enum { TYPE = 2, CLASS = 4, TTL = 6, LENGTH = 10 };

	if (!r->type)
		return 0;
	ldns_write_uint16(
	    out, (uint16_t)(POINTER | (LDNS_HEADER_SIZE + r->at)));
	ldns_write_uint16(out + TYPE, r->type);
	ldns_write_uint16(out + CLASS, LDNS_RR_CLASS_IN);
	ldns_write_uint32(out + TTL, r->ttl);
	ldns_write_uint16(out + LENGTH, r->len);
	memcpy(out + RECORD_SIZE, r->data, r->len);
	return record_size(r);
}

static size_t write_opt(
    const struct dns_request *r, uint16_t rcode, uint8_t *out)
{
	enum { TYPE = 1, ROOM = 3, RCODE = 5, RCODE_SHIFT = 4 };

	if (!r->edns)
		return 0;
	memset(out, 0, OPT_SIZE);
	ldns_write_uint16(out + TYPE, LDNS_RR_TYPE_OPT);
	ldns_write_uint16(out + ROOM, DNS_EDNS_ROOM);
	out[RCODE] = (uint8_t)(rcode >> RCODE_SHIFT);
	return OPT_SIZE;
}

static size_t size_max(const struct dns_request *r, bool udp, size_t size)
{
	size_t most = udp ? (size_t)r->len * 2 : size;

	if (udp && most > r->room)
		most = r->room;
	return most < size ? most : size;
}

size_t dns_answer_write(const struct dns_request *r, const struct dns_answer *a,
    bool udp, uint8_t *out, size_t size)
{
	size_t used,
	    records = record_size(&a->answer) + record_size(&a->authority);

	write_header(r, a, out);
	ldns_write_uint16(out + LDNS_QDCOUNT_OFF, r->name_len != 0);
	used = LDNS_HEADER_SIZE;
	used += write_question(r, out + used);
	if (a->truncated || used + records + (r->edns ? OPT_SIZE : 0) >
				size_max(r, udp, size)) {
		LDNS_TC_SET(out);
	} else {
		ldns_write_uint16(out + COUNT_AN, a->answer.type != 0);
		ldns_write_uint16(out + COUNT_NS, a->authority.type != 0);
		used += write_record(&a->answer, out + used);
		used += write_record(&a->authority, out + used);
	}
	ldns_write_uint16(out + COUNT_AR, r->edns);
	used += write_opt(r, a->rcode, out + used);
	return used;
}
