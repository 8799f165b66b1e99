/* SPDX-License-Identifier: ISC */
/*
 * test_doctor_maps - which maps the doctor finds, and what it makes of what the
 * mail servers' tools say of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/doctor_private.h"
#include "daemon/schema.h"
#include "export/export.h"

static void is_map(const struct doctor_maps *maps, size_t i, const char *type,
    const char *file, bool optional)
{
	assert_true(i < maps->count);
	assert_string_equal(maps->at[i].type, type);
	assert_string_equal(maps->at[i].file, file);
	assert_int_equal(maps->at[i].optional, optional);
}

static void test_doctor_maps_reads_k_lines(void **state)
{
	static const char cf[] =
	    "# Kx hash /etc/mail/comment\n"
	    "Karith arith\n"
	    "Krelaypass hash -a<RELAYPASS> -T<RELAYTEMP> -o /etc/mail/popip\n"
	    "Kaccess\thash\t-T<TMPF>\t/etc/mail/access.db\n"
	    "Kdrac btree /etc/mail/dracd\n"
	    "Kagain hash /etc/mail/popip.db\n"
	    "Kasked socket -a<X> unix:/run/relaypass/socketmap\n"
	    "Kbad hash\nKbad2 hash -o\nK\nKx hash relative\n"
	    " Kindented hash /etc/mail/indented\n"
	    "O AliasFile=/etc/mail/aliases\nKlast hash -f /last";
	struct doctor_maps maps = { 0 };

	(void)state;
	doctor_maps_of_sendmail(&maps, cf);
	assert_int_equal(maps.count, 4);
	is_map(&maps, 0, "hash", "/etc/mail/popip.db", true);
	is_map(&maps, 1, "hash", "/etc/mail/access.db", false);
	is_map(&maps, 2, "btree", "/etc/mail/dracd.db", false);
	is_map(&maps, 3, "hash", "/last.db", false);
	assert_string_equal(maps.at[0].path, "/etc/mail/popip");
	assert_string_equal(maps.at[1].path, "/etc/mail/access");
	assert_int_equal(maps.at[0].tool, DOCTOR_MAKEMAP);
}

static void test_doctor_maps_reads_main_cf(void **state)
{
	static const char cf[] =
	    "alias_maps = hash:/etc/aliases, nis:mail.aliases\n"
	    "smtpd_relay_restrictions = permit_mynetworks, check_client_access "
	    "{ lmdb:/etc/postfix/pop, default_action=DUNNO }, "
	    "check_client_access cdb:/x/leases,reject\n"
	    "transport_maps = hash:$config_directory/t, hash:/etc/aliases\n"
	    "virtual = pcre:/etc/postfix/v hash: :/x a:b\n"
	    "last = btree:/last";
	struct doctor_maps maps = { 0 };

	(void)state;
	doctor_maps_of_postfix(&maps, cf);
	assert_int_equal(maps.count, 4);
	is_map(&maps, 0, "hash", "/etc/aliases.db", false);
	is_map(&maps, 1, "lmdb", "/etc/postfix/pop.lmdb", false);
	is_map(&maps, 2, "cdb", "/x/leases.cdb", false);
	is_map(&maps, 3, "btree", "/last.db", false);
	assert_int_equal(maps.at[0].tool, DOCTOR_POSTMAP);
}

static void test_doctor_maps_are_so_many_and_so_long(void **state)
{
	struct doctor_maps maps = { 0 };
	char line[600] = "Kx hash /";

	(void)state;
	memset(line + 9, 'x', sizeof(line) - 10);
	doctor_maps_of_sendmail(&maps, line);
	assert_int_equal(maps.count, 0);
	for (int i = 0; i < DOCTOR_MAPS_MAX + 9; i++) {
		snprintf(line, sizeof(line), "Kx%d hash /m/%d\n", i, i);
		doctor_maps_of_sendmail(&maps, line);
	}
	assert_int_equal(maps.count, DOCTOR_MAPS_MAX);
}

/* --- opening -------------------------------------------------------------- */

static struct {
	int status;
	const char *complaint;
	char asked[4][300];
	size_t count;
} tool;

static int pretend(
    const char *const argv[], char complaint[static DOCTOR_OUTPUT_SIZE])
{
	char *out = tool.asked[tool.count];
	size_t used = 0;

	if (strncmp(argv[0], "/usr/sbin/", 10) != 0)
		return DOCTOR_ABSENT;
	assert_true(tool.count++ < COUNT_OF(tool.asked));
	for (size_t i = 0; argv[i]; i++)
		used +=
		    (size_t)snprintf(out + used, sizeof(tool.asked[0]) - used,
			"%s%s", i ? " " : "", argv[i]);
	snprintf(complaint, DOCTOR_OUTPUT_SIZE, "%s", tool.complaint);
	return tool.status;
}

static bool no_postconf(
    const char *const argv[], char out[static DOCTOR_OUTPUT_SIZE])
{
	(void)argv;
	out[0] = '\0';
	return false;
}

