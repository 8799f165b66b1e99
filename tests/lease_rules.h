/* SPDX-License-Identifier: ISC */
/*
 * lease_rules - rules from the text of a lease section, for tests: the option
 * table is the real one, without the sections that tests of rules do not need.
 */
#ifndef TESTS_LEASE_RULES_H
#define TESTS_LEASE_RULES_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "login/rules.h"

#define OPTION_relaypass(...)
#define OPTION_lease(name, type, def, min, max, choices, help)                 \
	{ name, type, def, min, max, choices, help },
#define OPTION(section, ...) OPTION_##section(__VA_ARGS__)
static const struct option lease_test_options[] = {
#include "conf/options.def"
	OPTION_END
};
#undef OPTION

static const struct conf_schema lease_test_schema[] = {
	{ .section = "lease", .help = "", .options = lease_test_options },
	{ .section = NULL }
};

/* Rules of "lease { ... }"; own (may be NULL): this host's addresses. */
static inline struct rules *rules_from(
    const char *text, const struct addr *own, size_t own_count)
{
	struct err err = { 0 };
	struct conf *c =
	    conf_parse(text, strlen(text), "test", lease_test_schema, &err);
	struct rules *r;

	if (!c) {
		(void)fprintf(stderr, "%s\n", err.text);
		abort();
	}
	r = rules_new(conf_at(c, "lease", 0), own, own_count);
	conf_free(&c);
	return r;
}

static inline struct addr address(const char *text)
{
	struct addr a;

	must(addr_parse(text, strlen(text), &a));
	return a;
}
#endif
