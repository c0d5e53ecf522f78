/*
 * A visit of values that programs in any language can do alike: numbers are added
 * as they are, of a text its length, its first and its last character. The data
 * that is visited so has ASCII texts and numbers that are multiples of a half, so
 * a double holds the sum exactly, whatever a language makes of integers, and the
 * order does not matter.
 */
#ifndef BENCH_PORTABLE_H
#define BENCH_PORTABLE_H

#include <resqlite.h>

static inline double portable_text(double sum, const char *text, size_t len)
{
    return len > 0 ? sum + (double)len + text[0] + text[len - 1] : sum;
}

static inline double portable_value(double sum, const rsq_value *v)
{
    switch (v->type) {
    case RSQ_INTEGER:
        return sum + (double)v->as.i;
    case RSQ_REAL:
        return sum + v->as.d;
    case RSQ_TEXT:
        return portable_text(sum, v->as.text, v->len);
    default:
        return sum;
    }
}

static inline double portable_result(double sum, const rsq_result *r)
{
    size_t rows;
    size_t columns;
    const rsq_value *cells = rsq_result_cells(r, &rows, &columns);

    for (size_t i = 0; i < rows * columns; i++)
        sum = portable_value(sum, &cells[i]);
    return sum;
}

#endif
