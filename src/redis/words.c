/* SPDX-License-Identifier: ISC */
/*
 * words - see the header.
 */
#include "words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

void redis_add_bytes(struct redis_words *w, const char *text, size_t len)
{
	must(w->count < REDIS_ARGS_MAX);
	w->text[w->count] = text;
	w->lens[w->count++] = len;
}

void redis_add(struct redis_words *w, const char *text)
{
	redis_add_bytes(w, text, strlen(text));
}

void redis_add_number(struct redis_words *w, int64_t n)
{
	char *out = w->numbers[w->number_count++];

	must(w->number_count <= REDIS_NUMBERS_MAX);
	(void)snprintf(out, REDIS_NUMBER_SIZE, "%" PRId64, n);
	redis_add(w, out);
}

void redis_send(struct redis_link *l, int64_t blocks,
    const struct redis_words *w, redis_reply_fn *fn, void *ctx)
{
	redis_link_run(l, blocks, w->count, w->text, w->lens, fn, ctx);
}

const char *redis_name(
    const char *key, const char *what, char out[static REDIS_NAME_SIZE])
{
	(void)snprintf(out, REDIS_NAME_SIZE, "%s:%s", key, what);
	return out;
}

static size_t put_hex(char *out, size_t at, const void *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *byte = bytes;

	must(at + 2 * len < REDIS_NAME_SIZE);
	for (size_t i = 0; i < len; i++) {
		out[at++] = digits[byte[i] >> 4];
		out[at++] = digits[byte[i] & 0xf];
	}
	return at;
}

const char *redis_name_record(const char *key, const char *what,
    const char *node, const struct addr *addr, const char *user,
    size_t user_len, char out[static REDIS_NAME_SIZE])
{
	size_t n = (size_t)snprintf(
	    out, REDIS_NAME_SIZE, "%s:%s:%s:", key, what, node);

	n = put_hex(out, n, addr->bytes, sizeof(addr->bytes));
	n = put_hex(out, n, user, user_len);
	out[n] = '\0';
	return out;
}

bool redis_name_is_record(
    const char *key, const char *what, const char *name, size_t len)
{
	enum { NODE_DIGITS = 16, ADDR_DIGITS = 32 };
	static const char digits[] = "0123456789abcdef";
	char begin[REDIS_NAME_SIZE];
	size_t at = (size_t)snprintf(begin, sizeof(begin), "%s:%s:", key, what);
	size_t colon = at + NODE_DIGITS;

	if (len < colon + 1 + ADDR_DIGITS || len >= REDIS_NAME_SIZE ||
	    memcmp(name, begin, at) != 0 || name[colon] != ':' ||
	    (len - colon - 1) % 2 != 0 ||
	    len - colon - 1 > ADDR_DIGITS + 2 * LOGIN_USER_MAX)
		return false;
	for (size_t i = at; i < len; i++)
		if (i != colon && !memchr(digits, name[i], sizeof(digits) - 1))
			return false;
	return true;
}

bool redis_is_error(const struct redis_reply *reply, const char *word)
{
	size_t len = strlen(word);

	return reply->type == REDIS_ERROR && reply->len >= len &&
	       memcmp(reply->text, word, len) == 0 &&
	       (reply->len == len || reply->text[len] == ' ');
}

static bool has(const struct redis_reply *reply, const char *words)
{
	return memmem(reply->text, reply->len, words, strlen(words)) != NULL;
}

bool redis_is_wrong_set_up(const struct redis_reply *reply)
{
	static const char *const words[] = { "WRONGPASS", "NOAUTH", "NOPERM",
		"DENIED" };

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (redis_is_error(reply, words[i]))
			return true;
	/* AUTH's: no password is set, or it is a server without users. */
	return redis_is_error(reply, "ERR") &&
	       (has(reply, "unknown command") ||
		   has(reply, "wrong number of arguments") ||
		   has(reply, "without any password"));
}

const char *redis_grant(
    const char *user, const char *rights, char *out, size_t size)
{
	(void)snprintf(out, size,
	    "run on every server of the site: redis-cli ACL SETUSER %s %s, "
	    "then ACL SAVE",
	    *user ? user : "default", rights);
	return out;
}

/* What an ERROR of a Sentinel, or of a server, may come from; "": its words
 * say it. */
static const char *hint(const struct redis_reply *reply, bool by_sentinel)
{
	bool of_login = redis_is_error(reply, "WRONGPASS") ||
			redis_is_error(reply, "NOAUTH") ||
			has(reply, "'auth' command") ||
			has(reply, "without any password");

	if (by_sentinel && of_login)
		return "; see sentinel-password-file";
	if (by_sentinel && has(reply, "unknown command"))
		return "; is this a Redis server and no Sentinel?";
	if (of_login)
		return "; see user, password-file; or is this a Sentinel's "
		       "port?";
	return has(reply, "unknown command") ? "; is this a Sentinel's port?"
					     : "";
}

const char *redis_refusal(const struct redis_reply *reply, bool by_sentinel,
    const char *user, char *out, size_t size)
{
	enum { ROOM = 160 }; /* for the server's words */
	char words[ROOM];

	if (redis_is_error(reply, "NOPERM") && !by_sentinel)
		return redis_grant(user, "+role", out, size);
	/* Its own words are a page long. */
	if (redis_is_error(reply, "DENIED")) {
		(void)snprintf(out, size,
		    "it is in protected mode: it takes no connection from "
		    "another machine while its user default has no password; "
		    "run there: %s",
		    by_sentinel ? "redis-cli -p 26379 CONFIG SET requirepass "
				  "SECRET; here see sentinel-password-file"
				: "redis-cli CONFIG SET requirepass SECRET, "
				  "and the same in redis.conf");
		return out;
	}
	(void)log_words(reply->text, reply->len, words, sizeof(words));
	(void)snprintf(out, size, "%s%s", words, hint(reply, by_sentinel));
	return out;
}

const char *redis_error(const struct redis_reply *reply, char *out, size_t size)
{
	size_t len;

	(void)log_words(reply->text, reply->len, out, size);
	len = strlen(out);
	if (redis_is_error(reply, "NOPERM"))
		(void)snprintf(out + len, size - len,
		    "; relaypassd -t prints the command that gives the right");
	return out;
}

bool redis_is_text(const struct redis_reply *reply, const char *text)
{
	return reply->type == REDIS_TEXT && reply->len == strlen(text) &&
	       memcmp(reply->text, text, reply->len) == 0;
}
