/* The row code compiled for one set of instructions, as functions that kernel.c chooses from. */
#ifndef STILLWATCH_LEVEL_H
#define STILLWATCH_LEVEL_H

#include "row.h"

/* GCC can compile a file for more than the base; other compilers use what the base gives. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define HAVE_LEVELS 1
#else
#define HAVE_LEVELS 0
#endif

struct level {
    const char *name;
    void (*init)(void);
    int (*featurize)(struct work *w, uint64_t *values, int8_t *topic);
    int (*tokenize)(struct tokens *t, const uint8_t *p, size_t size);
    void (*similarity_of)(const struct tokens *t, struct similarity *s);
};

static void level_init(void)
{
    tokens_init();
    similarity_init();
    shapes_init();
}

#define LEVEL_OF(text) {text, level_init, featurize, tokenize, similarity_of}

#if HAVE_LEVELS
extern const struct level LEVEL_AVX2, LEVEL_AVX512;
#endif

#endif
