/* SPDX-License-Identifier: ISC */
/*
 * fuzz_kv - any line to the word walker; every value that decodes must encode
 * and decode to the same.
 */
#include <stdint.h>
#include <string.h>

#include "base/kv.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_value(const struct kv_word *w)
{
	char value[512], coded[2048] = "", back[512];
	size_t len, used = 0, back_len;

	if (!kv_decode(w->value, w->value_len, value, sizeof(value), &len))
		return;
	must(len < sizeof(value) && value[len] == '\0');
	must(strlen(value) == len);
	must(kv_encode(coded, sizeof(coded), &used, value, len));
	must(kv_decode(coded, used, back, sizeof(back), &back_len));
	must(back_len == len && memcmp(value, back, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const void *line = data;
	const char *in = line;
	size_t left = size;
	struct kv_word w;

	while (kv_next(&in, &left, &w) == 1) {
		must(w.value + w.value_len <= in);
		must(in + left == (const char *)line + size);
		try_value(&w);
	}
	return 0;
}
