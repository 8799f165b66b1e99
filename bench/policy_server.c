/* SPDX-License-Identifier: ISC */
/*
 * policy_server - who answers in bench-policy: the bare yardstick, and our
 * server, decide and ledger in a process of their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "../tests/unit/listener_conf.h"
#include "base/log.h"
#include "listener/server.h"
#include "policy.h"

enum { BUFFER = 65536, EVENTS = 128, FILL_BATCH = 10000, TTL_MS = 86400000 };

void policy_fail(const char *what)
{
	(void)fprintf(stderr, "bench-policy: %s: %s\n", what, strerror(errno));
	exit(111);
}

void policy_pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (core >= 0)
		CPU_SET((size_t)core, &set);
	else
		for (size_t i = 0; i < CPU_SETSIZE; i++)
			CPU_SET(i, &set);
	/* On one core all run there; the ratios still mean something. */
	(void)sched_setaffinity(0, sizeof(set), &set);
}

struct addr policy_address(uint64_t i)
{
	/* Odd, so it is another one for each i below 2^26: in 44/8 to 47/8,
	 * but scattered over the table. */
	uint32_t n = 0x2c000000U + (uint32_t)((i * 2654435761U) & 0x3ffffffU);
	struct addr a = { { 0 } };

	memset(a.bytes + 10, 0xff, 2);
	for (unsigned k = 0; k < 4; k++)
		a.bytes[12 + k] = (uint8_t)(n >> (24 - 8 * k));
	return a;
}

bool target_fork(struct target *t)
{
	t->pid = fork();
	if (t->pid < 0)
		policy_fail("fork");
	if (t->pid > 0)
		return false;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	return true;
}

void target_stop(struct target *t)
{
	int status;

	if (t->pid <= 0)
		return;
	(void)kill(t->pid, SIGTERM);
	for (int i = 0; i < 100; i++) {
		if (waitpid(t->pid, &status, WNOHANG) == t->pid)
			return;
		(void)usleep(20000);
	}
	(void)kill(t->pid, SIGKILL);
	(void)waitpid(t->pid, &status, 0);
	t->pid = 0;
}

/* The first line of a file of /proc; "" when there is none. */
static void read_line(const char *path, char *out, int size)
{
	FILE *f = fopen(path, "re");

	if (!f || !fgets(out, size, f))
		*out = '\0';
	if (f)
		(void)fclose(f);
}

uint64_t policy_cpu(long pid)
{
	char path[64], line[128];

	(void)snprintf(path, sizeof(path), "/proc/%ld/schedstat", pid);
	read_line(path, line, sizeof(line));
	return strtoull(line, NULL, 10);
}

size_t target_children(const struct target *t, long pids[TARGET_CHILDREN])
{
	char path[64], line[512], *at = line, *end;
	size_t n = 0;

	(void)snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children",
	    (long)t->pid, (long)t->pid);
	read_line(path, line, sizeof(line));
	while (n < TARGET_CHILDREN) {
		pids[n] = strtol(at, &end, 10);
		if (end == at)
			break;
		at = end;
		n++;
	}
	return n;
}

uint64_t target_cpu(const struct target *t)
{
	uint64_t sum = policy_cpu(t->pid);
	long pids[TARGET_CHILDREN];
	size_t n = target_children(t, pids);

	for (size_t i = 0; i < n; i++)
		sum += policy_cpu(pids[i]);
	return sum;
}

static int try_connect(const struct target *t)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int failed;

	memcpy(un.sun_path, t->path, strlen(t->path));
	failed = connect(fd, (struct sockaddr *)&un, sizeof(un));
	(void)close(fd);
	return failed;
}

void target_wait(const struct target *t)
{
	for (int i = 0; i < 1500; i++) {
		if (try_connect(t) == 0)
			return;
		if (waitpid(t->pid, NULL, WNOHANG) == t->pid)
			break;
		(void)usleep(20000);
	}
	policy_fail("the server did not start");
}

static uint16_t free_port(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&in, &len) < 0)
		policy_fail("bind");
	(void)close(fd);
	return ntohs(in.sin_port);
}

void target_name(struct target *t, const char *dir, const char *name)
{
	(void)snprintf(t->path, sizeof(t->path), "%s/%s.sock", dir, name);
	t->port = free_port();
}

/* --- the yardstick ---------------------------------------------------------
 */

static int listen_on(const struct target *t, bool tcp)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons(t->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const int on = 1;
	int fd = socket(tcp ? AF_INET : AF_UNIX,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int failed;

	memcpy(un.sun_path, t->path, strlen(t->path));
	if (tcp)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	failed = tcp ? bind(fd, (struct sockaddr *)&in, sizeof(in))
		     : bind(fd, (struct sockaddr *)&un, sizeof(un));
	if (failed || listen(fd, 1024) < 0)
		policy_fail("listen");
	return fd;
}

static void watch(int epoll, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		policy_fail("epoll_ctl");
}

/* One read, one look at its end, one send: a client that asks the next when it
 * has the answer sends no more than one request, and not in two parts. */
static void echo(int fd)
{
	static const char dunno[] = "action=DUNNO\n\n";
	static char in[BUFFER];
	ssize_t n = recv(fd, in, sizeof(in), 0);

	if (n <= 0)
		(void)close(fd);
	else if (n > 2 && in[n - 1] == '\n' && in[n - 2] == '\n')
		(void)send(fd, dunno, sizeof(dunno) - 1, MSG_NOSIGNAL);
}

static _Noreturn void echo_main(const struct target *t)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int listeners[2] = { listen_on(t, false), listen_on(t, true) };

	watch(epoll, listeners[0]);
	watch(epoll, listeners[1]);
	for (;;) {
		struct epoll_event events[EVENTS];
		int n = epoll_wait(epoll, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd != listeners[0] && fd != listeners[1]) {
				echo(fd);
				continue;
			}
			fd = accept4(
			    fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
			if (fd >= 0)
				watch(epoll, fd);
		}
	}
}

