/* SPDX-License-Identifier: ISC */
/*
 * doctor_find - which mail programs listen on this machine: the kernel's table
 * of listening sockets, and which process holds each of them.
 * Called by: doctor_look.c.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "doctor.h"

enum { SOCKETS_MAX = 128, PROC_PATH_SIZE = 400, STATE_LISTEN = 0x0a };

#define BEFORE                                                                 \
	"the mail server behind it logs its address, unless it is told the "   \
	"client's"

const struct doctor_kind doctor_kinds[] = {
	{ "Dovecot", "dovecot imap-login pop3-login", "dovecot", DOCTOR_MAIL,
	    NULL, "dovecot.service" },
	{ "Courier", "couriertcpd", "courier", DOCTOR_MAIL, NULL,
	    "courier-imap.service courier-imap-ssl.service "
	    "courier-pop.service courier-pop-ssl.service" },
	{ "Cyrus", "cyrmaster /cyrus/ /cyrus-imapd/", "cyrus", DOCTOR_MAIL,
	    "the log must keep names such as cyrus/imap whole; rsyslog's RFC "
	    "5424 format does not",
	    "cyrus-imapd.service" },
	{ "UW imapd", "imapd ipop3d imapsd ipop3sd", "uw-imap", DOCTOR_MAIL,
	    NULL, NULL },
	{ "qpopper", "popper in.qpopper qpopper", "qpopper", DOCTOR_MAIL,
	    "it must log logins: log-login", NULL },
	{ "popa3d", "popa3d", "popa3d", DOCTOR_MAIL, NULL, NULL },
	{ "solid-pop3d", "solid-pop3d spop3d", "solid-pop3d", DOCTOR_MAIL,
	    "it logs to the facility local0", NULL },
	{ "teapop", "teapop", "teapop", DOCTOR_MAIL,
	    "it logs to the facility local0", NULL },
	{ "tpop3d", "tpop3d", "tpop3d", DOCTOR_MAIL, NULL, NULL },
	{ "GNU pop3d", "gnu-pop3d", "gnu-pop3d", DOCTOR_MAIL, NULL, NULL },
	{ "vm-pop3d", "vm-pop3d", "vm-pop3d", DOCTOR_MAIL, NULL, NULL },
	{ "GNU Mailutils", "pop3d imap4d", "mailutils", DOCTOR_MAIL,
	    "it never logs the client's address; put perdition in front",
	    NULL },
	{ "Stalwart", "stalwart stalwart-mail", "stalwart", DOCTOR_MAIL,
	    "log at level info, without ansi and multiline", NULL },
	{ "Zimbra", "/zimbra/", "zimbra", DOCTOR_MAIL,
	    "behind its own proxy, read that proxy's log", NULL },
	{ "perdition", "perdition*", "perdition", DOCTOR_MAIL,
	    "read its log and not that of the server behind it, which sees "
	    "only the proxy",
	    NULL },
	{ "nginx", "nginx", "nginx", DOCTOR_MAIL,
	    "read its log through syslog, never its error_log file", NULL },
	{ "haproxy", "haproxy", NULL, DOCTOR_PROXY, BEFORE, NULL },
	{ "stunnel", "stunnel stunnel4 stunnel3", NULL, DOCTOR_PROXY, BEFORE,
	    NULL },
	{ "sslh", "sslh sslh-select sslh-ev", NULL, DOCTOR_PROXY, BEFORE,
	    NULL },
	{ "a container's gateway",
	    "docker-proxy rootlessport slirp4netns "
	    "pasta*",
	    NULL, DOCTOR_PROXY,
	    "every client may look like one private address inside the "
	    "container: read the log there only if it shows the clients'",
	    NULL },
	{ "inetd", "inetd xinetd openbsd-inetd", NULL, DOCTOR_STARTER, NULL,
	    NULL },
	{ "tcpserver", "tcpserver tcpsvd s6-tcpserver*", NULL, DOCTOR_STARTER,
	    "qmail-pop3d logs no logins: use vchkpw's log, or relaypass grant "
	    "--from-env behind checkpassword",
	    NULL },
	{ "systemd", "systemd", NULL, DOCTOR_STARTER, NULL, NULL },
	{ "Postfix", "/postfix/", NULL, DOCTOR_SMTP, NULL, NULL },
	{ "Exim", "exim exim4", NULL, DOCTOR_SMTP, NULL, NULL },
	{ "Sendmail", "sendmail sendmail-mta", NULL, DOCTOR_SMTP, NULL, NULL },
	{ "OpenSMTPD", "smtpd opensmtpd", NULL, DOCTOR_SMTP, NULL, NULL },
};
const size_t doctor_kind_count = COUNT_OF(doctor_kinds);

static const struct {
	uint16_t port;
	unsigned service;
} ports[] = {
	{ 110, DOCTOR_POP3 },
	{ 995, DOCTOR_POP3 },
	{ 143, DOCTOR_IMAP },
	{ 993, DOCTOR_IMAP },
	{ 25, DOCTOR_SMTP_PORT },
};

/* --- names ---------------------------------------------------------------- */

