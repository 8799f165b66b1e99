/* SPDX-License-Identifier: ISC */
/*
 * scan - `relaypass scan`: the logins and logouts of whole logs, without a
 * daemon, and what the lease rules would say to each.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
#include "scan_progress.h"
#include "scan_sum.h"
#include "source/inflate.h"

enum { CHUNK = 256 * 1024, OWN_MAX = 256, FILES_MAX = 4096 };

/* What is counted when somebody looks on. */
struct report {
	struct near *near;
	struct sum *sum;
	uint64_t refused; /* of the matcher, before this line */
};

struct scan {
	struct conf *conf;
	struct rules *rules;
	struct patterns *patterns;
	struct matcher *matcher;
	struct moment now;
	int64_t skew;
	struct report *report; /* NULL: nobody looks on */
	/* Of the file that is being read: */
	const char *file; /* NULL: the only one */
	uint64_t line;
	bool live; /* more may come at any time: no file */
	/* Of all: */
	uint64_t lines;
	struct line_splitter lines_of;
	struct progress bar;
	struct scan_out out;
	char chunk[CHUNK];
};

/* Apart from take_line(): hardly anybody looks on. */
static void report_nothing(struct scan *s, const char *line, size_t len)
{
	uint64_t refused = matcher_counts(s->matcher).refused;

	near_line(s->report->near, line, len, refused > s->report->refused);
	s->report->refused = refused;
}

static void take_line(void *ctx, const char *line, size_t len, size_t end)
{
	struct scan *s = ctx;
	struct login l;
	enum judgement j = JUDGE_NONE;
	struct moment until;

	(void)end;
	s->line++;
	switch (matcher_line(s->matcher, line, len, s->now.wall, s->skew, &l)) {
	case LOGIN_IN:
	case LOGIN_ALIVE:
		j = rules_judge(s->rules, &l, s->now, &until);
		scan_out_login(&s->out, s->file, s->line + s->lines_of.dropped,
		    &l, j == JUDGE_LEASE,
		    j == JUDGE_LEASE ? NULL : rules_reason(j));
		break;
	case LOGIN_OUT:
		scan_out_login(&s->out, s->file, s->line + s->lines_of.dropped,
		    &l, false, NULL);
		break;
	case LOGIN_NOTHING:
		if (s->report)
			report_nothing(s, line, len);
		return;
	case LOGIN_RESTART:
	case LOGIN_END: /* no line says these */
	case LOGIN_LEASE:
	case LOGIN_REVOKE:
		return;
	}
	if (s->report)
		sum_login(s->report->sum, &l, j);
}

/* A pipe may pause: what was found so far is shown meanwhile. */
static void show_if_idle(struct scan *s, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (s->live && poll(&p, 1, 0) == 0)
		scan_out_flush(&s->out);
}

static ssize_t next_chunk(struct scan *s, int fd, struct inflater *packed)
{
	ssize_t n;

	if (packed)
		return inflater_read(packed, s->chunk, sizeof(s->chunk));
	show_if_idle(s, fd);
	do
		n = read(fd, s->chunk, sizeof(s->chunk));
	while (n < 0 && errno == EINTR);
	return n;
}

/* What a file begins with when it is packed and cannot be read as it is. */
static const char *packed_as(const struct scan *s, size_t len)
{
	static const struct {
		const char *head, *program;
	} kinds[] = { { "\xfd"
			"7zXZ",
			  "xzcat" },
		{ "BZh", "bzcat" }, { "\x1f\x8b\x08", "zcat" },
		{ "\x28\xb5\x2f\xfd", "zstdcat" } };

	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (len >= strlen(kinds[i].head) &&
		    !memcmp(s->chunk, kinds[i].head, strlen(kinds[i].head)))
			return kinds[i].program;
	return NULL;
}

static int read_all(struct scan *s, int fd, struct inflater *packed,
    const char *name, struct err *err)
{
	bool first = true;
	ssize_t n;

	while ((n = next_chunk(s, fd, packed)) > 0 && !s->out.failed) {
		const char *as =
		    first && !packed ? packed_as(s, (size_t)n) : NULL;

		if (as)
			return err_set(err, EXIT_USER,
			    "%s is packed; unpack it on the way: %s FILE | "
			    "relaypass scan -",
			    name, as);
		first = false;
		line_feed(&s->lines_of, s->chunk, (size_t)n, take_line, s);
		/* Who looks on gets lines as often as a bar. */
		if (progress_add(&s->bar, (size_t)n) && s->out.bar)
			scan_out_flush(&s->out);
	}
	if (n < 0 && packed)
		return err_set(err, EXIT_USER,
		    "%s: damaged or cut; what was read is above", name);
	if (n < 0)
		return err_errno(err, EXIT_USER, errno, "%s", name);
	return 0;
}

