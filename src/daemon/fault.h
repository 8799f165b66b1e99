/* SPDX-License-Identifier: ISC */
/*
 * fault - faults that a test can switch in, to prove that the crash test would
 * see them. Always false but in relaypassd-testclock (fault_test.c).
 */
#ifndef DAEMON_FAULT_H
#define DAEMON_FAULT_H
#include <stdbool.h>
#include <stdint.h>

/* Cursors are committed before their leases, in a transaction of their own. */
bool fault_cursor_apart(void);
/* Stays a while between the two, so that a kill falls there often enough. */
void fault_linger(void);
/* The keeper ends where it would commit what it has shown. */
bool fault_no_commit(void);
/* The longest wait before a child that died is started again, out of the usual
 * one: who kills one 300 times has not the time. */
uint64_t fault_longest_wait(uint64_t ms);
#endif
