/* SPDX-License-Identifier: ISC */
/*
 * import_db - records of a Berkeley DB file. Called by: import_store.c.
 *
 * The library trusts its files: a page that was half written, or made by
 * somebody, can make it crash or never end. So a child of ours looks at a copy,
 * which has no name and nobody else can change; the library verifies it first;
 * the records come back through a pipe, and count only when the child has ended
 * well.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "import.h"

enum {
	MAGIC_AT = 12,
	MAGIC_HASH = 0x061561,
	MAGIC_BTREE = 0x053162,
	MAGIC_AT_OLD = 0 /* of Berkeley DB 1.85 */
};

static bool is_magic(const char *bytes)
{
	uint32_t magic;

	memcpy(&magic, bytes, sizeof(magic));
	return magic == MAGIC_HASH || magic == MAGIC_BTREE ||
	       magic == __builtin_bswap32(MAGIC_HASH) ||
	       magic == __builtin_bswap32(MAGIC_BTREE);
}

bool import_is_db(const char *bytes, size_t len)
{
	return len >= MAGIC_AT + sizeof(uint32_t) &&
	       (is_magic(bytes + MAGIC_AT) || is_magic(bytes + MAGIC_AT_OLD));
}

#ifdef RELAYPASS_BERKELEY
#include <db.h>

enum {
	SECONDS_MAX = 60,     /* of work for 64 MB */
	MEMORY_MAX = 1 << 30, /* our own and the library's */
	CACHE_BYTES = 16 << 20,
	KEY_MAX = 255,
	VALUE_MAX = 1024,
	FD_PATH_SIZE = 32,
	/* How the child ends. */
	CHILD_GOOD = 0,
	CHILD_DAMAGED = 1,
	CHILD_OLD = 2,
	CHILD_OTHER = 3
};

/* --- the child -------------------------------------------------------------
 */

/* What stands before a record in the pipe; a key that is too long comes cut. */
struct head {
	uint32_t key_len, value_len;
	bool too_long;
};

static void no_text(const DB_ENV *env, const char *prefix, const char *text)
{
	(void)env;
	(void)prefix;
	(void)text;
}

static void no_message(const DB_ENV *env, const char *text)
{
	(void)env;
	(void)text;
}

static DB *make_handle(void)
{
	DB *db;

	if (db_create(&db, NULL, 0) != 0)
		return NULL;
	db->set_errcall(db, no_text);
	db->set_msgcall(db, no_message);
	(void)db->set_cachesize(db, 0, CACHE_BYTES, 1);
	return db;
}

static int put_record(FILE *out, const DBT *key, const DBT *value)
{
	struct head h = { .key_len = key->size, .value_len = value->size };

	h.too_long = key->size > KEY_MAX || value->size > VALUE_MAX;
	if (h.key_len > KEY_MAX)
		h.key_len = KEY_MAX;
	if (h.value_len > VALUE_MAX)
		h.value_len = 0;
	if (fwrite(&h, sizeof(h), 1, out) == 1 &&
	    fwrite(key->data, 1, h.key_len, out) == h.key_len &&
	    fwrite(value->data, 1, h.value_len, out) == h.value_len)
		return 0;
	return -1;
}

static int child_reads(DB *db, FILE *out)
{
	DBT key = { 0 }, value = { 0 };
	DBC *cursor;
	int rc, count = 0;

	if (db->cursor(db, NULL, &cursor, 0) != 0)
		return CHILD_DAMAGED;
	while ((rc = cursor->get(cursor, &key, &value, DB_NEXT)) == 0)
		if (++count > IMPORT_ROWS_MAX ||
		    put_record(out, &key, &value) < 0)
			return CHILD_OTHER;
	if (rc != DB_NOTFOUND)
		return CHILD_DAMAGED;
	return fflush(out) == 0 ? CHILD_GOOD : CHILD_OTHER;
}

static int child_opens(const char *path, FILE *out)
{
	DB *db = make_handle();
	int rc = db ? db->open(db, NULL, path, NULL, DB_UNKNOWN, DB_RDONLY, 0)
		    : ENOMEM;

	if (rc == DB_OLD_VERSION)
		return CHILD_OLD;
	if (rc != 0)
		return CHILD_DAMAGED;
	(void)db->close(db, 0);
	db = make_handle();
	/* It lets go of the handle, whatever it says. */
	if (!db || db->verify(db, path, NULL, NULL, 0) != 0)
		return CHILD_DAMAGED;
	db = make_handle();
	if (!db ||
	    db->open(db, NULL, path, NULL, DB_UNKNOWN, DB_RDONLY, 0) != 0)
		return CHILD_DAMAGED;
	return child_reads(db, out);
}

