/* SPDX-License-Identifier: ISC */
/*
 * tcp_rules - the rules that tcprules(1) compiles and tcpserver -x obeys. What
 * it refuses is refused here, and what it passes over is passed over.
 */
#include "tcp_rules.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "order.h"

enum {
	RULES_MAX = 1000000, /* of one file, ranges counted in full */
	FIRST_ROOM = 64,
	BYTE_MAX = 255,
	DIGITS_MAX = 9, /* of a number that surely fits */
	DECIMAL = 10
};

struct tcp_rules {
	struct tcp_rule *rules;
	const void **order; /* rules by key, of one key the first only */
	size_t count, room, sorted;
};

struct line {
	struct tcp_rules *rules;
	const char *address, *rest, *end;
	size_t address_len;
	char *data;
	size_t data_len;
};

/* --- reading ---------------------------------------------------------------
 */

static int add(
    struct line *line, const char *key, size_t key_len, struct err *err)
{
	struct tcp_rules *r = line->rules;
	struct tcp_rule *rule;

	if (r->count == RULES_MAX)
		return err_set(err, EXIT_USER, "more than %d rules", RULES_MAX);
	if (r->count == r->room) {
		r->room = r->room ? 2 * r->room : FIRST_ROOM;
		r->rules = xrealloc(r->rules, r->room, sizeof(*r->rules));
	}
	rule = &r->rules[r->count++];
	rule->key = xmalloc(key_len + 1);
	rule->key_len = key_len;
	memcpy(rule->key, key, key_len);
	rule->data = xmalloc(line->data_len + 1);
	rule->data_len = line->data_len;
	memcpy(rule->data, line->data, line->data_len);
	return 0;
}

/* All digits, or nothing at all, which is 0. */
static bool read_number(const char *text, size_t len, unsigned long *out)
{
	*out = 0;
	if (len > DIGITS_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*out = DECIMAL * *out + (unsigned long)(text[i] - '0');
	}
	return true;
}

static size_t digits_of(unsigned long number, char out[static DIGITS_MAX])
{
	size_t len = 0;

	for (unsigned long n = number; n >= DECIMAL; n /= DECIMAL)
		len++;
	for (size_t i = ++len; i-- > 0; number /= DECIMAL)
		out[i] = (char)('0' + number % DECIMAL);
	return len;
}

/* "1.2-5.": what stands before and behind the first dash. False: no range. */
static bool find_range(
    const struct line *line, size_t *left_r, size_t *dash_r, size_t *right_r)
{
	const char *a = line->address;
	size_t len = line->address_len, dash = 0, left, right;

	if (memchr(a, '=', len) || memchr(a, '@', len))
		return false;
	while (dash < len && a[dash] != '-')
		dash++;
	if (dash == len)
		return false;
	for (left = dash; left > 0 && a[left - 1] != '.';)
		left--;
	for (right = dash + 1; right < len && a[right] != '.';)
		right++;
	*left_r = left;
	*dash_r = dash;
	*right_r = right;
	return true;
}

static int add_range(struct line *line, struct err *err)
{
	unsigned long low, high;
	size_t left, dash, right, tail;
	char *key;
	int bad = 0;

	if (!find_range(line, &left, &dash, &right))
		return add(line, line->address, line->address_len, err);
	if (!read_number(line->address + left, dash - left, &low) ||
	    !read_number(line->address + dash + 1, right - dash - 1, &high))
		return err_set(err, EXIT_USER, "a range without numbers");
	if (high > BYTE_MAX)
		high = BYTE_MAX;
	tail = line->address_len - right;
	key = xmalloc(line->address_len + DIGITS_MAX);
	memcpy(key, line->address, left);
	for (unsigned long n = low; n <= high && !bad; n++) {
		size_t len = left + digits_of(n, key + left);

		memcpy(key + len, line->address + right, tail);
		bad = add(line, key, len + tail, err);
	}
	free(key);
	return bad;
}

/* ",NAME=?value?" with any byte for the quotes. */
static int read_variable(struct line *line, struct err *err)
{
	const char *name = line->rest + 1, *equal, *close;
	size_t left = (size_t)(line->end - name), name_len, value_len;
	char *to;

	equal = *line->rest == ',' ? memchr(name, '=', left) : NULL;
	if (!equal || equal + 1 == line->end)
		return err_set(err, EXIT_USER,
		    "behind allow or deny stands nothing but ,NAME=\"value\"");
	close = memchr(equal + 2, equal[1], (size_t)(line->end - (equal + 2)));
	if (!close)
		return err_set(err, EXIT_USER, "a value without its end");
	name_len = (size_t)(equal + 1 - name);
	value_len = (size_t)(close - (equal + 2));
	to = line->data + line->data_len;
	*to++ = '+';
	memcpy(to, name, name_len);
	memcpy(to + name_len, equal + 2, value_len);
	to[name_len + value_len] = '\0';
	line->data_len += 1 + name_len + value_len + 1;
	line->rest = close + 1;
	return 0;
}

static bool skip_word(struct line *line, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(line->end - line->rest) < len ||
	    memcmp(line->rest, word, len) != 0)
		return false;
	line->rest += len;
	return true;
}

/* The colon that ends the address: IPv6 has more before it. */
static const char *find_colon(const char *text, const char *end)
{
	const char *first = memchr(text, ':', (size_t)(end - text));

	for (const char *c = first; c;
	     c = memchr(c + 1, ':', (size_t)(end - c - 1))) {
		struct line try = { .rest = c + 1, .end = end };

		if (skip_word(&try, "allow") || skip_word(&try, "deny"))
			return c;
	}
	return first;
}

