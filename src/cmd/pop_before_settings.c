/* SPDX-License-Identifier: ISC */
/*
 * pop_before_settings - the variables of pop-before-smtp, and what its
 * configuration file says of them. Nothing here reads files or runs anything.
 */
#include "pop_before.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "perl_conf.h"

enum { SENTENCE_SIZE = 300, GRACE_MAX = 365 * 24 * 3600 };

static const struct variable {
	const char *name;
	const char *def;
} variables[POP_NAMES] = {
	[POP_PAT] = { "pat", NULL },
	[POP_OUT_PAT] = { "out_pat", NULL },
	[POP_LOGTIME_PAT] = { "logtime_pat",
	    "(\\w\\w\\w +\\d+ \\d+:\\d+:\\d+)" },
	[POP_PID_PAT] = { "PID_pat", NULL },
	[POP_IP_PAT] = { "IP_pat", NULL },
	[POP_OK_PAT] = { "OK_pat", NULL },
	[POP_FAIL_PAT] = { "FAIL_pat", NULL },
	[POP_MORE_OUT_PAT] = { "OUT_pat", NULL },
	[POP_GRACE] = { "grace", "1800" },
	[POP_DBFILE] = { "dbfile", "/etc/postfix/pop-before-smtp" },
	[POP_DBVALUE] = { "dbvalue", "ok" },
	[POP_LOGTO] = { "logto", NULL },
	[POP_WRITE] = { "write", "1" },
	[POP_FLOCK] = { "flock", "1" },
	[POP_DEBUG] = { "debug", "0" },
	[POP_REPROCESS] = { "reprocess", "0" },
	[POP_WATCHLOG] = { "file_tail{name}", "/var/log/maillog" },
};

/* Code whose place somebody else has taken, and what it is that has. */
static const struct {
	const char *name, *instead;
} functions[] = {
	{ "mynet_func",
	    "the networks are Postfix' mynetworks, and otherwise the "
	    "options of the section lease" },
	{ "tie_func", "a Berkeley DB hash is written" },
	{ "flock_func", "the file is always locked" },
	{ "add_func", "a Berkeley DB hash is written" },
	{ "del_func", "a Berkeley DB hash is written" },
	{ "sync_func", "a Berkeley DB hash is written" },
	{ "tail_init_func", "the log is read by relaypass; name it '-' for "
			    "standard input" },
	{ "tail_getline_func", "the log is read by relaypass; name it '-' for "
			       "standard input" },
	{ "log_func", "the mail log has relaypassd's lines" },
	{ "sub custom_match", "logins of every server that relaypass knows "
			      "count" },
};

void pop_defaults(struct pop_settings *s)
{
	*s = (struct pop_settings){ 0 };
	for (size_t i = 0; i < POP_NAMES; i++)
		if (variables[i].def)
			s->values[i].text = xstrdup(variables[i].def);
}

void pop_settings_free(struct pop_settings *s)
{
	for (size_t i = 0; i < POP_NAMES; i++) {
		free(s->values[i].text);
		s->values[i].text = NULL;
	}
}

void pop_set(struct pop_settings *s, enum pop_name name, const char *text)
{
	free(s->values[name].text);
	s->values[name] = (struct pop_value){ .text = xstrdup(text) };
}

const char *pop_text(const struct pop_settings *s, enum pop_name name)
{
	return s->values[name].text;
}

bool pop_true(const struct pop_settings *s, enum pop_name name)
{
	const char *text = s->values[name].text;

	return text && *text && strcmp(text, "0") != 0;
}

int64_t pop_grace(const struct pop_settings *s)
{
	const char *text = pop_text(s, POP_GRACE);
	long long n;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return -1;
	errno = 0;
	n = strtoll(text, &end, 10);
	return errno || *end || n < 1 || n > GRACE_MAX ? -1 : n;
}

/* --- the configuration file -------------------------------------------------
 */

struct reading {
	struct pop_settings *settings;
	pop_tell_fn *fn;
	void *ctx;
};

/* The sign of a variable; "sub custom_match", "if" and their kind have none. */
static const char *sign_of(const char *what)
{
	static const char *const others[] = { "this", "if", "foreach", "for" };

	if (strchr(what, ' '))
		return "";
	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (strcmp(what, others[i]) == 0)
			return "";
	return "$";
}

static void say(const struct reading *r, int line, const char *what,
    const char *why, const char *then)
{
	char text[SENTENCE_SIZE];

	(void)snprintf(text, sizeof(text), "%s%s %s%s%s", sign_of(what), what,
	    why, *then ? ": " : "", then);
	r->fn(r->ctx, line, text);
}

static bool take_variable(const struct reading *r, const struct perl_fact *f)
{
	for (enum pop_name i = 0; i < POP_NAMES; i++) {
		struct pop_value *v = &r->settings->values[i];

		if (strcmp(f->name, variables[i].name) != 0)
			continue;
		if (f->value) {
			pop_set(r->settings, i, f->value);
			v->line = f->line;
			return true;
		}
		v->code = true;
		v->line = f->line;
		say(r, f->line, variables[i].name,
		    "is set by code, which is not run", "write it as a string");
		return true;
	}
	return false;
}

static bool take_function(const struct reading *r, const struct perl_fact *f)
{
	for (size_t i = 0; i < COUNT_OF(functions); i++) {
		if (strcmp(f->name, functions[i].name) != 0)
			continue;
		if (!strcmp(f->name, "sub custom_match"))
			r->settings->custom_match = true;
		say(r, f->line, f->name, "is code, which is not run",
		    functions[i].instead);
		return true;
	}
	return false;
}

/* The search for a log that each of their files has: we do the same. */
static bool is_search(const struct perl_fact *f)
{
	static const char head[] = "if (!-f $file_tail{'name'})";

	return f->text_len >= sizeof(head) - 1 &&
	       !memcmp(f->text, head, sizeof(head) - 1);
}

static bool is_tail(const char *name)
{
	return !strncmp(name, "file_tail{", sizeof("file_tail{") - 1);
}

static void take_fact(void *ctx, const struct perl_fact *f)
{
	const struct reading *r = ctx;

	if (take_variable(r, f) || take_function(r, f) || is_search(f))
		return;
	/* How often a log is looked at: relaypass is told of each change. */
	if (f->value && (is_tail(f->name) || !strcmp(f->name, "ENV{PATH}")))
		return;
	if (f->value)
		say(r, f->line, f->name, "is not known", "it has no effect");
	else
		say(r, f->line, *f->name ? f->name : "this",
		    "is code, which is not run", "");
}

int pop_read_config(struct pop_settings *s, const char *text, size_t len,
    pop_tell_fn *fn, void *ctx)
{
	struct reading r = { s, fn, ctx };

	return perl_conf_read(text, len, take_fact, &r);
}
