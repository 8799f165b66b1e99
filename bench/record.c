/* SPDX-License-Identifier: ISC */
/*
 * record - what the records cost that nodes tell each other leases by: their
 * length, writing with signature, checking and reading, and what the receiving
 * node makes of them. Yardstick: HMAC-SHA-256 of as many bytes, in rounds that
 * take turns.
 *
 *   bench-record [RECORDS [ROUNDS]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hmac.h"
#include "base/mem.h"
#include "replica/inbox.h"
#include "replica/record.h"

enum { ROUNDS_MAX = 31, NODES = 100, TTL_MS = 30 * 60 * 1000 };

static const char secret[] =
    "k1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";
static size_t count = 200000, rounds = 5;

struct row {
	uint16_t len;
	char text[REPLICA_RECORD_MAX / 4];
};

static double seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, rounds, sizeof(*v), by_value);
	return v[rounds / 2];
}

/* The i-th login of a site: another user and address each, of some node. */
static void make(size_t i, int64_t now, struct replica_record *r)
{
	memset(r, 0, sizeof(*r));
	r->kind = REPLICA_LEASE;
	r->node = 0x0123456789abcde0 + i % NODES;
	r->issued = r->time = now;
	r->end = now + TTL_MS;
	r->addr.bytes[10] = r->addr.bytes[11] = 0xff;
	r->addr.bytes[12] = 45;
	r->addr.bytes[13] = (uint8_t)(i >> 16);
	r->addr.bytes[14] = (uint8_t)(i >> 8);
	r->addr.bytes[15] = (uint8_t)i;
	r->tls = 1;
	r->user_len = (uint8_t)snprintf(
	    r->user, sizeof(r->user), "user%zu@example.org", i);
	(void)snprintf(r->server, sizeof(r->server), "dovecot");
}

static void encode(
    const struct replica_keys *keys, int64_t now, struct row *out)
{
	struct replica_record r;
	char line[REPLICA_RECORD_MAX];

	for (size_t i = 0; i < count; i++) {
		make(i, now, &r);
		out[i].len = (uint16_t)replica_encode(&r, keys, line);
		must(out[i].len && out[i].len <= sizeof(out[i].text));
		memcpy(out[i].text, line, out[i].len);
	}
}

static void hash(const struct replica_keys *keys, const struct row *rows)
{
	const struct replica_key *key = replica_keys_first(keys);
	uint8_t mac[HMAC_SIZE], all = 0;

	for (size_t i = 0; i < count; i++) {
		hmac_sha256(
		    key->secret, key->len, rows[i].text, rows[i].len, mac);
		all |= mac[0];
	}
	must(all); /* so that it is not left out */
}

static void take(
    const struct replica_keys *keys, const struct row *rows, struct moment now)
{
	struct inbox *inbox = inbox_new(1, TTL_MS);
	struct replica_record r;
	struct login login;

	for (size_t i = 0; i < count; i++) {
		must(replica_decode(rows[i].text, rows[i].len, keys, &r) ==
		     REPLICA_GOOD);
		must(inbox_take(inbox, &r, 0, now, &login) == INBOX_TAKE);
	}
	inbox_free(&inbox);
}

static void show(const char *what, double *took, double yardstick)
{
	double t = median(took);

	printf("record what=%s count=%zu per_s=%.0f us=%.2f hmac_ratio=%.2f\n",
	    what, count, (double)count / t, t * 1e6 / (double)count,
	    yardstick / t);
}

int main(int argc, char **argv)
{
	double bare[ROUNDS_MAX], out[ROUNDS_MAX], in[ROUNDS_MAX], yardstick;
	struct moment now = clock_now();
	struct err err = { 0 };
	struct replica_keys *keys =
	    replica_keys_parse(secret, sizeof(secret) - 1, "bench", &err);
	struct row *rows;
	size_t bytes = 0;

	if (argc > 1)
		count = strtoul(argv[1], NULL, 10);
	if (argc > 2)
		rounds = strtoul(argv[2], NULL, 10);
	if (!keys || count < 1 || rounds < 1 || rounds > ROUNDS_MAX) {
		(void)fprintf(stderr, "record: %s\n",
		    keys ? "records > 0, rounds 1 to 31" : err.text);
		return EXIT_USER;
	}
	rows = xcalloc(count, sizeof(*rows));
	for (size_t round = 0; round < rounds; round++) {
		double t = seconds();

		encode(keys, now.wall, rows);
		out[round] = seconds() - t;
		t = seconds();
		hash(keys, rows);
		bare[round] = seconds() - t;
		t = seconds();
		take(keys, rows, now);
		in[round] = seconds() - t;
	}
	for (size_t i = 0; i < count; i++)
		bytes += rows[i].len;
	yardstick = median(bare);
	printf("record what=bytes count=%zu mean=%.1f\n", count,
	    (double)bytes / (double)count);
	show("encode", out, yardstick);
	show("decode", in, yardstick);
	free(rows);
	replica_keys_free(&keys);
	return EXIT_YES;
}
