/* SPDX-License-Identifier: ISC */
/*
 * patterns_learn_proof - what is proposed runs through the engine before
 * anybody sees it: every line that was given, every hostile one, and the lines
 * of all other servers. Called by patterns_learn.c.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli.h"
#include "patterns_check.h"
#include "patterns_learn_private.h"

/* The lines that were given, through the patterns of a file or of all servers.
 */
struct proof {
	struct learn *learn;
	struct err *err;
};

static void keep_first(
    void *ctx, const struct pattern_file *f, int line, const char *text)
{
	struct proof *p = ctx;
	char shown[EXCERPT_SIZE * 2];

	if (p->err->code)
		return;
	for (size_t i = 0; f && i < f->sample_count; i++)
		if (f->samples[i].line == line)
			cli_safe(f->samples[i].text, f->samples[i].text_len,
			    shown, sizeof(shown));
	err_set(p->err, EXIT_NO,
	    "no safe pattern was found: %s%s%s; write the file by hand: "
	    "relaypass-patterns(5)",
	    text, f && line ? ": " : "", f && line ? shown : "");
}

static void ignore(
    void *ctx, const struct pattern_file *f, int line, const char *text)
{
	(void)ctx;
	(void)f;
	(void)line;
	(void)text;
}

static const int64_t late = 4102444800000; /* every stamp has a reading */

/* Does a server that is known already take these lines? */
int learn_check_known(struct learn *l, struct err *err)
{
	const struct patterns_options o = { .dir = l->hints.dir };
	struct patterns *p = patterns_open(&o, err);
	struct matcher *m;
	bool replaced = false;

	if (!p)
		return -1;
	m = matcher_new(p);
	for (size_t i = 0; i < l->count && !err->code; i++) {
		struct login got;

		if (matcher_line(m, l->lines[i]->text, l->lines[i]->len, late,
			0, &got) == LOGIN_NOTHING)
			continue;
		if (!strcmp(got.server, l->server))
			replaced = true;
		else
			err_set(err, EXIT_NO,
			    "line %d: relaypass knows this line already, as "
			    "one of %s; nothing is to be learned (relaypass "
			    "patterns show %s)",
			    l->lines[i]->number, got.server, got.server);
	}
	if (replaced)
		learn_add_note(l,
		    "relaypass knows some of these lines already; in use, this "
		    "file takes the place of its patterns of %s",
		    l->server);
	matcher_free(&m);
	patterns_close(&p);
	return err->code ? -1 : 0;
}

/* Every given line, also those that the file does not hold. */
static int check_lines(struct learn *l, const char *path, struct err *err)
{
	const struct patterns_options o = {
		.dir = l->hints.dir, .file = path, .servers = l->server
	};
	struct patterns *p = patterns_open(&o, err);
	struct matcher *m;

	if (!p)
		return -1;
	m = matcher_new(p);
	for (size_t i = 0; i < l->count && !err->code; i++) {
		const struct learn_line *line = l->lines[i];
		const struct part *user = &line->parts.at[line->user];
		struct login got;

		if (matcher_line(m, line->text, line->len, late, 0, &got) !=
			LOGIN_IN ||
		    !addr_equal(&got.addr, &line->addr) ||
		    got.user_len != user->len ||
		    memcmp(got.user, user->at, user->len) != 0)
			err_set(err, EXIT_NO,
			    "line %d: no expression that takes it gives its "
			    "user and address; write the file by hand: "
			    "relaypass-patterns(5)",
			    line->number);
	}
	matcher_free(&m);
	patterns_close(&p);
	return err->code ? -1 : 0;
}

/* The text as a file that has a name, for the reader of files. */
int learn_prove(struct learn *l, const char *text, struct err *err)
{
	AUTO_CLOSE int fd = memfd_create("patterns", MFD_CLOEXEC);
	struct proof proof = { l, err };
	struct pattern_check check = { .dir = l->hints.dir,
		.tell = keep_first,
		.note = ignore,
		.ctx = &proof };
	size_t len = strlen(text);
	struct pattern_file *f;
	char path[40];

	must(fd >= 0 && write(fd, text, len) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	f = patterns_check_file(&check, path);
	pattern_file_free(&f);
	return check.mistakes ? -1 : check_lines(l, path, err);
}
