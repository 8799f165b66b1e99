/* SPDX-License-Identifier: ISC */
/*
 * doctor_servers - how Dovecot and Postfix are set up, by what doveconf and
 * postconf say. Called by: doctor_checks.c.
 */
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"
#include "doctor_private.h"

enum {
	VALUE_SIZE = 4096,
	WIDE_IPV4 = 96 + 24, /* a network with more than these bits is narrow */
	WIDE_IPV6 = 64
};

/* False: Dovecot is not here; or it says nothing, which is told. */
static bool dovecot_tells(const struct doctor_facts *f, struct telling *t)
{
	if (!doctor_runs(f, "Dovecot"))
		return false;
	if (!f->dovecot[0])
		say(t, DOCTOR_CANNOT, NULL, "doveconf told nothing");
	return f->dovecot[0] != '\0';
}

/* --- names ---------------------------------------------------------------- */

void check_names(const struct doctor_facts *f, struct telling *t)
{
	char chars[VALUE_SIZE];

	if (!dovecot_tells(f, t))
		return;
	if (!doctor_setting(
		f->dovecot, "auth_username_chars", chars, sizeof(chars)))
		say(t, DOCTOR_CANNOT, NULL,
		    "doveconf does not tell auth_username_chars");
	else if (!chars[0])
		say(t, DOCTOR_DO,
		    "# dovecot.conf\nauth_username_chars = "
		    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		    "01234567890.-_@\n",
		    "auth_username_chars is empty: names may hold anything, "
		    "and Dovecot writes them into its log as they are");
	else if (strpbrk(chars, "<>,=()[] \t"))
		say(t, DOCTOR_NOTE, NULL,
		    "auth_username_chars allows signs that Dovecot's own log "
		    "lines are made of; relaypass reads such lines from their "
		    "end, but other programs may not");
	else
		say(t, DOCTOR_GOOD, NULL,
		    "auth_username_chars keeps names apart from the log's own "
		    "words");
}

/* --- who names the address ------------------------------------------------ */

/* Whether a list holds a network of many hosts, or something unreadable. */
static bool is_wide(const char *list)
{
	for (const char *p = list; *p;) {
		size_t n = strcspn(p, " ,");
		struct net net;

		if (n && (!net_parse(p, n, &net) ||
			     net.bits < (addr_is_ipv4(&net.addr) ? WIDE_IPV4
								 : WIDE_IPV6)))
			return true;
		p += n + strspn(p + n, " ,");
	}
	return false;
}

void check_trusted(const struct doctor_facts *f, struct telling *t)
{
	static const char *const names[] = { "login_trusted_networks",
		"haproxy_trusted_networks" };
	char list[VALUE_SIZE];
	bool any = false;

	if (!dovecot_tells(f, t))
		return;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (!doctor_setting(f->dovecot, names[i], list, sizeof(list)) ||
		    !list[0])
			continue;
		any = true;
		say(t, is_wide(list) ? DOCTOR_DO : DOCTOR_NOTE, NULL,
		    "%s = %s: any host there can give a login any address; %s",
		    names[i], list,
		    is_wide(list) ? "name your proxies and webmail hosts alone"
				  : "be sure of each of them");
	}
	if (!any)
		say(t, DOCTOR_GOOD, NULL,
		    "no host may tell Dovecot another address than its own");
}

void check_backends(const struct doctor_facts *f, struct telling *t)
{
	static const char *const words[] = { "proxy=y", "proxy = y",
		"proxy_maybe", "director_servers = " };

	if (!doctor_runs(f, "Dovecot") || !f->dovecot_set[0])
		return;
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (!strstr(f->dovecot_set, words[i]))
			continue;
		say(t, DOCTOR_NOTE, NULL,
		    "Dovecot is a proxy here (%s): its log has the clients' "
		    "addresses. The servers behind it log this machine's, "
		    "unless they have it in login_trusted_networks",
		    words[i]);
		return;
	}
	say(t, DOCTOR_GOOD, NULL, "Dovecot serves the mailboxes itself");
}

