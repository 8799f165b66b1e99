/* SPDX-License-Identifier: ISC */
/*
 * keeper_look - what the keeper tells of its ledger and its sources, for those
 * who have no ledger. Called by: keeper_channel.c, control_verbs.c.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "export/follow.h"
#include "keeper_private.h"
#include "listener/listener.h"

enum rules_mode keeper_mode(struct keeper *k)
{
	int set = ledger_mode(k->ledger);

	return set ? (enum rules_mode)(set - 1) : rules_mode(k->rules);
}

const char *keeper_trouble(const struct keeper *k)
{
	return k->stuck ? k->stuck_error.text : NULL;
}

const struct decide_options *keeper_listener(struct keeper *k, size_t i)
{
	must(i < BOARD_LISTENERS);
	return &k->listeners[i];
}

void keeper_read_listeners(struct keeper *k)
{
	const struct conf *conf = k->env->conf;
	struct err err;

	/* One that cannot be read is logged by who answers there. */
	for (size_t i = 0; i < conf_count(conf, "listener"); i++)
		(void)listener_decide(
		    conf_at(conf, "listener", i), &k->listeners[i], &err);
}

void keeper_look(
    struct keeper *k, const struct addr *addr, struct source_told *out)
{
	static const struct decide_options anybody = { .default_domain = "" };
	struct question q = { .addr = *addr, .asked = true };
	struct answer a = { 0 };
	struct err err = { 0 };

	memset(out, 0, sizeof(*out));
	if (ledger_read_begin(k->ledger, &err) < 0) {
		log_error(LOG_LEDGER_ERROR, "%s", err.text);
		return;
	}
	decide(
	    k->ledger, k->rules, keeper_mode(k), &anybody, &q, clock_now(), &a);
	ledger_read_end(k->ledger);
	out->known = a.verdict != VERDICT_TEMPFAIL;
	out->leased = a.verdict == VERDICT_ALLOW;
	if (!out->leased)
		return;
	out->ttl = a.ttl;
	out->user_len = a.user_len;
	memcpy(out->user, a.user, a.user_len);
}

/* The i-th source's kind. */
static const struct source_kind *kind_at(const struct keeper *k, size_t i)
{
	return source_kind_find(conf_kind(conf_at(k->env->conf, "source", i)));
}

const struct source_kind *keeper_kind(const struct keeper *k, const char *name)
{
	for (size_t i = 0; i < conf_count(k->env->conf, "source"); i++) {
		if (strcmp(conf_name(conf_at(k->env->conf, "source", i)),
			name) == 0)
			return kind_at(k, i);
	}
	return NULL;
}

bool keeper_expects_signs(const struct keeper *k)
{
	for (size_t i = 0; i < conf_count(k->env->conf, "source"); i++) {
		if (kind_at(k, i)->tells_life)
			return true;
	}
	return false;
}

/* --- the journal ------------------------------------------------------------
 */

bool keeper_journal_grew(struct keeper *k)
{
	uint64_t before = k->journal;
	struct err err;

	if (conf_count(k->env->conf, "export") == 0 ||
	    ledger_read_begin(k->ledger, &err) < 0)
		return false;
	k->journal = ledger_sequence(k->ledger);
	ledger_read_end(k->ledger);
	return k->journal != before;
}

struct least {
	const char *node;
	size_t exports;
	uint64_t sequence;
};

static int count_cursor(void *ctx, const struct ledger_cursor *c)
{
	struct least *l = ctx;
	uint64_t sequence;

	if (!follow_sequence(c->bytes, c->len, l->node, &sequence))
		return 0;
	l->exports++;
	if (sequence < l->sequence)
		l->sequence = sequence;
	return 0;
}

void keeper_trim(struct keeper *k, struct moment now)
{
	enum { TRIM_LIMIT = 4096 };
	const struct conf *conf = k->env->conf;
	uint64_t sequence = UINT64_MAX;

	if (conf_count(conf, "export") == 0)
		return;
	for (size_t i = 0; i < conf_count(conf, "export"); i++) {
		struct least l = { .node = ledger_node(k->ledger),
			.sequence = UINT64_MAX };
		char key[BOARD_NAME];
		int n = snprintf(key, sizeof(key), "%s%s", EXPORT_CHANNEL,
		    conf_name(conf_at(conf, "export", i)));

		/* One that has no place yet reads a snapshot: what comes in
		 * meanwhile is for it. */
		if (ledger_cursor_each(
			k->ledger, key, (size_t)n + 1, count_cursor, &l) < 0 ||
		    l.exports == 0)
			l.sequence = 0;
		if (l.sequence < sequence)
			sequence = l.sequence;
	}
	ledger_journal_trim(k->ledger, sequence, now, TRIM_LIMIT);
}
