/* Rounding without libm, which a start does not load. */
#ifndef LUACTR_CORE_ROUND_H
#define LUACTR_CORE_ROUND_H

#include <stdint.h>

/* The least integer that is not below `x`, which has to be in the range of the result. */
static inline int64_t lctr_round_up(double x) {
    int64_t cut = (int64_t)x;
    return (double)cut < x ? cut + 1 : cut;
}

#endif
