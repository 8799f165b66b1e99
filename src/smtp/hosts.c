/* SPDX-License-Identifier: ISC */
/*
 * The list is kept as it was read, with a hash table of where the lines begin.
 * A session asks about few domains and may have a list of many, so it is the
 * table that is made fast: a machine word at a time.
 */
#include "hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cdb.h"
#include "file.h"

enum {
	DOMAIN_MAX = 1000, /* bytes: more than an address has */
	CDB_MIN = 2048     /* bytes: what it begins with */
};

struct slot {
	uint32_t begin; /* of a line, + 1; 0: free */
	uint32_t hash;  /* the upper half; the lower one led here */
};

struct spp_hosts {
	char *text;
	size_t len;
	struct slot *slots;
	size_t mask; /* of the slots; their count is a power of 2 */
	const uint8_t *cdb;
	size_t cdb_size; /* 0: there is none */
};

/* 0x20 makes small letters of capital ones; what else it makes the same, the
 * names themselves tell apart. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash ^= word | UINT64_C(0x2020202020202020);
	hash *= UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

static uint64_t hash_of(const char *name, size_t len)
{
	uint64_t hash = len, word;

	for (; len >= sizeof(word); name += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, name, sizeof(word));
		hash = mix(hash, word);
	}
	word = 0;
	memcpy(&word, name, len);
	return mix(hash, word);
}

/* --- the list --------------------------------------------------------------
 */

/* With an LF at its end. */
static int read_list(struct spp_hosts *h, const char *path, struct err *err)
{
	h->text = spp_file_read(path, SPP_HOSTS_MAX, &h->len, err);
	if (!h->text)
		return -1;
	h->text[h->len++] = '\n';
	return 0;
}

static size_t count_lines(const struct spp_hosts *h)
{
	size_t count = 0;

	for (size_t i = 0; i < h->len; i++)
		count += h->text[i] == '\n';
	return count;
}

/* The slot of the name, or the free one where it would be. */
static struct slot *find(
    const struct spp_hosts *h, uint64_t hash, const char *name, size_t len)
{
	for (size_t i = hash & h->mask;; i = (i + 1) & h->mask) {
		struct slot *s = &h->slots[i];
		size_t at = s->begin - 1;

		if (s->begin == 0)
			return s;
		if (s->hash == hash >> 32 && h->len - at > len &&
		    h->text[at + len] == '\n' &&
		    strncasecmp(h->text + at, name, len) == 0)
			return s;
	}
}

/* qmail's control files: blanks at the end go, '#' begins a comment. */
static void add_line(struct spp_hosts *h, size_t begin, size_t end)
{
	char *line = h->text + begin;
	size_t len = end - begin;
	uint64_t hash;

	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		line[--len] = '\n';
	if (len == 0 || line[0] == '#')
		return;
	hash = hash_of(line, len);
	*find(h, hash, line, len) = (struct slot){ .begin = (uint32_t)begin + 1,
		.hash = (uint32_t)(hash >> 32) };
}

static void index_list(struct spp_hosts *h)
{
	size_t lines = count_lines(h), begin = 0;

	/* A fifth of them stays free. */
	while (h->mask < lines + lines / 4)
		h->mask = h->mask * 2 + 1;
	h->slots = xcalloc(h->mask + 1, sizeof(*h->slots));
	while (begin < h->len) {
		const char *lf = memchr(h->text + begin, '\n', h->len - begin);
		size_t end = (size_t)(lf - h->text);

		add_line(h, begin, end);
		begin = end + 1;
	}
}

/* --- the cdb ---------------------------------------------------------------
 */

static int map_cdb(struct spp_hosts *h, const char *path, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(
		    err, EXIT_AGAIN, errno, "cannot read %s", path);
	if (!S_ISREG(st.st_mode) || st.st_size < CDB_MIN)
		return err_set(err, EXIT_AGAIN, "%s is not a cdb", path);
	/* A new one takes its place by rename(2), this one stays as it is. */
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return err_errno(err, EXIT_AGAIN, errno, "cannot map %s", path);
	h->cdb = map;
	h->cdb_size = (size_t)st.st_size;
	return 0;
}

/* --- */

int spp_hosts_open(
    const char *list, const char *more, struct spp_hosts **out, struct err *err)
{
	struct spp_hosts *h = xcalloc(1, sizeof(*h));

	*out = NULL;
	if (read_list(h, list, err) < 0 ||
	    (more && map_cdb(h, more, err) < 0)) {
		spp_hosts_close(&h);
		return -1;
	}
	index_list(h);
	*out = h;
	return 0;
}

void spp_hosts_close(struct spp_hosts **h)
{
	if (!*h)
		return;
	if ((*h)->cdb)
		(void)munmap((void *)(*h)->cdb, (*h)->cdb_size);
	free((*h)->slots);
	free((*h)->text);
	free(*h);
	*h = NULL;
}

static bool has(const struct spp_hosts *h, const char *name, size_t len)
{
	char key[DOMAIN_MAX];

	if (find(h, hash_of(name, len), name, len)->begin != 0)
		return true;
	if (!h->cdb)
		return false;
	/* qmail-newmrh(8) makes small letters of them. */
	for (size_t i = 0; i < len; i++)
		key[i] = name[i] >= 'A' && name[i] <= 'Z'
			     ? (char)(name[i] + ('a' - 'A'))
			     : name[i];
	return spp_cdb_has(h->cdb, h->cdb_size, key, len);
}

bool spp_hosts_have(const struct spp_hosts *h, const char *domain)
{
	size_t len;

	if (!domain)
		return true;
	len = strlen(domain);
	if (len > DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((i == 0 || domain[i] == '.') && has(h, domain + i, len - i))
			return true;
	return false;
}
