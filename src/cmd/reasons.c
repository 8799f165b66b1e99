/* SPDX-License-Identifier: ISC */
/*
 * reasons - see the header. Called by: watch.c.
 */
#include "reasons.h"

#include <stddef.h>
#include <string.h>

#include "login/rules.h"

static const char *const sentences[JUDGE_COUNT] = {
	[JUDGE_NO_ADDRESS] = "it names no address",
	[JUDGE_NO_USER] = "it names no user",
	[JUDGE_SPECIAL] = "such addresses are nobody's, as 127.0.0.1 is",
	[JUDGE_PRIVATE] = "its network is not named in lease private",
	[JUDGE_OWN] = "it is an address of this host",
	[JUDGE_PROXY] = "it is named in lease proxy",
	[JUDGE_NEVER] = "it is named in lease never",
	[JUDGE_FUTURE] = "its stamp is further ahead than lease max-skew",
	[JUDGE_OLD] = "it is older than lease ttl",
	[JUDGE_USER_DENIED] = "the user is named in lease deny-users",
	[JUDGE_USER_UNLISTED] = "the user is not named in lease users",
	[JUDGE_DOMAIN_UNLISTED] = "the domain is not named in lease domains",
	[JUDGE_NO_TLS] = "lease require-tls is set, and it came without TLS",
	[JUDGE_REVOKED] = "relaypass revoke refuses it for now",
	[JUDGE_USERS_CAP] = "the address has lease max-users-per-address",
	[JUDGE_ADDRESSES_CAP] = "the user has lease max-addresses-per-user",
	[JUDGE_MODE_OFF] = "the mode is off",
};

const char *reason_sentence(const char *word)
{
	for (int j = JUDGE_LEASE + 1; j < JUDGE_COUNT; j++)
		if (!strcmp(rules_reason((enum judgement)j), word))
			return sentences[j];
	return NULL;
}
