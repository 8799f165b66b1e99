/* SPDX-License-Identifier: ISC */
/*
 * import_folder - relay-ctrl's directory as rows: each file is named by its
 * address, changed last at the login, and holds USER and DOMAIN. Nothing in it
 * is changed, files that are over neither.
 *
 * Where -chdir is used, every mail user may write there: a file's time is his
 * word, and like any login's it is judged by the daemon.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "import.h"
#include "relay-ctrl-file.h"

/* USER, with DOMAIN behind it if that is not in it already. False: too long. */
static bool put_user(const char *bytes, size_t len, struct import_row *row)
{
	const char *user = lease_file_value(bytes, len, "USER");
	const char *domain = lease_file_value(bytes, len, "DOMAIN");
	int n;

	if (!user)
		return true;
	n = snprintf(row->user, sizeof(row->user), "%s%s%s", user,
	    domain && !strchr(user, '@') ? "@" : "",
	    domain && !strchr(user, '@') ? domain : "");
	row->user_len = n > 0 ? strlen(row->user) : 0;
	return n >= 0 && (size_t)n < sizeof(row->user);
}

/* True: the name is an address, others do not count to the limit: whoever may
 * write there must not end the import with them. */
static bool take_file(
    const struct lease_dir *d, const char *name, const struct import_sink *sink)
{
	static char bytes[LEASE_FILE_MAX];
	struct import_row row = { 0 };
	const char *why = NULL;
	size_t len = 0;
	bool named = import_address(name, strlen(name), &row.addr, &why);

	if (!named)
		;
	else if (lease_file_read(d, name, &row.login, bytes, &len) < 0)
		/* Gone already: its lease was over. */
		why = errno == ENOENT ? NULL : IMPORT_NO_FILE;
	else if (!put_user(bytes, len, &row))
		why = IMPORT_LONG;
	else {
		sink->row(sink->ctx, &row);
		return true;
	}
	if (why)
		sink->refuse(sink->ctx, name, strlen(name), why);
	return named;
}

/* Whether something in it is named by an address, or nothing at all is there;
 * leaves it at its start. */
static bool is_lease_folder(DIR *dir)
{
	const struct dirent *e;
	size_t others = 0;
	bool found = false;

	while (!found && (e = readdir(dir))) {
		const char *why;
		struct addr a;

		found = import_address(e->d_name, strlen(e->d_name), &a, &why);
		others += !found && e->d_name[0] != '.';
	}
	rewinddir(dir);
	return found || !others;
}

int import_folder(const struct import_store *s, const struct import_sink *sink,
    struct err *err)
{
	const struct lease_dir d = { .fd = s->fd };
	/* A descriptor of its own: reading moves it. */
	int fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	int count = 0, saved;

	if (!dir) {
		saved = errno;
		if (fd >= 0)
			(void)close(fd);
		return err_errno(err, EXIT_USER, saved, "%s", s->path);
	}
	if (!is_lease_folder(dir)) {
		(void)closedir(dir);
		return err_set(err, EXIT_USER,
		    "%s is no relay-ctrl directory: no file in it is named "
		    "by an address",
		    s->path);
	}
	while ((errno = 0, e = readdir(dir)) && count < IMPORT_ROWS_MAX) {
		/* Temporary files have names that begin so. */
		if (e->d_name[0] == '.')
			continue;
		count += take_file(&d, e->d_name, sink);
	}
	saved = errno;
	(void)closedir(dir);
	if (count == IMPORT_ROWS_MAX)
		return err_set(
		    err, EXIT_USER, "%s has too many files", s->path);
	return saved ? err_errno(err, EXIT_AGAIN, saved, "%s", s->path) : 0;
}
