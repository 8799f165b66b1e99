/* SPDX-License-Identifier: ISC */
/*
 * source - the table of kinds, made of sources.def. Called by daemon/ and cmd/.
 */
#include "source.h"

#include <string.h>

#define SOURCE(tail) extern const struct source_kind source_##tail;
#include "sources.def"
#undef SOURCE

const struct source_kind *const source_kinds[] = {
#define SOURCE(tail) &source_##tail,
#include "sources.def"
#undef SOURCE
	NULL
};

const struct source_kind *source_kind_find(const char *name)
{
	for (size_t i = 0; source_kinds[i] != NULL; i++)
		if (strcmp(source_kinds[i]->name, name) == 0)
			return source_kinds[i];
	return NULL;
}

int source_check(const struct conf_section *conf, struct err *err)
{
	const struct source_kind *kind = source_kind_find(conf_kind(conf));

	if (kind->check && kind->check(conf, err) < 0)
		return -1;
	return kind->sockets && kind->sockets(conf, NULL, 0, err) < 0 ? -1 : 0;
}
