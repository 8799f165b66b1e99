/* SPDX-License-Identifier: ISC */
/*
 * test_rotation - storms of log rotation while lines are written. One process
 * writes numbered lines as four writers do, one rotates, this one follows.
 * RELAYPASS_ROTATIONS of each kind (100). Every line must be seen exactly once
 * where the rotation itself loses none; never a line that nobody wrote.
 */
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "file_world.h"

enum {
	WRITERS = 4,
	LINES_MAX = 1 << 21,
	BURST = 8,      /* lines before a breath of a millisecond */
	PER_FILE = 120, /* lines before the next rotation */
	KEPT = 8,       /* mail.log.1 .. mail.log.8 */
	AHEAD = 20000,
	LAG = 4, /* rotations that the reader may be behind */
	COPIES_MAX = 10000,
	STORM_LIMIT_S = 60
};

/* What the three processes share. */
struct shared {
	uint64_t written;        /* lines; their numbers are 0 .. written - 1 */
	uint64_t generation;     /* of the file that the path names */
	uint64_t first_line;     /* a line that was surely written into it */
	uint64_t taken[WRITERS]; /* the generation each writer writes into */
	uint64_t seen_most;      /* 1 + the highest number the reader saw */
	uint64_t stop;
	uint8_t seen[LINES_MAX];
};

struct storm {
	struct world *w;
	struct shared *s;
	size_t users; /* of w, that are marked in seen */
	uint64_t end;
	unsigned writers;
	bool exact, append, crash;
};

typedef void rotate_fn(struct storm *t, unsigned i);

static uint64_t load(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static void store(uint64_t *p, uint64_t value)
{
	__atomic_store_n(p, value, __ATOMIC_SEQ_CST);
}

static void breathe(void)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	(void)nanosleep(&ms, NULL);
}

/* Waits for another process; ends this one when that takes too long. */
static void wait_until(struct storm *t, const uint64_t *p, uint64_t least)
{
	while (load(p) < least) {
		if (uv_hrtime() > t->end)
			_exit(3);
		breathe();
	}
}

/* --- the writers -----------------------------------------------------------
 */

static int reopen(struct storm *t)
{
	int fd = open(world_path(t->w, "mail.log"),
	    O_WRONLY | O_CREAT | (t->append ? O_APPEND : 0), 0640);

	if (fd < 0)
		_exit(4);
	return fd;
}

/* Each writer notices a rotation at another time, as real ones do. */
static void write_lines(struct storm *t)
{
	struct shared *s = t->s;
	int fds[WRITERS] = { -1, -1, -1, -1 };
	char line[100];

	for (uint64_t n = 0; !load(&s->stop) && n < LINES_MAX; n++) {
		unsigned i = (unsigned)(n % t->writers);
		uint64_t now = load(&s->generation);
		if (fds[i] < 0 || (now != load(&s->taken[i]) &&
				      n % (i * 12 + 7) < t->writers)) {
			if (fds[i] >= 0)
				(void)close(fds[i]);
			fds[i] = reopen(t);
			store(&s->taken[i], now);
		}
		int len = snprintf(line, sizeof(line), "@%lld login %llu\n",
		    (long long)clock_now().wall, (unsigned long long)n);
		if (write(fds[i], line, (size_t)len) != len)
			_exit(5);
		store(&s->written, n + 1);
		/* Never far ahead of the reader, on whatever machine. */
		while (n > load(&s->seen_most) + AHEAD && !load(&s->stop))
			breathe();
		if (n % BURST == 0)
			breathe();
	}
	_exit(0);
}

/* --- the rotations ---------------------------------------------------------
 */

static void shift(struct storm *t, bool packed)
{
	char from[40], to[40];

	for (int i = KEPT; i >= 1; i--) {
		(void)snprintf(from, sizeof(from), "mail.log.%d%s", i,
		    packed ? ".gz" : "");
		(void)snprintf(to, sizeof(to), "mail.log.%d%s", i + 1,
		    packed ? ".gz" : "");
		(void)rename(world_path(t->w, from), world_path(t->w, to));
	}
	(void)snprintf(
	    to, sizeof(to), "mail.log.%d%s", KEPT + 1, packed ? ".gz" : "");
	(void)unlink(world_path(t->w, to));
}

/* The path names a new file: tells the writers. */
static void renewed(struct storm *t)
{
	store(&t->s->generation, load(&t->s->generation) + 1);
}

static void all_took(struct storm *t)
{
	for (unsigned i = 0; i < t->writers; i++)
		wait_until(t, &t->s->taken[i], load(&t->s->generation));
	store(&t->s->first_line, load(&t->s->written));
}

static void rename_create(struct storm *t, unsigned i)
{
	(void)i;
	shift(t, false);
	world_rename(t->w, "mail.log", "mail.log.1");
	world_text(t->w, "mail.log", "");
	renewed(t);
}

