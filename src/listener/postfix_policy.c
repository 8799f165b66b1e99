/* SPDX-License-Identifier: ISC */
/*
 * postfix_policy - Postfix asks before it relays (SMTPD_POLICY_README):
 *
 *	request=smtpd_access_policy
 *	protocol_state=RCPT
 *	client_address=192.0.2.1
 *	(more attributes in any order, then an empty line)
 *	action=OK   or   action=DUNNO   and an empty line
 *
 * It says nothing but these two, and DEFER_IF_REJECT where `tempfail` is set.
 * Text that clients choose (helo_name, client_name) is never looked at.
 */
#include <string.h>

#include "byte_mask.h"
#include "listener.h"

enum {
	REQUEST_MAX = LISTENER_REQUEST_MAX,
	LINES_MAX = 128 /* Postfix 3.8 sends 33 */
};

static const struct option no_options[] = { OPTION_END };

/* The attributes that count. */
enum attr {
	ATTR_SENDER,
	ATTR_REQUEST,
	ATTR_INSTANCE,
	ATTR_QUEUE_ID,
	ATTR_RECIPIENT,
	ATTR_SASL_USERNAME,
	ATTR_PROTOCOL_STATE,
	ATTR_CLIENT_ADDRESS,
	ATTR_COUNT
};

/* ATTR_COUNT for those that do not. By length, so that each comparison is of
 * a fixed size: a few instructions and no call. */
static enum attr find_attr(const char *name, size_t len)
{
#define IS(text, attr)                                                         \
	if (memcmp(name, text, sizeof(text) - 1) == 0)                         \
	return attr
	switch (len) {
	case sizeof("sender") - 1:
		IS("sender", ATTR_SENDER);
		break;
	case sizeof("request") - 1:
		IS("request", ATTR_REQUEST);
		break;
	case sizeof("instance") - 1:
		IS("instance", ATTR_INSTANCE);
		IS("queue_id", ATTR_QUEUE_ID);
		break;
	case sizeof("recipient") - 1:
		IS("recipient", ATTR_RECIPIENT);
		break;
	case sizeof("sasl_username") - 1:
		IS("sasl_username", ATTR_SASL_USERNAME);
		break;
	case sizeof("client_address") - 1:
		IS("client_address", ATTR_CLIENT_ADDRESS);
		IS("protocol_state", ATTR_PROTOCOL_STATE);
		break;
	default:
		break;
	}
#undef IS
	return ATTR_COUNT;
}

/* What is known of a request; values lie in the caller's buffer. */
struct request {
	unsigned seen; /* one bit an attribute */
	unsigned lines;
	struct value {
		const char *text;
		size_t len;
	} value[ATTR_COUNT];
};

/* Notes one line. False: this attribute was there before. */
static bool take_line(struct request *r, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
	enum attr i = find_attr(name, name_len);

	if (i == ATTR_COUNT)
		return true;
	if (r->seen & 1U << i)
		return false;
	r->seen |= 1U << i;
	r->value[i].text = value;
	r->value[i].len = value_len;
	return true;
}

/* Bits 0 to i - 1, and 0 to i. */
static uint64_t below(unsigned i)
{
	return ((uint64_t)1 << i) - 1;
}

static uint64_t up_to(unsigned i)
{
	return ((uint64_t)2 << i) - 1;
}

/* Where the reading of a request stands; offsets from its first byte. */
struct cursor {
	const char *in;
	size_t line; /* where the line begins */
	size_t eq;   /* its first '='; SIZE_MAX: none yet */
};

/* One line ends at lf: an attribute, or the end of the request. */
static enum decode end_line(struct request *r, struct cursor *c, size_t lf)
{
	const char *in = c->in;

	if (lf == c->line)
		return r->lines ? DECODE_QUESTION : DECODE_BAD;
	if (c->eq == SIZE_MAX || c->eq == c->line || ++r->lines > LINES_MAX ||
	    !take_line(r, in + c->line, c->eq - c->line, in + c->eq + 1,
		lf - c->eq - 1))
		return DECODE_BAD;
	c->line = lf + 1;
	c->eq = SIZE_MAX;
	return DECODE_MORE;
}

/* Reads one block. m holds its marks; at is its offset. */
static enum decode take_block(
    struct request *r, struct cursor *c, struct byte_mask m, size_t at)
{
	for (; m.lf; m.lf &= m.lf - 1) {
		unsigned i = (unsigned)__builtin_ctzll(m.lf);
		enum decode d;

		if (m.nul & below(i))
			return DECODE_BAD;
		if (c->eq == SIZE_MAX && (m.eq & below(i)))
			c->eq = at + (unsigned)__builtin_ctzll(m.eq);
		m.eq &= ~up_to(i);
		d = end_line(r, c, at + i);
		if (d != DECODE_MORE)
			return d;
	}
	if (m.nul)
		return DECODE_BAD;
	if (c->eq == SIZE_MAX && m.eq)
		c->eq = at + (unsigned)__builtin_ctzll(m.eq);
	return DECODE_MORE;
}

