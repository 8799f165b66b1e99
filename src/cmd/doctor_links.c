/* SPDX-License-Identifier: ISC */
/*
 * doctor_links - the other ends of exports and sources: whether a database is
 * as it must be, asked as relaypassd would ask it, and how far behind all are,
 * as a running relaypassd tells. Called by: doctor_look.c, doctor_checks.c.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli.h"
#include "daemon/probe.h"
#include "doctor_private.h"

enum {
	STATUS_MS = 3000,
	LATE_S = 10 /* who is so long out of step needs help */
};

/* --- facts ---------------------------------------------------------------- */

int doctor_status(const struct endpoint *control, doctor_row_fn *fn, void *ctx,
    struct err *err)
{
	static const char request[] = "status";
	AUTO_FREE struct reply *last = xcalloc(1, sizeof(*last));
	struct client *c = client_open(control, STATUS_MS, true, err);
	int got;

	if (!c)
		return -1;
	got = client_ask(c, request, sizeof(request) - 1, fn, ctx, last, err);
	client_close(&c);
	return got;
}

static struct doctor_link *find_link(
    const struct doctor_facts *f, const char *type, const char *name)
{
	for (size_t i = 0; i < f->link_count; i++) {
		if (strcmp(f->links[i].type, type) == 0 &&
		    strcmp(f->links[i].name, name) == 0)
			return &f->links[i];
	}
	return NULL;
}

/* "export name=x state=behind lag=12 behind=3 trouble=..." */
static void keep_row(void *ctx, const struct reply *row)
{
	const char *name = reply_value(row, "name");
	const char *state = reply_value(row, "state");
	const char *trouble = reply_value(row, "trouble");
	struct doctor_link *l =
	    name && state ? find_link(ctx, row->topic, name) : NULL;

	if (!l)
		return;
	l->told = true;
	snprintf(l->state, sizeof(l->state), "%s", state);
	snprintf(l->trouble, sizeof(l->trouble), "%s", trouble ? trouble : "");
	l->lag = reply_number(row, "lag");
	l->behind = reply_number(row, "behind");
}

static void add_links(
    struct doctor_facts *f, const struct doctor_where *where, const char *type)
{
	for (size_t i = 0; i < conf_count(f->conf, type); i++) {
		const struct conf_section *s = conf_at(f->conf, type, i);
		struct doctor_link *l = &f->links[f->link_count++];
		int got;

		l->type = type;
		l->name = conf_name(s);
		l->kind = conf_kind(s);
		got = where->probe ? where->probe(f->conf, type, i, &l->test)
				   : PROBE_NOTHING;
		l->tested = got != PROBE_NOTHING;
		if (got < 0 && !l->test.code)
			l->test.code = EXIT_AGAIN;
	}
}

void doctor_links_look(struct doctor_facts *f, const struct doctor_where *where,
    const struct endpoint *control)
{
	struct err err = { 0 };

	f->links = xcalloc(
	    conf_count(f->conf, "export") + conf_count(f->conf, "source") + 1,
	    sizeof(*f->links));
	add_links(f, where, "export");
	add_links(f, where, "source");
	/* Without an answer nothing is known of them, and nothing said. */
	if (control && where->status)
		(void)where->status(control, keep_row, f, &err);
}

/* --- findings ------------------------------------------------------------- */

void check_databases(const struct doctor_facts *f, struct telling *t)
{
	for (size_t i = 0; i < f->link_count; i++) {
		const struct doctor_link *l = &f->links[i];

		if (!l->tested)
			continue;
		if (!l->test.code)
			say(t, DOCTOR_GOOD, NULL,
			    "%s %s (%s): what it needs is there", l->type,
			    l->name, l->kind);
		else
			say(t,
			    l->test.code == EXIT_USER ? DOCTOR_DO
						      : DOCTOR_CANNOT,
			    NULL, "%s %s (%s): %s", l->type, l->name, l->kind,
			    l->test.text);
	}
}

/* ", 3 changes wait" */
static const char *print_behind(
    const struct doctor_link *l, char *out, size_t size)
{
	out[0] = '\0';
	if (l->behind > 0)
		snprintf(out, size, ", %lld %s", (long long)l->behind,
		    l->behind == 1 ? "change waits" : "changes wait");
	return out;
}

static void say_lag(struct telling *t, const struct doctor_link *l)
{
	char span[CLI_SPAN_SIZE], waiting[64];

	print_behind(l, waiting, sizeof(waiting));
	cli_span(l->lag, span);
	if (strcmp(l->state, "good") == 0)
		say(t, DOCTOR_GOOD, NULL, "%s %s is in step%s", l->type,
		    l->name, waiting);
	else if (strcmp(l->state, "down") == 0)
		say(t, DOCTOR_DO, NULL, "%s %s has no process%s%s", l->type,
		    l->name, l->trouble[0] ? ": " : "", l->trouble);
	else
		say(t, l->lag < LATE_S ? DOCTOR_NOTE : DOCTOR_DO, NULL,
		    "%s %s has been out of step for %s%s%s%s", l->type, l->name,
		    span, waiting, l->trouble[0] ? ": " : "", l->trouble);
}

void check_lag(const struct doctor_facts *f, struct telling *t)
{
	for (size_t i = 0; i < f->link_count; i++) {
		if (f->links[i].told)
			say_lag(t, &f->links[i]);
	}
}
