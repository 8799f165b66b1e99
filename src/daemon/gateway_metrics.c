/* SPDX-License-Identifier: ISC */
/*
 * gateway_metrics - what the board and the ledger say, for Prometheus. Names of
 * sections come from the configuration: what a slot holds may be a stranger's.
 */
#include <string.h>
#include <uv.h>

#include "base/mem.h"
#include "gateway_private.h"
#include "standing.h"

/* --- the ledger ------------------------------------------------------------
 */

static void gauge(
    struct prom *p, const char *name, const char *help, uint64_t value)
{
	prom_family(p, name, "gauge", help);
	prom_sample(p, NULL, 0, value);
}

static void put_ledger(struct gateway *g, struct prom *p)
{
	bool reads = gateway_begin(g);
	size_t used, map;

	gauge(p, "relaypass_ledger_readable", "Whether the ledger can be read.",
	    reads);
	if (!reads)
		return;
	ledger_size(g->ledger, &used, &map);
	gauge(p, "relaypass_leases",
	    "Leases in the ledger, those that ended within a minute included.",
	    ledger_rows(g->ledger));
	gauge(p, "relaypass_sessions",
	    "Mail sessions that may hold their lease.",
	    ledger_session_rows(g->ledger));
	gauge(p, "relaypass_ledger_used_bytes", "Bytes that its tables use.",
	    used);
	gauge(
	    p, "relaypass_ledger_map_bytes", "Bytes that it may use now.", map);
	ledger_read_end(g->ledger);
}

static void put_process(struct gateway *g, struct prom *p)
{
	const struct prom_label version = { "version", RELAYPASS_VERSION };

	prom_family(
	    p, "relaypass_info", "gauge", "Always 1; which version runs.");
	prom_sample(p, &version, 1, 1);
	prom_family(p, "relaypass_mode", "gauge",
	    "1 for the mode that counts now, 0 for the others.");
	for (int i = 0; rules_mode_word(i); i++) {
		const struct prom_label label = { "mode", rules_mode_word(i) };
		prom_sample(p, &label, 1, (int)gateway_mode(g) == i);
	}
}

/* --- logins ----------------------------------------------------------------
 */

static void put_logins(const struct gateway *g, struct prom *p)
{
	/* The keeper is the first member. */
	const struct board_slot *s = &g->env->board->slots[0];
	const struct {
		const char *word;
		uint64_t count;
	} rows[] = { { "granted", s->granted }, { "renewed", s->renewed },
		{ "refused", s->denied } };

	prom_family(p, "relaypass_logins_total", "counter",
	    "Logins by what became of them.");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct prom_label label = { "outcome", rows[i].word };
		prom_sample(p, &label, 1, rows[i].count);
	}
	prom_family(p, "relaypass_commits_total", "counter",
	    "Transactions that the keeper has written.");
	prom_sample(p, NULL, 0, s->commits);
}

static const struct {
	const char *name, *help;
	size_t at;
} source_counts[] = {
	{ "relaypass_source_lines_total",
	    "Lines or messages that a source has read.",
	    offsetof(struct board_slot, lines) },
	{ "relaypass_source_logins_total", "Logins that a source has seen.",
	    offsetof(struct board_slot, logins) },
	{ "relaypass_source_logouts_total", "Logouts that a source has seen.",
	    offsetof(struct board_slot, logouts) },
	{ "relaypass_source_odd_total",
	    "Lines or messages that a source could not make sense of.",
	    offsetof(struct board_slot, odd) },
	{ "relaypass_source_refused_total",
	    "Lines or messages that a source did not accept.",
	    offsetof(struct board_slot, refused) },
	{ "relaypass_source_dropped_total",
	    "Messages dropped for want of room to wait in.",
	    offsetof(struct board_slot, dropped) },
};

static void put_sources(const struct gateway *g, struct prom *p)
{
	size_t n = conf_count(g->env->conf, "source");

	for (size_t i = 0; n && i < COUNT_OF(source_counts); i++) {
		prom_family(
		    p, source_counts[i].name, "counter", source_counts[i].help);
		for (size_t j = 0; j < n; j++) {
			const struct conf_section *c =
			    conf_at(g->env->conf, "source", j);
			const struct board_slot *s =
			    standing_source(g->env->board, g->env->conf, c);
			const struct prom_label labels[] = { { "source",
								 conf_name(c) },
				{ "kind", conf_kind(c) } };
			if (s)
				prom_sample(p, labels, COUNT_OF(labels),
				    *(const _Atomic uint64_t *)(const void
					    *)((const char *)s +
					       source_counts[i].at));
		}
	}
}

/* --- listeners -------------------------------------------------------------
 */

static const struct {
	const char *name, *type, *help;
	const char *verdict; /* NULL: no such label */
	size_t at;
} listener_counts[] = {
	{ "relaypass_listener_questions_total", "counter",
	    "Requests that came to a listener.", NULL,
	    offsetof(struct server_counts, questions) },
	{ "relaypass_listener_answers_total", "counter",
	    "Questions whether an address may relay, by the answer.", "allow",
	    offsetof(struct server_counts, allow) },
	{ NULL, NULL, NULL, "none", offsetof(struct server_counts, none) },
	{ NULL, NULL, NULL, "tempfail",
	    offsetof(struct server_counts, tempfail) },
	{ "relaypass_listener_bad_total", "counter",
	    "Requests that broke the protocol or were not allowed.", NULL,
	    offsetof(struct server_counts, bad) },
	{ "relaypass_listener_dropped_total", "counter",
	    "Clients turned away, too slow, or lost midway.", NULL,
	    offsetof(struct server_counts, dropped) },
	{ "relaypass_listener_connections", "gauge",
	    "Connections that are open.", NULL,
	    offsetof(struct server_counts, open) },
};

