/* SPDX-License-Identifier: ISC */
/*
 * options - one table for getopt_long(3), and one for where each goes.
 */
#include "options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "run_ask.h"
#include "server.h"

enum {
	PLUGIN_MS = 30000,
	SILENT_MS = 1200000, /* qmail-smtpd(8), timeoutsmtpd */
	SECOND_MS = 1000,
	SECONDS_MAX = 86400,
	VALUE_MAX = 255,
	DECIMAL = 10
};

static _Noreturn void usage(const char *what, const char *about)
{
	(void)dprintf(*what ? STDERR_FILENO : STDOUT_FILENO,
	    "%s%s%s%susage: relaypass-spp [OPTION]... [--] PROGRAM "
	    "[ARGUMENT]...\n"
	    "       relaypass-spp [OPTION]... --connect HOST:PORT\n"
	    "See relaypass-spp(8).\n",
	    *what ? "relaypass-spp: " : "", what, about, *what ? "\n" : "");
	_exit(*what ? EXIT_USER : EXIT_YES);
}

static int64_t seconds(const char *option, const char *text)
{
	char *end;
	long n = strtol(text, &end, DECIMAL);

	if (end == text || *end || n < 1 || n > SECONDS_MAX)
		usage(option, ": expected seconds, 1 to 86400");
	return (int64_t)n * SECOND_MS;
}

static enum spp_bare bare(const char *text)
{
	if (strcmp(text, "refuse") == 0)
		return SPP_BARE_REFUSE;
	if (strcmp(text, "mend") == 0)
		return SPP_BARE_MEND;
	usage("--bare-newlines: expected refuse or mend, not ", text);
}

enum {
	OPT_BARE = 1,
	OPT_CERTIFICATE,
	OPT_CHECK,
	OPT_CONNECT,
	OPT_FROZEN,
	OPT_HELP,
	OPT_HOME,
	OPT_KEY,
	OPT_LOCAL,
	OPT_LOGIN,
	OPT_NO_RELAY,
	OPT_PLAIN,
	OPT_PLUGIN_LIMIT,
	OPT_PLUGINS,
	OPT_RELAYCLIENT,
	OPT_SOCKET,
	OPT_TIMEOUT,
	OPT_VERBOSE
};

static const struct option table[] = {
	{ "auth-without-tls", no_argument, NULL, OPT_PLAIN },
	{ "bare-newlines", required_argument, NULL, OPT_BARE },
	{ "certificate", required_argument, NULL, OPT_CERTIFICATE },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "connect", required_argument, NULL, OPT_CONNECT },
	{ "frozen-relayclient", no_argument, NULL, OPT_FROZEN },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "home", required_argument, NULL, OPT_HOME },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "local-domains", required_argument, NULL, OPT_LOCAL },
	{ "no-relay", no_argument, NULL, OPT_NO_RELAY },
	{ "plugin-timeout", required_argument, NULL, OPT_PLUGIN_LIMIT },
	{ "plugins", required_argument, NULL, OPT_PLUGINS },
	{ "relayclient", required_argument, NULL, OPT_RELAYCLIENT },
	{ "relay-login", required_argument, NULL, OPT_LOGIN },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ 0 },
};

static void take(struct spp_options *o, int option)
{
	const char **const texts[] = {
		[OPT_CERTIFICATE] = &o->certificate,
		[OPT_CONNECT] = &o->connect,
		[OPT_HOME] = &o->home,
		[OPT_KEY] = &o->key,
		[OPT_LOCAL] = &o->local_domains,
		[OPT_LOGIN] = &o->relay_login,
		[OPT_PLUGINS] = &o->plugins,
		[OPT_RELAYCLIENT] = &o->relayclient,
		[OPT_SOCKET] = &o->socket,
		[OPT_VERBOSE] = NULL,
	};
	bool *const flags[] = {
		[OPT_CHECK] = &o->check,
		[OPT_FROZEN] = &o->frozen_relayclient,
		[OPT_NO_RELAY] = &o->no_relay,
		[OPT_PLAIN] = &o->plain_without_tls,
		[OPT_VERBOSE] = &o->verbose,
	};

	if (option == OPT_HELP)
		usage("", "");
	if (option == OPT_BARE)
		o->bare = bare(optarg);
	else if (option == OPT_PLUGIN_LIMIT)
		o->plugin_limit = seconds("--plugin-timeout", optarg);
	else if (option == OPT_TIMEOUT)
		o->limit = seconds("--timeout", optarg);
	else if (texts[option])
		*texts[option] = optarg;
	else
		*flags[option] = true;
}

/* What goes into XCLIENT, or behind an address. */
static bool is_word(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789@._-") == strlen(text);
}

/* Sendmail's and Exim's way to speak SMTP on a pipe, alone or in a shell's
 * line: who speaks there is a friend. */
static bool has_friends(char *const *program)
{
	static const char word[] = "-bs";
	const size_t len = sizeof(word) - 1;

	for (; *program; program++)
		for (const char *at = *program; (at = strstr(at, word)); at++)
			if ((at == *program || at[-1] == ' ') &&
			    (at[len] == '\0' || at[len] == ' '))
				return true;
	return false;
}

static void check(const struct spp_options *o)
{
	if (!o->connect && (!o->program[0] || !*o->program[0]))
		usage("which server?", "");
	if (o->connect && o->program[0])
		usage("--connect, or a program, not both", "");
	if ((o->connect || o->friends) && !o->local_domains)
		usage("this server wants --local-domains: the domains that "
		      "mail is taken for from everybody",
		    "");
	if (o->connect && !o->relay_login && !o->no_relay)
		usage("--connect wants --relay-login NAME, the login that "
		      "the server lets relay, or --no-relay",
		    "");
	if (!is_word(o->relayclient) || strlen(o->relayclient) > VALUE_MAX)
		usage("--relayclient may hold letters, digits, . @ _ and - "
		      "only, not ",
		    o->relayclient);
	if (o->relay_login &&
	    (!o->connect || !*o->relay_login || !is_word(o->relay_login)))
		usage("--relay-login: expected a name, with --connect", "");
	if (o->key && !o->certificate)
		usage("--key wants --certificate", "");
}

char *spp_in_home(const struct spp_options *o, const char *name)
{
	char *path;

	if (!name || *name == '/')
		return name ? xstrdup(name) : NULL;
	path = xmalloc(strlen(o->home) + strlen(name) + 2);
	(void)run_append(
	    path, run_append(path, run_append(path, 0, o->home), "/"), name);
	return path;
}

void spp_options_free(struct spp_options *o)
{
	free(o->local_path);
	free(o->certificate_path);
	free(o->key_path);
}

void spp_options_read(struct spp_options *o, int argc, char **argv)
{
	int option;

	*o = (struct spp_options){ .home = "/var/qmail",
		.relayclient = "",
		.plugin_limit = PLUGIN_MS,
		.limit = SILENT_MS };
	opterr = 0;
	/* The server's own options are behind its name. */
	while ((option = getopt_long(argc, argv, "+hv", table, NULL)) != -1) {
		if (option == '?')
			usage("unknown option, or its value is missing: ",
			    argv[optind - 1]);
		take(o, option == 'h'   ? OPT_HELP
			: option == 'v' ? OPT_VERBOSE
					: option);
	}
	o->program = argv + optind;
	o->friends = has_friends(o->program);
	check(o);
	o->local_path = spp_in_home(o, o->local_domains);
	o->certificate_path = spp_in_home(o, o->certificate);
	o->key_path = spp_in_home(o, o->key ? o->key : o->certificate);
}
