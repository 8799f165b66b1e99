/* SPDX-License-Identifier: ISC */
/*
 * kv - the coding of the ask and control protocols:
 *   check 192.0.2.7 sender=anna%20b@example.net
 * words and key=value pairs with one blank between, values %XX-coded.
 * Called by: listener/ask, daemon/ control, cmd/. Pure functions.
 */
#include "kv.h"

#include <stdio.h>
#include <string.h>

static bool is_plain(unsigned char c)
{
	return c > ' ' && c <= '~' && c != '%' && c != '=';
}

static bool is_control(unsigned char c)
{
	return c < ' ' || c == 0x7f;
}

bool kv_encode(
    char *out, size_t size, size_t *used, const char *value, size_t len)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t at = *used;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)value[i];
		size_t need = is_plain(c) ? 1 : 3;
		if (at + need >= size) {
			if (*used < size)
				out[*used] = '\0';
			return false;
		}
		if (need == 1) {
			out[at++] = (char)c;
			continue;
		}
		out[at++] = '%';
		out[at++] = digits[c >> 4];
		out[at++] = digits[c & 15];
	}
	if (at >= size)
		return false;
	out[at] = '\0';
	*used = at;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* The byte that "%XX" at in stands for, or -1: bad, NUL, LF or CR, none of
 * which a value of ours can hold. */
static int decode_byte(const char *in, size_t len)
{
	if (len < 3)
		return -1;
	int high = hex_digit(in[1]), low = hex_digit(in[2]);
	if (high < 0 || low < 0)
		return -1;
	int c = high << 4 | low;
	return c == '\0' || c == '\n' || c == '\r' ? -1 : c;
}

bool kv_decode(
    const char *in, size_t len, char *out, size_t size, size_t *used_r)
{
	size_t used = 0;

	*used_r = 0;
	if (size == 0)
		return false;
	out[0] = '\0';
	for (size_t i = 0; i < len;) {
		int c = (unsigned char)in[i];
		size_t step = 1;
		if (c == '%') {
			c = decode_byte(in + i, len - i);
			step = 3;
		} else if (is_control((unsigned char)c)) {
			c = -1;
		}
		if (c < 0 || used + 1 >= size) {
			out[0] = '\0';
			return false;
		}
		out[used++] = (char)c;
		i += step;
	}
	out[used] = '\0';
	*used_r = used;
	return true;
}

static bool put_raw(char *out, size_t size, size_t *used, const char *text)
{
	size_t len = strlen(text);

	if (*used >= size || size - *used <= len)
		return false;
	memcpy(out + *used, text, len + 1);
	*used += len;
	return true;
}

bool kv_put(
    char *out, size_t size, size_t *used, const char *key, const char *value)
{
	size_t at = *used;

	if (put_raw(out, size, &at, key) && put_raw(out, size, &at, "=") &&
	    kv_encode(out, size, &at, value, strlen(value)) &&
	    put_raw(out, size, &at, " ")) {
		*used = at;
		return true;
	}
	if (*used < size)
		out[*used] = '\0';
	return false;
}

bool kv_put_int(
    char *out, size_t size, size_t *used, const char *key, long long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", value);
	return kv_put(out, size, used, key, text);
}

int kv_next(const char **in, size_t *len, struct kv_word *out)
{
	const char *start = *in;
	const char *equals = NULL;
	size_t n = 0;

	memset(out, 0, sizeof(*out));
	if (*len == 0)
		return 0;
	for (; n < *len && start[n] != ' '; n++) {
		if (is_control((unsigned char)start[n]))
			return -1;
		if (start[n] == '=' && !equals)
			equals = start + n;
	}
	if (n == 0 || equals == start)
		return -1;
	out->value = equals ? equals + 1 : start;
	out->value_len = (size_t)(start + n - out->value);
	if (equals) {
		out->key = start;
		out->key_len = (size_t)(equals - start);
	}
	/* One blank behind the last word is what kv_put() leaves. */
	size_t step = n < *len ? n + 1 : n;
	*in += step;
	*len -= step;
	return 1;
}
