/* SPDX-License-Identifier: ISC */
/*
 * test_spp_hooks - what plugins order, in which order it happens, and how long
 * it lasts; and that one that fails gives one reply, 451.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "smtp/hooks.h"

enum { LIMIT_MS = 60000, SHORT_MS = 100, SAID_MAX = 65536 };

static char *const began[] = { (char[]){ "PATH=/usr/bin:/bin" },
	(char[]){ "GIVEN=1" }, NULL };

struct world {
	struct spp_plan plan;
	struct spp_hooks_env env;
	struct spp_hooks *h;
	char said[SAID_MAX]; /* to the client */
	char told[1024];     /* to the log: "what: plugin|" */
};

static void hear(void *ctx, const char *line, size_t len)
{
	struct world *w = ctx;
	size_t used = strlen(w->said);

	assert_true(len >= 2 && len < sizeof(w->said) - used);
	assert_memory_equal(line + len - 2, "\r\n", 2);
	assert_null(memchr(line, '\n', len - 1));
	memcpy(w->said + used, line, len);
	w->said[used + len] = '\0';
}

static void note(void *ctx, const char *what, const char *plugin)
{
	struct world *w = ctx;
	size_t used = strlen(w->told);

	(void)snprintf(
	    w->told + used, sizeof(w->told) - used, "%s: %s|", what, plugin);
}

/* A session with these plugins. */
static struct world *begin(const char *plan)
{
	struct world *w = xcalloc(1, sizeof(*w));

	if (plan) {
		spp_plan_parse(xstrdup(plan), strlen(plan), &w->plan);
		w->env.plan = &w->plan;
	}
	w->env.vars = spp_vars_new(began);
	w->env.limit = LIMIT_MS;
	w->env.say = hear;
	w->env.log = note;
	w->env.ctx = w;
	w->h = spp_hooks_new(&w->env);
	return w;
}

static void end(struct world *w)
{
	spp_hooks_free(&w->h);
	assert_null(w->h);
	spp_vars_free(&w->env.vars);
	spp_plan_free(&w->plan);
	free(w);
}

static void heard(struct world *w, const char *said)
{
	assert_string_equal(w->said, said);
	w->said[0] = '\0';
}

static void is_set(const struct world *w, const char *name, const char *value)
{
	const char *got = spp_vars_get(w->env.vars, name);

	if (!value) {
		assert_null(got);
		return;
	}
	assert_non_null(got);
	assert_string_equal(got, value);
}

static void headers_are(const struct world *w, const char *want)
{
	size_t len;
	const char *got = spp_hooks_headers(w->h, &len);

	assert_string_equal(got, want);
	assert_int_equal(len, strlen(want));
}

static void command(struct world *w, enum spp_section section,
    const char *address, enum spp_result want, const char *said)
{
	struct spp_address a;

	assert_true(spp_address_set(address, strlen(address), &a));
	assert_int_equal(spp_hooks_run(w->h, section, &a), want);
	heard(w, said);
}

static void mail(struct world *w, enum spp_result want, const char *said)
{
	command(w, SPP_MAIL, "a@example.org", want, said);
}

static void rcpt(struct world *w, enum spp_result want, const char *said)
{
	command(w, SPP_RCPT, "b@example.org", want, said);
}

static void data(struct world *w, enum spp_result want, const char *said)
{
	assert_int_equal(spp_hooks_run(w->h, SPP_DATA, NULL), want);
	heard(w, said);
}

static void test_hooks_run_nothing_without_plugins(void **state)
{
	struct world *w = begin(NULL);

	(void)state;
	for (unsigned s = 0; s < SPP_SECTIONS; s++)
		assert_int_equal(
		    spp_hooks_run(w->h, (enum spp_section)s, NULL), SPP_GO);
	mail(w, SPP_GO, "");
	is_set(w, "SMTPMAILFROM", "a@example.org");
	headers_are(w, "");
	assert_string_equal(w->told, "");
	end(w);
}

