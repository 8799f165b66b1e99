/* SPDX-License-Identifier: ISC */
/*
 * test_dns - the allowlist zone as a resolver sees it. Questions are made, and
 * answers read, by ldns, which knows nothing of our code.
 */
#include "listener/dns_library.h"

#define CODEC_KIND    "dns"
#define CODEC_OPTIONS "zone = \"relaypass.invalid\""
#include "codec_world.h"

#define ZONE "relaypass.invalid."
#define FOUR "7.113.0.203." ZONE
#define SIX                                                                    \
	"7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0."       \
	"2." ZONE

enum { MESSAGE = 4096 };

static struct listener_view udp = { .datagram = true, .spoofable = true };
static struct listener_view tcp;
static const struct answer leased = {
	.verdict = VERDICT_ALLOW, .by = BY_LEASE, .ttl = 1712999
};
static const struct answer none;
static const struct answer trouble = { .verdict = VERDICT_TEMPFAIL };

static int set_up_both(void **state)
{
	(void)set_up(state);
	udp.conf = tcp.conf = view.conf;
	return 0;
}

/* One exchange. */
struct talk {
	uint8_t in[MESSAGE], out[LISTENER_REPLY_MAX];
	size_t in_len, out_len;
	struct question q;
	ldns_pkt *reply; /* ldns' reading of out */
};

static void make(struct talk *t, const char *name, ldns_rr_type type, bool edns)
{
	ldns_pkt *p = ldns_pkt_query_new(
	    ldns_dname_new_frm_str(name), type, LDNS_RR_CLASS_IN, LDNS_RD);
	uint8_t *wire;

	ldns_pkt_set_id(p, 0xbeef);
	if (edns)
		ldns_pkt_set_edns_udp_size(p, MESSAGE);
	assert_int_equal(ldns_pkt2wire(&wire, p, &t->in_len), LDNS_STATUS_OK);
	assert_true(t->in_len <= sizeof(t->in));
	memcpy(t->in, wire, t->in_len);
	free(wire);
	ldns_pkt_free(p);
}

static enum decode hear(struct talk *t, const struct listener_view *v)
{
	size_t used;
	enum decode d;

	view = *v;
	d = decode((const char *)t->in, t->in_len, &t->q, &used);
	if (d == DECODE_QUESTION)
		assert_int_equal(used, t->in_len);
	return d;
}

static void say(
    struct talk *t, const struct listener_view *v, const struct answer *a)
{
	t->out_len =
	    kind()->encode(v, &t->q, a, (char *)t->out, sizeof(t->out));
	assert_true(t->out_len <= sizeof(t->out));
	assert_int_equal(
	    ldns_wire2pkt(&t->reply, t->out, t->out_len), LDNS_STATUS_OK);
	assert_true(ldns_pkt_qr(t->reply));
	assert_false(ldns_pkt_ra(t->reply));
	assert_int_equal(ldns_pkt_id(t->reply), 0xbeef);
	assert_true(t->out_len <= 2 * t->in_len);
}

/* The whole of it; release t->reply. */
static void ask(
    struct talk *t, const char *name, ldns_rr_type type, const struct answer *a)
{
	make(t, name, type, false);
	assert_int_equal(hear(t, &udp), DECODE_QUESTION);
	say(t, &udp, t->q.asked ? a : &none);
}

static void is_reply(
    const struct talk *t, ldns_pkt_rcode rcode, size_t an, size_t ns)
{
	assert_int_equal(ldns_pkt_get_rcode(t->reply), rcode);
	assert_int_equal(ldns_pkt_ancount(t->reply), an);
	assert_int_equal(ldns_pkt_nscount(t->reply), ns);
}

static void done(struct talk *t)
{
	ldns_pkt_free(t->reply);
	t->reply = NULL;
}

/* The one record of the answer as zone text, between blanks. */
static void is_record(const struct talk *t, const char *want)
{
	char *text = ldns_rr2str(ldns_rr_list_rr(ldns_pkt_answer(t->reply), 0));

	for (char *c = text; *c; c++)
		if (*c == '\t' || *c == '\n')
			*c = ' ';
	assert_string_equal(text, want);
	free(text);
}

