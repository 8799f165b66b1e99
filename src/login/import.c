/* SPDX-License-Identifier: ISC */
/*
 * import - the lease rules for what another program's store says. Called by:
 * apply.c, the verb `import`. Not here: the ledger (apply.c), the stores
 * (cmd/).
 */
#include "import.h"

int64_t import_age_max(const struct rules *r)
{
	int64_t ttl = rules_ttl(r);

	return ttl > IMPORT_AGE_MAX ? ttl : IMPORT_AGE_MAX;
}

enum judgement import_judge(const struct rules *r, const struct imported *in,
    struct moment now, struct moment *end, int64_t *time_r)
{
	int64_t last = now.wall + rules_ttl(r);
	int64_t wall = in->end < last ? in->end : last;
	enum judgement no = rules_address(r, &in->addr);

	*end = (struct moment){ 0, 0 };
	*time_r = in->login < now.wall ? in->login : now.wall;
	if (no || (no = rules_user(r, in->user, in->user_len)))
		return no;
	if (in->login > now.wall + rules_max_skew(r))
		return JUDGE_FUTURE;
	if (in->login <= now.wall - import_age_max(r) || wall <= now.wall)
		return JUDGE_OLD;
	if (rules_limits(r)->require_tls)
		return JUDGE_NO_TLS;
	*end = (struct moment){ wall, now.boot + (wall - now.wall) };
	return JUDGE_LEASE;
}
