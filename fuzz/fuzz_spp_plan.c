/* SPDX-License-Identifier: ISC */
/*
 * fuzz_spp_plan - any bytes as control/smtpplugins. A plan written anew, with
 * the name of its section before each plugin, reads back to the same; and no
 * plugin runs that has no line of its own behind a '['.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "smtp/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_command(const struct spp_plan *plan, size_t i, size_t size)
{
	const struct spp_plugin *p = &plan->plugins[i];
	size_t len = strlen(p->command);

	must(p->command >= plan->text && p->command + len <= plan->text + size);
	must(!strchr(p->command, '\n') && (unsigned)p->section < SPP_SECTIONS);
	must(len == 0 || !strchr(" \t", p->command[len - 1]));
	must(p->shell || (len > 0 && !strchr("#[:", p->command[0])));
	must(spp_plan_has(plan, p->section));
	must(memchr(plan->text, '[', (size_t)(p->command - plan->text)));
}

/* Lines of the file, counted without the parser's help. */
static size_t count_lines(const uint8_t *data, size_t size)
{
	size_t lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n' || data[i] == '\0';
	return lines;
}

static void check_back(const struct spp_plan *plan)
{
	struct spp_plan back;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	must(f != NULL);
	for (size_t i = 0; i < plan->count; i++)
		(void)fprintf(f, "[%s]\n%s%s\n",
		    spp_section_name(plan->plugins[i].section),
		    plan->plugins[i].shell ? ":" : "",
		    plan->plugins[i].command);
	must(fclose(f) == 0);
	text = xrealloc(text, len + 1, 1);
	spp_plan_parse(text, len, &back);
	must(back.count == plan->count);
	for (size_t i = 0; i < plan->count; i++) {
		must(back.plugins[i].section == plan->plugins[i].section);
		must(back.plugins[i].shell == plan->plugins[i].shell);
		must(strcmp(back.plugins[i].command,
			 plan->plugins[i].command) == 0);
	}
	spp_plan_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xmalloc(size + 1);
	struct spp_plan plan;

	if (size > 0)
		memcpy(text, data, size);
	spp_plan_parse(text, size, &plan);
	must(plan.count < count_lines(data, size));
	for (size_t i = 0; i < plan.count; i++)
		check_command(&plan, i, size);
	check_back(&plan);
	spp_plan_free(&plan);
	return 0;
}
