/* SPDX-License-Identifier: ISC */
/*
 * scan - `relaypass scan`: the logins and logouts of whole logs, without a
 * daemon, and what the lease rules would say to each.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/line.h"
#include "base/mem.h"
#include "cli.h"
#include "conf/conf.h"
#include "daemon/schema.h"
#include "login/rules.h"
#include "pattern/pattern.h"
#include "pattern/stamp.h"
#include "scan_near.h"
#include "scan_out.h"
#include "source/inflate.h"

enum { CHUNK = 256 * 1024, OWN_MAX = 256, FILES_MAX = 4096 };

struct scan {
	struct conf *conf;
	struct rules *rules;
	struct patterns *patterns;
	struct matcher *matcher;
	struct moment now;
	int64_t skew;
	struct near *near; /* NULL: nobody looks on */
	/* Of the file that is being read: */
	const char *file; /* NULL: the only one */
	uint64_t line;
	/* Of all: */
	uint64_t lines, leases;
	struct line_splitter lines_of;
	struct scan_out out;
	char chunk[CHUNK];
};

static void take_line(void *ctx, const char *line, size_t len, size_t end)
{
	struct scan *s = ctx;
	struct login l;
	enum judgement j;
	struct moment until;

	(void)end;
	s->line++;
	switch (matcher_line(s->matcher, line, len, s->now.wall, s->skew, &l)) {
	case LOGIN_IN:
	case LOGIN_ALIVE:
		j = rules_judge(s->rules, &l, s->now, &until);
		s->leases += j == JUDGE_LEASE;
		scan_out_login(&s->out, s->file, s->line + s->lines_of.dropped,
		    &l, j == JUDGE_LEASE,
		    j == JUDGE_LEASE ? NULL : rules_reason(j));
		return;
	case LOGIN_OUT:
		scan_out_login(&s->out, s->file, s->line + s->lines_of.dropped,
		    &l, false, NULL);
		return;
	case LOGIN_NOTHING:
		if (s->near)
			near_line(s->near, line, len);
		return;
	case LOGIN_RESTART:
		return;
	}
}

static ssize_t next_chunk(struct scan *s, int fd, struct inflater *packed)
{
	ssize_t n;

	if (packed)
		return inflater_read(packed, s->chunk, sizeof(s->chunk));
	do
		n = read(fd, s->chunk, sizeof(s->chunk));
	while (n < 0 && errno == EINTR);
	return n;
}

static int scan_fd(struct scan *s, int fd, const char *name, struct err *err)
{
	struct inflater *packed = inflater_open(fd);
	ssize_t n;

	line_reset(&s->lines_of);
	s->line = 0;
	while ((n = next_chunk(s, fd, packed)) > 0 && !s->out.failed)
		line_feed(&s->lines_of, s->chunk, (size_t)n, take_line, s);
	s->lines += s->line + s->lines_of.dropped;
	if (n < 0 && packed)
		err_set(err, EXIT_USER, "%s: damaged or cut", name);
	else if (n < 0)
		err_errno(err, EXIT_USER, errno, "%s", name);
	inflater_close(&packed);
	return n < 0 ? -1 : 0;
}

static int scan_file(struct scan *s, const char *name, struct err *err)
{
	AUTO_CLOSE int fd = -1;

	if (!strcmp(name, "-"))
		return scan_fd(s, STDIN_FILENO, "standard input", err);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, EXIT_USER, errno, "%s", name);
	return scan_fd(s, fd, name, err);
}

/* RFC 3339 with its zone. */
static int take_now(struct scan *s, const char *text, struct err *err)
{
	struct stamp_reader reader = { 0 };
	struct stamp stamp;
	size_t len;

	s->now = clock_now();
	if (!text)
		return 0;
	len = strlen(text);
	if (stamp_parse(text, len, &stamp) != len || stamp.kind != STAMP_OFFSET)
		return err_set(err, EXIT_USER,
		    "--now: expected a time such as 2026-11-20T18:10:00Z");
	s->now.wall = stamp_read(&reader, &stamp, s->now.wall, 0);
	return 0;
}

