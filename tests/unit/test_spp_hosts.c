/* SPDX-License-Identifier: ISC */
/*
 * test_spp_hosts - rcpthosts and morercpthosts.cdb as qmail-smtpd reads them,
 * the latter made by cdb(1).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "smtp/hosts.h"

struct world {
	char dir[64], list[128], more[128], text[128];
};

static int begin(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/test-spp-hosts-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)snprintf(w->list, sizeof(w->list), "%s/rcpthosts", w->dir);
	(void)snprintf(w->more, sizeof(w->more), "%s/more.cdb", w->dir);
	(void)snprintf(w->text, sizeof(w->text), "%s/more", w->dir);
	*state = w;
	return 0;
}

static int finish(void **state)
{
	struct world *w = *state;

	(void)unlink(w->list);
	(void)unlink(w->more);
	(void)unlink(w->text);
	assert_int_equal(rmdir(w->dir), 0);
	free(w);
	return 0;
}

static void put(const char *path, const char *bytes, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* cdb -c of what is in w->text. */
static void make_cdb(const struct world *w)
{
	char command[400];

	(void)snprintf(
	    command, sizeof(command), "cdb -c %s %s", w->more, w->text);
	/* No input of others is in it. NOLINTNEXTLINE(cert-env33-c) */
	assert_int_equal(system(command), 0);
}

static struct spp_hosts *open_good(const struct world *w, const char *more)
{
	struct spp_hosts *h = NULL;
	struct err err = { 0 };

