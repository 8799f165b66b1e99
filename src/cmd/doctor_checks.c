/* SPDX-License-Identifier: ISC */
/*
 * doctor_checks - what the doctor asks, one row a question, and the questions
 * about servers and logs. Facts in, sentences out; nothing is looked at here.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli.h"
#include "doctor_private.h"

enum { SENTENCE_SIZE = DOCTOR_EXAMPLE_SIZE + 1024, LINES_SIZE = 1024 };

void say(struct telling *t, enum doctor_verdict verdict, const char *lines,
    const char *format, ...)
{
	char text[SENTENCE_SIZE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	t->said[verdict] = true;
	t->tell(t->ctx, t->check, verdict, text, lines);
}

bool doctor_runs(const struct doctor_facts *f, const char *label)
{
	for (size_t i = 0; i < f->listener_count; i++)
		if (f->listeners[i].kind &&
		    !strcmp(f->listeners[i].kind->label, label))
			return true;
	return false;
}

static bool is_better(const struct doctor_log *a, const struct doctor_log *b)
{
	if (!b || a->configured != b->configured)
		return !b || a->configured;
	return a->found.last > b->found.last;
}

const struct doctor_log *doctor_best_log(const struct doctor_facts *f)
{
	const struct doctor_log *best = NULL;

	for (size_t i = 0; i < f->log_count; i++)
		if (f->logs[i].found.last && is_better(&f->logs[i], best))
			best = &f->logs[i];
	return best;
}

static size_t sources(const struct doctor_facts *f)
{
	return conf_count(f->conf, "source");
}

/* --- configuration, servers ----------------------------------------------- */

static void check_config(const struct doctor_facts *f, struct telling *t)
{
	if (f->config_error[0])
		say(t, DOCTOR_DO, NULL,
		    "the configuration is not good: %s. The other checks go by "
		    "the defaults",
		    f->config_error);
	else if (!f->has_config)
		say(t, DOCTOR_DO, NULL, "there is no %s", f->config_path);
	else
		say(t, DOCTOR_GOOD, NULL, "%s is good, with %zu %s",
		    f->config_path, sources(f),
		    sources(f) == 1 ? "source" : "sources");
}

/* Without a good configuration nobody can say where it would listen. */
static void check_daemon(const struct doctor_facts *f, struct telling *t)
{
	if (!f->has_config || f->config_error[0])
		return;
	switch (f->control_error) {
	case 0:
		say(t, DOCTOR_GOOD, NULL, "relaypassd runs");
		break;
	case ENOENT:
	case ECONNREFUSED:
		say(t, DOCTOR_DO, NULL,
		    "relaypassd does not run: systemctl start relaypassd");
		break;
	default:
		say(t, DOCTOR_CANNOT, NULL,
		    "its control socket cannot be asked: %s",
		    strerror(f->control_error));
	}
}

static const char *services(unsigned bits)
{
	static const char *const words[] = { "nothing", "POP3", "IMAP",
		"POP3 and IMAP" };

	return words[bits & (DOCTOR_POP3 | DOCTOR_IMAP)];
}

static void say_server(struct telling *t, const struct doctor_listener *l)
{
	const struct doctor_kind *k = l->kind;

	if (!k && !l->program[0])
		return; /* counted as hidden */
	if (!k) {
		say(t, DOCTOR_DO, NULL,
		    "\"%s\" listens for %s, and no server of that name is "
		    "known: relaypass patterns list tells which are, relaypass "
		    "patterns learn makes a pattern of its log",
		    l->program, services(l->services));
		return;
	}
	if (k->role == DOCTOR_MAIL)
		say(t, DOCTOR_GOOD, NULL,
		    "%s serves %s; its patterns are \"%s\"", k->label,
		    services(l->services), k->server);
	else
		say(t, DOCTOR_NOTE, NULL, "%s listens for %s", k->label,
		    services(l->services));
	if (k->note)
		say(t, DOCTOR_NOTE, NULL, "%s: %s", k->label, k->note);
}

