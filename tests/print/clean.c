/* SPDX-License-Identifier: ISC */
#include "clean.h"

#include <string.h>

static void cut_at(struct text *t, char c)
{
	const char *p = memchr(t->at, c, t->len);

	if (p)
		t->len = (size_t)(p - t->at);
}

static void replace(struct text *t, char from, char to)
{
	for (size_t i = 0; i < t->len; i++)
		if (t->at[i] == from)
			t->at[i] = to;
}

static void lower(struct text *t)
{
	for (size_t i = 0; i < t->len; i++)
		if (t->at[i] >= 'A' && t->at[i] <= 'Z')
			t->at[i] = (char)(t->at[i] + 32);
}

void clean_raw(struct text *t, enum typed f)
{
	(void)t;
	(void)f;
}

void clean_c(struct text *t, enum typed f)
{
	(void)f;
	cut_at(t, 0);
}

/* Bytes of the UTF-8 character at p, 0: not one. */
static size_t utf8(const unsigned char *p, size_t n)
{
	size_t len = p[0] < 0x80                   ? 1
		     : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
		     : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
		     : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
						   : 0;

	if (!len || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* Control bytes and what is not UTF-8 become '?'; 80 bytes, then "...". */
void clean_dovecot(struct text *t, enum typed f)
{
	bool cut;

	(void)f;
	cut_at(t, 0);
	for (size_t i = 0; i < t->len;) {
		unsigned char *p = (unsigned char *)t->at + i;
		size_t n = utf8(p, t->len - i);

		if (!n || *p < ' ' || *p == 0x7f)
			*p = '?';
		i += n ? n : 1;
	}
	cut = t->len > 80;
	text_cut(t, 80);
	if (cut)
		text_add(t, "...");
}

void clean_courier(struct text *t, enum typed f)
{
	(void)f;
	cut_at(t, 0);
	replace(t, '\n', '.');
}

/* A name that a login line holds has no blank: Cyrus allows none. */
void clean_cyrus(struct text *t, enum typed f)
{
	cut_at(t, 0);
	if (f == TYPED_USER || f == TYPED_AGAIN)
		lower(t);
	text_cut(t, 500);
}

static void host_name_only(struct text *t)
{
	for (size_t i = 0; i < t->len; i++) {
		char c = t->at[i];
		bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			    (c >= 'A' && c <= 'Z') || c == '-' || c == '.';

		if (!good)
			t->len = i;
	}
}

/* %.80s, up to the '*' that begins an administrator's name. */
void clean_uw(struct text *t, enum typed f)
{
	cut_at(t, 0);
	if (f == TYPED_HOST)
		host_name_only(t);
	if (f == TYPED_USER)
		cut_at(t, '*');
	if (f != TYPED_HOST)
		text_cut(t, 80);
}

void clean_qpopper(struct text *t, enum typed f)
{
	cut_at(t, 0);
	cut_at(t, '\n');
	text_cut(t, f == TYPED_USER || f == TYPED_AGAIN ? 64 : 255);
}

void clean_solid(struct text *t, enum typed f)
{
	cut_at(t, 0);
	cut_at(t, '\r');
	if (f == TYPED_USER || f == TYPED_AGAIN)
		lower(t);
	text_cut(t, f == TYPED_HOST ? 256 : 40);
}

void clean_word(struct text *t, enum typed f)
{
	cut_at(t, 0);
	if (f != TYPED_USER && f != TYPED_AGAIN)
		return;
	cut_at(t, ' ');
	cut_at(t, '\r');
	cut_at(t, '\n');
}

void clean_cucipop(struct text *t, enum typed f)
{
	clean_word(t, f);
	text_cut(t, 40);
}

void clean_teapop(struct text *t, enum typed f)
{
	(void)f;
	cut_at(t, 0);
	cut_at(t, '\n');
	while (t->len && t->at[t->len - 1] == ' ')
		t->len--;
	text_cut(t, 500);
}

void clean_vpopmail(struct text *t, enum typed f)
{
	(void)f;
	cut_at(t, 0);
	replace(t, '%', '#');
	text_cut(t, 155);
}

static void escape(struct text *t, const char *what, char by)
{
	struct text old;

	old.len = 0;
	text_put(&old, t->at, t->len);
	t->len = 0;
	for (size_t i = 0; i < old.len; i++) {
		if (old.at[i] && strchr(what, old.at[i]))
			text_put(t, &by, 1);
		text_put(t, &old.at[i], 1);
	}
}

/* Between [ and ], and in what "security -" tells, ';' is doubled and line ends
 * are blanks. Other messages have everything as it came. */
void clean_zimbra(struct text *t, enum typed f)
{
	if (f == TYPED_USER)
		return;
	replace(t, '\r', ' ');
	escape(t, ";", ';');
}

/* As of 2026; older versions leave the quote, which is worse. */
void clean_stalwart(struct text *t, enum typed f)
{
	bool old = t->len % 2;

	(void)f;
	escape(t, old ? "\\" : "\\\"", '\\');
	for (size_t i = 0; i < t->len; i++)
		if ((unsigned char)t->at[i] < ' ')
			t->at[i] = 'x';
}

/* Nothing is known. That newlines do not pass is an assumption. */
void clean_apple(struct text *t, enum typed f)
{
	clean_c(t, f);
	replace(t, '\n', ' ');
}

/* CSV: quotes around a field with a comma or a quote, quotes doubled. */
void clean_exchange(struct text *t, enum typed f)
{
	struct text old;
	bool quote = memchr(t->at, ',', t->len) || memchr(t->at, '"', t->len);

	if (f == TYPED_AGAIN)
		text_add(t, " *****");
	replace(t, '\n', ' ');
	replace(t, '\r', ' ');
	if (!quote)
		return;
	escape(t, "\"", '"');
	old.len = 0;
	text_put(&old, t->at, t->len);
	t->len = 0;
	text_add(t, "\"");
	text_put(t, old.at, old.len);
	text_add(t, "\"");
}
