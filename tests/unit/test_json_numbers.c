/*
 * Numbers to JSON: rows by name, and seeded random values against the C library.
 *
 * What is checked of a double: its text is a JSON number in the notation that
 * json.h documents, it reads back as the same bits, no shorter decimal does,
 * and of those of its length none is nearer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "json/json.h"

#define SEED UINT64_C(0x5eed0001)
#define GUARD ((char)0xa5)
#define TWO_53 9007199254740992.0

static double from_bits(uint64_t bits)
{
    double v;

    memcpy(&v, &bits, sizeof v);
    return v;
}

static uint64_t to_bits(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    return bits;
}

/* The text of a number, NUL-terminated, written into exactly the documented room. */
typedef struct number_text {
    char room[RSQ_JSON_DOUBLE_MAX + 1];
} number_text;

static number_text double_text(double v)
{
    number_text t;
    char *end;

    t.room[RSQ_JSON_DOUBLE_MAX] = GUARD;
    end = rsq_json_double(t.room, v);
    if (t.room[RSQ_JSON_DOUBLE_MAX] != GUARD || end > t.room + RSQ_JSON_DOUBLE_MAX)
        fail_msg("%a: wrote beyond the room", v);
    *end = 0;
    return t;
}

static number_text int64_text(int64_t v)
{
    number_text t;
    char *end;

    t.room[RSQ_JSON_INT64_MAX] = GUARD;
    end = rsq_json_int64(t.room, v);
    if (t.room[RSQ_JSON_INT64_MAX] != GUARD || end > t.room + RSQ_JSON_INT64_MAX)
        fail_msg("%" PRId64 ": wrote beyond the room", v);
    *end = 0;
    return t;
}

/* ------------------------------------------------------------- integers -- */

static void check_int64(int64_t v)
{
    number_text t = int64_text(v);
    char expected[32];

    snprintf(expected, sizeof expected, "%" PRId64, v);
    if (strcmp(t.room, expected) != 0)
        fail_msg("%s: got %s", expected, t.room);
}

