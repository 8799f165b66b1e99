/* SPDX-License-Identifier: ISC */
/*
 * fuzz_relay_ctrl - any bytes as a datagram to the source, from peers with and
 * without a key. The first byte says how: only what is exactly an address, or
 * what was signed here, may ever become a login; and what is read is what was
 * written.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/clock_test.h"
#include "base/hmac.h"
/* What it decides is static, and is what this is about.
 * NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "source/relay_ctrl.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1000000000, SKEW = 300000 };
enum mode { HAS_KEY = 1, SIGNED = 2, MUST_SIGN = 4, FULL = 8, SHORT_MAC = 16 };

static const char key[] = "0123456789abcdef";
static struct source *source;
static size_t submitted;
static struct login last;

static bool submit_login(void *ctx, uint64_t token, const struct login *login)
{
	const enum mode *mode = ctx;

	if (*mode & FULL)
		return false;
	must(waiting_end(source->waiting, token));
	submitted++;
	last = *login;
	return true;
}

static struct source *make(enum mode *mode)
{
	static const char keys[] = "192.0.2.0/24 0123456789abcdef\n";
	static const struct option none[] = { OPTION_END };
	static const struct conf_kind kind = { "relay-ctrl", "",
		relay_ctrl_options };
	static const struct conf_kind *const kinds[] = { &kind, NULL };
	static const struct conf_schema schema[] = {
		{ "source", "", none, kinds }, { 0 }
	};
	static const char text[] =
	    "source t { kind = \"relay-ctrl\" max-rate = 0 "
	    "max-connections = 1 allow = {\"0.0.0.0/0\"} }";
	struct source_env env = { .name = "t",
		.submit = submit_login,
		.live_ctx = mode,
		.max_skew = SKEW };
	struct err err;
	static struct conf *conf; /* lives as long as the source */
	struct source *s;

	conf = conf_parse(text, sizeof(text) - 1, "t", schema, &err);
	must(conf != NULL);
	s = relay_ctrl_open(&env, conf_at(conf, "source", 0), NULL, 0, &err);
	must(s != NULL);
	s->loop = uv_default_loop();
	s->keys = relay_ctrl_keys_parse(keys, sizeof(keys) - 1, "keys", &err);
	must(s->keys != NULL);
	return s;
}

/* By the C library, which is stricter than nobody. */
static void is_the_address(const uint8_t *bytes, size_t len)
{
	char text[ADDR_TEXT_SIZE];
	uint8_t want[16] = { [10] = 0xff, [11] = 0xff };

	must(len < sizeof(text));
	memcpy(text, bytes, len);
	text[len] = '\0';
	must(strlen(text) == len);
	must(inet_pton(AF_INET, text, want + 12) == 1 ||
	     inet_pton(AF_INET6, text, want) == 1);
	must(memcmp(want, last.addr.bytes, sizeof(want)) == 0);
	must(last.userless && last.user_len == 0 && last.time == NOW);
}

static void check_round_trip(const uint8_t *bytes, size_t len)
{
	struct relay_ctrl_packet p, back;
	uint8_t out[RELAY_CTRL_PACKET_MAX];
	size_t n;

	if (!relay_ctrl_decode(bytes, len, &p))
		return;
	n = relay_ctrl_encode(&p, key, sizeof(key) - 1, out);
	must(n > 0);
	must(relay_ctrl_decode(out, n, &back));
	must(back.form == p.form && addr_equal(&back.addr, &p.addr) &&
	     back.time == p.time);
	must(strlen(p.user) == p.user_len && strlen(p.domain) == p.domain_len);
	must(strcmp(back.user, p.user) == 0 &&
	     strcmp(back.domain, p.domain) == 0);
	must(p.form == RELAY_CTRL_PLAIN ||
	     relay_ctrl_verify(out, &back, key, sizeof(key) - 1));
}

/* Signs what fits; returns the new length. */
static size_t sign(enum mode mode, uint8_t *bytes, size_t len)
{
	enum { TAIL = 2 + HMAC_SIZE + 1 };

	if (!(mode & SIGNED) || len + TAIL > RELAY_CTRL_PACKET_MAX)
		return len;
	bytes[len] = 7;
	bytes[len + 1] = mode & SHORT_MAC ? HMAC_SIZE - 1 : HMAC_SIZE;
	hmac_sha256(key, sizeof(key) - 1, bytes, len, bytes + len + 2);
	bytes[len + TAIL - 1] = 0;
	return len + TAIL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static enum mode mode;
	struct inlet_peer peer = { .datagram = true };
	uint8_t bytes[RELAY_CTRL_PACKET_MAX + 1];
	size_t len = size - 1;

	if (size == 0 || len > sizeof(bytes))
		return 0;
	if (!source) {
		clock_test_set((struct moment){ NOW, NOW }, NULL);
		source = make(&mode);
	}
	mode = data[0];
	memcpy(bytes, data + 1, len);
	len = sign(mode, bytes, len);
	check_round_trip(bytes, len);
	must(addr_parse(mode & HAS_KEY ? "192.0.2.1" : "198.51.100.1",
	    mode & HAS_KEY ? 9 : 12, &peer.addr));
	source->require_key = mode & MUST_SIGN;
	/* Each input by itself. */
	replay_free(&source->replay);
	source->replay = replay_new(1, SKEW);
	submitted = 0;
	bool later = on_datagram(source, 1, &peer, bytes, len);
	must(later == (submitted == 1));
	if (!submitted)
		return 0;
	must(last.kind == LOGIN_IN && strlen(last.user) == last.user_len);
	must(last.time <= NOW && last.time >= NOW - SKEW);
	if (mode & HAS_KEY)
		must((mode & (SIGNED | SHORT_MAC)) == SIGNED);
	else
		must(!(mode & MUST_SIGN));
	if (!(mode & HAS_KEY))
		is_the_address(bytes, len);
	/* The same once more is a replay. */
	must(!(mode & HAS_KEY) || !on_datagram(source, 1, &peer, bytes, len));
	return 0;
}
