/* Text -> token hashes; tokenizer.py is its readable form. */
#ifndef STILLWATCH_TOKENS_H
#define STILLWATCH_TOKENS_H

#include <stdlib.h>

#include "hashes.h"

#if defined(__SSE2__) && (defined(__GNUC__) || defined(__clang__))
#include <emmintrin.h>
#define HAVE_BLOCKS 1
#else
#define HAVE_BLOCKS 0
#endif

enum token_kind { T_SHORT, T_WORD, T_SINGLE, T_NUMBER };

/* The tokens of one text; the arrays grow and are reused from text to text. */
struct tokens {
    uint64_t *hash;
    uint8_t *kind;
    size_t count, capacity;
};

static uint8_t KIND[0x10000];
static uint16_t FOLD[0x10000];

static int within(uint32_t cp, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ranges[i].first <= cp && cp <= ranges[i].last)
            return 1;
    return 0;
}

#define WITHIN(cp, ranges) within(cp, ranges, sizeof(ranges) / sizeof(*(ranges)))

static enum kind classify_slowly(uint32_t cp)
{
    if (WITHIN(cp, DROP_RANGES))
        return K_DROP;
    if (WITHIN(cp, SOLO_RANGES))
        return K_SOLO;
    return WITHIN(cp, SEPARATOR_RANGES) ? K_SEPARATOR : K_LETTER;
}

/* Fills KIND and FOLD; the same values each time, so a second call is harmless. */
static void tokens_init(void)
{
    for (uint32_t cp = 0; cp < 0x10000; cp++) {
        KIND[cp] = (uint8_t)classify_slowly(cp);
        FOLD[cp] = (uint16_t)cp;
    }
    for (size_t r = 0; r < sizeof(FOLD_RULES) / sizeof(*FOLD_RULES); r++) {
        const struct fold_rule *rule = &FOLD_RULES[r];
        for (uint32_t cp = rule->first; cp <= rule->last; cp += rule->step)
            FOLD[cp] = (uint16_t)((int32_t)cp + rule->delta);
    }
    for (size_t z = 0; z < sizeof(DIGIT_ZEROS) / sizeof(*DIGIT_ZEROS); z++)
        for (uint32_t d = 0; d < 10; d++) {
            KIND[DIGIT_ZEROS[z] + d] = K_DIGIT;
            FOLD[DIGIT_ZEROS[z] + d] = (uint16_t)('0' + d);
        }
    for (uint32_t cp = 0xFF01; cp <= 0xFF5E; cp++) {
        KIND[cp] = KIND[cp - 0xFEE0];
        FOLD[cp] = FOLD[cp - 0xFEE0];
    }
}

/* Makes room for every token that a text of `size` bytes can hold. -1: no memory.
 * A run needs a byte of its own and a separator; a single codepoint has three bytes. */
static int tokens_reserve(struct tokens *t, size_t size)
{
    size_t needed = size / 2 + 2;
    if (needed <= t->capacity)
        return 0;
    if (needed > SIZE_MAX / 16)
        return -1;
    needed += needed / 2;
    uint64_t *hash = realloc(t->hash, needed * sizeof(*hash));
    if (!hash)
        return -1;
    t->hash = hash;
    uint8_t *kind = realloc(t->kind, needed);
    if (!kind)
        return -1;
    t->kind = kind;
    t->capacity = needed;
    return 0;
}

static void tokens_free(struct tokens *t)
{
    free(t->hash);
    free(t->kind);
}

static inline void emit(struct tokens *t, uint64_t hash, enum token_kind kind)
{
    t->hash[t->count] = hash;
    t->kind[t->count++] = (uint8_t)kind;
}

/* A run of letters and digits being read: its normalised bytes go through eight at a time. */
struct run {
    uint64_t state, word;
    unsigned filled;
    size_t bytes, codepoints;
    int digits_only;
};

static inline void run_start(struct run *run)
{
    run->state = BYTES_SEED;
    run->word = 0;
    run->filled = 0;
    run->bytes = run->codepoints = 0;
    run->digits_only = 1;
}

