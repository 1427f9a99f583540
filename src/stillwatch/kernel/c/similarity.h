/* SimHash, MinHash, topic vector; similarity.py is their readable form. */
#ifndef STILLWATCH_SIMILARITY_H
#define STILLWATCH_SIMILARITY_H

#include "tokens.h"

#define MINHASHES 64
#define SHINGLE 3
#define CHUNK 256
#define PLANES 48

struct similarity {
    uint64_t simhash;
    uint32_t mins[MINHASHES];
    size_t shingles;
};

/* Lowers each of the 64 minima to those of (a x + b) mod 2^32; all in uint32_t, no promotion. */
static void minhash_update(uint32_t *restrict mins, const uint32_t *restrict x, size_t count)
{
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        const uint32_t x0 = x[i], x1 = x[i + 1], x2 = x[i + 2], x3 = x[i + 3];
        for (int j = 0; j < MINHASHES; j++) {
            const uint32_t a = MINHASH_A[j], b = MINHASH_B[j];
            const uint32_t v0 = a * x0 + b, v1 = a * x1 + b, v2 = a * x2 + b, v3 = a * x3 + b;
            const uint32_t m0 = v0 < v1 ? v0 : v1, m1 = v2 < v3 ? v2 : v3;
            const uint32_t m = m0 < m1 ? m0 : m1;
            mins[j] = m < mins[j] ? m : mins[j];
        }
    }
    for (; i < count; i++)
        for (int j = 0; j < MINHASHES; j++) {
            const uint32_t v = MINHASH_A[j] * x[i] + MINHASH_B[j];
            mins[j] = v < mins[j] ? v : mins[j];
        }
}

/* 64 counts, bit-sliced: plane k holds bit k of each. */
struct counts {
    uint64_t planes[PLANES];
};

/* Adds `bits`, each worth 2^k. */
static inline void counts_add(struct counts *c, uint64_t bits, int k)
{
    for (; bits && k < PLANES; k++) {
        uint64_t carry = c->planes[k] & bits;
        c->planes[k] ^= bits;
        bits = carry;
    }
}

/* Adds b and c to a; returns the carries (a carry-save adder). */
static inline uint64_t carry_save(uint64_t *a, uint64_t b, uint64_t c)
{
    uint64_t half = *a ^ b, carry = (*a & b) | (half & c);
    *a = half ^ c;
    return carry;
}

/* Adds eight words at a time (Harley-Seal), then what is left one by one. */
static void counts_add_all(struct counts *c, const uint64_t *x, size_t n)
{
    uint64_t *p = c->planes;
    for (; n >= 8; n -= 8, x += 8) {
        uint64_t a = carry_save(&p[0], x[0], x[1]), b = carry_save(&p[0], x[2], x[3]);
        uint64_t fours = carry_save(&p[1], a, b);
        a = carry_save(&p[0], x[4], x[5]);
        b = carry_save(&p[0], x[6], x[7]);
        counts_add(c, carry_save(&p[2], fours, carry_save(&p[1], a, b)), 3);
    }
    for (; n; n--)
        counts_add(c, *x++, 0);
}

/* The bits whose count is above `threshold`. */
static uint64_t counts_above(const uint64_t *planes, uint64_t threshold)
{
    uint64_t above = 0, equal = ~0ull;
    for (int k = PLANES - 1; k >= 0; k--) {
        uint64_t limit = threshold >> k & 1 ? ~0ull : 0;
        above |= equal & planes[k] & ~limit;
        equal &= ~(planes[k] ^ limit);
    }
    return above;
}

/* The hashes of n runs of three tokens; the same as sequence_hash of each, inlined. */
static void shingle_hashes(const uint64_t *tokens, size_t n, uint64_t *hashes)
{
    for (size_t i = 0; i < n; i++)
        hashes[i] = finish_sequence(
            step(step(step(SEQUENCE_SEED, tokens[i]), tokens[i + 1]), tokens[i + 2]), SHINGLE);
}

static void similarity_of(const struct tokens *t, struct similarity *s)
{
    struct counts counts = {{0}};
    uint64_t hashes[CHUNK];
    uint32_t folded[CHUNK];
    memset(s->mins, 0xFF, sizeof(s->mins));
    s->simhash = 0;
    s->shingles = t->count < SHINGLE ? t->count > 0 : t->count - SHINGLE + 1;
    for (size_t done = 0; done < s->shingles;) {
        size_t n = s->shingles - done < CHUNK ? s->shingles - done : CHUNK;
        if (t->count < SHINGLE)
            hashes[0] = sequence_hash(t->hash, t->count);
        else
            shingle_hashes(t->hash + done, n, hashes);
        for (size_t i = 0; i < n; i++)
            folded[i] = (uint32_t)(hashes[i] ^ (hashes[i] >> 32));
        counts_add_all(&counts, hashes, n);
        minhash_update(s->mins, folded, n);
        done += n;
    }
    if (s->shingles)
        s->simhash = nonzero(counts_above(counts.planes, s->shingles / 2));
}

static uint64_t band_hash(const struct similarity *s, unsigned band)
{
    uint64_t values[5] = {band};
    const uint32_t *rows = s->mins + 8 * band;
    for (int i = 0; i < 4; i++)
        values[i + 1] = rows[2 * i] | (uint64_t)rows[2 * i + 1] << 32;
    return sequence_hash(values, 5);
}

/* Slot -> 1 + place in STOP_HASHES, no two in one slot: one look decides, without a branch. */
static uint16_t STOP_PLACES[STOP_SLOTS];

static inline size_t stop_slot(uint64_t feature)
{
    return (size_t)(feature * STOP_MULTIPLIER >> STOP_SHIFT);
}

static void similarity_init(void)
{
    for (size_t i = 1; i < sizeof(STOP_HASHES) / sizeof(*STOP_HASHES); i++)
        STOP_PLACES[stop_slot(STOP_HASHES[i])] = (uint16_t)i;
}

static inline int is_stop(uint64_t feature)
{
    return STOP_HASHES[STOP_PLACES[stop_slot(feature)]] == feature;
}

/* Each feature counts at four of 128 places: position, and sign above it. */
static void project(uint64_t *places, const uint64_t *features, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint64_t f = features[i];
        places[f & 127]++;
        places[f >> 16 & 127]++;
        places[f >> 32 & 127]++;
        places[f >> 48 & 127]++;
    }
}

static void topic_of(const struct tokens *t, int8_t *topic)
{
    uint64_t places[128] = {0};
    uint64_t features[CHUNK];
    size_t singles = 0;
    for (size_t done = 0; done < t->count; done += CHUNK) {
        size_t n = t->count - done < CHUNK ? t->count - done : CHUNK, words = 0;
        for (size_t i = done; i < done + n; i++) {
            features[words] = t->hash[i]; /* stays where the count moves on */
            words += (t->kind[i] == T_WORD) & !is_stop(t->hash[i]);
            singles += t->kind[i] == T_SINGLE;
        }
        project(places, features, words);
    }
    for (size_t i = 1; singles && i < t->count; i++)
        if (t->kind[i] == T_SINGLE && t->kind[i - 1] == T_SINGLE) {
            uint64_t pair = sequence_hash(t->hash + i - 1, 2);
            project(places, &pair, !is_stop(pair));
        }
    for (int i = 0; i < 64; i++) {
        const int64_t total = (int64_t)(places[i] - places[i + 64]);
        topic[i] = (int8_t)(total > 127 ? 127 : total < -127 ? -127 : total);
    }
}

#endif
