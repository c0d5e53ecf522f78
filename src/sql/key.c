#include "sql/key.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/plant.h"

/* --- comparison --- */

static int rank(uint32_t type)
{
    switch (type) {
    case RSQ_NULL:
        return 0;
    case RSQ_INTEGER:
    case RSQ_REAL:
        return 1;
    case RSQ_TEXT:
        return 2;
    default:
        return 3;
    }
}

static int order(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

/* The bounds of int64_t as reals: the lower one is exact, the upper one is one above. */
#define REAL_MIN_INT (-9223372036854775808.0)
#define REAL_MAX_INT 9223372036854775808.0

/* Exact, also where the integer has more digits than a double. */
static int compare_mixed(int64_t i, double d)
{
    int64_t whole;

    if (d < REAL_MIN_INT)
        return 1;
    if (d >= REAL_MAX_INT)
        return -1;
    whole = (int64_t)d; /* towards zero */
    if (i != whole)
        return order(i, whole);
    return (double)whole < d ? -1 : (double)whole > d;
}

static int compare_numbers(const rsq_value *a, const rsq_value *b)
{
    if (a->type == RSQ_INTEGER && b->type == RSQ_INTEGER)
        return order(a->as.i, b->as.i);
    if (a->type == RSQ_INTEGER)
        return compare_mixed(a->as.i, b->as.d);
    if (b->type == RSQ_INTEGER)
        return -compare_mixed(b->as.i, a->as.d);
    return a->as.d < b->as.d ? -1 : a->as.d > b->as.d;
}

static int compare_bytes(const void *a, size_t a_len, const void *b, size_t b_len)
{
    size_t len = a_len < b_len ? a_len : b_len;
    int difference = len ? memcmp(a, b, len) : 0;

    return difference ? difference : order((int64_t)a_len, (int64_t)b_len);
}

static unsigned char lower(unsigned char ch)
{
    return ch >= 'A' && ch <= 'Z' ? (unsigned char)(ch + ('a' - 'A')) : ch;
}

/* SQLite looks no further than to a NUL byte, but for the lengths. */
static int compare_nocase(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t len = a_len < b_len ? a_len : b_len;

    for (size_t i = 0; i < len; i++) {
        unsigned char x = lower((unsigned char)a[i]), y = lower((unsigned char)b[i]);

        if (x != y)
            return x < y ? -1 : 1;
        if (x == 0)
            break;
    }
    return order((int64_t)a_len, (int64_t)b_len);
}

static size_t without_spaces(const rsq_value *v)
{
    size_t len = v->len;

    while (len > 0 && v->as.text[len - 1] == ' ')
        len--;
    return len;
}

static int compare_text(const rsq_value *a, const rsq_value *b, rsq_collation collation)
{
    if (collation == RSQ_COLLATION_NOCASE)
        return compare_nocase(a->as.text, a->len, b->as.text, b->len);
    if (collation == RSQ_COLLATION_RTRIM)
        return compare_bytes(a->as.text, without_spaces(a), b->as.text, without_spaces(b));
    return compare_bytes(a->as.text, a->len, b->as.text, b->len);
}

int rsq_key_compare(const rsq_value *a, const rsq_value *b, rsq_collation collation)
{
    int ra = rank(a->type), rb = rank(b->type);

    if (ra != rb)
        return ra - rb;
    switch (ra) {
    case 0:
        return 0;
    case 1:
        return compare_numbers(a, b);
    case 2:
        return compare_text(a, b, collation);
    default:
        return compare_bytes(a->as.blob, a->len, b->as.blob, b->len);
    }
}

/* --- hash --- */

static uint64_t hash_number(uint64_t h, const rsq_value *v)
{
    uint64_t bits;

    if (v->type == RSQ_INTEGER)
        return rsq_hash_mix(h, (uint64_t)v->as.i);
    if (v->as.d >= REAL_MIN_INT && v->as.d < REAL_MAX_INT && (double)(int64_t)v->as.d == v->as.d)
        return rsq_hash_mix(h, (uint64_t)(int64_t)v->as.d);
    memcpy(&bits, &v->as.d, sizeof bits);
    return rsq_hash_mix(rsq_hash_mix(h, 1), bits);
}

static uint64_t hash_nocase(uint64_t h, const char *text, size_t len)
{
    size_t i;

    h = rsq_hash_mix(h, len);
    for (i = 0; i < len && text[i]; i++)
        h = rsq_hash_mix(h, lower((unsigned char)text[i]));
    return h;
}

static uint64_t hash_text(uint64_t h, const rsq_value *v, rsq_collation collation)
{
    if (collation == RSQ_COLLATION_NOCASE)
        return hash_nocase(h, v->as.text, v->len);
    if (collation == RSQ_COLLATION_RTRIM)
        return rsq_hash_bytes(h, v->as.text, without_spaces(v));
    return rsq_hash_bytes(h, v->as.text, v->len);
}

uint64_t rsq_key_hash(uint64_t h, const rsq_value *v, rsq_collation collation)
{
    int r = rank(v->type);

    h = rsq_hash_mix(h, (uint64_t)r);
    switch (r) {
    case 0:
        return h;
    case 1:
        return hash_number(h, v);
    case 2:
        return hash_text(h, v, collation);
    default:
        return rsq_hash_bytes(h, v->as.blob, v->len);
    }
}

/* --- affinity --- */

/* As SQLite writes affinities in a program. */
enum {
    AFFINITY_BLOB = 'A',
    AFFINITY_TEXT = 'B',
    AFFINITY_NUMERIC = 'C',
    AFFINITY_INTEGER = 'D',
    AFFINITY_REAL = 'E'
};

static bool is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}

