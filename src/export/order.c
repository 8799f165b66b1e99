/* SPDX-License-Identifier: ISC */
/*
 * order - sorts pointers in place, as a heap: no memory, and never worse than
 * n log n, whoever chose the order.
 */
#include "order.h"

static void sift(const void **list, size_t at, size_t count, order_fn *fn)
{
	const void *moved = list[at];

	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && fn(list[child], list[child + 1]) < 0)
			child++;
		if (fn(moved, list[child]) >= 0)
			break;
		list[at] = list[child];
	}
	list[at] = moved;
}

void order_pointers(const void **list, size_t count, order_fn *fn)
{
	for (size_t i = count / 2; i-- > 0;)
		sift(list, i, count, fn);
	for (size_t last = count; last-- > 1;) {
		const void *greatest = list[0];

		list[0] = list[last];
		list[last] = greatest;
		sift(list, 0, last, fn);
	}
}
