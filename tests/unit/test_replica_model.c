/* SPDX-License-Identifier: ISC */
/*
 * test_replica_model - three nodes that tell, one that hears, and whoever
 * carries the records in between: he delivers each as late, as often and in
 * whatever order he likes, says what he likes about its age, and tries his own.
 * The clocks of all differ by minutes and are set while it runs. What he cannot
 * do is to hold up all that a node says: each is heard quickly now and then.
 *
 * The one who hears has a real ledger. At each step, of each lease that is live
 * in it:
 *   some node's login made it that is not older than any revocation heard, and
 *   its true end, by a clock that is right, is not past.
 */
#include "replica_world.h"

#include "lease_world.h"
#include "replica/inbox.h"
#include "replica/outbox.h"

enum {
	STEPS = 10000,
	ORDERS = 11, /* times RELAYPASS_TEST_COUNT */
	SENDERS = 3,
	FIRST_NODE = 100,
	ADDRESSES = 4,
	USERS = 3,
	KEYS = ADDRESSES * USERS,
	HELLO = KEYS, /* what each says when it must be heard */
	RECORDS_MAX = 4 * STEPS,
	QUICK_MS = 50 /* the longest way of what is delivered at once */
};

#define RIGHT_TTL (30 * MINUTE)

/* One record, and what is true of it. Times: the right clock's. */
struct sent {
	struct replica_record said;
	size_t key, sender, len;
	int64_t issued, proof, end;
	bool heard;
	char text[REPLICA_RECORD_MAX];
};

struct sender {
	uint64_t node;
	int64_t offset; /* of its clock to the right one */
	uint64_t revocations;
	bool has[KEYS + 1];
	struct lease rows[KEYS + 1];
	int64_t proofs[KEYS + 1];
	bool has_state;
	uint8_t state[INBOX_STATE_SIZE]; /* of it, where it is heard */
};

struct model {
	uint64_t seed;
	struct world *w;
	int64_t own_offset;
	struct replica_keys *keys;
	struct inbox *inbox;
	struct sender senders[SENDERS];
	int64_t revoked[KEYS + 1]; /* logins up to then, as far as heard */
	size_t count;
	struct sent *sent;
	size_t live, refused, over, ahead, forged, revocations;
};

static int64_t below(struct model *m, int64_t n)
{
	return (int64_t)(random_of(&m->seed) % (uint64_t)n);
}

static int64_t between(struct model *m, int64_t low, int64_t high)
{
	return low + below(m, high - low + 1);
}

/* The right time: all clocks that cannot be set show it. */
static int64_t now_of(const struct model *m)
{
	return m->w->now.boot;
}

static bool is_far_behind(const struct model *m)
{
	return m->own_offset < -4 * MINUTE;
}

static void pass(struct model *m, int64_t ms)
{
	world_pass(m->w, ms);
}

static const char *address_name(size_t key)
{
	static const char *const names[] = { "192.0.2.7", "192.0.2.8",
		"198.51.100.1", "2001:db8::7", "203.0.113.1" };

	return names[key / USERS];
}

static const char *user_name(size_t key)
{
	static const char *const names[] = { "anna", "Berta", "clara@site" };

	return names[key % USERS];
}

/* --- the nodes that tell -------------------------------------------------- */

static struct moment clock_of(const struct model *m, const struct sender *s)
{
	return (struct moment){ NOW + now_of(m) + s->offset, now_of(m) };
}

static struct sent *sign_record(
    struct model *m, size_t sender, size_t key, const struct replica_record *r)
{
	struct sent *out = &m->sent[m->count++];

	must(m->count < RECORDS_MAX);
	memset(out, 0, sizeof(*out));
	out->said = *r;
	out->sender = sender;
	out->key = key;
	out->issued = now_of(m);
	out->len = replica_encode(r, m->keys, out->text);
	must(out->len > 0);
	return out;
}

