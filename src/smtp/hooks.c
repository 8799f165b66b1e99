/* SPDX-License-Identifier: ISC */
/*
 * hooks - see hooks.h. An order takes effect when it is read, but for those
 * that end the reading: they wait for the plugin's own end, as a plugin that
 * fails has one reply to its command, 451.
 */
#include "hooks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "order.h"
#include "plugin.h"

enum {
	LATER_MAX = 16384,   /* bytes of the messages of a section */
	HEADERS_MAX = 65536, /* of all headers */
	NAME_MAX_SHOWN = 400 /* of a plugin: a reply has 512 (RFC 5321) */
};

/* Lines, each with CRLF. */
struct text {
	char *bytes;
	size_t len;
};

enum { LATER_MAIL, LATER_RCPT, LATER_DATA, LATERS };

struct spp_hooks {
	struct spp_hooks_env env;
	bool off; /* A */
	bool hosts_ok, relayclient_said;
	unsigned long accepted, all;
	struct text later[LATERS], headers;
};

/* One plugin's run. */
struct turn {
	struct spp_hooks *h;
	enum spp_section section;
	struct spp_address *address;
	struct spp_order order; /* the last */
	const char *trouble;    /* NULL: none */
};

struct spp_hooks *spp_hooks_new(const struct spp_hooks_env *env)
{
	struct spp_hooks *h = xcalloc(1, sizeof(*h));

	h->env = *env;
	return h;
}

static void forget(struct text *t)
{
	free(t->bytes);
	*t = (struct text){ 0 };
}

void spp_hooks_reset(struct spp_hooks *h)
{
	for (size_t i = 0; i < LATERS; i++)
		forget(&h->later[i]);
	forget(&h->headers);
	h->accepted = h->all = 0;
}

void spp_hooks_free(struct spp_hooks **hp)
{
	struct spp_hooks *h = take_ptr(hp);

	if (!h)
		return;
	spp_hooks_reset(h);
	free(h);
}

void spp_hooks_rcpt(struct spp_hooks *h, bool hosts_ok)
{
	h->hosts_ok = hosts_ok;
}

void spp_hooks_rcpt_accepted(struct spp_hooks *h)
{
	h->accepted++;
}

bool spp_hooks_relayclient_said(const struct spp_hooks *h)
{
	return h->relayclient_said;
}

const char *spp_hooks_headers(const struct spp_hooks *h, size_t *len)
{
	*len = h->headers.len;
	return h->headers.bytes ? h->headers.bytes : "";
}

/* False: there is no room. */
static bool add_line(struct text *t, const char *line, size_t max)
{
	size_t len = strlen(line);

	if (t->len + len + 2 > max)
		return false;
	t->bytes = xrealloc(t->bytes, t->len + len + 3, 1);
	memcpy(t->bytes + t->len, line, len);
	memcpy(t->bytes + t->len + len, "\r\n", 3);
	t->len += len + 2;
	return true;
}

static void say(const struct spp_hooks *h, const char *line)
{
	char whole[SPP_ORDER_MAX + 3];
	size_t len = strlen(line);

	must(len <= SPP_ORDER_MAX);
	memcpy(whole, line, len + 1);
	memcpy(whole + len, "\r\n", 3);
	h->env.say(h->env.ctx, whole, len + 2);
}

/* Says what was stored for this section. False: there is nothing. */
static bool say_later(const struct spp_hooks *h, enum spp_section section)
{
	const struct text *t = section == SPP_MAIL   ? &h->later[LATER_MAIL]
			       : section == SPP_RCPT ? &h->later[LATER_RCPT]
			       : section == SPP_DATA ? &h->later[LATER_DATA]
						     : NULL;

	if (!t || t->len == 0)
		return false;
	for (const char *line = t->bytes; *line;) {
		const char *end = strchr(line, '\n') + 1;
		h->env.say(h->env.ctx, line, (size_t)(end - line));
		line = end;
	}
	return true;
}

/* The variable that follows the section's address; NULL: it has none. */
static const char *address_variable(enum spp_section section)
{
	if (section == SPP_MAIL)
		return "SMTPMAILFROM";
	return section == SPP_RCPT || section == SPP_PASS ? "SMTPRCPTTO" : NULL;
}