/* An integer and nothing else, short enough for no overflow. */
static bool is_plain_integer(const char *text, size_t len)
{
    size_t i = len > 0 && text[0] == '-' ? 1 : 0;

    if (i == len || len > 18)
        return false;
    for (; i < len; i++) {
        if (!is_digit(text[i]))
            return false;
    }
    return true;
}

static int64_t integer_of(const char *text, size_t len)
{
    bool negative = text[0] == '-';
    int64_t n = 0;

    for (size_t i = negative ? 1 : 0; i < len; i++)
        n = 10 * n + (text[i] - '0');
    return negative ? -n : n;
}

/* No number begins with these, whatever may come before a number. */
static bool is_surely_no_number(const char *text, size_t len)
{
    return len == 0 || ((unsigned char)text[0] > '9' && (unsigned char)text[0] < 0x80);
}

static rsq_operand_verdict text_to_number(rsq_value *v)
{
    if (is_plain_integer(v->as.text, v->len))
        *v = rsq_integer(integer_of(v->as.text, v->len));
    else if (!is_surely_no_number(v->as.text, v->len))
        return RSQ_OPERAND_DOUBTFUL;
    return RSQ_OPERAND_VALUE;
}

static rsq_operand_verdict apply(char affinity, rsq_value *v, char room[RSQ_OPERAND_ROOM])
{
    rsq_operand_verdict verdict = RSQ_OPERAND_VALUE;

    switch (affinity) {
    case AFFINITY_BLOB:
        break;
    case AFFINITY_TEXT:
        if (v->type == RSQ_REAL)
            return RSQ_OPERAND_DOUBTFUL;
        if (v->type == RSQ_INTEGER) {
            int n = snprintf(room, RSQ_OPERAND_ROOM, "%lld", (long long)v->as.i);

            *v = rsq_text_n(room, (uint32_t)n);
        }
        break;
    case AFFINITY_NUMERIC:
    case AFFINITY_INTEGER:
        /* A whole real becomes an integer, which compares like it. */
        if (v->type == RSQ_TEXT)
            verdict = text_to_number(v);
        break;
    case AFFINITY_REAL:
        if (v->type == RSQ_TEXT)
            verdict = text_to_number(v);
        if (v->type == RSQ_INTEGER)
            *v = rsq_real((double)v->as.i);
        break;
    default:
        return RSQ_OPERAND_DOUBTFUL;
    }
    return verdict;
}

static bool take_value(const rsq_operand *o, const rsq_value *params, size_t nparams, rsq_value *out)
{
    switch (o->kind) {
    case RSQ_OPERAND_PARAM:
        if (o->param >= nparams)
            return false;
        *out = params[o->param];
        /* SQLite has no NaN. */
        if (out->type == RSQ_REAL && isnan(out->as.d))
            *out = rsq_null();
        return true;
    case RSQ_OPERAND_INTEGER:
        *out = rsq_integer(o->integer);
        return true;
    case RSQ_OPERAND_TEXT:
        *out = rsq_text(o->text);
        return true;
    case RSQ_OPERAND_NULL:
        *out = rsq_null();
        return true;
    }
    return false;
}

rsq_operand_verdict rsq_operand_value(const rsq_operand *o, const rsq_value *params, size_t nparams,
                                      rsq_value *out, char room[RSQ_OPERAND_ROOM])
{
    rsq_operand_verdict verdict = RSQ_OPERAND_VALUE;

    if (!take_value(o, params, nparams, out))
        return RSQ_OPERAND_DOUBTFUL;
    if (out->type == RSQ_NULL && o->skips_null)
        return RSQ_OPERAND_NONE;
    if (RSQ_PLANTED(RSQ_PLANT_AFFINITY))
        return verdict;
    for (size_t i = 0; i < sizeof o->affinity && o->affinity[i] && verdict == RSQ_OPERAND_VALUE; i++)
        verdict = apply(o->affinity[i], out, room);
    return verdict;
}
