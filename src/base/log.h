/* SPDX-License-Identifier: ISC */
/*
 * log - events with stable names and key=value text, to stderr or syslog.
 * Values from outside go through log_quote(); a line never holds a control
 * byte. Repeats of one event within a minute are held back and counted.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H
#include <stdbool.h>
#include <stddef.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG };

/* The closed list of events: LOG_LEASE_GRANT is "lease.grant" and so on. */
enum log_event {
#define EVENT(id, name, burst, help) LOG_##id,
#include "log_events.def"
#undef EVENT
	LOG_EVENT_COUNT
};

/* Opens the target (before a lock-down). role names this process in lines. */
void log_open(enum log_target target, enum log_level level, const char *role);
void log_set_level(enum log_level level);
bool log_wants(enum log_level level);

void log_error(enum log_event event, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void log_warn(enum log_event event, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void log_info(enum log_event event, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void log_debug(enum log_event event, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Writes what the rate limit holds back ("... repeated=17"); call now and then
 * and before exit. */
void log_flush(void);
/* One line of a program that has no events of its own, such as one that smtpd
 * starts; it never waits. */
void log_to_syslog(const char *program, enum log_level level, const char *text);

/*
 * Escapes len bytes for a value in a log line: control bytes, blanks, quotes,
 * backslash and bytes above 0x7e as \xHH, cut with "..." to fit. Returns out.
 */
const char *log_quote(const char *text, size_t len, char *out, size_t size);

/*
 * For a sentence between the quotes of a value, such as what a server answered:
 * copies it with its blanks, without its quotes, printable, cut with "..." to
 * fit. Returns out; size is 4 or more.
 */
const char *log_words(const char *text, size_t len, char *out, size_t size);

/* Name and one-sentence help of an event, for the manual. */
const char *log_event_name(enum log_event event);
const char *log_event_help(enum log_event event);
#endif
