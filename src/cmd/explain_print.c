/* SPDX-License-Identifier: ISC */
/*
 * explain_print - what `relaypass explain` says to people. Every text from
 * outside goes through cli_safe(). Called by: explain.c.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli.h"
#include "explain.h"
#include "reasons.h"
#include "source/source.h"

enum { SHOWN = 1100, LINE_SHOWN = 2000 };

struct shown {
	char text[SHOWN];
};

static const char *safe(const char *text, struct shown *s)
{
	return cli_safe(text, strlen(text), s->text, sizeof(s->text));
}

static const char *at(int64_t ms, char out[static CLOCK_TEXT_SIZE])
{
	(void)clock_print(ms, out);
	return out;
}

static const struct told_lease *answering(const struct told *t)
{
	return t->lease_count && t->leases[0].answers ? &t->leases[0] : NULL;
}

static const char *network(const struct told *t, const char *list)
{
	for (size_t i = 0; i < t->network_count; i++)
		if (strcmp(t->networks[i].list, list) == 0)
			return t->networks[i].net;
	return NULL;
}

/* --- the verdict ---------------------------------------------------------- */

static void print_lease_rule(const struct told *t)
{
	const struct told_lease *l = answering(t);
	char span[CLI_SPAN_SIZE], end[CLOCK_TEXT_SIZE];
	struct shown user;

	if (!l) {
		fputs("it has a lease", stdout);
		return;
	}
	printf("it has a lease%s%s for %s more, until %s",
	    *l->user ? " of " : "", safe(l->user, &user),
	    cli_span(l->ttl, span), at(l->end, end));
}

static void print_sender_rule(const struct told *t)
{
	struct shown sender;

	if (!t->sender || !*t->sender)
		printf("it has a lease, but no sender is named, and "
		       "require-sender = %s asks for one",
		    t->require);
	else
		printf("it has a lease, but none that answers for the sender "
		       "%s (require-sender = %s)",
		    safe(t->sender, &sender), t->require);
}

static void print_revoked_rule(const struct told *t)
{
	int64_t until = 0;
	char text[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < t->revocation_count; i++)
		if (t->revocations[i].until > until)
			until = t->revocations[i].until;
	printf("it has no lease%s, and a revocation refuses new ones until %s",
	    t->asked_user ? " of that user" : "", at(until, text));
}

static void print_no_lease_rule(const struct told *t)
{
	printf("it has no lease%s", t->asked_user ? " of that user" : "");
}

static void print_always_rule(const struct told *t)
{
	const char *net = network(t, "always");

	printf("lease always names %s, so it needs no login",
	    net ? net : "its network");
}

/* A rule of the address itself, by its word. */
static void print_address_rule(const struct told *t)
{
	const char *sentence = reason_sentence(t->rule);

	fputs(sentence ? sentence : t->rule, stdout);
}

static const struct {
	const char *rule, *text;
	void (*print)(const struct told *t);
} rule_texts[] = {
	{ "mode-off", "the mode is off: nobody may", NULL },
	{ "always", NULL, print_always_rule },
	{ "lease", NULL, print_lease_rule },
	{ "sender", NULL, print_sender_rule },
	{ "revoked", NULL, print_revoked_rule },
	{ "refused", "it has a lease, but today's rules do not count it",
	    NULL },
	{ "no-lease", NULL, print_no_lease_rule },
	{ "sender-map",
	    "the file of require-sender cannot be read; see the log", NULL },
	{ "ledger", "the ledger cannot be read; see the log", NULL },
};

static void print_rule(const struct told *t)
{
	for (size_t i = 0; i < COUNT_OF(rule_texts); i++) {
		if (strcmp(rule_texts[i].rule, t->rule) != 0)
			continue;
		if (rule_texts[i].print)
			rule_texts[i].print(t);
		else
			fputs(rule_texts[i].text, stdout);
		return;
	}
	print_address_rule(t);
}

static void print_verdict(const struct told *t)
{
	if (t->observed)
		printf("%s may not relay: the mode is observe. It could else: ",
		    t->address);
	else if (strcmp(t->verdict, "allow") == 0)
		printf("%s may relay: ", t->address);
	else if (strcmp(t->verdict, "none") == 0)
		printf("%s may not relay: ", t->address);
	else
		printf("Nobody can tell whether %s may relay: ", t->address);
	print_rule(t);
	fputs(".\n", stdout);
}

/* --- what stands behind it ------------------------------------------------ */

static void print_networks(const struct told *t)
{
	for (size_t i = 0; i < t->network_count; i++)
		printf("  %s stands in lease %s.\n", t->networks[i].net,
		    t->networks[i].list);
}

static void print_line(const struct origin *o)
{
	char line[LINE_SHOWN];
	struct shown file;

	printf("    %s, ", safe(o->file, &file));
	if (o->number)
		printf("line %llu:\n", (unsigned long long)o->number);
	else
		printf("byte %lld:\n", (long long)o->offset);
	printf("    %s\n", cli_safe(o->text, o->text_len, line, sizeof(line)));
}

