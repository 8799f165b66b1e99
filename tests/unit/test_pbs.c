/* SPDX-License-Identifier: ISC */
/*
 * test_pbs - packets of pbsadd and pbscheck, and the source that takes them.
 */
#include "kind_world.h"

#include "source/pbs_codec.h"

extern const struct source_kind source_pbs;

#define ADD "A\x04\xc0\x00\x02\x01\x06secret"
#define ROW(t)                                                                 \
	{                                                                      \
		t, sizeof(t) - 1                                               \
	}

struct row {
	const char *bytes;
	size_t len;
};

static enum pbs_type decode(const char *bytes, size_t len, struct pbs_packet *p)
{
	return pbs_decode((const uint8_t *)bytes, len, p);
}

static struct addr address(const char *text)
{
	struct addr a;

	assert_true(addr_parse(text, strlen(text), &a));
	return a;
}

/* --- packets --- */

static void test_pbs_decode_reads_an_add(void **state)
{
	static const char bytes[] = ADD "\x02\x0aUSER=berta\x02Q=";
	struct addr want = address("192.0.2.1");
	struct pbs_packet p;
	const uint8_t *value;
	size_t len;

	(void)state;
	assert_int_equal(decode(bytes, sizeof(bytes) - 1, &p), PBS_ADD);
	assert_true(addr_equal(&p.addr, &want));
	assert_int_equal(p.addr_len, 4);
	assert_int_equal(p.secret_len, 6);
	assert_memory_equal(p.secret, "secret", 6);
	assert_int_equal(p.count, 2);
	assert_true(pbs_entry(&p, "USER", &value, &len));
	assert_int_equal(len, 5);
	assert_memory_equal(value, "berta", 5);
	assert_true(pbs_entry(&p, "Q", &value, &len));
	assert_int_equal(len, 0);
	assert_false(pbs_entry(&p, "USE", &value, &len));
	assert_false(pbs_entry(&p, "USER=", &value, &len));
	assert_false(pbs_entry(&p, "", &value, &len));
}

static void test_pbs_decode_reads_ipv6_and_queries(void **state)
{
	static const char query[] = "Q\x10 \x01\r\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
				    "\0";
	static const char mapped[] = "Q\x10\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0"
				     "\x02\x01\0";
	struct addr want = address("2001:db8::1");
	struct pbs_packet p;

	(void)state;
	assert_int_equal(decode("Q\x04\xc0\x00\x02\x01\x00", 7, &p), PBS_QUERY);
	assert_true(addr_is_ipv4(&p.addr));
	assert_int_equal(decode(query, sizeof(query) - 1, &p), PBS_QUERY);
	assert_true(addr_equal(&p.addr, &want));
	want = address("192.0.2.1");
	assert_int_equal(decode(mapped, sizeof(mapped) - 1, &p), PBS_QUERY);
	assert_true(addr_equal(&p.addr, &want));
}

static void test_pbs_decode_refuses_what_is_not_exact(void **state)
{
	static const struct row rows[] = {
		ROW(""),
		ROW("A"),
		ROW("A\x04"),
		ROW("A\x04\xc0\x00\x02\x01"),
		ROW("A\x04\xc0\x00\x02\x01\x06secre"),
		ROW(ADD),         /* no count */
		ROW(ADD "\x00x"), /* a byte left over */
		ROW(ADD "\x01"),  /* no entry */
		ROW(ADD "\x01\x03"
			"A="),
		ROW(ADD "\x01\x02"
			"A=x"),
		ROW(ADD "\x02\x02"
			"A="),
		ROW(ADD "\x01\x01"
			"A"),
		ROW(ADD "\x01\x02=x"),
		ROW(ADD "\x01\x00"),
		ROW(ADD "\x01\x04"
			"A=\0b"),
		ROW(ADD "\xff\x02"
			"A="),
		ROW("A\x03\xc0\x00\x02\x06secret\x00"),
		ROW("A\x05\xc0\x00\x02\x01\x01\x06secret\x00"),
		ROW("A\x00\x06secret\x00"),
		ROW("A\xff\xc0\x00\x02\x01\x06secret\x00"),
		ROW("a\x04\xc0\x00\x02\x01\x06secret\x00"),
		ROW("Q\x04\xc0\x00\x02\x01"),
		ROW("Q\x04\xc0\x00\x02\x01\x01"),
		ROW("Q\x04\xc0\x00\x02\x01\x00\x00"),
		ROW("Q\x04\xc0\x00\x02\x00"),
		ROW("X\x04\xc0\x00\x02\x01\x00"),
	};
	struct pbs_packet p;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (decode(rows[i].bytes, rows[i].len, &p) != PBS_BAD)
			fail_msg("row %zu was taken", i);
}

