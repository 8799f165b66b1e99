/* SPDX-License-Identifier: ISC */
/*
 * test_tcp_rules - the rules of tcp.smtp as tcprules(1) of ucspi-tcp 0.88
 * compiles them (each row was tried there; tests/e2e compares whole files), and
 * what is in force for an address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "export/tcp_rules.h"

static struct err err;

/* "key>data" of all rules, blanks between, a NUL as '~'. */
static const char *compiled(const char *text, size_t len)
{
	static char out[4096];
	struct tcp_rules *r = tcp_rules_parse(text, len, &err);
	size_t used = 0;

	if (!r)
		return NULL;
	out[0] = '\0';
	for (size_t i = 0; i < tcp_rules_count(r); i++) {
		const struct tcp_rule *rule = tcp_rules_at(r, i);

		used += (size_t)snprintf(out + used, sizeof(out) - used,
		    "%s%.*s>", i ? " " : "", (int)rule->key_len, rule->key);
		for (size_t k = 0; k < rule->data_len; k++)
			out[used++] = rule->data[k] ? rule->data[k] : '~';
		out[used] = '\0';
	}
	tcp_rules_free(&r);
	return out;
}

static const struct row {
	const char *text, *compiled; /* NULL: refused */
} rows[] = {
	{ "", "" },
	{ "\n \n\t\n# x:allow\nno colon\n", "" },
	{ ":allow", ">" },
	{ ":allow \t", ">" },
	{ ":deny\n", ">D~" },
	{ "  :allow", "  >" },
	{ " # x:allow", " # x>" },
	{ "1.2.3.4:allow,A=\"\",B=\"4,0:0\"", "1.2.3.4>+A=~+B=4,0:0~" },
	{ ":deny,X=\"1\",Y=zz", ">D~+X=1~+Y=~" },
	{ ":allow,=aa", ">+=~" },
	{ "1.2.3.4:allow\n1.2.3.4:deny", "1.2.3.4> 1.2.3.4>D~" },
	{ "Foo@1-2:allow", "Foo@1-2>" },
	{ "=a-b.Example:deny", "=a-b.Example>D~" },
	{ "1.5-7:deny", "1.5>D~ 1.6>D~ 1.7>D~" },
	{ "5-6.:deny", "5.>D~ 6.>D~" },
	{ "1.005-7:allow", "1.5> 1.6> 1.7>" },
	{ "1.254-999.:allow", "1.254.> 1.255.>" },
	{ "1-2.3-4:allow", "1.3-4> 2.3-4>" },
	{ "9.-1:allow", "9.0> 9.1>" },
	{ "9.5-:allow", "" },
	{ "1.5-3.:allow", "" },
	{ "-:allow", "0>" },
	{ "::1:allow", "::1>" }, /* as those that know IPv6 */
	{ "2001:db8::7:deny,X=\":allow\"", "2001:db8::7>D~+X=:allow~" },
	{ "a-b:allow", NULL },
	{ "1-x.2:deny", NULL },
	{ "1-2-3:allow", NULL },
	{ ":", NULL },
	{ ":Allow", NULL },
	{ ":allow x", NULL },
	{ ":allow\r", NULL },
	{ ":allow,", NULL },
	{ ":allow,x", NULL },
	{ ":allow,x=", NULL },
	{ ":allow,x=a", NULL },
	{ ":allow,x=\"\"y", NULL },
	{ ":allow,x=\"y", NULL },
	{ "x:y:permit", NULL },
};

static void test_rules_are_read_as_tcprules_reads_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *got = compiled(rows[i].text, strlen(rows[i].text));

		if (!got != !rows[i].compiled ||
		    (got && strcmp(got, rows[i].compiled) != 0))
			fail_msg("%s: got %s", rows[i].text, got);
	}
	assert_string_equal(compiled(":allow,X=\0a\0", 12), ">+X=a~");
}

static void test_a_mistake_is_told_with_its_line(void **state)
{
	static const char text[] = ":allow\n\n1.2.3.4:perhaps\n";

	(void)state;
	assert_null(compiled(text, sizeof(text) - 1));
	assert_non_null(strstr(err.text, "line 3:"));
	assert_int_equal(err.code, EXIT_USER);
}

static void test_the_closest_rule_is_in_force(void **state)
{
	static const char text[] =
	    "10.1.2.3:allow,A=\"1\"\n10.1.2.3:deny\n10.1.2.:allow,A=\"2\"\n"
	    "10.1.:deny\n10:allow,A=\"no\"\n2001:db8::allow,A=\"6\"\n"
	    "=x.example:deny\n:allow,A=\"9\"\n";
	static const struct {
		const char *addr, *data;
	} found[] = {
		{ "10.1.2.3", "+A=1" },
		{ "10.1.2.4", "+A=2" },
		{ "10.1.3.4", "D" },
		{ "10.2.3.4", "+A=9" },
		{ "2001:db8::7", "+A=6" },
		{ "2001:db9::7", "+A=9" },
	};
	struct tcp_rules *r = tcp_rules_parse(text, sizeof(text) - 1, &err);

	(void)state;
	assert_non_null(r);
	for (size_t i = 0; i < COUNT_OF(found); i++) {
		const struct tcp_rule *rule =
		    tcp_rules_match(r, found[i].addr, strlen(found[i].addr));

		assert_non_null(rule);
		assert_memory_equal(
		    rule->data, found[i].data, strlen(found[i].data));
		assert_int_equal(
		    tcp_rule_denies(rule), found[i].data[0] == 'D');
	}
	tcp_rules_free(&r);
	r = tcp_rules_parse("10.:deny", 8, &err);
	assert_null(tcp_rules_match(r, "192.0.2.7", 9));
	tcp_rules_free(&r);
	tcp_rules_free(&r);
}

static void test_a_variable_is_added_unless_it_is_set(void **state)
{
	static const char text[] = "1:allow,RELAYCLIENTS=\"x\",A=\"RELAYCLIENT="
				   "\"\n2:allow,B=\"\",RELAYCLIENT=\"@x\"\n"
				   "3:deny,RELAYCLIENT=\"\"\n";
	struct tcp_rules *r = tcp_rules_parse(text, sizeof(text) - 1, &err);
	char out[64];
	size_t len;

	(void)state;
	assert_non_null(r);
	assert_int_equal(
	    tcp_rule_with(NULL, "RELAYCLIENT", "", out, sizeof(out)), 14);
	assert_memory_equal(out, "+RELAYCLIENT=\0", 14);
	assert_int_equal(tcp_rule_with(NULL, "RELAYCLIENT", "", out, 13), 0);
	len = tcp_rule_with(
	    tcp_rules_at(r, 0), "RELAYCLIENT", "@y", out, sizeof(out));
	assert_int_equal(len, tcp_rules_at(r, 0)->data_len + 16);
	assert_memory_equal(out + len - 16, "+RELAYCLIENT=@y\0", 16);
	for (size_t i = 1; i < 3; i++) {
		const struct tcp_rule *rule = tcp_rules_at(r, i);

		len =
		    tcp_rule_with(rule, "RELAYCLIENT", "@y", out, sizeof(out));
		assert_int_equal(len, rule->data_len);
		assert_memory_equal(out, rule->data, len);
	}
	tcp_rules_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_are_read_as_tcprules_reads_them),
		cmocka_unit_test(test_a_mistake_is_told_with_its_line),
		cmocka_unit_test(test_the_closest_rule_is_in_force),
		cmocka_unit_test(test_a_variable_is_added_unless_it_is_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
