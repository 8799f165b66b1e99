/* SPDX-License-Identifier: ISC */
/*
 * dns - a DNS allowlist (RFC 5782), for Postfix' permit_dnswl_client, Exim's
 * dnslists and every other program that can ask one:
 *
 *	7.113.0.203.relaypass.invalid A		127.0.0.2, or NXDOMAIN
 *	7.113.0.203.relaypass.invalid TXT	"ttl=1712"
 *
 * Authoritative for one zone and for nothing else, over UDP and TCP (there with
 * its length before each message). The test entry 127.0.0.2 of RFC 5782 is not
 * there: it would be an answer of "yes" that no login gave.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "dns_library.h"
#include "dns_zone.h"
#include "listener.h"

enum {
	LENGTH_SIZE = 2, /* before a message on a stream */
	MESSAGE_MAX = 4096,
	TTL_MAX = 60, /* seconds; a resolver must not outlive a lease */
	CODE_MIN = 2, /* 127.0.0.1 says nothing, RFC 5782 2.1 */
	CODE_MAX = 254,
	SOA_SERIAL = 1,
	SOA_REFRESH = 3600,
	SOA_RETRY = 600,
	SOA_EXPIRE = 86400
};

/* What a question carries to its answer. */
struct echo {
	struct dns_request request;
	enum dns_place place;
	bool branch;
	uint16_t zone; /* where it begins in the request's name */
};

_Static_assert(sizeof(struct echo) <= QUESTION_ECHO_MAX, "it must fit");

static const struct option dns_options[] = {
	{ "zone", OPTION_STRING, NULL, 0, 0, NULL,
	    "The zone, such as relaypass.invalid." },
	{ "code-login", OPTION_INT, "2", CODE_MIN, CODE_MAX, NULL,
	    "Last number of the answer 127.0.0.N for a lease by login." },
	{ "code-granted", OPTION_INT, "3", CODE_MIN, CODE_MAX, NULL,
	    "The same for a lease that was granted by hand." },
	{ "code-always", OPTION_INT, "4", CODE_MIN, CODE_MAX, NULL,
	    "The same for an address of lease's `always`." },
	{ "ttl", OPTION_DURATION, "30s", 0, TTL_MAX * 1000, NULL,
	    "How long a resolver may keep a yes; never past the end of the "
	    "lease." },
	{ "negative-ttl", OPTION_DURATION, "1s", 0, TTL_MAX * 1000, NULL,
	    "How long a resolver may keep a no: so long a login may go "
	    "unseen." },
	OPTION_END
};

static bool fits(
    const struct conf_section *conf, const char **option, const char **want)
{
	struct dns_zone zone;

	*option = "zone";
	*want = "expected a name such as relaypass.invalid, of at most 189 "
		"bytes";
	return dns_zone_parse(conf_string(conf, *option), &zone);
}

/* --- questions -------------------------------------------------------------
 */

static bool is_transfer(uint16_t type)
{
	return type == LDNS_RR_TYPE_AXFR || type == LDNS_RR_TYPE_IXFR;
}

static void place_question(
    const struct listener_view *view, struct echo *e, struct question *q)
{
	const struct dns_request *r = &e->request;
	struct dns_zone zone;

	if (r->rcode || r->class != LDNS_RR_CLASS_IN ||
	    !dns_zone_parse(conf_string(view->conf, "zone"), &zone))
		return;
	e->place =
	    dns_zone_find(&zone, r->name, r->name_len, &q->addr, &e->branch);
	if (e->place != DNS_OUTSIDE)
		e->zone = (uint16_t)(r->name_len - zone.len);
	q->asked = e->place == DNS_ADDRESS && !is_transfer(r->type) &&
		   r->type != LDNS_RR_TYPE_ANY;
}

static enum decode decode_message(const struct listener_view *view,
    const uint8_t *in, size_t len, struct question *q)
{
	struct echo e = { 0 };

	if (!dns_request_read(in, len, &e.request))
		return DECODE_BAD;
	memset(q, 0, sizeof(*q));
	place_question(view, &e, q);
	memcpy(q->echo, &e, sizeof(e));
	q->echo_len = sizeof(e);
	return DECODE_QUESTION;
}

static enum decode decode(const struct listener_view *view, const char *in,
    size_t len, struct question *q, size_t *used)
{
	const uint8_t *bytes = (const uint8_t *)in;
	size_t size;

	*used = len;
	if (view->datagram)
		return decode_message(view, bytes, len, q);
	if (len < LENGTH_SIZE)
		return DECODE_MORE;
	size = ldns_read_uint16(bytes);
	if (size < LDNS_HEADER_SIZE || size > MESSAGE_MAX)
		return DECODE_BAD;
	if (len - LENGTH_SIZE < size)
		return DECODE_MORE;
	*used = LENGTH_SIZE + size;
	return decode_message(view, bytes + LENGTH_SIZE, size, q);
}

/* --- answers ---------------------------------------------------------------
 */

static uint32_t seconds(const struct listener_view *view, const char *option)
{
	return (uint32_t)(conf_number(view->conf, option) / 1000);
}

/* The zone's own name is its server's, as in the empty zones of RFC 6303:
 * nobody follows it. */
static void put_soa(const struct listener_view *view, const struct echo *e,
    struct dns_record *r)
{
	static const uint8_t root = 0;
	uint32_t ttl = seconds(view, "negative-ttl");

	r->type = LDNS_RR_TYPE_SOA;
	r->at = e->zone;
	r->ttl = ttl;
	dns_put_name(r, e->zone);
	dns_put(r, &root, sizeof(root));
	dns_put32(r, SOA_SERIAL);
	dns_put32(r, SOA_REFRESH);
	dns_put32(r, SOA_RETRY);
	dns_put32(r, SOA_EXPIRE);
	dns_put32(r, ttl);
}

