/*
 * JSON primitives: one value in memory to its JSON text.
 *
 * Pure functions: no allocation, no I/O, no locks, no state; any thread. Each
 * writes at `p` and returns the end, without a NUL. The caller provides the
 * room that is named with each function, and nothing is written beyond it; up
 * to there, bytes after the returned end may be overwritten with anything,
 * because the writers store whole words. So a buffer filled from left to right
 * needs no slack, but bytes that follow must be written after, not before.
 *
 * Values are checked for nothing but what JSON cannot say: a number that is
 * not finite becomes `null`, text that is not UTF-8 is repaired.
 */
#ifndef RSQ_JSON_JSON_H
#define RSQ_JSON_JSON_H

#include <stddef.h>
#include <stdint.h>

/* ------------------------------------------------------------- numbers -- */

/** Room for rsq_json_int64(). */
#define RSQ_JSON_INT64_MAX 20

/** Exact decimal. */
char *rsq_json_int64(char *p, int64_t v);

/** Room for rsq_json_double(). The longest text has 25 bytes: -0.0000012345678901234567. */
#define RSQ_JSON_DOUBLE_MAX 32

/**
 * The shortest decimal that reads back as `v`, and of those the one nearest to
 * it, in the notation of JavaScript's Number.prototype.toString:
 *
 *   zero, and 1e-6 <= |v| < 1e21    0  -0  42  0.1  1.25  1000000000000000
 *   all other finite numbers        1e-7  5e-324  1.7976931348623157e+308
 *   infinities and NaN              null
 *
 * Only -0 differs from JSON.stringify() there: it keeps its sign here. Whole
 * numbers up to 2^53 are exact; larger ones have zeros from the 18th digit on
 * at the latest, as the digits before suffice to read the double back.
 */
char *rsq_json_double(char *p, double v);

/* --------------------------------------------------------------- texts -- */

/** Room that is enough for any text of `n` bytes. `n` is at most (SIZE_MAX - 2) / 6. */
static inline size_t rsq_json_string_bound(size_t n)
{
    return 6 * n + 2;
}

/** The exact number of bytes rsq_json_string() writes, by a scan: for texts too large for the bound. */
size_t rsq_json_string_size(const char *s, size_t n);

/**
 * A quoted string of the `n` bytes at `s`, which may hold NUL bytes and need
 * not be aligned or terminated. Room: rsq_json_string_size() is enough.
 *
 * Escaped are `"`, `\`, and the bytes below 0x20: \b \f \n \r \t by letter, the
 * others as \u00xx. Everything else that is valid UTF-8 is copied. Of what is
 * not, each maximal subpart (the longest start of a valid sequence, or one
 * byte) becomes U+FFFD, as the Unicode standard recommends and browsers do.
 */
char *rsq_json_string(char *p, const char *s, size_t n);

/* --------------------------------------------------------------- blobs -- */

/** Exact size of what rsq_json_base64() writes, and its room. `n` is at most SIZE_MAX / 4 * 3 - 6. */
static inline size_t rsq_json_base64_size(size_t n)
{
    return (n + 2) / 3 * 4 + 2;
}

/** A quoted string of the `n` bytes in base64 with padding (RFC 4648, alphabet with `+` and `/`). */
char *rsq_json_base64(char *p, const void *bytes, size_t n);

/** Exact size of what rsq_json_hex() writes, and its room. `n` is at most (SIZE_MAX - 2) / 2. */
static inline size_t rsq_json_hex_size(size_t n)
{
    return 2 * n + 2;
}

/** A quoted string of two lower-case hexadecimal digits for each of the `n` bytes. */
char *rsq_json_hex(char *p, const void *bytes, size_t n);

#endif
