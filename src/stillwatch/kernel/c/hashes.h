/* The frozen hash functions; hashes.py is their readable form. */
#ifndef STILLWATCH_HASHES_H
#define STILLWATCH_HASHES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tables.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define TO_LITTLE(x) __builtin_bswap64(x)
#else
#define TO_LITTLE(x) (x)
#endif

static inline uint64_t step(uint64_t state, uint64_t value)
{
    uint64_t x = (state ^ value) * MULTIPLIER;
    return x ^ (x >> 32);
}

static inline uint64_t nonzero(uint64_t h)
{
    return h ? h : 1;
}

/* Reads 8 bytes, the first one lowest. */
static inline uint64_t load_word(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return TO_LITTLE(word);
}

static inline uint64_t finish_bytes(uint64_t state, size_t size)
{
    return nonzero(step(state, (uint64_t)size));
}

static inline uint64_t finish_sequence(uint64_t state, size_t count)
{
    return count ? nonzero(step(state, (uint64_t)count)) : 0;
}

static uint64_t bytes_hash(const uint8_t *data, size_t size)
{
    uint64_t state = BYTES_SEED;
    size_t i = 0;
    for (; i + 8 <= size; i += 8)
        state = step(state, load_word(data + i));
    if (i < size) {
        uint8_t last[8] = {0};
        memcpy(last, data + i, size - i);
        state = step(state, load_word(last));
    }
    return finish_bytes(state, size);
}

static uint64_t sequence_hash(const uint64_t *values, size_t count)
{
    uint64_t state = SEQUENCE_SEED;
    for (size_t i = 0; i < count; i++)
        state = step(state, values[i]);
    return finish_sequence(state, count);
}

#endif
