/* SPDX-License-Identifier: ISC */
/*
 * patterns_learn_line - one given line: its head, whose login it tells, and its
 * parts. Called by patterns_learn.c.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "cli.h"
#include "pattern/annotate.h"
#include "patterns_learn_private.h"
#include "scan_addr.h"
#include "scan_words.h"

enum { LIST_MAX = 32 };

static int bad(const struct learn_line *l, struct err *err, const char *text)
{
	return err_set(err, EXIT_NO, "line %d: %s", l->number, text);
}

/* --- the head ------------------------------------------------------------- */

static bool has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return true;
	return false;
}

/* Another service than POP3 and IMAP, by the program or by the process that the
 * message begins with; NULL. */
static const char *other_service(const struct header *h)
{
	const char *blank = memchr(h->msg, ' ', h->msg_len);
	const char *other = scan_words_other(h->tag, h->tag_len);

	return other ? other
		     : scan_words_other(h->msg,
			   blank ? (size_t)(blank - h->msg) : h->msg_len);
}

/* Who sent the line is for the source to say, not for an expression. */
static void cut_suffix(struct learn_line *l)
{
	struct header *h = &l->head;

	l->annotated = annotate_cut(h->msg, &h->msg_len, &l->uid);
	l->len = (size_t)(h->msg - l->text) + h->msg_len;
	l->text[l->len] = 0;
}

static int read_head(struct learn_line *l, struct err *err)
{
	struct header *h = &l->head;
	const char *other;

	if (has_control(l->text, l->len))
		return bad(l, err,
		    "holds a control byte; relaypass takes no "
		    "login from such a line");
	if (!header_parse(l->text, l->len, h) || h->stamp.kind == STAMP_NONE)
		return bad(l, err,
		    "begins with no time stamp that relaypass "
		    "knows; give whole lines, as they stand in "
		    "the log");
	if (h->place == HEADER_SYSLOG && !h->tag_len)
		return bad(l, err,
		    "names no program; without one nothing "
		    "proves who wrote it");
	cut_suffix(l);
	other = other_service(h);
	if (other)
		return err_set(err, EXIT_NO,
		    "line %d: is of another service (%s) than POP3 and IMAP, "
		    "whose logins make no lease",
		    l->number, other);
	return 0;
}

/* --- the user ------------------------------------------------------------- */

static int check_user(
    struct learn_line *l, const struct span *user, struct err *err)
{
	const char *text = l->head.msg + user->at;

	if (user->len > LOGIN_USER_MAX)
		return bad(l, err, "the user's name has more than 255 bytes");
	if (user->len == 9 && !strncasecmp(text, "anonymous", 9))
		return bad(
		    l, err, "the user is anonymous, which proves nobody");
	return 0;
}

/* --- the address ---------------------------------------------------------- */

static bool is_hinted(const char *list, const struct addr *addr)
{
	struct addr a;

	for (size_t n; *list; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		if (addr_parse(list, n, &a) && addr_equal(&a, addr))
			return true;
	}
	return false;
}

/* All addresses outside of the user's name. Returns how many there are. */
static size_t find_addresses(
    const struct header *h, const struct span *user, struct addr_place *out)
{
	AUTO_FREE char *text = xmalloc(h->msg_len + 1);
	size_t count = 0, from = 0;

	memcpy(text, h->msg, h->msg_len);
	memset(text + user->at, '"', user->len);
	while (count < LIST_MAX &&
	       scan_addr_next(text, h->msg_len, from, &out[count])) {
		from = out[count].at + out[count].len;
		count++;
	}
	return count;
}

static int choose_address(struct learn_line *l, const char *hint,
    const struct addr_place *all, size_t count, size_t *client, struct err *err)
{
	size_t fit = 0;

	for (size_t i = 0; i < count; i++) {
		if (hint && !is_hinted(hint, &all[i].addr))
			continue;
		*client = i;
		fit++;
	}
	if (fit == 1)
		return 0;
	if (!count)
		return bad(l, err,
		    "holds no address. If the server names it in another line, "
		    "write the file by hand, with `connect` and `join`: "
		    "relaypass-patterns(5)");
	if (!fit)
		return bad(l, err, "does not hold that address (--ip)");
	return err_set(err, EXIT_NO,
	    hint ? "line %d: the address stands in %zu places, and which of "
		   "them the server vouches for cannot be told; give a line "
		   "where they differ"
		 : "line %d: holds %zu addresses; say which is the client's "
		   "with "
		   "--ip ADDRESS (or --ip ADDRESS,ADDRESS for several lines)",
	    l->number, fit);
}

/* --- the parts ------------------------------------------------------------ */

static void add_part(
    struct learn_line *l, enum part_kind kind, size_t at, size_t len)
{
	if (!len)
		return;
	l->parts.at =
	    xrealloc(l->parts.at, l->parts.n + 1, sizeof(*l->parts.at));
	l->parts.at[l->parts.n++] =
	    (struct part){ kind, l->head.msg + at, len };
}

