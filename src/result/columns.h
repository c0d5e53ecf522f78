/*
 * Column names of one statement, stored once and shared by all its results.
 * Immutable after rsq_columns_new(); any thread may hold a reference.
 */
#ifndef RSQ_RESULT_COLUMNS_H
#define RSQ_RESULT_COLUMNS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rsq_columns {
    _Atomic uint32_t refs; /* release on drop, acquire by the one that frees */
    uint32_t count;
    const char *names[]; /* borrowed from the bytes behind the array */
} rsq_columns;

/* Copies the names. NULL: no memory. */
rsq_columns *rsq_columns_new(const char *const *names, uint32_t count);
rsq_columns *rsq_columns_ref(rsq_columns *c);
void rsq_columns_unref(rsq_columns *c); /* NULL is a no-op */

#endif
