/* SPDX-License-Identifier: ISC */
/*
 * cdb - the export kind "cdb": a constant database whose keys are the leased
 * addresses, for Postfix (cdb:), Exim (cdb) and whoever reads that format.
 */
#include <cdb.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "whole.h"

enum { HOST_BITS = 128 };

static const struct option cdb_options[] = { WHOLE_OPTIONS,
	{ "value", OPTION_STRING, "OK", 0, 0, NULL,
	    "What is found under each address." },
	OPTION_END };

struct export
{
	const char *value;
	struct whole *whole;
};

static int write_cdb(
    void *ctx, const struct roll *roll, struct target *target, struct err *err)
{
	const struct export *e = ctx;
	size_t value_len = strlen(e->value);
	struct cdb_make make;
	bool bad = cdb_make_start(&make, target_fd(target)) < 0;

	for (size_t i = 0; i < roll_count(roll) && !bad; i++) {
		const struct roll_row *row = roll_at(roll, i);
		char key[ADDR_TEXT_SIZE];
		size_t len = addr_print(&row->addr, key);

		/* Readers look a client's whole address up. */
		if (row->bits == HOST_BITS)
			bad = cdb_make_add(&make, key, (unsigned)len, e->value,
				  (unsigned)value_len) < 0;
	}
	/* Also frees what it holds. */
	bad |= cdb_make_finish(&make) < 0;
	return bad ? err_errno(err, EXIT_AGAIN, errno, "cdb") : 0;
}

static struct export *cdb_open(const struct export_env *env,
    const struct conf_section *conf, struct err *err)
{
	struct export *e = xcalloc(1, sizeof(*e));
	const struct whole_kind kind = { .write = write_cdb, .ctx = e };

	e->value = conf_string(conf, "value");
	e->whole = whole_open(env, conf, &kind, err);
	if (e->whole)
		return e;
	free(e);
	return NULL;
}

static void cdb_start(struct export *e, uv_loop_t *loop)
{
	whole_start(e->whole, loop);
}

static void cdb_apply(struct export *e, const struct export_slice *slice)
{
	whole_apply(e->whole, slice);
}

static void cdb_close(struct export **ep)
{
	if (*ep)
		whole_close(&(*ep)->whole);
	free(*ep);
	*ep = NULL;
}

const struct export_kind export_cdb = {
	.name = "cdb",
	.help = "Keeps a constant database with a row for each leased address.",
	.role = ROLE_WRITER,
	.options = cdb_options,
	.whole = true,
	.needs = whole_needs,
	.check = whole_check,
	.look = whole_look,
	.open = cdb_open,
	.start = cdb_start,
	.apply = cdb_apply,
	.close = cdb_close,
};