void target_echo(struct target *t, const char *dir)
{
	target_name(t, dir, "echo");
	t->leases = 0;
	if (target_fork(t)) {
		policy_pin(CORE_SERVER);
		echo_main(t);
	}
	target_wait(t);
}

/* --- the ledger ------------------------------------------------------------
 */

struct ledger *policy_ledger(const char *dir, bool writer)
{
	struct ledger_options o = { .directory = dir,
		.writer = writer,
		.map_size = (size_t)512 << 20,
		.ipv6_prefix = 128,
		.ttl = TTL_MS,
		.max_skew = 300000 };
	struct err err = { 0 };
	struct ledger *l;

	clock_boot_id(o.boot_id);
	l = ledger_open(&o, clock_now(), &err);
	if (!l) {
		(void)fprintf(stderr, "bench-policy: %s\n", err.text);
		exit(111);
	}
	return l;
}

static void put_lease(struct ledger *l, uint64_t i, struct moment now)
{
	struct lease lease = { .addr = policy_address(i), .bits = 128 };

	lease.first_login = lease.last_login = now.wall;
	lease.end.wall = now.wall + TTL_MS;
	lease.end.boot = now.boot + TTL_MS;
	lease.user_len = (uint8_t)snprintf(lease.user, sizeof(lease.user),
	    "u%llu@example.org", (unsigned long long)i);
	ledger_put(l, &lease);
}

void policy_put(struct ledger *l, uint64_t first, uint64_t n)
{
	struct moment now = clock_now();
	struct err err = { 0 };

	for (int tries = 0; tries < 10; tries++) {
		if (ledger_begin(l, now, &err) < 0)
			break;
		for (uint64_t i = first; i < first + n; i++)
			put_lease(l, i, now);
		if (ledger_commit(l, &err) == 0)
			return;
		if (err.code != EXIT_AGAIN)
			break;
	}
	(void)fprintf(stderr, "bench-policy: %s\n", err.text);
	exit(111);
}

void policy_fill(const char *dir, uint64_t leases)
{
	struct ledger *l = policy_ledger(dir, true);

	for (uint64_t i = 0; i < leases; i += FILL_BATCH)
		policy_put(
		    l, i, leases - i < FILL_BATCH ? leases - i : FILL_BATCH);
	ledger_close(&l);
}

/* --- our server in a process of its own ------------------------------------
 */

struct answering {
	struct ledger *ledger;
	struct rules *rules;
	struct moment now;
	bool reading;
};

static void batch_begin(void *ctx)
{
	struct answering *a = ctx;

	a->now = clock_now();
	a->reading = ledger_read_begin(a->ledger, NULL) == 0;
}

static void batch_end(void *ctx)
{
	struct answering *a = ctx;

	if (a->reading)
		ledger_read_end(a->ledger);
	a->reading = false;
}

static void answer(void *ctx, size_t index, const struct server_listener *l,
    const struct question *q, struct answer *out)
{
	const struct answering *a = ctx;
	const struct decide_options options = { .default_domain = "" };

	(void)index;
	(void)l;
	decide(a->reading ? a->ledger : NULL, a->rules, MODE_ENFORCE, &options,
	    q, a->now, out);
}

void target_listeners(const struct target *t, char *out, size_t size)
{
	const struct group *gr = getgrgid(getegid());
	const char *group = gr ? gr->gr_name : "nogroup";

	(void)snprintf(out, size,
	    "listener local { kind = \"postfix-policy\" listen = \"unix:%s\" "
	    "group = \"%s\" }\n"
	    "listener tcp { kind = \"postfix-policy\" "
	    "listen = \"inet:127.0.0.1:%u\" }\n"
	    "lease { ttl = \"24h\" }\n",
	    t->path, group, (unsigned)t->port);
}

static _Noreturn void answer_main(const struct target *t, const char *dir)
{
	static struct server_counts counts[2];
	struct answering a = { .ledger = policy_ledger(dir, false) };
	const struct server_hooks hooks = { &a, batch_begin, batch_end,
		answer };
	struct server_listener listeners[2];
	struct err err = { 0 };
	struct conf *conf;
	char text[1024];
	uv_loop_t loop;

	log_open(LOG_TO_STDERR, LOG_LEVEL_ERROR, "bench");
	target_listeners(t, text, sizeof(text));
	conf = listener_conf_text(text);
	a.rules = rules_new(conf_at(conf, "lease", 0), NULL, 0);
	for (size_t i = 0; i < COUNT_OF(listeners); i++) {
		const struct conf_section *s = conf_at(conf, "listener", i);
		listeners[i] =
		    (struct server_listener){ listener_kind_find(conf_kind(s)),
			    s, listener_socket_open(s, &err), &counts[i] };
		if (listeners[i].fd < 0) {
			(void)fprintf(stderr, "%s\n", err.text);
			exit(111);
		}
	}
	must(uv_loop_init(&loop) == 0);
	must(server_new(&loop, listeners, COUNT_OF(listeners), &hooks));
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	exit(111);
}

void target_answer(struct target *t, const char *dir, uint64_t leases)
{
	target_name(t, dir, "answer");
	t->leases = leases;
	if (target_fork(t)) {
		policy_pin(CORE_SERVER);
		answer_main(t, dir);
	}
	target_wait(t);
}
