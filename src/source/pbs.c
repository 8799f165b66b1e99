/* SPDX-License-Identifier: ISC */
/*
 * pbs - the source kind "pbs": qmail-ldap's pbsadd tells logins, its pbscheck
 * asks; in the place of pbsdbd. What they send: pbs_codec.h.
 *
 * The secret of an add goes over the wire as it is, so whoever can read the
 * network can tell logins; `allow` is the other half. The variables that an add
 * carries are for an SMTP server's environment. They go nowhere: a peer's text
 * has no business there. One of them may be named as the user.
 */
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/mem.h"
#include "base/secret.h"
#include "inlet.h"
#include "pbs_codec.h"
#include "source.h"
#include "waiting.h"

extern const struct source_kind source_pbs;

enum {
	WAITING_MOST = 4096, /* as many as an inlet's datagrams */
	PEER_TEXT_SIZE = 80
};

static const struct option pbs_options[] = { PEERS_OPTIONS(
						 "udp:0.0.0.0:2821", ""),
	{ "secret-file", OPTION_PATH, NULL, 0, 0, NULL,
	    "File with the secret of pbsadd (its control/pbssecret), readable "
	    "by root only." },
	{ "user-variable", OPTION_STRING, "", 0, 0, NULL,
	    "Name of the variable of an add whose value is the user; empty "
	    "for logins without a user." },
	OPTION_END };

/* Who waits for what the keeper knows. */
struct asker {
	inlet_client client;
	struct addr addr;
	uint8_t addr_len;
};

struct source {
	struct source_env env;
	const char *user_variable;
	uv_loop_t *loop;
	struct odd odd;
	struct peers *peers;
	struct inlet *inlet;
	struct waiting *waiting;
	char *secret;
	size_t secret_len;
};

/* --- packets ---------------------------------------------------------------
 */

/* False: it is there and is no user's name. One that is missing is left to the
 * rules, which refuse a login without a user. */
static bool set_user(
    struct login *l, const struct pbs_packet *p, const char *variable)
{
	const uint8_t *value;
	size_t len;

	l->userless = *variable == '\0';
	if (l->userless || !pbs_entry(p, variable, &value, &len))
		return true;
	if (len > LOGIN_USER_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (value[i] < ' ' || value[i] == 0x7f)
			return false;
	memcpy(l->user, value, len);
	l->user_len = (uint8_t)len;
	return true;
}

/* NULL: submitted; nobody waits for an answer. Otherwise the word for the
 * log. */
static const char *add(struct source *s, const struct pbs_packet *p)
{
	struct login login = { .kind = LOGIN_IN,
		.time = clock_now().wall,
		.addr = p->addr,
		.server = "pbs" };

	if (!secret_equal(p->secret, p->secret_len, s->secret, s->secret_len))
		return "wrong-secret";
	if (!set_user(&login, p, s->user_variable))
		return "malformed";
	return s->env.submit(s->env.live_ctx, 0, &login) ? NULL : "busy";
}

static const char *query(
    struct source *s, inlet_client c, const struct pbs_packet *p)
{
	uint64_t token;
	struct asker *asker = waiting_take(s->waiting, &token);

	if (!asker)
		return "busy";
	*asker = (struct asker){ c, p->addr, p->addr_len };
	if (s->env.ask(s->env.live_ctx, token, &p->addr))
		return NULL;
	(void)waiting_end(s->waiting, token);
	return "busy";
}

static bool on_datagram(void *ctx, inlet_client c,
    const struct inlet_peer *peer, const uint8_t *bytes, size_t len)
{
	struct source *s = ctx;
	const char *wrong = "malformed";
	struct pbs_packet p;
	char who[PEER_TEXT_SIZE];

	switch (pbs_decode(bytes, len, &p)) {
	case PBS_ADD:
		wrong = add(s, &p);
		break;
	case PBS_QUERY:
		wrong = query(s, c, &p);
		break;
	case PBS_REPLY:
		wrong = "reply";
		break;
	case PBS_BAD:
	default:
		break;
	}
	if (wrong)
		odd_count(&s->odd, wrong,
		    inlet_peer_text(peer, who, sizeof(who)), uv_now(s->loop));
	return !wrong && p.type == PBS_QUERY;
}

/* When the keeper cannot tell, silence: pbscheck asks the next server. */
static void pbs_told(
    struct source *s, uint64_t token, const struct source_told *told)
{
	const struct asker *a = waiting_end(s->waiting, token);
	uint8_t answer[PBS_ANSWER_MAX];
	size_t len;

	if (!a || !told->known)
		return;
	len = pbs_answer(&a->addr, a->addr_len, told->leased, answer);
	(void)inlet_reply(s->inlet, a->client, answer, len);
}

/* --- life ------------------------------------------------------------------
 */

static int read_secret(
    const struct conf_section *conf, char **out, size_t *len, struct err *err)
{
	const char *path = conf_string(conf, "secret-file");

	if (secret_read(path, out, len, err) != 0)
		return conf_wrong(conf, err, "secret-file: %s", err->text);
	if (*len <= PBS_SECRET_MAX)
		return 0;
	secret_free(out, *len);
	return conf_wrong(conf, err, "secret-file: %s: longer than %d bytes",
	    path, PBS_SECRET_MAX);
}

static int pbs_sockets(
    const struct conf_section *conf, int *fds, size_t max, struct err *err)
{
	char *secret;
	size_t len;

	if (read_secret(conf, &secret, &len, err) != 0)
		return -1;
	secret_free(&secret, len);
	return peers_sockets(conf, ENDPOINT_BIT(ENDPOINT_UDP), fds, max, err);
}

static void pbs_close(struct source **sp)
{
	struct source *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	inlet_free(&s->inlet);
	waiting_free(&s->waiting);
	secret_free(&s->secret, s->secret_len);
	peers_free(&s->peers);
	free(s);
}

static struct source *pbs_open(const struct source_env *env,
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
	s->user_variable = conf_string(conf, "user-variable");
	odd_init(&s->odd, env->name);
	s->peers = peers_new(conf, err);
	if (!s->peers ||
	    read_secret(conf, &s->secret, &s->secret_len, err) != 0) {
		pbs_close(&s);
		return NULL;
	}
	s->waiting = waiting_new(WAITING_MOST, sizeof(struct asker));
	s->inlet = inlet_new(
	    conf, s->peers, &s->odd, env->fds, env->fd_count, &protocol, s);
	return s;
}

static void pbs_start(struct source *s, uv_loop_t *loop)
{
	s->loop = loop;
	inlet_start(s->inlet, loop);
}

static void pbs_stop(struct source *s)
{
	inlet_stop(s->inlet);
}

const struct source_kind source_pbs = {
	.name = "pbs",
	.help = "Datagrams of qmail-ldap's pbsadd and pbscheck, in the place "
		"of pbsdbd.",
	.role = ROLE_RECEIVER,
	.options = pbs_options,
	.live = true,
	.sockets = pbs_sockets,
	.open = pbs_open,
	.start = pbs_start,
	.stop = pbs_stop,
	.close = pbs_close,
	.told = pbs_told,
};