static void is_asked(const char *name, const char *addr)
{
	struct talk t;
	struct addr want;

	make(&t, name, LDNS_RR_TYPE_A, false);
	assert_int_equal(hear(&t, &udp), DECODE_QUESTION);
	if (!addr) {
		if (t.q.asked)
			fail_msg("%s is no address", name);
		return;
	}
	assert_true(addr_parse(addr, strlen(addr), &want));
	if (!t.q.asked || !addr_equal(&t.q.addr, &want))
		fail_msg("%s is not %s", name, addr);
}

static void test_dns_reads_addresses_out_of_names(void **state)
{
	(void)state;
	is_asked(FOUR, "203.0.113.7");
	is_asked("7.113.0.203.RelayPass.INVALID.", "203.0.113.7");
	is_asked("255.255.255.255." ZONE, "255.255.255.255");
	is_asked(SIX, "2001:db8::7");
	is_asked("7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1."
		 "0.0.2." ZONE,
	    "2001:db8::7");
	/* Mapped: the IPv4 address. */
	is_asked("7.0.1.7.0.0.b.c.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"
		 ".0." ZONE,
	    "203.0.113.7");
}

static void test_dns_reads_nothing_else_as_an_address(void **state)
{
	static const char *const rows[] = { ZONE, "203." ZONE,
		"113.0.203." ZONE, "1.7.113.0.203." ZONE, "256.1.2.3." ZONE,
		"07.1.2.3." ZONE, "1e.1.2.3." ZONE, "-1.1.2.3." ZONE,
		"0x1.1.2.3." ZONE, "a.b." ZONE, "www." ZONE,
		"g.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0."
		"2." ZONE,
		"0." SIX, FOUR "example.org.", "7.113.0.203.invalid.",
		"7.113.0.203.xrelaypass.invalid.", "invalid.", "." };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		is_asked(rows[i], NULL);
}

static void test_dns_answers_a_lease(void **state)
{
	struct talk t;

	(void)state;
	ask(&t, FOUR, LDNS_RR_TYPE_A, &leased);
	is_reply(&t, LDNS_RCODE_NOERROR, 1, 0);
	assert_true(ldns_pkt_aa(t.reply));
	assert_true(ldns_pkt_rd(t.reply));
	is_record(&t, FOUR " 30 IN A 127.0.0.2 ");
	done(&t);
	ask(&t, SIX, LDNS_RR_TYPE_A, &leased);
	is_record(&t, SIX " 30 IN A 127.0.0.2 ");
	done(&t);
	ask(&t, FOUR, LDNS_RR_TYPE_TXT, &leased);
	is_record(&t, FOUR " 30 IN TXT \"ttl=1712\" ");
	done(&t);
	/* No other type: the name is there, and has no such record. */
	ask(&t, FOUR, LDNS_RR_TYPE_AAAA, &leased);
	is_reply(&t, LDNS_RCODE_NOERROR, 0, 1);
	done(&t);
}

static void test_dns_tells_what_a_yes_rests_on(void **state)
{
	static const struct {
		enum answer_by by;
		const char *a, *txt;
	} rows[] = {
		{ BY_LEASE, FOUR " 9 IN A 127.0.0.2 ",
		    FOUR " 9 IN TXT \"ttl=9\" " },
		{ BY_HAND, FOUR " 9 IN A 127.0.0.3 ",
		    FOUR " 9 IN TXT \"ttl=9\" " },
		{ BY_ALWAYS, FOUR " 30 IN A 127.0.0.4 ",
		    FOUR " 30 IN TXT \"always\" " },
	};
	struct talk t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct answer a = { .verdict = VERDICT_ALLOW,
			.by = rows[i].by,
			.ttl = rows[i].by == BY_ALWAYS ? 0 : 9999 };
		ask(&t, FOUR, LDNS_RR_TYPE_A, &a);
		is_record(&t, rows[i].a);
		done(&t);
		ask(&t, FOUR, LDNS_RR_TYPE_TXT, &a);
		is_record(&t, rows[i].txt);
		done(&t);
	}
}

