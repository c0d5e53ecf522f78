/*
 * Unaligned loads and stores in a fixed byte order.
 *
 * The writers of this folder work on four or eight characters in a register,
 * the first character in the lowest byte. On a little-endian machine each
 * function is one instruction; on a big-endian one it swaps as well.
 */
#ifndef RSQ_JSON_BYTES_H
#define RSQ_JSON_BYTES_H

#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define RSQ_JSON_FIRST_LOWEST4(x) __builtin_bswap32(x)
#define RSQ_JSON_FIRST_LOWEST8(x) __builtin_bswap64(x)
#define RSQ_JSON_FIRST_HIGHEST8(x) (x)
#else
#define RSQ_JSON_FIRST_LOWEST4(x) (x)
#define RSQ_JSON_FIRST_LOWEST8(x) (x)
#define RSQ_JSON_FIRST_HIGHEST8(x) __builtin_bswap64(x)
#endif

/** Four bytes from `p`, the first one in the lowest bits. */
static inline uint32_t rsq_json_load4(const void *p)
{
    uint32_t x;

    memcpy(&x, p, sizeof x);
    return RSQ_JSON_FIRST_LOWEST4(x);
}

/** Four bytes to `p`, the lowest bits first. */
static inline void rsq_json_store4(void *p, uint32_t x)
{
    x = RSQ_JSON_FIRST_LOWEST4(x);
    memcpy(p, &x, sizeof x);
}

/** Eight bytes from `p`, the first one in the lowest bits. */
static inline uint64_t rsq_json_load8(const void *p)
{
    uint64_t x;

    memcpy(&x, p, sizeof x);
    return RSQ_JSON_FIRST_LOWEST8(x);
}

/** Eight bytes from `p`, the first one in the highest bits. */
static inline uint64_t rsq_json_load8_high(const void *p)
{
    uint64_t x;

    memcpy(&x, p, sizeof x);
    return RSQ_JSON_FIRST_HIGHEST8(x);
}

/** Eight bytes to `p`, the lowest bits first. */
static inline void rsq_json_store8(void *p, uint64_t x)
{
    x = RSQ_JSON_FIRST_LOWEST8(x);
    memcpy(p, &x, sizeof x);
}

#endif
