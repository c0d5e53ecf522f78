#include "stream/reason.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"

rsq_table_set *rsq_table_set_new(const char *const *names, size_t count)
{
    size_t n = count < RSQ_TABLE_SET_MAX ? count : RSQ_TABLE_SET_MAX, size = 0;
    rsq_table_set *set;
    char *text;

    for (size_t i = 0; i < n; i++)
        size += strlen(names[i]) + 1;
    set = rsq_alloc(sizeof *set + n * sizeof set->names[0] + size);
    if (!set)
        return NULL;
    atomic_init(&set->refs, 1);
    set->count = n;
    text = (char *)(set->names + n);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(names[i]) + 1;

        memcpy(text, names[i], len);
        set->names[i] = text;
        text += len;
    }
    return set;
}

rsq_table_set *rsq_table_set_of(const rsq_names *names, uint32_t *rules)
{
    rsq_table_set *set = rsq_table_set_new((const char *const *)names->names, names->count);

    if (!set || set->count < names->count)
        *rules |= RSQ_WHY_OTHER;
    return set;
}

static rsq_table_set *ref_set(rsq_table_set *set)
{
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void rsq_table_set_unref(rsq_table_set *set)
{
    if (set && atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) == 1)
        rsq_free(set);
}

static bool contains(const rsq_table_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++) {
        if (rsq_name_equal(set->names[i], name))
            return true;
    }
    return false;
}

static void add_tables(rsq_reason *r, const rsq_table_set *tables)
{
    const char *names[RSQ_TABLE_SET_MAX];
    size_t n = r->tables->count;
    rsq_table_set *merged;

    memcpy(names, r->tables->names, n * sizeof names[0]);
    for (size_t i = 0; i < tables->count; i++) {
        if (contains(r->tables, tables->names[i]))
            continue;
        if (n == RSQ_TABLE_SET_MAX) {
            r->rules |= RSQ_WHY_OTHER;
            break;
        }
        names[n++] = tables->names[i];
    }
    if (n == r->tables->count)
        return;
    merged = rsq_table_set_new(names, n);
    if (!merged) {
        r->rules |= RSQ_WHY_OTHER;
        return;
    }
    rsq_table_set_unref(r->tables);
    r->tables = merged;
}

void rsq_reason_add(rsq_reason *r, uint32_t rules, rsq_table_set *tables)
{
    r->rules |= rules;
    if (!tables || r->tables == tables)
        return;
    if (r->tables)
        add_tables(r, tables);
    else
        r->tables = ref_set(tables);
}

void rsq_reason_clear(rsq_reason *r)
{
    rsq_table_set_unref(r->tables);
    *r = (rsq_reason){0};
}
