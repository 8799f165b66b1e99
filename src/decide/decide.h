/* SPDX-License-Identifier: ISC */
/*
 * decide - question to verdict. The only function that says ALLOW.
 * Called by: listener/.  Calls: ledger/ (reads), login/rules.
 */
#ifndef DECIDE_DECIDE_H
#define DECIDE_DECIDE_H
#include "ledger/ledger.h"
#include "login/rules.h"
#include "senders.h"

/* Zero is the safe answer. */
enum verdict { VERDICT_NONE = 0, VERDICT_ALLOW, VERDICT_TEMPFAIL };
/* "none", "allow", "tempfail". */
const char *verdict_word(enum verdict v);

enum {
	QUESTION_MAIL_MAX = 320, /* RFC 5321: 64 + 1 + 255 */
	QUESTION_ECHO_MAX = 288
};

/* What an ALLOW rests on. */
enum answer_by { BY_NOTHING = 0, BY_LEASE, BY_HAND, BY_ALWAYS };

enum require_sender { SENDER_ANY, SENDER_USER, SENDER_DOMAIN, SENDER_MAP };

struct question {
	struct addr addr;
	bool asked; /* false: this request cannot be allowed
		     * (a name, a wrong state, a SASL login) */
	uint16_t sender_len, recipient_len, user_len;
	uint8_t has_sender, has_recipient, has_user;
	char sender[QUESTION_MAIL_MAX + 1];
	char recipient[QUESTION_MAIL_MAX + 1];
	char user[LOGIN_USER_MAX + 1];
	char mark[64]; /* instance or queue id, for the log */
	/* What its answer repeats of a request: the codec's own, and touched
	 * by no other kind's. */
	uint16_t echo_len;
	char echo[QUESTION_ECHO_MAX];
};

struct answer {
	enum verdict verdict;
	const char *reason; /* a constant word: "lease", "always", "no-lease",
			     * "mode-off", "ledger" ... */
	bool observed;      /* mode observe: would have been ALLOW */
	enum answer_by by;  /* of an ALLOW, or of what is observed */
	int64_t ttl;        /* ms left, for ALLOW by a lease */
	uint8_t user_len;
	char user[LOGIN_USER_MAX + 1];
};

struct decide_options {
	enum require_sender require_sender;
	const char *default_domain; /* completes bare login names; "" none */
	/* SENDER_MAP: whose sender is whose; NULL, it cannot be read: TEMPFAIL
	 */
	const struct senders *senders;
};

/* ledger may be NULL (it cannot be opened): TEMPFAIL. Inside a read of l. The
 * mode is the run-time one when set, else the rules'. */
void decide(struct ledger *l, const struct rules *r, enum rules_mode mode,
    const struct decide_options *o, const struct question *q, struct moment now,
    struct answer *out);

/*
 * Why decide() does not count this row as a lease of the question's address: a
 * constant word, or NULL when it does. "over"; "prefix" and "too-long" (other
 * rules made it); a rule's word (its user is denied since); "user" (the
 * question names another); "sender" (as require-sender wants it).
 */
const char *decide_flaw(const struct rules *r, const struct decide_options *o,
    const struct question *q, const struct lease *row, struct moment now);
#endif
