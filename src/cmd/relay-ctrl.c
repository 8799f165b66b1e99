/* SPDX-License-Identifier: ISC */
/*
 * relay-ctrl - relay-ctrl-allow, -check, -chdir and -age, by the name it is
 * called: the chain programs of relay-ctrl 3.2 with its environment, exit codes
 * and files; docs/relay-ctrl.md says what is different.
 *
 * Called by:  tcpserver's chains, once for each connection; so it is small and
 *             links little.
 * Not here:   -send and -udp (relay-ctrl-net.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "notice.h"
#include "relay-ctrl-env.h"
#include "relay-ctrl-file.h"

enum {
	EXPIRY_MAX = 366 * 24 * 3600,
	FD_SLOTS = 1024, /* a higher one would make the kernel's table large */
	FD_TEXT = 16,
	ASK_ANSWER_MAX = 4096
};

/* The descriptor of -chdir is not for the program behind us. */
static void forget_inherited(void)
{
	struct lease_dir dir;
	const char *what;

	if (getenv("RELAY_CTRL_DIR_FD") && lease_dir_open(&dir, &what) == 0)
		lease_dir_close(&dir);
}

/* --- allow ------------------------------------------------------------------
 */

/* "USER=anna\0DOMAIN=example.net\0": what is set of the names. */
static size_t identity(char *out, size_t size)
{
	struct ctrl_names names;
	size_t used = 0;

	ctrl_names(&names);
	for (size_t i = 0; i < names.count; i++) {
		const char *value = getenv(names.names[i]);
		if (!value)
			continue;
		int n = snprintf(
		    out + used, size - used, "%s=%s", names.names[i], value);
		/* Not even a part of what does not fit. */
		if (n >= 0 && (size_t)n + 1 < size - used)
			used += (size_t)n + 1;
	}
	return used;
}

static void record(const struct addr *client, bool is_told)
{
	char bytes[LEASE_FILE_MAX];
	struct lease_dir dir;
	const char *what;

	if (!getenv("RELAY_CTRL_DIR")) {
		if (!is_told)
			ctrl_say("RELAY_CTRL_DIR is not set, so nothing is "
				 "recorded");
		return;
	}
	if (lease_dir_open(&dir, &what) < 0) {
		ctrl_say("cannot open %s: %s", what, strerror(errno));
		return;
	}
	if (lease_file_write(&dir, client, bytes,
		identity(bytes, sizeof(bytes)), clock_now()) < 0)
		ctrl_say("cannot write a file: %s", strerror(errno));
	lease_dir_close(&dir);
}

/* "anna" and "example.net" are one name to relaypassd. */
static int name_user(struct login *l)
{
	const char *user = ctrl_text("AUTHENTICATED");
	const char *domain = ctrl_text("DOMAIN");
	int n;

	if (!user)
		user = ctrl_text("USER");
	if (!user)
		return -1;
	if (!domain || strchr(user, '@'))
		domain = "";
	n = snprintf(l->user, sizeof(l->user), "%s%s%s", user,
	    *domain ? "@" : "", domain);
	if (n < 0 || (size_t)n >= sizeof(l->user))
		return -1;
	l->user_len = (uint8_t)n;
	return 0;
}

static void tell(
    const char *path, int fd, const struct addr *client, const char *program)
{
	struct login l = { .kind = LOGIN_IN, .addr = *client };
	struct err err = { 0 };

	if (name_user(&l) < 0) {
		ctrl_say("USER is not set or too long, so relaypassd is not "
			 "told");
		return;
	}
	(void)snprintf(l.server, sizeof(l.server), "%s",
	    getenv("AUTHUSER") && getenv("AUTHARGV0") ? "courier" : "qmail");
	if (program)
		notice_name_session(&l, program);
	if (notice_tell(path, fd, &l, &err) != EXIT_YES)
		ctrl_say("%s", err.text);
}

static int run_allow(char **argv)
{
	const char *notify = ctrl_text("RELAY_CTRL_NOTIFY");
	/* Of `relaypass login --open`: it belongs to whom stands here. */
	AUTO_CLOSE int fd = notice_inherited();
	bool is_told = notify || fd >= 0;
	struct addr client;

	if (ctrl_client(&client)) {
		record(&client, is_told);
		if (is_told)
			tell(notify ? notify : NOTIFY_SOCKET, fd, &client,
			    argv[0]);
	}
	forget_inherited();
	return ctrl_exec(argv);
}

/* --- check ------------------------------------------------------------------
 */

static void log_client(const struct addr *client, const char *what)
{
	char text[ADDR_TEXT_SIZE];

	addr_print(client, text);
	if (getenv("RELAY_CTRL_LOG_IPS"))
		ctrl_say("%s: %s", text, what);
}

/* relaypassd decides alone where it is named: a revoked lease must not live on
 * in a file. */
static bool ask(const char *path, const struct addr *client)
{
	char ip[ADDR_TEXT_SIZE], line[ADDR_TEXT_SIZE + 8];
	char answer[ASK_ANSWER_MAX];
	struct err err = { 0 };
	ssize_t n;

	addr_print(client, ip);
	n = snprintf(line, sizeof(line), "check %s\n", ip);
	n = notice_line(path, line, (size_t)n, answer, sizeof(answer), &err);
	if (n < 0)
		ctrl_say("%s", err.text);
	return n > 6 && memcmp(answer, "allow ", 6) == 0 &&
	       answer[n - 1] == '\n';
}

