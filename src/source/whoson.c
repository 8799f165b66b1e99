/* SPDX-License-Identifier: ISC */
/*
 * whoson - the source kind "whoson": POP servers tell logins, SMTP servers ask
 * (Exim, ZMailer, tpop3d), in the place of whosond. The protocol:
 * whoson_codec.h; whosond's own configuration: whoson_conf.h.
 *
 * It has no secret, and an address can be forged over UDP. So to ask is for
 * every peer, to tell only for `login-from` and local users, and over UDP only
 * where `udp-login` says so.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "inlet.h"
#include "login/rules.h"
#include "source.h"
#include "waiting.h"
#include "whoson_access.h"
#include "whoson_codec.h"

extern const struct source_kind source_whoson;

enum {
	REQUEST_MS = 5000,
	WAITING_LETTERS = 4096, /* as many as an inlet's datagrams */
	LIST_SIZE = 512,
	PEER_TEXT_SIZE = 80
};

static const struct option whoson_options[] = { PEERS_OPTIONS("", WHOSON_USERS),
	{ "config", OPTION_PATH, "", 0, 0, NULL,
	    "whosond's own configuration file, whose servers are added to "
	    "listen and allow; \"\" for none." },
	{ "login-from", OPTION_NETS, "", 0, 0, NULL,
	    "Networks that may tell logins and logouts; the others of allow "
	    "may only ask." },
	{ "udp-login", OPTION_BOOL, "no", 0, 0, NULL,
	    "Whether logins are taken over UDP, where anybody can forge the "
	    "address of a peer." },
	{ "max-rate", OPTION_INT, "1000", 0, 1000000, NULL,
	    "Logins and logouts a second that one peer may tell over the "
	    "network, and questions a second that it may ask over UDP; 0 for "
	    "no limit." },
	{ "idle", OPTION_DURATION, "60s", 1000, 86400000, NULL,
	    "A connection that asks nothing for so long is closed." },
	OPTION_END };

/* What LIST tells, in this order. */
enum counter {
	COUNT_QUERIES,
	COUNT_FOUND,
	COUNT_LOGINS,
	COUNT_LEASES,
	COUNT_LOGOUTS,
	COUNT_REFUSED,
	COUNT_UNAVAILABLE,
	COUNT_WRONG,
	COUNTERS
};
static const char *const counter_names[COUNTERS] = { "queries", "found",
	"logins", "leases", "logouts", "refused", "unavailable", "wrong" };

/* Who waits for the keeper's word. */
struct asker {
	inlet_client client;
	enum whoson_verb verb;
};

struct source {
	struct source_env env;
	uv_loop_t *loop;
	struct odd odd;
	struct whoson_access access;
	struct inlet *inlet;
	struct inlet_protocol protocol;
	struct waiting *waiting;
	uint64_t counters[COUNTERS];
};

/* --- replies ---------------------------------------------------------------
 */

static void reply_text(struct source *s, inlet_client c, enum whoson_sign sign,
    const char *text, size_t len)
{
	char out[WHOSON_REPLY_MAX];
	size_t n = whoson_reply(sign, text, len, out);

	/* The client may be gone. */
	(void)inlet_reply(s->inlet, c, out, n);
}

static void reply(
    struct source *s, inlet_client c, enum whoson_sign sign, const char *text)
{
	reply_text(s, c, sign, text, strlen(text));
}

/* Neither yes nor no: libwhoson gives -1, Exim defers. */
static void unavailable(struct source *s, inlet_client c)
{
	s->counters[COUNT_UNAVAILABLE]++;
	reply(s, c, WHOSON_BAD, "temporarily unavailable");
}

/* The protocol has no form for many lines; whosond ends them as all else. */
static void list(struct source *s, inlet_client c)
{
	char out[LIST_SIZE];
	size_t used = (size_t)snprintf(out, sizeof(out), "+LIST OK\r\n");

	for (size_t i = 0; i < COUNTERS; i++)
		used += (size_t)snprintf(out + used, sizeof(out) - used,
		    "%s %" PRIu64 "\r\n", counter_names[i], s->counters[i]);
	used += (size_t)snprintf(out + used, sizeof(out) - used, "\r\n");
	must(used < sizeof(out));
	(void)inlet_reply(s->inlet, c, out, used);
}

static void odd_peer(
    struct source *s, const char *what, const struct inlet_peer *peer)
{
	char who[PEER_TEXT_SIZE];

	odd_count(&s->odd, what, inlet_peer_text(peer, who, sizeof(who)),
	    uv_now(s->loop));
}

/* --- requests --------------------------------------------------------------
 */

enum handled { HANDLED, HANDLED_LATER, HANDLED_LAST };

