/* SPDX-License-Identifier: ISC */
/*
 * replay - which signed packets came already, within a window of time and of
 * memory. Called by: relay_ctrl.c.
 */
#ifndef SOURCE_REPLAY_H
#define SOURCE_REPLAY_H
#include <stddef.h>
#include <stdint.h>

struct replay;

enum { REPLAY_MAC_SIZE = 16 }; /* of a longer MAC, its beginning */
enum replay_seen { REPLAY_NEW, REPLAY_SEEN, REPLAY_FULL };

/* Remembers each MAC for at least window_ms, up to `most` of them in that time,
 * a power of two. */
struct replay *replay_new(size_t most, uint64_t window_ms);
void replay_free(struct replay **r);
/*
 * Notes a MAC that has been verified: without that, strangers fill the memory.
 * REPLAY_FULL: it was not noted, and might be an old one. now: monotonic ms.
 */
enum replay_seen replay_note(
    struct replay *r, const uint8_t mac[static REPLAY_MAC_SIZE], uint64_t now);
#endif
