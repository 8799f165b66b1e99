/* SPDX-License-Identifier: ISC */
/*
 * in_place - one database file that others keep open.
 *
 * A snapshot is written in one step, and so is each slice of changes. The roll
 * holds what the ledger told, and after each start all of it is told again: so
 * a slice is done as soon as it is on the roll. When the file could not be
 * written, all of it is written anew once that works.
 *
 * Readers lock the whole file, some by fcntl() and some by flock(): we hold
 * both, and wait for neither without end.
 */
#include "in_place.h"

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

#include "base/log.h"
#include "base/mem.h"
#include "target.h"

enum {
	RETRY_MS = 1000,
	LOCK_TRIES = 500,
	LOCK_STEP_NS = 2000000,
	AGAIN_MAX = 40, /* a map that doubles: more than any address space */
	HOST_BITS = 128,
	MODE_NEW = 0644,
	MS_PER_SECOND = 1000,
	NUMBER_SIZE = 24,
	ROWS_A_BEAT = 4096 /* some 10 ms */
};

struct in_place {
	struct export_env env;
	struct in_place_kind kind;
	const char *path, *user, *value;
	struct roll *roll;
	uv_timer_t again;
	bool timing;
	int fd; /* for the locks; -1: not open */
	bool kind_is_open;
	bool complete; /* the snapshot is */
	bool anew;     /* the file may hold anything */
	bool failing;  /* and the log knows */
};

void in_place_needs(const struct conf_section *conf, struct export_needs *out)
{
	static char directory[PATH_MAX];

	target_parent(conf_string(conf, "path"), directory, sizeof(directory));
	out->write[0] = directory;
	out->account = conf_string(conf, "user");
}

/* --- the file --------------------------------------------------------------
 */

/* Root makes it for the account, which need not have a right to make files in
 * the directory; Postfix and Sendmail want one that is there. */
static int make_file(const struct in_place *p, struct err *err)
{
	AUTO_FREE char *parent = xmalloc(strlen(p->path) + 2);
	AUTO_CLOSE int directory = -1;
	AUTO_CLOSE int fd = -1;
	const struct passwd *pw;

	target_parent(p->path, parent, strlen(p->path) + 2);
	directory = target_directory_of_others(parent, err);
	if (directory < 0)
		return -1;
	fd = open(p->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    MODE_NEW);
	if (fd < 0)
		return errno == EEXIST
			   ? 0
			   : err_errno(err, EXIT_USER, errno, "%s", p->path);
	pw = geteuid() == 0 ? getpwnam(p->user) : NULL;
	if (pw && fchown(fd, pw->pw_uid, pw->pw_gid) < 0)
		return err_errno(err, EXIT_AGAIN, errno, "%s", p->path);
	return fchmod(fd, MODE_NEW);
}

int in_place_look(const struct conf_section *conf, struct err *err)
{
	const char *path = conf_string(conf, "path");
	char parent[PATH_MAX];
	AUTO_CLOSE int directory = -1;

	target_parent(path, parent, sizeof(parent));
	directory = target_directory_of_others(parent, err);
	return directory < 0 ? -1 : target_look(path, directory, err);
}

static void close_file(struct in_place *p)
{
	if (p->kind_is_open)
		p->kind.close(p->kind.ctx);
	p->kind_is_open = false;
	if (p->fd >= 0)
		(void)close(p->fd);
	p->fd = -1;
}

/* Opens it, and again when somebody has put another one in its place. */
static int look_at_file(struct in_place *p, struct err *err)
{
	struct stat there, ours;

	if (p->fd >= 0 && fstat(p->fd, &ours) == 0 &&
	    lstat(p->path, &there) == 0 && there.st_dev == ours.st_dev &&
	    there.st_ino == ours.st_ino)
		return 0;
	close_file(p);
	p->anew = true;
	p->fd =
	    open(p->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, MODE_NEW);
	if (p->fd < 0)
		return err_errno(err, EXIT_USER, errno,
		    "%s: the account %s has to be its owner", p->path, p->user);
	if (fstat(p->fd, &ours) < 0 || !S_ISREG(ours.st_mode))
		return err_set(
		    err, EXIT_USER, "%s is not a plain file", p->path);
	return 0;
}

static int lock_both(int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -1;
	if (fcntl(fd, F_SETLK, &whole) == 0)
		return 0;
	/* Who takes them in the other order must get on. */
	(void)flock(fd, LOCK_UN);
	return -1;
}

static void unlock(int fd)
{
	struct flock whole = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	(void)fcntl(fd, F_SETLK, &whole);
	(void)flock(fd, LOCK_UN);
}

static int lock(const struct in_place *p, struct err *err)
{
	const struct timespec step = { .tv_nsec = LOCK_STEP_NS };

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (lock_both(p->fd) == 0)
			return 0;
		(void)nanosleep(&step, NULL);
	}
	return err_set(
	    err, EXIT_AGAIN, "%s: another program keeps it locked", p->path);
}

/* --- writing ---------------------------------------------------------------
 */

static int put(struct in_place *p, const struct addr *addr, bool leased,
    int64_t end, int64_t login, struct err *err)
{
	char number[NUMBER_SIZE];
	const char *value = p->value;
	bool is_end = strcmp(value, "%e") == 0;

	if (is_end || strcmp(value, "%t") == 0) {
		(void)snprintf(number, sizeof(number), "%lld",
		    (long long)(is_end ? end : login) / MS_PER_SECOND);
		value = number;
	}
	return p->kind.put(p->kind.ctx, addr, leased ? value : NULL, err);
}

