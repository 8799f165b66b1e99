/* SPDX-License-Identifier: ISC */
/*
 * scan_sum - see the header.
 */
#include "scan_sum.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct row {
	char server[LOGIN_SERVER_MAX + 1];
	uint64_t logins, leases, logouts;
};

struct sum {
	uint64_t judged[JUDGE_COUNT];
	size_t count, last, size;
	struct row rows[];
};

struct sum *sum_new(size_t servers)
{
	struct sum *s = xcalloc(1, sizeof(*s) + servers * sizeof(struct row));

	s->size = servers;
	return s;
}

void sum_free(struct sum **s)
{
	free(*s);
	*s = NULL;
}

static struct row *row_of(struct sum *s, const struct login *l)
{
	/* Most lines are of the server that the line before was of. */
	for (size_t i = 0; i < s->count; i++) {
		size_t at = (s->last + i) % s->count;

		if (memcmp(s->rows[at].server, l->server, sizeof(l->server)) !=
		    0)
			continue;
		s->last = at;
		return &s->rows[at];
	}
	must(s->count < s->size);
	memcpy(s->rows[s->count].server, l->server, sizeof(l->server));
	return &s->rows[s->count++];
}

void sum_login(struct sum *s, const struct login *l, enum judgement j)
{
	struct row *r = row_of(s, l);

	if (l->kind == LOGIN_OUT) {
		r->logouts++;
		return;
	}
	r->logins++;
	r->leases += j == JUDGE_LEASE;
	s->judged[j]++;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(
	    ((const struct row *)a)->server, ((const struct row *)b)->server);
}

static void print_rows(const struct sum *s, FILE *out)
{
	size_t width = strlen("SERVER");

	for (size_t i = 0; i < s->count; i++)
		if (strlen(s->rows[i].server) > width)
			width = strlen(s->rows[i].server);
	fprintf(out, "%-*s  %12s  %12s  %12s\n", (int)width, "SERVER", "LOGINS",
	    "LEASES NOW", "LOGOUTS");
	for (size_t i = 0; i < s->count; i++)
		fprintf(out, "%-*s  %12llu  %12llu  %12llu\n", (int)width,
		    s->rows[i].server, (unsigned long long)s->rows[i].logins,
		    (unsigned long long)s->rows[i].leases,
		    (unsigned long long)s->rows[i].logouts);
}

/* Why logins make no lease, in the words of --json. */
static void print_reasons(const struct sum *s, FILE *out)
{
	const char *before = "logins that make no lease now: ";

	for (int j = JUDGE_LEASE + 1; j < JUDGE_COUNT; j++) {
		if (!s->judged[j])
			continue;
		fprintf(out, "%s%llu %s", before,
		    (unsigned long long)s->judged[j],
		    rules_reason((enum judgement)j));
		before = ", ";
	}
	if (*before == ',')
		fputs("\n", out);
	if (s->judged[JUDGE_OLD])
		fputs("  (too-old: by the clock of now; --now TIME judges by "
		      "another)\n",
		    out);
}

void sum_print(const struct sum *s, FILE *out)
{
	struct sum *sorted;

	if (!s->count) {
		fputs("No login and no logout of a server that relaypass "
		      "knows; `relaypass patterns list`\nnames them.\n",
		    out);
		return;
	}
	sorted = sum_new(s->size);
	memcpy(sorted, s, sizeof(*s) + s->count * sizeof(s->rows[0]));
	qsort(sorted->rows, sorted->count, sizeof(sorted->rows[0]), by_name);
	print_rows(sorted, out);
	print_reasons(s, out);
	free(sorted);
}
