/* SPDX-License-Identifier: ISC */
/*
 * record - writes, signs, checks and reads the line.
 *
 * There is one way to write a record, and one text of it: what was read is
 * written again and must be the same bytes. So no second text can carry the
 * same meaning, and none a word that is not looked at.
 */
#include "record.h"

#include <stdio.h>
#include <string.h>

#include "base/hmac.h"
#include "base/kv.h"
#include "base/mem.h"
#include "base/secret.h"

static const char word_mac[] = " mac=", word_key[] = " key=";

enum {
	MAC_WORD = sizeof(word_mac) - 1,
	MAC_DIGITS = 2 * HMAC_SIZE,
	MAC_LEN = MAC_WORD + MAC_DIGITS,
	KEY_WORD = sizeof(word_key) - 1,
	NUMBER_DIGITS = 20 /* of 2^64 - 1 */
};

/* The ledger keeps 48 bits. */
#define TIME_MAX ((INT64_C(1) << 48) - 1)

const char *replica_fault_word(enum replica_fault fault)
{
	static const char *const words[REPLICA_FAULTS] = {
		[REPLICA_GOOD] = "good",
		[REPLICA_MALFORMED] = "malformed",
		[REPLICA_UNKNOWN_KEY] = "unknown-key",
		[REPLICA_FORGED] = "forged",
	};

	return (unsigned)fault < REPLICA_FAULTS ? words[fault] : "unknown";
}

/* --- what may be said ----------------------------------------------------- */

static bool is_any(const struct addr *a)
{
	static const struct addr any;

	return addr_equal(a, &any);
}

/* The ledger takes no other. */
static bool is_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20)
			return false;
	return true;
}

static bool is_sound(const struct replica_record *r)
{
	if (!is_text(r->user, r->user_len) || r->user[r->user_len] != '\0')
		return false;
	if (r->time < 0 || r->time > r->issued || r->issued > TIME_MAX ||
	    r->time > r->end || r->end > TIME_MAX)
		return false;
	switch (r->kind) {
	case REPLICA_LEASE:
		return !is_any(&r->addr) && r->issued < r->end &&
		       r->sequence == 0 &&
		       is_text(r->server, strlen(r->server));
	case REPLICA_REVOKE:
		return (!is_any(&r->addr) || r->user_len > 0) && r->tls == 0 &&
		       r->server[0] == '\0';
	default:
		return false;
	}
}

/* --- writing -------------------------------------------------------------- */

struct text {
	char *out; /* REPLICA_RECORD_MAX bytes */
	size_t len;
	bool full;
};

static void put(struct text *t, const char *key, const char *value)
{
	if (!kv_put(t->out, REPLICA_RECORD_MAX, &t->len, key, value))
		t->full = true;
}

static void put_number(struct text *t, const char *key, uint64_t n)
{
	char digits[NUMBER_DIGITS + 1];

	(void)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	put(t, key, digits);
}

static void put_node(struct text *t, uint64_t node)
{
	char digits[REPLICA_NODE_DIGITS + 1];

	replica_node_print(node, digits);
	put(t, "node", digits);
}

/* All up to " mac=". Returns its length. */
static size_t write_body(const struct replica_record *r, const char *key,
    char out[static REPLICA_RECORD_MAX])
{
	const char *word = r->kind == REPLICA_LEASE ? "1 lease " : "1 revoke ";
	struct text t = { .out = out, .len = strlen(word) };
	char addr[ADDR_TEXT_SIZE] = "any";

	memcpy(out, word, t.len + 1);
	if (!is_any(&r->addr))
		(void)addr_print(&r->addr, addr);
	put(&t, "address", addr);
	put(&t, "user", r->user);
	if (r->kind == REPLICA_LEASE) {
		put(&t, "tls", r->tls ? "yes" : "no");
		put(&t, "server", r->server);
	}
	put_node(&t, r->node);
	if (r->kind == REPLICA_REVOKE)
		put_number(&t, "sequence", r->sequence);
	put_number(&t, "issued", (uint64_t)r->issued);
	put_number(&t, "time", (uint64_t)r->time);
	put_number(&t, "end", (uint64_t)r->end);
	put(&t, "key", key);
	/* The longest of all values fit (test_replica_record). */
	must(!t.full && t.len + MAC_LEN < REPLICA_RECORD_MAX);
	out[--t.len] = '\0'; /* the blank */
	return t.len;
}

