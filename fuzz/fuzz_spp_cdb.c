/* SPDX-License-Identifier: ISC */
/*
 * fuzz_spp_cdb - a data base made of the input's lines has each of them and no
 * other; one with bytes of the input where they should not be is read to an end
 * and has nothing that is not in it.
 *
 * The first byte says which: even, a good one of the lines behind it; odd, each
 * of the 256 tables is the one that the next 8 bytes name, the rest is what
 * follows the tables. The key is the rest's beginning.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "smtp/cdb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 2048, PAIR = 8, KEYS_MAX = 64, KEY_LEN = 3 };

struct keys {
	size_t count;
	struct key {
		const char *text;
		size_t len, at;
		uint32_t hash;
	} keys[KEYS_MAX];
};

/* Written as cdb.txt has it: h = ((h << 5) + h) ^ c. */
static uint32_t hash_of(const char *text, size_t len)
{
	uint32_t h = 5381;

	while (len-- > 0)
		h = ((h << 5) + h) ^ (uint8_t)*text++;
	return h;
}

static void cut(struct keys *k, const char *text, size_t len)
{
	const char *end = text + len;

	k->count = 0;
	while (text < end && k->count < KEYS_MAX) {
		const char *lf = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((lf ? lf : end) - text);

		k->keys[k->count++] = (struct key){
			.text = text, .len = n, .hash = hash_of(text, n)
		};
		text += n + 1;
	}
}

static uint8_t *number(uint8_t *p, size_t value)
{
	for (int i = 0; i < 4; i++, value >>= 8)
		*p++ = (uint8_t)value;
	return p;
}

/* Room for slots twice its keys, as cdbmake has it. */
static uint8_t *put_table(
    uint8_t *cdb, uint8_t *p, size_t which, const struct keys *k)
{
	size_t slots = 0;

	for (size_t i = 0; i < k->count; i++)
		slots += k->keys[i].hash % 256 == which ? 2 : 0;
	(void)number(number(cdb + which * PAIR, (size_t)(p - cdb)), slots);
	memset(p, 0, slots * PAIR);
	for (size_t i = 0; i < k->count; i++) {
		size_t slot = k->keys[i].hash / 256;
		uint8_t *to;

		if (k->keys[i].hash % 256 != which)
			continue;
		do
			to = p + slot++ % slots * PAIR;
		while (to[4] || to[5] || to[6] || to[7]);
		(void)number(number(to, k->keys[i].hash), k->keys[i].at);
	}
	return p + slots * PAIR;
}

static uint8_t *make(struct keys *k, size_t size, size_t *out_size)
{
	uint8_t *cdb = xcalloc(1, HEAD + size + KEYS_MAX * 3 * PAIR);
	uint8_t *p = cdb + HEAD;

	for (size_t i = 0; i < k->count; i++) {
		k->keys[i].at = (size_t)(p - cdb);
		p = number(number(p, k->keys[i].len), 0);
		memcpy(p, k->keys[i].text, k->keys[i].len);
		p += k->keys[i].len;
	}
	for (size_t i = 0; i < 256; i++)
		p = put_table(cdb, p, i, k);
	*out_size = (size_t)(p - cdb);
	return xrealloc(cdb, *out_size, 1);
}

static bool has_key(const struct keys *k, const char *text, size_t len)
{
	for (size_t i = 0; i < k->count; i++)
		if (k->keys[i].len == len &&
		    memcmp(k->keys[i].text, text, len) == 0)
			return true;
	return false;
}

static void check_good(const char *text, size_t len)
{
	struct keys k;
	uint8_t *cdb;
	size_t size;

	cut(&k, text, len);
	cdb = make(&k, len, &size);
	for (size_t i = 0; i < k.count; i++) {
		const struct key *key = &k.keys[i];

		must(spp_cdb_has(cdb, size, key->text, key->len));
		/* Parts of it. */
		for (size_t n = 0; n < key->len && n < 8; n++)
			must(spp_cdb_has(cdb, size, key->text, n) ==
			     has_key(&k, key->text, n));
	}
	free(cdb);
}

static void check_bad(const uint8_t *bytes, size_t len)
{
	uint8_t *cdb;
	size_t size = HEAD + len - PAIR;
	const char *key = (const char *)bytes + PAIR;

	if (len < PAIR)
		return;
	cdb = xmalloc(size);
	for (size_t i = 0; i < HEAD; i += PAIR)
		memcpy(cdb + i, bytes, PAIR);
	memcpy(cdb + HEAD, bytes + PAIR, len - PAIR);
	for (size_t n = 0; n <= KEY_LEN && n <= len - PAIR; n++)
		if (spp_cdb_has(cdb, size, key, n))
			must(n == 0 || memmem(cdb + PAIR, size - PAIR, key, n));
	free(cdb);
	/* Too short for its head. */
	must(!spp_cdb_has(bytes, len < HEAD ? len : HEAD - 1, key, 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (data[0] % 2 == 0)
		check_good((const char *)data + 1, size - 1);
	else
		check_bad(data + 1, size - 1);
	return 0;
}
