/* SPDX-License-Identifier: ISC */
/*
 * nft_text - what the export kind "nftables" says to nft, as text.
 */
#include "nft_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { TEXT_FIRST_ROOM = 4096, TEXT_PIECE_MAX = 256, MS_PER_SECOND = 1000 };

static const char *const types[NFT_SETS] = { "ipv4_addr", "ipv6_addr" };

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "abcdefghijklmnopqrstuvwxyz_";
static const char letters_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz_0123456789";

bool nft_name_good(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= NFT_NAME_MAX && strchr(letters, name[0]) &&
	       strspn(name, letters_digits) == len;
}

int64_t nft_boot_end(const struct lease *lease, struct moment now)
{
	int64_t by_wall = now.boot + (lease->end.wall - now.wall);

	return by_wall < lease->end.boot ? by_wall : lease->end.boot;
}

static void begin(struct nft_text *t)
{
	if (!t->bytes) {
		t->room = TEXT_FIRST_ROOM;
		t->bytes = xmalloc(t->room);
	}
	t->len = 0;
	t->bytes[0] = '\0';
}

__attribute__((format(printf, 2, 3))) static void put(
    struct nft_text *t, const char *format, ...)
{
	va_list ap;
	int len;

	if (t->room - t->len < TEXT_PIECE_MAX) {
		t->room *= 2;
		t->bytes = xrealloc(t->bytes, t->room, 1);
	}
	va_start(ap, format);
	len = vsnprintf(t->bytes + t->len, TEXT_PIECE_MAX, format, ap);
	va_end(ap);
	must(len >= 0 && len < TEXT_PIECE_MAX);
	t->len += (size_t)len;
}

void nft_text_table(struct nft_text *t, const struct nft_names *n)
{
	begin(t);
	put(t, "add table inet %s\n", n->table);
}

void nft_text_set(struct nft_text *t, const struct nft_names *n, size_t set)
{
	begin(t);
	put(t, "add set inet %s %s { type %s; flags timeout; }\n", n->table,
	    n->sets[set], types[set]);
}

static size_t set_of(const struct addr *a)
{
	return addr_is_ipv4(a) ? 0 : 1;
}

/* --- one list of elements --------------------------------------------------
 */

struct list {
	struct nft_text *text;
	const struct nft_names *names;
	const char *verb;
	size_t set;
	bool open;
};

static void list_put(
    struct list *l, const struct addr *a, const int64_t *remaining)
{
	char name[ADDR_TEXT_SIZE];

	if (set_of(a) != l->set)
		return;
	if (l->open)
		put(l->text, ", ");
	else
		put(l->text, "%s element inet %s %s { ", l->verb,
		    l->names->table, l->names->sets[l->set]);
	l->open = true;
	(void)addr_print(a, name);
	put(l->text, "%s", name);
	if (remaining)
		put(l->text, " timeout %" PRId64 "s%" PRId64 "ms",
		    *remaining / MS_PER_SECOND, *remaining % MS_PER_SECOND);
}

static void list_end(struct list *l)
{
	if (l->open)
		put(l->text, " }\n");
	l->open = false;
}

/* --- what is said ----------------------------------------------------------
 */

static void put_keys(struct nft_text *t, const struct nft_names *n,
    const struct export_slice *slice, const char *verb, size_t set)
{
	struct list list = { t, n, verb, set, false };

	for (size_t i = 0; i < slice->count; i++)
		list_put(&list, &slice->changes[i].lease.addr, NULL);
	list_end(&list);
}

static void put_leased(struct nft_text *t, const struct nft_names *n,
    const struct export_slice *slice, size_t set)
{
	struct list list = { t, n, "add", set, false };

	for (size_t i = 0; i < slice->count; i++) {
		const struct export_change *c = &slice->changes[i];
		int64_t remaining = c->lease.end.wall - slice->now.boot;

		if (c->leased && remaining > 0)
			list_put(&list, &c->lease.addr, &remaining);
	}
	list_end(&list);
}

bool nft_text_changes(struct nft_text *t, const struct nft_names *n,
    const struct export_slice *slice)
{
	begin(t);
	for (size_t set = 0; set < NFT_SETS; set++) {
		put_keys(t, n, slice, "add", set);
		put_keys(t, n, slice, "delete", set);
		put_leased(t, n, slice, set);
	}
	return t->len > 0;
}

void nft_text_whole(struct nft_text *t, const struct nft_names *n,
    const struct roll *roll, int64_t boot_now)
{
	begin(t);
	for (size_t set = 0; set < NFT_SETS; set++) {
		struct list list = { t, n, "add", set, false };

		put(t, "flush set inet %s %s\n", n->table, n->sets[set]);
		for (size_t i = 0; i < roll_count(roll); i++) {
			const struct roll_row *row = roll_at(roll, i);
			int64_t remaining = row->end - boot_now;

			if (remaining > 0)
				list_put(&list, &row->addr, &remaining);
		}
		list_end(&list);
	}
}
