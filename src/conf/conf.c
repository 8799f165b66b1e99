/* SPDX-License-Identifier: ISC */
/*
 * conf - reads a configuration: scan.c checks the shape of the text, libconfuse
 * takes it apart by option lists made of the schema, and the values are checked
 * by their rows here. libconfuse sees every option as a list of texts, so that
 * line and kind are known before a value is judged. After reading nothing of
 * libconfuse remains; looking things up is tree.c's.
 */
#include "conf.h"

#include <confuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mistake.h"
#include "scan.h"
#include "sections.h"
#include "tree.h"
#include "value.h"

/* One value of the file, kept by libconfuse for us. */
struct item {
	int line;
	char text[];
};

struct reader {
	const char *name;
	const struct conf_schema *schema;
	const struct scan *scan;
	struct conf *conf;
	struct err *err;
	bool told; /* err is filled: the first mistake stays */
};

/* libconfuse passes no context to its error function. Set while it parses. */
static struct reader *reading;

/* --- what libconfuse calls -------------------------------------------------
 */

static int take_item(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
	size_t size = strlen(text) + 1;
	struct item *item = xmalloc(sizeof(*item) + size);

	(void)opt;
	item->line = cfg->line;
	memcpy(item->text, text, size);
	*(struct item **)result = item;
	return 0;
}

static void list_row(void *ctx, const struct option *row)
{
	char(*out)[300] = ctx;

	listed(*out, sizeof(*out), row->name);
}

/* The kind that a section has named so far, or NULL. */
static const struct conf_kind *kind_of(
    const struct conf_schema *schema, cfg_t *section)
{
	struct item *item = cfg_getnptr(section, "kind", 0);

	for (size_t i = 0; item != NULL && schema->kinds[i] != NULL; i++)
		if (strcmp(schema->kinds[i]->name, item->text) == 0)
			return schema->kinds[i];
	return NULL;
}

static const struct conf_schema *schema_of(const char *word)
{
	const struct conf_schema *row = reading->schema;

	while (row->section != NULL && strcmp(row->section, word) != 0)
		row++;
	return row->section != NULL ? row : NULL;
}

/* "kind postfix-policy has no option 'x'; it has: ..." */
static int tell_unknown(const struct conf_schema *schema,
    const struct conf_kind *kind, const char *label, const char *option,
    int line)
{
	char has[300] = "", text[SHOWN_SIZE];

	shown(option, strlen(option), text);
	if (kind != NULL)
		listed(has, sizeof(has), "kind");
	tree_each_row(schema, kind, list_row, &has);
	if (schema->kinds == NULL)
		return mistake(reading->err, reading->name, line,
		    "%s: there is no option '%s'; there are: %s", label, text,
		    has);
	if (kind == NULL)
		return mistake(reading->err, reading->name, line,
		    "%s: no kind of %s has an option '%s'", label,
		    schema->section, text);
	return mistake(reading->err, reading->name, line,
	    "%s: kind %s has no option '%s'; it has: %s", label, kind->name,
	    text, has);
}

/* "no such option '...'" is all that scan.c leaves libconfuse to complain of;
 * anything else is passed on as it is. */
__attribute__((format(printf, 2, 0))) static void complain(
    cfg_t *cfg, const char *format, va_list ap)
{
	static const char unknown[] = "no such option '";
	char text[SCAN_VALUE_MAX + 64], label[LABEL_SIZE];
	const struct conf_schema *schema = schema_of(cfg->name);
	size_t len;

	if (reading->told)
		return;
	reading->told = true;
	vsnprintf(text, sizeof(text), format, ap);
	len = strlen(text);
	tree_label(cfg->name, cfg->title != NULL ? cfg->title : "", label);
	if (schema == NULL ||
	    strncmp(text, unknown, sizeof(unknown) - 1) != 0) {
		mistake(reading->err, reading->name, cfg->line, "%s", text);
		return;
	}
	text[len - 1] = '\0';
	tell_unknown(schema,
	    schema->kinds != NULL ? kind_of(schema, cfg) : NULL, label,
	    text + sizeof(unknown) - 1, cfg->line);
}

