/*
 * Which live query is to run next at a certain time: a heap, so that putting
 * one in and taking the first out stays cheap, however many wait.
 */
#ifndef RSQ_STREAM_SCHEDULE_H
#define RSQ_STREAM_SCHEDULE_H

#include "stream/live.h"

/* All-zero is the empty schedule. The live queries in it are borrowed. Thread: under the registry's mutex. */
typedef struct rsq_schedule {
    rsq_live **heap; /* owned; the place of each is its index + 1 */
    size_t count;
    size_t capacity;
} rsq_schedule;

/* Have room for `count` of them, so that putting cannot fail. False: no memory. */
bool rsq_schedule_reserve(rsq_schedule *s, size_t count);

/* There is room. One that is in it is moved to the new time. */
void rsq_schedule_put(rsq_schedule *s, rsq_live *live, int64_t due_ns);

/* One that is not in it is a no-op. */
void rsq_schedule_remove(rsq_schedule *s, rsq_live *live);

/* The first that is due; NULL: none is in it. */
static inline rsq_live *rsq_schedule_first(const rsq_schedule *s)
{
    return s->count ? s->heap[0] : NULL;
}

void rsq_schedule_fini(rsq_schedule *s);

#endif
