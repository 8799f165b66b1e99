/* SPDX-License-Identifier: ISC */
/*
 * gen_maillog - writes a mail log of a given size to stdout, the same bytes for
 * the same options, and what it must give as JSON to stderr. For bench/match,
 * bench/replay and whoever needs a large log.
 *
 *   bench-gen-maillog [--mb 512] [--seed 1] [--ips 100000] [--ipv6 25]
 *     [--login-pct 13] [--format bsd|rfc3339|rfc5424|dovecot]
 *     [--mix reference|storm|nologin|hostile|unknown] [--end UNIXTIME]
 *
 * The reference mix has the shares of a usual site: 13 % logins (mostly
 * Dovecot), 1 % logouts, 6 % failed ones, the rest Postfix, rspamd, LMTP, cron.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINE_SIZE = 70000, PER_SECOND = 40 };

enum format { BSD, RFC3339, RFC5424, DOVECOT };
enum mix { REFERENCE, STORM, NOLOGIN, HOSTILE, UNKNOWN };

struct gen {
	uint64_t state; /* of the random numbers */
	enum format format;
	enum mix mix;
	unsigned ips, ipv6, login_pct;
	unsigned client; /* of this line: 0 to ips - 1 */
	uint64_t bytes, lines, logins, logouts, want;
	time_t now;
	char stamp[64];
	char line[LINE_SIZE];
	size_t used;
};

static uint64_t next(struct gen *g)
{
	uint64_t x = g->state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	g->state = x;
	return x * 0x2545F4914F6CDD1D >> 16;
}

static unsigned pick(struct gen *g, unsigned n)
{
	return (unsigned)(next(g) % n);
}

__attribute__((format(printf, 2, 3))) static void add(
    struct gen *g, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(g->line + g->used, LINE_SIZE - g->used, format, ap);
	va_end(ap);
	g->used += (size_t)n;
	if (g->used > LINE_SIZE - 1)
		g->used = LINE_SIZE - 1;
}

static const char *const users[] = { "anna", "bernd", "carla", "dieter.maier",
	"eva", "frank", "gerda-bauer", "hans", "info", "jutta", "kontakt",
	"lager2", "maria", "norbert", "office", "petra" };
static const char *const domains[] = { "example.org", "example.net",
	"mail.example.com", "sub.example.edu" };

/* Behind an address sits mostly one user, and sometimes a second. */
static void add_user(struct gen *g)
{
	unsigned n = 2 * g->client + (pick(g, 10) == 0);

	add(g, "%s%u@%s", users[n % 16], n / 16, domains[n / 2 % 4]);
}

/* A client: the same address has always the same kind. */
static void add_ip(struct gen *g, int mapped)
{
	unsigned n = g->client;

	if (n % 100 < g->ipv6)
		add(g, "2001:db8:%x:%x::%x", n >> 8 & 0xffff, n & 0xff,
		    n % 7 + 1);
	else
		add(g, "%s%u.%u.%u.%u", mapped ? "::ffff:" : "",
		    20 + (n >> 16) % 60, n >> 8 & 0xff, n & 0xff, n % 250 + 1);
}

static void add_session(struct gen *g)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn"
				     "opqrstuvwxyz0123456789+/";

	for (int i = 0; i < 16; i++)
		add(g, "%c", digits[pick(g, 64)]);
}

/* Everything before the message. pid 0: none. */
static void head(struct gen *g, const char *program, unsigned pid)
{
	char number[16] = "";

	g->used = 0;
	g->client = pick(g, g->ips);
	if (g->lines % PER_SECOND == 0) {
		struct tm tm;

		g->now++;
		gmtime_r(&g->now, &tm);
		strftime(g->stamp, sizeof(g->stamp),
		    g->format == RFC3339 || g->format == RFC5424
			? "%Y-%m-%dT%H:%M:%S"
			: "%b %e %H:%M:%S",
		    &tm);
	}
	if (pid)
		snprintf(number, sizeof(number), "[%u]", pid);
	switch (g->format) {
	case BSD:
		add(g, "%s mx1 %s%s: ", g->stamp, program, number);
		break;
	case RFC3339:
		add(g, "%s.%06u+00:00 mx1 %s%s: ", g->stamp, pick(g, 1000000),
		    program, number);
		break;
	case RFC5424:
		add(g, "<22>1 %s.%06u+00:00 mx1 %s ", g->stamp,
		    pick(g, 1000000), program);
		add(g, pid ? "%u - -  " : "- - -  ", pid);
		break;
	case DOVECOT:
		add(g, "%s ", g->stamp);
		break;
	}
}

static void finish(struct gen *g)
{
	g->line[g->used++] = '\n';
	fwrite(g->line, 1, g->used, stdout);
	g->bytes += g->used;
	g->lines++;
}

static const char *info(const struct gen *g)
{
	return g->format == DOVECOT ? "Info: " : "";
}

