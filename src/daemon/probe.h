/* SPDX-License-Identifier: ISC */
/*
 * probe - what the other end of a connector is like: its kind's test() in a
 * process of its own, locked down like the connector itself, so that a database
 * that talks nonsense meets nobody with rights. Called by: sense.c, `relaypass
 * doctor`.
 */
#ifndef DAEMON_PROBE_H
#define DAEMON_PROBE_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/conf.h"

enum { PROBE_MS = 5000, PROBE_NOTHING = 1 };

struct probe {
	pid_t pid; /* 0: nothing is to be tested */
	int fd;
};

/* Begins with the i-th section of "export" or "source". Nothing to test: pid 0.
 */
struct probe probe_begin(
    const struct conf *conf, const char *section, size_t i);
/* Whether probe_end() would not wait. */
bool probe_is_over(const struct probe *p, uint64_t until);
/* Waits, until `until` (uv_hrtime() in ms, of all that were begun together). 0,
 * or -1 and *err: EXIT_USER what its administrator has to mend, EXIT_AGAIN it
 * cannot be told now. */
int probe_end(struct probe *p, uint64_t until, struct err *err);
/* Does not wait for it. */
void probe_drop(struct probe *p);
/* Both, for one. PROBE_NOTHING: its kind has no test. */
int probe_section(
    const struct conf *conf, const char *section, size_t i, struct err *err);
/* For `until`. */
uint64_t probe_limit(void);
#endif
