/*
 * Numbers to JSON.
 *
 * Whole numbers are written eight digits at a time: three multiplications
 * separate the digits in one register (four and four, two and two, one and
 * one), so there is no loop, no table, and up to eight digits no branch on
 * their count. Two digits at a time from a table is as fast for two digits and
 * takes 1.5 times as long for four.
 *
 * Doubles that are not whole take one of two ways. Numbers with up to eight
 * decimals (prices, quarters, coordinates) are found by scaling, see
 * few_decimals(). All others go through Raffaele Giulietti's Schubfach method:
 * the double, and the ends of the interval of reals that read back as it, are
 * scaled by one power of ten such that the answer is one of four whole numbers
 * next to the scaled double, see shortest(). That needs a table of 617 powers
 * of ten, but neither big numbers nor a second try.
 */
#include "json/json.h"

#include <stdbool.h>
#include <string.h>

#include "json/bytes.h"
#include "json/pow10.inc"

#define ASCII_ZEROS UINT64_C(0x3030303030303030)

/* -------------------------------------------------------------- digits -- */

/* The eight decimal digits of `u` < 10^8 as eight bytes 0..9, the first digit in the lowest byte. */
static inline uint64_t split_8_digits(uint32_t u)
{
    uint64_t thousands, hundreds, tens;
    uint64_t x;

    thousands = u / 10000;
    x = thousands | (uint64_t)(u - (uint32_t)thousands * 10000) << 32;
    /* Two lanes below 10,000: x / 100 as a multiplication, exact in that range. */
    hundreds = ((x * 10486) >> 20) & UINT64_C(0x0000007f0000007f);
    x = hundreds | (x - hundreds * 100) << 16;
    /* Four lanes below 100: x / 10. */
    tens = ((x * 103) >> 10) & UINT64_C(0x000f000f000f000f);
    return tens | (x - tens * 10) << 8;
}

/* All eight digits of `u` < 10^8. */
static char *put_8_digits(char *p, uint32_t u)
{
    rsq_json_store8(p, split_8_digits(u) | ASCII_ZEROS);
    return p + 8;
}

/* `u` < 10^8 without leading zeros. Stores eight bytes. */
static char *put_below_1e8(char *p, uint32_t u)
{
    uint64_t x = split_8_digits(u);
    int zeros = __builtin_ctzll(x | UINT64_C(1) << 56) / 8; /* the last digit stays */

    rsq_json_store8(p, (x | ASCII_ZEROS) >> 8 * zeros);
    return p + 8 - zeros;
}

/* Stores at most 19 bytes for u <= 2^63. */
static char *put_uint64(char *p, uint64_t u)
{
    uint64_t high;

    if (u < 100000000)
        return put_below_1e8(p, (uint32_t)u);
    high = u / 100000000;
    if (high < 100000000)
        p = put_below_1e8(p, (uint32_t)high);
    else {
        p = put_below_1e8(p, (uint32_t)(high / 100000000));
        p = put_8_digits(p, (uint32_t)(high % 100000000));
    }
    return put_8_digits(p, (uint32_t)(u % 100000000));
}

char *rsq_json_int64(char *p, int64_t v)
{
    uint64_t u = (uint64_t)v;

    if (v < 0) {
        *p++ = '-';
        u = 0 - u; /* unsigned, so that the smallest value has its magnitude too */
    }
    return put_uint64(p, u);
}

/* ------------------------------------------------------- shortest form -- */

/* digits * 10^exponent */
typedef struct decimal {
    uint64_t digits; /* 1 .. 10^17 - 1; may end in zeros */
    int exponent;
} decimal;

#define SIGNIFICAND_BITS 52
#define SIGNIFICAND_MASK ((UINT64_C(1) << SIGNIFICAND_BITS) - 1)
#define EXPONENT_MASK 0x7ff
#define EXPONENT_BIAS 1075 /* of the last place */

/* Integer logarithms, rounded down; tools/gen_pow10.py proves them over the range of a double.
 * Shifting a negative number right keeps its sign with every compiler we build with. */
static int floor_log10_pow2(int q)
{
    return (q * 1262611) >> 22;
}

static int floor_log10_three_quarters_pow2(int q)
{
    return (q * 1262611 - 524031) >> 22;
}

static int floor_log2_pow10(int e)
{
    return (e * 1741647) >> 19;
}

