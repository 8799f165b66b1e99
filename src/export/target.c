/* SPDX-License-Identifier: ISC */
/*
 * target - one file, written whole. The order is: bytes, mode and group, fsync,
 * rename, fsync of the directory. The name changes only when everything that it
 * will stand for is on the disk.
 */
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum {
	BUFFER_BYTES = 65536,
	MODE_NEW = 0644,
	MODE_BITS = 07777,
	TRIES = 2 /* the second one after removing what is in the way */
};

struct target {
	int directory, fd, mode;
	char *path, *name;
	char *beside;    /* path of the temporary file */
	char *temporary; /* its name, in `beside` */
	int failed;      /* errno of the first write that failed */
	bool lost_group, told;
	size_t used;
	char buffer[BUFFER_BYTES];
};

void target_parent(const char *path, char *out, size_t size)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash && slash > path ? (size_t)(slash - path) : 1;

	must(size > 1);
	if (len >= size)
		len = size - 1;
	memcpy(out, path, len);
	out[len] = '\0';
}

static int open_directory(const char *path, bool ours, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == ENOENT && !ours)
		return err_set(err, EXIT_USER,
		    "%s is missing; run: install -d %s", path, path);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, EXIT_USER,
		    "%s is missing; run: install -d -o relaypass-out -g "
		    "relaypass-out -m 0755 %s (or for its option user)",
		    path, path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, EXIT_USER, errno, "%s", path);
	if (st.st_mode & S_IWOTH)
		return err_set(err, EXIT_USER,
		    "%s: everybody may write there, and so could relay; chmod "
		    "o-w it",
		    path);
	return take_fd(&fd);
}

int target_directory(const char *path, struct err *err)
{
	return open_directory(path, true, err);
}

int target_directory_of_others(const char *path, struct err *err)
{
	return open_directory(path, false, err);
}

int target_look(const char *path, int directory, struct err *err)
{
	const char *slash = strrchr(path, '/');
	struct stat st;

	/* Renaming would leave the link's own file as it is. */
	if (fstatat(directory, slash ? slash + 1 : path, &st,
		AT_SYMLINK_NOFOLLOW) < 0 ||
	    S_ISREG(st.st_mode))
		return 0;
	return err_set(err, EXIT_USER, "%s is not a plain file", path);
}

struct target *target_open(
    const char *path, const char *owner, int mode, struct err *err)
{
	struct target *t = xcalloc(1, sizeof(*t));
	AUTO_FREE char *parent = xmalloc(strlen(path) + 2);
	const char *name = strrchr(path, '/');
	size_t size;

	name = name ? name + 1 : path;
	target_parent(path, parent, strlen(path) + 2);
	size = strlen(parent) + strlen(name) + strlen(owner) +
	       sizeof("/..new") + 1;
	t->fd = -1;
	t->mode = mode;
	t->path = xstrdup(path);
	t->name = xstrdup(name);
	t->beside = xmalloc(size);
	(void)snprintf(t->beside, size, "%s/.%s.%s.new", parent, name, owner);
	t->temporary = t->beside + strlen(parent) + 1;
	t->directory = target_directory(parent, err);
	if (t->directory >= 0 && target_look(path, t->directory, err) == 0) {
		(void)unlinkat(t->directory, t->temporary, 0);
		return t;
	}
	target_close(&t);
	return NULL;
}

void target_close(struct target **tp)
{
	struct target *t = *tp;

	*tp = NULL;
	if (!t)
		return;
	target_abort(t);
	if (t->directory >= 0)
		(void)close(t->directory);
	free(t->path);
	free(t->name);
	free(t->beside);
	free(t);
}

int target_begin(struct target *t, struct err *err)
{
	must(t->fd < 0);
	t->used = 0;
	t->failed = 0;
	for (int i = 0; i < TRIES && t->fd < 0; i++) {
		if (i > 0)
			(void)unlinkat(t->directory, t->temporary, 0);
		t->fd = openat(t->directory, t->temporary,
		    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
		if (t->fd < 0 && errno != EEXIST)
			break;
	}
	if (t->fd < 0)
		return err_errno(err, EXIT_AGAIN, errno,
		    "%s: no new file can be made beside it", t->path);
	return 0;
}

int target_fd(const struct target *t)
{
	return t->fd;
}

const char *target_temporary(const struct target *t)
{
	return t->beside;
}

static void write_out(struct target *t, const char *bytes, size_t len)
{
	while (len > 0 && !t->failed) {
		ssize_t n = write(t->fd, bytes, len);

		if (n < 0 && errno != EINTR)
			t->failed = errno;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
}

void target_put(struct target *t, const char *bytes, size_t len)
{
	if (len > sizeof(t->buffer) - t->used) {
		write_out(t, t->buffer, t->used);
		t->used = 0;
	}
	if (len > sizeof(t->buffer)) {
		write_out(t, bytes, len);
		return;
	}
	memcpy(t->buffer + t->used, bytes, len);
	t->used += len;
}

/* As the old file has them, where that can be done. */
static int set_rights(struct target *t)
{
	struct stat old, new;
	mode_t mode = t->mode < 0 ? MODE_NEW : (mode_t)t->mode;

	if (fstat(t->fd, &new) < 0)
		return -1;
	if (fstatat(t->directory, t->name, &old, AT_SYMLINK_NOFOLLOW) == 0) {
		if (t->mode < 0)
			mode = old.st_mode & MODE_BITS;
		/* Only root could give it to another user. */
		if (old.st_gid != new.st_gid &&
		    fchown(t->fd, (uid_t)-1, old.st_gid) < 0 &&
		    !(mode & S_IROTH))
			t->lost_group = true;
	}
	return fchmod(t->fd, mode);
}

int target_commit(struct target *t, struct err *err)
{
	must(t->fd >= 0);
	write_out(t, t->buffer, t->used);
	if (t->failed)
		errno = t->failed;
	else if (set_rights(t) == 0 && fsync(t->fd) == 0 &&
		 renameat(t->directory, t->temporary, t->directory, t->name) ==
		     0) {
		(void)close(t->fd);
		t->fd = -1;
		/* The rename is done; only a crash of the machine could still
		 * bring the old file back, and then all is written anew. */
		(void)fsync(t->directory);
		return 0;
	}
	(void)err_errno(
	    err, EXIT_AGAIN, errno, "%s: the old file stays", t->path);
	target_abort(t);
	return -1;
}

void target_abort(struct target *t)
{
	if (t->fd < 0)
		return;
	(void)close(t->fd);
	t->fd = -1;
	(void)unlinkat(t->directory, t->temporary, 0);
}

bool target_lost_group(struct target *t)
{
	bool tell = t->lost_group && !t->told;

	t->told |= tell;
	return tell;
}
