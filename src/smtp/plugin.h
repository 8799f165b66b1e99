/* SPDX-License-Identifier: ISC */
/*
 * plugin - runs one plugin: descriptor 0 is /dev/null, 1 comes here, 2 is the
 * log; no other descriptor is open in it. Its lines are read until one ends
 * the reading; what it writes after that is thrown away, so that it may end in
 * peace. It is waited for, not what it left running. It is the leader of a
 * process group, which is killed when its time is over.
 */
#ifndef SMTP_PLUGIN_H
#define SMTP_PLUGIN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan.h"

enum { SPP_OUTPUT_MAX = 1048576 }; /* bytes a plugin may write */

enum spp_end {
	SPP_CRASHED, /* killed by a signal; zero, as all but SPP_ENDED fail */
	SPP_NOT_RUN, /* exit code 120 (errno is 0), or errno tells why not */
	SPP_TOO_SLOW,
	SPP_TOO_MUCH, /* output, or one line of it */
	SPP_ENDED
};

enum spp_line_wish {
	SPP_LINE_BAD,  /* the plugin is killed: SPP_TOO_MUCH */
	SPP_LINE_LAST, /* no more are read */
	SPP_LINE_MORE
};

/* A line without LF; a last one without LF is whole, too. */
typedef enum spp_line_wish spp_line_fn(void *ctx, const char *line, size_t len);

/*
 * env as execve(2) wants it. limit: ms. Descriptors 0 to 2 must be open here,
 * SIGCHLD must not be ignored, and there must be no handlers of signals, as one
 * could run in the child on our memory. Linux 5.3 or newer (pidfd).
 */
enum spp_end spp_plugin_run(const struct spp_plugin *p, char *const *env,
    int64_t limit, spp_line_fn *fn, void *ctx);
/* "child crashed" and so on, as qmail-spp has it in its 451. */
const char *spp_end_text(enum spp_end end);
#endif
