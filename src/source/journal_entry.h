/* SPDX-License-Identifier: ISC */
/*
 * journal_entry - one entry of systemd's journal as a log line: its fields in,
 * the line that syslogd would have written out. Pure. Called by: journal.c.
 *
 * A field whose name begins with '_' was added by journald, and the sender
 * cannot set it; the others say what the sender wants. An entry is believed by
 * its trusted fields (journal.c lets only those of the configured units and
 * users come here), so its SYSLOG_IDENTIFIER is the program's own word.
 */
#ifndef SOURCE_JOURNAL_ENTRY_H
#define SOURCE_JOURNAL_ENTRY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/line.h"

enum {
	JOURNAL_TAG_MAX = 48,
	JOURNAL_PID_MAX = 10,
	JOURNAL_HEAD_MAX = 160,
	JOURNAL_LINE_MAX = JOURNAL_HEAD_MAX + LINE_MAX_BYTES
};

/* Nobody's. */
#define JOURNAL_NO_UID UINT32_MAX

struct journal_entry {
	uint32_t uid;             /* _UID */
	unsigned seen;            /* fields that count, a bit each */
	bool twice;               /* one of them came more than once */
	bool broken;              /* one is not what it must be */
	uint8_t tag_len, pid_len; /* 0: the field was not there */
	char tag[JOURNAL_TAG_MAX];
	char pid[JOURNAL_PID_MAX];
	size_t message_len;
	char message[LINE_MAX_BYTES];
};

void journal_entry_begin(struct journal_entry *e);
/* One "NAME=value" of the entry, any bytes, in any order. */
void journal_entry_field(
    struct journal_entry *e, const char *field, size_t len);
/*
 * Writes the line (without LF) with its time, microseconds since 1970. Returns
 * its length; 0: the entry is none that a server writes: no program or message,
 * a field twice, nobody's. Control characters stay in the line, so that it is
 * refused, and never two.
 */
size_t journal_entry_line(const struct journal_entry *e, uint64_t time_us,
    char out[static JOURNAL_LINE_MAX]);
#endif
