/* SPDX-License-Identifier: ISC */
/*
 * notify - the source kind "notify": programs of this host tell logins over a
 * unix socket, in the words of notify_codec.h: post-login scripts, chain
 * programs, the Dovecot plugin.
 *
 * The kernel says who speaks. `allow-uid` is believed whatever it says;
 * `hold-uid`, which may be every mail user, can only prolong or end a session
 * that one of the others has told, and the keeper checks that its server, id,
 * address and user are the same. So a mail user with a shell makes no lease.
 *
 * `bind` gives up what the kernel's word is worth but for one address, before
 * root hands a stream down to a mail user.
 */
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/netset.h"
#include "inlet.h"
#include "login/rules.h"
#include "notify_codec.h"
#include "source.h"

extern const struct source_kind source_notify;

enum { REQUEST_MS = 5000, IDLE_MS = 300 * 1000, PEER_TEXT_SIZE = 80 };

/* The names of the patterns, so that a session may be told by a log and by
 * notices; then of chain programs, and of who has none. */
#define SERVERS                                                                \
	"apple courier cucipop cyrus dovecot exchange gnu-pop3d mailutils "    \
	"nginx perdition popa3d qmail-pop3d qpopper solid-pop3d stalwart "     \
	"teapop tpop3d uw-imap vm-pop3d vpop3d vpopmail zimbra qmail other"

/* Everybody may connect: who may speak is decided by the kernel's word for it,
 * and the group relaypass, which has the control socket, is not for mail
 * servers. */
static const struct option notify_options[] = {
	PEERS_PLACES("unixgram:" NOTIFY_SOCKET " unix:" NOTIFY_STREAM, "0666"),
	{ "allow-uid", OPTION_LIST, "root dovecot relaypass", 0, 0, NULL,
	    "Users, by name or number, that may tell logins of anybody; \"*\" "
	    "for everybody." },
	{ "hold-uid", OPTION_LIST, "", 0, 0, NULL,
	    "Users that may only say that a session told by one of allow-uid "
	    "goes on or has ended; \"*\" for everybody." },
	{ "networks", OPTION_LIST, "", 0, 0, NULL,
	    "\"USER=NETWORK\" confines a user, or with \"*\" everybody, to "
	    "client addresses of that network; several add up." },
	{ "servers", OPTION_LIST, SERVERS, 0, 0, NULL,
	    "Names of servers that a notice may give." },
	PEERS_CONNECTIONS, OPTION_END
};

/* One user's networks. */
struct confined {
	uid_t uid;
	bool every;
	struct netset *nets;
};

struct source {
	struct source_env env;
	const struct conf_section *conf;
	struct odd odd;
	struct peers *allowed; /* allow-uid */
	struct peers *hold;    /* hold-uid */
	struct peers *either;  /* whom the inlet lets speak */
	struct confined *confined;
	size_t confined_count;
	struct inlet *inlet;
};

/* --- configuration ----------------------------------------------------------
 */

static int wrong(const struct conf_section *conf, struct err *err,
    const char *option, const char *value, const char *want)
{
	return conf_wrong(conf, err, "%s: \"%s\": %s", option, value, want);
}

/* A user's name or number, or "*". */
static bool read_user(const char *text, bool *every, uid_t *uid)
{
	*uid = (uid_t)-1;
	*every = strcmp(text, "*") == 0;
	return *every || endpoint_parse_user(text, uid);
}

static struct confined *find_confined(struct source *s, bool every, uid_t uid)
{
	struct confined *c = s->confined;

	for (size_t i = 0; i < s->confined_count; i++, c++)
		if (c->every == every && c->uid == uid)
			return c;
	c->every = every;
	c->uid = uid;
	c->nets = netset_new();
	s->confined_count++;
	return c;
}

static int read_networks(
    struct source *s, const struct conf_section *conf, struct err *err)
{
	size_t n = conf_list_size(conf, "networks");

	s->confined = xcalloc(n ? n : 1, sizeof(*s->confined));
	for (size_t i = 0; i < n; i++) {
		const char *text = conf_list_at(conf, "networks", i);
		size_t len = strcspn(text, "=");
		AUTO_FREE char *user = xstrndup(text, len);
		const char *net_text = text + len + (text[len] == '=');
		struct net net;
		bool every;
		uid_t uid;

		if (!read_user(user, &every, &uid))
			return wrong(conf, err, "networks", text,
			    "there is no such user; expected one like "
			    "\"vmail=192.0.2.0/24\"");
		if (!net_parse(net_text, strlen(net_text), &net))
			return wrong(conf, err, "networks", text,
			    "expected a network behind \"=\", such as "
			    "\"vmail=192.0.2.0/24\"");
		netset_add(find_confined(s, every, uid)->nets, &net, 1);
	}
	return 0;
}

