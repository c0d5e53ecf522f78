/*
 * What a run of a live query came to: a result, or an error. Both are shared by
 * the live query and by the streams that are handed them.
 */
#ifndef RSQ_STREAM_OUTCOME_H
#define RSQ_STREAM_OUTCOME_H

#include <stdatomic.h>

#include "resqlite.h"

/* An error that several streams are told. Immutable; any thread. */
typedef struct rsq_failure {
    _Atomic uint32_t refs; /* release on drop, acquire by the one that frees */
    /* Waiting does not mend it: SQL that means nothing, wrong parameters, a write. */
    bool hopeless;
    rsq_error error;
} rsq_failure;

/* At most one of them; both NULL: none yet. A shared reference to what is there. */
typedef struct rsq_outcome {
    rsq_result *result;
    rsq_failure *failure;
} rsq_outcome;

static inline bool rsq_outcome_is_none(const rsq_outcome *o)
{
    return !o->result && !o->failure;
}

/* Never fails: without memory it is a failure that says so. */
rsq_outcome rsq_outcome_of_error(const rsq_error *error, bool hopeless);

/* Takes ownership of `result`. */
static inline rsq_outcome rsq_outcome_of_result(rsq_result *result)
{
    rsq_outcome o = {result, NULL};

    return o;
}

/* One more reference. */
rsq_outcome rsq_outcome_ref(const rsq_outcome *o);

/* Drop the reference; `o` is none afterwards. */
void rsq_outcome_clear(rsq_outcome *o);

/* The same bytes, or the same message? None equals none. */
bool rsq_outcome_equal(const rsq_outcome *a, const rsq_outcome *b);

/* The very same object? */
static inline bool rsq_outcome_same(const rsq_outcome *a, const rsq_outcome *b)
{
    return a->result == b->result && a->failure == b->failure;
}

#endif
