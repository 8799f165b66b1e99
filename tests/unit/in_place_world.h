/* SPDX-License-Identifier: ISC */
/*
 * in_place_world - one export kind, its section, a directory, a loop, and
 * slices to give it.
 */
#ifndef UNIT_IN_PLACE_WORLD_H
#define UNIT_IN_PLACE_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/mem.h"
#include "export/export.h"

enum { EXPORT_HOST_BITS = 128, EXPORT_TEXT = 512 };

struct export_world {
	char dir[32], path[64];
	const struct export_kind *kind;
	struct conf *conf;
	const struct conf_section *section;
	struct export *export;
	struct export_slice *slice;
	uv_loop_t loop;
	size_t done, failed;
};

static struct export_world world;

static void world_done(void *ctx, bool good)
{
	(void)ctx;
	world.done++;
	world.failed += !good;
}

static const char *world_source_kind(void *ctx, const struct lease *lease)
{
	(void)ctx;
	(void)lease;
	return "file";
}

static void world_alive(void *ctx)
{
	(void)ctx;
}

static inline void world_open(
    const struct export_kind *kind, const char *options)
{
	static const struct option none[] = { OPTION_END };
	static struct conf_kind one;
	static const struct conf_kind *kinds[] = { &one, NULL };
	static const struct conf_schema schema[] = {
		{ "export", "A copy.", none, kinds }, { NULL, NULL, NULL, NULL }
	};
	const struct export_env env = { .name = "t",
		.done = world_done,
		.source_kind = world_source_kind,
		.alive = world_alive };
	char text[EXPORT_TEXT];
	struct err err = { 0 };

	world.kind = kind;
	one = (struct conf_kind){ world.kind->name, world.kind->help,
		world.kind->options };
	(void)snprintf(text, sizeof(text),
	    "export t { kind = \"%s\" path = \"%s\" user = \"root\" %s }\n",
	    kind->name, world.path, options);
	world.conf = conf_parse(text, strlen(text), "test", schema, &err);
	if (!world.conf)
		fail_msg("%s", err.text);
	world.section = conf_at(world.conf, "export", 0);
	world.export = world.kind->open(&env, world.section, &err);
	if (!world.export)
		fail_msg("%s", err.text);
	must(uv_loop_init(&world.loop) == 0);
	world.kind->start(world.export, &world.loop);
	world.done = world.failed = 0;
}

static inline void world_close(void)
{
	world.kind->close(&world.export);
	must(uv_loop_close(&world.loop) == 0);
	conf_free(&world.conf);
}

/* A directory, and the name of a file in it. */
static inline int world_set_up(void **state)
{
	(void)state;
	(void)snprintf(world.dir, sizeof(world.dir), "/tmp/export-XXXXXX");
	must(mkdtemp(world.dir) != NULL);
	must(chmod(world.dir, 0755) == 0);
	(void)snprintf(
	    world.path, sizeof(world.path), "%s/table.db", world.dir);
	world.slice = xmalloc(sizeof(*world.slice));
	return 0;
}

static inline int world_tear_down(void **state)
{
	(void)state;
	(void)unlink(world.path);
	(void)rmdir(world.dir);
	free(world.slice);
	return 0;
}

/* Begins a slice; snapshot: a whole one. */
static inline void world_begin(bool snapshot)
{
	memset(world.slice, 0, sizeof(*world.slice));
	world.slice->snapshot = world.slice->first = snapshot;
	world.slice->last = true;
}

static inline void world_add_addr(struct addr addr, bool leased, int64_t end)
{
	struct export_change *c = &world.slice->changes[world.slice->count++];

	must(world.slice->count <= EXPORT_SLICE);
	c->leased = leased;
	c->lease.addr = addr;
	c->lease.bits = EXPORT_HOST_BITS;
	c->lease.end.wall = end;
	c->lease.last_login = end - 1000;
}

static inline void world_add(const char *text, bool leased, int64_t end)
{
	struct addr addr;

	assert_true(addr_parse(text, strlen(text), &addr));
	world_add_addr(addr, leased, end);
}

static inline void world_apply(void)
{
	world.kind->apply(world.export, world.slice);
}

/* One change. */
static inline void world_change(const char *text, bool leased, int64_t end)
{
	world_begin(false);
	world_add(text, leased, end);
	world_apply();
}

/* A snapshot of so many addresses: 10.0.0.0 and so on. */
static inline void world_snapshot(size_t count)
{
	bool first = true;

	for (size_t i = 0; first || i < count;) {
		world_begin(true);
		world.slice->first = first;
		for (; i < count && world.slice->count < EXPORT_SLICE; i++) {
			struct addr a = { { [10] = 0xff,
			    [11] = 0xff,
			    10,
			    (uint8_t)(i >> 16),
			    (uint8_t)(i >> 8),
			    (uint8_t)i } };
			world_add_addr(a, true, 1700000000000);
		}
		world.slice->last = i == count;
		world_apply();
		first = false;
	}
}
#endif
