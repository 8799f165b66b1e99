/* SPDX-License-Identifier: ISC */
/*
 * journal - the source kind "journal": reads systemd's journal, of this machine
 * or in a directory, and goes on where it stopped. Runs in a reader after its
 * lock-down, which leaves it the journal's directories to read.
 *
 * Only entries come out of the journal whose trusted fields match: the unit or
 * the user of the process that sent them, and the way they came. What the
 * sender may say of itself proves nothing.
 *
 * A journal that does not open, or has entries that do not read, is passed by
 * and tried again: rotation, vacuuming and damage are libsystemd's, and behind
 * each the journal is opened anew at the last cursor. One that shrinks while
 * it is mapped ends the process; the next one goes on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <systemd/sd-journal.h>

#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "journal_entry.h"
#include "journal_trust.h"
#include "source.h"

extern const struct source_kind source_journal;

enum {
	TURN_ENTRIES = 1000, /* then the loop gets its turn */
	TICK_MS = 1000,
	CURSOR_MS = 1000, /* a mere cursor is not worth a commit an entry */
	MS_US = 1000
};

static const struct option journal_options[] = {
	{ "units", OPTION_LIST, "", 0, 0, NULL,
	    "Units whose messages are believed, such as dovecot.service." },
	{ "uids", OPTION_LIST, "", 0, 0, NULL,
	    "Users, by name or number, whose processes' messages are believed; "
	    "with units, both must be right." },
	{ "transports", OPTION_LIST, "syslog journal stdout", 0, 0, NULL,
	    "Ways to the journal that are believed, as in _TRANSPORT." },
	{ "directory", OPTION_STRING, "", 0, 0, NULL,
	    "Directory of journal files; empty for this machine's journal." },
	{ "group", OPTION_STRING, "systemd-journal", 0, 0, NULL,
	    "Group that may read the journal; empty for none." },
	{ "servers", OPTION_STRING, "", 0, 0, NULL,
	    "Servers that write into it, separated by commas; empty for those "
	    "of the section relaypass." },
	OPTION_END
};

struct source {
	struct source_env env;
	const struct conf_section *conf;
	struct matcher *matcher;
	sd_journal *journal; /* NULL while it does not open */
	uv_loop_t *loop;
	uv_poll_t *poll; /* the journal's; frees itself */
	uv_timer_t tick;
	uv_idle_t more;
	unsigned handles;
	bool started, stopped, unwanted, dead;
	bool found;   /* an entry behind the start was seen */
	bool failing; /* told already */
	bool dirty;   /* the cursor has moved since it was sent */
	uint64_t sent_at;
	uint64_t odd;
	struct source_cursor cursor; /* of the last entry; len 0: none */
	struct login batch[SOURCE_BATCH];
	size_t batched;
	struct journal_entry entry;
	char line[JOURNAL_LINE_MAX];
};

/* --- before the lock-down ---------------------------------------------------
 */

static void journal_needs(
    const struct conf_section *conf, struct source_needs *out)
{
	const char *directory = conf_string(conf, "directory");
	const char *group = conf_string(conf, "group");

	out->group = group[0] ? group : NULL;
	out->read[0] = directory[0] ? directory : "/run/log/journal";
	out->read[1] = directory[0] ? NULL : "/var/log/journal";
}

/* --- opening ----------------------------------------------------------------
 */

/* Behind the cursor, but not further back than what may give a lease. */
static int seek(struct source *s, int64_t now)
{
	uint64_t oldest = (uint64_t)(now - s->env.ttl) * MS_US, time;
	char text[SOURCE_CURSOR_MAX + 1];

	s->found = false;
	if (s->cursor.len == 0)
		return sd_journal_seek_realtime_usec(s->journal, oldest);
	memcpy(text, s->cursor.bytes, s->cursor.len);
	text[s->cursor.len] = '\0';
	if (sd_journal_seek_cursor(s->journal, text) >= 0) {
		int some = sd_journal_next(s->journal);

		if (some <= 0 ||
		    (sd_journal_get_realtime_usec(s->journal, &time) >= 0 &&
			time >= oldest))
			return sd_journal_seek_cursor(s->journal, text);
	}
	s->cursor.len = 0;
	return sd_journal_seek_realtime_usec(s->journal, oldest);
}