static void test_pbs_decode_refuses_a_long_packet(void **state)
{
	uint8_t bytes[PBS_PACKET_MAX + 1] = ADD;
	size_t at = sizeof(ADD);
	struct pbs_packet p;

	(void)state;
	/* Four entries to the last byte. */
	bytes[sizeof(ADD) - 1] = 4;
	for (int i = 0; i < 4; i++) {
		size_t len = i < 3 ? 255 : PBS_PACKET_MAX - at - 1;
		bytes[at] = (uint8_t)len;
		memset(bytes + at + 1, 'x', len);
		bytes[at + 2] = '=';
		at += 1 + len;
	}
	assert_int_equal(pbs_decode(bytes, PBS_PACKET_MAX, &p), PBS_ADD);
	assert_int_equal(pbs_decode(bytes, PBS_PACKET_MAX + 1, &p), PBS_BAD);
}

static void test_pbs_entry_is_none_when_it_is_there_twice(void **state)
{
	static const char bytes[] = ADD "\x02\x06USER=a\x06USER=b";
	struct pbs_packet p;
	const uint8_t *value;
	size_t len;

	(void)state;
	assert_int_equal(decode(bytes, sizeof(bytes) - 1, &p), PBS_ADD);
	assert_false(pbs_entry(&p, "USER", &value, &len));
}

static void test_pbs_answer_is_the_query_with_the_answer_in_it(void **state)
{
	struct addr four = address("192.0.2.1"), six = address("2001:db8::1");
	uint8_t out[PBS_ANSWER_MAX];

	(void)state;
	assert_int_equal(pbs_answer(&four, 4, true, out), 8);
	assert_memory_equal(out, "R\x04\xc0\x00\x02\x01R\x00", 8);
	assert_int_equal(pbs_answer(&four, 4, false, out), 7);
	assert_memory_equal(out, "R\x04\xc0\x00\x02\x01N", 7);
	assert_int_equal(pbs_answer(&six, 16, true, out), 20);
	assert_memory_equal(out, "R\x10", 2);
	assert_memory_equal(out + 2, six.bytes, 16);
	assert_memory_equal(out + 18, "R\x00", 2);
	/* Asked as it was: sixteen bytes get sixteen bytes. */
	assert_int_equal(pbs_answer(&four, 16, false, out), 19);
	assert_memory_equal(out + 2, four.bytes, 16);
}

/* --- the source --- */

static const int udp[] = { SOCK_DGRAM, 0 };
static char secret_path[] = "/tmp/test-pbs-XXXXXX";

static int make_secret(void **state)
{
	int fd = mkstemp(secret_path);

	(void)state;
	return fd >= 0 && write(fd, "secret\n", 7) == 7 ? close(fd) : -1;
}

static int remove_secret(void **state)
{
	(void)state;
	return unlink(secret_path);
}

static struct kind_world *start(const char *options)
{
	char text[300];

	(void)snprintf(text, sizeof(text),
	    "allow = \"127.0.0.1\" secret-file = \"%s\" %s", secret_path,
	    options);
	return world_start(&source_pbs, udp, text);
}

static void send_text(struct kind_world *w, int fd, struct row row)
{
	world_send(w, fd, row.bytes, row.len);
}

static void test_pbs_takes_an_add_with_the_secret(void **state)
{
	struct kind_world *w = start("");
	int fd = world_client(w, 0, SOCK_DGRAM);
	char out[64];

	(void)state;
	send_text(w, fd, (struct row)ROW(ADD "\x01\x0aUSER=berta"));
	assert_int_equal(w->logins, 1);
	assert_int_equal(w->login[0].kind, LOGIN_IN);
	assert_int_equal(w->login[0].userless, 1);
	assert_string_equal(w->login[0].user, "");
	assert_string_equal(w->login[0].server, "pbs");
	assert_true(w->login[0].time == WORLD_NOW);
	/* Nobody waits for an answer. */
	assert_true(w->login_token[0] == 0);
	assert_int_equal(world_receive(w, fd, out, sizeof(out)), -1);
	(void)close(fd);
	world_end(w);
}

static void test_pbs_refuses_another_secret(void **state)
{
	static const struct row rows[] = {
		ROW("A\x04\xc0\x00\x02\x01\x06Secret\x00"),
		ROW("A\x04\xc0\x00\x02\x01\x05secre\x00"),
		ROW("A\x04\xc0\x00\x02\x01\x07secretx\x00"),
		ROW("A\x04\xc0\x00\x02\x01\x07secret\n\x00"),
		ROW("A\x04\xc0\x00\x02\x01\x00\x00"),
		ROW(ADD "\x00 "),
	};
	struct kind_world *w = start("");
	int fd = world_client(w, 0, SOCK_DGRAM);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		send_text(w, fd, rows[i]);
	assert_int_equal(w->logins, 0);
	(void)close(fd);
	world_end(w);
}

