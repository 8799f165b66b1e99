/* SPDX-License-Identifier: ISC */
/*
 * pop_before_options - the options of pop-before-smtp, read as Getopt::Long
 * reads them when nothing is configured. A pure function over argv.
 */
#include "pop_before.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

enum option_form {
	FORM_FLAG,    /* "name" */
	FORM_NEGATED, /* also "noname" and "no-name" */
	FORM_TEXT,
	FORM_NUMBER
};

enum option_what {
	WHAT_CONFIG,
	WHAT_DAEMON,
	WHAT_VALUE,
	WHAT_DEBUG,
	WHAT_VERSION,
	WHAT_DUMP,
	WHAT_LIST
};

static const struct option_row {
	const char *name;
	enum option_form form;
	enum option_what what;
	enum pop_name value;
} rows[] = {
	{ "config", FORM_TEXT, WHAT_CONFIG, 0 },
	{ "daemon", FORM_TEXT, WHAT_DAEMON, 0 },
	{ "write", FORM_NEGATED, WHAT_VALUE, POP_WRITE },
	{ "debug", FORM_NEGATED, WHAT_DEBUG, POP_DEBUG },
	{ "flock", FORM_NEGATED, WHAT_VALUE, POP_FLOCK },
	{ "reprocess", FORM_NEGATED, WHAT_VALUE, POP_REPROCESS },
	{ "watchlog", FORM_TEXT, WHAT_VALUE, POP_WATCHLOG },
	{ "logfile", FORM_TEXT, WHAT_VALUE, POP_WATCHLOG },
	{ "dbfile", FORM_TEXT, WHAT_VALUE, POP_DBFILE },
	{ "logto", FORM_TEXT, WHAT_VALUE, POP_LOGTO },
	{ "grace", FORM_NUMBER, WHAT_VALUE, POP_GRACE },
	{ "version", FORM_FLAG, WHAT_VERSION, 0 },
	{ "dumpconfig", FORM_FLAG, WHAT_DUMP, 0 },
	{ "list", FORM_FLAG, WHAT_LIST, 0 },
};

/* One word of the command line. */
struct word {
	const char *name;
	size_t len;
	const char *value; /* behind '=', or NULL */
};

struct found {
	const struct option_row *row;
	bool off;   /* "no" was before it */
	bool whole; /* not only the beginning of a name */
	size_t count;
};

static void match(const struct option_row *row, bool off, const char *name,
    size_t len, struct found *out)
{
	bool whole = strlen(row->name) == len;

	if (strncasecmp(row->name, name, len) != 0 || (out->whole && !whole))
		return;
	if (whole)
		out->count = 0;
	/* watchlog and logfile are one: never ambiguous between them. */
	out->count += !out->row || out->row->what != row->what ||
		      out->row->value != row->value || out->off != off ||
		      !out->count;
	out->row = row;
	out->off = off;
	out->whole = whole;
}

/* "" is the beginning of every name, and of no option. */
static void find(const struct word *w, struct found *out)
{
	*out = (struct found){ 0 };
	for (size_t i = 0; w->len && i < COUNT_OF(rows); i++) {
		const struct option_row *row = &rows[i];
		size_t no = 0;

		match(row, false, w->name, w->len, out);
		if (row->form != FORM_NEGATED || w->len < 3 ||
		    strncasecmp(w->name, "no", 2) != 0)
			continue;
		no = w->name[2] == '-' ? 3 : 2;
		if (w->len > no)
			match(row, true, w->name + no, w->len - no, out);
	}
}

static bool is_number(const char *text)
{
	if (*text == '-' || *text == '+')
		text++;
	return *text && strspn(text, "0123456789") == strlen(text);
}

static void take_flag(
    struct pop_settings *s, const struct option_row *row, bool off)
{
	switch (row->what) {
	case WHAT_VERSION:
		s->version = true;
		break;
	case WHAT_DUMP:
		s->dumpconfig = true;
		break;
	case WHAT_LIST:
		s->list = true;
		break;
	case WHAT_DEBUG:
		if (!off)
			pop_set(s, POP_LOGTO, "-");
		pop_set(s, row->value, off ? "0" : "1");
		break;
	case WHAT_CONFIG:
	case WHAT_DAEMON:
	case WHAT_VALUE:
		pop_set(s, row->value, off ? "0" : "1");
		break;
	}
}

static int take_value(struct pop_settings *s, const struct option_row *row,
    const char *value, struct err *err)
{
	if (row->what == WHAT_CONFIG)
		return err_set(err, EXIT_USER,
		    "--config=%s must be the first option.", value);
	if (row->form == FORM_NUMBER && !is_number(value))
		return err_set(err, EXIT_USER,
		    "Value \"%s\" invalid for option %s (number expected)",
		    value, row->name);
	if (row->what == WHAT_DAEMON)
		s->daemon = value;
	else
		pop_set(s, row->value, value);
	return 0;
}

/* Returns how many words it is, or -1. next: the word behind it, or NULL. */
static int take_option(
    struct pop_settings *s, const char *arg, const char *next, struct err *err)
{
	struct word w = { .name = arg + 1 + (arg[1] == '-') };
	struct found f;

	w.len = strcspn(w.name, "=");
	w.value = w.name[w.len] ? w.name + w.len + 1 : NULL;
	find(&w, &f);
	if (!f.row)
		return err_set(
		    err, EXIT_USER, "Unknown option: %.*s", (int)w.len, w.name);
	if (f.count > 1)
		return err_set(err, EXIT_USER, "Option %.*s is ambiguous",
		    (int)w.len, w.name);
	if (f.row->form == FORM_FLAG || f.row->form == FORM_NEGATED) {
		if (w.value)
			return err_set(err, EXIT_USER,
			    "Option %.*s does not take an argument", (int)w.len,
			    w.name);
		take_flag(s, f.row, f.off);
		return 1;
	}
	const char *value = w.value ? w.value : next;
	if (!value || !*value)
		return err_set(err, EXIT_USER,
		    "Option %.*s requires an argument", (int)w.len, w.name);
	return take_value(s, f.row, value, err) < 0 ? -1 : 1 + !w.value;
}

int pop_options(struct pop_settings *s, int argc, char **argv, struct err *err)
{
	for (int i = 0; i < argc;) {
		const char *arg = argv[i];
		int n = 1;

		if (!strcmp(arg, "--"))
			break;
		/* Other words mean nothing, and are no mistake. */
		if (arg[0] == '-' && arg[1])
			n = take_option(
			    s, arg, i + 1 < argc ? argv[i + 1] : NULL, err);
		if (n < 0)
			return -1;
		i += n;
	}
	return 0;
}