static int read_servers(const struct conf_section *conf, struct err *err)
{
	for (size_t i = 0; i < conf_list_size(conf, "servers"); i++) {
		const char *text = conf_list_at(conf, "servers", i);
		if (!notify_is_server(text))
			return wrong(conf, err, "servers", text,
			    "expected at most 23 of a-z, 0-9 and \"-\"");
	}
	return 0;
}

/* --- who may say what -------------------------------------------------------
 */

static bool may_speak_for(
    const struct source *s, uid_t uid, const struct addr *addr)
{
	bool confined = false;

	for (size_t i = 0; i < s->confined_count; i++) {
		const struct confined *c = &s->confined[i];
		if (!c->every && c->uid != uid)
			continue;
		if (netset_find(c->nets, addr) >= 0)
			return true;
		confined = true;
	}
	return !confined;
}

static bool is_server(const struct source *s, const char *name)
{
	for (size_t i = 0; i < conf_list_size(s->conf, "servers"); i++)
		if (strcmp(conf_list_at(s->conf, "servers", i), name) == 0)
			return true;
	return false;
}

/* What is wrong with a notice: a word for the log, a text for the speaker. */
struct refusal {
	const char *word, *text;
};

/* The one address a stream may still speak of, or NULL: the kernel says root
 * also when a mail user writes into what root has opened. */
static const struct addr *bound_to(const struct source *s, inlet_client c)
{
	static const struct addr none;
	const struct addr *to = inlet_note(s->inlet, c);

	return to && !addr_equal(to, &none) ? to : NULL;
}

static bool is_allowed(const struct source *s, const struct inlet_peer *peer)
{
	return peer->local && peers_allow_uid(s->allowed, peer->uid);
}

/* The inlet lets nobody speak who may say nothing. */
static bool take(const struct source *s, inlet_client c,
    const struct inlet_peer *peer, const uint8_t *bytes, size_t len,
    struct login *login, struct refusal *no)
{
	const struct addr *bound = bound_to(s, c);
	const void *line = bytes;
	const char *why;

	if (!notify_parse(line, len, login, &why)) {
		*no = (struct refusal){ "malformed", why };
		return false;
	}
	*no = (struct refusal){ "not-allowed", "not for you to say" };
	if (login->kind == LOGIN_IN && !is_allowed(s, peer))
		return false;
	if (bound && !addr_equal(bound, &login->addr)) {
		*no = (struct refusal){ "bound-elsewhere",
			"bound to another address" };
		return false;
	}
	/* Without an address it cannot be compared with the networks. */
	if (!may_speak_for(s, peer->uid, &login->addr)) {
		*no =
		    (struct refusal){ "wrong-network", "not for this address" };
		return false;
	}
	if (!is_server(s, login->server)) {
		*no = (struct refusal){ "unknown-server", "unknown server" };
		return false;
	}
	return true;
}

/* --- notices and answers ----------------------------------------------------
 */

static void answer(
    struct source *s, inlet_client c, enum notify_word word, const char *text)
{
	char out[NOTIFY_ANSWER_MAX + 1];
	size_t len = notify_answer_print(word, text, out);

	/* The client may be gone, or have no address. What is bound is good for
	 * one notice: a login is not told again and again by who kept it. */
	if (bound_to(s, c))
		inlet_end(s->inlet, c, out, len);
	else
		(void)inlet_reply(s->inlet, c, out, len);
}

static void refuse(struct source *s, inlet_client c,
    const struct inlet_peer *peer, const struct refusal *no)
{
	char who[PEER_TEXT_SIZE];

	odd_count(&s->odd, no->word, inlet_peer_text(peer, who, sizeof(who)),
	    uv_hrtime() / 1000000);
	answer(s, c, NOTIFY_ERROR, no->text);
}

enum notice { NOTICE_REFUSED, NOTICE_ANSWERED, NOTICE_SUBMITTED };

static enum notice on_notice(struct source *s, inlet_client c,
    const struct inlet_peer *peer, const uint8_t *bytes, size_t len)
{
	struct login login;
	struct refusal no;

	if (!take(s, c, peer, bytes, len, &login, &no)) {
		refuse(s, c, peer, &no);
		return NOTICE_REFUSED;
	}
	login.time = clock_now().wall;
	/* Whose life holds the session is not the speaker's word: it is the
	 * speaker, or nobody. */
	if (login.mpid != (uint32_t)peer->pid)
		login.mpid = 0;
	if (s->env.submit(s->env.live_ctx, c, &login))
		return NOTICE_SUBMITTED;
	answer(s, c, NOTIFY_NOT_STORED, "busy");
	return NOTICE_ANSWERED;
}

