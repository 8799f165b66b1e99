/* SPDX-License-Identifier: ISC */
/*
 * status - `relaypass status`: processes, ledger, sources, exports and
 * listeners. It shows whatever words the daemon sends, so that a new count
 * needs no change here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli.h"
#include "grid.h"
#include "jsonl.h"

enum { ROWS_MAX = 1000 };

/* Topics of which there are several rows, with the name of their array. */
static const char *const plurals[][2] = {
	{ "process", "processes" },
	{ "down", "down" },
	{ "source", "sources" },
	{ "listener", "listeners" },
	{ "export", "exports" },
};

struct rows {
	struct reply *row[ROWS_MAX];
	size_t count;
};

static const char *plural_of(const char *topic)
{
	for (size_t i = 0; i < COUNT_OF(plurals); i++) {
		if (strcmp(plurals[i][0], topic) == 0)
			return plurals[i][1];
	}
	return NULL;
}

static void keep_row(void *ctx, const struct reply *r)
{
	struct rows *rows = ctx;

	if (strcmp(r->word, "status") != 0 || !r->topic[0] ||
	    rows->count == ROWS_MAX)
		return;
	struct reply *copy = xmalloc(sizeof(*copy));
	memcpy(copy, r, sizeof(*copy));
	rows->row[rows->count++] = copy;
}

/* --- JSON ----------------------------------------------------------------- */

/* Words stay words even when they are made of digits. */
static bool is_number(const struct reply_pair *p)
{
	static const char *const words[] = { "name", "node", "directory",
		"text", "role", "kind", "state", "trouble" };
	size_t len = strlen(p->value);

	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (strcmp(words[i], p->key) == 0)
			return false;
	}
	return len > 0 && len < 19 && strspn(p->value, "0123456789") == len;
}

static json_t *object_of(const struct reply *r)
{
	json_t *object = json_object();

	for (size_t i = 0; i < r->count; i++) {
		const struct reply_pair *p = &r->pairs[i];
		if (is_number(p))
			jsonl_put_int(object, p->key, reply_number(r, p->key));
		else
			jsonl_put(object, p->key, p->value);
	}
	return object;
}

static void print_json(const struct rows *rows, const struct reply *last)
{
	json_t *all = object_of(last);

	for (size_t i = 0; i < rows->count; i++) {
		const struct reply *r = rows->row[i];
		const char *plural = plural_of(r->topic);
		if (strcmp(r->topic, "version") == 0) {
			const char *text = reply_value(r, "text");
			jsonl_put(all, r->topic, text ? text : "");
		} else if (!plural) {
			json_object_set_new(all, r->topic, object_of(r));
		} else {
			json_t *list = json_object_get(all, plural);
			if (!list) {
				list = json_array();
				json_object_set_new(all, plural, list);
			}
			json_array_append_new(list, object_of(r));
		}
	}
	jsonl_print(all);
}

/* --- text ----------------------------------------------------------------- */

/* A value as people like it: bytes and seconds with units. */
static const char *pretty(
    const struct reply *r, const struct reply_pair *p, char *out, size_t size)
{
	double n = (double)reply_number(r, p->key);
	char span[CLI_SPAN_SIZE];

	if (strcmp(p->key, "up") == 0 || strcmp(p->key, "down") == 0 ||
	    strcmp(p->key, "lag") == 0)
		snprintf(
		    out, size, "%s", cli_span(reply_number(r, p->key), span));
	else if (strcmp(p->key, "used") != 0 && strcmp(p->key, "map") != 0)
		cli_safe(p->value, strlen(p->value), out, size);
	else if (n < 1048576)
		snprintf(out, size, "%.0f KiB", n / 1024);
	else
		snprintf(out, size, "%.1f MiB", n / 1048576);
	return out;
}

static void print_single(const struct reply *r)
{
	char shown[REPLY_VALUE_MAX + 1], topic[64];

	printf(
	    "%s:", cli_safe(r->topic, strlen(r->topic), topic, sizeof(topic)));
	for (size_t i = 0; i < r->count; i++) {
		bool text = strcmp(r->pairs[i].key, "text") == 0;
		pretty(r, &r->pairs[i], shown, sizeof(shown));
		/* "version: 0.1.0" needs no key. */
		printf("%s%s%s %s", i ? "," : "", text ? "" : " ",
		    text ? "" : r->pairs[i].key, shown);
	}
	putchar('\n');
}

