/* SPDX-License-Identifier: ISC */
/*
 * dropin - what the programs share that carry a predecessor's name and options:
 * each makes a configuration, and starts the relaypassd installed beside it.
 * Called by: rpc_dracd.c and its kind.  Not here: what their options mean.
 */
#ifndef CMD_DROPIN_H
#define CMD_DROPIN_H
#include <stdbool.h>
#include <stdio.h>

struct conf;

struct dropin {
	const char *name;   /* the predecessor's, as messages begin */
	const char *config; /* where the generated configuration goes */
	/* The predecessor's exit codes: for whatever fails, and for a store
	 * that cannot be opened or belongs to another process. */
	int failed, store;
};

/* "name: what: the text of errno" on standard error, and what helps when only
 * root may do that. Returns d->failed. */
int dropin_fail(const struct dropin *d, const char *what);
/* One sentence, no line end, on standard error and as a warning in the mail
 * log: what the administrator must know though the program goes on. */
void dropin_tell(const struct dropin *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A count of minutes, from 1 to a year; false: it is none. */
bool dropin_minutes(const char *text, long *out);
/* The same of an option's argument; tells what is wrong. */
bool dropin_minutes_option(const struct dropin *d, const char *text, long *out);
/* True: "-h" or "--help" is all there is, and usage is printed. */
bool dropin_help(int argc, char **argv, const char *usage);

/* text as a value of a configuration, quotes around it. Control characters go
 * through: relaypassd refuses them. */
void dropin_quote(FILE *out, const char *text);
/* An option of a section, on a line of its own. */
void dropin_put(FILE *out, const char *name, const char *value);
/* Puts text into d->config as a new file of ours, mode 0644, and never into a
 * file or through a link that is there. 0 or d->failed. */
int dropin_write(const struct dropin *d, const char *text);

/* The ledger's directory when the configuration does not name one; borrowed
 * from *conf, to be released with conf_free(). */
const char *dropin_ledger(struct conf **conf);
/* Runs relaypassd with d->config until it serves in the background or has
 * failed. 0, d->store or d->failed. */
int dropin_start(const struct dropin *d);
/* Becomes relaypassd with d->config, in the foreground. Returns d->failed, or
 * not at all. */
int dropin_become(const struct dropin *d);
#endif
