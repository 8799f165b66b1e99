/* SPDX-License-Identifier: ISC */
/*
 * cursor - how far each source and export has come: opaque bytes by name,
 * committed together with what was read. Called by daemon/.
 */
#include <string.h>

#include "base/log.h"
#include "ledger_private.h"

void ledger_cursor_put(struct ledger *l, const struct ledger_cursor *c)
{
	uint8_t value[RECORD_CURSOR_MAX];
	size_t len = record_cursor_encode(c, value);

	/* A batch whose cursor cannot be stored would be read twice. */
	if (len == 0)
		table_fail(l, MDB_BAD_VALSIZE);
	else
		table_put(l, TABLE_CURSOR, c->key, c->key_len, value, len, 0);
}

void ledger_cursor_delete(struct ledger *l, const char *key, size_t key_len)
{
	if (key_len > 0 && key_len <= LEDGER_CURSOR_KEY_MAX)
		table_delete(l, TABLE_CURSOR, key, key_len);
}

int ledger_cursor_each(struct ledger *l, const char *prefix, size_t len,
    ledger_cursor_fn *fn, void *ctx)
{
	struct walk w;
	struct ledger_cursor c;
	int result = 0;

	if (len > LEDGER_CURSOR_KEY_MAX)
		return 0;
	table_walk_open(&w, l, TABLE_CURSOR, prefix, len);
	while (result == 0 && walk_next(&w)) {
		if (w.key.mv_size < len ||
		    memcmp(w.key.mv_data, prefix, len) != 0)
			break;
		if (record_cursor_decode(w.key.mv_data, w.key.mv_size,
			w.value.mv_data, w.value.mv_size, &c))
			result = fn(ctx, &c);
		else
			table_unsound(l, TABLE_CURSOR, &w.key);
	}
	return table_walk_close(&w) < 0 ? -1 : result;
}
