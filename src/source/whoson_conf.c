/* SPDX-License-Identifier: ISC */
/*
 * whoson_conf - reads whoson.conf a line at a time, and writes the section that
 * comes of it.
 */
#include "whoson_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/mem.h"
#include "peers.h"

/* --- words -----------------------------------------------------------------
 */

enum type {
	TYPE_TCP = 1,
	TYPE_UDP = 2,
	TYPE_UNIX = 4,
	TYPE_UNIXD = 8,
	TYPE_GLOBAL = 16
};
enum { TYPES_NET = TYPE_TCP | TYPE_UDP, TYPES_STREAM = TYPE_TCP | TYPE_UNIX };
enum { TYPES_PLACE = TYPES_NET | TYPE_UNIX | TYPE_UNIXD };

/* A server's type, and what makes an endpoint of its port. */
static const struct type_word {
	const char *word;
	enum type type;
	const char *before;
} types[] = {
	{ "tcp", TYPE_TCP, "tcp:0.0.0.0:" },
	{ "udp", TYPE_UDP, "udp:0.0.0.0:" },
	{ "unix", TYPE_UNIX, "unix:" },
	{ "unixd", TYPE_UNIXD, "unixgram:" },
	{ "global", TYPE_GLOBAL, NULL },
};

enum meaning { PORT, ALLOW, DENY, TTL, UNUSED };

static const struct keyword {
	const char *word;
	unsigned types; /* that may have it */
	enum meaning meaning;
} keywords[] = {
	{ "port", TYPES_PLACE, PORT },
	{ "allow", TYPES_NET, ALLOW },
	{ "deny", TYPES_NET, DENY },
	{ "ttl", TYPE_GLOBAL, TTL },
	{ "keepalive", TYPES_STREAM, UNUSED },
	{ "listenq", TYPES_STREAM, UNUSED },
	{ "cachesize", TYPE_GLOBAL, UNUSED },
	{ "user", TYPE_GLOBAL, UNUSED },
	{ "group", TYPE_GLOBAL, UNUSED },
	{ "chroot", TYPE_GLOBAL, UNUSED },
};

/* --- reading ---------------------------------------------------------------
 */

struct reader {
	struct whoson_conf *conf;
	const char *name; /* of the file */
	struct err *err;
	int line, entry_line;
	const struct type_word *type; /* of the entry; NULL: none or a client */
	bool inside;                  /* an entry */
	bool has_port;
};

static int wrong(const struct reader *r, const char *word, const char *want)
{
	return err_set(r->err, EXIT_USER, "%s:%d: \"%s\": %s", r->name, r->line,
	    word, want);
}

static struct whoson_place *place(const struct reader *r)
{
	return &r->conf->places[r->conf->count - 1];
}

static int read_port(struct reader *r, const char *value)
{
	char text[sizeof(struct endpoint)];
	int n = snprintf(text, sizeof(text), "%s%s", r->type->before, value);

	r->has_port = true;
	if (n > 0 && (size_t)n < sizeof(text) &&
	    endpoint_parse(text, &place(r)->at))
		return 0;
	return wrong(r, value,
	    r->type->type & TYPES_NET ? "expected a port number"
				      : "expected an absolute path");
}

/* As whosond takes it: bits behind the prefix mean nothing. */
static bool read_net(const char *text, struct net *out)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char zero[NET_TEXT_SIZE];
	struct addr addr;
	int n;

	if (!addr_parse(text, len, &addr))
		return false;
	n = snprintf(zero, sizeof(zero), "%s%s",
	    addr_is_ipv4(&addr) ? "0.0.0.0" : "::",
	    slash                 ? slash
	    : addr_is_ipv4(&addr) ? "/32"
				  : "/128");
	if ((size_t)n >= sizeof(zero) || !net_parse(zero, (size_t)n, out))
		return false;
	out->addr = addr_mask(&addr, out->bits);
	return true;
}

static int add_net(const struct reader *r, const char *value, bool allow)
{
	struct whoson_conf *c = r->conf;
	struct net net;

	if (!read_net(value, &net))
		return wrong(
		    r, value, "expected a network such as 192.0.2.0/24");
	if (c->allow_count == WHOSON_NETS_MAX)
		return wrong(r, value, "too many networks");
	netset_add(place(r)->nets, &net, allow);
	if (allow)
		c->allow[c->allow_count++] = net;
	return 0;
}

static int read_ttl(const struct reader *r, const char *value)
{
	if (strspn(value, "0123456789") == strlen(value) &&
	    duration_parse(value, &r->conf->ttl))
		return 0;
	return wrong(r, value, "expected seconds");
}

static void note_unused(const struct reader *r, const char *word)
{
	char *list = r->conf->unused;
	size_t used = strlen(list), size = sizeof(r->conf->unused);

	if (!strstr(list, word) && used + strlen(word) + 2 < size)
		(void)snprintf(
		    list + used, size - used, "%s%s", used ? "," : "", word);
}

