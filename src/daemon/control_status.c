/* SPDX-License-Identifier: ISC */
/*
 * control_status - the verb `status` of the control socket: what the board, the
 * ledger and the configuration tell of all processes.
 * Called by: control_verbs.c.
 */
#include <stdio.h>
#include <string.h>

#include "base/kv.h"
#include "base/mem.h"
#include "control_private.h"
#include "standing.h"

enum { TROUBLE_SIZE = 1300 };

/* --- processes -------------------------------------------------------------
 */

static void say_process(struct client *c, const struct board_slot *s)
{
	/* Its process may have been taken over. */
	const int name = (int)strnlen(s->name, sizeof(s->name));
	const int32_t role = s->role;

	if (!role_name(role))
		return;
	client_say(c,
	    "status process role=%s name=%.*s pid=%d restarts=%u up=%llu",
	    role_name(role), name ? name : 1, name ? s->name : "-", s->pid,
	    s->restarts,
	    (unsigned long long)((uv_hrtime() - s->started) / 1000000000u));
	if (role == ROLE_KEEPER)
		client_say(c,
		    "status logins granted=%llu renewed=%llu refused=%llu "
		    "commits=%llu",
		    (unsigned long long)s->granted,
		    (unsigned long long)s->renewed,
		    (unsigned long long)s->denied,
		    (unsigned long long)s->commits);
}

/* Who does not serve, and how its last process ended. */
static void say_down(struct client *c, const struct board_slot *s)
{
	const int name = (int)strnlen(s->name, sizeof(s->name));
	const int32_t role = s->role, code = s->down_code;
	const uint64_t since = s->down_since, now = uv_hrtime();

	if (!since || !role_name(role))
		return;
	client_say(c,
	    "status down role=%s name=%.*s down=%llu restarts=%u ended=%s-%d",
	    role_name(role), name ? name : 1, name ? s->name : "-",
	    (unsigned long long)(now > since ? (now - since) / 1000000000u : 0),
	    s->restarts, code < 0 ? "signal" : "exit", code < 0 ? -code : code);
}

/* --- exports, sources ------------------------------------------------------
 */

/* " state=... lag=... behind=... trouble=..." */
static bool put_standing(
    char *line, size_t size, size_t *used, const struct standing *s)
{
	return kv_put(line, size, used, "state", s->state) &&
	       kv_put_int(line, size, used, "lag", (long long)s->lag) &&
	       kv_put_int(line, size, used, "behind",
		   (long long)(s->behind & INT64_MAX)) &&
	       kv_put(line, size, used, "trouble", s->trouble);
}

static void say_export(struct client *c, const struct conf_section *export)
{
	const struct board *b = keeper_env(c->control->keeper)->board;
	const struct board_slot *slot = standing_export(b, export);
	char line[LINE_SIZE] = "";
	struct standing now;
	size_t used = 0;

	if (!slot)
		return;
	standing_read(slot, uv_hrtime(), &now);
	if (kv_put(line, sizeof(line), &used, "name", conf_name(export)) &&
	    kv_put(line, sizeof(line), &used, "kind", conf_kind(export)) &&
	    kv_put_int(line, sizeof(line), &used, "changes",
		(long long)(slot->lines & INT64_MAX)) &&
	    put_standing(line, sizeof(line), &used, &now))
		client_say(c, "status export %.*s", (int)used - 1, line);
}

/* Where the other end is far away, also how it stands. */
static void say_source(struct client *c, const struct conf_section *source)
{
	const struct child_env *env = keeper_env(c->control->keeper);
	const struct board_slot *s =
	    standing_source(env->board, env->conf, source);
	char line[LINE_SIZE] = "";
	struct standing now;
	size_t used = 0;
	bool good = true;
	const struct {
		const char *key;
		uint64_t count;
	} counts[] = { { "lines", s ? s->lines : 0 },
		{ "logins", s ? s->logins : 0 },
		{ "logouts", s ? s->logouts : 0 }, { "odd", s ? s->odd : 0 },
		{ "refused", s ? s->refused : 0 },
		{ "dropped", s ? s->dropped : 0 } };

	if (!s)
		return;
	good = kv_put(line, sizeof(line), &used, "name", conf_name(source));
	for (size_t i = 0; good && i < COUNT_OF(counts); i++)
		good = kv_put_int(line, sizeof(line), &used, counts[i].key,
		    (long long)(counts[i].count & INT64_MAX));
	if (good && s->role == ROLE_CONNECTOR) {
		standing_read(s, uv_hrtime(), &now);
		good = put_standing(line, sizeof(line), &used, &now);
	}
	if (good)
		client_say(c, "status source %.*s", (int)used - 1, line);
}

/* --- listeners, the ledger -------------------------------------------------
 */

/* A listener's numbers are the sum of all answerers'. */
static void say_listener(struct client *c, size_t i, const char *name)
{
	const struct board *b = keeper_env(c->control->keeper)->board;
	unsigned long long n[7] = { 0 };

	for (size_t j = 0; j < BOARD_SLOTS; j++) {
		const struct server_counts *s = &b->slots[j].listeners[i];
		n[0] += s->questions;
		n[1] += s->allow;
		n[2] += s->none;
		n[3] += s->tempfail;
		n[4] += s->bad;
		n[5] += s->dropped;
		n[6] += s->open;
	}
	client_say(c,
	    "status listener name=%s questions=%llu allow=%llu none=%llu "
	    "tempfail=%llu bad=%llu dropped=%llu open=%llu",
	    name, n[0], n[1], n[2], n[3], n[4], n[5], n[6]);
}

static void say_ledger(struct client *c, struct keeper *k)
{
	struct ledger *l = keeper_ledger(k);
	const char *why = keeper_trouble(k);
	char trouble[TROUBLE_SIZE] = "";
	size_t used, map, at = 0;

	ledger_size(l, &used, &map);
	if (why)
		(void)kv_put(
		    trouble, sizeof(trouble), &at, " cannot-be-written", why);
	client_say(c,
	    "status ledger leases=%zu used=%zu map=%zu node=%s "
	    "sequence=%llu directory=%s%.*s",
	    ledger_rows(l), used, map, ledger_node(l),
	    (unsigned long long)ledger_sequence(l),
	    conf_string(
		conf_at(keeper_env(k)->conf, "relaypass", 0), "directory"),
	    at ? (int)at - 1 : 0, trouble);
}

void client_status(struct client *c, const struct request *r)
{
	struct keeper *k = c->control->keeper;
	const struct child_env *env = keeper_env(k);

	(void)r;
	client_say(c, "status version text=%s", RELAYPASS_VERSION);
	for (size_t i = 0; i < BOARD_SLOTS; i++) {
		if (env->board->slots[i].pid)
			say_process(c, &env->board->slots[i]);
	}
	for (size_t i = 0; i < BOARD_SLOTS; i++)
		say_down(c, &env->board->slots[i]);
	say_ledger(c, k);
	for (size_t i = 0; i < conf_count(env->conf, "source"); i++)
		say_source(c, conf_at(env->conf, "source", i));
	for (size_t i = 0; i < conf_count(env->conf, "export"); i++)
		say_export(c, conf_at(env->conf, "export", i));
	for (size_t i = 0; i < conf_count(env->conf, "listener"); i++)
		say_listener(
		    c, i, conf_name(conf_at(env->conf, "listener", i)));
	client_say(c, "ok mode=%s", rules_mode_word(keeper_mode(k)));
}
