/* SPDX-License-Identifier: ISC */
/*
 * file_cursor - how far the file source has come in the files of one path, to
 * and from bytes. Pure. Called by: file_chase.c, file.c. A place always stands
 * behind an LF, so a line that was not whole is read again after a restart.
 */
#ifndef SOURCE_FILE_CURSOR_H
#define SOURCE_FILE_CURSOR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source.h"

enum {
	PLACE_HEAD_MAX = 256,
	/* Shorter heads than this are not told apart by content alone: less
	 * than a time stamp and one byte. */
	PLACE_HEAD_SURE = 16,
	/* The current file, and rotated ones that a slow writer may still
	 * write into. As many as fit into SOURCE_CURSOR_MAX. */
	FILE_CURSOR_PLACES = 4
};

/* How far one file was read. A file is known again by its first bytes: inodes
 * are reused, and a compressed or copied file has another one. */
struct place {
	uint64_t dev, ino;
	int64_t offset;     /* behind an LF; of the text, when it is packed */
	int64_t size;       /* at the last look */
	int64_t mtime;      /* ns; files changed since then may be new to us */
	uint64_t head_hash; /* of the first head_len bytes that are not NUL */
	uint16_t head_len;
	bool done; /* read to its end, and no longer the current file */
};

struct file_cursor {
	size_t count;                            /* 1..FILE_CURSOR_PLACES */
	struct place places[FILE_CURSOR_PLACES]; /* oldest first */
};

/* Returns the number of bytes. */
size_t file_cursor_encode(
    const struct file_cursor *c, uint8_t out[static SOURCE_CURSOR_MAX]);
/* Strict: anything that encode would not have written is refused. */
bool file_cursor_decode(
    const uint8_t *bytes, size_t len, struct file_cursor *out);
/* 64 bits, without a key: nobody gains by a collision with a log file's head,
 * and who could cause one may write the log anyway. */
uint64_t place_hash(const uint8_t *bytes, size_t len);
#endif
