/* SPDX-License-Identifier: ISC */
/*
 * fuzz_conf - the configuration reader on any bytes. What it takes must print
 * to a file that reads back to the same values; what it refuses it must refuse
 * with a message. Its sections are the real ones, with two kinds of its own.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OPTION(section, name, type, def, min, max, choices, help)              \
	{ name, type, def, min, max, choices, help },

static const struct option plain_rows[] = {
#include "conf/options.def"
	OPTION_END,
};
static const struct option file_rows[] = {
	{ "path", OPTION_LIST, NULL, 0, 0, NULL, "Files." },
	{ "owner", OPTION_STRING, "root adm", 0, 0, NULL, "Owners." },
	OPTION_END,
};
static const struct option fifo_rows[] = {
	{ "path", OPTION_PATH, NULL, 0, 0, NULL, "The fifo." },
	{ "beside", OPTION_PATH, "", 0, 0, NULL, "Another." },
	OPTION_END,
};
static const struct option common_rows[] = {
	{ "weight", OPTION_INT, "1", 0, 0, NULL, "Any number." },
	OPTION_END,
};
static const struct conf_kind file_kind = { "file", "A file.", file_rows };
static const struct conf_kind fifo_kind = { "fifo", "A fifo.", fifo_rows };
static const struct conf_kind *const kinds[] = { &file_kind, &fifo_kind, NULL };
static const struct conf_kind *const no_kinds[] = { NULL };
static const struct option no_rows[] = { OPTION_END };
static const struct conf_schema schema[] = {
	{ "lease", "Everything plain.", plain_rows, NULL },
	{ "source", "Sources.", common_rows, kinds },
	{ "export", "None.", no_rows, no_kinds },
	{ 0 },
};

struct text {
	char *bytes;
	size_t len;
};

static void put(void *ctx, const char *piece)
{
	struct text *text = ctx;
	size_t len = strlen(piece);

	text->bytes = xrealloc(text->bytes, text->len + len + 1, 1);
	memcpy(text->bytes + text->len, piece, len + 1);
	text->len += len;
}

static void check_round(const struct conf *c, bool comments)
{
	struct text first = { 0 }, second = { 0 };
	struct err err = { 0 };
	struct conf *again;

	conf_print(c, comments, put, &first);
	again = conf_parse(first.bytes, first.len, "again", schema, &err);
	must(again != NULL);
	must(conf_same(c, again, "lease"));
	must(conf_same(c, again, "source"));
	must(conf_count(c, "source") == conf_count(again, "source"));
	conf_print(again, comments, put, &second);
	must(first.len == second.len);
	must(memcmp(first.bytes, second.bytes, first.len) == 0);
	conf_free(&again);
	free(first.bytes);
	free(second.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = { 0 };
	struct conf *c =
	    conf_parse((const char *)data, size, "fuzz", schema, &err);

	if (c == NULL) {
		must(err.code == EXIT_USER);
		must(strncmp(err.text, "fuzz:", 5) == 0);
		return 0;
	}
	must(conf_count(c, "lease") == 1);
	must(conf_count(c, "export") == 0);
	/* Printed text with comments is longer and may pass the size limit only
	 * for inputs near it; those are not tried. */
	if (size < 65536) {
		check_round(c, false);
		check_round(c, true);
	}
	conf_free(&c);
	return 0;
}
