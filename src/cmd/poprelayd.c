/* SPDX-License-Identifier: ISC */
/*
 * poprelayd - the name and the options of Sendmail's poprelayd: reads its
 * poprelay.conf, makes a configuration with a source for the mail log and an
 * export to popip.db, and starts relaypassd with it; prints, adds and removes
 * what stands in it.
 * Exit codes: 0 good, 1 something failed, 2 wrong options.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allowed.h"
#include "base/mem.h"
#include "cli.h"
#include "conf/conf.h"
#include "daemon/schema.h"
#include "dropin_db.h"
#include "perl_conf.h"

#define OLD_CONFIG "/etc/mail/poprelay.conf"
#define CONFIG     "/run/poprelayd.conf"
#define SCANADDR   "sub scanaddr"

enum poprelayd_exit {
	POPRELAYD_GOOD = 0,
	POPRELAYD_FAILED = 1,
	POPRELAYD_USAGE = 2
};

enum { MINUTES = 15, OLD_CONFIG_MAX = 1 << 20, MS_PER_SECOND = 1000 };

static const struct dropin dropin = {
	.name = "poprelayd",
	.config = CONFIG,
	.failed = POPRELAYD_FAILED,
	.store = POPRELAYD_FAILED,
};

/* What poprelay.conf assigns; strings owned. */
struct settings {
	char *logfile, *pidfile, *dbfile, *dbtype, *timeout_minutes;
};

/* --- options ---------------------------------------------------------------
 */

struct wanted {
	char action; /* d, p, a or r; 0: none */
	bool debug;
	const char *address;
};

static const char usage[] =
    "usage: poprelayd [-D] -d | -p | -a address | -r address\n";

static int read_options(struct wanted *w, int argc, char **argv)
{
	bool good = true;
	int option;

	while (good && (option = getopt(argc, argv, "dDpa:r:")) != -1) {
		if (option == 'D') {
			w->debug = true;
			continue;
		}
		good = strchr("dpar", option) && !w->action;
		w->action = (char)option;
		w->address = optarg;
	}
	if (good && w->action && optind == argc)
		return POPRELAYD_GOOD;
	(void)fputs(usage, stderr);
	return POPRELAYD_USAGE;
}

/* --- poprelay.conf ----------------------------------------------------------
 */

