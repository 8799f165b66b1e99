/* SPDX-License-Identifier: ISC */
/*
 * relay_ctrl - the source kind "relay-ctrl": the datagrams of relay-ctrl-send,
 * in the place of relay-ctrl-udp. What they look like: relay_ctrl_packet.h.
 *
 * The plain form proves nothing but that a datagram says it comes from `allow`.
 * A peer with a key has to sign: nobody can fall back to the plain form in its
 * name. The login's time is the one that was signed, so that even a packet that
 * was seen by somebody and is sent again gives no longer lease than the first
 * time; the replay memory keeps it from undoing a revocation as well.
 */
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/mem.h"
#include "inlet.h"
#include "rate.h"
#include "relay_ctrl_keys.h"
#include "replay.h"
#include "source.h"
#include "waiting.h"

extern const struct source_kind source_relay_ctrl;

enum {
	/* A signed packet is good for max-skew before and behind its time:
	 * at 5 minutes these are 1700 logins a second. 64 MiB when full. */
	REPLAY_MOST = 1 << 20,
	WAITING_MOST = 4096, /* as many as an inlet's datagrams */
	PEER_TEXT_SIZE = 80
};

static const struct option relay_ctrl_options[] = { PEERS_OPTIONS(
							"udp:0.0.0.0:811", ""),
	{ "key-file", OPTION_PATH, "", 0, 0, NULL,
	    "File of lines \"NETWORK SECRET\", readable by root only: these "
	    "peers must sign their packets." },
	{ "require-key", OPTION_BOOL, "no", 0, 0, NULL,
	    "Whether packets of peers without a key are refused." },
	{ "max-rate", OPTION_INT, "1000", 0, 1000000, NULL,
	    "Unsigned logins a second that one peer may tell; 0 for no "
	    "limit." },
	OPTION_END };

/* Who waits for the keeper's word. */
struct asker {
	inlet_client client;
	enum relay_ctrl_form form;
	int64_t time;
	struct addr addr;
	const struct relay_ctrl_key *key; /* NULL: plain */
};

struct source {
	struct source_env env;
	uv_loop_t *loop;
	struct odd odd;
	struct peers *peers;
	struct inlet *inlet;
	struct waiting *waiting;
	struct relay_ctrl_keys *keys; /* NULL: none */
	struct replay *replay;        /* with keys */
	bool require_key;
	struct rate rate; /* limit 0: none */
};

/* --- what a packet proves --------------------------------------------------
 */

/* NULL: it may tell a login. Otherwise the word for the log. */
static const char *check_plain(struct source *s, const struct inlet_peer *peer)
{
	if (s->require_key || relay_ctrl_keys_has(s->keys, &peer->addr))
		return "unsigned";
	if (s->rate.limit && !rate_take(&s->rate, &peer->addr, uv_now(s->loop)))
		return "too-fast";
	return NULL;
}

/* Nothing is remembered of a packet before its MAC is found good. */
static const char *check_keyed(struct source *s, const struct inlet_peer *peer,
    const uint8_t *bytes, const struct relay_ctrl_packet *p, int64_t now,
    const struct relay_ctrl_key **key)
{
	if (p->form != RELAY_CTRL_REQUEST)
		return "not-a-request";
	*key = relay_ctrl_keys_verify(s->keys, &peer->addr, bytes, p);
	if (!*key)
		return "wrong-key";
	if (p->time < now - s->env.max_skew || p->time > now + s->env.max_skew)
		return "wrong-time";
	switch (replay_note(s->replay, p->mac, uv_now(s->loop))) {
	case REPLAY_NEW:
		return NULL;
	case REPLAY_FULL:
		return "replay-memory-full";
	case REPLAY_SEEN:
	default:
		return "replayed";
	}
}

/* --- logins ----------------------------------------------------------------
 */

/* USER, and DOMAIN behind it when it is not in it. False: too long. */
static bool set_user(struct login *l, const struct relay_ctrl_packet *p)
{
	bool add =
	    p->user_len && p->domain_len && !memchr(p->user, '@', p->user_len);
	size_t len = p->user_len + (add ? 1U + p->domain_len : 0);

	l->userless = p->user_len == 0;
	if (len > LOGIN_USER_MAX)
		return false;
	memcpy(l->user, p->user, p->user_len);
	if (add) {
		l->user[p->user_len] = '@';
		memcpy(l->user + p->user_len + 1, p->domain, p->domain_len);
	}
	l->user_len = (uint8_t)len;
	return true;
}

/* NULL: submitted, and who sent it is remembered. */
static const char *submit(struct source *s, inlet_client c,
    const struct relay_ctrl_packet *p, const struct relay_ctrl_key *key,
    int64_t now)
{
	struct login login = { .kind = LOGIN_IN,
		.time = key && p->time < now ? p->time : now,
		.addr = p->addr,
		.server = "relay-ctrl" };
	struct asker *asker;
	uint64_t token;

	if (!set_user(&login, p))
		return "user-too-long";
	asker = waiting_take(s->waiting, &token);
	if (!asker)
		return "busy";
	*asker = (struct asker){ c, p->form, p->time, p->addr, key };
	if (s->env.submit(s->env.live_ctx, token, &login))
		return NULL;
	(void)waiting_end(s->waiting, token);
	return "busy";
}

