/* SPDX-License-Identifier: ISC */
/*
 * order - see order.h. Plugins echo what clients say, so nothing of a line may
 * become a second line anywhere: a reply, a header or an environment entry.
 */
#include "order.h"

#include <string.h>

struct verb {
	const char *letters;
	enum spp_verb verb;
	bool bare; /* what follows the letter does not count */
};

static const struct verb verbs[] = {
	{ "A", SPP_ACCEPT, true },
	{ "N", SPP_NEXT, true },
	{ "O", SPP_OK, true },
	{ "D", SPP_DROP, true },
	{ "E", SPP_ERROR, false },
	{ "R", SPP_REJECT, false },
	{ "LM", SPP_LATER_MAIL, false },
	{ "LR", SPP_LATER_RCPT, false },
	{ "LD", SPP_LATER_DATA, false },
	{ "S", SPP_SET, false },
	{ "U", SPP_UNSET, false },
	{ "H", SPP_HEADER, false },
	{ "C", SPP_ADDRESS, false },
	{ "P", SPP_PRINT, false },
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_graphic(char c)
{
	return c > ' ' && c < 0x7f;
}

static const struct verb *verb_of(const char *line, size_t len)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		size_t letters = strlen(verbs[i].letters);
		if (len >= letters &&
		    memcmp(line, verbs[i].letters, letters) == 0)
			return &verbs[i];
	}
	return NULL;
}

static void copy_clean(char *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = text[i] && !strchr("\r\n", text[i]) ? text[i] : ' ';
	out[len] = '\0';
}

/* The length of the name before a '=' or the end; 0: it is no good one. */
static size_t name_length(const char *text)
{
	size_t len = 0;

	while (is_graphic(text[len]) && text[len] != '=')
		len++;
	return text[len] == '=' || text[len] == '\0' ? len : 0;
}

/* "Name: text", or a blank and more of the header before it. */
static bool is_header(const char *text)
{
	size_t len = 0;

	if (is_blank(text[0]))
		return text[strspn(text, " \t")] != '\0';
	while (is_graphic(text[len]) && text[len] != ':')
		len++;
	return len > 0 && text[len] == ':';
}

static bool is_good(enum spp_verb verb, const char *text)
{
	size_t len = name_length(text);

	if (verb == SPP_SET)
		return len > 0 && text[len] == '=';
	if (verb == SPP_UNSET)
		return len > 0 && text[len] == '\0';
	return verb != SPP_HEADER || is_header(text);
}

void spp_order_read(const char *line, size_t len, struct spp_order *order)
{
	const struct verb *v;

	order->verb = SPP_NOTHING;
	order->text[0] = '\0';
	if (len > 0 && line[len - 1] == '\r')
		len--;
	v = verb_of(line, len);
	if (!v || len > SPP_ORDER_MAX)
		return;
	size_t letters = strlen(v->letters);
	if (!v->bare)
		copy_clean(order->text, line + letters, len - letters);
	if (is_good(v->verb, order->text))
		order->verb = v->verb;
	else
		order->text[0] = '\0';
}

bool spp_order_ends(enum spp_verb verb)
{
	return verb == SPP_ACCEPT || verb == SPP_NEXT || verb == SPP_OK ||
	       verb == SPP_ERROR || verb == SPP_REJECT || verb == SPP_DROP;
}