static enum inlet_next on_bind(struct source *s, inlet_client c,
    const struct inlet_peer *peer, const struct addr *to)
{
	struct refusal no = { "not-allowed", "not for you to say" };

	if (is_allowed(s, peer) && !bound_to(s, c)) {
		answer(s, c, NOTIFY_BOUND, "");
		memcpy(inlet_note(s->inlet, c), to, sizeof(*to));
		return INLET_MORE;
	}
	if (is_allowed(s, peer))
		no = (struct refusal){ "bound-twice", "bound already" };
	refuse(s, c, peer, &no);
	return INLET_CLOSE;
}

static bool on_datagram(void *ctx, inlet_client c,
    const struct inlet_peer *peer, const uint8_t *bytes, size_t len)
{
	return on_notice(ctx, c, peer, bytes, len) == NOTICE_SUBMITTED;
}

static enum inlet_next on_data(void *ctx, inlet_client c,
    const struct inlet_peer *peer, const uint8_t *bytes, size_t len, bool end,
    size_t *used)
{
	const uint8_t *lf = memchr(bytes, '\n', len);
	const void *line = bytes;
	struct addr to;

	must(inlet_note(((struct source *)ctx)->inlet, c) != NULL);
	*used = 0;
	/* Half a line may be half an address. */
	if (!lf)
		return end && len ? INLET_BAD : INLET_MORE;
	*used = (size_t)(lf - bytes) + 1;
	if (notify_bind_parse(line, *used, &to))
		return on_bind(ctx, c, peer, &to);
	switch (on_notice(ctx, c, peer, bytes, *used)) {
	case NOTICE_SUBMITTED:
		return INLET_WAIT;
	case NOTICE_ANSWERED:
		return INLET_MORE;
	case NOTICE_REFUSED:
	default:
		return INLET_CLOSE;
	}
}

static void stored(struct source *s, uint64_t token,
    enum source_outcome outcome, uint8_t judgement)
{
	if (outcome != SOURCE_STORED)
		answer(s, token, NOTIFY_NOT_STORED, "busy");
	else if (judgement == JUDGE_LEASE)
		answer(s, token, NOTIFY_STORED, "");
	else if (judgement == JUDGE_NONE)
		answer(s, token, NOTIFY_NONE, "unknown-session");
	else
		answer(s, token, NOTIFY_NONE, rules_reason(judgement));
}

/* --- life -------------------------------------------------------------------
 */

static void notify_close(struct source **sp)
{
	struct source *s = *sp;

	if (!s)
		return;
	inlet_free(&s->inlet);
	peers_free(&s->allowed);
	peers_free(&s->hold);
	peers_free(&s->either);
	for (size_t i = 0; i < s->confined_count; i++)
		netset_free(&s->confined[i].nets);
	free(s->confined);
	free(s);
	*sp = NULL;
}

static int read_section(
    struct source *s, const struct conf_section *conf, struct err *err)
{
	s->conf = conf;
	s->allowed = peers_users(conf, "allow-uid", err);
	s->hold = s->allowed ? peers_users(conf, "hold-uid", err) : NULL;
	if (!s->hold || read_networks(s, conf, err) < 0 ||
	    read_servers(conf, err) < 0)
		return -1;
	s->either = peers_either(s->allowed, s->hold);
	return 0;
}

static int notify_sockets(
    const struct conf_section *conf, int *fds, size_t max, struct err *err)
{
	struct source *s = xcalloc(1, sizeof(*s));
	int result = read_section(s, conf, err);

	notify_close(&s);
	if (result < 0)
		return -1;
	return peers_sockets(conf,
	    ENDPOINT_BIT(ENDPOINT_UNIX) | ENDPOINT_BIT(ENDPOINT_UNIXGRAM), fds,
	    max, err);
}

static struct source *notify_open(const struct source_env *env,
    const struct conf_section *conf, const struct source_cursor *cursors,
    size_t n, struct err *err)
{
	static const struct inlet_protocol protocol = {
		.request_max = NOTIFY_MAX,
		.request_ms = REQUEST_MS,
		.idle_ms = IDLE_MS,
		.data = on_data,
		.datagram = on_datagram,
	};
	struct source *s = xcalloc(1, sizeof(*s));

	(void)cursors;
	(void)n;
	s->env = *env;
	odd_init(&s->odd, env->name);
	if (read_section(s, conf, err) < 0) {
		notify_close(&s);
		return NULL;
	}
	s->inlet = inlet_new(
	    conf, s->either, &s->odd, env->fds, env->fd_count, &protocol, s);
	return s;
}

static void notify_start(struct source *s, uv_loop_t *loop)
{
	inlet_start(s->inlet, loop);
}

static void notify_stop(struct source *s)
{
	inlet_stop(s->inlet);
}

const struct source_kind source_notify = {
	.name = "notify",
	.help = "Notices of this host's programs over a unix socket.",
	.role = ROLE_RECEIVER,
	.options = notify_options,
	.live = true,
	.tells_life = true,
	.sockets = notify_sockets,
	.open = notify_open,
	.start = notify_start,
	.stop = notify_stop,
	.close = notify_close,
	.stored = stored,
};
