/* SPDX-License-Identifier: ISC */
/*
 * whole - when one file of all leases is written.
 *
 * The roll holds what the ledger told, and after each start all of it is told
 * again: so a slice is done as soon as it is on the roll, and a file that
 * cannot be written is tried again from here.
 */
#include "whole.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

enum {
	RETRY_MS = 1000,
	LOOK_MS = 1000,   /* for a new static file */
	GAP_MAX_MS = 500, /* an ended lease is to go within a second */
	GAP_OF_COST = 3,  /* three parts rest, one part work */
	OCTAL = 8,
	MODE_MAX = 0777,
	NS_PER_MS = 1000000
};

struct whole {
	struct export_env env;
	struct whole_kind kind;
	struct roll *roll;
	struct target *target;
	uv_loop_t *loop;
	uv_timer_t timer, look;
	int handles;
	struct fixed *fixed; /* NULL: none */
	bool fixed_read;     /* at least once, and well */
	bool fixed_failing;
	struct err fixed_error;  /* the last one */
	bool complete;           /* the first snapshot is */
	bool changed;            /* the file is not what the roll is */
	bool failing;            /* and the log knows */
	uint64_t interval, next; /* ms; loop time before which nothing is
				  * written */
};

static const char *static_path(const struct conf_section *conf)
{
	return conf_has(conf, "static-file") ? conf_string(conf, "static-file")
					     : "";
}

void whole_needs(const struct conf_section *conf, struct export_needs *out)
{
	static char directory[PATH_MAX], second[PATH_MAX];
	const char *user = conf_string(conf, "user");
	const char *also = static_path(conf);

	target_parent(conf_string(conf, "path"), directory, sizeof(directory));
	out->write[0] = directory;
	if (*also) {
		target_parent(also, second, sizeof(second));
		out->read[0] = second;
	}
	out->account = *user ? user : NULL;
}

static int read_mode(
    const struct conf_section *conf, int *mode, struct err *err)
{
	const char *text = conf_string(conf, "mode");
	char *end;
	long value;

	*mode = TARGET_MODE_KEEP;
	if (!*text)
		return 0;
	value = strtol(text, &end, OCTAL);
	if (*end || value <= 0 || value > MODE_MAX)
		return conf_wrong(conf, err,
		    "mode: \"%s\": expected an octal mode such as 0640", text);
	*mode = (int)value;
	return 0;
}

int whole_check(const struct conf_section *conf, struct err *err)
{
	const char *fixed = static_path(conf);
	int mode;

	if (read_mode(conf, &mode, err) < 0)
		return -1;
	if (*fixed && *fixed != '/')
		return conf_wrong(conf, err,
		    "static-file: \"%s\": expected an absolute path", fixed);
	return 0;
}

int whole_look(const struct conf_section *conf, struct err *err)
{
	const char *path = conf_string(conf, "path");
	char parent[PATH_MAX];
	AUTO_CLOSE int directory = -1;

	target_parent(path, parent, sizeof(parent));
	directory = target_directory(parent, err);
	return directory < 0 ? -1 : target_look(path, directory, err);
}

struct whole *whole_open(const struct export_env *env,
    const struct conf_section *conf, const struct whole_kind *kind,
    struct err *err)
{
	struct target *target;
	struct whole *w;
	int mode;

	if (whole_check(conf, err) < 0 || read_mode(conf, &mode, err) < 0)
		return NULL;
	target = target_open(conf_string(conf, "path"), env->name, mode, err);
	if (!target)
		return NULL;
	w = xcalloc(1, sizeof(*w));
	w->env = *env;
	w->kind = *kind;
	w->target = target;
	w->roll = roll_new(kind->users);
	w->interval = (uint64_t)conf_number(conf, "interval");
	if (*static_path(conf))
		w->fixed = fixed_new(static_path(conf));
	return w;
}

const char *whole_static(const struct whole *w, size_t *len_r)
{
	*len_r = 0;
	return w->fixed ? fixed_text(w->fixed, len_r) : "";
}

/* Whether the static file is new. One that is wrong must not keep ended leases
 * in force: the last good one stays. */
