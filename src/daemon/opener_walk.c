/* SPDX-License-Identifier: ISC */
/*
 * opener_walk - see the header.
 *
 * Log directories are often writable for a group, and the supervisor may open
 * everything. So each name is opened by itself, relative to the directory
 * before it, never following a link unseen: a link must belong to an allowed
 * owner, and so must the file. Directories in which anybody may replace names
 * (writable for all, not sticky) are refused, and so are files that anybody may
 * write: whoever writes a login into a log gets a lease.
 */
#include "opener_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum { LINKS_MAX = 4 };

struct step {
	struct walk *walk;
	const struct walk_owners *owners;
	walk_dir_fn *fn;
	void *ctx;
	bool want_dir;
	int links;
	char rest[PATH_MAX]; /* names still to go */
	char name[NAME_MAX + 1];
};

static enum walk_found refuse(struct walk *w, const char *why)
{
	w->why = why;
	return WALK_REFUSED;
}

static enum walk_found fail(struct walk *w, int error)
{
	w->error = error;
	if (error == ENOENT)
		return WALK_MISSING;
	if (error == ELOOP) /* it became a link just now */
		return refuse(w, "a symbolic link");
	return WALK_FAILED;
}

static bool is_owner(const struct walk_owners *o, uid_t uid)
{
	for (size_t i = 0; i < o->count; i++)
		if (o->uids[i] == uid)
			return true;
	return uid == 0;
}

static const char *wrong_with_file(
    const struct stat *st, const struct walk_owners *owners)
{
	if (!S_ISREG(st->st_mode))
		return "not a regular file";
	if (!is_owner(owners, st->st_uid))
		return "its owner is not in the option owner";
	if (st->st_mode & S_IWOTH)
		return "everybody may write it";
	return NULL;
}

