/* SPDX-License-Identifier: ISC */
/*
 * pairs - servers that write the address when a client connects, and the user
 * when he has logged in: two lines of one process. A few hosts with a few
 * process ids each are played through, with lines that get lost, logins that
 * come late, ids that are used again, and other programs that say the same.
 *
 * One thing is not played, as no reader could tell it: a connection whose end
 * is not in the log, and within a minute another process of the same id whose
 * own connect line is missing.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "print.h"

enum { HOSTS = 3, PIDS = 8, LIMIT = 60000, DOUBT = 2000 };

struct pair {
	const char *server, *program;
	struct format connect, passed, failed, ended;
};

static const struct pair pairs[] = {
	{ "popa3d", "popa3d", ROW(NOTHING, "Session from %a"),
	    ROW(LOGIN, "Authentication passed for %u"),
	    ROW(NOTHING, "Authentication failed for {%u|UNKNOWN USER}"),
	    ROW(NOTHING, "{Session closed (%n messages left)|%n (%n) deleted, "
			 "%n (%n) left|Premature disconnect}") },
	{ "solid-pop3d", "spop3d", ROW(NOTHING, "connect from {%a|%h (%a)}"),
	    ROW(LOGIN, "{user %u authenticated{| through APOP}|mapped user %u "
		       "authenticated}"),
	    ROW(NOTHING, "authentication failed{ for user|: no such user:} %u"),
	    ROW(NOTHING, "session ended{| for user %u}") },
	{ "vm-pop3d", "vm-pop3d", ROW(NOTHING, "Connect from %a"),
	    ROW(LOGIN, "User '%u'{| of 'example.org'} logged in"),
	    ROW(NOTHING, "User '%u' failed auth"),
	    ROW(NOTHING, "Session {ended|timed out} for {user: %u|no user}") },
	{ "gnu-pop3d", "gnu-pop3d", ROW(NOTHING, "{C|c}onnect from %a"),
	    ROW(LOGIN, "User {'%u'|`%u'} logged in with mailbox '/var/mail/%c'"
		       "{| (%n msgs)}"),
	    ROW(NOTHING, "{Possible probe of account '%u'|User '%u' "
			 "nonexistent}"),
	    ROW(NOTHING, "Session ended for user: %u") },
};

struct session {
	bool alive, stranger, done;
	bool printed;  /* its connect line is in the log */
	bool told;     /* and without odd text */
	int64_t since; /* connected */
	int64_t open;  /* a connect line that nothing has followed; 0 */
	struct addr client;
};

struct world {
	const struct pair *pair;
	struct test *test;
	struct rng *rng;
	struct session at[HOSTS][PIDS];
	int64_t now;
	unsigned head;
};

/* Prints a line of this process; the caller says what is true of it. */
static void print(struct world *w, struct line *out, const struct format *f,
    const char *program, size_t host, size_t pid, const struct addr *client,
    bool plain)
{
	char name[32];
	struct format row = *f;
	struct variants v = variants_of(f->text);
	struct scene scene = { .head = w->head,
		.time = w->now,
		.host = name,
		.pid = (uint32_t)(200 + pid),
		.client = client,
		.plain = plain };

	(void)snprintf(name, sizeof(name), "mx%zu-%zu", w->test->line, host);
	row.programs = program;
	line_print(out, w->rng, w->test->server, &row, &v, &scene);
	variants_free(&v);
}

static void tell(struct world *w, const struct line *l)
{
	judge(w->test, l->text.at, l->text.len, WHOLE, l, NULL);
}

static void connect(
    struct world *w, struct session *s, size_t host, size_t pid, struct line *l)
{
	bool plain = !rng_one_in(w->rng, 8);
	char text[32];

	s->alive = true;
	s->done = false;
	s->stranger = rng_one_in(w->rng, 3);
	s->printed =
	    !rng_one_in(w->rng, 16) || (s->open && w->now - s->open <= LIMIT);
	s->told = s->printed && plain;
	s->since = w->now;
	(void)snprintf(text, sizeof(text), "192.0.2.%u",
	    s->stranger ? 66 : 1 + (unsigned)rng_below(w->rng, 250));
	must(addr_parse(text, strlen(text), &s->client));
	if (!s->printed)
		return;
	s->open = w->now;
	print(w, l, &w->pair->connect, w->pair->program, host, pid, &s->client,
	    plain);
	tell(w, l);
}

/* A line with odd text may not be read, and then leaves things as they were. */
static void pass(
    struct world *w, struct session *s, size_t host, size_t pid, struct line *l)
{
	int64_t age = w->now - s->since;
	bool first = !s->done, plain = rng_one_in(w->rng, 2);

	s->done = true;
	if (rng_one_in(w->rng, 16))
		return;
	print(w, l, &w->pair->passed, w->pair->program, host, pid, &s->client,
	    plain);
	l->login = s->printed && age < LIMIT + DOUBT;
	l->ordinary = l->ordinary && s->told && first && age < LIMIT - DOUBT;
	if (plain)
		s->open = 0;
	tell(w, l);
}

/* Lines after which the process has no address any more. */
static void end(struct world *w, struct session *s, const struct format *f,
    size_t host, size_t pid, struct line *l)
{
	bool plain = rng_one_in(w->rng, 2);

	s->done = true;
	s->alive = rng_one_in(w->rng, 3);
	if (rng_one_in(w->rng, 8))
		return;
	if (plain)
		s->open = 0;
	print(w, l, f, w->pair->program, host, pid, &s->client, plain);
	tell(w, l);
}

/* The same words, from the same process id, by somebody else. */
static void disturb(struct world *w, size_t host, size_t pid, struct line *l)
{
	static const char *const programs[] = { "sshd", "postfix/smtpd",
		"in.popa3d-x", "Popa3d", "logger" };
	const struct format *f =
	    rng_one_in(w->rng, 2) ? &w->pair->connect : &w->pair->passed;
	struct addr attacker;

	must(addr_parse("203.0.113.66", 12, &attacker));
	print(w, l, f, programs[rng_below(w->rng, 5)], host, pid, &attacker,
	    false);
	l->proved = l->login = l->ordinary = false;
	tell(w, l);
}

static void step(struct world *w)
{
	static struct line l;
	size_t host = rng_below(w->rng, HOSTS), pid = rng_below(w->rng, PIDS);
	struct session *s = &w->at[host][pid];
	size_t what = rng_below(w->rng, 8);

	w->now +=
	    1000 * (int64_t)rng_below(w->rng, rng_one_in(w->rng, 50) ? 70 : 4);
	if (what == 7)
		disturb(w, host, pid, &l);
	else if (!s->alive)
		connect(w, s, host, pid, &l);
	else if (what < 4 && !s->stranger)
		pass(w, s, host, pid, &l);
	else
		end(w, s, what % 2 ? &w->pair->failed : &w->pair->ended, host,
		    pid, &l);
}

const struct pair *pair_find(const char *server)
{
	for (size_t i = 0; i < COUNT_OF(pairs); i++)
		if (!strcmp(pairs[i].server, server))
			return &pairs[i];
	return NULL;
}

void pair_play(const struct pair *p, struct test *t, uint64_t seed)
{
	static const unsigned heads[] = { TRAD, PRI, ISO, RFC5424, BUSY };
	struct world w = { .pair = p, .test = t, .rng = &t->rng };

	t->rng = rng_from(seed ^ rng_hash(p->server), t->row, t->line);
	w.head = heads[rng_below(w.rng, COUNT_OF(heads))];
	for (w.now = print_now - 590000; w.now < print_now - 100000;)
		step(&w);
}
