/* SPDX-License-Identifier: ISC */
/*
 * relaypass-run - asks relaypassd whether the client may relay, sets
 * RELAYCLIENT if so, and becomes the SMTP server.
 *
 * Called by:  tcpserver and its kind, once for each connection.
 * Calls:      the C library only; small and static, as it starts so often.
 * Not here:   who may relay. Whatever goes wrong, mail flows and nobody relays.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

#include "smtp/run_ask.h"

#ifndef RUN_RELAYCLIENT
#define RUN_RELAYCLIENT ""
#endif

enum {
	EXIT_USER = 100, /* as in base/err.h, which is not for this file */
	EXIT_AGAIN = 111,
	VALUE_MAX = 255, /* qmail-smtpd appends it to each recipient */
	/* Small, so that all data stay on one page. */
	NAMES_SIZE = 256, /* "NAME=" of every --env without a value */
	ENVS_MAX = 16,
	FEW = 128 /* variables that need no memory of their own */
};

extern char **environ;

struct options {
	const char *socket; /* NULL: none was given */
	const char *relayclient;
	bool verbose;
	char *env[ENVS_MAX]; /* "NAME=VALUE" */
	size_t env_count;
	char **program;
};

static void put(const char *text)
{
	/* There is nobody to tell when stderr is gone. */
	ssize_t n = write(2, text, strlen(text));
	(void)n;
}

static void say(const char *what, const char *about, const char *why)
{
	put("relaypass-run: ");
	put(what);
	put(about);
	put(why);
	put("\n");
}

static _Noreturn void usage(const char *what, const char *about)
{
	if (*what)
		say(what, about, "");
	put("usage: relaypass-run [-v] [-s SOCKET] [-r RELAYCLIENT]"
	    " [--env NAME[=VALUE]]... [--] PROGRAM [ARGUMENT]...\n");
	_exit(EXIT_USER);
}

/* strerror() would bring a table that is larger than this program. */
static const char *why(int errnum)
{
	switch (errnum) {
	case ENOENT:
		return ": no such file";
	case EACCES:
	case EPERM:
		return ": permission denied";
	case ECONNRESET:
		return ": the connection was closed";
	case ECONNREFUSED:
		return ": nobody listens there";
	case EAGAIN:
	case ETIMEDOUT:
		return ": no answer in time";
	case ENOEXEC:
		return ": not a program";
	case E2BIG:
		return ": arguments and environment are too long";
	default:
		return ": failed";
	}
}

static bool all_of(const char *text, const char *letters, size_t max)
{
	size_t len = strspn(text, letters);

	return text[len] == '\0' && len <= max;
}

#define DIGITS  "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* The value of an environment entry, or NULL when it has another name. */
static char *value_of(char *entry, const char *name, size_t len)
{
	if (strncmp(entry, name, len) != 0 || entry[len] != '=')
		return NULL;
	return entry + len + 1;
}

static char *lookup(const char *name)
{
	size_t len = strlen(name);

	for (char **e = environ; e && *e; e++) {
		char *value = value_of(*e, name, len);
		if (value)
			return value;
	}
	return NULL;
}

/* Keeps "NAME=VALUE" as it stands; a bare NAME gets its "=". */
static void add_env(struct options *o, char *text)
{
	static char names[NAMES_SIZE];
	static size_t used;
	size_t len = strspn(text, LETTERS DIGITS "_");

	if (len == 0 || strchr(DIGITS, *text) ||
	    (text[len] != '=' && text[len] != '\0'))
		usage("--env wants NAME or NAME=VALUE, not ", text);
	if (len == strlen("RELAYCLIENT") && !strncmp(text, "RELAYCLIENT", len))
		usage("use -r for RELAYCLIENT", "");
	if (o->env_count == ENVS_MAX)
		usage("too many --env", "");
	if (text[len] == '\0') {
		if (len + 2 > sizeof(names) - used)
			usage("too many --env", "");
		memcpy(names + used, text, len);
		text = names + used;
		text[len] = '=';
		text[len + 1] = '\0';
		used += len + 2;
	}
	o->env[o->env_count++] = text;
}

