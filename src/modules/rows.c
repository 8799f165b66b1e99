/* SPDX-License-Identifier: ISC */
/*
 * rows - see the header.
 */
#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_CELLS = 32, FIRST_BYTES = 1024 };

void rows_begin(struct rows *r, size_t columns)
{
	r->columns = columns;
	r->count = 0;
	r->used = 0;
}

/* Room for one more cell and `len` bytes? */
static bool fits(const struct rows *r, size_t len)
{
	size_t used = r->used + (r->count + 1) * sizeof(*r->cells);

	return used <= ROWS_SIZE_MAX && len < ROWS_SIZE_MAX - used;
}

static struct rows_cell *add_cell(struct rows *r)
{
	if (r->count == r->room) {
		r->room = r->room ? 2 * r->room : FIRST_CELLS;
		r->cells = xrealloc(r->cells, r->room, sizeof(*r->cells));
	}
	return &r->cells[r->count++];
}

char *rows_put(struct rows *r, size_t len)
{
	struct rows_cell *cell;

	if (!fits(r, len))
		return NULL;
	cell = add_cell(r);
	while (r->size - r->used <= len) { /* one more for the NUL */
		r->size = r->size ? 2 * r->size : FIRST_BYTES;
		r->bytes = xrealloc(r->bytes, r->size, 1);
	}
	*cell = (struct rows_cell){ .at = r->used, .len = len };
	r->used += len + 1;
	r->bytes[r->used - 1] = '\0';
	return r->bytes + cell->at;
}

bool rows_add(struct rows *r, const void *bytes, size_t len)
{
	char *at;

	if (!bytes) {
		if (!fits(r, 0))
			return false;
		*add_cell(r) = (struct rows_cell){ .at = SIZE_MAX };
		return true;
	}
	at = rows_put(r, len);
	if (!at)
		return false;
	memcpy(at, bytes, len);
	return true;
}

size_t rows_count(const struct rows *r)
{
	return r->columns ? r->count / r->columns : 0;
}

struct sql_value rows_value(const struct rows *r, size_t row, size_t column)
{
	const struct rows_cell *cell;

	must(row < rows_count(r) && column < r->columns);
	cell = &r->cells[row * r->columns + column];
	if (cell->at == SIZE_MAX)
		return (struct sql_value){ .text = NULL };
	return (
	    struct sql_value){ .text = r->bytes + cell->at, .len = cell->len };
}

void rows_free(struct rows *r)
{
	free(r->cells);
	free(r->bytes);
	*r = (struct rows){ .columns = 0 };
}

/* A byte of a character that is not its first. */
static bool is_continued(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* How many bytes the character at p has, by UTF-8; 0: it is none. */
static size_t char_len(const unsigned char *p)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} kinds[] = { { 0x80, 0, 0x20 }, { 0xe0, 0xc0, 0xa0 },
		{ 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };
	enum { NEXT_BITS = 6, NEXT_VALUE = 0x3f, DELETE = 0x7f };
	enum { HALF_FIRST = 0xd800, HALF_LAST = 0xdfff, MOST = 0x10ffff };
	uint32_t c;
	size_t i = 0;

	while (i < COUNT_OF(kinds) && (*p & kinds[i].mask) != kinds[i].lead)
		i++;
	if (i == COUNT_OF(kinds))
		return 0;
	c = *p & (unsigned char)~kinds[i].mask;
	for (size_t n = 1; n <= i; n++) {
		if (!is_continued(p[n]))
			return 0;
		c = c << NEXT_BITS | (p[n] & NEXT_VALUE);
	}
	return c < kinds[i].least || c == DELETE || c > MOST ||
		       (c >= HALF_FIRST && c <= HALF_LAST)
		   ? 0
		   : i + 1;
}

/* Puts "..." behind it, in place of whole characters. */
static void cut_words(char out[static SQL_WORDS_SIZE], size_t used)
{
	static const char cut[] = "...";

	if (used > SQL_WORDS_SIZE - sizeof(cut))
		used = SQL_WORDS_SIZE - sizeof(cut);
	while (used > 0 && is_continued((unsigned char)out[used]))
		used--;
	memcpy(out + used, cut, sizeof(cut));
}

void rows_add_words(char out[static SQL_WORDS_SIZE], const char *words)
{
	size_t used = strlen(out);

	while (*words && *words != '\n' && *words != '\r') {
		size_t len = char_len((const unsigned char *)words);
		size_t step = len ? len : 1;

		if (used + step >= SQL_WORDS_SIZE) {
			cut_words(out, used);
			return;
		}
		memcpy(out + used, len ? words : "?", step);
		used += step;
		words += step;
	}
	out[used] = '\0';
}