static int scan_fd(struct scan *s, int fd, const char *name, struct err *err)
{
	struct inflater *packed = inflater_open(fd);
	struct stat st;
	int result;

	line_reset(&s->lines_of);
	s->line = 0;
	s->live = fstat(fd, &st) == 0 && !S_ISREG(st.st_mode);
	s->bar.file++;
	result = read_all(s, fd, packed, name, err);
	s->lines += s->line + s->lines_of.dropped;
	inflater_close(&packed);
	return result;
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
	if (s->report) {
		near_free(&s->report->near);
		sum_free(&s->report->sum);
	}
	matcher_free(&s->matcher);
	patterns_close(&s->patterns);
	rules_free(&s->rules);
	conf_free(&s->conf);
}

static void start_report(struct scan *s, struct report *report)
{
	*report = (struct report){ .near = near_new(),
		.sum = sum_new(patterns_count(s->patterns)) };
	s->report = report;
}

static void print_report(const struct scan *s)
{
	uint64_t odd = matcher_counts(s->matcher).odd;
	int64_t ms = clock_now().boot - s->bar.began;
	double seconds = (double)(ms > 0 ? ms : 1) / 1000;
	char size[16], rate[16];

	fprintf(stderr, "%llu lines, %s in %.1f s (%s/s)",
	    (unsigned long long)s->lines,
	    progress_size((double)s->bar.done, size), seconds,
	    progress_size((double)s->bar.done / seconds, rate));
	if (odd)
		fprintf(stderr, "; %llu without a head that is known",
		    (unsigned long long)odd);
	fputs("\n", stderr);
	sum_print(s->report->sum, stderr);
	near_print(s->report->near, stderr);
}

/* The bytes of all files; 0: not known, for one of them is packed or none. */
static uint64_t size_of_all(const char **files, int count)
{
	uint64_t total = 0;

	for (int i = 0; i < count; i++) {
		AUTO_CLOSE int fd =
		    open(files[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		char head[4];
		struct stat st;
		ssize_t n;

		if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
			return 0;
		n = pread(fd, head, sizeof(head), 0);
		if (n < 0 || inflate_detect(head, (size_t)n) != INFLATE_PLAIN)
			return 0;
		total += (uint64_t)st.st_size;
	}
	return total;
}

static void start_bar(struct scan *s, const char **files, int count)
{
	bool on = isatty(STDERR_FILENO);

	progress_begin(
	    &s->bar, on, on ? size_of_all(files, count) : 0, (unsigned)count);
	s->out.bar = on ? &s->bar : NULL;
}

/* The reader of a pipe went away, as head(1) does: that ends us too, but not
 * before the terminal is tidy. */
static int output_failed(struct scan *s, struct err *err)
{
	if (s->out.errno_value == EPIPE) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	return err_errno(
	    err, EXIT_AGAIN, s->out.errno_value, "cannot write the output");
}

static int scan_all(
    struct scan *s, const char **files, int count, struct err *err)
{
	int result = 0;

	signal(SIGPIPE, SIG_IGN);
	start_bar(s, files, count);
	for (int i = 0; i < count && !result && !s->out.failed; i++) {
		s->file = count > 1 ? files[i] : NULL;
		result = scan_file(s, files[i], err);
	}
	scan_out_flush(&s->out);
	progress_clear(&s->bar);
	return s->out.failed ? output_failed(s, err) : result;
}

extern const struct verb verb_scan;

static int run(const struct verb_env *env, int argc, char **argv)
{
	const char *servers = NULL, *now = NULL, *config = NULL;
	bool json = env->json, report = isatty(STDERR_FILENO);
	bool annotated = false;
	const struct cli_option options[] = {
		{ "servers", 's', &servers, NULL },
		{ "now", 'n', &now, NULL },
		{ "config", 'c', &config, NULL },
		{ "json", 0, NULL, &json },
		{ "report", 'r', NULL, &report },
		{ "annotated", 'a', NULL, &annotated },
		{ 0 },
	};
	AUTO_FREE const char **files = xcalloc(FILES_MAX, sizeof(*files));
	AUTO_FREE struct scan *s = xcalloc(1, sizeof(*s));
	struct report room;
	struct err err = { 0 };
	int count = cli_options(argc, argv, options, files, FILES_MAX, &err);

	if (count < 0 || take_now(s, now, &err) < 0)
		return cli_usage(&verb_scan, &err);
	if (!count)
		files[count++] = "-";
	scan_out_init(&s->out, json);
	if (set_up(s, env, config, servers, &err) == 0) {
		matcher_annotated(s->matcher, annotated);
		if (report)
			start_report(s, &room);
		if (scan_all(s, files, count, &err) == 0 && report)
			print_report(s);
	}
	tear_down(s);
	return err.code ? cli_fail(&err) : EXIT_YES;
}

const struct verb verb_scan = {
	.name = "scan",
	.usage = "scan [--servers LIST] [--now TIME] [--config FILE] [--json] "
		 "[--report] [--annotated] [FILE|-]...",
	.help = "Print the logins and logouts of logs, also packed ones.",
	.run = run,
};
