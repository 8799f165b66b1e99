/* SPDX-License-Identifier: ISC */
/*
 * fixed - the administrator's own part of a file that an export writes. It is
 * looked at by name each time: editors replace it, and it may be away for a
 * moment.
 */
#include "fixed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

struct fixed {
	char *path, *text;
	size_t len;
	bool read;
	struct stat last;
};

struct fixed *fixed_new(const char *path)
{
	struct fixed *f = xcalloc(1, sizeof(*f));

	f->path = xstrdup(path);
	f->text = xstrdup("");
	return f;
}

void fixed_free(struct fixed **fp)
{
	struct fixed *f = *fp;

	*fp = NULL;
	if (!f)
		return;
	free(f->path);
	free(f->text);
	free(f);
}

const char *fixed_text(const struct fixed *f, size_t *len_r)
{
	*len_r = f->len;
	return f->text;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* size bytes, or as many as there are now. */
static char *read_all(int fd, size_t size, size_t *len_r)
{
	AUTO_FREE char *text = xmalloc(size + 1);

	*len_r = 0;
	while (*len_r < size) {
		ssize_t n = read(fd, text + *len_r, size - *len_r);

		if (n < 0)
			return NULL;
		if (n == 0)
			break;
		*len_r += (size_t)n;
	}
	text[*len_r] = '\0';
	return take_ptr(&text);
}

int fixed_look(struct fixed *f, struct err *err)
{
	AUTO_CLOSE int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat now;
	char *text;
	size_t len;

	if (fd < 0 || fstat(fd, &now) < 0)
		return err_errno(err, EXIT_AGAIN, errno, "%s", f->path);
	if (f->read && is_same(&now, &f->last))
		return 0;
	if (!S_ISREG(now.st_mode) || now.st_size > FIXED_MAX)
		return err_set(err, EXIT_USER,
		    "%s: no plain file of at most %d bytes", f->path,
		    FIXED_MAX);
	text = read_all(fd, (size_t)now.st_size, &len);
	if (!text)
		return err_errno(err, EXIT_AGAIN, errno, "%s", f->path);
	free(f->text);
	f->text = text;
	f->len = len;
	f->last = now;
	f->read = true;
	return 1;
}
