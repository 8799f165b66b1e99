/* SPDX-License-Identifier: ISC */
/*
 * doctor_addresses - what an address proves on this machine: the risks of
 * docs/should-you.md that the last hour's logins show. Called by:
 * doctor_checks.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli.h"
#include "doctor_private.h"

enum {
	PROXY_LOGINS = 20, /* fewer say nothing */
	PROXY_PERCENT = 80,
	SHARED_USERS = 5,
	TTL_LONG_MS = 2 * 3600 * 1000,
	LINES_SIZE = 300,
	PERCENT = 100,
	ONE_ADDRESS = 128 /* ipv6-prefix */
};

/* Options for the section lease, one a line: the section may stand in the file
 * once. Returns out. */
static const char *lease_lines(const struct doctor_facts *f,
    char out[static LINES_SIZE], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static const char *lease_lines(const struct doctor_facts *f,
    char out[static LINES_SIZE], const char *format, ...)
{
	int line = conf_line(conf_at(f->conf, "lease", 0));
	char *at = out, *end = out + LINES_SIZE;
	va_list args;

	if (line)
		at += snprintf(
		    at, LINES_SIZE, "# in section lease (line %d):\n\t", line);
	else
		at += snprintf(at, LINES_SIZE, "lease {\n\t");
	va_start(args, format);
	at += vsnprintf(at, (size_t)(end - at), format, args);
	va_end(args);
	must(at < end);
	(void)snprintf(at, (size_t)(end - at), line ? "\n" : "\n}\n");
	return out;
}

static const struct doctor_logins *last_hour(const struct doctor_facts *f)
{
	const struct doctor_log *best = doctor_best_log(f);

	return best && best->found.logins ? &best->found : NULL;
}

void check_private(const struct doctor_facts *f, struct telling *t)
{
	const struct doctor_logins *found = last_hour(f);
	char lines[LINES_SIZE];

	if (!found)
		return;
	if (found->judged[JUDGE_PRIVATE] < found->logins)
		say(t, DOCTOR_GOOD, NULL,
		    "not all logins come from private addresses");
	else if (found->addresses == 1)
		say(t, DOCTOR_DO, NULL,
		    "all %llu logins come from %s: a container's gateway or a "
		    "balancer hides the clients, and a lease for it would be "
		    "for everybody. Give the mail server its clients' "
		    "addresses (host networking, or the PROXY protocol)",
		    (unsigned long long)found->logins, found->most_address);
	else
		say(t, DOCTOR_DO,
		    lease_lines(f, lines,
			"# only the networks of your own clients\n"
			"\tprivate = { \"192.168.1.0/24\" }"),
		    "all %llu logins come from private addresses (%zu of "
		    "them), which get no lease unless their network is named",
		    (unsigned long long)found->logins, found->addresses);
}

void check_proxy(const struct doctor_facts *f, struct telling *t)
{
	const struct doctor_logins *found = last_hour(f);
	char lines[LINES_SIZE];

	if (!found || found->addresses < 2)
		return;
	if (found->logins < PROXY_LOGINS ||
	    found->most_logins * PERCENT / found->logins < PROXY_PERCENT) {
		say(t, DOCTOR_GOOD, NULL,
		    "no single address made most of the logins");
		return;
	}
	if (found->judged[JUDGE_PROXY] + found->judged[JUDGE_OWN] +
		found->judged[JUDGE_NEVER] + found->judged[JUDGE_SPECIAL] >=
	    found->most_logins)
		say(t, DOCTOR_GOOD, NULL,
		    "%s made %llu of %llu logins, and gets no lease",
		    found->most_address, (unsigned long long)found->most_logins,
		    (unsigned long long)found->logins);
	else
		say(t, DOCTOR_DO,
		    lease_lines(
			f, lines, "proxy = { \"%s\" }", found->most_address),
		    "%s made %llu of %llu logins: if that is webmail or a "
		    "proxy, name it",
		    found->most_address, (unsigned long long)found->most_logins,
		    (unsigned long long)found->logins);
}

void check_shared(const struct doctor_facts *f, struct telling *t)
{
	const struct doctor_logins *found = last_hour(f);
	char lines[LINES_SIZE];

	if (!found)
		return;
	if (found->shared_users < SHARED_USERS)
		say(t, DOCTOR_GOOD, NULL,
		    "no address was used by more than %zu user%s in an hour",
		    found->shared_users, found->shared_users == 1 ? "" : "s");
	else
		say(t, DOCTOR_NOTE,
		    lease_lines(f, lines, "max-users-per-address = 20"),
		    "%zu users logged in from %s within the hour: an office, a "
		    "hotspot or a carrier shares it, and while one of them "
		    "holds a lease, all may relay; a limit finds such "
		    "addresses",
		    found->shared_users, found->shared_address);
}

/* An export whose readers look single addresses up, so that it has no form for
 * networks; NULL: there is none. */
static const struct conf_section *without_networks(const struct conf *conf)
{
	static const char *const kinds[] = { "sql", "drac", "lmdb",
		"berkeley-hash", "berkeley-btree", "cdb", "tcprules", "dsearch",
		"relay-ctrl" };
	size_t count = conf_count(conf, "export");

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < COUNT_OF(kinds); k++) {
			const struct conf_section *s =
			    conf_at(conf, "export", i);

			if (strcmp(conf_kind(s), kinds[k]) == 0)
				return s;
		}
	return NULL;
}

void check_ipv6(const struct doctor_facts *f, struct telling *t)
{
	const struct doctor_logins *found = last_hour(f);
	const struct conf_section *bare = without_networks(f->conf);
	char lines[LINES_SIZE];

	if (!found || !found->ipv6)
		return;
	if (rules_ipv6_prefix(f->rules) < ONE_ADDRESS)
		say(t, DOCTOR_GOOD, NULL, "IPv6 leases cover a /%u",
		    rules_ipv6_prefix(f->rules));
	else if (bare)
		say(t, DOCTOR_NOTE, NULL,
		    "%llu logins came by IPv6, and clients change such "
		    "addresses daily and by destination; but leave ipv6-prefix "
		    "at 128: export %s (kind %s) leaves networks out, and "
		    "would lose all IPv6 leases",
		    (unsigned long long)found->ipv6, conf_name(bare),
		    conf_kind(bare));
	else
		say(t, DOCTOR_NOTE, lease_lines(f, lines, "ipv6-prefix = 64"),
		    "%llu logins came by IPv6, and clients change such "
		    "addresses daily and by destination: a lease for the "
		    "network, usually one customer, is used more surely",
		    (unsigned long long)found->ipv6);
}

void check_ttl(const struct doctor_facts *f, struct telling *t)
{
	int64_t ttl = rules_ttl(f->rules);
	char span[CLI_SPAN_SIZE], lines[LINES_SIZE];

	cli_span(ttl / 1000, span);
	if (ttl <= TTL_LONG_MS)
		say(t, DOCTOR_GOOD, NULL, "a lease lasts %s", span);
	else
		say(t, DOCTOR_DO, lease_lines(f, lines, "ttl = \"30m\""),
		    "a lease lasts %s, and whoever gets the address next has "
		    "what is left of it; mail programs poll every few minutes",
		    span);
}
