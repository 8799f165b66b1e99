/* SPDX-License-Identifier: ISC */
/*
 * lockdown - the powers a child gives up before it reads its first foreign
 * byte. Fails closed: whoever cannot drop does not start.
 */
#include "lockdown.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/netlink.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"

/* The names of 50 M leases that an export compares, and a large reply. */
enum { CONNECTOR_BYTES = 1 << 30 };
enum { UV_WITH_RINGS = 1 << 16 | 45 << 8 };

enum call_group {
	CALL_BASIC = 1,
	CALL_SERVE = 2,
	CALL_STORE = 4,
	CALL_FILES = 8,
	CALL_SANITIZER = 16,
	CALL_TARGET = 128, /* files of others, with modes, times and locks */
	CALL_LOOK = 32,    /* needs.read */
	CALL_CONNECT = 64, /* needs.connect */
	CALL_FIREWALL = 256,
	CALL_LIBRARY = 512 /* a database's library: names, certificates */
};

/* What a role is, in one row: its account, its system calls, and what it keeps
 * of root's capabilities. */
static const struct role_row {
	const char *account;
	unsigned capabilities;
	unsigned calls;
} roles[] = {
	[ROLE_READER] = { "relaypass-read", 0, CALL_BASIC },
	[ROLE_RECEIVER] = { "relaypass-read", 0, CALL_BASIC | CALL_SERVE },
	[ROLE_KEEPER] = { "relaypass", 0,
	    CALL_BASIC | CALL_SERVE | CALL_STORE | CALL_FILES },
	[ROLE_ANSWERER] = { "relaypass-ask", 0, CALL_BASIC | CALL_SERVE },
	[ROLE_WRITER] = { "relaypass-out", 0,
	    CALL_BASIC | CALL_STORE | CALL_FILES | CALL_TARGET },
	[ROLE_CONNECTOR] = { "relaypass-out", 0, CALL_BASIC | CALL_SERVE },
	[ROLE_FIREWALL] = { "relaypass-out", 1U << CAP_NET_ADMIN,
	    CALL_BASIC | CALL_FIREWALL },
	[ROLE_GATEWAY] = { "relaypass-ask", 0, CALL_BASIC | CALL_SERVE },
};

void lockdown_prepare(void)
{
	scmp_filter_ctx ctx;

	if (uv_version() < UV_WITH_RINGS)
		return;
	ctx = seccomp_init(SCMP_ACT_ALLOW);
	if (!ctx)
		return;
	if (seccomp_rule_add(
		ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0) == 0)
		(void)seccomp_load(ctx);
	seccomp_release(ctx);
}

int lockdown_user(enum role role, struct lockdown_user *out, struct err *err)
{
	if (lockdown_account(roles[role].account, out, err) < 0)
		return -1;
	out->keeps = roles[role].capabilities;
	return 0;
}

int lockdown_account(
    const char *name, struct lockdown_user *out, struct err *err)
{
	struct passwd *pw;

	memset(out, 0, sizeof(*out));
	out->uid = geteuid();
	out->gid = getegid();
	if (out->uid != 0)
		return 0;
	pw = getpwnam(name);
	if (pw && pw->pw_uid == 0)
		return err_set(err, EXIT_USER,
		    "user %s may not be root; name an account without rights",
		    name);
	if (!pw)
		return err_set(err, EXIT_USER,
		    "user %s does not exist; make it with: adduser --system "
		    "--group --no-create-home --home /nonexistent %s",
		    name, name);
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	return 0;
}

int lockdown_join(
    struct lockdown_user *user, const char *group, struct err *err)
{
	const struct group *gr;

	if (!group || geteuid() != 0)
		return 0;
	gr = getgrnam(group);
	if (!gr)
		return err_set(
		    err, EXIT_USER, "there is no group \"%s\"", group);
	user->also = gr->gr_gid;
	user->has_also = true;
	return 0;
}

int lockdown_become(const struct lockdown_user *user, struct err *err)
{
	if (geteuid() != 0)
		return 0;
	/* lockdown_enter() takes away what the role is not to keep. */
	if (user->keeps && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_errno(err, EXIT_AGAIN, errno, "prctl");
	if (user->uid == 0 || setgroups(user->has_also, &user->also) < 0 ||
	    setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0)
		return err_errno(err, EXIT_AGAIN, errno, "cannot give up root");
	if (setuid(0) == 0 || geteuid() == 0)
		return err_set(err, EXIT_BUG, "root came back after the drop");
	return 0;
}

/* Whoever is started as an ordinary user may have been given some (systemd's
 * AmbientCapabilities=); a child has those of its role, or does not start. */
static int drop_capabilities(enum role role, struct err *err)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	const unsigned kept = roles[role].capabilities;
	const struct __user_cap_data_struct some[_LINUX_CAPABILITY_U32S_3] = {
		{ .effective = kept, .permitted = kept }
	};

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &head, some) == 0)
		return 0;
	return kept ? err_errno(err, EXIT_AGAIN, errno,
			  "cannot keep CAP_NET_ADMIN; relaypassd must be "
			  "started with it")
		    : err_errno(
			  err, EXIT_AGAIN, errno, "cannot drop capabilities");
}

