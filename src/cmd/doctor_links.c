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
	IN_STEP_S = 3, /* who is, says so each second */
	LATE_S = 10    /* who is so long out of step needs help */
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

/* --- advice --------------------------------------------------------------- */

/* What to do where the words are a server's, a library's or the kernel's own.
 * relaypass's texts tell it themselves. */
static const char unit[] =
    "; the unit of systemd keeps relaypassd on this host: systemctl "
    "edit relaypassd, with [Service] IPAddressAllow= and the server's "
    "address";
static const char refused[] =
    "; does the server run, and listen at this address and port?";
static const char unreached[] =
    "; does it run, and does no firewall stand between, nor the unit "
    "of systemd (IPAddressAllow=)?";
static const char login[] =
    "; the server and the option password-file have to have the same "
    "password for this account";
static const char room[] =
    "; make room there, what is missing follows by itself";
static const char look[] =
    "; relaypassd -t names what is missing, with the statement";
/* The numbers are libmariadb's way to tell of the kernel's errors. */
static const struct {
	const char *words, *advice;
} advices[] = {
	{ "run: ", "" },
	{ "password-file", "" },
	{ "not permitted", unit },
	{ "' (1)", unit },
	{ "connection refused", refused },
	{ "' (111)", refused },
	{ "' (2)", refused },
	{ "timed out", unreached },
	{ "timeout", unreached },
	{ "not answer", unreached },
	{ "no answer", unreached },
	{ "unreachable", unreached },
	{ "no route to host", unreached },
	{ "' (110)", unreached },
	{ "' (113)", unreached },
	{ "authentication failed", login },
	{ "access denied for user", login },
	{ "WRONGPASS", login },
	{ "NOAUTH", login },
	{ "name or service not known", "; does getent hosts know this name?" },
	{ "no space left", room },
	{ "disk is full", room },
	{ "' is full", room },
	{ "OOM ", room },
	{ "is no master",
	    "; if that lasts, a machine tells the Sentinels a wrong "
	    "address (replica-announce-ip, sentinel announce-ip)" },
	{ "NOREPLICAS",
	    "; no replica follows this master (min-replicas-to-write): "
	    "do the other servers run?" },
	{ "permission denied for", look },
	{ "command denied", look },
	{ "NOPERM", look },
	{ "does not exist", look },
	{ "doesn't exist", look },
	{ "no such table", look },
};

static const char *advice_of(const char *text)
{
	for (size_t i = 0; i < COUNT_OF(advices); i++) {
		if (strcasestr(text, advices[i].words))
			return advices[i].advice;
	}
	return "";
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
			    NULL, "%s %s (%s): %s%s", l->type, l->name, l->kind,
			    l->test.text, advice_of(l->test.text));
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
	const char *advice = advice_of(l->trouble);
	char span[CLI_SPAN_SIZE], waiting[64];

	print_behind(l, waiting, sizeof(waiting));
	cli_span(l->lag, span);
	if (strcmp(l->state, "good") == 0)
		say(t, DOCTOR_GOOD, NULL, "%s %s is in step%s", l->type,
		    l->name, waiting);
	else if (strcmp(l->state, "down") == 0)
		say(t, DOCTOR_DO, NULL, "%s %s has no process%s%s%s", l->type,
		    l->name, l->trouble[0] ? ": " : "", l->trouble, advice);
	else if (l->trouble[0] && l->lag < IN_STEP_S && l->behind == 0)
		say(t, DOCTOR_DO, NULL, "%s %s is in step, but: %s%s", l->type,
		    l->name, l->trouble, advice);
	else
		say(t, l->lag < LATE_S ? DOCTOR_NOTE : DOCTOR_DO, NULL,
		    "%s %s has been out of step for %s%s%s%s%s", l->type,
		    l->name, span, waiting, l->trouble[0] ? ": " : "",
		    l->trouble, advice);
}

void check_lag(const struct doctor_facts *f, struct telling *t)
{
	for (size_t i = 0; i < f->link_count; i++) {
		if (f->links[i].told)
			say_lag(t, &f->links[i]);
	}
}