/* Never past the end of the lease: rounded down. */
static void test_dns_ttl_ends_with_the_lease(void **state)
{
	struct answer a = leased;
	struct talk t;

	(void)state;
	a.ttl = 999;
	ask(&t, FOUR, LDNS_RR_TYPE_A, &a);
	is_record(&t, FOUR " 0 IN A 127.0.0.2 ");
	done(&t);
	a.ttl = -5;
	ask(&t, FOUR, LDNS_RR_TYPE_A, &a);
	is_record(&t, FOUR " 0 IN A 127.0.0.2 ");
	done(&t);
}

static void test_dns_says_no(void **state)
{
	struct talk t;
	const ldns_rr *soa;

	(void)state;
	ask(&t, FOUR, LDNS_RR_TYPE_A, &none);
	is_reply(&t, LDNS_RCODE_NXDOMAIN, 0, 1);
	soa = ldns_rr_list_rr(ldns_pkt_authority(t.reply), 0);
	assert_int_equal(ldns_rr_get_type(soa), LDNS_RR_TYPE_SOA);
	assert_int_equal(ldns_rr_ttl(soa), 1);
	done(&t);
	ask(&t, "www." ZONE, LDNS_RR_TYPE_A, &leased);
	is_reply(&t, LDNS_RCODE_NXDOMAIN, 0, 1);
	done(&t);
	/* On the way to an address: RFC 8020. */
	ask(&t, "113.0.203." ZONE, LDNS_RR_TYPE_A, &leased);
	is_reply(&t, LDNS_RCODE_NOERROR, 0, 1);
	done(&t);
	ask(&t, "8.b.d.0.1.0.0.2." ZONE, LDNS_RR_TYPE_A, &leased);
	is_reply(&t, LDNS_RCODE_NOERROR, 0, 1);
	done(&t);
	/* 2.0.0.1, and on the way to 2001::. */
	ask(&t, "1.0.0.2." ZONE, LDNS_RR_TYPE_A, &none);
	is_reply(&t, LDNS_RCODE_NOERROR, 0, 1);
	done(&t);
}

static void test_dns_cannot_tell(void **state)
{
	struct listener_view v = udp;
	struct talk t;

	(void)state;
	ask(&t, FOUR, LDNS_RR_TYPE_A, &trouble);
	is_reply(&t, LDNS_RCODE_NXDOMAIN, 0, 1);
	done(&t);
	v.defer = true;
	make(&t, FOUR, LDNS_RR_TYPE_A, false);
	assert_int_equal(hear(&t, &v), DECODE_QUESTION);
	say(&t, &v, &trouble);
	is_reply(&t, LDNS_RCODE_SERVFAIL, 0, 0);
	done(&t);
}

static void test_dns_has_an_apex(void **state)
{
	struct talk t;

	(void)state;
	ask(&t, ZONE, LDNS_RR_TYPE_SOA, &none);
	is_record(&t, ZONE " 1 IN SOA " ZONE " . 1 3600 600 86400 1 ");
	done(&t);
	ask(&t, ZONE, LDNS_RR_TYPE_NS, &none);
	is_record(&t, ZONE " 30 IN NS " ZONE " ");
	done(&t);
	ask(&t, ZONE, LDNS_RR_TYPE_A, &leased);
	is_reply(&t, LDNS_RCODE_NOERROR, 0, 1);
	done(&t);
}

static void test_dns_refuses_what_is_not_its_own(void **state)
{
	static const struct {
		const char *name;
		ldns_rr_type type;
		ldns_pkt_rcode rcode;
	} rows[] = {
		{ "example.org.", LDNS_RR_TYPE_A, LDNS_RCODE_REFUSED },
		{ ".", LDNS_RR_TYPE_NS, LDNS_RCODE_REFUSED },
		{ FOUR, LDNS_RR_TYPE_ANY, LDNS_RCODE_NOTIMPL },
		{ ZONE, LDNS_RR_TYPE_ANY, LDNS_RCODE_NOTIMPL },
		{ ZONE, LDNS_RR_TYPE_AXFR, LDNS_RCODE_REFUSED },
		{ ZONE, LDNS_RR_TYPE_IXFR, LDNS_RCODE_REFUSED },
	};
	struct talk t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		ask(&t, rows[i].name, rows[i].type, &leased);
		is_reply(&t, rows[i].rcode, 0, 0);
		assert_false(ldns_pkt_aa(t.reply));
		done(&t);
	}
}

