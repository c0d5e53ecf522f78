/* The tables that live queries read, and what of them writers look at; see index.h. */
#include "stream/index_parts.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/names.h"
#include "resqlite.h"

/* Beyond this a table's further keys are not looked at, and its queries depend on columns. */
#define KEYS_MAX 32

/* --- tables --- */

static void free_table(rsq_index_table *t)
{
    assert(!t->newest);
    for (size_t i = 0; i < t->nkeys; i++) {
        assert(t->keys[i]->count == 0);
        rsq_free(t->keys[i]->buckets);
        rsq_free(t->keys[i]->spec.columns);
        rsq_free(t->keys[i]);
    }
    rsq_free(t->keys);
    rsq_free(t->columns);
    rsq_free(t->primary);
    rsq_table_set_unref(t->set);
    rsq_free(t);
}

rsq_index_table *rsq_index_find_table(const rsq_index *ix, const char *name, uint64_t hash)
{
    rsq_index_table *t = ix->nbuckets ? ix->buckets[hash & (ix->nbuckets - 1)] : NULL;

    while (t && (t->hash != hash || !rsq_name_equal(t->name, name)))
        t = t->next;
    return t;
}

/* To twice the size; without memory the chains grow longer. False: there is no bucket at all. */
static bool grow_tables(rsq_index *ix)
{
    size_t size = ix->nbuckets ? 2 * ix->nbuckets : 16;
    rsq_index_table **grown;

    if (ix->ntables < ix->nbuckets)
        return true;
    grown = rsq_alloc_zero(size * sizeof(rsq_index_table *));
    if (!grown)
        return ix->nbuckets > 0;
    for (size_t i = 0; i < ix->nbuckets; i++) {
        rsq_index_table *next;

        for (rsq_index_table *t = ix->buckets[i]; t; t = next) {
            next = t->next;
            t->next = grown[t->hash & (size - 1)];
            grown[t->hash & (size - 1)] = t;
        }
    }
    rsq_free(ix->buckets);
    ix->buckets = grown;
    ix->nbuckets = size;
    return true;
}

static void *copy_array(const void *from, size_t count, size_t size)
{
    void *copy = rsq_alloc(count * size);

    if (copy && count)
        memcpy(copy, from, count * size);
    return copy;
}

rsq_index_table *rsq_index_make_table(rsq_index *ix, const rsq_table_dep *dep, uint64_t hash)
{
    rsq_index_table *t = grow_tables(ix) ? rsq_alloc_zero(sizeof *t) : NULL;
    rsq_index_table **at;

    if (!t)
        return NULL;
    t->set = rsq_table_set_new((const char *const *)&dep->name, 1);
    t->primary = copy_array(dep->primary, dep->nprimary, sizeof *t->primary);
    if (!t->set || !t->primary) {
        free_table(t);
        return NULL;
    }
    t->name = t->set->names[0];
    t->nprimary = dep->nprimary;
    t->hash = hash;
    t->ncolumns = dep->ncolumns;
    t->rowid = dep->rowid;
    at = &ix->buckets[hash & (ix->nbuckets - 1)];
    t->next = *at;
    *at = t;
    ix->ntables++;
    return t;
}

bool rsq_index_table_is_alike(const rsq_index_table *t, const rsq_table_dep *dep)
{
    return t->ncolumns == dep->ncolumns && t->rowid == dep->rowid && t->nprimary == dep->nprimary &&
           (t->nprimary == 0 || memcmp(t->primary, dep->primary, t->nprimary * sizeof *t->primary) == 0);
}

void rsq_index_drop_idle(rsq_index *ix)
{
    for (size_t i = 0; i < ix->nbuckets; i++) {
        rsq_index_table **at = &ix->buckets[i];

        while (*at) {
            rsq_index_table *t = *at;

            if (t->newest) {
                at = &t->next;
                continue;
            }
            *at = t->next;
            ix->ntables--;
            free_table(t);
        }
    }
}

/* --- what is watched --- */

static bool copy_key(rsq_key_spec *to, const rsq_key_spec *from)
{
    *to = (rsq_key_spec){.columns = copy_array(from->columns, from->ncolumns, sizeof *from->columns),
                         .ncolumns = from->ncolumns,
                         .ranged = from->ranged};
    return to->columns != NULL;
}

static bool copy_watch_table(rsq_watch_table *to, const rsq_index_table *from)
{
    to->ncolumns = from->ncolumns;
    to->rowid = from->rowid;
    to->whole = from->whole;
    to->name = rsq_copy_text(from->name, strlen(from->name));
    to->primary = copy_array(from->primary, from->nprimary, sizeof *to->primary);
    to->columns = copy_array(from->columns, from->ncolumns_watched, sizeof *to->columns);
    to->keys = rsq_alloc_zero(from->nkeys * sizeof *to->keys);
    if (!to->name || !to->primary || !to->columns || !to->keys)
        return false;
    to->nprimary = from->nprimary;
    to->ncolumns_watched = from->ncolumns_watched;
    for (; to->nkeys < from->nkeys; to->nkeys++) {
        if (!copy_key(&to->keys[to->nkeys], &from->keys[to->nkeys]->spec))
            return false;
    }
    return true;
}

