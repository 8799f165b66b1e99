/* SPDX-License-Identifier: ISC */
/*
 * reasons - why a login made no lease, for people: the words of login/rules.def
 * with a sentence each.
 */
#ifndef CMD_REASONS_H
#define CMD_REASONS_H

/* The sentence of a word such as "private-address", without capital and full
 * stop; NULL: not one of them. */
const char *reason_sentence(const char *word);
#endif
