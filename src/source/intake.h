/* SPDX-License-Identifier: ISC */
/*
 * intake - reads the lines that others pour into one descriptor, as fast as
 * they come, whatever the keeper does. What fifo and stdin share: all but how
 * the descriptor was come by.
 */
#ifndef SOURCE_INTAKE_H
#define SOURCE_INTAKE_H
#include "feed.h"

enum { INTAKE_READ_SIZE = 64 * 1024 };

/* The descriptors that sockets() opens, in this order. */
enum { INTAKE_STREAM, INTAKE_MARK, INTAKE_FDS };

/*
 * In the supervisor: makes the mark, a piece of memory in which a child notes
 * where in a line it stands, so that its successor does not take the end of a
 * line for a whole one. Returns its descriptor, or -1 and *err.
 */
int intake_mark(enum feed_place place, struct err *err);
/* Of a source_kind: open() with what sockets() has opened, and the rest. */
struct source *intake_open(const struct source_env *env,
    const struct conf_section *conf, const struct source_cursor *cursors,
    size_t n, struct err *err);
void intake_start(struct source *s, uv_loop_t *loop);
void intake_stop(struct source *s);
void intake_close(struct source **s);
void intake_counts(const struct source *s, struct matcher_counts *out);
#endif
