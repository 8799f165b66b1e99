/* SPDX-License-Identifier: ISC */
/*
 * fuzz_doctor_maps - any text as a sendmail.cf and as what postconf prints. A
 * map is a file that the text names, of a type that is one; no tool of root's
 * is run with anything else.
 */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/doctor_maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct doctor_maps *maps, const char *text)
{
	static const char *const types[] = { "hash", "btree", "dbm", "lmdb",
		"cdb" };

	must(maps->count <= DOCTOR_MAPS_MAX);
	for (size_t i = 0; i < maps->count; i++) {
		const struct doctor_map *m = &maps->at[i];
		size_t len = strlen(m->path), known = 0;

		for (size_t t = 0; t < COUNT_OF(types); t++)
			known += strcmp(m->type, types[t]) == 0;
		must(known == 1 && m->named && m->path[0] == '/');
		must(strstr(text, m->path) && strstr(text, m->type));
		must(!strpbrk(m->path, " \t\n"));
		must(
		    strncmp(m->file, m->path, len) == 0 && m->file[len] == '.');
		for (size_t j = 0; j < i; j++)
			must(strcmp(maps->at[j].file, m->file) != 0 ||
			     strcmp(maps->at[j].type, m->type) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = xstrndup((const char *)data, size);
	AUTO_FREE struct doctor_maps *maps = xcalloc(1, sizeof(*maps));

	doctor_maps_of_sendmail(maps, text);
	check(maps, text);
	maps->count = 0;
	doctor_maps_of_postfix(maps, text);
	check(maps, text);
	return 0;
}
