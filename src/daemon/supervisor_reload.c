/* SPDX-License-Identifier: ISC */
/*
 * supervisor_reload - takes a new configuration without a question refused.
 * Everything that may fail comes first: a bad one changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "schema.h"
#include "sense.h"
#include "supervisor_private.h"

static char *read_config(const char *path, size_t *len, struct err *err)
{
	AUTO_FREE char *text = xmalloc(CONFIG_MAX);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, CONFIG_MAX);

	if (n < 0 || n == CONFIG_MAX) {
		(void)err_errno(err, EXIT_USER, n < 0 ? errno : EFBIG,
		    "cannot read %s", path);
		return NULL;
	}
	*len = (size_t)n;
	return take_ptr(&text);
}

void supervisor_unlink(const struct conf_section *listener)
{
	struct endpoint at;

	if (listener_place(listener, &at) && endpoint_is_local(&at))
		(void)unlink(at.path);
}

static bool same_place(
    const struct conf_section *a, const struct conf_section *b)
{
	struct endpoint x, y;

	return listener_place(a, &x) && listener_place(b, &y) &&
	       x.type == y.type && endpoint_is_same(&x, &y);
}

/* The listening sockets of the next configuration. */
struct sockets {
	int fds[BOARD_LISTENERS];
	bool made[BOARD_LISTENERS]; /* for it; else one that we had */
	bool kept[BOARD_LISTENERS]; /* of those that we had */
};

/* The socket that we have for this section, by what it listens on: -1, or its
 * index. -2: there is one, but it would have to be another. */
static int find_socket(const struct supervisor *s, const struct conf_section *c,
    const struct sockets *next, struct err *err)
{
	for (size_t i = 0; i < conf_count(s->conf, "listener"); i++) {
		const struct conf_section *old =
		    conf_at(s->conf, "listener", i);
		if (next->kept[i] || !same_place(old, c))
			continue;
		if (strcmp(conf_string(old, "mode"), conf_string(c, "mode")) ==
			0 &&
		    strcmp(conf_string(old, "group"),
			conf_string(c, "group")) == 0)
			return (int)i;
		(void)err_set(err, EXIT_USER,
		    "listener %s: mode and group change at a restart only",
		    conf_name(c));
		return -2;
	}
	return -1;
}

static void drop_sockets(
    const struct conf *next, const struct sockets *sockets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!sockets->made[i])
			continue;
		(void)close(sockets->fds[i]);
		supervisor_unlink(conf_at(next, "listener", i));
	}
}

/* Sockets whose place stays are kept, so that no question is refused; the
 * others are made. -1: nothing has changed. */
static int next_sockets(struct supervisor *s, const struct conf *next,
    struct sockets *out, struct err *err)
{
	size_t n = conf_count(next, "listener");

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < n && i < BOARD_LISTENERS; i++) {
		const struct conf_section *c = conf_at(next, "listener", i);
		int old = listener_check(c, err) < 0
			      ? -2
			      : find_socket(s, c, out, err);

		if (old >= 0) {
			out->kept[old] = true;
			out->fds[i] = s->family.listen_fds[old];
		} else if (old == -1) {
			out->fds[i] = listener_socket_open(c, err);
			out->made[i] = out->fds[i] >= 0;
		}
		if (old == -2 || out->fds[i] < 0) {
			drop_sockets(next, out, i);
			return -1;
		}
	}
	return 0;
}

/* Makes them ours, and lets the others go. */
static void take_sockets(struct supervisor *s, const struct sockets *next)
{
	int *fds = s->family.listen_fds;

	for (size_t i = 0; i < conf_count(s->conf, "listener"); i++) {
		if (next->kept[i])
			continue;
		(void)close(fds[i]);
		supervisor_unlink(conf_at(s->conf, "listener", i));
	}
	memcpy(fds, next->fds, sizeof(next->fds));
}

static bool same_string(
    const struct conf *a, const struct conf *b, const char *option)
{
	return strcmp(conf_string(conf_at(a, "relaypass", 0), option),
		   conf_string(conf_at(b, "relaypass", 0), option)) == 0;
}

static struct conf *next_conf(
    struct supervisor *s, const char *text, size_t len, struct err *err)
{
	struct conf *next = conf_parse(text, len, s->o->config, schema(), err);

	if (!next)
		return NULL;
	if (!same_string(s->conf, next, "directory") ||
	    !same_string(s->conf, next, "run-directory") ||
	    !same_string(s->conf, next, "control-group")) {
		(void)err_set(err, EXIT_USER,
		    "directory, run-directory and control-group change at a "
		    "restart only");
		conf_free(&next);
	} else if (sense_sections(next, s->o->config, err) < 0) {
		conf_free(&next);
	}
	return next;
}