/* What was said once. */
static void print_notice(const struct origin *o)
{
	const struct source_kind *kind = source_kind_find(o->kind);

	if (kind && kind->hears_nodes)
		fputs("    Another node told of it; the line is in that "
		      "node's log, ask `relaypass explain` there.\n",
		    stdout);
	else
		printf("    It was told once, over a source of kind %s, and "
		       "is kept nowhere.\n",
		    o->kind);
}

static void print_origin(const struct told_lease *l)
{
	const struct origin *o = &l->origin;
	struct shown shown;

	switch (o->state) {
	case ORIGIN_LINE:
		print_line(o);
		break;
	case ORIGIN_JOURNAL:
		printf("    The line is in the journal: %s\n",
		    safe(o->command, &shown));
		break;
	case ORIGIN_NOTICE:
		print_notice(o);
		break;
	case ORIGIN_MISSING:
		fputs("    Its line is not in the files of that source any "
		      "more.\n",
		    stdout);
		break;
	case ORIGIN_LIMIT:
		fputs("    Its line is not in the first GiB of what could hold "
		      "it; relaypass scan reads all.\n",
		    stdout);
		break;
	case ORIGIN_UNREADABLE:
		fputs("    Its line is not shown: no file of that source can "
		      "be read by you.\n",
		    stdout);
		break;
	case ORIGIN_IMPORT:
		fputs("    relaypass import took it over.\n", stdout);
		break;
	case ORIGIN_UNKNOWN:
		fputs("    The configuration has no source of that name.\n",
		    stdout);
		break;
	case ORIGIN_NONE:
	case ORIGIN_HAND:
		break;
	}
}

static const struct {
	const char *word, *text;
} flaws[] = {
	{ "over", "it is over" },
	{ "prefix", "it was made under another ipv6-prefix" },
	{ "too-long", "it is longer than lease ttl allows now" },
	{ "user", "another user was asked for" },
	{ "sender", "it does not answer for that sender" },
};

static void print_flaw(const struct told_lease *l)
{
	const char *text = reason_sentence(l->why_not);

	for (size_t i = 0; i < COUNT_OF(flaws); i++)
		if (strcmp(flaws[i].word, l->why_not) == 0)
			text = flaws[i].text;
	printf("    It does not count: %s.\n", text ? text : l->why_not);
}

static void print_lease(const struct told_lease *l)
{
	struct shown user, source, server;
	char first[CLOCK_TEXT_SIZE], last[CLOCK_TEXT_SIZE];
	char end[CLOCK_TEXT_SIZE];

	printf("  Lease of %s (%s)%s: ",
	    *l->user ? safe(l->user, &user) : "an unnamed user", l->address,
	    l->by_hand ? ", granted by hand" : "");
	if (*l->source)
		printf("login at %s, told by source %s (server %s%s)",
		    at(l->last, last), safe(l->source, &source),
		    safe(l->server, &server), l->tls ? ", TLS" : "");
	else
		printf("at %s", at(l->last, last));
	if (l->first != l->last)
		printf("; the first at %s", at(l->first, first));
	if (l->sessions)
		printf("; %lld open session%s", (long long)l->sessions,
		    l->sessions == 1 ? "" : "s");
	printf("; %s at %s.\n", l->live ? "ends" : "ended", at(l->end, end));
	if (*l->why_not)
		print_flaw(l);
	print_origin(l);
}

static void print_session(const struct told_session *s)
{
	struct shown user, id, server;
	char began[CLOCK_TEXT_SIZE];

	printf("  Open session %s of %s since %s (server %s", safe(s->id, &id),
	    safe(s->user, &user), at(s->began, began),
	    safe(s->server, &server));
	if (s->pid)
		printf(", process %lld", (long long)s->pid);
	fputs(").\n", stdout);
}

static void print_revocation(const struct told_revocation *v)
{
	struct shown user;
	char time[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE];

	printf("  Revoked at %s: ", at(v->time, time));
	if (*v->address)
		printf("%s", v->address);
	if (*v->user)
		printf(
		    "%suser %s", *v->address ? ", " : "", safe(v->user, &user));
	printf("; logins up to %s give no lease.\n", at(v->until, until));
}

static void print_more(const struct told *t)
{
	if (t->lease_total > (int64_t)t->lease_count)
		printf("  And %lld more leases: relaypass list --all %s\n",
		    (long long)(t->lease_total - (int64_t)t->lease_count),
		    t->address);
	if (t->revocation_total > (int64_t)t->revocation_count)
		printf("  And %lld more revocations.\n",
		    (long long)(t->revocation_total -
				(int64_t)t->revocation_count));
	for (size_t i = 0; i < t->require_count; i++)
		printf("  Listener %s looks at the sender too (require-sender "
		       "= %s): ask with listener=%s and sender=.\n",
		    t->requires[i].listener, t->requires[i].what,
		    t->requires[i].listener);
}

void explain_print(const struct told *t)
{
	print_verdict(t);
	print_networks(t);
	for (size_t i = 0; i < t->lease_count; i++)
		print_lease(&t->leases[i]);
	for (size_t i = 0; i < t->session_count; i++)
		print_session(&t->sessions[i]);
	for (size_t i = 0; i < t->revocation_count; i++)
		print_revocation(&t->revocations[i]);
	print_more(t);
}
