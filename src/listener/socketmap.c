/* SPDX-License-Identifier: ISC */
/*
 * socketmap - lookups of Postfix (socketmap_table(5)) and Sendmail (map class
 * "socket"), in netstrings:
 *
 *	19:relaypass 192.0.2.1,      5:OK OK,   or   9:NOTFOUND ,
 *
 * Both ask with other keys as well: names, before addresses. Sendmail writes an
 * IPv6 address as "IPv6:" and all its eight words, in lower case mostly.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "listener.h"

enum {
	PAYLOAD_MAX = 10000, /* Postfix' limit of a request */
	DIGITS_MAX = 5,
	REQUEST_MAX = DIGITS_MAX + 1 + PAYLOAD_MAX + 1
};

static const struct option socketmap_options[] = {
	{ "maps", OPTION_LIST, "relaypass", 0, 0, NULL,
	    "Names of the map that are answered; nothing is found in any "
	    "other." },
	{ "value", OPTION_CHOICE, "OK", 0, 0, "OK|permit|RELAY",
	    "What is found for a leased address: OK for restrictions of smtpd "
	    "and for rules of Sendmail, permit for postscreen_access_list, "
	    "RELAY for an access map." },
	OPTION_END
};

/* By the choice above. */
static const char *const values[] = { "OK", "permit", "RELAY" };

/* Reads the length and the colon. DECODE_QUESTION: they are there; *head_r is
 * their size. */
static enum decode read_length(
    const char *in, size_t len, size_t *payload_r, size_t *head_r)
{
	size_t value = 0, n = 0;

	while (n < len && in[n] >= '0' && in[n] <= '9') {
		/* One way to write a number: no leading zeros. */
		if (n == DIGITS_MAX || (n > 0 && value == 0))
			return DECODE_BAD;
		value = value * 10 + (size_t)(in[n++] - '0');
	}
	if (value > PAYLOAD_MAX)
		return DECODE_BAD;
	if (n == len)
		return DECODE_MORE;
	if (n == 0 || in[n] != ':')
		return DECODE_BAD;
	*payload_r = value;
	*head_r = n + 1;
	return DECODE_QUESTION;
}

static bool is_our_map(
    const struct conf_section *conf, const char *name, size_t len)
{
	for (size_t i = 0; i < conf_list_size(conf, "maps"); i++) {
		const char *map = conf_list_at(conf, "maps", i);
		if (strlen(map) == len && memcmp(map, name, len) == 0)
			return true;
	}
	return false;
}

static bool read_key(const char *key, size_t len, struct addr *out)
{
	static const char tag[] = "IPv6:";
	const size_t tag_len = sizeof(tag) - 1;

	if (len > tag_len && strncasecmp(key, tag, tag_len) == 0)
		return addr_parse(key + tag_len, len - tag_len, out) &&
		       memchr(key + tag_len, ':', len - tag_len);
	return addr_parse(key, len, out);
}

static enum decode decode(const struct listener_view *view, const char *in,
    size_t len, struct question *q, size_t *used)
{
	size_t payload = 0, head = 0;
	enum decode d = read_length(in, len, &payload, &head);
	const char *name = in + head, *space;

	if (d != DECODE_QUESTION)
		return d;
	if (len - head <= payload)
		return DECODE_MORE;
	if (name[payload] != ',')
		return DECODE_BAD;
	space = memchr(name, ' ', payload);
	if (!space)
		return DECODE_BAD;
	*used = head + payload + 1;
	memset(q, 0, sizeof(*q));
	q->asked = read_key(space + 1, (size_t)(name + payload - space) - 1,
		       &q->addr) &&
		   is_our_map(view->conf, name, (size_t)(space - name));
	return DECODE_QUESTION;
}

static size_t reply(
    char *out, size_t size, const char *status, const char *text)
{
	return (size_t)snprintf(out, size, "%zu:%s %s,",
	    strlen(status) + 1 + strlen(text), status, text);
}

static size_t encode(const struct listener_view *view, const struct question *q,
    const struct answer *a, char *out, size_t size)
{
	if (a->verdict == VERDICT_ALLOW && q->asked)
		return reply(
		    out, size, "OK", values[conf_number(view->conf, "value")]);
	if (a->verdict == VERDICT_TEMPFAIL && view->defer)
		return reply(
		    out, size, "TEMP", "Service temporarily unavailable");
	return reply(out, size, "NOTFOUND", "");
}

static size_t encode_bad(char *out, size_t size)
{
	return reply(out, size, "PERM", "expected a netstring: MAP ADDRESS");
}

const struct listener_kind listener_socketmap = {
	.name = "socketmap",
	.help =
	    "Answers lookups of Postfix' socketmap tables and of Sendmail's "
	    "maps of class socket.",
	.options = socketmap_options,
	.listen = "unix:/var/spool/postfix/relaypass/socketmap",
	.group = "postfix",
	.request_max = REQUEST_MAX,
	.decode = decode,
	.encode = encode,
	.encode_bad = encode_bad,
};
