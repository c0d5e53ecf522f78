/*
 * Column names of one statement, stored once and shared by all its results.
 * Some of them may be marked as the key by which a row is known. Immutable once
 * it is shared; any thread may hold a reference.
 */
#ifndef RSQ_RESULT_COLUMNS_H
#define RSQ_RESULT_COLUMNS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rsq_columns {
    _Atomic uint32_t refs; /* release on drop, acquire by the one that frees */
    uint32_t count;
    bool *keys;          /* borrowed from the bytes behind the array; `count` of them */
    const char *names[]; /* borrowed from the bytes behind the array */
} rsq_columns;

/* Copies the names. NULL: no memory. */
rsq_columns *rsq_columns_new(const char *const *names, uint32_t count);

/* Before it is shared: a column is part of the rows' key. */
void rsq_columns_mark_key(rsq_columns *c, uint32_t column);

static inline bool rsq_columns_is_key(const rsq_columns *c, uint32_t column)
{
    return c->keys[column];
}

/* The same names in the same order? NULL equals NULL. */
bool rsq_columns_equal(const rsq_columns *a, const rsq_columns *b);

rsq_columns *rsq_columns_ref(rsq_columns *c);
void rsq_columns_unref(rsq_columns *c); /* NULL is a no-op */

#endif
