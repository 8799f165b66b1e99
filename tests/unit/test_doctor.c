/* SPDX-License-Identifier: ISC */
/*
 * test_doctor - what the doctor says of machines that are made up: processes,
 * sockets, settings and logs below a root of their own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utime.h>

#include "base/mem.h"
#include "cmd/doctor.h"

enum { HOUR_MS = 3600 * 1000, MINUTE_MS = 60 * 1000, PATH_SIZE = 300 };

#define CONF    "/etc/relaypass/relaypass.conf"
#define LOG     "/var/log/mail.log"
#define CONTROL "/run/relaypass/control"
#define GOOD_CONF                                                              \
	"source maillog { kind = \"file\" path = \"" LOG "\" }\n"              \
	"listener postfix { kind = \"postfix-policy\"\n"                       \
	"listen = \"unix:/run/relaypass/policy\" }\n"

/* A machine, and what the doctor said of it. */
struct world {
	char root[64];
	struct moment now;
	struct doctor_facts *facts;
	int code;
	int daemon; /* a socket that listens where relaypassd's would */
	size_t count;
	struct {
		char check[16];
		enum doctor_verdict verdict;
		char *text, *lines;
	} said[80];
};

/* --- making --------------------------------------------------------------- */

static const char *in_root(struct world *w, const char *path)
{
	static char full[PATH_SIZE];

	snprintf(full, sizeof(full), "%s%s", w->root, path);
	return full;
}

static void make_parents(struct world *w, const char *path)
{
	AUTO_FREE char *part = xstrdup(path);

	for (char *p = strchr(part + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		assert_true(
		    mkdir(in_root(w, part), 0755) == 0 || errno == EEXIST);
		*p = '/';
	}
}

static void add(struct world *w, const char *path, const char *text)
{
	make_parents(w, path);
	FILE *f = fopen(in_root(w, path), "a");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void link_to(struct world *w, const char *path, const char *target)
{
	make_parents(w, path);
	assert_int_equal(symlink(target, in_root(w, path)), 0);
}

/* A process with a socket that listens. */
static void listens(struct world *w, int pid, const char *exe, const char *comm,
    unsigned port, const char *table)
{
	char path[64], text[200];
	int inode = pid * 1000 + (int)port;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	if (access(in_root(w, path), F_OK) < 0) {
		snprintf(text, sizeof(text), "%s\n", comm);
		add(w, path, text);
		snprintf(path, sizeof(path), "/proc/%d/exe", pid);
		link_to(w, path, exe);
	}
	snprintf(path, sizeof(path), "/proc/%d/fd/%u", pid, port);
	snprintf(text, sizeof(text), "socket:[%d]", inode);
	link_to(w, path, text);
	snprintf(path, sizeof(path), "/proc/net/%s", table);
	snprintf(text, sizeof(text),
	    "   0: %s:%04X 00000000:0000 0A 00000000:00000000 00:00000000 "
	    "00000000     0        0 %d 1 0000000000000000 100 0 0 10 0\n",
	    table[3] ? "00000000000000000000000000000000" : "00000000", port,
	    inode);
	add(w, path, text);
}

/* One of Dovecot's lines, so long ago by the log's clock. */
static void logs_in(
    struct world *w, const char *ip, const char *user, int64_t ago)
{
	char when[CLOCK_TEXT_SIZE], line[400];

	clock_print(w->now.wall - ago, when);
	snprintf(line, sizeof(line),
	    "%s mx dovecot: imap-login: Login: user=<%s>, method=PLAIN, "
	    "rip=%s, lip=198.51.100.1, mpid=7, TLS, session=<x>\n",
	    when, user, ip);
	add(w, LOG, line);
}

static void runs_relaypassd(struct world *w)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	make_parents(w, CONTROL);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s" CONTROL, w->root);
	w->daemon = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(w->daemon, (void *)&at, sizeof(at)), 0);
	assert_int_equal(listen(w->daemon, 1), 0);
}

static const char *doveconf_says, *doveconf_set, *postconf_says;