static int read_pair(struct reader *r, const char *word, const char *value)
{
	const struct keyword *k = keywords;

	while (k < keywords + COUNT_OF(keywords) && strcmp(k->word, word) != 0)
		k++;
	if (k == keywords + COUNT_OF(keywords))
		return wrong(r, word, "unknown keyword");
	if (!(k->types & (unsigned)r->type->type))
		return wrong(r, word, "not for this type of server");
	switch (k->meaning) {
	case PORT:
		return read_port(r, value);
	case ALLOW:
	case DENY:
		return add_net(r, value, k->meaning == ALLOW);
	case TTL:
		return read_ttl(r, value);
	case UNUSED:
	default:
		note_unused(r, word);
		return 0;
	}
}

static int end_entry(struct reader *r)
{
	int line = r->line;

	r->inside = false;
	if (!r->type || r->type->type == TYPE_GLOBAL || r->has_port)
		return 0;
	r->line = r->entry_line;
	(void)wrong(r, r->type->word, "a server needs its port=");
	r->line = line;
	return -1;
}

static int begin_server(struct reader *r, const char *word)
{
	const struct type_word *t = types;

	while (t < types + COUNT_OF(types) && strcmp(t->word, word) != 0)
		t++;
	if (t == types + COUNT_OF(types))
		return wrong(
		    r, word, "expected one of tcp, udp, unix, unixd, global");
	r->type = t;
	r->has_port = false;
	if (t->type == TYPE_GLOBAL)
		return 0;
	if (r->conf->count == COUNT_OF(r->conf->places))
		return wrong(r, word, "too many servers");
	r->conf->places[r->conf->count++].nets = netset_new();
	return 0;
}

static const char blanks[] = " \t\r";

/* Cuts the next word off a NUL-terminated line; NULL at its end. */
static char *next_word(char **line)
{
	char *word = *line + strspn(*line, blanks);
	size_t len = strcspn(word, blanks);

	if (*word == '\0' || *word == '#')
		return NULL;
	*line = word + len;
	if (**line != '\0')
		*(*line)++ = '\0';
	return word;
}

/* "server tcp" or "client tcp", at the beginning of a line. */
static int begin_entry(struct reader *r, char **line)
{
	const char *word = next_word(line);
	bool client = strcmp(word, "client") == 0;
	const char *type;

	if (r->inside && end_entry(r) != 0)
		return -1;
	if (!client && strcmp(word, "server") != 0)
		return wrong(r, word,
		    "expected \"server\" or \"client\"; what belongs to the "
		    "line before is indented");
	type = next_word(line);
	if (!type)
		return wrong(r, word, "expected its type behind it");
	r->inside = true;
	r->entry_line = r->line;
	r->type = NULL;
	return client ? 0 : begin_server(r, type);
}

static int read_line(struct reader *r, char *line)
{
	bool indented = *line == ' ' || *line == '\t';
	char *word;

	if (line[strspn(line, blanks)] == '\0' ||
	    line[strspn(line, blanks)] == '#')
		return 0;
	if (!indented && begin_entry(r, &line) != 0)
		return -1;
	while ((word = next_word(&line)) != NULL) {
		char *equals = strchr(word, '=');
		if (!r->inside)
			return wrong(r, word, "it belongs to no server");
		if (!equals || equals == word || equals[1] == '\0')
			return wrong(r, word, "expected keyword=value");
		*equals = '\0';
		if (r->type && read_pair(r, word, equals + 1) != 0)
			return -1;
	}
	return 0;
}

/* text is NUL-terminated and changed. */
static int read_text(struct reader *r, char *text)
{
	while (text) {
		char *lf = strchr(text, '\n');
		if (lf)
			*lf = '\0';
		r->line++;
		if (read_line(r, text) != 0)
			return -1;
		text = lf ? lf + 1 : NULL;
	}
	return r->inside ? end_entry(r) : 0;
}

struct whoson_conf *whoson_conf_parse(
    const char *text, size_t len, const char *name, struct err *err)
{
	struct whoson_conf *conf = xcalloc(1, sizeof(*conf));
	struct reader r = { .conf = conf, .name = name, .err = err };
	AUTO_FREE char *copy = xstrndup(text, len);
	bool is_text = !memchr(text, '\0', len);

	if (!is_text)
		(void)err_set(err, EXIT_USER, "%s: it is no text", name);
	if (!is_text || read_text(&r, copy) != 0)
		whoson_conf_free(&conf);
	return conf;
}