static void rename_compress(struct storm *t, unsigned i)
{
	(void)i;
	shift(t, true);
	world_rename(t->w, "mail.log", "mail.log.1");
	world_text(t->w, "mail.log", "");
	renewed(t);
	/* What is written into a file while it is packed is lost for all. */
	all_took(t);
	world_gzip(t->w, "mail.log.1");
}

static void copy_truncate(struct storm *t, unsigned i)
{
	char name[40];
	size_t len;
	char *text = world_slurp(t->w, "mail.log", &len);

	(void)snprintf(name, sizeof(name), "mail.log-%u", 20260000 + i);
	world_bytes(t->w, name, 0, text, len);
	if (truncate(world_path(t->w, "mail.log"), 0) < 0)
		_exit(6);
	free(text);
}

/* A deleted file can only be read by who has it open. */
static void delete_create(struct storm *t, unsigned i)
{
	(void)i;
	all_took(t);
	wait_until(t, &t->s->seen_most, load(&t->s->first_line) + 1);
	if (unlink(world_path(t->w, "mail.log")) < 0)
		_exit(6);
	world_text(t->w, "mail.log", "");
	renewed(t);
}

static void switch_link(struct storm *t, unsigned i)
{
	char name[40];

	(void)snprintf(name, sizeof(name), "real/mail-%u.log", 20260000 + i);
	world_text(t->w, name, "");
	if (symlink(name, world_path(t->w, "next")) < 0)
		_exit(6);
	world_rename(t->w, "next", "mail.log");
	renewed(t);
	all_took(t);
}

static void truncate_hard(struct storm *t, unsigned i)
{
	(void)i;
	if (truncate(world_path(t->w, "mail.log"), 0) < 0)
		_exit(6);
}

static void rotate_all(struct storm *t, rotate_fn *rotate, unsigned count)
{
	uint64_t marks[LAG] = { 0 };

	for (unsigned i = 0; i < count; i++) {
		wait_until(t, &t->s->written, load(&t->s->written) + PER_FILE);
		/* Rotated files are deleted some time: a reader that sleeps for
		 * longer does lose lines. */
		wait_until(t, &t->s->seen_most, marks[i % LAG]);
		marks[i % LAG] = load(&t->s->written);
		rotate(t, i);
	}
	wait_until(t, &t->s->written, load(&t->s->written) + PER_FILE);
	store(&t->s->stop, 1);
	_exit(0);
}

/* --- the reader ------------------------------------------------------------
 */

static void mark(struct storm *t)
{
	struct world *w = t->w;

	for (; t->users < w->user_count; t->users++) {
		char *end;
		const char *user = w->users[t->users];
		unsigned long n = strtoul(user, &end, 10);
		/* A line is written before it is counted. */
		if (*end || end == user || n >= LINES_MAX ||
		    n > load(&t->s->written))
			fail_msg("a line nobody wrote: %s", user);
		if (t->s->seen[n])
			fail_msg("line %lu came twice", n);
		t->s->seen[n] = 1;
		if (n >= t->s->seen_most)
			store(&t->s->seen_most, n + 1);
	}
}

/* Kept for the teardown too: a failed test must not leave its writers. */
static pid_t helpers[2];

static void end_helpers(void)
{
	for (size_t i = 0; i < COUNT_OF(helpers); i++) {
		if (helpers[i] <= 0)
			continue;
		(void)kill(helpers[i], SIGKILL);
		(void)waitpid(helpers[i], NULL, 0);
		helpers[i] = 0;
	}
}

static bool have_ended(void)
{
	bool ended = true;
	int status;

	for (size_t i = 0; i < COUNT_OF(helpers); i++) {
		if (helpers[i] > 0 &&
		    waitpid(helpers[i], &status, WNOHANG) == helpers[i]) {
			helpers[i] = 0;
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
				fail_msg("helper %zu failed: %d", i, status);
		}
		ended = ended && helpers[i] == 0;
	}
	return ended;
}

static uint64_t count_seen(const struct storm *t)
{
	uint64_t seen = 0;

	for (uint64_t n = 0; n < load(&t->s->written); n++)
		seen += t->s->seen[n];
	return seen;
}

/* All that was to be seen is seen: everything, or at least the last line. */
static bool is_complete(const struct storm *t)
{
	uint64_t written = load(&t->s->written);

	if (!t->exact)
		return t->s->seen[written - 1];
	return count_seen(t) == written;
}

