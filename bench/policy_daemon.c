/* SPDX-License-Identifier: ISC */
/*
 * policy_daemon - the real relaypassd as a target of bench-policy, and the
 * child that brings logins meanwhile: lines for the daemon's log file, or
 * leases straight into the ledger of policy_server.c.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/mem.h"
#include "policy.h"

enum {
	LOGIN_BATCH_MS = 10,
	LOGINS_AROUND = 500000,
	LINE_MAX_SIZE = 200,
	STAMP_SIZE = 20
};

/* The daemon's answerer is the child that runs while we ask. It gets the
 * yardstick's core, and the others go where the system puts them. */
static void pin_answerer(const struct target *t)
{
	const struct load load = {
		.connections = 1, .leases = t->leases, .seconds = 0.3
	};
	long pids[TARGET_CHILDREN];
	uint64_t before[TARGET_CHILDREN];
	size_t n = target_children(t, pids), busiest = 0;
	cpu_set_t set;

	for (size_t i = 0; i < n; i++)
		before[i] = policy_cpu(pids[i]);
	(void)client_run(t, &load);
	for (size_t i = 0; i < n; i++) {
		before[i] = policy_cpu(pids[i]) - before[i];
		if (before[i] > before[busiest])
			busiest = i;
	}
	CPU_ZERO(&set);
	CPU_SET(CORE_SERVER, &set);
	if (n)
		(void)sched_setaffinity(
		    (pid_t)pids[busiest], sizeof(set), &set);
}

/* --- the real daemon -------------------------------------------------------
 */

static void write_config(
    const struct target *t, const char *dir, const char *path)
{
	const char *level = getenv("BENCH_LOG_LEVEL");
	char text[1024];
	FILE *f = fopen(path, "we");

	if (!f)
		policy_fail(path);
	target_listeners(t, text, sizeof(text));
	(void)fprintf(f,
	    "relaypass { directory = \"%s\" run-directory = \"%s/run\" "
	    "answerers = 1 log-level = \"%s\" pattern-directory = \"\" }\n"
	    "source maillog { kind = \"file\" path = \"%s/mail.log\" }\n%s",
	    dir, dir, level ? level : "error", dir, text);
	if (fclose(f) != 0)
		policy_fail(path);
}

void target_daemon(
    struct target *t, const char *dir, uint64_t leases, const char *program)
{
	char config[128], log[128], run[128];
	int fd;

	(void)snprintf(config, sizeof(config), "%s/relaypass.conf", dir);
	(void)snprintf(log, sizeof(log), "%s/mail.log", dir);
	(void)snprintf(run, sizeof(run), "%s/run", dir);
	(void)mkdir(run, 0700);
	fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		policy_fail(log);
	(void)close(fd);
	target_name(t, dir, "daemon");
	t->leases = leases;
	write_config(t, dir, config);
	if (target_fork(t)) {
		(void)execl(program, program, "-f", "-c", config, (char *)NULL);
		policy_fail(program);
	}
	target_wait(t);
	pin_answerer(t);
}

/* --- logins meanwhile ------------------------------------------------------
 */

/* The lines of one round, made beforehand: the writer stands for a syslogd on
 * the answerer's machine, and its own work is not what is measured. */
struct lines {
	char *text;
	uint64_t *at; /* where each line begins, and one behind the last */
};

static struct lines make_lines(void)
{
	struct lines l = { xmalloc((size_t)LOGINS_AROUND * LINE_MAX_SIZE),
		xcalloc(LOGINS_AROUND + 1, sizeof(*l.at)) };
	char addr[ADDR_TEXT_SIZE];

	for (uint64_t i = 0; i < LOGINS_AROUND; i++) {
		struct addr a = policy_address(i);
		(void)addr_print(&a, addr);
		l.at[i + 1] =
		    l.at[i] +
		    (uint64_t)snprintf(l.text + l.at[i], LINE_MAX_SIZE,
			"%*s mx dovecot: imap-login: Login: "
			"user=<u%llu@example.org>, method=PLAIN, rip=%s, "
			"lip=203.0.113.1, mpid=%u, session=<s%llu>\n",
			STAMP_SIZE, "", (unsigned long long)i, addr,
			(unsigned)(i % 30000 + 1000), (unsigned long long)i);
	}
	return l;
}

static void write_lines(const struct lines *l, int fd, uint64_t i, uint64_t n)
{
	char stamp[CLOCK_TEXT_SIZE];
	uint64_t size = l->at[i + n] - l->at[i];

	if (clock_print(clock_now().wall, stamp) != STAMP_SIZE)
		policy_fail("stamp");
	for (uint64_t k = i; k < i + n; k++)
		memcpy(l->text + l->at[k], stamp, STAMP_SIZE);
	if (write(fd, l->text + l->at[i], size) != (ssize_t)size)
		policy_fail("write");
}

static _Noreturn void logins_main(
    const char *dir, unsigned rate, const struct lines *lines)
{
	uint64_t batch = (uint64_t)rate * LOGIN_BATCH_MS / 1000;
	uint64_t due, step = LOGIN_BATCH_MS * (uint64_t)1000000;
	struct ledger *l = lines ? NULL : policy_ledger(dir, true);
	char path[128];
	int fd = -1;

	(void)snprintf(path, sizeof(path), "%s/mail.log", dir);
	if (lines) {
		fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
		if (fd < 0)
			policy_fail(path);
	}
	due = uv_hrtime();
	for (uint64_t i = 0;; i = (i + batch) % LOGINS_AROUND) {
		if (lines)
			write_lines(lines, fd, i, batch);
		else
			policy_put(l, i, batch);
		due += step;
		if (due > uv_hrtime())
			(void)usleep((useconds_t)((due - uv_hrtime()) / 1000));
	}
}

void target_logins(
    struct target *t, const char *dir, unsigned rate, bool as_lines)
{
	static struct lines lines;

	if (as_lines && !lines.text)
		lines = make_lines();
	if (target_fork(t)) {
		policy_pin(-1);
		logins_main(dir, rate, as_lines ? &lines : NULL);
	}
}
