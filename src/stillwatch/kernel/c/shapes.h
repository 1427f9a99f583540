/* The shape of an answer as bits; shapes.py is its readable form, rule by rule. */
#ifndef STILLWATCH_SHAPES_H
#define STILLWATCH_SHAPES_H

#include "hashes.h"

enum shape {
    S_JSONL = 1,
    S_JSON_OBJECT = 2,
    S_INSTRUCTION_RECORDS = 4,
    S_NUMBERED_LIST = 8,
    S_RUBRIC_SCORE = 16,
    S_TAGGED_REASONING = 32,
    S_CODE_FENCE = 64
};

static inline uint8_t ascii_lower(uint8_t c)
{
    return (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* Bytes of `word` at p, ASCII letters without case: its length, or 0. */
static size_t match_word(const uint8_t *p, const uint8_t *end, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(end - p) < n)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (ascii_lower(p[i]) != (uint8_t)word[i])
            return 0;
    return n;
}

/* Classes of bytes, as bits of BYTE_CLASS. */
enum byte_class {
    B_BLANK = 1,  /* space, tab, CR */
    B_SPACE = 2,  /* the same and LF */
    B_LEAD = 4,   /* may stand before a score word */
    B_AFTER = 8,  /* may stand between a score word and its colon */
    B_VALUE = 16, /* may stand between the colon and the number */
    B_WORD = 32   /* the first byte of a score word */
};

static uint8_t BYTE_CLASS[256];

static void mark(const char *bytes, enum byte_class class)
{
    for (; *bytes; bytes++)
        BYTE_CLASS[(uint8_t)*bytes] |= (uint8_t)class;
}

static void shapes_init(void)
{
    mark(" \t\r", B_BLANK);
    mark(" \t\r\n", B_SPACE);
    mark("*#>\"'[ \t-", B_LEAD);
    mark("*\"'] \t", B_AFTER);
    mark("*\"'[ \t", B_VALUE);
    for (size_t i = 0; i < sizeof(SCORE_WORDS) / sizeof(*SCORE_WORDS); i++) {
        uint8_t first = (uint8_t)*SCORE_WORDS[i];
        BYTE_CLASS[first] |= B_WORD;
        if (first >= 'a' && first <= 'z')
            BYTE_CLASS[first - 32] |= B_WORD;
    }
}

static inline const uint8_t *skip(const uint8_t *p, const uint8_t *end, enum byte_class class)
{
    while (p < end && (BYTE_CLASS[*p] & class))
        p++;
    return p;
}

static inline const uint8_t *skip_back(const uint8_t *p, const uint8_t *end, enum byte_class class)
{
    while (end > p && (BYTE_CLASS[end[-1]] & class))
        end--;
    return end;
}

static int is_object(const uint8_t *p, const uint8_t *end)
{
    return end - p >= 2 && *p == '{' && end[-1] == '}';
}

static int is_numbered(const uint8_t *p, const uint8_t *end)
{
    int digits = 0;
    for (; p < end && digits < 3 && *p >= '0' && *p <= '9'; p++)
        digits++;
    if (!digits || p == end)
        return 0;
    return *p == '.' || *p == ')' || match_word(p, end, "\xe3\x80\x81")
        || match_word(p, end, "\xef\xbc\x8e") || match_word(p, end, "\xef\xbc\x89");
}

static int is_score(const uint8_t *p, const uint8_t *end)
{
    p = skip(p, end, B_LEAD);
    if (p == end || !(BYTE_CLASS[*p] & B_WORD))
        return 0;
    for (size_t i = 0; i < sizeof(SCORE_WORDS) / sizeof(*SCORE_WORDS); i++) {
        size_t n = match_word(p, end, SCORE_WORDS[i]);
        if (!n)
            continue;
        const uint8_t *q = skip(p + n, end, B_AFTER);
        size_t colon = match_word(q, end, ":");
        if (!colon)
            colon = match_word(q, end, "\xef\xbc\x9a");
        if (!colon)
            continue;
        q = skip(q + colon, end, B_VALUE);
        if (q < end && *q >= '0' && *q <= '9')
            return 1;
    }
    return 0;
}

static unsigned line_shapes(const uint8_t *p, const uint8_t *end)
{
    unsigned objects = 0, numbered = 0, shapes = 0;
    for (;;) {
        const uint8_t *next = end > p ? memchr(p, '\n', (size_t)(end - p)) : NULL;
        const uint8_t *stop = next ? next : end;
        const uint8_t *a = skip(p, stop, B_BLANK);
        const uint8_t *b = skip_back(a, stop, B_BLANK);
        objects += objects < 2 && is_object(a, b);
        numbered += numbered < 5 && is_numbered(a, b);
        if (!(shapes & S_RUBRIC_SCORE) && is_score(a, b))
            shapes |= S_RUBRIC_SCORE;
        if (b - a >= 3 && !memcmp(a, "```", 3))
            shapes |= S_CODE_FENCE;
        if (!next)
            break;
        p = next + 1;
    }
    return shapes | (objects >= 2 ? S_JSONL : 0) | (numbered >= 5 ? S_NUMBERED_LIST : 0);
}

static int contains(const uint8_t *p, const uint8_t *end, const char *quoted)
{
    size_t n = strlen(quoted);
    while (end - p >= (ptrdiff_t)n && (p = memchr(p, '"', (size_t)(end - p) - n + 1))) {
        if (!memcmp(p, quoted, n))
            return 1;
        p++;
    }
    return 0;
}

static int has_tagged_reasoning(const uint8_t *p, const uint8_t *end)
{
    unsigned opened = 0, closed = 0;
    while (end > p && (p = memchr(p, '<', (size_t)(end - p)))) {
        p++;
        int closing = p < end && *p == '/';
        const uint8_t *name = p + closing;
        for (size_t i = 0; i < sizeof(REASONING_TAGS) / sizeof(*REASONING_TAGS); i++) {
            size_t n = match_word(name, end, REASONING_TAGS[i]);
            if (n && name + n < end && name[n] == '>')
                *(closing ? &closed : &opened) |= 1u << i;
        }
    }
    return (opened & closed) != 0;
}

static unsigned shapes_of(const uint8_t *p, size_t size)
{
    if (!size)
        return 0;
    const uint8_t *end = p + size;
    unsigned shapes = line_shapes(p, end);
    const uint8_t *a = skip(p, end, B_SPACE);
    if (is_object(a, skip_back(a, end, B_SPACE)))
        shapes |= S_JSON_OBJECT;
    if (contains(p, end, "\"instruction\"") && contains(p, end, "\"output\""))
        shapes |= S_INSTRUCTION_RECORDS;
    return shapes | (has_tagged_reasoning(p, end) ? S_TAGGED_REASONING : 0);
}

#endif
