/* SPDX-License-Identifier: ISC */
/*
 * fuzz_whoson - any bytes to the source: as a datagram, as a stream in one
 * piece and in single bytes, and as whosond's configuration file. Only whole
 * requests of who may tell become logins, the same for any chunking; a reply is
 * never two.
 */
#include "base/clock_test.h"
/* What it decides is static, and is what this is about.
 * NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "source/whoson.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1000000000, HEARD_MAX = 4096 };

struct heard {
	size_t count;
	struct addr addr[HEARD_MAX];
	uint8_t kind[HEARD_MAX]; /* LOGIN_NOTHING: a question */
	uint8_t user_len[HEARD_MAX];
	bool wrong, over;
};

static void hear(struct source *s, uint64_t token, const struct addr *addr,
    uint8_t kind, uint8_t user_len)
{
	struct heard *h = s->env.live_ctx;

	must(h->count < HEARD_MAX);
	h->addr[h->count] = *addr;
	h->kind[h->count] = kind;
	h->user_len[h->count++] = user_len;
	must(waiting_end(s->waiting, token));
}

static struct source *source;

static bool submit_login(void *ctx, uint64_t token, const struct login *l)
{
	(void)ctx;
	must(l->kind == LOGIN_IN || l->kind == LOGIN_END);
	must(strlen(l->user) == l->user_len && l->time == NOW);
	must(l->userless == (l->user_len == 0));
	for (size_t i = 0; i < l->user_len; i++)
		must((unsigned char)l->user[i] >= ' ');
	hear(source, token, &l->addr, l->kind, l->user_len);
	return true;
}

static bool ask_keeper(void *ctx, uint64_t token, const struct addr *addr)
{
	(void)ctx;
	hear(source, token, addr, LOGIN_NOTHING, 0);
	return true;
}

static struct source *make(void)
{
	static const struct conf_schema schema[] = {
		{ "t", "", whoson_options, NULL }, { 0 }
	};
	static const char text[] =
	    "t { max-connections = 1 max-rate = 0 udp-login = yes "
	    "allow = \"127.0.0.0/8\" login-from = \"127.0.0.1\" }";
	struct source_env env = {
		.name = "t", .submit = submit_login, .ask = ask_keeper
	};
	struct err err;
	static struct conf *conf; /* lives as long as the source */
	struct source *s;

	conf = conf_parse(text, sizeof(text) - 1, "t", schema, &err);
	must(conf != NULL);
	s = whoson_open(&env, conf_at(conf, "t", 0), NULL, 0, &err);
	must(s != NULL);
	s->loop = uv_default_loop();
	return s;
}

/* As the inlet does it, `step` bytes at a time. */
static void feed(struct source *s, const struct inlet_peer *peer,
    const uint8_t *data, size_t size, size_t step)
{
	struct heard *h = s->env.live_ctx;
	size_t from = 0, to = 0;

	while (to < size && !h->over) {
		to = size - to < step ? size : to + step;
		for (;;) {
			size_t used = 0;
			enum inlet_next next = on_data(s, 1, peer, data + from,
			    to - from, to == size, &used);
			must(used <= to - from);
			from += used;
			h->over = next == INLET_CLOSE || next == INLET_BAD;
			if (h->over || used == 0 || from == to)
				break;
		}
	}
}

static void is_same(const struct heard *a, const struct heard *b)
{
	must(a->count == b->count);
	must(memcmp(a->addr, b->addr, a->count * sizeof(a->addr[0])) == 0);
	must(memcmp(a->kind, b->kind, a->count) == 0);
	must(memcmp(a->user_len, b->user_len, a->count) == 0);
}

static void check_reply(const uint8_t *data, size_t size)
{
	char out[WHOSON_REPLY_MAX];
	size_t n = whoson_reply(WHOSON_YES, (const char *)data, size, out);

	must(n >= 5 && n <= sizeof(out) && out[0] == '+');
	must(memcmp(out + n - 4, "\r\n\r\n", 4) == 0);
	must(!memchr(out, '\n', n - 4) && !memchr(out, '\r', n - 4));
}

static void check_conf(const uint8_t *data, size_t size)
{
	struct err err = { 0 };
	struct whoson_conf *c =
	    whoson_conf_parse((const char *)data, size, "whoson.conf", &err);
	static const struct conf_schema schema[] = {
		{ "t", "", whoson_options, NULL }, { 0 }
	};
	struct conf *own, *joined;
	const struct conf_section *s;

	must((c != NULL) == (err.code == 0));
	if (!c)
		return;
	own = conf_default(schema);
	joined = whoson_conf_join(conf_at(own, "t", 0), c, &err);
	/* A plain section has no name, as each source has. */
	if (joined) {
		s = conf_at(joined, "source", 0);
		must(conf_list_size(s, "listen") == c->count);
		must(conf_list_size(s, "allow") == c->allow_count);
	}
	conf_free(&joined);
	conf_free(&own);
	whoson_conf_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct heard whole, bytes, letter, stranger;
	struct inlet_peer teller = { 0 }, asker = { 0 };

	if (!source) {
		clock_test_set((struct moment){ NOW, NOW }, NULL);
		source = make();
	}
	must(addr_parse("127.0.0.1", 9, &teller.addr));
	must(addr_parse("127.0.0.2", 9, &asker.addr));
	whole.count = bytes.count = letter.count = stranger.count = 0;
	whole.over = bytes.over = letter.over = stranger.over = false;
	check_reply(data, size);
	check_conf(data, size);
	if (size == 0)
		return 0;
	source->env.live_ctx = &whole;
	feed(source, &teller, data, size, size);
	source->env.live_ctx = &bytes;
	feed(source, &teller, data, size, 1);
	is_same(&whole, &bytes);
	/* Who may only ask has told nothing. */
	source->env.live_ctx = &stranger;
	feed(source, &asker, data, size, size);
	for (size_t i = 0; i < stranger.count; i++)
		must(stranger.kind[i] == LOGIN_NOTHING);
	source->env.live_ctx = &letter;
	teller.datagram = true;
	(void)on_datagram(source, 1, &teller, data, size);
	must(letter.count <= 1);
	must(letter.count == 0 || (whole.count == 1 && data[size - 1] == '\n'));
	return 0;
}
