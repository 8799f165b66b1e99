/* SPDX-License-Identifier: ISC */
/*
 * scan_progress - how far a long reading has come: one line on a terminal, in
 * place, as wide as the window. Called by scan.c once a chunk.
 */
#ifndef CMD_SCAN_PROGRESS_H
#define CMD_SCAN_PROGRESS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROGRESS_LINE_SIZE = 512 };

struct progress {
	bool on;        /* somebody looks at a terminal */
	uint64_t done;  /* bytes, unpacked ones where a file is packed */
	uint64_t total; /* 0: not known */
	unsigned file, files;
	int64_t began, drawn; /* ms since boot */
	size_t shown;         /* columns that are to be wiped */
};

void progress_begin(
    struct progress *p, bool on, uint64_t total, unsigned files);
/* So many bytes more; draws at most ten times a second. True: it drew. */
bool progress_add(struct progress *p, size_t bytes);
/* Wipes the line: somebody else is going to write. */
void progress_clear(struct progress *p);

/* The line for so many columns at this time. Returns out. */
const char *progress_text(const struct progress *p, int64_t now_boot,
    size_t columns, char out[static PROGRESS_LINE_SIZE]);
/* "268 MB", "1.4 GB": powers of 1000. Returns out. */
const char *progress_size(double bytes, char out[static 16]);
#endif
