/* SPDX-License-Identifier: ISC */
/*
 * senders - see the header. The whole text stays in one block; rows point into
 * it, sorted by key, so a look-up is one binary search and no allocation.
 */
#include "senders.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/owned.h"
#include "mail.h"

enum { ROWS_FIRST = 64, CONTROL_END = 0x20, DEL = 0x7f };

struct row {
	struct text key, users; /* users: separated by blanks, commas, LFs */
	unsigned line;
};

struct senders {
	size_t count;
	struct row *rows;
	char *text;
};

/* --- the text ------------------------------------------------------------- */

struct reader {
	struct senders *map;
	size_t size;      /* of rows */
	const char *file; /* for messages */
	unsigned line;
	struct err *err;
};

static int wrong(const struct reader *r, const char *what)
{
	return err_set(
	    r->err, EXIT_USER, "%s, line %u: %s", r->file, r->line, what);
}

static bool is_gap(char c)
{
	return c == ' ' || c == '\t' || c == ',' || c == '\r' || c == '\n';
}

static struct text skip_gaps(struct text t)
{
	while (t.len && is_gap(*t.at)) {
		t.at++;
		t.len--;
	}
	return t;
}

/* The first word; *rest gets what stands behind it. */
static struct text first_word(struct text t, struct text *rest)
{
	struct text word = skip_gaps(t);
	size_t n = 0;

	while (n < word.len && !is_gap(word.at[n]))
		n++;
	*rest = (struct text){ word.at + n, word.len - n };
	word.len = n;
	return word;
}

static bool has_control(struct text t)
{
	for (size_t i = 0; i < t.len; i++) {
		unsigned char c = (unsigned char)t.at[i];
		if ((c < CONTROL_END && !is_gap((char)c)) || c == DEL)
			return true;
	}
	return false;
}

static int add_row(struct reader *r, struct text line)
{
	struct senders *m = r->map;
	struct text users, key = first_word(line, &users);

	if (key.at != line.at)
		return wrong(r, "expected a sender first");
	if (m->count == r->size) {
		r->size = r->size ? 2 * r->size : ROWS_FIRST;
		m->rows = xrealloc(m->rows, r->size, sizeof(*m->rows));
	}
	m->rows[m->count++] =
	    (struct row){ .key = key, .users = users, .line = r->line };
	return 0;
}

/* One line, without its LF. */
static int take_line(struct reader *r, struct text line)
{
	struct senders *m = r->map;
	struct text content = skip_gaps(line);
	struct row *last;

	if (content.len == 0)
		return 0;
	if (*content.at == '#') {
		/* It may stand between a line and what that goes on with. */
		memset(m->text + (line.at - m->text), ' ', line.len);
		return 0;
	}
	if (has_control(line))
		return wrong(r, "a control byte stands there");
	if (*line.at != ' ' && *line.at != '\t')
		return line.len > SENDERS_LINE_MAX ? wrong(r, "too long")
						   : add_row(r, line);
	if (m->count == 0)
		return wrong(r, "goes on with a line, but there is none");
	last = &m->rows[m->count - 1];
	last->users.len = (size_t)(line.at + line.len - last->users.at);
	return last->users.len > SENDERS_LINE_MAX ? wrong(r, "too long") : 0;
}

static int read_lines(struct reader *r, struct text all)
{
	while (all.len) {
		const char *lf = memchr(all.at, '\n', all.len);
		struct text line = { all.at,
			lf ? (size_t)(lf - all.at) : all.len };

		r->line++;
		if (take_line(r, line) < 0)
			return -1;
		if (!lf) /* half a name is another name */
			return wrong(r, "the last line has no end; write a LF");
		all.at += line.len + (lf ? 1 : 0);
		all.len -= line.len + (lf ? 1 : 0);
	}
	return 0;
}

/* --- the rows ------------------------------------------------------------- */

