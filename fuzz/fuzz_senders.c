/* SPDX-License-Identifier: ISC */
/*
 * fuzz_senders - any text as a map of senders, its first line as a sender and a
 * user. Whoever is allowed stands in the text as a word, and the sender, its
 * domain or its local part begins a line there.
 */
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "decide/senders.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char domain[] = "example.net";

static bool is_gap(char c)
{
	return strchr(" \t,\r\n", c) && c;
}

/* Whether the word stands there, at the beginning of a line if `first`. */
static bool has_word(
    const char *text, size_t len, const char *word, size_t word_len, bool first)
{
	if (word_len == 0)
		return false;
	for (size_t i = 0; i + word_len <= len; i++) {
		bool begins = i == 0 || (first ? text[i - 1] == '\n'
					       : is_gap(text[i - 1]));
		bool ends = i + word_len == len || is_gap(text[i + word_len]);

		if (begins && ends &&
		    strncasecmp(text + i, word, word_len) == 0)
			return true;
	}
	return false;
}

static void check(const char *text, size_t len, const char *sender,
    size_t sender_len, const char *user, size_t user_len)
{
	const char *at = memrchr(sender, '@', sender_len);
	const char *user_at = memrchr(user, '@', user_len);
	char whole[600];

	must(at && at + 1 < sender + sender_len && user_len > 0);
	must(
	    has_word(text, len, sender, sender_len, true) ||
	    has_word(text, len, at, (size_t)(sender + sender_len - at), true) ||
	    has_word(text, len, sender, (size_t)(at - sender), true));
	if (has_word(text, len, user, user_len, false))
		return;
	/* With the domain where it has none, or without. */
	must(user_len + sizeof(domain) < sizeof(whole));
	memcpy(whole, user, user_len);
	whole[user_len] = '@';
	memcpy(whole + user_len + 1, domain, sizeof(domain));
	must((!user_at && has_word(text, len, whole, user_len + sizeof(domain),
			      false)) ||
	     (user_at &&
		 has_word(text, len, user, (size_t)(user_at - user), false)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *in = (const char *)data;
	const char *lf = memchr(in, '\n', size);
	size_t head = lf ? (size_t)(lf - in) : size;
	const char *gap = memchr(in, ' ', head);
	size_t sender_len = gap ? (size_t)(gap - in) : head;
	size_t user_len = gap ? head - sender_len - 1 : 0;
	const char *user = gap ? gap + 1 : "";
	const char *text = lf ? lf + 1 : in + size;
	size_t len = (size_t)(in + size - text);
	struct err err = { 0 };
	struct senders *s;

	if (user_len > 500)
		return 0;
	s = senders_parse(text, len, "map", &err);
	if (!s) {
		must(err.code == EXIT_USER && err.text[0]);
		return 0;
	}
	must(senders_count(s) <= len);
	if (senders_allow(s, in, sender_len, user, user_len, domain))
		check(text, len, in, sender_len, user, user_len);
	senders_free(&s);
	return 0;
}