/* How long what stands in brackets or quotes is, if that is no more than a
 * word, whatever its marks: "<a+b/c=>" is a session's name. 0: nothing of the
 * kind. */
static size_t in_brackets(const char *msg, size_t at, size_t to)
{
	size_t n = at && strchr("\"'<[(", msg[at - 1])
		       ? learn_value_length(msg, at, to)
		       : 0;

	for (size_t i = 0; i < n; i++)
		if (strchr(" \"'<[(>])", msg[at + i]))
			return 0;
	return n && learn_is_core(msg[at]) ? n : 0;
}

static size_t word_length(const char *msg, size_t at, size_t to)
{
	size_t n = in_brackets(msg, at, to);

	if (n || !learn_is_core(msg[at]))
		return n;
	while (at + n < to && learn_is_word_char(msg[at + n]))
		n++;
	while (!learn_is_core(msg[at + n - 1]))
		n--;
	return n;
}

/* What stands between two marked places: words, and marks between them. */
static void cut_words(struct learn_line *l, size_t from, size_t to)
{
	size_t text = from;

	for (size_t i = from; i < to;) {
		size_t n = word_length(l->head.msg, i, to);

		if (n) {
			add_part(l, PART_TEXT, text, i - text);
			add_part(l, PART_FIELD, i, n);
			text = i + n;
		}
		i += n ? n : 1;
	}
	add_part(l, PART_TEXT, text, to - text);
}

static void cut(struct learn_line *l, const struct span *user,
    const struct addr_place *all, size_t count, size_t client)
{
	size_t from = 0;
	bool user_done = false;

	for (size_t i = 0; i <= count; i++) {
		size_t at = i < count ? all[i].at : l->head.msg_len;

		if (!user_done && user->at < at) {
			cut_words(l, from, user->at);
			l->user = l->parts.n;
			add_part(l, PART_USER, user->at, user->len);
			from = user->at + user->len;
			user_done = true;
		}
		cut_words(l, from, at);
		if (i == count)
			return;
		if (i == client)
			l->ip = l->parts.n;
		add_part(l, i == client ? PART_IP : PART_ADDR, at, all[i].len);
		from = at + all[i].len;
	}
}

/* A login that failed must not become a pattern. */
static int check_words(
    struct learn_line *l, const struct span *user, struct err *err)
{
	AUTO_FREE char *text = xmalloc(l->head.msg_len + 1);
	const char *against;

	memcpy(text, l->head.msg, l->head.msg_len);
	memset(text + user->at, ' ', user->len);
	against = scan_words_against(text, l->head.msg_len);
	if (!against)
		return 0;
	return err_set(err, EXIT_NO,
	    "line %d: says \"%.*s\"; give only lines of logins that succeeded",
	    l->number, (int)strcspn(against, "*"), against);
}

/* Some servers write the logins of all their services with the same words. */
static int check_service(struct learn_line *l, struct err *err)
{
	static const char *const words[] = { "smtp", "smtps", "esmtp",
		"submission", "submissions", "sieve", "managesieve", "lmtp" };

	for (size_t i = 0; i < l->parts.n; i++) {
		const struct part *p = &l->parts.at[i];

		for (size_t w = 0; w < COUNT_OF(words); w++)
			if (p->kind == PART_FIELD &&
			    p->len == strlen(words[w]) &&
			    !strncasecmp(p->at, words[w], p->len))
				return err_set(err, EXIT_NO,
				    "line %d: is a login by %s, not by POP3 or "
				    "IMAP; such logins make no lease",
				    l->number, words[w]);
	}
	return 0;
}

int learn_line_read(
    struct learn_line *l, const struct line_hints *hints, struct err *err)
{
	struct addr_place all[LIST_MAX];
	struct span user = { 0 };
	size_t count, client = 0;

	if (read_head(l, err) < 0 ||
	    learn_find_user(l, hints, &user, err) < 0 ||
	    check_user(l, &user, err) < 0 || check_words(l, &user, err) < 0)
		return -1;
	count = find_addresses(&l->head, &user, all);
	if (choose_address(l, hints->ip, all, count, &client, err) < 0)
		return -1;
	l->addr = all[client].addr;
	cut(l, &user, all, count, client);
	return check_service(l, err);
}

void learn_line_free(struct learn_line *l)
{
	free(l->text);
	free(l->parts.at);
}

char *learn_line_with(
    const struct learn_line *l, size_t part, const char *text, size_t len)
{
	const struct part *p = &l->parts.at[part];
	size_t before = (size_t)(p->at - l->text);
	size_t behind = l->len - before - p->len;
	char *out = xmalloc(before + len + behind + 1);

	memcpy(out, l->text, before);
	memcpy(out + before, text, len);
	memcpy(out + before + len, p->at + p->len, behind);
	out[before + len + behind] = 0;
	return out;
}
