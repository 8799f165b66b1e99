/* SPDX-License-Identifier: ISC */
/*
 * cli - what the verbs share: options, the configuration, sockets, and output
 * that no stranger's bytes can turn against a terminal.
 */
#ifndef CMD_CLI_H
#define CMD_CLI_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "client.h"
#include "verb.h"

enum {
	CLI_PATIENCE_MS = 10000, /* a verb waits so long for each answer */
	CLI_SPAN_SIZE = 24
};

/* --- options -------------------------------------------------------------- */

/* One option of a verb; ends with a row without name. Exactly one of the last
 * two is set. */
struct cli_option {
	const char *name; /* "user" for --user U, --user=U */
	char letter;      /* 's' for -s; 0: none */
	const char **value;
	bool *flag;
};
/*
 * Takes the options of argv[1..] in any order and leaves the operands in rest
 * (most of them at the most). Returns how many, or -1 when *why says what is
 * wrong. "--" ends the options.
 */
int cli_options(int argc, char **argv, const struct cli_option *options,
    const char **rest, int most, struct err *why);

/* --- errors, text --------------------------------------------------------- */

/* Prints "relaypass: TEXT" and returns the exit code that fits. */
int cli_fail(const struct err *err);
/* The same for the user's mistake, with the verb's usage line behind. */
int cli_usage(const struct verb *verb, const struct err *why);
/* Copies text with everything but printable ASCII as \xHH, cut with "..." to
 * fit. Returns out. */
const char *cli_safe(const char *text, size_t len, char *out, size_t size);
/* "29m12s", "1h02m", "3d04h". Returns out. */
const char *cli_span(int64_t seconds, char out[static CLI_SPAN_SIZE]);
/* The exit code of the word of a verdict; of any other it is "cannot tell". */
int cli_verdict(const char *word);
/* Flushes stdout; EXIT_AGAIN with a message when it cannot be written, else
 * code. */
int cli_done(int code);

/* --- configuration, sockets ----------------------------------------------- */

/* The configuration, or the defaults when there is no file and none was asked
 * for. NULL and *err. */
struct conf;
struct conf *cli_conf(const struct verb_env *env, struct err *err);
/* Where the control socket is: `socket` when given, else by configuration. */
int cli_control_at(const struct verb_env *env, const char *socket,
    struct endpoint *out, struct err *err);
/* The first listener of kind ask, likewise. */
int cli_ask_at(const struct verb_env *env, const char *socket,
    struct endpoint *out, struct err *err);
/* Connects to the control socket, asks one line, closes. As client_ask(). */
int cli_ask_control(const struct verb_env *env, const char *socket,
    const char *line, size_t len, client_row_fn *fn, void *ctx,
    struct reply *last, struct err *err);

/* --- requests ------------------------------------------------------------- */

/* A request line: begin with the verb, add pairs, look at err once. */
struct request {
	char line[CLIENT_LINE_MAX];
	size_t used;
	struct err err; /* code != 0: something did not fit */
};
void request_begin(struct request *r, const char *verb);
/* NULL value: nothing is added. */
void request_put(struct request *r, const char *key, const char *value);
/* An address, checked and in canonical form; key NULL: a bare word. */
void request_put_addr(struct request *r, const char *key, const char *text);
/* A user; at most LOGIN_USER_MAX bytes. */
void request_put_user(struct request *r, const char *text);
/* A duration as written, sent as seconds. */
void request_put_duration(struct request *r, const char *key, const char *text);
#endif
