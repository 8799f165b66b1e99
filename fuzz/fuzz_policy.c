/* SPDX-License-Identifier: ISC */
/*
 * fuzz_policy - any bytes as requests of Postfix; listener_oracle.h says what
 * must hold. Beyond it: OK only for an answer that allows.
 */
#include "listener_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool reply_fits(const struct answer *a, const char *reply, size_t len)
{
	if (a->verdict == VERDICT_ALLOW)
		return oracle_is(reply, len, "action=OK\n\n");
	return oracle_is(reply, len, "action=DUNNO\n\n") ||
	       (a->verdict == VERDICT_TEMPFAIL &&
		   oracle_is(reply, len,
		       "action=DEFER_IF_REJECT Service temporarily "
		       "unavailable\n\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct oracle oracle;

	if (!oracle.kind)
		oracle_listener(&oracle, "postfix-policy", "", reply_fits);
	oracle_run(&oracle, data, size);
	return 0;
}
