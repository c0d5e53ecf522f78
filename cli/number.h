/*
 * Numbers from text and to text.
 */
#ifndef CLI_NUMBER_H
#define CLI_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "strbuf.h"

typedef enum number_kind {
    NUMBER_NONE,    /* not written as a number */
    NUMBER_INTEGER, /* fits 64 bits */
    NUMBER_LARGE,   /* an integer that does not */
    NUMBER_REAL,
    NUMBER_RANGE /* beyond what a double can hold */
} number_kind;

typedef struct number {
    number_kind kind;
    int64_t i; /* NUMBER_INTEGER */
    double d;  /* the value, for all but NUMBER_NONE and NUMBER_RANGE */
} number;

/**
 * Read text as a number if it is written as JSON writes numbers: no leading
 * zero or plus, digits on both sides of a point, no white space. So "03", "+49"
 * and "1." are text. This is what --infer calls a number.
 */
number number_infer(const char *s, size_t n);

/** Read any decimal number: sign, leading zeros and a bare point allowed; for types that the user has named.
 */
number number_read(const char *s, size_t n);

/**
 * The shortest digits that read back as `v`, as JavaScript writes numbers:
 * 0.1, 1e-7, 1e+21; -0 keeps its sign. `v` is finite.
 */
void number_add_real(strbuf *out, double v);

#endif