/* NULL: it has nothing to tell. */
static struct sent *tell(struct model *m, size_t sender, size_t key)
{
	struct sender *s = &m->senders[sender];
	struct replica_record r;
	struct sent *out;

	if (!s->has[key] || !replica_lease(&s->rows[key], "file", s->node,
				RIGHT_TTL, clock_of(m, s), &r))
		return NULL;
	out = sign_record(m, sender, key, &r);
	out->proof = s->proofs[key];
	out->end = s->rows[key].end.boot;
	return out;
}

/* A login, or a sign of life of its session, some time ago. */
static struct sent *login_at(
    struct model *m, size_t sender, size_t key, int64_t age)
{
	struct sender *s = &m->senders[sender];
	struct moment now = clock_of(m, s);
	struct lease *l = &s->rows[key];

	if (!s->has[key] || l->end.boot <= now_of(m)) {
		memset(l, 0, sizeof(*l));
		l->addr = address_of(address_name(key));
		l->bits = 128;
		l->user_len = (uint8_t)strlen(user_name(key));
		memcpy(l->user, user_name(key), l->user_len);
		s->has[key] = true;
	} else if (l->end.boot > now_of(m) - age + RIGHT_TTL) {
		return tell(m, sender, key);
	}
	if (below(m, 2))
		l->last_login = now.wall - age;
	else if (l->last_login == 0)
		l->last_login = now.wall - age - below(m, HOUR);
	l->end = (struct moment){ now.wall - age + RIGHT_TTL,
		now.boot - age + RIGHT_TTL };
	s->proofs[key] = now_of(m) - age;
	return tell(m, sender, key);
}

static bool is_meant(
    const struct addr *addr, const char *user, size_t user_len, size_t key)
{
	static const struct addr any;
	struct addr a = address_of(address_name(key));

	return (addr_equal(addr, &any) || addr_equal(addr, &a)) &&
	       (user_len == 0 ||
		   (user_len == strlen(user_name(key)) &&
		       strncasecmp(user, user_name(key), user_len) == 0));
}

static struct sent *revoke_at(struct model *m, size_t sender)
{
	struct sender *s = &m->senders[sender];
	struct moment now = clock_of(m, s);
	struct ledger_revocation v = { .time = now.wall };
	struct replica_record r;
	size_t key = (size_t)below(m, KEYS);
	int64_t what = below(m, 3);

	v.until = now.wall + between(m, 5 * MINUTE, RIGHT_TTL);
	v.sequence = ++s->revocations;
	(void)snprintf(
	    v.origin, sizeof(v.origin), "%016llx", (unsigned long long)s->node);
	if (what != 0)
		v.addr = address_of(address_name(key));
	if (what != 1) {
		v.user_len = (uint8_t)strlen(user_name(key));
		memcpy(v.user, user_name(key), v.user_len);
	}
	for (size_t k = 0; k < KEYS; k++)
		if (is_meant(&v.addr, v.user, v.user_len, k))
			s->has[k] = false;
	must(replica_revocation(&v, s->node, now, &r));
	return sign_record(m, sender, key, &r);
}

/* --- the one who hears ---------------------------------------------------- */

static void note_revoked(struct model *m, const struct addr *addr,
    const char *user, size_t user_len, int64_t when)
{
	for (size_t k = 0; k <= KEYS; k++)
		if (is_meant(addr, user, user_len, k) && m->revoked[k] < when)
			m->revoked[k] = when;
}

static void note_applied(struct model *m, struct sent *s, const struct login *l,
    const struct applied *done)
{
	if (l->kind == LOGIN_REVOKE) {
		m->revocations++;
		note_revoked(m, &l->addr, l->user, l->user_len, s->issued);
		return;
	}
	must(done->judgement == JUDGE_LEASE ||
	     done->judgement == JUDGE_REVOKED || done->judgement == JUDGE_OLD);
	s->heard = true;
	m->refused += done->judgement == JUDGE_REVOKED;
}

