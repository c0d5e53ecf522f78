#include "result/result.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/values.h"

rsq_result *rsq_result_new(size_t extra)
{
    rsq_result *r = rsq_alloc(sizeof *r + extra);

    if (!r)
        return NULL;
    memset(r, 0, sizeof *r);
    atomic_init(&r->refs, 1);
    return r;
}

rsq_result *rsq_result_ref(rsq_result *r)
{
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    return r;
}

/* Nobody else has a reference that could become a second one: the last one need not be counted down. */
static bool is_mine(const rsq_result *r)
{
    return atomic_load_explicit(&r->refs, memory_order_acquire) == 1;
}

void rsq_result_unref(rsq_result *r)
{
    if (!r || (!is_mine(r) && atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1))
        return;
    rsq_columns_unref(r->columns);
    rsq_block_free_all(r->blocks);
    rsq_free(r->changed_block);
    rsq_free(r);
}

const rsq_value *rsq_result_cells(const rsq_result *r, size_t *rows, size_t *columns)
{
    if (rows)
        *rows = r->head.rows;
    if (columns)
        *columns = r->head.columns;
    return r->head.cells;
}

size_t rsq_result_rows(const rsq_result *r)
{
    return r->head.rows;
}

size_t rsq_result_columns(const rsq_result *r)
{
    return r->head.columns;
}

const char *rsq_result_column_name(const rsq_result *r, size_t column)
{
    return r->columns && column < r->columns->count ? r->columns->names[column] : NULL;
}

ptrdiff_t rsq_result_column_index(const rsq_result *r, const char *name)
{
    if (!r->columns || !name)
        return -1;
    for (uint32_t i = r->columns->count; i-- > 0;) {
        if (strcmp(r->columns->names[i], name) == 0)
            return (ptrdiff_t)i;
    }
    return -1;
}

const char *rsq_result_json(const rsq_result *r, size_t *len)
{
    if (len && r->json)
        *len = r->json_len;
    return r->json;
}

uint64_t rsq_result_commit_seq(const rsq_result *r)
{
    return r->commit_seq;
}

int64_t rsq_result_changes(const rsq_result *r)
{
    return r->changes;
}

int64_t rsq_result_last_insert_rowid(const rsq_result *r)
{
    return r->last_insert_rowid;
}

const char *const *rsq_result_changed_tables(const rsq_result *r, size_t *count)
{
    *count = r->nchanged;
    return r->changed_tables;
}

bool rsq_result_equal(const rsq_result *a, const rsq_result *b)
{
    size_t cells = a->head.rows * a->head.columns;

    if ((a->json == NULL) != (b->json == NULL))
        return false;
    if (a->json)
        return a->json_len == b->json_len && memcmp(a->json, b->json, a->json_len) == 0;
    if (a->head.rows != b->head.rows || a->head.columns != b->head.columns)
        return false;
    if (!rsq_columns_equal(a->columns, b->columns))
        return false;
    for (size_t i = 0; i < cells; i++) {
        if (!rsq_value_same(&a->head.cells[i], &b->head.cells[i]))
            return false;
    }
    return true;
}

_Static_assert(offsetof(struct rsq_result, head) == 0, "the head is the start of the ABI");
_Static_assert(sizeof(rsq_value) == 16, "a cell is 16 bytes");
_Static_assert(sizeof(rsq_error) == 512, "errors have a fixed size");

void rsq_results_drop(rsq_result **results, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rsq_result_unref(results[i]);
        results[i] = NULL;
    }
}
