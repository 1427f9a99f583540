/* BLAKE2b with a digest of eight bytes and no key (RFC 7693), as origin.py hashes identifiers. */
#ifndef STILLWATCH_BLAKE2_H
#define STILLWATCH_BLAKE2_H

#include "hashes.h"

#define BLAKE_BLOCK 128
#define BLAKE_ROUNDS 12
#define BLAKE_DIGEST 8

static const uint64_t BLAKE_START[8] = {
    0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
    0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
};

/* Which word of the block goes where in a round (section 2.7); rounds 10 and 11 are 0 and 1. */
static const uint8_t BLAKE_ORDER[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static inline uint64_t turned(uint64_t x, int right)
{
    return x >> right | x << (64 - right);
}

static inline void blake_mix(uint64_t *v, int a, int b, int c, int d, uint64_t x, uint64_t y)
{
    v[a] += v[b] + x;
    v[d] = turned(v[d] ^ v[a], 32);
    v[c] += v[d];
    v[b] = turned(v[b] ^ v[c], 24);
    v[a] += v[b] + y;
    v[d] = turned(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = turned(v[b] ^ v[c], 63);
}

/* One block into the state; `seen`: bytes up to its end. */
static void blake_block(uint64_t *state, const uint8_t *block, uint64_t seen, int last)
{
    uint64_t v[16], m[16];
    for (int i = 0; i < 8; i++) {
        v[i] = state[i];
        v[i + 8] = BLAKE_START[i];
    }
    v[12] ^= seen;
    if (last)
        v[14] = ~v[14];
    for (int i = 0; i < 16; i++)
        m[i] = load_word(block + 8 * i);
    for (int round = 0; round < BLAKE_ROUNDS; round++) {
        const uint8_t *at = BLAKE_ORDER[round % 10];
        for (int i = 0; i < 4; i++)
            blake_mix(v, i, 4 + i, 8 + i, 12 + i, m[at[2 * i]], m[at[2 * i + 1]]);
        for (int i = 0; i < 4; i++)
            blake_mix(v, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4,
                      m[at[8 + 2 * i]], m[at[9 + 2 * i]]);
    }
    for (int i = 0; i < 8; i++)
        state[i] ^= v[i] ^ v[i + 8];
}

/* The hash of a text as a number, its first byte lowest; 0 for an empty one, and never else. */
static uint64_t identifier_hash(const uint8_t *data, size_t size)
{
    uint64_t state[8];
    uint8_t last[BLAKE_BLOCK] = {0};
    size_t done = 0;
    if (!size)
        return 0;
    memcpy(state, BLAKE_START, sizeof(state));
    state[0] ^= 0x01010000 ^ BLAKE_DIGEST;
    for (; size - done > BLAKE_BLOCK; done += BLAKE_BLOCK)
        blake_block(state, data + done, (uint64_t)(done + BLAKE_BLOCK), 0);
    memcpy(last, data + done, size - done);
    blake_block(state, last, (uint64_t)size, 1);
    return nonzero(state[0]);
}

#endif
