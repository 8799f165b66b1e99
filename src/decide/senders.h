/* SPDX-License-Identifier: ISC */
/*
 * senders - which users may write under which sender address: the file behind
 * `require-sender = "map FILE"`, in the text form of Postfix'
 * smtpd_sender_login_maps. Called by: decide.c, listener/, fuzz.
 *
 *	# remarks, and empty lines
 *	jo@example.org      jo, jo.smith@example.net
 *	@example.org        boss
 *	    secretary       (a line that begins with a blank goes on)
 */
#ifndef DECIDE_SENDERS_H
#define DECIDE_SENDERS_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum {
	SENDERS_BYTES_MAX = 16 * 1024 * 1024,
	SENDERS_LINE_MAX = 65536 /* with what it goes on with */
};

struct senders;

/*
 * Reads the text of a map. NULL and *err (EXIT_USER: "FILE, line N: what is
 * wrong") on a key without users, one that stands twice, control bytes, or too
 * much of anything; a map that is half understood would be half a rule. Pure.
 */
struct senders *senders_parse(
    const char *text, size_t len, const char *file, struct err *err);
/* The same from a regular file of root or ours that nobody else may write. */
struct senders *senders_read(const char *path, struct err *err);
void senders_free(struct senders **s);
size_t senders_count(const struct senders *s); /* keys */

/*
 * Whether the user of a lease may write as sender. The whole address is looked
 * for, then its local part when its domain is `domain`, then "@domain": the
 * first that is there decides. Bare login names are completed with `domain` (""
 * or NULL: none). An empty sender or user: false.
 */
bool senders_allow(const struct senders *s, const char *sender,
    size_t sender_len, const char *user, size_t user_len, const char *domain);
#endif
