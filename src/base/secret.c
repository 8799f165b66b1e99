/* SPDX-License-Identifier: ISC */
/*
 * secret - reads secret files and compares what peers claim to know.
 */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem.h"

enum { NAME_SIZE = 64 };

static const char *name_of(uid_t uid, char out[static NAME_SIZE])
{
	const struct passwd *account = getpwuid(uid);

	if (account)
		(void)snprintf(out, NAME_SIZE, "%s", account->pw_name);
	else
		(void)snprintf(out, NAME_SIZE, "%ld", (long)uid);
	return out;
}

/* Who reads it here is root in most cases, and becomes the account that uses
 * it afterwards: that one is the wrong owner. */
static int strange_owner(const char *path, uid_t owner, struct err *err)
{
	char is[NAME_SIZE], must_be[NAME_SIZE];

	return err_set(err, EXIT_USER,
	    "%s: belongs to user %s; run: chown %s %s", path,
	    name_of(owner, is), name_of(geteuid(), must_be), path);
}

/* The descriptor is looked at, not the path: what is checked is what is read.
 */
static int check_file(const char *path, int fd, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_errno(err, EXIT_USER, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EXIT_USER, "%s: not a regular file", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return strange_owner(path, st.st_uid, err);
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return err_set(err, EXIT_USER,
		    "%s: others may read or write it (mode %04o); chmod 0600",
		    path, (unsigned)(st.st_mode & 07777));
	if (st.st_size > SECRET_MAX)
		return err_set(err, EXIT_USER,
		    "%s: longer than %d bytes is no secret", path, SECRET_MAX);
	return 0;
}

static int read_all(
    const char *path, int fd, char *out, size_t *len, struct err *err)
{
	ssize_t n;

	*len = 0;
	while ((n = read(fd, out + *len, SECRET_MAX - *len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, EXIT_USER, errno, "%s", path);
		*len += (size_t)n;
	}
	if (*len > 0 && out[*len - 1] == '\n')
		--*len;
	if (*len > 0 && out[*len - 1] == '\r')
		--*len;
	if (*len == 0)
		return err_set(err, EXIT_USER, "%s: empty", path);
	out[*len] = '\0';
	return 0;
}

int secret_read(const char *path, char **out, size_t *len, struct err *err)
{
	/* A fifo without a writer must not hold us up. */
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *bytes;

	*out = NULL;
	*len = 0;
	if (fd < 0)
		return err_errno(err, EXIT_USER, errno, "%s", path);
	if (check_file(path, fd, err) != 0)
		return -1;
	bytes = xmalloc(SECRET_MAX + 1);
	if (read_all(path, fd, bytes, len, err) != 0) {
		secret_free(&bytes, SECRET_MAX);
		*len = 0;
		return -1;
	}
	*out = bytes;
	return 0;
}

static const char blanks[] = " \t\r";

/* NUL-terminated. 1: a row; 0: none; -1: *bad_r. */
static int read_row(
    const char *line, secret_row_fn *fn, void *ctx, const char **bad_r)
{
	const char *name = line + strspn(line, blanks);
	size_t name_len = strcspn(name, blanks);
	const char *secret = name + name_len + strspn(name + name_len, blanks);
	size_t len = strcspn(secret, blanks);

	if (*name == '\0' || *name == '#')
		return 0;
	*bad_r = secret[len + strspn(secret + len, blanks)] != '\0'
		     ? "something stands behind the secret, which may hold no "
		       "blank"
		     : fn(ctx, name, name_len, secret, len);
	return *bad_r ? -1 : 1;
}

int secret_rows(char *text, size_t len, const char *name, secret_row_fn *fn,
    void *ctx, struct err *err)
{
	const char *bad = NULL;
	char *line = text, *end = text + len;
	size_t number = 1, rows = 0;

	if (memchr(text, '\0', len))
		bad = "it is no text";
	for (; !bad && line <= end; number++) {
		char *lf = memchr(line, '\n', (size_t)(end - line));

		if (!lf)
			lf = end;
		*lf = '\0';
		rows += read_row(line, fn, ctx, &bad) > 0;
		if (bad)
			break;
		line = lf + 1;
	}
	if (!bad && rows == 0) {
		bad = "there is no key in it";
		number = 1;
	}
	return bad ? err_set(err, EXIT_USER, "%s:%zu: %s", name, number, bad)
		   : 0;
}

void secret_free(char **secret, size_t len)
{
	if (!*secret)
		return;
	explicit_bzero(*secret, len);
	free(*secret);
	*secret = NULL;
}

bool secret_equal(const void *a, size_t a_len, const void *b, size_t b_len)
{
	/* volatile: no compiler may stop at the first difference. */
	const volatile uint8_t *x = a, *y = b;
	uint8_t differs = 0;

	if (a_len != b_len)
		return false;
	for (size_t i = 0; i < a_len; i++)
		differs |= x[i] ^ y[i];
	return differs == 0;
}
