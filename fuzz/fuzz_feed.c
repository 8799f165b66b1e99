/* SPDX-License-Identifier: ISC */
/*
 * fuzz_feed - a stream of log lines gives the logins of its whole lines, each
 * read by itself, however the stream is cut, and none from the end of a line
 * whose beginning was not there. The first byte of the input says how it is
 * cut, the second where in a line it begins.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/line.h"
#include "base/mem.h"
#include "source/feed.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LOGINS_MAX = 4096, STEP_MAX = 997 };

static const int64_t now = 1795198200000, skew = 300000;
static struct patterns *patterns;
static struct conf *conf;

struct seen {
	size_t count;
	struct login logins[LOGINS_MAX];
};

static bool submit(void *ctx, uint64_t token, const struct login *login)
{
	struct seen *s = ctx;

	must(token == 0 && s->count < LOGINS_MAX);
	s->logins[s->count++] = *login;
	return true;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct option rows[] = { FEED_OPTIONS, OPTION_END };
	static const struct conf_schema schema[] = {
		{ "feed", "A feed.", rows, NULL }, { 0 }
	};
	struct err err = { 0 };

	(void)argc;
	(void)argv;
	patterns = patterns_open(&(struct patterns_options){ 0 }, &err);
	conf = conf_default(schema);
	must(patterns && conf);
	return 0;
}

/* Line by line, with a matcher of its own. */
static void expect(
    struct seen *out, enum feed_place place, const char *text, size_t len)
{
	struct matcher *m = matcher_new(patterns);
	const char *lf;

	for (; (lf = memchr(text, '\n', len)) != NULL; place = FEED_LINE) {
		size_t n = (size_t)(lf - text);
		bool whole = n <= LINE_MAX_BYTES && place != FEED_INSIDE;

		if (whole && place == FEED_DOUBT)
			whole = matcher_time(m, text, n, now, skew) >= 0;
		if (whole && matcher_line(m, text, n, now, skew,
				 &out->logins[out->count]) != LOGIN_NOTHING)
			must(++out->count < LOGINS_MAX);
		len -= n + 1;
		text = lf + 1;
	}
	matcher_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct seen got, want;
	const struct source_env env = { .name = "fuzz",
		.patterns = patterns,
		.max_skew = skew,
		.submit = submit,
		.live_ctx = &got };
	const char *text = (const char *)data + 2;
	enum feed_place place;
	struct feed *f;
	size_t step;

	if (size < 2)
		return 0;
	got.count = want.count = 0;
	step = 1 + data[0] * (size_t)data[0] % STEP_MAX;
	place = (enum feed_place)(data[1] % (FEED_INSIDE + 1));
	size -= 2;
	f = feed_new(&env, conf_at(conf, "feed", 0));
	feed_begin(f, place);
	for (size_t at = 0; at < size; at += step)
		feed_bytes(
		    f, text + at, step < size - at ? step : size - at, now);
	feed_free(&f);
	expect(&want, place, text, size);
	must(got.count == want.count);
	must(memcmp(got.logins, want.logins,
		 got.count * sizeof(got.logins[0])) == 0);
	return 0;
}
