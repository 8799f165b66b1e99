/* SPDX-License-Identifier: ISC */
/*
 * verb - one `relaypass` verb: one file, one line in verbs.def.
 * verb_NAME is defined in NAME.c. argv[0] is the verb's own name.
 */
#ifndef CMD_VERB_H
#define CMD_VERB_H

struct verb_env {
	const char *config; /* -c FILE, or the default path */
	int config_given;   /* -c was there */
	int json;           /* --json before the verb */
};

struct verb {
	const char *name;
	const char *usage; /* "list [--json] [ADDR]" */
	const char *help;  /* one sentence */
	const char *more;  /* lines that only `help VERB` prints, or NULL */
	/* Returns the exit code (enum exit_code). */
	int (*run)(const struct verb_env *env, int argc, char **argv);
};

extern const struct verb *const verbs[]; /* ends with NULL */
#endif
