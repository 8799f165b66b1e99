/* SPDX-License-Identifier: ISC */
/*
 * fuzz_spp_reply - whatever a server says, the client gets one reply, of clean
 * lines with the server's code; and of an EHLO list only what is known. The
 * first two bytes are the room and the offer.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SHORTEST = 6 };

/* One whole reply, strictly. Returns its code. */
static int check_reply(const char *text, size_t len)
{
	const char *end = text + len;
	int first = 0;

	for (const char *p = text; p < end;) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		int code = (p[0] - '0') * 100 + (p[1] - '0') * 10 + p[2] - '0';

		must(lf && lf - p >= SHORTEST - 1 && lf[-1] == '\r');
		must(code >= 200 && code <= 599 && (!first || first == code));
		must(p[3] == (lf + 1 == end ? ' ' : '-'));
		for (const char *c = p; c < lf - 1; c++)
			must(
			    (unsigned char)*c >= ' ' ? *c != 0x7f : *c == '\t');
		first = code;
		p = lf + 1;
	}
	must(first != 0);
	return first;
}

static const char *const known[] = { "SIZE", "8BITMIME", "SMTPUTF8",
	"ENHANCEDSTATUSCODES", "DSN", "HELP", "AUTH", "STARTTLS",
	"PIPELINING" };

/* Behind the greeting: words of ours in their order, each once. */
static void check_list(const char *text, size_t len, struct spp_offer offer,
    const struct spp_extensions *ext)
{
	const char *end = text + len, *p = memchr(text, '\n', len);
	size_t next = 0;

	while (p && ++p < end) {
		size_t word = strcspn(p + 4, " \r");

		while (next < COUNT_OF(known) &&
		       (strlen(known[next]) != word ||
			   memcmp(known[next], p + 4, word) != 0))
			next++;
		must(next < COUNT_OF(known));
		if (strcmp(known[next], "STARTTLS") == 0)
			must(offer.starttls);
		if (strcmp(known[next], "AUTH") == 0)
			must(ext->auth);
		next++;
		p = memchr(p, '\n', (size_t)(end - p));
	}
	must(next == COUNT_OF(known));
	must(ext->auth == (memmem(text, len, "\n250-AUTH ", 10) != NULL));
}

static void check_offer(
    const char *reply, size_t len, int code, struct spp_offer offer)
{
	char *out = xmalloc(2 * len + 1000);
	struct spp_extensions ext;
	size_t n = spp_reply_offer(reply, len, offer, &ext, out, 2 * len + 999);

	out[n] = '\0';
	must(check_reply(out, n) == code);
	must(memchr(ext.xclient_words, '\0', sizeof(ext.xclient_words)));
	if (code == 250)
		check_list(out, n, offer, &ext);
	else
		must(!ext.xclient && !ext.auth);
	free(out);
}

static void check_print(const char *reply, size_t len, int code, size_t room)
{
	char *out = xmalloc(room ? room : 1);
	size_t n = spp_reply_print(reply, len, out, room);

	must(n <= room && (n > 0) == (room >= SHORTEST));
	if (n > 0)
		must(check_reply(out, n) == code);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum spp_reply_state state;
	struct spp_offer offer;
	struct spp_extensions ext;
	size_t len = size - 2, used = 0, part_used;
	int code = 0, part_code;
	char *text, out[100];

	if (size < 2)
		return 0;
	offer = (struct spp_offer){ .starttls = data[1] & 1,
		.plain_and_login = data[1] & 2 };
	text = xmalloc(len ? len : 1);
	memcpy(text, data + 2, len);
	state = spp_reply_read(text, len, &code, &used);
	/* Also what nobody should give them. */
	must(spp_reply_print(text, len, out, sizeof(out)) <= sizeof(out));
	must(spp_reply_offer(text, len, offer, &ext, out, sizeof(out)) <=
	     sizeof(out));
	/* Wrong stays wrong, and what is whole was not before. */
	for (size_t n = 0; n < len && n < 300; n++) {
		enum spp_reply_state part =
		    spp_reply_read(text, n, &part_code, &part_used);

		if (part == SPP_REPLY_WRONG)
			must(state == SPP_REPLY_WRONG);
		else
			must((part == SPP_REPLY_WHOLE) ==
			     (state == SPP_REPLY_WHOLE && n >= used));
	}
	if (state == SPP_REPLY_WHOLE) {
		must(used <= len && used <= SPP_REPLY_MAX);
		must(text[used - 1] == '\n');
		check_print(text, used, code, data[0]);
		check_print(text, used, code, 2 * used + 8);
		check_offer(text, used, code, offer);
	}
	free(text);
	return 0;
}
