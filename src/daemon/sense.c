/* SPDX-License-Identifier: ISC */
/*
 * sense - groups, exports, and two sections at one place. Not here: a listener
 * or a source alone (listener_check(), source_check()).
 */
#include "sense.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "board.h"
#include "export/export.h"
#include "listener/listener.h"
#include "probe.h"
#include "source/source.h"

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
		if (listener_place(o, &other) &&
		    endpoint_is_same(&mine, &other))
			return conf_wrong(s, err,
			    "listen: listener %s (line %d) listens there "
			    "already",
			    conf_name(o), conf_line(o));
	}
	return 0;
}

/* What an export writes must not come back by a source, as logins. */
static int check_echo(
    const struct conf *conf, const struct conf_section *s, struct err *err)
{
	const struct export_kind *kind = export_kind_find(conf_kind(s));

	for (size_t j = 0; j < conf_count(conf, "source"); j++) {
		const struct conf_section *o = conf_at(conf, "source", j);
		const struct source_kind *other =
		    source_kind_find(conf_kind(o));

		if (kind->same && kind->same == other->same && kind->same(s, o))
			return conf_wrong(s, err,
			    "source %s (line %d) reads what this writes, so "
			    "that its own leases would come back as logins; "
			    "give it another table",
			    conf_name(o), conf_line(o));
	}
	return 0;
}

static bool same_path(
    const struct conf_section *a, const struct conf_section *b)
{
	return conf_has(a, "path") && conf_has(b, "path") &&
	       strcmp(conf_string(a, "path"), conf_string(b, "path")) == 0;
}

static int check_export(const struct conf *conf, size_t i, struct err *err)
{
	const struct conf_section *s = conf_at(conf, "export", i);
	const struct export_kind *kind = export_kind_find(conf_kind(s));

	if (export_check(s, err) < 0 || check_echo(conf, s, err) < 0)
		return -1;
	for (size_t j = 0; j < i; j++) {
		const struct conf_section *o = conf_at(conf, "export", j);

		if (same_path(s, o))
			return conf_wrong(s, err,
			    "path: export %s (line %d) writes it already",
			    conf_name(o), conf_line(o));
		if (kind->same && kind == export_kind_find(conf_kind(o)) &&
		    kind->same(s, o))
			return conf_wrong(s, err,
			    "export %s (line %d) writes there already, and "
			    "each would remove what the other has written",
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

enum { SECTIONS = 2 };

struct sense_ends {
	const struct conf *conf;
	uint64_t until;
	struct {
		const char *section;
		size_t count;
		struct probe probes[BOARD_SLOTS];
	} of[SECTIONS];
};

struct sense_ends *sense_ends_begin(const struct conf *conf)
{
	static const char *const sections[SECTIONS] = { "export", "source" };
	struct sense_ends *e = xcalloc(1, sizeof(*e));

	e->conf = conf;
	for (size_t s = 0; s < SECTIONS; s++) {
		e->of[s].section = sections[s];
		e->of[s].count = conf_count(conf, sections[s]);
		/* More than that family_fits() refuses. */
		if (e->of[s].count > BOARD_SLOTS)
			e->of[s].count = BOARD_SLOTS;
		for (size_t i = 0; i < e->of[s].count; i++)
			e->of[s].probes[i] = probe_begin(conf, sections[s], i);
	}
	e->until = probe_limit();
	return e;
}

bool sense_ends_ready(const struct sense_ends *e)
{
	for (size_t s = 0; s < SECTIONS; s++) {
		for (size_t i = 0; i < e->of[s].count; i++) {
			if (!probe_is_over(&e->of[s].probes[i], e->until))
				return false;
		}
	}
	return true;
}

void sense_ends_drop(struct sense_ends **ep)
{
	struct sense_ends *e = *ep;

	*ep = NULL;
	for (size_t s = 0; e && s < SECTIONS; s++) {
		for (size_t i = 0; i < e->of[s].count; i++)
			probe_drop(&e->of[s].probes[i]);
	}
	free(e);
}

/* Waits for who has not answered. */
static size_t end_ends(struct sense_ends *e, sense_tell_fn *tell, void *ctx)
{
	size_t wrong = 0;

	for (size_t s = 0; s < SECTIONS; s++) {
		for (size_t i = 0; i < e->of[s].count; i++) {
			const struct conf_section *section =
			    conf_at(e->conf, e->of[s].section, i);
			struct err why = { 0 }, err = { 0 };

			if (probe_end(&e->of[s].probes[i], e->until, &why) == 0)
				continue;
			(void)conf_wrong(section, &err, "%s", why.text);
			err.code = why.code;
			tell(ctx, section, &err);
			wrong += why.code == EXIT_USER;
		}
	}
	free(e);
	return wrong;
}

static size_t check_sections(
    const struct conf *conf, sense_tell_fn *tell, void *ctx)
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
	return wrong;
}

size_t sense_check(const struct conf *conf, sense_tell_fn *tell, void *ctx)
{
	size_t wrong = check_sections(conf, tell, ctx);

	/* A section that is wrong by itself is not to be opened. */
	return wrong ? wrong : end_ends(sense_ends_begin(conf), tell, ctx);
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

	/* A database that is away may come; its process says so. */
	if (f->found || err->code != EXIT_USER)
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

int sense_sections(const struct conf *conf, const char *file, struct err *err)
{
	struct first f = { .file = file, .err = err };

	return check_sections(conf, keep_first, &f) ? -1 : 0;
}

int sense_ends_first(struct sense_ends **ep, const char *file, struct err *err)
{
	struct first f = { .file = file, .err = err };
	struct sense_ends *e = *ep;

	*ep = NULL;
	return end_ends(e, keep_first, &f) ? -1 : 0;
}
