#include "plat/spin.h"

#include "plat/thread.h"

/* Measured on two cores, see experiments/: below the first a hand-over is not caught, above the second it is
 * too late. */
#define LIMIT_MIN_NS 2000u
#define LIMIT_MAX_NS 50000u

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
    int64_t until;

    if (look(count))
        return true;
    until = rsq_now_ns() + limit;
    do {
        if (look(count)) {
            s->limit_ns = limit < LIMIT_MAX_NS / 2 ? 2 * limit : LIMIT_MAX_NS;
            return true;
        }
    } while (rsq_now_ns() < until);
    s->limit_ns = limit > 2 * LIMIT_MIN_NS ? limit / 2 : LIMIT_MIN_NS;
    return false;
}

void rsq_spin_missed(rsq_spin *s, int64_t after_ns)
{
    if (after_ns <= (int64_t)s->limit_ns || after_ns > (int64_t)LIMIT_MAX_NS)
        return;
    /* With room for one that takes a little longer. */
    s->limit_ns = after_ns > (int64_t)LIMIT_MAX_NS / 2 ? LIMIT_MAX_NS : 2 * (uint32_t)after_ns;
}
