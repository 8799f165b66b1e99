/* SPDX-License-Identifier: ISC */
/*
 * tcp_table - lookups of Postfix (tcp_table(5)):
 *
 *	get 192.0.2.1
 *	200 OK   or   500 not found
 *
 * Keys are %XX-coded where they hold blanks, control bytes or '%'. Postfix asks
 * with the name of a client before its address: nothing is found for a name. A
 * "put" is part of the protocol, and always refused.
 */
#include <stdio.h>
#include <string.h>

#include "base/kv.h"
#include "listener.h"

enum { LINE_MAX_SIZE = 4096 /* with its LF, each way */ };

static const struct option tcp_table_options[] = {
	{ "value", OPTION_CHOICE, "OK", 0, 0, "OK|permit",
	    "What is found for a leased address: OK for restrictions of smtpd, "
	    "permit for postscreen_access_list." },
	OPTION_END
};

static const char *const values[] = { "OK", "permit" };

static bool starts(const char *line, size_t len, const char *verb)
{
	return len >= strlen(verb) && memcmp(line, verb, strlen(verb)) == 0;
}

/* A key that is no address, or badly coded, is one we do not have. */
static bool read_key(const char *key, size_t len, struct addr *out)
{
	char text[LINE_MAX_SIZE];
	size_t n;

	return kv_decode(key, len, text, sizeof(text), &n) &&
	       addr_parse(text, n, out);
}

static enum decode decode(const struct listener_view *view, const char *in,
    size_t len, struct question *q, size_t *used)
{
	static const char get[] = "get ", put[] = "put ";
	const char *lf =
	    memchr(in, '\n', len < LINE_MAX_SIZE ? len : LINE_MAX_SIZE);
	size_t line;

	(void)view;
	if (!lf)
		return len < LINE_MAX_SIZE ? DECODE_MORE : DECODE_BAD;
	line = (size_t)(lf - in);
	memset(q, 0, sizeof(*q));
	*used = line + 1;
	if (starts(in, line, get))
		q->asked = read_key(
		    in + sizeof(get) - 1, line - (sizeof(get) - 1), &q->addr);
	else if (!starts(in, line, put))
		return DECODE_BAD;
	return DECODE_QUESTION;
}

static size_t encode(const struct listener_view *view, const struct question *q,
    const struct answer *a, char *out, size_t size)
{
	if (a->verdict == VERDICT_ALLOW && q->asked)
		return (size_t)snprintf(out, size, "200 %s\n",
		    values[conf_number(view->conf, "value")]);
	if (a->verdict == VERDICT_TEMPFAIL && view->defer)
		return (size_t)snprintf(
		    out, size, "400 Service temporarily unavailable\n");
	return (size_t)snprintf(out, size, "500 not found\n");
}

static size_t encode_bad(char *out, size_t size)
{
	return (size_t)snprintf(out, size, "400 expected: get ADDRESS\n");
}

const struct listener_kind listener_tcp_table = {
	.name = "tcp-table",
	.help = "Answers lookups of Postfix' tcp tables.",
	.options = tcp_table_options,
	.listen = "inet:127.0.0.1:10041",
	.group = "postfix",
	.request_max = LINE_MAX_SIZE,
	.decode = decode,
	.encode = encode,
	.encode_bad = encode_bad,
};
