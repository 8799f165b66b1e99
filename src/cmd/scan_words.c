/* SPDX-License-Identifier: ISC */
/*
 * scan_words - see the header. Called by scan_near.c for every line that is no
 * login when somebody looks on, and by patterns_learn.c.
 */
#include "scan_words.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

enum { LOOK_AT = 1023 /* bytes of a message; the words come early */ };

/* Lower case, each a whole word or, with '*' behind, the beginning of one. */
static const char *const good[] = { "login", "logged in", "logged on", "log on",
	"log in", "logon", "signed in", "authenticated", "authentication pass*",
	"authentication succe*", "authentication ok", "auth succe*", "auth ok",
	"authorized", "authorised", "pass", "passed" };

static const char *const against[] = { "fail*", "abort*", "invalid",
	"incorrect", "denied", "disconnect*", "badlogin", "reject*", "error",
	"unknown user", "no such user", "too many", "not", "refused", "logout",
	"logged out", "timeout", "timed out", "closed", "unsuccessful", "wrong",
	"attempt*", "cannot", "unable", "blocked", "disabled", "spf", "dkim",
	"dmarc", "greylist*" };

/* What else has logins, or writes such words. */
static const char *const others[] = { "smtp", "sieve", "lmtp", "submission",
	"postfix", "exim", "sendmail", "sm-mta", "webmail", "roundcube", "http",
	"ssh", "ftp", "sudo", "cron", "systemd", "policyd", "rspamd", "spamd",
	"milter", "dkim", "dmarc" };

/* Without a branch, so that it is done many bytes at a time. */
static size_t lower_case(const char *text, size_t len, char *out)
{
	len = len < LOOK_AT ? len : LOOK_AT;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		c = (unsigned char)(c + ((c >= 'A' && c <= 'Z') ? 32 : 0));
		out[i] = (char)(c ? c : ' ');
	}
	out[len] = 0;
	return len;
}

static bool is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

/* Has the text this word, with no part of another word around it? */
static bool has_word(const char *text, const char *word)
{
	size_t n = strcspn(word, "*");
	char stem[32];

	must(n < sizeof(stem));
	memcpy(stem, word, n);
	stem[n] = 0;
	for (const char *p = text; (p = strstr(p, stem)); p++) {
		char before = p > text ? p[-1] : ' ';

		if (is_letter(before) || before == '_' ||
		    (before >= '0' && before <= '9'))
			continue;
		if (word[n] == '*' || !is_letter(p[n]))
			return true;
	}
	return false;
}

static const char *first_of(
    const char *const *words, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (has_word(text, words[i]))
			return words[i];
	return NULL;
}

/* Sixteen bytes, compared at once. */
typedef unsigned char vector __attribute__((vector_size(16)));

static vector lower_at(const char *p)
{
	vector v;

	memcpy(&v, p, sizeof(v));
	return v | 0x20;
}

/* Does one of 16 places begin with three letters that all good words have one
 * of: log, auth, pass, signed? */
static bool has_stem(const char *p)
{
	vector a = lower_at(p), b = lower_at(p + 1), c = lower_at(p + 2);
	vector hit = (vector)((a == 'l') & (b == 'o') & (c == 'g')) |
		     (vector)((a == 'u') & (b == 't') & (c == 'h')) |
		     (vector)((a == 'a') & (b == 's') & (c == 's')) |
		     (vector)((a == 'g') & (b == 'n') & (c == 'e'));
	uint64_t w[2];

	memcpy(w, &hit, sizeof(w));
	return (w[0] | w[1]) != 0;
}

/* Few lines are: this decides how long a postmaster waits. */
static bool is_worth_a_look(const char *text, size_t len)
{
	enum { REACH = sizeof(vector) + 2 };
	size_t i = 0;

	if (len < REACH)
		return true;
	for (; i + REACH <= len; i += sizeof(vector))
		if (has_stem(text + i))
			return true;
	/* The last step looks at some bytes again. */
	return has_stem(text + len - REACH);
}

bool scan_words_login(const char *text, size_t len)
{
	char lower[LOOK_AT + 1];

	if (!is_worth_a_look(text, len))
		return false;
	lower_case(text, len, lower);
	return first_of(good, COUNT_OF(good), lower) &&
	       !first_of(against, COUNT_OF(against), lower);
}

const char *scan_words_against(const char *text, size_t len)
{
	char lower[LOOK_AT + 1];

	lower_case(text, len, lower);
	return first_of(against, COUNT_OF(against), lower);
}

const char *scan_words_other(const char *name, size_t len)
{
	char lower[LOOK_AT + 1];

	lower_case(name, len, lower);
	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (strstr(lower, others[i]))
			return others[i];
	return NULL;
}
