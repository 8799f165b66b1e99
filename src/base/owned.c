/* SPDX-License-Identifier: ISC */
/*
 * owned - see the header.
 */
#include "owned.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem.h"

const char *owned_name(uid_t uid, char out[static OWNED_NAME_SIZE])
{
	const struct passwd *account = getpwuid(uid);

	if (account)
		(void)snprintf(out, OWNED_NAME_SIZE, "%s", account->pw_name);
	else
		(void)snprintf(out, OWNED_NAME_SIZE, "%ld", (long)uid);
	return out;
}

/* Who reads it here is root in most cases, and becomes the account that uses
 * it afterwards: that one is the wrong owner. */
static int strange_owner(const char *path, uid_t owner, struct err *err)
{
	char is[OWNED_NAME_SIZE], must_be[OWNED_NAME_SIZE];

	return err_set(err, EXIT_USER,
	    "%s: belongs to user %s; run: chown %s %s", path,
	    owned_name(owner, is), owned_name(geteuid(), must_be), path);
}

/* The descriptor is looked at, not the path: what is checked is what is read.
 */
static int check(
    const char *path, int fd, mode_t closed, struct stat *st, struct err *err)
{
	if (fstat(fd, st) < 0)
		return err_errno(err, EXIT_USER, errno, "%s", path);
	if (!S_ISREG(st->st_mode))
		return err_set(err, EXIT_USER, "%s: not a regular file", path);
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return strange_owner(path, st->st_uid, err);
	if (st->st_mode & closed)
		return err_set(err, EXIT_USER,
		    "%s: others may %swrite it (mode %04o); run: chmod %s %s",
		    path, closed & S_IROTH ? "read or " : "",
		    (unsigned)(st->st_mode & 07777),
		    closed & S_IROTH ? "0600" : "go-w", path);
	return 0;
}

static int read_all(
    const char *path, int fd, char *out, size_t *len, struct err *err)
{
	size_t size = *len;
	ssize_t n;

	*len = 0;
	while ((n = read(fd, out + *len, size - *len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, EXIT_USER, errno, "%s", path);
		*len += (size_t)n;
	}
	out[*len] = '\0';
	return 0;
}

int owned_read(const char *path, mode_t closed, size_t max, char **out,
    size_t *len, struct err *err)
{
	/* A fifo without a writer must not hold us up. */
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	*out = NULL;
	*len = 0;
	if (fd < 0)
		return err_errno(err, EXIT_USER, errno, "%s", path);
	if (check(path, fd, closed, &st, err) < 0)
		return -1;
	if ((uintmax_t)st.st_size > max)
		return err_set(
		    err, EXIT_USER, "%s: longer than %zu bytes", path, max);
	*len = (size_t)st.st_size;
	*out = xmalloc(*len + 1);
	if (read_all(path, fd, *out, len, err) == 0)
		return 0;
	free(*out);
	*out = NULL;
	return -1;
}
