/* SPDX-License-Identifier: ISC */
/*
 * driver - the real ledger, lease rules and answers behind a line protocol, for
 * the reference model: one command a line on stdin, one line with its result,
 * the answers to the watched questions and the live leases on stdout. The time
 * and the processes are what the commands say.
 *
 *     clock WALL BOOT              both clocks go on; the wall may go back
 *     login ADDR USER|- TIME TLS SESSION|- PID SOURCE USERLESS
 *     alive ADDR USER|- SESSION TIME USERLESS
 *     logout SESSION TIME
 *     end ADDR USER|- TIME SOURCE
 *     server-restart TIME
 *     proc PID START TIME          START 0: it is gone
 *     signs 0|1                    whether signs of life may come
 *     grant ADDR USER|- TTL
 *     revoke ADDR|- USER|- FOR NOW-ONLY
 *     hold, walk LIMIT, due
 *     rules lease { ... }, reopen lease { ... }, reboot WALL BOOT
 *     watch ADDR USER|- SENDER|- any|user|domain DEFAULT-DOMAIN|-
 *
 * Called by test_model.py and tests of other rooms.
 */
#include <inttypes.h>

#include "../lease_rules.h"
#include "base/log.h"
#include "decide/decide.h"
#include "login/apply.h"

enum { LINE_SIZE = 4096, WORDS = 10, WATCH_MAX = 32, PROCS_MAX = 64 };

struct watch {
	struct question question;
	struct decide_options options;
	char domain[64];
};

struct process {
	uint32_t pid;
	uint64_t start;
	int64_t began;
};

static struct {
	struct ledger *ledger;
	struct rules *rules;
	struct apply *apply;
	const char *directory;
	struct moment now;
	unsigned boot_number;
	struct watch watches[WATCH_MAX];
	size_t watch_count;
	struct process processes[PROCS_MAX];
	size_t process_count;
	bool signs;
	char result[64];
} d;

static const char *const usage = "driver DIRECTORY WALL BOOT 'lease { ... }'\n";

static uint64_t proc_start(void *ctx, uint32_t pid, int64_t *began)
{
	(void)ctx;
	for (size_t i = 0; i < d.process_count; i++) {
		if (d.processes[i].pid != pid)
			continue;
		*began = d.processes[i].began;
		return d.processes[i].start;
	}
	return 0;
}

static void fail(const char *what, const struct err *err)
{
	(void)fprintf(stderr, "driver: %s: %s\n", what, err->text);
	exit(EXIT_BUG);
}

static int64_t number(const char *word)
{
	char *end;
	int64_t n = strtoll(word, &end, 10);

	must(*word && !*end);
	return n;
}

/* --- the ledger and its rules -------------------------------------------- */

static void set_rules(const char *text)
{
	struct rules *rules = rules_from(text, NULL, 0);

	if (d.apply)
		apply_set_rules(d.apply, rules);
	rules_free(&d.rules);
	d.rules = rules;
}

static void open_ledger(void)
{
	struct err err = { 0 };
	struct ledger_options o = { .directory = d.directory,
		.writer = true,
		.map_size = 8 << 20,
		.journal = true,
		.ipv6_prefix = rules_ipv6_prefix(d.rules),
		.ttl = rules_ttl(d.rules),
		.max_skew = rules_max_skew(d.rules) };

	(void)snprintf(o.boot_id, sizeof(o.boot_id), "boot-%u", d.boot_number);
	d.ledger = ledger_open(&o, d.now, &err);
	if (!d.ledger)
		fail("open", &err);
	d.apply = apply_new(d.ledger, d.rules, proc_start, NULL);
	apply_expect_signs(d.apply, d.signs);
}

static void close_ledger(void)
{
	apply_free(&d.apply);
	ledger_close(&d.ledger);
}

/* --- commands ------------------------------------------------------------ */

typedef void command_fn(char **word);

static void word_result(const char *text)
{
	(void)snprintf(d.result, sizeof(d.result), "%s", text);
}

static void copy(char *out, size_t size, const char *word)
{
	must(strlen(word) < size);
	(void)snprintf(out, size, "%s", strcmp(word, "-") != 0 ? word : "");
}

static struct applied apply_one(struct login *l, int64_t source)
{
	struct applied done;

	copy(l->server, sizeof(l->server), "dovecot");
	l->user_len = (uint8_t)strlen(l->user);
	l->session_len = (uint8_t)strlen(l->session);
	apply_login(d.apply, l, (uint16_t)source, d.now, &done);
	word_result(rules_reason(done.judgement));
	return done;
}

