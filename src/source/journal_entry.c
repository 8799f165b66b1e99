/* SPDX-License-Identifier: ISC */
/*
 * journal_entry - see the header.
 */
#include "journal_entry.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum { US_MS = 1000, S_US = 1000000 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_tag_char(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || (c && strchr("-._/", c));
}

static void take_tag(struct journal_entry *e, const char *value, size_t len)
{
	e->broken |= !len || len > sizeof(e->tag);
	if (e->broken)
		return;
	for (size_t i = 0; i < len; i++)
		e->broken |= !is_tag_char(value[i]);
	memcpy(e->tag, value, len);
	e->tag_len = (uint8_t)len;
}

/* SYSLOG_PID may be anything; then the line has none, as syslogd's has not. */
static void take_pid(struct journal_entry *e, const char *value, size_t len)
{
	bool digits = len > 0 && len <= sizeof(e->pid);

	for (size_t i = 0; digits && i < len; i++)
		digits = is_digit(value[i]);
	if (!digits)
		return;
	memcpy(e->pid, value, len);
	e->pid_len = (uint8_t)len;
}

static void take_uid(struct journal_entry *e, const char *value, size_t len)
{
	uint64_t uid = 0;

	e->broken |= !len || len > JOURNAL_PID_MAX;
	for (size_t i = 0; !e->broken && i < len; i++) {
		e->broken |= !is_digit(value[i]);
		uid = uid * 10 + (uint64_t)(value[i] - '0');
	}
	e->broken |= uid >= JOURNAL_NO_UID;
	if (!e->broken)
		e->uid = (uint32_t)uid;
}

static void take_message(struct journal_entry *e, const char *value, size_t len)
{
	e->broken |= len > sizeof(e->message);
	if (e->broken)
		return;
	memcpy(e->message, value, len);
	e->message_len = len;
}

enum field { MESSAGE, TAG, PID, UID, FIELDS };
enum { NEEDED = 1U << MESSAGE | 1U << TAG | 1U << UID };

static const struct {
	const char *name;
	void (*take)(struct journal_entry *e, const char *value, size_t len);
} fields[FIELDS] = {
	[MESSAGE] = { "MESSAGE=", take_message },
	[TAG] = { "SYSLOG_IDENTIFIER=", take_tag },
	[PID] = { "SYSLOG_PID=", take_pid },
	[UID] = { "_UID=", take_uid },
};

void journal_entry_begin(struct journal_entry *e)
{
	e->uid = JOURNAL_NO_UID;
	e->seen = 0;
	e->twice = e->broken = false;
	e->tag_len = e->pid_len = 0;
	e->message_len = 0;
}

void journal_entry_field(struct journal_entry *e, const char *field, size_t len)
{
	for (unsigned i = 0; i < FIELDS; i++) {
		size_t n = strlen(fields[i].name);

		if (len < n || memcmp(field, fields[i].name, n) != 0)
			continue;
		e->twice |= e->seen >> i & 1;
		e->seen |= 1U << i;
		fields[i].take(e, field + n, len - n);
	}
}

size_t journal_entry_line(const struct journal_entry *e, uint64_t time_us,
    char out[static JOURNAL_LINE_MAX])
{
	char stamp[CLOCK_TEXT_SIZE];
	size_t n;
	int head;

	if (e->twice || e->broken || (e->seen & NEEDED) != NEEDED ||
	    time_us / US_MS > INT64_MAX)
		return 0;
	n = clock_print((int64_t)(time_us / US_MS), stamp);
	/* The host is this one: journal.c reads no other's journal. */
	head = snprintf(out, JOURNAL_HEAD_MAX,
	    "%.*s.%06u+00:00 localhost %.*s%s%.*s%s: ", (int)n - 1, stamp,
	    (unsigned)(time_us % S_US), e->tag_len, e->tag,
	    e->pid_len ? "[" : "", e->pid_len, e->pid, e->pid_len ? "]" : "");
	must(head > 0 && head < JOURNAL_HEAD_MAX);
	memcpy(out + head, e->message, e->message_len);
	return (size_t)head + e->message_len;
}
