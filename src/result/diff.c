/*
 * In four steps: rows that stand equal at both ends are put aside; the others
 * find their partners by a table of keys; the longest run of partners that keep
 * their order stays, and who is not in it moves; then the changes are written
 * down. n log n at worst, and linear where rows keep their order.
 */
#include "result/diff.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/values.h"

#define NONE SIZE_MAX

/* The work on one pair of results. */
typedef struct work {
    const rsq_result *before, *after;
    size_t columns;
    size_t nkey;
    uint32_t *key; /* owned; the columns of the key */

    /* Rows that are their own partners at the same distance from either end. */
    size_t head, tail;

    /* Of the rows between: */
    size_t old_rows, new_rows;
    size_t *old_partner; /* owned, all three arrays in one block: row of the other side, NONE: none */
    size_t *new_partner;
    bool *stays; /* by new row: it is among those that keep their order */

    rsq_diff *out;
    size_t capacity;
    size_t ncolumns, columns_capacity; /* of out->columns */
} work;

static const rsq_value *row_of(const rsq_result *r, size_t row)
{
    return &r->head.cells[row * r->head.columns];
}

static const rsq_value *old_row(const work *w, size_t i)
{
    return row_of(w->before, w->head + i);
}

static const rsq_value *new_row(const work *w, size_t i)
{
    return row_of(w->after, w->head + i);
}

static bool same_key(const work *w, const rsq_value *a, const rsq_value *b)
{
    for (size_t i = 0; i < w->nkey; i++) {
        if (!rsq_value_same(&a[w->key[i]], &b[w->key[i]]))
            return false;
    }
    return true;
}

static uint64_t hash_key(const work *w, const rsq_value *row)
{
    uint64_t h = 0;

    for (size_t i = 0; i < w->nkey; i++)
        h = rsq_value_hash(h, &row[w->key[i]]);
    return h;
}

/* --- which columns are the key --- */

static bool find_key(work *w, const rsq_columns *names)
{
    const rsq_columns *columns = w->after->columns;

    w->columns = w->after->head.columns;
    w->key = rsq_alloc((w->columns + 1) * sizeof *w->key);
    if (!w->key)
        return false;
    for (uint32_t c = 0; c < w->columns; c++) {
        bool is_key = !names && columns && rsq_columns_is_key(columns, c);

        for (uint32_t i = 0; names && columns && i < names->count && !is_key; i++)
            is_key = strcmp(names->names[i], columns->names[c]) == 0;
        if (is_key)
            w->key[w->nkey++] = c;
    }
    if (w->nkey > 0)
        return true;
    for (uint32_t c = 0; c < w->columns; c++)
        w->key[w->nkey++] = c;
    return true;
}

/* --- who is whose partner --- */

static void trim(work *w)
{
    size_t rows = w->before->head.rows < w->after->head.rows ? w->before->head.rows : w->after->head.rows;

    while (w->head < rows && same_key(w, row_of(w->before, w->head), row_of(w->after, w->head)))
        w->head++;
    while (w->tail < rows - w->head && same_key(w, row_of(w->before, w->before->head.rows - 1 - w->tail),
                                                row_of(w->after, w->after->head.rows - 1 - w->tail)))
        w->tail++;
    w->old_rows = w->before->head.rows - w->head - w->tail;
    w->new_rows = w->after->head.rows - w->head - w->tail;
}

/* Old rows by their keys: chains through `next`, in the order of the rows. */
typedef struct key_table {
    size_t mask;
    size_t *first; /* owned, in one block with `next` and `hashes` */
    size_t *next;
    uint64_t *hashes;
} key_table;

static bool table_init(key_table *t, const work *w)
{
    size_t size = 16;

    while (size < 2 * w->old_rows)
        size *= 2;
    t->mask = size - 1;
    t->first = rsq_alloc((size + w->old_rows) * sizeof(size_t) + w->old_rows * sizeof(uint64_t));
    if (!t->first)
        return false;
    t->next = t->first + size;
    t->hashes = (uint64_t *)(void *)(t->next + w->old_rows);
    for (size_t i = 0; i < size; i++)
        t->first[i] = NONE;
    for (size_t i = w->old_rows; i-- > 0;) {
        uint64_t hash = hash_key(w, old_row(w, i));
        size_t *bucket = &t->first[hash & t->mask];

        t->hashes[i] = hash;
        t->next[i] = *bucket;
        *bucket = i;
    }
    return true;
}

/* The first old row with that key that is nobody's partner, taken out of the table. */
static size_t table_take(key_table *t, const work *w, const rsq_value *row)
{
    uint64_t hash = hash_key(w, row);
    size_t *at = &t->first[hash & t->mask];

    while (*at != NONE && (t->hashes[*at] != hash || !same_key(w, old_row(w, *at), row)))
        at = &t->next[*at];
    if (*at == NONE)
        return NONE;
    hash = *at;
    *at = t->next[*at];
    return (size_t)hash;
}

static bool find_partners(work *w)
{
    key_table t;

    w->old_partner = rsq_alloc((w->old_rows + w->new_rows) * sizeof(size_t) + w->new_rows + 1);
    if (!w->old_partner || !table_init(&t, w))
        return false;
    w->new_partner = w->old_partner + w->old_rows;
    w->stays = (bool *)(w->new_partner + w->new_rows);
    for (size_t i = 0; i < w->old_rows; i++)
        w->old_partner[i] = NONE;
    for (size_t i = 0; i < w->new_rows; i++) {
        w->new_partner[i] = table_take(&t, w, new_row(w, i));
        w->stays[i] = false;
        if (w->new_partner[i] != NONE)
            w->old_partner[w->new_partner[i]] = i;
    }
    rsq_free(t.first);
    return true;
}