static bool fits(const char *want, size_t len, const char *path,
    const char *base, const char *comm)
{
	if (want[0] == '/') {
		AUTO_FREE char *part = xstrndup(want, len);
		return strstr(path, part) != NULL;
	}
	if (want[len - 1] == '*')
		return strncmp(base, want, len - 1) == 0;
	/* The kernel keeps 15 bytes of a name. */
	return (strlen(base) == len && strncmp(base, want, len) == 0) ||
	       (!*path && len > 15 && strncmp(comm, want, 15) == 0);
}

const struct doctor_kind *doctor_kind_of(const char *path, const char *comm)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : comm;

	for (size_t i = 0; i < doctor_kind_count; i++) {
		const char *p = doctor_kinds[i].programs;
		while (*p) {
			size_t len = strcspn(p, " ");
			if (fits(p, len, path, base, comm))
				return &doctor_kinds[i];
			p += len + strspn(p + len, " ");
		}
	}
	return NULL;
}

/* --- sockets -------------------------------------------------------------- */

struct listening {
	unsigned long inode;
	unsigned service;
	bool seen; /* its process is known */
	const struct doctor_kind *kind;
	char program[DOCTOR_NAME_SIZE];
};

struct sockets {
	size_t count;
	struct listening at[SOCKETS_MAX];
};

static unsigned service_of(unsigned port)
{
	for (size_t i = 0; i < COUNT_OF(ports); i++)
		if (ports[i].port == port)
			return ports[i].service;
	return 0;
}

/* The n-th word of a line, from 0; NULL: there are fewer. */
static const char *word(const char *line, unsigned n)
{
	line += strspn(line, " ");
	while (n-- && *line) {
		line += strcspn(line, " ");
		line += strspn(line, " ");
	}
	return *line ? line : NULL;
}

/* "  0: 0100007F:0035 00000000:0000 0A TX:RX TR:TM RETRY UID TIMEOUT INODE" */
static void take_row(struct sockets *s, const char *line)
{
	enum { LOCAL = 1, STATE = 3, INODE = 9, HEX = 16, DECIMAL = 10 };
	const char *local = word(line, LOCAL), *state = word(line, STATE);
	const char *inode = word(line, INODE);
	const char *port = local ? strchr(local, ':') : NULL;
	unsigned service;

	if (!inode || !port || strtoul(state, NULL, HEX) != STATE_LISTEN)
		return;
	service = service_of((unsigned)strtoul(port + 1, NULL, HEX));
	if (service && s->count < SOCKETS_MAX)
		s->at[s->count++] =
		    (struct listening){ .inode = strtoul(inode, NULL, DECIMAL),
			    .service = service };
}

