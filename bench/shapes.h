/* SPDX-License-Identifier: ISC */
/*
 * shapes - what the clients of each kind of listener send and hear, for
 * bench-listener: as bytes, with nothing of the daemon's own codecs in it.
 */
#ifndef BENCH_SHAPES_H
#define BENCH_SHAPES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHAPE_REQUEST_MAX = 1024, SHAPE_ADDRESS_MAX = 16 };

struct shape {
	const char *name;
	/* A whole request about one IPv4 address; returns its length. */
	size_t (*ask)(uint32_t address, char out[static SHAPE_REQUEST_MAX]);
	/* Length of the first whole request; 0: there is none yet. */
	size_t (*whole)(const char *in, size_t len);
	/* What a server says that knows no lease. */
	const char *no;
	size_t no_len;
	/* Whole answers begin with yes, or are a "no". */
	bool (*allows)(const char *in, size_t len);
	bool (*refuses)(const char *in, size_t len);
	bool once; /* the connection ends with its answer */
};

/* NULL: no such name. */
const struct shape *shape_find(const char *name);
#endif