static void check_options(const struct options *o)
{
	struct sockaddr_un sun;

	if (!all_of(o->relayclient, LETTERS DIGITS ".@-", VALUE_MAX))
		usage("RELAYCLIENT may hold letters, digits, . @ and - only,"
		      " not ",
		    o->relayclient);
	if (o->socket &&
	    (!*o->socket || strlen(o->socket) >= sizeof(sun.sun_path)))
		usage("not the path of a socket: ", o->socket);
	if (!o->program[0] || !*o->program[0])
		usage("which program?", "");
}

static char *operand(char ***arg)
{
	char *option = **arg;

	++*arg;
	if (!**arg)
		usage("a value is missing after ", option);
	return **arg;
}

static void parse_options(struct options *o, char **argv)
{
	char **arg = argv[0] ? argv + 1 : argv;

	for (; *arg && **arg == '-'; arg++) {
		if (!strcmp(*arg, "--")) {
			arg++;
			break;
		}
		if (!strcmp(*arg, "-v"))
			o->verbose = true;
		else if (!strcmp(*arg, "-s"))
			o->socket = operand(&arg);
		else if (!strcmp(*arg, "-r"))
			o->relayclient = operand(&arg);
		else if (!strcmp(*arg, "--env"))
			add_env(o, operand(&arg));
		else if (!strncmp(*arg, "--env=", strlen("--env=")))
			add_env(o, *arg + strlen("--env="));
		else
			usage(
			    strcmp(*arg, "-h") ? "unknown option " : "", *arg);
	}
	o->program = arg;
	check_options(o);
}

static const char *client_address(void)
{
	const char *text = lookup("TCPREMOTEIP");

	if (!text)
		text = lookup("TCP6REMOTEIP");
	return text && run_is_address(text) ? text : NULL;
}

static bool may_relay(const struct options *o)
{
	const char *address = client_address();

	if (!address) {
		if (o->verbose)
			say("no usable TCPREMOTEIP", "", "");
		return false;
	}
	const char *asked;
	int answer = run_ask(o->socket, address, &asked);
	if (answer < 0 && o->verbose)
		say("cannot ask ", asked, why(errno));
	return answer == 1;
}

/* True when one of --env stands for this entry. */
static bool replaced(const struct options *o, char *entry)
{
	for (size_t i = 0; i < o->env_count; i++) {
		size_t len = strcspn(o->env[i], "=");
		if (value_of(entry, o->env[i], len))
			return true;
	}
	return false;
}

/*
 * The environment of a leased client. Nothing from the answer goes into it.
 * NULL when there is no memory for it: then nobody relays.
 */
static char **leased_environ(const struct options *o)
{
	static char relayclient[sizeof("RELAYCLIENT=") + VALUE_MAX];
	static char *few[FEW];
	char **env = few;
	size_t count = o->env_count + 2, used = 0;

	for (char **e = environ; *e; e++)
		count++;
	if (count > FEW)
		env = mmap(NULL, count * sizeof(*env), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (env == MAP_FAILED)
		return NULL;
	for (char **e = environ; *e; e++) {
		if (!replaced(o, *e))
			env[used++] = *e;
	}
	for (size_t i = 0; i < o->env_count; i++)
		env[used++] = o->env[i];
	run_append(relayclient, run_append(relayclient, 0, "RELAYCLIENT="),
	    o->relayclient);
	env[used++] = relayclient;
	env[used] = NULL;
	return env;
}

int main(int argc, char **argv)
{
	struct options o = { .relayclient = RUN_RELAYCLIENT };

	(void)argc;
	/* It runs whatever it is told to: set-uid, that is everybody's root. */
	if (getauxval(AT_UID) != getauxval(AT_EUID) ||
	    getauxval(AT_GID) != getauxval(AT_EGID))
		usage("must not be set-uid or set-gid", "");
	parse_options(&o, argv);
	/* Started across some other border of trust: the variables may lie. */
	if (!lookup("RELAYCLIENT") && !getauxval(AT_SECURE) && may_relay(&o)) {
		char **env = leased_environ(&o);
		if (env)
			environ = env;
	}
	execvp(o.program[0], o.program);
	say("cannot run ", o.program[0], why(errno));
	return EXIT_AGAIN;
}
