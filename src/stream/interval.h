/*
 * Intervals of key values, asked which of them a value lies in, or some of several
 * values that are next to each other: a treap by the lower end, in which each node knows the greatest upper
 * end below it. Adding, removing and asking take logarithmic time, and asking what it finds besides. Thread:
 * the owner's.
 */
#ifndef RSQ_STREAM_INTERVAL_H
#define RSQ_STREAM_INTERVAL_H

#include "resqlite.h"
#include "sql/depends.h"

typedef struct rsq_interval {
    /* Set by who adds it; values are borrowed, and stay. */
    rsq_value low, high;
    bool has_low, has_high;
    bool low_open, high_open;

    /* The tree's. */
    struct rsq_interval *left, *right, *parent;
    const struct rsq_interval *greatest; /* with the greatest upper end, of this and all below */
    uint64_t priority;
} rsq_interval;

typedef struct rsq_intervals {
    rsq_interval *root;
    rsq_collation collation;
    uint64_t seed;
} rsq_intervals;

void rsq_intervals_add(rsq_intervals *t, rsq_interval *i);
void rsq_intervals_remove(rsq_intervals *t, rsq_interval *i);

/* Call `found` for each interval that has a value from `low` to `high`, both of them included. */
void rsq_intervals_ask(const rsq_intervals *t, const rsq_value *low, const rsq_value *high,
                       void (*found)(rsq_interval *i, void *ctx), void *ctx);

#endif
