/* SPDX-License-Identifier: ISC */
/*
 * file - a list that was read in half would be another list.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/* All bytes of fd; text has room for size. -1: errno. */
static ssize_t read_all(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < size) {
		n = read(fd, text + len, size - len);
		if (n > 0)
			len += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	return n < 0 ? -1 : (ssize_t)len;
}

char *spp_file_read(
    const char *path, size_t max, size_t *len_r, struct err *err)
{
	/* Whoever named a FIFO shall not wait for it. */
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	AUTO_FREE char *text = NULL;
	struct stat st;
	size_t size;
	ssize_t len;

	if (fd < 0 || fstat(fd, &st) < 0) {
		(void)err_errno(err, EXIT_AGAIN, errno, "cannot read %s", path);
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		(void)err_set(err, EXIT_AGAIN, "%s is not a file", path);
		return NULL;
	}
	if ((uintmax_t)st.st_size > max) {
		(void)err_set(
		    err, EXIT_AGAIN, "%s is longer than %zu bytes", path, max);
		return NULL;
	}
	/* One byte to see that it grew. */
	size = (size_t)st.st_size + 1;
	text = xmalloc(size);
	len = read_all(fd, text, size);
	if (len < 0 || (size_t)len == size) {
		(void)err_errno(err, EXIT_AGAIN, len < 0 ? errno : EAGAIN,
		    len < 0 ? "cannot read %s" : "%s grows", path);
		return NULL;
	}
	*len_r = (size_t)len;
	return take_ptr(&text);
}
