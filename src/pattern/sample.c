/* SPDX-License-Identifier: ISC */
/*
 * sample - runs the samples of pattern files. Called by `relaypass patterns`
 * and by the unit tests, so that an administrator's file is tested as ours are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "annotate.h"
#include "base/kv.h"
#include "base/mem.h"
#include "engine.h"

/* 2026-11-20T19:00:00Z: whatever the stamps of samples say, the year-less ones
 * get a reading, and two lines that belong together the same one. */
static const int64_t sample_now = 1795201200000, sample_skew = 300000;

static const char *const kinds[] = { [LOGIN_NOTHING] = "none",
	[LOGIN_IN] = "login",
	[LOGIN_OUT] = "logout",
	[LOGIN_ALIVE] = "alive",
	[LOGIN_RESTART] = "restart" };

/* The keys and coding of what a sample must give. */
static bool is_want(const char *words, size_t len)
{
	static const char keys[] = " ip user session mpid tls time ";
	char key[12], value[LOGIN_USER_MAX + 1];
	struct kv_word w;
	size_t used;

	for (int got; (got = kv_next(&words, &len, &w));) {
		if (got < 0 || !w.key_len || w.key_len > 8)
			return false;
		snprintf(key, sizeof(key), " %.*s ", (int)w.key_len, w.key);
		if (!strstr(keys, key) || !kv_decode(w.value, w.value_len,
					      value, sizeof(value), &used))
			return false;
	}
	return true;
}

const char *pattern_sample_parse(struct pattern_sample *s, const char *text)
{
	const char *bar = strstr(text, " | "), *want = text;
	size_t n = strcspn(text, " \t"), kind = 0;

	while (kind < COUNT_OF(kinds) &&
	       (strlen(kinds[kind]) != n || memcmp(kinds[kind], text, n) != 0))
		kind++;
	if (!bar || kind == COUNT_OF(kinds))
		return "sample: expected none, login, logout or restart, then "
		       "\" | \" and the line";
	want += n;
	want += want < bar;
	if (!is_want(want, (size_t)(bar - want)))
		return "sample: expected ip= user= session= mpid= tls= or "
		       "time= before the bar";
	s->kind = (enum login_kind)kind;
	s->want = xstrndup(want, (size_t)(bar - want));
	s->text = xstrdup(bar + 3);
	s->text_len = strlen(s->text);
	return NULL;
}

/* The value that a login has for a key of file.c's list. */
static void value_of(
    const struct login *l, const char *key, size_t len, char *out, size_t size)
{
	static const struct addr nowhere;
	char text[ADDR_TEXT_SIZE] = "";

	if (len == 2 && !addr_equal(&l->addr, &nowhere))
		addr_print(&l->addr, text);
	if (len == 2)
		snprintf(out, size, "%s", text);
	else if (!memcmp(key, "user", 4))
		snprintf(out, size, "%s", l->user);
	else if (!memcmp(key, "sess", 4))
		snprintf(out, size, "%s", l->session);
	else if (!memcmp(key, "mpid", 4))
		snprintf(out, size, "%u", l->mpid);
	else if (!memcmp(key, "tls", 3))
		snprintf(out, size, "%u", l->tls);
	else
		snprintf(out, size, "%lld", (long long)l->time);
}

/* True when the login is what the sample wants; else why gets the difference.
 */
static bool is_wanted(const struct pattern_sample *s, enum login_kind kind,
    const struct login *l, char *why, size_t size)
{
	const char *words = s->want;
	size_t left = strlen(words), used;
	struct kv_word w;

	if (kind != s->kind) {
		snprintf(
		    why, size, "gives %s, not %s", kinds[kind], kinds[s->kind]);
		return false;
	}
	while (kv_next(&words, &left, &w) > 0) {
		char want[LOGIN_USER_MAX + 1], got[LOGIN_USER_MAX + 1];

		kv_decode(w.value, w.value_len, want, sizeof(want), &used);
		value_of(l, w.key, w.key_len, got, sizeof(got));
		if (!strcmp(want, got))
			continue;
		snprintf(why, size, "gives %.*s=%s, not %s", (int)w.key_len,
		    w.key, got, want);
		return false;
	}
	return true;
}

static bool is_annotated(const struct pattern_sample *s)
{
	size_t len = s->text_len;
	uint32_t uid;

	return annotate_cut(s->text, &len, &uid);
}

size_t patterns_run_samples(const struct patterns *p,
    const struct pattern_file *f, patterns_sample_fn *fn, void *ctx)
{
	struct matcher *m = matcher_new(p);
	size_t wrong = 0;

	matcher_believe(m);
	for (size_t i = 0; i < f->sample_count; i++) {
		const struct pattern_sample *s = &f->samples[i];
		struct login l = { 0 };
		enum login_kind kind;
		char why[700] = "";

		matcher_annotated(m, is_annotated(s));
		kind = matcher_line(
		    m, s->text, s->text_len, sample_now, sample_skew, &l);

		if (is_wanted(s, kind, &l, why, sizeof(why)))
			continue;
		wrong++;
		if (fn)
			fn(ctx, f, s->line, why);
	}
	matcher_free(&m);
	return wrong;
}
