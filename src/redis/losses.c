/* SPDX-License-Identifier: ISC */
/*
 * losses - see the header.
 */
#include "losses.h"

enum {
	/* Those that are further apart have nothing to do with each other. */
	QUIET_MS = 10 * 1000,
	OTHERS_MIN = 2,
	/* Between two times that all is told; it doubles up to the second. */
	PAUSE_MS = 2000,
	PAUSE_MAX_MS = 60 * 1000
};

void redis_losses_add(struct redis_losses *l, bool is_other, uint64_t now)
{
	if (now - l->at > QUIET_MS)
		l->others = 0;
	l->others += is_other;
	l->at = now;
	l->owes = true;
}

bool redis_losses_has_rival(const struct redis_losses *l, uint64_t now)
{
	return l->others >= OTHERS_MIN && now - l->at <= QUIET_MS;
}

bool redis_losses_tell(struct redis_losses *l, uint64_t now)
{
	if (!l->owes || now < l->anew_at)
		return false;
	l->owes = false;
	if (!redis_losses_has_rival(l, now))
		l->pause = PAUSE_MS;
	else if (l->pause < PAUSE_MAX_MS)
		l->pause *= 2;
	l->anew_at = now + l->pause;
	return true;
}