static void put_a(const struct listener_view *view, const struct answer *a,
    struct dns_record *r)
{
	static const char *const options[] = { [BY_LEASE] = "code-login",
		[BY_HAND] = "code-granted",
		[BY_ALWAYS] = "code-always" };
	const char *option =
	    options[a->by == BY_NOTHING ? BY_LEASE : (size_t)a->by];
	const uint8_t address[] = { 127, 0, 0,
		(uint8_t)conf_number(view->conf, option) };

	r->type = LDNS_RR_TYPE_A;
	dns_put(r, address, sizeof(address));
}

static void put_txt(const struct answer *a, struct dns_record *r)
{
	char text[32] = "always";
	uint8_t len;

	if (a->by != BY_ALWAYS)
		(void)snprintf(
		    text, sizeof(text), "ttl=%lld", (long long)(a->ttl / 1000));
	len = (uint8_t)strlen(text);
	r->type = LDNS_RR_TYPE_TXT;
	dns_put(r, &len, sizeof(len));
	dns_put(r, text, len);
}

static void answer_leased(const struct listener_view *view,
    const struct echo *e, const struct answer *a, struct dns_answer *out)
{
	struct dns_record *r = &out->answer;
	int64_t left = a->ttl > 0 ? a->ttl / 1000 : 0;

	r->ttl = seconds(view, "ttl");
	if (a->by != BY_ALWAYS && left < r->ttl)
		r->ttl = (uint32_t)left;
	if (e->request.type == LDNS_RR_TYPE_A)
		put_a(view, a, r);
	else if (e->request.type == LDNS_RR_TYPE_TXT)
		put_txt(a, r);
	else
		put_soa(view, e, &out->authority);
}

static void answer_apex(const struct listener_view *view, const struct echo *e,
    struct dns_answer *out)
{
	struct dns_record *r = &out->answer;

	if (e->request.type == LDNS_RR_TYPE_SOA) {
		put_soa(view, e, r);
	} else if (e->request.type == LDNS_RR_TYPE_NS) {
		r->type = LDNS_RR_TYPE_NS;
		r->at = e->zone;
		r->ttl = seconds(view, "ttl");
		dns_put_name(r, e->zone);
	} else {
		put_soa(view, e, &out->authority);
	}
}

/* Inside the zone. */
static void answer_place(const struct listener_view *view, const struct echo *e,
    const struct question *q, const struct answer *a, struct dns_answer *out)
{
	out->authoritative = true;
	if (e->place == DNS_APEX) {
		answer_apex(view, e, out);
	} else if (q->asked && a->verdict == VERDICT_ALLOW) {
		answer_leased(view, e, a, out);
	} else if (q->asked && a->verdict == VERDICT_TEMPFAIL && view->defer) {
		out->authoritative = false;
		out->rcode = LDNS_RCODE_SERVFAIL;
	} else {
		/* A resolver that asks for one label after the other would
		 * stop at a no (RFC 8020). */
		if (e->place != DNS_BRANCH && !e->branch)
			out->rcode = LDNS_RCODE_NXDOMAIN;
		put_soa(view, e, &out->authority);
	}
}

static void make_answer(const struct listener_view *view, const struct echo *e,
    const struct question *q, const struct answer *a, struct dns_answer *out)
{
	const struct dns_request *r = &e->request;

	memset(out, 0, sizeof(*out));
	if (r->rcode)
		out->rcode = r->rcode;
	else if (e->place == DNS_OUTSIDE || is_transfer(r->type))
		out->rcode = LDNS_RCODE_REFUSED;
	else if (r->type == LDNS_RR_TYPE_ANY)
		out->rcode = LDNS_RCODE_NOTIMPL;
	else
		answer_place(view, e, q, a, out);
}

static void take_echo(const struct question *q, struct echo *e)
{
	must(q->echo_len == sizeof(*e));
	memcpy(e, q->echo, sizeof(*e));
}

static size_t encode(const struct listener_view *view, const struct question *q,
    const struct answer *a, char *out, size_t size)
{
	uint8_t *bytes = (uint8_t *)out;
	struct dns_answer answer;
	struct echo e;
	size_t n;

	take_echo(q, &e);
	make_answer(view, &e, q, a, &answer);
	if (view->datagram)
		return dns_answer_write(
		    &e.request, &answer, view->spoofable, bytes, size);
	n = dns_answer_write(&e.request, &answer, false, bytes + LENGTH_SIZE,
	    size - LENGTH_SIZE);
	ldns_write_uint16(bytes, (uint16_t)n);
	return LENGTH_SIZE + n;
}

/* There is no question that an answer could repeat. */
static size_t encode_bad(char *out, size_t size)
{
	(void)out;
	(void)size;
	return 0;
}

static size_t encode_over(const struct question *q, char *out, size_t size)
{
	const struct dns_answer over = { .truncated = true };
	struct echo e;

	take_echo(q, &e);
	return dns_answer_write(&e.request, &over, true, (uint8_t *)out, size);
}

const struct listener_kind listener_dns = {
	.name = "dns",
	.help = "Answers a DNS allowlist zone, for mail servers and filters.",
	.options = dns_options,
	.listen = "udp:127.0.0.1:5354",
	.group = "relaypass",
	.udp = true,
	.request_max = LENGTH_SIZE + MESSAGE_MAX,
	.decode = decode,
	.encode = encode,
	.encode_bad = encode_bad,
	.encode_over = encode_over,
	.fits = fits,
};
