/* SPDX-License-Identifier: ISC */
/*
 * fuzz_replica_record - a record from a carrier that nobody trusts. The first
 * byte says what the rest is:
 *	'r'	a record: it decodes only if it is what we would write
 *	's'	the text of one, which is signed here with the key it names: the
 *		same, though a node wrote it
 *	'm'	what of our own record is changed: then it never decodes
 * What decodes is never worth more to a node than it says.
 */
#include <stdio.h>
#include <string.h>

#include "base/hmac.h"
#include "base/mem.h"
#include "replica/inbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET_1 "1111111111111111aaaaaaaaaaaaaaaa"
#define SECRET_2 "2222222222222222bbbbbbbbbbbbbbbb"
#define NOW      INT64_C(1700000000000)

enum { SKEW = 300000, FIRST = 0, SECOND = 1 };

/* The same two, each once as the one that signs. */
static struct replica_keys *keys[2];

static struct replica_keys *make_keys(const char *text)
{
	struct replica_keys *k =
	    replica_keys_parse(text, strlen(text), "keys", NULL);

	must(k != NULL);
	return k;
}

/* Whatever clocks and carrier say. */
static void check_worth(const struct replica_record *r, int64_t age)
{
	static const int64_t offsets[] = { 0, -SKEW, SKEW, -SKEW - 1, 1,
		1800000, -1800000, 86400000 };
	struct inbox *i = inbox_new(1, SKEW);

	for (size_t n = 0; n < COUNT_OF(offsets); n++) {
		struct moment now = { r->issued + offsets[n], 1000000000 };
		struct login l;
		enum inbox_verdict v = inbox_take(i, r, age, now, &l);

		must(r->node != 1 || v == INBOX_OWN);
		if (v != INBOX_TAKE)
			continue;
		must(l.end <= r->end && l.time <= now.wall);
		must(l.user_len == r->user_len && !l.user[l.user_len]);
		must(addr_equal(&l.addr, &r->addr));
		if (r->kind == REPLICA_REVOKE) {
			must(l.kind == LOGIN_REVOKE && l.origin == r->node);
			/* As it was said, whatever our clock says. */
			must(l.end == r->end);
			continue;
		}
		must(l.kind == LOGIN_LEASE && l.end > now.wall);
		must(l.end - now.wall <= r->end - r->issued);
		must(r->issued - now.wall <= SKEW);
		must(age < 0 || now.wall - age + (r->end - r->issued) >= l.end);
	}
	inbox_free(&i);
}

/* Decodes, with both files of keys to the same; checks it if it is one. */
static bool decode(const char *text, size_t len, struct replica_record *out)
{
	struct replica_record other;
	struct replica_claim claim;
	bool claimed;
	enum replica_fault fault = replica_decode(text, len, keys[FIRST], out);
	char again[REPLICA_RECORD_MAX];
	size_t by_first, by_second;

	must(replica_decode(text, len, keys[SECOND], &other) == fault);
	claimed = replica_claim(text, len, &claim);
	must(fault != REPLICA_GOOD || (claimed && claim.node == out->node));
	if (fault != REPLICA_GOOD)
		return false;
	by_first = replica_encode(out, keys[FIRST], again);
	if (by_first == len && memcmp(again, text, len) == 0)
		return true;
	by_second = replica_encode(out, keys[SECOND], again);
	must(by_second == len && memcmp(again, text, len) == 0);
	return true;
}

static void try_record(const char *text, size_t len)
{
	struct replica_record r;

	if (decode(text, len, &r))
		check_worth(&r, -1);
}

static void try_signed(const char *body, size_t len)
{
	static const char first[] = " key=k1";
	char text[2 * REPLICA_RECORD_MAX];
	struct replica_record r;
	uint8_t mac[HMAC_SIZE];
	const char *secret = SECRET_2;
	size_t word = sizeof(first) - 1;

	if (len > REPLICA_RECORD_MAX)
		return;
	if (len >= word && memcmp(body + len - word, first, word) == 0)
		secret = SECRET_1;
	hmac_sha256(secret, strlen(secret), body, len, mac);
	memcpy(text, body, len);
	len += (size_t)snprintf(text + len, sizeof(text) - len, " mac=");
	for (size_t i = 0; i < HMAC_SIZE; i++)
		len += (size_t)snprintf(
		    text + len, sizeof(text) - len, "%02x", mac[i]);
	if (!decode(text, len, &r))
		return;
	check_worth(&r, 0);
	check_worth(&r, (r.end - r.issued) / 2);
}

/* Triples: where (two bytes), and what is put over it. */
static void try_changed(const uint8_t *data, size_t size)
{
	struct replica_record r = { .kind = REPLICA_LEASE,
		.node = 2,
		.issued = NOW,
		.time = NOW - 1000,
		.end = NOW + 1800000,
		.user_len = 4,
		.user = "anna",
		.server = "dovecot" };
	char text[REPLICA_RECORD_MAX], changed[REPLICA_RECORD_MAX];
	size_t len;

	must(addr_parse("192.0.2.7", 9, &r.addr));
	len = replica_encode(&r, keys[FIRST], text);
	memcpy(changed, text, sizeof(text));
	for (; size >= 3; data += 3, size -= 3)
		changed[(data[0] << 8 | data[1]) % len] ^= (char)data[2];
	/* And what is behind it, or missing. */
	if (size == 1)
		len -= data[0] % len;
	must(decode(changed, len, &r) ==
	     (len == strlen(text) && memcmp(changed, text, len) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!keys[FIRST]) {
		keys[FIRST] = make_keys("k1 " SECRET_1 "\nk2 " SECRET_2 "\n");
		keys[SECOND] = make_keys("k2 " SECRET_2 "\nk1 " SECRET_1 "\n");
	}
	if (size == 0)
		return 0;
	if (data[0] == 'r')
		try_record((const char *)data + 1, size - 1);
	if (data[0] == 's')
		try_signed((const char *)data + 1, size - 1);
	if (data[0] == 'm')
		try_changed(data + 1, size - 1);
	return 0;
}
