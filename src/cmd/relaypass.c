/* SPDX-License-Identifier: ISC */
/*
 * relaypass - the administrator's program: finds the verb and runs it. Each
 * verb is a file of its own and a line in verbs.def.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli.h"
#include "daemon/schema.h"
#include "verb.h"

#define VERB(name) extern const struct verb verb_##name;
#include "verbs.def"
#undef VERB

const struct verb *const verbs[] = {
#define VERB(name) &verb_##name,
#include "verbs.def"
#undef VERB
	NULL
};

static void print_usage(FILE *out)
{
	fputs("usage: relaypass [-c FILE] [--json] VERB [ARGUMENT]...\n\n"
	      "  -c FILE  configuration, default " DEFAULT_CONFIG "\n"
	      "  --json   one JSON object a line, where a verb has it\n\n",
	    out);
	for (const struct verb *const *v = verbs; *v; v++)
		fprintf(out, "  %-9s %s\n", (*v)->name, (*v)->help);
	fputs("\nrelaypass help VERB tells more. Exit codes: 0 yes, 1 no, "
	      "100 your mistake,\n111 try again, 101 our bug.\n",
	    out);
}

static const struct verb *find_verb(const char *name)
{
	for (const struct verb *const *v = verbs; *v; v++) {
		if (strcmp((*v)->name, name) == 0)
			return *v;
	}
	return NULL;
}

static int help(const char *name)
{
	const struct verb *verb = name ? find_verb(name) : NULL;

	if (name && !verb) {
		char shown[80];
		fprintf(stderr,
		    "relaypass: no such verb: \"%s\"; see relaypass help\n",
		    cli_safe(name, strlen(name), shown, sizeof(shown)));
		return EXIT_USER;
	}
	if (verb)
		printf("usage: relaypass [-c FILE] %s\n\n%s\n%s%s", verb->usage,
		    verb->help, verb->more ? verb->more : "",
		    verb->more ? "\n" : "");
	else
		print_usage(stdout);
	return EXIT_YES;
}

static bool is_help(const char *word)
{
	return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0;
}

/* Takes the option at argv[i], one of those before the verb. Returns how many
 * words it is; 0: it is none of ours. */
static int take_option(int i, char **argv, struct verb_env *env)
{
	if (strcmp(argv[i], "--json") == 0) {
		env->json = 1;
		return 1;
	}
	if (strncmp(argv[i], "-c", 2) != 0)
		return 0;
	const char *file = argv[i][2] ? argv[i] + 2 : argv[i + 1];
	if (!file)
		return 0;
	env->config = file;
	env->config_given = 1;
	return argv[i][2] ? 1 : 2;
}

int main(int argc, char **argv)
{
	struct verb_env env = { .config = DEFAULT_CONFIG };
	int i = 1;

	while (i < argc && argv[i][0] == '-') {
		int n = take_option(i, argv, &env);
		if (n == 0 && is_help(argv[i]))
			return help(NULL);
		if (n == 0 && strcmp(argv[i], "--version") == 0)
			argv[i] += 2; /* the verb of this name */
		if (n == 0)
			break;
		i += n;
	}
	if (i >= argc || argv[i][0] == '-') {
		print_usage(stderr);
		return EXIT_USER;
	}
	clock_init();
	if (strcmp(argv[i], "help") == 0)
		return help(argv[i + 1]);
	const struct verb *verb = find_verb(argv[i]);
	if (!verb)
		return help(argv[i]);
	if (i + 1 < argc && is_help(argv[i + 1]))
		return help(verb->name);
	return verb->run(&env, argc - i, argv + i);
}