static bool set_number(struct spp_vars *v, const char *name, unsigned long n)
{
	char text[3 * sizeof(n) + 1];

	(void)snprintf(text, sizeof(text), "%lu", n);
	return spp_vars_set(v, name, text);
}

static bool set_address(struct spp_hooks *h, enum spp_section section,
    const struct spp_address *address)
{
	const char *name = address_variable(section);

	return !name || !address ||
	       spp_vars_set(h->env.vars, name, address->text);
}

/* Counts, and sets the variables. False: there is no room for them. */
static bool prepare(struct spp_hooks *h, enum spp_section section,
    const struct spp_address *address)
{
	struct spp_vars *v = h->env.vars;

	if (!v)
		return true;
	if (section == SPP_MAIL)
		h->accepted = h->all = 0;
	if (section == SPP_RCPT &&
	    (!set_number(v, "SMTPRCPTCOUNT", h->accepted) ||
		!set_number(v, "SMTPRCPTCOUNTALL", ++h->all) ||
		!spp_vars_set(v, "SMTPRCPTHOSTSOK", h->hosts_ok ? "1" : "0")))
		return false;
	return set_address(h, section, address);
}

/* S and U. */
static void change_variable(struct turn *t)
{
	char *name = t->order.text, *value = strchr(name, '=');
	struct spp_vars *v = t->h->env.vars;

	if (value)
		*value++ = '\0';
	if (value && !spp_vars_set(v, name, value))
		t->trouble = "set too many variables";
	if (!value)
		spp_vars_unset(v, name);
	if (strcmp(name, "RELAYCLIENT") == 0)
		t->h->relayclient_said = true;
}

static void change_address(struct turn *t)
{
	struct spp_address new;

	if (!t->address || !address_variable(t->section))
		return;
	if (!spp_address_set(t->order.text, strlen(t->order.text), &new)) {
		t->trouble = "gave no address";
		return;
	}
	*t->address = new;
	if (!set_address(t->h, t->section, t->address))
		t->trouble = "set too many variables";
}

static void store(struct turn *t, struct text *to, size_t max)
{
	if (!add_line(to, t->order.text, max))
		t->trouble = "wrote too much";
}

/* RFC 5321, 4.5.2: the server takes a dot away. */
static void store_header(struct turn *t)
{
	char line[SPP_ORDER_MAX + 1];
	bool dot = t->order.text[0] == '.';

	(void)snprintf(
	    line, sizeof(line), "%s%s", dot ? "." : "", t->order.text);
	if (!add_line(&t->h->headers, line, HEADERS_MAX))
		t->trouble = "wrote too much";
}

static void obey(struct turn *t)
{
	struct spp_hooks *h = t->h;

	switch (t->order.verb) {
	case SPP_LATER_MAIL:
		store(t, &h->later[LATER_MAIL], LATER_MAX);
		break;
	case SPP_LATER_RCPT:
		store(t, &h->later[LATER_RCPT], LATER_MAX);
		break;
	case SPP_LATER_DATA:
		store(t, &h->later[LATER_DATA], LATER_MAX);
		break;
	case SPP_SET:
	case SPP_UNSET:
		change_variable(t);
		break;
	case SPP_HEADER:
		/* What goes on with the one before needs one. */
		if (h->headers.len > 0 || !strchr(" \t", t->order.text[0]))
			store_header(t);
		break;
	case SPP_ADDRESS:
		change_address(t);
		break;
	case SPP_PRINT:
		say(h, t->order.text);
		break;
	case SPP_NOTHING:
	case SPP_ACCEPT:
	case SPP_NEXT:
	case SPP_OK:
	case SPP_ERROR:
	case SPP_REJECT:
	case SPP_DROP:
		break; /* when the plugin has ended */
	}
}

static enum spp_line_wish take_line(void *ctx, const char *line, size_t len)
{
	struct turn *t = ctx;

	spp_order_read(line, len, &t->order);
	obey(t);
	if (t->trouble)
		return SPP_LINE_BAD;
	return spp_order_ends(t->order.verb) ? SPP_LINE_LAST : SPP_LINE_MORE;
}

