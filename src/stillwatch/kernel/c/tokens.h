/* Text -> token hashes; tokenizer.py is its readable form. */
#ifndef STILLWATCH_TOKENS_H
#define STILLWATCH_TOKENS_H

#include <stdlib.h>

#include "hashes.h"

#if defined(__SSE2__) && (defined(__GNUC__) || defined(__clang__))
#include <immintrin.h>
#define HAVE_BLOCKS 1
#else
#define HAVE_BLOCKS 0
#endif

enum token_kind { T_SHORT, T_WORD, T_SINGLE, T_NUMBER };

/* The tokens of one text and the hash of them all; the arrays are reused from text to text. */
struct tokens {
    uint64_t *hash;
    uint8_t *kind;
    size_t count, capacity;
    uint64_t sequence;
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
 * A run needs a byte of its own and a separator; a single codepoint has three bytes. Eight tokens
 * are written at a time, those beyond the count are scrap. */
static int tokens_reserve(struct tokens *t, size_t size)
{
    size_t needed = size / 2 + 2 + 8;
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

static inline void tokens_free(struct tokens *t)
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

struct block {
    uint64_t alnum, digit, high;
};

#if defined(__AVX512VBMI__)
#define OVERREAD 0

/* The bytes of a block; those beyond `left` are NUL, which separates and so ends the last token. */
static inline __m512i block_load(const uint8_t *p, size_t left)
{
    const __mmask64 here = left < BLOCK ? _bzhi_u64(~0ull, (unsigned)left) : ~0ull;
    return _mm512_maskz_loadu_epi8(here, p);
}

static inline struct block block_classify(__m512i v)
{
    const __m512i d = _mm512_sub_epi8(v, _mm512_set1_epi8('0'));
    const __m512i a = _mm512_sub_epi8(_mm512_or_si512(v, _mm512_set1_epi8(0x20)),
                                      _mm512_set1_epi8('a'));
    struct block b;
    b.digit = _mm512_cmple_epu8_mask(d, _mm512_set1_epi8(9));
    b.alnum = b.digit | _mm512_cmple_epu8_mask(a, _mm512_set1_epi8(25));
    b.high = _mm512_movepi8_mask(v);
    return b;
}

static inline __m512i step8(__m512i state, __m512i value)
{
    const __m512i x = _mm512_mullo_epi64(_mm512_xor_si512(state, value),
                                         _mm512_set1_epi64((long long)MULTIPLIER));
    return _mm512_xor_si512(x, _mm512_srli_epi64(x, 32));
}

/* The bytes 8j of a vector of small numbers, spread over the j-th eight bytes. */
static inline __m512i spread(__m512i numbers, unsigned first)
{
    const __m512i eighth = _mm512_set_epi64(
        0x0707070707070707, 0x0606060606060606, 0x0505050505050505, 0x0404040404040404,
        0x0303030303030303, 0x0202020202020202, 0x0101010101010101, 0);
    return _mm512_permutexvar_epi8(
        _mm512_add_epi8(eighth, _mm512_set1_epi8((char)first)), numbers);
}

/* The hashes of eight tokens of at most 16 bytes, each beginning at the byte that `at` says. */
static inline __m512i ascii_hash8(__m512i text, __m512i at, __m512i size)
{
    const __m512i lower = _mm512_set1_epi8(0x20), ones = _mm512_set1_epi8(-1);
    const __m512i eight = _mm512_set1_epi64(8), count = _mm512_set1_epi64(0x0706050403020100);
    const __m512i place = _mm512_add_epi8(at, count);
    const __m512i next = _mm512_add_epi8(place, _mm512_set1_epi8(8));
    const __m512i first = _mm512_or_si512(_mm512_permutexvar_epi8(place, text), lower);
    const __m512i second = _mm512_or_si512(_mm512_permutexvar_epi8(next, text), lower);
    const __m512i short_size = _mm512_min_epu64(size, eight);
    const __m512i rest = _mm512_min_epu64(_mm512_sub_epi64(size, short_size), eight);
    const __m512i kept = _mm512_srlv_epi64(
        ones, _mm512_slli_epi64(_mm512_sub_epi64(eight, short_size), 3));
    const __m512i kept_next = _mm512_srlv_epi64(
        ones, _mm512_slli_epi64(_mm512_sub_epi64(eight, rest), 3));
    const __m512i seed = _mm512_set1_epi64((long long)BYTES_SEED);
    const __m512i brief = step8(seed, _mm512_and_si512(first, kept));
    const __m512i whole = step8(brief, _mm512_and_si512(second, kept_next));
    const __mmask8 is_long = _mm512_cmpgt_epu64_mask(size, eight);
    const __m512i hash = step8(_mm512_mask_mov_epi64(brief, is_long, whole), size);
    return _mm512_mask_mov_epi64(hash, _mm512_testn_epi64_mask(hash, hash),
                                 _mm512_set1_epi64(1));
}
#else
#define OVERREAD 16 /* the last token of a block is loaded as two words of 8 bytes */

#if defined(__AVX2__)
static inline struct block block_read(const uint8_t *p)
{
    struct block b = {0, 0, 0};
    for (int i = 0; i < BLOCK; i += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
        __m256i d = _mm256_sub_epi8(v, _mm256_set1_epi8('0'));
        __m256i a = _mm256_sub_epi8(_mm256_or_si256(v, _mm256_set1_epi8(0x20)),
                                    _mm256_set1_epi8('a'));
        __m256i digit = _mm256_cmpeq_epi8(_mm256_min_epu8(d, _mm256_set1_epi8(9)), d);
        __m256i letter = _mm256_cmpeq_epi8(_mm256_min_epu8(a, _mm256_set1_epi8(25)), a);
        b.high |= (uint64_t)(unsigned)_mm256_movemask_epi8(v) << i;
        b.digit |= (uint64_t)(unsigned)_mm256_movemask_epi8(digit) << i;
        b.alnum |= (uint64_t)(unsigned)_mm256_movemask_epi8(_mm256_or_si256(digit, letter)) << i;
    }
    return b;
}
#else
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
#endif
#endif

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
#if defined(__AVX512VBMI__)
static inline size_t tokenize_block(const uint8_t *p, size_t left, struct tokens *t)
{
    const __m512i text = block_load(p, left);
    const struct block b = block_classify(text);
    const size_t limit = b.high ? (size_t)__builtin_ctzll(b.high) : BLOCK;
    const uint64_t usable = limit < BLOCK ? (1ull << limit) - 1 : ~0ull;
    const uint64_t starts = b.alnum & ~(b.alnum << 1) & usable;
    const uint64_t stops = ~b.alnum & (b.alnum << 1) & usable;
    const unsigned whole = (unsigned)__builtin_popcountll(stops);
    const uint64_t open = starts & ~_pdep_u64(_bzhi_u64(~0ull, whole), starts);
    const __m512i places = _mm512_set_epi64(
        0x3f3e3d3c3b3a3938, 0x3736353433323130, 0x2f2e2d2c2b2a2928, 0x2726252423222120,
        0x1f1e1d1c1b1a1918, 0x1716151413121110, 0x0f0e0d0c0b0a0908, 0x0706050403020100);
    const __m512i from = _mm512_maskz_compress_epi8(starts, places);
    const __m512i to = _mm512_maskz_compress_epi8(stops, places);
    const __m512i low_byte = _mm512_set1_epi64(0xFF), digits = _mm512_set1_epi64((long long)b.digit);
    for (unsigned k = 0; k < whole; k += 8) {
        const __m512i at = spread(from, k), start = _mm512_and_si512(at, low_byte);
        const __m512i stop = _mm512_and_si512(spread(to, k), low_byte);
        const __m512i size = _mm512_sub_epi64(stop, start);
        const __m512i all = _mm512_sub_epi64(_mm512_sllv_epi64(_mm512_set1_epi64(1), size),
                                             _mm512_set1_epi64(1));
        const __m512i other = _mm512_andnot_si512(_mm512_srlv_epi64(digits, start), all);
        const __mmask8 number = _mm512_testn_epi64_mask(other, other);
        const __mmask8 word = _mm512_cmpge_epu64_mask(size, _mm512_set1_epi64(4));
        __m512i hash = ascii_hash8(text, at, size);
        hash = _mm512_mask_mov_epi64(hash, number, _mm512_set1_epi64((long long)NUMBER_HASH));
        __m512i kind = _mm512_maskz_set1_epi64(word, T_WORD);
        kind = _mm512_mask_mov_epi64(kind, number, _mm512_set1_epi64(T_NUMBER));
        uint64_t *hashes = t->hash + t->count + k;
        _mm512_storeu_si512(hashes, hash);
        _mm_storel_epi64((__m128i *)(void *)(t->kind + t->count + k), _mm512_cvtepi64_epi8(kind));
        unsigned longer = _mm512_cmpgt_epu64_mask(size, _mm512_set1_epi64(16)) & ~(unsigned)number;
        longer &= (1u << (whole - k < 8 ? whole - k : 8)) - 1;
        for (; longer; longer &= longer - 1) {
            uint8_t bytes[BLOCK + 16];
            const unsigned lane = (unsigned)__builtin_ctz(longer);
            uint8_t edges[2][BLOCK];
            _mm512_storeu_si512(bytes, text);
            _mm512_storeu_si512(edges[0], from);
            _mm512_storeu_si512(edges[1], to);
            const uint8_t first = edges[0][k + lane];
            hashes[lane] = ascii_hash(bytes + first, (size_t)(edges[1][k + lane] - first));
        }
    }
    t->count += whole;
    return open ? (size_t)__builtin_ctzll(open) : limit;
}
#else
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
#endif

/* Goes on with the hash of all tokens; called while the next ones are being read, because each
 * step waits for the one before and would wait alone otherwise. */
static inline size_t sequence_on(struct tokens *t, size_t done)
{
    uint64_t state = t->sequence;
    for (; done < t->count; done++)
        state = step(state, t->hash[done]);
    t->sequence = state;
    return done;
}

/* Replaces the tokens by those of a text. -1: no memory. */
static int tokenize(struct tokens *t, const uint8_t *p, size_t size)
{
    size_t hashed = 0;
    t->count = 0;
    t->sequence = 0;
    if (!size)
        return 0;
    if (tokens_reserve(t, size) < 0)
        return -1;
    const uint8_t *end = p + size;
    t->sequence = SEQUENCE_SEED;
    for (; p < end; hashed = sequence_on(t, hashed)) {
#if HAVE_BLOCKS
        const size_t left = (size_t)(end - p);
        size_t done;
#if defined(__AVX512VBMI__)
        done = tokenize_block(p, left, t);
        done = done < left ? done : left;
#else
        if (left >= BLOCK + OVERREAD) {
            done = tokenize_block(p, t);
        } else { /* NUL separates, so that padding ends the last token */
            uint8_t padded[BLOCK + OVERREAD] = {0};
            memcpy(padded, p, left);
            done = tokenize_block(padded, t);
            done = done < left ? done : left;
        }
#endif
        p += done;
        if (done)
            continue;
#endif
        p = tokenize_slowly(p, end, t);
    }
    t->sequence = finish_sequence(t->sequence, t->count);
    return 0;
}

#endif
