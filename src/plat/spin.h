/*
 * Waiting awake for a short time before going to sleep.
 *
 * To wake a sleeping thread costs two orders of magnitude more than to be seen
 * by one that looks. So a thread looks for a while first, as long as that pays:
 * the time doubles when something came meanwhile, and halves when nothing did.
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

#endif