static void check_server(const struct doctor_facts *f, struct telling *t)
{
	bool any = false;

	for (size_t i = 0; i < f->listener_count; i++) {
		if (!(f->listeners[i].services & (DOCTOR_POP3 | DOCTOR_IMAP)))
			continue;
		any = true;
		say_server(t, &f->listeners[i]);
	}
	if (f->hidden)
		say(t, DOCTOR_CANNOT, NULL,
		    "some listening programs cannot be seen by this user; run "
		    "it as root");
	else if (!any)
		say(t, sources(f) ? DOCTOR_NOTE : DOCTOR_DO, NULL,
		    "nothing on this machine listens at the ports 110, 143, "
		    "993 and 995: logins must be told by the machine that has "
		    "the mailboxes");
}

/* --- where the logins are ------------------------------------------------- */

/* "source maillog { ... }" for a path. */
static const char *source_lines(const char *path, char out[static LINES_SIZE])
{
	snprintf(out, LINES_SIZE,
	    "source maillog {\n\tkind = \"file\"\n\tpath = \"%s\"\n}\n", path);
	return out;
}

static void say_unreadable(const struct doctor_facts *f, struct telling *t,
    const struct doctor_log *log)
{
	const char *why = log->refused ? log->refused : strerror(log->error);

	if (!log->refused && log->error == EACCES && !f->root)
		say(t, DOCTOR_CANNOT, NULL,
		    "you cannot read %s; run doctor as root", log->path);
	else if (log->configured)
		say(t, DOCTOR_DO, NULL,
		    "relaypassd cannot read %s, which a source names: %s",
		    log->path, why);
	else if (log->refused)
		say(t, DOCTOR_NOTE, NULL, "relaypassd would not read %s: %s",
		    log->path, why);
	else
		say(t, DOCTOR_CANNOT, NULL, "%s cannot be read: %s", log->path,
		    why);
}

/* Only messages of the servers' own units are to be believed. "": none of them
 * is known. */
static const char *journal_lines(
    const struct doctor_facts *f, char out[static LINES_SIZE])
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < f->listener_count; i++) {
		const struct doctor_kind *k = f->listeners[i].kind;
		for (const char *p = k ? k->units : NULL; p && *p;) {
			int n = (int)strcspn(p, " ");
			used += (size_t)snprintf(out + used, LINES_SIZE - used,
			    "%s\"%.*s\"",
			    used ? ", "
				 : "source maillog {\n\tkind = \"journal\"\n"
				   "\tunits = { ",
			    n, p);
			p += n + (p[n] == ' ');
		}
	}
	if (used)
		snprintf(out + used, LINES_SIZE - used, " }\n}\n");
	return out;
}

static void say_where_dovecot_logs(
    const struct doctor_facts *f, struct telling *t)
{
	char path[DOCTOR_PATH_SIZE], facility[DOCTOR_NAME_SIZE];

	if (!doctor_dovecot_log(f, path, sizeof(path)))
		return;
	(void)doctor_setting(
	    f->dovecot, "syslog_facility", facility, sizeof(facility));
	if (strcmp(path, "syslog") != 0)
		say(t, DOCTOR_NOTE, NULL, "Dovecot logs to %s", path);
	else
		say(t, DOCTOR_NOTE, NULL,
		    "Dovecot logs through syslog, facility %s", facility);
}

/* Its logins go through syslog, or nobody told where. */
static bool may_log_to_journal(const struct doctor_facts *f)
{
	char path[DOCTOR_PATH_SIZE];

	return !doctor_dovecot_log(f, path, sizeof(path)) ||
	       strcmp(path, "syslog") == 0;
}

