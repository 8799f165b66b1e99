/* SPDX-License-Identifier: ISC */
/*
 * fuzz_tcp_table - any bytes as lookups of Postfix; listener_oracle.h says what
 * must hold. Beyond it: 200 only for an answer that allows.
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
		return is(reply, len, "200 OK\n");
	return is(reply, len, "500 not found\n") ||
	       (a->verdict == VERDICT_TEMPFAIL &&
		   is(reply, len, "400 Service temporarily unavailable\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct oracle oracle;
	static struct conf *conf; /* as long as the oracle */

	if (!oracle.kind) {
		oracle_open(&oracle);
		oracle.reply_fits = reply_fits;
		oracle.kind = listener_kind_find("tcp-table");
		conf = listener_conf("tcp-table", "%s", "");
		oracle.section = conf_at(conf, "listener", 0);
	}
	oracle_run(&oracle, data, size);
	return 0;
}
