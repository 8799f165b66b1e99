/* SPDX-License-Identifier: ISC */
/*
 * test_export_files - the bytes of every kind of file that is written whole,
 * what stands before the leases, and when it is written.
 */
#include "export_world.h"

#include <cdb.h>

#define WORLD(name)                                                            \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

extern const struct export_kind export_text, export_cdb, export_tcprules;

/* An address of each form, and a network. */
static void bring_all(void)
{
	slice_begin(&world->slice, true);
	(void)slice_add(&world->slice, "2001:db8::7", "bo b\n", 9000);
	(void)slice_add(&world->slice, "192.0.2.7", "al@example.org", 9000);
	(void)slice_add(&world->slice, "2001:db8:1:2::/64", "", 9000);
	assert_true(world_bring());
}

static const struct style_row {
	const char *options, *want;
} styles[] = {
	{ "", "192.0.2.7\n2001:db8::7\n2001:db8:1:2::/64\n" },
	{ "style = \"cidr\"",
	    "192.0.2.7 OK\n2001:db8::7 OK\n2001:db8:1:2::/64 OK\n" },
	{ "style = \"opensmtpd\"",
	    "192.0.2.255\n192.0.2.7\n2001:db8::7\n2001:db8:1:2::/64\n" },
	{ "style = \"relayhosts\"",
	    "192.0.2.7\n\"2001:db8::7\"\n\"2001:db8:1:2::/64\"\n" },
	{ "style = \"pophosts\"",
	    "192.0.2.7\n2001.0db8.0000.0000.0000.0000.0000.0007\n" },
	{ "style = \"smtpaccess\"",
	    "192.0.2.7\tallow,RELAYCLIENT\n"
	    ":2001:0db8:0000:0000:0000:0000:0000:0007\tallow,RELAYCLIENT\n"
	    ":2001:0db8:0001:0002\tallow,RELAYCLIENT\n" },
	{ "style = \"open-smtp\"",
	    "192.0.2.7:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\t1700000000\n" },
	{ "style = \"access\"", "Connect:192.0.2.7\tRELAY\n"
				"Connect:IPv6:2001:db8:0:0:0:0:0:7\tRELAY\n" },
	{ "format = \"%h %u %e %t 100%%\"",
	    "192.0.2.7 al@example.org 1700000009 1700000000 100%\n"
	    "2001:db8::7 bo%20b%0A 1700000009 1700000000 100%\n" },
	{ "header = {\"# by hand\", \"127.0.0.1\"}",
	    "# by hand\n127.0.0.1\n192.0.2.7\n2001:db8::7\n"
	    "2001:db8:1:2::/64\n" },
};

static void test_each_style_has_its_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(styles); i++) {
		char options[256];

		(void)snprintf(options, sizeof(options), "path = \"~/list\" %s",
		    styles[i].options);
		assert_true(world_try(&export_text, options));
		bring_all();
		world_expect("list", styles[i].want);
		world_close();
		assert_int_equal(world_names(), 1);
	}
}

static void test_a_wrong_format_does_not_start(void **state)
{
	static const char *const wrong[] = { "format = \"%x %a\"",
		"format = \"user %u\"", "format = \"%a %\"", "mode = \"0\"",
		"mode = \"rw\"", "mode = \"01777\"",
		"static-file = \"etc/list\"" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		char options[256];

		(void)snprintf(
		    options, sizeof(options), "path = \"~/list\" %s", wrong[i]);
		assert_false(world_try(&export_text, options));
		assert_int_equal(err.code, EXIT_USER);
		/* And it is found without opening anything. */
		memset(&err, 0, sizeof(err));
		assert_int_equal(
		    export_text.check(conf_at(world->conf, "export", 0), &err),
		    -1);
		assert_int_equal(err.code, EXIT_USER);
		assert_non_null(strstr(err.text, "export t (line 1): "));
		world_close();
	}
}

static const struct look_row {
	const char *options, *want; /* NULL: nothing is missing */
} looks[] = {
	{ "path = \"~/list\"", NULL },
	{ "path = \"~/new\"", NULL },
	{ "path = \"~/none/list\"", "/none is missing; run: install -d -o " },
	{ "path = \"~/folder\"", "/folder is not a plain file" },
};

