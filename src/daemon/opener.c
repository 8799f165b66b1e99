/* SPDX-License-Identifier: ISC */
/*
 * opener - see the header. Paths are walked in opener_walk.c; which names are
 * rotated files, opener_names.c knows.
 *
 * Watches stand on directories, for names that come and go, and on each file
 * that was given, for what is appended: a log directory is full of files that
 * other programs write all the time. A file's watch outlives its name, for who
 * writes on into a rotated file; the kernel ends it with the file.
 */
#include "opener.h"

#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/endpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "opener_beside.h"
#include "opener_names.h"
#include "opener_walk.h"
#include "source/file_cursor.h"

enum {
	OWNERS_MAX = 32,
	WATCHES_MAX = 1024, /* directories and files of one source */
	TOLD_MAX = 512,     /* paths whose trouble is remembered */
	MATCHES_MAX = 4096  /* of one pattern */
};

/* IN_ATTRIB: an owner or mode may be put right after a file was made. */
#define NAMES_MASK                                                             \
	(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB |     \
	    IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_MASK_ADD)
#define FILE_MASK IN_MODIFY

struct watch {
	int wd;
	unsigned pass; /* the last one that wanted it */
	bool file;
};

struct told {
	uint64_t path;
	const char *why; /* or NULL, then error */
	int error;
};

struct inode {
	dev_t dev;
	ino_t ino;
};

struct opener {
	char *name;
	char **paths;
	size_t path_count;
	uid_t uids[OWNERS_MAX];
	struct walk_owners owners;
	int inotify_fd;
	unsigned pass;
	struct watch watches[WATCHES_MAX];
	size_t watch_count;
	bool watch_failed; /* told already */
	struct told told[TOLD_MAX];
	size_t told_count, told_next;
	/* The answer that is being given. */
	source_file_fn *fn;
	void *fn_ctx;
	struct inode given[OPENER_FILES_MAX];
	size_t given_count, answered;
	bool full_told;
};

/* --- making ----------------------------------------------------------------
 */

static void add_owners(struct opener *o, const struct opener_options *options)
{
	size_t n = 0;

	for (size_t i = 0; i < options->owner_count && n < OWNERS_MAX - 1; i++)
		if (endpoint_parse_user(options->owners[i], &o->uids[n]))
			n++;
	/* Whoever starts it as an ordinary user reads what is his own. */
	o->uids[n++] = geteuid();
	o->owners = (struct walk_owners){ o->uids, n };
}

struct opener *opener_new(const struct opener_options *options)
{
	struct opener *o = xcalloc(1, sizeof(*o));

	o->name = xstrdup(options->name);
	o->paths = xcalloc(options->path_count + 1, sizeof(*o->paths));
	for (size_t i = 0; i < options->path_count; i++)
		o->paths[o->path_count++] = xstrdup(options->paths[i]);
	o->inotify_fd = options->inotify_fd;
	add_owners(o, options);
	return o;
}

static const char **list_of(const struct conf_section *s, const char *option)
{
	size_t n = conf_list_size(s, option);
	const char **list = xcalloc(n + 1, sizeof(*list));

	for (size_t i = 0; i < n; i++)
		list[i] = conf_list_at(s, option, i);
	return list;
}

struct opener *opener_for(const struct conf_section *source, int inotify_fd)
{
	AUTO_FREE const char **paths = list_of(source, "path");
	AUTO_FREE const char **owners = list_of(source, "owner");
	struct opener_options options = {
		.name = conf_name(source),
		.paths = paths,
		.path_count = conf_list_size(source, "path"),
		.owners = owners,
		.owner_count = conf_list_size(source, "owner"),
		.inotify_fd = inotify_fd,
	};

	return opener_new(&options);
}

void opener_free(struct opener **o)
{
	if (!*o)
		return;
	for (size_t i = 0; i < (*o)->path_count; i++)
		free((*o)->paths[i]);
	free((*o)->paths);
	free((*o)->name);
	free(*o);
	*o = NULL;
}