static int read_line(
    struct tcp_rules *r, const char *text, const char *end, struct err *err)
{
	struct line line = { .rules = r, .address = text, .end = end };
	const char *colon;
	int bad = 0;

	while (line.end > text && (line.end[-1] == ' ' || line.end[-1] == '\t'))
		line.end--;
	if (line.end == text || *text == '#')
		return 0;
	colon = find_colon(text, line.end);
	if (!colon)
		return 0;
	line.address_len = (size_t)(colon - text);
	line.rest = colon + 1;
	/* A variable's data is shorter than its text, and so is a D's. */
	line.data = xmalloc((size_t)(line.end - text) + 2);
	if (skip_word(&line, "deny")) {
		line.data[line.data_len++] = 'D';
		line.data[line.data_len++] = '\0';
	} else if (!skip_word(&line, "allow"))
		bad = err_set(
		    err, EXIT_USER, "neither allow nor deny behind the colon");
	while (!bad && line.rest < line.end)
		bad = read_variable(&line, err);
	if (!bad)
		bad = add_range(&line, err);
	free(line.data);
	return bad;
}

/* --- finding ---------------------------------------------------------------
 */

static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int by_key(const void *x, const void *y)
{
	const struct tcp_rule *a = x, *b = y;
	int order = compare(a->key, a->key_len, b->key, b->key_len);

	/* They stand in memory as in the file. */
	return order ? order : (a > b) - (a < b);
}

static void sort_rules(struct tcp_rules *r)
{
	r->order = xcalloc(r->count + 1, sizeof(*r->order));
	for (size_t i = 0; i < r->count; i++)
		r->order[i] = &r->rules[i];
	order_pointers(r->order, r->count, by_key);
	for (size_t i = 0; i < r->count; i++) {
		const struct tcp_rule *rule = r->order[i];
		const struct tcp_rule *last =
		    r->sorted ? r->order[r->sorted - 1] : NULL;

		if (!last || compare(last->key, last->key_len, rule->key,
				 rule->key_len) != 0)
			r->order[r->sorted++] = rule;
	}
}

static const struct tcp_rule *find(
    const struct tcp_rules *r, const char *key, size_t len)
{
	size_t low = 0, high = r->sorted;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct tcp_rule *rule = r->order[middle];
		int order = compare(rule->key, rule->key_len, key, len);

		if (order == 0)
			return rule;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct tcp_rule *tcp_rules_match(
    const struct tcp_rules *r, const char *addr, size_t len)
{
	const struct tcp_rule *rule = find(r, addr, len);

	while (!rule && len > 0) {
		len--;
		if (len == 0 || addr[len - 1] == '.' || addr[len - 1] == ':')
			rule = find(r, addr, len);
	}
	return rule;
}

struct tcp_rules *tcp_rules_parse(const char *text, size_t len, struct err *err)
{
	struct tcp_rules *r = xcalloc(1, sizeof(*r));
	const char *end = text + len;
	struct err why = { 0 };

	for (size_t number = 1; text < end; number++) {
		const char *lf = memchr(text, '\n', (size_t)(end - text));

		if (!lf)
			lf = end;
		if (read_line(r, text, lf, &why) < 0) {
			(void)err_set(
			    err, EXIT_USER, "line %zu: %s", number, why.text);
			tcp_rules_free(&r);
			return NULL;
		}
		text = lf + 1;
	}
	sort_rules(r);
	return r;
}

void tcp_rules_free(struct tcp_rules **rp)
{
	struct tcp_rules *r = *rp;

	*rp = NULL;
	if (!r)
		return;
	for (size_t i = 0; i < r->count; i++) {
		free(r->rules[i].key);
		free(r->rules[i].data);
	}
	free(r->rules);
	free(r->order);
	free(r);
}

size_t tcp_rules_count(const struct tcp_rules *r)
{
	return r->count;
}

const struct tcp_rule *tcp_rules_at(const struct tcp_rules *r, size_t i)
{
	must(i < r->count);
	return &r->rules[i];
}

/* --- one rule --------------------------------------------------------------
 */

bool tcp_rule_denies(const struct tcp_rule *rule)
{
	return rule->data_len > 0 && rule->data[0] == 'D';
}

static bool sets(const struct tcp_rule *rule, const char *name, size_t len)
{
	const char *at = rule->data, *end = at + rule->data_len;

	/* "D" or "+NAME=value", and a NUL each */
	while (at < end) {
		if ((size_t)(end - at) > len + 1 &&
		    memcmp(at + 1, name, len) == 0 && at[len + 1] == '=')
			return true;
		at = memchr(at, '\0', (size_t)(end - at));
		if (!at)
			return false;
		at++;
	}
	return false;
}

size_t tcp_rule_with(const struct tcp_rule *rule, const char *name,
    const char *value, char *out, size_t size)
{
	size_t name_len = strlen(name);
	size_t len = rule ? rule->data_len : 0;
	size_t more = 1 + name_len + 1 + strlen(value) + 1;
	bool set = rule && sets(rule, name, name_len);

	if (set)
		more = 0;
	if (len + more > size)
		return 0;
	if (len)
		memmove(out, rule->data, len);
	if (set)
		return len;
	(void)snprintf(out + len, size - len, "+%s=%s", name, value);
	return len + more;
}