static void do_login(char **w)
{
	struct login l = { .kind = LOGIN_IN,
		.addr = address(w[1]),
		.time = number(w[3]),
		.tls = (uint8_t)number(w[4]),
		.mpid = (uint32_t)number(w[6]),
		.userless = (uint8_t)number(w[8]) };

	copy(l.user, sizeof(l.user), w[2]);
	copy(l.session, sizeof(l.session), w[5]);
	apply_one(&l, number(w[7]));
}

static void do_alive(char **w)
{
	struct login l = { .kind = LOGIN_ALIVE,
		.addr = address(w[1]),
		.time = number(w[4]),
		.userless = (uint8_t)number(w[5]) };

	copy(l.user, sizeof(l.user), w[2]);
	copy(l.session, sizeof(l.session), w[3]);
	apply_one(&l, 1);
}

static void do_logout(char **w)
{
	struct login l = { .kind = LOGIN_OUT, .time = number(w[2]) };

	copy(l.session, sizeof(l.session), w[1]);
	apply_one(&l, 1);
}

static void count_ended(void *ctx, const struct lease *lease)
{
	size_t *count = ctx;

	must(ledger_alive(lease, d.now));
	++*count;
}

static void do_end(char **w)
{
	struct login l = {
		.kind = LOGIN_END, .addr = address(w[1]), .time = number(w[3])
	};
	struct applied done;
	size_t told = 0;

	copy(l.user, sizeof(l.user), w[2]);
	apply_tell_ends(d.apply, count_ended, &told);
	done = apply_one(&l, number(w[4]));
	apply_tell_ends(d.apply, NULL, NULL);
	must(told == done.ended);
	must((told > 0) == (done.judgement == JUDGE_LEASE));
	(void)snprintf(d.result, sizeof(d.result), "%zu", told);
}

static void do_server_restart(char **w)
{
	struct login l = { .kind = LOGIN_RESTART, .time = number(w[1]) };

	apply_one(&l, 1);
}

static void do_signs(char **w)
{
	d.signs = number(w[1]) != 0;
	apply_expect_signs(d.apply, d.signs);
}

static void do_grant(char **w)
{
	struct addr addr = address(w[1]);
	struct lease lease;
	char user[LOGIN_USER_MAX + 1];

	copy(user, sizeof(user), w[2]);
	word_result(rules_reason(apply_grant(
	    d.apply, &addr, user, strlen(user), number(w[3]), d.now, &lease)));
}

static void do_revoke(char **w)
{
	struct addr addr = { 0 };
	bool by_addr = strcmp(w[1], "-") != 0, by_user = strcmp(w[2], "-") != 0;

	if (by_addr)
		addr = address(w[1]);
	(void)snprintf(d.result, sizeof(d.result), "%zu",
	    apply_revoke(d.apply, by_addr ? &addr : NULL, by_user ? w[2] : NULL,
		number(w[3]), number(w[4]) != 0, d.now));
}

static void do_clock(char **w)
{
	d.now.wall += number(w[1]);
	d.now.boot += number(w[2]);
}

static void do_proc(char **w)
{
	struct process p = { (uint32_t)number(w[1]), (uint64_t)number(w[2]),
		number(w[3]) };
	size_t i = 0;

	while (i < d.process_count && d.processes[i].pid != p.pid)
		i++;
	must(i < PROCS_MAX);
	d.processes[i] = p;
	d.process_count += i == d.process_count;
}

static void do_hold(char **w)
{
	(void)w;
	apply_hold(d.apply, d.now, 100000);
}

/* One round from wherever the last one stopped, in steps of the limit. */
static void do_walk(char **w)
{
	while (!apply_walk(d.apply, d.now, (size_t)number(w[1]), NULL, NULL))
		continue;
}

static void do_due(char **w)
{
	(void)w;
	apply_due(d.apply, d.now, 1000, NULL, NULL);
}

static void do_watch(char **w)
{
	struct watch *v = &d.watches[d.watch_count++];
	struct question *q = &v->question;

	must(d.watch_count <= WATCH_MAX);
	q->asked = true;
	q->addr = address(w[1]);
	q->has_user = strcmp(w[2], "-") != 0;
	copy(q->user, sizeof(q->user), w[2]);
	q->user_len = (uint16_t)strlen(q->user);
	q->has_sender = strcmp(w[3], "-") != 0;
	copy(q->sender, sizeof(q->sender), w[3]);
	q->sender_len = (uint16_t)strlen(q->sender);
	v->options.require_sender = !strcmp(w[4], "user")     ? SENDER_USER
				    : !strcmp(w[4], "domain") ? SENDER_DOMAIN
							      : SENDER_ANY;
	copy(v->domain, sizeof(v->domain), w[5]);
	v->options.default_domain = v->domain;
}

