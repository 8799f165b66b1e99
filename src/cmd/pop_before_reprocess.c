/* SPDX-License-Identifier: ISC */
/*
 * pop_before_reprocess - `pop-before-smtp --reprocess`: the whole log as if
 * each line were written now. Nothing but the log is read, and nothing is
 * changed.
 */
#include "pop_before.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/line.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "daemon/schema.h"
#include "login/rules.h"
#include "pattern/pattern.h"

enum { CHUNK = 64 * 1024, OWN_MAX = 256, FD_PATH_SIZE = 32 };

struct entry {
	struct addr addr;
	int64_t end; /* wall, ms */
};

struct reprocess {
	const struct pop_log *log;
	bool debug;
	struct conf *conf;
	struct rules *rules;
	struct patterns *patterns;
	struct matcher *matcher;
	int64_t now, skew; /* now: 0 before the first stamp */
	struct entry *entries;
	size_t count;
};

/* The pattern file that was made is read like any other. */
static int file_of(const struct pop_patterns *patterns)
{
	AUTO_CLOSE int fd =
	    patterns->file ? memfd_create(POP_BEFORE_NAME, MFD_CLOEXEC) : -1;
	size_t len = patterns->file ? strlen(patterns->file) : 0;

	return fd >= 0 && write(fd, patterns->file, len) == (ssize_t)len
		   ? take_fd(&fd)
		   : -1;
}

static int set_up(struct reprocess *r, const struct pop_patterns *patterns,
    const char *config, struct err *err)
{
	AUTO_CLOSE int fd = file_of(patterns);
	struct patterns_options options = { .servers = patterns->servers };
	struct addr own[OWN_MAX];
	char path[FD_PATH_SIZE];

	r->conf = conf_parse(
	    config, strlen(config), POP_BEFORE_CONFIG, schema(), err);
	if (!r->conf)
		return -1;
	r->rules = rules_new(conf_at(r->conf, "lease", 0), own,
	    rules_own_addresses(own, OWN_MAX));
	r->skew = rules_max_skew(r->rules);
	if (patterns->file) {
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		options.file = path;
	} else {
		options.dir = conf_string(
		    conf_at(r->conf, "relaypass", 0), "pattern-directory");
	}
	r->patterns = patterns_open(&options, err);
	if (!r->patterns)
		return -1;
	r->matcher = matcher_new(r->patterns);
	return 0;
}

static void tear_down(struct reprocess *r)
{
	if (r->matcher)
		matcher_free(&r->matcher);
	if (r->patterns)
		patterns_close(&r->patterns);
	if (r->rules)
		rules_free(&r->rules);
	conf_free(&r->conf);
	free(r->entries);
}

/* The one that ends first, if it has ended. */
static struct entry *ended(const struct reprocess *r)
{
	struct entry *first = NULL;

	for (size_t i = 0; i < r->count; i++)
		if (r->entries[i].end <= r->now &&
		    (!first || r->entries[i].end < first->end))
			first = &r->entries[i];
	return first;
}

static void remove_ended(struct reprocess *r)
{
	char text[ADDR_TEXT_SIZE];

	for (struct entry *e = ended(r); e; e = ended(r)) {
		(void)addr_print(&e->addr, text);
		pop_log(r->log, r->now, "removed %s from DB", text);
		*e = r->entries[--r->count];
	}
}

static void add(struct reprocess *r, const struct addr *addr, int64_t end)
{
	char text[ADDR_TEXT_SIZE];

	for (size_t i = 0; i < r->count; i++)
		if (addr_equal(&r->entries[i].addr, addr)) {
			if (r->entries[i].end < end)
				r->entries[i].end = end;
			return;
		}
	r->entries = xrealloc(r->entries, r->count + 1, sizeof(struct entry));
	r->entries[r->count++] = (struct entry){ *addr, end };
	(void)addr_print(addr, text);
	pop_log(r->log, r->now, "added %s to DB", text);
}

static void take_login(struct reprocess *r, const struct login *l)
{
	struct moment now = { .wall = r->now }, end;
	enum judgement j = rules_judge(r->rules, l, now, &end);
	char text[ADDR_TEXT_SIZE];

	(void)addr_print(&l->addr, text);
	if (r->debug)
		pop_log(r->log, r->now,
		    j == JUDGE_LEASE ? "found ip=%s" : "ignoring ip=%s (%s)",
		    text, j == JUDGE_LEASE ? "" : rules_reason(j));
	if (j == JUDGE_LEASE)
		add(r, &l->addr, end.wall);
}

static void take_line(void *ctx, const char *line, size_t len, size_t end)
{
	struct reprocess *r = ctx;
	int64_t today = clock_now().wall;
	int64_t stamp = matcher_time(r->matcher, line, len, today, r->skew);
	struct login l;

	(void)end;
	if (stamp > r->now) {
		r->now = stamp;
		remove_ended(r);
	}
	if (matcher_line(r->matcher, line, len, today, r->skew, &l) ==
		LOGIN_IN &&
	    r->now)
		take_login(r, &l);
}

static int read_log(struct reprocess *r, const char *path, struct err *err)
{
	AUTO_CLOSE int fd = strcmp(path, "-") == 0
				? dup(STDIN_FILENO)
				: open(path, O_RDONLY | O_CLOEXEC);
	AUTO_FREE struct line_splitter *lines = xcalloc(1, sizeof(*lines));
	AUTO_FREE char *chunk = xmalloc(CHUNK);
	ssize_t n = -1;

	line_reset(lines);
	while (fd >= 0 && (n = read(fd, chunk, CHUNK)) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		if (n > 0)
			line_feed(lines, chunk, (size_t)n, take_line, r);
	}
	return n < 0 ? err_errno(err, EXIT_USER, errno, "%s", path) : 0;
}

int pop_reprocess(const struct pop_settings *s,
    const struct pop_patterns *patterns, const char *config,
    const struct pop_log *log)
{
	struct reprocess r = { .log = log, .debug = pop_true(s, POP_DEBUG) };
	struct err err = { 0 };
	int result = set_up(&r, patterns, config, &err);

	if (!result)
		result = read_log(&r, pop_text(s, POP_WATCHLOG), &err);
	if (!result) {
		pop_log(log, r.now, "------ reached end of log file ------");
		if (!r.now)
			(void)fprintf(stderr,
			    POP_BEFORE_NAME ": no line has a time stamp\n");
	} else {
		(void)fprintf(stderr, POP_BEFORE_NAME ": %s\n", err.text);
	}
	tear_down(&r);
	return result ? EXIT_FAILURE : EXIT_SUCCESS;
}