static inline void run_push_byte(struct run *run, uint32_t byte)
{
    run->word |= (uint64_t)byte << (8 * run->filled);
    run->bytes++;
    if (++run->filled == 8) {
        run->state = step(run->state, run->word);
        run->word = 0;
        run->filled = 0;
    }
}

static inline void run_push(struct run *run, uint32_t cp)
{
    run->codepoints++;
    if (cp < 0x80) {
        run_push_byte(run, cp);
        return;
    }
    if (cp < 0x800) {
        run_push_byte(run, 0xC0 | cp >> 6);
    } else {
        if (cp < 0x10000) {
            run_push_byte(run, 0xE0 | cp >> 12);
        } else {
            run_push_byte(run, 0xF0 | cp >> 18);
            run_push_byte(run, 0x80 | (cp >> 12 & 0x3F));
        }
        run_push_byte(run, 0x80 | (cp >> 6 & 0x3F));
    }
    run_push_byte(run, 0x80 | (cp & 0x3F));
}

static inline uint64_t run_hash(const struct run *run)
{
    uint64_t state = run->filled ? step(run->state, run->word) : run->state;
    return finish_bytes(state, run->bytes);
}

/* Emits the run, if there is one, and starts anew. */
static inline void run_close(struct run *run, struct tokens *t)
{
    if (!run->codepoints)
        return;
    if (run->digits_only)
        emit(t, NUMBER_HASH, T_NUMBER);
    else
        emit(t, run_hash(run), run->codepoints >= 4 ? T_WORD : T_SHORT);
    run_start(run);
}

/* Decodes one codepoint; U+FFFD for a maximal ill-formed part (Unicode 3.9, D93b). */
static inline size_t decode(const uint8_t *p, const uint8_t *end, uint32_t *cp)
{
    uint32_t lead = *p;
    *cp = 0xFFFD;
    if (lead < 0x80) {
        *cp = lead;
        return 1;
    }
    if (lead < 0xC2 || lead > 0xF4)
        return 1;
    if (lead > 0xE0 && lead < 0xED && end - p >= 3 && (p[1] & 0xC0) == 0x80
        && (p[2] & 0xC0) == 0x80) { /* most of CJK, quickly */
        *cp = (lead & 0xFu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
        return 3;
    }
    size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    uint32_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint32_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    uint32_t value = lead & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (p + i >= end || p[i] < low || p[i] > high)
            return i;
        value = value << 6 | (p[i] & 0x3Fu);
        low = 0x80;
        high = 0xBF;
    }
    *cp = value;
    return length;
}

/* Reads codepoints until no run is open and an ASCII byte (or the end) comes next. */
static const uint8_t *tokenize_slowly(const uint8_t *p, const uint8_t *end, struct tokens *t)
{
    struct run run;
    run_start(&run);
    do {
        uint32_t cp;
        p += decode(p, end, &cp);
        enum kind kind = cp < 0x10000 ? (enum kind)KIND[cp] : classify_slowly(cp);
        if (kind == K_DROP)
            continue;
        if (kind == K_LETTER || kind == K_DIGIT) {
            run.digits_only &= kind == K_DIGIT;
            run_push(&run, cp < 0x10000 ? FOLD[cp] : cp);
            continue;
        }
        run_close(&run, t);
        if (kind == K_SOLO) {
            run_push(&run, cp < 0x10000 ? FOLD[cp] : cp);
            emit(t, run_hash(&run), T_SINGLE);
            run_start(&run);
        }
    } while (p < end && (run.codepoints || *p >= 0x80));
    run_close(&run, t);
    return p;
}

#if HAVE_BLOCKS
#define BLOCK 64
#define OVERREAD 16 /* the last token of a block is loaded as two words of 8 bytes */

struct block {
    uint64_t alnum, digit, high;
};

