/* SPDX-License-Identifier: ISC */
/*
 * test_hmac - the test vectors of RFC 4231.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/hmac.h"
#include "base/mem.h"

enum { LONG_KEY = 131 };

static void gives(const void *key, size_t key_len, const void *text,
    size_t text_len, const char *want)
{
	uint8_t mac[HMAC_SIZE];
	char hex[2 * HMAC_SIZE + 1];

	hmac_sha256(key, key_len, text, text_len, mac);
	for (size_t i = 0; i < sizeof(mac); i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", mac[i]);
	assert_string_equal(hex, want);
}

static void test_hmac_gives_what_rfc_4231_says(void **state)
{
	static const char hi[] = "Hi There";
	static const char question[] = "what do ya want for nothing?";
	static const char large[] =
	    "Test Using Larger Than Block-Size Key - Hash Key First";
	uint8_t key[LONG_KEY], text[50];

	(void)state;
	memset(key, 0x0b, 20);
	gives(key, 20, hi, strlen(hi),
	    "b0344c61d8db38535ca8afceaf0bf12b"
	    "881dc200c9833da726e9376c2e32cff7");
	gives("Jefe", 4, question, strlen(question),
	    "5bdcc146bf60754e6a042426089575c7"
	    "5a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	memset(text, 0xdd, sizeof(text));
	gives(key, 20, text, sizeof(text),
	    "773ea91e36800e46854db8ebd09181a7"
	    "2959098b3ef8c122d9635514ced565fe");
	gives(key, sizeof(key), large, strlen(large),
	    "60e431591ee0b67f0d8a26aacbf5b77f"
	    "8e0bc6213728c5140546040f0ee37f54");
}

static void test_hmac_takes_nothing_at_all(void **state)
{
	(void)state;
	gives("", 0, "", 0,
	    "b613679a0814d9ec772f95d778c35fc5"
	    "ff1697c493715653c6c712144292c5ad");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hmac_gives_what_rfc_4231_says),
		cmocka_unit_test(test_hmac_takes_nothing_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
