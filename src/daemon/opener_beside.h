/* SPDX-License-Identifier: ISC */
/*
 * opener_beside - lists the rotated files that lie beside a log file.
 * Called by: opener.c.
 */
#ifndef DAEMON_OPENER_BESIDE_H
#define DAEMON_OPENER_BESIDE_H
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct beside {
	int64_t mtime; /* ns */
	char name[NAME_MAX + 1];
};

/* Rotated forms of base in the directory, regular files only, the newest first;
 * returns how many. dated: also names that are the same but for digits. dir may
 * be an O_PATH descriptor. */
size_t beside_list(
    int dir, const char *base, bool dated, struct beside *out, size_t size);
#endif
