/* SPDX-License-Identifier: ISC */
/*
 * mistake - how a mistake in the configuration is told.
 */
#include "mistake.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int mistake(
    struct err *err, const char *file, int line, const char *format, ...)
{
	char text[sizeof(err->text)];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (line <= 0)
		return err_set(err, EXIT_USER, "%s: %s", file, text);
	return err_set(err, EXIT_USER, "%s:%d: %s", file, line, text);
}

const char *shown(const char *text, size_t len, char out[static SHOWN_SIZE])
{
	size_t used = 0;

	/* Five bytes are kept for the longest piece, four more for the end. */
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (used + 9 > SHOWN_SIZE) {
			snprintf(out + used, SHOWN_SIZE - used, "...");
			return out;
		}
		if (byte >= 0x20 && byte < 0x7f)
			out[used++] = (char)byte;
		else
			used += (size_t)snprintf(
			    out + used, SHOWN_SIZE - used, "\\x%02x", byte);
	}
	out[used] = '\0';
	return out;
}

void listed(char *out, size_t size, const char *name)
{
	size_t used = strlen(out);
	const char *comma = used > 0 ? ", " : "";

	if (used >= 3 && strcmp(out + used - 3, "...") == 0)
		return;
	if (used + strlen(comma) + strlen(name) + 6 > size)
		name = "...";
	snprintf(out + used, size - used, "%s%s", comma, name);
}
