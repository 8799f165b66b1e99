/* SPDX-License-Identifier: ISC */
/*
 * proc - when a process began: the sign of life of a mail process. Called by:
 * the keeper, through login/apply. The parser is pure.
 */
#ifndef DAEMON_PROC_H
#define DAEMON_PROC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proc;

/* Opens /proc before a lock-down. Never NULL; without /proc nobody lives. */
struct proc *proc_open(void);
void proc_close(struct proc **p);
/* A proc_start_fn: field 22 of /proc/PID/stat (proc(5)), 0 when there is no
 * such process; *began gets its wall clock time in ms. */
uint64_t proc_start(void *proc, uint32_t pid, int64_t *began);
/* The name of the process holds imap or pop3, as those of qmail-pop3d and
 * courierpop3d do: the pid of a log line is not that of just any process here,
 * were the line another host's. */
bool proc_is_mail(const char *text, size_t len);
/* Field 22 of the text of a stat file, 0 when it is not one, or that of a dead
 * process. The name in the second field may hold anything, blanks and
 * parentheses too. */
uint64_t proc_parse_start(const char *text, size_t len);
#endif
