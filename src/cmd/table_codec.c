/* SPDX-License-Identifier: ISC */
/*
 * table_codec - lines of smtpd in, lines for smtpd out.
 */
#include "table_codec.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* What is left of a line. */
struct rest {
	const char *at;
	size_t len;
};

/* The next field; the last one is what is left, bars and all. */
static bool take(struct rest *rest, struct rest *field, bool last)
{
	const char *bar;

	if (!rest->at)
		return false;
	*field = *rest;
	bar = last ? NULL : memchr(rest->at, '|', rest->len);
	if (!bar) {
		rest->at = NULL;
		return true;
	}
	field->len = (size_t)(bar - rest->at);
	rest->at += field->len + 1;
	rest->len -= field->len + 1;
	return true;
}

static bool is(const struct rest *field, const char *word)
{
	return field->len == strlen(word) &&
	       memcmp(field->at, word, field->len) == 0;
}

static enum table_word read_config(struct rest *rest)
{
	struct rest name, value;

	if (!take(rest, &name, false))
		return TABLE_BAD;
	if (is(&name, "ready"))
		return rest->at ? TABLE_BAD : TABLE_READY;
	if (!is(&name, "protocol"))
		return TABLE_CONFIG;
	return take(rest, &value, true) && is(&value, "0.1")
		   ? TABLE_PROTOCOL
		   : TABLE_OTHER_PROTOCOL;
}

/* It goes back as it came, so it must not hold what ends a field or a line. */
static bool read_id(struct rest *rest, struct table_request *out)
{
	struct rest id;

	if (!take(rest, &id, false) || id.len == 0 || id.len > TABLE_ID_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (id.at[i] <= ' ' || id.at[i] > '~')
			return false;
	memcpy(out->id, id.at, id.len);
	out->id[id.len] = '\0';
	return true;
}

/* 192.0.2.7, [2001:db8::7] or, as other tables are asked, without brackets. */
static bool read_address(const struct rest *key, struct addr *out)
{
	size_t len = key->len;

	if (len >= 2 && key->at[0] == '[' && key->at[len - 1] == ']')
		return addr_parse(key->at + 1, len - 2, out) &&
		       !addr_is_ipv4(out);
	return addr_parse(key->at, len, out);
}

static enum table_word word_of(const struct rest *operation)
{
	static const struct {
		const char *text;
		enum table_word word;
	} rows[] = { { "check", TABLE_CHECK }, { "lookup", TABLE_LOOKUP },
		{ "fetch", TABLE_FETCH }, { "update", TABLE_UPDATE } };

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (is(operation, rows[i].text))
			return rows[i].word;
	return TABLE_BAD;
}

static enum table_word read_request(
    struct rest *rest, bool cut, struct table_request *out)
{
	struct rest version, time, table, operation, service = { 0 }, key;
	enum table_word word;

	if (!take(rest, &version, false) || !take(rest, &time, false) ||
	    !take(rest, &table, false) || !take(rest, &operation, false))
		return TABLE_BAD;
	word = word_of(&operation);
	if (word == TABLE_BAD ||
	    (word != TABLE_UPDATE && !take(rest, &service, false)) ||
	    !read_id(rest, out))
		return TABLE_BAD;
	if ((word == TABLE_CHECK || word == TABLE_LOOKUP) &&
	    is(&service, "netaddr") && !cut && take(rest, &key, true))
		out->has_addr = read_address(&key, &out->addr);
	return word;
}

void table_parse(
    const char *line, size_t len, bool cut, struct table_request *out)
{
	struct rest rest = { line, len }, kind;

	memset(out, 0, sizeof(*out));
	if (!take(&rest, &kind, false))
		return;
	if (is(&kind, "config") && !cut)
		out->word = read_config(&rest);
	else if (is(&kind, "table"))
		out->word = read_request(&rest, cut, out);
}

size_t table_print(
    const struct table_request *r, bool found, char out[static TABLE_REPLY_MAX])
{
	static const char *const names[] = { [TABLE_CHECK] = "check",
		[TABLE_LOOKUP] = "lookup",
		[TABLE_FETCH] = "fetch",
		[TABLE_UPDATE] = "update" };
	char address[ADDR_TEXT_SIZE];
	const char *what = found && r->has_addr ? "found" : "not-found",
		   *separator = "", *value = "";
	int n;

	if (r->word == TABLE_READY)
		return (size_t)snprintf(
		    out, TABLE_REPLY_MAX, "register|netaddr\nregister|ready\n");
	if (r->word < TABLE_CHECK)
		return 0;
	if (r->word == TABLE_UPDATE)
		what = "ok";
	if (r->word == TABLE_LOOKUP && *what == 'f') {
		(void)addr_print(&r->addr, address);
		separator = "|";
		value = address;
	}
	n = snprintf(out, TABLE_REPLY_MAX, "%s-result|%s|%s%s%s\n",
	    names[r->word], r->id, what, separator, value);
	must(n > 0 && n < TABLE_REPLY_MAX);
	return (size_t)n;
}
