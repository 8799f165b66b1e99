/* SPDX-License-Identifier: ISC */
/*
 * session_data - DATA: the headers of the plugins, then the client's bytes as
 * body.h lets them through, until their end.
 */
#include "body.h"
#include "session_private.h"

enum { GO_AHEAD = 354 };

struct passage {
	struct spp_wire *to;
	enum spp_wire_end end;
};

static void pass(void *ctx, const char *bytes, size_t len)
{
	struct passage *p = ctx;

	if (p->end == SPP_WIRE_GOOD)
		p->end = spp_wire_put(p->to, bytes, len);
}

/* The client is gone, or silent: the server sees no end, and takes nothing. */
static enum spp_next leave(struct spp_session *s, enum spp_wire_end end)
{
	spp_wire_close(&s->server.wire);
	if (end == SPP_WIRE_LATE)
		(void)spp_say(s, "451 timeout (#4.4.2)");
	return SPP_END;
}

/* The server sees no end of the message, so it takes nothing. What is left of
 * the message is read and dropped when the session ends. */
static enum spp_next refuse(struct spp_session *s)
{
	spp_wire_close(&s->server.wire);
	spp_log(s, "a message with a bare CR or LF was refused",
	    "see --bare-newlines");
	(void)spp_say(s, "550 a line ended without CR LF, see "
			 "https://cr.yp.to/docs/smtplf.html (#5.6.0)");
	return SPP_END;
}

/* The server's word about the message; one that has enough says it early. */
static enum spp_next conclude(struct spp_session *s, bool whole)
{
	if (!spp_server_hear(&s->server))
		return spp_say_gone(s);
	return spp_say_reply(s) == SPP_ON && whole ? SPP_ON : SPP_END;
}

static enum spp_next pass_message(struct spp_session *s)
{
	struct passage passage = { &s->server.wire, SPP_WIRE_GOOD };
	enum spp_body_end end = SPP_BODY_MORE;
	struct spp_body body;

	spp_body_begin(&body, s->options->bare);
	while (end == SPP_BODY_MORE && passage.end == SPP_WIRE_GOOD) {
		const char *bytes;
		size_t len, used;
		enum spp_wire_end e = spp_wire_some(&s->client, &bytes, &len);

		if (e != SPP_WIRE_GOOD)
			return leave(s, e);
		end = spp_body_feed(&body, bytes, len, &used, pass, &passage);
		spp_wire_take(&s->client, used);
	}
	if (end == SPP_BODY_BARE)
		return refuse(s);
	if (passage.end == SPP_WIRE_GOOD)
		passage.end = spp_wire_flush(&s->server.wire);
	return conclude(
	    s, end == SPP_BODY_DONE && passage.end == SPP_WIRE_GOOD);
}

enum spp_next spp_do_data(struct spp_session *s, const struct spp_line *line)
{
	enum spp_result r;
	enum spp_next next;
	const char *headers;
	size_t len;

	(void)line;
	if (!s->mail)
		return spp_say(s, "503 MAIL first (#5.5.1)");
	if (s->recipients == 0)
		return spp_say(s, "503 RCPT first (#5.5.1)");
	if (spp_hook_stops(s, SPP_DATA, NULL, &r, &next))
		return next;
	if (!spp_queue_tell(s))
		return spp_say(s, spp_no_room);
	if (!spp_server_ask(&s->server, "DATA"))
		return spp_say_gone(s);
	if (s->server.code != GO_AHEAD)
		return spp_say_reply(s);
	if (spp_server_has_more(&s->server))
		return spp_say_gone(s);
	s->mail = false;
	headers = spp_hooks_headers(s->hooks, &len);
	if (spp_wire_put(&s->server.wire, headers, len) != SPP_WIRE_GOOD)
		return spp_say_gone(s);
	spp_hooks_reset(s->hooks);
	if (spp_say_reply(s) == SPP_END)
		return SPP_END;
	return pass_message(s);
}
