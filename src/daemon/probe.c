/* SPDX-License-Identifier: ISC */
/*
 * probe - see the header.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "enter.h"
#include "export/export.h"
#include "lockdown.h"
#include "source/source.h"

#define NS_PER_MS UINT64_C(1000000)

/* Longer than any test takes by itself. */
enum { PROBE_ALARM_S = 10, MS_PER_S = 1000 };

struct subject {
	const struct conf *conf;
	const struct conf_section *section;
	const struct export_kind *export_kind; /* or */
	const struct source_kind *source_kind;
};

static struct subject subject_of(
    const struct conf *conf, const char *section, size_t i)
{
	struct subject s = { .conf = conf,
		.section = conf_at(conf, section, i) };

	if (strcmp(section, "export") == 0)
		s.export_kind = export_kind_find(conf_kind(s.section));
	else
		s.source_kind = source_kind_find(conf_kind(s.section));
	return s;
}

/* --- in the child ----------------------------------------------------------
 */

static void nothing_done(void *ctx, bool good)
{
	(void)ctx;
	(void)good;
}

static void nothing_again(void *ctx)
{
	(void)ctx;
}

static void nothing_wrong(void *ctx, const char *why)
{
	(void)ctx;
	(void)why;
}

static const char *nobody(void *ctx, const struct lease *lease)
{
	(void)ctx;
	(void)lease;
	return "";
}

static int sink_nothing(void *ctx, const struct source_cursor *cursor,
    const struct login *logins, size_t n)
{
	(void)ctx;
	(void)cursor;
	(void)logins;
	(void)n;
	return 0;
}

static void step_nowhere(
    void *ctx, bool in_step, uint64_t behind, const char *trouble)
{
	(void)ctx;
	(void)in_step;
	(void)behind;
	(void)trouble;
}

static int test_export(const struct subject *s, struct err *err)
{
	struct export_env env = { .name = conf_name(s->section),
		.done = nothing_done,
		.source_kind = nobody,
		.server = nobody,
		.again = nothing_again,
		.alive = nothing_again,
		.trouble = nothing_wrong,
		.node = "0000000000000000",
		.ttl = conf_number(conf_at(s->conf, "lease", 0), "ttl") };
	struct export *e = s->export_kind->open(&env, s->section, err);

	if (!e || enter_export(s->section, err) < 0)
		return -1;
	return s->export_kind->test(e, err);
}

static int test_source(const struct subject *s, struct err *err)
{
	const struct conf_section *lease = conf_at(s->conf, "lease", 0);
	struct source_env env = { .name = conf_name(s->section),
		.ttl = conf_number(lease, "ttl"),
		.max_skew = conf_number(lease, "max-skew"),
		.sink = sink_nothing,
		.inotify_fd = -1,
		.node = "0000000000000000",
		.step = step_nowhere };
	struct source *source =
	    s->source_kind->open(&env, s->section, NULL, 0, err);

	if (!source || enter_source(s->section, err) < 0)
		return -1;
	return s->source_kind->test(source, err);
}

/* It has the parent's descriptors: none is its business. What it has to say
 * goes through the pipe, not to the log. */
static int leave_others(int fd)
{
	enum { OURS = STDERR_FILENO + 1 };
	int null;

	/* Whoever started us may have closed the usual three. */
	fd = fcntl(fd, F_DUPFD_CLOEXEC, OURS);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0)
		(void)dup2(null, STDERR_FILENO);
	log_open(LOG_TO_STDERR, LOG_LEVEL_ERROR, "probe");
	if (fd != OURS)
		(void)dup2(fd, OURS);
	(void)close_range(OURS + 1, ~0U, 0);
	return OURS;
}

static _Noreturn void run(const struct subject *s, int fd)
{
	struct err err = { 0 };

	lockdown_prepare();
	fd = leave_others(fd);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(PROBE_ALARM_S);
	if ((s->export_kind ? test_export(s, &err) : test_source(s, &err)) <
		0 &&
	    !err.code)
		err.code = EXIT_AGAIN;
	if (write(fd, &err, sizeof(err)) < 0)
		_exit(EXIT_AGAIN);
	_exit(EXIT_YES);
}

/* --- in the parent ---------------------------------------------------------
 */

static bool has_test(const struct subject *s)
{
	return s->export_kind ? s->export_kind->test != NULL
			      : s->source_kind && s->source_kind->test;
}

struct probe probe_begin(const struct conf *conf, const char *section, size_t i)
{
	struct subject s = subject_of(conf, section, i);
	struct probe p = { .fd = -1 };
	int fds[2];

	if (!has_test(&s) || pipe2(fds, O_CLOEXEC) < 0)
		return p;
	p.pid = fork();
	if (p.pid == 0)
		run(&s, fds[1]);
	(void)close(fds[1]);
	p.fd = fds[0];
	if (p.pid < 0) {
		(void)close(p.fd);
		p = (struct probe){ .fd = -1 };
	}
	return p;
}

uint64_t probe_limit(void)
{
	return uv_hrtime() / NS_PER_MS + PROBE_MS;
}

/* What a stranger's words may have gone through. */
static void clean(struct err *err)
{
	err->text[sizeof(err->text) - 1] = '\0';
	for (char *c = err->text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	}
	if (err->code && err->code != EXIT_USER)
		err->code = EXIT_AGAIN;
}

bool probe_is_over(const struct probe *p, uint64_t until)
{
	struct pollfd wait = { .fd = p->fd, .events = POLLIN };

	return p->pid == 0 || poll(&wait, 1, 0) != 0 ||
	       uv_hrtime() / NS_PER_MS >= until;
}

/* Or family_reap() has. */
static void collect(struct probe *p)
{
	int status;

	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	(void)close(p->fd);
	*p = (struct probe){ .fd = -1 };
}

void probe_drop(struct probe *p)
{
	if (p->pid == 0)
		return;
	/* Who has not answered has not ended: its pid is its own. */
	if (!probe_is_over(p, UINT64_MAX))
		(void)kill(p->pid, SIGKILL);
	collect(p);
}

int probe_end(struct probe *p, uint64_t until, struct err *err)
{
	struct pollfd wait = { .fd = p->fd, .events = POLLIN };
	uint64_t now = uv_hrtime() / NS_PER_MS;
	struct err told = { .code = EXIT_AGAIN };

	if (p->pid == 0)
		return 0;
	if (poll(&wait, 1, until > now ? (int)(until - now) : 0) != 1)
		(void)err_set(&told, EXIT_AGAIN, "no answer within %d s",
		    PROBE_MS / MS_PER_S);
	else if (read(p->fd, &told, sizeof(told)) != sizeof(told))
		(void)err_set(
		    &told, EXIT_AGAIN, "the process that looks has ended");
	probe_drop(p);
	clean(&told);
	*err = told;
	return told.code ? -1 : 0;
}

int probe_section(
    const struct conf *conf, const char *section, size_t i, struct err *err)
{
	struct subject s = subject_of(conf, section, i);
	struct probe p;

	if (!has_test(&s))
		return PROBE_NOTHING;
	p = probe_begin(conf, section, i);
	return probe_end(&p, probe_limit(), err);
}
