/* SPDX-License-Identifier: ISC */
/*
 * inflate - the text of a gzip or zstd file as a stream, forward only, in a
 * fixed amount of memory however much it unpacks to. Called by: file_stream.c,
 * scan. The descriptor is borrowed, and read with pread only.
 */
#ifndef SOURCE_INFLATE_H
#define SOURCE_INFLATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum inflate_kind { INFLATE_PLAIN = 0, INFLATE_GZIP, INFLATE_ZSTD };

struct inflater;

/* By the first bytes; names may lie. */
enum inflate_kind inflate_detect(const void *head, size_t len);
/* NULL: the file is not packed (or cannot be read). */
struct inflater *inflater_open(int fd);
void inflater_close(struct inflater **i);
/* False when a packed file says itself that its text ends there; what it says
 * is believed, so that nothing is unpacked in vain. */
bool inflate_goes_beyond(int fd, int64_t offset);
/* Bytes of text; 0 at the sound end; -1: the file is damaged or cut. */
ssize_t inflater_read(struct inflater *i, void *out, size_t size);
#endif
