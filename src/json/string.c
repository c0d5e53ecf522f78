/*
 * Text to JSON strings.
 *
 * Most text needs no care: it is copied a block at a time, and one comparison
 * per block finds the first byte that is a control, a quote, a backslash, or
 * not ASCII. With SSE2, which every x86-64 has, a block is 16 bytes; elsewhere
 * it is 8 bytes in a plain register. The end of a text, shorter than a block,
 * is put together from overlapping loads, so that short texts do not go byte
 * by byte, and nothing outside the text is read.
 *
 * Only a run of bytes that are not ASCII is checked for being UTF-8; plain
 * ASCII pays nothing for it.
 *
 * No store reaches beyond the end of the finished string: each byte of the
 * text makes at least one byte of output (also where up to three bytes become
 * one U+FFFD), so there is always room for as many bytes as are left to read.
 */
#include "json/json.h"

#include <stdbool.h>
#include <string.h>

#include "json/bytes.h"

#if defined(__SSE2__) && defined(__x86_64__)
#include <emmintrin.h>
#define USE_SSE2 1
#else
#define USE_SSE2 0
#endif

/* ---------------------------------------------------- fewer than 8 bytes -- */

/* 1 to 7 bytes; the upper bytes of the result are zero. */
static inline uint64_t load_few(const char *s, size_t n)
{
    const unsigned char *u = (const unsigned char *)s;

    if (n >= 4)
        return rsq_json_load4(s) | (uint64_t)rsq_json_load4(s + n - 4) << 8 * (n - 4);
    return u[0] | (uint64_t)u[n / 2] << 8 * (n / 2) | (uint64_t)u[n - 1] << 8 * (n - 1);
}

static inline void store_few(char *p, uint64_t x, size_t n)
{
    if (n >= 4) {
        rsq_json_store4(p, (uint32_t)x);
        rsq_json_store4(p + n - 4, (uint32_t)(x >> 8 * (n - 4)));
    } else {
        p[0] = (char)x;
        p[n / 2] = (char)(x >> 8 * (n / 2));
        p[n - 1] = (char)(x >> 8 * (n - 1));
    }
}

/* -------------------------------------------------------------- blocks -- */

/*
 * A block holds the bytes of a text from low to high. The functions below are
 * the same for both kinds:
 *   find_care()     a mask of the bytes that need care; the lowest set bit is right
 *   mask_index()    the index of the byte of the lowest set bit
 *   mask_first()    the part of a mask that is about the first n < BLOCK bytes
 *   load_part(), store_part()   0 < n < BLOCK bytes; the others load as zero
 */
#if USE_SSE2

enum { BLOCK = 16 };
typedef __m128i block;
typedef unsigned block_mask;

static inline block load_block(const char *s)
{
    return _mm_loadu_si128((const __m128i *)(const void *)s);
}

static inline void store_block(char *p, block x)
{
    _mm_storeu_si128((__m128i *)(void *)p, x);
}

static inline block_mask find_care(block x)
{
    /* Signed, so the bytes from 0x80 are below 0x20 too. */
    __m128i care = _mm_cmplt_epi8(x, _mm_set1_epi8(0x20));

    care = _mm_or_si128(care, _mm_cmpeq_epi8(x, _mm_set1_epi8('"')));
    care = _mm_or_si128(care, _mm_cmpeq_epi8(x, _mm_set1_epi8('\\')));
    return (block_mask)_mm_movemask_epi8(care);
}

static inline size_t mask_index(block_mask mask)
{
    return (size_t)__builtin_ctz(mask);
}

static inline block_mask mask_first(block_mask mask, size_t n)
{
    return mask & ((1u << n) - 1);
}

static inline block load_part(const char *s, size_t n)
{
    uint64_t low, high;

    if (n < 8)
        return _mm_cvtsi64_si128((long long)load_few(s, n));
    low = rsq_json_load8(s);
    high = rsq_json_load8(s + n - 8) >> 8 >> 8 * (15 - n); /* 64 bits in all if n is 8 */
    return _mm_set_epi64x((long long)high, (long long)low);
}