/* A byte of a good question changed. */
static void test_dns_tells_what_is_wrong_with_a_question(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		unsigned rcode;
	} rows[] = {
		{ 2, 0x29, LDNS_RCODE_NOTIMPL },  /* UPDATE */
		{ 2, 0x20, LDNS_RCODE_NOTIMPL },  /* NOTIFY */
		{ 5, 0, LDNS_RCODE_FORMERR },     /* no question */
		{ 5, 2, LDNS_RCODE_FORMERR },     /* two */
		{ 7, 1, LDNS_RCODE_FORMERR },     /* an answer */
		{ 9, 1, LDNS_RCODE_FORMERR },     /* authority */
		{ 11, 0, LDNS_RCODE_FORMERR },    /* bytes behind */
		{ 11, 2, LDNS_RCODE_FORMERR },    /* one is missing */
		{ 12, 0xc0, LDNS_RCODE_FORMERR }, /* a pointer */
		{ 12, 0x40, LDNS_RCODE_FORMERR },
		{ 12, 63, LDNS_RCODE_FORMERR },
	};
	struct talk t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		make(&t, FOUR, LDNS_RR_TYPE_A, true);
		t.in[rows[i].at] = rows[i].value;
		assert_int_equal(hear(&t, &udp), DECODE_QUESTION);
		assert_false(t.q.asked);
		say(&t, &udp, &none);
		is_reply(&t, rows[i].rcode, 0, 0);
		done(&t);
	}
	make(&t, FOUR, LDNS_RR_TYPE_A, false);
	t.in[t.in_len - 1] = LDNS_RR_CLASS_CH;
	assert_int_equal(hear(&t, &udp), DECODE_QUESTION);
	assert_false(t.q.asked);
	say(&t, &udp, &none);
	is_reply(&t, LDNS_RCODE_REFUSED, 0, 0);
	done(&t);
}

static void test_dns_speaks_edns(void **state)
{
	struct talk t;

	(void)state;
	make(&t, FOUR, LDNS_RR_TYPE_A, true);
	assert_int_equal(hear(&t, &udp), DECODE_QUESTION);
	say(&t, &udp, &leased);
	is_reply(&t, LDNS_RCODE_NOERROR, 1, 0);
	assert_true(ldns_pkt_edns(t.reply));
	assert_int_equal(ldns_pkt_edns_udp_size(t.reply), 1232);
	assert_int_equal(ldns_pkt_edns_version(t.reply), 0);
	done(&t);
	/* The version is the sixth byte of the record that ends it. */
	t.in[t.in_len - 5] = 1;
	assert_int_equal(hear(&t, &udp), DECODE_QUESTION);
	assert_false(t.q.asked);
	say(&t, &udp, &none);
	assert_int_equal(ldns_pkt_edns_extended_rcode(t.reply), 1);
	is_reply(&t, LDNS_RCODE_NOERROR, 0, 0);
	done(&t);
}

/* What is no question has no answer, or two servers would never stop. */
static void test_dns_does_not_answer_answers(void **state)
{
	struct talk t;

	(void)state;
	make(&t, FOUR, LDNS_RR_TYPE_A, false);
	for (size_t len = 0; len < 12; len++) {
		t.in_len = len;
		assert_int_equal(hear(&t, &udp), DECODE_BAD);
	}
	make(&t, FOUR, LDNS_RR_TYPE_A, false);
	t.in[2] |= 0x80;
	assert_int_equal(hear(&t, &udp), DECODE_BAD);
	assert_int_equal(kind()->encode_bad((char *)t.out, sizeof(t.out)), 0);
}

