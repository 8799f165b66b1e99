/* SPDX-License-Identifier: ISC */
/*
 * mail - the two parts of a mail address, and of a login name that may be one.
 * Called by: decide.c, senders.c.
 */
#ifndef DECIDE_MAIL_H
#define DECIDE_MAIL_H
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct text {
	const char *at;
	size_t len;
};

/* Without regard to the case of ASCII letters: no mail server that has users
 * "Jo" and "jo" is known, and clients write both. */
static inline bool text_same(struct text a, struct text b)
{
	return a.len == b.len && !strncasecmp(a.at, b.at, a.len);
}

/* What stands behind the last '@'; len 0 when there is none. */
static inline struct text mail_domain(struct text mail)
{
	const char *at = memrchr(mail.at, '@', mail.len);

	if (!at)
		return (struct text){ "", 0 };
	return (struct text){ at + 1, (size_t)(mail.at + mail.len - (at + 1)) };
}

static inline struct text mail_local(struct text mail)
{
	const char *at = memrchr(mail.at, '@', mail.len);

	return (struct text){ mail.at, at ? (size_t)(at - mail.at) : mail.len };
}

/* The domain of a login name: bare ones get `domain`, "" or NULL for none. */
static inline struct text user_domain(struct text user, const char *domain)
{
	if (memrchr(user.at, '@', user.len))
		return mail_domain(user);
	if (!domain)
		domain = "";
	return (struct text){ domain, strlen(domain) };
}

/* Whether two names mean the same user, bare ones completed. */
static inline bool user_same(struct text a, struct text b, const char *domain)
{
	return text_same(mail_local(a), mail_local(b)) &&
	       text_same(user_domain(a, domain), user_domain(b, domain));
}
#endif
