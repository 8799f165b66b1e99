/* SPDX-License-Identifier: ISC */
/*
 * plan - see plan.h. Read once a session, by a program that starts for each:
 * one read, and one piece of memory for the text and one for the list.
 */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "file.h"

static const char *const names[SPP_SECTIONS] = {
	[SPP_CONNECTION] = "connection",
	[SPP_HELO] = "helo",
	[SPP_MAIL] = "mail",
	[SPP_RCPT] = "rcpt",
	[SPP_DATA] = "data",
	[SPP_AUTH] = "auth",
	[SPP_PASS] = "pass",
};

const char *spp_section_name(enum spp_section section)
{
	return names[section];
}

enum spp_section spp_section_of(char letter)
{
	unsigned s = 0;

	while (s < SPP_SECTIONS && names[s][0] != letter)
		s++;
	return (enum spp_section)s;
}

/* Puts NULs in place of what ends a line, and of the blanks before it. Returns
 * how many lines can hold a plugin. */
static size_t cut_lines(char *text, size_t len)
{
	size_t lines = 1;
	bool ends = true; /* only blanks up to the end of the line */

	text[len] = '\0';
	for (size_t i = len; i > 0; i--) {
		char *c = &text[i - 1];
		if (*c == '\n' || *c == '\0') {
			ends = true;
			lines++;
		} else if (*c != ' ' && *c != '\t') {
			ends = false;
		}
		if (ends)
			*c = '\0';
	}
	return lines;
}

void spp_plan_parse(char *text, size_t len, struct spp_plan *plan)
{
	enum spp_section section = SPP_SECTIONS;
	size_t lines = cut_lines(text, len);

	plan->text = text;
	plan->count = 0;
	plan->plugins = xcalloc(lines, sizeof(*plan->plugins));
	for (char *line = text; line < text + len; line += strlen(line) + 1) {
		if (*line == '[')
			section = spp_section_of(line[1]);
		else if (*line && *line != '#' && section != SPP_SECTIONS)
			plan->plugins[plan->count++] = (struct spp_plugin){
				.section = section,
				.shell = *line == ':',
				.command = *line == ':' ? line + 1 : line,
			};
	}
}

int spp_plan_read(const char *path, struct spp_plan *plan, struct err *err)
{
	size_t len;
	char *text = spp_file_read(path, SPP_PLAN_MAX, &len, err);

	*plan = (struct spp_plan){ 0 };
	if (!text)
		return -1;
	spp_plan_parse(text, len, plan);
	return 0;
}

void spp_plan_free(struct spp_plan *plan)
{
	free(plan->plugins);
	free(plan->text);
	*plan = (struct spp_plan){ 0 };
}

bool spp_plan_has(const struct spp_plan *plan, enum spp_section section)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->plugins[i].section == section)
			return true;
	return false;
}
