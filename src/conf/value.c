/* SPDX-License-Identifier: ISC */
/*
 * value - one value of an option: checked by its row, printed, explained.
 */
#include "value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "base/duration.h"
#include "base/mem.h"

/* Largest first, so that printing takes the largest that divides. */
static const struct unit {
	char letter;
	int64_t bytes;
} units[] = {
	{ 'T', INT64_C(1) << 40 },
	{ 'G', INT64_C(1) << 30 },
	{ 'M', INT64_C(1) << 20 },
	{ 'K', INT64_C(1) << 10 },
};

static const struct truth {
	const char *word;
	bool value;
} truths[] = {
	{ "yes", true },
	{ "no", false },
	{ "true", true },
	{ "false", false },
	{ "on", true },
	{ "off", false },
};

bool option_is_list(const struct option *row)
{
	return row->type == OPTION_LIST || row->type == OPTION_NETS;
}

bool option_is_number(const struct option *row)
{
	return row->type == OPTION_BOOL || row->type == OPTION_INT ||
	       row->type == OPTION_SIZE || row->type == OPTION_DURATION ||
	       row->type == OPTION_CHOICE;
}

static bool has_limits(const struct option *row)
{
	return row->min != 0 || row->max != 0;
}

static bool in_limits(const struct option *row, int64_t number)
{
	return !has_limits(row) || (number >= row->min && number <= row->max);
}

/* Digits with one '-' allowed in front; strtoll() alone takes blanks and '+'.
 */
static bool parse_digits(const char *text, int64_t *number, const char **rest)
{
	const char *digits = text + (*text == '-');
	char *end = NULL;

	if (*digits < '0' || *digits > '9')
		return false;
	errno = 0;
	*number = strtoll(text, &end, 10);
	*rest = end;
	return errno == 0;
}

static bool parse_int(const char *text, int64_t *number)
{
	const char *rest;

	return parse_digits(text, number, &rest) && *rest == '\0';
}

static bool parse_size(const char *text, int64_t *number)
{
	const char *rest;

	if (!parse_digits(text, number, &rest) || *number < 0)
		return false;
	if (*rest == '\0')
		return true;
	for (size_t i = 0; i < COUNT_OF(units); i++)
		if (rest[0] == units[i].letter && rest[1] == '\0')
			return !__builtin_mul_overflow(
			    *number, units[i].bytes, number);
	return false;
}

static bool parse_bool(const char *text, int64_t *number)
{
	for (size_t i = 0; i < COUNT_OF(truths); i++) {
		if (strcasecmp(text, truths[i].word) != 0)
			continue;
		*number = truths[i].value;
		return true;
	}
	return false;
}

/* The index-th word of "a|b|c", or NULL. */
static const char *choice_at(const char *choices, int64_t index, size_t *len)
{
	for (; index > 0 && choices != NULL; index--) {
		choices = strchr(choices, '|');
		if (choices != NULL)
			choices++;
	}
	if (choices != NULL)
		*len = strcspn(choices, "|");
	return choices;
}

static bool parse_choice(const char *choices, const char *text, int64_t *number)
{
	size_t len;
	const char *word;

	for (int64_t i = 0; (word = choice_at(choices, i, &len)) != NULL; i++) {
		if (strlen(text) != len || memcmp(text, word, len) != 0)
			continue;
		*number = i;
		return true;
	}
	return false;
}

bool value_parse(const struct option *row, const char *text, int64_t *number)
{
	struct net net;

	*number = 0;
	switch (row->type) {
	case OPTION_STRING:
	case OPTION_LIST:
		return true;
	case OPTION_PATH: /* a default of "" says that there may be none */
		return text[0] == '/' ||
		       (text[0] == '\0' && row->def != NULL && !*row->def);
	case OPTION_NETS:
		return net_parse(text, strlen(text), &net);
	case OPTION_BOOL:
		return parse_bool(text, number);
	case OPTION_CHOICE:
		return parse_choice(row->choices, text, number);
	case OPTION_INT:
		return parse_int(text, number) && in_limits(row, *number);
	case OPTION_SIZE:
		return parse_size(text, number) && in_limits(row, *number);
	case OPTION_DURATION:
		return duration_parse(text, number) && in_limits(row, *number);
	}
	return false;
}

