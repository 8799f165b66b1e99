/* SPDX-License-Identifier: ISC */
/*
 * beside - by proc(5), as argv[0] may be anything.
 */
#include "beside.h"

#include <string.h>
#include <unistd.h>

int beside_path(const char *name, char *out, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", out, size);
	size_t len = strlen(name) + 1;
	char *slash;

	if (n <= 0 || (size_t)n >= size)
		return -1;
	out[n] = '\0';
	slash = strrchr(out, '/');
	if (!slash || slash + 1 + len > out + size)
		return -1;
	memcpy(slash + 1, name, len);
	return 0;
}
