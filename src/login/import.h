/* SPDX-License-Identifier: ISC */
/*
 * import - what another program's store says of a lease, and what the lease
 * rules make of it. Pure: the keeper and `relaypass import --dry-run` judge by
 * the same function.
 */
#ifndef LOGIN_IMPORT_H
#define LOGIN_IMPORT_H
#include "rules.h"

enum { IMPORT_AGE_MAX = 24 * 3600 * 1000 }; /* ms */

struct imported {
	struct addr addr;
	size_t user_len; /* 0: the store names none */
	char user[LOGIN_USER_MAX + 1];
	char server[LOGIN_SERVER_MAX + 1]; /* the kind of store */
	int64_t login, end;                /* wall ms, as the store has them */
};

/*
 * How old a login in a store may be: IMPORT_AGE_MAX, or ttl where that is more;
 * ms. A store that nobody writes any more is no lease for ever, and revocations
 * are kept so long that none is brought back by it.
 */
int64_t import_age_max(const struct rules *r);
/*
 * Judges it as a login of that time would be, but that its end is the store's
 * own: later than now + ttl never, and JUDGE_OLD when it is over, or the login
 * as old as import_age_max(). A store says
 * nothing of TLS, so require-tls refuses all. JUDGE_LEASE: *end gets the end,
 * *time_r the login's time, never later than now.
 */
enum judgement import_judge(const struct rules *r, const struct imported *in,
    struct moment now, struct moment *end, int64_t *time_r);
#endif