static void restore(const char *bytes, size_t len)
{
	struct ctrl_names names;

	ctrl_names(&names);
	for (size_t i = 0; i < names.count; i++) {
		const char *value =
		    lease_file_value(bytes, len, names.names[i]);
		if (!value)
			continue;
		if (getenv("RELAY_CTRL_LOG_ENV"))
			ctrl_say("%s=%s", names.names[i], value);
		(void)setenv(names.names[i], value, 1);
	}
}

static bool look(const struct addr *client)
{
	int64_t expiry =
	    ctrl_number("RELAY_CTRL_EXPIRY", LEASE_FILE_EXPIRY, EXPIRY_MAX);
	char bytes[LEASE_FILE_MAX];
	struct lease_dir dir;
	const char *what;
	enum lease_file_state state;
	size_t len;

	if (lease_dir_open(&dir, &what) < 0) {
		ctrl_say("cannot open %s: %s", what ? what : "RELAY_CTRL_DIR",
		    what ? strerror(errno) : "it is not set");
		return false;
	}
	state = lease_file_look(&dir, client, expiry, clock_now(), bytes, &len);
	lease_dir_close(&dir);
	log_client(client, state == LEASE_FILE_LIVE      ? "may relay"
			   : state == LEASE_FILE_EXPIRED ? "has run out"
							 : "is not known");
	if (state == LEASE_FILE_LIVE)
		restore(bytes, len);
	return state == LEASE_FILE_LIVE;
}

static bool is_leased(const struct addr *client)
{
	const char *path = ctrl_text("RELAY_CTRL_ASK");
	bool leased;

	if (!path)
		return look(client);
	leased = ask(path, client);
	log_client(client, leased ? "may relay" : "is not known");
	return leased;
}

static int run_check(char **argv)
{
	const char *value = getenv("RELAY_CTRL_RELAYCLIENT");
	struct addr client;
	const char *ip = getenv("TCPREMOTEIP");

	if (getenv("RELAYCLIENT")) {
		if (getenv("RELAY_CTRL_LOG_IPS"))
			ctrl_say("%s: RELAYCLIENT is set already",
			    ip ? ip : "unknown");
	} else if (!ip) {
		ctrl_say("TCPREMOTEIP is not set");
	} else if (!addr_parse(ip, strlen(ip), &client)) {
		ctrl_say("TCPREMOTEIP \"%s\" is not an IP address", ip);
	} else if (is_leased(&client)) {
		(void)setenv("RELAYCLIENT", value ? value : "", 1);
	}
	forget_inherited();
	return ctrl_exec(argv);
}

/* --- chdir and age ----------------------------------------------------------
 */

/* A high number, out of the way of programs that expect their own. */
static int move_up(int fd)
{
	struct rlimit limit;
	int top = FD_SLOTS;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_cur < (rlim_t)top)
		top = (int)limit.rlim_cur;
	while (--top > fd) {
		if (fcntl(top, F_GETFD) >= 0)
			continue;
		int moved = fcntl(fd, F_DUPFD, top);
		if (moved >= 0)
			return moved;
	}
	/* As it is, but kept by the next program. */
	return fcntl(fd, F_SETFD, 0) < 0 ? -1 : fd;
}

static int run_chdir(char **argv)
{
	const char *path = getenv("RELAY_CTRL_DIR");
	char text[FD_TEXT];
	int fd, moved = -1;

	if (!path) {
		ctrl_say("RELAY_CTRL_DIR is not set");
		return CTRL_EXIT_FAILED;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		moved = move_up(fd);
	if (moved < 0) {
		ctrl_say("cannot open %s: %s", path, strerror(errno));
		return CTRL_EXIT_FAILED;
	}
	(void)snprintf(text, sizeof(text), "%d", moved);
	if (setenv("RELAY_CTRL_DIR_FD", text, 1) < 0)
		return CTRL_EXIT_FAILED;
	return ctrl_exec(argv);
}

static int run_age(char **argv)
{
	int64_t expiry =
	    ctrl_number("RELAY_CTRL_EXPIRY", LEASE_FILE_EXPIRY, EXPIRY_MAX);
	const char *path = getenv("RELAY_CTRL_DIR");
	struct lease_dir dir;
	const char *what;
	long n = -1;

	(void)argv;
	(void)unsetenv("RELAY_CTRL_DIR_FD");
	if (!path) {
		ctrl_say("RELAY_CTRL_DIR is not set");
		return CTRL_EXIT_USAGE;
	}
	if (lease_dir_open(&dir, &what) == 0)
		n = lease_file_age(&dir, expiry, clock_now());
	if (n < 0)
		ctrl_say("cannot read %s: %s", path, strerror(errno));
	lease_dir_close(&dir);
	return n < 0 ? CTRL_EXIT_USAGE : 0;
}

int main(int argc, char **argv)
{
	static const struct ctrl_program programs[] = {
		{ "relay-ctrl-allow", "[PROGRAM [ARGUMENT]...]", run_allow,
		    false },
		{ "relay-ctrl-check", "PROGRAM [ARGUMENT]...", run_check,
		    true },
		{ "relay-ctrl-chdir", "PROGRAM [ARGUMENT]...", run_chdir,
		    true },
		{ "relay-ctrl-age", "", run_age, false },
		{ 0 },
	};

	(void)argc;
	return ctrl_main(programs, argv);
}
