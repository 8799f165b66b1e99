/* SPDX-License-Identifier: ISC */
/*
 * words - one command, word by word, and the names of our keys. Called by: the
 * kinds.
 */
#ifndef REDIS_WORDS_H
#define REDIS_WORDS_H
#include "base/addr.h"
#include "link.h"
#include "login/login.h"

enum {
	REDIS_NUMBERS_MAX = 4,
	REDIS_NUMBER_SIZE = 24,
	/* KEY ":revoke:" NODE ":" address and user, in hex. */
	REDIS_NAME_SIZE = REDIS_KEY_MAX + 32 + 2 * (16 + LOGIN_USER_MAX)
};

struct redis_words {
	size_t count, number_count;
	const char *text[REDIS_ARGS_MAX]; /* borrowed until it is sent */
	size_t lens[REDIS_ARGS_MAX];
	char numbers[REDIS_NUMBERS_MAX][REDIS_NUMBER_SIZE];
};

void redis_add(struct redis_words *w, const char *text);
void redis_add_bytes(struct redis_words *w, const char *text, size_t len);
void redis_add_number(struct redis_words *w, int64_t n);
/* See redis_link_run(). */
void redis_send(struct redis_link *l, int64_t blocks,
    const struct redis_words *w, redis_reply_fn *fn, void *ctx);

/* "relaypass:changes"; returns out. */
const char *redis_name(
    const char *key, const char *what, char out[static REDIS_NAME_SIZE]);
/* "relaypass:lease:NODE:HEX"; returns out. */
const char *redis_name_record(const char *key, const char *what,
    const char *node, const struct addr *addr, const char *user,
    size_t user_len, char out[static REDIS_NAME_SIZE]);
/* Whether that is such a name below this key, whoever the node is. */
bool redis_name_is_record(
    const char *key, const char *what, const char *name, size_t len);

/* Why a server, or a Sentinel, does not let us in: its words and what mends
 * that, printable; returns out. user: of the server's ACL. */
const char *redis_refusal(const struct redis_reply *reply, bool by_sentinel,
    const char *user, char *out, size_t size);
/* The command that gives a user of the ACL these rights; returns out. */
const char *redis_grant(
    const char *user, const char *rights, char *out, size_t size);
/* An ERROR's own words, and what to do about a right that is missing;
 * printable; returns out. */
const char *redis_error(
    const struct redis_reply *reply, char *out, size_t size);
/* Whether an ERROR's first word is this. */
bool redis_is_error(const struct redis_reply *reply, const char *word);
/* Whether it is an ERROR that only the server's administrator, or ours, can
 * mend: of AUTH, a right that is missing, or what is no such server. All others
 * may go by. */
bool redis_is_wrong_set_up(const struct redis_reply *reply);
/* Whether a reply is just this text. */
bool redis_is_text(const struct redis_reply *reply, const char *text);
#endif
