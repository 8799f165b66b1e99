/* SPDX-License-Identifier: ISC */
/* judge - what the matcher says of a line, held against what is true. */
#include <stdio.h>
#include <string.h>

#include "pattern/pattern.h"
#include "print.h"

enum { SKEW = 300000, SHOWN = 4, LIMIT = 960 };

static void show(const struct test *t, const char *what, const char *p,
    size_t n, const struct line *truth, const struct login *l)
{
	char text[ADDR_TEXT_SIZE];

	(void)fprintf(
	    stderr, "%s %zu %zu: %s", t->server->name, t->row, t->line, what);
	if (l) {
		addr_print(&l->addr, text);
		(void)fprintf(stderr, " %s as ", text);
		text_show(l->user, l->user_len);
		(void)fprintf(stderr, " by %s", l->server);
	}
	(void)fprintf(stderr, ", true is %s\n    ",
	    truth->login ? truth->client_text : "none");
	text_show(p, n);
	(void)fputc('\n', stderr);
}

static void complain(const struct test *t, size_t *so_far, const char *what,
    const char *p, size_t n, const struct line *truth, const struct login *l)
{
	if (++*so_far <= SHOWN)
		show(t, what, p, n, truth, l);
}

/* As it stands in the line; of CSV, what is between the quotes. */
static bool is_user(const struct line *truth, const struct login *l)
{
	const char *p = truth->text.at + truth->user;
	size_t n = truth->user_len;

	if (n > 2 && n == l->user_len + 2U && *p == '"') {
		p++;
		n -= 2;
	}
	return l->user_len == n && !memcmp(l->user, p, n);
}

/* A name that somebody may have. */
static bool is_ordinary(const struct login *l)
{
	return strspn(l->user,
		   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		   "0123456789._-+@") == l->user_len;
}

static bool is_client(const struct line *truth, const struct login *l)
{
	return truth->login && addr_equal(&truth->client, &l->addr);
}

static bool is_truth(const struct line *truth, const struct login *l)
{
	return is_client(truth, l) && is_user(truth, l) &&
	       truth->time / 1000 == l->time / 1000;
}

/* A line that ends in its address, or odd texts of somebody who did log in:
 * what is left of them may be a good line of its own. */
static bool is_left_of_truth(const struct line *truth, const struct login *l)
{
	char text[ADDR_TEXT_SIZE];
	size_t n = addr_print(&l->addr, text);

	if (l->user_len > truth->user_len ||
	    memcmp(l->user, truth->text.at + truth->user, l->user_len) != 0)
		return false;
	return !truth->ordinary || addr_equal(&truth->client, &l->addr) ||
	       (truth->open && !strncmp(text, truth->client_text, n));
}

/*
 * Nobody can tell a cut line from a whole one when every byte is as it would
 * be. But where syslog and servers cut long lines, the length of a name decides
 * what is lost, and a stranger who fails to log in chooses that: so it must not
 * happen to a failure as long as the shortest limit in use, 1024 bytes with
 * what syslog adds.
 */
static bool is_undecidable(const struct server *s, const char *p, size_t n,
    const struct line *truth, const struct login *l)
{
	if (truth->proved && is_left_of_truth(truth, l))
		return true;
	return (truth->proved || n < LIMIT) && n > truth->msg &&
	       line_is_genuine(s, p + truth->msg, n - truth->msg, l);
}

enum outcome { RIGHT, MISNAMED, UNDECIDABLE, WRONG };

/* Where odd texts stand side by side, one of them may count as part of the
 * name: then it should be a name that nobody has. */
static enum outcome name_of(const struct login *l)
{
	return is_ordinary(l) ? MISNAMED : RIGHT;
}

static enum outcome judge_grant(const struct server *s, const char *p, size_t n,
    enum shape shape, const struct line *truth, const struct line *second,
    const struct login *l)
{
	if (is_truth(truth, l) || (second && is_truth(second, l)))
		return RIGHT;
	if (shape == WHOLE && !truth->ordinary && is_client(truth, l))
		return name_of(l);
	if (second && !second->ordinary && is_client(second, l) &&
	    memmem(second->text.at, second->text.len, l->user, l->user_len))
		return name_of(l);
	if (shape == CUT && is_undecidable(s, p, n, truth, l))
		return UNDECIDABLE;
	return WRONG;
}

static void count_grant(struct test *t, const char *p, size_t n,
    enum outcome outcome, const struct line *truth, const struct login *l)
{
	t->counts->misnamed += outcome == MISNAMED;
	t->counts->undecidable += outcome == UNDECIDABLE;
	t->counts->others += outcome == RIGHT;
	if (outcome == WRONG)
		complain(t, &t->counts->wrong, "GRANTED", p, n, truth, l);
}

void judge(struct test *t, const char *p, size_t n, enum shape shape,
    const struct line *truth, const struct line *second)
{
	struct login l;
	enum login_kind kind =
	    matcher_line(t->matcher, p, n, print_now, SKEW, &l);
	bool in = kind == LOGIN_IN || kind == LOGIN_ALIVE;
	bool must_work = shape == WHOLE && truth->ordinary;

	t->counts->lines++;
	t->counts->ordinary += must_work;
	if (t->shown)
		show(t, in ? "granted" : "not granted", p, n, truth,
		    in ? &l : NULL);
	if (must_work && !in)
		complain(
		    t, &t->counts->missed, "not granted", p, n, truth, NULL);
	else if (must_work && is_truth(truth, &l))
		t->counts->granted++;
	else if (in)
		count_grant(t, p, n,
		    judge_grant(t->server, p, n, shape, truth, second, &l),
		    truth, &l);
}