static bool has_source(const struct doctor_facts *f, const char *kind)
{
	for (size_t i = 0; i < conf_count(f->conf, "source"); i++)
		if (!strcmp(conf_kind(conf_at(f->conf, "source", i)), kind))
			return true;
	return false;
}

/* Only what stands in Dovecot's own files: a database may say it too. */
void check_passwords(const struct doctor_facts *f, struct telling *t)
{
	if (!strstr(f->dovecot_set, "nopassword"))
		return;
	if (has_source(f, "http"))
		say(t, DOCTOR_DO, NULL,
		    "a passdb of Dovecot has nopassword: with any password it "
		    "reports a login over HTTP, before the server behind it "
		    "has judged; remove the http source, and read the log");
	else
		say(t, DOCTOR_NOTE, NULL,
		    "a passdb of Dovecot has nopassword: it takes any "
		    "password. Where it is a proxy read its log, never an "
		    "http source; where it serves mailboxes believe none of "
		    "its logins");
}

/* --- its words ------------------------------------------------------------ */

void check_format(const struct doctor_facts *f, struct telling *t)
{
	/* 2.3 and before; 2.4. */
	static const char *const own[][2] = {
		{ "%$: %s", "%{message}: %{elements}" },
		{ "user=<%u> method=%m rip=%r lip=%l mpid=%e %c "
		  "session=<%{session}>",
		    "user=<%{user}> method=%{mechanism} rip=%{remote_ip} "
		    "lip=%{local_ip} mpid=%{mail_pid} %{secured} "
		    "session=<%{session}>" },
	};
	static const char *const names[] = { "login_log_format",
		"login_log_format_elements" };
	const struct doctor_log *best = doctor_best_log(f);
	char value[VALUE_SIZE];
	bool good = true;

	if (!dovecot_tells(f, t))
		return;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (!doctor_setting(
			f->dovecot, names[i], value, sizeof(value)) ||
		    !strcmp(value, own[i][0]) || !strcmp(value, own[i][1]))
			continue;
		good = false;
		say(t, best && best->found.logins ? DOCTOR_NOTE : DOCTOR_DO,
		    NULL,
		    "%s is not Dovecot's own; lines that differ from it match "
		    "nothing",
		    names[i]);
	}
	if (good)
		say(t, DOCTOR_GOOD, NULL, "the login lines are Dovecot's own");
}

/* --- the plugin ----------------------------------------------------------- */

/* "  mail_plugins = quota relaypass"; 2.4 has a block with "relaypass = yes".
 */
static bool has_plugin(const char *set)
{
	for (const char *p = set; *p;) {
		size_t len = strcspn(p, "\n");
		AUTO_FREE char *line = xstrndup(p, len);
		const char *name = strstr(line, "mail_plugins");
		const char *word = strstr(line, "relaypass");

		if (word && ((name && name < word) ||
				strcmp(word, "relaypass = yes") == 0))
			return true;
		p += len + (p[len] == '\n');
	}
	return false;
}

void check_plugin(const struct doctor_facts *f, struct telling *t)
{
	if (!has_plugin(f->dovecot_set))
		return;
	if (has_source(f, "notify")) {
		say(t, DOCTOR_GOOD, NULL,
		    "Dovecot has the relaypass plugin, and a source hears it");
		return;
	}
	say(t, DOCTOR_DO,
	    "source dovecot {\n\tkind = \"notify\"\n"
	    "\t# the user of the mail processes; see "
	    "docs/sources/dovecot-plugin.md\n"
	    "\tallow-uid = { \"vmail\" }\n}\n",
	    "Dovecot has the relaypass plugin, and no source hears it");
}

/* --- SMTP ----------------------------------------------------------------- */

