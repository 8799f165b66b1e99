/* SPDX-License-Identifier: ISC */
/*
 * cost - what an expression costs at worst, measured. safety.c has shown that
 * it is linear; this finds the factor. Called by `relaypass patterns check` and
 * the unit tests, never for lines of a log.
 */
#include <stdlib.h>
#include <string.h>

#include "base/line.h"
#include "base/mem.h"
#include "engine.h"

enum { CUTS = 16, BAITS = 6 };

/* One expression with a callout before each of its items. */
struct meter {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
	uint64_t steps;
	double worst; /* steps a byte */
};

static int step(pcre2_callout_block *block, void *ctx)
{
	struct meter *m = ctx;

	(void)block;
	m->steps++;
	return 0;
}

static void measure(struct meter *m, const char *text, size_t len)
{
	double cost;

	m->steps = 0;
	pcre2_match(m->code, (PCRE2_SPTR)text, len, 0, 0, m->data, m->context);
	cost = (double)m->steps / (double)len;
	if (cost > m->worst)
		m->worst = cost;
}

/* text with its bytes from..to repeated until it is as long as a line gets. */
static void try_bait(struct meter *m, const char *text, size_t len, size_t from,
    size_t to, char *room)
{
	size_t n = from, piece = to - from;

	memcpy(room, text, from);
	while (n + piece + (len - to) <= LINE_MAX_BYTES) {
		memcpy(room + n, text + from, piece);
		n += piece;
	}
	measure(m, room, n);
	memcpy(room + n, text + to, len - to);
	measure(m, room, n + len - to);
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z');
}

/* Cuts a message where words begin and end, evenly when there are many. */
static void try_message(struct meter *m, const char *text, size_t len)
{
	size_t cut[LINE_MAX_BYTES / 8], n = 0, skip;
	AUTO_FREE char *room = xmalloc(LINE_MAX_BYTES + 1);

	for (size_t i = 1; i < len && n < COUNT_OF(cut); i++)
		if (is_word(text[i]) != is_word(text[i - 1]) ||
		    !is_word(text[i]))
			cut[n++] = i;
	skip = n / CUTS + 1;
	for (size_t i = 0; i < n; i += skip)
		for (size_t k = i + 1; k < n; k += skip)
			try_bait(m, text, len, cut[i], cut[k], room);
}

double pattern_cost(const struct pattern_file *f, const struct pattern_expr *e)
{
	struct meter m = { 0 };
	PCRE2_SIZE at;
	int code, used = 0;

	m.code = pcre2_compile((PCRE2_SPTR)e->text, PCRE2_ZERO_TERMINATED,
	    PCRE2_ANCHORED | PCRE2_DOLLAR_ENDONLY | PCRE2_DOTALL |
		PCRE2_AUTO_CALLOUT,
	    &code, &at, NULL);
	if (!m.code)
		return 1e9;
	m.data = pcre2_match_data_create_from_pattern(m.code, NULL);
	m.context = pcre2_match_context_create(NULL);
	must(m.data && m.context);
	pcre2_set_callout(m.context, step, &m);
	for (size_t i = 0; i < f->sample_count; i++) {
		struct header h;

		if (!header_parse(
			f->samples[i].text, f->samples[i].text_len, &h))
			continue;
		/* Baits of lines that this expression knows go deepest. */
		if (pcre2_match(m.code, (PCRE2_SPTR)h.msg, h.msg_len, 0, 0,
			m.data, NULL) > 0 ||
		    used < 2) {
			try_message(&m, h.msg, h.msg_len);
			used++;
		}
		if (used == BAITS)
			break;
	}
	pcre2_match_data_free(m.data);
	pcre2_match_context_free(m.context);
	pcre2_code_free(m.code);
	return m.worst;
}
