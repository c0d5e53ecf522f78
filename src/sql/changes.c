#include "sql/changes.h"

#include <string.h>

#include "base/alloc.h"

rsq_change_log *rsq_change_log_new(rsq_watch *watch)
{
    rsq_change_log *log = rsq_alloc_zero(sizeof *log);

    if (log)
        log->watch = rsq_watch_ref(watch);
    return log;
}

void rsq_change_log_free_all(rsq_change_log *first)
{
    while (first) {
        rsq_change_log *log = first;

        first = log->next;
        while (log->tables) {
            rsq_table_change *t = log->tables;

            log->tables = t->next;
            rsq_free(t->bits_of);
            rsq_free(t->points);
            rsq_free(t->runs);
            rsq_free(t);
        }
        rsq_watch_unref(log->watch);
        rsq_free(log->bytes);
        rsq_free(log);
    }
}

const rsq_table_change *rsq_change_log_find(const rsq_change_log *log, const rsq_watch_table *watch)
{
    const rsq_table_change *t = log->tables;

    while (t && t->watch != watch)
        t = t->next;
    return t;
}

rsq_table_change *rsq_change_log_table(rsq_change_log *log, const rsq_watch_table *watch)
{
    rsq_table_change *t = (rsq_table_change *)(uintptr_t)rsq_change_log_find(log, watch);

    if (t)
        return t;
    t = rsq_alloc_zero(sizeof *t);
    if (!t)
        return NULL;
    t->watch = watch;
    t->next = log->tables;
    log->tables = t;
    return t;
}

static bool reserve_row(rsq_change_log *log, rsq_table_change *t)
{
    size_t row = sizeof *t->bits_of + 2 * t->watch->nkeys * sizeof *t->points;
    size_t capacity = t->capacity ? 2 * t->capacity : 4;
    uint64_t *bits_of;
    rsq_key_point *points;

    if (t->nrows < t->capacity)
        return true;
    if (row > RSQ_CHANGE_LOG_MAX / capacity ||
        log->size + (capacity - t->capacity) * row > RSQ_CHANGE_LOG_MAX)
        return false;
    bits_of = rsq_realloc(t->bits_of, capacity * sizeof *bits_of);
    if (!bits_of)
        return false;
    t->bits_of = bits_of;
    points = rsq_realloc(t->points, capacity * 2 * t->watch->nkeys * sizeof *points);
    if (!points)
        return false;
    t->points = points;
    log->size += (capacity - t->capacity) * row;
    t->capacity = capacity;
    return true;
}

rsq_key_point *rsq_change_log_add_row(rsq_change_log *log, rsq_table_change *t, uint64_t bits)
{
    size_t n = 2 * t->watch->nkeys;
    rsq_key_point *points;

    if (!reserve_row(log, t)) {
        t->unknown = true;
        return NULL;
    }
    points = t->points + t->nrows * n;
    memset(points, 0, n * sizeof *points);
    t->bits_of[t->nrows++] = bits;
    return points;
}

static bool reserve_run(rsq_change_log *log, rsq_table_change *t)
{
    size_t capacity = t->runs_capacity ? 2 * t->runs_capacity : 4;
    size_t more = (capacity - t->runs_capacity) * sizeof *t->runs;
    rsq_rowid_run *grown;

    if (t->nruns < t->runs_capacity)
        return true;
    if (more > RSQ_CHANGE_LOG_MAX || log->size + more > RSQ_CHANGE_LOG_MAX)
        return false;
    grown = rsq_realloc(t->runs, capacity * sizeof *grown);
    if (!grown)
        return false;
    t->runs = grown;
    t->runs_capacity = capacity;
    log->size += more;
    return true;
}

bool rsq_change_log_add_rowid(rsq_change_log *log, rsq_table_change *t, int64_t rowid, uint64_t bits)
{
    rsq_rowid_run *run = t->nruns ? &t->runs[t->nruns - 1] : NULL;

    if (run && run->bits == bits) {
        if (rowid > run->last && rowid - 1 == run->last)
            run->last = rowid;
        if (rowid < run->first && rowid + 1 == run->first)
            run->first = rowid;
        if (rowid >= run->first && rowid <= run->last)
            return true;
    }
    if (!reserve_run(log, t)) {
        t->unknown = true;
        return false;
    }
    t->runs[t->nruns++] = (rsq_rowid_run){rowid, rowid, bits};
    return true;
}

static bool has_bytes(const rsq_value *v)
{
    return v->type == RSQ_TEXT || v->type == RSQ_BLOB;
}

bool rsq_change_log_keep(rsq_change_log *log, rsq_value *v)
{
    if (!has_bytes(v))
        return true;
    if (v->len > RSQ_CHANGE_LOG_MAX || log->size + v->len > RSQ_CHANGE_LOG_MAX)
        return false;
    if (log->nbytes + v->len > log->capacity) {
        size_t capacity = 2 * log->capacity + v->len + 256;
        char *grown = rsq_realloc(log->bytes, capacity);

        if (!grown)
            return false;
        log->bytes = grown;
        log->capacity = capacity;
    }
    if (v->len)
        memcpy(log->bytes + log->nbytes, v->as.blob, v->len);
    v->as.i = (int64_t)log->nbytes;
    log->nbytes += v->len;
    log->size += v->len;
    return true;
}

rsq_value rsq_change_log_value(const rsq_change_log *log, const rsq_value *kept)
{
    rsq_value v = *kept;

    if (has_bytes(&v))
        v.as.blob = v.len ? log->bytes + kept->as.i : "";
    return v;
}

void rsq_changes_fini(rsq_changes *changes)
{
    rsq_names_fini(&changes->tables);
    rsq_change_log_free_all(changes->logs);
    *changes = (rsq_changes){0};
}
