/* The row code for AVX2 and BMI2; kernel.c asks the processor before it is called. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("avx2,bmi,bmi2,lzcnt,popcnt")
#include "level.h"

const struct level LEVEL_AVX2 = LEVEL_OF("avx2");
#else
typedef int nothing_here; /* an empty file is no C */
#endif
