/* SPDX-License-Identifier: ISC */
/*
 * fuzz_spp_order - any bytes as what a plugin wrote. No order's text can become
 * a second line, reply, header or environment entry; each is as long as its
 * line at most, and reads back to the same when it is written.
 */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "smtp/order.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const letters[] = {
	[SPP_NOTHING] = "",
	[SPP_ACCEPT] = "A",
	[SPP_NEXT] = "N",
	[SPP_OK] = "O",
	[SPP_ERROR] = "E",
	[SPP_REJECT] = "R",
	[SPP_DROP] = "D",
	[SPP_LATER_MAIL] = "LM",
	[SPP_LATER_RCPT] = "LR",
	[SPP_LATER_DATA] = "LD",
	[SPP_SET] = "S",
	[SPP_UNSET] = "U",
	[SPP_HEADER] = "H",
	[SPP_ADDRESS] = "C",
	[SPP_PRINT] = "P",
};

static void check_text(const struct spp_order *o)
{
	const char *equals = strchr(o->text, '='), *colon;

	must(!strpbrk(o->text, "\r\n"));
	if (o->verb == SPP_NOTHING)
		must(o->text[0] == '\0');
	if (o->verb == SPP_SET)
		must(equals && equals > o->text);
	if (o->verb == SPP_UNSET)
		must(!equals && o->text[0]);
	if (o->verb == SPP_SET || o->verb == SPP_UNSET)
		for (const char *c = o->text; *c && c != equals; c++)
			must(*c > ' ' && *c < 0x7f);
	if (o->verb == SPP_HEADER && !strchr(" \t", o->text[0])) {
		colon = strchr(o->text, ':');
		must(colon && colon > o->text);
		for (const char *c = o->text; c < colon; c++)
			must(*c > ' ' && *c < 0x7f);
	}
}

static void check_back(const struct spp_order *o)
{
	char line[SPP_ORDER_MAX + 1];
	struct spp_order back;
	size_t n = strlen(letters[o->verb]), len = strlen(o->text);

	must(n + len <= SPP_ORDER_MAX);
	memcpy(line, letters[o->verb], n);
	memcpy(line + n, o->text, len + 1);
	spp_order_read(line, n + len, &back);
	must(back.verb == o->verb && strcmp(back.text, o->text) == 0);
}

static void check_line(const char *line, size_t len)
{
	struct spp_order o;

	memset(&o, 0xa5, sizeof(o));
	spp_order_read(line, len, &o);
	const char *letter = letters[o.verb];
	must(len >= strlen(letter) && !strncmp(line, letter, strlen(letter)));
	must(strlen(letter) + strlen(o.text) <= len);
	must(len <= SPP_ORDER_MAX + 1 || o.verb == SPP_NOTHING);
	check_text(&o);
	if (o.verb != SPP_NOTHING)
		check_back(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size, *lf;

	/* The whole with its line ends, then line by line. */
	if (size > 0)
		check_line(at, size);
	while (at < end && (lf = memchr(at, '\n', (size_t)(end - at)))) {
		check_line(at, (size_t)(lf - at));
		at = lf + 1;
	}
	return 0;
}
