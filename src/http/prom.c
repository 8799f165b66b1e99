/* SPDX-License-Identifier: ISC */
/*
 * prom - metrics in the text format of Prometheus.
 */
#include "prom.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST = 4096, NUMBER = 32 };

static void put(struct prom *p, const char *text, size_t len)
{
	if (p->len + len > p->size) {
		p->size = 2 * (p->len + len) + FIRST;
		p->text = xrealloc(p->text, p->size, 1);
	}
	memcpy(p->text + p->len, text, len);
	p->len += len;
}

static void puts_to(struct prom *p, const char *text)
{
	put(p, text, strlen(text));
}

static void put_label(struct prom *p, const struct prom_label *l)
{
	puts_to(p, l->name);
	puts_to(p, "=\"");
	for (const char *at = l->value; *at; at++) {
		if (*at == '\n')
			puts_to(p, "\\n");
		else if (*at == '\\' || *at == '"')
			put(p, (const char[]){ '\\', *at }, 2);
		else
			put(p, at, 1);
	}
	puts_to(p, "\"");
}

void prom_family(
    struct prom *p, const char *name, const char *type, const char *help)
{
	p->name = name;
	puts_to(p, "# HELP ");
	puts_to(p, name);
	puts_to(p, " ");
	puts_to(p, help);
	puts_to(p, "\n# TYPE ");
	puts_to(p, name);
	puts_to(p, " ");
	puts_to(p, type);
	puts_to(p, "\n");
}

void prom_sample(struct prom *p, const struct prom_label *labels, size_t count,
    uint64_t value)
{
	char number[NUMBER];

	puts_to(p, p->name);
	for (size_t i = 0; i < count; i++) {
		puts_to(p, i ? "," : "{");
		put_label(p, &labels[i]);
	}
	(void)snprintf(number, sizeof(number), "%s %llu\n", count ? "}" : "",
	    (unsigned long long)value);
	puts_to(p, number);
}