/* a * b: returns the upper half. */
static uint64_t multiply(uint64_t a, uint64_t b, uint64_t *low)
{
#ifdef __SIZEOF_INT128__
    __extension__ unsigned __int128 x = (unsigned __int128)a * b;

    *low = (uint64_t)x;
    return (uint64_t)(x >> 64);
#else
    uint64_t a0 = (uint32_t)a;
    uint64_t a1 = a >> 32;
    uint64_t b0 = (uint32_t)b;
    uint64_t b1 = b >> 32;
    uint64_t cross = (a0 * b0 >> 32) + a1 * b0;
    uint64_t cross2 = (uint32_t)cross + a0 * b1;

    *low = a * b;
    return a1 * b1 + (cross >> 32) + (cross2 >> 32);
#endif
}

/*
 * g * b / 2^128 rounded down, with the last bit set if the exact product is not
 * whole ("rounded to odd"): enough to compare it with any even number. g is
 * rounded up, so the first 68 bits of the fraction decide; gen_pow10.py proves
 * that they always do.
 */
static uint64_t round_to_odd(const uint64_t g[2], uint64_t b)
{
    uint64_t low, middle, high, carry;

    carry = multiply(g[1], b, &low);
    high = multiply(g[0], b, &middle);
    middle += carry;
    high += middle < carry;
    return high | ((middle | low >> 60) != 0);
}

/*
 * The shortest decimal that reads back as the positive, finite double with
 * these two fields, and of those the nearest.
 *
 * In units of a quarter of its last place the double is 4c, and what reads back
 * as it reaches from 4c - 2 to 4c + 2, or from 4c - 1 at a power of two, below
 * which doubles are twice as dense. The ends belong to it if c is even. 10^k is
 * the largest power of ten no wider than that, so at least one multiple of 10^k
 * is inside, and at most one of 10^(k+1). The latter, if there is one, is the
 * shortest, once zeros at its end are dropped; else it is the multiple of 10^k
 * that is inside, or of two the nearer one.
 *
 * All four candidates are looked at before anything is chosen: which one it is
 * cannot be predicted, and a wrong guess costs more than the comparisons.
 */
static decimal shortest(int exponent_field, uint64_t significand)
{
    bool narrow = significand == 0 && exponent_field > 1;
    uint64_t c = exponent_field ? significand | UINT64_C(1) << SIGNIFICAND_BITS : significand;
    int q = (exponent_field ? exponent_field : 1) - EXPONENT_BIAS;
    int k = narrow ? floor_log10_three_quarters_pow2(q) : floor_log10_pow2(q);
    int h = q + floor_log2_pow10(-k) + 1;
    const uint64_t *g = pow10_table[-k - POW10_MIN];
    uint64_t odd = c & 1;
    uint64_t value = round_to_odd(g, 4 * c << h);
    uint64_t lower = round_to_odd(g, (4 * c - 2 + narrow) << h) + odd;
    uint64_t upper = round_to_odd(g, (4 * c + 2) << h) - odd;
    /* These are in quarters of 10^k. */
    uint64_t s = value / 4;
    uint64_t tens = s / 10;
    bool tens_below = lower <= 40 * tens;
    bool tens_above = 40 * tens + 40 <= upper;
    bool below = lower <= 4 * s;
    bool above = 4 * s + 4 <= upper;
    bool nearer_above = value + (s & 1) > 4 * s + 2; /* of two equally near, the even one */
    uint64_t ones = s + (below != above ? above : nearer_above);
    bool shorter = tens_below != tens_above;

    return (decimal){shorter ? tens + tens_above : ones, k + shorter};
}

/* ------------------------------------------------------------- notation -- */

static const uint64_t small_pow10[] = {
    1,
    10,
    100,
    1000,
    10000,
    100000,
    1000000,
    10000000,
    100000000,
    1000000000,
    10000000000,
    100000000000,
    1000000000000,
    10000000000000,
    100000000000000,
    1000000000000000,
    10000000000000000,
    100000000000000000,
};

/* Digits of 0 < u < 10^17. 1233 / 4096 is a little more than log10(2). */
static int count_digits(uint64_t u)
{
    int guess = (64 - __builtin_clzll(u)) * 1233 >> 12;

    return guess + (u >= small_pow10[guess]);
}

/* Up to 17 digits as characters; those after the first `count` are zeros. */
typedef struct digit_text {
    char first;
    uint64_t next; /* eight, in the order of rsq_json_store8() */
    uint64_t last; /* eight more */
    int count;     /* at least 1 */
    int point;     /* the value is 0.ddd * 10^point */
} digit_text;

