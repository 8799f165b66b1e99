/* SPDX-License-Identifier: ISC */
/*
 * session - sessions that may hold a lease, by server and session id. Called by
 * login/ in the keeper. Rows live no longer than their boot (state_adopt()).
 * Not here: what a sign of life is, and how long it counts (login/).
 */
#include <string.h>

#include "base/log.h"
#include "ledger_private.h"

enum ledger_found ledger_session_get(struct ledger *l, uint16_t server,
    const char *session, size_t len, struct ledger_session *out)
{
	uint8_t key[RECORD_SESSION_KEY_MAX];
	size_t key_len = record_session_key(server, session, len, key);
	MDB_val k = { .mv_size = key_len, .mv_data = key }, v;
	enum ledger_found found;
	uint16_t boot;

	if (key_len == 0)
		return LEDGER_MISSING;
	found = table_get(l, TABLE_SESSION, key, key_len, &v);
	if (found == LEDGER_FOUND && (!record_session_decode(key, key_len,
					  v.mv_data, v.mv_size, out, &boot) ||
					 boot != (uint16_t)l->state.boots)) {
		table_unsound(l, TABLE_SESSION, &k);
		return LEDGER_MISSING;
	}
	return found;
}

void ledger_session_put(struct ledger *l, const struct ledger_session *s)
{
	uint8_t key[RECORD_SESSION_KEY_MAX], value[RECORD_SESSION_MAX];
	size_t key_len =
	    record_session_key(s->server, s->session, s->session_len, key);
	size_t len = 0;

	if (key_len > 0)
		len = record_session_encode(
		    s, (uint16_t)l->state.boots, key, key_len, value);
	if (len > 0)
		table_put(l, TABLE_SESSION, key, key_len, value, len, 0);
	else
		log_error(LOG_LEDGER_ERROR,
		    "directory=%s doing=\"store a session\" error=\"the row "
		    "is not sound\" next=\"it holds no lease\"",
		    l->directory);
}

void ledger_session_delete(struct ledger *l, const struct ledger_session *s)
{
	uint8_t key[RECORD_SESSION_KEY_MAX];
	size_t len =
	    record_session_key(s->server, s->session, s->session_len, key);

	if (len > 0)
		table_delete(l, TABLE_SESSION, key, len);
}

int ledger_session_each(struct ledger *l, ledger_session_fn *fn, void *ctx)
{
	return ledger_session_after(l, NULL, fn, ctx);
}

int ledger_session_after(struct ledger *l, const struct ledger_session *after,
    ledger_session_fn *fn, void *ctx)
{
	struct walk w;
	struct ledger_session s;
	uint8_t from[RECORD_SESSION_KEY_MAX];
	size_t from_len = 0;
	uint16_t boot;
	int result = 0;

	if (after)
		from_len = record_session_key(
		    after->server, after->session, after->session_len, from);
	table_walk_open(&w, l, TABLE_SESSION, from_len ? from : NULL, from_len);
	while (result == 0 && walk_next(&w)) {
		if (from_len && w.key.mv_size == from_len &&
		    memcmp(w.key.mv_data, from, from_len) == 0)
			continue;
		if (record_session_decode(w.key.mv_data, w.key.mv_size,
			w.value.mv_data, w.value.mv_size, &s, &boot) &&
		    boot == (uint16_t)l->state.boots)
			result = fn(ctx, &s);
		else
			table_unsound(l, TABLE_SESSION, &w.key);
	}
	return table_walk_close(&w) < 0 ? -1 : result;
}
