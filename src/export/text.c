/* SPDX-License-Identifier: ISC */
/*
 * text - the export kind "text": a file with one line for each leased address,
 * in the form that the program wants that reads it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "format.h"
#include "whole.h"

/*
 * OpenSMTPD guesses from the first entry, once at its start, what a list is: it
 * refuses to start when that is IPv6, or when there is none. So the first is
 * always this one, which no client has: it is kept for documentation.
 */
#define OPENSMTPD_FIRST "192.0.2.255"

static const struct style {
	const char *format, *first;
} styles[] = {
	/* the order of the option's words */
	{ "%a", NULL },
	{ "%a OK", NULL },
	{ "%a", OPENSMTPD_FIRST },
	{ "%q", NULL },
	{ "%d", NULL },
	{ "%c\tallow,RELAYCLIENT", NULL },
	{ "%4:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\"\t%t", NULL },
	{ "Connect:%s\tRELAY", NULL },
};

static const struct option text_options[] = { WHOLE_OPTIONS,
	{ "style", OPTION_CHOICE, "plain", 0, 0,
	    "plain|cidr|opensmtpd|relayhosts|pophosts|smtpaccess|open-smtp|"
	    "access",
	    "The lines: addresses alone (plain), Postfix cidr tables (cidr), "
	    "OpenSMTPD file tables (opensmtpd), Exim net-iplsearch "
	    "(relayhosts) or net-lsearch (pophosts) lists, Courier's "
	    "smtpaccess, vpopmail's open-smtp, or Sendmail's access." },
	{ "format", OPTION_STRING, "", 0, 0, NULL,
	    "The line itself instead of the style's: %a address or network, "
	    "%h address of a host, %4 of IPv4, %q, %d, %c, %s as the styles "
	    "relayhosts, "
	    "pophosts, smtpaccess and access have it, %u user, %e end, %t "
	    "last login." },
	{ "header", OPTION_LIST, "", 0, 0, NULL,
	    "Lines that stand before those of the leases." },
	WHOLE_STATIC_OPTION(
	    "A file whose lines stand before those of the leases, too. It is "
	    "read again when it has changed."),
	OPTION_END };

struct export
{
	const struct conf_section *conf;
	const struct style *style;
	const char *format;
	struct whole *whole;
};

static void put_line(struct target *target, const char *line)
{
	target_put(target, line, strlen(line));
	target_put(target, "\n", 1);
}

static void put_static(struct target *target, const struct whole *whole)
{
	size_t len;
	const char *text = whole_static(whole, &len);

	target_put(target, text, len);
	/* A lease must not become the end of its last line. */
	if (len && text[len - 1] != '\n')
		target_put(target, "\n", 1);
}

static int write_text(
    void *ctx, const struct roll *roll, struct target *target, struct err *err)
{
	const struct export *e = ctx;
	char line[FORMAT_LINE_MAX];

	(void)err;
	if (e->style->first)
		put_line(target, e->style->first);
	for (size_t i = 0; i < conf_list_size(e->conf, "header"); i++)
		put_line(target, conf_list_at(e->conf, "header", i));
	put_static(target, e->whole);
	for (size_t i = 0; i < roll_count(roll); i++) {
		size_t len = format_print(e->format, roll_at(roll, i), line);

		if (!len)
			continue;
		target_put(target, line, len);
		target_put(target, "\n", 1);
	}
	return 0;
}

static const char *format_of(const struct conf_section *conf)
{
	const char *format = conf_string(conf, "format");

	return *format ? format : styles[conf_number(conf, "style")].format;
}

static int text_check(const struct conf_section *conf, struct err *err)
{
	struct err why = { 0 };

	if (format_check(format_of(conf), &why) < 0)
		return conf_wrong(conf, err, "%s", why.text);
	return whole_check(conf, err);
}

static struct export *text_open(const struct export_env *env,
    const struct conf_section *conf, struct err *err)
{
	struct export *e = xcalloc(1, sizeof(*e));
	struct whole_kind kind = { .write = write_text, .ctx = e };

	e->conf = conf;
	e->style = &styles[conf_number(conf, "style")];
	e->format = format_of(conf);
	kind.users = format_has(e->format, 'u');
	kind.details = kind.users || format_has(e->format, 'e') ||
		       format_has(e->format, 't');
	if (text_check(conf, err) == 0)
		e->whole = whole_open(env, conf, &kind, err);
	if (e->whole)
		return e;
	free(e);
	return NULL;
}

static void text_start(struct export *e, uv_loop_t *loop)
{
	whole_start(e->whole, loop);
}

static void text_apply(struct export *e, const struct export_slice *slice)
{
	whole_apply(e->whole, slice);
}

static void text_close(struct export **ep)
{
	if (*ep)
		whole_close(&(*ep)->whole);
	free(*ep);
	*ep = NULL;
}

const struct export_kind export_text = {
	.name = "text",
	.help = "Keeps a text file with a line for each leased address.",
	.role = ROLE_WRITER,
	.options = text_options,
	.whole = true,
	.needs = whole_needs,
	.check = text_check,
	.look = whole_look,
	.open = text_open,
	.start = text_start,
	.apply = text_apply,
	.close = text_close,
};