/* What check_maps() said last, and how often. */
static struct {
	enum doctor_verdict verdict;
	char text[2000];
	int count;
} heard;

static void hear(void *ctx, const char *check, enum doctor_verdict verdict,
    const char *text, const char *lines)
{
	(void)ctx;
	(void)check;
	(void)lines;
	heard.verdict = verdict;
	heard.count++;
	snprintf(heard.text, sizeof(heard.text), "%s", text);
}

static void says(enum doctor_verdict verdict, const char *words)
{
	if (heard.verdict != verdict || !strstr(heard.text, words))
		fail_msg("\"%s\" (%d) and not \"%s\" (%d)", heard.text,
		    heard.verdict, words, verdict);
}

static void test_doctor_maps_opens_exports_with_their_readers_tools(
    void **state)
{
	static const char always[] =
	    "source s { kind = \"file\" path = \"/var/log/mail.log\" }\n"
	    "export a { kind = \"lmdb\" path = \"/m/a.lmdb\" }\n"
	    "export b { kind = \"text\" path = \"/m/b.txt\" }\n"
	    "export c { kind = \"cdb\" path = \"/m/c.data\" }\n";
	static const char berkeley[] =
	    "export d { kind = \"berkeley-hash\" path = \"/m/d.db\" }\n"
	    "export e { kind = \"berkeley-btree\" path = \"/m/e.db\"\n"
	    "ipv6 = \"short\" }\n";
	const bool has_berkeley = export_kind_find("berkeley-hash");
	char text[sizeof(always) + sizeof(berkeley)];
	AUTO_FREE struct doctor_facts *f = xcalloc(1, sizeof(*f));
	const struct doctor_where where = {
		.root = "/nowhere", .run = no_postconf, .try = pretend
	};
	struct telling t = { .tell = hear };
	struct err err = { 0 };

	(void)state;
	snprintf(
	    text, sizeof(text), "%s%s", always, has_berkeley ? berkeley : "");
	f->conf = conf_parse(text, strlen(text), "t", schema(), &err);
	if (!f->conf)
		fail_msg("%s", err.text);
	memset(&tool, 0, sizeof(tool));
	tool.complaint = "";
	doctor_maps_look(f, &where);
	assert_string_equal(
	    tool.asked[0], "/usr/sbin/postmap -q relaypass.invalid lmdb:/m/a");
	assert_int_equal(tool.count, has_berkeley ? 3 : 1);
	if (has_berkeley) {
		assert_string_equal(
		    tool.asked[1], "/usr/sbin/makemap -u hash /m/d");
		assert_string_equal(tool.asked[2],
		    "/usr/sbin/postmap -q relaypass.invalid btree:/m/e");
	}
	/* They are made at the start. */
	check_maps(f, &t);
	assert_int_equal(heard.count, (int)tool.count);
	says(DOCTOR_NOTE, "is missing; relaypassd makes it");
	conf_free(&f->conf);
}

/* --- judging -------------------------------------------------------------- */

static void judge(struct doctor_map m)
{
	AUTO_FREE struct doctor_facts *f = xcalloc(1, sizeof(*f));
	struct telling t = { .tell = hear };

	snprintf(m.type, sizeof(m.type), "hash");
	snprintf(m.file, sizeof(m.file), "/etc/mail/popip.db");
	f->maps.count = 1;
	f->maps.at[0] = m;
	memset(&heard, 0, sizeof(heard));
	check_maps(f, &t);
}

#define SENDMAIL .named = "sendmail.cf", .tool = DOCTOR_MAKEMAP
#define POSTFIX  .named = "main.cf", .tool = DOCTOR_POSTMAP

static void test_doctor_maps_says_what_the_tools_say(void **state)
{
	(void)state;
	judge((struct doctor_map){ SENDMAIL });
	says(DOCTOR_GOOD, "makemap reads /etc/mail/popip.db, which "
			  "sendmail.cf names");
	judge((struct doctor_map){ POSTFIX, .status = 1 });
	says(DOCTOR_GOOD, "postmap reads");
	judge((struct doctor_map){
	    POSTFIX, .status = 1, .complaint = "postmap: warning: older" });
	says(DOCTOR_GOOD, "postmap reads");
	judge((struct doctor_map){
	    POSTFIX, .status = 1, .complaint = "postmap: fatal: so it is" });
	says(DOCTOR_DO, "postmap cannot open /etc/mail/popip.db, which "
			"main.cf names: postmap: fatal: so it is");
	judge((struct doctor_map){ SENDMAIL, .status = DOCTOR_ABSENT });
	assert_int_equal(heard.count, 0);
	judge((struct doctor_map){ SENDMAIL, .status = DOCTOR_LATE });
	says(DOCTOR_CANNOT, "did not come to an end");
	judge((struct doctor_map){ SENDMAIL, .status = 73, .error = EACCES });
	says(DOCTOR_CANNOT, "cannot be read: Permission denied");
}