static digit_text spell(decimal d)
{
    int n = count_digits(d.digits);
    uint64_t padded = d.digits * small_pow10[17 - n];
    uint64_t upper = padded / 100000000;
    uint64_t first = upper / 100000000;
    uint64_t next = split_8_digits((uint32_t)(upper - first * 100000000));
    uint64_t last = split_8_digits((uint32_t)(padded - upper * 100000000));
    int count = 1;

    if (last)
        count = 17 - __builtin_clzll(last) / 8;
    else if (next)
        count = 9 - __builtin_clzll(next) / 8;
    return (digit_text){.first = (char)('0' + first),
                        .next = next | ASCII_ZEROS,
                        .last = last | ASCII_ZEROS,
                        .count = count,
                        .point = n + d.exponent};
}

static char *put_all_digits(char *p, const digit_text *t)
{
    p[0] = t->first;
    rsq_json_store8(p + 1, t->next);
    rsq_json_store8(p + 9, t->last);
    return p + t->count;
}

/* The point stands after 1 to 16 digits and something follows it. */
static char *put_with_point(char *p, const digit_text *t)
{
    int before = t->point;
    int skip = 8 * (before - 1); /* bits of the 16 characters after the first */

    put_all_digits(p, t);
    p[before] = '.';
    if (skip < 64) {
        rsq_json_store8(p + before + 1, t->next >> skip | (t->last << 1) << (63 - skip));
        rsq_json_store8(p + before + 9, t->last >> skip);
    } else
        rsq_json_store8(p + before + 1, t->last >> (skip - 64));
    return p + t->count + 1;
}

static char *put_with_exponent(char *p, const digit_text *t)
{
    int e = t->point - 1;

    if (t->count > 1) {
        put_all_digits(p + 1, t);
        p[1] = '.';
        p[0] = t->first;
        p += t->count + 1;
    } else
        *p++ = t->first;
    *p++ = 'e';
    *p++ = e < 0 ? '-' : '+';
    return put_below_1e8(p, (uint32_t)(e < 0 ? -e : e));
}

static char *put_decimal(char *p, decimal d)
{
    digit_text t = spell(d);

    if (t.point > 21 || t.point < -5)
        return put_with_exponent(p, &t);
    if (t.point <= 0) {
        memcpy(p, "0.000000", 8);
        return put_all_digits(p + 2 - t.point, &t);
    }
    if (t.point < t.count)
        return put_with_point(p, &t);
    put_all_digits(p, &t);
    memcpy(p + 17, "0000", 4);
    return p + t.point;
}

/* -------------------------------------------------------------- doubles -- */

/*
 * Numbers with up to eight decimals (four from 10^7 up), at less than half the
 * price of shortest(); NULL if `v` is none. 1e-6 <= v < 1e11, and not whole.
 *
 * If scaled / unit reads back as v, no shorter decimal does: `scaled` has at
 * most 15 digits, and any two decimals of up to 15 digits read back as
 * different doubles. The division rounds correctly, so comparing its result is
 * the proof; how `scaled` was rounded does not matter. Both have the same
 * whole part, because rounding never carries a quotient past a whole number.
 *
 * Random doubles pay 1 to 3 ns for the attempt; a quarter step takes 8 ns in
 * place of 16, a coordinate with five decimals 12 in place of 26 (Xeon at
 * 2.6 GHz, gcc 12 -O2, 2026-11).
 */
static char *few_decimals(char *p, double v)
{
    double unit = v < 1e7 ? 1e8 : 1e4;
    uint64_t scaled = (uint64_t)(v * unit + 0.5);
    uint64_t whole = (uint64_t)v;
    uint64_t fraction;
    uint64_t x;

    if ((double)scaled / unit != v)
        return NULL;
    fraction = v < 1e7 ? scaled - whole * 100000000 : (scaled - whole * 10000) * 10000;
    x = split_8_digits((uint32_t)fraction);
    p = put_uint64(p, whole);
    *p++ = '.';
    rsq_json_store8(p, x | ASCII_ZEROS);
    return p + 8 - __builtin_clzll(x) / 8; /* the fraction is not zero */
}

char *rsq_json_double(char *p, double v)
{
    uint64_t bits, significand;
    int exponent_field;

    memcpy(&bits, &v, sizeof bits);
    exponent_field = (int)(bits >> SIGNIFICAND_BITS) & EXPONENT_MASK;
    significand = bits & SIGNIFICAND_MASK;
    if (exponent_field == EXPONENT_MASK) {
        memcpy(p, "null", 4);
        return p + 4;
    }
    if (bits >> 63) {
        *p++ = '-';
        v = -v;
    }
    if (v <= 9007199254740992.0 && (double)(int64_t)v == v)
        return put_uint64(p, (uint64_t)v);
    if (v >= 1e-6 && v < 1e11) {
        char *end = few_decimals(p, v);

        if (end)
            return end;
    }
    return put_decimal(p, shortest(exponent_field, significand));
}
