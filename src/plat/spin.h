/*
 * Waiting awake for a short time before going to sleep.
 *
 * To wake a sleeping thread costs two orders of magnitude more than to be seen
 * by one that looks. So a thread looks for a while first, as long as that pays:
 * the whole time when what it waited for last came so soon that it could have
 * been seen, half as long as before when it came later.
 */
#ifndef RSQ_PLAT_SPIN_H
#define RSQ_PLAT_SPIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The waiting thread's own. All-zero is one that was not used yet. */
typedef struct rsq_spin {
    uint32_t limit_ns; /* how long the next one lasts; 0: the whole time */
    int64_t began_ns;  /* the last one, if it was in vain */
} rsq_spin;

/* Look at `count` until it is not zero or the time is over; true: it is not zero. Synchronises nothing. */
bool rsq_spin_while_zero(rsq_spin *s, const _Atomic size_t *count);

/* It was in vain, and the thread slept until somebody called it at `called_ns` (rsq_now_ns()), which is
 * earlier than it woke by what a wake-up takes; a time before it looked: nobody did. */
void rsq_spin_slept(rsq_spin *s, int64_t called_ns);

#endif
