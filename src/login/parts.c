/* SPDX-License-Identifier: ISC */
/*
 * parts - steps that apply.c, sessions.c, sweep.c and revoke.c share.
 * Owns nothing. Not here: who may call (parts.h), the rules themselves.
 */
#include "parts.h"

#include <string.h>
#include <strings.h>

enum ledger_found parts_get(struct apply *a, const struct addr *masked,
    const char *user, size_t user_len, struct moment now, struct lease *out)
{
	enum ledger_found found =
	    ledger_get(a->ledger, masked, user, user_len, out);

	if (found == LEDGER_FOUND && out->end.boot <= now.boot)
		return LEDGER_MISSING;
	return found;
}

static int64_t later(int64_t a, int64_t b, int64_t limit)
{
	int64_t max = a > b ? a : b;

	return max < limit ? max : limit;
}

bool parts_extend(const struct apply *a, struct lease *l, struct moment end,
    struct moment now)
{
	int64_t ttl = rules_ttl(a->rules);
	struct moment old = l->end;

	/*
	 * Each clock by itself. After a forward step of the wall clock a late
	 * log line has the later wall end, but the older lease the later boot
	 * end: taking either one whole would lose a customer now, or when the
	 * step is taken back. Both ends stem from a genuine login, and a lease
	 * needs both clocks, so no lease outlives ttl on either.
	 */
	l->end.wall = later(old.wall, end.wall, now.wall + ttl);
	l->end.boot = later(old.boot, end.boot, now.boot + ttl);
	if (ledger_alive(l, now))
		l->flags &= (uint8_t)~LEASE_TOLD;
	return l->end.wall != old.wall || l->end.boot != old.boot;
}

bool parts_schedule(
    struct apply *a, const struct lease *l, struct moment now, int64_t after)
{
	int64_t boot = l->end.boot - now.boot, wall = l->end.wall - now.wall;
	int64_t left = boot;

	/* Its wall end was told already, or comes first. */
	if (!(l->flags & LEASE_TOLD) && wall < boot)
		left = wall;
	if (left > WHEEL_HORIZON_MS || now.boot + left <= after)
		return true;
	return wheel_add(a->wheel, now.boot, now.boot + left, &l->addr, l->user,
	    l->user_len);
}

void parts_fold(const char *user, size_t user_len, char out[static 256])
{
	for (size_t i = 0; i < user_len; i++) {
		char c = user[i];
		out[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
	}
	out[user_len] = '\0';
}

bool parts_same_user(const char *a, size_t a_len, const char *b, size_t b_len)
{
	return a_len == b_len && !strncasecmp(a, b, a_len);
}

enum ledger_found parts_revoked(struct apply *a, const struct addr *masked,
    const char *user, size_t user_len, int64_t time)
{
	struct ledger_revocation by;
	char folded[256];

	parts_fold(user, user_len, folded);
	return ledger_revoked(a->ledger, masked, folded, user_len, time, &by);
}

bool parts_user_is_sound(const char *user, size_t len)
{
	if (!len || len > LOGIN_USER_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)user[i] < 0x20)
			return false;
	return true;
}

uint16_t parts_server(struct apply *a, const struct login *l)
{
	char name[LOGIN_SERVER_MAX + 1];
	size_t len = strnlen(l->server, LOGIN_SERVER_MAX);

	memcpy(name, l->server, len);
	name[len] = '\0';
	return len ? ledger_intern(a->ledger, name) : 0;
}
