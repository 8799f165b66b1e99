/* SPDX-License-Identifier: ISC */
/*
 * fuzz_ask - any bytes as questions of the ask protocol; listener_oracle.h says
 * what must hold. The only text of a reply that is not ours is the coded user
 * of the lease.
 */
#include "listener_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool reply_fits(const struct answer *a, const char *reply, size_t len)
{
	switch (a->verdict) {
	case VERDICT_ALLOW:
		return oracle_is(reply, len, "allow ttl=1\n") ||
		       oracle_is(reply, len, "allow ttl=1 user=%0A%3D%25%FF\n");
	case VERDICT_TEMPFAIL:
		return oracle_is(reply, len, "tempfail lease\n");
	case VERDICT_NONE:
	default:
		return oracle_is(reply, len, "none\n");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct oracle oracle;

	if (!oracle.kind)
		oracle_listener(&oracle, "ask", "", reply_fits);
	oracle_run(&oracle, data, size);
	return 0;
}
