/* SPDX-License-Identifier: ISC */
/*
 * fuzz_syslog - what comes over a syslog socket. The first byte chooses:
 *   D  a whole datagram: a line of it is that datagram, and is one line
 *   S  a stream: the same frames in whatever pieces it comes
 *   else  text of a program that is none of ours, in an honest message in each
 *      form, alone and in frames: never a login
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/line.h"
#include "base/mem.h"
#include "pattern/header.h"
#include "pattern/pattern.h"
#include "source/syslog_codec.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FRAMES = 64, TEXT_MAX = SYSLOG_MESSAGE_MAX + 200 };

static const int64_t now = 1795198200000, skew = 300000;
static struct patterns *patterns;
static struct matcher *matcher;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct patterns_options o = { 0 };
	struct err err = { 0 };

	(void)argc;
	(void)argv;
	setenv("TZ", "UTC", 1);
	patterns = patterns_open(&o, &err);
	must(patterns);
	matcher = matcher_new(patterns);
	return 0;
}

/* What the source makes of a message. */
static enum login_kind judge(const char *msg, size_t len, struct login *out)
{
	AUTO_FREE char *copy = xmalloc(len + 1);
	char room[SYSLOG_LINE_MAX];
	const char *line;
	size_t n;
	struct header h;

	memcpy(copy, msg, len);
	if (syslog_line(copy, len, room, &line, &n) != SYSLOG_LINE)
		return LOGIN_NOTHING;
	must(n <= LINE_MAX_BYTES + 2);
	must(!memchr(line, '\n', n) && !memchr(line, '\0', n));
	must(header_parse(line, n, &h) && h.place == HEADER_SYSLOG);
	must(h.tag_len && memmem(msg, len, h.tag, h.tag_len));
	if (line == room)
		must(h.host_len == 1 && *h.host == '-' && n > 2 &&
		     n - 2 <= len && len - (n - 2) <= 1);
	else
		must(line == copy && n <= len && len - n <= 1);
	return matcher_line_from(matcher, line, n, now, skew, 0, out);
}

static void datagram(const char *msg, size_t len)
{
	struct login l;

	if (judge(msg, len, &l) != LOGIN_IN)
		return;
	must(l.user_len && memmem(msg, len, l.user, l.user_len));
	must(l.time >= 0 && strlen(l.server));
}

/* --- streams ---------------------------------------------------------------
 */

/* The frames of a stream: where each begins, and how long it is. */
struct frames {
	size_t count, at[FRAMES], len[FRAMES];
	size_t passed; /* bytes done with */
	bool bad;
};

static void cut(const char *in, size_t size, size_t piece, struct frames *out)
{
	size_t to = 0;
	uint64_t state = 0;
	enum syslog_frame frame = SYSLOG_FRAME_MORE;

	memset(out, 0, sizeof(*out));
	while (!out->bad && out->count < FRAMES) {
		const char *msg;
		size_t used, len;
		if (frame == SYSLOG_FRAME_MORE || out->passed == to) {
			if (to == size)
				break;
			to = size - to < piece ? size : to + piece;
		}
		frame = syslog_cut(in + out->passed, to - out->passed, &state,
		    &used, &msg, &len);
		must(used <= to - out->passed);
		must(used || frame == SYSLOG_FRAME_MORE ||
		     frame == SYSLOG_FRAME_BAD);
		/* What an inlet has to keep is bounded. */
		must(frame != SYSLOG_FRAME_MORE ||
		     to - out->passed <= SYSLOG_FRAME_MAX);
		out->passed += used;
		out->bad = frame == SYSLOG_FRAME_BAD;
		if (frame != SYSLOG_FRAME_WHOLE)
			continue;
		must(len <= SYSLOG_MESSAGE_MAX);
		out->at[out->count] = (size_t)(msg - in);
		out->len[out->count++] = len;
	}
}

static void stream(const char *in, size_t size, size_t piece)
{
	static struct frames whole, pieces;

	cut(in, size, size, &whole);
	cut(in, size, piece, &pieces);
	must(whole.count == pieces.count && whole.bad == pieces.bad);
	must(!memcmp(whole.at, pieces.at, sizeof(whole.at)));
	must(!memcmp(whole.len, pieces.len, sizeof(whole.len)));
	must(whole.count == FRAMES || whole.passed == pieces.passed);
}

/* Each frame of it is judged; none may be a login. */
static void no_login(const char *in, size_t size)
{
	static struct frames f;
	struct login l;

	cut(in, size, size, &f);
	for (size_t i = 0; i < f.count; i++)
		must(judge(in + f.at[i], f.len[i], &l) == LOGIN_NOTHING);
}

static void stranger(const char *text, size_t len)
{
	static const char *const heads[] = {
		"<22>Nov 20 18:05:01 mx1 other[7]: ",
		"<22>Nov 20 18:05:01 other[7]: ",
		"<22>2026-11-20T18:05:01Z mx1 other: ",
		"<22>2026-11-20T18:05:01Z other: ",
		"<22>1 2026-11-20T18:05:01Z mx1 other 7 - - ",
	};
	static char msg[TEXT_MAX], framed[TEXT_MAX + 16];
	struct login l;

	for (size_t i = 0; i < COUNT_OF(heads); i++) {
		size_t n = strlen(heads[i]);
		int head;
		memcpy(msg, heads[i], n);
		memcpy(msg + n, text, len);
		n += len;
		must(judge(msg, n, &l) == LOGIN_NOTHING);
		head = snprintf(framed, sizeof(framed), "%zu ", n);
		memcpy(framed + head, msg, n);
		no_login(framed, (size_t)head + n);
		if (memchr(text, '\n', len))
			continue;
		msg[n++] = '\n';
		no_login(msg, n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *copy = xmalloc(size + 1);

	if (size < 2)
		return 0;
	memcpy(copy, data, size);
	if (data[0] == 'D')
		datagram(copy + 1, size - 1);
	else if (data[0] == 'S')
		stream(copy + 2, size - 2, data[1] ? data[1] : 1);
	else if (size - 1 <= SYSLOG_MESSAGE_MAX)
		stranger(copy + 1, size - 1);
	return 0;
}