/* Of networks nothing is written: readers look whole addresses up. */
static int put_roll(struct in_place *p, struct err *err)
{
	int rc = IN_PLACE_DONE;

	for (size_t i = 0; !rc && i < roll_count(p->roll); i++) {
		const struct roll_row *row = roll_at(p->roll, i);

		if (i % ROWS_A_BEAT == 0)
			p->env.alive(p->env.ctx);
		if (row->bits == HOST_BITS)
			rc =
			    put(p, &row->addr, true, row->end, row->login, err);
	}
	return rc;
}

static int put_slice(
    struct in_place *p, const struct export_slice *slice, struct err *err)
{
	int rc = IN_PLACE_DONE;

	for (size_t i = 0; !rc && i < slice->count; i++) {
		const struct export_change *c = &slice->changes[i];

		if (c->lease.bits == HOST_BITS)
			rc = put(p, &c->lease.addr, c->leased,
			    c->lease.end.wall, c->lease.last_login, err);
	}
	return rc;
}

/* All of the roll when the file may hold anything, else the slice. */
static int write_once(
    struct in_place *p, const struct export_slice *slice, struct err *err)
{
	size_t rows = p->anew ? roll_count(p->roll) : slice->count;
	int rc = p->kind.begin(p->kind.ctx, p->anew, rows, err);

	if (rc)
		return rc;
	rc = p->anew ? put_roll(p, err) : put_slice(p, slice, err);
	if (!rc)
		rc = p->kind.commit(p->kind.ctx, err);
	if (rc)
		p->kind.abort(p->kind.ctx);
	return rc;
}

static int write_locked(
    struct in_place *p, const struct export_slice *slice, struct err *err)
{
	int rc = IN_PLACE_AGAIN;

	if (!p->kind_is_open &&
	    p->kind.open(p->kind.ctx, p->path, p->fd, err) < 0)
		return -1;
	p->kind_is_open = true;
	for (int i = 0; i < AGAIN_MAX && rc == IN_PLACE_AGAIN; i++)
		rc = write_once(p, slice, err);
	if (rc == IN_PLACE_AGAIN)
		return err_set(err, EXIT_AGAIN, "%s: it is too large", p->path);
	return rc;
}

static int write_file(
    struct in_place *p, const struct export_slice *slice, struct err *err)
{
	int rc;

	if (look_at_file(p, err) < 0 || lock(p, err) < 0)
		return -1;
	rc = write_locked(p, slice, err);
	unlock(p->fd);
	return rc;
}

static void on_again(uv_timer_t *timer);

static void bring(struct in_place *p, const struct export_slice *slice)
{
	struct err err = { 0 };

	if (write_file(p, slice, &err) == 0) {
		if (p->failing)
			log_info(LOG_EXPORT_STATE, "export=%s state=good",
			    p->env.name);
		p->anew = p->failing = false;
		return;
	}
	if (!p->failing)
		log_error(LOG_EXPORT_ERROR,
		    "export=%s error=\"%s\" next=\"tries again\"", p->env.name,
		    err.text);
	p->anew = p->failing = true;
	close_file(p);
	(void)uv_timer_start(&p->again, on_again, RETRY_MS, 0);
}

static void on_again(uv_timer_t *timer)
{
	struct in_place *p = timer->data;

	if (p->anew)
		bring(p, NULL);
}

/* --- what the kinds call ---------------------------------------------------
 */

static void release(struct in_place *p)
{
	close_file(p);
	roll_free(&p->roll);
	free(p);
}

struct in_place *in_place_open(const struct export_env *env,
    const struct conf_section *conf, const struct in_place_kind *kind,
    struct err *err)
{
	struct in_place *p = xcalloc(1, sizeof(*p));

	p->env = *env;
	p->kind = *kind;
	p->path = conf_string(conf, "path");
	p->user = conf_string(conf, "user");
	p->value = conf_string(conf, "value");
	p->fd = -1;
	p->anew = true;
	p->roll = roll_new(false);
	if (make_file(p, err) == 0)
		return p;
	release(p);
	return NULL;
}

void in_place_start(struct in_place *p, uv_loop_t *loop)
{
	must(uv_timer_init(loop, &p->again) == 0);
	p->again.data = p;
	p->timing = true;
}

void in_place_apply(struct in_place *p, const struct export_slice *slice)
{
	(void)roll_apply(p->roll, slice);
	if (slice->snapshot && slice->last)
		p->complete = p->anew = true;
	/* A file that failed is written by its timer. */
	if (slice->snapshot ? slice->last && !p->failing
			    : p->complete && !p->anew)
		bring(p, slice);
	p->env.done(p->env.ctx, true);
}

static void on_closed(uv_handle_t *handle)
{
	release(handle->data);
}

void in_place_close(struct in_place **pp)
{
	struct in_place *p = *pp;
	uv_loop_t *loop;

	*pp = NULL;
	if (!p)
		return;
	if (!p->timing) {
		release(p);
		return;
	}
	loop = p->again.loop;
	uv_close((uv_handle_t *)&p->again, on_closed);
	(void)uv_run(loop, UV_RUN_NOWAIT);
}