static void print_size(int64_t bytes, char out[static VALUE_TEXT_SIZE])
{
	for (size_t i = 0; i < COUNT_OF(units); i++) {
		if (bytes == 0 || bytes % units[i].bytes != 0)
			continue;
		snprintf(out, VALUE_TEXT_SIZE, "%" PRId64 "%c",
		    bytes / units[i].bytes, units[i].letter);
		return;
	}
	snprintf(out, VALUE_TEXT_SIZE, "%" PRId64, bytes);
}

const char *value_print(
    const struct option *row, int64_t number, char out[static VALUE_TEXT_SIZE])
{
	char duration[DURATION_TEXT_SIZE];
	size_t len = 0;
	const char *word;

	if (row->type == OPTION_BOOL) {
		snprintf(out, VALUE_TEXT_SIZE, "%s", number ? "yes" : "no");
	} else if (row->type == OPTION_CHOICE) {
		word = choice_at(row->choices, number, &len);
		must(word != NULL);
		snprintf(out, VALUE_TEXT_SIZE, "%.*s", (int)len, word);
	} else if (row->type == OPTION_SIZE) {
		print_size(number, out);
	} else if (row->type == OPTION_DURATION) {
		duration_print(number, duration);
		snprintf(out, VALUE_TEXT_SIZE, "%s", duration);
	} else {
		snprintf(out, VALUE_TEXT_SIZE, "%" PRId64, number);
	}
	return out;
}

static void expect_choices(const char *choices, char *out)
{
	size_t used = (size_t)snprintf(out, EXPECTED_SIZE, "one of");
	size_t len;
	const char *word;

	for (int64_t i = 0; (word = choice_at(choices, i, &len)) != NULL &&
			    used < EXPECTED_SIZE;
	     i++)
		used += (size_t)snprintf(out + used, EXPECTED_SIZE - used,
		    "%s %.*s", i > 0 ? "," : "", (int)len, word);
}

/* One with bits set behind its prefix is refused: it says two things. */
static const char nets_text[] =
    "networks such as 192.0.2.0/24, 2001:db8::/32, 192.0.2.1 or 10.1. "
    "(no bits set behind the prefix)";

static const char *const kinds_of_value[] = {
	[OPTION_STRING] = "text",
	[OPTION_PATH] = "an absolute path",
	[OPTION_LIST] = "a text, or a list such as {\"a\", \"b\"}",
	[OPTION_NETS] = nets_text,
	[OPTION_BOOL] = "yes or no",
	[OPTION_INT] = "a whole number",
	[OPTION_SIZE] = "a size such as 64K, 1M or 2G",
	[OPTION_DURATION] = "a duration such as 90s, 30m, 1h or 60 * 30",
	[OPTION_CHOICE] = "a word",
};

const char *option_expects(
    const struct option *row, char out[static EXPECTED_SIZE])
{
	char min[VALUE_TEXT_SIZE], max[VALUE_TEXT_SIZE];

	if (row->type == OPTION_CHOICE)
		expect_choices(row->choices, out);
	else if (option_is_number(row) && has_limits(row))
		snprintf(out, EXPECTED_SIZE, "%s, from %s to %s",
		    kinds_of_value[row->type], value_print(row, row->min, min),
		    value_print(row, row->max, max));
	else
		snprintf(out, EXPECTED_SIZE, "%s", kinds_of_value[row->type]);
	return out;
}

void option_each_default(const struct option *row,
    void (*fn)(void *ctx, const char *word, size_t len), void *ctx)
{
	const char *at = row->def != NULL ? row->def : "";

	for (at += strspn(at, " "); *at != '\0'; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");
		fn(ctx, at, len);
		at += len;
	}
}
