/* SPDX-License-Identifier: ISC */
/*
 * export - the table of kinds, made of exports.def. Called by daemon/.
 */
#include "export.h"

#include <string.h>

#define EXPORT(tail) extern const struct export_kind export_##tail;
#include "exports.def"
#undef EXPORT

const struct export_kind *const export_kinds[] = {
#define EXPORT(tail) &export_##tail,
#include "exports.def"
#undef EXPORT
	NULL
};

const struct export_kind *export_kind_find(const char *name)
{
	for (size_t i = 0; export_kinds[i] != NULL; i++)
		if (strcmp(export_kinds[i]->name, name) == 0)
			return export_kinds[i];
	return NULL;
}
