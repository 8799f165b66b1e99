/* SPDX-License-Identifier: ISC */
/*
 * whoson - the WHOSON protocol for who only asks (Exim's lookup, ZMailer,
 * whoson(1)); source/whoson_codec.h shows it. Logins and logouts are refused
 * here: the source of the same name takes them.
 */
#include <string.h>

#include "base/mem.h"
#include "listener.h"
#include "source/whoson_codec.h"

_Static_assert(
    (int)WHOSON_REPLY_MAX <= (int)LISTENER_REPLY_MAX, "a reply must fit");

static const struct option whoson_options[] = {
	{ "tell-user", OPTION_BOOL, "no", 0, 0, NULL,
	    "Answer with the user of the lease to everybody that may ask, "
	    "not only to show-user; others hear \"leased\"." },
	OPTION_END
};

/* What there is to say to who does not ask. */
static const struct words {
	enum whoson_sign sign;
	const char *text;
} refusals[] = {
	[WHOSON_LOGIN] = { WHOSON_NO,
	    "not taken here; tell logins to a source of kind whoson" },
	[WHOSON_LOGOUT] = { WHOSON_NO,
	    "not taken here; tell logouts to a source of kind whoson" },
	[WHOSON_LIST] = { WHOSON_NO, "no list here; see relaypass status" },
	[WHOSON_QUIT] = { WHOSON_YES, "QUIT OK" },
};

static enum decode decode(const struct listener_view *view, const char *in,
    size_t len, struct question *q, size_t *used)
{
	struct whoson_request r;

	(void)view;
	switch (whoson_decode(in, len, &r, used)) {
	case WHOSON_MORE:
		return DECODE_MORE;
	case WHOSON_REQUEST:
		break;
	case WHOSON_WRONG:
	case WHOSON_BROKEN:
	default:
		return DECODE_BAD;
	}
	memset(q, 0, sizeof(*q));
	q->asked = r.verb == WHOSON_QUERY;
	q->addr = r.addr;
	q->echo[0] = (char)r.verb;
	q->echo_len = 1;
	return r.verb == WHOSON_QUIT ? DECODE_LAST : DECODE_QUESTION;
}

static size_t reply(char *out, enum whoson_sign sign, const char *text)
{
	return whoson_reply(sign, text, strlen(text), out);
}

static size_t encode_allow(
    const struct listener_view *view, const struct answer *a, char *out)
{
	bool tell = view->show_user || conf_number(view->conf, "tell-user");

	if (tell && a->user_len)
		return whoson_reply(WHOSON_YES, a->user, a->user_len, out);
	return reply(out, WHOSON_YES, "leased");
}

static size_t encode(const struct listener_view *view, const struct question *q,
    const struct answer *a, char *out, size_t size)
{
	const struct words *w;

	must(size >= WHOSON_REPLY_MAX);
	if (!q->asked) {
		w = &refusals[(size_t)q->echo[0]];
		return reply(out, w->sign, w->text);
	}
	if (a->verdict == VERDICT_ALLOW)
		return encode_allow(view, a, out);
	/* Neither yes nor no: libwhoson gives -1, Exim defers. */
	if (a->verdict == VERDICT_TEMPFAIL && view->defer)
		return reply(out, WHOSON_BAD, "temporarily unavailable");
	return reply(out, WHOSON_NO, "Not Logged in");
}

static size_t encode_bad(char *out, size_t size)
{
	must(size >= WHOSON_REPLY_MAX);
	return reply(out, WHOSON_BAD, "command parse error");
}

const struct listener_kind listener_whoson = {
	.name = "whoson",
	.help = "Answers questions of the WHOSON protocol, for Exim.",
	.options = whoson_options,
	.listen = "inet:127.0.0.1:9876",
	.group = "relaypass",
	.datagrams = true,
	.udp = true,
	.request_max = WHOSON_REQUEST_MAX,
	.decode = decode,
	.encode = encode,
	.encode_bad = encode_bad,
};