/* An apex of one letter, and no room for its SOA in two times the question. */
static void test_dns_never_answers_much_more_than_was_asked(void **state)
{
	struct conf *small = listener_conf("dns", "zone = \"x\"");
	struct listener_view v = udp;
	struct talk t;

	(void)state;
	v.conf = conf_at(small, "listener", 0);
	make(&t, "x.", LDNS_RR_TYPE_SOA, false);
	assert_int_equal(hear(&t, &v), DECODE_QUESTION);
	say(&t, &v, &none);
	is_reply(&t, LDNS_RCODE_NOERROR, 0, 0);
	assert_true(ldns_pkt_tc(t.reply));
	done(&t);
	/* Over the rate limit: the same. */
	make(&t, FOUR, LDNS_RR_TYPE_A, false);
	assert_int_equal(hear(&t, &udp), DECODE_QUESTION);
	t.out_len = kind()->encode_over(&t.q, (char *)t.out, sizeof(t.out));
	assert_int_equal(t.out_len, t.in_len);
	assert_int_equal(
	    ldns_wire2pkt(&t.reply, t.out, t.out_len), LDNS_STATUS_OK);
	assert_true(ldns_pkt_tc(t.reply));
	assert_int_equal(ldns_pkt_ancount(t.reply), 0);
	done(&t);
	conf_free(&small);
}

static void test_dns_has_lengths_on_a_stream(void **state)
{
	struct talk t, whole;
	size_t len;

	(void)state;
	make(&t, ZONE, LDNS_RR_TYPE_SOA, false);
	whole = t;
	memmove(t.in + 2, t.in, t.in_len);
	ldns_write_uint16(t.in, (uint16_t)t.in_len);
	t.in_len += 2;
	len = t.in_len;
	for (t.in_len = 0; t.in_len < len; t.in_len++)
		assert_int_equal(hear(&t, &tcp), DECODE_MORE);
	assert_int_equal(hear(&t, &tcp), DECODE_QUESTION);
	t.out_len =
	    kind()->encode(&tcp, &t.q, &none, (char *)t.out, sizeof(t.out));
	assert_int_equal(ldns_read_uint16(t.out), t.out_len - 2);
	assert_int_equal(
	    ldns_wire2pkt(&t.reply, t.out + 2, t.out_len - 2), LDNS_STATUS_OK);
	is_reply(&t, LDNS_RCODE_NOERROR, 1, 0);
	done(&t);
	/* Shorter than a header, and longer than any question. */
	ldns_write_uint16(t.in, 11);
	assert_int_equal(hear(&t, &tcp), DECODE_BAD);
	ldns_write_uint16(t.in, MESSAGE + 1);
	assert_int_equal(hear(&t, &tcp), DECODE_BAD);
	assert_int_equal(hear(&whole, &tcp), DECODE_BAD);
}

static void test_dns_wants_a_zone(void **state)
{
	static const struct {
		const char *zone;
		bool good;
	} rows[] = { { "relaypass.invalid", true }, { "x.", true },
		{ "a_b.c-d.example.org", true }, { "", false }, { ".", false },
		{ "a..b", false }, { ".a", false }, { "a b", false },
		{ "a/b", false },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "a"
		  "aaa",
		    false },
		{ "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
		  "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
		  "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
		  "a.a.a.a.a.a",
		    false } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct conf *c =
		    listener_conf("dns", "zone = \"%s\"", rows[i].zone);
		struct err err = { 0 };
		struct listener *l =
		    listener_new(conf_at(c, "listener", 0), &err);
		if ((l != NULL) != rows[i].good)
			fail_msg("zone \"%s\": %s", rows[i].zone, err.text);
		assert_int_equal(err.code, rows[i].good ? 0 : EXIT_USER);
		if (l)
			listener_free(&l);
		conf_free(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test(test_dns_##name)
		TEST(reads_addresses_out_of_names),
		TEST(reads_nothing_else_as_an_address),
		TEST(answers_a_lease),
		TEST(tells_what_a_yes_rests_on),
		TEST(ttl_ends_with_the_lease),
		TEST(says_no),
		TEST(cannot_tell),
		TEST(has_an_apex),
		TEST(refuses_what_is_not_its_own),
		TEST(tells_what_is_wrong_with_a_question),
		TEST(speaks_edns),
		TEST(does_not_answer_answers),
		TEST(never_answers_much_more_than_was_asked),
		TEST(has_lengths_on_a_stream),
		TEST(wants_a_zone),
#undef TEST
	};

	return cmocka_run_group_tests(tests, set_up_both, tear_down);
}