static inline void store_part(char *p, block x, size_t n)
{
    uint64_t low = (uint64_t)_mm_cvtsi128_si64(x);
    uint64_t high;

    if (n < 8) {
        store_few(p, low, n);
        return;
    }
    high = (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(x, x));
    rsq_json_store8(p, low);
    if (n > 8) /* the last eight bytes, across both halves */
        rsq_json_store8(p + n - 8, high << 8 * (16 - n) | low >> 8 * (n - 8));
}

#else

enum { BLOCK = 8 };
typedef uint64_t block;
typedef uint64_t block_mask;

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static inline block load_block(const char *s)
{
    return rsq_json_load8(s);
}

static inline void store_block(char *p, block x)
{
    rsq_json_store8(p, x);
}

/* A subtraction borrows from the byte above only where it hits: above the first hit the mask may be wrong. */
static inline block_mask find_care(block x)
{
    uint64_t quote = (x ^ EACH('"')) - EACH(1);
    uint64_t backslash = (x ^ EACH('\\')) - EACH(1);
    uint64_t control = x - EACH(0x20);

    return (x | quote | backslash | control) & EACH(0x80);
}

static inline size_t mask_index(block_mask mask)
{
    return (size_t)__builtin_ctzll(mask) / 8;
}

static inline block_mask mask_first(block_mask mask, size_t n)
{
    return mask & ((UINT64_C(1) << 8 * n) - 1);
}

static inline block load_part(const char *s, size_t n)
{
    return load_few(s, n);
}

static inline void store_part(char *p, block x, size_t n)
{
    store_few(p, x, n);
}

#endif

/* Copies up to the first byte that needs care, or to the end. Moves `*s` there. */
static inline char *copy_plain(char *p, const char **s, const char *end)
{
    const char *from = *s;
    block_mask mask;
    size_t n;

    while (end - from >= BLOCK) {
        block x = load_block(from);

        store_block(p, x);
        mask = find_care(x);
        if (mask) {
            n = mask_index(mask);
            *s = from + n;
            return p + n;
        }
        from += BLOCK;
        p += BLOCK;
    }
    n = (size_t)(end - from);
    if (n > 0) {
        block x = load_part(from, n);

        store_part(p, x, n);
        mask = mask_first(find_care(x), n);
        if (mask)
            n = mask_index(mask);
    }
    *s = from + n;
    return p + n;
}

/* Where copy_plain() would stop. */
static const char *skip_plain(const char *s, const char *end)
{
    block_mask mask;
    size_t n;

    for (; end - s >= BLOCK; s += BLOCK) {
        mask = find_care(load_block(s));
        if (mask)
            return s + mask_index(mask);
    }
    n = (size_t)(end - s);
    if (n == 0)
        return end;
    mask = mask_first(find_care(load_part(s, n)), n);
    return mask ? s + mask_index(mask) : end;
}

/* ------------------------------------------------- bytes that need care -- */

/* The letter after the backslash; 0 if there is none. */
static const char escape_letters['\\' + 1] = {
    ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\',
};

static char *put_escape(char *p, char c)
{
    char letter = escape_letters[(unsigned char)c];

    p[0] = '\\';
    if (letter) {
        p[1] = letter;
        return p + 2;
    }
    memcpy(p + 1, "u00", 3);
    p[4] = (char)('0' + (c >> 4)); /* c is below 0x20 */
    p[5] = "0123456789abcdef"[c & 15];
    return p + 6;
}

static inline bool is_ascii(char c)
{
    return (unsigned char)c < 0x80;
}

/* What stands at a byte that is not ASCII. */
typedef struct sequence {
    size_t length; /* of a valid UTF-8 sequence, or of a maximal subpart of one */
    bool valid;
} sequence;

/* The table "Well-Formed UTF-8 Byte Sequences" of the Unicode standard, chapter 3.9, as code:
 * only the second byte has a range that depends on the first. */
