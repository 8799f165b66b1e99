/* SPDX-License-Identifier: ISC */
/*
 * test_lockdown - what a child cannot do any more: each act is tried by a
 * process of its own, in each role, after the lock-down. An act must fail or
 * kill. What the roles live on must still work.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"
#include "daemon/lockdown.h"

static char directory[] = "/tmp/relaypass-lockdown-XXXXXX";
static const char journal[] = "/usr/lib"; /* stands for one */
static char outside[] = "/tmp/relaypass-outside-XXXXXX";
static pid_t other; /* a process that would let itself be signalled */
static int unix_fd, dgram_fd, pair[2];
static void *page;

enum { PAGE = 4096 };

/* --- forbidden acts: true when it was possible -----------------------------
 */

#define ACT(name, truth)                                                       \
	static bool name(void)                                                 \
	{                                                                      \
		return truth;                                                  \
	}

static long call(long number, long a, long b, long c)
{
	return syscall(number, a, b, c, 0L, 0L, 0L);
}

static long text(const char *t)
{
	return (long)(uintptr_t)t;
}

static const struct sockaddr_in loopback = { .sin_family = AF_INET,
	.sin_port = 0x0100 };

ACT(open_shadow, open("/etc/shadow", O_RDONLY) >= 0)
ACT(open_passwd, open("/etc/passwd", O_RDONLY) >= 0)
ACT(create_file, open(outside, O_WRONLY | O_CREAT, 0600) >= 0)
ACT(create_beside, open("/tmp/relaypass-new", O_WRONLY | O_CREAT, 0600) >= 0)
ACT(open_old, call(SYS_open, text("/etc/passwd"), O_RDONLY, 0) >= 0)
ACT(open_how, call(SYS_openat2, AT_FDCWD, text("/etc/passwd"), 0) >= 0)
ACT(unlink_file, unlink(outside) == 0)
ACT(rename_file, rename(outside, "/tmp/relaypass-renamed") == 0)
ACT(link_file, link(outside, "/tmp/relaypass-linked") == 0)
ACT(symlink_file, symlink("/etc/shadow", "/tmp/relaypass-symlink") == 0)
ACT(make_directory, mkdir("/tmp/relaypass-made", 0700) == 0)
ACT(make_node, mknod("/tmp/relaypass-node", S_IFIFO | 0600, 0) == 0)
ACT(change_mode, chmod(outside, 0777) == 0)
ACT(change_owner, chown(outside, 0, 0) == 0)
ACT(truncate_file, truncate(outside, 0) == 0)
ACT(make_unix_socket, socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
ACT(make_tcp_socket, socket(AF_INET, SOCK_STREAM, 0) >= 0)
ACT(make_raw_socket, socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0)
ACT(make_netlink, socket(AF_NETLINK, SOCK_RAW, 0) >= 0)
ACT(make_pair, socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){ 0 }) == 0)
ACT(connect_socket, connect(dgram_fd, (const struct sockaddr *)&loopback,
			sizeof(loopback)) == 0)
ACT(bind_socket,
    bind(dgram_fd, (const struct sockaddr *)&loopback, sizeof(loopback)) == 0)
ACT(listen_socket, listen(unix_fd, 1) == 0)
ACT(run_program, call(SYS_execve, text("/bin/true"), 0, 0) == 0)
ACT(run_by_fd, call(SYS_execveat, AT_FDCWD, text("/bin/true"), 0) == 0)
ACT(trace, ptrace(PTRACE_ATTACH, other, NULL, NULL) == 0)
ACT(read_memory,
    syscall(SYS_process_vm_readv, other, (&(struct iovec){ page, 1 }), 1L,
	(&(struct iovec){ page, 1 }), 1L, 0L) >= 0)
ACT(write_memory,
    syscall(SYS_process_vm_writev, other, (&(struct iovec){ page, 1 }), 1L,
	(&(struct iovec){ page, 1 }), 1L, 0L) >= 0)
