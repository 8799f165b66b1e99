/* SPDX-License-Identifier: ISC */
/*
 * patterns_learn - see the header. Keeps the lines, sorts them into shapes,
 * writes the file, and has it proved by the engine before anybody sees it.
 */
#include "patterns_learn.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/kv.h"
#include "base/mem.h"
#include "cli.h"
#include "pattern/file.h"
#include "patterns_learn_private.h"
#include "scan_words.h"

struct learn *learn_new(const struct learn_hints *hints)
{
	struct learn *l = xcalloc(1, sizeof(*l));

	l->hints = *hints;
	return l;
}

static void free_line(struct learn_line *line)
{
	learn_line_free(line);
	free(line);
}

void learn_free(struct learn **lp)
{
	struct learn *l = *lp;

	*lp = NULL;
	if (!l)
		return;
	for (size_t i = 0; i < l->count; i++)
		free_line(l->lines[i]);
	for (size_t i = 0; i < l->hostile_count; i++)
		free(l->hostile[i]);
	for (size_t i = 0; i < l->shape_count; i++)
		shape_free(&l->shapes[i]);
	free(l->lines);
	free(l->hostile);
	free(l->shapes);
	free(l);
}

void learn_add_note(struct learn *l, const char *format, ...)
{
	va_list ap;

	if (l->note_count == NOTES_MAX)
		return;
	va_start(ap, format);
	vsnprintf(l->notes[l->note_count++], NOTE_SIZE, format, ap);
	va_end(ap);
}

const char *learn_note(const struct learn *l, size_t i)
{
	return i < l->note_count ? l->notes[i] : NULL;
}

/* --- reading -------------------------------------------------------------- */

static int add_line(struct learn *l, const char *text, size_t len,
    const struct line_hints *hints, struct err *err)
{
	struct learn_line *line;

	if (l->count == LEARN_LINES_MAX) {
		l->unread++;
		return 0;
	}
	line = xcalloc(1, sizeof(*line));
	line->number = l->number;
	line->text = xstrndup(text, len);
	line->len = len;
	if (strlen(line->text) != len ||
	    learn_line_read(line, hints, err) < 0) {
		if (!err->code)
			err_set(err, EXIT_NO, "line %d: holds a NUL byte",
			    l->number);
		free_line(line);
		return -1;
	}
	l->lines =
	    xrealloc(l->lines, l->count + 1, sizeof(struct learn_line *));
	l->lines[l->count++] = line;
	return 0;
}

/* The value of a key in "ip=192.0.2.1 user=al"; NULL. To be freed. */
static char *hint_of(const char *words, const char *key)
{
	size_t left = strlen(words), used;
	struct kv_word w;

	while (kv_next(&words, &left, &w) > 0) {
		char *value;

		if (w.key_len != strlen(key) ||
		    memcmp(w.key, key, w.key_len) != 0)
			continue;
		value = xmalloc(w.value_len + 1);
		if (kv_decode(
			w.value, w.value_len, value, w.value_len + 1, &used) &&
		    used)
			return value;
		free(value);
	}
	return NULL;
}

/* "login ip=A user=U | LINE", as behind `sample` in a pattern file. */
static int add_sample(struct learn *l, const char *text, struct err *err)
{
	struct pattern_sample s = { 0 };
	const char *why = pattern_sample_parse(&s, text);
	struct line_hints hints = { .exact = true };
	int result = 0;

	if (why)
		return err_set(err, EXIT_NO, "line %d: %s", l->number, why);
	if (s.kind == LOGIN_IN) {
		AUTO_FREE char *user = hint_of(s.want, "user");
		AUTO_FREE char *ip = hint_of(s.want, "ip");

		hints.user = user;
		hints.ip = ip;
		result = add_line(l, s.text, s.text_len, &hints, err);
	} else if (s.kind == LOGIN_NOTHING &&
		   l->hostile_count < LEARN_LINES_MAX) {
		l->hostile = xrealloc(
		    l->hostile, l->hostile_count + 1, sizeof(*l->hostile));
		l->hostile[l->hostile_count++] = take_ptr(&s.text);
	}
	free(s.want);
	free(s.text);
	return result;
}

