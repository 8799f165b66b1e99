/* SPDX-License-Identifier: ISC */
/*
 * import_send - leases to relaypassd, many to a transaction, over its control
 * socket (daemon/control_import.c). Called by: the verb `import`.
 */
#include <stdlib.h>
#include <string.h>

#include "base/kv.h"
#include "base/mem.h"
#include "client.h"
#include "import.h"

/* relaypassd takes so many in one batch. */
enum { BATCH = 1000 };

struct import_sender {
	struct client *client;
	struct import_sink sink;
	struct import_counts counts;
	size_t waiting; /* sent, and not answered */
	struct imported held;
	bool holds; /* one that is not sent: it may be the batch's last */
	struct reply reply;
};

struct import_sender *import_sender_new(
    struct client *client, const struct import_sink *sink)
{
	struct import_sender *s = xcalloc(1, sizeof(*s));

	s->client = client;
	s->sink = *sink;
	return s;
}

static size_t print(
    const struct imported *in, bool more, char line[static CLIENT_LINE_MAX])
{
	static const char verb[] = "import ";
	char addr[ADDR_TEXT_SIZE];
	size_t used = sizeof(verb) - 1;

	memcpy(line, verb, sizeof(verb));
	(void)addr_print(&in->addr, addr);
	must(kv_put(line, CLIENT_LINE_MAX, &used, "store", in->server) &&
	     kv_put(line, CLIENT_LINE_MAX, &used, "address", addr) &&
	     (!in->user_len ||
		 kv_put(line, CLIENT_LINE_MAX, &used, "user", in->user)) &&
	     kv_put_int(line, CLIENT_LINE_MAX, &used, "login", in->login) &&
	     kv_put_int(line, CLIENT_LINE_MAX, &used, "end", in->end) &&
	     (!more || kv_put(line, CLIENT_LINE_MAX, &used, "more", "yes")));
	return used;
}

static void take_row(void *ctx, const struct reply *row)
{
	const struct import_sender *s = ctx;
	const char *address = reply_value(row, "address");
	const char *reason = reply_value(row, "reason");

	if (strcmp(row->word, "refused") == 0 && address && reason)
		s->sink.refuse(s->sink.ctx, address, strlen(address), reason);
}

/* The one that is held, as the last of its batch, and the answer for all. */
static int finish(struct import_sender *s, struct err *err)
{
	char line[CLIENT_LINE_MAX];
	size_t len = print(&s->held, false, line);

	s->holds = false;
	s->waiting = 0;
	if (client_ask(s->client, line, len, take_row, s, &s->reply, err) < 0)
		return -1;
	s->counts.imported += (size_t)reply_number(&s->reply, "imported");
	s->counts.kept += (size_t)reply_number(&s->reply, "kept");
	s->counts.over += (size_t)reply_number(&s->reply, "over");
	return 0;
}

int import_send(
    struct import_sender *s, const struct imported *in, struct err *err)
{
	char line[CLIENT_LINE_MAX];

	if (s->holds) {
		size_t len = print(&s->held, true, line);

		if (client_send(s->client, line, len, err) < 0)
			return -1;
		s->waiting++;
	}
	s->held = *in;
	s->holds = true;
	return s->waiting + 1 == BATCH ? finish(s, err) : 0;
}

int import_sender_end(struct import_sender **sp, bool whole,
    struct import_counts *out, struct err *err)
{
	struct import_sender *s = *sp;
	int result = whole && s->holds ? finish(s, err) : 0;

	*out = s->counts;
	free(s);
	*sp = NULL;
	return result;
}
