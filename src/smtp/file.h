/* SPDX-License-Identifier: ISC */
/*
 * file - reads a control file whole.
 */
#ifndef SMTP_FILE_H
#define SMTP_FILE_H
#include <stddef.h>

#include "base/err.h"

/*
 * All bytes of a regular file of at most max bytes, with room for one more
 * behind them; the caller's to free. NULL and *err (EXIT_AGAIN): it cannot be
 * read, is something else, is too long, or grows meanwhile.
 */
char *spp_file_read(const char *path, size_t max, size_t *len, struct err *err);
#endif