/* --- telling, once ---------------------------------------------------------
 */

static struct told *find_told(struct opener *o, uint64_t path)
{
	for (size_t i = 0; i < o->told_count; i++)
		if (o->told[i].path == path)
			return &o->told[i];
	return NULL;
}

static uint64_t key_of(const char *path)
{
	return place_hash((const uint8_t *)path, strlen(path));
}

static void forget(struct opener *o, const char *path)
{
	struct told *t = find_told(o, key_of(path));

	if (t)
		*t = (struct told){ 0 };
}

/* False: it was told before, and is the same still. */
static bool remember(
    struct opener *o, const char *path, const char *why, int error)
{
	uint64_t key = key_of(path);
	struct told *t = find_told(o, key);

	if (t && t->why == why && t->error == error)
		return false;
	if (!t && o->told_count < TOLD_MAX)
		t = &o->told[o->told_count++];
	if (!t)
		t = &o->told[o->told_next++ % TOLD_MAX];
	*t = (struct told){ key, why, error };
	return true;
}

static void tell(struct opener *o, const char *path, enum walk_found found,
    const struct walk *w)
{
	char quoted[2 * SOURCE_KEY_MAX];
	const char *why = found == WALK_REFUSED ? w->why : NULL;

	/* Who looks once, and watches nothing, says himself what he may not. */
	if (o->inotify_fd < 0 && found == WALK_FAILED && w->error == EACCES)
		return;
	if (!remember(o, path, why, found == WALK_REFUSED ? 0 : w->error))
		return;
	log_quote(path, strlen(path), quoted, sizeof(quoted));
	if (found == WALK_MISSING)
		log_info(LOG_SOURCE_OPEN,
		    "source=%s path=%s state=missing action=\"waiting for it\"",
		    o->name, quoted);
	else if (found == WALK_REFUSED)
		log_error(LOG_SOURCE_ERROR,
		    "source=%s path=%s error=\"refused: %s\" mode=%04o uid=%u",
		    o->name, quoted, why, (unsigned)w->st.st_mode & 07777,
		    (unsigned)w->st.st_uid);
	else
		log_error(LOG_SOURCE_ERROR, "source=%s path=%s error=\"%s\"%s",
		    o->name, quoted, strerror(w->error),
		    w->error == EACCES && geteuid() != 0
			? " next=\"start relaypassd as root, which hands "
			  "the log to an account without rights\""
			: "");
}

/* --- watches ---------------------------------------------------------------
 */

/* A place for one more: that of the file whose name is gone for longest. */
static struct watch *free_watch(struct opener *o)
{
	struct watch *oldest = NULL;

	if (o->watch_count < WATCHES_MAX)
		return &o->watches[o->watch_count++];
	for (size_t i = 0; i < o->watch_count; i++) {
		struct watch *w = &o->watches[i];
		if (w->file && w->pass != o->pass &&
		    (!oldest || w->pass < oldest->pass))
			oldest = w;
	}
	if (oldest)
		(void)inotify_rm_watch(o->inotify_fd, oldest->wd);
	return oldest;
}

static void keep_watch(struct opener *o, int wd, bool file)
{
	struct watch *w = o->watches, *end = w + o->watch_count;

	while (w < end && w->wd != wd)
		w++;
	if (w == end)
		w = free_watch(o);
	if (w)
		*w = (struct watch){ wd, o->pass, file };
	else
		(void)inotify_rm_watch(o->inotify_fd, wd);
}

