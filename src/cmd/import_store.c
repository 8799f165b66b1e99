/* SPDX-License-Identifier: ISC */
/*
 * import_store - opening a store of another program, finding out what it is,
 * and reading it whole. Called by: the verb `import`.
 *
 * The file is copied into memory while its writers are locked out, in the ways
 * that they lock; all else is done with the copy. Nothing is ever written.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli.h"
#include "import.h"
#include "relay-ctrl-file.h"

enum {
	HEAD_SIZE = 4096, /* looked at to find out what it is */
	LINE_MAX_BYTES = 4096,
	LOCK_TRIES = 1000,
	LOCK_STEP_NS = 10 * 1000 * 1000,
	FIRST_READ = 64 * 1024
};

/* --- opening ---------------------------------------------------------------
 */

static bool has_name_of(const struct import_kind *k, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	for (const char *const *f = k->files; *f; f++)
		if (strncmp(name, *f, strlen(*f)) == 0)
			return true;
	return false;
}

static const struct import_kind *by_name(const char *path, bool db)
{
	for (const struct import_kind *const *k = import_kinds; *k; k++)
		if ((db ? (*k)->record != NULL : (*k)->line != NULL) &&
		    has_name_of(*k, path))
			return *k;
	return NULL;
}

/* What the first line of a text that is a row is a row of. */
static const struct import_kind *by_line(const char *text, size_t len)
{
	static const char *const names[] = { "open-smtp", "tcprules",
		"relayhosts" };
	const char *end = text + len, *lf;

	for (; text < end && (lf = memchr(text, '\n', (size_t)(end - text)));
	     text = lf + 1) {
		for (size_t i = 0; i < COUNT_OF(names); i++) {
			const struct import_kind *k =
			    import_kind_find(names[i]);
			struct import_row row = { 0 };
			const char *why;

			if (k->line(text, (size_t)(lf - text), &row, &why))
				return k;
		}
	}
	return NULL;
}

static int find_kind(struct import_store *s, bool folder, struct err *err)
{
	char head[HEAD_SIZE], shown[80];
	ssize_t n = folder ? 0 : pread(s->fd, head, sizeof(head), 0);
	bool db;

	if (folder) {
		s->kind = import_kind_find("relay-ctrl");
		return 0;
	}
	if (n < 0)
		return err_errno(err, EXIT_AGAIN, errno, "%s", s->path);
	db = import_is_db(head, (size_t)n);
	s->kind = by_name(s->path, db);
	if (!s->kind && !db)
		s->kind = by_line(head, (size_t)n);
	if (s->kind)
		return 0;
	return err_set(err, EXIT_USER,
	    "%s: neither its name nor its content tells what store it is; name "
	    "its kind: relaypass import KIND %s",
	    cli_safe(s->path, strlen(s->path), shown, sizeof(shown)), shown);
}

/* Whether a kind that was named is one of such a file. */
static int check_kind(
    const struct import_store *s, bool folder, struct err *err)
{
	bool wants_folder = import_is_folder(s->kind);

	if (wants_folder == folder)
		return 0;
	return err_set(err, EXIT_USER, "%s: %s is a %s", s->path, s->kind->of,
	    wants_folder ? "directory, and this is a file"
			 : "file, and this is a directory");
}

/* Each export's account unless it has an option `user`. */
static bool is_ours(const struct stat *st)
{
	const struct passwd *writer = getpwnam("relaypass-out");

	return writer && st->st_uid == writer->pw_uid;
}

int import_open(struct import_store *s, const char *path,
    const struct import_kind *kind, struct err *err)
{
	struct stat st;
	/* A fifo must not make us wait. */
	AUTO_CLOSE int fd =
	    open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	*s = (struct import_store){ .path = path, .fd = -1, .kind = kind };
	if (fd < 0 && errno == ELOOP)
		return err_set(err, EXIT_USER,
		    "%s is a symbolic link: name the file itself", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, EXIT_USER, errno, "%s", path);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return err_set(err, EXIT_USER,
		    "%s is neither a plain file nor a directory", path);
	if (is_ours(&st))
		return err_set(err, EXIT_USER, IMPORT_IS_OURS, path);
	s->changed = lease_file_time(&st.st_mtim);
	s->fd = fd;
	if ((kind ? check_kind(s, S_ISDIR(st.st_mode), err)
		  : find_kind(s, S_ISDIR(st.st_mode), err)) < 0) {
		s->fd = -1;
		return -1;
	}
	(void)take_fd(&fd);
	return 0;
}

void import_close(struct import_store *s)
{
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
	free(s->bytes);
	s->bytes = NULL;
}

/* --- the copy --------------------------------------------------------------
 */

/* Of flock() nobody can say who holds it. */
static int tell_locked(int fd, const char *path, struct err *err)
{
	struct flock whole = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	char by[32] = "another program";

	if (fcntl(fd, F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK &&
	    whole.l_pid > 0)
		(void)snprintf(by, sizeof(by), "process %d", (int)whole.l_pid);
	return err_set(err, EXIT_AGAIN,
	    "%s is locked by %s all the time: stop that program first, or "
	    "import a copy (cp -p)",
	    path, by);
}

/* Shared with other readers, in both ways that writers lock. */
static int lock_shared(int fd, const char *path, struct err *err)
{
	static const struct timespec step = { .tv_nsec = LOCK_STEP_NS };
	struct flock whole = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
			if (fcntl(fd, F_SETLK, &whole) == 0)
				return 0;
			(void)flock(fd, LOCK_UN);
		}
		if (errno != EWOULDBLOCK && errno != EACCES && errno != EINTR)
			return err_errno(err, EXIT_AGAIN, errno,
			    "%s cannot be locked", path);
		(void)nanosleep(&step, NULL);
	}
	return tell_locked(fd, path, err);
}