static void set_login(
    struct login *l, const struct whoson_request *r, int64_t now)
{
	*l = (struct login){ .kind =
				 r->verb == WHOSON_LOGIN ? LOGIN_IN : LOGIN_END,
		.userless = r->name_len == 0,
		.user_len = (uint8_t)r->name_len,
		.time = now,
		.addr = r->addr,
		.server = "whoson" };
	if (r->name_len)
		memcpy(l->user, r->name, r->name_len);
}

/* Hands a login or a question on; the keeper's word is the reply. */
static enum handled hand_on(
    struct source *s, inlet_client c, const struct whoson_request *r)
{
	struct login login;
	uint64_t token;
	struct asker *asker = waiting_take(s->waiting, &token);
	bool taken;

	if (!asker) {
		unavailable(s, c);
		return HANDLED;
	}
	*asker = (struct asker){ c, r->verb };
	if (r->verb == WHOSON_QUERY) {
		taken = s->env.ask(s->env.live_ctx, token, &r->addr);
	} else {
		set_login(&login, r, clock_now().wall);
		taken = s->env.submit(s->env.live_ctx, token, &login);
	}
	if (taken)
		return HANDLED_LATER;
	(void)waiting_end(s->waiting, token);
	unavailable(s, c);
	return HANDLED;
}

static enum handled tell(struct source *s, inlet_client c,
    const struct inlet_peer *peer, const struct whoson_request *r)
{
	const char *no = whoson_may_not_tell(&s->access, peer, uv_now(s->loop));

	if (no) {
		s->counters[COUNT_REFUSED]++;
		odd_peer(s, no, peer);
		reply(s, c, WHOSON_BAD, "not allowed");
		return HANDLED;
	}
	s->counters[r->verb == WHOSON_LOGIN ? COUNT_LOGINS : COUNT_LOGOUTS]++;
	return hand_on(s, c, r);
}

/* Who asks too much hears at once that he must ask again later. */
static enum handled query(struct source *s, inlet_client c,
    const struct inlet_peer *peer, const struct whoson_request *r)
{
	const char *no = whoson_may_not_ask(&s->access, peer, uv_now(s->loop));

	s->counters[COUNT_QUERIES]++;
	if (!no)
		return hand_on(s, c, r);
	odd_peer(s, no, peer);
	unavailable(s, c);
	return HANDLED;
}

static enum handled handle(struct source *s, inlet_client c,
    const struct inlet_peer *peer, const struct whoson_request *r)
{
	switch (r->verb) {
	case WHOSON_LOGIN:
	case WHOSON_LOGOUT:
		return tell(s, c, peer, r);
	case WHOSON_QUERY:
		return query(s, c, peer, r);
	case WHOSON_LIST:
		/* Ten times its question: not to an address that may be
		 * forged. */
		if (peer->datagram && !peer->local)
			reply(s, c, WHOSON_BAD, "not over UDP");
		else
			list(s, c);
		return HANDLED;
	case WHOSON_QUIT:
	default:
		reply(s, c, WHOSON_YES, "QUIT OK");
		return HANDLED_LAST;
	}
}

static void refuse(
    struct source *s, inlet_client c, const struct inlet_peer *peer)
{
	s->counters[COUNT_WRONG]++;
	odd_peer(s, "malformed", peer);
	reply(s, c, WHOSON_BAD, "command parse error");
}

static bool on_datagram(void *ctx, inlet_client c,
    const struct inlet_peer *peer, const uint8_t *bytes, size_t len)
{
	struct source *s = ctx;
	struct whoson_request r;
	size_t used;

	if (!whoson_may_speak(&s->access, peer)) {
		odd_peer(s, "not-allowed", peer);
		return false;
	}
	if (whoson_decode((const char *)bytes, len, &r, &used) ==
		WHOSON_REQUEST &&
	    used == len)
		return handle(s, c, peer, &r) == HANDLED_LATER;
	refuse(s, c, peer);
	return false;
}

static enum inlet_next on_request(struct source *s, inlet_client c,
    const struct inlet_peer *peer, const struct whoson_request *r)
{
	switch (handle(s, c, peer, r)) {
	case HANDLED_LATER:
		return INLET_WAIT;
	case HANDLED_LAST:
		return INLET_CLOSE;
	case HANDLED:
	default:
		return INLET_MORE;
	}
}

