/* SPDX-License-Identifier: ISC */
/*
 * prom - metrics in the text format of Prometheus (exposition format 0.0.4).
 * Called by: daemon/gateway_metrics.c.
 */
#ifndef HTTP_PROM_H
#define HTTP_PROM_H
#include <stddef.h>
#include <stdint.h>

#define PROM_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct prom {
	char *text; /* release: free() */
	size_t len, size;
	const char *name; /* of the family */
};

struct prom_label {
	const char *name, *value; /* any value; quoted here */
};

/* Begins a family: its HELP and TYPE. All its samples follow. The strings are
 * constants; type: "counter", "gauge". */
void prom_family(
    struct prom *p, const char *name, const char *type, const char *help);
void prom_sample(struct prom *p, const struct prom_label *labels, size_t count,
    uint64_t value);
#endif
