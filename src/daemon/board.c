/* SPDX-License-Identifier: ISC */
/*
 * board - counters and signs of life in memory that all processes share.
 */
#include "board.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>

#include "base/mem.h"

void *board_map(size_t size, int *fd_r)
{
	int fd =
	    memfd_create("relaypass.board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *p;

	must(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(p != MAP_FAILED);
	/* No new map may write. Kernels before 5.1 do not know the seal. */
	(void)fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK);
	*fd_r = fd;
	return p;
}

void board_protect(void *p, size_t size, int fd)
{
	must(mmap(p, size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == p);
}

void board_narrow(struct board *b, struct board_slot *own, int fd)
{
	/* A second map of the same memory, with the rights of the first
	 * (mremap(2)), to be put in its place again. */
	void *kept = mremap(own, 0, sizeof(*own), MREMAP_MAYMOVE);

	must(kept != MAP_FAILED);
	board_protect(b, sizeof(*b), fd);
	must(mremap(kept, sizeof(*own), sizeof(*own),
		 MREMAP_MAYMOVE | MREMAP_FIXED, own) == own);
}

void board_beat(struct board_slot *slot)
{
	atomic_store_explicit(&slot->beat, uv_hrtime(), memory_order_relaxed);
}
