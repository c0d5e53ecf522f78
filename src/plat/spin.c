#include "plat/spin.h"

#include "plat/thread.h"

/*
 * Measured on two cores, see experiments/0010: a hundred asynchronous inserts take
 * about 90 us, and to be woken 35 of them. Below the first limit no hand-over is
 * caught.
 */
#define LIMIT_MIN_NS 2000u
#define LIMIT_MAX_NS 100000u

/* Looks between two looks at the clock. */
#define LOOKS 16

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool look(const _Atomic size_t *count)
{
    for (int i = 0; i < LOOKS; i++) {
        if (atomic_load_explicit(count, memory_order_relaxed) != 0)
            return true;
        relax();
    }
    return false;
}

bool rsq_spin_while_zero(rsq_spin *s, const _Atomic size_t *count)
{
    uint32_t limit = s->limit_ns ? s->limit_ns : LIMIT_MAX_NS;

    if (look(count))
        return true;
    s->began_ns = rsq_now_ns();
    do {
        if (look(count))
            return true;
    } while (rsq_now_ns() < s->began_ns + limit);
    return false;
}

void rsq_spin_slept(rsq_spin *s, int64_t called_ns)
{
    uint32_t limit = s->limit_ns ? s->limit_ns : LIMIT_MAX_NS;

    if (called_ns >= s->began_ns && called_ns < s->began_ns + LIMIT_MAX_NS)
        s->limit_ns = LIMIT_MAX_NS;
    else
        s->limit_ns = limit > 2 * LIMIT_MIN_NS ? limit / 2 : LIMIT_MIN_NS;
}