/* What its line in the file may be wrong in. */
static const char *hint(const struct spp_plugin *p, int error)
{
	if (error != ENOENT || p->shell)
		return "";
	if (strchr(p->command, '\r'))
		return ", as its line ends in CR LF";
	return strchr(p->command, ' ')
		   ? ", as arguments want a colon before the line"
		   : "";
}

/* error: errno of a plugin that was not run, or 0. */
static void log_trouble(
    const struct turn *t, const struct spp_plugin *p, int error)
{
	char about[SPP_ORDER_MAX];

	(void)snprintf(about, sizeof(about), "%.*s%s%s%s", NAME_MAX_SHOWN,
	    p->command, error ? ": " : "", error ? strerror(error) : "",
	    hint(p, error));
	t->h->env.log(t->h->env.ctx, t->trouble, about);
}

/* The client's 451. */
static void tell_trouble(
    const struct spp_hooks *h, const struct spp_plugin *p, const char *what)
{
	char line[512], name[NAME_MAX_SHOWN + 1];
	size_t len = strnlen(p->command, NAME_MAX_SHOWN);

	for (size_t i = 0; i < len; i++)
		name[i] = p->command[i] < ' ' || p->command[i] > '~'
			      ? '?'
			      : p->command[i];
	name[len] = '\0';
	(void)snprintf(line, sizeof(line),
	    "451 qmail-spp failure: %s%s: %s (#4.3.0)", p->shell ? ":" : "",
	    name, what);
	say(h, line);
}

/* What ended the reading. False: nothing did; the next plugin is to run. */
static bool result_of(struct turn *t, enum spp_result *result)
{
	static const enum spp_result results[] = { [SPP_ACCEPT] = SPP_GO,
		[SPP_NEXT] = SPP_GO,
		[SPP_OK] = SPP_GO_UNCHECKED,
		[SPP_ERROR] = SPP_REFUSE,
		[SPP_REJECT] = SPP_LEAVE,
		[SPP_DROP] = SPP_LEAVE };
	enum spp_verb verb = t->order.verb;

	if (!spp_order_ends(verb))
		return false;
	if (verb == SPP_ERROR || verb == SPP_REJECT)
		say(t->h, t->order.text);
	if (verb == SPP_ACCEPT)
		t->h->off = true;
	*result = results[verb];
	return true;
}

/* False: the next plugin is to run. */
static bool run_one(struct turn *t, const struct spp_plugin *p, int64_t limit,
    enum spp_result *result)
{
	t->order.verb = SPP_NOTHING;
	t->trouble = NULL;
	enum spp_end end = spp_plugin_run(
	    p, spp_vars_environ(t->h->env.vars), limit, take_line, t);
	const int error = end == SPP_NOT_RUN ? errno : 0;

	if (end != SPP_ENDED && !t->trouble)
		t->trouble = spp_end_text(end);
	if (t->trouble)
		log_trouble(t, p, error);
	/* Who throws the client out gets his will in any case. */
	if (t->trouble && t->order.verb != SPP_REJECT &&
	    t->order.verb != SPP_DROP) {
		tell_trouble(t->h, p, t->trouble);
		*result = SPP_REFUSE;
		return true;
	}
	return result_of(t, result);
}

/* A of one of them ends this, too. */
static enum spp_result run_all(
    struct spp_hooks *h, enum spp_section section, struct spp_address *address)
{
	const struct spp_plan *plan = h->env.plan;
	enum spp_result result = SPP_GO;
	struct turn t;

	t.h = h;
	t.section = section;
	t.address = address;
	for (size_t i = 0; !h->off && i < plan->count; i++)
		if (plan->plugins[i].section == section &&
		    run_one(&t, &plan->plugins[i], h->env.limit, &result))
			break;
	return result;
}

enum spp_result spp_hooks_run(
    struct spp_hooks *h, enum spp_section section, struct spp_address *address)
{
	if (say_later(h, section))
		return SPP_REFUSE;
	if (!prepare(h, section, address)) {
		say(h, "451 qmail-spp failure: too many variables (#4.3.0)");
		h->env.log(h->env.ctx, "too many variables", "");
		return SPP_REFUSE;
	}
	return h->env.plan ? run_all(h, section, address) : SPP_GO;
}
