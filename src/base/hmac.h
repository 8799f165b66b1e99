/* SPDX-License-Identifier: ISC */
/*
 * hmac - HMAC-SHA-256 (RFC 2104, FIPS 198-1), by libnettle.
 */
#ifndef BASE_HMAC_H
#define BASE_HMAC_H
#include <stddef.h>
#include <stdint.h>

enum { HMAC_SIZE = 32 };

/* Any lengths; pure. Compare with secret_equal(). */
void hmac_sha256(const void *key, size_t key_len, const void *bytes, size_t len,
    uint8_t out[static HMAC_SIZE]);
#endif
