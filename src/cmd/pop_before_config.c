/* SPDX-License-Identifier: ISC */
/*
 * pop_before_config - the configuration that pop-before-smtp gives relaypassd.
 */
#include "pop_before.h"

#include <string.h>

#include "base/mem.h"
#include "dropin.h"

/* Theirs held a lease for as long as no logout was seen. Where no process shows
 * that a session lives, ours waits so long for its logout. */
#define HOLD_UNSEEN "1h"

static void put_main(FILE *out, const struct pop_settings *s,
    const struct pop_patterns *patterns)
{
	(void)fputs("relaypass {\n", out);
	dropin_put(out, "servers", patterns->servers);
	if (patterns->file)
		dropin_put(out, "pattern-directory", POP_BEFORE_PATTERNS);
	if (pop_true(s, POP_DEBUG))
		dropin_put(out, "log-level", "debug");
	(void)fputs("}\n", out);
}

static void put_lease(FILE *out, const struct pop_settings *s,
    const struct pop_patterns *patterns, const char *networks)
{
	(void)fprintf(
	    out, "lease {\n\tttl = \"%llds\"\n", (long long)pop_grace(s));
	if (*networks)
		(void)fprintf(out, "\tnever = { %s }\n", networks);
	dropin_put(out, "hold-sessions", patterns->logouts ? "proven" : "no");
	if (patterns->logouts)
		dropin_put(out, "hold-unseen", HOLD_UNSEEN);
	(void)fputs("}\n", out);
}

static void put_source(FILE *out, const char *log)
{
	(void)fputs("source watchlog {\n", out);
	dropin_put(out, "kind", strcmp(log, "-") == 0 ? "stdin" : "file");
	if (strcmp(log, "-") != 0) {
		(void)fputs("\tpath = { ", out);
		dropin_quote(out, log);
		(void)fputs(" }\n", out);
	}
	(void)fputs("}\n", out);
}

static void put_export(
    FILE *out, const struct pop_settings *s, const char *kind)
{
	AUTO_FREE char *path = NULL;

	must(asprintf(&path, "%s.db", pop_text(s, POP_DBFILE)) > 0);
	(void)fputs("export dbfile {\n", out);
	dropin_put(out, "kind", kind);
	dropin_put(out, "path", path);
	dropin_put(out, "value", pop_text(s, POP_DBVALUE));
	dropin_put(out, "ipv6", "short");
	(void)fputs("}\n", out);
}

char *pop_config_print(const struct pop_settings *s,
    const struct pop_patterns *patterns, const char *networks, const char *kind)
{
	char *text = NULL;
	size_t size = 0, len = strlen(networks);
	/* Without the ", " behind the last one. */
	AUTO_FREE char *list = xstrndup(networks, len > 2 ? len - 2 : 0);
	FILE *out = open_memstream(&text, &size);

	must(out);
	(void)fputs("# Made by " POP_BEFORE_NAME
		    " at each start: changes are lost.\n",
	    out);
	put_main(out, s, patterns);
	put_lease(out, s, patterns, list);
	put_source(out, pop_text(s, POP_WATCHLOG));
	(void)fputs("listener ask { kind = \"ask\" }\n", out);
	if (kind)
		put_export(out, s, kind);
	must(fclose(out) == 0);
	return text;
}
