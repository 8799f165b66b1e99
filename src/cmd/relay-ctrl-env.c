/* SPDX-License-Identifier: ISC */
/*
 * relay-ctrl-env - see relay-ctrl-env.h. The environment was made by root's
 * envdir and by tcpserver, but USER and its kind come from a login: everything
 * is checked, and nothing is printed as it is.
 */
#include "relay-ctrl-env.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum { SAY_SIZE = 512 };

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static const char *called = "relay-ctrl";

/* --- the programs -----------------------------------------------------------
 */

static const struct ctrl_program *by_name(
    const struct ctrl_program *programs, const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	const char *name = slash ? slash + 1 : path;

	for (const struct ctrl_program *p = programs; name && p->name; p++)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

const struct ctrl_program *ctrl_find(
    const struct ctrl_program *programs, char **argv, char ***argv_r)
{
	const struct ctrl_program *p = by_name(programs, argv[0]);

	*argv_r = argv;
	if (p || !argv[0])
		return p;
	*argv_r = argv + 1;
	return by_name(programs, argv[1]);
}

int ctrl_main(const struct ctrl_program *programs, char **argv)
{
	char **own;
	const struct ctrl_program *p = ctrl_find(programs, argv, &own);

	if (!p) {
		fputs("usage: one of these, by the name of a link or as the "
		      "first argument:\n",
		    stderr);
		for (p = programs; p->name; p++)
			fprintf(stderr, "  %s %s\n", p->name, p->usage);
		return CTRL_EXIT_USAGE;
	}
	called = p->name;
	if (p->wants_program && !own[1]) {
		fprintf(stderr, "usage: %s %s\n", p->name, p->usage);
		return CTRL_EXIT_USAGE;
	}
	return p->run(own + 1);
}

/* --- stderr -----------------------------------------------------------------
 */

void ctrl_say(const char *format, ...)
{
	char text[SAY_SIZE], line[SAY_SIZE + 64];
	va_list args;
	int n;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	/* At once, for others write there too. */
	n = snprintf(line, sizeof(line), "%s: %s\n", called, text);
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0) {
		/* there is nobody left to tell */
	}
}

/* --- the environment --------------------------------------------------------
 */

const char *ctrl_text(const char *name)
{
	const char *text = getenv(name);

	return text && *text ? text : NULL;
}

int64_t ctrl_number(const char *name, int64_t otherwise, int64_t max)
{
	const char *text = ctrl_text(name);
	long long value;
	char *end;

	if (!text)
		return otherwise;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || *end) {
		ctrl_say("%s \"%s\" is no number; it is %lld now", name, text,
		    (long long)otherwise);
		return otherwise;
	}
	if (value <= 0)
		return otherwise;
	return value < max ? value : max;
}

bool ctrl_courier_waits(void)
{
	return getenv("AUTHUSER") && getenv("AUTHARGV0") &&
	       !ctrl_text("AUTHENTICATED");
}

bool ctrl_client(struct addr *out)
{
	const char *text = getenv("TCPREMOTEIP");

	if (ctrl_courier_waits())
		return false;
	if (!text)
		ctrl_say("TCPREMOTEIP is not set");
	else if (!addr_parse(text, strlen(text), out))
		ctrl_say("TCPREMOTEIP \"%s\" is not an IP address", text);
	else
		return true;
	return false;
}

static bool is_name(const char *text)
{
	return *text && strspn(text, LETTERS "_0123456789") == strlen(text) &&
	       !strchr("0123456789", *text);
}

void ctrl_names(struct ctrl_names *out)
{
	const char *more = ctrl_text("RELAY_CTRL_ENV");
	char *at = out->text, *comma;

	out->names[0] = "USER";
	out->names[1] = "DOMAIN";
	out->count = 2;
	if (!more)
		return;
	if (strlen(more) >= sizeof(out->text)) {
		ctrl_say("RELAY_CTRL_ENV is too long");
		return;
	}
	memcpy(out->text, more, strlen(more) + 1);
	for (; at; at = comma) {
		comma = strchr(at, ',');
		if (comma)
			*comma++ = '\0';
		/* That one is this program's own to give. */
		if (!is_name(at) || strcmp(at, "RELAYCLIENT") == 0 ||
		    out->count == COUNT_OF(out->names))
			ctrl_say("RELAY_CTRL_ENV: \"%s\" is not used", at);
		else
			out->names[out->count++] = at;
	}
}

/* --- the chain --------------------------------------------------------------
 */

int ctrl_exec(char **argv)
{
	if (!argv[0])
		return 0;
	execvp(argv[0], argv);
	ctrl_say("cannot run %s: %s", argv[0], strerror(errno));
	return CTRL_EXIT_FAILED;
}