struct whoson_conf *whoson_conf_read(const char *path, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	AUTO_FREE char *text = xmalloc(WHOSON_CONF_MAX + 1);
	size_t used = 0;
	ssize_t n = -1;

	while (fd >= 0 && used <= WHOSON_CONF_MAX) {
		n = read(fd, text + used, WHOSON_CONF_MAX + 1 - used);
		if (n == 0 || (n < 0 && errno != EINTR))
			break;
		used += n > 0 ? (size_t)n : 0;
	}
	if (n < 0) {
		(void)err_errno(err, EXIT_USER, errno, "%s", path);
		return NULL;
	}
	if (used > WHOSON_CONF_MAX) {
		(void)err_set(err, EXIT_USER, "%s: too long", path);
		return NULL;
	}
	return whoson_conf_parse(text, used, path, err);
}

void whoson_conf_free(struct whoson_conf **cp)
{
	struct whoson_conf *c = *cp;

	*cp = NULL;
	if (!c)
		return;
	for (size_t i = 0; i < c->count; i++)
		netset_free(&c->places[i].nets);
	free(c);
}

bool whoson_place_allows(const struct whoson_place *p, const struct addr *a)
{
	return netset_find(p->nets, a) > 0;
}

/* --- joining ---------------------------------------------------------------
 */

struct writer {
	char *text;
	size_t used, size;
};

static void put(struct writer *w, const char *text)
{
	size_t len = strlen(text);

	if (w->size - w->used <= len) {
		w->size = (w->used + len + 1) * 2;
		w->text = xrealloc(w->text, w->size, 1);
	}
	memcpy(w->text + w->used, text, len + 1);
	w->used += len;
}

static void put_quoted(struct writer *w, const char *text)
{
	put(w, "\"");
	for (; *text != '\0'; text++) {
		const char piece[] = { *text, '\0' };
		put(w, strchr("\"\\$", *text) ? "\\" : "");
		put(w, piece);
	}
	put(w, "\"");
}

static void put_item(struct writer *w, const char *text, bool *first)
{
	put(w, *first ? "" : ", ");
	put_quoted(w, text);
	*first = false;
}

/* "name = {" and the section's own items. */
static bool begin_list(
    struct writer *w, const struct conf_section *section, const char *name)
{
	bool first = true;

	put(w, name);
	put(w, " = {");
	for (size_t i = 0; i < conf_list_size(section, name); i++)
		put_item(w, conf_list_at(section, name, i), &first);
	return first;
}

static void put_listen(struct writer *w, const struct conf_section *section,
    const struct whoson_conf *file)
{
	bool first = begin_list(w, section, "listen");
	char text[sizeof(struct endpoint)];

	for (size_t i = 0; i < file->count; i++)
		put_item(w,
		    endpoint_print(&file->places[i].at, text, sizeof(text)),
		    &first);
	put(w, "}\n");
}

static void put_allow(struct writer *w, const struct conf_section *section,
    const struct whoson_conf *file)
{
	bool first = begin_list(w, section, "allow");
	char text[NET_TEXT_SIZE];

	for (size_t i = 0; i < file->allow_count; i++) {
		(void)net_print(&file->allow[i], text);
		put_item(w, text, &first);
	}
	put(w, "}\n");
}

/* A default that names no user of this host is passed over; what was written
 * is not. */
static void put_uids(struct writer *w, const struct conf_section *section)
{
	if (!conf_is_set(section, "allow-uid"))
		return;
	(void)begin_list(w, section, "allow-uid");
	put(w, "}\n");
}

static void put_section(struct writer *w, const struct conf_section *section,
    const struct whoson_conf *file)
{
	char number[32];

	/* Messages name the line it has in its own file. */
	for (int i = 1; i < conf_line(section); i++)
		put(w, "\n");
	put(w, "source ");
	put(w, conf_name(section));
	put(w, " { kind = \"joined\"\n");
	put_listen(w, section, file);
	put_allow(w, section, file);
	put_uids(w, section);
	put(w, "mode = ");
	put_quoted(w, conf_string(section, "mode"));
	put(w, "\ngroup = ");
	put_quoted(w, conf_string(section, "group"));
	(void)snprintf(number, sizeof(number), "\nmax-connections = %lld\n}\n",
	    (long long)conf_number(section, "max-connections"));
	put(w, number);
}

struct conf *whoson_conf_join(const struct conf_section *section,
    const struct whoson_conf *file, struct err *err)
{
	static const struct option options[] = {
		PEERS_OPTIONS("", WHOSON_USERS), OPTION_END
	};
	static const struct option none[] = { OPTION_END };
	static const struct conf_kind kind = { "joined", "", options };
	static const struct conf_kind *const kinds[] = { &kind, NULL };
	static const struct conf_schema schema[] = {
		{ "source", "", none, kinds }, { 0 }
	};
	struct writer w = { 0 };
	struct conf *conf;

	put_section(&w, section, file);
	conf = conf_parse(w.text, w.used, "joined", schema, err);
	free(w.text);
	return conf;
}
