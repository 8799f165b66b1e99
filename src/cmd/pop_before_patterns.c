/* SPDX-License-Identifier: ISC */
/*
 * pop_before_patterns - which lines are logins, for who has an old $pat: the
 * patterns of ours for the servers that it finds, or a pattern file made of it.
 */
#include "pop_before.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pattern/file.h"
#include "pattern/foreign.h"
#include "pop_before_translate.h"

#define DEFAULT_SERVER "uw-imap"
#define TOKEN          "[LOGTIME]"

enum { SENTENCE_SIZE = 300, GROUP_ADDRESS = 2 };

struct teller {
	pop_tell_fn *fn;
	void *ctx;
	int line;
};

/* expression with each [LOGTIME] filled in; to be freed. */
static char *fill(const char *expression, const char *logtime)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	const char *token;

	must(out);
	while ((token = strstr(expression, TOKEN))) {
		(void)fwrite(expression, 1, (size_t)(token - expression), out);
		(void)fputs(logtime, out);
		expression = token + sizeof(TOKEN) - 1;
	}
	(void)fputs(expression, out);
	must(fclose(out) == 0);
	return text;
}

static void add_server(struct pop_patterns *out, const char *name)
{
	size_t used = strlen(out->servers);

	(void)snprintf(out->servers + used, sizeof(out->servers) - used, "%s%s",
	    used ? "," : "", name);
}

static void tell_server(
    const struct teller *t, const char *name, const struct foreign *found)
{
	char text[SENTENCE_SIZE];

	(void)snprintf(text, sizeof(text),
	    "this pattern finds logins of %s%s: relaypass' own patterns of it "
	    "are used, which take whole lines only",
	    name,
	    found->wrong ? ", and not always the client's address in them"
			 : "");
	t->fn(t->ctx, t->line, text);
}

/* Names in out->servers whose logins it finds. */
static int find_servers(const char *expression, unsigned group,
    struct pop_patterns *out, const struct teller *t, struct err *err)
{
	const struct patterns_options options = { .no_jit = true };
	struct patterns *all = patterns_open(&options, err);
	int result = all ? 0 : -1;

	for (size_t i = 0; !result && i < patterns_count(all); i++) {
		const char *name = patterns_file(all, i)->name;
		struct foreign found;

		result = foreign_search(all, i, expression, group, &found, err);
		if (result || !found.logins)
			continue;
		add_server(out, name);
		tell_server(t, name, &found);
	}
	patterns_close(&all);
	return result;
}

/* --- a pattern file ---------------------------------------------------------
 */

static void print_programs(FILE *out, const struct translated *t)
{
	(void)fputs("\nprogram ", out);
	for (size_t i = 0; i < t->count; i++)
		(void)fprintf(out, " %s", t->names[i]);
	(void)fputc('\n', out);
}

static bool same_programs(
    const struct translated *a, const struct translated *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->names[i], b->names[i]) != 0)
			return false;
	return true;
}

/* Of another program's lines nothing is held. */
static bool print_logout(FILE *out, const char *out_pat,
    const struct translated *login, const struct teller *t)
{
	AUTO_FREE struct translated *logout = xcalloc(1, sizeof(*logout));
	const char *why = pop_translate(out_pat, logout);
	char text[SENTENCE_SIZE];

	if (!why && !same_programs(login, logout))
		why = "it is of other programs than the pattern of logins";
	if (!why) {
		(void)fprintf(
		    out, "logout   %s\nsession  ip user\n", logout->text);
		return true;
	}
	(void)snprintf(
	    text, sizeof(text), "the pattern of logouts is not used: %s", why);
	t->fn(t->ctx, t->line, text);
	return false;
}

static int make_file(const struct pop_settings *s, struct pop_patterns *out,
    const struct teller *t, struct err *err)
{
	AUTO_FREE struct translated *login = xcalloc(1, sizeof(*login));
	const char *why = pop_translate(pop_text(s, POP_PAT), login);
	const char *out_pat = pop_text(s, POP_OUT_PAT);
	struct pattern_file *parsed;
	size_t size = 0;
	FILE *text;

	if (why)
		return err_set(err, EXIT_USER,
		    "it finds no login of a server that relaypass knows, and "
		    "%s",
		    why);
	text = open_memstream(&out->file, &size);
	must(text);
	(void)fprintf(text,
	    "# Made by " POP_BEFORE_NAME " at each start: changes are lost.\n"
	    "server   " POP_BEFORE_NAME "\n"
	    "about    What $pat of the old configuration says\n");
	print_programs(text, login);
	(void)fprintf(text, "login    %s\n", login->text);
	out->logouts =
	    out_pat && *out_pat && print_logout(text, out_pat, login, t);
	must(fclose(text) == 0);
	parsed = pattern_file_parse("$pat", out->file, size, err);
	if (!parsed)
		return -1;
	pattern_file_free(&parsed);
	add_server(out, POP_BEFORE_NAME);
	t->fn(t->ctx, t->line,
	    "this pattern is of no server that relaypass knows: a pattern file "
	    "is made of it, and a line must end where it ends; look with "
	    "--reprocess");
	return 0;
}

/* --- all of it --------------------------------------------------------------
 */

static bool is_set(const struct pop_settings *s, enum pop_name name)
{
	const char *text = pop_text(s, name);

	return text && *text;
}

int pop_patterns_make(const struct pop_settings *s, struct pop_patterns *out,
    pop_tell_fn *fn, void *ctx, struct err *err)
{
	bool several = is_set(s, POP_PID_PAT) && is_set(s, POP_IP_PAT) &&
		       is_set(s, POP_OK_PAT);
	enum pop_name name = several ? POP_OK_PAT : POP_PAT;
	struct teller t = { fn, ctx, s->values[name].line };
	AUTO_FREE char *expression = NULL;

	*out = (struct pop_patterns){
		.logouts = is_set(s, several ? POP_MORE_OUT_PAT : POP_OUT_PAT)
	};
	if (s->custom_match)
		return 0;
	if (s->values[name].code)
		return err_set(err, EXIT_USER,
		    "line %d: what matches logins is code, which is not run; "
		    "write it as a string",
		    t.line);
	if (!is_set(s, name)) {
		add_server(out, DEFAULT_SERVER);
		return 0;
	}
	expression = fill(pop_text(s, name), pop_text(s, POP_LOGTIME_PAT));
	if (find_servers(
		expression, several ? 0 : GROUP_ADDRESS, out, &t, err) < 0)
		return -1;
	if (out->servers[0])
		return 0;
	if (several)
		return err_set(err, EXIT_USER,
		    "line %d: these patterns find no login of a server that "
		    "relaypass knows; write a pattern file (docs/patterns.md)",
		    t.line);
	return make_file(s, out, &t, err);
}

void pop_patterns_free(struct pop_patterns *p)
{
	free(p->file);
	p->file = NULL;
}
