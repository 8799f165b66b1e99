/* SPDX-License-Identifier: ISC */
/*
 * feed - log lines of a live source to logins: cuts bytes into lines, matches
 * them, submits what they tell. When the queue to the keeper is full, a login
 * is dropped and counted; it never waits. Called by: intake.c, syslog.c.
 */
#ifndef SOURCE_FEED_H
#define SOURCE_FEED_H
#include "source.h"

struct feed;

/* Option rows of every live source of log lines. */
#define FEED_OPTIONS                                                           \
	{                                                                      \
		"servers", OPTION_STRING, "", 0, 0, NULL,                      \
		    "Servers that write into it, separated by commas; empty "  \
		    "for those of the section relaypass."                      \
	}

/* Where in a line the next byte of a stream stands. */
enum feed_place {
	FEED_LINE = 0, /* at the beginning of one */
	FEED_DOUBT,    /* perhaps: the first line counts if it begins with a
			* stamp, as the end of another one hardly does */
	FEED_INSIDE    /* not: what comes up to the first LF is no line */
};

struct feed *feed_new(
    const struct source_env *env, const struct conf_section *conf);
void feed_free(struct feed **f);
/* Where the stream begins; FEED_LINE when nothing is said. */
void feed_begin(struct feed *f, enum feed_place place);
/* A stream's bytes, read at wall time now (ms). The rest of a line waits for
 * the next call. */
void feed_bytes(struct feed *f, const char *bytes, size_t len, int64_t now);
/* One whole line, without its LF. */
void feed_line(struct feed *f, const char *line, size_t len, int64_t now);
/* The same for one whose sender the kernel named; matcher_line_from(). */
void feed_line_from(
    struct feed *f, const char *line, size_t len, int64_t now, uint32_t uid);
void feed_counts(const struct feed *f, struct matcher_counts *out);
/* Logins that found the queue full. */
uint64_t feed_dropped(const struct feed *f);
/* Lines that were longer than LINE_MAX_BYTES. */
uint64_t feed_long(const struct feed *f);
#endif