static sequence read_sequence_carefully(const char *s, const char *end)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t left = (size_t)(end - s);
    unsigned lowest = 0x80;
    unsigned highest = 0xbf;
    size_t length;

    if (u[0] < 0xc2 || u[0] > 0xf4)
        return (sequence){1, false};
    length = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
    if (u[0] == 0xe0)
        lowest = 0xa0; /* below: could be written with two bytes */
    else if (u[0] == 0xed)
        highest = 0x9f; /* above: surrogates */
    else if (u[0] == 0xf0)
        lowest = 0x90; /* below: three bytes are enough */
    else if (u[0] == 0xf4)
        highest = 0x8f; /* above U+10FFFF */
    for (size_t i = 1; i < length; i++) {
        if (i == left || u[i] < lowest || u[i] > highest)
            return (sequence){i, false};
        lowest = 0x80;
        highest = 0xbf;
    }
    return (sequence){length, true};
}

/* The same for four bytes in a register, the first one lowest: the length if valid, else 0. A few
 * masks in place of a loop: twice as fast on Chinese text. */
static inline size_t valid_length(uint32_t x)
{
    if ((x & 0xc0c0f0) == 0x8080e0) {
        uint32_t fringe = x & 0x200f; /* 0: overlong; 0x200d: a surrogate */

        return fringe != 0 && fringe != 0x200d ? 3 : 0;
    }
    if ((x & 0xc0e0) == 0x80c0)
        return x & 0x1e ? 2 : 0; /* c0 and c1 are overlong */
    if ((x & 0xc0c0c0f8) == 0x808080f0) {
        uint32_t plane = (x & 7) << 2 | (x >> 12 & 3);

        return plane >= 1 && plane <= 16 ? 4 : 0;
    }
    return 0;
}

static inline sequence read_sequence(const char *s, const char *end)
{
    size_t length = end - s >= 4 ? valid_length(rsq_json_load4(s)) : 0;

    return length ? (sequence){length, true} : read_sequence_carefully(s, end);
}

/* A run of bytes that are not ASCII. Moves `*s` behind it. */
static char *put_not_ascii(char *p, const char **s, const char *end)
{
    const char *from = *s;

    do {
        sequence at = read_sequence(from, end);

        if (!at.valid) {
            memcpy(p, "\xef\xbf\xbd", 3);
            p += 3;
        } else {
            if (end - from >= 4)
                rsq_json_store4(p, rsq_json_load4(from));
            else
                store_few(p, load_few(from, at.length), at.length);
            p += at.length;
        }
        from += at.length;
    } while (from < end && !is_ascii(*from));
    *s = from;
    return p;
}

/* --------------------------------------------------------------- strings -- */

char *rsq_json_string(char *p, const char *s, size_t n)
{
    const char *end;

    *p++ = '"';
    if (n > 0) { /* `s` may be NULL otherwise */
        end = s + n;
        for (;;) {
            p = copy_plain(p, &s, end);
            if (s == end)
                break;
            if (is_ascii(*s))
                p = put_escape(p, *s++);
            else
                p = put_not_ascii(p, &s, end);
        }
    }
    *p++ = '"';
    return p;
}

/* What put_not_ascii() would write. */
static size_t size_not_ascii(const char **s, const char *end)
{
    const char *from = *s;
    size_t size = 0;

    do {
        sequence at = read_sequence(from, end);

        size += at.valid ? at.length : 3;
        from += at.length;
    } while (from < end && !is_ascii(*from));
    *s = from;
    return size;
}

size_t rsq_json_string_size(const char *s, size_t n)
{
    size_t size = 2;
    const char *plain;
    const char *end;

    if (n == 0)
        return size;
    end = s + n;
    for (;;) {
        plain = s;
        s = skip_plain(s, end);
        size += (size_t)(s - plain);
        if (s == end)
            return size;
        if (is_ascii(*s))
            size += escape_letters[(unsigned char)*s++] ? 2 : 6;
        else
            size += size_not_ascii(&s, end);
    }
}
