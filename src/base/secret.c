/* SPDX-License-Identifier: ISC */
/*
 * secret - reads secret files and compares what peers claim to know.
 */
#include "secret.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mem.h"
#include "owned.h"

/* Files end with a line end that is none of the secret's bytes. */
static size_t without_end(const char *text, size_t len)
{
	if (len > 0 && text[len - 1] == '\n')
		len--;
	if (len > 0 && text[len - 1] == '\r')
		len--;
	return len;
}

int secret_read(const char *path, char **out, size_t *len, struct err *err)
{
	size_t size;

	*len = 0;
	if (owned_read(path, S_IRWXG | S_IRWXO, SECRET_MAX, out, &size, err) <
	    0)
		return -1;
	*len = without_end(*out, size);
	(*out)[*len] = '\0';
	if (*len > 0)
		return 0;
	secret_free(out, size);
	return err_set(err, EXIT_USER, "%s: empty", path);
}

static const char blanks[] = " \t\r";

/* NUL-terminated. 1: a row; 0: none; -1: *bad_r. */
static int read_row(
    const char *line, secret_row_fn *fn, void *ctx, const char **bad_r)
{
	const char *name = line + strspn(line, blanks);
	size_t name_len = strcspn(name, blanks);
	const char *secret = name + name_len + strspn(name + name_len, blanks);
	size_t len = strcspn(secret, blanks);

	if (*name == '\0' || *name == '#')
		return 0;
	*bad_r = secret[len + strspn(secret + len, blanks)] != '\0'
		     ? "something stands behind the secret, which may hold no "
		       "blank"
		     : fn(ctx, name, name_len, secret, len);
	return *bad_r ? -1 : 1;
}

int secret_rows(char *text, size_t len, const char *name, secret_row_fn *fn,
    void *ctx, struct err *err)
{
	const char *bad = NULL;
	char *line = text, *end = text + len;
	size_t number = 1, rows = 0;

	if (memchr(text, '\0', len))
		bad = "it is no text";
	for (; !bad && line <= end; number++) {
		char *lf = memchr(line, '\n', (size_t)(end - line));

		if (!lf)
			lf = end;
		*lf = '\0';
		rows += read_row(line, fn, ctx, &bad) > 0;
		if (bad)
			break;
		line = lf + 1;
	}
	if (!bad && rows == 0) {
		bad = "there is no key in it";
		number = 1;
	}
	return bad ? err_set(err, EXIT_USER, "%s:%zu: %s", name, number, bad)
		   : 0;
}

void secret_free(char **secret, size_t len)
{
	if (!*secret)
		return;
	explicit_bzero(*secret, len);
	free(*secret);
	*secret = NULL;
}

bool secret_equal(const void *a, size_t a_len, const void *b, size_t b_len)
{
	/* volatile: no compiler may stop at the first difference. */
	const volatile uint8_t *x = a, *y = b;
	uint8_t differs = 0;

	if (a_len != b_len)
		return false;
	for (size_t i = 0; i < a_len; i++)
		differs |= x[i] ^ y[i];
	return differs == 0;
}
