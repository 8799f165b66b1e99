/* SPDX-License-Identifier: ISC */
/*
 * family - the supervisor's children: starting, watching, ending them, and what
 * all of them share. Called by the supervisor only.
 */
#ifndef DAEMON_FAMILY_H
#define DAEMON_FAMILY_H
#include <sys/types.h>

#include "board.h"
#include "child.h"

struct member {
	enum role role;
	pid_t pid;      /* 0: not running */
	int control;    /* -1 while not running */
	int inotify;    /* readers */
	unsigned fails; /* in a row */
	bool ready;
	bool wants_channel;    /* receivers, gateways: its own is broken */
	char name[BOARD_NAME]; /* the slot's may be written by others */
	/* Readers and receivers; borrowed from conf. */
	const struct conf_section *source;
	const struct family_fds *source_fds; /* receivers */
	const struct conf_section *export;   /* writers, connectors, firewall */
	const struct conf_section *listener; /* gateways */
	size_t listener_index;
	uint64_t channel_at; /* uv_hrtime(); no new one before */
	struct board_slot *slot;
	struct opener *opener; /* readers; NULL while not running */
	uint64_t start_at;     /* uv_hrtime(); not before */
	uint64_t started;
};

/* What a live source receives by; it outlives the source's processes. */
struct family_fds {
	int fds[SOURCE_FDS_MAX];
	size_t count;
};

struct family {
	const struct conf *conf; /* borrowed */
	bool stderr_log;
	struct board *board;
	struct board_mode *mode;
	void *ahead;
	int control_socket;
	int listen_fds[BOARD_LISTENERS];
	struct family_fds source_fds[BOARD_SLOTS]; /* by the section's number */
	int board_fd, mode_fd, ahead_fd;           /* of their memory */
	int pid_file, signals;                     /* not for children */
	int family_lock; /* theirs, too, to their end */
	int ready_fd;    /* neither; -1: nobody waits */
	struct member members[BOARD_SLOTS];
	size_t count;
	pid_t self;
	uint64_t ledger_inode; /* the answerers' */
	int failed;            /* exit code of a child that cannot start ... */
	const struct member *failed_member; /* ... this one */
	bool ended; /* a source says that nothing more will come */
};

/* -1: too many sources or listeners. */
int family_fits(const struct conf *conf, struct err *err);
/* Fills the table of members for the configuration: keeper first. */
int family_plan(struct family *f, const struct conf *conf, struct err *err);
/* Starts every member that may run now. The rest waits for the keeper. */
void family_start(struct family *f);
/* Opens what the sources of a configuration receive by. `had` are those of the
 * sections of `old` (both may be NULL): what is listened on as before is kept
 * out of it, and only what is new is opened. -1: nothing was opened. */
int family_open_sources(const struct conf *conf, const struct conf *old,
    const struct family_fds *had, struct family_fds *out, struct err *err);
/* Closes those of `conf` that `kept` (may be NULL) does not hold, and removes
 * their unix sockets. */
void family_close_sources(const struct conf *conf, struct family_fds *fds,
    const struct family_fds *kept, size_t kept_count);
/* One message from a member, or its end. */
void family_message(struct family *f, struct member *m);
/* Collects the dead. */
void family_reap(struct family *f);
/* Ends those that show no sign of life. */
void family_check(struct family *f, uint64_t timeout_ms);
/* Ends all members of a role in good order, by force after some seconds. */
void family_stop(struct family *f, enum role role);
/* The same for all that answer: answerers and gateways. */
void family_stop_listeners(struct family *f);
/* The same for all that exports run in. */
void family_stop_exports(struct family *f);
bool family_ready(const struct family *f);
/* Sends text of a new configuration to the answerers. */
void family_tell(struct family *f, const char *text, size_t len);
#endif
