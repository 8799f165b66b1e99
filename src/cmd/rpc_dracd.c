/* SPDX-License-Identifier: ISC */
/*
 * rpc_dracd - rpc.dracd, the name and the options of the DRAC server: writes a
 * configuration with one source of kind drac and an export to the file that
 * mail servers read, and starts relaypassd with it.
 * Exit codes are those of the old server: 0 when it runs in the background, 2
 * for wrong options, 3 when the store cannot be opened, 1 for all else.
 */
#include "dropin.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "dropin_db.h"

#define CONFIG     "/run/rpc.dracd.conf"
#define ALLOW_FILE "/etc/drac/dracd.allow"
#define DB_FILE    "/etc/drac/dracd.db"
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

enum { MINUTES = 30 };

static const char usage[] = "usage: rpc.dracd [-i] [-e minutes] [dbfile]\n";

static const struct dropin dropin = {
	.name = "rpc.dracd",
	.config = CONFIG,
	.failed = DRACD_FAILED,
	.store = DRACD_STORE,
};

struct dracd {
	bool empty; /* -i */
	long minutes;
	const char *db;
	const char *db_kind; /* of the export; NULL: none */
};

/* --- options ---------------------------------------------------------------
 */

static int read_options(struct dracd *d, int argc, char **argv)
{
	bool good = true;
	int option;

	while (good && (option = getopt(argc, argv, "ie:")) != -1) {
		if (option == 'i')
			d->empty = true;
		else
			good = option == 'e' && dropin_minutes_option(&dropin,
						    optarg, &d->minutes);
	}
	if (good && optind < argc)
		d->db = argv[optind++];
	if (good && optind == argc)
		return DRACD_GOOD;
	(void)fputs(usage, stderr);
	return DRACD_USAGE;
}

/* --- configuration ----------------------------------------------------------
 */

static bool has_postfix(void)
{
	return getgrnam("postfix") && access(SPOOL, F_OK) == 0;
}

/* As the old server wrote it: addresses in their short form, under them the end
 * in seconds since 1970, in the smallest pages. */
static void print_export(FILE *out, const struct dracd *d)
{
	(void)fprintf(
	    out, "export dracd {\n\tkind = \"%s\"\n\tpath = ", d->db_kind);
	dropin_quote(out, d->db);
	(void)fputs("\n\tipv6 = \"short\"\n\tvalue = \"%e\"\n"
		    "\tpage-size = 512\n}\n",
	    out);
}

static int write_config(const struct dracd *d)
{
	AUTO_FREE char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	must(out);
	(void)fprintf(out,
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
	if (d->db_kind)
		print_export(out, d);
	must(fclose(out) == 0);
	return dropin_write(&dropin, text);
}

/* -i: the leases are forgotten, unless somebody holds them. */
static int empty_ledger(const char *directory)
{
	static const char *const files[] = { "data.mdb", "lock.mdb" };
	AUTO_CLOSE int dir =
	    open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	AUTO_CLOSE int lock = -1;

	if (dir < 0 && errno == ENOENT)
		return DRACD_GOOD;
	if (dir >= 0)
		lock = openat(
		    dir, "ledger.lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0 && lock < 0 && errno == ENOENT)
		return DRACD_GOOD;
	bool good = lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0;
	for (size_t i = 0; good && i < COUNT_OF(files); i++)
		good = unlinkat(dir, files[i], 0) == 0 || errno == ENOENT;
	if (good)
		return DRACD_GOOD;
	(void)dropin_fail(&dropin, directory);
	return DRACD_STORE;
}

int main(int argc, char **argv)
{
	struct dracd d = { .minutes = MINUTES, .db = DB_FILE };
	struct conf *conf = NULL;
	int code;

	if (dropin_help(argc, argv, usage))
		return DRACD_GOOD;
	code = read_options(&d, argc, argv);
	if (code != DRACD_GOOD)
		return code;
	const char *ledger = dropin_ledger(&conf);
	/* The daemon's own words go to syslog. */
	if (access(ALLOW_FILE, R_OK) < 0)
		code = dropin_fail(&dropin,
		    ALLOW_FILE " must name the hosts that may add addresses");
	if (code == DRACD_GOOD)
		code = dropin_db(&dropin, d.db, true, &d.db_kind);
	if (code == DRACD_GOOD)
		code = write_config(&d);
	if (code == DRACD_GOOD && d.empty)
		code = empty_ledger(ledger);
	if (code == DRACD_GOOD)
		code = dropin_start(&dropin);
	conf_free(&conf);
	return code;
}
