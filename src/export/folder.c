/* SPDX-License-Identifier: ISC */
/*
 * folder - a directory with a file for each leased address.
 *
 * A file that is gone is no lease, so what ends is removed first and what comes
 * is made after it: a full disk keeps nobody's lease. Changes are answered, and
 * a snapshot's last slice, when the directory is on the disk. The roll is there
 * during a snapshot only, to know what it did not name.
 */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "roll.h"
#include "target.h"

struct folder {
	struct export_env env;
	struct folder_kind kind;
	const char *path; /* of the configuration */
	int directory;
	struct roll *named; /* NULL: no snapshot is under way */
	bool failing;       /* and the log knows */
};

void folder_needs(const struct conf_section *conf, struct export_needs *out)
{
	const char *user = conf_string(conf, "user");

	out->write[0] = conf_string(conf, "path");
	out->account = *user ? user : NULL;
}

int folder_look(const struct conf_section *conf, struct err *err)
{
	AUTO_CLOSE int fd = target_directory(conf_string(conf, "path"), err);

	return fd < 0 ? -1 : 0;
}

struct folder *folder_open(const struct export_env *env,
    const struct conf_section *conf, const struct folder_kind *kind,
    struct err *err)
{
	const char *path = conf_string(conf, "path");
	int fd = target_directory(path, err);
	struct folder *f;

	if (fd < 0)
		return NULL;
	f = xcalloc(1, sizeof(*f));
	f->env = *env;
	f->kind = *kind;
	f->path = path;
	f->directory = fd;
	return f;
}

void folder_close(struct folder **fp)
{
	struct folder *f = *fp;

	*fp = NULL;
	if (!f)
		return;
	roll_free(&f->named);
	(void)close(f->directory);
	free(f);
}

/* Remembers the first thing that went wrong. */
static void note(int *failed, int result)
{
	if (result < 0 && !*failed)
		*failed = errno;
}

static void remove_lease(
    struct folder *f, const struct lease *lease, int *failed)
{
	char names[FOLDER_NAMES][FOLDER_NAME_SIZE];
	size_t count = f->kind.names(lease, names);

	for (size_t i = 0; i < count; i++)
		if (unlinkat(f->directory, names[i], 0) < 0 && errno != ENOENT)
			note(failed, -1);
}

static void put_lease(struct folder *f, const struct lease *lease, int *failed)
{
	char names[FOLDER_NAMES][FOLDER_NAME_SIZE];
	size_t count = f->kind.names(lease, names);

	for (size_t i = 0; i < count; i++)
		note(failed,
		    f->kind.put(f->kind.ctx, f->directory, names[i], lease));
}

static bool is_stale(const struct folder *f, const char *name)
{
	const char *temporary = f->kind.temporary;
	struct addr addr;

	if (temporary && strncmp(name, temporary, strlen(temporary)) == 0)
		return true;
	return f->kind.parse(name, &addr) && !roll_find(f->named, &addr);
}

/* Removes the files of addresses that the snapshot did not name. */
static void remove_stale(struct folder *f, int *failed)
{
	int fd = openat(f->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		note(failed, -1);
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		if (is_stale(f, entry->d_name) &&
		    unlinkat(f->directory, entry->d_name, 0) < 0 &&
		    errno != ENOENT)
			note(failed, -1);
	}
	(void)closedir(dir);
}

static void tell(struct folder *f, int failed)
{
	if (failed && !f->failing)
		log_error(LOG_EXPORT_ERROR,
		    "export=%s error=\"%s: %s\" next=\"tries again\"",
		    f->env.name, f->path, strerror(failed));
	if (!failed && f->failing)
		log_info(LOG_EXPORT_STATE, "export=%s state=good", f->env.name);
	f->failing = failed != 0;
}

void folder_apply(struct folder *f, const struct export_slice *slice)
{
	int failed = 0;

	if (slice->first) {
		roll_free(&f->named);
		f->named = roll_new(false);
	}
	if (f->named && slice->snapshot)
		(void)roll_apply(f->named, slice);
	for (size_t i = 0; i < slice->count; i++)
		if (!slice->changes[i].leased)
			remove_lease(f, &slice->changes[i].lease, &failed);
	if (slice->snapshot && slice->last && f->named) {
		remove_stale(f, &failed);
		roll_free(&f->named);
	}
	for (size_t i = 0; i < slice->count; i++)
		if (slice->changes[i].leased)
			put_lease(f, &slice->changes[i].lease, &failed);
	/* A snapshot that is cut short comes again, whole. */
	if (slice->last)
		note(&failed, fsync(f->directory));
	tell(f, failed);
	f->env.done(f->env.ctx, failed == 0);
}
