/* SPDX-License-Identifier: ISC */
/*
 * parts - what the files behind apply.h share: the keeper's state and the few
 * steps that each of them takes. Not for other rooms.
 */
#ifndef LOGIN_PARTS_H
#define LOGIN_PARTS_H
#include "apply.h"
#include "caps.h"
#include "wheel.h"

enum walk_phase { WALK_LEASES, WALK_SESSIONS, WALK_REVOCATIONS };

/* Where a paced pass over the sessions goes on. */
struct session_pass {
	bool going;
	struct ledger_session last;
};

struct apply {
	struct ledger *ledger;
	const struct rules *rules;
	int64_t longest_ttl; /* of all rules since the start */
	proc_start_fn *proc_start;
	void *proc_ctx;
	struct wheel *wheel;
	struct caps *caps; /* NULL until the option wants it */
	apply_ended_fn *tell_end;
	void *tell_ctx;
	bool expects_signs;

	enum walk_phase phase;
	bool walk_goes_on; /* at walk_at; else at the first row */
	struct addr walk_at;
	/* Ends up to here are in the wheel, all that the rounds before found;
	 * what this round may say when it is through. Boot clock. */
	int64_t covered, covers;
	struct session_pass walk_sessions, hold;
};

/* --- parts.c ------------------------------------------------------------- */

/*
 * The lease of this key, as far as the boot clock has not ended it: what is
 * over there is missing, swept or not. One that only the wall clock has ended
 * is found: the clock may be set back.
 */
enum ledger_found parts_get(struct apply *a, const struct addr *masked,
    const char *user, size_t user_len, struct moment now, struct lease *out);
/*
 * The later of both ends on each clock, but never further away than now + ttl.
 * True when the end moved. Order does not matter: joining is a maximum.
 */
bool parts_extend(const struct apply *a, struct lease *l, struct moment end,
    struct moment now);
/* Into the wheel, when it ends soon, but after this moment of the boot clock.
 * False: the wheel is full. */
bool parts_schedule(
    struct apply *a, const struct lease *l, struct moment now, int64_t after);
/* Whether something refuses a fact of this wall time about addr and user. */
enum ledger_found parts_revoked(struct apply *a, const struct addr *masked,
    const char *user, size_t user_len, int64_t time);
/* Users as revocations hold them, and as they are compared with one. */
void parts_fold(const char *user, size_t user_len, char out[static 256]);
bool parts_same_user(const char *a, size_t a_len, const char *b, size_t b_len);
/* A row that the ledger would not take must not cost the whole batch. */
bool parts_user_is_sound(const char *user, size_t len);
uint16_t parts_server(struct apply *a, const struct login *l);

/* --- sessions.c ---------------------------------------------------------- */

/* Remembers the session of a login that made or moved *lease, whose count of
 * sessions it corrects; the caller stores the lease. fresh: it is a new one. */
void sessions_open(struct apply *a, const struct login *l, uint16_t source,
    bool fresh, struct lease *lease, struct moment now);
void sessions_logout(struct apply *a, const struct login *l, struct moment now,
    struct applied *out);
void sessions_alive(struct apply *a, const struct login *l, struct moment now,
    struct applied *out);
/* The sessions of this server that began before count no more. */
void sessions_restart(
    struct apply *a, const struct login *l, struct moment now);
/* Forgets sessions by address (NULL: any) and user (NULL: any). Looks at all of
 * them: for what is done by hand, not for what a line says. */
void sessions_revoke(
    struct apply *a, const struct addr *masked, const char *user);
/* Forgets up to limit sessions that have shown no life for a ttl, or all when
 * holding is off. False: there are more to look at. */
bool sessions_sweep(struct apply *a, struct moment now, size_t limit);

/* --- revoke.c ------------------------------------------------------------ */

/* Ends the leases that a LOGIN_END of this source means. */
void revoke_by_source(struct apply *a, const struct login *l, uint16_t source,
    struct moment now, struct applied *out);
/* Another node's revocation. JUDGE_LEASE: it was not known here, and its
 * address and user stand in out->lease. */
void revoke_by_node(struct apply *a, const struct login *l, struct moment now,
    struct applied *out);
#endif
