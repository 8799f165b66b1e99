/* SPDX-License-Identifier: ISC */
/*
 * replica_world - keys and records for the tests of replica/, and a way to sign
 * whatever they want.
 */
#ifndef TESTS_UNIT_REPLICA_WORLD_H
#define TESTS_UNIT_REPLICA_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/hmac.h"
#include "base/mem.h"
#include "replica/record.h"

#define SECRET_1 "1111111111111111aaaaaaaaaaaaaaaa"
#define SECRET_2 "2222222222222222bbbbbbbbbbbbbbbb"
#define NODE_A   UINT64_C(0x0123456789abcdef)
#define NODE_B   UINT64_C(0xfedcba9876543210)
/* 14 November 2023 */
#define NOW INT64_C(1700000000000)

static inline struct replica_keys *keys_of(const char *text)
{
	struct err err = { 0 };
	struct replica_keys *k =
	    replica_keys_parse(text, strlen(text), "keys", &err);

	if (!k)
		(void)fprintf(stderr, "%s\n", err.text);
	must(k != NULL);
	return k;
}

static inline struct addr address_of(const char *text)
{
	struct addr a;

	must(addr_parse(text, strlen(text), &a));
	return a;
}

static inline struct replica_record lease_record(
    const char *addr, const char *user)
{
	struct replica_record r;

	memset(&r, 0, sizeof(r));
	r.kind = REPLICA_LEASE;
	r.node = NODE_A;
	r.issued = NOW;
	r.time = NOW - 1000;
	r.end = NOW + 1800000;
	r.addr = address_of(addr);
	r.tls = 1;
	r.user_len = (uint8_t)strlen(user);
	memcpy(r.user, user, r.user_len);
	memcpy(r.server, "dovecot", sizeof("dovecot"));
	return r;
}

static inline struct replica_record revoke_record(
    const char *addr, const char *user)
{
	struct replica_record r;

	memset(&r, 0, sizeof(r));
	r.kind = REPLICA_REVOKE;
	r.node = NODE_A;
	r.sequence = 7;
	r.issued = NOW;
	r.time = NOW - 1000;
	r.end = NOW + 1800000;
	if (addr)
		r.addr = address_of(addr);
	r.user_len = (uint8_t)strlen(user);
	memcpy(r.user, user, r.user_len);
	return r;
}

/* Any text with the signature that it would have. Returns its length. */
static inline size_t sign(
    const char *body, size_t len, const char *secret, char *out, size_t size)
{
	uint8_t mac[HMAC_SIZE];

	must(len + 5 + sizeof(mac) * 2 < size);
	hmac_sha256(secret, strlen(secret), body, len, mac);
	memcpy(out, body, len);
	memcpy(out + len, " mac=", 5);
	len += 5;
	for (size_t i = 0; i < sizeof(mac); i++)
		len += (size_t)snprintf(out + len, size - len, "%02x", mac[i]);
	return len;
}

/* 64 bits of a sequence that is the same in each run. */
static inline uint64_t random_of(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}
#endif