static void test_hooks_obey_what_ends(void **state)
{
	static const struct {
		const char *plugin;
		enum spp_result result;
		const char *said;
	} rows[] = {
		{ "[m]\n:echo N\n:echo 'P2'\n", SPP_GO, "" },
		{ "[m]\n:echo O\n:echo 'P2'\n", SPP_GO_UNCHECKED, "" },
		{ "[m]\n:echo A\n:echo 'P2'\n", SPP_GO, "" },
		{ "[m]\n:echo E550 no\n:echo P2\n", SPP_REFUSE, "550 no\r\n" },
		{ "[m]\n:echo R421 go\n:echo P2\n", SPP_LEAVE, "421 go\r\n" },
		{ "[m]\n:echo D\n:echo P2\n", SPP_LEAVE, "" },
		{ "[m]\n:true\n:echo P2\n", SPP_GO, "2\r\n" },
		{ "[m]\n:echo P1\n:echo P2; echo O\n", SPP_GO_UNCHECKED,
		    "1\r\n2\r\n" },
		{ "[m]\n:echo N; echo E550 no\n", SPP_GO, "" },
		{ "[m]\n:printf E550\n", SPP_REFUSE, "550\r\n" },
		{ "[m]\n:echo E\n", SPP_REFUSE, "\r\n" },
		{ "[r]\n:echo E550 no\n[m]\n:exit 1", SPP_GO, "" },
		{ "[m]\n:printf 'E550 a\\r250 b\\000c\\r\\n'", SPP_REFUSE,
		    "550 a 250 b c\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct world *w = begin(rows[i].plugin);
		mail(w, rows[i].result, rows[i].said);
		assert_string_equal(w->told, "");
		end(w);
	}
}

static void test_hooks_accept_ends_all_plugins(void **state)
{
	struct world *w =
	    begin("[m]\n:echo LR450 later; echo A\n:echo E1\n[r]\n:echo E2\n");

	(void)state;
	mail(w, SPP_GO, "");
	mail(w, SPP_GO, "");
	/* what was stored is told all the same */
	rcpt(w, SPP_REFUSE, "450 later\r\n");
	spp_hooks_reset(w->h);
	rcpt(w, SPP_GO, "");
	is_set(w, "SMTPRCPTTO", "b@example.org");
	end(w);
}

static void test_hooks_later_messages_last(void **state)
{
	struct world *w = begin("[h]\n:echo 'LM451-m'; echo 'LM451 m'\n"
				":echo 'LR452 r'\n:echo 'LD453 d'\n");

	(void)state;
	assert_int_equal(spp_hooks_run(w->h, SPP_HELO, NULL), SPP_GO);
	heard(w, "");
	for (int i = 0; i < 2; i++) {
		mail(w, SPP_REFUSE, "451-m\r\n451 m\r\n");
		rcpt(w, SPP_REFUSE, "452 r\r\n");
		data(w, SPP_REFUSE, "453 d\r\n");
		command(w, SPP_PASS, "b@example.org", SPP_GO, "");
	}
	/* refused before anything is counted or set */
	is_set(w, "SMTPMAILFROM", NULL);
	is_set(w, "SMTPRCPTCOUNTALL", NULL);
	spp_hooks_reset(w->h);
	mail(w, SPP_GO, "");
	rcpt(w, SPP_GO, "");
	data(w, SPP_GO, "");
	is_set(w, "SMTPRCPTCOUNTALL", "1");
	end(w);
}

static void test_hooks_count_recipients(void **state)
{
	struct world *w = begin("[r]\n:echo \"P$SMTPRCPTCOUNT "
				"$SMTPRCPTCOUNTALL $SMTPRCPTHOSTSOK "
				"$SMTPRCPTTO\"\n");

	(void)state;
	mail(w, SPP_GO, "");
	spp_hooks_rcpt(w->h, false);
	rcpt(w, SPP_GO, "0 1 0 b@example.org\r\n");
	spp_hooks_rcpt_accepted(w->h);
	spp_hooks_rcpt(w->h, true);
	rcpt(w, SPP_GO, "1 2 1 b@example.org\r\n");
	rcpt(w, SPP_GO, "1 3 1 b@example.org\r\n");
	spp_hooks_rcpt_accepted(w->h);
	command(w, SPP_PASS, "c@example.org", SPP_GO, "");
	rcpt(w, SPP_GO, "2 4 1 b@example.org\r\n");
	mail(w, SPP_GO, "");
	rcpt(w, SPP_GO, "0 1 1 b@example.org\r\n");
	spp_hooks_rcpt_accepted(w->h);
	spp_hooks_reset(w->h);
	rcpt(w, SPP_GO, "0 1 1 b@example.org\r\n");
	end(w);
}

static void test_hooks_change_variables_at_once(void **state)
{
	struct world *w =
	    begin("[c]\n:echo SNEW=x=y; echo UGIVEN; echo Sbad name=1\n"
		  ":echo \"P$NEW ${GIVEN-none}\"\n"
		  "[h]\n:echo SRELAYCLIENT=\n[d]\n:echo URELAYCLIENT\n");

	(void)state;
	assert_int_equal(spp_hooks_run(w->h, SPP_CONNECTION, NULL), SPP_GO);
	heard(w, "x=y none\r\n");
	assert_false(spp_hooks_relayclient_said(w->h));
	assert_int_equal(spp_hooks_run(w->h, SPP_HELO, NULL), SPP_GO);
	assert_true(spp_hooks_relayclient_said(w->h));
	is_set(w, "RELAYCLIENT", "");
	spp_hooks_reset(w->h);
	is_set(w, "NEW", "x=y");
	data(w, SPP_GO, "");
	is_set(w, "RELAYCLIENT", NULL);
	assert_true(spp_hooks_relayclient_said(w->h));
	end(w);
}

static void test_hooks_keep_headers(void **state)
{
	struct world *w = begin("[m]\n:printf 'H\\tearly\\n'\n"
				":echo HX-One: 1\n"
				":printf 'H\\tmore\\nHbad\\nHX-Two: 2\\r3'\n");

	(void)state;
	mail(w, SPP_GO, "");
	headers_are(w, "X-One: 1\r\n\tmore\r\nX-Two: 2 3\r\n");
	mail(w, SPP_GO, "");
	headers_are(w, "X-One: 1\r\n\tmore\r\nX-Two: 2 3\r\n"
		       "\tearly\r\nX-One: 1\r\n\tmore\r\nX-Two: 2 3\r\n");
	spp_hooks_reset(w->h);
	headers_are(w, "");
	end(w);
}

static void test_hooks_change_the_address(void **state)
{
	struct world *w = begin("[m]\n:echo Cx@example.com\n"
				":echo \"P$SMTPMAILFROM\"; echo C\n"
				"[r]\n:echo 'Cy@example.com'\n"
				"[p]\n:echo 'Cz@example.com'\n"
				"[d]\n:echo 'Cq@example.com'\n");
	struct spp_address a;

	(void)state;
	assert_true(spp_address_set("a@example.org", 13, &a));
	assert_int_equal(spp_hooks_run(w->h, SPP_MAIL, &a), SPP_GO);
	heard(w, "x@example.com\r\n");
	assert_string_equal(a.text, "");
	is_set(w, "SMTPMAILFROM", "");
	assert_int_equal(spp_hooks_run(w->h, SPP_RCPT, &a), SPP_GO);
	assert_string_equal(a.text, "y@example.com");
	is_set(w, "SMTPRCPTTO", "y@example.com");
	is_set(w, "SMTPMAILFROM", "");
	assert_int_equal(spp_hooks_run(w->h, SPP_PASS, &a), SPP_GO);
	assert_string_equal(a.text, "z@example.com");
	is_set(w, "SMTPRCPTTO", "z@example.com");
	data(w, SPP_GO, "");
	is_set(w, "SMTPRCPTTO", "z@example.com");
	end(w);
}

/* The sample of qmail-spp's own README. */
static void test_hooks_redirect_spam(void **state)
{
	struct world *w = begin("[rcpt]\n:echo Cspam@example.net; "
				"echo HX-Spam-Flag: YES; echo SHSspam=1; "
				"echo A\n:echo E550 no\n[data]\n:echo E550\n");
	struct spp_address a;

	(void)state;
	mail(w, SPP_GO, "");
	assert_true(spp_address_set("a@example.org", 13, &a));
	assert_int_equal(spp_hooks_run(w->h, SPP_RCPT, &a), SPP_GO);
	assert_string_equal(a.text, "spam@example.net");
	headers_are(w, "X-Spam-Flag: YES\r\n");
	is_set(w, "HSspam", "1");
	data(w, SPP_GO, "");
	end(w);
}

static void fails(const char *plugin, const char *why)
{
	char plan[512], want[640];
	struct world *w;

	(void)snprintf(plan, sizeof(plan), "[m]\n%s\n:echo P2\n", plugin);
	w = begin(plan);
	w->env.limit = SHORT_MS;
	if (strcmp(why, "took too long") == 0) {
		spp_hooks_free(&w->h);
		w->h = spp_hooks_new(&w->env);
	}
	(void)snprintf(want, sizeof(want),
	    "451 qmail-spp failure: %s: %s (#4.3.0)\r\n", plugin, why);
	mail(w, SPP_REFUSE, want);
	(void)snprintf(want, sizeof(want), "%s: %s%s|", why,
	    *plugin == ':' ? plugin + 1 : plugin,
	    *plugin == '/' ? ": No such file or directory" : "");
	assert_string_equal(w->told, want);
	/* not for ever */
	assert_int_equal(spp_hooks_run(w->h, SPP_DATA, NULL), SPP_GO);
	end(w);
}

static void test_hooks_without_variables(void **state)
{
	struct world *w = begin("[mail]\n");
	struct spp_address a = { 0 };

	(void)state;
	spp_hooks_free(&w->h);
	spp_vars_free(&w->env.vars);
	w->h = spp_hooks_new(&w->env);
	assert_true(spp_address_set("a@b.example", 11, &a));
	assert_int_equal(spp_hooks_run(w->h, SPP_MAIL, &a), SPP_GO);
	assert_int_equal(spp_hooks_run(w->h, SPP_RCPT, &a), SPP_GO);
	assert_string_equal(w->said, "");
	end(w);
}

static void test_hooks_refuse_when_a_plugin_fails(void **state)
{
	(void)state;
	fails("/nonexistent/plugin", "can't execute");
	fails(":exit 120", "can't execute");
	fails(":kill -9 $$", "child crashed");
	fails(":sleep 1000", "took too long");
	fails(":yes", "wrote too much");
	/* nothing that it said before helps it */
	fails(":echo A; kill -9 $$", "child crashed");
	fails(":echo O; exit 120", "can't execute");
	fails(":echo E550 no; exit 120", "can't execute");
	fails(":echo N; sleep 1000", "took too long");
	fails(":yes HX: 1", "wrote too much");
	fails(":yes LM450 later | head -n 2000", "wrote too much");
	fails(":for i in $(seq 2000); do echo SN$i=; done; echo O",
	    "set too many variables");
	fails(":printf 'C\\001@example.com\\nO\\n'", "gave no address");
}

static void test_hooks_refuse_after_accept_that_failed(void **state)
{
	struct world *w =
	    begin("[m]\n:echo A; kill -9 $$\n[r]\n:echo E550 still\n");

	(void)state;
	mail(w, SPP_REFUSE,
	    "451 qmail-spp failure: :echo A; kill -9 $$: child crashed "
	    "(#4.3.0)\r\n");
	rcpt(w, SPP_REFUSE, "550 still\r\n");
	end(w);
}

static void test_hooks_leave_whatever_comes(void **state)
{
	struct world *w = begin("[m]\n:echo R421 out; exit 120\n"
				"[r]\n:echo D; kill -9 $$\n");

	(void)state;
	mail(w, SPP_LEAVE, "421 out\r\n");
	rcpt(w, SPP_LEAVE, "");
	end(w);
}

static void test_hooks_show_no_odd_name(void **state)
{
	struct world *w = begin("[m]\n/nonexistent/\r\x01\xff\n");
	char plan[1024] = "[m]\n", want[1024];

	(void)state;
	mail(w, SPP_REFUSE,
	    "451 qmail-spp failure: /nonexistent/???: can't execute "
	    "(#4.3.0)\r\n");
	end(w);
	memset(plan + 4, '/', 600);
	(void)snprintf(want, sizeof(want),
	    "451 qmail-spp failure: %.400s: can't execute (#4.3.0)\r\n",
	    plan + 4);
	assert_true(strlen(want) <= 512);
	w = begin(plan);
	mail(w, SPP_REFUSE, want);
	end(w);
}

static void test_hooks_refuse_without_room_for_variables(void **state)
{
	struct world *w = begin("[r]\n:echo O\n");
	char name[16];

	(void)state;
	for (int i = 0; i < SPP_VARS_COUNT; i++) {
		(void)snprintf(name, sizeof(name), "N%d", i);
		assert_true(spp_vars_set(w->env.vars, name, ""));
	}
	rcpt(w, SPP_REFUSE,
	    "451 qmail-spp failure: too many variables (#4.3.0)\r\n");
	assert_string_equal(w->told, "too many variables: |");
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hooks_run_nothing_without_plugins),
		cmocka_unit_test(test_hooks_obey_what_ends),
		cmocka_unit_test(test_hooks_accept_ends_all_plugins),
		cmocka_unit_test(test_hooks_later_messages_last),
		cmocka_unit_test(test_hooks_count_recipients),
		cmocka_unit_test(test_hooks_change_variables_at_once),
		cmocka_unit_test(test_hooks_keep_headers),
		cmocka_unit_test(test_hooks_change_the_address),
		cmocka_unit_test(test_hooks_redirect_spam),
		cmocka_unit_test(test_hooks_refuse_when_a_plugin_fails),
		cmocka_unit_test(test_hooks_without_variables),
		cmocka_unit_test(test_hooks_refuse_after_accept_that_failed),
		cmocka_unit_test(test_hooks_leave_whatever_comes),
		cmocka_unit_test(test_hooks_show_no_odd_name),
		cmocka_unit_test(test_hooks_refuse_without_room_for_variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
