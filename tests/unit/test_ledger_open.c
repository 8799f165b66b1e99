/* SPDX-License-Identifier: ISC */
/*
 * test_ledger_open - who may open the ledger, and what becomes of one that is
 * damaged, foreign, cut or mixed up: set aside, never a grant, never a start
 * that fails for ever.
 */
#include <lmdb.h>

#include "ledger_dir.h"

#include <sys/prctl.h>

static unsigned mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void refused(enum exit_code code, const char *word)
{
	struct ledger_options o = options(true);
	struct ledger *l;

	memset(&err, 0, sizeof(err));
	l = ledger_open(&o, t0, &err);
	assert_null(l);
	assert_int_equal(err.code, code);
	if (!strstr(err.text, word) || !strstr(err.text, dir))
		fail_msg("\"%s\" without \"%s\"", err.text, word);
}

/* --- whose it is ---------------------------------------------------------- */

static void test_ledger_open_makes_what_only_its_owner_may_read(void **state)
{
	struct ledger_options o = options(true);
	struct ledger *l;
	char path[80];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/new", dir);
	o.directory = path;
	l = open_with(&o, t0);
	ledger_close(&l);
	assert_int_equal(mode_of(path), 0700);
	assert_int_equal(mode_of(in_dir("new/data.mdb")), 0600);
	assert_int_equal(mode_of(in_dir("new/lock.mdb")), 0600);
	assert_int_equal(mode_of(in_dir("new/ledger.lock")), 0600);
}

static void test_ledger_open_refuses_a_directory_open_to_others(void **state)
{
	static const mode_t modes[] = { 0701, 0710, 0720, 0740, 0755, 0777 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(modes); i++) {
		assert_int_equal(chmod(dir, modes[i]), 0);
		refused(EXIT_USER, "chmod go=");
	}
	assert_int_equal(chmod(dir, 0700), 0);
	make_ledger();
}

static void test_ledger_open_refuses_files_open_to_others(void **state)
{
	static const char *const names[] = { "data.mdb", "lock.mdb",
		"ledger.lock" };

	(void)state;
	make_ledger();
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		assert_int_equal(chmod(in_dir(names[i]), 0640), 0);
		refused(EXIT_USER, names[i]);
		refused(EXIT_USER, "chmod go=");
		assert_int_equal(chmod(in_dir(names[i]), 0602), 0);
		refused(EXIT_USER, "chmod go=");
		assert_int_equal(chmod(in_dir(names[i]), 0600), 0);
	}
	make_ledger();
	assert_int_equal(asides(), 0);
}

static void test_ledger_open_refuses_links(void **state)
{
	static const char *const names[] = { "data.mdb", "lock.mdb",
		"ledger.lock" };
	char other[80];

	(void)state;
	make_ledger();
	(void)snprintf(other, sizeof(other), "%s/other", dir);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		assert_int_equal(link(in_dir(names[i]), other), 0);
		refused(EXIT_USER, "hard links");
		assert_int_equal(unlink(in_dir(names[i])), 0);
		assert_int_equal(symlink(other, in_dir(names[i])), 0);
		refused(EXIT_USER, "not a regular file");
		assert_int_equal(unlink(in_dir(names[i])), 0);
		assert_int_equal(mkdir(in_dir(names[i]), 0700), 0);
		refused(EXIT_USER, "not a regular file");
		assert_int_equal(rmdir(in_dir(names[i])), 0);
		assert_int_equal(rename(other, in_dir(names[i])), 0);
	}
	make_ledger();
}

static void test_ledger_open_refuses_another_owner(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	make_ledger();
	assert_int_equal(chown(in_dir("data.mdb"), 12345, 0), 0);
	refused(EXIT_USER, "chown");
	assert_int_equal(chown(in_dir("data.mdb"), 0, 0), 0);
	assert_int_equal(chown(dir, 12345, 0), 0);
	refused(EXIT_USER, "chown");
	assert_int_equal(chown(dir, 0, 0), 0);
	make_ledger();
}

