/* SPDX-License-Identifier: ISC */
/*
 * relay-ctrl-env - what the programs relay-ctrl-* take from their environment,
 * and how they go on to the next program of the chain.
 * Called by: relay-ctrl.c, relay-ctrl-net.c.
 */
#ifndef CMD_RELAY_CTRL_ENV_H
#define CMD_RELAY_CTRL_ENV_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* The exit codes of relay-ctrl 3.2. */
enum { CTRL_EXIT_USAGE = 1, CTRL_EXIT_FAILED = 111 };

enum { CTRL_NAMES_MAX = 16 };

/* One of these programs: the name it was called by. */
struct ctrl_program {
	const char *name, *usage;
	int (*run)(char **argv);
	bool wants_program;
};
/* The one that argv[0] names, or argv[1] behind another name; *argv_r is then
 * where its own arguments begin, with its name before them. NULL: none. */
const struct ctrl_program *ctrl_find(
    const struct ctrl_program *programs, char **argv, char ***argv_r);
/* Runs it, or says how it is used. table ends with a row without name. */
int ctrl_main(const struct ctrl_program *programs, char **argv);

/* "relay-ctrl-allow: TEXT" on stderr, escaped, one line. */
void ctrl_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A positive number up to max, or `otherwise` when it is unset or no such
 * number. */
int64_t ctrl_number(const char *name, int64_t otherwise, int64_t max);
/* Set and not empty, or NULL. */
const char *ctrl_text(const char *name);

/*
 * TCPREMOTEIP as an address. False: there is none (said on stderr), or this is
 * Courier (AUTHUSER and AUTHARGV0) and nobody has logged in (not said).
 */
bool ctrl_client(struct addr *out);
bool ctrl_courier_waits(void);

/* USER, DOMAIN and the names of RELAY_CTRL_ENV; borrowed. */
struct ctrl_names {
	char text[256];
	const char *names[CTRL_NAMES_MAX];
	size_t count;
};
void ctrl_names(struct ctrl_names *out);

/* Becomes the program; returns CTRL_EXIT_FAILED, said on stderr, when it
 * cannot. argv[0] NULL: 0. */
int ctrl_exec(char **argv);
#endif
