#include "stream/index.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/names.h"
#include "base/plant.h"
#include "resqlite.h"
#include "sql/key.h"

/* Beyond this a table's further keys are not looked at, and its queries depend on columns. */
#define KEYS_MAX 32

/* An interval, and room for what its ends were made of. */
typedef struct range {
    rsq_interval interval;
    rsq_index_node *node;
    char low_room[RSQ_OPERAND_ROOM], high_room[RSQ_OPERAND_ROOM];
} range;

/* Nodes of a key with one hash of the columns that are equal. */
typedef struct bucket {
    struct bucket *next;
    uint64_t hash;
    rsq_index_node *first; /* those without an interval */
    rsq_intervals ranges;
} bucket;

/* A key by which rows of a table are reached. */
typedef struct key {
    rsq_key_spec spec; /* owned copy */
    bucket **buckets;  /* owned */
    size_t nbuckets, count;
} key;

/* Queries that depend on the same columns of a table. */
typedef struct group {
    struct group *next;
    uint64_t mask;
    rsq_index_node *first;
} group;

/* A query and a table that it reads, or one key of it. */
struct rsq_index_node {
    rsq_index_entry *entry;
    rsq_index_table *table;
    uint64_t since;                /* number of the first watch that looks at all that it needs */
    uint64_t mask;                 /* columns */
    rsq_index_node *newer, *older; /* of the table, by `since` */
    rsq_index_node *prev, *next;   /* of its group or bucket */
    group *group;                  /* NULL: it depends on a key */
    key *key;                      /* NULL too: it reaches nothing */
    bucket *bucket;
    range *range;                  /* owned; NULL: the key is equal */
    bool is_first;                 /* of its query's nodes for this table */
    uint64_t touched_at, equal_at; /* the table's when it was added */
};

struct rsq_index_table {
    rsq_index_table *next; /* in its bucket */
    rsq_table_set *set;    /* shared reference: of this table alone, for reasons */
    const char *name;      /* in it */
    uint64_t hash;
    uint32_t ncolumns;
    bool rowid;
    bool whole;        /* somebody reads whole rows */
    uint32_t *primary; /* owned */
    size_t nprimary;
    rsq_watch_column *columns; /* owned; by column */
    size_t ncolumns_watched;
    key **keys; /* owned, each too */
    size_t nkeys;
    group *groups; /* owned */
    rsq_index_node *newest;
    uint64_t born, epoch;    /* of the first watch that has it, and of the one that last got more of it */
    uint64_t touched, equal; /* commits that changed it; of those, all values stayed */
};

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

static rsq_index_table *find_table(const rsq_index *ix, const char *name, uint64_t hash)
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

static rsq_index_table *make_table(rsq_index *ix, const rsq_table_dep *dep, uint64_t hash)
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

/* Does the table look as it did when it was made? A schema change forgets all tables, so it should. */
static bool is_alike(const rsq_index_table *t, const rsq_table_dep *dep)
{
    return t->ncolumns == dep->ncolumns && t->rowid == dep->rowid && t->nprimary == dep->nprimary &&
           (t->nprimary == 0 || memcmp(t->primary, dep->primary, t->nprimary * sizeof *t->primary) == 0);
}

static void drop_idle_tables(rsq_index *ix)
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

/*
 * Put up what is watched now. Without memory nothing is watched, and each change
 * of a table concerns all its queries: right, though not exact.
 */
static void put_up(rsq_index *ix)
{
    drop_idle_tables(ix);
    rsq_watch_board_put(ix->board, ix->ntables ? make_watch(ix) : NULL);
}

/* What a query needs of a table is not all watched yet: from the next watch on. */
static void note_more(rsq_index *ix, rsq_index_table *t, bool *more)
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
    note_more(ix, t, more);
    *mask |= (uint64_t)1 << bit;
    return true;
}

