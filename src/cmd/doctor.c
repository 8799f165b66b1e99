/* SPDX-License-Identifier: ISC */
/*
 * doctor - `relaypass doctor`: looks at this machine and says what is missing,
 * with the lines to add. It reads; it never writes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli.h"
#include "daemon/probe.h"
#include "doctor.h"
#include "jsonl.h"

static const char *const verdict_words[] = {
	[DOCTOR_GOOD] = "good",
	[DOCTOR_NOTE] = "note",
	[DOCTOR_DO] = "do",
	[DOCTOR_CANNOT] = "cannot",
};

struct printing {
	bool json;
	const char *check; /* whose question was printed last */
	/* What all findings want added, printed at the end. */
	char *lines;
	size_t used;
};

static void print_json(const char *check, enum doctor_verdict verdict,
    const char *text, const char *lines)
{
	json_t *object = json_object();

	jsonl_put(object, "check", check);
	jsonl_put(object, "verdict", verdict_words[verdict]);
	jsonl_put(object, "text", text);
	if (lines)
		jsonl_put(object, "lines", lines);
	else
		json_object_set_new(object, "lines", json_null());
	jsonl_print(object);
}

enum { WIDTH = 79, INDENT = 10 };

/* A sentence, wrapped, from the column INDENT on. */
static void print_wrapped(const char *text)
{
	int column = INDENT;

	for (const char *p = text; *p;) {
		int n = (int)strcspn(p, " ");
		if (column > INDENT && column + 1 + n > WIDTH) {
			printf("\n%*s", INDENT, "");
			column = INDENT;
		} else if (column > INDENT) {
			column += printf(" ");
		}
		column += printf("%.*s", n, p);
		p += n + (p[n] == ' ');
	}
	putchar('\n');
}

/* The first line is a sentence, the others are as they are. Names of programs
 * and lines of logs are strangers' text. */
static void print_text(const char *text)
{
	char shown[1200];
	size_t n = strcspn(text, "\n");

	print_wrapped(cli_safe(text, n, shown, sizeof(shown)));
	for (const char *p = text + n; *p;) {
		p++;
		n = strcspn(p, "\n");
		if (n)
			printf("%*s%s\n", INDENT, "",
			    cli_safe(p, n, shown, sizeof(shown)));
		p += n;
	}
}

static void keep_lines(struct printing *p, const char *lines)
{
	size_t len = strlen(lines);

	if (p->lines && strstr(p->lines, lines))
		return;
	p->lines = xrealloc(p->lines, p->used + len + 1, 1);
	memcpy(p->lines + p->used, lines, len + 1);
	p->used += len;
}

static void tell(void *ctx, const char *check, enum doctor_verdict verdict,
    const char *text, const char *lines)
{
	struct printing *p = ctx;

	if (p->json) {
		print_json(check, verdict, text, lines);
		return;
	}
	if (!p->check || strcmp(p->check, check) != 0)
		printf("%s\n", doctor_question(check));
	p->check = check;
	printf("  %-6s  ", verdict_words[verdict]);
	print_text(text);
	if (lines)
		keep_lines(p, lines);
}

static void print_end(
    const struct printing *p, int code, const struct doctor_facts *f)
{
	if (p->json)
		return;
	if (p->lines)
		printf("\nTo %s %s, as far as it fits (relaypass config "
		       "--check looks at it):\n\n%s",
		    f->has_config ? "add to" : "begin", f->config_path,
		    p->lines);
	puts(code == EXIT_YES ? "\nAll is well."
	     : code == EXIT_NO
		 ? "\nWhat is marked \"do\" keeps leases from being made, or "
		   "makes wrong ones."
		 : "\nNot everything could be seen.");
}

extern const struct verb verb_doctor;

static int run(const struct verb_env *env, int argc, char **argv)
{
	bool json = env->json;
	const struct cli_option options[] = {
		{ "json", 0, NULL, &json },
		{ 0 },
	};
	AUTO_FREE struct doctor_facts *facts = xcalloc(1, sizeof(*facts));
	const struct doctor_where here = {
		.root = "",
		.config = env->config,
		.config_given = env->config_given,
		.run = doctor_run,
		.try = doctor_try,
		.probe = probe_section,
		.status = doctor_status,
		.now = clock_now(),
	};
	struct printing p = { 0 };
	struct err err = { 0 };
	int code;

	if (cli_options(argc, argv, options, NULL, 0, &err) < 0)
		return cli_usage(&verb_doctor, &err);
	p.json = json;
	if (doctor_look(facts, &here, &err) < 0) {
		code = cli_fail(&err);
	} else {
		code = doctor_check_all(facts, tell, &p);
		print_end(&p, code, facts);
		code = cli_done(code);
	}
	free(p.lines);
	doctor_forget(facts);
	return code;
}

const struct verb verb_doctor = {
	.name = "doctor",
	.usage = "doctor [--json]",
	.help = "Look at this machine and say what is missing.",
	.run = run,
};