static void write_mac(const struct replica_key *key, const char *body,
    size_t len, char out[static MAC_DIGITS + 1])
{
	uint8_t mac[HMAC_SIZE];

	hmac_sha256(key->secret, key->len, body, len, mac);
	for (size_t i = 0; i < HMAC_SIZE; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", mac[i]);
}

size_t replica_encode(const struct replica_record *r,
    const struct replica_keys *keys, char out[static REPLICA_RECORD_MAX])
{
	const struct replica_key *key = replica_keys_first(keys);
	char mac[MAC_DIGITS + 1];
	size_t len;

	out[0] = '\0';
	if (!is_sound(r))
		return 0;
	len = write_body(r, key->id, out);
	write_mac(key, out, len, mac);
	memcpy(out + len, word_mac, MAC_WORD);
	memcpy(out + len + MAC_WORD, mac, sizeof(mac));
	return len + MAC_LEN;
}

/* --- reading -------------------------------------------------------------- */

/* The body's words, each of which must be the next. A fault is kept: ten words
 * are read, and it is asked once. */
struct words {
	const char *at;
	size_t left;
	bool bad;
};

static struct kv_word next(struct words *w, const char *key)
{
	struct kv_word word = { 0 };

	if (w->bad || kv_next(&w->at, &w->left, &word) != 1 ||
	    word.key_len != strlen(key) ||
	    memcmp(word.key, key, word.key_len) != 0) {
		w->bad = true;
		return (struct kv_word){ .value = "" };
	}
	return word;
}

static size_t next_text(
    struct words *w, const char *key, char *out, size_t size)
{
	struct kv_word word = next(w, key);
	size_t len = 0;

	if (!kv_decode(word.value, word.value_len, out, size, &len))
		w->bad = true;
	return len;
}

/* Digits of this base; that there is no other way to write the number, the
 * comparison of the whole sees to. */
static uint64_t next_number(struct words *w, const char *key, unsigned base)
{
	static const char digits[] = "0123456789abcdef";
	struct kv_word word = next(w, key);
	uint64_t n = 0;

	if (word.value_len == 0 || word.value_len > NUMBER_DIGITS)
		w->bad = true;
	for (size_t i = 0; i < word.value_len && !w->bad; i++) {
		const char *digit = memchr(digits, word.value[i], base);

		if (!digit || __builtin_mul_overflow(n, base, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(digit - digits), &n))
			w->bad = true;
	}
	return n;
}

static int64_t next_time(struct words *w, const char *key)
{
	uint64_t n = next_number(w, key, 10);

	return n <= (uint64_t)TIME_MAX ? (int64_t)n : -1;
}

static void read_address(struct words *w, struct addr *out)
{
	struct kv_word word = next(w, "address");

	memset(out, 0, sizeof(*out));
	if (word.value_len == 3 && memcmp(word.value, "any", 3) == 0)
		return;
	if (!addr_parse(word.value, word.value_len, out))
		w->bad = true;
}

static enum replica_kind read_kind(struct words *w)
{
	struct kv_word version, kind;

	if (kv_next(&w->at, &w->left, &version) == 1 &&
	    kv_next(&w->at, &w->left, &kind) == 1) {
		if (kind.value_len == 5 && !memcmp(kind.value, "lease", 5))
			return REPLICA_LEASE;
		if (kind.value_len == 6 && !memcmp(kind.value, "revoke", 6))
			return REPLICA_REVOKE;
	}
	w->bad = true;
	return REPLICA_LEASE;
}

/* False: no record, or not the one text of it. */
static bool read_body(
    const char *body, size_t len, const char *key, struct replica_record *out)
{
	struct words w = { .at = body, .left = len };
	struct replica_record *r = out;
	char again[REPLICA_RECORD_MAX], tls[4];

	memset(r, 0, sizeof(*r));
	r->kind = read_kind(&w);
	read_address(&w, &r->addr);
	r->user_len = (uint8_t)next_text(&w, "user", r->user, sizeof(r->user));
	if (r->kind == REPLICA_LEASE) {
		(void)next_text(&w, "tls", tls, sizeof(tls));
		r->tls = !w.bad && strcmp(tls, "yes") == 0;
		(void)next_text(&w, "server", r->server, sizeof(r->server));
	}
	r->node = next_number(&w, "node", 16);
	if (r->kind == REPLICA_REVOKE)
		r->sequence = next_number(&w, "sequence", 10);
	r->issued = next_time(&w, "issued");
	r->time = next_time(&w, "time");
	r->end = next_time(&w, "end");
	return !w.bad && is_sound(r) && write_body(r, key, again) == len &&
	       memcmp(again, body, len) == 0;
}

/* Where the body ends, and which key it was signed with, as its last word has
 * it. False: it has not the form of a record. */
static bool read_ends(const char *bytes, size_t len, size_t *body_r,
    char id[static REPLICA_KEY_ID_MAX + 1])
{
	const char *word;
	size_t id_len;

	if (len <= MAC_LEN || len >= REPLICA_RECORD_MAX ||
	    memcmp(bytes + len - MAC_LEN, word_mac, MAC_WORD) != 0)
		return false;
	*body_r = len - MAC_LEN;
	word = memrchr(bytes, ' ', *body_r);
	if (!word || bytes + *body_r - word <= KEY_WORD ||
	    memcmp(word, word_key, KEY_WORD) != 0)
		return false;
	id_len = (size_t)(bytes + *body_r - word) - KEY_WORD;
	if (!replica_key_id_is_good(word + KEY_WORD, id_len))
		return false;
	memcpy(id, word + KEY_WORD, id_len);
	id[id_len] = '\0';
	return true;
}

enum replica_fault replica_decode(const char *bytes, size_t len,
    const struct replica_keys *keys, struct replica_record *out)
{
	const struct replica_key *key;
	struct replica_record r;
	char id[REPLICA_KEY_ID_MAX + 1], mac[MAC_DIGITS + 1];

	if (!read_ends(bytes, len, &len, id))
		return REPLICA_MALFORMED;
	key = replica_keys_find(keys, id, strlen(id));
	if (!key)
		return REPLICA_UNKNOWN_KEY;
	/* First who says it, then what. */
	write_mac(key, bytes, len, mac);
	if (!secret_equal(mac, MAC_DIGITS, bytes + len + MAC_WORD, MAC_DIGITS))
		return REPLICA_FORGED;
	if (!read_body(bytes, len, key->id, &r))
		return REPLICA_MALFORMED;
	*out = r;
	return REPLICA_GOOD;
}

bool replica_claim(const char *bytes, size_t len, struct replica_claim *out)
{
	struct replica_record r;

	if (!read_ends(bytes, len, &len, out->key) ||
	    !read_body(bytes, len, out->key, &r))
		return false;
	out->node = r.node;
	return true;
}

/* --- words that others need, too ------------------------------------------
 */

int64_t replica_lasts(const struct replica_record *r)
{
	int64_t left = r->end - r->issued;

	return r->kind == REPLICA_REVOKE ? left + REPLICA_LINGERS : left;
}

bool replica_node(const char *text, uint64_t *node_r)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t node = 0;
	size_t len = strspn(text, digits);

	if (len != REPLICA_NODE_DIGITS || text[len] != '\0')
		return false;
	for (size_t i = 0; i < len; i++)
		node = node << 4 | (uint64_t)(strchr(digits, text[i]) - digits);
	*node_r = node;
	return true;
}

void replica_node_print(uint64_t node, char out[static REPLICA_NODE_DIGITS + 1])
{
	(void)snprintf(
	    out, REPLICA_NODE_DIGITS + 1, "%016llx", (unsigned long long)node);
}
