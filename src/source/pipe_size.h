/* SPDX-License-Identifier: ISC */
/*
 * pipe_size - makes a pipe as large as the kernel allows, for what comes while
 * nobody reads. Called by: fifo.c, stdin.c, cmd/fifo-safety.
 */
#ifndef SOURCE_PIPE_SIZE_H
#define SOURCE_PIPE_SIZE_H

/* What any user may have, unless the administrator changed that. */
enum { PIPE_SIZE_MAX = 1024 * 1024 };

/* At most PIPE_SIZE_MAX, never smaller than it is. Returns the size in bytes,
 * or 0 when fd is no pipe. */
int pipe_size_widen(int fd);
#endif