	if (spp_hosts_open(w->list, more, &h, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(err.code, 0);
	return h;
}

static void refused(const char *list, const char *more, const char *why)
{
	struct spp_hosts *h = (void *)1;
	struct err err = { 0 };

	assert_int_equal(spp_hosts_open(list, more, &h, &err), -1);
	assert_null(h);
	assert_int_equal(err.code, EXIT_AGAIN);
	assert_non_null(strstr(err.text, why));
}

/* --- the list --------------------------------------------------------------
 */

static void names_and_what_is_below_them(void **state)
{
	static const char list[] = "example.org\n"
				   ".example.net\n"
				   "Mail.EXAMPLE.com \t\n"
				   "#comment.example.org\n"
				   "\n"
				   " blank.example.org\n"
				   "cr.example.org\r\n"
				   "example.org:other\n"
				   "[192.0.2.1]\n"
				   "last.example.com";
	static const struct {
		const char *domain;
		bool have;
	} table[] = {
		{ "example.org", true },
		{ "EXAMPLE.Org", true },
		{ "mail.example.com", true },
		{ "last.example.com", true },
		{ "[192.0.2.1]", true },
		{ "a.example.net", true },
		{ "a.b.Example.NET", true },
		{ ".example.net", true },
		{ "example.net", false },
		{ "a.example.org", false },
		{ "xexample.org", false },
		{ "example.orgx", false },
		{ "example.or", false },
		{ "example.org.", false },
		{ "example.net.example.com", false },
		{ "a.example.net.", false },
		{ "aexample.net", false },
		{ "com", false },
		{ "comment.example.org", false },
		{ "#comment.example.org", false },
		{ "blank.example.org", false },
		{ "cr.example.org", false },
		{ "example.com", false },
		{ "192.0.2.1", false },
		{ "", false },
		{ ".", false },
		{ "example.org\nlast.example.com", false },
	};
	const struct world *w = *state;

	put(w->list, list, sizeof(list) - 1);
	struct spp_hosts *h = open_good(w, NULL);
	for (size_t i = 0; i < COUNT_OF(table); i++)
		if (spp_hosts_have(h, table[i].domain) != table[i].have)
			fail_msg("%s", table[i].domain);
	/* A name of this machine. */
	assert_true(spp_hosts_have(h, NULL));
	spp_hosts_close(&h);
	assert_null(h);
	spp_hosts_close(&h);
}

static void an_empty_list_has_nothing(void **state)
{
	static const char *const lists[] = { "", "\n", "\n\n\n", "# none\n",
		" \t" };
	const struct world *w = *state;

	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		put(w->list, lists[i], strlen(lists[i]));
		struct spp_hosts *h = open_good(w, NULL);
		assert_false(spp_hosts_have(h, "example.org"));
		assert_false(spp_hosts_have(h, ""));
		spp_hosts_close(&h);
	}
}

static void a_nul_ends_no_name(void **state)
{
	static const char list[] = "example.org\0.example.net\n";
	const struct world *w = *state;

	put(w->list, list, sizeof(list) - 1);
	struct spp_hosts *h = open_good(w, NULL);
	assert_false(spp_hosts_have(h, "example.org"));
	assert_false(spp_hosts_have(h, "a.example.net"));
	spp_hosts_close(&h);
}

static void long_names(void **state)
{
	char name[2000];
	const struct world *w = *state;

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	put(w->list, name, sizeof(name) - 1);
	struct spp_hosts *h = open_good(w, NULL);
	assert_false(spp_hosts_have(h, name));
	memset(name, '.', 900);
	name[900] = '\0';
	assert_false(spp_hosts_have(h, name));
	spp_hosts_close(&h);
}

static void no_list_is_an_error(void **state)
{
	const struct world *w = *state;

	refused(w->list, NULL, "No such file");
	refused(w->dir, NULL, "is not a file");
	refused("/dev/null", NULL, "is not a file");
	put(w->list, "", 0);
	assert_int_equal(truncate(w->list, ((off_t)1 << 26) + 1), 0);
	refused(w->list, NULL, "longer than");
	if (geteuid() != 0) {
		put(w->text, "", 0);
		assert_int_equal(chmod(w->text, 0), 0);
		refused(w->text, NULL, "Permission denied");
	}
}

/* --- the cdb ---------------------------------------------------------------
 */

static size_t cdb_line(char *out, size_t size, const char *key)
{
	return (size_t)snprintf(out, size, "+%zu,0:%s->\n", strlen(key), key);
}

static void more_is_looked_up_in_the_same_way(void **state)
{
	static const char *const keys[] = { "more.example.org",
		".below.example.org", "example.com" };
	struct world *w = *state;
	char text[400];
	size_t len = 0;

	put(w->list, "example.org\n", 12);
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		len += cdb_line(text + len, sizeof(text) - len, keys[i]);
	text[len++] = '\n';
	put(w->text, text, len);
	make_cdb(w);
	struct spp_hosts *h = open_good(w, w->more);
	assert_true(spp_hosts_have(h, "example.org"));
	assert_true(spp_hosts_have(h, "More.Example.Org"));
	assert_true(spp_hosts_have(h, "a.b.below.example.org"));
	assert_true(spp_hosts_have(h, "example.com"));
	assert_false(spp_hosts_have(h, "below.example.org"));
	assert_false(spp_hosts_have(h, "a.more.example.org"));
	assert_false(spp_hosts_have(h, ""));
	spp_hosts_close(&h);
	/* It need not be there, but then it has to be whole. */
	assert_int_equal(unlink(w->more), 0);
	h = open_good(w, w->more);
	assert_false(spp_hosts_have(h, "example.com"));
	spp_hosts_close(&h);
	put(w->more, "", 0);
	refused(w->list, w->more, "is not a cdb");
	refused(w->list, w->dir, "is not a cdb");
	put(w->more, "short", 5);
	refused(w->list, w->more, "is not a cdb");
}

static void a_large_cdb(void **state)
{
	enum { KEYS = 20000, LINE = 40 };
	struct world *w = *state;
	AUTO_FREE char *text = xmalloc(KEYS * LINE);
	char key[LINE];
	size_t len = 0;

	for (int i = 0; i < KEYS; i++) {
		(void)snprintf(key, sizeof(key), "d%d.example.org", i * 2);
		len += cdb_line(text + len, LINE, key);
	}
	text[len++] = '\n';
	put(w->text, text, len);
	put(w->list, "", 0);
	make_cdb(w);
	struct spp_hosts *h = open_good(w, w->more);
	for (int i = 0; i < 2 * KEYS; i++) {
		(void)snprintf(key, sizeof(key), "d%d.example.org", i);
		assert_int_equal(spp_hosts_have(h, key), i % 2 == 0);
	}
	spp_hosts_close(&h);
}

/* --- many ------------------------------------------------------------------
 */

static void a_large_list(void **state)
{
	enum { NAMES = 100000, LINE = 40 };
	const struct world *w = *state;
	AUTO_FREE char *text = xmalloc((size_t)NAMES * LINE);
	char name[LINE];
	size_t len = 0;

	/* Half of them the same, half of the others for what is below. */
	for (int i = 0; i < NAMES; i++)
		len += (size_t)snprintf(text + len, LINE, "%s%d.Example.org\n",
		    i % 4 ? "d" : ".", i % 2 ? 1 : i);
	put(w->list, text, len);
	struct spp_hosts *h = open_good(w, NULL);
	for (int i = 0; i < NAMES; i++) {
		(void)snprintf(name, sizeof(name), "d%d.example.org", i);
		assert_int_equal(spp_hosts_have(h, name), i % 4 == 2 || i == 1);
		(void)snprintf(name, sizeof(name), "d.%d.example.org", i);
		assert_int_equal(spp_hosts_have(h, name), i % 4 == 0);
	}
	spp_hosts_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    names_and_what_is_below_them, begin, finish),
		cmocka_unit_test_setup_teardown(
		    an_empty_list_has_nothing, begin, finish),
		cmocka_unit_test_setup_teardown(
		    a_nul_ends_no_name, begin, finish),
		cmocka_unit_test_setup_teardown(long_names, begin, finish),
		cmocka_unit_test_setup_teardown(
		    no_list_is_an_error, begin, finish),
		cmocka_unit_test_setup_teardown(
		    more_is_looked_up_in_the_same_way, begin, finish),
		cmocka_unit_test_setup_teardown(a_large_cdb, begin, finish),
		cmocka_unit_test_setup_teardown(a_large_list, begin, finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