static void test_doctor_maps_says_what_a_file_is(void **state)
{
	(void)state;
	judge((struct doctor_map){ SENDMAIL, .status = 73, .error = ENOENT });
	says(DOCTOR_DO, "is missing: the server answers with an error");
	judge((struct doctor_map){
	    SENDMAIL, .status = 73, .error = ENOENT, .optional = true });
	says(DOCTOR_NOTE, "is missing, and may be");
	judge((struct doctor_map){
	    SENDMAIL, .status = 73, .format = DOCTOR_FORMAT_EMPTY });
	says(DOCTOR_DO, "is an empty file");
	judge((struct doctor_map){
	    SENDMAIL, .status = 73, .format = DOCTOR_FORMAT_BTREE });
	says(DOCTOR_DO, "is a btree file, and sendmail.cf names it as hash");
	judge((struct doctor_map){ SENDMAIL, .status = 73,
	    .format = DOCTOR_FORMAT_HASH, .version = 10, .complaint = "E" });
	says(DOCTOR_DO,
	    "version mismatch: /etc/mail/popip.db is a hash file of version "
	    "10, and Berkeley DB 5.3 writes version 9; makemap cannot read it "
	    "(E)");
	judge((struct doctor_map){ SENDMAIL, .status = 73,
	    .format = DOCTOR_FORMAT_HASH, .version = 9 });
	says(DOCTOR_DO, "version mismatch, or a damaged file");
}

static void put_head(const char *path, uint32_t magic, uint32_t version)
{
	unsigned char page[512] = { 0 };
	FILE *f = fopen(path, "w");

	memcpy(page + 12, &magic, sizeof(magic));
	memcpy(page + 16, &version, sizeof(version));
	assert_non_null(f);
	assert_int_equal(fwrite(page, sizeof(page), 1, f), 1);
	assert_int_equal(fclose(f), 0);
}

static void test_doctor_maps_reads_the_version_in_either_order(void **state)
{
	static const char cf[] = "Kx hash /x\n";
	enum { HASH = 0x061561, BTREE = 0x053162 };
	char dir[] = "/tmp/test-doctor-XXXXXX", path[100];
	AUTO_FREE struct doctor_facts *f = xcalloc(1, sizeof(*f));
	const struct doctor_where where = {
		.root = dir, .run = no_postconf, .try = pretend
	};
	const struct {
		uint32_t magic, version, seen;
		enum doctor_map_format format;
	} rows[] = { { HASH, 9, 9, DOCTOR_FORMAT_HASH },
		{ __builtin_bswap32(HASH), __builtin_bswap32(8), 8,
		    DOCTOR_FORMAT_HASH },
		{ BTREE, 10, 10, DOCTOR_FORMAT_BTREE },
		{ 0x12345678, 1, 0, DOCTOR_FORMAT_OTHER } };

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/etc", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/etc/mail", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/etc/mail/sendmail.cf", dir);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	fputs(cf, out);
	assert_int_equal(fclose(out), 0);
	f->conf = conf_default(schema());
	snprintf(path, sizeof(path), "%s/x.db", dir);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		memset(&tool, 0, sizeof(tool));
		tool.complaint = "one\ntwo\n";
		memset(&f->maps, 0, sizeof(f->maps));
		put_head(path, rows[i].magic, rows[i].version);
		doctor_maps_look(f, &where);
		assert_int_equal(f->maps.count, 1);
		assert_int_equal(f->maps.at[0].format, rows[i].format);
		if (rows[i].seen)
			assert_int_equal(f->maps.at[0].version, rows[i].seen);
		assert_string_equal(f->maps.at[0].complaint, "one; two");
	}
	assert_int_equal(truncate(path, 0), 0);
	memset(&tool, 0, sizeof(tool));
	tool.complaint = "";
	memset(&f->maps, 0, sizeof(f->maps));
	doctor_maps_look(f, &where);
	assert_int_equal(f->maps.at[0].format, DOCTOR_FORMAT_EMPTY);
	conf_free(&f->conf);
	static const char *const made[] = { "/x.db", "/etc/mail/sendmail.cf",
		"/etc/mail", "/etc", "" };
	for (size_t i = 0; i < COUNT_OF(made); i++) {
		snprintf(path, sizeof(path), "%s%s", dir, made[i]);
		assert_int_equal(remove(path), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doctor_maps_reads_k_lines),
		cmocka_unit_test(test_doctor_maps_reads_main_cf),
		cmocka_unit_test(test_doctor_maps_are_so_many_and_so_long),
		cmocka_unit_test(
		    test_doctor_maps_opens_exports_with_their_readers_tools),
		cmocka_unit_test(test_doctor_maps_says_what_the_tools_say),
		cmocka_unit_test(test_doctor_maps_says_what_a_file_is),
		cmocka_unit_test(
		    test_doctor_maps_reads_the_version_in_either_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
