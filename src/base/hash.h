/*
 * Hashing of bytes for tables in memory. Spreads the buckets and nothing more:
 * what is equal, a comparison of the bytes decides.
 */
#ifndef RSQ_BASE_HASH_H
#define RSQ_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t rsq_hash_mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 32);
}

/* Eight bytes a step, multiplied and folded; the length is part of it. */
static inline uint64_t rsq_hash_bytes(uint64_t h, const void *bytes, size_t len)
{
    const char *p = bytes;
    uint64_t word;

    h = rsq_hash_mix(h, len);
    for (; len >= 8; p += 8, len -= 8) {
        memcpy(&word, p, 8);
        h = rsq_hash_mix(h, word);
    }
    if (len) {
        word = 0;
        memcpy(&word, p, len);
        h = rsq_hash_mix(h, word);
    }
    return h;
}

#endif
