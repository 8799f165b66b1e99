/* SPDX-License-Identifier: ISC */
/*
 * mistakes - checks of a configuration that parse what its options mean.
 * Called by config and reload.
 */
#include "mistakes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "conf/conf.h"
#include "daemon/sense.h"
#include "export/export.h"
#include "listener/listener.h"
#include "pattern/pattern.h"
#include "source/source.h"

/* s: the section that is wrong; word: "" or a word before the text. */
static void print_as(const char *word, const char *file,
    const struct conf_section *s, const struct err *err)
{
	char text[2 * sizeof(err->text)];

	cli_safe(err->text, strlen(err->text), text, sizeof(text));
	(void)fflush(stdout);
	(void)fprintf(stderr, "%s: ", program_invocation_short_name);
	/* Defaults stand in no line. */
	if (conf_line(s) > 0)
		(void)fprintf(stderr, "%s:%d: ", file, conf_line(s));
	(void)fprintf(stderr, "%s%s\n", word, text);
}

static void print(
    const char *file, const struct conf_section *s, const struct err *err)
{
	print_as("", file, s, err);
}

struct told {
	const char *file;
};

static void print_told(
    void *ctx, const struct conf_section *s, const struct err *err)
{
	const struct told *told = ctx;

	print_as(err->code == EXIT_USER ? "" : "warning: ", told->file, s, err);
}

/* What keeps an export from its target now, and nothing else from its work: so
 * it is no mistake. Only root sees what there is. */
static void warn_of_exports(const struct conf *conf, const char *file)
{
	for (size_t i = 0; i < conf_count(conf, "export"); i++) {
		const struct conf_section *s = conf_at(conf, "export", i);
		struct err err = { 0 };
		if (geteuid() == 0 && export_check(s, &err) == 0 &&
		    export_look(s, &err) < 0)
			print_as("warning: ", file, s, &err);
	}
}

static size_t check_listeners(const struct conf *conf, const char *file)
{
	size_t wrong = 0;

	for (size_t i = 0; i < conf_count(conf, "listener"); i++) {
		const struct conf_section *s = conf_at(conf, "listener", i);
		struct err err = { 0 };
		if (listener_check(s, &err) < 0) {
			print(file, s, &err);
			wrong++;
		}
	}
	return wrong;
}

/* The patterns of the servers that a section names. */
static int check_servers(
    const struct conf *conf, const struct conf_section *s, struct err *err)
{
	const char *dir =
	    conf_string(conf_at(conf, "relaypass", 0), "pattern-directory");
	const struct patterns_options options = {
		.dir = *dir ? dir : NULL,
		.servers = conf_string(s, "servers"),
	};
	struct patterns *p = patterns_open(&options, err);
	int result = p ? 0 : -1;

	patterns_close(&p);
	return result;
}

static int check_source(
    const struct conf *conf, const struct conf_section *s, struct err *err)
{
	if (source_check(s, err) < 0)
		return -1;
	/* Without names of its own it has those of the section relaypass. */
	if (!source_kind_find(conf_kind(s))->lines ||
	    !*conf_string(s, "servers"))
		return 0;
	return check_servers(conf, s, err);
}

static size_t check_sources(const struct conf *conf, const char *file)
{
	size_t wrong = 0;

	for (size_t i = 0; i < conf_count(conf, "source"); i++) {
		const struct conf_section *s = conf_at(conf, "source", i);
		struct err err = { 0 };
		if (check_source(conf, s, &err) < 0) {
			print(file, s, &err);
			wrong++;
		}
	}
	return wrong;
}

size_t mistakes_print(const struct conf *conf, const char *file)
{
	const struct conf_section *s = conf_at(conf, "relaypass", 0);
	struct told told = { file };
	struct err err = { 0 };
	size_t wrong = check_listeners(conf, file) + check_sources(conf, file) +
		       sense_check(conf, print_told, &told);

	warn_of_exports(conf, file);

	if (check_servers(conf, s, &err) < 0) {
		print(file, s, &err);
		wrong++;
	}
	return wrong;
}
