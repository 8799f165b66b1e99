/* SPDX-License-Identifier: ISC */
/*
 * dropin_db - a predecessor's database file, given to the account that writes.
 */
#include "dropin_db.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "export/export.h"

#define ACCOUNT "relaypass-out"

/* In the first page of each file, in the byte order of who made it. */
enum { MAGIC_AT = 12, MAGIC_HASH = 0x061561, MAGIC_BTREE = 0x053162 };

static const char *const kinds[] = { "berkeley-hash", "berkeley-btree" };

static int refuse(const struct dropin *d, const char *path, const char *why)
{
	(void)fprintf(stderr, "%s: %s: %s\n", d->name, path, why);
	return d->store;
}

static bool is_magic(uint32_t magic, uint32_t wanted)
{
	return magic == wanted || magic == __builtin_bswap32(wanted);
}

/* 0: it is empty, or *btree says which; else errno. */
static int read_type(int fd, bool *btree)
{
	uint32_t magic = 0;
	ssize_t n = pread(fd, &magic, sizeof(magic), MAGIC_AT);

	if (n < 0)
		return errno;
	if (n == 0 && lseek(fd, 0, SEEK_END) == 0)
		return 0;
	if (n != sizeof(magic) ||
	    !(is_magic(magic, MAGIC_HASH) || is_magic(magic, MAGIC_BTREE)))
		return EINVAL;
	*btree = is_magic(magic, MAGIC_BTREE);
	return 0;
}

/* Only what may be given away: one name, in no other's hands yet. */
static int give(const struct dropin *d, const char *path, int fd)
{
	const struct passwd *pw = geteuid() == 0 ? getpwnam(ACCOUNT) : NULL;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return refuse(d, path, strerror(errno));
	/* Without the account relaypassd does not start, and tells. */
	if (!pw || st.st_uid == pw->pw_uid)
		return 0;
	if (st.st_uid != 0 || st.st_nlink != 1)
		return refuse(d, path,
		    "it is neither root's nor " ACCOUNT
		    "'s, or has a second name; give it to " ACCOUNT);
	/* Its readers may be readers by its group. */
	if (fchown(fd, pw->pw_uid, (gid_t)-1) < 0 ||
	    fchmod(fd, (st.st_mode & 07777) | S_IRUSR | S_IWUSR) < 0)
		return refuse(d, path, strerror(errno));
	dropin_tell(d, "%s now belongs to " ACCOUNT ", who writes it", path);
	return 0;
}

/* The export makes a file, but no directory. */
static bool has_directory(const char *path)
{
	AUTO_FREE char *parent = xstrdup(path);

	*strrchr(parent, '/') = '\0';
	bool there = access(*parent ? parent : "/", F_OK) == 0;
	errno = ENOENT;
	return there;
}

int dropin_db(
    const struct dropin *d, const char *path, bool btree, const char **kind_r)
{
	AUTO_CLOSE int fd = -1;
	struct stat st;
	int wrong;

	*kind_r = NULL;
	if (!export_kind_find(kinds[0])) {
		dropin_tell(d,
		    "%s is not written: this relaypass was built without "
		    "Berkeley DB; mail servers have to ask",
		    path);
		return 0;
	}
	*kind_r = kinds[btree];
	if (path[0] != '/')
		return refuse(d, path, "its name must begin with /");
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && has_directory(path))
		return 0;
	if (fd < 0)
		return refuse(d, path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return refuse(d, path, "it is no plain file");
	wrong = read_type(fd, &btree);
	if (wrong)
		return refuse(d, path,
		    wrong == EINVAL
			? "it is no Berkeley DB file; move it away, or name "
			  "another one"
			: strerror(wrong));
	*kind_r = kinds[btree];
	return give(d, path, fd);
}
