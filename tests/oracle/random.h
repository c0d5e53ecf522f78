/* The oracle's numbers: a small generator of its own, so that a seed means the same everywhere. */
#ifndef ORACLE_RANDOM_H
#define ORACLE_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct random_state {
    uint64_t state;
} random_state;

/* SplitMix64: every seed is a good one. */
static inline uint64_t random_next(random_state *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* From 0 to n - 1. */
static inline size_t random_below(random_state *r, size_t n)
{
    return (size_t)(random_next(r) >> 11) % n;
}

static inline bool random_chance(random_state *r, unsigned percent)
{
    return random_below(r, 100) < percent;
}

#endif
