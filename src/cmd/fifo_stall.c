/* SPDX-License-Identifier: ISC */
/*
 * fifo_stall - see the header.
 *
 * Who reads leaves traces: there are fewer bytes than before, or other bytes
 * come next, or the inode's time of access has moved. Under load the number
 * alone says nothing, for writers fill what a reader empties. The bytes that
 * come next say it always, but when all lines are the same; the time then does,
 * where the file system keeps it. Only a pipe that holds too much, and shows
 * none of the three for so long that a writer may be waiting, has no reader.
 *
 * Once that is known, what is too much is taken at each look, without patience,
 * until somebody else is seen to read.
 */
#include "fifo_stall.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NS = 1000000000, PERCENT = 100 };

void stall_init(
    struct stall *s, size_t size, unsigned percent, unsigned patience)
{
	memset(s, 0, sizeof(*s));
	s->high = size / PERCENT * percent;
	s->low = s->high / 2;
	s->patience = patience;
}

/* Copies what is read next; the pipe of our own is empty again behind it. */
static size_t peek_head(int fd, const int peek[2], uint8_t *out)
{
	ssize_t n = tee(fd, peek[1], STALL_HEAD, SPLICE_F_NONBLOCK);

	if (n > 0)
		n = read(peek[0], out, (size_t)n);
	return n > 0 ? (size_t)n : 0;
}

bool stall_sample(int fd, const int peek[2], struct stall_sample *out)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	struct stat st;
	int waiting;

	if (fstat(fd, &st) < 0 || ioctl(fd, FIONREAD, &waiting) < 0 ||
	    poll(&p, 1, 0) < 0)
		return false;
	out->waiting = (size_t)waiting;
	out->full = !(p.revents & POLLOUT);
	out->read_at = (int64_t)st.st_atim.tv_sec * NS + st.st_atim.tv_nsec;
	out->head_len = waiting > 0 ? peek_head(fd, peek, out->head) : 0;
	return true;
}

static bool somebody_read(const struct stall *s, const struct stall_sample *now)
{
	const struct stall_sample *last = &s->last;
	size_t n =
	    now->head_len < last->head_len ? now->head_len : last->head_len;

	return s->looked &&
	       (now->waiting < last->waiting || now->read_at != last->read_at ||
		   memcmp(now->head, last->head, n) != 0);
}

static void remember(struct stall *s, const struct stall_sample *sample)
{
	s->last = *sample;
	s->looked = true;
}

size_t stall_judge(struct stall *s, const struct stall_sample *sample)
{
	bool much = sample->full || sample->waiting > s->high;
	bool read = somebody_read(s, sample);

	remember(s, sample);
	if (read)
		s->alone = false;
	if (read || !much) {
		s->still = 0;
		return 0;
	}
	if (!s->alone && ++s->still < s->patience)
		return 0;
	s->alone = true;
	/* Small writes may fill it with few bytes. */
	return sample->waiting > s->low ? sample->waiting - s->low
					: sample->waiting;
}

void stall_took(struct stall *s, const struct stall_sample *left)
{
	remember(s, left);
}
