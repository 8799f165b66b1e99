/* SPDX-License-Identifier: ISC */
/*
 * session_auth - AUTH (RFC 4954) passes through, but for who it is: the name is
 * read on its way, and the plugins of [auth] are run before the server hears
 * the answer that holds it.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "session_private.h"

enum {
	COMMAND_SIZE = 32, /* AUTH and the mechanism */
	PLAIN_MAX = SPP_LINE_MAX,
	CONTINUE = 334,
	DIGEST_LEN = 32 /* RFC 2195: MD5 in hex */
};

/* Puts the user's name into user; false: it cannot be read. */
typedef bool name_fn(char *answer, size_t len, const char **user);

/* RFC 4616: authzid NUL authcid NUL password. */
static bool name_of_plain(char *answer, size_t len, const char **user)
{
	char *authcid = memchr(answer, '\0', len);
	size_t left;

	if (!authcid)
		return false;
	authcid++;
	left = len - (size_t)(authcid - answer);
	*user = authcid;
	return memchr(authcid, '\0', left) && *authcid;
}

/* draft-murchison-sasl-login: the first answer. */
static bool name_of_login(char *answer, size_t len, const char **user)
{
	*user = answer;
	return len > 0 && strlen(answer) == len;
}

/* RFC 2195: user, blank, digest. A name with a blank in it is none that two
 * programs would read alike. */
static bool name_of_cram_md5(char *answer, size_t len, const char **user)
{
	char *blank = strchr(answer, ' ');

	if (strlen(answer) != len || !blank || blank == answer ||
	    strlen(blank + 1) != DIGEST_LEN)
		return false;
	*blank = '\0';
	*user = answer;
	return true;
}

static const struct mechanism {
	const char *name;
	name_fn *fn;
	bool clear; /* the password goes as it is */
} mechanisms[] = {
	{ "PLAIN", name_of_plain, true },
	{ "LOGIN", name_of_login, true },
	{ "CRAM-MD5", name_of_cram_md5, false },
};

static const struct mechanism *find(
    const struct spp_session *s, const char *name, size_t len)
{
	for (size_t i = 0; i < COUNT_OF(mechanisms); i++) {
		const struct mechanism *m = &mechanisms[i];

		if (strlen(m->name) == len &&
		    strncasecmp(m->name, name, len) == 0)
			return !m->clear || s->tls ||
				       s->options->plain_without_tls
				   ? m
				   : NULL;
	}
	return NULL;
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == '\x7f')
			return false;
	return true;
}

static enum spp_result malformed(struct spp_session *s)
{
	(void)spp_say(s, "501 malformed auth input (#5.5.4)");
	return SPP_REFUSE;
}

/* Any other answer: nothing but base64 goes on. */
static enum spp_result check(
    struct spp_session *s, const char *text, size_t len)
{
	unsigned char answer[PLAIN_MAX];
	long n = spp_base64_read(text, len, answer, sizeof(answer));

	return n < 0 ? malformed(s) : SPP_GO;
}

/* The answer with the name has come. SPP_GO: it may go on to the server. */
static enum spp_result judge(struct spp_session *s, const struct mechanism *m,
    const char *text, size_t len)
{
	unsigned char answer[PLAIN_MAX + 1];
	const char *user;
	long n = spp_base64_read(text, len, answer, PLAIN_MAX);
	bool good;

	if (n >= 0)
		answer[n] = '\0';
	/* RFC 4616, 2: UTF-8; nothing that a plugin's shell would stumble on.
	 */
	if (n < 0 || !m->fn((char *)answer, (size_t)n, &user) ||
	    !is_printable(user)) {
		return malformed(s);
	}
	good = spp_vars_set(s->vars, "SMTPAUTHUSER", user) &&
	       spp_vars_set(s->vars, "SMTPAUTHMETHOD", m->name);
	if (!good) {
		(void)spp_say(s, spp_no_room);
		return SPP_REFUSE;
	}
	return spp_hook(s, SPP_AUTH, NULL);
}

static void forget(struct spp_session *s)
{
	spp_vars_unset(s->vars, "SMTPAUTHUSER");
	spp_vars_unset(s->vars, "SMTPAUTHMETHOD");
}

