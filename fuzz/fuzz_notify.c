/* SPDX-License-Identifier: ISC */
/*
 * fuzz_notify - any bytes as a notice and as an answer. What is taken as a
 * login is complete and sound, and reads back to the same when it is written;
 * what is refused leaves nothing that could be submitted.
 */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "source/notify_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct addr no_addr;

static void check_name(const char *text, size_t len, size_t size)
{
	must(len < size && text[len] == '\0' && strlen(text) == len);
	for (size_t i = 0; i < len; i++)
		must((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

static void check_sound(const struct login *l)
{
	must(l->kind == LOGIN_IN || l->kind == LOGIN_ALIVE ||
	     l->kind == LOGIN_OUT);
	must(l->user_len > 0 && notify_is_server(l->server));
	must(l->tls <= 1 && !l->userless && l->time == 0);
	check_name(l->user, l->user_len, sizeof(l->user));
	check_name(l->session, l->session_len, sizeof(l->session));
	must(l->kind == LOGIN_IN || l->session_len > 0);
	must(l->kind == LOGIN_IN || l->mpid == 0);
}

static bool same(const struct login *a, const struct login *b)
{
	return a->kind == b->kind && a->tls == b->tls && a->mpid == b->mpid &&
	       addr_equal(&a->addr, &b->addr) && a->user_len == b->user_len &&
	       a->session_len == b->session_len &&
	       strcmp(a->user, b->user) == 0 &&
	       strcmp(a->session, b->session) == 0 &&
	       strcmp(a->server, b->server) == 0;
}

static void check_back(const struct login *l)
{
	char out[NOTIFY_MAX + 1];
	struct login back;
	const char *why;
	size_t len = notify_print(l, NULL, out);

	/* "::" is an address that is no address. */
	if (len == 0 && addr_equal(&l->addr, &no_addr))
		return;
	/* What was coded sparely may become longer. */
	if (len == 0) {
		must(l->user_len + l->session_len > NOTIFY_MAX / 4);
		return;
	}
	must(out[len - 1] == '\n' && !memchr(out, '\n', len - 1));
	must(notify_parse(out, len, &back, &why));
	must(same(&back, l));
}

static void check_answer(const char *line, size_t size)
{
	char out[NOTIFY_ANSWER_MAX + 1];
	struct notify_answer a;

	if (!notify_answer_parse(line, size, &a)) {
		must(a.word == NOTIFY_NOT_STORED);
		return;
	}
	size_t len = notify_answer_print(a.word, a.text, out);
	must(len == size || len == size + 1);
	must(memcmp(out, line, size) == 0);
}

static void check_bind(const char *line, size_t size)
{
	char out[NOTIFY_MAX + 1];
	struct addr a, back;
	struct login l;
	const char *why;

	if (!notify_bind_parse(line, size, &a)) {
		must(addr_equal(&a, &no_addr));
		return;
	}
	must(!addr_equal(&a, &no_addr) && !notify_parse(line, size, &l, &why));
	must(notify_bind_parse(out, notify_bind_print(&a, out), &back));
	must(addr_equal(&a, &back));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct login nothing;
	const void *line = data;
	struct login l;
	const char *why = "";

	memset(&l, 0xa5, sizeof(l));
	if (notify_parse(line, size, &l, &why)) {
		must(!why && size <= NOTIFY_MAX);
		check_sound(&l);
		check_back(&l);
	} else {
		must(why && *why);
		must(same(&l, &nothing));
	}
	check_bind(line, size);
	check_answer(line, size);
	return 0;
}
