#include "changes.h"

#include <stdlib.h>
#include <string.h>

/* A row as it is put together: each cell is one of the old answer, or of the new one. */
typedef const rsq_value **row;

typedef struct answer {
    const rsq_value *cells;
    size_t rows, columns;
} answer;

static answer answer_of(const rsq_result *r)
{
    answer a;

    a.cells = rsq_result_cells(r, &a.rows, &a.columns);
    return a;
}

static void *take(size_t n, size_t size)
{
    void *p = calloc(n + 1, size);

    if (!p)
        abort();
    return p;
}

/* Where DELETE stands, DELETEs only stand so far; `from` falls. */
static bool take_out(const rsq_stream_event *ev, row *rows, size_t nrows)
{
    size_t last = nrows;
    bool deletes = true;

    for (size_t i = 0; i < ev->nchanges; i++) {
        const rsq_change *c = &ev->changes[i];

        if (c->kind == RSQ_CHANGE_DELETE) {
            if (!deletes || c->from >= last)
                return false;
            last = c->from;
        } else {
            deletes = false;
        }
        if (c->kind == RSQ_CHANGE_DELETE || c->kind == RSQ_CHANGE_MOVE) {
            if (c->from >= nrows || !rows[c->from])
                return false;
            rows[c->from] = NULL;
        }
    }
    return true;
}

static size_t close_gaps(row *rows, size_t n)
{
    size_t left = 0;

    for (size_t i = 0; i < n; i++) {
        if (rows[i])
            rows[left++] = rows[i];
    }
    return left;
}

/* INSERT and MOVE, by rising `to`; `old` are the rows of before, in their places. */
static bool put_in(const rsq_stream_event *ev, row *rows, size_t *n, row *old, row *new, size_t room)
{
    size_t last = 0;

    for (size_t i = 0; i < ev->nchanges; i++) {
        const rsq_change *c = &ev->changes[i];

        if (c->kind == RSQ_CHANGE_DELETE)
            continue;
        if (c->to < last || c->to >= room)
            return false;
        last = c->to + 1;
        if (c->kind == RSQ_CHANGE_UPDATE)
            continue;
        if (c->to > *n || *n >= room)
            return false;
        memmove(rows + c->to + 1, rows + c->to, (*n - c->to) * sizeof *rows);
        rows[c->to] = c->kind == RSQ_CHANGE_INSERT ? new[c->to] : old[c->from];
        ++*n;
    }
    return true;
}

/* An UPDATE names the row that stands there now. */
static bool update(const rsq_stream_event *ev, row *rows, row *old, row *new)
{
    for (size_t i = 0; i < ev->nchanges; i++) {
        const rsq_change *c = &ev->changes[i];

        if (c->kind != RSQ_CHANGE_UPDATE && c->kind != RSQ_CHANGE_MOVE)
            continue;
        if (rows[c->to] != old[c->from])
            return false;
        for (uint32_t j = 0; j < c->ncolumns; j++)
            rows[c->to][c->columns[j]] = new[c->to][c->columns[j]];
    }
    return true;
}

static bool same_value(const rsq_value *a, const rsq_value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case RSQ_NULL:
        return true;
    case RSQ_INTEGER:
        return a->as.i == b->as.i;
    case RSQ_REAL:
        return memcmp(&a->as.d, &b->as.d, sizeof a->as.d) == 0;
    default:
        return a->len == b->len && (a->len == 0 || memcmp(a->as.blob, b->as.blob, a->len) == 0);
    }
}

static bool same_rows(row *a, row *b, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < columns; j++) {
            if (!same_value(a[i][j], b[i][j]))
                return false;
        }
    }
    return true;
}

static row *split(const answer *a, const rsq_value **cells, size_t room)
{
    row *rows = take(room, sizeof *rows);

    for (size_t i = 0; i < a->rows * a->columns; i++)
        cells[i] = &a->cells[i];
    for (size_t i = 0; i < a->rows; i++)
        rows[i] = cells + i * a->columns;
    return rows;
}

bool changes_lead_there(const rsq_stream_event *ev)
{
    answer before = answer_of(ev->before), after = answer_of(ev->result);
    size_t room = before.rows + after.rows + 1, n;
    const rsq_value **old_cells = take(before.rows * before.columns, sizeof *old_cells);
    const rsq_value **new_cells = take(after.rows * after.columns, sizeof *new_cells);
    row *old = split(&before, old_cells, room), *new = split(&after, new_cells, room);
    row *rows = split(&before, old_cells, room);
    bool good = before.columns == after.columns && take_out(ev, rows, before.rows);

    n = good ? close_gaps(rows, before.rows) : 0;
    good = good && put_in(ev, rows, &n, old, new, room) && n == after.rows && update(ev, rows, old, new) &&
           same_rows(rows, new, n, after.columns);
    free(rows);
    free(old);
    free(new);
    free(old_cells);
    free(new_cells);
    return good;
}
