/* SPDX-License-Identifier: ISC */
/*
 * jsonl - one JSON object a line. Called by the verbs with --json.
 */
#include "jsonl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli.h"

static void put(json_t *object, const char *key, json_t *value)
{
	must(value && json_object_set_new(object, key, value) == 0);
}

void jsonl_put(json_t *object, const char *key, const char *text)
{
	size_t len = strlen(text);
	json_t *value = json_string(text);

	if (!value) {
		size_t size = 4 * len + 1;
		AUTO_FREE char *safe = xmalloc(size);
		value = json_string(cli_safe(text, len, safe, size));
	}
	put(object, key, value);
}

void jsonl_put_int(json_t *object, const char *key, int64_t value)
{
	put(object, key, json_integer(value));
}

void jsonl_put_bool(json_t *object, const char *key, int truth)
{
	put(object, key, json_boolean(truth));
}

void jsonl_put_time(json_t *object, const char *key, int64_t ms)
{
	char text[CLOCK_TEXT_SIZE];

	clock_print(ms, text);
	put(object, key, json_string(text));
}

void jsonl_print(json_t *object)
{
	AUTO_FREE char *text =
	    json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);

	must(text);
	/* DEL is the one control byte that JSON lets stand. */
	for (const char *p = text; *p; p++) {
		if (*p == 0x7f)
			fputs("\\u007f", stdout);
		else
			putchar(*p);
	}
	putchar('\n');
	json_decref(object);
}
