/* SPDX-License-Identifier: ISC */
/*
 * file_seek - where in a plain log file the lines since some time begin.
 * Called by: file_chase.c, for a path without a cursor.
 */
#ifndef SOURCE_FILE_SEEK_H
#define SOURCE_FILE_SEEK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The stamp of a line, wall ms, or -1. */
typedef int64_t seek_stamp_fn(void *ctx, const char *line, size_t len);

/*
 * The beginning of a line between base and size such that all lines before it
 * are older than `since`, and not many behind it are. Without any stamp in the
 * file (*stamped): the end of its last whole line, for a line without time that
 * is read late would count as new.
 */
int64_t file_seek(int fd, int64_t base, int64_t size, int64_t since,
    seek_stamp_fn *stamp, void *ctx, bool *stamped);
#endif