static void deliver(struct model *m, struct sent *s, int64_t age)
{
	struct sender *from = &m->senders[s->sender];
	struct replica_record r;
	struct applied done;
	struct login l;

	must(replica_decode(s->text, s->len, m->keys, &r) == REPLICA_GOOD);
	switch (inbox_take(m->inbox, &r, age, m->w->now, &l)) {
	case INBOX_TAKE:
		done = world_apply(m->w, &l);
		note_applied(m, s, &l, &done);
		break;
	case INBOX_OVER:
		/* No revocation here is as old as that. */
		must(r.kind == REPLICA_LEASE);
		m->over++;
		break;
	case INBOX_AHEAD:
		m->ahead++;
		break;
	case INBOX_OWN:
		must(false);
		break;
	}
	if (inbox_state(m->inbox, from->node, from->state))
		from->has_state = true;
}

/* On its way at once, and the carrier says the truth. */
static void deliver_quickly(struct model *m, struct sent *s)
{
	if (!s)
		return;
	pass(m, below(m, QUICK_MS + 1));
	deliver(m, s, now_of(m) - s->issued);
}

static void hear_of(struct model *m, size_t sender)
{
	deliver_quickly(m, login_at(m, sender, HELLO, 0));
}

/* As soon as anybody's clock was set; the others may be late again then. */
static void hear_of_all(struct model *m)
{
	struct sent *said[SENDERS];

	for (size_t i = 0; i < SENDERS; i++)
		said[i] = login_at(m, i, HELLO, 0);
	for (size_t i = 0; i < SENDERS; i++)
		deliver(m, said[i], 0);
}

static void deliver_any(struct model *m)
{
	struct sent *s;
	int64_t age;

	if (m->count == 0)
		return;
	/* Most are of the last hour. */
	if (below(m, 4) == 0 || m->count < 1000)
		s = &m->sent[below(m, (int64_t)m->count)];
	else
		s = &m->sent[(int64_t)m->count - 1 - below(m, 1000)];
	age = now_of(m) - s->issued;
	switch (below(m, 4)) {
	case 0:
		deliver(m, s, age);
		break;
	case 1:
		deliver(m, s, below(m, age + 1));
		break;
	case 2:
		deliver(m, s, 0);
		break;
	default:
		deliver(m, s, -1);
		break;
	}
}

/* Changes bytes, or puts the parts of two together. */
static void forge(struct model *m)
{
	struct replica_record r;
	const struct sent *a, *b;
	char text[REPLICA_RECORD_MAX];
	size_t len;

	if (m->count < 2)
		return;
	a = &m->sent[below(m, (int64_t)m->count)];
	b = &m->sent[below(m, (int64_t)m->count)];
	memcpy(text, a->text, sizeof(text));
	len = a->len;
	if (below(m, 2)) {
		size_t at = (size_t)below(m, (int64_t)len);

		text[at] = (char)(text[at] ^ between(m, 1, 255));
	} else {
		size_t shorter = a->len < b->len ? a->len : b->len;
		size_t cut = (size_t)below(m, (int64_t)shorter);

		if (memcmp(a->text, b->text, cut) == 0 ||
		    strcmp(a->text + cut, b->text + cut) == 0)
			return;
		len = b->len;
		memcpy(text + cut, b->text + cut, len - cut);
	}
	m->forged++;
	must(replica_decode(text, len, m->keys, &r) != REPLICA_GOOD);
}

static void revoke_here(struct model *m)
{
	size_t key = (size_t)below(m, KEYS);
	struct addr a = address_of(address_name(key));

	/* What is said by a clock as wrong as that is not right itself. */
	if (is_far_behind(m))
		return;
	world_revoke(m->w, address_name(key), user_name(key),
	    between(m, 5 * MINUTE, RIGHT_TTL), false);
	note_revoked(m, &a, user_name(key), strlen(user_name(key)), now_of(m));
}

