/*
 * Commit numbers: the 64-bit extension of the 32-bit change counter that the
 * header of the write-ahead log's index keeps, which rises by one for each real
 * commit of any process. One rsq_seq for all connections of a database.
 */
#ifndef RSQ_SQL_SEQ_H
#define RSQ_SQL_SEQ_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct rsq_seq {
    /* The highest number seen. Orders nothing else: a number travels together with its snapshot. */
    _Atomic uint64_t newest;
} rsq_seq;

/*
 * The number that `raw` stands for: the one nearest to the newest seen, so that
 * the 32 bits may wrap. A number above the newest becomes the newest.
 */
static inline uint64_t rsq_seq_extend(rsq_seq *s, uint32_t raw)
{
    uint64_t newest = atomic_load_explicit(&s->newest, memory_order_relaxed);
    uint64_t seq = newest + (uint64_t)(int64_t)(int32_t)(raw - (uint32_t)newest);

    while (seq > newest && !atomic_compare_exchange_weak_explicit(&s->newest, &newest, seq,
                                                                  memory_order_relaxed, memory_order_relaxed))
        ;
    return seq;
}

#endif