static void dovecot_login(struct gen *g)
{
	head(g, "dovecot", 0);
	add(g, "%s-login: %sLogin: user=<", pick(g, 4) ? "imap" : "pop3",
	    info(g));
	add_user(g);
	add(g, ">, method=PLAIN, rip=");
	add_ip(g, 0);
	add(g, ", lip=198.51.100.1, mpid=%u%s, session=<",
	    pick(g, 4000000) + 100, pick(g, 8) ? ", TLS" : "");
	add_session(g);
	add(g, ">");
	g->logins++;
	finish(g);
}

static void courier_login(struct gen *g)
{
	head(g, pick(g, 2) ? "imapd-ssl" : "pop3d", 0);
	add(g, "LOGIN, user=");
	add_user(g);
	add(g, ", ip=[");
	add_ip(g, 1);
	add(g, "], port=[%u], protocol=%s", 1024 + pick(g, 60000), "IMAP");
	g->logins++;
	finish(g);
}

static void cyrus_login(struct gen *g)
{
	head(g, pick(g, 2) ? "cyrus/imaps" : "cyrus/pop3",
	    1000 + pick(g, 30000));
	/* RFC 5424 output keeps no service name; here it does. */
	add(g, "login: c%u.dyn.example.net [", pick(g, 10000));
	add_ip(g, 0);
	add(g, "] ");
	add_user(g);
	add(g, " plaintext+TLS User logged in SESSIONID=<mx1-%u-%u-1>",
	    pick(g, 40000), pick(g, 1000000));
	g->logins++;
	finish(g);
}

static void login(struct gen *g)
{
	unsigned n = g->format == DOVECOT ? 0 : pick(g, 130);

	if (n < 106)
		dovecot_login(g);
	else if (n < 118)
		courier_login(g);
	else
		cyrus_login(g);
}

static void logout(struct gen *g)
{
	head(g, "dovecot", 0);
	add(g, "imap(");
	add_user(g);
	add(g, ")<%u><", pick(g, 4000000));
	add_session(g);
	add(g,
	    ">: %sDisconnected: Logged out in=%u out=%u deleted=0 "
	    "expunged=0 trashed=0 hdr_count=%u hdr_bytes=%u",
	    info(g), pick(g, 9000), pick(g, 90000), pick(g, 90), pick(g, 9000));
	g->logouts++;
	finish(g);
}

static void failure(struct gen *g)
{
	head(g, "dovecot", 0);
	add(g,
	    "imap-login: %sDisconnected: Connection closed (auth failed, %u "
	    "attempts in %u secs): user=<",
	    info(g), 1 + pick(g, 4), pick(g, 30));
	add_user(g);
	add(g, ">, method=PLAIN, rip=");
	add_ip(g, 0);
	add(g, ", lip=198.51.100.1, TLS, session=<");
	add_session(g);
	add(g, ">");
	finish(g);
}

static void other_dovecot(struct gen *g)
{
	head(g, "dovecot", 0);
	add(g, "lmtp(");
	add_user(g);
	add(g, ")<%u><", pick(g, 4000000));
	add_session(g);
	add(g, ">: %smsgid=<%" PRIx64 "@%s>: saved mail to INBOX", info(g),
	    next(g), domains[pick(g, 4)]);
	finish(g);
}

static void postfix_queue(struct gen *g)
{
	head(g, "postfix/qmgr", 700 + pick(g, 9));
	add(g, "%010" PRIX64 ": from=<", next(g) & 0xffffffffff);
	add_user(g);
	add(g, ">, size=%u, nrcpt=1 (queue active)", pick(g, 900000));
	finish(g);
}

static void postfix_smtp(struct gen *g)
{
	head(g, "postfix/smtp", 1000 + pick(g, 30000));
	add(g, "%010" PRIX64 ": to=<", next(g) & 0xffffffffff);
	add_user(g);
	add(g, ">, relay=mx%u.example.com[", pick(g, 9));
	add_ip(g, 0);
	add(g,
	    "]:25, delay=%u.%u, delays=0.05/0.01/0.4/0.%u, dsn=2.0.0, "
	    "status=sent (250 2.0.0 Ok: queued as %010" PRIX64 ")",
	    pick(g, 9), pick(g, 90), pick(g, 90), next(g) & 0xffffffffff);
	finish(g);
}

static void postfix_smtpd(struct gen *g)
{
	head(g, "postfix/smtpd", 1000 + pick(g, 30000));
	add(g, "NOQUEUE: reject: RCPT from unknown[");
	add_ip(g, 0);
	add(g, "]: 554 5.7.1 <someone@example.net>: Relay access denied; "
	       "from=<");
	add_user(g);
	add(g, "> to=<someone@example.net> proto=ESMTP helo=<mail%u.example>",
	    pick(g, 900));
	finish(g);
}

