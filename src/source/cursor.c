/* SPDX-License-Identifier: ISC */
/*
 * cursor - see the header.
 */
#include "cursor.h"

#include <string.h>

#include "base/mem.h"

void cursor_write(
    struct source_cursor *out, const char *key, const void *bytes, size_t len)
{
	memset(out, 0, sizeof(*out));
	out->key_len = (uint16_t)strlen(key);
	out->len = (uint16_t)len;
	must(out->key_len <= sizeof(out->key) && len <= sizeof(out->bytes));
	memcpy(out->key, key, out->key_len);
	memcpy(out->bytes, bytes, len);
}

const struct source_cursor *cursor_find(
    const struct source_cursor *cursors, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (cursors[i].key_len == strlen(key) &&
		    memcmp(cursors[i].key, key, cursors[i].key_len) == 0)
			return &cursors[i];
	return NULL;
}

bool cursor_read(const struct source_cursor *cursors, size_t n, const char *key,
    void *out, size_t len)
{
	const struct source_cursor *c = cursor_find(cursors, n, key);

	if (!c || c->len != len)
		return false;
	memcpy(out, c->bytes, len);
	return true;
}
