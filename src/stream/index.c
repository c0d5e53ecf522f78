/* Live queries that come and go, as nodes of the tables that they read; see index.h. */
#include "stream/index_parts.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/names.h"

/* --- buckets and groups --- */

static bool grow_buckets(rsq_index_key *k)
{
    size_t size = k->nbuckets ? 2 * k->nbuckets : 8;
    rsq_index_bucket **grown;

    if (k->count < k->nbuckets)
        return true;
    grown = rsq_alloc_zero(size * sizeof(rsq_index_bucket *));
    if (!grown)
        return k->nbuckets > 0;
    for (size_t i = 0; i < k->nbuckets; i++) {
        rsq_index_bucket *next;

        for (rsq_index_bucket *b = k->buckets[i]; b; b = next) {
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
static rsq_index_bucket *bucket_of(rsq_index_key *k, uint64_t hash)
{
    rsq_index_bucket *b = rsq_index_find_bucket(k, hash);

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

static void drop_bucket(rsq_index_key *k, rsq_index_bucket *b)
{
    rsq_index_bucket **at = &k->buckets[b->hash & (k->nbuckets - 1)];

    if (b->first || b->ranges.root)
        return;
    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    k->count--;
    rsq_free(b);
}

/* NULL: no memory. */
static rsq_index_group *group_of(rsq_index_table *t, uint64_t mask)
{
    rsq_index_group *g = t->groups;

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

static void drop_group(rsq_index_table *t, rsq_index_group *g)
{
    rsq_index_group **at = &t->groups;

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

static verdict make_range(const adding *a, const rsq_probe *p, rsq_index_range **out)
{
    rsq_index_range *r = rsq_alloc_zero(sizeof *r);
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
    rsq_index_range *r = NULL;
    rsq_index_bucket *b;
    rsq_index_key *k;
    verdict v = hash_equal(a, spec, p, &hash);

    if (v == ADDED && spec->ranged)
        v = make_range(a, p, &r);
    if (v != ADDED)
        return v;
    k = rsq_index_key_of(a->ix, t, spec, &a->more);
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
    rsq_index_group *g = group_of(t, mask);

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
    rsq_index_table *t = rsq_index_find_table(ix, dep->name, hash);
    size_t before = a->entry->nnodes;
    verdict v = ADDED;
    uint64_t mask;

    if (!t) {
        t = rsq_index_make_table(ix, dep, hash);
        if (!t)
            return false;
        rsq_index_note_more(ix, t, &a->more);
    }
    if (!rsq_index_table_is_alike(t, dep) || !rsq_index_mask_of(ix, t, dep, &a->more, &mask))
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
        rsq_index_put_up(ix);
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
        rsq_index_put_up(ix);
}

void rsq_index_trim(rsq_index *ix)
{
    rsq_index_put_up(ix);
}

void rsq_index_fini(rsq_index *ix)
{
    assert(!ix->everywhere);
    rsq_index_drop_idle(ix);
    assert(ix->ntables == 0);
    rsq_free(ix->buckets);
    *ix = (rsq_index){0};
}
