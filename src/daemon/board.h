/* SPDX-License-Identifier: ISC */
/*
 * board - counters and signs of life in memory that all processes share. Each
 * child writes its own slot; the supervisor and the keeper's `status` read
 * them. Nothing here decides anything but the mode, which only the keeper may
 * write. A child may have been taken over: what stands in a slot is to be read
 * as a stranger's.
 */
#ifndef DAEMON_BOARD_H
#define DAEMON_BOARD_H
#include <stdatomic.h>
#include <stdint.h>

#include "listener/server.h"
#include "source/source.h"

enum { BOARD_SLOTS = 96, BOARD_LISTENERS = 16, BOARD_NAME = 32 };

struct board_slot {
	_Atomic int32_t pid;   /* 0: no process now */
	int32_t role;          /* enum role */
	char name[BOARD_NAME]; /* source or number; "" */
	_Atomic uint64_t beat; /* uv_hrtime() of the last sign of life */
	_Atomic uint64_t started;
	_Atomic uint32_t restarts;
	/* readers */
	_Atomic uint64_t lines, logins, logouts, odd, refused;
	/* keeper: logins by what became of them */
	_Atomic uint64_t granted, renewed, denied, commits;
	/* answerers, by the number of the listener section */
	struct server_counts listeners[BOARD_LISTENERS];
};

/* On a page of its own: read only in every child but the keeper. */
struct board_mode {
	_Atomic int32_t set; /* as ledger_mode() */
};

struct board {
	struct board_slot slots[BOARD_SLOTS];
};

/* Shared, zeroed memory; ends the process when there is none. With fd_r it can
 * be protected by that descriptor later. */
void *board_map(size_t size, int *fd_r);
/* Makes it read only for this process, for good: mprotect() does not bring the
 * right back. */
void board_protect(void *p, size_t size, int fd);
void board_beat(struct board_slot *slot);
#endif
