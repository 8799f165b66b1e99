/* SPDX-License-Identifier: ISC */
/*
 * check - see the header. A session is silent about lines that it never uses,
 * as qmail-spp is; here they are told.
 */
#include "check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beside.h"
#include "base/mem.h"
#include "controls.h"
#include "file.h"
#include "run_ask.h"
#include "server.h"

enum { CONNECT_MS = 5000 };

static const char any_address[] = "192.0.2.1";

struct check {
	const struct spp_options *options;
	bool wrong;
	const char *file;
	size_t line; /* 0: no line of a file */
	enum spp_section section;
};

__attribute__((format(printf, 2, 3))) static void wrong(
    struct check *c, const char *format, ...)
{
	va_list args;

	c->wrong = true;
	if (c->line > 0)
		(void)printf("%s:%zu: ", c->file, c->line);
	va_start(args, format);
	(void)vprintf(format, args);
	va_end(args);
	(void)putchar('\n');
}

/* --- files of lines --------------------------------------------------------
 */

typedef void line_fn(struct check *c, char *line);

/* fn gets all lines but empty ones and comments, without blanks at the end. */
static void each_line(
    struct check *c, const char *path, size_t max, line_fn *fn)
{
	struct err err = { 0 };
	size_t len;
	AUTO_FREE char *text = spp_file_read(path, max, &len, &err);
	char *at = text;

	/* The one who reads it for a session has said so. */
	if (!text)
		return;
	text[len] = '\0';
	c->file = path;
	for (c->line = 1; at < text + len; c->line++) {
		char *line = at, *end = strchrnul(at, '\n');

		at = end + 1;
		while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
			end--;
		*end = '\0';
		if (end > line && end[-1] == '\r')
			wrong(c, "the line ends in CR LF; LF alone is right");
		else if (*line && *line != '#')
			fn(c, line);
	}
	c->line = 0;
}

static void check_domain(struct check *c, char *line)
{
	if (strpbrk(line, "@* \t"))
		wrong(c,
		    "%s: expected a domain, or .DOMAIN for all that is below "
		    "it",
		    line);
}

static void check_plugin(struct check *c, const char *command)
{
	AUTO_FREE char *path = spp_in_home(c->options, command);
	struct stat st;

	if (stat(path, &st) < 0)
		wrong(c, "%s: %s%s", path, strerror(errno),
		    strchr(command, ' ')
			? "; arguments want a colon before the line"
			: "");
	else if (!S_ISREG(st.st_mode))
		wrong(c, "%s is not a file", path);
	else if (access(path, X_OK) < 0)
		wrong(c, "%s: %s", path, strerror(errno));
}

static void check_plan_line(struct check *c, char *line)
{
	if (*line == '[') {
		c->section = spp_section_of(line[1]);
		if (c->section == SPP_SECTIONS)
			wrong(c,
			    "there is no section %s; what is below it is never "
			    "run",
			    line);
	} else if (c->section == SPP_SECTIONS) {
		wrong(c, "%s: below no section, so it is never run", line);
	} else {
		(void)printf("%s: %s\n", spp_section_name(c->section), line);
		if (*line != ':')
			check_plugin(c, line);
	}
}

/* --- what else there is ----------------------------------------------------
 */

static void check_files(struct check *c)
{
	AUTO_FREE char *plugins = spp_plan_path(c->options);
	AUTO_FREE char *domains = spp_hosts_path(c->options);
	struct spp_plan plan = { 0 };
	struct spp_hosts *hosts = NULL, *percent = NULL;
	struct err err = { 0 };

	if (spp_controls_plan(c->options, &plan, &err) < 0)
		wrong(c, "%s", err.text);
	spp_plan_free(&plan);
	if (spp_controls_hosts(c->options, &hosts, &percent, &err) < 0)
		wrong(c, "%s", err.text);
	spp_hosts_close(&hosts);
	spp_hosts_close(&percent);
	if (spp_controls_tls(c->options, &err) < 0)
		wrong(c, "%s", err.text);
	c->section = SPP_SECTIONS;
	each_line(c, plugins, SPP_PLAN_MAX, check_plan_line);
	each_line(c, domains, SPP_HOSTS_MAX, check_domain);
}

/* Where execvp(3) would find it. */
static bool is_in_path(const char *program)
{
	const char *at = getenv("PATH");
	char path[BESIDE_MAX];

	errno = ENOENT;
	while (at && *at) {
		int len = (int)strcspn(at, ":");

		(void)snprintf(path, sizeof(path), "%.*s/%s", len, at, program);
		if (access(path, X_OK) == 0)
			return true;
		at += len + (at[len] == ':');
	}
	return false;
}

static void check_program(struct check *c)
{
	const char *program = c->options->program[0];
	char queue[BESIDE_MAX];

	if (strchr(program, '/') ? access(program, X_OK) < 0
				 : !is_in_path(program))
		wrong(c, "cannot run %s: %s", program, strerror(errno));
	if (beside_path("relaypass-spp-queue", queue, sizeof(queue)) < 0 ||
	    access(queue, X_OK) < 0)
		wrong(c, "relaypass-spp-queue must stand beside relaypass-spp");
}

static void check_connection(struct check *c)
{
	struct spp_server *s = xcalloc(1, sizeof(*s));
	struct err err = { 0 };

	if (spp_server_connect(s, c->options->connect, CONNECT_MS, &err) < 0)
		wrong(c, "%s", err.text);
	else
		spp_server_close(s);
	free(s);
}

/* Who runs no relaypassd may mean it; who may not ask does not. */
static void check_relaypassd(struct check *c)
{
	const char *asked;

	if (c->options->no_relay ||
	    run_ask(c->options->socket, any_address, &asked) >= 0)
		return;
	if (errno == EACCES)
		wrong(c, "%s: %s, see the listener's group", asked,
		    strerror(errno));
	else
		(void)printf(
		    "nobody has a lease: %s: %s\n", asked, strerror(errno));
}

int spp_check(const struct spp_options *o)
{
	struct check c = { .options = o };

	check_files(&c);
	if (o->connect)
		check_connection(&c);
	else
		check_program(&c);
	check_relaypassd(&c);
	if (geteuid() == 0)
		(void)printf("root may read everything: check as tcpserver's "
			     "account, too\n");
	return c.wrong ? EXIT_USER : EXIT_YES;
}
