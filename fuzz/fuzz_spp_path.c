/* SPDX-License-Identifier: ISC */
/*
 * fuzz_spp_path - what is read is printed so that it is read as the same again,
 * in brackets and without; and what is printed holds nothing that somebody
 * could take for the end of the address, or for another one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "smtp/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* qmail's way: quotes and backslashes go, up to a '>' outside of quotes. */
static size_t read_as_qmail(const char *p, char *out)
{
	bool quoted = false;
	size_t n = 0;

	for (; *p; p++) {
		if (!quoted && *p == '>')
			return n;
		if (*p == '\\' && p[1])
			out[n++] = *++p;
		else if (*p == '"')
			quoted = !quoted;
		else
			out[n++] = *p;
	}
	return SIZE_MAX;
}

static void check_printed(const char *printed, size_t len)
{
	const char *local_end = strrchr(printed, '@');

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)printed[i];

		must(c >= ' ' && c != 0x7f && c != '<' && c != '>');
		/* Blanks and more of '@' only within the quotes. */
		if (printed[0] != '"' || (local_end && printed + i > local_end))
			must(c != ' ' && c != '"' && c != '\\' && c != ',');
		if (c == '@' && printed[0] != '"')
			must(printed + i == local_end);
	}
}

static void check(const struct spp_address *a)
{
	char line[SPP_PRINTED_SIZE + 20] = "TO:<", naive[SPP_PRINTED_SIZE + 20];
	char *printed = line + 4;
	struct spp_address again;
	const char *rest;
	size_t len;

	must(a->len <= SPP_ADDRESS_MAX && strlen(a->text) == a->len);
	len = spp_address_print(a, printed);
	must(len == strlen(printed) && len < SPP_PRINTED_SIZE);
	check_printed(printed, len);
	memcpy(printed + len, "> SIZE=1", 9);
	if (a->len > 0 || len == 0) {
		must(spp_path_read(line, strlen(line), &again, &rest));
		must(strcmp(rest, "SIZE=1") == 0 && again.len == a->len);
		must(strcmp(again.text, a->text) == 0);
		must(spp_address_is_routed(a) == spp_address_is_routed(&again));
	}
	must(read_as_qmail(printed, naive) == a->len &&
	     memcmp(naive, a->text, a->len) == 0);
	/* A domain that is listed and an address that leads nowhere else. */
	if (!spp_address_is_routed(a) && spp_address_domain(a))
		must(strchr(a->text, '@') + 1 == spp_address_domain(a) &&
		     spp_address_has_good_domain(a));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xmalloc(size + 1);
	struct spp_address a;
	const char *rest;

	/* The exact size, so that a sanitizer sees where it ends. */
	text = xrealloc(text, size ? size : 1, 1);
	memcpy(text, data, size);
	if (spp_path_read(text, size, &a, &rest)) {
		must(rest > text && rest <= text + size);
		must(rest == text + size || (*rest != ' ' && *rest != '\t'));
		check(&a);
	} else
		must(a.len == 0 && a.text[0] == '\0');
	if (spp_address_set(text, size, &a)) {
		must(a.len == size && memcmp(a.text, text, size) == 0);
		check(&a);
	}
	free(text);
	return 0;
}
