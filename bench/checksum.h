/*
 * Visiting values, in the same way for every peer.
 *
 * Two strengths. The visit is part of the timed block: it takes each number
 * whole, and of each text or blob the length and the first and last byte. That is
 * enough that neither compiler nor library can leave a value out, and little
 * enough that the ratio of two peers is not drowned in work that both have to do.
 * The hash is not timed: it takes every byte and its place, and proves once per
 * case that the peers read or wrote the same thing.
 */
#ifndef BENCH_CHECKSUM_H
#define BENCH_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t visit_integer(uint64_t sum, int64_t value)
{
    return sum + (uint64_t)value;
}

static inline uint64_t visit_real(uint64_t sum, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return sum + bits;
}

static inline uint64_t visit_bytes(uint64_t sum, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;

    return len > 0 ? sum + len + p[0] + p[len - 1] : sum;
}

/* FNV-1a; the first argument of the first call is HASH_START. */
#define HASH_START 0xcbf29ce484222325u

static inline uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash;
}

/* One cell: its type as a letter, then its bytes. */
static inline uint64_t hash_cell(uint64_t hash, char type, const void *bytes, size_t len)
{
    hash = hash_bytes(hash, &type, 1);
    hash = hash_bytes(hash, &len, sizeof len);
    return hash_bytes(hash, bytes, len);
}

/*
 * JSON text, without the ".0" that SQLite writes after a real that is whole and
 * the library does not. In the data of these cases no text ends in ".0".
 */
static inline uint64_t hash_json(uint64_t hash, const char *json, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (i + 2 < len && json[i] == '.' && json[i + 1] == '0' && (json[i + 2] == ',' || json[i + 2] == '}'))
            i += 2;
        hash = hash_bytes(hash, &json[i], 1);
    }
    return hash;
}

#endif
