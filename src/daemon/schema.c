/* SPDX-License-Identifier: ISC */
/*
 * schema - the one table of everything relaypass.conf may hold: the plain
 * sections of options.def, and the kinds of sources, listeners and exports,
 * each of which brings its own rows.
 */
#include "schema.h"

#include <string.h>

#include "base/mem.h"
#include "export/export.h"
#include "listener/listener.h"
#include "source/source.h"

enum { KINDS_MAX = 32 };

#define OPTION(section, name, type, def, min, max, choices, help)              \
	{ #section "/" name, type, def, min, max, choices, help },

/* Every plain option with its section in front, as the table file has them. */
static const struct option all_rows[] = {
#include "conf/options.def"
};

enum { ROWS_MAX = COUNT_OF(all_rows) + 1 };

/* The kinds of one section, as conf wants them. */
struct kinds {
	struct conf_kind rows[KINDS_MAX];
	const struct conf_kind *list[KINDS_MAX + 1];
	size_t count;
};

static const struct option none[] = { OPTION_END };

/* Copies the rows of one section, without the section's name. */
static void pick(const char *section, struct option out[static ROWS_MAX])
{
	size_t len = strlen(section);

	for (size_t i = 0; i < COUNT_OF(all_rows); i++) {
		const char *name = all_rows[i].name;

		if (strncmp(name, section, len) != 0 || name[len] != '/')
			continue;
		*out = all_rows[i];
		out->name = name + len + 1;
		out++;
	}
}

static void add_kind(struct kinds *kinds, const char *name, const char *help,
    const struct option *options)
{
	struct conf_kind *row = &kinds->rows[kinds->count];

	must(kinds->count < KINDS_MAX);
	*row = (struct conf_kind){ name, help, options };
	kinds->list[kinds->count++] = row;
}

const struct conf_schema *schema(void)
{
	static struct option relaypass[ROWS_MAX], lease[ROWS_MAX];
	static struct kinds sources, listeners, exports;
	static struct conf_schema rows[6];

	if (rows[0].section != NULL)
		return rows;
	pick("relaypass", relaypass);
	pick("lease", lease);
	for (size_t i = 0; source_kinds[i] != NULL; i++)
		add_kind(&sources, source_kinds[i]->name, source_kinds[i]->help,
		    source_kinds[i]->options);
	for (size_t i = 0; listener_kinds[i] != NULL; i++)
		add_kind(&listeners, listener_kinds[i]->name,
		    listener_kinds[i]->help, listener_kinds[i]->options);
	for (size_t i = 0; export_kinds[i] != NULL; i++)
		add_kind(&exports, export_kinds[i]->name, export_kinds[i]->help,
		    export_kinds[i]->options);
	rows[0] = (struct conf_schema){ "relaypass",
		"The programs themselves: directories, processes, logging.",
		relaypass, NULL };
	rows[1] = (struct conf_schema){ "lease",
		"Who gets a lease, and for how long.", lease, NULL };
	rows[2] = (struct conf_schema){ "source", "Where logins come from.",
		none, sources.list };
	rows[3] =
	    (struct conf_schema){ "listener", "Who asks, in one protocol.",
		    listener_options, listeners.list };
	rows[4] = (struct conf_schema){ "export",
		"A copy of the leases kept elsewhere.", none, exports.list };
	return rows;
}
