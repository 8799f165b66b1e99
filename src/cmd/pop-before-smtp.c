/* SPDX-License-Identifier: ISC */
/*
 * pop-before-smtp - the name, the options and the configuration file of the
 * Perl program: makes a configuration of them, and runs relaypassd with it.
 */
#include "pop_before.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dropin_db.h"
#include "perl_conf.h"
#include "pop_before_private.h"

#define DEFAULT_FILE "/etc/pop-before-smtp-conf.pl"
#define DEBIAN_FILE  "/etc/pop-before-smtp/pop-before-smtp.conf"

enum { USAGE = 2, FILE_MAX = 1 << 20, LOG_MODE = 0644 };

const struct dropin pop_dropin = {
	.name = POP_BEFORE_NAME,
	.config = POP_BEFORE_CONFIG,
	.failed = EXIT_FAILURE,
	.store = EXIT_FAILURE,
};

static const struct dropin pattern_file = {
	.name = POP_BEFORE_NAME,
	.config = POP_BEFORE_PATTERNS "/" POP_BEFORE_NAME ".pattern",
	.failed = EXIT_FAILURE,
	.store = EXIT_FAILURE,
};

/* Everything that a start needs. */
struct program {
	struct pop_settings settings;
	struct pop_patterns patterns;
	struct pop_log log;
	char *networks; /* never leased */
};

/* A sentence about the configuration file, or about none. */
static void tell(void *ctx, int line, const char *text)
{
	const struct pop_settings *s = ctx;

	if (line && s->config)
		dropin_tell(&pop_dropin, "%s:%d: %s", s->config, line, text);
	else
		dropin_tell(&pop_dropin, "%s", text);
}

static int refuse(const struct pop_settings *s, const struct err *err)
{
	(void)fprintf(stderr, POP_BEFORE_NAME ": %s%s%s\n",
	    s->config ? s->config : "", s->config ? ": " : "", err->text);
	return EXIT_FAILURE;
}

static const char usage_text[] =
    "Usage: " POP_BEFORE_NAME " [--config=FILE] [--[no]write] [--[no]debug]\n"
    "    [--[no]flock] [--reprocess] [--watchlog=FILE] [--dbfile=FILE]\n"
    "    [--logto=FILE] [--grace=SECONDS] [--daemon=PIDFILE]\n"
    "    [--version] [--dumpconfig] [--list]\n";

static int usage(const struct err *err)
{
	(void)fprintf(stderr, "%s\n%s", err->text, usage_text);
	return USAGE;
}

/* --- options and files ------------------------------------------------------
 */

