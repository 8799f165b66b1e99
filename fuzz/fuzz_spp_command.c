/* SPDX-License-Identifier: ISC */
/*
 * fuzz_spp_command - a line of a client, its parameters, and its base64: what
 * is printed is printed as the same again, what is decoded encodes to what it
 * was.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "smtp/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parameters(const char *text, size_t len, enum spp_command of)
{
	char out[SPP_PARAMETERS_MAX], again[SPP_PARAMETERS_MAX];
	int code = 1;
	size_t words = 0;

	if (!spp_parameters_print(text, len, of, out, &code)) {
		must(
		    code == SPP_BAD_PARAMETER || code == SPP_UNKNOWN_PARAMETER);
		must(out[0] == '\0');
		return;
	}
	must(code == 0 && strlen(out) < SPP_PARAMETERS_MAX);
	for (const char *p = out; *p; p++) {
		must(*p >= ' ' && *p < 0x7f);
		if (*p == ' ')
			words++;
		if (*p == '<' || *p == '>')
			must(strstr(out, " AUTH=<>") != NULL);
	}
	/* There are so few of them. */
	must(words <= 6 && (words > 0 || out[0] == '\0'));
	must(spp_parameters_print(out, strlen(out), of, again, &code));
	must(strcmp(out, again) == 0);
}

static char *encode(const unsigned char *bytes, size_t len)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn"
				      "opqrstuvwxyz0123456789+/";
	char *out = xmalloc(len / 3 * 4 + 5), *p = out;

	for (size_t i = 0; i < len; i += 3) {
		unsigned long group = (unsigned long)bytes[i] << 16;

		if (i + 1 < len)
			group |= (unsigned long)bytes[i + 1] << 8;
		if (i + 2 < len)
			group |= bytes[i + 2];
		*p++ = letters[group >> 18];
		*p++ = letters[group >> 12 & 63];
		*p++ = '=';
		*p++ = '=';
		if (i + 1 < len)
			p[-2] = letters[group >> 6 & 63];
		if (i + 2 < len)
			p[-1] = letters[group & 63];
	}
	*p = '\0';
	return out;
}

static void check_base64(const char *text, size_t size)
{
	size_t room = size / 4 * 3 + 1;
	unsigned char *out = xmalloc(room);
	long len = spp_base64_read(text, size, out, room);
	char *again;

	must(len >= -1 && len <= (long)room);
	if (len >= 0) {
		again = encode(out, (size_t)len);
		must(strlen(again) == size && memcmp(again, text, size) == 0);
		free(again);
		if (len > 0)
			must(spp_base64_read(
				 text, size, out, (size_t)len - 1) == -1);
	}
	free(out);
	/* The other way: any bytes at all. */
	again = encode((const unsigned char *)text, size);
	out = xmalloc(size + 1);
	must(spp_base64_read(again, strlen(again), out, size) == (long)size);
	must(memcmp(out, text, size) == 0);
	free(again);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xmalloc(size ? size : 1);
	struct spp_line line;

	memcpy(text, data, size);
	spp_line_read(text, size, &line);
	must(line.arg >= text && line.arg + line.len <= text + size);
	if (line.len > 0)
		must(*line.arg != ' ' && *line.arg != '\t' &&
		     line.arg[line.len - 1] != ' ');
	if (line.command != SPP_C_UNKNOWN)
		must(spp_line_is_clean(text, size - line.len) ||
		     !spp_line_is_clean(text, size));
	check_parameters(line.arg, line.len, line.command);
	check_parameters(text, size, SPP_C_MAIL);
	check_parameters(text, size, SPP_C_RCPT);
	check_base64(text, size);
	free(text);
	return 0;
}
