/* SPDX-License-Identifier: ISC */
/*
 * rpc_dracd - rpc.dracd, the name and the options of the DRAC server: writes a
 * configuration with one source of kind drac, and starts relaypassd with it.
 * Exit codes are those of the old server: 0 when it runs in the background, 2
 * for wrong options, 3 when the store cannot be opened, 1 for all else.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "daemon/schema.h"

#define CONFIG     "/run/rpc.dracd.conf"
#define ALLOW_FILE "/etc/drac/dracd.allow"
#define SPOOL      "/var/spool/postfix"
/* The old server took any port and told rpcbind; a firewall likes one better.
 */
#define PORT "10901"

enum dracd_exit {
	DRACD_GOOD = 0,
	DRACD_FAILED = 1,
	DRACD_USAGE = 2,
	DRACD_STORE = 3
};

enum { MINUTES = 30, MINUTES_MAX = 365 * 24 * 60, CONFIG_SIZE = 1024 };

struct dracd {
	bool empty; /* -i */
	long minutes;
	const char *db; /* NULL: not given */
};

static int fail(enum dracd_exit code, const char *what)
{
	(void)fprintf(stderr, "rpc.dracd: %s: %s\n", what, strerror(errno));
	return code;
}

/* --- options ---------------------------------------------------------------
 */

static bool read_minutes(const char *text, long *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtol(text, &end, 10);
	return !errno && !*end && *out > 0 && *out <= MINUTES_MAX;
}

static int read_options(struct dracd *d, int argc, char **argv)
{
	bool good = true;
	int option;

	while (good && (option = getopt(argc, argv, "ie:")) != -1) {
		if (option == 'i')
			d->empty = true;
		else
			good =
			    option == 'e' && read_minutes(optarg, &d->minutes);
	}
	if (good && optind < argc)
		d->db = argv[optind++];
	if (good && optind == argc)
		return DRACD_GOOD;
	(void)fputs("usage: rpc.dracd [-i] [-e minutes] [dbfile]\n", stderr);
	return DRACD_USAGE;
}

/* Whoever looked into the map must know that nobody writes it. */
static void tell_no_db(const struct dracd *d, const char *ledger)
{
	const char *db = d->db ? d->db : "dracd.db";

	(void)fprintf(stderr,
	    "rpc.dracd: %s is not written: leases are kept in %s, and mail "
	    "servers ask for them; see rpc.dracd(8)\n",
	    db, ledger);
	openlog("rpc.dracd", LOG_PID, LOG_MAIL);
	syslog(LOG_WARNING,
	    "%s is not written: mail servers have to ask; see "
	    "rpc.dracd(8)",
	    db);
}

/* --- configuration ----------------------------------------------------------
 */

static bool has_postfix(void)
{
	return getgrnam("postfix") && access(SPOOL, F_OK) == 0;
}

static int print_config(const struct dracd *d, char *out, size_t size)
{
	return snprintf(out, size,
	    "# Made by rpc.dracd at each start: changes are lost.\n"
	    "lease { ttl = \"%ldm\" }\n"
	    "source drac {\n"
	    "\tkind = \"drac\"\n"
	    "\tlisten = { \"udp:0.0.0.0:" PORT "\", \"tcp:0.0.0.0:" PORT
	    "\" }\n"
	    "\tallow-file = \"" ALLOW_FILE "\"\n"
	    "\trpcbind = yes\n"
	    "}\n"
	    "listener ask { kind = \"ask\" }\n"
	    "%s",
	    d->minutes,
	    has_postfix() ? "listener postfix { kind = \"postfix-policy\" }\n"
			  : "");
}

static int write_config(const struct dracd *d)
{
	char text[CONFIG_SIZE];
	int len = print_config(d, text, sizeof(text));
	AUTO_CLOSE int fd = -1;

	must(len > 0 && (size_t)len < sizeof(text));
	if (unlink(CONFIG) < 0 && errno != ENOENT)
		return fail(DRACD_FAILED, CONFIG);
	fd = open(
	    CONFIG, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || write(fd, text, (size_t)len) != len)
		return fail(DRACD_FAILED, CONFIG);
	return DRACD_GOOD;
}

/* Where the generated configuration leaves the ledger, borrowed from *conf. */
static const char *ledger_of(struct conf **conf)
{
	*conf = conf_default(schema());
	return conf_string(conf_at(*conf, "relaypass", 0), "directory");
}

/* --- starting ---------------------------------------------------------------
 */

/* -i: the leases are forgotten, unless somebody holds them. */
static int empty_ledger(const char *directory)
{
	static const char *const files[] = { "data.mdb", "lock.mdb" };
	AUTO_CLOSE int dir =
	    open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	AUTO_CLOSE int lock = -1;

	if (dir < 0)
		return errno == ENOENT ? DRACD_GOOD
				       : fail(DRACD_STORE, directory);
	lock = openat(dir, "ledger.lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (lock < 0 && errno == ENOENT)
		return DRACD_GOOD;
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
		return fail(DRACD_STORE, directory);
	for (size_t i = 0; i < COUNT_OF(files); i++)
		if (unlinkat(dir, files[i], 0) < 0 && errno != ENOENT)
			return fail(DRACD_STORE, directory);
	return DRACD_GOOD;
}

/* The relaypassd that was installed beside us. */
static bool beside(char *out, size_t size)
{
	static const char name[] = "relaypassd";
	ssize_t len = readlink("/proc/self/exe", out, size - 1);

	if (len <= 0)
		return false;
	out[len] = '\0';
	char *slash = strrchr(out, '/');
	if (!slash || (size_t)(slash + 1 - out) + sizeof(name) > size)
		return false;
	memcpy(slash + 1, name, sizeof(name));
	return true;
}

static enum dracd_exit code_of(int status)
{
	if (!WIFEXITED(status))
		return DRACD_FAILED;
	switch (WEXITSTATUS(status)) {
	case EXIT_YES:
		return DRACD_GOOD;
	case EXIT_AGAIN: /* the ledger, or its lock */
		return DRACD_STORE;
	default:
		return DRACD_FAILED;
	}
}

/* It leaves the terminal itself, and ends when it runs or has failed. */
static int start(void)
{
	char program[PATH_MAX];
	int status = 0;
	pid_t pid;

	if (!beside(program, sizeof(program)))
		return fail(DRACD_FAILED, "relaypassd");
	pid = fork();
	if (pid < 0)
		return fail(DRACD_FAILED, "fork");
	if (pid == 0) {
		(void)execl(program, program, "-c", CONFIG, (char *)NULL);
		_exit(fail(DRACD_FAILED, program));
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail(DRACD_FAILED, "waitpid");
	return code_of(status);
}

int main(int argc, char **argv)
{
	struct dracd d = { .minutes = MINUTES };
	int code = read_options(&d, argc, argv);
	struct conf *conf = NULL;

	if (code != DRACD_GOOD)
		return code;
	const char *ledger = ledger_of(&conf);
	tell_no_db(&d, ledger);
	/* The daemon's own words go to syslog. */
	if (access(ALLOW_FILE, R_OK) < 0)
		code = fail(DRACD_FAILED,
		    ALLOW_FILE " must name the hosts that may add addresses");
	if (code == DRACD_GOOD)
		code = write_config(&d);
	if (code == DRACD_GOOD && d.empty)
		code = empty_ledger(ledger);
	if (code == DRACD_GOOD)
		code = start();
	conf_free(&conf);
	return code;
}
