/* SPDX-License-Identifier: ISC */
/*
 * conf_tables - a small schema with every type of option, and what the tests of
 * the configuration reader share. Included by test_conf.c and test_scan.c.
 */
#ifndef TESTS_UNIT_CONF_TABLES_H
#define TESTS_UNIT_CONF_TABLES_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"

static const struct option lease_rows[] = {
	{ "ttl", OPTION_DURATION, "30m", 1000, 31536000000, NULL, "How long." },
	{ "prefix", OPTION_INT, "128", 32, 128, NULL, "How wide." },
	{ "mode", OPTION_CHOICE, "enforce", 0, 0, "enforce|observe|off",
	    "What is done." },
	{ "tls", OPTION_BOOL, "no", 0, 0, NULL, "Only over TLS." },
	{ "map", OPTION_SIZE, "64M", 4096, 1099511627776, NULL, "How large." },
	{ "never", OPTION_NETS, "192.0.2.80 10.9.", 0, 0, NULL, "Nobody." },
	{ "users", OPTION_LIST, "", 0, 0, NULL, "Who." },
	{ "directory", OPTION_PATH, "/var/lib/x", 0, 0, NULL, "Where." },
	{ "extra", OPTION_PATH, "", 0, 0, NULL, "Where else." },
	{ "note", OPTION_STRING, "", 0, 0, NULL, "Any text." },
	OPTION_END,
};
static const struct option file_rows[] = {
	{ "path", OPTION_LIST, NULL, 0, 0, NULL, "What is read." },
	{ "owner", OPTION_STRING, "root", 0, 0, NULL, "Whose it is." },
	OPTION_END,
};
static const struct option fifo_rows[] = {
	{ "path", OPTION_PATH, NULL, 0, 0, NULL, "What is read." },
	{ "drain", OPTION_BOOL, "yes", 0, 0, NULL, "Always." },
	OPTION_END,
};
static const struct conf_kind file_kind = { "file", "A file.", file_rows };
static const struct conf_kind fifo_kind = { "fifo", "A fifo.", fifo_rows };
static const struct conf_kind *const source_kinds[] = { &file_kind, &fifo_kind,
	NULL };
static const struct option source_rows[] = {
	{ "weight", OPTION_INT, "1", 0, 0, NULL, "Any number." },
	OPTION_END,
};
static const struct conf_kind *const no_kinds[] = { NULL };
static const struct option no_rows[] = { OPTION_END };
static const struct conf_schema schema[] = {
	{ "lease", "The rules.", lease_rows, NULL },
	{ "source", "Where logins come from.", source_rows, source_kinds },
	{ "export", "Copies.", no_rows, no_kinds },
	{ 0 },
};

static struct conf *parse(const char *text, struct err *err)
{
	*err = (struct err){ 0 };
	return conf_parse(text, strlen(text), "t.conf", schema, err);
}

static struct conf *good(const char *text)
{
	struct err err;
	struct conf *c = parse(text, &err);

	if (c == NULL)
		fail_msg("refused: %s", err.text);
	return c;
}

#endif
