/*
 * One line of text that is built piece by piece, with the columns it takes on
 * a terminal. A line that grows too long is cut, never an error.
 */
#ifndef DEMO_TEXT_H
#define DEMO_TEXT_H

#include <stddef.h>
#include <stdint.h>

typedef struct text {
    size_t len;
    char data[248]; /* UTF-8, always NUL-terminated */
} text;

void text_clear(text *t);

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void text_add(text *t, const char *format, ...);

/** Text from the database: what could move the cursor is shown as "?". */
void text_add_data(text *t, const char *s);

/** 12345 as "12,345". */
void text_add_count(text *t, uint64_t n);

/** As "870 ns", "2.1 µs", "35 ms"; "-" for zero. */
void text_add_duration(text *t, uint64_t ns);

/** The same two, to the right of a field `columns` wide. */
void text_add_count_right(text *t, uint64_t n, size_t columns);
void text_add_duration_right(text *t, uint64_t ns, size_t columns);

/** Add `s` to the right of a field `columns` wide. */
void text_add_right(text *t, const char *s, size_t columns);

/** Add spaces until the line is `columns` wide. */
void text_pad(text *t, size_t columns);

/** Columns of UTF-8 text, one a character. */
size_t text_columns(const char *s);

/** Bytes of `s` that fit into `columns`. */
size_t text_fit(const char *s, size_t columns);

#endif
