/* SPDX-License-Identifier: ISC */
/*
 * policy - the parts of bench-policy: who answers (policy_server.c), who asks
 * (policy_client.c), what is compared (policy.c).
 */
#ifndef BENCH_POLICY_H
#define BENCH_POLICY_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"

enum { CORE_SERVER = 0, CORE_CLIENT = 1, TARGET_CHILDREN = 32 };

struct ledger;

/* A running server: a child of the benchmark. */
struct target {
	pid_t pid;
	char path[100];  /* unix */
	uint16_t port;   /* 127.0.0.1 */
	uint64_t leases; /* 0: it echoes, and says DUNNO to all */
};

/* The address of lease i; without a lease when i is not below the number. */
struct addr policy_address(uint64_t i);
void policy_pin(int core);
_Noreturn void policy_fail(const char *what);

/* A bare epoll loop that looks for the end of requests and answers DUNNO. */
void target_echo(struct target *t, const char *dir);
/* Fills a new ledger in dir; target_answer() and target_daemon() read it. */
void policy_fill(const char *dir, uint64_t leases);
/* Our server, decide and ledger in one process. */
void target_answer(struct target *t, const char *dir, uint64_t leases);
/* The real program, everything behind its own configuration. */
void target_daemon(
    struct target *t, const char *dir, uint64_t leases, const char *program);
void target_stop(struct target *t);
/* CPU time of the target and its children so far, ns. */
uint64_t target_cpu(const struct target *t);
/* A child that brings so many logins a second, until it is stopped: into the
 * ledger, or as lines of the daemon's log file. */
void target_logins(
    struct target *t, const char *dir, unsigned rate, bool as_lines);

/* --- between policy_server.c and policy_daemon.c -------------------------- */

/* Forks a child that ends with us. True in the child. */
bool target_fork(struct target *t);
/* Chooses its path and port. */
void target_name(struct target *t, const char *dir, const char *name);
/* Its two listeners and a long ttl, as a configuration. */
void target_listeners(const struct target *t, char *out, size_t size);
/* Waits until it lets us connect; ends the benchmark when it never does. */
void target_wait(const struct target *t);
/* Its children; returns how many. */
size_t target_children(const struct target *t, long pids[TARGET_CHILDREN]);
/* Time a process has run, ns; 0 when it is gone. */
uint64_t policy_cpu(long pid);
struct ledger *policy_ledger(const char *dir, bool writer);
/* Puts n leases from first on in one transaction. */
void policy_put(struct ledger *l, uint64_t first, uint64_t n);

/* --- who asks (policy_client.c) ------------------------------------------- */

struct result {
	double rate;     /* answers a second */
	double p50, p99; /* us */
	double cpu;      /* us of the server's CPU for one answer */
};
struct load {
	bool tcp;
	bool
	    waits; /* sleeps for answers; else it looks for them all the time */
	unsigned connections, hit; /* per cent of questions with a lease */
	uint64_t leases;           /* asked about: 0 to leases - 1 */
	double seconds;
};
struct result client_run(const struct target *t, const struct load *l);
#endif