static int read_config(struct pop_settings *s)
{
	AUTO_CLOSE int fd = open(s->config, O_RDONLY | O_CLOEXEC);
	AUTO_FREE char *text = xmalloc(FILE_MAX);
	size_t used = 0;
	ssize_t n = -1;
	int line;

	while (fd >= 0 && used < FILE_MAX &&
	       (n = read(fd, text + used, FILE_MAX - used)) > 0)
		used += (size_t)n;
	if (n < 0)
		return dropin_fail(&pop_dropin, s->config);
	if (used == FILE_MAX) {
		errno = EFBIG;
		return dropin_fail(&pop_dropin, s->config);
	}
	line = pop_read_config(s, text, used, tell, s);
	/* What is not read could have made the leases shorter. */
	if (line)
		tell(s, line, "not started: " PERL_CONF_UNCLEAR);
	return line ? EXIT_FAILURE : EXIT_SUCCESS;
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* As their configuration files do when the log is not where it is expected. */
static void find_log(struct pop_settings *s)
{
	static const char *const places[] = { "/var/log/mail/info",
		"/var/log/mail.log", "/var/log/messages", "/var/adm/messages" };
	const char *log = pop_text(s, POP_WATCHLOG);

	if (!strcmp(log, "-") || is_file(log))
		return;
	for (size_t i = 0; i < COUNT_OF(places); i++)
		if (is_file(places[i])) {
			pop_set(s, POP_WATCHLOG, places[i]);
			return;
		}
}

static void make_absolute(struct pop_settings *s, enum pop_name name)
{
	const char *path = pop_text(s, name);
	AUTO_FREE char *here = getcwd(NULL, 0);
	AUTO_FREE char *full = NULL;

	if (!path || path[0] == '/' || !strcmp(path, "-") || !here)
		return;
	must(asprintf(&full, "%s/%s", here, path) > 0);
	pop_set(s, name, full);
}

/* The file first, so that options count more. */
static int read_settings(struct pop_settings *s, int argc, char **argv)
{
	static const char first[] = "--config=";
	struct err err = { 0 };
	bool named = argc > 1 && !strncmp(argv[1], first, sizeof(first) - 1);
	int code = EXIT_SUCCESS;

	if (named)
		s->config = argv[1] + sizeof(first) - 1;
	else if (is_file(DEFAULT_FILE))
		s->config = DEFAULT_FILE;
	else if (is_file(DEBIAN_FILE))
		s->config = DEBIAN_FILE;
	if (s->config)
		code = read_config(s);
	if (code)
		return code;
	find_log(s);
	if (pop_options(s, argc - 1 - named, argv + 1 + named, &err) < 0)
		return usage(&err);
	if (pop_grace(s) < 0) {
		(void)err_set(&err, EXIT_USER,
		    "grace must be a number of seconds between 1 and a year");
		return usage(&err);
	}
	make_absolute(s, POP_WATCHLOG);
	make_absolute(s, POP_DBFILE);
	make_absolute(s, POP_LOGTO);
	return EXIT_SUCCESS;
}

static char *networks(struct pop_settings *s)
{
	AUTO_FREE char *value = pop_networks_ask();
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	must(out);
	if (value)
		(void)pop_networks_print(value, out, tell, s);
	must(fclose(out) == 0);
	return text;
}

static int make_patterns(struct program *p)
{
	struct err err = { 0 };

	if (pop_patterns_make(
		&p->settings, &p->patterns, tell, &p->settings, &err) < 0)
		return refuse(&p->settings, &err);
	p->networks = networks(&p->settings);
	return EXIT_SUCCESS;
}

/* --- what prints and ends ---------------------------------------------------
 */

static void dump_pattern(
    const struct pop_settings *s, enum pop_name name, const char *title)
{
	if (pop_text(s, name))
		(void)printf("%s: \"%s\"\n", title, pop_text(s, name));
}

static void dump(const struct program *p)
{
	const struct pop_settings *s = &p->settings;

	(void)printf("config file: %s\nwatchlog: %s\ndbfile: %s\n",
	    s->config ? s->config : DEFAULT_FILE, pop_text(s, POP_WATCHLOG),
	    pop_text(s, POP_DBFILE));
	if (pop_text(s, POP_LOGTO))
		(void)printf("logto: %s\n", pop_text(s, POP_LOGTO));
	dump_pattern(s, POP_PAT, "pat");
	dump_pattern(s, POP_OUT_PAT, "out_pat");
	dump_pattern(s, POP_LOGTIME_PAT, "logtime_pat");
	(void)printf("servers: %s\n", p->patterns.servers[0]
					  ? p->patterns.servers
					  : "all that relaypass knows");
	if (p->patterns.file)
		(void)printf("pattern file:\n%s", p->patterns.file);
}

static int print(const struct program *p)
{
	const struct pop_settings *s = &p->settings;

	if (s->version)
		(void)printf("version: " POP_BEFORE_VERSION
			     " (relaypass " RELAYPASS_VERSION ")\n");
	if (s->dumpconfig)
		dump(p);
	return s->list ? pop_list() : EXIT_SUCCESS;
}

/* --- start ------------------------------------------------------------------
 */

static int write_files(const struct program *p)
{
	AUTO_FREE char *path = NULL;
	AUTO_FREE char *text = NULL;
	const char *kind = NULL;

	if (p->patterns.file) {
		if (mkdir(POP_BEFORE_PATTERNS, 0755) < 0 && errno != EEXIST)
			return dropin_fail(&pop_dropin, POP_BEFORE_PATTERNS);
		if (dropin_write(&pattern_file, p->patterns.file) != 0)
			return EXIT_FAILURE;
	}
	must(asprintf(&path, "%s.db", pop_text(&p->settings, POP_DBFILE)) > 0);
	if (pop_true(&p->settings, POP_WRITE) &&
	    dropin_db(&pop_dropin, path, false, &kind) != 0)
		return EXIT_FAILURE;
	text = pop_config_print(&p->settings, &p->patterns, p->networks, kind);
	return dropin_write(&pop_dropin, text);
}

static int open_log(struct program *p)
{
	const char *path = pop_text(&p->settings, POP_LOGTO);

	p->log.fd = -1;
	if (!path && pop_true(&p->settings, POP_REPROCESS))
		path = "-";
	if (!path)
		return EXIT_SUCCESS;
	p->log.fd = strcmp(path, "-") == 0
			? STDOUT_FILENO
			: open(path, POP_LOG_FLAGS, LOG_MODE);
	return p->log.fd < 0 ? dropin_fail(&pop_dropin, path) : EXIT_SUCCESS;
}

static int write_pid(const char *path, pid_t pid)
{
	AUTO_CLOSE int fd = open(path,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    LOG_MODE);

	if (fd < 0 || dprintf(fd, "%ld\n", (long)pid) < 0)
		return dropin_fail(&pop_dropin, path);
	return EXIT_SUCCESS;
}

/* The parent says how the start went, and whose pid it is. */
static int run_daemon(const struct program *p)
{
	int fds[2], status;
	char byte;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return dropin_fail(&pop_dropin, "fork");
	if (pid == 0) {
		(void)close(fds[0]);
		(void)setsid();
		if (chdir("/") < 0)
			return dropin_fail(&pop_dropin, "/");
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		return pop_run(&p->settings, &p->log, fds[1]);
	}
	(void)close(fds[1]);
	if (read(fds[0], &byte, 1) == 1) {
		if (write_pid(p->settings.daemon, pid) == EXIT_SUCCESS)
			return EXIT_SUCCESS;
		(void)kill(pid, SIGTERM);
	}
	(void)waitpid(pid, &status, 0);
	return EXIT_FAILURE;
}

static int reprocess(const struct program *p)
{
	AUTO_FREE char *text =
	    pop_config_print(&p->settings, &p->patterns, p->networks, NULL);

	return pop_reprocess(&p->settings, &p->patterns, text, &p->log);
}

static int start(struct program *p)
{
	const struct pop_settings *s = &p->settings;
	int code = open_log(p);

	if (code)
		return code;
	if (pop_true(s, POP_REPROCESS))
		return reprocess(p);
	code = write_files(p);
	if (code)
		return code;
	return s->daemon ? run_daemon(p) : pop_run(s, &p->log, -1);
}

int main(int argc, char **argv)
{
	struct program p = { 0 };
	int code;

	if (dropin_help(argc, argv, usage_text))
		return EXIT_SUCCESS;
	clock_init();
	pop_defaults(&p.settings);
	code = read_settings(&p.settings, argc, argv);
	if (!code)
		code = make_patterns(&p);
	if (!code)
		code = p.settings.version || p.settings.dumpconfig ||
			       p.settings.list
			   ? print(&p)
			   : start(&p);
	pop_patterns_free(&p.patterns);
	pop_settings_free(&p.settings);
	free(p.networks);
	return code;
}