/* --- option lists for libconfuse -------------------------------------------
 */

struct names {
	cfg_opt_t *opts;
	size_t count, room;
};

/* Kinds may share names; libconfuse wants each once. */
static void add_name(void *ctx, const struct option *row)
{
	struct names *names = ctx;
	cfg_opt_t opt =
	    CFG_PTR_LIST_CB(row->name, NULL, CFGF_NODEFAULT, take_item, free);

	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->opts[i].name, row->name) == 0)
			return;
	if (names->count + 2 > names->room) {
		names->room = 2 * names->room + 32;
		names->opts =
		    xrealloc(names->opts, names->room, sizeof(*names->opts));
	}
	names->opts[names->count++] = opt;
	names->opts[names->count] = (cfg_opt_t)CFG_END();
}

/* Every option that any kind of this section has. */
static cfg_opt_t *section_options(const struct conf_schema *schema)
{
	static const struct option kind_row = { .name = "kind" };
	struct names names = { 0 };

	if (schema->kinds != NULL)
		add_name(&names, &kind_row);
	tree_each_row(schema, NULL, add_name, &names);
	for (size_t i = 0; schema->kinds && schema->kinds[i] != NULL; i++)
		tree_each_row(schema, schema->kinds[i], add_name, &names);
	must(names.count > 0);
	return names.opts;
}

static cfg_t *make_reader(const struct conf_schema *schema)
{
	size_t count = 0;
	cfg_opt_t *opts;
	cfg_t *cfg;

	while (schema[count].section != NULL)
		count++;
	opts = xcalloc(count + 1, sizeof(*opts));
	for (size_t i = 0; i < count; i++) {
		cfg_opt_t opt = CFG_SEC(schema[i].section, NULL,
		    schema[i].kinds == NULL
			? CFGF_NONE
			: CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);

		opt.subopts = section_options(&schema[i]);
		opts[i] = opt;
	}
	cfg = cfg_init(opts, CFGF_NONE);
	must(cfg != NULL);
	for (size_t i = 0; i < count; i++)
		free(opts[i].subopts);
	free(opts);
	cfg_set_error_function(cfg, complain);
	return cfg;
}

/* The number-th section of this word in the file. */
static const struct scan_section *scanned(
    const struct scan *scan, const char *word, size_t number)
{
	for (size_t i = 0; i < scan->count; i++)
		if (strcmp(scan->sections[i].word, word) == 0 && number-- == 0)
			return &scan->sections[i];
	return NULL;
}

/* --- values ----------------------------------------------------------------
 */

static int refuse_value(const struct reader *r, const struct conf_value *value,
    const struct item *item, const char *label)
{
	char found[SHOWN_SIZE], wanted[EXPECTED_SIZE];

	return mistake(r->err, r->name, item->line,
	    "%s: %s: found '%s', expected %s", label, value->row->name,
	    shown(item->text, strlen(item->text), found),
	    option_expects(value->row, wanted));
}

static int set_value(const struct reader *r, struct conf_value *value,
    cfg_opt_t *opt, int line, const char *label)
{
	unsigned count = cfg_opt_size(opt);

	tree_clear_value(value);
	value->set = true;
	if (!option_is_list(value->row) && count != 1)
		return mistake(r->err, r->name, line,
		    "%s: %s: found a list of %u, expected one value", label,
		    value->row->name, count);
	for (unsigned i = 0; i < count; i++) {
		const struct item *item = cfg_opt_getnptr(opt, i);

		if (!value_parse(value->row, item->text, &value->number))
			return refuse_value(r, value, item, label);
		if (option_is_list(value->row))
			tree_add_item(value, item->text, strlen(item->text));
		else
			value->text = xstrdup(item->text);
	}
	return 0;
}

static int find_kind(const struct reader *r, const struct conf_schema *schema,
    cfg_t *cfg, int line, const char *label, const struct conf_kind **kind_r)
{
	const struct item *item = cfg_getnptr(cfg, "kind", 0);
	char has[300] = "";

	for (size_t i = 0; schema->kinds[i] != NULL; i++)
		listed(has, sizeof(has), schema->kinds[i]->name);
	if (item == NULL)
		return mistake(r->err, r->name, line,
		    "%s: kind is missing; there are: %s", label, has);
	*kind_r = kind_of(schema, cfg);
	if (*kind_r != NULL && cfg_size(cfg, "kind") == 1)
		return 0;
	return sections_no_kind(
	    schema, label, item->text, r->name, item->line, r->err);
}

