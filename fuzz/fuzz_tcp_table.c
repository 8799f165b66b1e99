/* SPDX-License-Identifier: ISC */
/*
 * fuzz_tcp_table - any bytes as lookups of Postfix; listener_oracle.h says what
 * must hold. Beyond it: 200 only for an answer that allows.
 */
#include "listener_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool reply_fits(const struct answer *a, const char *reply, size_t len)
{
	if (a->verdict == VERDICT_ALLOW)
		return oracle_is(reply, len, "200 OK\n");
	return oracle_is(reply, len, "500 not found\n") ||
	       (a->verdict == VERDICT_TEMPFAIL &&
		   oracle_is(
		       reply, len, "400 Service temporarily unavailable\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct oracle oracle;

	if (!oracle.kind)
		oracle_listener(&oracle, "tcp-table", "", reply_fits);
	oracle_run(&oracle, data, size);
	return 0;
}
