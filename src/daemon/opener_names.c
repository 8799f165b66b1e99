/* SPDX-License-Identifier: ISC */
/*
 * opener_names - see the header. Names only choose which files are looked at;
 * what they are is found out by their content (source/file_chase.c).
 */
#include "opener_names.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_DATE = 19000101 };

static const char *const packed[] = { ".gz", ".zst", ".bz2", ".xz", ".lz4",
	".Z" };

static bool ends_with(const char *name, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len > n && memcmp(name + len - n, end, n) == 0;
}

/* The length of the name without what a packer put behind it. */
static size_t unpacked_len(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < COUNT_OF(packed); i++)
		if (ends_with(name, len, packed[i]))
			return len - strlen(packed[i]);
	return len;
}

static bool is_packer(const char *end)
{
	for (size_t i = 0; i < COUNT_OF(packed); i++)
		if (strcmp(end, packed[i]) == 0)
			return true;
	return false;
}

bool names_packed(const char *name)
{
	return name[unpacked_len(name)] != '\0';
}

/* ".1", "-20261120", "_2026-11-20T00:00:00", ".old". */
static bool is_rotation(const char *text, size_t len)
{
	bool digit = false;

	if (len < 2 || !strchr(".-_", text[0]))
		return false;
	if (len == 4 && memcmp(text + 1, "old", 3) == 0)
		return true;
	for (size_t i = 1; i < len; i++) {
		if (isdigit((unsigned char)text[i]))
			digit = true;
		else if (!strchr("-_.:TZ", text[i]))
			return false;
	}
	return digit;
}

bool names_rotated(const char *base, const char *name)
{
	size_t base_len = strlen(base), len = unpacked_len(name);
	const char *dot = strrchr(base, '.');

	if (len >= base_len && strncmp(base, name, base_len) == 0 &&
	    (is_rotation(name + base_len, len - base_len) ||
		(len == base_len && name[len] != '\0')))
		return true;
	if (!dot || dot == base)
		return false;
	/* The rotation before the last dot of the name. */
	size_t stem = (size_t)(dot - base), end = base_len - stem;
	return len > base_len && strncmp(base, name, stem) == 0 &&
	       memcmp(name + len - end, dot, end) == 0 &&
	       is_rotation(name + stem, len - base_len);
}

bool names_dated(const char *a, const char *b)
{
	bool digit = false;

	for (; *a && *b; a++, b++) {
		bool both =
		    isdigit((unsigned char)*a) && isdigit((unsigned char)*b);
		digit |= both;
		if (*a != *b && !both)
			return false;
	}
	/* The other may be packed. */
	return digit && *a == '\0' && (*b == '\0' || is_packer(b));
}

/* All digits of the name as one number; what both names begin with has the
 * same ones. */
static unsigned long long number_of(const char *name)
{
	const unsigned long long full = 1000000000000000000u;
	size_t len = unpacked_len(name);
	unsigned long long n = 0;

	for (size_t i = 0; i < len; i++)
		if (isdigit((unsigned char)name[i]) && n < full)
			n = n * 10 + (unsigned)(name[i] - '0');
	return n;
}

int names_newer(const char *a, const char *b)
{
	unsigned long long x = number_of(a), y = number_of(b);

	if (x == y)
		return 0;
	/* Numbers grow with age, dates with youth. */
	if (x >= FIRST_DATE && y >= FIRST_DATE)
		return x > y ? 1 : -1;
	return x < y ? 1 : -1;
}
