/* SPDX-License-Identifier: ISC */
/*
 * fuzz_listener_whoson - any bytes as WHOSON questions; listener_oracle.h says
 * what must hold. Beyond it: "+" only for an answer that allows or for QUIT,
 * and a reply is never two.
 */
#include "listener_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool reply_fits(const struct answer *a, const char *reply, size_t len)
{
	static const char quit[] = "+QUIT OK\r\n\r\n", end[] = "\r\n\r\n";
	const size_t tail = sizeof(end) - 1;

	if (len < 1 + tail || memcmp(reply + len - tail, end, tail) != 0 ||
	    memchr(reply, '\n', len - tail) || memchr(reply, '\r', len - tail))
		return false;
	if (reply[0] != '+')
		return reply[0] == '-' ||
		       (reply[0] == '*' && a->verdict == VERDICT_TEMPFAIL);
	return a->verdict == VERDICT_ALLOW ||
	       (len == sizeof(quit) - 1 && memcmp(reply, quit, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct oracle oracle;

	if (!oracle.kind)
		oracle_listener(&oracle, "whoson", "", reply_fits);
	oracle_run(&oracle, data, size);
	return 0;
}