static void check_log(const struct doctor_facts *f, struct telling *t)
{
	const struct doctor_log *best = doctor_best_log(f);
	char lines[LINES_SIZE];

	say_where_dovecot_logs(f, t);
	for (size_t i = 0; i < f->log_count; i++)
		if (f->logs[i].refused || f->logs[i].error)
			say_unreadable(f, t, &f->logs[i]);
	if (best)
		say(t, DOCTOR_GOOD, NULL, "%s can be read and holds logins",
		    best->path);
	else if (f->journal && !sources(f))
		say(t, DOCTOR_DO, journal_lines(f, lines)[0] ? lines : NULL,
		    "no log file with logins was found; this machine keeps a "
		    "journal, which may have them");
	else if (!sources(f) && may_log_to_journal(f) &&
		 journal_lines(f, lines)[0])
		say(t, DOCTOR_DO, lines,
		    "no log file with logins was found; with systemd the "
		    "journal has them, else the server's own settings say "
		    "where it logs");
	else
		say(t, sources(f) ? DOCTOR_NOTE : DOCTOR_DO, NULL,
		    "no log file with logins was found; where the server logs, "
		    "its own settings say");
}

static void check_source(const struct doctor_facts *f, struct telling *t)
{
	const struct doctor_log *best = doctor_best_log(f);
	char lines[LINES_SIZE];

	if (!best && !sources(f))
		return; /* the log check has said it */
	if (best && best->configured)
		say(t, DOCTOR_GOOD, NULL, "%s is a source", best->path);
	else if (best)
		say(t, sources(f) ? DOCTOR_NOTE : DOCTOR_DO,
		    source_lines(best->path, lines),
		    "%s holds logins and is no source", best->path);
	else
		say(t, DOCTOR_GOOD, NULL, "logins come from %zu %s", sources(f),
		    sources(f) == 1 ? "source" : "sources");
}

/* --- the last hour -------------------------------------------------------- */

/* "3 private-address, 2 no-tls"; "" when all made leases. */
static void print_reasons(
    const struct doctor_logins *found, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (int j = JUDGE_LEASE + 1; j < JUDGE_COUNT && used < size; j++) {
		if (!found->judged[j])
			continue;
		used += (size_t)snprintf(out + used, size - used, "%s%llu %s",
		    used ? ", " : "", (unsigned long long)found->judged[j],
		    rules_reason((enum judgement)j));
	}
}

static void say_logins(struct telling *t, const struct doctor_log *log)
{
	const struct doctor_logins *found = &log->found;
	char reasons[300];

	print_reasons(found, reasons, sizeof(reasons));
	say(t, DOCTOR_GOOD, NULL,
	    "%llu %s of the last hour matched (%s), %llu of them would make a "
	    "lease",
	    (unsigned long long)found->logins,
	    found->logins == 1 ? "login" : "logins", found->servers,
	    (unsigned long long)found->leases);
	if (reasons[0])
		say(t, DOCTOR_NOTE, NULL, "logins that make none: %s", reasons);
	if (found->near[0])
		say(t, DOCTOR_NOTE, NULL,
		    "%s also holds lines that only look like logins:\n%s",
		    log->path, found->near);
}

static void say_silence(const struct doctor_facts *f, struct telling *t,
    const struct doctor_log *log)
{
	char span[CLI_SPAN_SIZE];

	if (log->found.near[0])
		say(t, DOCTOR_DO, NULL,
		    "no login of the last hour matched in %s, and there are "
		    "lines that look like some:\n%s",
		    log->path, log->found.near);
	else if (log->found.last)
		say(t, DOCTOR_NOTE, NULL,
		    "%s holds no login of the last hour; the newest is %s old",
		    log->path,
		    cli_span((f->now.wall - log->found.last) / 1000, span));
	else
		say(t, DOCTOR_DO, NULL,
		    "%s, which is a source, holds no login at all", log->path);
}

static void check_logins(const struct doctor_facts *f, struct telling *t)
{
	const struct doctor_log *best = doctor_best_log(f);

	/* The same lines often stand in several files: one is enough. */
	for (size_t i = 0; i < f->log_count; i++) {
		const struct doctor_log *log = &f->logs[i];
		if (log->refused || log->error ||
		    (best && log != best && !log->configured))
			continue;
		if (log->found.logins)
			say_logins(t, log);
		else if (best || log->configured || log->found.near[0])
			say_silence(f, t, log);
	}
}

