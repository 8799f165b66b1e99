/* SPDX-License-Identifier: ISC */
/*
 * fuzz_socketmap - any bytes as lookups of Postfix or Sendmail;
 * listener_oracle.h says what must hold. Beyond it: "OK" only for an answer
 * that allows, and every reply is one whole netstring.
 */
#include "listener_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool reply_fits(const struct answer *a, const char *reply, size_t len)
{
	if (a->verdict == VERDICT_ALLOW)
		return oracle_is(reply, len, "5:OK OK,");
	return oracle_is(reply, len, "9:NOTFOUND ,") ||
	       (a->verdict == VERDICT_TEMPFAIL &&
		   oracle_is(
		       reply, len, "36:TEMP Service temporarily unavailable,"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct oracle oracle;

	if (!oracle.kind)
		oracle_listener(
		    &oracle, "socketmap", "maps = {\"m\"}", reply_fits);
	oracle_run(&oracle, data, size);
	return 0;
}
