/* SPDX-License-Identifier: ISC */
/*
 * drac_register - keeps DRAC's sockets known to the rpcbind of this host: both
 * versions, UDP and TCP. Called by: drac.c. Owns one UDP socket to rpcbind.
 *
 * It asks again once a minute, because an rpcbind that was started again knows
 * nothing; and every few seconds while there is no answer, so that the order in
 * which the two start does not matter.
 */
#ifndef SOURCE_DRAC_REGISTER_H
#define SOURCE_DRAC_REGISTER_H
#include "base/err.h"
#include "drac_portmap.h"

typedef struct uv_loop_s uv_loop_t;

struct drac_register;

/*
 * For the sockets fds, n of them. Call before the lock-down: rpcbind takes
 * registrations over UDP only from a port that root alone may use. NULL and
 * *err when there is no socket to be had.
 */
struct drac_register *drac_register_new(
    const char *source, const int *fds, size_t n, struct err *err);
void drac_register_start(struct drac_register *r, uv_loop_t *loop);
/* Takes the registration back, without waiting for an answer. */
void drac_register_stop(struct drac_register *r);
/* Sets *rp to NULL; turns the loop once for its handles. */
void drac_register_free(struct drac_register **rp);
#endif