/* --- clocks --------------------------------------------------------------- */

static void say_stamp(const struct doctor_facts *f, struct telling *t,
    const struct doctor_log *log)
{
	int64_t off = log->last_stamp - log->changed;
	int64_t skew = rules_max_skew(f->rules);
	char span[CLI_SPAN_SIZE];

	if (log->changed > f->now.wall + skew)
		say(t, DOCTOR_DO, NULL,
		    "%s was written %s after now: this machine's clock is "
		    "wrong, or was",
		    log->path,
		    cli_span((log->changed - f->now.wall) / 1000, span));
	else if (off > skew || off < -skew)
		say(t, DOCTOR_DO, NULL,
		    "the last stamp in %s is %s %s than the moment it was "
		    "written: who writes it has another clock or another time "
		    "zone, and its logins count as %s",
		    log->path, cli_span((off > 0 ? off : -off) / 1000, span),
		    off > 0 ? "later" : "earlier",
		    off > 0 ? "too far ahead" : "old");
	else
		say(t, DOCTOR_GOOD, NULL,
		    "the stamps in %s agree with this machine's clock",
		    log->path);
}

static void check_clock(const struct doctor_facts *f, struct telling *t)
{
	const struct doctor_log *best = doctor_best_log(f);

	for (size_t i = 0; i < f->log_count; i++)
		if (f->logs[i].last_stamp &&
		    (&f->logs[i] == best || f->logs[i].configured))
			say_stamp(f, t, &f->logs[i]);
}

/* --- all ------------------------------------------------------------------ */

static const struct {
	const char *name, *question;
	check_fn *run;
} checks[] = {
	{ "config", "Is there a good configuration?", check_config },
	{ "daemon", "Does relaypassd run?", check_daemon },
	{ "server", "Which servers do people log in to?", check_server },
	{ "log", "Where do they log, and may it be read?", check_log },
	{ "source", "Does relaypass read it?", check_source },
	{ "logins", "Were there logins, and did they match?", check_logins },
	{ "clock", "Do the clocks agree?", check_clock },
	{ "private", "Do clients have addresses of their own?", check_private },
	{ "proxy", "Does one address speak for many?", check_proxy },
	{ "shared", "Do users share addresses?", check_shared },
	{ "ipv6", "Do clients use IPv6?", check_ipv6 },
	{ "ttl", "Are leases short?", check_ttl },
	{ "names", "Which user names does Dovecot take?", check_names },
	{ "trusted", "Who may tell Dovecot a client's address?",
	    check_trusted },
	{ "backends", "Does Dovecot hand sessions on?", check_backends },
	{ "passwords", "Does Dovecot let any password in?", check_passwords },
	{ "format", "Does Dovecot log in its own words?", check_format },
	{ "plugin", "Does Dovecot tell relaypass itself?", check_plugin },
	{ "auth", "Could clients do without relaypass?", check_auth },
	{ "smtp", "Does the SMTP server ask relaypass?", check_smtp },
	{ "maps", "Can the SMTP server read its maps?", check_maps },
	{ "databases", "Are the databases as they must be?", check_databases },
	{ "lag", "Do exports and sources keep up?", check_lag },
	{ "qmail", "Does qmail know its own domains?", check_qmail },
};

const char *doctor_question(const char *check)
{
	for (size_t i = 0; i < COUNT_OF(checks); i++)
		if (!strcmp(checks[i].name, check))
			return checks[i].question;
	return "";
}

int doctor_check_all(
    const struct doctor_facts *f, doctor_tell_fn *tell, void *ctx)
{
	struct telling t = { .tell = tell, .ctx = ctx };

	for (size_t i = 0; i < COUNT_OF(checks); i++) {
		t.check = checks[i].name;
		checks[i].run(f, &t);
	}
	if (t.said[DOCTOR_DO])
		return EXIT_NO;
	return t.said[DOCTOR_CANNOT] ? EXIT_AGAIN : EXIT_YES;
}
