/* SPDX-License-Identifier: ISC */
/*
 * test_annotate - rsyslog's suffix is found where it is the only one that could
 * be it, whatever a sender writes into his message, his program's name, path
 * and arguments. Lines of a running rsyslog 8.2302, with other addresses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "pattern/annotate.h"

#define LOGIN                                                                  \
	"imap-login: Login: user=<bob>, method=PLAIN, rip=203.0.113.66, "      \
	"lip=198.51.100.1, mpid=7, TLS, session=<abc>"
#define DOVECOT                                                                \
	" @[_PID=1 _UID=0 _GID=0 _COMM=log _EXE=/usr/lib/dovecot/log "         \
	"_CMDLINE=\"dovecot/log\"]"

/* Memory of its own size, so that a sanitizer sees every step aside. */
static bool cut(const char *text, size_t *len, uint32_t *uid)
{
	AUTO_FREE char *copy = NULL;

	*len = strlen(text);
	*uid = 77;
	copy = xmalloc(*len ? *len : 1);
	memcpy(copy, text, *len);
	return annotate_cut(copy, len, uid);
}

static void test_annotate_cut_gives_message_and_uid(void **state)
{
	static const struct {
		const char *message, *suffix;
		uint32_t uid;
	} rows[] = {
		{ LOGIN, DOVECOT, 0 },
		{ "LOGIN, user=bob, ip=[::ffff:192.0.2.1], port=[7]",
		    " @[_PID=811 _UID=0 _GID=0 _COMM=courierlogger "
		    "_EXE=/usr/sbin/courierlogger "
		    "_CMDLINE=\"/usr/sbin/courierlogger -name=pop3d ]\"]",
		    0 },
		{ "login: [192.0.2.1] bob plaintext User logged in",
		    " @[_PID=16125 _UID=107 _GID=8 _COMM=imapd "
		    "_EXE=/usr/lib/cyrus/bin/imapd _CMDLINE=\"imapd -U 30 \"]",
		    107 },
		/* The process had ended: not yet waited for, or wholly. */
		{ "x", " @[_PID=5 _UID=65534 _GID=65534 _COMM=a _CMDLINE=\"\"]",
		    65534 },
		{ "x", " @[_PID=5 _UID=65534 _GID=65534]", 65534 },
		{ "x", " @[_PID=5 _UID=7 _GID=7 _COMM=a _EXE=/b]", 7 },
		{ "x", " @[_PID=5 _UID=7 _GID=7 _EXE=/b c (deleted)]", 7 },
		{ "x", " @[_PID=4294967295 _UID=4294967294 _GID=0]",
		    4294967294 },
		{ "x", " @[_PID=5 _UID=7 _GID=7 _CMDLINE=\"\\\\\\\"]\\\\\"]",
		    7 },
		{ "", " @[_PID=5 _UID=7 _GID=7]", 7 },
		{ "@[_PID=1 _UID=0 _GID=0] @ [", " @[_PID=5 _UID=7 _GID=7]",
		    7 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[600];
		uint32_t uid;
		size_t len;

		snprintf(text, sizeof(text), "%s%s", rows[i].message,
		    rows[i].suffix);
		if (!cut(text, &len, &uid))
			fail_msg("refused: %s", text);
		assert_int_equal(len, strlen(rows[i].message));
		assert_int_equal(uid, rows[i].uid);
	}
}

static void refuses(const char *text)
{
	uint32_t uid;
	size_t len;

	if (cut(text, &len, &uid))
		fail_msg("taken: %s", text);
	assert_int_equal(len, strlen(text));
	assert_int_equal(uid, 77);
}

/* Uid 65534 sent all of these. */
static void test_annotate_cut_refuses_suffixes_of_the_sender(void **state)
{
	static const char *const rows[] = {
		/* in the message */
		LOGIN DOVECOT " @[_PID=9 _UID=65534 _GID=65534 _COMM=a "
			      "_EXE=/usr/bin/a _CMDLINE=\"a\"]",
		LOGIN DOVECOT " @[_PID=9 _UID=65534 _GID=65534]",
		/* in the message, going on as the true one does */
		LOGIN " @[_PID=1 _UID=0 _GID=0 _COMM=x @[_PID=9 _UID=65534 "
		      "_GID=65534 _COMM=a _EXE=/usr/bin/a _CMDLINE=\"a\"]",
		LOGIN " @[_PID=1 _UID=0 _GID=0 _EXE= @[_PID=9 _UID=65534 "
		      "_GID=65534]",
		/* in the arguments */
		LOGIN " @[_PID=9 _UID=65534 _GID=65534 _COMM=a _EXE=/usr/bin/a "
		      "_CMDLINE=\"z\\\"] @[_PID=1 _UID=0 _GID=0 _COMM=l "
		      "_EXE=/x _CMDLINE=\\\"\\\\\\\"y - \"]",
		/* in the message, and in both */
		LOGIN DOVECOT
		" @[_PID=9 _UID=65534 _GID=65534 _COMM=a "
		"_EXE=/usr/bin/a _CMDLINE=\"z\\\"] @[_PID=1 _UID=0 _GID=0 "
		"_COMM=l _EXE=/x _CMDLINE=\\\"\\\\\\\"y - \"]",
		/* in the path: the nearest one left of the arguments */
		LOGIN " @[_PID=9 _UID=65534 _GID=65534 _COMM=log "
		      "_EXE=/tmp/z @[_PID=1 _UID=0 _GID=0 _COMM=log "
		      "_EXE=/usr/lib/dovecot/log _CMDLINE=\"log\"]",
		/* in a path that ends in a quote, the arguments being gone:
		 * what the message began goes on up to there */
		LOGIN " @[_PID=1 _UID=0 _GID=0 _COMM=log _EXE=/x "
		      "_CMDLINE=\" @[_PID=9 _UID=65534 _GID=65534 _COMM=a "
		      "_EXE=/tmp/a\"]",
		/* in the program's name */
		LOGIN " @[_PID=9 _UID=65534 _GID=65534 _COMM=z @[_PID=1 _UID "
		      "_EXE=/usr/bin/a _CMDLINE=\"a\"]",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		refuses(rows[i]);
}

static void test_annotate_cut_refuses_what_rsyslog_does_not_write(void **state)
{
	static const char *const rows[] = {
		"",
		"]",
		"x",
		LOGIN,
		LOGIN DOVECOT " ",
		LOGIN DOVECOT "]",
		LOGIN DOVECOT DOVECOT,
		LOGIN "@[_PID=1 _UID=0 _GID=0]",
		LOGIN " @[_UID=0 _PID=1 _GID=0]",
		LOGIN " @[_PID=1 _UID=0]",
		LOGIN " @[_PID=1 _UID=0 _GID=]",
		LOGIN " @[_PID= _UID=0 _GID=0]",
		LOGIN " @[_PID=1 _UID= _GID=0]",
		LOGIN " @[_PID=1 _UID=-1 _GID=0]",
		LOGIN " @[_PID=1 _UID=0x0 _GID=0]",
		LOGIN " @[_PID=1 _UID=4294967296 _GID=0]",
		LOGIN " @[_PID=1 _UID=00000000000 _GID=0]",
		LOGIN " @[_PID=1  _UID=0 _GID=0]",
		LOGIN " @[_PID=1 _UID=0 _GID=0 ]",
		LOGIN " @[_PID=1 _UID=0 _GID=0 _UID=1]",
		LOGIN " @[_PID=1 _UID=0 _GID=0_COMM=a]",
		LOGIN " @[_PID=1 _UID=0 _GID=0 _COMM]",
		LOGIN " @[_PID=1 _UID=0 _GID=0 _CMDLINE=\"]",
		LOGIN " @[_PID=1 _UID=0 _GID=0 _CMDLINE=\"a\\\"]",
		LOGIN " @[_PID=1 _UID=0 _GID=0 _CMDLINE=\"a\" b]",
		LOGIN " @[_PID=1 _UID=0 _GID=0 _CMDLINE=\"a\"b\"]",
		LOGIN " @[_PID=1 _UID=0 _GID=0 _COMM=a _CMDLINE=\"a\"\"]",
		"message repeated 2 times: [ " LOGIN DOVECOT "]",
	};
	char text[] = LOGIN DOVECOT;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		refuses(rows[i]);
	/* A line that lost its end, wherever. */
	while (*text) {
		text[strlen(text) - 1] = '\0';
		refuses(text);
	}
}

/* What rsyslog cut for its length may have lost the true one. */
static void test_annotate_cut_refuses_long_messages(void **state)
{
	char text[ANNOTATE_MAX + 2];
	uint32_t uid;
	size_t len;

	(void)state;
	for (size_t n = ANNOTATE_MAX - 1; n <= ANNOTATE_MAX + 1; n++) {
		memset(text, 'x', sizeof(text));
		memcpy(text + n - strlen(DOVECOT), DOVECOT, strlen(DOVECOT));
		text[n] = '\0';
		assert_int_equal(cut(text, &len, &uid), n <= ANNOTATE_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_annotate_cut_gives_message_and_uid),
		cmocka_unit_test(
		    test_annotate_cut_refuses_suffixes_of_the_sender),
		cmocka_unit_test(
		    test_annotate_cut_refuses_what_rsyslog_does_not_write),
		cmocka_unit_test(test_annotate_cut_refuses_long_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
