/* SPDX-License-Identifier: ISC */
/*
 * fuzz_annotate - a line as rsyslog makes it of a message and of what a process
 * is called; all of that is the sender's. The uid that is found is his, and the
 * message is what he wrote, or there is none. The four texts are the input, cut
 * at the bytes 0xfe; 0xff stands for 500 letters.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pattern/annotate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	LINE_SIZE = 1 << 16,
	RSYSLOG_MAX = 2048, /* maxMessageSize, the least that is fair */
	UID = 1001
};

struct text {
	char bytes[LINE_SIZE];
	size_t len;
};

static void put(struct text *t, const char *bytes, size_t len)
{
	if (len > LINE_SIZE - t->len)
		len = LINE_SIZE - t->len;
	memcpy(t->bytes + t->len, bytes, len);
	t->len += len;
}

static void put_text(struct text *t, const char *text)
{
	put(t, text, strlen(text));
}

/* The next of the four; rest is what follows it. */
static void next_text(
    struct text *t, const uint8_t **rest, size_t *len, size_t max)
{
	char letters[500];

	memset(letters, 'x', sizeof(letters));
	t->len = 0;
	for (; *len && **rest != 0xfe; (*rest)++, (*len)--) {
		char c = (char)**rest;

		if (**rest == 0xff)
			put(t, letters, sizeof(letters));
		else
			put(t, &c, 1);
	}
	if (*len)
		(*rest)++, (*len)--;
	t->len = t->len < max ? t->len : max;
}

/* Control bytes of what /proc says become blanks; all ends at an LF. */
static void plain(struct text *t)
{
	for (size_t i = 0; i < t->len; i++) {
		if (t->bytes[i] == '\n')
			t->len = i;
		else if ((unsigned char)t->bytes[i] < ' ')
			t->bytes[i] = ' ';
	}
}

static void put_escaped(struct text *out, const struct text *t)
{
	put(out, "\"", 1);
	for (size_t i = 0; i < t->len; i++) {
		if (t->bytes[i] == '"' || t->bytes[i] == '\\')
			put(out, "\\", 1);
		put(out, t->bytes + i, 1);
	}
	put(out, "\"", 1);
}

static bool holds(const struct text *t, const char *what)
{
	return memmem(t->bytes, t->len, what, strlen(what)) != NULL;
}

/* Whether there is anything that could be taken for another suffix. */
static bool is_honest(const struct text *message, const struct text *comm,
    const struct text *exe, const struct text *arguments)
{
	const struct text *all[] = { message, comm, exe, arguments };
	bool honest = true;

	for (size_t i = 0; i < COUNT_OF(all); i++)
		honest = honest && !holds(all[i], " @[");
	return honest && !holds(comm, " _CMDLINE") && !holds(exe, " _CMDLINE");
}

static void try_line(
    const struct text *line, const struct text *message, bool honest)
{
	AUTO_FREE char *copy = xmalloc(line->len);
	size_t len = line->len;
	uint32_t uid;
	bool found;

	memcpy(copy, line->bytes, len);
	found = annotate_cut(copy, &len, &uid);
	if (found)
		must(uid == UID && len == message->len);
	else
		must(len == line->len);
	if (honest && line->len <= ANNOTATE_MAX)
		must(found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct text message, comm, exe, arguments, line;
	uint8_t missing = size ? data[0] : 0;
	const uint8_t *rest = data + 1;
	size_t len = size ? size - 1 : 0;
	char numbers[64];

	next_text(&message, &rest, &len, LINE_SIZE / 4);
	next_text(&comm, &rest, &len, 15);
	next_text(&exe, &rest, &len, 1023);
	next_text(&arguments, &rest, &len, 1023);
	plain(&comm);
	plain(&arguments);
	line = message;
	snprintf(numbers, sizeof(numbers), " @[_PID=9 _UID=%d _GID=8", UID);
	put_text(&line, numbers);
	if (!(missing & 1)) {
		put_text(&line, " _COMM=");
		put(&line, comm.bytes, comm.len);
	}
	if (!(missing & 2)) {
		put_text(&line, " _EXE=");
		put(&line, exe.bytes, exe.len);
	}
	if (!(missing & 4)) {
		put_text(&line, " _CMDLINE=");
		put_escaped(&line, &arguments);
	}
	put(&line, "]", 1);
	if (line.len > RSYSLOG_MAX)
		line.len = RSYSLOG_MAX;
	try_line(&line, &message, is_honest(&message, &comm, &exe, &arguments));
	return 0;
}