static bool pretend_to_run(
    const char *const argv[], char out[static DOCTOR_OUTPUT_SIZE])
{
	const char *text = NULL;

	if (strcmp(argv[0], "/usr/bin/doveconf") == 0)
		text =
		    strcmp(argv[1], "-n") == 0 ? doveconf_set : doveconf_says;
	else if (strcmp(argv[0], "/usr/sbin/postconf") == 0)
		text = postconf_says;
	snprintf(out, DOCTOR_OUTPUT_SIZE, "%s", text ? text : "");
	return text;
}

#define DOVECOT                                                                \
	"log_path = syslog\n"                                                  \
	"info_log_path = \n"                                                   \
	"syslog_facility = mail\n"                                             \
	"auth_username_chars = abcdefghij01234567890.-_@\n"                    \
	"login_trusted_networks = \n"                                          \
	"haproxy_trusted_networks = \n"                                        \
	"login_log_format = %$: %s\n"                                          \
	"login_log_format_elements = user=<%u> method=%m rip=%r lip=%l "       \
	"mpid=%e %c session=<%{session}>\n"
#define POSTFIX                                                                \
	"smtpd_relay_restrictions = permit_mynetworks, check_policy_service "  \
	"{ unix:relaypass/policy }, reject_unauth_destination\n"               \
	"smtpd_recipient_restrictions = \n"                                    \
	"smtpd_sasl_auth_enable = no\n"

/* --- asking --------------------------------------------------------------- */

static void keep(void *ctx, const char *check, enum doctor_verdict verdict,
    const char *text, const char *lines)
{
	struct world *w = ctx;

	assert_true(w->count < COUNT_OF(w->said));
	assert_true(strlen(check) < sizeof(w->said[0].check));
	memcpy(w->said[w->count].check, check, strlen(check) + 1);
	w->said[w->count].verdict = verdict;
	w->said[w->count].text = xstrdup(text);
	w->said[w->count].lines = lines ? xstrdup(lines) : NULL;
	w->count++;
}

static void ask(struct world *w)
{
	const struct doctor_where where = { .root = w->root,
		.config = CONF,
		.run = pretend_to_run,
		.now = w->now };
	struct err err = { 0 };

	w->facts = xcalloc(1, sizeof(*w->facts));
	if (doctor_look(w->facts, &where, &err) < 0)
		fail_msg("%s", err.text);
	w->code = doctor_check_all(w->facts, keep, w);
}

/* Some sentence of a check with this verdict holds the words. */
static const char *says(struct world *w, const char *check,
    enum doctor_verdict verdict, const char *words)
{
	static const char *const names[] = { "good", "note", "do", "cannot" };

	for (size_t i = 0; i < w->count; i++)
		if (!strcmp(w->said[i].check, check) &&
		    w->said[i].verdict == verdict &&
		    strstr(w->said[i].text, words))
			return w->said[i].lines ? w->said[i].lines : "";
	for (size_t i = 0; i < w->count; i++)
		print_message("%s %s: %s\n", w->said[i].check,
		    names[w->said[i].verdict], w->said[i].text);
	fail_msg(
	    "%s does not say \"%s\" as \"%s\"", check, words, names[verdict]);
	return NULL;
}

static bool says_nothing(const struct world *w, const char *check)
{
	for (size_t i = 0; i < w->count; i++)
		if (!strcmp(w->said[i].check, check))
			return false;
	return true;
}

/* --- worlds --------------------------------------------------------------- */

static int set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	snprintf(w->root, sizeof(w->root), "/tmp/test-doctor-XXXXXX");
	assert_non_null(mkdtemp(w->root));
	assert_int_equal(chmod(w->root, 0755), 0);
	/* A full second: so are the stamps. */
	w->now = clock_now();
	w->now.wall -= w->now.wall % 1000;
	doveconf_says = DOVECOT;
	doveconf_set = "# 2.3.19\nprotocols = imap pop3\n";
	postconf_says = POSTFIX;
	w->daemon = -1;
	*state = w;
	return 0;
}