static enum decode read_request(
    struct request *r, const char *in, size_t len, size_t *used)
{
	struct cursor c = { in, 0, SIZE_MAX };
	enum decode d = DECODE_MORE;
	char tail[BYTE_MASK_BLOCK] = { 0 };

	for (size_t at = 0; at < len && d == DECODE_MORE;
	     at += BYTE_MASK_BLOCK) {
		const char *block = in + at;
		struct byte_mask m;
		if (len - at < BYTE_MASK_BLOCK)
			block = memcpy(tail, block, len - at);
		m = byte_mask(block);
		if (len - at < BYTE_MASK_BLOCK)
			m.nul &= below((unsigned)(len - at));
		d = take_block(r, &c, m, at);
	}
	*used = c.line + 1;
	return d;
}

static bool value_is(const struct value *v, const char *text)
{
	size_t len = strlen(text);

	return v->len == len && memcmp(v->text, text, len) == 0;
}

/* An address longer than any real one counts as absent: with require-sender
 * that is no lease, and without it nobody reads it. */
static void copy_mail(
    const struct value *v, char *out, uint16_t *len, uint8_t *has)
{
	bool good = v->text && v->len <= QUESTION_MAIL_MAX;
	size_t n = good ? v->len : 0;

	*has = good;
	*len = (uint16_t)n;
	if (n)
		memcpy(out, v->text, n);
	out[n] = '\0';
}

static bool mark_byte(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || c == '.' || c == '-';
}

/* Queue ids and instances are made by Postfix; anything else is no mark. */
static void copy_mark(const struct value *v, char *out, size_t size)
{
	size_t n = v->len < size ? v->len : 0;

	for (size_t i = 0; i < n; i++)
		if (!mark_byte((unsigned char)v->text[i]))
			n = 0;
	if (n)
		memcpy(out, v->text, n);
	out[n] = '\0';
}

/* Whether OK could be an answer to this request at all. */
static bool may_ask(const struct request *r)
{
	const struct value *v = r->value;
	const struct value *state = &v[ATTR_PROTOCOL_STATE];

	return value_is(&v[ATTR_REQUEST], "smtpd_access_policy") &&
	       (value_is(state, "RCPT") || value_is(state, "DATA") ||
		   value_is(state, "END-OF-MESSAGE")) &&
	       v[ATTR_SASL_USERNAME].len == 0;
}

static enum decode decode(const struct listener_view *view, const char *in,
    size_t len, struct question *q, size_t *used)
{
	struct request r = { 0 };
	const struct value *v = r.value;
	const struct value *address = &v[ATTR_CLIENT_ADDRESS];
	enum decode d;

	(void)view;
	d = read_request(&r, in, len < REQUEST_MAX ? len : REQUEST_MAX, used);
	if (d == DECODE_MORE && len >= REQUEST_MAX)
		return DECODE_BAD;
	if (d != DECODE_QUESTION)
		return d;
	/* Parsed in any case, so that *q is whole for the log too. */
	q->asked = addr_parse(address->text ? address->text : "", address->len,
		       &q->addr) &&
		   may_ask(&r);
	copy_mail(&v[ATTR_SENDER], q->sender, &q->sender_len, &q->has_sender);
	copy_mail(&v[ATTR_RECIPIENT], q->recipient, &q->recipient_len,
	    &q->has_recipient);
	q->has_user = 0;
	q->user_len = 0;
	q->user[0] = '\0';
	copy_mark(&v[v[ATTR_QUEUE_ID].len ? ATTR_QUEUE_ID : ATTR_INSTANCE],
	    q->mark, sizeof(q->mark));
	return DECODE_QUESTION;
}

static size_t encode(const struct listener_view *view, const struct question *q,
    const struct answer *a, char *out, size_t size)
{
	static const char ok[] = "action=OK\n\n";
	static const char dunno[] = "action=DUNNO\n\n";
	static const char defer[] =
	    "action=DEFER_IF_REJECT Service temporarily unavailable\n\n";
	const char *text = dunno;
	size_t len = sizeof(dunno) - 1;

	(void)size;
	if (a->verdict == VERDICT_ALLOW && q->asked) {
		text = ok;
		len = sizeof(ok) - 1;
	} else if (a->verdict == VERDICT_TEMPFAIL && view->defer) {
		text = defer;
		len = sizeof(defer) - 1;
	}
	memcpy(out, text, len);
	return len;
}

/* Postfix takes a closed connection for trouble and uses its default_action,
 * which is what a request we cannot read deserves. */
static size_t encode_bad(char *out, size_t size)
{
	(void)out;
	(void)size;
	return 0;
}

const struct listener_kind listener_postfix_policy = {
	.name = "postfix-policy",
	.help = "Answers Postfix' check_policy_service: OK or DUNNO.",
	.options = no_options,
	.listen = "unix:/var/spool/postfix/relaypass/policy",
	.group = "postfix",
	.request_max = REQUEST_MAX,
	.decode = decode,
	.encode = encode,
	.encode_bad = encode_bad,
};