void check_auth(const struct doctor_facts *f, struct telling *t)
{
	char value[VALUE_SIZE];

	if (doctor_setting(
		f->postfix, "smtpd_sasl_auth_enable", value, sizeof(value)) &&
	    !strcmp(value, "yes"))
		say(t, DOCTOR_NOTE, NULL,
		    "Postfix offers SMTP AUTH already, which proves who sends "
		    "each mail: keep relaypass for the devices that cannot");
}

#define POSTFIX_LISTENER                                                       \
	"listener postfix {\n"                                                 \
	"\tkind = \"postfix-policy\"\n"                                        \
	"\tlisten = \"unix:/var/spool/postfix/relaypass/policy\"\n"            \
	"\tgroup = \"postfix\"\n"                                              \
	"}\n"
#define POSTFIX_MAIN                                                           \
	"# main.cf, in smtpd_relay_restrictions, before its last word\n"       \
	"# (examples/postfix-main.cf.snippet has it whole):\n"                 \
	"#   check_policy_service { unix:relaypass/policy,\n"                  \
	"#       default_action=DUNNO, timeout=3s, try_limit=1 },\n"

/* The restriction in which Postfix asks; NULL: in none. */
static const char *asked_in(const struct doctor_facts *f)
{
	static const char *const names[] = { "smtpd_relay_restrictions",
		"smtpd_recipient_restrictions" };
	char value[VALUE_SIZE];

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (doctor_setting(
			f->postfix, names[i], value, sizeof(value)) &&
		    strstr(value, "relaypass"))
			return names[i];
	return NULL;
}

static bool answers_postfix(const struct doctor_facts *f)
{
	static const char *const kinds[] = { "postfix-policy", "socketmap",
		"tcp-table" };

	for (size_t i = 0; i < conf_count(f->conf, "listener"); i++) {
		const char *kind = conf_kind(conf_at(f->conf, "listener", i));
		for (size_t j = 0; j < COUNT_OF(kinds); j++)
			if (!strcmp(kind, kinds[j]))
				return true;
	}
	return false;
}

static void say_postfix(const struct doctor_facts *f, struct telling *t)
{
	const char *name = asked_in(f);

	if (!f->postfix[0])
		say(t, DOCTOR_CANNOT, NULL, "postconf told nothing");
	else if (!name)
		say(t, DOCTOR_DO,
		    answers_postfix(f) ? POSTFIX_MAIN
				       : POSTFIX_LISTENER POSTFIX_MAIN,
		    "Postfix does not ask relaypass");
	else if (!answers_postfix(f))
		say(t, DOCTOR_DO, POSTFIX_LISTENER,
		    "Postfix asks relaypass in %s, and relaypass has no "
		    "listener that would answer it",
		    name);
	else
		say(t, DOCTOR_GOOD, NULL, "Postfix asks relaypass in %s", name);
}

void check_smtp(const struct doctor_facts *f, struct telling *t)
{
	if (rules_mode(f->rules) != MODE_ENFORCE)
		say(t, DOCTOR_NOTE, NULL,
		    "the configuration's mode is %s: nobody relays by a lease",
		    rules_mode(f->rules) == MODE_OBSERVE ? "observe" : "off");
	for (size_t i = 0; i < f->listener_count; i++) {
		const struct doctor_listener *l = &f->listeners[i];
		if (!(l->services & DOCTOR_SMTP_PORT) || !l->kind)
			continue;
		if (!strcmp(l->kind->label, "Postfix"))
			say_postfix(f, t);
		else if (!conf_count(f->conf, "listener"))
			say(t, DOCTOR_DO, NULL,
			    "%s listens for mail, and relaypass has no "
			    "listener that it could ask",
			    l->kind->label);
		else
			say(t, DOCTOR_NOTE, NULL,
			    "%s listens for mail; whether it asks relaypass "
			    "cannot be seen from here",
			    l->kind->label);
	}
}
