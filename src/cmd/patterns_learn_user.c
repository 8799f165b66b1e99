/* SPDX-License-Identifier: ISC */
/*
 * patterns_learn_user - who logged in, by a line: the user whom the postmaster
 * names, or what stands behind the word user, or the one name with an @. Called
 * by patterns_learn_line.c.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "cli.h"
#include "patterns_learn_private.h"

static int bad(const struct learn_line *l, struct err *err, const char *text)
{
	return err_set(err, EXIT_NO, "line %d: %s", l->number, text);
}

/* Bytes that words hold inside, besides letters and digits. */
static bool is_inner_mark(char c)
{
	return c && strchr("._@/+%&*!?#$~^-", c);
}

bool learn_is_core(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c > 0x7f;
}

bool learn_is_word_char(char c)
{
	return learn_is_core(c) || is_inner_mark(c);
}

enum { LABELS = 3 };

/* Does the word user stand right before this place, with a bracket or quote
 * between perhaps? 2: "user=", "username: <"; 1: "user "; 0: no. */
static int label_of(const char *msg, size_t at)
{
	size_t n = at;
	int label = 1;

	while (n && strchr("\"'<[( ", msg[n - 1]))
		n--;
	if (n && (msg[n - 1] == '=' || msg[n - 1] == ':')) {
		label = 2;
		n--;
	}
	if (n >= 4 && !strncasecmp(msg + n - 4, "name", 4))
		n -= 4;
	n -= n && msg[n - 1] == '_';
	if (n < 4 || strncasecmp(msg + n - 4, "user", 4) != 0 ||
	    (n > 4 && isalpha((unsigned char)msg[n - 5])))
		return 0;
	return label;
}

/* Where a text stands as a word, by its label. */
struct places {
	size_t count[LABELS];
	struct span last[LABELS];
};

static struct places places_of(
    const struct header *h, const char *text, size_t len)
{
	struct places found = { 0 };

	for (size_t i = 0; len && i + len <= h->msg_len; i++) {
		const char *p = h->msg + i;
		int label;

		if (memcmp(p, text, len) != 0 ||
		    (i && learn_is_word_char(p[-1]) &&
			learn_is_word_char(*p)) ||
		    (i + len < h->msg_len && learn_is_word_char(p[len]) &&
			learn_is_word_char(p[len - 1])))
			continue;
		label = label_of(h->msg, i);
		found.count[label]++;
		found.last[label] = (struct span){ i, len };
	}
	return found;
}

/* One of the users that the postmaster names. Of several places the one with
 * the best label counts. 1: found; 0: not there; -1: which one? */
static int find_hinted(const struct learn_line *l, const char *user, size_t len,
    struct span *out, struct err *err)
{
	struct places found = places_of(&l->head, user, len);
	char name[EXCERPT_SIZE];
	int label = LABELS - 1;

	while (label && !found.count[label])
		label--;
	if (!found.count[label])
		return 0;
	*out = found.last[label];
	if (found.count[label] == 1)
		return 1;
	return err_set(err, EXIT_NO,
	    "line %d: \"%s\" stands in %zu places, and which is the user's "
	    "cannot be told; give a line of a user whose name is no other word",
	    l->number, cli_safe(user, len, name, sizeof(name)),
	    found.count[label]);
}

static bool overlap(const struct span *a, const struct span *b)
{
	return a->at < b->at + b->len && b->at < a->at + a->len;
}

static int find_listed(const struct learn_line *l,
    const struct line_hints *hints, struct span *out, struct err *err)
{
	char name[EXCERPT_SIZE];
	bool found = false;

	for (const char *p = hints->user; *p;) {
		size_t n = hints->exact ? strlen(p) : strcspn(p, ",");
		struct span place;
		int got = find_hinted(l, p, n, &place, err);

		if (got < 0)
			return -1;
		if (got && found && !overlap(&place, out))
			return bad(l, err,
			    "holds two of the users of --user; say which it is "
			    "about in front of it: sample login user=NAME | "
			    "LINE");
		/* Of "al" and "al.bert" the longer one is meant. */
		if (got && (!found || place.len > out->len))
			*out = place;
		found = found || got;
		p += n + (p[n] == ',');
	}
	if (found)
		return 0;
	return err_set(err, EXIT_NO,
	    "line %d: does not hold the user \"%s\" as a word of its own",
	    l->number,
	    cli_safe(hints->user, strlen(hints->user), name, sizeof(name)));
}

size_t learn_value_length(const char *msg, size_t at, size_t len)
{
	static const char opens[] = "\"'<[(", closes[] = "\"'>])";
	const char *open = at ? strchr(opens, msg[at - 1]) : NULL;
	size_t n = 0;

	if (open && *open) {
		const char *end =
		    memchr(msg + at, closes[open - opens], len - at);
		return end ? (size_t)(end - msg) - at : 0;
	}
	while (at + n < len && !strchr(" ,;:\"'<>[]()|", msg[at + n]))
		n++;
	n -= n && msg[at + n - 1] == '.';
	return n;
}

/* Does a value begin here? Behind '=', ':' or what opens one; a blank alone is
 * no sign: "User logged in". */
static bool begins_value(const char *msg, size_t at)
{
	static const char signs[] = "=:\"'<[(";
	size_t n = at;

	if (strchr(" =:\"'<[(", msg[at]))
		return false;
	while (n && msg[n - 1] == ' ')
		n--;
	return n && strchr(signs, msg[n - 1]);
}

/* "user=al", "User: <al>", "user \"al\"". Returns how many there are. */
static size_t find_labelled(const struct header *h, struct span *out)
{
	size_t count = 0;

	for (size_t i = 1; i < h->msg_len; i++) {
		size_t n;

		if (!begins_value(h->msg, i) || !label_of(h->msg, i))
			continue;
		n = learn_value_length(h->msg, i, h->msg_len);
		if (!n)
			continue;
		*out = (struct span){ i, n };
		count++;
		i += n;
	}
	return count;
}

/* Words with an @ inside. */
static size_t find_mail_name(const struct header *h, struct span *out)
{
	size_t count = 0;

	for (size_t i = 0, n; i < h->msg_len; i += n + 1) {
		const char *p = h->msg + i, *at;

		for (n = 0; i + n < h->msg_len && learn_is_word_char(p[n]);)
			n++;
		while (n && !learn_is_core(p[n - 1]))
			n--;
		at = n ? memchr(p + 1, '@', n - 1) : NULL;
		if (!at || at == p + n - 1)
			continue;
		*out = (struct span){ i, n };
		count++;
	}
	return count;
}

int learn_find_user(const struct learn_line *l, const struct line_hints *hints,
    struct span *out, struct err *err)
{
	size_t count;

	if (hints->user)
		return find_listed(l, hints, out, err);
	count = find_labelled(&l->head, out);
	if (!count)
		count = find_mail_name(&l->head, out);
	if (count == 1)
		return 0;
	return bad(l, err,
	    count ? "more than one word may be the user; say which with --user "
		    "NAME (or --user NAME,NAME for several lines)"
		  : "no user= and no name with @ in it; say who logged in with "
		    "--user NAME (or --user NAME,NAME for several lines)");
}
