/* SPDX-License-Identifier: ISC */
/*
 * guard - the ledger's directory: whose it is, who writes, and whether what
 * lies in it is still to be trusted. Called by env.c. Owns ledger.lock, whose
 * lock is the writer's, and whose page tells every process of damage. Not here:
 * what is inside data.mdb (aside.c, LMDB).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/owned.h"
#include "ledger_private.h"

static const char lock_name[] = "ledger.lock";
static const char magic[16] = "relaypass guard";

/* --- the directory -------------------------------------------------------- */

static int check_owner(const struct ledger_options *o, const struct stat *st,
    const char *path, struct err *err)
{
	uid_t owner = o->owner ? o->owner : geteuid();
	char is[OWNED_NAME_SIZE], must_be[OWNED_NAME_SIZE];

	if (st->st_uid != owner)
		return err_set(err, EXIT_USER,
		    "%s belongs to user %s; run: chown %s %s", path,
		    owned_name(st->st_uid, is), owned_name(owner, must_be),
		    path);
	if (st->st_mode & (S_IRWXG | S_IRWXO))
		return err_set(err, EXIT_USER,
		    "%s is open to others (mode %04o); run: chmod go= %s", path,
		    (unsigned)(st->st_mode & 07777), path);
	return 0;
}

/* LMDB needs locks and a shared map that mean the same to every process. */
static int check_filesystem(int fd, const char *path, struct err *err)
{
	static const unsigned long remote[] = { NFS_SUPER_MAGIC,
		SMB_SUPER_MAGIC, 0xff534d42UL /* cifs */,
		0xfe534d42UL /* smb2 */, AFS_SUPER_MAGIC, CODA_SUPER_MAGIC,
		V9FS_MAGIC };
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return err_errno(err, EXIT_AGAIN, errno, "%s", path);
	for (size_t i = 0; i < sizeof remote / sizeof remote[0]; i++)
		if ((unsigned long)fs.f_type == remote[i])
			return err_set(err, EXIT_USER,
			    "%s is on a network file system; the ledger "
			    "needs a directory on a local disk",
			    path);
	return 0;
}

static int open_directory(const struct ledger_options *o, struct err *err)
{
	const char *path = o->directory;
	struct stat st;
	int fd;

	if (o->writer && mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_errno(err, EXIT_USER, errno,
		    "cannot make the ledger's directory %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, o->writer ? EXIT_USER : EXIT_AGAIN, errno,
		    "cannot open the ledger's directory %s", path);
	if (fstat(fd, &st) < 0) {
		err_errno(err, EXIT_AGAIN, errno, "%s", path);
	} else if (check_owner(o, &st, path, err) == 0 &&
		   check_filesystem(fd, path, err) == 0) {
		return fd;
	}
	close(fd);
	return -1;
}

static int check_file(int directory, const struct ledger_options *o,
    const char *name, struct err *err)
{
	const char *path = o->directory;
	char full[4096 + 32];
	struct stat st;

	(void)snprintf(full, sizeof full, "%s/%s", path, name);
	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_errno(err, EXIT_USER, errno, "%s", full);
	}
	if (!S_ISREG(st.st_mode))
		return err_set(err, EXIT_USER,
		    "%s is not a regular file; look who made it, and run: "
		    "rm %s",
		    full, full);
	if (st.st_nlink != 1)
		return err_set(err, EXIT_USER,
		    "%s has %u hard links; look who made them, and remove "
		    "them",
		    full, (unsigned)st.st_nlink);
	return check_owner(o, &st, full, err);
}

/*
 * LMDB makes its lock file with ftruncate(2) and writes to it through a map: on
 * a full disk that is a SIGBUS. With its blocks there before, it is a message.
 * 16 KiB hold about 250 readers.
 */
