/* SPDX-License-Identifier: ISC */
/*
 * codec_world - the codec of one listener kind by itself, for its unit test,
 * which defines CODEC_KIND, and CODEC_OPTIONS for its section where it needs
 * one, before it includes this.
 */
#ifndef UNIT_CODEC_WORLD_H
#define UNIT_CODEC_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "listener_conf.h"

#ifndef CODEC_OPTIONS
#define CODEC_OPTIONS ""
#endif

static struct conf *conf;
static struct listener_view view;

static inline int set_up(void **state)
{
	(void)state;
	conf = listener_conf(CODEC_KIND, "%s", CODEC_OPTIONS);
	view.conf = conf_at(conf, "listener", 0);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	conf_free(&conf);
	return 0;
}

static inline const struct listener_kind *kind(void)
{
	const struct listener_kind *k = listener_kind_find(CODEC_KIND);

	assert_non_null(k);
	return k;
}

/* Decodes a copy that ends at its last byte, so that reading on is caught. */
static inline enum decode decode(
    const char *text, size_t len, struct question *q, size_t *used)
{
	char *copy = xmalloc(len ? len : 1);
	enum decode d;

	memcpy(copy, text, len);
	memset(q, 0xa5, sizeof(*q));
	*used = 0;
	d = kind()->decode(&view, copy, len, q, used);
	free(copy);
	return d;
}

/* A bad request gets one line that begins so. */
static inline void assert_bad_line(const char *begins)
{
	char out[LISTENER_REPLY_MAX];
	size_t n = kind()->encode_bad(out, sizeof(out));

	assert_true(n > strlen(begins));
	assert_memory_equal(out, begins, strlen(begins));
	assert_ptr_equal(memchr(out, '\n', n), out + n - 1);
}
#endif
