/* SPDX-License-Identifier: ISC */
/*
 * order - sorts pointers in place. The C library's qsort() asks the system how
 * much memory there is (sysinfo), which a locked-down process may not.
 */
#ifndef EXPORT_ORDER_H
#define EXPORT_ORDER_H
#include <stddef.h>

typedef int order_fn(const void *a, const void *b);

/* Not stable: equal ones must be told apart by fn, or be the same. */
void order_pointers(const void **list, size_t count, order_fn *fn);
#endif
