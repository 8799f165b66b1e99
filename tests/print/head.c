/* SPDX-License-Identifier: ISC */
/*
 * head - what stands before a message, and what syslog daemons do to it on its
 * way into the file: rsyslog writes control bytes as #012, busybox as ^J and a
 * newline as a blank; some write them as they are. One message is one line in
 * all of them. A server's own file holds what the server wrote.
 */
#include <stdio.h>
#include <string.h>

#include "print.h"

const int64_t print_now = 1795198200000; /* 2026-11-20T18:10:00Z */

enum transport { RSYSLOG, BUSYBOX, AS_IT_IS, NONE };

static unsigned choose_head(struct rng *r, unsigned heads)
{
	unsigned bits[16], n = 0;

	for (unsigned b = 1; b <= OWN_MS; b <<= 1)
		if (heads & b)
			bits[n++] = b;
	return bits[rng_below(r, n)];
}

static void clock_words(char *out, size_t size, int64_t time)
{
	int second = (int)((time - (print_now - 600000)) / 1000);

	(void)snprintf(
	    out, size, "18:%02d:%02d", second / 60 % 60, second % 60);
}

static void put_iso(
    struct text *t, struct rng *r, const char *clock, int64_t time)
{
	text_print(t, "2026-11-20T%s", clock);
	if (time % 1000)
		text_print(t, ".%06u", (unsigned)(time % 1000) * 1000);
	text_add(t, rng_one_in(r, 2) ? "Z" : "+00:00");
}

static void put_tag(struct text *t, const char *program, uint32_t pid)
{
	text_add(t, program);
	if (pid)
		text_print(t, "[%u]", pid);
	text_add(t, ": ");
}

/* rsyslog cuts the program at '/' and keeps the blank behind its colon. */
static void put_5424(struct text *t, struct rng *r, int64_t time,
    const char *clock, const char *host, const char *program, uint32_t pid)
{
	text_add(t, "<22>1 ");
	put_iso(t, r, clock, time);
	text_print(t, " %s %.*s ", host, (int)strcspn(program, "/"), program);
	if (pid)
		text_print(t, "%u", pid);
	else
		text_add(t, "-");
	text_add(t, rng_one_in(r, 3) ? " - - " : " - -  ");
}

static void put_own(struct text *t, unsigned head, int64_t time,
    const char *clock, const char *program)
{
	unsigned ms = (unsigned)(time % 1000);

	if (head == OWN_SHORT)
		text_print(t, "Nov 20 %s ", clock);
	else if (head == OWN_MS)
		text_print(t, "Nov 20 %s.%03u ", clock, ms);
	else if (head == OWN_YEAR)
		text_print(t, "Nov 20 2026 %s ", clock);
	else if (head == OWN_CTIME)
		text_print(t, "Fri Nov 20 %s 2026 ", clock);
	else if (head == OWN_ISO)
		text_print(t, "2026-11-20 %s ", clock);
	else if (head == OWN_SLASH)
		text_print(t, "2026/11/20 %s ", clock);
	else if (head == OWN_COMMA)
		text_print(t, "2026-11-20 %s,%03u ", clock, ms);
	else if (head == OWN_Z)
		text_print(t, "2026-11-20T%sZ ", clock);
	else if (head == OWN_TAI)
		text_print(t, "@40000000%08x%08x ",
		    (unsigned)(time / 1000 + 10), ms * 1000000);
	else if (head == OWN_GLUED)
		text_print(t, "2026-11-20T%s.%03uZ", clock, ms);
	else
		text_print(t, "%s: Nov 20 %s ", program, clock);
}

static void put_head(struct text *t, struct rng *r, unsigned head, int64_t time,
    const char *host, const char *program, uint32_t pid)
{
	char clock[16];

	clock_words(clock, sizeof(clock), time);
	if (head & OWN) {
		put_own(t, head, time, clock, program);
		return;
	}
	if (head == RFC5424) {
		put_5424(t, r, time, clock, host, program, pid);
		return;
	}
	if (head == PRI)
		text_add(t, "<22>");
	if (head == ISO)
		put_iso(t, r, clock, time);
	else
		text_print(t, "Nov 20 %s", clock);
	text_print(t, " %s ", host);
	if (head == BUSY)
		text_add(t, "mail.info ");
	put_tag(t, program, pid);
}

static void put_byte(struct text *t, unsigned char c, enum transport how)
{
	char plain = (char)c;

	bool control = how != NONE && (c < ' ' || c == 0x7f);

	if (control && how == RSYSLOG)
		text_print(t, "#%03o", c);
	else if (control && c == '\n')
		text_put(t, " ", 1);
	else if (control && how == BUSYBOX)
		text_print(t, "^%c", c ^ 0x40);
	else
		text_put(t, &plain, 1);
}

/* Copies the message; the marks in *out move with it. */
static void put_message(
    struct line *out, const struct text *msg, enum transport how)
{
	size_t user = out->user, end = user + out->user_len, open = out->open;

	out->msg = out->text.len;
	for (size_t i = 0; i <= msg->len; i++) {
		if (i == user)
			out->user = out->text.len;
		if (i == end)
			out->user_len = out->text.len - out->user;
		if (i == open && open)
			out->open = out->text.len;
		if (i < msg->len)
			put_byte(&out->text, (unsigned char)msg->at[i], how);
	}
}

static uint32_t choose_pid(
    struct rng *r, const struct server *s, const struct scene *scene)
{
	if (scene->pid)
		return scene->pid;
	if (s->pid == PID_NEVER ||
	    (s->pid == PID_SOMETIMES && rng_one_in(r, 2)))
		return 0;
	return 1 + (uint32_t)rng_below(r, 99999);
}

void head_print(struct line *out, struct rng *r, unsigned heads,
    const struct server *s, const char *programs, const struct scene *scene,
    const struct text *msg)
{
	static const char *const hosts[] = { "mx1", "mx2.example.org", "mail",
		"192.0.2.53" };
	unsigned head = scene->head ? scene->head : choose_head(r, heads);
	struct text program = { .len = 0 };
	enum transport how = head & OWN         ? NONE
			     : head == BUSY     ? BUSYBOX
			     : rng_one_in(r, 8) ? AS_IT_IS
						: RSYSLOG;

	text_add_word(&program, r, programs);
	text_put(&program, "", 1);
	out->head = head;
	out->text.len = 0;
	put_head(&out->text, r, head, out->time,
	    scene->host ? scene->host : hosts[rng_below(r, 4)], program.at,
	    choose_pid(r, s, scene));
	put_message(out, msg, how);
}
