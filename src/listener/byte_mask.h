/* SPDX-License-Identifier: ISC */
/*
 * byte_mask - where LF, '=' and NUL stand in 64 bytes, as bits.
 *
 * A policy request is some thirty short lines. Two searches a line cost more
 * than all the rest of our work on it; one pass that notes the three bytes that
 * matter costs a tenth (bench/policy). SSE2 is there on every amd64; elsewhere
 * the same is done eight bytes at a time.
 */
#ifndef LISTENER_BYTE_MASK_H
#define LISTENER_BYTE_MASK_H
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { BYTE_MASK_BLOCK = 64 };

/* Bit i is set when byte i is that byte. */
struct byte_mask {
	uint64_t lf, eq, nul;
};

/* The bytes of word that equal c, one bit each, the first one lowest. */
static inline uint64_t byte_mask_word(uint64_t word, unsigned char c)
{
	const uint64_t low = 0x7f7f7f7f7f7f7f7fU;
	uint64_t x = word ^ (c * (uint64_t)0x0101010101010101U);
	uint64_t hit = ~(((x & low) + low) | x | low) >> 7;

	/* The product brings bit 8 * i to bit 56 + i. */
	return (hit * 0x0102040810204080U) >> 56;
}

static inline struct byte_mask byte_mask_portable(const char *p)
{
	struct byte_mask m = { 0, 0, 0 };

	for (unsigned i = 0; i < 8; i++) {
		uint64_t word;
		memcpy(&word, p + (size_t)8 * i, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		word = __builtin_bswap64(word);
#endif
		m.lf |= byte_mask_word(word, '\n') << (8 * i);
		m.eq |= byte_mask_word(word, '=') << (8 * i);
		m.nul |= byte_mask_word(word, '\0') << (8 * i);
	}
	return m;
}

#ifdef __SSE2__
/* The bytes of four registers that equal c. */
static inline uint64_t byte_mask_hits(const __m128i v[4], char c)
{
	const __m128i want = _mm_set1_epi8(c);
#define BYTE_MASK_HITS(i)                                                      \
	((uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v[i], want)))

	return BYTE_MASK_HITS(0) | BYTE_MASK_HITS(1) << 16 |
	       BYTE_MASK_HITS(2) << 32 | BYTE_MASK_HITS(3) << 48;
#undef BYTE_MASK_HITS
}

static inline struct byte_mask byte_mask(const char *p)
{
	const __m128i *at = (const void *)p;
	const __m128i v[4] = { _mm_loadu_si128(at), _mm_loadu_si128(at + 1),
		_mm_loadu_si128(at + 2), _mm_loadu_si128(at + 3) };

	return (struct byte_mask){ byte_mask_hits(v, '\n'),
		byte_mask_hits(v, '='), byte_mask_hits(v, '\0') };
}
#else
static inline struct byte_mask byte_mask(const char *p)
{
	return byte_mask_portable(p);
}
#endif
#endif