static void watch(struct source *s);

static void close_journal(struct source *s)
{
	if (s->poll)
		uv_close((uv_handle_t *)s->poll, (uv_close_cb)free);
	s->poll = NULL;
	sd_journal_close(s->journal);
	s->journal = NULL;
}

/* Opens it once more, at the last cursor. */
static void reopen(struct source *s)
{
	int bad;

	close_journal(s);
	bad = journal_trust_open(s->conf, &s->journal);
	if (bad >= 0)
		bad = seek(s, clock_now().wall);
	if (bad < 0) {
		if (!s->failing)
			log_error(LOG_SOURCE_ERROR,
			    "source=%s error=\"journal: %s\"", s->env.name,
			    strerror(-bad));
		s->failing = true;
		close_journal(s);
		return;
	}
	s->failing = false;
	watch(s);
}

static int journal_check(const struct conf_section *conf, struct err *err)
{
	journal_trust_prepare(conf);
	return journal_trust_check(conf_name(conf), conf, err);
}

static struct source *journal_open(const struct source_env *env,
    const struct conf_section *conf, const struct source_cursor *cursors,
    size_t n, struct err *err)
{
	struct source *s = xcalloc(1, sizeof(*s));

	s->env = *env;
	s->conf = conf;
	s->cursor.key_len =
	    (uint16_t)snprintf(s->cursor.key, sizeof(s->cursor.key), "journal");
	for (size_t i = 0; i < n; i++)
		if (cursors[i].key_len == s->cursor.key_len &&
		    memcmp(cursors[i].key, s->cursor.key, s->cursor.key_len) ==
			0)
			s->cursor = cursors[i];
	if (journal_trust_check(env->name, conf, err) < 0) {
		free(s);
		return NULL;
	}
	s->matcher = matcher_new(env->patterns);
	log_info(LOG_SOURCE_OPEN, "source=%s kind=journal from=%s", env->name,
	    s->cursor.len ? "cursor" : "ttl");
	return s;
}

/* --- entries ----------------------------------------------------------------
 */

static void send_batch(struct source *s)
{
	if (s->dead || (!s->dirty && s->batched == 0))
		return;
	if (s->env.sink(s->env.sink_ctx, s->cursor.len ? &s->cursor : NULL,
		s->batch, s->batched) < 0) {
		s->dead = true;
		uv_stop(s->loop);
		return;
	}
	s->batched = 0;
	s->dirty = false;
	s->sent_at = uv_now(s->loop);
}

/* Where the entry at hand is. */
static void note_cursor(struct source *s)
{
	char *text = NULL;
	size_t len;

	if (sd_journal_get_cursor(s->journal, &text) < 0)
		return;
	len = strlen(text);
	if (len <= sizeof(s->cursor.bytes)) {
		memcpy(s->cursor.bytes, text, len);
		s->cursor.len = (uint16_t)len;
		s->dirty = true;
	}
	free(text);
}

/* The entry behind a seek may be the one the cursor names. */
static bool is_known(struct source *s)
{
	char text[SOURCE_CURSOR_MAX + 1];

	if (s->found)
		return false;
	s->found = true;
	if (s->cursor.len == 0)
		return false;
	memcpy(text, s->cursor.bytes, s->cursor.len);
	text[s->cursor.len] = '\0';
	if (sd_journal_test_cursor(s->journal, text) > 0)
		return true;
	log_warn(LOG_SOURCE_GAP,
	    "source=%s why=\"the entry it stopped at is gone\"", s->env.name);
	return false;
}

/* False: it does not read. */
static bool read_entry(struct source *s, uint64_t *time)
{
	const void *data;
	size_t len;
	int some;

	journal_entry_begin(&s->entry);
	if (sd_journal_get_realtime_usec(s->journal, time) < 0)
		return false;
	sd_journal_restart_data(s->journal);
	while ((some = sd_journal_enumerate_available_data(
		    s->journal, &data, &len)) > 0)
		journal_entry_field(&s->entry, data, len);
	return some == 0;
}

