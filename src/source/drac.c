/* SPDX-License-Identifier: ISC */
/*
 * drac - the source kind "drac": mail servers add the address of each client
 * that logged in, by ONC RPC program 900101, as they did with rpc.dracd(8).
 *
 * The protocol proves nothing: who calls is the address he calls from, and over
 * UDP that can be forged. So it listens only where the section says, and takes
 * addresses only from callers that `allow` or `allow-file` names. A caller who
 * is not named is told so (DRAC_DENIED), as the clients expect; that is why the
 * inlet lets him through to us. Nothing else that he sends is answered.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "drac_allow.h"
#include "drac_register.h"
#include "drac_rpc.h"
#include "inlet.h"
#include "rate.h"
#include "source.h"
#include "waiting.h"

extern const struct source_kind source_drac;

enum {
	REQUEST_MS = 5000,
	IDLE_MS = 60 * 1000,
	PENDING_MAX = 8192, /* calls that wait for their commit */
	TOKEN_SLOT_BITS = 16,
	LISTEN_MAX = SOURCE_FDS_MAX,
	PEER_TEXT_SIZE = 80,
	NS_PER_MS = 1000000
};

static const struct option drac_options[] = { PEERS_OPTIONS(NULL, ""),
	{ "allow-file", OPTION_STRING, "", 0, 0, NULL,
	    "File of mail servers that may add addresses, netmask and address "
	    "in a line, such as /etc/drac/dracd.allow, which must exist; "
	    "empty for none." },
	{ "rpcbind", OPTION_BOOL, "no", 0, 0, NULL,
	    "Whether it registers with the rpcbind of this host, so that "
	    "clients find its port." },
	{ "rate", OPTION_INT, "1000", 1, 1000000, NULL,
	    "Calls a second that it takes from one address." },
	OPTION_END };

/* A call whose login is on its way to the ledger. */
struct pending {
	inlet_client client;
	bool stream;
	struct drac_call call;
};

struct source {
	struct source_env env;
	struct odd odd;
	/* Who may add: by `allow` (NULL: not given), by `allow-file` (same). */
	struct peers *named;
	struct drac_allow *file;
	struct rate rate, strangers;
	struct peers *everybody;          /* whom the inlet lets through */
	struct drac_register *registered; /* NULL: no rpcbind */
	struct inlet *inlet;
	struct waiting *pending;
};

/* --- who may call ----------------------------------------------------------
 */

static bool may_add(const struct source *s, const struct addr *caller)
{
	return (s->named && peers_allow_addr(s->named, caller)) ||
	       (s->file && drac_allow_has(s->file, caller));
}

static void count(
    struct source *s, const char *what, const struct inlet_peer *peer)
{
	char text[PEER_TEXT_SIZE];

	odd_count(&s->odd, what, inlet_peer_text(peer, text, sizeof(text)),
	    uv_hrtime() / NS_PER_MS);
}

/* Over TCP few of them are let in at a time. */
static bool is_stranger(void *ctx, const struct inlet_peer *peer)
{
	return !may_add(ctx, &peer->addr);
}

/* All strangers share one place, so that they cannot push a caller out. */
static bool stranger_too_often(struct source *s)
{
	static const struct addr any = { 0 };

	return !rate_take(&s->strangers, &any, uv_hrtime() / NS_PER_MS);
}

/* --- calls -----------------------------------------------------------------
 */

/* One message, and who sent it. */
struct heard {
	inlet_client client;
	const struct inlet_peer *peer;
	struct drac_call call;
};

static bool submit(struct source *s, const struct heard *h)
{
	const struct login login = { .kind = LOGIN_IN,
		.userless = 1,
		.time = clock_now().wall,
		.addr = h->call.addr,
		.server = "drac" };
	uint64_t token;
	struct pending *p = waiting_take(s->pending, &token);

	if (!p)
		return false;
	*p = (struct pending){ h->client, !h->peer->datagram, h->call };
	if (s->env.submit(s->env.live_ctx, token, &login))
		return true;
	(void)waiting_end(s->pending, token);
	return false;
}