static void test_a_look_tells_what_is_missing_and_makes_nothing(void **state)
{
	char folder[128];

	(void)state;
	(void)snprintf(folder, sizeof(folder), "%s/folder", dir);
	assert_int_equal(mkdir(folder, 0755), 0);
	world_write("list", "192.0.2.1\n");
	for (size_t i = 0; i < COUNT_OF(looks); i++) {
		const struct conf_section *s;
		size_t names = world_names();

		(void)world_try(&export_text, looks[i].options);
		s = conf_at(world->conf, "export", 0);
		assert_int_equal(export_text.check(s, &err), 0);
		memset(&err, 0, sizeof(err));
		assert_int_equal(
		    export_text.look(s, &err), looks[i].want ? -1 : 0);
		if (looks[i].want)
			assert_non_null(strstr(err.text, looks[i].want));
		world_close();
		assert_int_equal(world_names(), names);
	}
	assert_int_equal(rmdir(folder), 0);
}

static void test_an_opensmtpd_file_is_never_empty(void **state)
{
	(void)state;
	assert_true(
	    world_try(&export_text, "path = \"~/list\" style = \"opensmtpd\""));
	slice_begin(&world->slice, true);
	assert_true(world_bring());
	world_expect("list", "192.0.2.255\n");
}

static void test_half_a_snapshot_is_not_written(void **state)
{
	(void)state;
	world_write("list", "192.0.2.1\n192.0.2.2\n");
	assert_true(world_try(&export_text, "path = \"~/list\""));
	slice_begin(&world->slice, true);
	world->slice.last = false;
	(void)slice_add(&world->slice, "192.0.2.1", "", 9000);
	assert_true(world_bring());
	for (size_t i = 0; i < 5; i++)
		(void)uv_run(&world->loop, UV_RUN_NOWAIT);
	world_expect("list", "192.0.2.1\n192.0.2.2\n");
	slice_begin(&world->slice, true);
	world->slice.first = false;
	(void)slice_add(&world->slice, "192.0.2.3", "", 9000);
	assert_true(world_bring());
	world_expect("list", "192.0.2.1\n192.0.2.3\n");
}

/* The inode tells whether it was written again. */
static ino_t inode_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(world_path(name), &st), 0);
	return st.st_ino;
}

static void test_a_renewal_writes_only_what_shows_it(void **state)
{
	ino_t before;

	(void)state;
	assert_true(world_try(&export_text, "path = \"~/list\" interval = 10"));
	bring_all();
	world_expect("list", styles[0].want);
	before = inode_of("list");
	slice_begin(&world->slice, false);
	(void)slice_add(&world->slice, "192.0.2.7", "", 99000);
	assert_true(world_bring());
	while (uv_run(&world->loop, UV_RUN_ONCE))
		;
	assert_int_equal(inode_of("list"), before);
	world_close();
	assert_true(world_try(&export_text,
	    "path = \"~/list\" interval = 10 format = \"%a %e\""));
	bring_all();
	slice_begin(&world->slice, false);
	(void)slice_add(&world->slice, "192.0.2.7", "", 99000);
	assert_true(world_bring());
	world_expect("list", "192.0.2.7 1700000099\n2001:db8::7 1700000009\n"
			     "2001:db8:1:2::/64 1700000009\n");
}

static void test_changes_are_collected_and_none_is_lost(void **state)
{
	uint64_t began;
	char want[4096];
	size_t used = 0;

	(void)state;
	assert_true(
	    world_try(&export_text, "path = \"~/list\" interval = 300"));
	slice_begin(&world->slice, true);
	assert_true(world_bring());
	world_expect("list", "");
	began = uv_hrtime();
	for (unsigned i = 1; i <= 100; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "192.0.2.%u", i);
		slice_begin(&world->slice, false);
		(void)slice_add(&world->slice, text, "", 9000);
		assert_true(world_bring());
		(void)uv_run(&world->loop, UV_RUN_NOWAIT);
		used += (size_t)snprintf(
		    want + used, sizeof(want) - used, "%s\n", text);
	}
	world_expect("list", want);
	/* One write, after the interval; and an end is out within a second. */
	assert_true(uv_hrtime() - began > UINT64_C(200000000));
	began = uv_hrtime();
	slice_begin(&world->slice, false);
	(void)slice_add(&world->slice, "192.0.2.1", "", 0);
	assert_true(world_bring());
	world_expect("list", want + strlen("192.0.2.1\n"));
	assert_true(uv_hrtime() - began < UINT64_C(1000000000));
}

