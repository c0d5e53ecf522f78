#include "base/profile.h"

#include <string.h>

#include "base/error.h"

/* A counter of the public struct: its name, where it is there, and how two of them become a difference. */
typedef struct entry {
    const char *name;
    size_t offset;
    bool adds_up; /* false: the highest of what was seen */
} entry;

#define FIELD(field) offsetof(rsq_profile_counters, field)
#define TIME_ENTRIES(name, field)                                                                   \
    {#field ".count", FIELD(field.count), true}, {#field ".total_ns", FIELD(field.total_ns), true}, \
        {#field ".longest_ns", FIELD(field.longest_ns), false},
#define SUM_ENTRY(name, field) {#field, FIELD(field), true},
#define HIGHEST_ENTRY(name, field) {#field, FIELD(field), false},

static const entry entries[] = {RSQ_PROFILE_TIMES(TIME_ENTRIES) RSQ_PROFILE_SUMS(SUM_ENTRY)
                                    RSQ_PROFILE_HIGHEST(HIGHEST_ENTRY)};

#define ENTRIES (sizeof entries / sizeof entries[0])

_Static_assert(sizeof(rsq_profile_counters) == FIELD(reader_wait) + ENTRIES * sizeof(uint64_t),
               "each field has its entry");

static uint64_t get(const rsq_profile_counters *p, size_t i)
{
    uint64_t value;

    if (p->size < entries[i].offset + sizeof value)
        return 0; /* of a program that was compiled before the field came */
    memcpy(&value, (const char *)p + entries[i].offset, sizeof value);
    return value;
}

static void put(rsq_profile_counters *p, size_t i, uint64_t value)
{
    if (p->size >= entries[i].offset + sizeof value)
        memcpy((char *)p + entries[i].offset, &value, sizeof value);
}

const char *rsq_profile_name(size_t index)
{
    return index < ENTRIES ? entries[index].name : NULL;
}

uint64_t rsq_profile_value(const rsq_profile_counters *counters, size_t index)
{
    return counters && index < ENTRIES ? get(counters, index) : 0;
}

static bool has_size(const rsq_profile_counters *p)
{
    return p && p->size >= sizeof p->size;
}

rsq_code rsq_profile_difference(const rsq_profile_counters *before, const rsq_profile_counters *after,
                                rsq_profile_counters *out)
{
    if (!has_size(before) || !has_size(after) || !has_size(out))
        return RSQ_EINVAL;
    for (size_t i = 0; i < ENTRIES; i++) {
        uint64_t then = get(before, i), now = get(after, i);

        /* `out` may be one of the two. After a reset in between what there is now is all since. */
        put(out, i, entries[i].adds_up && now >= then ? now - then : now);
    }
    return RSQ_OK;
}

#if RSQ_PROFILE

_Atomic bool rsq_profile_is_on;

/* In the order of `entries`: of each time its count, its sum and the longest. Any thread; they order nothing.
 */
static _Atomic uint64_t cells[ENTRIES];

enum { SUMS_AT = 3 * RSQ_TIMES, HIGHESTS_AT = SUMS_AT + RSQ_SUMS };

_Static_assert(ENTRIES == HIGHESTS_AT + RSQ_HIGHESTS, "each counter has its cell");

static void add(size_t cell, uint64_t n)
{
    (void)atomic_fetch_add_explicit(&cells[cell], n, memory_order_relaxed);
}

static void raise(size_t cell, uint64_t n)
{
    uint64_t seen = atomic_load_explicit(&cells[cell], memory_order_relaxed);

    while (seen < n && !atomic_compare_exchange_weak_explicit(&cells[cell], &seen, n, memory_order_relaxed,
                                                              memory_order_relaxed))
        ;
}

void rsq_profile_took(rsq_profile_time_of what, int64_t ns)
{
    size_t cell = 3 * (size_t)what;
    uint64_t took = ns > 0 ? (uint64_t)ns : 0;

    add(cell, 1);
    add(cell + 1, took);
    raise(cell + 2, took);
}

void rsq_profile_add(rsq_profile_sum_of what, uint64_t n)
{
    add(SUMS_AT + (size_t)what, n);
}

void rsq_profile_raise(rsq_profile_highest_of what, uint64_t n)
{
    raise(HIGHESTS_AT + (size_t)what, n);
}

rsq_code rsq_profile_enable(bool on)
{
    atomic_store_explicit(&rsq_profile_is_on, on, memory_order_relaxed);
    return RSQ_OK;
}

rsq_code rsq_profile(rsq_profile_counters *out)
{
    if (!has_size(out))
        return RSQ_EINVAL;
    for (size_t i = 0; i < ENTRIES; i++)
        put(out, i, atomic_load_explicit(&cells[i], memory_order_relaxed));
    return RSQ_OK;
}

void rsq_profile_reset(void)
{
    for (size_t i = 0; i < ENTRIES; i++)
        atomic_store_explicit(&cells[i], 0, memory_order_relaxed);
}

#else

rsq_code rsq_profile_enable(bool on)
{
    return on ? RSQ_EUNSUPPORTED : RSQ_OK;
}

rsq_code rsq_profile(rsq_profile_counters *out)
{
    if (!has_size(out))
        return RSQ_EINVAL;
    for (size_t i = 0; i < ENTRIES; i++)
        put(out, i, 0);
    return RSQ_OK;
}

void rsq_profile_reset(void)
{
}

#endif
