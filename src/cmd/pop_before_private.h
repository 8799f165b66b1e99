/* SPDX-License-Identifier: ISC */
/*
 * pop_before_private - what pop-before-smtp.c and pop_before_run.c share.
 */
#ifndef CMD_POP_BEFORE_PRIVATE_H
#define CMD_POP_BEFORE_PRIVATE_H
#include "dropin.h"

/* In pop-before-smtp.c. */
extern const struct dropin pop_dropin;
#endif