static void test_what_waits_is_written_at_the_end(void **state)
{
	(void)state;
	assert_true(
	    world_try(&export_text, "path = \"~/list\" interval = 500"));
	slice_begin(&world->slice, true);
	assert_true(world_bring());
	world_expect("list", "");
	slice_begin(&world->slice, false);
	(void)slice_add(&world->slice, "192.0.2.7", "", 9000);
	assert_true(world_bring());
	world_close();
	world_expect("list", "192.0.2.7\n");
}

static void test_a_static_file_is_followed(void **state)
{
	(void)state;
	assert_true(world_try(&export_text,
	    "path = \"~/list\" static-file = \"~/mine\" header = {\"x\"}"));
	bring_all();
	/* Not there yet: then nothing is written. */
	for (size_t i = 0; i < 5; i++)
		(void)uv_run(&world->loop, UV_RUN_NOWAIT);
	assert_int_equal(world_names(), 0);
	world_write("mine", "10.0.0.1");
	world_expect("list", "x\n10.0.0.1\n192.0.2.7\n2001:db8::7\n"
			     "2001:db8:1:2::/64\n");
	world_write("mine", "10.0.0.1\n10.0.0.2\n");
	world_expect("list", "x\n10.0.0.1\n10.0.0.2\n192.0.2.7\n2001:db8::7\n"
			     "2001:db8:1:2::/64\n");
	/* Gone: the last one stays in force, and ends are still removed. */
	assert_int_equal(unlink(world_path("mine")), 0);
	slice_begin(&world->slice, true);
	assert_true(world_bring());
	world_expect("list", "x\n10.0.0.1\n10.0.0.2\n");
}

static void test_a_file_that_cannot_be_written_is_tried_again(void **state)
{
	(void)state;
	if (geteuid() == 0 && access("/proc/self/ns/user", F_OK) != 0)
		skip();
	assert_true(world_try(&export_text, "path = \"~/list\""));
	/* In the way, and not to be unlinked. */
	assert_int_equal(mkdir(world_path(".list.t.new"), 0755), 0);
	bring_all();
	for (size_t i = 0; i < 5; i++)
		(void)uv_run(&world->loop, UV_RUN_NOWAIT);
	assert_int_not_equal(access(world_path("list"), F_OK), 0);
	assert_int_equal(rmdir(world_path(".list.t.new")), 0);
	world_expect("list", styles[0].want);
}

/* --- constant databases ----------------------------------------------------
 */

/* "key>data key>data", a NUL as '~', in the order of the file. */
static char *cdb_text(const char *name)
{
	static char out[4096];
	size_t used = 0;
	struct cdb c;
	unsigned at;
	int fd = open(world_path(name), O_RDONLY | O_CLOEXEC);

	out[0] = '\0';
	assert_true(fd >= 0);
	assert_int_equal(cdb_init(&c, fd), 0);
	cdb_seqinit(&at, &c);
	while (cdb_seqnext(&at, &c) > 0) {
		const char *data = cdb_getdata(&c);

		used += (size_t)snprintf(out + used, sizeof(out) - used,
		    "%s%.*s>", used ? " " : "", (int)cdb_keylen(&c),
		    (const char *)cdb_getkey(&c));
		for (unsigned i = 0; i < cdb_datalen(&c); i++)
			out[used++] = data[i] ? data[i] : '~';
		out[used] = '\0';
	}
	cdb_free(&c);
	(void)close(fd);
	return out;
}

static void expect_cdb(const char *want)
{
	uint64_t until = uv_hrtime() + UINT64_C(5000000000);

	while ((access(world_path("x.cdb"), F_OK) != 0 ||
		   strcmp(cdb_text("x.cdb"), want) != 0) &&
	       uv_hrtime() < until)
		(void)uv_run(&world->loop, UV_RUN_ONCE);
	assert_string_equal(cdb_text("x.cdb"), want);
}

static void test_cdb_has_hosts_only(void **state)
{
	(void)state;
	assert_true(
	    world_try(&export_cdb, "path = \"~/x.cdb\" value = \"RELAY\""));
	bring_all();
	expect_cdb("192.0.2.7>RELAY 2001:db8::7>RELAY");
	slice_begin(&world->slice, true);
	assert_true(world_bring());
	expect_cdb("");
}

