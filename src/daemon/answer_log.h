/* SPDX-License-Identifier: ISC */
/*
 * answer_log - the log line of an answer, by which an abuse desk finds who was
 * allowed to relay. Called by: answerer.c, gateway_read.c.
 */
#ifndef DAEMON_ANSWER_LOG_H
#define DAEMON_ANSWER_LOG_H
#include "decide/decide.h"

void answer_log(const char *listener, const struct question *q,
    const struct answer *answer);
#endif