/* RFC 4954, 4: "*" ends it; the server's reply to that is nobody's. */
static enum spp_next cancel(struct spp_session *s, bool asked)
{
	forget(s);
	if (asked && !spp_server_ask(&s->server, "*"))
		return spp_say_gone(s);
	return SPP_ON;
}

static enum spp_next conclude(struct spp_session *s)
{
	if (spp_server_class(&s->server) != 2) {
		forget(s);
		return spp_say_reply(s);
	}
	s->authenticated = true;
	s->granted = false; /* what is set now outlives the lease */
	if (!spp_vars_get(s->vars, "RELAYCLIENT"))
		(void)spp_vars_set(s->vars, "RELAYCLIENT", "");
	if (!s->frozen)
		s->frozen = xstrdup("");
	return spp_say_reply(s);
}

/* The client's answer to the server's question. *sent: it has gone on to the
 * server, whose reply waits; else the client has its reply. */
static enum spp_next answer_next(
    struct spp_session *s, const struct mechanism *m, bool named, bool *sent)
{
	const char *text;
	size_t len;
	char answer[SPP_LINE_MAX + 1];
	enum spp_wire_end end = spp_wire_line(
	    &s->client, SPP_LINE_MAX, &s->server.wire, &text, &len);
	enum spp_result r;

	*sent = false;
	if (end == SPP_WIRE_LONG && cancel(s, true) == SPP_END)
		return SPP_END;
	if (end != SPP_WIRE_GOOD)
		return spp_no_line(s, end);
	memcpy(answer, text, len);
	answer[len] = '\0';
	if (strcmp(answer, "*") == 0) {
		forget(s);
		return spp_pass_on(s, "*");
	}
	r = named ? check(s, answer, len) : judge(s, m, answer, len);
	if (r == SPP_LEAVE)
		return SPP_END;
	if (r == SPP_REFUSE)
		return cancel(s, true);
	*sent = spp_server_ask(&s->server, answer);
	return *sent ? SPP_ON : spp_say_gone(s);
}

/* Question and answer, until the server has made up its mind. held: the name
 * that the client gave with LOGIN, for the first question: a server that does
 * not look at it there must not get another one. */
static enum spp_next converse(struct spp_session *s, const struct mechanism *m,
    const char *held, bool named)
{
	if (*held && s->server.code == CONTINUE &&
	    !spp_server_ask(&s->server, held))
		return spp_say_gone(s);
	while (s->server.code == CONTINUE) {
		bool sent = true;

		if (spp_say_reply(s) == SPP_END ||
		    answer_next(s, m, named, &sent) == SPP_END)
			return SPP_END;
		if (!sent)
			return SPP_ON;
		named = true;
	}
	return conclude(s);
}

enum spp_next spp_do_auth(struct spp_session *s, const struct spp_line *line)
{
	char held[SPP_LINE_MAX + 1], said[SPP_LINE_MAX + COMMAND_SIZE];
	size_t len = 0;
	const char *initial;
	const struct mechanism *m;
	bool named = false, holds;

	while (len < line->len && line->arg[len] != ' ')
		len++;
	initial = line->arg + len;
	while (initial < line->arg + line->len && *initial == ' ')
		initial++;
	m = find(s, line->arg, len);
	len = line->len - (size_t)(initial - line->arg);
	if (s->authenticated)
		return spp_say(s, "503 you are authenticated (#5.5.0)");
	if (s->mail)
		return spp_say(s, "503 no AUTH inside a mail (#5.5.0)");
	if (!m || !s->extensions.auth)
		return spp_say(s, "504 that AUTH is not offered (#5.5.1)");
	if (len > 0 && m->fn != name_of_cram_md5) {
		enum spp_result r = judge(s, m, initial, len);

		named = true;
		if (r == SPP_LEAVE)
			return SPP_END;
		if (r == SPP_REFUSE)
			return cancel(s, false);
	} else if (len > 0) {
		return spp_say(s, "501 malformed auth input (#5.5.4)");
	}
	(void)snprintf(held, sizeof(held), "%.*s", (int)len, initial);
	/* LOGIN's goes as an answer. */
	holds = m->fn == name_of_login;
	(void)snprintf(said, sizeof(said), "AUTH %s%s%s", m->name,
	    len == 0 || holds ? "" : " ", holds ? "" : held);
	if (!spp_server_ask(&s->server, said))
		return spp_say_gone(s);
	return converse(s, m, holds ? held : "", named);
}