ACT(mount_something, mount("none", "/mnt", "tmpfs", 0, NULL) == 0)
ACT(unmount, umount("/proc") == 0)
ACT(change_root, chroot("/") == 0)
ACT(pivot, call(SYS_pivot_root, text("/"), text("/"), 0) == 0)
ACT(become_root, setuid(0) == 0)
ACT(become_root_group, setgid(0) == 0)
ACT(become_all, setresuid(0, 0, 0) == 0)
ACT(set_groups, call(SYS_setgroups, 0, 0, 0) == 0)
ACT(take_capabilities, call(SYS_capset, 0, 0, 0) == 0)
ACT(be_dumpable, prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0)
ACT(leave_namespaces, unshare(CLONE_NEWUSER) == 0)
ACT(enter_namespace, setns(unix_fd, 0) == 0)
ACT(load_bpf,
    call(SYS_bpf, BPF_MAP_CREATE,
	(long)(uintptr_t) & (union bpf_attr){ .map_type = BPF_MAP_TYPE_ARRAY,
				.key_size = 4,
				.value_size = 4,
				.max_entries = 1 },
	sizeof(union bpf_attr)) >= 0)
ACT(load_kernel, call(SYS_kexec_load, 0, 0, 0) == 0)
ACT(load_module, call(SYS_init_module, text(""), 0, text("")) == 0)
ACT(load_module_file, call(SYS_finit_module, unix_fd, text(""), 0) == 0)
ACT(watch_performance, call(SYS_perf_event_open, 0, 0, -1) >= 0)
ACT(make_userfault, call(SYS_userfaultfd, O_CLOEXEC, 0, 0) >= 0)
ACT(make_ring, call(SYS_io_uring_setup, 1, (long)(uintptr_t)page, 0) >= 0)
ACT(add_key, call(SYS_add_key, text("user"), text("a"), text("b")) >= 0)
ACT(open_handle, call(SYS_open_by_handle_at, AT_FDCWD, 0, 0) >= 0)
ACT(set_clock, call(SYS_clock_settime, CLOCK_REALTIME, 0, 0) == 0)
ACT(set_name, sethostname("x", 1) == 0)
ACT(reboot_machine, call(SYS_reboot, 0, 0, 0) == 0)
ACT(raise_limit, setrlimit(RLIMIT_CORE, &(struct rlimit){ 1, 1 }) == 0)
ACT(kill_other, kill(other, SIGUSR1) == 0)
ACT(kill_thread_other, call(SYS_tgkill, other, other, SIGUSR1) == 0)
ACT(queue_signal, call(SYS_rt_sigqueueinfo, other, SIGUSR1, 0) == 0)
ACT(signal_by_fcntl, fcntl(unix_fd, F_SETOWN, other) == 0)
ACT(open_process, call(SYS_pidfd_open, other, 0, 0) >= 0)
ACT(fork_child, fork() >= 0)
ACT(map_code, mmap(NULL, PAGE, PROT_READ | PROT_EXEC,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
ACT(make_code, mprotect(page, PAGE, PROT_READ | PROT_EXEC) == 0)
ACT(type_at_terminal, ioctl(unix_fd, TIOCSTI, "x") == 0)
ACT(change_terminal, ioctl(unix_fd, TIOCSCTTY, 0) == 0)
ACT(make_memory_file, memfd_create("x", 0) >= 0)
ACT(share_memory, call(SYS_shmget, 0, PAGE, 01600) >= 0)
ACT(change_directory, chdir("/tmp") == 0)
ACT(be_network_admin, setsockopt(unix_fd, SOL_SOCKET, SO_SNDBUFFORCE,
			  &(int){ PAGE }, sizeof(int)) == 0)

enum { WIDE = 1 }; /* sanitizer builds let it through the filter */

static const struct act {
	const char *name;
	bool (*run)(void);
	unsigned flags;
} forbidden[] = {
#define ROW(name)                                                              \
	{                                                                      \
#name, name, 0                                                 \
	}
#define ROW_WIDE(name)                                                         \
	{                                                                      \
#name, name, WIDE                                              \
	}
	ROW(open_shadow),
	ROW_WIDE(open_passwd),
	ROW(create_file),
	ROW(create_beside),
	ROW(open_old),
	ROW(open_how),
	ROW(unlink_file),
	ROW(rename_file),
	ROW(link_file),
	ROW(symlink_file),
	ROW(make_directory),
	ROW(make_node),
	ROW(change_mode),
	ROW(change_owner),
	ROW(truncate_file),
	ROW(make_unix_socket),
	ROW(make_tcp_socket),
	ROW(make_raw_socket),
	ROW(make_netlink),
	ROW(make_pair),
	ROW(connect_socket),
	ROW(bind_socket),
	ROW(listen_socket),
	ROW(run_program),
	ROW(run_by_fd),
	ROW_WIDE(trace),
	ROW_WIDE(read_memory),
	ROW(write_memory),
	ROW(mount_something),
	ROW(unmount),
	ROW(change_root),
	ROW(pivot),
	ROW(become_root),
	ROW(become_root_group),
	ROW(become_all),
	ROW(set_groups),
	ROW(take_capabilities),
	ROW_WIDE(be_dumpable),
	ROW(leave_namespaces),
	ROW(enter_namespace),
	ROW(load_bpf),
	ROW(load_kernel),
	ROW(load_module),
	ROW(load_module_file),
	ROW(watch_performance),
	ROW(make_userfault),
	ROW(make_ring),
	ROW(add_key),
	ROW(open_handle),
	ROW(set_clock),
	ROW(set_name),
	ROW(reboot_machine),
	ROW_WIDE(raise_limit),
	ROW_WIDE(kill_other),
	ROW(kill_thread_other),
	ROW(queue_signal),
	ROW(signal_by_fcntl),
	ROW(open_process),
	ROW_WIDE(fork_child),
	ROW_WIDE(map_code),
	ROW_WIDE(make_code),
	ROW(type_at_terminal),
	ROW(change_terminal),
	ROW(make_memory_file),
	ROW(share_memory),
	ROW(change_directory),
	ROW(be_network_admin),
};

/* --- the roles -------------------------------------------------------------
 */

static const struct {
	const char *name;
	enum role role;
	bool writes, looks, connects;
} roles[] = {
	{ "reader", ROLE_READER, false, false, false },
	{ "answerer", ROLE_ANSWERER, false, false, false },
	{ "keeper", ROLE_KEEPER, true, false, false },
	{ "receiver", ROLE_RECEIVER, false, false, false },
	{ "reader of a journal", ROLE_READER, false, true, false },
	{ "receiver that asks others", ROLE_RECEIVER, false, false, true },
	{ "writer", ROLE_WRITER, true, false, false },
	{ "connector", ROLE_CONNECTOR, false, false, true },
	{ "connector of a file", ROLE_CONNECTOR, true, false, false },
	{ "firewall", ROLE_FIREWALL, false, false, false },
	{ "gateway", ROLE_GATEWAY, false, false, false },
};

/* Nobody gets a capability to keep that he does not have. */
static bool can_be(size_t role)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct own[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	return roles[role].role != ROLE_FIREWALL ||
	       (syscall(SYS_capget, &head, own) == 0 &&
		   (own[0].permitted & (1U << CAP_NET_ADMIN)));
}

enum { DONE = 0, REFUSED = 1, NO_LOCKDOWN = 2 };

static void lock_down(size_t role)
{
	struct lockdown_user user;
	struct lockdown_needs needs = { 0 };
	struct err err = { 0 };

	needs.write[0] = roles[role].writes ? directory : NULL;
	needs.source.read[0] = roles[role].looks ? journal : NULL;
	needs.source.connect = roles[role].connects;
	if (lockdown_user(roles[role].role, &user, &err) < 0 ||
	    lockdown_become(&user, &err) < 0 ||
	    lockdown_enter(roles[role].role, &needs, &err) < 0) {
		(void)dprintf(STDERR_FILENO, "%s\n", err.text);
		_exit(NO_LOCKDOWN);
	}
}

/* The wait status of a process of that role that ran this. */
static int try(size_t role, bool (*act)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		lock_down(role);
		_exit(act() ? DONE : REFUSED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == NO_LOCKDOWN);
	return status;
}

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0,
		   LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

/* What only landlock keeps from who opens files by name. */
static bool needs_landlock(bool (*act)(void))
{
	return act == open_passwd || act == create_beside ||
	       act == make_directory;
}

/* What a process is there for. */
static bool is_its_work(size_t role, bool (*act)(void))
{
	if (roles[role].role == ROLE_FIREWALL)
		return act == bind_socket || act == be_network_admin;
	/* Its library reads names and certificates below /etc. */
	if (roles[role].role == ROLE_CONNECTOR && roles[role].connects &&
	    (act == make_unix_socket || act == open_passwd))
		return true;
	return roles[role].connects &&
	       (act == make_tcp_socket || act == connect_socket);
}

static void test_lockdown_forbids(void **state)
{
	size_t possible = 0;

	(void)state;
	for (size_t r = 0; r < COUNT_OF(roles); r++) {
		if (!can_be(r))
			continue;
		for (size_t i = 0; i < COUNT_OF(forbidden); i++) {
			const struct act *act = &forbidden[i];
			int status;
#ifdef RELAYPASS_SANITIZE
			if (act->flags & WIDE)
				continue;
#endif
			if ((roles[r].writes || roles[r].looks) &&
			    needs_landlock(act->run) && !has_landlock())
				continue;
			if (is_its_work(r, act->run))
				continue;
			status = try(r, act->run);
			if (WIFEXITED(status) && WEXITSTATUS(status) == DONE) {
				print_error(
				    "%s can: %s\n", roles[r].name, act->name);
				possible++;
			}
		}
	}
	assert_int_equal(possible, 0);
}

static void test_lockdown_kills_what_it_does_not_list(void **state)
{
	(void)state;
	for (size_t r = 0; r < COUNT_OF(roles); r++) {
		/* Connectors' libraries may try, in vain. */
		if (!can_be(r) || roles[r].role == ROLE_CONNECTOR)
			continue;
		int status = try(r, run_program);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
		status = try(
		    r, roles[r].connects ? make_unix_socket : make_tcp_socket);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

/* --- what they live on -----------------------------------------------------
 */

static bool moves_bytes(void)
{
	char byte = 'x';
	struct pollfd p = { .fd = pair[1], .events = POLLIN };
	struct iovec io = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1 };

	return send(pair[0], &byte, 1, MSG_NOSIGNAL) == 1 &&
	       poll(&p, 1, 1000) == 1 && recv(pair[1], &byte, 1, 0) == 1 &&
	       sendmsg(pair[0], &msg, 0) == 1 &&
	       recvmsg(pair[1], &msg, 0) == 1 &&
	       write(pair[0], &byte, 1) == 1 && read(pair[1], &byte, 1) == 1;
}

static bool waits(void)
{
	int fd = epoll_create1(EPOLL_CLOEXEC), on = 1;
	struct epoll_event e = { .events = EPOLLOUT };

	return fd >= 0 && epoll_ctl(fd, EPOLL_CTL_ADD, pair[0], &e) == 0 &&
	       epoll_wait(fd, &e, 1, 1000) == 1 &&
	       ioctl(pair[0], FIONBIO, &on) == 0 &&
	       fcntl(pair[0], F_GETFL) >= 0 &&
	       fcntl(pair[0], F_DUPFD_CLOEXEC, 0) >= 0;
}

static bool allocates(void)
{
	void *small = malloc(100), *large = malloc(8 << 20);
	bool good = small && large;

	if (large)
		memset(large, 1, 8 << 20);
	free(small);
	free(large);
	return good;
}

static bool tells_time(void)
{
	struct timespec ts;

	return clock_gettime(CLOCK_BOOTTIME, &ts) == 0 &&
	       clock_gettime(CLOCK_REALTIME, &ts) == 0 && getpid() > 0;
}

static bool looks_at_files(void)
{
	struct stat st;

	return fstat(unix_fd, &st) == 0;
}

static bool writes_the_ledger(void)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/data", directory);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return fd >= 0 && pwrite(fd, "x", 1, 0) == 1 && fdatasync(fd) == 0 &&
	       ftruncate(fd, PAGE) == 0 && unlink(path) == 0;
}

static bool reads_a_journal(void)
{
	DIR *d = opendir(journal);

	return d && readdir(d) && closedir(d) == 0;
}

static bool connects_to_others(void)
{
	struct sockaddr_in nobody = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) },
		.sin_port = htons(1) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && (connect(fd, (const struct sockaddr *)&nobody,
			       sizeof(nobody)) == 0 ||
			      errno == ECONNREFUSED);
}