static void test_pbs_takes_the_user_from_a_named_variable(void **state)
{
	struct kind_world *w = start("user-variable = \"USER\"");
	int fd = world_client(w, 0, SOCK_DGRAM);

	(void)state;
	send_text(w, fd, (struct row)ROW(ADD "\x02\x03X=1\x0aUSER=berta"));
	assert_int_equal(w->logins, 1);
	assert_string_equal(w->login[0].user, "berta");
	assert_int_equal(w->login[0].user_len, 5);
	assert_int_equal(w->login[0].userless, 0);
	/* The rules refuse one without a user. */
	send_text(w, fd, (struct row)ROW(ADD "\x00"));
	assert_int_equal(w->logins, 2);
	assert_int_equal(w->login[1].userless, 0);
	assert_int_equal(w->login[1].user_len, 0);
	send_text(w, fd, (struct row)ROW(ADD "\x01\x06USER=\n"));
	assert_int_equal(w->logins, 2);
	(void)close(fd);
	world_end(w);
}

static void tell(struct kind_world *w, bool known, bool leased)
{
	struct source_told told = { .known = known, .leased = leased };

	source_pbs.told(w->source, w->ask_token[w->asks - 1], &told);
}

static void test_pbs_answers_what_the_keeper_knows(void **state)
{
	static const struct row query = ROW("Q\x04\xc0\x00\x02\x01\x00");
	struct addr want = address("192.0.2.1");
	struct kind_world *w = start("");
	int fd = world_client(w, 0, SOCK_DGRAM);
	char out[64];

	(void)state;
	send_text(w, fd, query);
	assert_int_equal(w->asks, 1);
	assert_true(addr_equal(&w->asked[0], &want));
	assert_int_equal(world_receive(w, fd, out, sizeof(out)), -1);
	tell(w, true, true);
	assert_int_equal(world_receive(w, fd, out, sizeof(out)), 8);
	assert_memory_equal(out, "R\x04\xc0\x00\x02\x01R\x00", 8);
	send_text(w, fd, query);
	tell(w, true, false);
	assert_int_equal(world_receive(w, fd, out, sizeof(out)), 7);
	assert_memory_equal(out, "R\x04\xc0\x00\x02\x01N", 7);
	/* It cannot tell: pbscheck asks the next server. */
	send_text(w, fd, query);
	tell(w, false, true);
	assert_int_equal(world_receive(w, fd, out, sizeof(out)), -1);
	w->full = true;
	send_text(w, fd, query);
	assert_int_equal(world_receive(w, fd, out, sizeof(out)), -1);
	(void)close(fd);
	world_end(w);
}

static void test_pbs_drops_replies_and_wrong_packets(void **state)
{
	static const struct row rows[] = { ROW("R\x04\xc0\x00\x02\x01R\x00"),
		ROW("R\x04\xc0\x00\x02\x01N"), ROW("x"), ROW("") };
	struct kind_world *w = start("");
	int fd = world_client(w, 0, SOCK_DGRAM);
	char out[64];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		send_text(w, fd, rows[i]);
	assert_int_equal(w->logins + w->asks, 0);
	assert_int_equal(world_receive(w, fd, out, sizeof(out)), -1);
	(void)close(fd);
	world_end(w);
}

static void test_pbs_refuses_a_wrong_section(void **state)
{
	static const char *const rows[] = {
		"allow = \"127.0.0.1\" secret-file = \"/nowhere/secret\"",
		"allow = \"127.0.0.1\" secret-file = \"/etc/passwd\"",
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i <= COUNT_OF(rows); i++) {
		struct err err = { 0 };
		int fds[SOURCE_FDS_MAX];
		struct conf *conf;
		/* The last one: the network without `allow`. */
		(void)snprintf(
		    text, sizeof(text), "secret-file = \"%s\"", secret_path);
		conf = world_conf(
		    &source_pbs, i < COUNT_OF(rows) ? rows[i] : text);
		assert_int_equal(source_pbs.sockets(conf_at(conf, "source", 0),
				     fds, SOURCE_FDS_MAX, &err),
		    -1);
		assert_int_equal(err.code, EXIT_USER);
		conf_free(&conf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pbs_decode_reads_an_add),
		cmocka_unit_test(test_pbs_decode_reads_ipv6_and_queries),
		cmocka_unit_test(test_pbs_decode_refuses_what_is_not_exact),
		cmocka_unit_test(test_pbs_decode_refuses_a_long_packet),
		cmocka_unit_test(test_pbs_entry_is_none_when_it_is_there_twice),
		cmocka_unit_test(
		    test_pbs_answer_is_the_query_with_the_answer_in_it),
		cmocka_unit_test(test_pbs_takes_an_add_with_the_secret),
		cmocka_unit_test(test_pbs_refuses_another_secret),
		cmocka_unit_test(test_pbs_takes_the_user_from_a_named_variable),
		cmocka_unit_test(test_pbs_answers_what_the_keeper_knows),
		cmocka_unit_test(test_pbs_drops_replies_and_wrong_packets),
		cmocka_unit_test(test_pbs_refuses_a_wrong_section),
	};

	return cmocka_run_group_tests(tests, make_secret, remove_secret);
}
