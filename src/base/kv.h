/* SPDX-License-Identifier: ISC */
/*
 * kv - words and key=value pairs on one line, values %XX-coded: control bytes,
 * blank, '%', '=' and bytes above 0x7e are coded; any byte may be. The coding
 * of the ask and control protocols.
 */
#ifndef BASE_KV_H
#define BASE_KV_H
#include <stdbool.h>
#include <stddef.h>

/* Appends the coded form of len bytes to out at *used; false when it is full
 * (then *used is unchanged). out stays NUL-terminated. */
bool kv_encode(
    char *out, size_t size, size_t *used, const char *value, size_t len);
/* Decodes len bytes into out (size >= len + 1), NUL-terminated; *used_r gets
 * the length. False: bad coding, a raw control byte, a coded NUL, LF or CR. */
bool kv_decode(
    const char *in, size_t len, char *out, size_t size, size_t *used_r);
/* Appends "key=value " pieces; the same rules as kv_encode. */
bool kv_put(
    char *out, size_t size, size_t *used, const char *key, const char *value);
bool kv_put_int(
    char *out, size_t size, size_t *used, const char *key, long long value);

/* One blank-separated word of a line; key_len is 0 when it holds no '='. */
struct kv_word {
	const char *key, *value;
	size_t key_len, value_len;
};
/* Takes the next word from *in, *len (single blanks between). 1: a word; 0: the
 * end; -1: an empty word or a byte that may not stand there. */
int kv_next(const char **in, size_t *len, struct kv_word *out);
#endif