static void follow(struct storm *t)
{
	unsigned turns = 0;

	while (uv_hrtime() < t->end) {
		(void)uv_run(&t->w->loop, UV_RUN_ONCE);
		mark(t);
		/* Dies and comes back, between batches or within one. */
		if (t->crash && ++turns % 97 == 0) {
			world_crash(t->w);
			world_start(t->w);
		}
		if (have_ended() && is_complete(t))
			return;
	}
	fail_msg("%llu of %llu lines seen", (unsigned long long)count_seen(t),
	    (unsigned long long)load(&t->s->written));
}

static pid_t helper(struct storm *t, rotate_fn *rotate, unsigned count)
{
	pid_t pid = fork();

	must(pid >= 0);
	if (pid > 0)
		return pid;
	if (rotate)
		rotate_all(t, rotate, count);
	write_lines(t);
	_exit(0);
}

static void storm(struct storm *t, rotate_fn *rotate)
{
	const char *text = getenv("RELAYPASS_ROTATIONS");
	unsigned long count = text ? strtoul(text, NULL, 10) : 100;
	uint64_t begin = uv_hrtime();

	/* Until the program ends: some tests look at it afterwards. */
	t->s = mmap(NULL, sizeof(*t->s), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(t->s != MAP_FAILED);
	t->end = begin + (STORM_LIMIT_S + count / 10) * UINT64_C(1000000000);
	if (access(world_path(t->w, "mail.log"), F_OK) < 0)
		world_text(t->w, "mail.log", "");
	helpers[0] = helper(t, NULL, 0);
	helpers[1] = helper(t, rotate, (unsigned)count);
	world_start(t->w);
	follow(t);
	print_message("%lu rotations, %llu lines, %llu seen, %.1f s\n", count,
	    (unsigned long long)t->s->written,
	    (unsigned long long)count_seen(t),
	    (double)(uv_hrtime() - begin) / 1e9);
}

static void test_rotation_by_rename_loses_nothing(void **state)
{
	struct storm t = {
		.w = *state, .writers = WRITERS, .exact = true, .append = true
	};

	storm(&t, rename_create);
}

static void test_rotation_with_packing_loses_nothing(void **state)
{
	struct storm t = {
		.w = *state, .writers = WRITERS, .exact = true, .append = true
	};

	storm(&t, rename_compress);
}

static void test_rotation_with_packing_and_crashes_loses_nothing(void **state)
{
	struct storm t = {
		.w = *state,
		.writers = WRITERS,
		.exact = true,
		.append = true,
		.crash = true,
	};

	storm(&t, rename_compress);
}

/* All lines that are in a file now were seen. */
static void check_files(const struct storm *t, const char *name)
{
	size_t len;
	char *text = world_slurp(t->w, name, &len);

	text[len] = '\0';
	for (char *at = text; (at = strstr(at, " login ")); at++) {
		unsigned long n = strtoul(at + 7, NULL, 10);
		/* A line may be cut off at the end of a copy. */
		if (strchr(at, '\n') && n < LINES_MAX && !t->s->seen[n])
			fail_msg("line %lu of %s was not seen", n, name);
	}
	free(text);
}

/* Lines between copy and truncation are in neither; all others count. */
static void test_rotation_by_copy_loses_what_the_copy_lost(void **state)
{
	struct storm t = { .w = *state, .writers = WRITERS, .append = true };
	char name[40];

	storm(&t, copy_truncate);
	check_files(&t, "mail.log");
	for (unsigned i = 0; i < COPIES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "mail.log-%u", 20260000 + i);
		if (access(world_path(t.w, name), F_OK) == 0)
			check_files(&t, name);
	}
}

static void test_rotation_by_deletion_loses_nothing(void **state)
{
	struct storm t = {
		.w = *state, .writers = WRITERS, .exact = true, .append = true
	};

	storm(&t, delete_create);
}

static void test_rotation_by_symlink_loses_nothing(void **state)
{
	struct storm t = {
		.w = *state, .writers = WRITERS, .exact = true, .append = true
	};

	must(mkdir(world_path(t.w, "real"), 0750) == 0);
	world_text(t.w, "real/mail-20250000.log", "");
	must(symlink("real/mail-20250000.log", world_path(t.w, "mail.log")) ==
	     0);
	storm(&t, switch_link);
}

/* It goes on at its old offset, behind a hole. */
static void test_rotation_of_a_writer_without_append_goes_on(void **state)
{
	struct storm t = { .w = *state, .writers = 1 };

	storm(&t, truncate_hard);
}

static int teardown(void **state)
{
	end_helpers();
	return world_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rotation_by_rename_loses_nothing),
		TEST(test_rotation_with_packing_loses_nothing),
		TEST(test_rotation_with_packing_and_crashes_loses_nothing),
		TEST(test_rotation_by_copy_loses_what_the_copy_lost),
		TEST(test_rotation_by_deletion_loses_nothing),
		TEST(test_rotation_by_symlink_loses_nothing),
		TEST(test_rotation_of_a_writer_without_append_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