static int landlock_add(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access };
	AUTO_CLOSE int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -1;
	rule.parent_fd = fd;
	return (int)syscall(SYS_landlock_add_rule, ruleset,
	    LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

/* Where a database's library finds names, certificates and time zones. */
static const char *const of_libraries[] = { "/etc", "/run/systemd/resolve",
	"/run/resolvconf", "/usr/lib/ssl", "/usr/share/ca-certificates",
	"/usr/share/zoneinfo" };

static int landlock_reads(
    int ruleset, const char *const *paths, size_t count, struct err *err)
{
	const uint64_t look =
	    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;

	for (size_t i = 0; i < count; i++) {
		if (paths[i] && landlock_add(ruleset, paths[i], look) < 0 &&
		    errno != ENOENT)
			return err_errno(
			    err, EXIT_AGAIN, errno, "landlock: %s", paths[i]);
	}
	return 0;
}

/* Leaves a process its directories; the keeper needs /proc, too. */
static int landlock_rules(int ruleset, enum role role,
    const struct lockdown_needs *needs, struct err *err)
{
	static const char *const proc[] = { "/proc" };
	const uint64_t change =
	    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
	    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |
	    LANDLOCK_ACCESS_FS_MAKE_REG;

	if (role == ROLE_KEEPER && landlock_reads(ruleset, proc, 1, err) < 0)
		return -1;
	for (size_t i = 0; i < COUNT_OF(needs->write) && needs->write[i]; i++) {
		if (landlock_add(ruleset, needs->write[i], change) < 0)
			return err_errno(err, EXIT_AGAIN, errno, "landlock: %s",
			    needs->write[i]);
	}
	if (role == ROLE_CONNECTOR && needs->source.connect &&
	    landlock_reads(ruleset, of_libraries, COUNT_OF(of_libraries), err) <
		0)
		return -1;
	return landlock_reads(
	    ruleset, needs->source.read, COUNT_OF(needs->source.read), err);
}

/* Takes the rest of the file system away. */
static int enter_landlock(
    enum role role, const struct lockdown_needs *needs, struct err *err)
{
	struct landlock_ruleset_attr attr = {
		.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1
	};
	AUTO_CLOSE int ruleset =
	    (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	if (ruleset < 0) {
		log_debug(LOG_PRIVILEGE, "landlock=no");
		return 0;
	}
	if (landlock_rules(ruleset, role, needs, err) < 0)
		return -1;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return err_errno(err, EXIT_AGAIN, errno, "landlock");
	return 0;
}

static const struct {
	unsigned group;
	int number;
} calls[] = {
#define CALL(group, name) { CALL_##group, SCMP_SYS(name) },
#include "lockdown_calls.def"
#undef CALL
};

/* mmap and mprotect, but never executable: no code comes in from outside. */
static int allow_memory(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp no_exec =
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);

	return seccomp_rule_add_array(
		   ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &no_exec) ||
	       seccomp_rule_add_array(
		   ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &no_exec);
}

/* Calls of which only some uses are allowed: fcntl() and ioctl() could send
 * signals (F_SETOWN) or type at a terminal (TIOCSTI). */
static int allow_some(scmp_filter_ctx ctx)
{
	static const int fcntls[] = { F_GETFD, F_SETFD, F_GETFL, F_SETFL,
		F_DUPFD, F_DUPFD_CLOEXEC, F_GETLK, F_SETLK, F_SETLKW };
	static const unsigned long ioctls[] = { FIONBIO, FIOCLEX, FIONREAD,
		TCGETS };
	int bad = 0;

	for (size_t i = 0; !bad && i < COUNT_OF(fcntls); i++)
		bad = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
		    SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)fcntls[i], 0));
	for (size_t i = 0; !bad && i < COUNT_OF(ioctls); i++)
		bad = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
		    SCMP_A1(SCMP_CMP_EQ, ioctls[i], 0));
	/* abort() signals its own process, nobody else's. */
	if (!bad)
		bad = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
		    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	return bad;
}