static void restart_inbox(struct model *m)
{
	inbox_free(&m->inbox);
	m->inbox = inbox_new(NODE_B, 5 * MINUTE);
	for (size_t i = 0; i < SENDERS; i++)
		if (m->senders[i].has_state)
			inbox_restore(
			    m->inbox, m->senders[i].node, m->senders[i].state);
}

/* Once a second the feed looks at the clock, and stores what it makes of it. */
static void look_at_own_clock(struct model *m)
{
	uint8_t state[INBOX_STATE_SIZE];
	uint64_t node;

	(void)inbox_again(m->inbox, m->w->now);
	while (inbox_restated(m->inbox, &node, state)) {
		struct sender *s = &m->senders[node - FIRST_NODE];

		must(node - FIRST_NODE < SENDERS);
		memcpy(s->state, state, sizeof(state));
		s->has_state = true;
	}
}

/* --- what must be true ---------------------------------------------------- */

static int64_t true_end(const struct model *m, size_t key)
{
	int64_t end = 0;

	for (size_t i = 0; i < m->count; i++) {
		const struct sent *s = &m->sent[i];

		if (s->heard && s->key == key && s->proof > m->revoked[key] &&
		    s->end > end)
			end = s->end;
	}
	return end;
}

static void check(struct model *m, size_t step)
{
	for (size_t key = 0; key < KEYS; key++) {
		int64_t left =
		    world_left(m->w, address_name(key), user_name(key), NULL);
		int64_t end;

		if (left <= 0)
			continue;
		m->live++;
		end = true_end(m, key);
		if (now_of(m) + left > end + QUICK_MS)
			fail_msg("step %zu: %s %s lives %lld ms too long", step,
			    address_name(key), user_name(key),
			    (long long)(now_of(m) + left - end));
	}
}

/* --- the run -------------------------------------------------------------- */

static void set_own_clock(struct model *m, int64_t to)
{
	/* Each is known when it is set: that is enough. */
	hear_of_all(m);
	m->w->now.wall += to - m->own_offset;
	m->own_offset = to;
	look_at_own_clock(m);
	/* All are silent until then. */
	if (below(m, 2))
		restart_inbox(m);
}

static void set_a_clock(struct model *m)
{
	int64_t to = between(m, -4 * MINUTE, 4 * MINUTE);

	if (below(m, 4) == 0) {
		/* Far behind, as before the network is there. */
		set_own_clock(m, below(m, 8) ? to : between(m, -HOUR, 0));
		return;
	}
	if (below(m, 5) == 0) {
		m->senders[below(m, SENDERS)].offset = 20 * MINUTE;
	} else {
		m->senders[below(m, SENDERS)].offset = to;
	}
	hear_of_all(m);
}

static void act(struct model *m)
{
	size_t sender = (size_t)below(m, SENDERS);
	struct sent *said = NULL;
	int64_t dice = below(m, 1000);

	if (is_far_behind(m) && below(m, 40) == 0)
		set_own_clock(m, 0);
	if (dice < 250) {
		said = login_at(m, sender, (size_t)below(m, KEYS),
		    below(m, 2) ? 0 : below(m, 10 * MINUTE));
		if (below(m, 2))
			deliver_quickly(m, said);
	} else if (dice < 270) {
		said = revoke_at(m, sender);
		if (below(m, 2))
			deliver_quickly(m, said);
	} else if (dice < 275) {
		revoke_here(m);
	} else if (dice < 290) {
		for (size_t key = 0; key < KEYS; key++)
			(void)tell(m, sender, key);
	} else if (dice < 300) {
		set_a_clock(m);
	} else if (dice < 305) {
		restart_inbox(m);
	} else if (dice < 400) {
		forge(m);
	} else {
		deliver_any(m);
	}
}