static void take_entry(struct source *s, int64_t now)
{
	uint64_t time;
	size_t len = 0;

	if (is_known(s))
		return;
	if (read_entry(s, &time))
		len = journal_entry_line(&s->entry, time, s->line);
	note_cursor(s);
	if (len == 0) {
		s->odd++;
		return;
	}
	if (matcher_line_from(s->matcher, s->line, len, now, s->env.max_skew,
		s->entry.uid, &s->batch[s->batched]) != LOGIN_NOTHING &&
	    ++s->batched == SOURCE_BATCH)
		send_batch(s);
}

/* --- turns ------------------------------------------------------------------
 */

static void on_more(uv_idle_t *idle);

static void turn(struct source *s)
{
	int64_t now = clock_now().wall;
	int some = 1;

	for (unsigned i = 0; i < TURN_ENTRIES && !s->dead && s->journal; i++) {
		some = sd_journal_next(s->journal);
		if (some <= 0)
			break;
		take_entry(s, now);
	}
	if (s->batched > 0 || uv_now(s->loop) - s->sent_at >= CURSOR_MS)
		send_batch(s);
	if (s->dead)
		return;
	if (some > 0 && s->journal)
		(void)uv_idle_start(&s->more, on_more);
	else
		(void)uv_idle_stop(&s->more);
	if (some < 0)
		reopen(s);
}

static void on_more(uv_idle_t *idle)
{
	turn(idle->data);
}

/* What the journal says of itself: more entries, or other files. */
static void look(struct source *s)
{
	int what =
	    s->journal ? sd_journal_process(s->journal) : SD_JOURNAL_INVALIDATE;

	if (what < 0 || what == SD_JOURNAL_INVALIDATE) {
		turn(s); /* what is left in the old ones */
		reopen(s);
	}
	turn(s);
}

static void on_events(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	look(poll->data);
}

static void on_tick(uv_timer_t *timer)
{
	look(timer->data);
}

/* Without a descriptor, and where no events come, the tick does. */
static void watch(struct source *s)
{
	int fd = sd_journal_get_fd(s->journal);

	if (fd < 0 || !s->started || s->stopped)
		return;
	s->poll = xcalloc(1, sizeof(*s->poll));
	must(uv_poll_init(s->loop, s->poll, fd) == 0);
	s->poll->data = s;
	must(uv_poll_start(s->poll, UV_READABLE, on_events) == 0);
}

static void journal_start(struct source *s, uv_loop_t *loop)
{
	s->loop = loop;
	s->started = true;
	must(uv_timer_init(loop, &s->tick) == 0);
	must(uv_idle_init(loop, &s->more) == 0);
	s->tick.data = s->more.data = s;
	s->handles = 2;
	reopen(s);
	(void)uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
	(void)uv_idle_start(&s->more, on_more);
}

static void release(struct source *s)
{
	close_journal(s);
	matcher_free(&s->matcher);
	free(s);
}

/* The last of "all handles closed" and "not wanted any more" releases. */
static void on_closed(uv_handle_t *handle)
{
	struct source *s = handle->data;

	if (--s->handles == 0 && s->unwanted)
		release(s);
}

static void journal_stop(struct source *s)
{
	if (s->stopped)
		return;
	s->stopped = true;
	if (!s->started)
		return;
	send_batch(s);
	close_journal(s);
	uv_close((uv_handle_t *)&s->tick, on_closed);
	uv_close((uv_handle_t *)&s->more, on_closed);
}

static void journal_close(struct source **sp)
{
	struct source *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	journal_stop(s);
	s->unwanted = true;
	if (s->handles == 0)
		release(s);
	else
		(void)uv_run(s->loop, UV_RUN_NOWAIT);
}

static void journal_counts(const struct source *s, struct matcher_counts *out)
{
	*out = matcher_counts(s->matcher);
	out->odd += s->odd;
}

const struct source_kind source_journal = {
	.name = "journal",
	.help = "Reads systemd's journal.",
	.role = ROLE_READER,
	.options = journal_options,
	.lines = true,
	.check = journal_check,
	.needs = journal_needs,
	.prepare = journal_trust_prepare,
	.open = journal_open,
	.start = journal_start,
	.stop = journal_stop,
	.close = journal_close,
	.counts = journal_counts,
};
