/* SPDX-License-Identifier: ISC */
/*
 * whoson_codec - one line, one request. Nothing is taken before the empty line
 * behind it has come, so that half a request never means a whole one.
 */
#include "whoson_codec.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

static const struct command {
	const char *word;
	enum whoson_verb verb;
	bool has_addr, has_name;
} commands[] = {
	{ "QUERY", WHOSON_QUERY, true, false },
	{ "LOGIN", WHOSON_LOGIN, true, true },
	{ "LOGOUT", WHOSON_LOGOUT, true, false },
	{ "QUIT", WHOSON_QUIT, false, false },
	{ "LIST", WHOSON_LIST, false, false },
};

/* A piece of a line. */
struct text {
	const char *at;
	size_t len;
};

static void skip_blanks(struct text *t)
{
	while (t->len > 0 && *t->at == ' ') {
		t->at++;
		t->len--;
	}
	while (t->len > 0 && t->at[t->len - 1] == ' ')
		t->len--;
}

/* Cuts the next word off; empty at the end. */
static struct text next_word(struct text *t)
{
	struct text word = { t->at, 0 };

	while (word.len < t->len && t->at[word.len] != ' ')
		word.len++;
	t->at += word.len;
	t->len -= word.len;
	skip_blanks(t);
	return word;
}

static const struct command *find_command(const struct text *word)
{
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		if (strlen(commands[i].word) == word->len &&
		    strncasecmp(commands[i].word, word->at, word->len) == 0)
			return &commands[i];
	return NULL;
}

static bool has_control(const struct text *t)
{
	for (size_t i = 0; i < t->len; i++)
		if ((unsigned char)t->at[i] < ' ' || t->at[i] == 0x7f)
			return true;
	return false;
}

static bool read_line(struct text line, struct whoson_request *out)
{
	const struct command *command;
	struct text word;

	skip_blanks(&line);
	word = next_word(&line);
	command = find_command(&word);
	if (!command || has_control(&line))
		return false;
	out->verb = command->verb;
	if (command->has_addr) {
		word = next_word(&line);
		if (!addr_parse(word.at, word.len, &out->addr))
			return false;
	}
	if (command->has_name) {
		out->name = line.at;
		out->name_len = line.len;
		return line.len <= LOGIN_USER_MAX;
	}
	return line.len == 0;
}

/* Takes a line off the front, without its end. False: it has none yet. */
static bool take_line(struct text *bytes, struct text *line)
{
	const char *lf = memchr(bytes->at, '\n', bytes->len);

	if (!lf)
		return false;
	line->at = bytes->at;
	line->len = (size_t)(lf - bytes->at);
	bytes->at += line->len + 1;
	bytes->len -= line->len + 1;
	if (line->len > 0 && line->at[line->len - 1] == '\r')
		line->len--;
	return true;
}

enum whoson_found whoson_decode(
    const char *bytes, size_t len, struct whoson_request *out, size_t *used)
{
	struct text rest = { bytes, len }, line, empty;

	memset(out, 0, sizeof(*out));
	*used = 0;
	if (!take_line(&rest, &line) || !take_line(&rest, &empty))
		return len < WHOSON_REQUEST_MAX ? WHOSON_MORE : WHOSON_BROKEN;
	*used = len - rest.len;
	if (empty.len != 0 || *used > WHOSON_REQUEST_MAX)
		return WHOSON_BROKEN;
	return read_line(line, out) ? WHOSON_REQUEST : WHOSON_WRONG;
}

size_t whoson_reply(enum whoson_sign sign, const char *text, size_t len,
    char out[static WHOSON_REPLY_MAX])
{
	static const char end[] = "\r\n\r\n";
	size_t n = len < LOGIN_USER_MAX ? len : LOGIN_USER_MAX;

	out[0] = (char)sign;
	for (size_t i = 0; i < n; i++) {
		/* A name with a line end in it would be a second reply. */
		bool control = (unsigned char)text[i] < ' ' || text[i] == 0x7f;
		out[1 + i] = control ? '?' : text[i];
	}
	memcpy(out + 1 + n, end, sizeof(end) - 1);
	return 1 + n + sizeof(end) - 1;
}
