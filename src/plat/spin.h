/*
 * Waiting awake for a short time before going to sleep.
 *
 * To wake a sleeping thread costs two orders of magnitude more than to be seen
 * by one that looks. So a thread looks for a while first, as long as that pays:
 * the time doubles when something came meanwhile, and halves when nothing did.
 * When something came just after it had gone to sleep, and could have been seen,
 * the time is made long enough for the next one.
 */
#ifndef RSQ_PLAT_SPIN_H
#define RSQ_PLAT_SPIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rsq_spin {
    uint32_t limit_ns; /* how long the next one lasts; 0: not used yet. The waiting thread's own. */
} rsq_spin;

/* Look at `count` until it is not zero or the time is over; true: it is not zero. Synchronises nothing. */
bool rsq_spin_while_zero(rsq_spin *s, const _Atomic size_t *count);

/* It slept then, and what it waited for came so long after it had begun to look. */
void rsq_spin_missed(rsq_spin *s, int64_t after_ns);

#endif
