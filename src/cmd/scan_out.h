/* SPDX-License-Identifier: ISC */
/*
 * scan_out - the lines that `relaypass scan` prints, made in one buffer: a log
 * of a gigabyte holds a million logins.
 */
#ifndef CMD_SCAN_OUT_H
#define CMD_SCAN_OUT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "login/login.h"

enum { SCAN_OUT_SIZE = 1 << 17 };

struct progress;

struct scan_out {
	bool json;
	bool failed; /* stdout does not take it; errno_value says why */
	int errno_value;
	struct progress *bar; /* of the terminal that is written to; or NULL */
	size_t used;
	int64_t second; /* whose text is in time */
	char time[20];  /* "2026-11-20T18:05:01Z" */
	char bytes[SCAN_OUT_SIZE];
};

void scan_out_init(struct scan_out *o, bool json);
/* One login or logout. file: NULL, or the name to tell lines of several files
 * apart. reason: NULL when the lease rules grant it, or for a logout. */
void scan_out_login(struct scan_out *o, const char *file, uint64_t line,
    const struct login *l, bool lease, const char *reason);
void scan_out_flush(struct scan_out *o);
#endif