/* Reads what is there, and nothing else. */
static int allow_look(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp reads = SCMP_A2(
	    SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY);

	return seccomp_rule_add_array(
	    ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, &reads);
}

/* Sockets of the network, and of the machine's own databases. */
static int allow_connect(scmp_filter_ctx ctx, bool local)
{
	const scmp_datum_t families[] = { AF_INET, AF_INET6, AF_UNIX };
	size_t count = COUNT_OF(families) - !local;
	int bad = 0;

	for (size_t i = 0; !bad && i < count; i++)
		bad = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
		    SCMP_A0(SCMP_CMP_EQ, families[i], 0));
	return bad;
}

/* libnftables opens its socket anew when others change the rules while it reads
 * them. No other netlink family. */
static int allow_firewall(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp netfilter[] = { SCMP_A0(SCMP_CMP_EQ,
						      AF_NETLINK, 0),
		SCMP_A2(SCMP_CMP_EQ, NETLINK_NETFILTER, 0) };

	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket),
	    COUNT_OF(netfilter), netfilter);
}

static int add_calls(scmp_filter_ctx ctx, unsigned groups)
{
	for (size_t i = 0; i < COUNT_OF(calls); i++) {
		int bad;

		if (!(calls[i].group & groups))
			continue;
		bad = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i].number, 0);
		if (bad && bad != -EEXIST)
			return -1;
	}
	if (!(groups & CALL_SANITIZER) && allow_memory(ctx))
		return -1;
	if (allow_some(ctx))
		return -1;
	/* The sanitizers' wider set has them whole. */
	if ((groups & (CALL_LOOK | CALL_FILES | CALL_SANITIZER)) == CALL_LOOK &&
	    allow_look(ctx))
		return -1;
	if ((groups & CALL_CONNECT) &&
	    allow_connect(ctx, (groups & CALL_LIBRARY) != 0))
		return -1;
	if ((groups & CALL_FIREWALL) && allow_firewall(ctx))
		return -1;
	/* As lockdown_prepare() says. */
	(void)seccomp_rule_add(
	    ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0);
	return 0;
}

static unsigned calls_of(enum role role, const struct lockdown_needs *needs)
{
	unsigned groups = roles[role].calls;

	if (needs->source.read[0])
		groups |= CALL_LOOK;
	if (needs->source.connect)
		groups |= CALL_CONNECT;
	if (role != ROLE_CONNECTOR)
		return groups;
	if (needs->source.connect)
		groups |= CALL_LIBRARY | CALL_LOOK;
	if (needs->write[0])
		groups |= CALL_STORE | CALL_FILES | CALL_TARGET;
	return groups;
}

static int enter_seccomp(
    enum role role, const struct lockdown_needs *needs, struct err *err)
{
	unsigned groups = calls_of(role, needs);
	/* A library may try what it can do without. */
	scmp_filter_ctx ctx =
	    seccomp_init(role == ROLE_CONNECTOR ? SCMP_ACT_ERRNO(EPERM)
						: SCMP_ACT_KILL_PROCESS);
	int bad;

#ifdef RELAYPASS_SANITIZE
	groups |= CALL_SANITIZER;
#endif
	if (!ctx)
		return err_set(err, EXIT_AGAIN, "seccomp: no memory");
	bad = add_calls(ctx, groups);
	if (!bad)
		bad = seccomp_load(ctx);
	seccomp_release(ctx);
	if (bad)
		return err_set(err, EXIT_AGAIN,
		    "seccomp filter refused (%d); the kernel needs "
		    "CONFIG_SECCOMP_FILTER",
		    bad);
	return 0;
}

/* A server that never stops talking must not cost the others their memory. */
static void limit_memory(void)
{
#ifndef RELAYPASS_SANITIZE
	const struct rlimit most = { CONNECTOR_BYTES, CONNECTOR_BYTES };

	(void)setrlimit(RLIMIT_DATA, &most);
#endif
}

int lockdown_enter(
    enum role role, const struct lockdown_needs *needs, struct err *err)
{
	static const struct lockdown_needs nothing;
	const struct rlimit none = { 0, 0 };

	if (!needs)
		needs = &nothing;
	must(roles[role].account != NULL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_errno(err, EXIT_AGAIN, errno, "prctl");
	/* A supervisor that is killed takes its children along. */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
	if (role == ROLE_CONNECTOR)
		limit_memory();
	if (drop_capabilities(role, err) < 0)
		return -1;
	if (enter_landlock(role, needs, err) < 0)
		return -1;
	return enter_seccomp(role, needs, err);
}