static void test_tcprules_keep_what_static_rules_say(void **state)
{
	(void)state;
	world_write("tcp.smtp", "192.0.2.7:allow,DATABYTES=\"400\"\n"
				"192.0.2.8:allow,RELAYCLIENT=\"@gw.example\"\n"
				"192.0.2.9:deny\n198.51.100.:deny\n"
				"203.0.113.:allow,A=\"1\"\n:allow\n");
	assert_true(world_try(&export_tcprules,
	    "path = \"~/x.cdb\" static-file = \"~/tcp.smtp\""));
	slice_begin(&world->slice, true);
	(void)slice_add(&world->slice, "192.0.2.7", "", 9000);
	(void)slice_add(&world->slice, "192.0.2.8", "", 9000);
	(void)slice_add(&world->slice, "192.0.2.9", "", 9000);
	(void)slice_add(&world->slice, "198.51.100.1", "", 9000);
	(void)slice_add(&world->slice, "203.0.113.7", "", 9000);
	(void)slice_add(&world->slice, "2001:db8::7", "", 9000);
	(void)slice_add(&world->slice, "2001:db8:1::/64", "", 9000);
	assert_true(world_bring());
	expect_cdb("192.0.2.8>+RELAYCLIENT=@gw.example~ 192.0.2.9>D~ "
		   "198.51.100.>D~ 203.0.113.>+A=1~ > "
		   "192.0.2.7>+DATABYTES=400~+RELAYCLIENT=~ "
		   "203.0.113.7>+A=1~+RELAYCLIENT=~ "
		   "2001:db8::7>+RELAYCLIENT=~");
	/* Without their leases all is as it was. */
	slice_begin(&world->slice, true);
	assert_true(world_bring());
	expect_cdb("192.0.2.7>+DATABYTES=400~ "
		   "192.0.2.8>+RELAYCLIENT=@gw.example~ 192.0.2.9>D~ "
		   "198.51.100.>D~ 203.0.113.>+A=1~ >");
}

static void test_tcprules_stay_as_they_were_while_they_are_wrong(void **state)
{
	(void)state;
	world_write("tcp.smtp", ":deny\n");
	assert_true(world_try(&export_tcprules,
	    "path = \"~/x.cdb\" static-file = \"~/tcp.smtp\" "
	    "relayclient = \"@gw.example\" rblsmtpd = \"yes\""));
	bring_all();
	expect_cdb(">D~");
	world_write("tcp.smtp", ":allow\n");
	expect_cdb("> 192.0.2.7>+RELAYCLIENT=@gw.example~+RBLSMTPD=~ "
		   "2001:db8::7>+RELAYCLIENT=@gw.example~+RBLSMTPD=~");
	world_write("tcp.smtp", ":perhaps\n");
	slice_begin(&world->slice, false);
	(void)slice_add(&world->slice, "192.0.2.7", "", 0);
	assert_true(world_bring());
	expect_cdb("> 2001:db8::7>+RELAYCLIENT=@gw.example~+RBLSMTPD=~");
}

static void test_relayclient_is_a_suffix_of_addresses(void **state)
{
	static const char *const wrong[] = { "a b", "x=", "x,y", "\\\"" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		char options[128];

		(void)snprintf(options, sizeof(options),
		    "path = \"~/x.cdb\" relayclient = \"%s\"", wrong[i]);
		assert_false(world_try(&export_tcprules, options));
		world_close();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(test_each_style_has_its_lines),
		WORLD(test_a_wrong_format_does_not_start),
		WORLD(test_a_look_tells_what_is_missing_and_makes_nothing),
		WORLD(test_an_opensmtpd_file_is_never_empty),
		WORLD(test_half_a_snapshot_is_not_written),
		WORLD(test_a_renewal_writes_only_what_shows_it),
		WORLD(test_changes_are_collected_and_none_is_lost),
		WORLD(test_what_waits_is_written_at_the_end),
		WORLD(test_a_static_file_is_followed),
		WORLD(test_a_file_that_cannot_be_written_is_tried_again),
		WORLD(test_cdb_has_hosts_only),
		WORLD(test_tcprules_keep_what_static_rules_say),
		WORLD(test_tcprules_stay_as_they_were_while_they_are_wrong),
		WORLD(test_relayclient_is_a_suffix_of_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