static void run(uint64_t seed, size_t steps)
{
	struct model *m = xcalloc(1, sizeof(*m));
	int64_t heard = 0;

	m->seed = seed;
	m->w = world_new("lease { ttl = \"30m\" }");
	m->w->now.wall = NOW + m->w->now.boot;
	m->keys = keys_of("k1 " SECRET_1 "\n");
	m->sent = xcalloc(RECORDS_MAX, sizeof(*m->sent));
	for (size_t i = 0; i < SENDERS; i++) {
		m->senders[i].node = FIRST_NODE + i;
		m->senders[i].offset = between(m, -4 * MINUTE, 4 * MINUTE);
	}
	restart_inbox(m);
	hear_of_all(m);
	for (size_t step = 0; step < steps; step++) {
		pass(m,
		    below(m, 50) ? below(m, 5 * SECOND) : below(m, 5 * MINUTE));
		if (now_of(m) - heard > HOUR) {
			heard = now_of(m);
			for (size_t i = 0; i < SENDERS; i++)
				hear_of(m, i);
		}
		act(m);
		check(m, step);
	}
	print_message("%zu records, live %zu, refused %zu, over %zu, ahead "
		      "%zu, forged %zu, revocations %zu, %lld hours\n",
	    m->count, m->live, m->refused, m->over, m->ahead, m->forged,
	    m->revocations, (long long)((now_of(m) - 10 * HOUR) / HOUR));
	/* It was about something. */
	assert_true(m->live > steps && m->refused > steps / 100);
	assert_true(m->over > steps / 20 && m->ahead > 0);
	assert_true(m->forged > steps / 30 && m->revocations > steps / 100);
	inbox_free(&m->inbox);
	replica_keys_free(&m->keys);
	world_free(m->w);
	free(m->sent);
	free(m);
}

static void test_replica_model_no_lease_outlives_its_end(void **state)
{
	(void)state;
	run(1, STEPS);
}

static void test_replica_model_other_orders(void **state)
{
	const char *text = getenv("RELAYPASS_TEST_COUNT");
	unsigned long count = text ? strtoul(text, NULL, 10) : 1;

	(void)state;
	for (uint64_t seed = 2; seed < 2 + ORDERS * count; seed++)
		run(seed, STEPS);
}

/* The same from first to last, and each node knows the same: whatever the order
 * in which the records of right clocks come, the leases are the same. */
static void test_replica_model_order_does_not_matter(void **state)
{
	int64_t ends[2][KEYS];
	size_t live = 0;

	(void)state;
	for (int order = 0; order < 2; order++) {
		struct model *m = xcalloc(1, sizeof(*m));

		m->seed = 7;
		m->w = world_new("lease { ttl = \"30m\" }");
		m->w->now.wall = NOW + m->w->now.boot;
		m->keys = keys_of("k1 " SECRET_1 "\n");
		m->sent = xcalloc(RECORDS_MAX, sizeof(*m->sent));
		for (size_t i = 0; i < SENDERS; i++)
			m->senders[i].node = FIRST_NODE + i;
		restart_inbox(m);
		for (int i = 0; i < 300; i++) {
			pass(m, below(m, 4 * SECOND));
			if (below(m, 60))
				(void)login_at(m, (size_t)below(m, SENDERS),
				    (size_t)below(m, KEYS), 0);
			else
				(void)revoke_at(m, (size_t)below(m, SENDERS));
		}
		for (size_t i = 0; i < m->count; i++) {
			struct sent *s = &m->sent[order ? m->count - 1 - i : i];

			deliver(m, s, now_of(m) - s->issued);
		}
		for (size_t key = 0; key < KEYS; key++)
			ends[order][key] = world_left(
			    m->w, address_name(key), user_name(key), NULL);
		inbox_free(&m->inbox);
		replica_keys_free(&m->keys);
		world_free(m->w);
		free(m->sent);
		free(m);
	}
	assert_memory_equal(ends[0], ends[1], sizeof(ends[0]));
	for (size_t key = 0; key < KEYS; key++)
		live += ends[0][key] > 0;
	assert_in_range(live, 1, KEYS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replica_model_no_lease_outlives_its_end),
		cmocka_unit_test(test_replica_model_other_orders),
		cmocka_unit_test(test_replica_model_order_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
