/*
 * What the library counts about itself, for rsq_profile(): one set for the process.
 *
 * Off until the program asks for it. A place that is measured looks at one flag,
 * so what is run for every read or write is measured in as few places as
 * possible, and waits are measured only where a thread waits already:
 *
 *     int64_t began = rsq_profile_begin();
 *     ...
 *     rsq_profile_end(RSQ_TIME_STREAM_RUN, began);
 *
 * Built with -Dprofile=false the flag is the constant false, and the compiler
 * leaves nothing of it. Thread: any.
 */
#ifndef RSQ_BASE_PROFILE_H
#define RSQ_BASE_PROFILE_H

#include <stdatomic.h>

#include "plat/thread.h"

/* Durations: how often, how long together, the longest. In the order of rsq_profile_counters. */
#define RSQ_PROFILE_TIMES(X)                \
    X(READER_WAIT, reader_wait)             \
    X(READER_PREPARE, reader_prepare)       \
    X(READER_STEP, reader_step)             \
    X(READER_BUILD, reader_build)           \
    X(READER_JSON, reader_json)             \
    X(WRITER_WAIT, writer_wait)             \
    X(WRITER_REQUEST, writer_request)       \
    X(WRITER_STEP, writer_step)             \
    X(WRITER_CAPTURE, writer_capture)       \
    X(WRITER_COMMIT, writer_commit)         \
    X(STREAM_INVALIDATE, stream_invalidate) \
    X(STREAM_HANDOFF, stream_handoff)       \
    X(STREAM_RUN, stream_run)               \
    X(STREAM_COMPARE, stream_compare)       \
    X(STREAM_DIFF, stream_diff)             \
    X(STREAM_EMIT, stream_emit)             \
    X(STREAM_DELIVER, stream_deliver)       \
    X(QUEUE_WAIT, queue_wait)               \
    X(WORKERS_ASLEEP, workers_asleep)       \
    X(WORKERS_SPINNING, workers_spinning)

/* Sums. */
#define RSQ_PROFILE_SUMS(X)                     \
    X(READER_ROWS, reader_rows)                 \
    X(READER_CELLS, reader_cells)               \
    X(WRITER_GROUPS, writer_groups)             \
    X(WRITER_GROUPED, writer_grouped)           \
    X(STREAM_CANDIDATES, stream_candidates)     \
    X(QUEUE_WAKES_SENT, queue_wakes_sent)       \
    X(QUEUE_WAKES_SAVED, queue_wakes_saved)     \
    X(PARKED_TOTAL, parked_total)               \
    X(PARKED_PAUSED, parked_paused)             \
    X(PARKED_WAKE_RETRIES, parked_wake_retries) \
    X(WORKERS_SPIN_HITS, workers_spin_hits)

/* The highest of what was seen. */
#define RSQ_PROFILE_HIGHEST(X)                    \
    X(WRITER_GROUP_LARGEST, writer_group_largest) \
    X(PARKED_LONGEST_QUEUE, parked_longest_queue)

#define RSQ_PROFILE_TIME(name, field) RSQ_TIME_##name,
#define RSQ_PROFILE_COUNT(name, field) RSQ_COUNT_##name,

typedef enum rsq_profile_time_of { RSQ_PROFILE_TIMES(RSQ_PROFILE_TIME) RSQ_TIMES } rsq_profile_time_of;
typedef enum rsq_profile_sum_of { RSQ_PROFILE_SUMS(RSQ_PROFILE_COUNT) RSQ_SUMS } rsq_profile_sum_of;
typedef enum rsq_profile_highest_of {
    RSQ_PROFILE_HIGHEST(RSQ_PROFILE_COUNT) RSQ_HIGHESTS
} rsq_profile_highest_of;

#if RSQ_PROFILE

/* Hidden, so that a look at it is one load. Orders nothing: what goes on while it is switched may be counted
 * or not. */
extern __attribute__((visibility("hidden"))) _Atomic bool rsq_profile_is_on;

static inline bool rsq_profile_on(void)
{
    return __builtin_expect(atomic_load_explicit(&rsq_profile_is_on, memory_order_relaxed), false);
}

/* One duration more, whether or not it is switched on by now. */
void rsq_profile_took(rsq_profile_time_of what, int64_t ns);

void rsq_profile_add(rsq_profile_sum_of what, uint64_t n);
void rsq_profile_raise(rsq_profile_highest_of what, uint64_t n);

#else

static inline bool rsq_profile_on(void)
{
    return false;
}

static inline void rsq_profile_took(rsq_profile_time_of what, int64_t ns)
{
    (void)what;
    (void)ns;
}

static inline void rsq_profile_add(rsq_profile_sum_of what, uint64_t n)
{
    (void)what;
    (void)n;
}

static inline void rsq_profile_raise(rsq_profile_highest_of what, uint64_t n)
{
    (void)what;
    (void)n;
}

#endif

/* The time, for rsq_profile_end(); 0: nothing is measured. */
static inline int64_t rsq_profile_begin(void)
{
    return rsq_profile_on() ? rsq_now_ns() : 0;
}

static inline void rsq_profile_end(rsq_profile_time_of what, int64_t began)
{
    if (began)
        rsq_profile_took(what, rsq_now_ns() - began);
}

/* So many more; so many at once. */
static inline void rsq_profile_count(rsq_profile_sum_of what, uint64_t n)
{
    if (rsq_profile_on())
        rsq_profile_add(what, n);
}

static inline void rsq_profile_peak(rsq_profile_highest_of what, uint64_t n)
{
    if (rsq_profile_on())
        rsq_profile_raise(what, n);
}

#endif
