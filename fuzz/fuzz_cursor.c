/* SPDX-License-Identifier: ISC */
/*
 * fuzz_cursor - any bytes as a cursor of the file source: what is taken is what
 * would have been written.
 */
#include <string.h>

#include "base/mem.h"
#include "source/file_cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[SOURCE_CURSOR_MAX];
	struct file_cursor c;

	if (!file_cursor_decode(data, size, &c))
		return 0;
	must(c.count >= 1 && c.count <= FILE_CURSOR_PLACES);
	must(file_cursor_encode(&c, again) == size);
	must(memcmp(again, data, size) == 0);
	return 0;
}