static bool on_datagram(void *ctx, inlet_client c,
    const struct inlet_peer *peer, const uint8_t *bytes, size_t len)
{
	struct source *s = ctx;
	int64_t now = clock_now().wall;
	const struct relay_ctrl_key *key = NULL;
	struct relay_ctrl_packet p;
	const char *wrong;
	char who[PEER_TEXT_SIZE];

	if (!relay_ctrl_decode(bytes, len, &p))
		wrong = "malformed";
	else if (p.form == RELAY_CTRL_PLAIN)
		wrong = check_plain(s, peer);
	else
		wrong = check_keyed(s, peer, bytes, &p, now, &key);
	if (!wrong)
		wrong = submit(s, c, &p, key, now);
	if (wrong)
		odd_count(&s->odd, wrong,
		    inlet_peer_text(peer, who, sizeof(who)), uv_now(s->loop));
	return !wrong;
}

/* Whether the rules gave a lease is not the sender's business: to ask again
 * would change nothing. Of one that was not stored it hears nothing, and tries
 * again. */
static void relay_ctrl_stored(struct source *s, uint64_t token,
    enum source_outcome outcome, uint8_t judgement)
{
	const struct asker *a = waiting_end(s->waiting, token);
	struct relay_ctrl_packet reply = { .form = RELAY_CTRL_RESPONSE };
	uint8_t bytes[RELAY_CTRL_PACKET_MAX] = { RELAY_CTRL_ACK };
	size_t len = 1;

	(void)judgement;
	if (!a || outcome != SOURCE_STORED)
		return;
	if (a->key) {
		reply.time = a->time;
		reply.addr = a->addr;
		len = relay_ctrl_encode(
		    &reply, a->key->bytes, a->key->len, bytes);
	}
	(void)inlet_reply(s->inlet, a->client, bytes, len);
}

/* --- life ------------------------------------------------------------------
 */

static int read_keys(const struct conf_section *conf,
    struct relay_ctrl_keys **out, struct err *err)
{
	const char *path = conf_string(conf, "key-file");

	*out = NULL;
	if (*path != '\0' && !(*out = relay_ctrl_keys_read(path, err)))
		return conf_wrong(conf, err, "key-file: %s", err->text);
	if (*path == '\0' && conf_number(conf, "require-key"))
		return conf_wrong(conf, err,
		    "require-key: there are no keys; set "
		    "key-file");
	return 0;
}

static int relay_ctrl_sockets(
    const struct conf_section *conf, int *fds, size_t max, struct err *err)
{
	struct relay_ctrl_keys *keys;

	if (read_keys(conf, &keys, err) != 0)
		return -1;
	relay_ctrl_keys_free(&keys);
	return peers_sockets(conf, ENDPOINT_BIT(ENDPOINT_UDP), fds, max, err);
}

static void relay_ctrl_close(struct source **sp)
{
	struct source *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	inlet_free(&s->inlet);
	waiting_free(&s->waiting);
	replay_free(&s->replay);
	relay_ctrl_keys_free(&s->keys);
	peers_free(&s->peers);
	free(s);
}

static struct source *relay_ctrl_open(const struct source_env *env,
    const struct conf_section *conf, const struct source_cursor *cursors,
    size_t n, struct err *err)
{
	static const struct inlet_protocol protocol = {
		.datagram = on_datagram,
	};
	struct source *s = xcalloc(1, sizeof(*s));

	(void)cursors;
	(void)n;
	s->env = *env;
	odd_init(&s->odd, env->name);
	s->require_key = conf_number(conf, "require-key") != 0;
	rate_init(&s->rate, (uint64_t)conf_number(conf, "max-rate"));
	s->peers = peers_new(conf, err);
	if (!s->peers || read_keys(conf, &s->keys, err) != 0) {
		relay_ctrl_close(&s);
		return NULL;
	}
	if (s->keys)
		s->replay =
		    replay_new(REPLAY_MOST, 2 * (uint64_t)env->max_skew);
	s->waiting = waiting_new(WAITING_MOST, sizeof(struct asker));
	s->inlet = inlet_new(
	    conf, s->peers, &s->odd, env->fds, env->fd_count, &protocol, s);
	return s;
}

static void relay_ctrl_start(struct source *s, uv_loop_t *loop)
{
	s->loop = loop;
	inlet_start(s->inlet, loop);
}

static void relay_ctrl_stop(struct source *s)
{
	inlet_stop(s->inlet);
}

const struct source_kind source_relay_ctrl = {
	.name = "relay-ctrl",
	.help = "Datagrams of relay-ctrl-send, in the place of relay-ctrl-udp.",
	.role = ROLE_RECEIVER,
	.options = relay_ctrl_options,
	.live = true,
	.sockets = relay_ctrl_sockets,
	.open = relay_ctrl_open,
	.start = relay_ctrl_start,
	.stop = relay_ctrl_stop,
	.close = relay_ctrl_close,
	.stored = relay_ctrl_stored,
};
