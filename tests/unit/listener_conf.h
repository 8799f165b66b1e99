/* SPDX-License-Identifier: ISC */
/*
 * listener_conf - a configuration of listeners and lease rules alone, for
 * tests, fuzzers and benchmarks of this room.
 */
#ifndef UNIT_LISTENER_CONF_H
#define UNIT_LISTENER_CONF_H
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "listener/listener.h"

enum { LISTENER_CONF_KINDS = 16 };

static const struct option listener_conf_lease[] = {
#define OPTION(section, ...) OPTION_##section(__VA_ARGS__)
#define OPTION_relaypass(...)
#define OPTION_lease(...) { __VA_ARGS__ },
#include "conf/options.def"
#undef OPTION
#undef OPTION_relaypass
#undef OPTION_lease
	OPTION_END
};

static inline const struct conf_schema *listener_conf_schema(void)
{
	static struct conf_kind kinds[LISTENER_CONF_KINDS];
	static const struct conf_kind *list[LISTENER_CONF_KINDS + 1];
	static struct conf_schema schema[3];

	for (size_t i = 0; listener_kinds[i]; i++) {
		must(i < LISTENER_CONF_KINDS);
		kinds[i].name = listener_kinds[i]->name;
		kinds[i].help = listener_kinds[i]->help;
		kinds[i].options = listener_kinds[i]->options;
		list[i] = &kinds[i];
	}
	schema[0] = (struct conf_schema){ "listener", "Who asks.",
		listener_options, list };
	schema[1] = (struct conf_schema){ "lease", "Who gets a lease.",
		listener_conf_lease, NULL };
	return schema;
}

static inline int listener_conf_unlink(
    const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

/* Removes a directory that was made for a test, with all that is in it. */
static inline void listener_conf_remove(const char *dir)
{
	(void)nftw(dir, listener_conf_unlink, 8, FTW_DEPTH | FTW_PHYS);
}

/* Reads a whole file's text; ends the process when it is wrong. */
static inline struct conf *listener_conf_text(const char *text)
{
	struct err err = { 0 };
	struct conf *conf = conf_parse(
	    text, strlen(text), "test", listener_conf_schema(), &err);

	if (!conf) {
		(void)fprintf(stderr, "%s\n%s\n", text, err.text);
		abort();
	}
	return conf;
}

/* One listener "t"; format gives its options. */
__attribute__((format(printf, 2, 3))) static inline struct conf *listener_conf(
    const char *kind, const char *format, ...)
{
	char options[1024], text[1200];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(options, sizeof(options), format, ap);
	va_end(ap);
	(void)snprintf(text, sizeof(text), "listener t { kind = \"%s\" %s }\n",
	    kind, options);
	return listener_conf_text(text);
}
#endif