static bool has_map(const struct conf *conf)
{
	for (size_t i = 0; i < conf_count(conf, "listener"); i++)
		if (listener_has_map(conf_at(conf, "listener", i)))
			return true;
	return false;
}

/* Answerers keep their connections unless the listeners changed, or what they
 * opened the ledger with; or may have, in a file that they can open no more. */
static bool answerers_stay(const struct conf *a, const struct conf *b)
{
	const struct conf_section *old = conf_at(a, "lease", 0);
	const struct conf_section *new = conf_at(b, "lease", 0);

	return conf_same(a, b, "listener") && !has_map(b) &&
	       conf_same(a, b, "relaypass") &&
	       conf_number(old, "ipv6-prefix") ==
		   conf_number(new, "ipv6-prefix") &&
	       conf_number(old, "ttl") == conf_number(new, "ttl");
}

/* Nothing can fail any more. */
static void change_over(struct supervisor *s, struct conf *next,
    const struct family_fds *sources, bool stay)
{
	struct family *f = &s->family;
	struct member answerers[BOARD_SLOTS];
	struct err err;

	family_stop(f, ROLE_READER);
	family_stop(f, ROLE_RECEIVER);
	if (!stay)
		family_stop(f, ROLE_ANSWERER);
	family_stop(f, ROLE_GATEWAY);
	family_stop_exports(f);
	family_stop(f, ROLE_KEEPER);
	memcpy(answerers, f->members, sizeof(answerers));
	must(family_plan(f, next, &err) == 0);
	/* As many as before, so in the same places. */
	for (size_t i = 0; stay && i < f->count; i++) {
		if (f->members[i].role == ROLE_ANSWERER)
			f->members[i] = answerers[i];
	}
	family_close_sources(s->conf, f->source_fds, sources, BOARD_SLOTS);
	memcpy(f->source_fds, sources, sizeof(f->source_fds));
	for (size_t i = 0; !stay && i < f->count; i++)
		memset(f->members[i].slot->listeners, 0,
		    sizeof(f->members[i].slot->listeners));
	conf_free(&s->conf);
	s->conf = next;
	log_set_level((enum log_level)conf_number(
	    conf_at(next, "relaypass", 0), "log-level"));
}

/* One that waits for the databases it names. */
struct reload {
	char *text;
	size_t len;
	struct conf *next;
	struct sense_ends *ends;
};

static void tell_kept(const struct err *err)
{
	log_error(LOG_RELOAD, "kept=old error=\"%s\"", err->text);
}

/*
 * Readers go on from their cursors and the keeper from its ledger, so they
 * simply start anew.
 */
static void take_next(
    struct supervisor *s, struct conf *next, const char *text, size_t len)
{
	struct err err = { 0 };
	struct sockets sockets = { 0 };
	struct family_fds sources[BOARD_SLOTS];
	bool stay;

	if (family_open_sources(
		next, s->conf, s->family.source_fds, sources, &err) < 0) {
		conf_free(&next);
	} else if (family_fits(next, &err) < 0 ||
		   next_sockets(s, next, &sockets, &err) < 0) {
		family_close_sources(
		    next, sources, s->family.source_fds, BOARD_SLOTS);
		conf_free(&next);
	}
	if (!next) {
		tell_kept(&err);
		return;
	}
	stay = answerers_stay(s->conf, next);
	take_sockets(s, &sockets);
	change_over(s, next, sources, stay);
	if (stay)
		family_tell(&s->family, text, len);
	log_info(LOG_RELOAD, "config=%s answerers=%s", s->o->config,
	    stay ? "kept" : "restarted");
}

void supervisor_reload_drop(struct supervisor *s)
{
	struct reload *r = s->reload;

	s->reload = NULL;
	if (!r)
		return;
	sense_ends_drop(&r->ends);
	conf_free(&r->next);
	free(r->text);
	free(r);
}

void supervisor_reload_turn(struct supervisor *s)
{
	struct reload *r = s->reload;
	struct err err = { 0 };

	if (!r || !sense_ends_ready(r->ends))
		return;
	if (sense_ends_first(&r->ends, s->o->config, &err) < 0) {
		tell_kept(&err);
	} else {
		take_next(s, r->next, r->text, r->len);
		r->next = NULL;
	}
	supervisor_reload_drop(s);
}

void supervisor_reload(struct supervisor *s)
{
	struct err err = { 0 };
	size_t len = 0;
	AUTO_FREE char *text = read_config(s->o->config, &len, &err);
	struct conf *next = text ? next_conf(s, text, len, &err) : NULL;

	if (!next) {
		tell_kept(&err);
		return;
	}
	supervisor_reload_drop(s);
	s->reload = xcalloc(1, sizeof(*s->reload));
	s->reload->text = take_ptr(&text);
	s->reload->len = len;
	s->reload->next = next;
	s->reload->ends = sense_ends_begin(next);
	supervisor_reload_turn(s);
}
