/* SPDX-License-Identifier: ISC */
/*
 * relay-ctrl-file - see relay-ctrl-file.h. Everything happens below one
 * directory descriptor, so that the working directory stays what it is.
 */
#include "relay-ctrl-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum {
	MODE_SHARED = 0644, /* written by renaming only, so nobody but the
			     * owner need write into it */
	MODE_OWN = 0600,
	TEMP_SIZE = 64,
	TEMP_TRIES = 20,
	FD_FIRST = 3, /* not the client's own */
	FD_LAST = 1 << 20,
	MS = 1000,
	NS_PER_MS = 1000000
};

/* --- the directory ----------------------------------------------------------
 */

/* The descriptor that -chdir has handed down. */
static int take_inherited(const char *text)
{
	char *end;
	long fd;
	int copy = -1;

	errno = 0;
	fd = strtol(text, &end, 10);
	if (errno || *end || !*text || fd < FD_FIRST || fd > FD_LAST) {
		errno = EBADF;
		return -1;
	}
	copy = fcntl((int)fd, F_DUPFD_CLOEXEC, FD_FIRST);
	if (copy >= 0)
		(void)close((int)fd);
	return copy;
}

int lease_dir_open(struct lease_dir *out, const char **what_r)
{
	const char *inherited = getenv("RELAY_CTRL_DIR_FD");
	const char *path = getenv("RELAY_CTRL_DIR");
	struct stat st;

	out->fd = -1;
	out->shared = inherited != NULL;
	*what_r = inherited ? "RELAY_CTRL_DIR_FD" : path;
	errno = ENOENT;
	if (inherited)
		out->fd = take_inherited(inherited);
	else if (path)
		out->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out->fd < 0)
		return -1;
	(void)unsetenv("RELAY_CTRL_DIR_FD");
	if (fstat(out->fd, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	lease_dir_close(out);
	errno = ENOTDIR;
	return -1;
}

void lease_dir_close(struct lease_dir *d)
{
	if (d->fd >= 0)
		(void)close(d->fd);
	d->fd = -1;
}

/* --- writing ----------------------------------------------------------------
 */

/* A new file of a name that nobody has; -age removes it if we die. */
static int open_temp(
    const struct lease_dir *d, struct moment now, char name[static TEMP_SIZE])
{
	mode_t mode = d->shared ? MODE_SHARED : MODE_OWN;

	for (int i = 0; i < TEMP_TRIES; i++) {
		(void)snprintf(name, TEMP_SIZE, ".%lld.%06d:%d",
		    (long long)(now.wall / MS), (int)(now.wall % MS) * MS + i,
		    (int)getpid());
		int fd = openat(d->fd, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		if (fd >= 0)
			/* Whatever the umask of the chain is. */
			(void)fchmod(fd, mode);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}

static int fill(int fd, const char *bytes, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, bytes + done, len - done);
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

int lease_file_write(const struct lease_dir *d, const struct addr *addr,
    const char *bytes, size_t len, struct moment now)
{
	char name[ADDR_TEXT_SIZE], temp[TEMP_SIZE];
	AUTO_CLOSE int fd = open_temp(d, now, temp);
	int saved;

	addr_print(addr, name);
	if (fd < 0)
		return -1;
	if (fill(fd, bytes, len) == 0 &&
	    renameat(d->fd, temp, d->fd, name) == 0)
		return 0;
	saved = errno;
	(void)unlinkat(d->fd, temp, 0);
	errno = saved;
	return -1;
}

/* --- reading ----------------------------------------------------------------
 */

/* Not a fifo, which would wait, nor a link, which leads away. */
static int open_file(
    const struct lease_dir *d, const char *name, struct stat *st)
{
	int fd =
	    openat(d->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	(void)close(fd);
	errno = EINVAL;
	return -1;
}

static size_t read_all(int fd, char out[static LEASE_FILE_MAX])
{
	size_t used = 0;

	while (used < LEASE_FILE_MAX) {
		ssize_t n = read(fd, out + used, LEASE_FILE_MAX - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	return used;
}

/* A clock that was set back must not give leases for ever. */
static bool is_live(const struct stat *st, int64_t expiry, struct moment now)
{
	int64_t seconds = now.wall / MS, login = st->st_mtim.tv_sec;

	return login <= seconds + LEASE_FILE_SKEW && login >= seconds - expiry;
}

enum lease_file_state lease_file_look(const struct lease_dir *d,
    const struct addr *addr, int64_t expiry, struct moment now,
    char out[static LEASE_FILE_MAX], size_t *len_r)
{
	char name[ADDR_TEXT_SIZE];
	struct stat st;

	*len_r = 0;
	addr_print(addr, name);
	AUTO_CLOSE int fd = open_file(d, name, &st);
	if (fd < 0)
		return LEASE_FILE_NONE;
	if (!is_live(&st, expiry, now)) {
		(void)unlinkat(d->fd, name, 0);
		return LEASE_FILE_EXPIRED;
	}
	*len_r = read_all(fd, out);
	return LEASE_FILE_LIVE;
}

int64_t lease_file_time(const struct timespec *t)
{
	static const int64_t last = INT64_C(1) << 37; /* s */

	if (t->tv_sec < 0)
		return 0;
	if (t->tv_sec >= last)
		return last * MS;
	return (int64_t)t->tv_sec * MS + t->tv_nsec / NS_PER_MS;
}

int lease_file_read(const struct lease_dir *d, const char *name,
    int64_t *changed_r, char out[static LEASE_FILE_MAX], size_t *len_r)
{
	struct stat st;
	AUTO_CLOSE int fd = open_file(d, name, &st);

	*len_r = 0;
	if (fd < 0)
		return -1;
	*changed_r = lease_file_time(&st.st_mtim);
	*len_r = read_all(fd, out);
	return 0;
}

int lease_file_touch(
    const struct lease_dir *d, const struct addr *addr, struct moment now)
{
	char name[ADDR_TEXT_SIZE], bytes[LEASE_FILE_MAX];
	struct stat st;

	addr_print(addr, name);
	AUTO_CLOSE int fd = open_file(d, name, &st);
	return lease_file_write(
	    d, addr, bytes, fd < 0 ? 0 : read_all(fd, bytes), now);
}

static bool is_clean(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

const char *lease_file_value(const char *bytes, size_t len, const char *name)
{
	const char *found = NULL, *end = bytes + len;
	size_t n = strlen(name);

	while (bytes < end) {
		const char *nul = memchr(bytes, '\0', (size_t)(end - bytes));
		if (!nul)
			break;
		if ((size_t)(nul - bytes) > n && bytes[n] == '=' &&
		    memcmp(bytes, name, n) == 0)
			found = is_clean(bytes + n + 1) ? bytes + n + 1 : NULL;
		bytes = nul + 1;
	}
	return found;
}

/* --- age --------------------------------------------------------------------
 */

long lease_file_age(
    const struct lease_dir *d, int64_t expiry, struct moment now)
{
	/* A descriptor of its own: reading moves it. */
	int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	struct stat st;
	long count = 0;

	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	while ((e = readdir(dir))) {
		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0 ||
		    fstatat(d->fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    is_live(&st, expiry, now))
			continue;
		if (unlinkat(d->fd, e->d_name, 0) == 0)
			count++;
	}
	(void)closedir(dir);
	return count;
}
