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

#include "base/err.h"
#include "listener/server.h"
#include "source/source.h"

enum {
	BOARD_SLOTS = 96,
	BOARD_LISTENERS = 16,
	BOARD_NAME = 48,
	BOARD_SAID = ERR_TEXT_SIZE,
	BOARD_TROUBLE = BOARD_SAID, /* base/trouble.h has no longer ones */
	BOARD_PAGE = 4096
};

/* On a page of its own: a child may write no other. */
struct board_slot {
	_Alignas(BOARD_PAGE) _Atomic int32_t pid; /* 0: no process now */
	int32_t role;                             /* enum role */
	char name[BOARD_NAME];                    /* source or number; "" */
	_Atomic uint64_t beat; /* uv_hrtime() of the last sign of life */
	_Atomic uint64_t started;
	_Atomic uint32_t restarts;
	/* Who does not serve: uv_hrtime() of when it ended, 0: it serves or
	 * was not started yet; its exit code, or minus the signal. */
	_Atomic uint64_t down_since;
	_Atomic int32_t down_code;
	/* exporters: what the log knows already; "": nothing. So that who is
	 * started again and again does not say the same each time. */
	char said[BOARD_SAID];
	/* exporters, connectors: uv_hrtime() of when it was last in step with
	 * its other end (0: never yet), how much waits, and what is wrong. */
	_Atomic uint64_t in_step, behind;
	char trouble[BOARD_TROUBLE];
	/* readers, receivers */
	_Atomic uint64_t lines, logins, logouts, odd, refused;
	_Atomic uint64_t dropped; /* receivers: for want of room to wait in */
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

/* Shared, zeroed memory; ends the process when there is none. By *fd_r it can
 * be protected by that descriptor later. */
void *board_map(size_t size, int *fd_r);
/* Makes it read only for this process, for good: mprotect() does not bring the
 * right back. */
void board_protect(void *p, size_t size, int fd);
/* In a child: leaves it its own slot to write; the others are read only from
 * now on. fd: of the board. */
void board_narrow(struct board *b, struct board_slot *own, int fd);
void board_beat(struct board_slot *slot);
#endif
