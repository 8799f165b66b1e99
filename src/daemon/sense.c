/* SPDX-License-Identifier: ISC */
/*
 * sense - groups, exports, and two sections at one place. Not here: a listener
 * or a source alone (listener_check(), source_check()).
 */
#include "sense.h"

#include <string.h>

#include "base/mem.h"
#include "board.h"
#include "export/export.h"
#include "listener/listener.h"
#include "probe.h"

enum { PLACE_SIZE = 160 };

/* Two unix sockets of different types cannot have one path either. */
static bool same_place(const struct endpoint *a, const struct endpoint *b)
{
	char one[PLACE_SIZE], other[PLACE_SIZE];

	if (endpoint_is_local(a) && endpoint_is_local(b))
		return strcmp(a->path, b->path) == 0;
	return strcmp(endpoint_print(a, one, sizeof(one)),
		   endpoint_print(b, other, sizeof(other))) == 0;
}

static bool is_control(const struct conf *conf, const struct endpoint *e)
{
	const char *run =
	    conf_string(conf_at(conf, "relaypass", 0), "run-directory");
	size_t len = strlen(run);

	return endpoint_is_local(e) && strncmp(e->path, run, len) == 0 &&
	       strcmp(e->path + len, "/control") == 0;
}

static int check_listener(const struct conf *conf, size_t i, struct err *err)
{
	const struct conf_section *s = conf_at(conf, "listener", i);
	struct endpoint mine, other;

	if (!listener_place(s, &mine))
		return 0; /* listener_check() says why */
	if (is_control(conf, &mine))
		return conf_wrong(
		    s, err, "listen: the control socket is there already");
	for (size_t j = 0; j < i; j++) {
		const struct conf_section *o = conf_at(conf, "listener", j);
		if (listener_place(o, &other) && same_place(&mine, &other))
			return conf_wrong(s, err,
			    "listen: listener %s (line %d) listens there "
			    "already",
			    conf_name(o), conf_line(o));
	}
	return 0;
}

static int check_export(const struct conf *conf, size_t i, struct err *err)
{
	const struct conf_section *s = conf_at(conf, "export", i);

	if (export_check(s, err) < 0)
		return -1;
	for (size_t j = 0; conf_has(s, "path") && j < i; j++) {
		const struct conf_section *o = conf_at(conf, "export", j);
		if (conf_has(o, "path") &&
		    strcmp(conf_string(o, "path"), conf_string(s, "path")) == 0)
			return conf_wrong(s, err,
			    "path: export %s (line %d) writes it already",
			    conf_name(o), conf_line(o));
	}
	return 0;
}

static int check_main(const struct conf *conf, size_t i, struct err *err)
{
	return endpoint_check_group(
	    conf_string(conf_at(conf, "relaypass", i), "control-group"),
	    "control-group", err);
}

struct ends {
	const char *section;
	size_t count;
	struct probe probes[BOARD_SLOTS];
};

static void begin_ends(const struct conf *conf, struct ends *e)
{
	e->count = conf_count(conf, e->section);
	/* More than that family_fits() refuses. */
	if (e->count > COUNT_OF(e->probes))
		e->count = COUNT_OF(e->probes);
	for (size_t i = 0; i < e->count; i++)
		e->probes[i] = probe_begin(conf, e->section, i);
}

/* Databases that were reached and are not fit; all are asked at once. */
static size_t check_ends(
    const struct conf *conf, sense_tell_fn *tell, void *ctx)
{
	struct ends ends[] = { { .section = "export" },
		{ .section = "source" } };
	uint64_t until;
	size_t wrong = 0;

	for (size_t s = 0; s < COUNT_OF(ends); s++)
		begin_ends(conf, &ends[s]);
	until = probe_limit();
	for (size_t s = 0; s < COUNT_OF(ends); s++) {
		for (size_t i = 0; i < ends[s].count; i++) {
			const struct conf_section *section =
			    conf_at(conf, ends[s].section, i);
			struct err why = { 0 }, err = { 0 };

			/* One that is away may come; its process says so. */
			if (probe_end(&ends[s].probes[i], until, &why) == 0 ||
			    why.code != EXIT_USER)
				continue;
			(void)conf_wrong(section, &err, "%s", why.text);
			tell(ctx, section, &err);
			wrong++;
		}
	}
	return wrong;
}

size_t sense_check(const struct conf *conf, sense_tell_fn *tell, void *ctx)
{
	static const struct {
		const char *section;
		int (*check)(
		    const struct conf *conf, size_t i, struct err *err);
	} rows[] = {
		{ "relaypass", check_main },
		{ "listener", check_listener },
		{ "export", check_export },
	};
	size_t wrong = 0;

	for (size_t r = 0; r < COUNT_OF(rows); r++) {
		for (size_t i = 0; i < conf_count(conf, rows[r].section); i++) {
			struct err err = { 0 };
			if (rows[r].check(conf, i, &err) == 0)
				continue;
			tell(ctx, conf_at(conf, rows[r].section, i), &err);
			wrong++;
		}
	}
	/* A section that is wrong by itself is not to be opened. */
	return wrong ? wrong : check_ends(conf, tell, ctx);
}

struct first {
	const char *file;
	struct err *err;
	bool found;
};

static void keep_first(
    void *ctx, const struct conf_section *s, const struct err *err)
{
	struct first *f = ctx;

	if (f->found)
		return;
	f->found = true;
	/* Defaults stand in no line. */
	if (conf_line(s) > 0)
		(void)err_set(f->err, EXIT_USER, "%s:%d: %s", f->file,
		    conf_line(s), err->text);
	else
		(void)err_set(f->err, EXIT_USER, "%s: %s", f->file, err->text);
}

int sense_first(const struct conf *conf, const char *file, struct err *err)
{
	struct first f = { .file = file, .err = err };

	return sense_check(conf, keep_first, &f) ? -1 : 0;
}
