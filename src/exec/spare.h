/*
 * A place for one thing that threads pass on without a mutex, and that can be
 * shut.
 *
 *            put ───────►
 *      NONE ◄─────── take  the thing
 *        ▲ │                  │
 *    open│ │shut              │shut: hands it over
 *        │ ▼                  │
 *        SHUT ◄───────────────┘
 *
 * All of it is one word, so its changes have one order: after rsq_spare_shut()
 * no take and no put succeeds, and who put a thing before has finished what it
 * did before the put.
 *
 * Source of the technique: a stack of depth one, which has none of the trouble
 * of deeper ones, since nothing is reached through the thing that is taken.
 */
#ifndef RSQ_EXEC_SPARE_H
#define RSQ_EXEC_SPARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rsq_spare {
    _Atomic uintptr_t at; /* NONE, SHUT, or the thing; see each function */
} rsq_spare;

#define RSQ_SPARE_NONE ((uintptr_t)0)
#define RSQ_SPARE_SHUT ((uintptr_t)1)

static inline void rsq_spare_init(rsq_spare *s)
{
    atomic_init(&s->at, RSQ_SPARE_SHUT);
}

/* NULL: there is none, or it is shut. */
static inline void *rsq_spare_take(rsq_spare *s)
{
    uintptr_t at = atomic_load_explicit(&s->at, memory_order_relaxed);

    if (at == RSQ_SPARE_NONE || at == RSQ_SPARE_SHUT ||
        !atomic_compare_exchange_strong_explicit(&s->at, &at, RSQ_SPARE_NONE, memory_order_acquire,
                                                 memory_order_relaxed))
        return NULL;
    return (void *)at;
}

/* False: there is one already, or it is shut. Acquires too: who shut it and looked around has done so before.
 */
static inline bool rsq_spare_put(rsq_spare *s, void *thing)
{
    uintptr_t at = RSQ_SPARE_NONE;

    return atomic_compare_exchange_strong_explicit(&s->at, &at, (uintptr_t)thing, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

/* Whatever was there is the caller's now; NULL: nothing. */
static inline void *rsq_spare_shut(rsq_spare *s)
{
    uintptr_t at = atomic_exchange_explicit(&s->at, RSQ_SPARE_SHUT, memory_order_acq_rel);

    return at == RSQ_SPARE_NONE || at == RSQ_SPARE_SHUT ? NULL : (void *)at;
}

/* Only one thread at a time shuts and opens. */
static inline void rsq_spare_open(rsq_spare *s)
{
    if (atomic_load_explicit(&s->at, memory_order_relaxed) == RSQ_SPARE_SHUT)
        atomic_store_explicit(&s->at, RSQ_SPARE_NONE, memory_order_release);
}

#endif
