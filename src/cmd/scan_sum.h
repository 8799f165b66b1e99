/* SPDX-License-Identifier: ISC */
/*
 * scan_sum - what a scan has found, by server and by the judgement of the lease
 * rules. Called by scan.c for its report.
 */
#ifndef CMD_SCAN_SUM_H
#define CMD_SCAN_SUM_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "login/login.h"
#include "login/rules.h"

struct sum;

/* At most so many servers. */
struct sum *sum_new(size_t servers);
void sum_free(struct sum **s);
/* A login with its judgement, or a logout (then j does not matter). */
void sum_login(struct sum *s, const struct login *l, enum judgement j);
void sum_print(const struct sum *s, FILE *out);
#endif
