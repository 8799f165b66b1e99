/* SPDX-License-Identifier: ISC */
/*
 * doctor_log - the end of a log file, as relaypassd's reader would see it: may
 * it be read, does it hold logins of the last hour, do its stamps agree with
 * the clock. Called by: doctor_look.c.  Matches and judges by pattern/ and
 * login/, guesses by scan_near.c, as `relaypass scan` does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/endpoint.h"
#include "base/line.h"
#include "base/mem.h"
#include "daemon/opener_walk.h"
#include "doctor.h"
#include "pattern/pattern.h"
#include "scan_near.h"

enum {
	TAIL_MAX = 16 << 20, /* bytes; the last hour of a busy server */
	CHUNK = 256 * 1024,
	LOGINS_MAX = 100000, /* of which addresses and users are counted */
	OWNERS_MAX = 32
};

struct seen {
	struct addr addr;
	uint64_t user;
};

struct tail {
	struct doctor_log *log;
	struct matcher *matcher;
	const struct rules *rules;
	struct moment now;
	int64_t skew;
	struct near *near;
	uint64_t refused;
	bool skip; /* the rest of a line whose begin was not read */
	struct seen *seen;
	size_t seen_count;
	struct line_splitter lines;
	char chunk[CHUNK];
};

/* --- lines ---------------------------------------------------------------- */

/* FNV-1a: equal names are what counts, and nobody gains by a collision. */
static uint64_t hash(const char *text, size_t len)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)text[i]) * 1099511628211u;
	return h;
}

static void add_server(struct doctor_logins *found, const char *name)
{
	size_t used = strlen(found->servers), len = strlen(name);

	for (const char *p = found->servers; *p;) {
		size_t n = strcspn(p, ",");
		if (n == len && strncmp(p, name, n) == 0)
			return;
		p += n + strspn(p + n, ", ");
	}
	if (used + len + 3 < sizeof(found->servers))
		snprintf(found->servers + used, sizeof(found->servers) - used,
		    "%s%s", used ? ", " : "", name);
}

static void take_login(struct tail *t, const struct login *l)
{
	struct doctor_logins *found = &t->log->found;
	struct moment until;
	enum judgement j;

	if (l->time > found->last)
		found->last = l->time;
	if (l->time < t->now.wall - DOCTOR_HOUR_MS)
		return;
	/* As it would have been judged when it came. */
	j = rules_judge(
	    t->rules, l, (struct moment){ l->time, t->now.boot }, &until);
	found->logins++;
	found->leases += j == JUDGE_LEASE;
	found->judged[j]++;
	found->without_tls += !l->tls;
	found->ipv6 += !addr_is_ipv4(&l->addr);
	add_server(found, l->server);
	if (t->seen_count < LOGINS_MAX)
		t->seen[t->seen_count++] =
		    (struct seen){ l->addr, hash(l->user, l->user_len) };
}

static void take_line(void *ctx, const char *line, size_t len, size_t end)
{
	struct tail *t = ctx;
	struct login l;
	int64_t time;
	uint64_t refused;

	(void)end;
	if (t->skip) {
		t->skip = false;
		return;
	}
	t->log->lines++;
	time = matcher_time(t->matcher, line, len, t->now.wall, t->skew);
	if (time > 0)
		t->log->last_stamp = time;
	switch (matcher_line(t->matcher, line, len, t->now.wall, t->skew, &l)) {
	case LOGIN_IN:
		take_login(t, &l);
		return;
	case LOGIN_NOTHING:
		break;
	case LOGIN_OUT:
	case LOGIN_ALIVE:
	case LOGIN_RESTART:
	case LOGIN_END:
	case LOGIN_LEASE:
	case LOGIN_REVOKE:
	default:
		return;
	}
	refused = matcher_counts(t->matcher).refused;
	if (time >= t->now.wall - DOCTOR_HOUR_MS)
		near_line(t->near, line, len, refused > t->refused);
	t->refused = refused;
}

/* --- sums ----------------------------------------------------------------- */

static int by_address_and_user(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	int order = memcmp(&x->addr, &y->addr, sizeof(x->addr));

	if (order)
		return order;
	return (x->user > y->user) - (x->user < y->user);
}

