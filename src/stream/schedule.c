#include "stream/schedule.h"

#include <assert.h>

#include "base/alloc.h"

bool rsq_schedule_reserve(rsq_schedule *s, size_t count)
{
    size_t capacity = s->capacity ? 2 * s->capacity : 16;
    rsq_live **grown;

    if (count <= s->capacity)
        return true;
    if (capacity < count)
        capacity = count;
    grown = rsq_realloc(s->heap, capacity * sizeof(rsq_live *));
    if (!grown)
        return false;
    s->heap = grown;
    s->capacity = capacity;
    return true;
}

static void set(rsq_schedule *s, size_t i, rsq_live *live)
{
    s->heap[i] = live;
    live->place = i + 1;
}

static void rise(rsq_schedule *s, size_t i)
{
    rsq_live *live = s->heap[i];

    while (i > 0 && s->heap[(i - 1) / 2]->due_ns > live->due_ns) {
        set(s, i, s->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    set(s, i, live);
}

static void sink(rsq_schedule *s, size_t i)
{
    rsq_live *live = s->heap[i];
    size_t child;

    while ((child = 2 * i + 1) < s->count) {
        if (child + 1 < s->count && s->heap[child + 1]->due_ns < s->heap[child]->due_ns)
            child++;
        if (s->heap[child]->due_ns >= live->due_ns)
            break;
        set(s, i, s->heap[child]);
        i = child;
    }
    set(s, i, live);
}

void rsq_schedule_put(rsq_schedule *s, rsq_live *live, int64_t due_ns)
{
    rsq_schedule_remove(s, live);
    assert(s->count < s->capacity);
    live->due_ns = due_ns;
    s->heap[s->count++] = live;
    rise(s, s->count - 1);
}

void rsq_schedule_remove(rsq_schedule *s, rsq_live *live)
{
    size_t i = live->place - 1;
    rsq_live *last;

    if (!live->place)
        return;
    live->place = 0;
    last = s->heap[--s->count];
    if (last == live)
        return;
    set(s, i, last);
    rise(s, i);
    sink(s, last->place - 1);
}

void rsq_schedule_fini(rsq_schedule *s)
{
    assert(s->count == 0);
    rsq_free(s->heap);
    *s = (rsq_schedule){0};
}
