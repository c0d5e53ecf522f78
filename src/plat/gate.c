#include "plat/gate.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "plat/thread.h"

enum { SHUT, OPEN, SLEPT_BEHIND };

/* A futex is 32 bits: those of the word that tell the states apart. */
static uint32_t *futex_of(rsq_gate *g)
{
    uint32_t *halves = (uint32_t *)(void *)&g->state;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return halves + sizeof g->state / sizeof *halves - 1;
#else
    return halves;
#endif
}

void rsq_gate_init(rsq_gate *g)
{
    atomic_init(&g->state, SHUT);
}

void rsq_gate_open(rsq_gate *g)
{
    uint32_t *futex = futex_of(g);

    /* From here on there may be no gate any more: only its address is used, and at worst a sleeper wakes that
     * looks again. */
    if (atomic_exchange_explicit(&g->state, OPEN, memory_order_release) == SLEPT_BEHIND)
        (void)syscall(SYS_futex, futex, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* False: it is open. */
static bool lie_down(rsq_gate *g)
{
    size_t shut = SHUT;

    return atomic_compare_exchange_strong_explicit(&g->state, &shut, SLEPT_BEHIND, memory_order_acquire,
                                                   memory_order_acquire) ||
           shut == SLEPT_BEHIND;
}

bool rsq_gate_wait_until(rsq_gate *g, int64_t deadline_ns)
{
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000),
                             .tv_nsec = (long)(deadline_ns % 1000000000)};

    /* It returns at once if the gate is open by now, or the time is over; and now and then for nothing. */
    while (lie_down(g)) {
        if (deadline_ns != RSQ_NO_DEADLINE && rsq_now_ns() >= deadline_ns)
            return false;
        (void)syscall(SYS_futex, futex_of(g), FUTEX_WAIT_BITSET_PRIVATE, (uint32_t)SLEPT_BEHIND,
                      deadline_ns == RSQ_NO_DEADLINE ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
    }
    return true;
}
