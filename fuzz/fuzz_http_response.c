/* SPDX-License-Identifier: ISC */
/*
 * fuzz_http_response - any bytes as another policy server's response. Bytes
 * that come in pieces give what they give at once; a response that is whole
 * stays so whatever follows.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "source/http_response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_response whole, part;

/* The copy ends at its last byte, so that reading on is caught. */
static enum http_parse parse(
    const uint8_t *data, size_t size, bool end, struct http_response *out)
{
	AUTO_FREE char *bytes = xmalloc(size ? size : 1);

	if (size)
		memcpy(bytes, data, size);
	return http_response_parse(bytes, size, end, out);
}

static void check_same(void)
{
	must(part.status == whole.status && part.used == whole.used);
	must(part.body_len == whole.body_len);
	must(memcmp(part.body, whole.body, whole.body_len) == 0);
}

static void check_done(size_t size, bool end)
{
	must(whole.status >= 200 && whole.status <= 599);
	must(whole.used <= size && whole.body_len <= sizeof(whole.body));
	if (whole.keep)
		must(!end && whole.used == size);
}

/* How the same bytes look while they come. */
static void check_pieces(const uint8_t *data, size_t size, enum http_parse got)
{
	for (size_t n = 0; n < size; n += 1 + n / 8) {
		enum http_parse then = parse(data, n, false, &part);

		if (then == HTTP_PARSE_MORE)
			continue;
		must(then == got);
		if (got == HTTP_PARSE_DONE)
			check_same();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum http_parse got = parse(data, size, false, &whole);

	must(size < HTTP_RESPONSE_MAX || got != HTTP_PARSE_MORE);
	if (got == HTTP_PARSE_DONE)
		check_done(size, false);
	check_pieces(data, size, got);
	got = parse(data, size, true, &whole);
	must(got != HTTP_PARSE_MORE);
	if (got == HTTP_PARSE_DONE)
		check_done(size, true);
	return 0;
}