static int compare(struct text a, struct text b)
{
	int order = strncasecmp(a.at, b.at, a.len < b.len ? a.len : b.len);

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int row_order(const void *a, const void *b)
{
	return compare(
	    ((const struct row *)a)->key, ((const struct row *)b)->key);
}

static int key_order(const void *key, const void *row)
{
	return compare(
	    *(const struct text *)key, ((const struct row *)row)->key);
}

/* A user, or something that its writer took for a remark. */
static const char *users_wrong(struct text users)
{
	struct text one = first_word(users, &users);

	if (one.len == 0)
		return "expected a user behind the sender";
	for (; one.len; one = first_word(users, &users))
		if (*one.at == '#')
			return "a remark needs a line of its own";
	return NULL;
}

static int check_rows(struct reader *r)
{
	struct senders *m = r->map;

	for (size_t i = 0; i < m->count; i++) {
		const char *what = users_wrong(m->rows[i].users);

		r->line = m->rows[i].line;
		if (what)
			return wrong(r, what);
	}
	if (m->count)
		qsort(m->rows, m->count, sizeof(*m->rows), row_order);
	for (size_t i = 1; i < m->count; i++) {
		const struct row *a = &m->rows[i - 1], *b = &m->rows[i];

		if (compare(a->key, b->key) != 0)
			continue;
		r->line = a->line > b->line ? a->line : b->line;
		return wrong(r, "this sender stands there twice");
	}
	return 0;
}

struct senders *senders_parse(
    const char *text, size_t len, const char *file, struct err *err)
{
	struct senders *m = xcalloc(1, sizeof(*m));
	struct reader r = { .map = m, .file = file, .err = err };

	if (len > SENDERS_BYTES_MAX) {
		(void)err_set(err, EXIT_USER, "%s: more than %d bytes", file,
		    SENDERS_BYTES_MAX);
		senders_free(&m);
		return NULL;
	}
	m->text = xmalloc(len + 1);
	memcpy(m->text, text, len);
	m->text[len] = '\0';
	if (read_lines(&r, (struct text){ m->text, len }) < 0 ||
	    check_rows(&r) < 0)
		senders_free(&m);
	return m;
}

void senders_free(struct senders **s)
{
	if (!*s)
		return;
	free((*s)->rows);
	free((*s)->text);
	free(*s);
	*s = NULL;
}

size_t senders_count(const struct senders *s)
{
	return s->count;
}

/* --- the file ------------------------------------------------------------- */

struct senders *senders_read(const char *path, struct err *err)
{
	AUTO_FREE char *text = NULL;
	size_t len;

	if (owned_read(path, S_IWGRP | S_IWOTH, SENDERS_BYTES_MAX, &text, &len,
		err) < 0)
		return NULL;
	return senders_parse(text, len, path, err);
}

/* --- the look-up ---------------------------------------------------------- */

static const struct row *find(const struct senders *s, struct text key)
{
	return key.len && s->count ? bsearch(&key, s->rows, s->count,
					 sizeof(*s->rows), key_order)
				   : NULL;
}

bool senders_allow(const struct senders *s, const char *sender,
    size_t sender_len, const char *user, size_t user_len, const char *domain)
{
	struct text mail = { sender, sender_len }, who = { user, user_len };
	struct text at = mail_domain(mail), users, one;
	const struct row *row = find(s, mail);

	if (!sender_len || !user_len || !at.len)
		return false;
	if (!row && domain &&
	    !memchr(mail_local(mail).at, '@', mail_local(mail).len) &&
	    text_same(at, (struct text){ domain, strlen(domain) }))
		row = find(s, mail_local(mail));
	if (!row) /* with its '@' */
		row = find(s, (struct text){ at.at - 1, at.len + 1 });
	if (!row)
		return false;
	users = row->users;
	for (one = first_word(users, &users); one.len;
	     one = first_word(users, &users))
		if (user_same(one, who, domain))
			return true;
	return false;
}