static void rspamd(struct gen *g)
{
	head(g, "rspamd", 400 + pick(g, 4));
	add(g,
	    "<%06" PRIx64 ">; task; rspamd_task_write_log: id: <%" PRIx64
	    "@%s>, qid: <%010" PRIX64 ">, ip: ",
	    next(g) & 0xffffff, next(g), domains[pick(g, 4)],
	    next(g) & 0xffffffffff);
	add_ip(g, 0);
	add(g, ", from: <");
	add_user(g);
	add(g,
	    ">, (default: F (no action): [-%u.%u/15.00] [DKIM_ALLOW,"
	    "SPF_ALLOW,R_DUMMY,MIME_GOOD,ARC_NA,FROM_HAS_DN,TO_DN_NONE]), "
	    "len: %u, time: %u.%ums",
	    pick(g, 9), pick(g, 90), pick(g, 90000), pick(g, 900),
	    pick(g, 900));
	finish(g);
}

static void cron(struct gen *g)
{
	head(g, "CRON", 1000 + pick(g, 30000));
	add(g, "(root) CMD (test -x /usr/sbin/anacron || run-parts --report "
	       "/etc/cron.hourly)");
	finish(g);
}

static void noise(struct gen *g)
{
	unsigned n = pick(g, 100);

	if (g->format == DOVECOT || n < 10)
		other_dovecot(g);
	else if (n < 28)
		postfix_queue(g);
	else if (n < 60)
		postfix_smtp(g);
	else if (n < 78)
		postfix_smtpd(g);
	else if (n < 96)
		rspamd(g);
	else
		cron(g);
}

/* What strangers can make a server write: bait, cut lines, odd bytes. */
static void hostile(struct gen *g)
{
	unsigned n = pick(g, 8), count = 20 + pick(g, 250);

	head(g, "dovecot", 0);
	add(g, "imap-login: Login: user=<");
	for (unsigned i = 0; i < count; i++)
		add(g, n == 0   ? ">, method=PLAIN, rip=192.0.2.66"
		       : n == 1 ? ">, method="
		       : n == 2 ? ">>>>>>>>"
		       : n == 3 ? ">, method=A, rip=1, lip=1, mpid=1"
		       : n == 4 ? ", session=<"
				: "x>, method=PLAIN, rip=1.1.1.1, lip=1.1.1.1, "
				  "TLS, session=<");
	if (n == 6)
		g->line[g->used / 2] = 0;
	if (n == 7)
		for (int i = 0; i < 60; i++)
			add(g, "%0999d", 0);
	finish(g);
}

static void reference_line(struct gen *g)
{
	unsigned n = pick(g, 100);

	if (n < g->login_pct)
		login(g);
	else if (n < g->login_pct + 1)
		logout(g);
	else if (n < g->login_pct + 7)
		failure(g);
	else
		noise(g);
}

static void one_line(struct gen *g)
{
	switch (g->mix) {
	case REFERENCE:
		reference_line(g);
		return;
	case STORM:
		login(g);
		return;
	case NOLOGIN:
		noise(g);
		return;
	case HOSTILE:
		hostile(g);
		return;
	case UNKNOWN:
		(pick(g, 2) ? postfix_smtp : postfix_queue)(g);
		return;
	}
}

static int word(const char *given, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(given, words[i]))
			return i;
	fprintf(stderr, "gen_maillog: \"%s\" is none of my words\n", given);
	exit(100);
}

int main(int argc, char **argv)
{
	static const char *const formats[] = { "bsd", "rfc3339", "rfc5424",
		"dovecot", NULL };
	static const char *const mixes[] = { "reference", "storm", "nologin",
		"hostile", "unknown", NULL };
	static const struct option options[] = { { "mb", 1, 0, 'm' },
		{ "seed", 1, 0, 's' }, { "ips", 1, 0, 'i' },
		{ "ipv6", 1, 0, '6' }, { "login-pct", 1, 0, 'l' },
		{ "format", 1, 0, 'f' }, { "mix", 1, 0, 'x' },
		{ "end", 1, 0, 'e' }, { 0 } };
	static struct gen g = { .ips = 100000, .ipv6 = 25, .login_pct = 13 };
	uint64_t seed = 1, mb = 512;
	long end = 1795197900;

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		const char *text = optarg ? optarg : "";
		long v = strtol(text, NULL, 10);

		if (c == 'm')
			mb = (uint64_t)v;
		else if (c == 's')
			seed = (uint64_t)v;
		else if (c == 'i')
			g.ips = (unsigned)v;
		else if (c == '6')
			g.ipv6 = (unsigned)v;
		else if (c == 'l')
			g.login_pct = (unsigned)v;
		else if (c == 'f')
			g.format = (enum format)word(text, formats);
		else if (c == 'x')
			g.mix = (enum mix)word(text, mixes);
		else if (c == 'e')
			end = v;
		else
			return 100;
	}
	g.state = seed * 0x9E3779B97F4A7C15 + 88172645463325252;
	g.want = mb << 20;
	/* So that the last line is of about `end`. */
	g.now = end - (long)(g.want / 200 / PER_SECOND);
	while (g.bytes < g.want)
		one_line(&g);
	fprintf(stderr,
	    "{\"bytes\":%" PRIu64 ",\"lines\":%" PRIu64 ",\"logins\":%" PRIu64
	    ",\"logouts\":%" PRIu64 "}\n",
	    g.bytes, g.lines, g.logins, g.logouts);
	return fflush(stdout) == 0 ? 0 : 111;
}
