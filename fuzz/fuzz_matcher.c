/* SPDX-License-Identifier: ISC */
/*
 * fuzz_matcher - a line, whole, or what a stranger typed, in all the places
 * where one of the servers prints such text (tests/print). In the first case:
 * JIT, interpreter and a matcher without memory agree, and a login's address
 * and user stand in the line as they are. In the second: the true address, or
 * nothing.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tests/print/print.h"
#include "base/line.h"
#include "base/mem.h"
#include "pattern/pattern.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int64_t now = 1795198200000, skew = 300000;
static struct patterns *fast, *slow;
static struct matcher *used;

enum { ROWS_MAX = 512 };

static struct {
	const struct server *server;
	const struct format *format;
	struct variants variants;
} rows[ROWS_MAX];
static size_t row_count;

static void list_rows(void)
{
	const struct server *s;

	for (size_t i = 0; (s = server_at(i)) != NULL; i++)
		for (size_t k = 0; k < s->count; k++) {
			must(row_count < ROWS_MAX);
			rows[row_count].server = s;
			rows[row_count].format = &s->formats[k];
			rows[row_count++].variants =
			    variants_of(s->formats[k].text);
		}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct patterns_options o = { 0 };
	struct err err = { 0 };

	(void)argc;
	(void)argv;
	setenv("TZ", "UTC", 1);
	fast = patterns_open(&o, &err);
	o.no_jit = true;
	slow = patterns_open(&o, &err);
	must(fast && slow);
	used = matcher_new(fast);
	stranger_prepare(0);
	list_rows();
	return 0;
}

static enum login_kind match(
    const struct patterns *p, const char *line, size_t len, struct login *out)
{
	struct matcher *m = matcher_new(p);
	enum login_kind kind = matcher_line(m, line, len, now, skew, out);

	matcher_free(&m);
	return kind;
}

static void check_login(const struct login *l, const char *line, size_t len)
{
	must(l->user_len && strlen(l->user) == l->user_len);
	must(memmem(line, len, l->user, l->user_len));
	for (size_t i = 0; i < l->user_len; i++)
		must((unsigned char)l->user[i] >= ' ' && l->user[i] != 0x7f);
	must(strlen(l->session) == l->session_len);
	must(strlen(l->server) && l->time >= 0);
}

/* Any bytes as a line. */
static void whole(const char *line, size_t len)
{
	struct login a, b, c;
	enum login_kind kind = match(fast, line, len, &a);

	must(match(slow, line, len, &b) == kind);
	must(matcher_line(used, line, len, now, skew, &c) == kind);
	if (kind == LOGIN_NOTHING)
		return;
	must(!memcmp(&a, &b, sizeof(a)) && !memcmp(&a, &c, sizeof(a)));
	if (kind == LOGIN_IN)
		check_login(&a, line, len);
}

/* The bytes where a server prints what a stranger chose. */
static void embedded(unsigned choice, const char *typed, size_t len)
{
	static struct text text;
	static struct line line;
	struct scene scene = { .typed = &text };
	struct rng rng = rng_from(choice, 0, 0);
	size_t row = choice % row_count;
	struct login l;

	text.len = 0;
	text_put(&text, typed, len);
	line_print(&line, &rng, rows[row].server, rows[row].format,
	    &rows[row].variants, &scene);
	if (line.text.len > LINE_MAX_BYTES ||
	    match(fast, line.text.at, line.text.len, &l) != LOGIN_IN)
		return;
	must(line.login && addr_equal(&l.addr, &line.client));
	check_login(&l, line.text.at, line.text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *copy = xmalloc(size);

	if (size < 2)
		return 0;
	memcpy(copy, data, size);
	if (data[0] == 'L')
		whole(copy + 1, size - 1);
	else
		embedded(data[0] | (unsigned)data[1] << 8, copy + 2, size - 2);
	return 0;
}
