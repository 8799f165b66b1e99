/* SPDX-License-Identifier: ISC */
/*
 * fuzz_import - any bytes as the text, or as a record, of another program's
 * store; the first says of which kind. A row is an address that stands there
 * whole, in a line that has its end; no time of it is later than the file's.
 */
#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "cmd/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHANGED INT64_C(1700000000000)

struct input {
	const char *text;
	size_t len;
	size_t rows;
};

static bool is_part(char c)
{
	return isdigit((unsigned char)c) || c == '.';
}

/* Whether the text holds it with nothing before or behind that belongs to it.
 */
static bool stands_whole(const struct input *in, const char *addr)
{
	const char *end = in->text + in->len, *at = in->text;
	size_t len = strlen(addr);

	while ((at = memmem(at, (size_t)(end - at), addr, len)) != NULL) {
		bool before = at > in->text && is_part(at[-1]);
		bool behind = at + len < end && is_part(at[len]);

		if (!before && !behind)
			return true;
		at++;
	}
	return false;
}

/* Mapped addresses may be written in hexadecimal. */
static bool may_be_mapped(const struct input *in)
{
	for (size_t i = 0; i + 4 <= in->len; i++)
		if (strncasecmp(in->text + i, "ffff", 4) == 0)
			return true;
	return false;
}

static void check_row(void *ctx, const struct import_row *row)
{
	struct input *in = ctx;
	struct imported out = { 0 };
	char addr[ADDR_TEXT_SIZE];

	in->rows++;
	must(row->login >= 0 && row->end >= 0);
	must(row->user_len <= LOGIN_USER_MAX &&
	     strlen(row->user) == row->user_len &&
	     import_is_clean(row->user, row->user_len));
	(void)addr_print(&row->addr, addr);
	must(!addr_is_ipv4(&row->addr) || may_be_mapped(in) ||
	     stands_whole(in, addr));
	import_settle(row, IMPORT_MINUTE, CHANGED, false, &out);
	must(out.login >= 0 && out.login <= CHANGED);
	must(row->end || out.end <= CHANGED + IMPORT_MINUTE);
}

static void check_refusal(
    void *ctx, const char *key, size_t len, const char *why)
{
	const struct input *in = ctx;

	must(key >= in->text && key + len <= in->text + in->len && *why);
}

static void read_record(const struct import_kind *kind, struct input *in)
{
	const char *nul = memchr(in->text, '=', in->len);
	size_t key_len = nul ? (size_t)(nul - in->text) : in->len;
	const char *value = nul ? nul + 1 : in->text + in->len;
	struct import_row row = { 0 };
	const char *why = NULL;

	if (kind->record(in->text, key_len, value,
		(size_t)(in->text + in->len - value), &row, &why))
		check_row(in, &row);
	else
		must(why && *why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .text = (const char *)data + 1, .len = size - 1 };
	const struct import_sink sink = { check_row, check_refusal, &in };
	const struct import_kind *kind;
	size_t kinds = 0, whole;

	while (import_kinds[kinds])
		kinds++;
	if (!size || !kinds)
		return 0;
	kind = import_kinds[data[0] % kinds];
	if (kind->record)
		read_record(kind, &in);
	if (!kind->line)
		return 0;
	import_lines(kind, in.text, in.len, &sink);
	/* Cut somewhere in the last line: that line is no row. */
	whole = in.rows;
	in.rows = 0;
	if (in.len && in.text[in.len - 1] == '\n') {
		in.len--;
		import_lines(kind, in.text, in.len, &sink);
		must(in.rows == whole || in.rows + 1 == whole);
	}
	return 0;
}