/* The sum of all processes that serve it. */
static uint64_t sum(const struct gateway *g, size_t listener, size_t at)
{
	uint64_t n = 0;

	for (size_t i = 0; i < BOARD_SLOTS; i++) {
		const void *counts =
		    &g->env->board->slots[i].listeners[listener];
		n += *(const _Atomic uint64_t *)(const void *)((const char *)
								   counts +
							       at);
	}
	return n;
}

static void put_listeners(const struct gateway *g, struct prom *p)
{
	for (size_t i = 0; i < COUNT_OF(listener_counts); i++) {
		if (listener_counts[i].name)
			prom_family(p, listener_counts[i].name,
			    listener_counts[i].type, listener_counts[i].help);
		for (size_t j = 0; j < conf_count(g->env->conf, "listener");
		     j++) {
			const struct conf_section *c =
			    conf_at(g->env->conf, "listener", j);
			const struct prom_label labels[] = { { "listener",
								 conf_name(c) },
				{ "kind", conf_kind(c) },
				{ "verdict", listener_counts[i].verdict } };
			prom_sample(p, labels,
			    listener_counts[i].verdict ? 3 : 2,
			    sum(g, j, listener_counts[i].at));
		}
	}
}

/* --- exports, processes ----------------------------------------------------
 */

enum side { EXPORTS, SOURCES, SIDES };
static const char *const side_types[] = { "export", "source" };
enum value { UP, LAG, BEHIND, TROUBLE, VALUES };

static const struct {
	const char *name, *help;
} standings[VALUES][SIDES] = {
	[UP] = { { "relaypass_export_up",
		     "Whether the process of an export runs." },
	    { "relaypass_source_up",
		"Whether the process of a source runs." } },
	[LAG] = { { "relaypass_export_lag_seconds",
		      "Time since the target of an export last held all that "
		      "it should; 0: it does." },
	    { "relaypass_source_lag_seconds",
		"Time since a source last had read all that is there; 0: it "
		"has." } },
	[BEHIND] = { { "relaypass_export_behind",
			 "Changes that wait for the target of an export." },
	    { "relaypass_source_behind",
		"Rows or entries that wait for a source; 0 also when it "
		"cannot tell." } },
	[TROUBLE] = { { "relaypass_export_trouble",
			  "Whether something is wrong with an export; status "
			  "says what." },
	    { "relaypass_source_trouble",
		"Whether something is wrong with a source; status says "
		"what." } },
};

static uint64_t value_of(const struct standing *s, enum value value)
{
	switch (value) {
	case UP:
		return s->up;
	case LAG:
		return s->lag;
	case BEHIND:
		return s->behind;
	case TROUBLE:
		return s->trouble[0] != '\0';
	case VALUES:
		break;
	}
	return 0;
}

static const struct board_slot *find_slot(
    const struct gateway *g, const struct conf_section *s, enum side side)
{
	return side == EXPORTS
		   ? standing_export(g->env->board, s)
		   : standing_source(g->env->board, g->env->conf, s);
}

static void put_standing(
    const struct gateway *g, struct prom *p, enum side side, enum value value)
{
	const char *type = side_types[side];
	bool begun = false;

	for (size_t i = 0; i < conf_count(g->env->conf, type); i++) {
		const struct conf_section *c = conf_at(g->env->conf, type, i);
		const struct board_slot *slot = find_slot(g, c, side);
		const struct prom_label labels[] = { { type, conf_name(c) },
			{ "kind", conf_kind(c) } };
		struct standing now = { 0 };

		/* What other sources read is on this machine. */
		if (side == SOURCES && value != UP &&
		    (!slot || slot->role != ROLE_CONNECTOR))
			continue;
		if (!begun)
			prom_family(p, standings[value][side].name, "gauge",
			    standings[value][side].help);
		begun = true;
		if (slot)
			standing_read(slot, uv_hrtime(), &now);
		prom_sample(p, labels, COUNT_OF(labels), value_of(&now, value));
	}
}

static void put_restarts(const struct gateway *g, struct prom *p)
{
	uint64_t restarts[ROLE_COUNT] = { 0 }, up[ROLE_COUNT] = { 0 };

	for (size_t i = 0; i < BOARD_SLOTS; i++) {
		const struct board_slot *s = &g->env->board->slots[i];
		const int32_t role = s->role;

		/* Slots that nobody has are zero, as a reader's role is. */
		if (!role_name(role) || !s->started)
			continue;
		restarts[role] += s->restarts;
		up[role] += s->pid != 0;
	}
	prom_family(p, "relaypass_processes", "gauge",
	    "Processes that run, by their role.");
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		const struct prom_label label = { "role", role_name((int)i) };
		prom_sample(p, &label, 1, up[i]);
	}
	prom_family(p, "relaypass_process_restarts_total", "counter",
	    "Times that a process had to be started again, by its role.");
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		const struct prom_label label = { "role", role_name((int)i) };
		prom_sample(p, &label, 1, restarts[i]);
	}
}

void gateway_metrics(struct gateway *g, struct prom *p)
{
	put_process(g, p);
	put_ledger(g, p);
	put_logins(g, p);
	put_sources(g, p);
	put_listeners(g, p);
	for (enum side side = EXPORTS; side < SIDES; side++) {
		for (enum value v = UP; v < VALUES; v++)
			put_standing(g, p, side, v);
	}
	put_restarts(g, p);
}