/* Lease rules and patterns: of the configuration where one is named. */
static int set_up(struct scan *s, const struct verb_env *env,
    const char *config, const char *servers, struct err *err)
{
	struct verb_env with = *env;
	struct addr own[OWN_MAX];
	const struct conf_section *main;
	struct patterns_options options = { .servers = servers };

	if (config) {
		with.config = config;
		with.config_given = 1;
	}
	s->conf =
	    with.config_given ? cli_conf(&with, err) : conf_default(schema());
	if (!s->conf)
		return -1;
	s->rules = rules_new(conf_at(s->conf, "lease", 0), own,
	    rules_own_addresses(own, COUNT_OF(own)));
	s->skew = rules_max_skew(s->rules);
	main = conf_at(s->conf, "relaypass", 0);
	options.dir = conf_string(main, "pattern-directory");
	if (!servers)
		options.servers = conf_string(main, "servers");
	s->patterns = patterns_open(&options, err);
	if (!s->patterns)
		return -1;
	s->matcher = matcher_new(s->patterns);
	return 0;
}

static void tear_down(struct scan *s)
{
	matcher_free(&s->matcher);
	patterns_close(&s->patterns);
	rules_free(&s->rules);
	conf_free(&s->conf);
}

static void print_summary(struct scan *s)
{
	struct matcher_counts c = matcher_counts(s->matcher);

	fprintf(stderr,
	    "%llu lines, %llu logins (%llu would get a lease now), %llu "
	    "logouts\n%llu lines begin as a login of ours and were refused; "
	    "%llu have a head that is not known\n",
	    (unsigned long long)s->lines, (unsigned long long)c.logins,
	    (unsigned long long)s->leases, (unsigned long long)c.logouts,
	    (unsigned long long)c.refused, (unsigned long long)c.odd);
	near_end(&s->near);
}

static int scan_all(
    struct scan *s, const char **files, int count, struct err *err)
{
	int result = 0;

	for (int i = 0; i < count && !result; i++) {
		s->file = count > 1 ? files[i] : NULL;
		result = scan_file(s, files[i], err);
	}
	scan_out_flush(&s->out);
	if (!result && s->out.failed)
		return err_errno(err, EXIT_AGAIN, s->out.errno_value,
		    "cannot write the output");
	return result;
}

extern const struct verb verb_scan;

static int run(const struct verb_env *env, int argc, char **argv)
{
	const char *servers = NULL, *now = NULL, *config = NULL;
	bool json = env->json, report = isatty(STDERR_FILENO);
	const struct cli_option options[] = {
		{ "servers", 's', &servers, NULL },
		{ "now", 'n', &now, NULL },
		{ "config", 'c', &config, NULL },
		{ "json", 0, NULL, &json },
		{ "report", 'r', NULL, &report },
		{ 0 },
	};
	AUTO_FREE const char **files = xcalloc(FILES_MAX, sizeof(*files));
	AUTO_FREE struct scan *s = xcalloc(1, sizeof(*s));
	struct err err = { 0 };
	int count = cli_options(argc, argv, options, files, FILES_MAX, &err);

	if (count < 0 || take_now(s, now, &err) < 0)
		return cli_usage(&verb_scan, &err);
	if (!count)
		files[count++] = "-";
	scan_out_init(&s->out, json);
	if (report)
		s->near = near_new();
	if (set_up(s, env, config, servers, &err) == 0 &&
	    scan_all(s, files, count, &err) == 0 && report)
		print_summary(s);
	free(s->near);
	tear_down(s);
	return err.code ? cli_fail(&err) : EXIT_YES;
}

const struct verb verb_scan = {
	.name = "scan",
	.usage = "scan [--servers LIST] [--now TIME] [--config FILE] [--json] "
		 "[--report] [FILE|-]...",
	.help = "Print the logins and logouts of logs, also packed ones.",
	.run = run,
};
