/* SPDX-License-Identifier: ISC */
/*
 * syslog - the source kind "syslog": log lines as they are sent, without a file
 * between. Over a unix socket the kernel says who sends: a line counts only for
 * servers whose patterns allow that user. Over the network a line is a listed
 * peer's word. With the option `annotated` it is rsyslog's word, wherever it
 * comes from.
 *
 * What does not come from the kernel is a claim: the host (unused), the program
 * and the stamp, which makes no lease longer than one of now.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "feed.h"
#include "inlet.h"
#include "syslog_codec.h"

enum { FRAME_MS = 60 * 1000 };
enum { FRAMING_COUNTED, FRAMING_ANY }; /* of the option */

static const struct option syslog_options[] = {
	PEERS_OPTIONS(NULL, "root syslog"),
	FEED_OPTIONS,
	{ "framing", OPTION_CHOICE, "counted", 0, 0, "counted|any",
	    "Which messages it takes over TCP: those whose length is stated "
	    "(octet counting), or those that LF ends too, where a sender that "
	    "passes a LF on lets whoever wrote it forge the next message." },
	{ "annotated", OPTION_BOOL, "no", 0, 0, NULL,
	    "Whether rsyslog sends them with Annotate=\"on\": lines without "
	    "that suffix give nothing then." },
	OPTION_END,
};

struct source {
	struct source_env env;
	const struct conf_section *conf;
	struct peers *peers;
	struct odd odd;
	struct inlet *inlet;
	struct feed *feed;
	bool annotated, counted_only;
	char room[SYSLOG_LINE_MAX];
};

static void take_line(struct source *s, const struct inlet_peer *peer,
    const char *line, size_t len)
{
	int64_t now = clock_now().wall;

	/* Whom the kernel names is rsyslog then, and not who wrote it. */
	if (peer->local && !s->annotated)
		feed_line_from(s->feed, line, len, now, peer->uid);
	else
		feed_line(s->feed, line, len, now);
}

static void take_message(struct source *s, const struct inlet_peer *peer,
    const char *msg, size_t len)
{
	const char *line;
	size_t line_len;

	switch (syslog_line(msg, len, s->room, &line, &line_len)) {
	case SYSLOG_LINE:
		take_line(s, peer, line, line_len);
		break;
	case SYSLOG_NO_TAG:
		break;
	case SYSLOG_TOO_LONG:
		inlet_odd(s->inlet, "too-long", peer);
		break;
	case SYSLOG_MANY:
		inlet_odd(s->inlet, "control-byte", peer);
		break;
	case SYSLOG_MALFORMED:
		inlet_odd(s->inlet, "malformed", peer);
		break;
	}
}

static bool on_datagram(void *ctx, inlet_client c,
    const struct inlet_peer *peer, const uint8_t *bytes, size_t len)
{
	(void)c;
	take_message(ctx, peer, (const char *)bytes, len);
	return false;
}

static enum inlet_next on_data(void *ctx, inlet_client c,
    const struct inlet_peer *peer, const uint8_t *bytes, size_t len, bool end,
    size_t *used)
{
	struct source *s = ctx;
	uint64_t *state = inlet_note(s->inlet, c);
	const char *msg;
	size_t msg_len;

	(void)end;
	must(state != NULL);
	if (!*state && *bytes == '<' && s->counted_only) {
		inlet_odd(s->inlet, "not-counted", peer);
		return INLET_CLOSE;
	}
	switch (
	    syslog_cut((const char *)bytes, len, state, used, &msg, &msg_len)) {
	case SYSLOG_FRAME_WHOLE:
		take_message(s, peer, msg, msg_len);
		return INLET_MORE;
	case SYSLOG_FRAME_LONG:
		inlet_odd(s->inlet, "too-long", peer);
		return INLET_MORE;
	case SYSLOG_FRAME_BAD:
		return INLET_BAD;
	case SYSLOG_FRAME_MORE:
	case SYSLOG_FRAME_NONE:
		break;
	}
	return INLET_MORE;
}

/* A connection may be quiet for days, and what is sent into one that was closed
 * here is lost: so none is. */
static const struct inlet_protocol syslog_protocol = {
	.request_max = SYSLOG_FRAME_MAX + 1,
	.request_ms = FRAME_MS,
	.data = on_data,
	.datagram = on_datagram,
};

/* --- the kind --------------------------------------------------------------
 */

static int syslog_sockets(
    const struct conf_section *conf, int *fds, size_t max, struct err *err)
{
	/* No unix streams: over them syslog(3) ends a message with NUL, others
	 * with LF, nobody counts, and a setuid program would be root. */
	const peers_types types = ENDPOINT_BIT(ENDPOINT_UNIXGRAM) |
				  ENDPOINT_BIT(ENDPOINT_TCP) |
				  ENDPOINT_BIT(ENDPOINT_UDP);
	bool annotated = conf_number(conf, "annotated") != 0;

	for (size_t i = 0; i < conf_list_size(conf, "allow-uid"); i++)
		if (annotated &&
		    strcmp(conf_list_at(conf, "allow-uid", i), "*") == 0)
			return conf_wrong(conf, err,
			    "allow-uid: \"*\": annotated "
			    "lines are rsyslog's word; name its user");
	return peers_sockets(conf, types, fds, max, err);
}

static struct source *syslog_open(const struct source_env *env,
    const struct conf_section *conf, const struct source_cursor *cursors,
    size_t n, struct err *err)
{
	struct peers *peers = peers_new(conf, err);
	struct source *s;

	(void)cursors;
	(void)n;
	if (!peers)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->env = *env;
	s->conf = conf;
	s->peers = peers;
	s->annotated = conf_number(conf, "annotated") != 0;
	s->counted_only = conf_number(conf, "framing") == FRAMING_COUNTED;
	odd_init(&s->odd, env->name);
	s->feed = feed_new(env, conf);
	s->inlet = inlet_new(
	    conf, peers, &s->odd, env->fds, env->fd_count, &syslog_protocol, s);
	return s;
}

static void syslog_start(struct source *s, uv_loop_t *loop)
{
	inlet_start(s->inlet, loop);
}

static void syslog_stop(struct source *s)
{
	inlet_stop(s->inlet);
}

static void syslog_close(struct source **sp)
{
	struct source *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	inlet_free(&s->inlet);
	feed_free(&s->feed);
	peers_free(&s->peers);
	free(s);
}

static void syslog_counts(const struct source *s, struct matcher_counts *out)
{
	feed_counts(s->feed, out);
	out->odd += s->odd.total;
}

extern const struct source_kind source_syslog;
const struct source_kind source_syslog = {
	.name = "syslog",
	.help = "Takes syslog messages over sockets.",
	.role = ROLE_RECEIVER,
	.options = syslog_options,
	.live = true,
	.lines = true,
	.sockets = syslog_sockets,
	.open = syslog_open,
	.start = syslog_start,
	.stop = syslog_stop,
	.close = syslog_close,
	.counts = syslog_counts,
};
