/* SPDX-License-Identifier: ISC */
/*
 * log - one line an event, to stderr or syslog, one write each. Called by every
 * process; owns the rate limit of its process. Nothing here allocates or waits
 * (for syslog), and errno is kept, so that a call may stand anywhere.
 *
 * Not syslog(3): it waits while the log daemon is stuck, and connects anew when
 * that was started again, which a process after its lock-down may not.
 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

enum {
	LOG_TEXT_SIZE = 1024, /* longer lines are cut; rsyslog takes 8 KiB */
	HELD_SIZE = 32,       /* " repeated=N" */
	MINUTE_MS = 60000
};

static const struct {
	const char *name, *help;
	unsigned burst;
} events[LOG_EVENT_COUNT] = {
#define EVENT(id, name, burst, help) { name, help, burst },
#include "log_events.def"
#undef EVENT
};

/* What the rate limit knows of an event. */
static struct limit {
	int64_t minute;
	unsigned written; /* lines of this minute */
	unsigned held;    /* lines held back, of which `text` is the last */
	enum log_level level;
	char text[LOG_TEXT_SIZE];
} limits[LOG_EVENT_COUNT];

static enum log_target where = LOG_TO_STDERR;
static enum log_level most = LOG_LEVEL_INFO;
static char process[48];   /* "reader NAME" */
static int syslog_fd = -1; /* not connected: each line finds its own way */

static void open_syslog(void)
{
	/* It reads a file, which is over after a lock-down. */
	tzset();
	if (syslog_fd < 0)
		syslog_fd = socket(
		    AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void log_open(enum log_target target, enum log_level level, const char *role)
{
	where = target;
	most = level;
	snprintf(process, sizeof(process), "%s", role ? role : "");
	/* A child must not tell again what its parent holds back. */
	for (size_t i = 0; i < LOG_EVENT_COUNT; i++)
		limits[i].written = limits[i].held = 0;
	if (target == LOG_TO_SYSLOG)
		open_syslog();
}

void log_set_level(enum log_level level)
{
	most = level;
}

bool log_wants(enum log_level level)
{
	return level <= most;
}

const char *log_event_name(enum log_event event)
{
	return events[event].name;
}

const char *log_event_help(enum log_event event)
{
	return events[event].help;
}

static int priority(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return LOG_ERR;
	case LOG_LEVEL_WARN:
		return LOG_WARNING;
	case LOG_LEVEL_INFO:
		return LOG_INFO;
	case LOG_LEVEL_DEBUG:
		break;
	}
	return LOG_DEBUG;
}

/* Whatever got into a line in spite of log_quote(): it stays one line, and no
 * terminal obeys it. */
static void scrub(char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}

/* As syslog(3) sends it. A line that the log daemon does not take is lost. */
static void send_syslog(
    const char *program, enum log_level level, const char *text)
{
	const struct sockaddr_un to = { .sun_family = AF_UNIX,
		.sun_path = _PATH_LOG };
	char line[LOG_TEXT_SIZE + HELD_SIZE + sizeof(process) + 128];
	time_t now = clock_now().wall / 1000;
	char stamp[32] = "";
	struct tm tm;
	int used;

	if (localtime_r(&now, &tm))
		(void)strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm);
	used = snprintf(line, sizeof(line), "<%d>%s %s[%d]: %s%s%s",
	    LOG_MAIL | priority(level), stamp, program, (int)getpid(), process,
	    *process ? ": " : "", text);
	if (sendto(syslog_fd, line, (size_t)used, MSG_DONTWAIT | MSG_NOSIGNAL,
		(const struct sockaddr *)&to, sizeof(to)) < 0) {
		/* nowhere to say so */
	}
}

void log_to_syslog(const char *program, enum log_level level, const char *text)
{
	char line[LOG_TEXT_SIZE];

	(void)snprintf(line, sizeof(line), "%s", text);
	scrub(line);
	open_syslog();
	send_syslog(program, level, line);
}

