/* SPDX-License-Identifier: ISC */
/*
 * revocation - what may not become a lease again for a while: an address, a
 * user, or both. Called by login/ in the keeper.
 *
 * A set union: two revocations of the same address and user are one row that
 * refuses as long as the longer of them, in whatever order they come.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "ledger_private.h"

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/*
 * How long a row of an older boot is kept, on this boot's clock. To keep it too
 * long only costs room, to drop it early could give a lease: so without a wall
 * clock to trust, all of the time it had left at the last commit.
 */
static void adopt_keep(
    const struct ledger *l, uint16_t boot, struct ledger_revocation *r)
{
	const struct record_state *s = &l->state;
	int64_t left;

	if (boot == (uint16_t)s->boots)
		return;
	left = r->keep.wall - later(s->adopted.wall, r->time);
	if (left < 0)
		left = 0;
	r->keep.boot = s->adopted.boot + left;
}

static enum ledger_found get_row(struct ledger *l, const struct addr *addr,
    const char *user, size_t user_len, struct ledger_revocation *out)
{
	uint8_t key[RECORD_LEASE_KEY_MAX];
	size_t len = record_lease_key(addr, user, user_len, key);
	MDB_val k = { .mv_size = len, .mv_data = key }, v;
	enum ledger_found found;
	uint16_t boot;

	if (len == 0)
		return LEDGER_MISSING;
	found = table_get(l, TABLE_REVOCATION, key, len, &v);
	if (found != LEDGER_FOUND)
		return found;
	if (!record_revocation_decode(
		key, len, v.mv_data, v.mv_size, out, &boot)) {
		table_unsound(l, TABLE_REVOCATION, &k);
		return LEDGER_MISSING;
	}
	adopt_keep(l, boot, out);
	return LEDGER_FOUND;
}

enum ledger_found ledger_revocation_get(struct ledger *l,
    const struct addr *addr, const char *user, size_t user_len,
    struct ledger_revocation *out)
{
	return get_row(l, addr, user, user_len, out);
}

static void note(struct ledger *l, const struct ledger_revocation *r)
{
	struct lease row = { .addr = r->addr, .user_len = r->user_len };
	static const struct addr none;

	if (!addr_equal(&r->addr, &none))
		row.bits = (uint8_t)(addr_is_ipv4(&r->addr) ? 128U : l->prefix);
	row.end = r->keep;
	memcpy(row.user, r->user, r->user_len);
	journal_note(l, CHANGE_REVOKE, &row, r->until);
}

static void merge(
    struct ledger_revocation *r, const struct ledger_revocation *old)
{
	struct moment keep = {
		.wall = later(r->keep.wall, old->keep.wall),
		.boot = later(r->keep.boot, old->keep.boot),
	};

	if (old->until > r->until)
		*r = *old;
	r->keep = keep;
}

void ledger_revocation_put(
    struct ledger *l, const struct ledger_revocation *given)
{
	struct ledger_revocation r = *given, old;
	uint8_t key[RECORD_LEASE_KEY_MAX], value[RECORD_REVOCATION_SIZE];
	size_t key_len = record_lease_key(&r.addr, r.user, r.user_len, key);
	size_t len = 0;

	if (r.origin[0] == '\0') {
		(void)snprintf(r.origin, sizeof r.origin, "%s", ledger_node(l));
		r.sequence = ++l->state.revocations;
	}
	if (get_row(l, &r.addr, r.user, r.user_len, &old) == LEDGER_FOUND)
		merge(&r, &old);
	if (key_len > 0)
		len = record_revocation_encode(
		    &r, (uint16_t)l->state.boots, key, key_len, value);
	if (len == 0) {
		/* Nothing must look revoked that is not. */
		table_fail(l, MDB_BAD_VALSIZE);
		return;
	}
	if (l->journal)
		note(l, &r);
	table_put(l, TABLE_REVOCATION, key, key_len, value, len, 0);
}

void ledger_revocation_delete(
    struct ledger *l, const struct ledger_revocation *r)
{
	uint8_t key[RECORD_LEASE_KEY_MAX];
	size_t len = record_lease_key(&r->addr, r->user, r->user_len, key);

	if (len > 0)
		table_delete(l, TABLE_REVOCATION, key, len);
}

enum ledger_found ledger_revoked(struct ledger *l, const struct addr *masked,
    const char *user, size_t user_len, int64_t login_time,
    struct ledger_revocation *out)
{
	static const struct addr none;
	const struct {
		const struct addr *addr;
		size_t user_len;
	} keys[] = { { masked, user_len }, { masked, 0 }, { &none, user_len } };
	struct ledger_revocation r;
	enum ledger_found found = LEDGER_MISSING, one;

	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		/* Without a user, only the address can be revoked. */
		if (user_len == 0 && i != 1)
			continue;
		one = get_row(l, keys[i].addr, user, keys[i].user_len, &r);
		if (one == LEDGER_ERROR)
			return LEDGER_ERROR;
		if (one != LEDGER_FOUND || login_time > r.until ||
		    (found == LEDGER_FOUND && r.until <= out->until))
			continue;
		*out = r;
		found = LEDGER_FOUND;
	}
	return found;
}

int ledger_revocation_each(
    struct ledger *l, ledger_revocation_fn *fn, void *ctx)
{
	static const struct addr first;

	return ledger_revocation_from(l, &first, fn, ctx);
}

int ledger_revocation_from(struct ledger *l, const struct addr *from,
    ledger_revocation_fn *fn, void *ctx)
{
	struct walk w;
	struct ledger_revocation r;
	uint16_t boot;
	int result = 0;

	table_walk_open(
	    &w, l, TABLE_REVOCATION, from->bytes, sizeof from->bytes);
	while (result == 0 && walk_next(&w)) {
		if (!record_revocation_decode(w.key.mv_data, w.key.mv_size,
			w.value.mv_data, w.value.mv_size, &r, &boot)) {
			table_unsound(l, TABLE_REVOCATION, &w.key);
			continue;
		}
		adopt_keep(l, boot, &r);
		result = fn(ctx, &r);
	}
	return table_walk_close(&w) < 0 ? -1 : result;
}
