/* SPDX-License-Identifier: ISC */
/*
 * mem - allocation that cannot fail, and release at the end of a scope.
 * Out of memory ends the process: the supervisor starts it again, and the
 * ledger holds everything that counts.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H
#include <stddef.h>

void *xmalloc(size_t size);               /* never NULL */
void *xcalloc(size_t count, size_t size); /* zeroed, overflow checked */
void *xrealloc(void *p, size_t count, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t len);

/* "We are wrong": prints file and line, and aborts. */
#define must(truth)                                                            \
	((truth) ? (void)0 : must_failed(#truth, __FILE__, __LINE__))
_Noreturn void must_failed(const char *truth, const char *file, int line);

void mem_free_cleanup(void *p);
void mem_close_cleanup(const int *fd);
/* AUTO_FREE char *p; AUTO_CLOSE int fd: released when the scope ends. */
#define AUTO_FREE  __attribute__((cleanup(mem_free_cleanup)))
#define AUTO_CLOSE __attribute__((cleanup(mem_close_cleanup)))
/* Hands a value on: returns it and leaves -1 or NULL behind. */
int take_fd(int *fd);
void *take_ptr(void *pp);

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#endif