static void write_text(enum log_level level, const char *text)
{
	char line[LOG_TEXT_SIZE + HELD_SIZE + sizeof(process) + 64];
	bool role = process[0] != '\0';

	if (where == LOG_TO_SYSLOG) {
		send_syslog("relaypassd", level, text);
		return;
	}
	int n = snprintf(line, sizeof(line), "relaypassd%s%s%s: %s\n",
	    role ? "[" : "", process, role ? "]" : "", text);
	if (write(STDERR_FILENO, line, (size_t)n) < 0) {
		/* nowhere to say so */
	}
}

static void write_held(struct limit *limit)
{
	char text[LOG_TEXT_SIZE + HELD_SIZE];

	if (limit->held == 0)
		return;
	snprintf(
	    text, sizeof(text), "%s repeated=%u", limit->text, limit->held);
	limit->held = 0;
	write_text(limit->level, text);
}

void log_flush(void)
{
	int saved = errno;

	for (size_t i = 0; i < LOG_EVENT_COUNT; i++)
		write_held(&limits[i]);
	errno = saved;
}

/* True when the line may go out now; else it is held back. */
static bool may_write(
    enum log_level level, enum log_event event, const char *text)
{
	struct limit *limit = &limits[event];
	int64_t minute = clock_now().boot / MINUTE_MS;

	if (events[event].burst == 0)
		return true;
	if (minute != limit->minute) {
		write_held(limit);
		limit->minute = minute;
		limit->written = 0;
	}
	if (limit->written < events[event].burst) {
		limit->written++;
		return true;
	}
	limit->held++;
	limit->level = level;
	memcpy(limit->text, text, strlen(text) + 1);
	return false;
}

/* Ends a line of which `used` bytes stand before the part that vsnprintf() made
 * (or wanted to make) n bytes long, and sees to it that it is written. */
static void finish(enum log_level level, enum log_event event,
    char text[static LOG_TEXT_SIZE], size_t used, int n)
{
	static const char cut[] = "...";

	if (n < 0)
		text[used] = '\0';
	else if ((size_t)n >= LOG_TEXT_SIZE - used)
		memcpy(text + LOG_TEXT_SIZE - sizeof(cut), cut, sizeof(cut));
	scrub(text);
	if (may_write(level, event, text))
		write_text(level, text);
}

#define LOG_FUNCTION(function, level)                                          \
	void function(enum log_event event, const char *format, ...)           \
	{                                                                      \
		char text[LOG_TEXT_SIZE];                                      \
		int saved = errno;                                             \
		va_list args;                                                  \
                                                                               \
		if (!log_wants(level))                                         \
			return;                                                \
		size_t used = (size_t)snprintf(                                \
		    text, sizeof(text), "%s ", events[event].name);            \
		va_start(args, format);                                        \
		int n =                                                        \
		    vsnprintf(text + used, sizeof(text) - used, format, args); \
		va_end(args);                                                  \
		finish(level, event, text, used, n);                           \
		errno = saved;                                                 \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

static bool is_bare(unsigned char c)
{
	return c > ' ' && c <= '~' && c != '"' && c != '\'' && c != '\\';
}

const char *log_quote(const char *text, size_t len, char *out, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	static const char cut[] = "...";
	size_t used = 0, safe = 0; /* safe: "..." still fits behind it */

	if (size == 0)
		return "";
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		size_t need = is_bare(c) ? 1 : 4;
		if (used + need >= size) {
			used = safe;
			for (size_t k = 0; cut[k] && used + 1 < size; k++)
				out[used++] = cut[k];
			break;
		}
		if (need == 1) {
			out[used++] = (char)c;
		} else {
			out[used++] = '\\';
			out[used++] = 'x';
			out[used++] = digits[c >> 4];
			out[used++] = digits[c & 15];
		}
		if (used + sizeof(cut) <= size)
			safe = used;
	}
	out[used] = '\0';
	return out;
}

const char *log_words(const char *text, size_t len, char *out, size_t size)
{
	static const char cut[] = "...";
	size_t n = len < size ? len : size - 1;

	for (size_t i = 0; i < n; i++)
		out[i] = text[i] == '"' ? '\'' : text[i] ? text[i] : '?';
	out[n] = '\0';
	scrub(out);
	if (n < len)
		memcpy(out + size - sizeof(cut), cut, sizeof(cut));
	return out;
}
