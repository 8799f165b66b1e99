/* SPDX-License-Identifier: ISC */
/*
 * duration - how long something lasts, to and from text. Called by conf/ and
 * cmd/; pure functions.
 */
#include "duration.h"

#include <stdio.h>

#include "mem.h"

static const int64_t max_seconds = 10LL * 365 * 86400;

static const struct unit {
	char letter;
	int64_t seconds;
} units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };

/* A decimal number up to max_seconds, without leading zeros; -1: none. */
static int64_t parse_number(const char **text)
{
	const char *p = *text;
	int64_t value = 0;

	if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
		return -1;
	for (; *p >= '0' && *p <= '9'; p++) {
		value = value * 10 + (*p - '0');
		if (value > max_seconds)
			return -1;
	}
	*text = p;
	return value;
}

static const char *skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/* "* 30 * 2", behind the first factor. -1: not a product. */
static int64_t parse_factors(const char *p, int64_t product)
{
	while (*p) {
		if (*p != '*')
			return -1;
		p = skip_blanks(p + 1);
		int64_t factor = parse_number(&p);
		if (factor <= 0 || product <= 0)
			return -1;
		/* Neither is above 1e9, so this cannot overflow. */
		product *= factor;
		if (product > max_seconds)
			return -1;
		p = skip_blanks(p);
	}
	return product;
}

static int64_t parse_seconds(const char *text)
{
	const char *p = text;
	int64_t value = parse_number(&p);

	if (value < 0 || *p == '\0')
		return value;
	for (size_t i = 0; i < COUNT_OF(units); i++) {
		if (*p == units[i].letter && p[1] == '\0')
			return value * units[i].seconds;
	}
	p = skip_blanks(p);
	return *p == '*' ? parse_factors(p, value) : -1;
}

bool duration_parse(const char *text, int64_t *ms)
{
	int64_t seconds = parse_seconds(text);

	if (seconds < 0 || seconds > max_seconds)
		return false;
	*ms = seconds * 1000;
	return true;
}

size_t duration_print(int64_t ms, char out[static DURATION_TEXT_SIZE])
{
	int64_t seconds = ms / 1000;
	size_t i = 0;

	while (seconds % units[i].seconds)
		i++;
	int n = seconds == 0 ? snprintf(out, DURATION_TEXT_SIZE, "0")
			     : snprintf(out, DURATION_TEXT_SIZE, "%lld%c",
				   (long long)(seconds / units[i].seconds),
				   units[i].letter);
	return (size_t)n;
}
