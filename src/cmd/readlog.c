/* SPDX-License-Identifier: ISC */
/*
 * readlog - the daemon of smtp-poplock by function: reads the lines of logins
 * from a named pipe that syslogd writes into, from a log file, or from standard
 * input, and lets relaylock and showallowed know. It writes a configuration and
 * becomes relaypassd.
 */
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "dropin.h"

/* Who asks for qmail: the group of the account that qmail-smtpd runs as. */
#define ASKER "nofiles"

enum { MINUTES = 30 };

static const char usage[] = "usage: readlog [-d] [-g GROUP] [-s SERVERS] "
			    "[-t MINUTES] FIFO|FILE|-\n";

static const struct dropin dropin = {
	.name = "readlog",
	.config = "/run/readlog.conf",
	.failed = EXIT_USER,
	.store = EXIT_AGAIN,
};

struct readlog {
	bool background;
	long minutes;
	const char *servers, *group, *path;
};

static bool take_option(struct readlog *r, int option, const char *value)
{
	switch (option) {
	case 'd':
		r->background = true;
		return true;
	case 'g':
		r->group = value;
		return true;
	case 's':
		r->servers = value;
		return true;
	case 't':
		return dropin_minutes_option(&dropin, value, &r->minutes);
	default:
		return false;
	}
}

static bool read_options(struct readlog *r, int argc, char **argv)
{
	bool good = true;
	int option;

	while (good && (option = getopt(argc, argv, "dg:s:t:")) != -1)
		good = take_option(r, option, optarg);
	good = good && optind + 1 == argc;
	if (good)
		r->path = argv[optind];
	else
		(void)fputs(usage, stderr);
	return good;
}

static int put_source(FILE *out, const char *path)
{
	AUTO_FREE char *full = NULL;
	struct stat st;

	(void)fputs("source log {\n", out);
	if (!strcmp(path, "-")) {
		dropin_put(out, "kind", "stdin");
	} else {
		if (stat(path, &st) < 0 || !(full = realpath(path, NULL)))
			return dropin_fail(&dropin, path);
		dropin_put(out, "kind", S_ISFIFO(st.st_mode) ? "fifo" : "file");
		dropin_put(out, "path", full);
	}
	(void)fputs("}\n", out);
	return EXIT_YES;
}

/* One datagram each way for relaylock; and the rest of what asks. */
static void put_listeners(FILE *out, const char *group)
{
	if (group) {
		(void)fputs("listener relaylock {\n\tkind = \"ask\"\n"
			    "\tlisten = \"unixgram:/run/relaypass/run\"\n",
		    out);
		dropin_put(out, "group", group);
		(void)fputs("}\n", out);
	}
	(void)fputs("listener ask { kind = \"ask\" }\n", out);
}

/* Not everybody has that group; one that was asked for must be there. */
static const char *asker(void)
{
	if (getgrnam(ASKER))
		return ASKER;
	(void)fputs("readlog: no group " ASKER ": relaylock of a mail account "
		    "cannot ask; name its group with -g\n",
	    stderr);
	return NULL;
}

static int write_config(const struct readlog *r)
{
	AUTO_FREE char *text = NULL;
	const char *group = r->group ? r->group : asker();
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int code;

	must(out);
	(void)fprintf(out,
	    "# Made by readlog at each start: changes are lost.\n"
	    "lease { ttl = \"%ldm\" }\nrelaypass {\n",
	    r->minutes);
	dropin_put(out, "servers", r->servers);
	(void)fputs("}\n", out);
	code = put_source(out, r->path);
	put_listeners(out, group);
	must(fclose(out) == 0);
	return code ? code : dropin_write(&dropin, text);
}

int main(int argc, char **argv)
{
	struct readlog r = { .minutes = MINUTES, .servers = "" };
	int code;

	if (dropin_help(argc, argv, usage))
		return EXIT_YES;
	if (!read_options(&r, argc, argv))
		return EXIT_USER;
	code = write_config(&r);
	if (code)
		return code;
	return r.background ? dropin_start(&dropin) : dropin_become(&dropin);
}
