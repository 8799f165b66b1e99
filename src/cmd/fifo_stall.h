/* SPDX-License-Identifier: ISC */
/*
 * fifo_stall - does anybody read a named pipe? Told from outside, without
 * taking a byte that belongs to somebody. Called by: fifo-safety.c.
 */
#ifndef CMD_FIFO_STALL_H
#define CMD_FIFO_STALL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STALL_HEAD = 4096 };

/* A pipe at one moment. */
struct stall_sample {
	size_t waiting;  /* bytes in it */
	bool full;       /* a writer would wait */
	int64_t read_at; /* ns: when anybody last read, as the inode says */
	size_t head_len; /* 0: it was not looked at */
	uint8_t head[STALL_HEAD]; /* the bytes that are read next */
};

struct stall {
	size_t high, low;  /* bytes: more than high is too much, low is left */
	unsigned patience; /* looks at too much, with nobody reading */
	unsigned still;    /* so many there were */
	bool alone;        /* nobody reads: what is too much is to be taken */
	bool looked;       /* last holds something */
	struct stall_sample last;
};

/* size: of the pipe; percent of it are too much. */
void stall_init(
    struct stall *s, size_t size, unsigned percent, unsigned patience);
/*
 * Looks at a pipe; peek: the ends of a pipe of one's own, empty, into which
 * its head is copied (not taken). False: fd is no pipe.
 */
bool stall_sample(int fd, const int peek[2], struct stall_sample *out);
/* Judges one look: how many bytes to take, 0 none. Looks are counted, not time:
 * who slept must not think that nobody did anything meanwhile. */
size_t stall_judge(struct stall *s, const struct stall_sample *sample);
/* What is left behind one's own taking, so that it is not held for another's.
 */
void stall_took(struct stall *s, const struct stall_sample *left);
#endif
