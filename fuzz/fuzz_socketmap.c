/* SPDX-License-Identifier: ISC */
/*
 * fuzz_socketmap - any bytes as lookups of Postfix or Sendmail;
 * listener_oracle.h says what must hold. Beyond it: "OK" only for an answer
 * that allows, and every reply is one whole netstring.
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
		return is(reply, len, "5:OK OK,");
	return is(reply, len, "9:NOTFOUND ,") ||
	       (a->verdict == VERDICT_TEMPFAIL &&
		   is(reply, len, "36:TEMP Service temporarily unavailable,"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct oracle oracle;
	static struct conf *conf; /* as long as the oracle */

	if (!oracle.kind) {
		oracle_open(&oracle);
		oracle.reply_fits = reply_fits;
		oracle.kind = listener_kind_find("socketmap");
		conf = listener_conf("socketmap", "maps = {\"m\"}");
		oracle.section = conf_at(conf, "listener", 0);
	}
	oracle_run(&oracle, data, size);
	return 0;
}
