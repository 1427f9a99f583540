/* The row code for AVX-512 as of Ice Lake; kernel.c asks the processor before it is called. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("avx2,bmi,bmi2,lzcnt,popcnt,prefer-vector-width=512")
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2")
#include "level.h"

const struct level LEVEL_AVX512 = LEVEL_OF("avx512");
#else
typedef int nothing_here; /* an empty file is no C */
#endif