static int set_values(const struct reader *r, struct conf_section *section,
    cfg_t *cfg, const char *label)
{
	cfg_opt_t *opt;

	for (unsigned i = 0; (opt = cfg_getnopt(cfg, i)) != NULL; i++) {
		const struct item *first = cfg_opt_getnptr(opt, 0);
		struct conf_value *value = tree_value(section, opt->name);
		int line = first != NULL ? first->line : section->line;

		if ((opt->flags & CFGF_MODIFIED) == 0 ||
		    (section->kind != NULL && strcmp(opt->name, "kind") == 0))
			continue;
		if (value == NULL)
			return tell_unknown(section->schema, section->kind,
			    label, opt->name, line);
		if (set_value(r, value, opt, line, label) != 0)
			return -1;
	}
	for (size_t i = 0; i < section->count; i++) {
		const struct conf_value *value = &section->values[i];
		char wanted[EXPECTED_SIZE];

		if (value->set || value->row->def != NULL)
			continue;
		return mistake(r->err, r->name, section->line,
		    "%s: %s is missing, expected %s", label, value->row->name,
		    option_expects(value->row, wanted));
	}
	return 0;
}

static int add_section(struct reader *r, const struct conf_schema *schema,
    cfg_t *cfg, const struct scan_section *place)
{
	const struct conf_kind *kind = NULL;
	struct conf_section *section;
	const char *title = place != NULL ? place->title : "";
	int line = place != NULL ? place->line : 0;
	char label[LABEL_SIZE];

	tree_label(schema->section, title, label);
	if (schema->kinds != NULL &&
	    find_kind(r, schema, cfg, line, label, &kind) != 0)
		return -1;
	section = &r->conf->sections[r->conf->count++];
	tree_init_section(section, schema, kind);
	section->line = line;
	snprintf(section->title, sizeof(section->title), "%s", title);
	return set_values(r, section, cfg, label);
}

static int add_sections(struct reader *r, cfg_t *cfg)
{
	for (const struct conf_schema *row = r->schema; row->section; row++) {
		unsigned count = cfg_size(cfg, row->section);

		for (unsigned i = 0; i < count; i++)
			if (add_section(r, row,
				cfg_getnsec(cfg, row->section, i),
				scanned(r->scan, row->section, i)) != 0)
				return -1;
	}
	return 0;
}

static int read_scanned(struct reader *r)
{
	cfg_t *cfg;
	size_t rows = 0;
	int rc;

	if (sections_check(r->scan, r->schema, r->name, r->err) != 0)
		return -1;
	while (r->schema[rows].section != NULL)
		rows++;
	r->conf->sections =
	    xcalloc(rows + r->scan->count + 1, sizeof(*r->conf->sections));
	cfg = make_reader(r->schema);
	rc = cfg_parse_buf(cfg, r->scan->clean);
	if (rc == CFG_SUCCESS && !r->told)
		rc = add_sections(r, cfg);
	else if (!r->told)
		rc = mistake(r->err, r->name, 0, "libconfuse refused it");
	else
		rc = -1;
	cfg_free(cfg);
	return rc;
}

struct conf *conf_parse(const char *text, size_t len, const char *name,
    const struct conf_schema *schema, struct err *err)
{
	struct scan *scan = xcalloc(1, sizeof(*scan));
	struct conf *conf = xcalloc(1, sizeof(*conf));
	struct reader r = { .name = name,
		.schema = schema,
		.scan = scan,
		.conf = conf,
		.err = err };

	must(reading == NULL);
	reading = &r;
	conf->schema = schema;
	if (scan_text(text, len, name, scan, err) != 0 || read_scanned(&r) != 0)
		conf_free(&conf);
	reading = NULL;
	scan_free(scan);
	free(scan);
	return conf;
}