/* TCP's replies have a mark in front. The client may be gone. */
static void answer(struct source *s, inlet_client c, bool stream,
    const struct drac_call *call, enum drac_result result)
{
	uint8_t out[DRAC_MARK + DRAC_REPLY_MAX];
	size_t len = drac_reply_encode(call, result, out + DRAC_MARK);

	drac_record_mark(len, out);
	if (stream)
		(void)inlet_reply(s->inlet, c, out, DRAC_MARK + len);
	else
		(void)inlet_reply(s->inlet, c, out + DRAC_MARK, len);
}

static void answer_now(
    struct source *s, const struct heard *h, enum drac_result result)
{
	answer(s, h->client, !h->peer->datagram, &h->call, result);
}

enum taken {
	TAKEN_DONE,
	TAKEN_SUBMITTED,
	TAKEN_NO_CALL,
	TAKEN_STRANGER /* who has heard all that he will hear */
};

static enum taken take_stranger(struct source *s, const struct heard *h)
{
	count(s, "not-allowed", h->peer);
	if (h->call.kind == DRAC_ADD && !stranger_too_often(s))
		answer_now(s, h, DRAC_DENIED);
	return TAKEN_STRANGER;
}

static enum taken take(struct source *s, const struct heard *h)
{
	if (!may_add(s, &h->peer->addr))
		return take_stranger(s, h);
	if (h->call.kind == DRAC_NO_CALL)
		return TAKEN_NO_CALL;
	if (!rate_take(&s->rate, &h->peer->addr, uv_hrtime() / NS_PER_MS))
		count(s, "rate", h->peer);
	else if (h->call.kind == DRAC_ADD && submit(s, h))
		return TAKEN_SUBMITTED;
	else if (h->call.kind == DRAC_WRONG)
		count(s, "wrong-call", h->peer);
	/* An error now is better than a mail server that waits for one. */
	answer_now(s, h, DRAC_SYSTEM_ERROR);
	return TAKEN_DONE;
}

static bool on_datagram(void *ctx, inlet_client c,
    const struct inlet_peer *peer, const uint8_t *bytes, size_t len)
{
	struct heard h = { c, peer, { 0 } };
	enum taken taken;

	drac_call_decode(bytes, len, &h.call);
	taken = take(ctx, &h);
	if (taken == TAKEN_NO_CALL)
		count(ctx, "malformed", peer);
	return taken == TAKEN_SUBMITTED;
}

static enum inlet_next on_data(void *ctx, inlet_client c,
    const struct inlet_peer *peer, const uint8_t *bytes, size_t len, bool end,
    size_t *used)
{
	struct heard h = { c, peer, { 0 } };
	uint8_t record[DRAC_CALL_MAX];
	size_t record_len;

	*used = 0;
	switch (drac_record_decode(bytes, len, record, &record_len, used)) {
	case DRAC_RECORD_MORE:
		return end && len ? INLET_BAD : INLET_MORE;
	case DRAC_RECORD_BAD:
		return INLET_BAD;
	case DRAC_RECORD_WHOLE:
	default:
		break;
	}
	drac_call_decode(record, record_len, &h.call);
	switch (take(ctx, &h)) {
	case TAKEN_SUBMITTED:
		return INLET_WAIT;
	case TAKEN_NO_CALL:
		return INLET_BAD;
	case TAKEN_STRANGER:
		return INLET_CLOSE;
	case TAKEN_DONE:
	default:
		return INLET_MORE;
	}
}

/*
 * The client asked that the address be added: it was, and what the rules make
 * of it is not his affair. A server that had an error for each customer at home
 * on a private network would fill its log with them.
 */
static void drac_stored(struct source *s, uint64_t token,
    enum source_outcome outcome, uint8_t judgement)
{
	const struct pending *p = waiting_end(s->pending, token);

	(void)judgement;
	if (p)
		answer(s, p->client, p->stream, &p->call,
		    outcome == SOURCE_STORED ? DRAC_SUCCESS
					     : DRAC_SYSTEM_ERROR);
}

/* --- configuration ----------------------------------------------------------
 */

static int wrong(const struct conf_section *conf, struct err *err,
    const char *option, const char *why)
{
	return conf_wrong(conf, err, "%s: %s", option, why);
}