static char **setting_of(struct settings *s, const char *name)
{
	const struct {
		const char *name;
		char **value;
	} rows[] = {
		{ "logfile", &s->logfile },
		{ "pidfile", &s->pidfile },
		{ "dbfile", &s->dbfile },
		{ "dbtype", &s->dbtype },
		{ "timeout_minutes", &s->timeout_minutes },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return rows[i].value;
	return NULL;
}

static void set(char **value, const char *text, size_t len)
{
	free(*value);
	*value = xstrndup(text, len);
}

/* Modules are only loaded by them. */
static bool is_harmless(const char *name)
{
	return strncmp(name, "use ", 4) == 0 ||
	       strncmp(name, "require ", 8) == 0 ||
	       strcmp(name, "require") == 0;
}

static void take(void *ctx, const struct perl_fact *fact)
{
	char **value = setting_of(ctx, fact->name);
	char shown[120];

	if (value && fact->value) {
		set(value, fact->value, strlen(fact->value));
	} else if (value && strcmp(fact->name, "dbtype") == 0) {
		/* A constant of DB_File's: the statement has its name. */
		set(value, fact->text, fact->text_len);
	} else if (strncmp(fact->name, SCANADDR, sizeof(SCANADDR) - 1) == 0) {
		dropin_tell(&dropin,
		    "%s:%d: sub scanaddr is code and is not run: relaypass "
		    "finds logins by patterns of its own; see "
		    "relaypass-patterns(5)",
		    OLD_CONFIG, fact->line);
	} else if (!is_harmless(fact->name)) {
		dropin_tell(&dropin, "%s:%d: ignored, for it is %s: %s",
		    OLD_CONFIG, fact->line,
		    fact->value ? "no setting of poprelayd's"
				: "no plain string or number",
		    cli_safe(fact->text, fact->text_len, shown, sizeof(shown)));
	}
}

static int read_old_config(struct settings *s)
{
	AUTO_FREE char *text = xmalloc(OLD_CONFIG_MAX);
	AUTO_CLOSE int fd = open(OLD_CONFIG, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0 && used < OLD_CONFIG_MAX) {
		n = read(fd, text + used, OLD_CONFIG_MAX - used);
		used += n > 0 ? (size_t)n : 0;
	}
	if (n > 0) {
		errno = EFBIG;
		n = -1;
	}
	if (n < 0 && errno == ENOENT)
		return dropin_fail(
		    &dropin, OLD_CONFIG " must be there, and may be empty");
	if (n < 0)
		return dropin_fail(&dropin, OLD_CONFIG);
	int line = perl_conf_read(text, used, take, s);
	if (!line)
		return POPRELAYD_GOOD;
	dropin_tell(&dropin, "%s:%d: not started: " PERL_CONF_UNCLEAR,
	    OLD_CONFIG, line);
	return POPRELAYD_FAILED;
}

static void forget(struct settings *s)
{
	free(s->logfile);
	free(s->pidfile);
	free(s->dbfile);
	free(s->dbtype);
	free(s->timeout_minutes);
}

static const char *or_else(const char *value, const char *other)
{
	return value ? value : other;
}

static int read_minutes(const char *text, long *out)
{
	*out = MINUTES;
	if (!text || dropin_minutes(text, out))
		return POPRELAYD_GOOD;
	errno = EINVAL;
	return dropin_fail(&dropin, OLD_CONFIG ": $timeout_minutes");
}

/* --- starting ---------------------------------------------------------------
 */

static const char *usual_log(void)
{
	return access("/var/log/maillog", F_OK) == 0 ? "/var/log/maillog"
						     : "/var/log/mail.log";
}

/* The value is the time of the login, as poprelayd's; its readers look only
 * whether there is one. */
static void print_export(FILE *out, const char *kind, const char *path)
{
	(void)fputs("export popip {\n", out);
	dropin_put(out, "kind", kind);
	dropin_put(out, "path", path);
	dropin_put(out, "value", "%t");
	(void)fputs("}\n", out);
}

static int write_config(const struct settings *s)
{
	AUTO_FREE char *text = NULL;
	const char *db = or_else(s->dbfile, "/etc/mail/popip.db");
	const char *log = or_else(s->logfile, usual_log());
	bool btree = s->dbtype && strstr(s->dbtype, "BTREE");
	const char *kind = NULL;
	size_t size = 0;
	long minutes;
	FILE *out;

	if (log[0] != '/') {
		(void)fprintf(stderr,
		    "poprelayd: %s: $logfile must begin with /\n", OLD_CONFIG);
		return POPRELAYD_FAILED;
	}
	if (read_minutes(s->timeout_minutes, &minutes) != POPRELAYD_GOOD ||
	    dropin_db(&dropin, db, btree, &kind) != POPRELAYD_GOOD)
		return POPRELAYD_FAILED;
	out = open_memstream(&text, &size);
	must(out);
	(void)fprintf(out,
	    "# Made by poprelayd at each start: changes are lost.\n"
	    "lease { ttl = \"%ldm\" }\n"
	    "source maillog {\n",
	    minutes);
	dropin_put(out, "kind", "file");
	dropin_put(out, "path", log);
	(void)fputs("}\nlistener ask { kind = \"ask\" }\n", out);
	if (kind)
		print_export(out, kind, db);
	must(fclose(out) == 0);
	return dropin_write(&dropin, text);
}

/* Old scripts stop the daemon by it. Whoever cannot have it is told, and is
 * served all the same. */
static void write_pidfile(const char *path)
{
	struct conf *conf = conf_default(schema());
	char at[PATH_MAX], pid[32] = "";

	(void)snprintf(at, sizeof(at), "%s/relaypassd.pid",
	    conf_string(conf_at(conf, "relaypass", 0), "run-directory"));
	conf_free(&conf);
	AUTO_CLOSE int from = open(at, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t len = from < 0 ? -1 : read(from, pid, sizeof(pid));
	bool good = len > 0 && (unlink(path) == 0 || errno == ENOENT);
	AUTO_CLOSE int to =
	    good ? open(path,
		       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0644)
		 : -1;
	if (to < 0 || write(to, pid, (size_t)len) != len)
		(void)dropin_fail(&dropin, path);
}

static int serve(const struct wanted *w)
{
	struct settings s = { 0 };
	int code = read_old_config(&s);

	if (code == POPRELAYD_GOOD)
		code = write_config(&s);
	/* -D: its log comes to the terminal. */
	if (code == POPRELAYD_GOOD)
		code =
		    w->debug ? dropin_become(&dropin) : dropin_start(&dropin);
	if (code == POPRELAYD_GOOD)
		write_pidfile(or_else(s.pidfile, "/run/poprelayd.pid"));
	forget(&s);
	return code;
}

/* --- asking the daemon ------------------------------------------------------
 */

static void print_row(void *ctx, const struct reply *r)
{
	const char *address = reply_value(r, "address");

	(void)ctx;
	if (strcmp(r->word, "lease") == 0 && address && reply_number(r, "live"))
		printf("%.*s\t%lld\n", (int)strcspn(address, "/"), address,
		    (long long)reply_number(r, "last") / MS_PER_SECOND);
}

static void build(struct request *r, const struct wanted *w)
{
	request_begin(r, w->action == 'p'   ? "list"
			 : w->action == 'a' ? "grant"
					    : "revoke");
	if (w->action != 'p')
		request_put_addr(r, "address", w->address);
	if (w->action == 'a')
		request_put_user(r, "");
	if (w->action == 'r')
		request_put(r, "now-only", "yes");
}

static int ask(const struct wanted *w)
{
	AUTO_FREE struct reply *reply = xcalloc(1, sizeof(*reply));
	struct err err = { 0 };
	struct client *c = NULL;
	struct request r;

	client_starter = "poprelayd -d";
	build(&r, w);
	if (r.err.code)
		err = r.err;
	else
		c = allowed_connect(
		    r.line, r.used, print_row, NULL, reply, &err);
	client_close(&c);
	if (!err.code && strcmp(reply->word, "ok") != 0)
		(void)err_set(&err, EXIT_NO, "no lease for %s: %s", w->address,
		    or_else(reply_value(reply, "reason"), "unknown"));
	if (!err.code)
		return cli_done(POPRELAYD_GOOD) ? POPRELAYD_FAILED
						: POPRELAYD_GOOD;
	(void)fprintf(stderr, "poprelayd: %s\n", err.text);
	return POPRELAYD_FAILED;
}

int main(int argc, char **argv)
{
	struct wanted w = { 0 };
	int code;

	if (dropin_help(argc, argv, usage))
		return POPRELAYD_GOOD;
	code = read_options(&w, argc, argv);
	if (code != POPRELAYD_GOOD)
		return code;
	return w.action == 'd' ? serve(&w) : ask(&w);
}
