/* SPDX-License-Identifier: ISC */
/*
 * family_sources - what live sources receive by: opened by the supervisor, kept
 * while their processes come and go, so that nothing sent meanwhile is lost.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/endpoint.h"
#include "base/mem.h"
#include "family.h"

static const struct source_kind *kind_of(const struct conf_section *s)
{
	return source_kind_find(conf_kind(s));
}

/* The options by which a source opens anything, whatever its kind. */
static bool opens_the_same(
    const struct conf_section *a, const struct conf_section *b)
{
	static const char *const options[] = { "listen", "mode", "group",
		"path", "owner", "config" };

	if (strcmp(conf_kind(a), conf_kind(b)) != 0)
		return false;
	for (size_t i = 0; i < COUNT_OF(options); i++) {
		if (!conf_same_option(a, b, options[i]))
			return false;
	}
	return true;
}

/* Whether what the descriptors were opened by is still there: a pipe that was
 * made anew is another one, a socket whose path is gone cannot be spoken to. */
static bool is_still_there(
    const struct conf_section *s, const struct family_fds *had)
{
	struct stat path, fd;
	struct endpoint e;

	if (conf_has(s, "path"))
		return lstat(conf_string(s, "path"), &path) == 0 &&
		       fstat(had->fds[0], &fd) == 0 &&
		       path.st_dev == fd.st_dev && path.st_ino == fd.st_ino;
	if (!conf_has(s, "listen"))
		return true;
	for (size_t i = 0; i < conf_list_size(s, "listen"); i++) {
		if (endpoint_parse(conf_list_at(s, "listen", i), &e) &&
		    endpoint_is_local(&e) &&
		    (lstat(e.path, &path) < 0 || !S_ISSOCK(path.st_mode)))
			return false;
	}
	return true;
}

/* The set of the old configuration that serves this section; each serves one
 * only. */
static const struct family_fds *find_same(const struct conf_section *s,
    const struct conf *old, const struct family_fds *had,
    bool taken[static BOARD_SLOTS])
{
	for (size_t i = 0; old && i < conf_count(old, "source"); i++) {
		const struct conf_section *o = conf_at(old, "source", i);
		if (!had[i].count || taken[i] || !opens_the_same(o, s) ||
		    !is_still_there(s, &had[i]))
			continue;
		taken[i] = true;
		return &had[i];
	}
	return NULL;
}

/* Whether one place of this section is ours already, and so is not free. */
static bool shares_a_place(const struct conf_section *s, const struct conf *old)
{
	for (size_t i = 0; old && i < conf_count(old, "source"); i++) {
		const struct conf_section *o = conf_at(old, "source", i);
		if (!conf_has(s, "listen") || !conf_has(o, "listen"))
			continue;
		for (size_t a = 0; a < conf_list_size(s, "listen"); a++) {
			for (size_t b = 0; b < conf_list_size(o, "listen"); b++)
				if (strcmp(conf_list_at(s, "listen", a),
					conf_list_at(o, "listen", b)) == 0)
					return true;
		}
	}
	return false;
}

/* Opens one section's, or takes what serves it already. How many, or -1. */
static int open_source(const struct conf_section *s, const struct conf *old,
    const struct family_fds *same, struct family_fds *out, struct err *err)
{
	int count;

	if (same) {
		/* The rest of the section may have changed. */
		*out = *same;
		return source_check(s, err) < 0 ? -1 : (int)same->count;
	}
	if (!kind_of(s)->sockets)
		return 0;
	count = kind_of(s)->sockets(s, out->fds, COUNT_OF(out->fds), err);
	if (count < 0 && err->code == EXIT_AGAIN && shares_a_place(s, old))
		return err_set(err, EXIT_USER,
		    "source %s: kind, listen, mode and group of a place that "
		    "stays change at a restart only",
		    conf_name(s));
	return count;
}

int family_open_sources(const struct conf *conf, const struct conf *old,
    const struct family_fds *had, struct family_fds *out, struct err *err)
{
	size_t n = conf_count(conf, "source");
	bool taken[BOARD_SLOTS] = { false };

	memset(out, 0, BOARD_SLOTS * sizeof(*out));
	for (size_t i = 0; i < n && i < BOARD_SLOTS; i++) {
		const struct conf_section *s = conf_at(conf, "source", i);
		int count = open_source(
		    s, old, find_same(s, old, had, taken), &out[i], err);

		if (count < 0) {
			family_close_sources(
			    conf, out, had, old ? BOARD_SLOTS : 0);
			return -1;
		}
		out[i].count = (size_t)count;
	}
	return 0;
}

static bool holds(const struct family_fds *set, size_t count, int fd)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < set[i].count; j++) {
			if (set[i].fds[j] == fd)
				return true;
		}
	}
	return false;
}

/* The j-th descriptor is the j-th endpoint's. */
static void remove_socket(const struct conf_section *s, size_t j)
{
	struct endpoint e;

	if (conf_has(s, "listen") && j < conf_list_size(s, "listen") &&
	    endpoint_parse(conf_list_at(s, "listen", j), &e) &&
	    endpoint_is_local(&e))
		(void)unlink(e.path);
}

void family_close_sources(const struct conf *conf, struct family_fds *fds,
    const struct family_fds *kept, size_t kept_count)
{
	size_t n = conf_count(conf, "source");

	for (size_t i = 0; i < n && i < BOARD_SLOTS; i++) {
		for (size_t j = 0; j < fds[i].count; j++) {
			if (holds(kept, kept_count, fds[i].fds[j]))
				continue;
			(void)close(fds[i].fds[j]);
			remove_socket(conf_at(conf, "source", i), j);
		}
		fds[i].count = 0;
	}
}