/* The keys of all rows of one topic, in their order; not all rows have all. */
static size_t titles_of(const struct rows *rows, const char *topic,
    const char *titles[static REPLY_PAIRS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < rows->count; i++) {
		const struct reply *r = rows->row[i];
		if (strcmp(r->topic, topic) != 0)
			continue;
		for (size_t k = 0; k < r->count; k++) {
			size_t at = 0;
			while (at < count &&
			       strcmp(titles[at], r->pairs[k].key) != 0)
				at++;
			if (at == count && count < REPLY_PAIRS_MAX)
				titles[count++] = r->pairs[k].key;
		}
	}
	return count;
}

static void put_cell(struct grid *t, const struct reply *r, const char *key)
{
	char shown[REPLY_VALUE_MAX + 1];

	for (size_t k = 0; k < r->count; k++) {
		if (strcmp(r->pairs[k].key, key) == 0) {
			grid_put(
			    t, pretty(r, &r->pairs[k], shown, sizeof(shown)));
			return;
		}
	}
	grid_put(t, "");
}

static void print_topic(const struct rows *rows, const char *topic)
{
	const char *titles[REPLY_PAIRS_MAX];
	size_t columns = titles_of(rows, topic, titles);

	if (columns == 0)
		return;
	printf("%s:\n", plural_of(topic));
	struct grid *t = grid_new(titles, columns, 2);
	for (size_t i = 0; i < rows->count; i++) {
		if (strcmp(rows->row[i]->topic, topic) != 0)
			continue;
		for (size_t k = 0; k < columns; k++)
			put_cell(t, rows->row[i], titles[k]);
	}
	grid_end(&t);
}

static bool topic_was_before(const struct rows *rows, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (strcmp(rows->row[k]->topic, rows->row[i]->topic) == 0)
			return true;
	}
	return false;
}

static void print_text(const struct rows *rows, const struct reply *last)
{
	const char *mode = reply_value(last, "mode");
	char shown[64];

	mode = mode ? mode : "unknown";
	printf(
	    "mode: %s\n", cli_safe(mode, strlen(mode), shown, sizeof(shown)));
	for (size_t i = 0; i < rows->count; i++) {
		if (!plural_of(rows->row[i]->topic))
			print_single(rows->row[i]);
	}
	for (size_t i = 0; i < rows->count; i++) {
		if (plural_of(rows->row[i]->topic) &&
		    !topic_was_before(rows, i))
			print_topic(rows, rows->row[i]->topic);
	}
}

static int status(const struct verb_env *env, const char *socket, bool json)
{
	static const char request[] = "status";
	AUTO_FREE struct rows *rows = xcalloc(1, sizeof(*rows));
	AUTO_FREE struct reply *last = xcalloc(1, sizeof(*last));
	struct err err = { 0 };
	int code = EXIT_YES;

	if (cli_ask_control(env, socket, request, sizeof(request) - 1, keep_row,
		rows, last, &err) < 0)
		code = cli_fail(&err);
	else if (json)
		print_json(rows, last);
	else
		print_text(rows, last);
	for (size_t i = 0; i < rows->count; i++)
		free(rows->row[i]);
	return code == EXIT_YES ? cli_done(code) : code;
}

extern const struct verb verb_status;

static int run(const struct verb_env *env, int argc, char **argv)
{
	const char *socket = NULL;
	bool json = env->json;
	const struct cli_option options[] = {
		{ "json", 0, NULL, &json },
		{ "socket", 's', &socket, NULL },
		{ 0 },
	};
	struct err err = { 0 };

	if (cli_options(argc, argv, options, NULL, 0, &err) < 0)
		return cli_usage(&verb_status, &err);
	return status(env, socket, json);
}

const struct verb verb_status = {
	.name = "status",
	.usage = "status [-s SOCKET] [--json]",
	.help = "Show the daemon's processes, ledger, sources, exports and "
		"listeners.",
	.run = run,
};