static enum inlet_next on_data(void *ctx, inlet_client c,
    const struct inlet_peer *peer, const uint8_t *bytes, size_t len, bool end,
    size_t *used)
{
	struct source *s = ctx;
	struct whoson_request r;

	*used = 0;
	if (!whoson_may_speak(&s->access, peer)) {
		odd_peer(s, "not-allowed", peer);
		return INLET_CLOSE;
	}
	switch (whoson_decode((const char *)bytes, len, &r, used)) {
	case WHOSON_REQUEST:
		return on_request(s, c, peer, &r);
	case WHOSON_WRONG:
		refuse(s, c, peer);
		return INLET_MORE;
	case WHOSON_MORE:
		if (!end || len == 0)
			return INLET_MORE;
		break;
	case WHOSON_BROKEN:
	default:
		break;
	}
	refuse(s, c, peer);
	return INLET_CLOSE;
}

/* --- the keeper's word -----------------------------------------------------
 */

static void whoson_stored(struct source *s, uint64_t token,
    enum source_outcome outcome, uint8_t judgement)
{
	const struct asker *a = waiting_end(s->waiting, token);
	bool lease = judgement == JUDGE_LEASE;

	if (!a)
		return;
	if (outcome != SOURCE_STORED) {
		unavailable(s, a->client);
	} else if (a->verb == WHOSON_LOGOUT) {
		reply(s, a->client, WHOSON_YES,
		    lease ? "LOGOUT record deleted"
			  : "LOGOUT no such record, nothing done");
	} else if (lease) {
		s->counters[COUNT_LEASES]++;
		reply(s, a->client, WHOSON_YES, "LOGIN OK");
	} else {
		reply(s, a->client, WHOSON_NO, "LOGIN gave no lease");
	}
}

static void whoson_told(
    struct source *s, uint64_t token, const struct source_told *told)
{
	const struct asker *a = waiting_end(s->waiting, token);

	if (!a)
		return;
	if (!told->known) {
		unavailable(s, a->client);
	} else if (told->leased) {
		s->counters[COUNT_FOUND]++;
		reply_text(
		    s, a->client, WHOSON_YES, told->user, told->user_len);
	} else {
		reply(s, a->client, WHOSON_NO, "Not Logged in");
	}
}

/* --- life ------------------------------------------------------------------
 */

static void whoson_close(struct source **sp)
{
	struct source *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	inlet_free(&s->inlet);
	waiting_free(&s->waiting);
	whoson_access_close(&s->access);
	free(s);
}

/* What is dangerous, and what whosond's file says in vain. */
static void tell_start(const struct source *s)
{
	const struct whoson_conf *file = s->access.file;

	if (s->access.udp_login)
		log_warn(LOG_SOURCE_OPEN,
		    "source=%s udp-login=yes danger=\"whoever can forge the "
		    "address of a peer can give leases\"",
		    s->env.name);
	if (file && file->ttl && file->ttl != s->env.ttl)
		log_warn(LOG_SOURCE_OPEN,
		    "source=%s ttl=%" PRId64 " unused=\"leases last as the "
		    "section lease says: %" PRId64 " s\"",
		    s->env.name, file->ttl / 1000, s->env.ttl / 1000);
	if (file && file->unused[0])
		log_info(LOG_SOURCE_OPEN, "source=%s unused=%s", s->env.name,
		    file->unused);
}

static struct source *whoson_open(const struct source_env *env,
    const struct conf_section *conf, const struct source_cursor *cursors,
    size_t n, struct err *err)
{
	struct source *s = xcalloc(1, sizeof(*s));

	(void)cursors;
	(void)n;
	s->env = *env;
	odd_init(&s->odd, env->name);
	if (whoson_access_open(
		&s->access, conf, env->fds, env->fd_count, err) != 0) {
		free(s);
		return NULL;
	}
	s->protocol = (struct inlet_protocol){
		.request_max = WHOSON_REQUEST_MAX,
		.request_ms = REQUEST_MS,
		.idle_ms = (uint64_t)conf_number(conf, "idle"),
		.data = on_data,
		.datagram = on_datagram,
	};
	s->waiting = waiting_new(
	    WAITING_LETTERS + (size_t)conf_number(conf, "max-connections"),
	    sizeof(struct asker));
	s->inlet = inlet_new(conf, s->access.peers, &s->odd, env->fds,
	    env->fd_count, &s->protocol, s);
	tell_start(s);
	return s;
}

static void whoson_start(struct source *s, uv_loop_t *loop)
{
	s->loop = loop;
	inlet_start(s->inlet, loop);
}

static void whoson_stop(struct source *s)
{
	inlet_stop(s->inlet);
}

const struct source_kind source_whoson = {
	.name = "whoson",
	.help = "The WHOSON protocol, in the place of whosond.",
	.role = ROLE_RECEIVER,
	.options = whoson_options,
	.live = true,
	.sockets = whoson_access_sockets,
	.open = whoson_open,
	.start = whoson_start,
	.stop = whoson_stop,
	.close = whoson_close,
	.stored = whoson_stored,
	.told = whoson_told,
};
