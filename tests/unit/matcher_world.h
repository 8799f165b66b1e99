/* SPDX-License-Identifier: ISC */
/*
 * matcher_world - a matcher over the built-in patterns at a fixed time, and
 * what tests of it ask again and again. Included behind cmocka.h.
 */
#ifndef TESTS_UNIT_MATCHER_WORLD_H
#define TESTS_UNIT_MATCHER_WORLD_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pattern/pattern.h"

static const int64_t test_now = 1795198200000; /* 2026-11-20T18:10:00Z */
static const int64_t test_skew = 300000;

struct world {
	struct patterns *patterns;
	struct matcher *matcher;
	struct login login;
};

static inline struct patterns *world_patterns(
    const char *servers, const char *dir)
{
	struct patterns_options o = { .servers = servers, .dir = dir };
	struct err err = { 0 };
	struct patterns *p = patterns_open(&o, &err);

	if (!p)
		fail_msg("%s", err.text);
	return p;
}

static inline int world_set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	setenv("TZ", "UTC", 1);
	w->patterns = world_patterns(NULL, NULL);
	w->matcher = matcher_new(w->patterns);
	*state = w;
	return 0;
}

static inline int world_tear_down(void **state)
{
	struct world *w = *state;

	matcher_free(&w->matcher);
	patterns_close(&w->patterns);
	free(w);
	return 0;
}

static inline enum login_kind take_bytes(
    struct world *w, const char *line, size_t len)
{
	/* Memory of its own size, so that a sanitizer sees every step aside. */
	AUTO_FREE char *copy = xmalloc(len);

	memcpy(copy, line, len);
	memset(&w->login, 0xa5, sizeof(w->login));
	return matcher_line(
	    w->matcher, copy, len, test_now, test_skew, &w->login);
}

static inline enum login_kind take(struct world *w, const char *line)
{
	return take_bytes(w, line, strlen(line));
}

static inline void assert_addr(const struct world *w, const char *want)
{
	char text[ADDR_TEXT_SIZE];

	addr_print(&w->login.addr, text);
	assert_string_equal(text, want);
}

#define HEAD  "Nov 20 18:05:01 mx1 "
#define LOGIN HEAD "dovecot: imap-login: Login: user=<bob>, method=PLAIN, "
#define FROM  "rip=192.0.2.1, lip=198.51.100.1, mpid=7, TLS, session=<abc>"
#endif
