/* SPDX-License-Identifier: ISC */
/*
 * err - an error as a value on the caller's stack: what went wrong and what
 * to do, filled by the innermost function that knows. Logged by one level.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* Exit codes of every program of ours. */
enum exit_code {
	EXIT_YES = 0,
	EXIT_NO = 1,
	EXIT_USER = 100,  /* the user's mistake */
	EXIT_AGAIN = 111, /* try again later */
	EXIT_BUG = 101    /* ours */
};

/* Enough for a statement to run, or a server's words, and what is around. */
enum { ERR_TEXT_SIZE = 800 };

struct err {
	int code; /* an enum exit_code that fits; 0: no error yet */
	char text[ERR_TEXT_SIZE];
};

/* Fills *err (NULL is fine). Returns -1, so that "return err_set(...)" works.
 */
int err_set(struct err *err, enum exit_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with ": " and the text of errno_value behind. */
int err_errno(struct err *err, enum exit_code code, int errno_value,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
#endif
