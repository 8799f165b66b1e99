/* SPDX-License-Identifier: ISC */
/*
 * opener - the supervisor's half of the file source: opens what the configured
 * paths name, and the rotated files beside it, and places the inotify watches.
 * The reader that asks is not trusted: it gets nothing the configuration does
 * not name. Called by: proc.c; in tests by the source itself.
 */
#ifndef DAEMON_OPENER_H
#define DAEMON_OPENER_H
#include "source/source.h"

enum { OPENER_FILES_MAX = 256, OPENER_SIBLINGS_MAX = 64 };

struct opener_options {
	const char *name;         /* of the source, for log lines */
	const char *const *paths; /* absolute; * ? [] match names */
	size_t path_count;
	const char *const *owners; /* users or uids, besides root */
	size_t owner_count;
	int inotify_fd; /* borrowed; -1: no watches */
};

struct opener;

/* Copies the options. An owner that does not exist is left out. */
struct opener *opener_new(const struct opener_options *o);
/* The same from a section with the rows "path" and "owner". */
struct opener *opener_for(const struct conf_section *source, int inotify_fd);
void opener_free(struct opener **o);

/*
 * A source_opener_fn with the opener as ctx. Calls fn for each file, which
 * takes file->fd. Never fails as a whole: what cannot be opened is told in the
 * log, once. path: for OPEN_SIBLINGS only; one that no configured path matches
 * gives nothing.
 */
int opener_run(void *opener, enum source_open what, const char *path,
    source_file_fn *fn, void *fn_ctx);
#endif
