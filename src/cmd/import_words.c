/* SPDX-License-Identifier: ISC */
/*
 * import_words - the words that several kinds of stores share: addresses, times
 * and rules as text. Pure: any bytes in. Called by: the kinds, import_store.c.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "import.h"

enum {
	EPOCH_DIGITS_MIN = 9,  /* March 1973 */
	EPOCH_DIGITS_MAX = 11, /* more are ms */
	MS = 1000,
	DECIMAL = 10
};

#define IMPORT(name) extern const struct import_kind import_##name;
#include "login/imports.def"
#undef IMPORT

const struct import_kind *const import_kinds[] = {
#define IMPORT(name) &import_##name,
#include "login/imports.def"
#undef IMPORT
	NULL
};

const struct import_kind *import_kind_find(const char *name)
{
	for (const struct import_kind *const *k = import_kinds; *k; k++)
		if (strcmp((*k)->name, name) == 0)
			return *k;
	return NULL;
}

/* --- addresses -------------------------------------------------------------
 */

/* "192.168", "10.1-2.", ".": numbers of an address, but not all of one. */
static bool is_part(const char *text, size_t len)
{
	static const char bytes[] = "0123456789.-/";

	for (size_t i = 0; i < len; i++)
		if (!memchr(bytes, text[i], sizeof(bytes) - 1))
			return false;
	return true;
}

static bool host_bits(const char *text, size_t len, const struct addr *a)
{
	const char *want = addr_is_ipv4(a) ? "32" : "128";

	return len == strlen(want) && memcmp(text, want, len) == 0;
}

bool import_address(
    const char *text, size_t len, struct addr *out, const char **why_r)
{
	static const char six[] = "ipv6:";
	const char *slash;
	struct net net;

	if (len > sizeof(six) - 1 && !strncasecmp(text, six, sizeof(six) - 1)) {
		text += sizeof(six) - 1;
		len -= sizeof(six) - 1;
	}
	slash = len ? memchr(text, '/', len) : NULL;
	if (addr_parse(text, slash ? (size_t)(slash - text) : len, out) &&
	    (!slash ||
		host_bits(slash + 1, (size_t)(text + len - slash - 1), out)))
		return true;
	*out = (struct addr){ { 0 } };
	*why_r = (len && is_part(text, len)) || net_parse(text, len, &net)
		     ? IMPORT_NETWORK
		     : IMPORT_NO_ADDR;
	return false;
}

/* --- values ----------------------------------------------------------------
 */

int64_t import_epoch(const char *text, size_t len)
{
	int64_t seconds = 0;

	if (len < EPOCH_DIGITS_MIN || len > EPOCH_DIGITS_MAX)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		seconds = seconds * DECIMAL + (text[i] - '0');
	}
	return seconds * MS;
}

bool import_denies(const char *value, size_t len)
{
	static const char *const words[] = { "REJECT", "ERROR", "DISCARD",
		"DENY", "DEFER", "DUNNO", "HOLD", "NO" };
	enum { CODE = 3 };
	size_t end = 0;

	while (end < len && isalpha((unsigned char)value[end]))
		end++;
	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (end == strlen(words[i]) &&
		    strncasecmp(value, words[i], end) == 0)
			return true;
	/* An answer of SMTP; a time is longer. */
	return len >= CODE && (value[0] == '4' || value[0] == '5') &&
	       isdigit((unsigned char)value[1]) &&
	       isdigit((unsigned char)value[2]) &&
	       (len == CODE || !isdigit((unsigned char)value[CODE]));
}

size_t import_without_nul(const char *text, size_t len)
{
	return len && text[len - 1] == '\0' ? len - 1 : len;
}

bool import_timeless(const char *key, size_t key_len, const char *value,
    size_t value_len, struct import_row *out, const char **why_r)
{
	if (!import_address(
		key, import_without_nul(key, key_len), &out->addr, why_r))
		return false;
	if (import_denies(value, value_len)) {
		*why_r = IMPORT_DENIED;
		return false;
	}
	return true;
}

bool import_timed(const char *key, size_t key_len, const char *value,
    size_t value_len, struct import_row *out, const char **why_r)
{
	out->login = import_epoch(value, import_without_nul(value, value_len));
	return import_timeless(key, key_len, value, value_len, out, why_r);
}

/* --- rules -----------------------------------------------------------------
 */

/* Looks through ,NAME=QvalueQ,NAME=QvalueQ. 1: RELAYCLIENT is set; 0: it is
 * not; -1: that is no list of settings. */