static rsq_watch *make_watch(const rsq_index *ix)
{
    rsq_watch *w = rsq_alloc_zero(sizeof *w);

    if (!w)
        return NULL;
    atomic_init(&w->refs, 1);
    w->epoch = ix->epoch;
    w->tables = rsq_alloc_zero(ix->ntables * sizeof *w->tables);
    for (size_t i = 0; w->tables && i < ix->nbuckets; i++) {
        for (const rsq_index_table *t = ix->buckets[i]; t; t = t->next) {
            if (!copy_watch_table(&w->tables[w->ntables++], t)) {
                rsq_watch_unref(w);
                return NULL;
            }
        }
    }
    if (!w->tables) {
        rsq_watch_unref(w);
        return NULL;
    }
    rsq_watch_sort(w);
    return w;
}

void rsq_index_put_up(rsq_index *ix)
{
    rsq_index_drop_idle(ix);
    rsq_watch_board_put(ix->board, ix->ntables ? make_watch(ix) : NULL);
}

void rsq_index_note_more(rsq_index *ix, rsq_index_table *t, bool *more)
{
    if (!*more)
        ix->epoch++;
    *more = true;
    t->epoch = ix->epoch;
    if (!t->born)
        t->born = ix->epoch;
}

/* The bit of a column, made if it has none. False: no memory. */
static bool bit_of(rsq_index *ix, rsq_index_table *t, const rsq_table_dep *dep, uint32_t column, bool *more,
                   uint64_t *mask)
{
    size_t at = 0;
    rsq_watch_column *grown;
    uint8_t bit;

    while (at < t->ncolumns_watched && t->columns[at].column < column)
        at++;
    if (at < t->ncolumns_watched && t->columns[at].column == column) {
        *mask |= (uint64_t)1 << t->columns[at].bit;
        return true;
    }
    grown = rsq_realloc(t->columns, (t->ncolumns_watched + 1) * sizeof *grown);
    if (!grown)
        return false;
    t->columns = grown;
    bit = (uint8_t)(t->ncolumns_watched < RSQ_WATCH_SHARED_BIT ? t->ncolumns_watched : RSQ_WATCH_SHARED_BIT);
    memmove(grown + at + 1, grown + at, (t->ncolumns_watched - at) * sizeof *grown);
    grown[at] = (rsq_watch_column){
        .column = column, .bit = bit, .doubtful = rsq_column_set_has(&dep->doubtful, column)};
    t->ncolumns_watched++;
    rsq_index_note_more(ix, t, more);
    *mask |= (uint64_t)1 << bit;
    return true;
}

bool rsq_index_mask_of(rsq_index *ix, rsq_index_table *t, const rsq_table_dep *dep, bool *more,
                       uint64_t *mask)
{
    *mask = 0;
    if (dep->columns.all || (ix->flags & RSQ_OPEN_NO_COLUMN_LEVEL)) {
        if (!t->whole)
            rsq_index_note_more(ix, t, more);
        t->whole = true;
        *mask = RSQ_WATCH_ROW;
        return true;
    }
    for (uint32_t i = 0; i < dep->ncolumns; i++) {
        if (rsq_column_set_has(&dep->columns, i) && !bit_of(ix, t, dep, i, more, mask))
            return false;
    }
    return true;
}

static bool is_same_key(const rsq_key_spec *a, const rsq_key_spec *b)
{
    if (a->ncolumns != b->ncolumns || a->ranged != b->ranged)
        return false;
    for (size_t i = 0; i < a->ncolumns; i++) {
        if (a->columns[i].column != b->columns[i].column ||
            a->columns[i].collation != b->columns[i].collation)
            return false;
    }
    return true;
}

rsq_index_key *rsq_index_key_of(rsq_index *ix, rsq_index_table *t, const rsq_key_spec *spec, bool *more)
{
    rsq_index_key **grown;
    rsq_index_key *k;

    for (size_t i = 0; i < t->nkeys; i++) {
        if (is_same_key(&t->keys[i]->spec, spec))
            return t->keys[i];
    }
    if (t->nkeys >= KEYS_MAX)
        return NULL;
    grown = rsq_realloc(t->keys, (t->nkeys + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    t->keys = grown;
    k = rsq_alloc_zero(sizeof *k);
    if (!k || !copy_key(&k->spec, spec)) {
        rsq_free(k);
        return NULL;
    }
    grown[t->nkeys++] = k;
    rsq_index_note_more(ix, t, more);
    return k;
}
