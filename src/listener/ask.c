/* SPDX-License-Identifier: ISC */
/*
 * ask - relaypass' own line protocol, for wrappers and scripts (DESIGN 5):
 *
 *	check 192.0.2.1 sender=jo@example.org
 *	allow ttl=1712 user=jo
 *
 * or `none`, or `tempfail REASON`. Values are %XX-coded (base/kv.h). A line
 *that is not understood gives `error TEXT`, and the connection closes.
 */
#include <stdio.h>
#include <string.h>

#include "base/kv.h"
#include "listener.h"

enum { ASK_LINE_MAX = 4096 /* with its LF, each way */ };

static const struct option no_options[] = { OPTION_END };

static void clear(struct question *q)
{
	q->asked = false;
	q->sender_len = q->recipient_len = q->user_len = 0;
	q->has_sender = q->has_recipient = q->has_user = 0;
	q->sender[0] = q->recipient[0] = q->user[0] = q->mark[0] = '\0';
}

static bool key_is(const struct kv_word *w, const char *key)
{
	return w->key_len == strlen(key) &&
	       memcmp(w->key, key, w->key_len) == 0;
}

/* Decodes a value that may stand there once. */
static bool take_value(const struct kv_word *w, char *out, size_t size,
    uint16_t *len, uint8_t *has)
{
	size_t n;

	if (*has || !kv_decode(w->value, w->value_len, out, size, &n))
		return false;
	*has = 1;
	*len = (uint16_t)n;
	return true;
}

static bool take_word(const struct kv_word *w, struct question *q)
{
	if (key_is(w, "sender"))
		return take_value(w, q->sender, sizeof(q->sender),
		    &q->sender_len, &q->has_sender);
	if (key_is(w, "recipient"))
		return take_value(w, q->recipient, sizeof(q->recipient),
		    &q->recipient_len, &q->has_recipient);
	if (key_is(w, "user"))
		return take_value(
		    w, q->user, sizeof(q->user), &q->user_len, &q->has_user);
	return false;
}

static bool take_line(const char *line, size_t len, struct question *q)
{
	static const char verb[] = "check";
	struct kv_word w;
	int more;

	if (kv_next(&line, &len, &w) != 1 || w.key_len ||
	    w.value_len != sizeof(verb) - 1 ||
	    memcmp(w.value, verb, w.value_len) != 0)
		return false;
	if (kv_next(&line, &len, &w) != 1 || w.key_len ||
	    !addr_parse(w.value, w.value_len, &q->addr))
		return false;
	while ((more = kv_next(&line, &len, &w)) == 1)
		if (!take_word(&w, q))
			return false;
	q->asked = more == 0;
	return q->asked;
}

static enum decode decode(const struct listener_view *view, const char *in,
    size_t len, struct question *q, size_t *used)
{
	const char *lf =
	    memchr(in, '\n', len < ASK_LINE_MAX ? len : ASK_LINE_MAX);

	(void)view;
	if (!lf)
		return len < ASK_LINE_MAX ? DECODE_MORE : DECODE_BAD;
	clear(q);
	*used = (size_t)(lf - in) + 1;
	return take_line(in, *used - 1, q) ? DECODE_QUESTION : DECODE_BAD;
}

static size_t encode_allow(const struct listener_view *view,
    const struct answer *a, char *out, size_t size)
{
	static const char word[] = " user=";
	int64_t seconds = a->ttl > 0 ? (a->ttl + 999) / 1000 : 1;
	size_t used =
	    (size_t)snprintf(out, size, "allow ttl=%lld", (long long)seconds);
	size_t before = used;

	if (view->show_user && a->user_len) {
		memcpy(out + used, word, sizeof(word));
		used += sizeof(word) - 1;
		/* 255 bytes coded by three fit; were it otherwise, the user
		 * would be left out rather than cut. */
		if (!kv_encode(out, size - 1, &used, a->user, a->user_len))
			used = before;
	}
	out[used++] = '\n';
	return used;
}

static size_t encode(const struct listener_view *view, const struct question *q,
    const struct answer *a, char *out, size_t size)
{
	if (a->verdict == VERDICT_ALLOW && q->asked)
		return encode_allow(view, a, out, size);
	if (a->verdict == VERDICT_TEMPFAIL)
		return (size_t)snprintf(out, size, "tempfail %s\n",
		    a->reason && *a->reason ? a->reason : "unknown");
	return (size_t)snprintf(out, size, "none\n");
}

static size_t encode_bad(char *out, size_t size)
{
	return (size_t)snprintf(out, size,
	    "error expected: check ADDRESS [sender=A] [recipient=A] "
	    "[user=U]\n");
}

const struct listener_kind listener_ask = {
	.name = "ask",
	.help =
	    "Answers relaypass' own line protocol, for wrappers and scripts.",
	.options = no_options,
	.listen = "unix:/run/relaypass/ask",
	.group = "relaypass",
	.datagrams = true,
	.request_max = ASK_LINE_MAX,
	.decode = decode,
	.encode = encode,
	.encode_bad = encode_bad,
};
