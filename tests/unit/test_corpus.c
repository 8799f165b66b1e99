/* SPDX-License-Identifier: ISC */
/*
 * test_corpus - sample logs with the verdict that each line must get, through
 * matcher and lease rules together (data/corpus/README.md). Reads
 * RELAYPASS_CORPUS in place of ours when it is set.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../lease_rules.h"
#include "base/line.h"
#include "pattern/pattern.h"
#include "pattern/stamp.h"

enum { LINES_MAX = 20000, PATH_SIZE = 512 };

/* One corpus file. The lease of each line, or "" for none. */
struct corpus {
	char format[32], now[40], tz[64], ttl[16], skew[16];
	char leases[LINES_MAX][ADDR_TEXT_SIZE];
	size_t lines, wrong;
	const char *name;
	struct patterns *patterns;
	struct matcher *matcher;
	struct rules *rules;
	struct moment at;
	int64_t max_skew;
	struct line_splitter splitter;
};

static char *slurp(
    const char *dir, const char *name, const char *end, size_t *len_r)
{
	char path[PATH_SIZE];
	FILE *f;
	char *text;
	size_t len;

	snprintf(path, sizeof(path), "%s/%.*s%s", dir,
	    (int)(strlen(name) - strlen(".expect")), name, end);
	f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot open %s", path);
	text = xmalloc(1 << 22);
	len = fread(text, 1, (1 << 22) - 1, f);
	fclose(f);
	text[len] = 0;
	if (len_r)
		*len_r = len;
	return text;
}

static void setting(struct corpus *c, const char *line)
{
	sscanf(line, "# format: %31s", c->format);
	sscanf(line, "# now: %39s", c->now);
	sscanf(line, "# tz: %63s", c->tz);
	sscanf(line, "# lease: %15s", c->ttl);
	sscanf(line, "# skew: %15s", c->skew);
}

static void take_line(void *ctx, const char *line, size_t len, size_t end)
{
	struct corpus *c = ctx;
	struct login l;
	struct moment until;
	size_t n = ++c->lines + c->splitter.dropped;

	(void)end;
	assert_true(n < LINES_MAX);
	if (matcher_line(c->matcher, line, len, c->at.wall, c->max_skew, &l) ==
		LOGIN_IN &&
	    rules_judge(c->rules, &l, c->at, &until) == JUDGE_LEASE) {
		assert_true(until.wall > c->at.wall);
		addr_print(&l.addr, c->leases[n]);
	}
}

static void set_up(struct corpus *c)
{
	struct stamp_reader reader = { 0 };
	struct stamp stamp;
	char text[200];
	const char *servers = strcmp(c->format, "all") ? c->format : "";
	struct err err = { 0 };
	struct patterns_options o = { .servers = strcmp(servers, "exchange-csv")
						     ? servers
						     : "exchange" };
	const struct addr own[] = { address("198.51.100.1"),
		address("2001:db8::1") };

	setenv("TZ", c->tz, 1);
	tzset();
	assert_int_equal(
	    stamp_parse(c->now, strlen(c->now), &stamp), strlen(c->now));
	c->at.wall = stamp_read(&reader, &stamp, 0, 0);
	c->at.boot = 1000000000;
	snprintf(text, sizeof(text),
	    "lease { ttl = \"%ss\" max-skew = \"%ss\" }", c->ttl, c->skew);
	c->rules = rules_from(text, own, COUNT_OF(own));
	c->max_skew = rules_max_skew(c->rules);
	c->patterns = patterns_open(&o, &err);
	if (!c->patterns)
		fail_msg("%s", err.text);
	c->matcher = matcher_new(c->patterns);
}

static bool is_verdict(const char *verdict, const char *lease)
{
	if (!strcmp(verdict, "ignore"))
		return !*lease;
	return !strncmp(verdict, "allow ", 6) && !strcmp(verdict + 6, lease);
}

/* None of the addresses has a lease, by any line of the file. */
static void check_never(struct corpus *c, size_t line, char *list)
{
	for (char *save, *a = strtok_r(list, ",", &save); a;
	     a = strtok_r(NULL, ",", &save))
		for (size_t i = 1; i < LINES_MAX; i++)
			if (!strcmp(c->leases[i], a)) {
				c->wrong++;
				print_error(
				    "%s:%zu: line %zu gave %s a lease\n",
				    c->name, line, i, a);
			}
}

static void check_row(struct corpus *c, char *row)
{
	char *fields[5] = { 0 }, *save;
	size_t n = 0, line;
	bool good;

	for (char *f = strtok_r(row, "\t", &save); f && n < 5;
	     f = strtok_r(NULL, "\t", &save))
		fields[n++] = f;
	assert_true(n >= 3);
	line = strtoul(fields[0], NULL, 10);
	assert_true(line && line < LINES_MAX);
	good = is_verdict(fields[1], c->leases[line]);
	for (size_t i = 3; i < n; i++) {
		if (!strncmp(fields[i], "never=", 6))
			check_never(c, line, fields[i] + 6);
		if (!strncmp(fields[i], "alt=", 4))
			good |= is_verdict(fields[i] + 4, c->leases[line]);
	}
	if (good)
		return;
	c->wrong++;
	print_error("%s:%zu: want %s (%s), got \"%s\"\n", c->name, line,
	    fields[1], fields[2], c->leases[line]);
}

static size_t run_corpus(const char *dir, const char *name)
{
	struct corpus *c = xcalloc(1, sizeof(*c));
	size_t len, wrong;
	char *expect = slurp(dir, name, ".expect", NULL), *save;
	char *copy = xstrdup(expect);
	char *log = slurp(dir, name, ".log", &len);

	c->name = name;
	for (char *l = strtok_r(copy, "\n", &save); l;
	     l = strtok_r(NULL, "\n", &save))
		setting(c, l);
	set_up(c);
	line_feed(&c->splitter, log, len, take_line, c);
	for (char *l = strtok_r(expect, "\n", &save); l;
	     l = strtok_r(NULL, "\n", &save))
		if (*l != '#')
			check_row(c, l);
	wrong = c->wrong;
	free(copy);
	free(expect);
	free(log);
	matcher_free(&c->matcher);
	patterns_close(&c->patterns);
	rules_free(&c->rules);
	free(c);
	return wrong;
}

static int is_expect(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 7 && !strcmp(d->d_name + n - 7, ".expect");
}

static void test_corpus_lines_get_their_verdicts(void **state)
{
	const char *dir = getenv("RELAYPASS_CORPUS");
	struct dirent **names;
	size_t wrong = 0;
	int n;

	(void)state;
	dir = dir ? dir : TEST_DATA "/corpus";
	n = scandir(dir, &names, is_expect, alphasort);
	assert_true(n >= 6);
	for (int i = 0; i < n; i++) {
		wrong += run_corpus(dir, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus_lines_get_their_verdicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
