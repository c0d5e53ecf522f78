#include "sql/walindex.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#define COUNTER_OFFSET 8 /* of the 32-bit iChange in the header: the first half of its second word */
#define PAGES_OFFSET 20  /* of the 32-bit nPage: the second half of its third word */
#define REGION_BYTES 32768

_Static_assert(RSQ_WALINDEX_WORDS % 4 == 0, "compared four at a time");

/*
 * SQLite writes these words while others read them and sorts it out by
 * comparing the two copies and a checksum; we sort it out by comparing all 96
 * bytes. A torn read is unequal to any complete header, so it only costs a new
 * snapshot. The thread sanitizer is told to look away, as SQLite's own reader is.
 */
#if defined(__SANITIZE_THREAD__)
#define RACY __attribute__((no_sanitize_thread, noinline))
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RACY __attribute__((no_sanitize("thread"), noinline))
#endif
#endif
#ifndef RACY
#define RACY
#endif

static bool map_one(rsq_walindex_entry *e, sqlite3 *db, int schema)
{
    const char *name = sqlite3_db_name(db, schema);
    sqlite3_file *file = NULL;
    void volatile *region = NULL;

    if (!name || sqlite3_file_control(db, name, SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file)
        return false;
    if (!file->pMethods || file->pMethods->iVersion < 2 || !file->pMethods->xShmMap)
        return false;
    if (file->pMethods->xShmMap(file, 0, REGION_BYTES, 0, &region) != SQLITE_OK || !region)
        return false;
    e->live = region;
    return true;
}

/* Index 1 is the temporary schema, which has no log: entry 0 is main, entry i is schema i + 1. */
static int schema_index(size_t entry)
{
    return entry == 0 ? 0 : (int)entry + 1;
}

void rsq_walindex_map(rsq_walindex *w, sqlite3 *db)
{
    w->mapped = true;
    for (size_t i = 0; i < w->count; i++) {
        if (!w->entries[i].live && !map_one(&w->entries[i], db, schema_index(i)))
            w->mapped = false;
    }
}

void rsq_walindex_fini(rsq_walindex *w)
{
    for (size_t i = 0; i < w->count; i++) {
        sqlite3_finalize(w->entries[i].toucher);
        w->entries[i].toucher = NULL;
        w->entries[i].live = NULL;
    }
    w->mapped = false;
}

RACY void rsq_walindex_copy(rsq_walindex *w)
{
    for (size_t i = 0; i < w->count; i++) {
        rsq_walindex_entry *e = &w->entries[i];

        for (size_t word = 0; word < RSQ_WALINDEX_WORDS; word++)
            e->copy[word] = e->live[word];
    }
    /* Nothing of the transaction that follows may be read before the copy. */
    atomic_thread_fence(memory_order_seq_cst);
}

void rsq_walindex_set_copy(rsq_walindex *w, size_t entry, const void *header, size_t size)
{
    char *copy = (char *)w->entries[entry].copy;

    assert(2 * size == sizeof w->entries[entry].copy);
    memcpy(copy, header, size);
    memcpy(copy + size, header, size);
}

RACY bool rsq_walindex_unchanged(const rsq_walindex *w)
{
    uint64_t differ = 0;

    for (size_t i = 0; i < w->count; i++) {
        const rsq_walindex_entry *e = &w->entries[i];

        /* Four a turn: it is part of every read. */
        for (size_t word = 0; word < RSQ_WALINDEX_WORDS; word += 4) {
            differ |= e->live[word] ^ e->copy[word];
            differ |= e->live[word + 1] ^ e->copy[word + 1];
            differ |= e->live[word + 2] ^ e->copy[word + 2];
            differ |= e->live[word + 3] ^ e->copy[word + 3];
        }
    }
    /* Pairs with the committing process's barrier: pages read from here on are no older than the header. */
    atomic_thread_fence(memory_order_acquire);
    return differ == 0;
}

/* The counter in the word that holds it, in this machine's order of bytes. */
static uint32_t counter_in(uint64_t word)
{
    uint32_t counter;

    memcpy(&counter, &word, sizeof counter);
    return counter;
}

RACY uint32_t rsq_walindex_live_counter(const rsq_walindex *w)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < w->count; i++)
        sum += counter_in(w->entries[i].live[COUNTER_OFFSET / 8]);
    return sum;
}

uint32_t rsq_walindex_copied_counter(const rsq_walindex *w)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < w->count; i++)
        sum += counter_in(w->entries[i].copy[COUNTER_OFFSET / 8]);
    return sum;
}

RACY uint32_t rsq_walindex_pages(const rsq_walindex *w, size_t entry)
{
    const volatile uint64_t *live = w->entries[entry].live;
    uint64_t word = live ? live[PAGES_OFFSET / 8] : 0;
    uint32_t pages;

    memcpy(&pages, (const char *)&word + PAGES_OFFSET % 8, sizeof pages);
    return pages;
}