static bool keeps_a_file_for_others(void)
{
	const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/target", directory);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return fd >= 0 && fchmod(fd, 0644) == 0 && flock(fd, LOCK_EX) == 0 &&
	       futimens(fd, times) == 0 && unlink(path) == 0;
}

static bool changes_the_firewall(void)
{
	struct sockaddr_nl own = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(own);
	int size = PAGE, fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);

	return fd >= 0 && bind(fd, (const struct sockaddr *)&own, len) == 0 &&
	       getsockname(fd, (struct sockaddr *)&own, &len) == 0 &&
	       setsockopt(
		   fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) == 0;
}

static bool sees_processes(void)
{
	return open("/proc/1/stat", O_RDONLY | O_CLOEXEC) >= 0;
}

static bool aborts(void)
{
	(void)signal(SIGABRT, SIG_DFL);
	abort();
}

static void test_lockdown_allows_the_work(void **state)
{
	static bool (*const all[])(void) = { moves_bytes, waits, allocates,
		tells_time, looks_at_files };
	static bool (*const keepers[])(
	    void) = { writes_the_ledger, sees_processes };

	(void)state;
	for (size_t r = 0; r < COUNT_OF(roles); r++) {
		if (!can_be(r))
			continue;
		for (size_t i = 0; i < COUNT_OF(all); i++)
			assert_int_equal(try(r, all[i]), 0);
		for (size_t i = 0;
		     roles[r].role == ROLE_KEEPER && i < COUNT_OF(keepers); i++)
			assert_int_equal(try(r, keepers[i]), 0);
		if (roles[r].role == ROLE_WRITER) {
			assert_int_equal(try(r, writes_the_ledger), 0);
			assert_int_equal(try(r, keeps_a_file_for_others), 0);
		}
		if (roles[r].looks)
			assert_int_equal(try(r, reads_a_journal), 0);
		if (roles[r].connects)
			assert_int_equal(try(r, connects_to_others), 0);
		if (roles[r].role == ROLE_FIREWALL)
			assert_int_equal(try(r, changes_the_firewall), 0);
		/* A must() that fails is told from a forbidden call. */
		assert_int_equal(WTERMSIG(try(r, aborts)), SIGABRT);
	}
}

