/* SPDX-License-Identifier: ISC */
/* text - a buffer that drops what does not fit. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "print.h"

void text_put(struct text *t, const char *p, size_t n)
{
	size_t room = sizeof(t->at) - t->len;

	n = n < room ? n : room;
	memcpy(t->at + t->len, p, n);
	t->len += n;
}

void text_add(struct text *t, const char *word)
{
	text_put(t, word, strlen(word));
}

void text_print(struct text *t, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	text_add(t, line);
}

void text_add_word(struct text *t, struct rng *r, const char *words)
{
	size_t n = 1, i;

	for (const char *p = words; *p; p++)
		n += *p == ' ';
	for (i = rng_below(r, n); i; i--)
		words = strchr(words, ' ') + 1;
	text_put(t, words, strcspn(words, " "));
}

void text_cut(struct text *t, size_t len)
{
	if (t->len > len)
		t->len = len;
}

void text_show(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c < ' ' || c >= 0x7f || c == '\\')
			(void)fprintf(stderr, "\\x%02x", c);
		else
			(void)fputc(c, stderr);
	}
}