static void sum_address(
    struct doctor_logins *found, const struct seen *from, size_t n)
{
	size_t users = 1;

	for (size_t i = 1; i < n; i++)
		users += from[i].user != from[i - 1].user;
	found->addresses++;
	if (n > found->most_logins) {
		found->most_logins = n;
		addr_print(&from->addr, found->most_address);
	}
	if (users > found->shared_users) {
		found->shared_users = users;
		addr_print(&from->addr, found->shared_address);
	}
}

static void sum_up(struct tail *t)
{
	size_t n;

	qsort(t->seen, t->seen_count, sizeof(*t->seen), by_address_and_user);
	for (size_t i = 0; i < t->seen_count; i += n) {
		for (n = 1; i + n < t->seen_count &&
			    addr_equal(&t->seen[i].addr, &t->seen[i + n].addr);)
			n++;
		sum_address(&t->log->found, t->seen + i, n);
	}
}

/* What near.h prints goes to a file; here it is wanted as text. */
static void keep_near(struct tail *t)
{
	FILE *f = fmemopen(t->log->found.near, sizeof(t->log->found.near), "w");

	if (!f)
		return;
	near_print(t->near, f);
	(void)fclose(f);
	t->log->found.near[sizeof(t->log->found.near) - 1] = '\0';
}

/* --- the file ------------------------------------------------------------- */

static void read_tail(struct tail *t, int fd)
{
	off_t from = t->log->size > TAIL_MAX ? t->log->size - TAIL_MAX : 0;
	ssize_t n;

	t->skip = from > 0;
	line_reset(&t->lines);
	while ((n = pread(fd, t->chunk, sizeof(t->chunk), from)) > 0) {
		line_feed(&t->lines, t->chunk, (size_t)n, take_line, t);
		from += n;
		/* It may grow while we read. */
		if (from > t->log->size + TAIL_MAX)
			break;
	}
	if (n < 0)
		t->log->error = errno;
}

static size_t owners_of(const struct conf_section *s, uid_t *uids)
{
	size_t n = 0;

	for (size_t i = 0; i < conf_list_size(s, "owner") && n < OWNERS_MAX - 2;
	     i++)
		if (endpoint_parse_user(conf_list_at(s, "owner", i), &uids[n]))
			n++;
	uids[n++] = 0;
	uids[n++] = geteuid();
	return n;
}

static void no_watch(void *ctx, int dir)
{
	(void)ctx;
	(void)dir;
}

static bool open_log(
    struct doctor_log *log, const struct conf_section *owners, struct walk *w)
{
	uid_t uids[OWNERS_MAX];
	struct walk_owners who = { uids, owners_of(owners, uids) };

	switch (walk_open(w, log->path, &who, no_watch, NULL)) {
	case WALK_FILE:
		log->size = w->st.st_size;
		log->changed = (int64_t)w->st.st_mtim.tv_sec * 1000 +
			       w->st.st_mtim.tv_nsec / 1000000;
		return true;
	case WALK_MISSING:
		log->error = ENOENT;
		break;
	case WALK_REFUSED:
		log->refused = w->why;
		break;
	case WALK_FAILED:
	default:
		log->error = w->error ? w->error : EIO;
		break;
	}
	return false;
}

void doctor_log_read(struct doctor_log *log, const struct patterns *patterns,
    const struct rules *rules, const struct conf_section *owners,
    struct moment now)
{
	AUTO_FREE struct tail *t = xcalloc(1, sizeof(*t));
	struct walk w = { .fd = -1, .dir = -1 };

	if (open_log(log, owners, &w)) {
		t->log = log;
		t->rules = rules;
		t->now = now;
		t->skew = rules_max_skew(rules);
		t->matcher = matcher_new(patterns);
		t->near = near_new();
		t->seen = xcalloc(LOGINS_MAX, sizeof(*t->seen));
		read_tail(t, w.fd);
		sum_up(t);
		keep_near(t);
		free(t->seen);
		near_free(&t->near);
		matcher_free(&t->matcher);
	}
	walk_close(&w);
}