static inline struct block block_read(const uint8_t *p)
{
    struct block b = {0, 0, 0};
    for (int i = 0; i < BLOCK; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i d = _mm_sub_epi8(v, _mm_set1_epi8('0'));
        __m128i a = _mm_sub_epi8(_mm_or_si128(v, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
        __m128i digit = _mm_cmpeq_epi8(_mm_min_epu8(d, _mm_set1_epi8(9)), d);
        __m128i letter = _mm_cmpeq_epi8(_mm_min_epu8(a, _mm_set1_epi8(25)), a);
        b.high |= (uint64_t)(unsigned)_mm_movemask_epi8(v) << i;
        b.digit |= (uint64_t)(unsigned)_mm_movemask_epi8(digit) << i;
        b.alnum |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_or_si128(digit, letter)) << i;
    }
    return b;
}

/* The hash of ASCII letters and digits: setting bit 5 lowers letters and keeps digits.
 * Without a branch up to 16 bytes, because the lengths of words cannot be predicted. */
static inline uint64_t ascii_hash(const uint8_t *p, size_t size)
{
    const uint64_t lower = 0x2020202020202020ull;
    uint64_t state = BYTES_SEED;
    size_t left = size;
    for (; left > 16; left -= 8, p += 8)
        state = step(state, load_word(p) | lower);
    const uint64_t kept = ~0ull >> (left < 8 ? 64 - 8 * left : 0);
    const uint64_t kept_next = ~0ull >> (left > 8 ? 128 - 8 * left : 0);
    const uint64_t short_state = step(state, (load_word(p) | lower) & kept);
    const uint64_t long_state = step(short_state, (load_word(p + 8) | lower) & kept_next);
    return finish_bytes(left > 8 ? long_state : short_state, size);
}

static inline int all_set(uint64_t bits, size_t size)
{
    return (~bits & ((1ull << size) - 1)) == 0;
}

/* Emits the tokens that a block holds whole; returns the bytes done with, 0 where none is.
 * A token that touches the block's end or a non-ASCII byte may go on: it is left alone. */
static inline size_t tokenize_block(const uint8_t *p, struct tokens *t)
{
    const struct block b = block_read(p);
    const size_t limit = b.high ? (size_t)__builtin_ctzll(b.high) : BLOCK;
    const uint64_t usable = limit < BLOCK ? (1ull << limit) - 1 : ~0ull;
    uint64_t starts = b.alnum & ~(b.alnum << 1) & usable;
    uint64_t stops = ~b.alnum & (b.alnum << 1) & usable;
    uint64_t *hash = t->hash + t->count; /* locals: a byte store may alias what t points at */
    uint8_t *kind = t->kind + t->count;
    for (; stops; starts &= starts - 1, stops &= stops - 1) {
        const size_t start = (size_t)__builtin_ctzll(starts);
        const size_t size = (size_t)__builtin_ctzll(stops) - start;
        const int digits_only = (b.digit >> start & 1) && all_set(b.digit >> start, size);
        *hash++ = digits_only ? NUMBER_HASH : ascii_hash(p + start, size);
        *kind++ = digits_only ? T_NUMBER : size >= 4 ? T_WORD : T_SHORT;
    }
    t->count = (size_t)(hash - t->hash);
    return starts ? (size_t)__builtin_ctzll(starts) : limit;
}
#endif

/* Replaces the tokens by those of a text. -1: no memory. */
static int tokenize(struct tokens *t, const uint8_t *p, size_t size)
{
    t->count = 0;
    if (!size)
        return 0;
    if (tokens_reserve(t, size) < 0)
        return -1;
    const uint8_t *end = p + size;
    while (p < end) {
#if HAVE_BLOCKS
        const size_t left = (size_t)(end - p);
        size_t done;
        if (left >= BLOCK + OVERREAD) {
            done = tokenize_block(p, t);
        } else { /* NUL separates, so that padding ends the last token */
            uint8_t padded[BLOCK + OVERREAD] = {0};
            memcpy(padded, p, left);
            done = tokenize_block(padded, t);
            done = done < left ? done : left;
        }
        p += done;
        if (done)
            continue;
#endif
        p = tokenize_slowly(p, end, t);
    }
    return 0;
}

#endif