/* The library prints what it finds strange, a stranger's bytes, and whatever it
 * can be made to do, it shall not do as root: nobody's rights are enough for
 * the copy. Where the machine does not let us, the rest must do. */
static bool shut_in(void)
{
	enum { NOBODY = 65534 };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		return false;
	if (geteuid() == 0 &&
	    (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
		setresuid(NOBODY, NOBODY, NOBODY) < 0))
		errno = 0;
	return true;
}

_Noreturn static void be_child(int image, int pipe_fd)
{
	const struct rlimit work = { SECONDS_MAX, SECONDS_MAX };
	const struct rlimit memory = { MEMORY_MAX, MEMORY_MAX };
	const struct rlimit none = { 0, 0 };
	char path[FD_PATH_SIZE];
	FILE *out = fdopen(pipe_fd, "w");

	/* Its crash is expected, and no news. */
	(void)setrlimit(RLIMIT_CPU, &work);
	(void)setrlimit(RLIMIT_CORE, &none);
#ifndef RELAYPASS_SANITIZE
	(void)setrlimit(RLIMIT_DATA, &memory);
#else
	(void)memory; /* theirs is more than any */
#endif
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", image);
	_exit(out && shut_in() ? child_opens(path, out) : CHILD_OTHER);
}

/* --- the parent ------------------------------------------------------------
 */

/* A file of these bytes that nobody else knows. */
static int make_image(const char *bytes, size_t len, struct err *err)
{
	AUTO_CLOSE int fd = memfd_create("import", MFD_CLOEXEC);

	if (fd < 0)
		return err_errno(err, EXIT_AGAIN, errno, "memory");
	while (len) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno != EINTR)
			return err_errno(err, EXIT_AGAIN, errno, "memory");
		bytes += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return take_fd(&fd);
}

/* False: the pipe has ended, or what comes is no record. */
static bool take_record(
    const struct import_kind *kind, FILE *in, const struct import_sink *sink)
{
	char key[KEY_MAX], value[VALUE_MAX];
	struct import_row row = { 0 };
	const char *why = IMPORT_LONG;
	struct head h;

	if (fread(&h, sizeof(h), 1, in) != 1 || h.key_len > sizeof(key) ||
	    h.value_len > sizeof(value) ||
	    fread(key, 1, h.key_len, in) != h.key_len ||
	    fread(value, 1, h.value_len, in) != h.value_len)
		return false;
	if (!h.too_long) {
		why = NULL;
		if (kind->record(
			key, h.key_len, value, h.value_len, &row, &why)) {
			sink->row(sink->ctx, &row);
			return true;
		}
	}
	if (why)
		sink->refuse(
		    sink->ctx, key, import_without_nul(key, h.key_len), why);
	return true;
}

static int tell_end(const struct import_store *s, pid_t pid, struct err *err)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_GOOD)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_OTHER)
		return err_set(err, EXIT_AGAIN,
		    "%s cannot be read: too many records, or no memory",
		    s->path);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_OLD)
		return err_set(err, EXIT_USER,
		    "%s was written by an older Berkeley DB: db5.3_upgrade "
		    "makes a copy readable",
		    s->path);
	return err_set(err, EXIT_AGAIN,
	    "%s is damaged, or was read while somebody wrote it: try again, "
	    "or stop its program first",
	    s->path);
}

int import_records(const struct import_store *s, const struct import_sink *sink,
    struct err *err)
{
	AUTO_CLOSE int fd = -1;
	int ends[2];
	FILE *in;
	pid_t pid;

	if (!import_is_db(s->bytes, s->len))
		return err_set(err, EXIT_USER, "%s is no Berkeley DB file%s",
		    s->path, s->len ? "" : ": it is empty");
	fd = make_image(s->bytes, s->len, err);
	if (fd < 0)
		return -1;
	if (pipe(ends) < 0)
		return err_errno(err, EXIT_AGAIN, errno, "pipe");
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		be_child(fd, ends[1]);
	}
	(void)close(ends[1]);
	in = pid > 0 ? fdopen(ends[0], "r") : NULL;
	if (!in) {
		int saved = errno;
		(void)close(ends[0]);
		return err_errno(err, EXIT_AGAIN, saved, "fork");
	}
	while (take_record(s->kind, in, sink))
		;
	(void)fclose(in);
	return tell_end(s, pid, err);
}
#else
int import_records(const struct import_store *s, const struct import_sink *sink,
    struct err *err)
{
	(void)sink;
	return err_set(err, EXIT_USER,
	    "%s: this relaypass was built without Berkeley DB (the build "
	    "option \"berkeley\", libdb-dev)",
	    s->path);
}
#endif
