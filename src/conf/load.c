/* SPDX-License-Identifier: ISC */
/*
 * load - the configuration from a file. Reading it from memory is conf.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf.h"
#include "scan.h"

/* Reads up to size bytes; one more than fits tells that there are more. */
static ssize_t read_all(int fd, char *out, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t n = read(fd, out + used, size - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

struct conf *conf_load(
    const char *path, const struct conf_schema *schema, struct err *err)
{
	/* O_NONBLOCK: a fifo in its place must not hold us up. */
	AUTO_CLOSE int fd =
	    open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	AUTO_FREE char *text = NULL;
	struct stat st;
	ssize_t len;

	if (fd < 0 || fstat(fd, &st) != 0) {
		err_errno(err, EXIT_USER, errno, "cannot open %s", path);
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		err_set(err, EXIT_USER, "%s is not a regular file", path);
		return NULL;
	}
	text = xmalloc(SCAN_TEXT_MAX + 1);
	len = read_all(fd, text, SCAN_TEXT_MAX + 1);
	if (len < 0) {
		err_errno(err, EXIT_USER, errno, "cannot read %s", path);
		return NULL;
	}
	return conf_parse(text, (size_t)len, path, schema, err);
}
