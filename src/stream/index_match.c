/* What a commit changed meets what live queries read; see index.h. */
#include "stream/index_parts.h"

#include "base/names.h"
#include "base/plant.h"

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
    const rsq_index_node *n =
        ((rsq_index_range *)(void *)((char *)i - offsetof(rsq_index_range, interval)))->node;

    if (concerns(n->mask, m->bits))
        meet(m, n->entry, RSQ_WHY_INTERVAL);
}

static void match_point(matching *m, const rsq_index_key *k, const rsq_change_log *log,
                        const rsq_key_point *p)
{
    const rsq_index_bucket *b = p->there ? rsq_index_find_bucket(k, p->hash) : NULL;

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
    const rsq_index_bucket *b =
        change->nruns ? rsq_index_find_bucket(m->table->keys[0], RSQ_KEY_HASH_BEGIN) : NULL;

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
    for (const rsq_index_group *g = t->groups; g; g = g->next) {
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

    m->table = rsq_index_find_table(m->ix, name, rsq_name_hash(name));
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
    uint32_t rules = RSQ_WHY_EVERYTHING;
    rsq_table_set *tables = rsq_table_set_of(&changes->tables, &rules);
    rsq_index_entry *next;

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
