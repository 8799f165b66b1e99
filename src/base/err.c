/* SPDX-License-Identifier: ISC */
/*
 * err - fills an error value: code and text. No allocation, no output; the
 * caller that handles the error logs or prints it.
 */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Both go by way of a copy, as an argument may be the old err->text: a caller
 * that puts its context in front. */

__attribute__((format(printf, 3, 0))) static void format_text(
    char *text, size_t size, const char *format, va_list args)
{
	static const char cut[] = "...";

	if ((size_t)vsnprintf(text, size, format, args) >= size)
		memcpy(text + size - sizeof(cut), cut, sizeof(cut));
}

int err_set(struct err *err, enum exit_code code, const char *format, ...)
{
	char text[sizeof(err->text)];
	va_list args;

	if (!err)
		return -1;
	va_start(args, format);
	format_text(text, sizeof(text), format, args);
	va_end(args);
	err->code = (int)code;
	memcpy(err->text, text, strlen(text) + 1);
	return -1;
}

int err_errno(struct err *err, enum exit_code code, int errno_value,
    const char *format, ...)
{
	char text[sizeof(err->text)];
	va_list args;

	if (!err)
		return -1;
	va_start(args, format);
	format_text(text, sizeof(text), format, args);
	va_end(args);
	return err_set(err, code, "%s: %s", text, strerror(errno_value));
}
