/* SPDX-License-Identifier: ISC */
/*
 * drac_allow - dracd.allow, the file that names the mail servers that may add
 * addresses: lines "NETMASK ADDRESS", the mask first, read as rpc.dracd(8) read
 * them. Called by: drac.c.
 */
#ifndef SOURCE_DRAC_ALLOW_H
#define SOURCE_DRAC_ALLOW_H
#include "base/addr.h"
#include "base/err.h"

enum { DRAC_ALLOW_LINE_MAX = 127, DRAC_ALLOW_RULES_MAX = 4096 };

enum drac_allow_line {
	DRAC_LINE_RULE = 0,
	DRAC_LINE_EMPTY, /* blank, or "#" in the first column */
	DRAC_LINE_BAD    /* gives nothing */
};

/* A caller is allowed when (his address & mask) == addr, all in host order. Any
 * mask will do: it need not be a prefix. */
struct drac_rule {
	uint32_t mask, addr;
};

/* One line without its LF. Pure. */
enum drac_allow_line drac_allow_parse(
    const char *line, size_t len, struct drac_rule *out);

struct drac_allow;

/*
 * Reads the file; lines that give nothing are logged under the name of the
 * source, if it is not NULL. NULL and *err (EXIT_USER) when it cannot be read,
 * when it is not a file, or when everybody may write to it.
 */
struct drac_allow *drac_allow_read(
    const char *path, const char *source, struct err *err);
void drac_allow_free(struct drac_allow **a);
/* Callers over IPv6 are never in it. */
bool drac_allow_has(const struct drac_allow *a, const struct addr *caller);
size_t drac_allow_count(const struct drac_allow *a);
#endif
