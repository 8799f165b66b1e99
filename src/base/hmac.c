/* SPDX-License-Identifier: ISC */
/*
 * hmac - libnettle behind one function.
 */
#include "hmac.h"

#include <nettle/hmac.h>
#include <string.h>

_Static_assert(HMAC_SIZE == SHA256_DIGEST_SIZE, "HMAC-SHA-256");

void hmac_sha256(const void *key, size_t key_len, const void *bytes, size_t len,
    uint8_t out[static HMAC_SIZE])
{
	struct hmac_sha256_ctx ctx;

	hmac_sha256_set_key(&ctx, key_len, key);
	hmac_sha256_update(&ctx, len, bytes);
	hmac_sha256_digest(&ctx, HMAC_SIZE, out);
	explicit_bzero(&ctx, sizeof(ctx));
}