/* Who may add; an empty `allow-file` is nobody. log_name NULL: what is wrong in
 * its lines is not told. */
static int read_callers(struct source *s, const struct conf_section *conf,
    const char *log_name, struct err *err)
{
	const char *path = conf_string(conf, "allow-file");

	if (conf_list_size(conf, "allow") == 0 && !*path)
		return wrong(conf, err, "listen",
		    "anybody could add addresses; name the mail servers that "
		    "may in \"allow\" or \"allow-file\"");
	if (conf_list_size(conf, "allow") > 0) {
		s->named = peers_new(conf, err);
		if (!s->named)
			return -1;
	}
	if (!*path)
		return 0;
	s->file = drac_allow_read(path, log_name, err);
	return s->file ? 0 : wrong(conf, err, "allow-file", err->text);
}

static void free_callers(struct source *s)
{
	peers_free(&s->named);
	peers_free(&s->everybody);
	drac_allow_free(&s->file);
}

/* --- the kind --------------------------------------------------------------
 */

static int drac_sockets(
    const struct conf_section *conf, int *fds, size_t max, struct err *err)
{
	const peers_types types = PEERS_JUDGED | ENDPOINT_BIT(ENDPOINT_TCP) |
				  ENDPOINT_BIT(ENDPOINT_UDP);
	struct source *s = xcalloc(1, sizeof(*s));
	int n = -1;

	if (read_callers(s, conf, NULL, err) == 0)
		n = peers_sockets(conf, types, fds, max, err);
	free_callers(s);
	free(s);
	return n;
}

static void drac_close(struct source **sp)
{
	struct source *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	drac_register_free(&s->registered);
	inlet_free(&s->inlet);
	free_callers(s);
	waiting_free(&s->pending);
	free(s);
}

static int open_all(
    struct source *s, const struct conf_section *conf, struct err *err)
{
	static const struct inlet_protocol protocol = {
		.request_max = DRAC_RECORD_MAX,
		.request_ms = REQUEST_MS,
		.idle_ms = IDLE_MS,
		.data = on_data,
		.datagram = on_datagram,
		.stranger = is_stranger,
	};
	const struct source_env *env = &s->env;

	if (read_callers(s, conf, env->name, err) < 0)
		return -1;
	s->everybody = peers_everybody();
	if (conf_number(conf, "rpcbind")) {
		s->registered =
		    drac_register_new(env->name, env->fds, env->fd_count, err);
		if (!s->registered)
			return -1;
	}
	s->inlet = inlet_new(
	    conf, s->everybody, &s->odd, env->fds, env->fd_count, &protocol, s);
	return 0;
}

static struct source *drac_open(const struct source_env *env,
    const struct conf_section *conf, const struct source_cursor *cursors,
    size_t n, struct err *err)
{
	struct source *s = xcalloc(1, sizeof(*s));
	uint64_t rate = (uint64_t)conf_number(conf, "rate");

	(void)cursors;
	(void)n;
	s->env = *env;
	odd_init(&s->odd, env->name);
	rate_init(&s->rate, rate);
	rate_init(&s->strangers, rate);
	s->pending = waiting_new(PENDING_MAX, sizeof(struct pending));
	if (open_all(s, conf, err) < 0)
		drac_close(&s);
	else if (s->file)
		log_info(LOG_SOURCE_OPEN, "source=%s allow-file=%s lines=%zu",
		    env->name, conf_string(conf, "allow-file"),
		    drac_allow_count(s->file));
	return s;
}

static void drac_start(struct source *s, uv_loop_t *loop)
{
	inlet_start(s->inlet, loop);
	if (s->registered)
		drac_register_start(s->registered, loop);
}

static void drac_stop(struct source *s)
{
	if (s->registered)
		drac_register_stop(s->registered);
	inlet_stop(s->inlet);
}

const struct source_kind source_drac = {
	.name = "drac",
	.help = "Adds by DRAC clients (ONC RPC 900101).",
	.role = ROLE_RECEIVER,
	.options = drac_options,
	.live = true,
	.sockets = drac_sockets,
	.open = drac_open,
	.start = drac_start,
	.stop = drac_stop,
	.close = drac_close,
	.stored = drac_stored,
};
