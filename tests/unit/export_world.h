/* SPDX-License-Identifier: ISC */
/*
 * export_world - one export of a kind on a directory of the test's own, without
 * a ledger: the test says what is leased. Time is an argument.
 */
#ifndef TESTS_UNIT_EXPORT_WORLD_H
#define TESTS_UNIT_EXPORT_WORLD_H
#include <uv.h>

#include "ledger_dir.h"

#include "export/export.h"

struct export_world {
	const struct export_kind *kind;
	struct conf *conf;
	struct export *export;
	uv_loop_t loop;
	struct export_slice slice;
	size_t done;
	bool good; /* the last answer */
};

static struct export_world *world;

static void world_done(void *ctx, bool good)
{
	struct export_world *w = ctx;

	w->done++;
	w->good = good;
}

static const char *world_source(void *ctx, const struct lease *lease)
{
	(void)ctx;
	(void)lease;
	return "";
}

static void world_alive(void *ctx)
{
	(void)ctx;
}

/* options: as in the configuration; "~" stands for the directory. */
__attribute__((unused)) static bool world_try(
    const struct export_kind *kind, const char *options)
{
	static struct conf_kind kept;
	static const struct conf_kind *const kinds[] = { &kept, NULL };
	static const struct option none[] = { OPTION_END };
	static const struct conf_schema schema[] = {
		{ "export", "A test.", none, kinds }, { 0 }
	};
	struct export_env env = { .name = "t",
		.done = world_done,
		.source_kind = world_source,
		.alive = world_alive,
		.ctx = world };
	char body[1024], text[1280];
	size_t used = 0;

	kept = (struct conf_kind){ kind->name, "A test.", kind->options };
	for (const char *c = options; *c; c++) {
		if (*c == '~')
			used += (size_t)snprintf(
			    body + used, sizeof(body) - used, "%s", dir);
		else
			body[used++] = *c;
		assert_true(used < sizeof(body));
	}
	body[used] = '\0';
	(void)snprintf(text, sizeof(text), "export t { kind = \"%s\" %s }",
	    kind->name, body);
	world->kind = kind;
	world->conf = conf_parse(text, strlen(text), "test", schema, &err);
	if (!world->conf)
		print_error("%s\n", err.text);
	assert_non_null(world->conf);
	world->export =
	    kind->open(&env, conf_at(world->conf, "export", 0), &err);
	if (world->export && kind->start)
		kind->start(world->export, &world->loop);
	return world->export != NULL;
}

static void world_close(void)
{
	if (world->export)
		world->kind->close(&world->export);
	conf_free(&world->conf);
}

__attribute__((unused)) static int world_setup(void **state)
{
	world = calloc(1, sizeof(*world));
	assert_int_equal(uv_loop_init(&world->loop), 0);
	return setup(state);
}

__attribute__((unused)) static int world_teardown(void **state)
{
	world_close();
	(void)uv_run(&world->loop, UV_RUN_NOWAIT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	free(world);
	return teardown(state);
}

/* --- slices ----------------------------------------------------------------
 */

__attribute__((unused)) static void slice_begin(
    struct export_slice *s, bool snapshot)
{
	s->first = s->snapshot = snapshot;
	s->last = true;
	s->now = t0;
	s->count = 0;
}

/* ms 0: no lease. text: an address or a network. */
__attribute__((unused)) static struct lease *slice_add(
    struct export_slice *s, const char *text, const char *user, int64_t ms)
{
	struct export_change *c = &s->changes[s->count++];
	struct net net;

	assert_true(s->count <= EXPORT_SLICE);
	memset(c, 0, sizeof(*c));
	assert_true(net_parse(text, strlen(text), &net));
	c->leased = ms != 0;
	c->lease.addr = net.addr;
	c->lease.bits = net.bits;
	if (!ms)
		return &c->lease;
	c->lease.end = later(ms);
	c->lease.last_login = t0.wall;
	c->lease.user_len = (uint8_t)strlen(user);
	memcpy(c->lease.user, user, strlen(user) + 1);
	return &c->lease;
}

/* Brings the slice, and runs the loop until nothing is due. */
__attribute__((unused)) static bool world_bring(void)
{
	size_t before = world->done;

	uv_update_time(&world->loop);
	world->kind->apply(world->export, &world->slice);
	assert_int_equal(world->done, before + 1);
	return world->good;
}

static char *world_path(const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* The bytes of a file, to be freed; NULL: there is none. */
__attribute__((unused)) static char *world_read(const char *name, size_t *len_r)
{
	int fd = open(world_path(name), O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text;

	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	text = xmalloc((size_t)st.st_size + 1);
	*len_r = (size_t)st.st_size;
	assert_int_equal(read(fd, text, *len_r), st.st_size);
	text[*len_r] = '\0';
	(void)close(fd);
	return text;
}

__attribute__((unused)) static void world_write(
    const char *name, const char *text)
{
	int fd = open(
	    world_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

/* Turns the loop until the file is this; no longer than five seconds. */
__attribute__((unused)) static void world_expect(
    const char *name, const char *want)
{
	uint64_t until = uv_hrtime() + UINT64_C(5000000000);
	char *text = NULL;
	size_t len = 0;

	for (;;) {
		free(text);
		text = world_read(name, &len);
		if ((text && strcmp(text, want) == 0) || uv_hrtime() > until)
			break;
		(void)uv_run(&world->loop, UV_RUN_ONCE);
	}
	assert_non_null(text);
	assert_string_equal(text, want);
	free(text);
}

/* How many names there are in the directory. */
__attribute__((unused)) static size_t world_names(void)
{
	DIR *d = opendir(dir);
	size_t count = 0;

	assert_non_null(d);
	while (readdir(d))
		count++;
	(void)closedir(d);
	return count - 2;
}
#endif
