#include "sql/watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sql/internal.h"

rsq_watch *rsq_watch_ref(rsq_watch *w)
{
    if (w)
        atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
    return w;
}

void rsq_watch_table_fini(rsq_watch_table *t)
{
    for (size_t i = 0; i < t->nkeys; i++)
        rsq_free(t->keys[i].columns);
    rsq_free(t->keys);
    rsq_free(t->columns);
    rsq_free(t->primary);
    rsq_free(t->name);
    *t = (rsq_watch_table){0};
}

void rsq_watch_unref(rsq_watch *w)
{
    if (!w || atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < w->ntables; i++)
        rsq_watch_table_fini(&w->tables[i]);
    rsq_free(w->tables);
    rsq_free(w);
}

static int compare_tables(const void *a, const void *b)
{
    return sqlite3_stricmp(((const rsq_watch_table *)a)->name, ((const rsq_watch_table *)b)->name);
}

void rsq_watch_sort(rsq_watch *w)
{
    if (w->ntables)
        qsort(w->tables, w->ntables, sizeof w->tables[0], compare_tables);
}

/* "schema.table" against the two of them. */
static int compare_parts(const char *name, const char *schema, const char *table)
{
    size_t len = strlen(schema);
    int difference = sqlite3_strnicmp(schema, name, (int)len);

    if (difference)
        return difference;
    return name[len] == '.' ? sqlite3_stricmp(table, name + len + 1) : '.' - (unsigned char)name[len];
}

const rsq_watch_table *rsq_watch_find(const rsq_watch *w, const char *schema, const char *table)
{
    size_t low = 0, high = w->ntables;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int difference = compare_parts(w->tables[middle].name, schema, table);

        if (difference == 0)
            return &w->tables[middle];
        if (difference < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const rsq_watch_table *rsq_watch_find_name(const rsq_watch *w, const char *name)
{
    rsq_watch_table key = {.name = (char *)(uintptr_t)name};

    return w->ntables ? bsearch(&key, w->tables, w->ntables, sizeof key, compare_tables) : NULL;
}

void rsq_watch_board_init(rsq_watch_board *b)
{
    atomic_init(&b->epoch, 0);
    rsq_mutex_init(&b->mu);
    b->newest = NULL;
}

void rsq_watch_board_fini(rsq_watch_board *b)
{
    rsq_watch_unref(b->newest);
    rsq_mutex_fini(&b->mu);
}

void rsq_watch_board_put(rsq_watch_board *b, rsq_watch *w)
{
    rsq_watch *before;

    rsq_mutex_lock(&b->mu);
    before = b->newest;
    b->newest = w;
    atomic_store_explicit(&b->epoch, w ? w->epoch : 0, memory_order_relaxed);
    rsq_mutex_unlock(&b->mu);
    rsq_watch_unref(before);
}

void rsq_watch_board_take(rsq_watch_board *b, rsq_watch **held)
{
    rsq_watch *before = *held;

    if (atomic_load_explicit(&b->epoch, memory_order_relaxed) == (before ? before->epoch : 0))
        return;
    rsq_mutex_lock(&b->mu);
    *held = rsq_watch_ref(b->newest);
    rsq_mutex_unlock(&b->mu);
    rsq_watch_unref(before);
}