static void watch(struct opener *o, int fd, uint32_t mask)
{
	char path[64];
	int wd;

	if (o->inotify_fd < 0)
		return;
	/* By the descriptor: exactly what was checked. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	wd = inotify_add_watch(o->inotify_fd, path, mask);
	if (wd >= 0) {
		keep_watch(o, wd, mask == FILE_MASK);
		return;
	}
	if (!o->watch_failed)
		log_warn(LOG_SOURCE_ERROR,
		    "source=%s error=\"inotify: %s\" action=\"looking at the "
		    "files by the option poll\"",
		    o->name, strerror(errno));
	o->watch_failed = true;
}

static void watch_dir(void *ctx, int dir)
{
	watch(ctx, dir, NAMES_MASK);
}

static void no_watch(void *ctx, int dir)
{
	(void)ctx;
	(void)dir;
}

/* Ends the directories' watches that nothing wanted in this pass. */
static void drop_watches(struct opener *o)
{
	size_t kept = 0;

	for (size_t i = 0; i < o->watch_count; i++) {
		const struct watch *w = &o->watches[i];
		if (w->file || w->pass == o->pass)
			o->watches[kept++] = *w;
		else
			(void)inotify_rm_watch(o->inotify_fd, w->wd);
	}
	o->watch_count = kept;
}

/* --- current files ---------------------------------------------------------
 */

static bool is_given(struct opener *o, const struct stat *st)
{
	for (size_t i = 0; i < o->given_count; i++)
		if (o->given[i].dev == st->st_dev &&
		    o->given[i].ino == st->st_ino)
			return true;
	return false;
}

/* Hands the open file on. */
static void give(struct opener *o, struct walk *w, const char *path)
{
	struct source_file file = { .fd = take_fd(&w->fd), .st = w->st };

	o->given[o->given_count++] =
	    (struct inode){ w->st.st_dev, w->st.st_ino };
	memcpy(file.path, path, strlen(path) + 1);
	watch(o, file.fd, FILE_MASK);
	o->answered++;
	o->fn(o->fn_ctx, &file);
}

static void open_current(struct opener *o, const char *path)
{
	struct walk w = { .fd = -1, .dir = -1, .error = ENAMETOOLONG };
	enum walk_found found = WALK_FAILED;

	if (o->given_count == OPENER_FILES_MAX) {
		if (!o->full_told)
			log_error(LOG_SOURCE_ERROR,
			    "source=%s error=\"more than %d files\"", o->name,
			    OPENER_FILES_MAX);
		o->full_told = true;
		return;
	}
	if (strlen(path) < SOURCE_KEY_MAX)
		found = walk_open(&w, path, &o->owners, watch_dir, o);
	if (found == WALK_FILE) {
		forget(o, path);
		/* Two paths to one file are one. */
		if (!is_given(o, &w.st))
			give(o, &w, path);
	} else {
		tell(o, path, found, &w);
	}
	walk_close(&w);
}

static bool is_pattern(const char *path)
{
	return strpbrk(path, "*?[") != NULL;
}

/* The directory in which the first name with a wildcard stands. */
static void watch_static_part(struct opener *o, const char *pattern)
{
	const char *wild = strpbrk(pattern, "*?[");
	const char *slash = memrchr(pattern, '/', (size_t)(wild - pattern));
	size_t len = slash ? (size_t)(slash - pattern) : 0;
	AUTO_FREE char *dir = xstrndup(pattern, len > 0 ? len : 1);
	struct walk w;

	if (walk_open_dir(&w, dir, &o->owners, watch_dir, o) == WALK_REFUSED)
		tell(o, dir, WALK_REFUSED, &w);
	walk_close(&w);
}

/* A pattern such as mail* must not take rotated files for logs of their own:
 * their lines were read when they were current. */
static bool is_rotated_match(const glob_t *g, size_t i)
{
	const char *path = g->gl_pathv[i];
	const char *name = strrchr(path, '/') + 1;
	size_t dir = (size_t)(name - path);

	if (names_packed(name))
		return true;
	for (size_t j = 0; j < g->gl_pathc; j++) {
		const char *other = g->gl_pathv[j];
		if (j != i && strncmp(path, other, dir) == 0 &&
		    !strchr(other + dir, '/') &&
		    names_rotated(other + dir, name))
			return true;
	}
	return false;
}

static void open_matches(struct opener *o, const char *pattern)
{
	glob_t g;

	watch_static_part(o, pattern);
	int rc = glob(pattern, 0, NULL, &g);
	if (rc == GLOB_NOMATCH) {
		struct walk none = { .error = ENOENT };
		tell(o, pattern, WALK_MISSING, &none);
	}
	if (rc != 0)
		return;
	forget(o, pattern);
	for (size_t i = 0; i < g.gl_pathc && i < MATCHES_MAX; i++)
		if (!is_rotated_match(&g, i))
			open_current(o, g.gl_pathv[i]);
	globfree(&g);
}

static void open_all(struct opener *o)
{
	o->pass++;
	for (size_t i = 0; i < o->path_count; i++) {
		if (is_pattern(o->paths[i]))
			open_matches(o, o->paths[i]);
		else
			open_current(o, o->paths[i]);
	}
	drop_watches(o);
}

/* --- rotated files ---------------------------------------------------------
 */

static bool has_dots(const char *path)
{
	size_t len = strlen(path);

	return strstr(path, "/./") || strstr(path, "/../") ||
	       (len >= 2 && strcmp(path + len - 2, "/.") == 0) ||
	       (len >= 3 && strcmp(path + len - 3, "/..") == 0);
}

/* The reader may only ask for what the configuration names. */
static bool is_ours(const struct opener *o, const char *path)
{
	for (size_t i = 0; i < o->path_count; i++) {
		const char *pattern = o->paths[i];
		if (strcmp(pattern, path) == 0)
			return true;
		if (is_pattern(pattern) && !has_dots(path) &&
		    fnmatch(pattern, path, FNM_PATHNAME | FNM_PERIOD) == 0)
			return true;
	}
	return false;
}

/* dir_path is for messages, and so that the reader can tell mail.log.1.gz from
 * mail.log.1. */
static void give_beside(struct opener *o, int dir, const char *dir_path,
    const char *base, bool dated)
{
	struct beside list[OPENER_SIBLINGS_MAX];
	size_t n = beside_list(dir, base, dated, list, COUNT_OF(list));
	char path[SOURCE_KEY_MAX];

	for (size_t i = 0; i < n && o->given_count < OPENER_SIBLINGS_MAX; i++) {
		struct walk w = { .fd = -1, .dir = -1 };
		int len = snprintf(
		    path, sizeof(path), "%s/%s", dir_path, list[i].name);
		if (len < 0 || (size_t)len >= sizeof(path) ||
		    walk_open_in(&w, dir, list[i].name, &o->owners) !=
			WALK_FILE)
			continue;
		if (!is_given(o, &w.st))
			give(o, &w, path);
		walk_close(&w);
	}
}

static void open_siblings(struct opener *o, const char *path)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *dir_path = xstrndup(path, (size_t)(slash - path));
	struct walk target, beside;

	if (walk_open(&target, path, &o->owners, no_watch, NULL) == WALK_FILE)
		/* The current file itself is none of them. */
		o->given[o->given_count++] =
		    (struct inode){ target.st.st_dev, target.st.st_ino };
	/* Logs are rotated where the link is, or where the file is. */
	if (walk_open_dir(&beside, slash == path ? "/" : dir_path, &o->owners,
		no_watch, NULL) == WALK_FILE)
		give_beside(o, beside.fd, dir_path, slash + 1, false);
	if (target.linked && target.dir >= 0 && target.name[0])
		give_beside(o, target.dir, dir_path, target.name, true);
	walk_close(&beside);
	walk_close(&target);
}

int opener_run(void *opener, enum source_open what, const char *path,
    source_file_fn *fn, void *fn_ctx)
{
	struct opener *o = opener;

	o->fn = fn;
	o->fn_ctx = fn_ctx;
	o->given_count = o->answered = 0;
	if (what == OPEN_CURRENT) {
		open_all(o);
	} else if (path && path[0] == '/' && is_ours(o, path)) {
		open_siblings(o, path);
	}
	return (int)o->answered;
}