static int has_relayclient(const char *at, const char *end)
{
	static const char name[] = ",RELAYCLIENT=";
	int found = 0;

	while (at < end) {
		const char *equals =
		    *at == ',' ? memchr(at, '=', (size_t)(end - at)) : NULL;
		const char *quote, *close;

		if (!equals || equals + 2 >= end)
			return -1;
		if ((size_t)(equals + 1 - at) == sizeof(name) - 1 &&
		    memcmp(at, name, sizeof(name) - 1) == 0)
			found = 1;
		quote = equals + 1;
		close = memchr(quote + 1, *quote, (size_t)(end - quote - 1));
		if (!close)
			return -1;
		at = close + 1;
	}
	return found;
}

bool import_rule(
    const char *line, size_t len, struct import_row *out, const char **why_r)
{
	static const char allow[] = ":allow", deny[] = ":deny";
	const char *end = line + len;
	const char *at;

	while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	len = (size_t)(end - line);
	if (!len || *line == '#')
		return false;
	at = memmem(line, len, allow, sizeof(allow) - 1);
	if (!at) {
		if (!memmem(line, len, deny, sizeof(deny) - 1))
			*why_r = IMPORT_BAD;
		return false;
	}
	switch (has_relayclient(at + sizeof(allow) - 1, end)) {
	case 1:
		break;
	case 0:
		return false;
	default:
		*why_r = IMPORT_BAD;
		return false;
	}
	if (at == line) {
		*why_r = IMPORT_NETWORK; /* everybody */
		return false;
	}
	return import_address(line, (size_t)(at - line), &out->addr, why_r);
}

/* --- lsearch ---------------------------------------------------------------
 */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The key of the line; *rest_r is behind it. False: a quote is open. */
static bool take_key(const char *line, const char *end, const char **key_r,
    size_t *len_r, const char **rest_r)
{
	const char *at = line;

	if (*line == '"') {
		at = memchr(line + 1, '"', (size_t)(end - line - 1));
		if (!at)
			return false;
		*key_r = line + 1;
		*len_r = (size_t)(at - line - 1);
		*rest_r = at + 1;
		return true;
	}
	while (at < end && !is_blank(*at))
		at++;
	*key_r = line;
	*len_r = (size_t)(at - line);
	*rest_r = at;
	return true;
}

/* 2001.0db8.0000.0000.0000.0000.0000.0007, as net-lsearch wants IPv6. */
static bool dotted_six(const char *text, size_t len, struct addr *out)
{
	enum { FULL = 39, GROUP = 5 };
	char colons[FULL];

	if (len != FULL)
		return false;
	for (size_t i = 0; i < FULL; i++) {
		bool point = i % GROUP == GROUP - 1;

		if (point != (text[i] == '.'))
			return false;
		colons[i] = point ? ':' : text[i];
	}
	return addr_parse(colons, FULL, out);
}

/* "192.0.2.7:user" in one word, where only IPv4 can stand before the colon, or
 * "KEY:" with a blank behind. */
static bool split_at_colon(const char *key, size_t *len, const char **rest)
{
	const char *colon = memchr(key, ':', *len);
	struct addr a;

	if (*len && key[*len - 1] == ':')
		colon = key + *len - 1;
	else if (!colon || !addr_parse(key, (size_t)(colon - key), &a))
		return false;
	*len = (size_t)(colon - key);
	*rest = colon;
	return true;
}

bool import_is_clean(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return true;
}

/* The user of a row; false: longer than one can be, or no name; *why_r. */
static bool take_user(
    struct import_row *out, const char *text, size_t len, const char **why_r)
{
	out->user_len = 0;
	if (len > LOGIN_USER_MAX)
		*why_r = IMPORT_LONG;
	else if (!import_is_clean(text, len))
		*why_r = IMPORT_BAD;
	else
		out->user_len = len;
	memcpy(out->user, text, out->user_len);
	out->user[out->user_len] = '\0';
	return out->user_len == len;
}

bool import_lsearch(
    const char *line, size_t len, struct import_row *out, const char **why_r)
{
	const char *end = line + len, *key, *rest;
	size_t key_len;

	while (end > line && is_blank(end[-1]))
		end--;
	if (end == line || *line == '#')
		return false;
	if (is_blank(*line) || !take_key(line, end, &key, &key_len, &rest)) {
		*why_r = IMPORT_BAD;
		return false;
	}
	if (!dotted_six(key, key_len, &out->addr) &&
	    !import_address(key, key_len, &out->addr, why_r) &&
	    (!split_at_colon(key, &key_len, &rest) ||
		!import_address(key, key_len, &out->addr, why_r)))
		return false;
	while (rest < end && is_blank(*rest))
		rest++;
	if (rest < end && *rest == ':')
		rest++;
	while (rest < end && is_blank(*rest))
		rest++;
	return take_user(out, rest, (size_t)(end - rest), why_r);
}
