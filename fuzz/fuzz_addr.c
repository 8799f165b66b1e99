/* SPDX-License-Identifier: ISC */
/*
 * fuzz_addr - any bytes to the address and network parsers. What is taken must
 * print and read back as the same, and inet_pton(3) must agree.
 */
#include <arpa/inet.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"
#include "base/special.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool judge(const char *text, size_t len, struct addr *out)
{
	char copy[64];

	memset(out, 0, sizeof(*out));
	if (len >= sizeof(copy) || memchr(text, '\0', len))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, out->bytes + 12) == 1) {
		out->bytes[10] = out->bytes[11] = 0xff;
		return true;
	}
	memset(out, 0, sizeof(*out));
	return inet_pton(AF_INET6, copy, out->bytes) == 1;
}

static void try_addr(const char *text, size_t len)
{
	char printed[ADDR_TEXT_SIZE];
	struct addr a, theirs, back;
	bool good = addr_parse(text, len, &a);

	must(good == judge(text, len, &theirs));
	if (!good)
		return;
	must(addr_equal(&a, &theirs));
	must(addr_parse(printed, addr_print(&a, printed), &back));
	must(addr_equal(&a, &back));
	/* Nothing that could be nobody's customer is ordinary. */
	if (special_find(&a, NULL) == SPECIAL_NONE)
		must(addr_is_ipv4(&a) || (a.bytes[0] & 0xe0) == 0x20);
}

static void try_net(const char *text, size_t len)
{
	char printed[NET_TEXT_SIZE];
	struct net n, back;

	if (!net_parse(text, len, &n))
		return;
	must(net_contains(&n, &n.addr));
	must(net_parse(printed, net_print(&n, printed), &back));
	must(n.bits == back.bits && addr_equal(&n.addr, &back.addr));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const void *text = data;

	try_addr(text, size);
	try_net(text, size);
	return 0;
}
