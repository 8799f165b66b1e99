/* SPDX-License-Identifier: ISC */
/*
 * fuzz_opensmtpd_table - any bytes as lines of smtpd. What must hold: a reply
 * is of the protocol, with no byte of the line in it but the number; whatever
 * has a number is answered; "found" only for an address that may relay.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/table_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(
    const struct table_request *r, const char *operation, bool found)
{
	char out[TABLE_REPLY_MAX], want[TABLE_REPLY_MAX], address[64] = "";
	size_t len = table_print(r, found, out);
	bool yes = found && r->has_addr;
	const char *what = yes ? "found" : "not-found";

	if (r->word == TABLE_LOOKUP && yes) {
		address[0] = '|';
		(void)addr_print(&r->addr, address + 1);
	}
	(void)snprintf(want, sizeof(want), "%s-result|%s|%s%s\n", operation,
	    r->id, r->word == TABLE_UPDATE ? "ok" : what, address);
	must(len == strlen(want) && memcmp(out, want, len) == 0);
	must(!strpbrk(r->id, "|\n") && *r->id);
}

static void one_line(const char *line, size_t len, bool cut)
{
	static const char *const names[] = { [TABLE_CHECK] = "check",
		[TABLE_LOOKUP] = "lookup",
		[TABLE_FETCH] = "fetch",
		[TABLE_UPDATE] = "update" };
	struct table_request r;
	char out[TABLE_REPLY_MAX];

	table_parse(line, len, cut, &r);
	must(!r.has_addr || r.word == TABLE_CHECK || r.word == TABLE_LOOKUP);
	must(!cut || !r.has_addr);
	if (r.word >= TABLE_CHECK) {
		expect(&r, names[r.word], false);
		expect(&r, names[r.word], true);
	} else {
		must((table_print(&r, true, out) > 0) ==
		     (r.word == TABLE_READY));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;

	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((lf ? lf : end) - at);
		char *copy = xmalloc(len ? len : 1);

		memcpy(copy, at, len);
		one_line(copy, len, false);
		one_line(copy, len, true);
		free(copy);
		at += len + 1;
	}
	return 0;
}