static int unlink_one(
    const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int tear_down(void **state)
{
	struct world *w = *state;

	if (w->facts)
		doctor_forget(w->facts);
	(void)close(w->daemon);
	free(w->facts);
	for (size_t i = 0; i < w->count; i++) {
		free(w->said[i].text);
		free(w->said[i].lines);
	}
	(void)nftw(w->root, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

/* Dovecot and Postfix, two customers, a good configuration. */
static void make_good(struct world *w)
{
	listens(w, 10, "/usr/sbin/dovecot", "dovecot", 143, "tcp");
	listens(w, 10, "/usr/sbin/dovecot", "dovecot", 995, "tcp6");
	listens(w, 20, "/usr/lib/postfix/sbin/master", "master", 25, "tcp");
	logs_in(w, "192.0.2.7", "anna", 3 * HOUR_MS);
	logs_in(w, "192.0.2.7", "anna", 20 * MINUTE_MS);
	logs_in(w, "192.0.2.8", "bert", 0);
	add(w, CONF, GOOD_CONF);
	runs_relaypassd(w);
}

/* --- whole machines ------------------------------------------------------- */

static void test_doctor_finds_all_well(void **state)
{
	struct world *w = *state;

	make_good(w);
	ask(w);
	says(w, "config", DOCTOR_GOOD, "with 1 source");
	says(w, "daemon", DOCTOR_GOOD, "runs");
	says(w, "server", DOCTOR_GOOD, "Dovecot serves POP3 and IMAP");
	says(w, "log", DOCTOR_GOOD, LOG);
	says(w, "log", DOCTOR_NOTE, "through syslog, facility mail");
	says(w, "source", DOCTOR_GOOD, LOG);
	says(w, "logins", DOCTOR_GOOD,
	    "2 logins of the last hour matched (dovecot), 2 of them");
	says(w, "clock", DOCTOR_GOOD, LOG);
	says(w, "private", DOCTOR_GOOD, "not all");
	says(w, "names", DOCTOR_GOOD, "");
	says(w, "trusted", DOCTOR_GOOD, "no host");
	says(w, "backends", DOCTOR_GOOD, "");
	says(w, "format", DOCTOR_GOOD, "");
	says(w, "smtp", DOCTOR_GOOD, "smtpd_relay_restrictions");
	assert_true(says_nothing(w, "plugin"));
	assert_int_equal(w->code, EXIT_YES);
}

static void test_doctor_tells_that_relaypassd_does_not_run(void **state)
{
	struct world *w = *state;

	make_good(w);
	/* Its socket stays, as that of one that was killed. */
	assert_int_equal(shutdown(w->daemon, SHUT_RDWR), 0);
	ask(w);
	says(w, "daemon", DOCTOR_DO, "systemctl start relaypassd");
	assert_int_equal(w->code, EXIT_NO);
}

static void test_doctor_proposes_a_source(void **state)
{
	struct world *w = *state;
	const char *lines;
	char want[PATH_SIZE + 16];

	make_good(w);
	assert_int_equal(remove(in_root(w, CONF)), 0);
	ask(w);
	says(w, "config", DOCTOR_DO, "there is no " CONF);
	assert_non_null(strstr(says(w, "smtp", DOCTOR_DO, "no listener"),
	    "kind = \"postfix-policy\""));
	lines = says(w, "source", DOCTOR_DO, "is no source");
	snprintf(want, sizeof(want), "path = \"%s\"", in_root(w, LOG));
	assert_non_null(strstr(lines, want));
	assert_int_equal(w->code, EXIT_NO);
}

static void test_doctor_tells_a_bad_configuration(void **state)
{
	struct world *w = *state;

	make_good(w);
	add(w, CONF, "lease { ttl = \"soon\" }\n");
	ask(w);
	says(w, "config", DOCTOR_DO, "ttl");
	assert_int_equal(w->code, EXIT_NO);
}

static void test_doctor_finds_nothing(void **state)
{
	struct world *w = *state;

	add(w, "/proc/net/tcp", "");
	ask(w);
	says(w, "server", DOCTOR_DO, "nothing on this machine listens");
	says(w, "log", DOCTOR_DO, "no log file");
	assert_true(says_nothing(w, "private"));
	assert_int_equal(w->code, EXIT_NO);
}

static void test_doctor_proposes_the_journal(void **state)
{
	listens(*state, 10, "/usr/sbin/dovecot", "dovecot", 143, "tcp");
	add(*state, "/var/log/journal/0123/system.journal", "");
	ask(*state);
	assert_string_equal(says(*state, "log", DOCTOR_DO, "keeps a journal"),
	    "source maillog {\n\tkind = \"journal\"\n"
	    "\tunits = { \"dovecot.service\" }\n}\n");
}

static void test_doctor_proposes_a_journal_not_seen(void **state)
{
	listens(*state, 10, "/usr/sbin/dovecot", "dovecot", 143, "tcp");
	ask(*state);
	assert_non_null(strstr(says(*state, "log", DOCTOR_DO, "with systemd"),
	    "kind = \"journal\""));
}

/* --- servers -------------------------------------------------------------- */

static void test_doctor_prefers_the_server_to_its_starter(void **state)
{
	struct world *w = *state;

	/* One socket, held by systemd, a stranger and Dovecot. */
	listens(w, 1, "/usr/lib/systemd/systemd", "systemd", 143, "tcp");
	link_to(w, "/proc/5/fd/3", "socket:[1143]");
	add(w, "/proc/5/comm", "other\n");
	link_to(w, "/proc/7/fd/3", "socket:[1143]");
	add(w, "/proc/7/comm", "dovecot\n");
	ask(w);
	says(w, "server", DOCTOR_GOOD, "Dovecot serves IMAP");
	assert_int_equal(w->facts->listener_count, 1);
	assert_false(w->facts->hidden);
}

static void test_doctor_tells_unknown_and_hidden_programs(void **state)
{
	struct world *w = *state;

	listens(w, 5, "/opt/mailbox", "mailbox", 110, "tcp");
	add(w, "/proc/net/tcp",
	    "   1: 00000000:008F 00000000:0000 0A 00000000:00000000 "
	    "00:00000000 00000000 0 0 99 1 0 100 0 0 10 0\n"
	    "   2: 00000000:008F 00000000:0000 01 00000000:00000000 "
	    "00:00000000 00000000 0 0 98 1 0 100 0 0 10 0\n"
	    "   3: garbage\n");
	ask(w);
	says(w, "server", DOCTOR_DO, "\"mailbox\" listens for POP3");
	says(w, "server", DOCTOR_CANNOT, "as root");
}

static void test_doctor_knows_what_stands_before_a_server(void **state)
{
	struct world *w = *state;

	listens(w, 5, "/usr/sbin/haproxy", "haproxy", 143, "tcp");
	ask(w);
	says(w, "server", DOCTOR_NOTE, "haproxy: the mail server behind it");
}

/* --- logs ----------------------------------------------------------------- */

static void test_doctor_tells_lines_that_match_nothing(void **state)
{
	struct world *w = *state;
	char when[CLOCK_TEXT_SIZE], line[200];

	make_good(w);
	assert_int_equal(remove(in_root(w, LOG)), 0);
	clock_print(w->now.wall, when);
	snprintf(line, sizeof(line),
	    "%s mx mailbox[7]: POP3 login by anna from 192.0.2.7\n", when);
	add(w, LOG, line);
	ask(w);
	says(w, "logins", DOCTOR_DO, "mailbox: 1; for example");
}

static void test_doctor_tells_how_old_the_newest_login_is(void **state)
{
	struct world *w = *state;

	make_good(w);
	assert_int_equal(remove(in_root(w, LOG)), 0);
	logs_in(w, "192.0.2.7", "anna", 5 * HOUR_MS);
	ask(w);
	says(w, "logins", DOCTOR_NOTE, "the newest is 5h00m old");
}

static void test_doctor_tells_a_log_that_is_missing_or_refused(void **state)
{
	struct world *w = *state;

	make_good(w);
	assert_int_equal(remove(in_root(w, LOG)), 0);
	ask(w);
	says(w, "log", DOCTOR_DO, "No such file");
	assert_int_equal(w->code, EXIT_NO);
}

static void test_doctor_tells_a_log_that_anybody_may_write(void **state)
{
	struct world *w = *state;

	make_good(w);
	assert_int_equal(chmod(in_root(w, LOG), 0666), 0);
	ask(w);
	says(w, "log", DOCTOR_DO, "relaypassd cannot read");
}

static void test_doctor_finds_dovecot_s_own_log(void **state)
{
	struct world *w = *state;

	make_good(w);
	assert_int_equal(remove(in_root(w, CONF)), 0);
	make_parents(w, "/srv/log/dovecot.log");
	AUTO_FREE char *from = xstrdup(in_root(w, LOG));
	assert_int_equal(rename(from, in_root(w, "/srv/log/dovecot.log")), 0);
	doveconf_says = "log_path = /srv/log/dovecot.log\n" DOVECOT;
	ask(w);
	says(w, "log", DOCTOR_NOTE, "Dovecot logs to /srv/log/dovecot.log");
	assert_non_null(strstr(says(w, "source", DOCTOR_DO, "is no source"),
	    "/srv/log/dovecot.log"));
}

static void test_doctor_reads_the_end_of_a_long_log(void **state)
{
	enum { LINES = 40000 };
	struct world *w = *state;
	static char block[LINES * 512];
	size_t used = 0;

	/* More than it reads. */
	for (int i = 0; i < LINES; i++) {
		memset(block + used, 'x', 511);
		block[used + 511] = '\n';
		used += 512;
	}
	block[used - 1] = '\0';
	add(w, LOG, block);
	add(w, LOG, "\n");
	make_good(w);
	ask(w);
	says(w, "logins", DOCTOR_GOOD, "2 logins of the last hour");
	assert_in_range(w->facts->logs[0].lines, 1, LINES - 1);
}

/* --- clocks --------------------------------------------------------------- */

static void written_at(struct world *w, int64_t wall)
{
	const struct utimbuf when = { wall / 1000, wall / 1000 };

	assert_int_equal(utime(in_root(w, LOG), &when), 0);
}

static void test_doctor_tells_another_time_zone(void **state)
{
	struct world *w = *state;

	make_good(w);
	assert_int_equal(remove(in_root(w, LOG)), 0);
	logs_in(w, "192.0.2.7", "anna", 2 * HOUR_MS);
	written_at(w, w->now.wall);
	ask(w);
	says(w, "clock", DOCTOR_DO, "2h00m earlier");
}

static void test_doctor_tells_a_clock_that_is_ahead(void **state)
{
	struct world *w = *state;

	make_good(w);
	written_at(w, w->now.wall + HOUR_MS);
	ask(w);
	says(w, "clock", DOCTOR_DO, "1h00m after now");
}

/* --- addresses ------------------------------------------------------------ */

static void begin_log(struct world *w)
{
	make_good(w);
	assert_int_equal(remove(in_root(w, LOG)), 0);
}

static void test_doctor_tells_a_gateway(void **state)
{
	struct world *w = *state;

	begin_log(w);
	logs_in(w, "172.17.0.1", "anna", 0);
	logs_in(w, "172.17.0.1", "bert", 0);
	ask(w);
	assert_string_equal(
	    says(w, "private", DOCTOR_DO, "come from 172.17.0.1"), "");
	says(w, "logins", DOCTOR_NOTE, "2 private-address");
	says(w, "logins", DOCTOR_GOOD, "0 of them would make a lease");
}

static void test_doctor_tells_private_networks(void **state)
{
	struct world *w = *state;

	begin_log(w);
	logs_in(w, "192.168.1.7", "anna", 0);
	logs_in(w, "192.168.1.8", "bert", 0);
	ask(w);
	assert_non_null(
	    strstr(says(w, "private", DOCTOR_DO, "2 of them"), "private = {"));
}

static void test_doctor_tells_a_proxy_until_it_is_named(void **state)
{
	struct world *w = *state;
	char user[16];

	begin_log(w);
	for (int i = 0; i < 30; i++) {
		snprintf(user, sizeof(user), "u%d", i);
		logs_in(w, "192.0.2.80", user, 0);
	}
	logs_in(w, "192.0.2.7", "anna", 0);
	ask(w);
	const char *lines = says(w, "proxy", DOCTOR_DO, "192.0.2.80 made 30");
	assert_non_null(strstr(lines, "proxy = { \"192.0.2.80\" }"));
	says(w, "shared", DOCTOR_NOTE, "30 users logged in from 192.0.2.80");
}

static void test_doctor_is_content_with_a_named_proxy(void **state)
{
	struct world *w = *state;

	begin_log(w);
	add(w, CONF, "lease { proxy = { \"192.0.2.80\" } }\n");
	for (int i = 0; i < 30; i++)
		logs_in(w, "192.0.2.80", "anna", 0);
	logs_in(w, "192.0.2.7", "anna", 0);
	ask(w);
	says(w, "proxy", DOCTOR_GOOD, "gets no lease");
}

static void test_doctor_tells_ipv6_and_long_leases(void **state)
{
	struct world *w = *state;

	begin_log(w);
	add(w, CONF, "lease { ttl = \"1d\" }\n");
	logs_in(w, "2001:db8::7", "anna", 0);
	ask(w);
	assert_non_null(strstr(
	    says(w, "ipv6", DOCTOR_NOTE, "1 logins"), "ipv6-prefix = 64"));
	says(w, "ttl", DOCTOR_DO, "1d00h");
}

/* --- Dovecot, Postfix ----------------------------------------------------- */

static void test_doctor_tells_names_that_may_be_anything(void **state)
{
	struct world *w = *state;

	make_good(w);
	doveconf_says = "auth_username_chars = \n" DOVECOT;
	ask(w);
	says(w, "names", DOCTOR_DO, "auth_username_chars is empty");
}

static void test_doctor_tells_names_with_odd_signs(void **state)
{
	struct world *w = *state;

	make_good(w);
	doveconf_says = "auth_username_chars = abc<>\n" DOVECOT;
	ask(w);
	says(w, "names", DOCTOR_NOTE, "relaypass reads such lines");
	assert_int_equal(w->code, EXIT_YES);
}

static void test_doctor_tells_wide_trust(void **state)
{
	struct world *w = *state;

	make_good(w);
	doveconf_says = "login_trusted_networks = 192.0.2.80 10.0.0.0/8\n"
			"haproxy_trusted_networks = 192.0.2.81/32\n" DOVECOT;
	ask(w);
	says(w, "trusted", DOCTOR_DO, "login_trusted_networks");
	says(w, "trusted", DOCTOR_NOTE, "haproxy_trusted_networks");
}

static void test_doctor_tells_a_proxying_dovecot(void **state)
{
	struct world *w = *state;

	make_good(w);
	doveconf_set = "passdb {\n  args = proxy=y host=192.0.2.9\n}\n";
	ask(w);
	says(w, "backends", DOCTOR_NOTE, "Dovecot is a proxy here");
}

#define NO_PASSWORD                                                            \
	"passdb {\n  args = nopassword=y proxy=y host=192.0.2.9\n"             \
	"  driver = static\n}\n"

static void test_doctor_tells_a_report_of_any_password(void **state)
{
	struct world *w = *state;

	make_good(w);
	doveconf_set = NO_PASSWORD;
	add(w, CONF,
	    "source policy { kind = \"http\" secret-file = \"/x\" }\n");
	ask(w);
	says(w, "passwords", DOCTOR_DO, "remove the http source");
	assert_int_equal(w->code, EXIT_NO);
}

static void test_doctor_tells_which_passwords_are_taken(void **state)
{
	struct world *w = *state;

	make_good(w);
	doveconf_set = NO_PASSWORD;
	ask(w);
	says(w, "passwords", DOCTOR_NOTE, "any password");
	assert_int_equal(w->code, EXIT_YES);
}

static void test_doctor_tells_another_login_format(void **state)
{
	struct world *w = *state;

	begin_log(w);
	doveconf_says =
	    "login_log_format_elements = rip=%r user=<%u>\n" DOVECOT;
	ask(w);
	says(w, "format", DOCTOR_DO, "login_log_format_elements");
}

static void test_doctor_tells_a_plugin_that_nobody_hears(void **state)
{
	struct world *w = *state;

	make_good(w);
	doveconf_set = "protocol imap {\n  mail_plugins = quota relaypass\n}\n";
	ask(w);
	assert_non_null(strstr(
	    says(w, "plugin", DOCTOR_DO, "no source"), "kind = \"notify\""));
}

static void test_doctor_finds_the_source_of_the_plugin(void **state)
{
	struct world *w = *state;

	make_good(w);
	add(w, CONF, "source dovecot { kind = \"notify\" }\n");
	doveconf_set = "mail_plugins {\n  relaypass = yes\n}\n";
	ask(w);
	says(w, "plugin", DOCTOR_GOOD, "a source hears it");
}

static void test_doctor_cannot_tell_when_doveconf_does_not(void **state)
{
	struct world *w = *state;

	make_good(w);
	doveconf_says = doveconf_set = NULL;
	ask(w);
	says(w, "names", DOCTOR_CANNOT, "doveconf");
	assert_int_equal(w->code, EXIT_AGAIN);
}

static void test_doctor_tells_a_postfix_that_does_not_ask(void **state)
{
	struct world *w = *state;

	make_good(w);
	postconf_says = "smtpd_relay_restrictions = permit_mynetworks "
			"defer_unauth_destination\n"
			"smtpd_sasl_auth_enable = yes\n";
	ask(w);
	const char *lines =
	    says(w, "smtp", DOCTOR_DO, "does not ask relaypass");
	assert_non_null(strstr(lines, "check_policy_service"));
	assert_null(strstr(lines, "kind = "));
	says(w, "auth", DOCTOR_NOTE, "SMTP AUTH already");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_doctor_finds_all_well),
		TEST(test_doctor_tells_that_relaypassd_does_not_run),
		TEST(test_doctor_proposes_a_source),
		TEST(test_doctor_tells_a_bad_configuration),
		TEST(test_doctor_finds_nothing),
		TEST(test_doctor_proposes_the_journal),
		TEST(test_doctor_proposes_a_journal_not_seen),
		TEST(test_doctor_prefers_the_server_to_its_starter),
		TEST(test_doctor_tells_unknown_and_hidden_programs),
		TEST(test_doctor_knows_what_stands_before_a_server),
		TEST(test_doctor_tells_lines_that_match_nothing),
		TEST(test_doctor_tells_how_old_the_newest_login_is),
		TEST(test_doctor_tells_a_log_that_is_missing_or_refused),
		TEST(test_doctor_tells_a_log_that_anybody_may_write),
		TEST(test_doctor_finds_dovecot_s_own_log),
		TEST(test_doctor_reads_the_end_of_a_long_log),
		TEST(test_doctor_tells_another_time_zone),
		TEST(test_doctor_tells_a_clock_that_is_ahead),
		TEST(test_doctor_tells_a_gateway),
		TEST(test_doctor_tells_private_networks),
		TEST(test_doctor_tells_a_proxy_until_it_is_named),
		TEST(test_doctor_is_content_with_a_named_proxy),
		TEST(test_doctor_tells_ipv6_and_long_leases),
		TEST(test_doctor_tells_names_that_may_be_anything),
		TEST(test_doctor_tells_names_with_odd_signs),
		TEST(test_doctor_tells_wide_trust),
		TEST(test_doctor_tells_a_proxying_dovecot),
		TEST(test_doctor_tells_a_report_of_any_password),
		TEST(test_doctor_tells_which_passwords_are_taken),
		TEST(test_doctor_tells_another_login_format),
		TEST(test_doctor_tells_a_plugin_that_nobody_hears),
		TEST(test_doctor_finds_the_source_of_the_plugin),
		TEST(test_doctor_cannot_tell_when_doveconf_does_not),
		TEST(test_doctor_tells_a_postfix_that_does_not_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
