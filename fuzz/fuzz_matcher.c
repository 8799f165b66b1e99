/* SPDX-License-Identifier: ISC */
/*
 * fuzz_matcher - a line, whole or with strangers' text in the places where
 * servers print it. In the first case: JIT, interpreter and a matcher without
 * memory agree, and a login's address and user stand in the line as they are.
 * In the second: the true address, or nothing.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/line.h"
#include "base/mem.h"
#include "pattern/pattern.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int64_t now = 1795198200000, skew = 300000;
static struct patterns *fast, *slow;
static struct matcher *used;

/* %D %C %Y: a name as Dovecot, Courier, Cyrus write it; %H: any text. */
static const struct {
	int login;
	const char *text;
} formats[] = {
	{ 1, "dovecot: imap-login: Login: user=<%D>, method=PLAIN, "
	     "rip=192.0.2.1, lip=198.51.100.1, mpid=7, TLS, session=<a>" },
	{ 1, "dovecot: pop3-login: Logged in: user=<%D>, method=PLAIN, "
	     "rip=192.0.2.1, lip=198.51.100.1, TLS" },
	{ 1, "imap-login: Login: %D [192.0.2.1]" },
	{ 1, "imapd: LOGIN, user=%C, ip=[192.0.2.1], port=[1], protocol=IMAP" },
	{ 1, "pop3d: LOGIN, user=%C, ip=[192.0.2.1]" },
	{ 1, "cyrus/imap[1]: login: [192.0.2.1] %Y plaintext User logged in" },
	{ 1, "imap[1]: login: %H [192.0.2.1] bob PLAIN User logged in" },
	{ 0, "dovecot: imap-login: Disconnected (auth failed): user=<%D>, "
	     "method=PLAIN, rip=192.0.2.1, lip=198.51.100.1, session=<a>" },
	{ 0, "dovecot: auth: passwd-file(%D,192.0.2.1): unknown user" },
	{ 0, "dovecot: lmtp(%D)<1><a>: msgid=<%H>: saved mail to %H" },
	{ 0, "dovecot: imap(bob)<1><a>: delete: box=%H, subject=%H" },
	{ 0, "imapd: LOGIN FAILED, user=%C, ip=[192.0.2.1], port=[1]" },
	{ 0, "cyrus/imap[1]: login: [192.0.2.1] anonymous %H" },
	{ 0, "cyrus/imap[1]: badlogin: [192.0.2.1] plaintext (%Y) [%H]" },
	{ 0, "postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.1]: %H" },
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct patterns_options o = { 0 };
	struct err err = { 0 };

	(void)argc;
	(void)argv;
	setenv("TZ", "UTC", 1);
	fast = patterns_open(&o, &err);
	o.no_jit = true;
	slow = patterns_open(&o, &err);
	must(fast && slow);
	used = matcher_new(fast);
	return 0;
}

static enum login_kind match(
    const struct patterns *p, const char *line, size_t len, struct login *out)
{
	struct matcher *m = matcher_new(p);
	enum login_kind kind = matcher_line(m, line, len, now, skew, out);

	matcher_free(&m);
	return kind;
}

static void check_login(const struct login *l, const char *line, size_t len)
{
	must(l->user_len && strlen(l->user) == l->user_len);
	must(memmem(line, len, l->user, l->user_len));
	for (size_t i = 0; i < l->user_len; i++)
		must((unsigned char)l->user[i] >= ' ' && l->user[i] != 0x7f);
	must(strlen(l->session) == l->session_len);
	must(strlen(l->server) && l->time >= 0);
}

/* Any bytes as a line. */
static void whole(const char *line, size_t len)
{
	struct login a, b, c;
	enum login_kind kind = match(fast, line, len, &a);

	must(match(slow, line, len, &b) == kind);
	must(matcher_line(used, line, len, now, skew, &c) == kind);
	if (kind == LOGIN_NOTHING)
		return;
	must(!memcmp(&a, &b, sizeof(a)) && !memcmp(&a, &c, sizeof(a)));
	if (kind == LOGIN_IN)
		check_login(&a, line, len);
}

static size_t put_text(
    char *out, size_t room, const char *text, size_t len, char how)
{
	size_t n = how == 'D' && len > 80 ? 80 : len;

	n = n < room ? n : room;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (how == 'D' && (c < ' ' || c == 0x7f))
			c = '?';
		if (c == '\n')
			c = '.';
		if (how == 'Y' && c >= 'A' && c <= 'Z')
			c += 32;
		out[i] = (char)c;
	}
	return n;
}

/* The bytes where a server prints what a stranger chose. */
static void embedded(unsigned format, const char *text, size_t len)
{
	static char line[LINE_MAX_BYTES + 1];
	const char *f = formats[format].text;
	size_t n = (size_t)snprintf(line, sizeof(line), "Nov 20 18:05:01 mx1 ");
	struct addr client;
	struct login l;

	addr_parse("192.0.2.1", 9, &client);
	for (; *f && n < sizeof(line); f++) {
		if (*f == '%')
			n += put_text(
			    line + n, sizeof(line) - n, text, len, *++f);
		else
			line[n++] = *f;
	}
	if (match(fast, line, n, &l) != LOGIN_IN)
		return;
	must(formats[format].login && addr_equal(&l.addr, &client));
	check_login(&l, line, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *copy = xmalloc(size);

	if (!size)
		return 0;
	memcpy(copy, data + 1, size - 1);
	if (data[0] < COUNT_OF(formats))
		embedded(data[0], copy, size - 1);
	else
		whole(copy, size - 1);
	return 0;
}
