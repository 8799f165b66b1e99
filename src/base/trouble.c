/* SPDX-License-Identifier: ISC */
/*
 * trouble - `told` is what the log knows, whatever status was shown since.
 */
#include "trouble.h"

#include <stdio.h>
#include <string.h>

/* All four words and the signs between them. */
enum { WORD_SIZE = 48 };

void trouble_init(struct trouble *t, enum log_event wrong, enum log_event good,
    const char *what, const char *name, const char *option, const char *value)
{
	char shown_name[WORD_SIZE], shown[WORD_SIZE];

	*t = (struct trouble){ .wrong = wrong, .good = good };
	(void)snprintf(t->who, sizeof(t->who), "%s=%s %s=%s", what,
	    log_quote(name, strlen(name), shown_name, sizeof(shown_name)),
	    option, log_quote(value, strlen(value), shown, sizeof(shown)));
}

void trouble_note(struct trouble *t, const char *text)
{
	(void)snprintf(t->text, sizeof(t->text), "%s", text);
}

void trouble_tell(struct trouble *t, const char *text)
{
	char shown[TROUBLE_SIZE];

	trouble_note(t, text);
	if (strcmp(t->text, t->told) == 0)
		return;
	memcpy(t->told, t->text, sizeof(t->told));
	log_error(t->wrong, "%s error=\"%s\" next=\"tries again\"", t->who,
	    log_words(t->text, strlen(t->text), shown, sizeof(shown)));
}

void trouble_over(struct trouble *t)
{
	if (*t->told)
		log_info(t->good, "%s state=good", t->who);
	*t->text = *t->told = '\0';
}

const char *trouble_text(const struct trouble *t)
{
	return *t->text ? t->text : NULL;
}
