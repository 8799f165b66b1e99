/* SPDX-License-Identifier: ISC */
/*
 * fuzz_journal - fields of a journal entry, any bytes, to a log line. The input
 * is fields, each behind two bytes of its length. A line comes of them only
 * when each field that counts is there once and sound; then its head reads back
 * to the program and pid that were given, its message is the one that was
 * given, byte for byte, and nobody but the entry's sender has sent it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pattern/header.h"
#include "pattern/pattern.h"
#include "source/journal_entry.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int64_t now = 1795198200000, skew = 300000;
static struct patterns *patterns;

/* The only value of a field, or NULL. */
struct value {
	const char *at;
	size_t len, count;
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct err err = { 0 };

	(void)argc;
	(void)argv;
	patterns = patterns_open(&(struct patterns_options){ 0 }, &err);
	must(patterns != NULL);
	return 0;
}

static void note(
    struct value *v, const char *name, const char *field, size_t len)
{
	size_t n = strlen(name);

	if (len < n || memcmp(field, name, n) != 0)
		return;
	*v = (struct value){ field + n, len - n, v->count + 1 };
}

static void check_line(const char *line, size_t len, const struct value *tag,
    const struct value *pid, const struct value *message)
{
	struct header head;

	must(tag->count == 1 && message->count == 1 && pid->count <= 1);
	must(len >= message->len &&
	     !memcmp(line + len - message->len, message->at, message->len));
	must(header_parse(line, len, &head));
	must(head.place == HEADER_SYSLOG && head.stamp.kind != STAMP_NONE);
	must(head.msg_len == message->len &&
	     head.msg == line + len - message->len);
	must(head.tag_len == tag->len && !memcmp(head.tag, tag->at, tag->len));
}

static uint64_t number(const struct value *v)
{
	char text[32] = { 0 };

	must(v->len < sizeof(text));
	memcpy(text, v->at, v->len);
	return strtoull(text, NULL, 10);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct journal_entry e;
	static char line[JOURNAL_LINE_MAX];
	struct value tag = { 0 }, pid = { 0 }, message = { 0 }, uid = { 0 };
	struct matcher *m;
	struct login login;
	size_t len;

	journal_entry_begin(&e);
	while (size >= 2) {
		const char *field = (const char *)data + 2;
		size_t n = data[0] | (size_t)data[1] << 8;

		n = n < size - 2 ? n : size - 2;
		journal_entry_field(&e, field, n);
		note(&tag, "SYSLOG_IDENTIFIER=", field, n);
		note(&pid, "SYSLOG_PID=", field, n);
		note(&message, "MESSAGE=", field, n);
		note(&uid, "_UID=", field, n);
		data += 2 + n;
		size -= 2 + n;
	}
	len = journal_entry_line(&e, (uint64_t)now * 1000, line);
	must(len <= sizeof(line));
	if (len == 0)
		return 0;
	must(uid.count == 1 && number(&uid) == e.uid);
	check_line(line, len, &tag, &pid, &message);
	m = matcher_new(patterns);
	if (matcher_line_from(m, line, len, now, skew, e.uid, &login) !=
	    LOGIN_NOTHING) {
		must(message.at && !memchr(message.at, '\n', message.len));
		must(login.time == now && login.user_len <= message.len);
	}
	matcher_free(&m);
	return 0;
}