/* J08: integers are exact to the byte. */
static void j08_integers_by_name(void **state)
{
    static const struct {
        int64_t v;
        const char *text;
    } rows[] = {
        {0, "0"},
        {1, "1"},
        {-1, "-1"},
        {9, "9"},
        {10, "10"},
        {99, "99"},
        {100, "100"},
        {99999999, "99999999"},
        {100000000, "100000000"},
        {-100000001, "-100000001"},
        {9999999999999999, "9999999999999999"},
        {10000000000000000, "10000000000000000"},
        {1020304050607080900, "1020304050607080900"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
        {4294967295, "4294967295"},
        {4294967296, "4294967296"},
        {4294967297, "4294967297"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(int64_text(rows[i].v).room, rows[i].text);
}

/* J08: every change of length, both signs. */
static void j08_integers_around_powers(void **state)
{
    int64_t ten = 1;

    (void)state;
    for (int e = 0; e <= 18; e++) {
        for (int64_t v = ten - 2; v <= ten + 2; v++) {
            check_int64(v);
            check_int64(-v);
        }
        if (e < 18)
            ten *= 10;
    }
    for (int bit = 0; bit < 64; bit++) {
        check_int64((int64_t)(UINT64_C(1) << bit));
        check_int64((int64_t)((UINT64_C(1) << bit) - 1));
        check_int64((int64_t)((UINT64_C(1) << bit) + 1));
    }
}

/* J08: all values of up to five digits, so all digits in all places of a group, and 300,000 random ones. */
static void j08_integers_small_and_random(void **state)
{
    uint64_t random = SEED;

    (void)state;
    for (int64_t v = -99999; v <= 99999; v++)
        check_int64(v);
    for (int i = 0; i < 300000; i++) {
        uint64_t bits = next_random(&random);

        check_int64((int64_t)(bits >> (next_random(&random) & 63)));
        check_int64((int64_t)bits);
    }
}

/* -------------------------------------------------- doubles, by rows -- */

/* J14, with the shortest digits where the reference has 17, and null where it has inf. */
static void j14_doubles_by_name(void **state)
{
    static const struct {
        const char *name;
        double v;
        const char *text;
    } rows[] = {
        {"zero", 0.0, "0"},
        {"minus zero", -0.0, "-0"},
        {"one", 1.0, "1"},
        {"whole", -42.0, "-42"},
        {"whole, 10^15", 1e15, "1000000000000000"},
        {"2^53 - 1", 9007199254740991.0, "9007199254740991"},
        {"2^53", TWO_53, "9007199254740992"},
        {"-2^53", -TWO_53, "-9007199254740992"},
        {"2^53 + 2", 9007199254740994.0, "9007199254740994"},
        {"2^60, not exact", 1152921504606846976.0, "1152921504606847000"},
        {"2^63", 9223372036854775808.0, "9223372036854776000"},
        {"below 10^21", 999999999999999868928.0, "999999999999999900000"},
        {"10^21", 1e21, "1e+21"},
        {"10^22", 1e22, "1e+22"},
        {"10^23, not exact", 1e23, "1e+23"},
        {"quarter step", 1.25, "1.25"},
        {"quarter step, minus", -0.75, "-0.75"},
        {"half", 74.5, "74.5"},
        {"tenth", 0.1, "0.1"},
        {"sum of tenths", 0.1 + 0.2, "0.30000000000000004"},
        {"third", 1.0 / 3.0, "0.3333333333333333"},
        {"price", 19.99, "19.99"},
        {"coordinate", -122.41942, "-122.41942"},
        {"eight decimals", 9999999.12345678, "9999999.12345678"},
        {"nine decimals", 123456.123456789, "123456.123456789"},
        {"four decimals, large", 99999999999.9999, "99999999999.9999"},
        {"one decimal, larger", 100000000000.5, "100000000000.5"},
        {"a tie goes to the even digit", 562949953421312.25, "562949953421312.2"},
        {"a tie, upwards", 562949953421312.75, "562949953421312.8"},
        {"pi", 3.141592653589793, "3.141592653589793"},
        {"17 digits, point in front", 0.12345678901234568, "0.12345678901234568"},
        {"plain, smallest", 1e-6, "0.000001"},
        {"plain, smallest, 17 digits", 1.2345678901234567e-6, "0.0000012345678901234567"},
        {"exponent, largest of the small", 9.999999999999997e-7, "9.999999999999997e-7"},
        {"10^-7", 1e-7, "1e-7"},
        {"minus, 10^-7 and a half", -1.5e-7, "-1.5e-7"},
        {"two digits of exponent", 1.5e-10, "1.5e-10"},
        {"power of two, nearest is outside", 0x1p-44, "5.684341886080802e-14"},
        {"power of two, narrow below", 9.5367431640625e-7, "9.5367431640625e-7"},
        {"smallest", 5e-324, "5e-324"},
        {"second smallest", 1e-323, "1e-323"},
        {"third smallest", 1.5e-323, "1.5e-323"},
        {"smallest, minus", -5e-324, "-5e-324"},
        {"largest subnormal", 2.225073858507201e-308, "2.225073858507201e-308"},
        {"smallest normal", DBL_MIN, "2.2250738585072014e-308"},
        {"largest", DBL_MAX, "1.7976931348623157e+308"},
        {"largest, minus", -DBL_MAX, "-1.7976931348623157e+308"},
        {"infinity", INFINITY, "null"},
        {"minus infinity", -INFINITY, "null"},
        {"not a number", NAN, "null"},
        {"minus not a number", -NAN, "null"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        number_text t = double_text(rows[i].v);

        if (strcmp(t.room, rows[i].text) != 0)
            fail_msg("%s: expected %s, got %s", rows[i].name, rows[i].text, t.room);
    }
}

/* ----------------------------------------------- doubles, by properties -- */

/* A decimal without zeros at either end: digits * 10^exponent. */
typedef struct decimal {
    uint64_t digits;
    int count;
    int exponent;
} decimal;

/* Reads a JSON number, and fails on anything that is none. `text` begins after the sign. */
static decimal parse_number(const char *text)
{
    const char *s = text;
    decimal d = {0, 0, 0};
    int zeros = 0; /* seen since the last other digit */
    int decimals = 0;
    bool point = false;

    if (s[0] == '0' && isdigit((unsigned char)s[1]))
        fail_msg("%s: leading zero", text);
    for (; isdigit((unsigned char)*s) || (*s == '.' && !point && s > text); s++) {
        if (*s == '.') {
            point = true;
            continue;
        }
        decimals += point;
        if (*s == '0') {
            zeros += d.count > 0;
            continue;
        }
        for (; zeros > 0; zeros--, d.count++)
            d.digits *= 10;
        d.digits = d.digits * 10 + (uint64_t)(*s - '0');
        d.count++;
    }
    if (s == text || s[-1] == '.' || (point && s[-1] == '0'))
        fail_msg("%s: not a number, or zeros at its end", text);
    d.exponent = zeros - decimals;
    if (*s == 'e') {
        if ((s[1] != '-' && s[1] != '+') || s[2] < '1' || s[2] > '9')
            fail_msg("%s: bad exponent", text);
        d.exponent += (int)strtol(s + 1, (char **)&s, 10);
    }
    if (*s)
        fail_msg("%s: not a number", text);
    return d;
}

static double read_decimal(uint64_t digits, int exponent)
{
    char text[48];

    snprintf(text, sizeof text, "%" PRIu64 "e%d", digits, exponent);
    return strtod(text, NULL);
}

/* The decimal of `count` digits that is nearest to v: the C library rounds correctly. */
static uint64_t nearest_digits(double v, int count, int *exponent)
{
    char text[48];
    uint64_t digits = 0;
    const char *s;

    snprintf(text, sizeof text, "%.*e", count - 1, v);
    for (s = text; *s != 'e'; s++) {
        if (*s != '.')
            digits = digits * 10 + (uint64_t)(*s - '0');
    }
    *exponent = (int)strtol(s + 1, NULL, 10) - count + 1;
    return digits;
}

/* Round trip, sign, and notation. v is finite and not zero. */
static decimal check_reads_back(double v, const char *text)
{
    bool minus = text[0] == '-';
    double magnitude = fabs(v);
    bool plain = !strchr(text, 'e');
    decimal d;

    if (minus != (v < 0) || to_bits(strtod(text, NULL)) != to_bits(v))
        fail_msg("%a: %s reads back differently", v, text);
    d = parse_number(text + minus);
    if (plain != (magnitude >= 1e-6 && magnitude < 1e21))
        fail_msg("%a: %s is the wrong notation", v, text);
    if (magnitude <= TWO_53 && magnitude == floor(magnitude) && strchr(text, '.'))
        fail_msg("%a: %s is whole", v, text);
    return d;
}

/* v is finite and above zero. */
static void check_shortest(double v, const char *text, decimal d)
{
    bool power_of_two = (to_bits(v) & ((UINT64_C(1) << 52) - 1)) == 0;
    int exponent;
    uint64_t digits = nearest_digits(v, d.count, &exponent);

    /* What reads back as v reaches as far up as down from it, so the nearest is inside if any is;
     * only at a power of two it reaches half as far down, and the next one up may be inside alone. */
    if (power_of_two && read_decimal(digits, exponent) != v)
        digits++;
    if (digits != d.digits || exponent != d.exponent)
        fail_msg("%a: %s is not the nearest of %d digits", v, text, d.count);
    if (d.count == 1)
        return;
    digits = nearest_digits(v, d.count - 1, &exponent);
    if (read_decimal(digits, exponent) == v || (power_of_two && read_decimal(digits + 1, exponent) == v))
        fail_msg("%a: %s is not the shortest", v, text);
}

static void check_double(double v)
{
    number_text t;

    if (v == 0 || !isfinite(v))
        return; /* rows by name have these */
    t = double_text(v);
    check_shortest(fabs(v), t.room, check_reads_back(v, t.room));
}

static void check_with_neighbours(double v)
{
    check_double(v);
    check_double(-v);
    check_double(nextafter(v, 0));
    check_double(nextafter(v, INFINITY));
}

/* Every binary exponent, with the narrow interval of a power of two and the wide one beside it. */
static void doubles_powers_of_two(void **state)
{
    (void)state;
    for (int e = -1074; e <= 1023; e++)
        check_with_neighbours(ldexp(1.0, e));
}

static void doubles_powers_of_ten(void **state)
{
    (void)state;
    for (int e = -324; e <= 308; e++) {
        for (uint64_t digit = 1; digit <= 9; digit++)
            check_with_neighbours(read_decimal(digit, e));
    }
}

/* The significands at both ends and with long runs of equal bits, at every exponent. */
static void doubles_boundaries(void **state)
{
    static const uint64_t significands[] = {
        0,
        1,
        2,
        3,
        UINT64_C(0x5555555555555),
        UINT64_C(0x8000000000000),
        UINT64_C(0xffffffffffffe),
        UINT64_C(0xfffffffffffff),
    };

    (void)state;
    for (uint64_t field = 0; field < 0x7ff; field++) {
        for (size_t i = 0; i < sizeof significands / sizeof significands[0]; i++)
            check_double(from_bits(field << 52 | significands[i]));
    }
}

/* Where one way of writing a double ends and another begins. */
static void doubles_thresholds(void **state)
{
    static const double thresholds[] = {1e-7, 1e-6, 1e-5, 1e-4, 1,      1e4,  1e7,  1e8,
                                        1e11, 1e15, 1e16, 1e17, TWO_53, 1e20, 1e21, 1e22};

    (void)state;
    for (size_t i = 0; i < sizeof thresholds / sizeof thresholds[0]; i++) {
        double below = thresholds[i];
        double above = thresholds[i];

        for (int step = 0; step < 50; step++) {
            check_double(below);
            check_double(above);
            below = nextafter(below, 0);
            above = nextafter(above, INFINITY);
        }
    }
}

/* The worst case of the table (see gen_pow10.py), and 2^53 scaled, where rounding to odd decides. */
static void doubles_near_a_tie(void **state)
{
    (void)state;
    check_with_neighbours(ldexp(8887055249355788.0, 664));
    for (int e = -1020; e <= 960; e++)
        check_double(ldexp(9007199254740991.0, e));
}

/* J14: quarter steps are exact. */
static void j14_quarter_steps(void **state)
{
    char expected[32];

    (void)state;
    for (int i = 0; i < 40000; i++) {
        int length = snprintf(expected, sizeof expected, "%.2f", i * 0.25);

        while (expected[length - 1] == '0')
            expected[--length] = 0;
        if (expected[length - 1] == '.')
            expected[--length] = 0;
        assert_string_equal(double_text(i * 0.25).room, expected);
    }
    for (double v = 0.25; v < 1e15; v *= 3)
        check_double(v);
}

/* Decimals of one to nine places, of sizes on both sides of what few_decimals() takes. */
static void doubles_short_decimals(void **state)
{
    uint64_t random = SEED;

    (void)state;
    for (int i = 0; i < 60000; i++) {
        uint64_t digits = next_random(&random) >> (12 + next_random(&random) % 50);

        check_double(read_decimal(digits, -1 - (int)(next_random(&random) % 9)));
    }
}

/* 2 million bit patterns of any kind. */
static void doubles_random_bits_read_back(void **state)
{
    uint64_t random = SEED;

    (void)state;
    for (int i = 0; i < 2000000; i++) {
        double v = from_bits(next_random(&random));
        number_text t = double_text(v);

        if (!isfinite(v))
            assert_string_equal(t.room, "null");
        else if (to_bits(strtod(t.room, NULL)) != to_bits(v))
            fail_msg("%a: %s reads back differently", v, t.room);
    }
}

/* Shortest and nearest, for bit patterns of any kind, subnormal ones, and numbers of everyday size. */
static void doubles_random_are_shortest(void **state)
{
    uint64_t random = SEED + 1;

    (void)state;
    for (int i = 0; i < 150000; i++) {
        check_double(from_bits(next_random(&random)));
        check_double(from_bits(next_random(&random) >> (12 + next_random(&random) % 52)));
        check_double((double)(next_random(&random) >> 11) * 0x1p-53 * 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(j08_integers_by_name),
        cmocka_unit_test(j08_integers_around_powers),
        cmocka_unit_test(j08_integers_small_and_random),
        cmocka_unit_test(j14_doubles_by_name),
        cmocka_unit_test(j14_quarter_steps),
        cmocka_unit_test(doubles_powers_of_two),
        cmocka_unit_test(doubles_powers_of_ten),
        cmocka_unit_test(doubles_boundaries),
        cmocka_unit_test(doubles_thresholds),
        cmocka_unit_test(doubles_near_a_tie),
        cmocka_unit_test(doubles_short_decimals),
        cmocka_unit_test(doubles_random_bits_read_back),
        cmocka_unit_test(doubles_random_are_shortest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
