/* SPDX-License-Identifier: ISC */
/*
 * answer_log - the log line of an answer.
 */
#include "answer_log.h"

#include "base/log.h"

static void log_allow(
    const char *listener, const struct question *q, const struct answer *answer)
{
	char addr[ADDR_TEXT_SIZE], user[320], sender[400];
	const char *mark = q->mark[0] ? q->mark : "-";

	if (!log_wants(LOG_LEVEL_INFO))
		return;
	(void)addr_print(&q->addr, addr);
	(void)log_quote(answer->user, answer->user_len, user, sizeof(user));
	(void)log_quote(q->sender, q->has_sender ? q->sender_len : 0, sender,
	    sizeof(sender));
	log_info(answer->observed ? LOG_RELAY_OBSERVE : LOG_RELAY_ALLOW,
	    "ip=%s user=%s listener=%s mark=%s sender=%s by=%s ttl=%lld", addr,
	    user, listener, mark, sender, answer->reason,
	    (long long)(answer->ttl / 1000));
}

static void log_other(
    const char *listener, const struct question *q, const struct answer *answer)
{
	char addr[ADDR_TEXT_SIZE];

	(void)addr_print(&q->addr, addr);
	if (answer->verdict == VERDICT_TEMPFAIL)
		log_warn(LOG_RELAY_TEMPFAIL, "ip=%s listener=%s reason=%s",
		    addr, listener, answer->reason);
	else
		log_debug(LOG_RELAY_NONE, "ip=%s listener=%s reason=%s", addr,
		    listener, answer->reason);
}

void answer_log(
    const char *listener, const struct question *q, const struct answer *answer)
{
	if (answer->verdict == VERDICT_ALLOW || answer->observed)
		log_allow(listener, q, answer);
	else if (answer->verdict == VERDICT_TEMPFAIL ||
		 log_wants(LOG_LEVEL_DEBUG))
		log_other(listener, q, answer);
}