/* A line of a pattern file that is no sample. */
static bool is_statement(const char *text)
{
	static const char *const words[] = { "server", "about", "note",
		"define", "program", "lead", "file", "session", "tls", "join",
		"near" };
	static const char *const kinds[] = { "login", "logout", "connect",
		"fail", "start" };
	size_t n = strcspn(text, " \t");
	const char *value = text + n + strspn(text + n, " \t");

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (strlen(words[i]) == n && !memcmp(words[i], text, n))
			return true;
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (strlen(kinds[i]) == n && !memcmp(kinds[i], text, n))
			return *value == '^';
	return *text == '#';
}

int learn_line(struct learn *l, const char *line, size_t len, struct err *err)
{
	const struct line_hints hints = { l->hints.user, l->hints.ip, false };
	AUTO_FREE char *text = NULL;
	const char *p;

	l->number++;
	if (len && line[len - 1] == '\r')
		len--;
	text = xstrndup(line, len);
	p = text + strspn(text, " \t");
	if (!*p || (strlen(text) == len && is_statement(p)))
		return 0;
	if (!strncmp(p, "sample ", 7))
		return add_sample(l, p + 7 + strspn(p + 7, " "), err);
	return add_line(l, line, len, &hints, err);
}

/* --- shapes --------------------------------------------------------------- */

static int sort_line(struct learn *l, struct learn_line *line, struct err *err)
{
	AUTO_FREE char *key = shape_key(line);
	struct shape *s = NULL;

	for (size_t i = 0; i < l->shape_count && !s; i++)
		if (!strcmp(l->shapes[i].key, key))
			s = &l->shapes[i];
	if (!s && l->shape_count == SHAPES_MAX)
		return err_set(err, EXIT_NO,
		    "the lines have more than %d forms; give fewer lines, or "
		    "name the users with --user if their names are no single "
		    "words",
		    SHAPES_MAX);
	if (!s) {
		l->shapes =
		    xrealloc(l->shapes, l->shape_count + 1, sizeof(*l->shapes));
		s = &l->shapes[l->shape_count++];
		*s = (struct shape){ .key = take_ptr(&key) };
	}
	s->lines =
	    xrealloc(s->lines, s->count + 1, sizeof(struct learn_line *));
	s->lines[s->count++] = line;
	return 0;
}

static int check_closed(const struct shape *s, struct err *err)
{
	char where[64];

	if (shape_is_closed(s))
		return 0;
	return err_set(err, EXIT_NO,
	    "line %d: %s: text that a stranger chooses stands before the "
	    "address, and no mark of the server's closes it; such lines cannot "
	    "be told safely. See whether the server can log the name in <> or "
	    "quotes, or behind the address",
	    s->lines[0]->number,
	    shape_where(s->lines[0], where, sizeof(where)));
}

/* The name of a user who may be the trouble: as the rest of a line. */
static int tell_doubt(
    const struct shape *line, const struct shape *expression, struct err *err)
{
	const struct learn_line *l = expression->lines[0];
	const struct part *ip = &l->parts.at[l->ip];
	AUTO_FREE char *attack = learn_line_with(l, l->ip, "203.0.113.66", 12);
	char shown[EXCERPT_SIZE];
	const char *from = attack + (ip->at - l->text);

	while (from > attack + (l->head.msg - l->text) && from[-1] != ' ')
		from--;
	return err_set(err, EXIT_NO,
	    "line %d: somebody who calls himself \"x ... %s\" could choose the "
	    "address (it would be read as in line %d); such lines cannot be "
	    "told safely",
	    line->lines[0]->number,
	    cli_safe(from, strlen(from), shown, sizeof(shown)), l->number);
}

static int check_doubts(const struct learn *l, struct err *err)
{
	for (size_t i = 0; i < l->shape_count; i++)
		if (check_closed(&l->shapes[i], err) < 0)
			return -1;
	for (size_t i = 0; i < l->shape_count; i++)
		for (size_t k = 0; k < l->shape_count; k++)
			if (shape_is_beside(&l->shapes[i], &l->shapes[k]) &&
			    shape_doubt(&l->shapes[i], &l->shapes[k]))
				return tell_doubt(
				    &l->shapes[i], &l->shapes[k], err);
	return 0;
}

/* --- notes ---------------------------------------------------------------- */

static bool says_nothing(const struct shape *s)
{
	const struct header *h = &s->lines[0]->head;

	return !scan_words_login(h->msg, h->msg_len);
}

