/* SPDX-License-Identifier: ISC */
/*
 * opener_beside - see the header. By time of change, for packing and renaming
 * keep it; within one tick of the clock the names decide.
 */
#include "opener_beside.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "opener_names.h"

static int newer_first(const void *left, const void *right)
{
	const struct beside *a = left, *b = right;

	if (a->mtime != b->mtime)
		return a->mtime < b->mtime ? 1 : -1;
	return -names_newer(a->name, b->name);
}

static bool is_wanted(const char *base, const char *name, bool dated)
{
	if (strcmp(base, name) == 0)
		return false;
	return names_rotated(base, name) || (dated && names_dated(base, name));
}

/* In a full list the oldest gives way. */
static size_t insert(
    struct beside *out, size_t n, size_t size, const char *name, int64_t mtime)
{
	struct beside *to = &out[n];

	if (n == size) {
		to = &out[0];
		for (size_t i = 1; i < n; i++)
			if (newer_first(&out[i], to) > 0)
				to = &out[i];
		if (mtime <= to->mtime)
			return n;
		n--;
	}
	to->mtime = mtime;
	memcpy(to->name, name, strnlen(name, NAME_MAX) + 1);
	to->name[NAME_MAX] = '\0';
	return n + 1;
}

size_t beside_list(
    int dir, const char *base, bool dated, struct beside *out, size_t size)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	struct stat st;
	size_t n = 0;

	if (!d) {
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	while ((e = readdir(d))) {
		if (!is_wanted(base, e->d_name, dated) ||
		    fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		n = insert(out, n, size, e->d_name,
		    (int64_t)st.st_mtim.tv_sec * 1000000000 +
			st.st_mtim.tv_nsec);
	}
	(void)closedir(d);
	qsort(out, n, sizeof(*out), newer_first);
	return n;
}
