/* SPDX-License-Identifier: ISC */
/*
 * scan_words - which words of a log line speak of a login, and which against
 * it. A guess for reports and proposals; nothing is granted by it.
 */
#ifndef CMD_SCAN_WORDS_H
#define CMD_SCAN_WORDS_H
#include <stdbool.h>
#include <stddef.h>

/* True when a message holds words for a login, and none against it. */
bool scan_words_login(const char *text, size_t len);
/* The word that speaks against a login that succeeded, a constant; NULL: none.
 */
const char *scan_words_against(const char *text, size_t len);
/* The service that a program's name speaks of when it is none of POP3 and IMAP,
 * a constant; NULL. */
const char *scan_words_other(const char *name, size_t len);
#endif