static bool ends_open(const struct shape *s)
{
	enum element_kind last = s->elements[s->element_count - 1].kind;

	return last == ELEMENT_IP || last == ELEMENT_USER;
}

static bool is_single(const struct shape *s)
{
	return s->count == 1;
}

/* "lines 1, 4, 7: TEXT", for the first lines of the shapes that are so. */
static void note_lines(
    struct learn *l, bool (*is)(const struct shape *), const char *text)
{
	char list[120] = "";
	size_t used = 0, count = 0;

	for (size_t i = 0; i < l->shape_count; i++) {
		if (!is(&l->shapes[i]))
			continue;
		if (used + 20 < sizeof(list))
			used += (size_t)snprintf(list + used,
			    sizeof(list) - used, "%s%d", count ? ", " : "",
			    l->shapes[i].lines[0]->number);
		count++;
	}
	if (count)
		learn_add_note(
		    l, "line%s %s: %s", count > 1 ? "s" : "", list, text);
}

/* The suffix proves who wrote a line; the daemon has to know that it is there.
 */
static void note_suffix(struct learn *l)
{
	for (size_t i = 0; i < l->count; i++) {
		if (!l->lines[i]->annotated)
			continue;
		learn_add_note(l,
		    "the lines have rsyslog's suffix, which is left out here; "
		    "the source needs `annotated = yes`, and with `uid %u` in "
		    "its block the file takes lines of that sender only",
		    l->lines[i]->uid);
		return;
	}
}

static void note_shapes(struct learn *l)
{
	note_suffix(l);
	note_lines(l, says_nothing,
	    "no word says that the login succeeded; make sure that the server "
	    "writes no such line when it fails");
	note_lines(l, ends_open,
	    "the address or the user is the last thing in it; of a line that "
	    "lost its end, another one would be taken");
	note_lines(l, is_single,
	    "no other line has this form, so what may differ in it is guessed; "
	    "give more like it, of other users, if there are any");
}

static int make_shapes(struct learn *l, struct err *err)
{
	for (size_t i = 0; i < l->count; i++)
		if (sort_line(l, l->lines[i], err) < 0)
			return -1;
	for (size_t i = 0; i < l->shape_count; i++) {
		struct shape *s = &l->shapes[i];

		if (shape_make(s, err) < 0)
			return -1;
		s->expression = shape_print(s);
	}
	if (check_doubts(l, err) < 0)
		return -1;
	note_shapes(l);
	return 0;
}

/* --- the name ------------------------------------------------------------- */

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static int take_name(struct learn *l, const char *given, struct err *err)
{
	size_t n = 0;

	while (is_name_char(given[n]))
		n++;
	if (!n || given[n] || n > LOGIN_SERVER_MAX)
		return err_set(err, EXIT_USER,
		    "--server: expected a name of a-z, 0-9 and '-', at most %d "
		    "bytes",
		    LOGIN_SERVER_MAX);
	memcpy(l->server, given, n);
	return 0;
}

/* The program in small letters, for want of a better name. */
static int name_server(struct learn *l, struct err *err)
{
	const struct header *h = &l->lines[0]->head;

	if (l->hints.server)
		return take_name(l, l->hints.server, err);
	if (!h->tag_len)
		return err_set(err, EXIT_USER,
		    "these lines name no program; give the server a name: "
		    "--server NAME");
	for (size_t i = 0; i < h->tag_len && i < LOGIN_SERVER_MAX; i++) {
		char c = (char)tolower((unsigned char)h->tag[i]);

		l->server[i] = (char)(is_name_char(c) ? c : '-');
	}
	return 0;
}

/* --- all of it ------------------------------------------------------------ */

char *learn_propose(struct learn *l, struct err *err)
{
	AUTO_FREE char *text = NULL;

	if (!l->count) {
		err_set(err, EXIT_USER,
		    "no line to learn from; give lines of logins that "
		    "succeeded, in a file or on standard input");
		return NULL;
	}
	if (l->unread)
		learn_add_note(
		    l, "only the first %d lines were used", LEARN_LINES_MAX);
	if (name_server(l, err) < 0 || learn_check_known(l, err) < 0 ||
	    make_shapes(l, err) < 0)
		return NULL;
	text = learn_print(l);
	if (learn_prove(l, text, err) < 0)
		return NULL;
	return take_ptr(&text);
}
