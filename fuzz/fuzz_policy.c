/* SPDX-License-Identifier: ISC */
/*
 * fuzz_policy - any bytes as requests of Postfix; listener_oracle.h says what
 * must hold. Beyond it: OK only for an answer that allows.
 */
#include "listener_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is(const char *reply, size_t len, const char *text)
{
	return len == strlen(text) && memcmp(reply, text, len) == 0;
}

static bool reply_fits(const struct answer *a, const char *reply, size_t len)
{
	if (a->verdict == VERDICT_ALLOW)
		return is(reply, len, "action=OK\n\n");
	return is(reply, len, "action=DUNNO\n\n") ||
	       (a->verdict == VERDICT_TEMPFAIL &&
		   is(reply, len,
		       "action=DEFER_IF_REJECT Service temporarily "
		       "unavailable\n\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct oracle oracle;

	if (!oracle.kind) {
		oracle_open(&oracle);
		oracle.reply_fits = reply_fits;
		oracle.kind = listener_kind_find("postfix-policy");
	}
	oracle_run(&oracle, data, size);
	return 0;
}