static bool mask_of(rsq_index *ix, rsq_index_table *t, const rsq_table_dep *dep, bool *more, uint64_t *mask)
{
    *mask = 0;
    if (dep->columns.all || (ix->flags & RSQ_OPEN_NO_COLUMN_LEVEL)) {
        if (!t->whole)
            note_more(ix, t, more);
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

/* NULL: no memory, or too many keys. */
static key *key_of(rsq_index *ix, rsq_index_table *t, const rsq_key_spec *spec, bool *more)
{
    key **grown;
    key *k;

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
    note_more(ix, t, more);
    return k;
}

/* --- buckets and groups --- */

static bucket *find_bucket(const key *k, uint64_t hash)
{
    bucket *b = k->nbuckets ? k->buckets[hash & (k->nbuckets - 1)] : NULL;

    while (b && b->hash != hash)
        b = b->next;
    return b;
}

static bool grow_buckets(key *k)
{
    size_t size = k->nbuckets ? 2 * k->nbuckets : 8;
    bucket **grown;

    if (k->count < k->nbuckets)
        return true;
    grown = rsq_alloc_zero(size * sizeof(bucket *));
    if (!grown)
        return k->nbuckets > 0;
    for (size_t i = 0; i < k->nbuckets; i++) {
        bucket *next;

        for (bucket *b = k->buckets[i]; b; b = next) {
            next = b->next;
            b->next = grown[b->hash & (size - 1)];
            grown[b->hash & (size - 1)] = b;
        }
    }
    rsq_free(k->buckets);
    k->buckets = grown;
    k->nbuckets = size;
    return true;
}

/* NULL: no memory. */
static bucket *bucket_of(key *k, uint64_t hash)
{
    bucket *b = find_bucket(k, hash);

    if (b)
        return b;
    b = grow_buckets(k) ? rsq_alloc_zero(sizeof *b) : NULL;
    if (!b)
        return NULL;
    b->hash = hash;
    if (k->spec.ranged)
        b->ranges.collation = k->spec.columns[k->spec.ncolumns - 1].collation;
    b->next = k->buckets[hash & (k->nbuckets - 1)];
    k->buckets[hash & (k->nbuckets - 1)] = b;
    k->count++;
    return b;
}

static void drop_bucket(key *k, bucket *b)
{
    bucket **at = &k->buckets[b->hash & (k->nbuckets - 1)];

    if (b->first || b->ranges.root)
        return;
    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    k->count--;
    rsq_free(b);
}

/* NULL: no memory. */
static group *group_of(rsq_index_table *t, uint64_t mask)
{
    group *g = t->groups;

    while (g && g->mask != mask)
        g = g->next;
    if (g)
        return g;
    g = rsq_alloc_zero(sizeof *g);
    if (!g)
        return NULL;
    g->mask = mask;
    g->next = t->groups;
    t->groups = g;
    return g;
}

static void drop_group(rsq_index_table *t, group *g)
{
    group **at = &t->groups;

    if (g->first)
        return;
    while (*at != g)
        at = &(*at)->next;
    *at = g->next;
    rsq_free(g);
}

static void link_node(rsq_index_node **first, rsq_index_node *n)
{
    n->prev = NULL;
    n->next = *first;
    if (*first)
        (*first)->prev = n;
    *first = n;
}

static void unlink_node(rsq_index_node **first, rsq_index_node *n)
{
    if (n->prev)
        n->prev->next = n->next;
    else
        *first = n->next;
    if (n->next)
        n->next->prev = n->prev;
}

/* --- adding --- */

/* A query that is being added. */
typedef struct adding {
    rsq_index *ix;
    rsq_index_entry *entry;
    const rsq_value *params;
    size_t nparams;
    bool more; /* than is watched so far */
} adding;

/* What a probe comes to with the query's parameters. */
typedef enum verdict { ADDED, REACHES_NOTHING, NOT_CERTAIN, NO_MEMORY } verdict;

static void place(rsq_index_node *n, rsq_index_entry *e, rsq_index_table *t, uint64_t mask)
{
    n->entry = e;
    n->table = t;
    n->mask = mask;
    n->older = t->newest;
    n->newer = NULL;
    if (t->newest)
        t->newest->newer = n;
    t->newest = n;
    n->is_first = e->nnodes == 0 || e->nodes[e->nnodes - 1].table != t;
    n->touched_at = t->touched;
    n->equal_at = t->equal;
    e->nnodes++;
}

static verdict hash_equal(const adding *a, const rsq_key_spec *spec, const rsq_probe *p, uint64_t *hash)
{
    *hash = RSQ_KEY_HASH_BEGIN;
    for (size_t i = 0; i < spec->ncolumns - (spec->ranged ? 1 : 0); i++) {
        char room[RSQ_OPERAND_ROOM];
        rsq_value v;

        switch (rsq_operand_value(&p->equal[i], a->params, a->nparams, &v, room)) {
        case RSQ_OPERAND_NONE:
            return REACHES_NOTHING;
        case RSQ_OPERAND_DOUBTFUL:
            return NOT_CERTAIN;
        case RSQ_OPERAND_VALUE:
            *hash = rsq_key_hash(*hash, &v, spec->columns[i].collation);
        }
    }
    return ADDED;
}

static verdict set_end(const adding *a, const rsq_operand *o, rsq_value *v, char *room)
{
    switch (rsq_operand_value(o, a->params, a->nparams, v, room)) {
    case RSQ_OPERAND_NONE:
        return REACHES_NOTHING;
    case RSQ_OPERAND_DOUBTFUL:
        return NOT_CERTAIN;
    case RSQ_OPERAND_VALUE:
        break;
    }
    return ADDED;
}

static verdict make_range(const adding *a, const rsq_probe *p, range **out)
{
    range *r = rsq_alloc_zero(sizeof *r);
    verdict v = ADDED;

    if (!r)
        return NO_MEMORY;
    r->interval.has_low = p->has_low;
    r->interval.has_high = p->has_high;
    r->interval.low_open = p->low_open;
    r->interval.high_open = p->high_open;
    if (p->has_low)
        v = set_end(a, &p->low, &r->interval.low, r->low_room);
    if (v == ADDED && p->has_high)
        v = set_end(a, &p->high, &r->interval.high, r->high_room);
    if (v != ADDED)
        rsq_free(r);
    else
        *out = r;
    return v;
}

static verdict add_probe(adding *a, rsq_index_table *t, const rsq_table_dep *dep, const rsq_probe *p,
                         uint64_t mask)
{
    const rsq_key_spec *spec = &dep->specs[p->spec];
    rsq_index_node *n = &a->entry->nodes[a->entry->nnodes];
    uint64_t hash;
    range *r = NULL;
    bucket *b;
    key *k;
    verdict v = hash_equal(a, spec, p, &hash);

    if (v == ADDED && spec->ranged)
        v = make_range(a, p, &r);
    if (v != ADDED)
        return v;
    k = key_of(a->ix, t, spec, &a->more);
    b = k ? bucket_of(k, hash) : NULL;
    if (!b) {
        rsq_free(r);
        return k ? NO_MEMORY : NOT_CERTAIN;
    }
    place(n, a->entry, t, mask);
    n->key = k;
    n->bucket = b;
    n->range = r;
    if (r) {
        r->node = n;
        rsq_intervals_add(&b->ranges, &r->interval);
    } else {
        link_node(&b->first, n);
    }
    return ADDED;
}

static bool add_columns(adding *a, rsq_index_table *t, uint64_t mask)
{
    rsq_index_node *n = &a->entry->nodes[a->entry->nnodes];
    group *g = group_of(t, mask);

    if (!g)
        return false;
    place(n, a->entry, t, mask);
    n->group = g;
    link_node(&g->first, n);
    return true;
}

static void remove_node(rsq_index_node *n)
{
    rsq_index_table *t = n->table;

    if (n->newer)
        n->newer->older = n->older;
    else
        t->newest = n->older;
    if (n->older)
        n->older->newer = n->newer;
    if (n->group) {
        unlink_node(&n->group->first, n);
        drop_group(t, n->group);
    } else if (n->range) {
        rsq_intervals_remove(&n->bucket->ranges, &n->range->interval);
        rsq_free(n->range);
        drop_bucket(n->key, n->bucket);
    } else if (n->bucket) {
        unlink_node(&n->bucket->first, n);
        drop_bucket(n->key, n->bucket);
    }
}

/* The nodes that were added for the table last, back to `count`. */
static void take_back(rsq_index_entry *e, size_t count)
{
    while (e->nnodes > count) {
        remove_node(&e->nodes[--e->nnodes]);
        memset(&e->nodes[e->nnodes], 0, sizeof e->nodes[0]);
    }
}

static bool add_table(adding *a, const rsq_table_dep *dep)
{
    rsq_index *ix = a->ix;
    uint64_t hash = rsq_name_hash(dep->name);
    rsq_index_table *t = find_table(ix, dep->name, hash);
    size_t before = a->entry->nnodes;
    verdict v = ADDED;
    uint64_t mask;

    if (!t) {
        t = make_table(ix, dep, hash);
        if (!t)
            return false;
        note_more(ix, t, &a->more);
    }
    if (!is_alike(t, dep) || !mask_of(ix, t, dep, &a->more, &mask))
        return false;
    if (!dep->keyed || (ix->flags & RSQ_OPEN_NO_KEY_LEVEL))
        return add_columns(a, t, mask);
    for (size_t i = 0; i < dep->nprobes && (v == ADDED || v == REACHES_NOTHING); i++)
        v = add_probe(a, t, dep, &dep->probes[i], mask);
    if (v == NO_MEMORY || v == NOT_CERTAIN) {
        take_back(a->entry, before);
        return v == NOT_CERTAIN && add_columns(a, t, mask);
    }
    /* It reaches no row whatever is in the table, and is in no list but the table's. */
    if (a->entry->nnodes == before)
        place(&a->entry->nodes[before], a->entry, t, mask);
    return true;
}

static size_t count_nodes(const rsq_depends *d)
{
    size_t n = 0;

    for (size_t i = 0; i < d->ntables; i++)
        n += d->tables[i].nprobes ? d->tables[i].nprobes : 1;
    return n;
}

void rsq_index_add_unknown(rsq_index *ix, rsq_index_entry *e)
{
    assert(!e->everywhere && !e->nodes);
    e->everywhere = true;
    e->prev = NULL;
    e->next = ix->everywhere;
    if (ix->everywhere)
        ix->everywhere->prev = e;
    ix->everywhere = e;
}

static bool add_tables(adding *a, const rsq_depends *d)
{
    rsq_index_entry *e = a->entry;

    e->nodes = rsq_alloc_zero(count_nodes(d) * sizeof *e->nodes);
    if (!e->nodes)
        return false;
    for (size_t i = 0; i < d->ntables; i++) {
        if (!add_table(a, &d->tables[i]))
            return false;
    }
    for (size_t i = 0; i < e->nnodes; i++)
        e->nodes[i].since = e->nodes[i].table->epoch;
    return true;
}

static void remove_nodes(rsq_index_entry *e)
{
    take_back(e, 0);
    rsq_free(e->nodes);
    e->nodes = NULL;
}

/* --- what it was spared --- */

static rsq_index_spared spared_now(const rsq_index_entry *e)
{
    uint64_t touched = 0, equal = 0, rest;
    rsq_index_spared s = {0};
    bool keyed = false;

    for (size_t i = 0; i < e->nnodes; i++) {
        const rsq_index_node *n = &e->nodes[i];

        keyed = keyed || !n->group;
        if (!n->is_first)
            continue;
        touched += n->table->touched - n->touched_at;
        equal += n->table->equal - n->equal_at;
    }
    rest = touched > e->hits ? touched - e->hits : 0;
    s.by_value = equal < rest ? equal : rest;
    rest -= s.by_value;
    if (keyed)
        s.by_key = rest;
    else
        s.by_column = rest;
    return s;
}

rsq_index_spared rsq_index_spared_of(const rsq_index_entry *e)
{
    rsq_index_spared now = spared_now(e);

    return (rsq_index_spared){.by_column = e->before.by_column + now.by_column,
                              .by_value = e->before.by_value + now.by_value,
                              .by_key = e->before.by_key + now.by_key};
}

/* --- added and removed --- */

void rsq_index_add(rsq_index *ix, rsq_index_entry *e, const rsq_depends *d, const rsq_value *params,
                   size_t nparams)
{
    adding a = {.ix = ix, .entry = e, .params = params, .nparams = nparams};

    assert(!e->everywhere && !e->nodes);
    if (d->everything) {
        rsq_index_add_unknown(ix, e);
        return;
    }
    if (!add_tables(&a, d)) {
        remove_nodes(e);
        rsq_index_add_unknown(ix, e);
    }
    if (a.more)
        put_up(ix);
}

/* More tables than this that nobody reads any more, and it is worth while to stop watching them. */
#define IDLE_TABLES_MAX 16

void rsq_index_remove(rsq_index *ix, rsq_index_entry *e)
{
    bool idle = false;

    if (e->everywhere) {
        if (e->prev)
            e->prev->next = e->next;
        else
            ix->everywhere = e->next;
        if (e->next)
            e->next->prev = e->prev;
        e->everywhere = false;
        return;
    }
    e->before = rsq_index_spared_of(e);
    e->hits = 0;
    while (e->nnodes > 0) {
        rsq_index_table *t = e->nodes[e->nnodes - 1].table;

        take_back(e, e->nnodes - 1);
        idle = idle || !t->newest;
    }
    rsq_free(e->nodes);
    e->nodes = NULL;
    /* Making a watch costs as much as there are tables, so with many the next one that is made must do. */
    if (idle && ix->ntables <= IDLE_TABLES_MAX)
        put_up(ix);
}

void rsq_index_trim(rsq_index *ix)
{
    put_up(ix);
}

void rsq_index_fini(rsq_index *ix)
{
    assert(!ix->everywhere);
    drop_idle_tables(ix);
    assert(ix->ntables == 0);
    rsq_free(ix->buckets);
    *ix = (rsq_index){0};
}

/* --- matching --- */

/* A commit that is being matched. */
typedef struct matching {
    rsq_index *ix;
    rsq_index_found found;
    void *ctx;
    rsq_index_table *table;
    rsq_table_set *tables; /* borrowed: what changed, for reasons; NULL: no memory to tell */
    uint64_t number;       /* of this look at the table: each has one */
    uint64_t first;        /* of this commit */
    uint64_t bits;         /* of the row that is looked at */
} matching;

static void meet(matching *m, rsq_index_entry *e, uint32_t rule)
{
    uint64_t before = e->met;

    if (before == m->number) {
        e->why.rules |= rule;
        return;
    }
    e->met = m->number;
    rsq_reason_add(&e->why, rule, m->tables);
    if (!(rule & RSQ_WHY_EVERYTHING))
        e->hits++;
    if (before < m->first)
        m->found(e, m->ctx);
}

static void meet_all(matching *m)
{
    for (rsq_index_node *n = m->table->newest; n; n = n->older)
        meet(m, n->entry, RSQ_WHY_TABLE);
}

static bool concerns(uint64_t mask, uint64_t bits)
{
    return (bits == RSQ_WATCH_ROW && !(mask == 0 && RSQ_PLANTED(RSQ_PLANT_COUNT))) || (mask & bits);
}

static void meet_range(rsq_interval *i, void *ctx)
{
    matching *m = ctx;
    const rsq_index_node *n = ((range *)(void *)((char *)i - offsetof(range, interval)))->node;

    if (concerns(n->mask, m->bits))
        meet(m, n->entry, RSQ_WHY_INTERVAL);
}

static void match_point(matching *m, const key *k, const rsq_change_log *log, const rsq_key_point *p)
{
    const bucket *b = p->there ? find_bucket(k, p->hash) : NULL;

    if (!b)
        return;
    for (rsq_index_node *n = b->first; n; n = n->next) {
        if (concerns(n->mask, m->bits))
            meet(m, n->entry, RSQ_WHY_KEY);
    }
    if (b->ranges.root) {
        rsq_value v = rsq_change_log_value(log, &p->last);

        rsq_intervals_ask(&b->ranges, &v, &v, meet_range, m);
    }
}

static void match_rows(matching *m, const rsq_change_log *log, const rsq_table_change *change)
{
    size_t nkeys = change->watch->nkeys;

    for (size_t i = 0; i < change->nrows; i++) {
        const rsq_key_point *points = change->points + i * 2 * nkeys;

        m->bits = change->bits_of[i];
        for (size_t j = 0; j < nkeys; j++) {
            match_point(m, m->table->keys[j], log, &points[j]);
            match_point(m, m->table->keys[j], log, &points[nkeys + j]);
        }
    }
}

/*
 * Rows side by side, which need not be looked at one by one: an interval that begins
 * at one of them or before, and ends at one of them or behind, has some of them. (Or
 * none, if it has no whole number at all; then its query runs in vain.)
 */
static void match_runs(matching *m, const rsq_table_change *change)
{
    const bucket *b = change->nruns ? find_bucket(m->table->keys[0], RSQ_KEY_HASH_BEGIN) : NULL;

    for (size_t i = 0; b && i < change->nruns; i++) {
        rsq_value first = rsq_integer(change->runs[i].first), last = rsq_integer(change->runs[i].last);

        m->bits = change->runs[i].bits;
        rsq_intervals_ask(&b->ranges, &first, &last, meet_range, m);
    }
}

/* By which rule columns that changed concern queries that read some of them. */
static uint32_t rule_of(const rsq_index *ix, uint64_t mask, uint64_t bits)
{
    if (mask == RSQ_WATCH_ROW)
        return RSQ_WHY_TABLE;
    if (ix->flags & RSQ_OPEN_NO_VALUE_LEVEL)
        return RSQ_WHY_COLUMN;
    return bits == RSQ_WATCH_ROW ? RSQ_WHY_ROWS : RSQ_WHY_VALUE;
}

/* `*equal`: no value is another one. */
static void match_log(matching *m, const rsq_change_log *log, bool *equal)
{
    rsq_index_table *t = m->table;
    uint64_t epoch = log->watch->epoch;
    const rsq_watch_table *watch = rsq_watch_find_name(log->watch, t->name);
    const rsq_table_change *change = watch ? rsq_change_log_find(log, watch) : NULL;

    if (watch && !change && epoch >= t->born)
        return; /* another transaction changed it */
    /* The keys of a watch are those of the table as it was then, and more may have come. */
    if (!change || change->unknown || epoch < t->born || watch->nkeys > t->nkeys) {
        *equal = false;
        meet_all(m);
        return;
    }
    for (rsq_index_node *n = t->newest; n && n->since > epoch; n = n->older)
        meet(m, n->entry, RSQ_WHY_TABLE);
    if (change->bits || change->others)
        *equal = false;
    if (change->bits == 0)
        return;
    for (const group *g = t->groups; g; g = g->next) {
        if (!concerns(g->mask, change->bits))
            continue;
        for (rsq_index_node *n = g->first; n; n = n->next)
            meet(m, n->entry, rule_of(m->ix, g->mask, change->bits));
    }
    match_rows(m, log, change);
    match_runs(m, change);
}

static void match_table(matching *m, const rsq_changes *changes, const char *name)
{
    bool equal = true;

    m->table = find_table(m->ix, name, rsq_name_hash(name));
    if (!m->table)
        return;
    m->number = ++m->ix->matches;
    m->tables = m->table->set;
    m->table->touched++;
    if (changes->untold || !changes->logs) {
        meet_all(m);
        return;
    }
    for (const rsq_change_log *log = changes->logs; log; log = log->next)
        match_log(m, log, &equal);
    if (equal)
        m->table->equal++;
}

/* Those that depend on every commit are told all tables of this one. */
static void match_everywhere(matching *m, const rsq_changes *changes)
{
    const rsq_names *changed = &changes->tables;
    rsq_table_set *tables = rsq_table_set_new((const char *const *)changed->names, changed->count);
    uint32_t rules = RSQ_WHY_EVERYTHING;
    rsq_index_entry *next;

    if (!tables || changed->count > tables->count)
        rules |= RSQ_WHY_OTHER;
    m->tables = tables;
    for (rsq_index_entry *e = m->ix->everywhere; e; e = next) {
        next = e->next;
        meet(m, e, rules);
    }
    rsq_table_set_unref(tables);
}

void rsq_index_match(rsq_index *ix, const rsq_changes *changes, rsq_index_found found, void *ctx)
{
    matching m = {.ix = ix, .found = found, .ctx = ctx, .number = ++ix->matches, .first = ix->matches};

    if (ix->everywhere)
        match_everywhere(&m, changes);
    for (size_t i = 0; i < changes->tables.count; i++)
        match_table(&m, changes, changes->tables.names[i]);
}