enum walk_found walk_open_in(
    struct walk *w, int dir, const char *name, const struct walk_owners *owners)
{
	/* Not even an open for reading is harmless for a device or a fifo. */
	if (fstatat(dir, name, &w->st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(w, errno);
	w->why = wrong_with_file(&w->st, owners);
	if (w->why)
		return WALK_REFUSED;
	w->fd = openat(dir, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (w->fd < 0 || fstat(w->fd, &w->st) < 0)
		return fail(w, errno);
	/* What counts is what was opened. */
	w->why = wrong_with_file(&w->st, owners);
	if (!w->why)
		return WALK_FILE;
	(void)close(take_fd(&w->fd));
	return WALK_REFUSED;
}

/* Takes the first name off the rest. False: there is none. */
static bool next_name(struct step *s, bool *too_long)
{
	char *start = s->rest + strspn(s->rest, "/");
	size_t len = strcspn(start, "/");
	const char *behind = start + len;

	*too_long = len > NAME_MAX;
	if (len == 0 || *too_long)
		return false;
	memcpy(s->name, start, len);
	s->name[len] = '\0';
	behind += strspn(behind, "/");
	memmove(s->rest, behind, strlen(behind) + 1);
	return true;
}

static int enter(struct walk *w, int at, const char *name)
{
	int fd = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (w->dir >= 0)
		(void)close(w->dir);
	w->dir = fd;
	return 0;
}

/* Puts what the link holds before the rest. link is an O_PATH descriptor. */
static enum walk_found follow_link(
    struct step *s, int link, const struct stat *st)
{
	struct walk *w = s->walk;
	char target[PATH_MAX], joined[PATH_MAX];
	ssize_t n;

	if (!is_owner(s->owners, st->st_uid))
		return refuse(w,
		    "a symbolic link whose owner is not in the option owner");
	if (++s->links > LINKS_MAX)
		return refuse(w, "more than 4 symbolic links");
	n = readlinkat(link, "", target, sizeof(target) - 1);
	if (n < 0)
		return fail(w, errno);
	target[n] = '\0';
	int len = snprintf(joined, sizeof(joined), "%s%s%s", target,
	    s->rest[0] ? "/" : "", s->rest);
	if (len < 0 || (size_t)len >= sizeof(joined))
		return fail(w, ENAMETOOLONG);
	/* The target's last name decides which files lie beside it. */
	w->linked |= s->rest[0] == '\0';
	memcpy(s->rest, joined, (size_t)len + 1);
	if (target[0] == '/' && enter(w, AT_FDCWD, "/") < 0)
		return fail(w, errno);
	s->fn(s->ctx, w->dir);
	return WALK_FILE;
}

static enum walk_found open_last(struct step *s)
{
	struct walk *w = s->walk;

	s->fn(s->ctx, w->dir);
	return walk_open_in(w, w->dir, s->name, s->owners);
}

static enum walk_found check_dir(struct walk *w)
{
	struct stat st;

	if (fstat(w->dir, &st) < 0)
		return fail(w, errno);
	if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
		return refuse(w, "in a directory that everybody may change");
	return WALK_FILE;
}

/* One name. *done: this was the last. */
static enum walk_found walk_name(struct step *s, bool *done)
{
	struct walk *w = s->walk;
	bool last = s->rest[0] == '\0';
	enum walk_found found = check_dir(w);
	struct stat st;

	if (found != WALK_FILE)
		return found;
	/* Known even when there is no such file, for the rotated ones. */
	if (last)
		memcpy(w->name, s->name, sizeof(w->name));
	AUTO_CLOSE int fd =
	    openat(w->dir, s->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		int error = errno;
		/* Where it will appear. */
		s->fn(s->ctx, w->dir);
		return fail(w, error);
	}
	if (S_ISLNK(st.st_mode)) {
		s->fn(s->ctx, w->dir);
		return follow_link(s, fd, &st);
	}
	if (last && !s->want_dir) {
		*done = true;
		return open_last(s);
	}
	if (!S_ISDIR(st.st_mode))
		return fail(w, ENOTDIR);
	(void)close(w->dir);
	w->dir = take_fd(&fd);
	return WALK_FILE;
}

static enum walk_found walk_all(struct step *s, const char *path)
{
	struct walk *w = s->walk;
	enum walk_found found = WALK_FILE;
	size_t len = strlen(path);
	bool done = false, too_long = false;

	if (path[0] != '/' || len >= sizeof(s->rest))
		return fail(w, EINVAL);
	memcpy(s->rest, path, len + 1);
	if (enter(w, AT_FDCWD, "/") < 0)
		return fail(w, errno);
	while (found == WALK_FILE && !done && next_name(s, &too_long))
		found = walk_name(s, &done);
	if (too_long)
		return fail(w, ENAMETOOLONG);
	if (found != WALK_FILE || done)
		return found;
	if (!s->want_dir)
		return refuse(w, "not a regular file");
	s->fn(s->ctx, w->dir);
	found = check_dir(w);
	if (found == WALK_FILE)
		w->fd = take_fd(&w->dir);
	return found;
}

static enum walk_found walk(struct walk *w, const char *path,
    const struct walk_owners *owners, walk_dir_fn *fn, void *ctx, bool dir)
{
	struct step s = { .walk = w,
		.owners = owners,
		.fn = fn,
		.ctx = ctx,
		.want_dir = dir };

	memset(w, 0, sizeof(*w));
	w->fd = w->dir = -1;
	return walk_all(&s, path);
}

enum walk_found walk_open(struct walk *w, const char *path,
    const struct walk_owners *owners, walk_dir_fn *fn, void *ctx)
{
	return walk(w, path, owners, fn, ctx, false);
}

enum walk_found walk_open_dir(struct walk *w, const char *path,
    const struct walk_owners *owners, walk_dir_fn *fn, void *ctx)
{
	return walk(w, path, owners, fn, ctx, true);
}

void walk_close(struct walk *w)
{
	if (w->fd >= 0)
		(void)close(w->fd);
	if (w->dir >= 0)
		(void)close(w->dir);
	w->fd = w->dir = -1;
}
