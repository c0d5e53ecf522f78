/*
 * Commit numbers: the 64-bit extension of the 32-bit change counter that the
 * header of the write-ahead log's index keeps, which rises by one for each real
 * commit of any process. One rsq_seq for all connections of a database.
 *
 * The counter begins anew when a process died while it wrote the index, and
 * another one recovers it. The writer notices, and moves the base so that its
 * numbers go on.
 */
#ifndef RSQ_SQL_SEQ_H
#define RSQ_SQL_SEQ_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct rsq_seq {
    /* The highest number seen, 0: none yet. Orders nothing else: a number travels together with its snapshot.
     */
    _Atomic uint64_t newest;
    /* Number less counter, but for the upper 32 bits. Changed by the writer only; likewise. */
    _Atomic uint32_t base;
} rsq_seq;

/*
 * The number that `raw` stands for: the one nearest to the newest seen, so that
 * the 32 bits may wrap. A number above the newest becomes the newest.
 */
static inline uint64_t rsq_seq_extend(rsq_seq *s, uint32_t raw)
{
    uint64_t newest = atomic_load_explicit(&s->newest, memory_order_relaxed);
    uint32_t low = raw + atomic_load_explicit(&s->base, memory_order_relaxed);
    uint64_t seq = newest ? newest + (uint64_t)(int64_t)(int32_t)(low - (uint32_t)newest) : low;

    while (seq > newest && !atomic_compare_exchange_weak_explicit(&s->newest, &newest, seq,
                                                                  memory_order_relaxed, memory_order_relaxed))
        ;
    return seq;
}

/* The counter has begun anew and stands at `raw`: from here on it is above the newest. */
static inline void rsq_seq_rebase(rsq_seq *s, uint32_t raw)
{
    uint64_t newest = atomic_load_explicit(&s->newest, memory_order_relaxed);

    atomic_store_explicit(&s->base, (uint32_t)newest + 1 - raw, memory_order_relaxed);
}

#endif