static void read_table(struct sockets *s, const char *proc, const char *name)
{
	char path[PROC_PATH_SIZE], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/net/%s", proc, name);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		take_row(s, line);
	(void)fclose(f);
}

/* --- processes ------------------------------------------------------------ */

struct process {
	int dir; /* /proc/PID */
	bool named;
	char path[PROC_PATH_SIZE], comm[DOCTOR_NAME_SIZE];
};

static void name_process(struct process *p)
{
	AUTO_CLOSE int fd = openat(p->dir, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = readlinkat(p->dir, "exe", p->path, sizeof(p->path) - 1);

	p->named = true;
	p->path[n > 0 ? n : 0] = '\0';
	n = fd < 0 ? 0 : read(fd, p->comm, sizeof(p->comm) - 1);
	p->comm[n > 0 ? n : 0] = '\0';
	p->comm[strcspn(p->comm, "\n")] = '\0';
}

/* Several processes may hold a socket: the one that has a row is the one. */
static void take_holder(struct listening *l, struct process *p)
{
	const struct doctor_kind *kind;

	if (!p->named)
		name_process(p);
	kind = doctor_kind_of(p->path, p->comm);
	if (l->seen && (l->kind || !kind) &&
	    (!l->kind || l->kind->role != DOCTOR_STARTER))
		return;
	l->seen = true;
	l->kind = kind;
	memcpy(l->program, p->comm, sizeof(l->program));
}

static void look_at_process(struct sockets *s, int proc, const char *pid)
{
	AUTO_CLOSE int dir = openat(proc, pid, O_PATH | O_CLOEXEC);
	int list = openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct process p = { .dir = dir };
	DIR *fds = list < 0 ? NULL : fdopendir(list);
	struct dirent *e;

	while (fds && (e = readdir(fds))) {
		static const char prefix[] = "socket:[";
		char target[64];
		unsigned long inode;
		ssize_t n = readlinkat(
		    dirfd(fds), e->d_name, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = '\0';
		if (strncmp(target, prefix, sizeof(prefix) - 1) != 0)
			continue;
		inode = strtoul(target + sizeof(prefix) - 1, NULL, 10);
		for (size_t i = 0; i < s->count; i++)
			if (s->at[i].inode == inode)
				take_holder(&s->at[i], &p);
	}
	if (fds)
		(void)closedir(fds);
	else if (list >= 0)
		(void)close(list);
}

/* One row for each kind; programs we do not know by their names. */
static void add(
    struct doctor_listener *out, size_t *count, const struct listening *l)
{
	size_t i = 0;

	while (i < *count &&
	       (out[i].kind != l->kind ||
		   (!l->kind && strcmp(out[i].program, l->program) != 0)))
		i++;
	if (i == DOCTOR_LISTENERS_MAX)
		return;
	if (i == *count) {
		(*count)++;
		out[i] = (struct doctor_listener){ .kind = l->kind };
		snprintf(
		    out[i].program, sizeof(out[i].program), "%s", l->program);
	}
	out[i].services |= l->service;
}

size_t doctor_listeners(const char *proc,
    struct doctor_listener out[static DOCTOR_LISTENERS_MAX], bool *hidden)
{
	AUTO_FREE struct sockets *s = xcalloc(1, sizeof(*s));
	DIR *pids = opendir(proc);
	struct dirent *e;
	size_t count = 0;

	*hidden = !pids;
	read_table(s, proc, "tcp");
	read_table(s, proc, "tcp6");
	while (s->count && pids && (e = readdir(pids)))
		if (isdigit((unsigned char)e->d_name[0]))
			look_at_process(s, dirfd(pids), e->d_name);
	if (pids)
		(void)closedir(pids);
	for (size_t i = 0; i < s->count; i++) {
		*hidden |= !s->at[i].seen;
		add(out, &count, &s->at[i]);
	}
	return count;
}
