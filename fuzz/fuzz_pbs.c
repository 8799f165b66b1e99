/* SPDX-License-Identifier: ISC */
/*
 * fuzz_pbs - any bytes as a datagram to the source. Only an add with the secret
 * that is whole to its last byte may ever become a login; what is answered is
 * the question with the answer in it.
 */
#include "base/clock_test.h"
/* What it decides is static, and is what this is about.
 * NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "source/pbs.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1000000000 };

static size_t submitted, asked;
static struct login last;
static struct addr last_asked;

static bool submit_login(void *ctx, uint64_t token, const struct login *login)
{
	(void)ctx;
	must(token == 0);
	submitted++;
	last = *login;
	return true;
}

static bool ask_keeper(void *ctx, uint64_t token, const struct addr *addr)
{
	uint64_t *to = ctx;

	asked++;
	*to = token;
	last_asked = *addr;
	return true;
}

/* Writes what was read; it must be what was sent. */
static void check_whole(
    const struct pbs_packet *p, const uint8_t *data, size_t size)
{
	uint8_t out[PBS_PACKET_MAX];
	const uint8_t *at = p->entries;
	size_t n = 0;

	out[n++] = (uint8_t)p->type;
	out[n++] = p->addr_len;
	memcpy(
	    out + n, p->addr.bytes + PBS_ADDR_MAX - p->addr_len, p->addr_len);
	n += p->addr_len;
	if (p->type == PBS_QUERY) {
		out[n++] = 0;
	} else {
		out[n++] = p->secret_len;
		memcpy(out + n, p->secret, p->secret_len);
		n += p->secret_len;
		out[n++] = p->count;
		for (unsigned i = 0; i < p->count; i++) {
			must(memchr(at + 1, '=', *at) > (const void *)(at + 1));
			memcpy(out + n, at, 1U + *at);
			n += 1U + *at;
			at += 1U + *at;
		}
	}
	must(n == size && memcmp(out, data, n) == 0);
}

static void check_answer(const struct pbs_packet *p, const uint8_t *data)
{
	uint8_t out[PBS_ANSWER_MAX];

	for (int may = 0; may < 2; may++) {
		size_t n = pbs_answer(&p->addr, p->addr_len, may, out);
		must(n == 3U + p->addr_len + (may ? 1 : 0));
		must(out[0] == 'R' &&
		     memcmp(out + 1, data + 1, 1U + p->addr_len) == 0);
		must(out[2 + p->addr_len] == (may ? 'R' : 'N'));
	}
}

static struct source *make(uint64_t *token)
{
	static const struct inlet_protocol protocol = {
		.datagram = on_datagram,
	};
	static const struct conf_schema schema[] = {
		{ "t", "", pbs_options, NULL }, { 0 }
	};
	static const char text[] =
	    "t { secret-file = \"/x\" max-connections = 1 }";
	struct err err;
	static struct conf *conf; /* lives as long as the source */
	struct source *s = xcalloc(1, sizeof(*s));

	conf = conf_parse(text, sizeof(text) - 1, "t", schema, &err);
	must(conf != NULL);
	s->env = (struct source_env){ .name = "t",
		.submit = submit_login,
		.ask = ask_keeper,
		.live_ctx = token };
	odd_init(&s->odd, "t");
	s->user_variable = "USER";
	s->loop = uv_default_loop();
	s->secret = xstrdup("secret");
	s->secret_len = strlen("secret");
	s->waiting = waiting_new(1, sizeof(struct asker));
	s->inlet = inlet_new(
	    conf_at(conf, "t", 0), NULL, &s->odd, NULL, 0, &protocol, s);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char secret[] = "\x06secret";
	static struct source *s;
	static uint64_t token;
	const struct source_told told = { .known = true, .leased = true };
	struct inlet_peer peer = { .datagram = true };
	struct pbs_packet p;

	if (!s) {
		clock_test_set((struct moment){ NOW, NOW }, NULL);
		s = make(&token);
	}
	submitted = asked = 0;
	must(on_datagram(s, 1, &peer, data, size) == (asked == 1));
	must(submitted + asked <= 1);
	if (pbs_decode(data, size, &p) == PBS_BAD || p.type == PBS_REPLY) {
		must(submitted + asked == 0);
		return 0;
	}
	check_whole(&p, data, size);
	if (submitted) {
		must(p.type == PBS_ADD && data[0] == 'A');
		must(memcmp(data + 2 + data[1], secret, 7) == 0);
		must(addr_equal(&last.addr, &p.addr) && last.time == NOW);
		must(!last.userless && strlen(last.user) == last.user_len);
	}
	if (asked) {
		must(data[0] == 'Q' && addr_equal(&last_asked, &p.addr));
		check_answer(&p, data);
		pbs_told(s, token, &told);
		must(!waiting_end(s->waiting, token));
	}
	return 0;
}
