/*
 * The difference of two results: which rows came, went, changed or moved.
 *
 * A row is known by its key: the values of some columns. The n-th row with a
 * key in one result is the n-th with it in the other, so keys that are not
 * unique make a difference longer than need be, never wrong. Without a key a
 * row is known by all its values, and then none is ever changed, only gone and
 * new.
 */
#ifndef RSQ_RESULT_DIFF_H
#define RSQ_RESULT_DIFF_H

#include "result/result.h"

/* Immutable; any thread. */
typedef struct rsq_diff {
    _Atomic uint32_t refs; /* release on drop, acquire by the one that frees */
    rsq_result *before;    /* owned references */
    rsq_result *after;
    rsq_change *changes; /* owned; in the order that rsq_change promises */
    size_t count;
    uint32_t *columns; /* owned; what the changes point at */
} rsq_diff;

/* Have they the same columns, so that there is a difference of their rows? */
bool rsq_diff_is_possible(const rsq_result *before, const rsq_result *after);

/*
 * Of two results with the same columns. `key` names columns (names that are not
 * there are left out); NULL: those that the result itself marks as its key.
 * NULL: no memory.
 */
rsq_diff *rsq_diff_new(rsq_result *before, rsq_result *after, const rsq_columns *key);
rsq_diff *rsq_diff_ref(rsq_diff *d); /* NULL is a no-op */
void rsq_diff_unref(rsq_diff *d);    /* NULL is a no-op */

#endif
