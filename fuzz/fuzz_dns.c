/* SPDX-License-Identifier: ISC */
/*
 * fuzz_dns - any bytes as DNS messages, on a stream and as one datagram;
 * listener_oracle.h says what must hold. Beyond it: an A record only for an
 * answer that allows; ldns reads every reply; over UDP none is larger than two
 * questions, or than a network takes.
 */
#include "listener/dns_library.h"
#include "listener_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LENGTH_SIZE = 2, ROOM = 1232 };

static bool message_fits(
    const struct answer *a, const uint8_t *message, size_t len)
{
	ldns_pkt *p;
	bool fits;

	if (ldns_wire2pkt(&p, message, len) != LDNS_STATUS_OK)
		return false;
	fits = ldns_pkt_qr(p) && !ldns_pkt_ra(p) && ldns_pkt_qdcount(p) <= 1 &&
	       ldns_pkt_ancount(p) <= 1;
	for (size_t i = 0; i < ldns_pkt_ancount(p); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_answer(p), i);
		ldns_rr_type type = ldns_rr_get_type(rr);
		if (type == LDNS_RR_TYPE_SOA || type == LDNS_RR_TYPE_NS)
			continue;
		fits = fits && a->verdict == VERDICT_ALLOW &&
		       (type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_TXT);
	}
	ldns_pkt_free(p);
	return fits;
}

static bool reply_fits(const struct answer *a, const char *reply, size_t len)
{
	const uint8_t *bytes = (const uint8_t *)reply;

	return len > LENGTH_SIZE &&
	       ldns_read_uint16(bytes) == len - LENGTH_SIZE &&
	       message_fits(a, bytes + LENGTH_SIZE, len - LENGTH_SIZE);
}

/* The bytes end where their memory ends. */
static void datagram(const struct oracle *o, const uint8_t *data, size_t size)
{
	const struct listener_view v = { .conf = o->section,
		.datagram = true,
		.spoofable = true,
		.defer = size % 2 };
	char *copy = xmalloc(size ? size : 1), out[LISTENER_REPLY_MAX];
	struct answer a = { .reason = "lease", .ttl = 1000, .by = BY_LEASE };
	struct question q;
	size_t used = 0, n;

	memcpy(copy, data, size);
	if (o->kind->decode(&v, copy, size, &q, &used) == DECODE_QUESTION) {
		must(used == size);
		for (int verdict = VERDICT_NONE; verdict <= VERDICT_TEMPFAIL;
		     verdict++) {
			a.verdict = verdict != VERDICT_ALLOW || q.asked
					? (enum verdict)verdict
					: VERDICT_NONE;
			n = o->kind->encode(&v, &q, &a, out, sizeof(out));
			must(n >= LDNS_HEADER_SIZE && n <= 2 * size &&
			     n <= ROOM);
			must(message_fits(&a, (uint8_t *)out, n));
		}
		a.verdict = VERDICT_NONE;
		n = o->kind->encode_over(&q, out, sizeof(out));
		must(n >= LDNS_HEADER_SIZE && n <= size);
		must(message_fits(&a, (uint8_t *)out, n));
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct oracle oracle;

	if (!oracle.kind)
		oracle_listener(
		    &oracle, "dns", "zone = \"l.test\"", reply_fits);
	oracle_run(&oracle, data, size);
	datagram(&oracle, data, size);
	return 0;
}