static void unlock(int fd)
{
	struct flock whole = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	(void)fcntl(fd, F_SETLK, &whole);
	(void)flock(fd, LOCK_UN);
}

/* The file that the store's writers lock; *own_r is set to its descriptor when
 * that is not the store's. */
static int lock_store(const struct import_store *s, int *own_r, struct err *err)
{
	char path[PATH_MAX];
	struct stat st;
	int n;

	if (!s->kind->lock)
		return lock_shared(s->fd, s->path, err);
	n = snprintf(path, sizeof(path), "%s%s", s->path, s->kind->lock);
	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(
		    err, EXIT_USER, "%s: the path is too long", s->path);
	*own_r = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	/* Its writers put a new file in the old one's place; without them there
	 * need be none to lock. */
	if (*own_r < 0)
		return errno == ENOENT
			   ? 0
			   : err_errno(err, EXIT_USER, errno, "%s", path);
	if (fstat(*own_r, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, EXIT_USER, "%s is no plain file", path);
	return lock_shared(*own_r, path, err);
}

/* All of it, to be freed. */
static char *slurp(const struct import_store *s, size_t *len_r, struct err *err)
{
	AUTO_FREE char *bytes = NULL;
	size_t size = 0, used = 0;
	ssize_t n;

	do {
		if (used == size) {
			size = size ? 2 * size : FIRST_READ;
			bytes = xrealloc(bytes, size, 1);
		}
		n = pread(s->fd, bytes + used, size - used, (off_t)used);
		if (n < 0 && errno != EINTR) {
			err_errno(err, EXIT_AGAIN, errno, "%s", s->path);
			return NULL;
		}
		used += n > 0 ? (size_t)n : 0;
	} while (n != 0 && used <= IMPORT_FILE_MAX);
	if (used > IMPORT_FILE_MAX) {
		err_set(err, EXIT_USER, "%s has more than %d MB", s->path,
		    IMPORT_FILE_MAX >> 20);
		return NULL;
	}
	*len_r = used;
	return take_ptr(&bytes);
}

int import_load(struct import_store *s, struct err *err)
{
	AUTO_CLOSE int own = -1;
	struct stat st;

	if (import_is_folder(s->kind))
		return 0;
	if (lock_store(s, &own, err) < 0)
		return -1;
	s->bytes = slurp(s, &s->len, err);
	/* It may have changed since it was opened. */
	if (fstat(s->fd, &st) == 0)
		s->changed = lease_file_time(&st.st_mtim);
	if (!s->kind->lock)
		unlock(s->fd);
	return s->bytes ? 0 : -1;
}

/* --- rows ------------------------------------------------------------------
 */

static void take_line(const struct import_kind *kind, const char *line,
    size_t len, bool whole, const struct import_sink *sink)
{
	struct import_row row = { 0 };
	const char *why = NULL;

	if (len && line[len - 1] == '\r')
		len--;
	if (!whole)
		/* Of "192.0.2.17" it might say "192.0.2.1". */
		why = len ? IMPORT_CUT : NULL;
	else if (len > LINE_MAX_BYTES)
		why = IMPORT_LONG;
	else if (kind->line(line, len, &row, &why)) {
		sink->row(sink->ctx, &row);
		return;
	}
	if (why)
		sink->refuse(sink->ctx, line, len, why);
}

void import_lines(const struct import_kind *kind, const char *text, size_t len,
    const struct import_sink *sink)
{
	const char *end = text + len;

	while (text < end) {
		const char *lf = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = lf ? lf : end;

		take_line(
		    kind, text, (size_t)(line_end - text), lf != NULL, sink);
		text = lf ? lf + 1 : end;
	}
}

int import_read(const struct import_store *s, const struct import_sink *sink,
    struct err *err)
{
	if (import_is_folder(s->kind))
		return import_folder(s, sink, err);
	if (s->kind->record)
		return import_records(s, sink, err);
	if (import_is_db(s->bytes, s->len))
		return err_set(err, EXIT_USER,
		    "%s is a Berkeley DB file, and %s is a text", s->path,
		    s->kind->of);
	if (memchr(s->bytes, '\0', s->len < HEAD_SIZE ? s->len : HEAD_SIZE))
		return err_set(err, EXIT_USER,
		    "%s is no text; of a compiled file name what it is made of",
		    s->path);
	import_lines(s->kind, s->bytes, s->len, sink);
	return 0;
}

/* --- times -----------------------------------------------------------------
 */

void import_settle(const struct import_row *row, int64_t lasts, int64_t changed,
    bool by_change, struct imported *out)
{
	int64_t login = by_change ? 0 : row->login;
	int64_t end = by_change ? 0 : row->end;

	if (end)
		login = end - lasts;
	if (!login || login > changed)
		login = changed;
	out->addr = row->addr;
	out->user_len = row->user_len;
	memcpy(out->user, row->user, sizeof(out->user));
	out->login = login > 0 ? login : 0;
	out->end = end ? end : out->login + lasts;
}

bool import_is_far(const struct import_row *row, int64_t lasts, int64_t now)
{
	int64_t most = lasts > IMPORT_AGE_MAX ? lasts : IMPORT_AGE_MAX;

	return row->end > now + most;
}