static void test_ledger_open_refuses_a_directory_that_is_a_file(void **state)
{
	struct ledger_options o = options(true);
	int fd = open(in_dir("file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	(void)state;
	close(fd);
	o.directory = in_dir("file");
	assert_null(ledger_open(&o, t0, &err));
	assert_int_equal(err.code, EXIT_USER);
	o.directory = in_dir("no/such");
	assert_null(ledger_open(&o, t0, &err));
	assert_int_equal(err.code, EXIT_USER);
}

static int second_writer(void)
{
	struct ledger_options o = options(true);
	struct ledger *l = ledger_open(&o, t0, &err);
	char pid[32];

	(void)snprintf(pid, sizeof(pid), "(pid %d)", (int)getppid());
	if (l)
		return 1;
	if (!strstr(err.text, pid) || !strstr(err.text, "another relaypassd"))
		return 2;
	return err.code;
}

static void test_ledger_open_admits_one_writer(void **state)
{
	struct ledger *l = open_writer();

	(void)state;
	assert_int_equal(in_child(second_writer), EXIT_AGAIN);
	ledger_close(&l);
	assert_int_equal(in_child(second_writer), 1);
}

/* --- readers -------------------------------------------------------------- */

static int reader_sees_alice(void)
{
	struct ledger_options o = options(false);
	struct ledger *l = ledger_open(&o, t0, &err);
	int found;

	if (!l)
		return err.code;
	found = is_live(l, "192.0.2.7", t0);
	ledger_close(&l);
	return found;
}

static int reader_of_another_boot(void)
{
	struct ledger_options o = options(false);

	memcpy(o.boot_id, "boot-2", 7);
	return ledger_open(&o, t0, &err) ? 0 : err.code;
}

/* The keeper's write of the older meta page, cut into two. */
static _Noreturn void tear_meta_page(void)
{
	enum { DEPTH = 94, TRANSACTION = 144 };
	const uint16_t torn = 0xffff;
	int fd = open(in_dir("data.mdb"), O_RDWR | O_CLOEXEC);
	uint64_t transactions[2];
	uint16_t depth;
	off_t at;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < 2; i++)
		(void)!pread(fd, &transactions[i], sizeof(uint64_t),
		    (off_t)i * PAGE + TRANSACTION);
	at = (transactions[1] < transactions[0] ? PAGE : 0) + DEPTH;
	if (pread(fd, &depth, sizeof(depth), at) != sizeof(depth))
		_exit(1);
	for (;;) {
		const uint16_t wrong = depth ? 0 : torn;

		(void)!pwrite(fd, &wrong, sizeof(wrong), at);
		(void)usleep(300);
		(void)!pwrite(fd, &depth, sizeof(depth), at);
		(void)usleep(700);
	}
}

static void test_ledger_open_waits_for_a_meta_page(void **state)
{
	enum { OPENS = 60 };
	struct ledger *l = open_writer();
	pid_t pid;

	(void)state;
	put(l, "192.0.2.7", "alice", later(TTL_MS));
	ledger_close(&l);
	pid = fork();
	if (pid == 0)
		tear_meta_page();
	for (int i = 0; i < OPENS; i++)
		assert_int_equal(in_child(reader_sees_alice), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_ledger_open_tells_readers_to_wait(void **state)
{
	(void)state;
	assert_int_equal(in_child(reader_sees_alice), EXIT_AGAIN);
	make_ledger();
	assert_int_equal(in_child(reader_sees_alice), 1);
	assert_int_equal(in_child(reader_of_another_boot), EXIT_AGAIN);
	assert_int_equal(truncate(in_dir("data.mdb"), 100), 0);
	assert_int_equal(in_child(reader_sees_alice), EXIT_AGAIN);
	assert_int_equal(asides(), 0); /* not theirs to do */
}

/* --- options that changed ------------------------------------------------- */

static void test_ledger_open_drops_rows_of_another_prefix(void **state)
{
	enum { MANY = 25000 }; /* more than one slice */
	struct ledger_options o = options(true);
	struct ledger *l;
	struct lease row = lease_of("2001:db8::", "alice", later(TTL_MS));

	(void)state;
	o.map_size = 64 << 20;
	o.ipv6_prefix = 64;
	l = open_with(&o, t0);
	row.bits = 64;
	begin(l, t0);
	for (int i = 0; i < MANY; i++) {
		row.addr.bytes[6] = (uint8_t)(i >> 8);
		row.addr.bytes[7] = (uint8_t)i;
		ledger_put(l, &row);
	}
	commit(l);
	put(l, "192.0.2.7", "bob", later(TTL_MS));
	ledger_close(&l);
	l = open_with(&o, t0);
	assert_int_equal(ledger_rows(l), MANY + 1);
	ledger_close(&l);
	o.ipv6_prefix = 128;
	l = open_with(&o, t0);
	assert_int_equal(ledger_rows(l), 1);
	assert_true(is_live(l, "192.0.2.7", t0));
	ledger_close(&l);
}

static void test_ledger_open_shortens_ends_to_a_shorter_ttl(void **state)
{
	struct ledger_options o = options(true);
	struct ledger *l;
	struct lease got;

	(void)state;
	make_ledger();
	l = open_writer();
	put(l, "192.0.2.8", "bob", later(1000));
	ledger_close(&l);
	o.ttl = 10 * MINUTE_MS;
	l = open_with(&o, t0);
	assert_int_equal(find(l, "192.0.2.7", t0, &got), LEDGER_FOUND);
	assert_int_equal(got.end.wall, t0.wall + o.ttl);
	assert_int_equal(got.end.boot, t0.boot + o.ttl);
	assert_int_equal(find(l, "192.0.2.8", t0, &got), LEDGER_FOUND);
	assert_int_equal(got.end.wall, t0.wall + 1000);
	ledger_close(&l);
	/* A longer one again, then one between: never longer than granted. */
	o.ttl = 2 * TTL_MS;
	l = open_with(&o, t0);
	put(l, "192.0.2.9", "carol", later(2 * TTL_MS));
	ledger_close(&l);
	o.ttl = TTL_MS;
	l = open_with(&o, t0);
	assert_int_equal(find(l, "192.0.2.9", t0, &got), LEDGER_FOUND);
	assert_int_equal(got.end.boot, t0.boot + TTL_MS);
	ledger_close(&l);
}

/* --- foreign and damaged -------------------------------------------------- */

static void write_file(const char *name, const void *bytes, size_t len)
{
	int fd =
	    open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static void empty_and_usable(int want_asides)
{
	struct ledger *l = open_writer();

	assert_int_equal(ledger_rows(l), 0);
	put(l, "192.0.2.1", "new", later(TTL_MS));
	assert_true(is_live(l, "192.0.2.1", t0));
	ledger_close(&l);
	assert_int_equal(asides(), want_asides);
}

static void test_ledger_open_sets_aside_what_is_no_ledger(void **state)
{
	static const char text[] = "Dear diary\n";
	static char zeros[3 * PAGE];

	(void)state;
	write_file("data.mdb", text, sizeof(text));
	empty_and_usable(1);
	write_file("data.mdb", zeros, sizeof(zeros));
	empty_and_usable(2);
	write_file("data.mdb", "x", 1);
	empty_and_usable(3);
	/* An empty file is what a crash before the first write leaves. */
	write_file("data.mdb", "", 0);
	empty_and_usable(3);
	assert_int_equal(
	    mode_of(in_dir("ledger.aside-20231114T221320Z")), 0700);
}

static void foreign_lmdb(const char *table, const char *key, const char *value)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_val k = { strlen(key), (void *)(uintptr_t)key };
	MDB_val v = { strlen(value), (void *)(uintptr_t)value };

	remove_tree(dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 4), 0);
	assert_int_equal(mdb_env_open(env, dir, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(
	    mdb_dbi_open(txn, table, table ? MDB_CREATE : 0, &dbi), 0);
	assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

static void test_ledger_open_sets_aside_another_programs_lmdb(void **state)
{
	(void)state;
	foreign_lmdb(NULL, "192.0.2.7", "OK"); /* a Postfix table */
	empty_and_usable(1);
	foreign_lmdb("meta", "format", "somebody else's 3");
	empty_and_usable(1);
	foreign_lmdb("lease", "a", "b");
	empty_and_usable(1);
}

/* Writes `value` over the format row of a good ledger. */
static void set_format(const char *value)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_val k = { 6, (void *)(uintptr_t) "format" };
	MDB_val v = { strlen(value), (void *)(uintptr_t)value };

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
	assert_int_equal(mdb_env_open(env, dir, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, "meta", 0, &dbi), 0);
	assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

static void test_ledger_open_sets_aside_another_version(void **state)
{
	(void)state;
	make_ledger();
	set_format("relaypass ledger 999");
	empty_and_usable(1);
}

static void test_ledger_open_names_asides_of_one_second_apart(void **state)
{
	(void)state;
	for (int i = 1; i <= 3; i++) {
		write_file("data.mdb", "bad", 3);
		empty_and_usable(i);
	}
	assert_int_equal(
	    mode_of(in_dir("ledger.aside-20231114T221320Z-3/data.mdb")), 0600);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ledger_open_makes_what_only_its_owner_may_read),
		T(test_ledger_open_refuses_a_directory_open_to_others),
		T(test_ledger_open_refuses_files_open_to_others),
		T(test_ledger_open_refuses_links),
		T(test_ledger_open_refuses_another_owner),
		T(test_ledger_open_refuses_a_directory_that_is_a_file),
		T(test_ledger_open_admits_one_writer),
		T(test_ledger_open_tells_readers_to_wait),
		T(test_ledger_open_waits_for_a_meta_page),
		T(test_ledger_open_drops_rows_of_another_prefix),
		T(test_ledger_open_shortens_ends_to_a_shorter_ttl),
		T(test_ledger_open_sets_aside_what_is_no_ledger),
		T(test_ledger_open_sets_aside_another_programs_lmdb),
		T(test_ledger_open_sets_aside_another_version),
		T(test_ledger_open_names_asides_of_one_second_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