/* --- who stays --- */

/* Place in `ends` (new rows, by rising partner) where a run that ends in `partner` belongs. */
static size_t place_of(const work *w, const size_t *ends, size_t length, size_t partner)
{
    size_t low = 0, high = length;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (w->new_partner[ends[middle]] < partner)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The longest rising run of partners: ends[k] is where the best run of k + 1 rows ends so far. */
static bool find_who_stays(work *w)
{
    size_t *ends = rsq_alloc(2 * (w->new_rows + 1) * sizeof *ends);
    size_t *before = ends + w->new_rows + 1;
    size_t length = 0;

    if (!ends)
        return false;
    for (size_t i = 0; i < w->new_rows; i++) {
        size_t place;

        if (w->new_partner[i] == NONE)
            continue;
        place = place_of(w, ends, length, w->new_partner[i]);
        before[i] = place > 0 ? ends[place - 1] : NONE;
        ends[place] = i;
        if (place == length)
            length++;
    }
    for (size_t i = length > 0 ? ends[length - 1] : NONE; i != NONE; i = before[i])
        w->stays[i] = true;
    rsq_free(ends);
    return true;
}

/* --- writing it down --- */

static rsq_change *add(work *w, rsq_change_kind kind, size_t from, size_t to)
{
    rsq_diff *d = w->out;

    if (d->count == w->capacity) {
        size_t capacity = w->capacity ? 2 * w->capacity : 8;
        rsq_change *grown = rsq_realloc(d->changes, capacity * sizeof *grown);

        if (!grown)
            return NULL;
        d->changes = grown;
        w->capacity = capacity;
    }
    d->changes[d->count] = (rsq_change){.kind = (uint32_t)kind, .from = from, .to = to};
    return &d->changes[d->count++];
}

static bool add_column(work *w, uint32_t column)
{
    rsq_diff *d = w->out;

    if (w->ncolumns == w->columns_capacity) {
        size_t capacity = w->columns_capacity ? 2 * w->columns_capacity : 8;
        uint32_t *grown = rsq_realloc(d->columns, capacity * sizeof *grown);

        if (!grown)
            return false;
        d->columns = grown;
        w->columns_capacity = capacity;
    }
    d->columns[w->ncolumns++] = column;
    return true;
}

/* Old row `from` is new row `to`. */
static bool add_pair(work *w, size_t from, size_t to, bool moved)
{
    const rsq_value *a = row_of(w->before, from), *b = row_of(w->after, to);
    size_t had = w->ncolumns;
    rsq_change *change;

    for (uint32_t c = 0; c < w->columns; c++) {
        if (!rsq_value_same(&a[c], &b[c]) && !add_column(w, c))
            return false;
    }
    if (w->ncolumns == had && !moved)
        return true;
    change = add(w, moved ? RSQ_CHANGE_MOVE : RSQ_CHANGE_UPDATE, from, to);
    if (!change)
        return false;
    change->ncolumns = (uint32_t)(w->ncolumns - had);
    return true;
}

static bool add_between(work *w, size_t i)
{
    size_t from = w->new_partner[i];

    if (from == NONE)
        return add(w, RSQ_CHANGE_INSERT, 0, w->head + i) != NULL;
    return add_pair(w, w->head + from, w->head + i, !w->stays[i]);
}

static bool write_down(work *w)
{
    bool done = true;

    for (size_t i = w->old_rows; done && i-- > 0;) {
        if (w->old_partner[i] == NONE)
            done = add(w, RSQ_CHANGE_DELETE, w->head + i, 0) != NULL;
    }
    for (size_t i = 0; done && i < w->head; i++)
        done = add_pair(w, i, i, false);
    for (size_t i = 0; done && i < w->new_rows; i++)
        done = add_between(w, i);
    for (size_t i = w->tail; done && i > 0; i--)
        done = add_pair(w, w->before->head.rows - i, w->after->head.rows - i, false);
    return done;
}

/* The columns have moved while they were collected: now they stay. */
static void point_at_columns(rsq_diff *d)
{
    size_t at = 0;

    for (size_t i = 0; i < d->count; i++) {
        d->changes[i].columns = d->changes[i].ncolumns ? d->columns + at : NULL;
        at += d->changes[i].ncolumns;
    }
}

static bool compute(work *w, const rsq_columns *key)
{
    if (!find_key(w, key))
        return false;
    trim(w);
    return find_partners(w) && find_who_stays(w) && write_down(w);
}

bool rsq_diff_is_possible(const rsq_result *before, const rsq_result *after)
{
    return !before->json && !after->json && before->head.columns == after->head.columns &&
           rsq_columns_equal(before->columns, after->columns);
}

rsq_diff *rsq_diff_new(rsq_result *before, rsq_result *after, const rsq_columns *key)
{
    rsq_diff *d = rsq_alloc_zero(sizeof *d);
    work w = {.before = before, .after = after, .out = d};
    bool done;

    assert(rsq_diff_is_possible(before, after));
    if (!d)
        return NULL;
    atomic_init(&d->refs, 1);
    d->before = rsq_result_ref(before);
    d->after = rsq_result_ref(after);
    done = compute(&w, key);
    rsq_free(w.key);
    rsq_free(w.old_partner);
    if (!done) {
        rsq_diff_unref(d);
        return NULL;
    }
    point_at_columns(d);
    return d;
}

rsq_diff *rsq_diff_ref(rsq_diff *d)
{
    if (d)
        atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
    return d;
}

void rsq_diff_unref(rsq_diff *d)
{
    if (!d || atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) != 1)
        return;
    rsq_result_unref(d->before);
    rsq_result_unref(d->after);
    rsq_free(d->changes);
    rsq_free(d->columns);
    rsq_free(d);
}