static bool look(struct whole *w)
{
	struct err err = { 0 };
	const char *text;
	size_t len;
	int got = w->fixed ? fixed_look(w->fixed, &err) : 0;

	if (got == 1) {
		text = fixed_text(w->fixed, &len);
		if (w->kind.read && w->kind.read(w->kind.ctx, text, len, &err))
			got = -1;
	}
	if (got == 1)
		w->fixed_read = true;
	if (got < 0)
		w->fixed_error = err;
	/* Before the first good one write_file() tells. */
	if (got < 0 && w->fixed_read && !w->fixed_failing)
		log_error(LOG_EXPORT_ERROR,
		    "export=%s error=\"static-file: %s\" next=\"the last good "
		    "one stays in force\"",
		    w->env.name, err.text);
	if (got)
		w->fixed_failing = got < 0;
	return got == 1;
}

static int write_file(struct whole *w, struct err *err)
{
	(void)look(w);
	if (w->fixed && !w->fixed_read)
		return err_set(err, EXIT_AGAIN,
		    "there is no good static-file yet: %s",
		    w->fixed_error.text);
	if (target_begin(w->target, err) < 0)
		return -1;
	if (w->kind.write(w->kind.ctx, w->roll, w->target, err) < 0) {
		target_abort(w->target);
		return -1;
	}
	return target_commit(w->target, err);
}

static void tell_failure(struct whole *w, const struct err *err)
{
	if (!w->failing)
		log_error(LOG_EXPORT_ERROR,
		    "export=%s error=\"%s\" next=\"tries again\"", w->env.name,
		    err->text);
	w->failing = true;
}

static void tell_success(struct whole *w)
{
	if (w->failing)
		log_info(LOG_EXPORT_STATE, "export=%s state=good", w->env.name);
	w->failing = false;
	if (target_lost_group(w->target))
		log_warn(LOG_EXPORT_ERROR,
		    "export=%s error=\"the file lost its group, others may not "
		    "read it\" next=\"set mode, user, or the directory's "
		    "setgid bit\"",
		    w->env.name);
}

static void write_now(struct whole *w)
{
	uint64_t began = uv_hrtime(), gap;
	struct err err = { 0 };

	w->changed = write_file(w, &err) < 0;
	gap = GAP_OF_COST * ((uv_hrtime() - began) / NS_PER_MS);
	if (gap < w->interval)
		gap = w->interval;
	if (gap > GAP_MAX_MS)
		gap = GAP_MAX_MS;
	if (w->changed) {
		tell_failure(w, &err);
		gap = RETRY_MS;
	} else {
		tell_success(w);
	}
	uv_update_time(w->loop);
	w->next = uv_now(w->loop) + gap;
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct whole *w)
{
	uint64_t now = uv_now(w->loop);

	if (!w->complete || !w->changed ||
	    uv_is_active((const uv_handle_t *)&w->timer))
		return;
	(void)uv_timer_start(
	    &w->timer, on_timer, w->next > now ? w->next - now : 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct whole *w = timer->data;

	write_now(w);
	set_timer(w);
}

static void on_look(uv_timer_t *timer)
{
	struct whole *w = timer->data;

	if (look(w))
		w->changed = true;
	set_timer(w);
}

void whole_start(struct whole *w, uv_loop_t *loop)
{
	w->loop = loop;
	must(uv_timer_init(loop, &w->timer) == 0);
	must(uv_timer_init(loop, &w->look) == 0);
	w->timer.data = w->look.data = w;
	w->handles = 2;
	if (w->fixed)
		(void)uv_timer_start(&w->look, on_look, LOOK_MS, LOOK_MS);
}

void whole_apply(struct whole *w, const struct export_slice *slice)
{
	unsigned changed = roll_apply(w->roll, slice);

	if ((changed & ROLL_MEMBERS) ||
	    ((changed & ROLL_DETAILS) && w->kind.details))
		w->changed = true;
	if (slice->last && !w->complete)
		w->complete = w->changed = true;
	set_timer(w);
	w->env.done(w->env.ctx, true);
}

static void release(struct whole *w)
{
	target_close(&w->target);
	roll_free(&w->roll);
	fixed_free(&w->fixed);
	free(w);
}

static void on_closed(uv_handle_t *handle)
{
	struct whole *w = handle->data;

	if (--w->handles == 0)
		release(w);
}

void whole_close(struct whole **wp)
{
	struct whole *w = *wp;
	uv_loop_t *loop;

	/* While *wp still is what the kind asks. */
	if (w && w->handles && w->complete && w->changed)
		write_now(w);
	*wp = NULL;
	if (!w)
		return;
	if (!w->handles) {
		release(w);
		return;
	}
	loop = w->loop;
	uv_close((uv_handle_t *)&w->timer, on_closed);
	uv_close((uv_handle_t *)&w->look, on_closed);
	(void)uv_run(loop, UV_RUN_NOWAIT);
}
