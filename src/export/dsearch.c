/* SPDX-License-Identifier: ISC */
/*
 * dsearch - the export kind "dsearch": a directory with an empty file for each
 * leased address, for Exim's dsearch lookups.
 *
 * Exim has two spellings of an IPv6 address: $sender_host_address is the short
 * one with colons, and a "net-dsearch;" item of a host list looks for the full
 * one with dots in the place of the colons. There is a file of either name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "folder.h"
#include "format.h"
#include "whole.h"

enum { HOST_BITS = 128, MODE = 0644, FULL_LEN = 39 };

static const struct option dsearch_options[] = {
	{ "path", OPTION_PATH, NULL, 0, 0, NULL,
	    "The directory. It must be there, and writable for the account and "
	    "for nobody else." },
	WHOLE_ACCOUNT_OPTION, OPTION_END
};

struct export
{
	struct folder *folder;
};

static size_t names_of(
    const struct lease *lease, char out[FOLDER_NAMES][FOLDER_NAME_SIZE])
{
	if (lease->bits != HOST_BITS)
		return 0; /* Exim looks for whole addresses */
	(void)addr_print(&lease->addr, out[0]);
	if (addr_is_ipv4(&lease->addr))
		return 1;
	(void)format_full(&lease->addr, '.', out[1]);
	return 2;
}

static bool parse_name(const char *name, struct addr *out)
{
	char text[FULL_LEN + 1];
	size_t len = strlen(name);
	char again[FORMAT_FULL_SIZE];

	if (addr_parse(name, len, out))
		return true;
	if (len != FULL_LEN)
		return false;
	for (size_t i = 0; i <= len; i++)
		text[i] = name[i] == '.' ? ':' : name[i];
	return addr_parse(text, len, out) && !addr_is_ipv4(out) &&
	       format_full(out, '.', again) == len && !strcmp(again, name);
}

static int put_file(
    void *ctx, int directory, const char *name, const struct lease *lease)
{
	int fd = openat(
	    directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, MODE);

	(void)ctx;
	(void)lease;
	if (fd < 0)
		return errno == EEXIST ? 0 : -1;
	/* Whatever our umask is. */
	(void)fchmod(fd, MODE);
	return close(fd);
}

static struct export *dsearch_open(const struct export_env *env,
    const struct conf_section *conf, struct err *err)
{
	static const struct folder_kind kind = {
		.names = names_of, .put = put_file, .parse = parse_name
	};
	struct folder *folder = folder_open(env, conf, &kind, err);
	struct export *e;

	if (!folder)
		return NULL;
	e = xcalloc(1, sizeof(*e));
	e->folder = folder;
	return e;
}

static void dsearch_apply(struct export *e, const struct export_slice *slice)
{
	folder_apply(e->folder, slice);
}

static void dsearch_close(struct export **ep)
{
	if (*ep)
		folder_close(&(*ep)->folder);
	free(*ep);
	*ep = NULL;
}

const struct export_kind export_dsearch = {
	.name = "dsearch",
	.help = "Keeps a directory with an empty file for each leased address.",
	.role = ROLE_WRITER,
	.options = dsearch_options,
	.whole = true,
	.needs = folder_needs,
	.look = folder_look,
	.open = dsearch_open,
	.apply = dsearch_apply,
	.close = dsearch_close,
};
