/* SPDX-License-Identifier: ISC */
/*
 * import_world - what a store's reader tells, kept for tests: rows and refusals
 * as lines of text.
 */
#ifndef TESTS_UNIT_IMPORT_WORLD_H
#define TESTS_UNIT_IMPORT_WORLD_H
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/import.h"

enum { TOLD_SIZE = 65536, TOLD_LINE = 512 };

struct told {
	char text[TOLD_SIZE];
	size_t used, rows, refused;
};

static inline void told_add(struct told *t, const char *line)
{
	size_t len = strlen(line);

	if (t->used + len < sizeof(t->text)) {
		memcpy(t->text + t->used, line, len + 1);
		t->used += len;
	}
}

static inline void told_row(void *ctx, const struct import_row *row)
{
	struct told *t = ctx;
	char addr[ADDR_TEXT_SIZE], line[TOLD_LINE];

	t->rows++;
	(void)addr_print(&row->addr, addr);
	(void)snprintf(line, sizeof(line),
	    "%s user=%s login=%" PRId64 " end=%" PRId64 "\n", addr, row->user,
	    row->login / 1000, row->end / 1000);
	told_add(t, line);
}

static inline void told_refusal(
    void *ctx, const char *key, size_t len, const char *why)
{
	struct told *t = ctx;
	char line[TOLD_LINE];

	(void)key;
	(void)len;
	t->refused++;
	(void)snprintf(line, sizeof(line), "%s\n", why);
	told_add(t, line);
}

static inline struct import_sink told_sink(struct told *t)
{
	memset(t, 0, sizeof(*t));
	return (struct import_sink){ told_row, told_refusal, t };
}

/* A new file of these bytes; its path, to be freed after unlink(). */
static inline char *told_file(const char *name, const void *bytes, size_t len)
{
	char *path = xmalloc(64);
	FILE *f;

	(void)snprintf(path, 64, "/tmp/%s-%d", name, (int)getpid());
	f = fopen(path, "w");
	must(f && fwrite(bytes, 1, len, f) == len && fclose(f) == 0);
	return path;
}

/* Opens, loads and reads; 0 or the error's code. */
static inline int told_read(const char *path, const struct import_kind *kind,
    struct told *t, struct err *err)
{
	const struct import_sink sink = told_sink(t);
	struct import_store s;
	int rc;

	*err = (struct err){ 0 };
	if (import_open(&s, path, kind, err) < 0)
		return err->code;
	rc = import_load(&s, err);
	if (rc == 0)
		rc = import_read(&s, &sink, err);
	import_close(&s);
	return rc == 0 ? 0 : err->code;
}
#endif
