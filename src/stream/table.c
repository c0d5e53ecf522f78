#include "stream/table.h"

#include <assert.h>

#include "base/alloc.h"

#define SIZE_MIN 16

static rsq_live **bucket_of(const rsq_live_table *t, uint64_t hash)
{
    return &t->buckets[hash & (t->size - 1)];
}

rsq_live *rsq_live_table_find(const rsq_live_table *t, const rsq_live_key *key, uint64_t hash)
{
    rsq_live *live = t->size ? *bucket_of(t, hash) : NULL;

    while (live && (live->hash != hash || !rsq_live_key_equal(&live->key, key)))
        live = live->chain;
    return live;
}

static void put(rsq_live_table *t, rsq_live *live)
{
    rsq_live **bucket = bucket_of(t, live->hash);

    live->chain = *bucket;
    *bucket = live;
}

/* To twice the size; without memory it stays, and its chains grow longer. */
static void grow(rsq_live_table *t)
{
    rsq_live_table larger = {.size = t->size ? 2 * t->size : SIZE_MIN, .count = t->count};

    larger.buckets = rsq_alloc_zero(larger.size * sizeof(rsq_live *));
    if (!larger.buckets)
        return;
    for (size_t i = 0; i < t->size; i++) {
        rsq_live *next;

        for (rsq_live *live = t->buckets[i]; live; live = next) {
            next = live->chain;
            put(&larger, live);
        }
    }
    rsq_free(t->buckets);
    *t = larger;
}

bool rsq_live_table_add(rsq_live_table *t, rsq_live *live)
{
    if (t->count >= t->size)
        grow(t);
    if (!t->size)
        return false;
    put(t, live);
    t->count++;
    return true;
}

void rsq_live_table_remove(rsq_live_table *t, rsq_live *live)
{
    rsq_live **at = bucket_of(t, live->hash);

    while (*at != live)
        at = &(*at)->chain;
    *at = live->chain;
    live->chain = NULL;
    t->count--;
}

void rsq_live_table_fini(rsq_live_table *t)
{
    assert(t->count == 0);
    rsq_free(t->buckets);
    *t = (rsq_live_table){0};
}