struct command {
	const char *name;
	int words; /* with the name */
	command_fn *fn;
};

/* Those that run inside one transaction. */
static const struct command commands[] = {
	{ "login", 9, do_login },
	{ "alive", 6, do_alive },
	{ "logout", 3, do_logout },
	{ "end", 5, do_end },
	{ "signs", 2, do_signs },
	{ "server-restart", 2, do_server_restart },
	{ "grant", 4, do_grant },
	{ "revoke", 5, do_revoke },
	{ "clock", 3, do_clock },
	{ "proc", 4, do_proc },
	{ "hold", 1, do_hold },
	{ "walk", 2, do_walk },
	{ "due", 1, do_due },
	{ "watch", 6, do_watch },
};

static void run_command(char *line)
{
	char *word[WORDS] = { NULL }, *rest = line;
	struct err err = { 0 };
	int count = 0;

	while (count < WORDS && (word[count] = strtok_r(rest, " ", &rest)))
		count++;
	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		if (!word[0] || strcmp(word[0], commands[i].name) != 0)
			continue;
		must(count == commands[i].words);
		if (ledger_begin(d.ledger, d.now, &err))
			fail("begin", &err);
		commands[i].fn(word);
		/* A change, so that the time of this commit is kept. */
		ledger_mode_set(d.ledger, ledger_mode(d.ledger));
		if (ledger_commit(d.ledger, &err))
			fail("commit", &err);
		return;
	}
	(void)fprintf(stderr, "driver: what is \"%s\"?\n", line);
	exit(EXIT_USER);
}

static void reopen(const char *rules)
{
	close_ledger();
	if (rules)
		set_rules(rules);
	open_ledger();
}

static void reboot(char *line)
{
	char *rest = line;

	close_ledger();
	d.now.wall = number(strtok_r(rest, " ", &rest));
	d.now.boot = number(strtok_r(rest, " ", &rest));
	d.boot_number++;
	open_ledger();
}

static bool starts(const char *line, const char *with, char **rest)
{
	size_t len = strlen(with);

	*rest = (char *)(uintptr_t)line + len;
	return !strncmp(line, with, len);
}

static void run_line(char *line)
{
	char *rest;

	word_result("ok");
	if (starts(line, "rules ", &rest))
		set_rules(rest);
	else if (starts(line, "reopen ", &rest))
		reopen(rest);
	else if (starts(line, "reboot ", &rest))
		reboot(rest);
	else
		run_command(line);
}

/* --- what is said after each --------------------------------------------- */

static void print_answer(const struct watch *w)
{
	static const char *const words[] = { [VERDICT_NONE] = "none",
		[VERDICT_ALLOW] = "allow",
		[VERDICT_TEMPFAIL] = "tempfail" };
	struct answer a;

	decide(d.ledger, d.rules, rules_mode(d.rules), &w->options,
	    &w->question, d.now, &a);
	(void)printf(
	    " %s,%s,%" PRId64 ",%s", words[a.verdict], a.reason, a.ttl, a.user);
}

static int print_row(void *ctx, const struct lease *row)
{
	char text[ADDR_TEXT_SIZE];

	(void)ctx;
	if (!ledger_alive(row, d.now))
		return 0;
	addr_print(&row->addr, text);
	(void)printf(" %s,%s,%" PRId64 ",%" PRId64, text, row->user,
	    row->end.wall, row->end.boot);
	return 0;
}

static void print_state(void)
{
	struct err err = { 0 };

	if (ledger_read_begin(d.ledger, &err))
		fail("read", &err);
	(void)printf("%s |", d.result);
	for (size_t i = 0; i < d.watch_count; i++)
		print_answer(&d.watches[i]);
	(void)printf(" |");
	must(ledger_each(d.ledger, NULL, print_row, NULL) == 0);
	(void)printf("\n");
	ledger_read_end(d.ledger);
}

int main(int argc, char **argv)
{
	static char line[LINE_SIZE];

	if (argc != 5) {
		(void)fputs(usage, stderr);
		return EXIT_USER;
	}
	log_open(LOG_TO_STDERR, LOG_LEVEL_ERROR, "driver");
	d.directory = argv[1];
	d.now = (struct moment){ number(argv[2]), number(argv[3]) };
	set_rules(argv[4]);
	open_ledger();
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		run_line(line);
		print_state();
	}
	close_ledger();
	rules_free(&d.rules);
	return EXIT_YES;
}