/* From outside: what the kernel says of a locked process. */
static void check_power(size_t role)
{
	const unsigned kept =
	    roles[role].role == ROLE_FIREWALL ? 1U << CAP_NET_ADMIN : 0;
	int status, fds[2];
	char text_of[8192], *at;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		lock_down(role);
		_exit(
		    write(fds[1], "x", 1) == 1 ? (int)read(pair[1], &n, 1) : 9);
	}
	assert_int_equal(read(fds[0], text_of, 1), 1);
	(void)snprintf(text_of, sizeof(text_of), "/proc/%d/status", (int)pid);
	status = open(text_of, O_RDONLY);
	assert_true(status >= 0);
	n = read(status, text_of, sizeof(text_of) - 1);
	assert_true(n > 0);
	text_of[n] = '\0';
	(void)close(status);
	for (size_t i = 0; i < 4; i++) {
		static const char *const sets[] = { "CapInh:\t", "CapAmb:\t",
			"CapPrm:\t", "CapEff:\t" };
		char want[17];

		at = strstr(text_of, sets[i]);
		assert_non_null(at);
		(void)snprintf(want, sizeof(want), "%016x", i < 2 ? 0 : kept);
		assert_memory_equal(at + strlen(sets[i]), want, 16);
	}
	assert_non_null(strstr(text_of, "NoNewPrivs:\t1"));
	assert_non_null(strstr(text_of, "Seccomp:\t2"));
	if (geteuid() == 0)
		assert_null(strstr(text_of, "Uid:\t0"));
	assert_int_equal(write(pair[0], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 1);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void test_lockdown_leaves_no_power(void **state)
{
	(void)state;
	for (size_t r = 0; r < COUNT_OF(roles); r++)
		if (can_be(r))
			check_power(r);
}

/* --- the world -------------------------------------------------------------
 */

static int setup(void **state)
{
	struct lockdown_user user;
	struct err err = { 0 };
	int fd = mkstemp(outside);

	(void)state;
	if (fd < 0 || close(fd) < 0 || !mkdtemp(directory) ||
	    lockdown_user(ROLE_KEEPER, &user, &err) < 0) {
		print_error("%s\n", err.text);
		return -1;
	}
	/* Of the keeper's account, and open to the writer's. */
	if (geteuid() == 0 && (chown(directory, user.uid, user.gid) < 0 ||
				  chmod(directory, 0777) < 0))
		return -1;
	unix_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	dgram_fd = socket(AF_INET, SOCK_DGRAM, 0);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	other = fork();
	if (other == 0) {
		/* As one of our own would be. */
		if (geteuid() == 0 && setresuid(user.uid, user.uid, user.uid))
			_exit(1);
		(void)signal(SIGUSR1, SIG_IGN);
		for (;;)
			(void)pause();
	}
	return unix_fd < 0 || other < 0 ||
	       socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0;
}

static int teardown(void **state)
{
	(void)state;
	if (other > 0) {
		(void)kill(other, SIGKILL);
		(void)waitpid(other, NULL, 0);
	}
	(void)unlink(outside);
	return rmdir(directory);
}

static void test_lockdown_tells_root_from_a_missing_account(void **state)
{
	struct lockdown_user user;
	struct err err = { 0 };

	(void)state;
	if (geteuid() != 0)
		skip(); /* keeps its own ids, whatever the name */
	assert_int_equal(lockdown_account("root", &user, &err), -1);
	assert_int_equal(err.code, EXIT_USER);
	assert_non_null(strstr(err.text, "may not be root"));
	assert_null(strstr(err.text, "adduser"));
	assert_int_equal(lockdown_account("no-such", &user, &err), -1);
	assert_non_null(strstr(err.text, "adduser"));
}

static void on_bytes(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	uv_close((uv_handle_t *)poll, NULL);
}

static void on_timer(uv_timer_t *timer)
{
	const int *fd = timer->data;

	must(write(*fd, "x", 1) == 1);
	uv_close((uv_handle_t *)timer, NULL);
}

/* Begun before, as in daemon/family.c. */
static _Noreturn void go_on_with_a_loop(size_t role)
{
	uv_loop_t loop;
	uv_timer_t timer;
	uv_poll_t poll;
	int fds[2];

	must(pipe(fds) == 0);
	lockdown_prepare();
	must(uv_loop_init(&loop) == 0);
	lock_down(role);
	must(uv_timer_init(&loop, &timer) == 0);
	timer.data = &fds[1];
	must(uv_timer_start(&timer, on_timer, 1, 0) == 0);
	must(uv_poll_init(&loop, &poll, fds[0]) == 0);
	must(uv_poll_start(&poll, UV_READABLE, on_bytes) == 0);
	must(uv_run(&loop, UV_RUN_DEFAULT) == 0);
	_exit(DONE);
}

static void test_lockdown_lets_a_loop_go_on(void **state)
{
	(void)state;
	for (size_t r = 0; r < COUNT_OF(roles); r++) {
		int status = 0;
		pid_t pid;

		if (!can_be(r))
			continue;
		pid = fork();
		if (pid == 0)
			go_on_with_a_loop(r);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lockdown_lets_a_loop_go_on),
		cmocka_unit_test(test_lockdown_forbids),
		cmocka_unit_test(test_lockdown_kills_what_it_does_not_list),
		cmocka_unit_test(test_lockdown_allows_the_work),
		cmocka_unit_test(test_lockdown_leaves_no_power),
		cmocka_unit_test(
		    test_lockdown_tells_root_from_a_missing_account),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