static int make_lock_file(int directory, const char *path, struct err *err)
{
	static const char zeros[16384];
	AUTO_CLOSE int fd = openat(directory, "lock.mdb",
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		return 0;
	if (fd >= 0 && write(fd, zeros, sizeof zeros) == sizeof zeros)
		return 0;
	if (fd >= 0)
		(void)unlinkat(directory, "lock.mdb", 0);
	return err_errno(err, EXIT_AGAIN, errno ? errno : ENOSPC,
	    "cannot make %s/lock.mdb", path);
}

int guard_check_files(
    const struct guard *g, const struct ledger_options *o, struct err *err)
{
	if (check_file(g->directory, o, "data.mdb", err) < 0 ||
	    check_file(g->directory, o, "lock.mdb", err) < 0)
		return -1;
	return o->writer ? make_lock_file(g->directory, o->directory, err) : 0;
}

/* --- the page ------------------------------------------------------------- */

static int lock_writer(struct guard *g, const char *path, struct err *err)
{
	struct guard_page page;

	if (flock(g->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return err_errno(err, EXIT_AGAIN, errno, "cannot lock %s/%s",
		    path, lock_name);
	if (pread(g->fd, &page, sizeof page, 0) != (ssize_t)sizeof page)
		page.pid = 0;
	return err_set(err, EXIT_AGAIN,
	    "another relaypassd (pid %u) writes the ledger in %s",
	    (unsigned)page.pid, path);
}

static int map_page(
    struct guard *g, const struct ledger_options *o, struct err *err)
{
	static const struct guard_page empty;
	struct stat st;
	void *page;

	/* Written, not only made longer: a hole faults on a full disk. */
	if (fstat(g->fd, &st) < 0 ||
	    (st.st_size < (off_t)sizeof empty &&
		pwrite(g->fd, &empty, sizeof empty, 0) != sizeof empty))
		return err_errno(
		    err, EXIT_AGAIN, errno, "%s/%s", o->directory, lock_name);
	page = mmap(NULL, sizeof *g->page, PROT_READ | PROT_WRITE, MAP_SHARED,
	    g->fd, 0);
	if (page == MAP_FAILED)
		return err_errno(err, EXIT_AGAIN, errno, "cannot map %s/%s",
		    o->directory, lock_name);
	g->page = page;
	if (o->writer) {
		memcpy(g->page->magic, magic, sizeof magic);
		g->page->pid = (uint32_t)getpid();
	}
	g->generation = g->page->generation;
	return 0;
}

int guard_open(struct guard *g, const struct ledger_options *o, struct err *err)
{
	memset(g, 0, sizeof *g);
	g->writer = o->writer;
	g->fd = -1;
	g->directory = open_directory(o, err);
	if (g->directory < 0)
		return -1;
	if (check_file(g->directory, o, lock_name, err) < 0)
		goto fail;
	g->fd = openat(g->directory, lock_name,
	    O_RDWR | O_NOFOLLOW | O_CLOEXEC | (o->writer ? O_CREAT : 0), 0600);
	if (g->fd < 0) {
		err_errno(err, EXIT_AGAIN, errno, "cannot open %s/%s",
		    o->directory, lock_name);
		goto fail;
	}
	if (o->writer && lock_writer(g, o->directory, err) < 0)
		goto fail;
	if (map_page(g, o, err) < 0)
		goto fail;
	return 0;
fail:
	guard_close(g);
	return -1;
}

void guard_close(struct guard *g)
{
	if (g->page)
		munmap(g->page, sizeof *g->page);
	if (g->fd >= 0)
		close(g->fd);
	if (g->directory >= 0)
		close(g->directory);
	g->page = NULL;
	g->fd = g->directory = -1;
}

void guard_mark_damaged(struct guard *g)
{
	g->page->damaged = 1;
	/* After a power cut, too, the damaged file must not come back to
	 * honour. Readers may not sync; the writer meets the damage, too. */
	if (g->writer)
		(void)fdatasync(g->fd);
}

bool guard_is_damaged(const struct guard *g)
{
	return g->page->damaged != 0;
}

bool guard_is_stale(const struct guard *g)
{
	return g->page->generation != g->generation;
}

/* --- faults in the map ---------------------------------------------------- */

/*
 * A page that the disk will not give, a file that somebody cut, or a tree whose
 * pointers lead nowhere: LMDB then dies of a signal inside its map. The handler
 * only leaves the mark and puts the former handler back; the instruction is run
 * again and the process dies as it would have. The next writer sets the file
 * aside instead of dying of it again. The address tells nothing: LMDB does not
 * say where its map lies, and a wild page number leads out of it. So any fault
 * of the kernel's counts, even one that was a mistake of ours: the cost is an
 * empty ledger, that of an oversight a daemon that dies at each start.
 */
static struct {
	struct guard_page *page;
	const char *start;
	size_t size;
	struct sigaction bus, segv;
} watched;

static void on_fault(int number, siginfo_t *info, void *context)
{
	bool sent = info->si_code <= 0; /* by kill(2) */

	(void)context;
	if (watched.page && !sent)
		watched.page->damaged = 1;
	(void)sigaction(
	    number, number == SIGBUS ? &watched.bus : &watched.segv, NULL);
	if (sent)
		(void)raise(number);
}

void guard_watch(struct guard_page *page, const void *start, size_t size)
{
	struct sigaction sa;

	if (page && !watched.page) {
		memset(&sa, 0, sizeof sa);
		sa.sa_sigaction = on_fault;
		sa.sa_flags = SA_SIGINFO | SA_NODEFER;
		sigemptyset(&sa.sa_mask);
		(void)sigaction(SIGBUS, &sa, &watched.bus);
		(void)sigaction(SIGSEGV, &sa, &watched.segv);
	} else if (!page && watched.page) {
		(void)sigaction(SIGBUS, &watched.bus, NULL);
		(void)sigaction(SIGSEGV, &watched.segv, NULL);
	}
	watched.page = page;
	watched.start = start;
	watched.size = size;
}
