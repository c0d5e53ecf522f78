#include "stream/outcome.h"

#include "base/alloc.h"
#include "base/plant.h"
#include "result/result.h"

/* Told instead of an error for which there was no memory, so that it is not lost. Never freed. */
static rsq_failure without_memory = {
    .refs = 1,
    .error = {.code = RSQ_ENOMEM, .sql_offset = -1, .row = -1, .message = "out of memory"},
};

static rsq_failure *ref_failure(rsq_failure *f)
{
    if (f)
        atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    return f;
}

static void unref_failure(rsq_failure *f)
{
    if (f && atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) == 1)
        rsq_free(f);
}

rsq_outcome rsq_outcome_of_error(const rsq_error *error, bool hopeless)
{
    rsq_failure *f = rsq_alloc(sizeof *f);

    if (!f)
        return (rsq_outcome){.failure = ref_failure(&without_memory)};
    atomic_init(&f->refs, 1);
    f->hopeless = hopeless;
    f->error = *error;
    return (rsq_outcome){.failure = f};
}

rsq_outcome rsq_outcome_ref(const rsq_outcome *o)
{
    return (rsq_outcome){.result = o->result ? rsq_result_ref(o->result) : NULL,
                         .failure = ref_failure(o->failure)};
}

void rsq_outcome_clear(rsq_outcome *o)
{
    rsq_result_unref(o->result);
    unref_failure(o->failure);
    *o = (rsq_outcome){0};
}

bool rsq_outcome_equal(const rsq_outcome *a, const rsq_outcome *b)
{
    if (rsq_outcome_same(a, b))
        return true;
    if (a->result && b->result && RSQ_PLANTED(RSQ_PLANT_ROW_COUNT))
        return rsq_result_rows(a->result) == rsq_result_rows(b->result);
    if (a->result && b->result)
        return rsq_result_equal(a->result, b->result);
    return a->failure && b->failure && strcmp(a->failure->error.message, b->failure->error.message) == 0;
}
