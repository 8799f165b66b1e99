/* SPDX-License-Identifier: ISC */
/*
 * scan_progress - see the header. It needs no terminal library: a carriage
 * return goes back, blanks wipe.
 *
 *    47% [=========>          ]  121 MB of 256 MB, 1.4 GB/s, 12s left
 *   file 2 of 3: 121 MB, 1.4 GB/s
 */
#include "scan_progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli.h"

enum { EVERY_MS = 100, USUAL_COLUMNS = 80, BAR_MIN = 10, BAR_MAX = 60 };

void progress_begin(struct progress *p, bool on, uint64_t total, unsigned files)
{
	const char *terminal = getenv("TERM");

	/* A dumb terminal may print a carriage return as a new line. */
	*p = (struct progress){ .on = on &&
				      !(terminal && !strcmp(terminal, "dumb")),
		.total = total,
		.files = files };
	p->began = clock_now().boot;
	p->drawn = p->began - EVERY_MS;
}

const char *progress_size(double bytes, char out[static 16])
{
	static const char *const units[] = { "kB", "MB", "GB", "TB" };
	size_t i = 0;

	bytes /= 1000;
	while (bytes >= 999.5 && i + 1 < sizeof(units) / sizeof(units[0])) {
		bytes /= 1000;
		i++;
	}
	snprintf(out, 16, bytes < 9.95 && i ? "%.1f %s" : "%.0f %s", bytes,
	    units[i]);
	return out;
}

/* What stands behind the bar. */
static void describe(
    const struct progress *p, int64_t ms, char *out, size_t size)
{
	char done[16], total[16], rate[16], left[CLI_SPAN_SIZE];
	double each = (double)p->done * 1000 / (double)(ms > 0 ? ms : 1);
	double rest = (double)p->total - (double)p->done;
	int n;

	progress_size((double)p->done, done);
	progress_size(each, rate);
	if (!p->total) {
		snprintf(out, size, "%s, %s/s", done, rate);
		return;
	}
	n = snprintf(out, size, "%s of %s, %s/s", done,
	    progress_size((double)p->total, total), rate);
	if (each > 0 && rest >= 0 && n > 0)
		snprintf(out + n, size - (size_t)n, ", %s left",
		    cli_span((int64_t)(rest / each + 0.5), left));
}

static size_t draw_bar(char *out, size_t width, double part)
{
	size_t full = (size_t)(part * (double)width);

	out[0] = '[';
	memset(out + 1, '=', full);
	memset(out + 1 + full, ' ', width - full);
	if (full < width)
		out[1 + full] = '>';
	out[width + 1] = ']';
	return width + 2;
}

const char *progress_text(const struct progress *p, int64_t now_boot,
    size_t columns, char out[static PROGRESS_LINE_SIZE])
{
	double part = p->total ? (double)p->done / (double)p->total : 0;
	char text[128];
	size_t n = 0, len;

	if (columns >= PROGRESS_LINE_SIZE)
		columns = PROGRESS_LINE_SIZE - 1;
	/* A log that grows while it is read. */
	part = part > 1 ? 1 : part;
	describe(p, now_boot - p->began, text, sizeof(text));
	if (p->files > 1)
		n = (size_t)snprintf(out, PROGRESS_LINE_SIZE,
		    "file %u of %u: ", p->file, p->files);
	if (p->total)
		n += (size_t)snprintf(
		    out + n, PROGRESS_LINE_SIZE - n, "%3.0f%% ", part * 100);
	len = strlen(text);
	/* The bar takes what is left, "[", "]" and two blanks off. */
	if (p->total && columns >= n + len + 4 + BAR_MIN) {
		size_t room = columns - n - len - 4;

		n += draw_bar(out + n, room < BAR_MAX ? room : BAR_MAX, part);
		n += (size_t)snprintf(out + n, PROGRESS_LINE_SIZE - n, "  ");
	}
	snprintf(out + n, PROGRESS_LINE_SIZE - n, "%s", text);
	out[columns] = 0;
	return out;
}

static size_t window_columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
		return size.ws_col;
	return USUAL_COLUMNS;
}

void progress_clear(struct progress *p)
{
	if (!p->shown)
		return;
	fprintf(stderr, "\r%*s\r", (int)p->shown, "");
	p->shown = 0;
}

bool progress_add(struct progress *p, size_t bytes)
{
	char line[PROGRESS_LINE_SIZE];
	int64_t now;
	size_t len;

	p->done += bytes;
	if (!p->on)
		return false;
	now = clock_now().boot;
	if (now - p->drawn < EVERY_MS)
		return false;
	p->drawn = now;
	/* The last column stays free: some terminals begin a new line there. */
	len = strlen(progress_text(p, now, window_columns() - 1, line));
	fprintf(stderr, "\r%s%*s", line,
	    len < p->shown ? (int)(p->shown - len) : 0, "");
	p->shown = len > p->shown ? len : p->shown;
	return true;
}
