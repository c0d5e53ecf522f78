/*
 * By which keys does a query reach a table?
 *
 * The compiled program says how each cursor is placed. A table depends on keys
 * if every cursor on it, and on its indexes, is placed in one of these ways:
 *
 *   SeekRowid c, r              at the row id in r
 *   SeekGE c, r … IdxGT c, r'   on an index: from one key on, until past another
 *   SeekGE c, r … Rowid, Gt r'  the same on row ids
 *   DeferredSeek, IdxRowid      at the row of an index entry that was reached so
 *
 * and the registers hold parameters and constants, or the entries of a list
 * IN (?, …) of them. A row can matter then only if its old or its new key is one
 * of those. Everything else, and everything that is not recognised, leaves the
 * table at the level of columns: opcodes are no stable interface, and the unit
 * test has a program for each shape that is accepted here.
 */
#include "sql/reach.h"

#include "base/alloc.h"

static bool reach_by_seek(rsq_reach *r, size_t seek)
{
    rsq_region g = {0};
    bool proven = rsq_region_take(r, seek, &g) && rsq_probes_add_region(r, &g);

    rsq_bound_fini(&g.low);
    rsq_bound_fini(&g.high);
    return proven;
}

/* The step right before that wrote the register from an entry of the same table; `r->count`: none did. */
static size_t find_entry(const rsq_reach *r, int reg, size_t use, rsq_opcode opcode)
{
    size_t begin = rsq_reach_block_begin(r, use);

    for (size_t i = use; !r->target[use] && i-- > begin;) {
        if (rsq_step_writes(&r->steps[i], reg))
            return r->steps[i].opcode == opcode && rsq_reach_is_ours(r, r->steps[i].p1) ? i : r->count;
    }
    return r->count;
}

/* A row of a table WITHOUT ROWID, by the primary key that an entry of an index of the same table ends with.
 */
static bool is_row_of_entry(const rsq_reach *r, size_t step)
{
    const rsq_step *s = &r->steps[step];
    const rsq_opened *row = rsq_reach_opened_at(r, s->p1, step);
    size_t n = rsq_region_fields(s);

    if (!row || !row->index || !row->index->primary || n != row->index->nkeys)
        return false;
    for (size_t i = 0; i < n; i++) {
        size_t at = find_entry(r, s->p3 + (int)i, step, RSQ_OP_COLUMN);
        const rsq_opened *entry = at < r->count ? rsq_reach_opened_at(r, r->steps[at].p1, at) : NULL;

        if (!entry || !entry->index || (size_t)r->steps[at].p2 >= entry->index->nparts ||
            entry->index->parts[r->steps[at].p2].column != row->index->parts[i].column)
            return false;
    }
    return true;
}

static bool reach_by_rowid(rsq_reach *r, size_t step)
{
    const rsq_step *s = &r->steps[step];
    rsq_bound at = {0};
    const rsq_opened *on;
    bool proven;

    if (find_entry(r, s->p3, step, RSQ_OP_IDX_ROWID) < r->count)
        return true;
    on = rsq_reach_opened_at(r, s->p1, step);
    proven = on && !on->index && rsq_bound_take(r, s->p3, 1, step, &at) && rsq_bound_as_rowid(&at) &&
             rsq_probes_add_rowid(r, at.sources);
    rsq_bound_fini(&at);
    return proven;
}

/* The end of a loop must belong to a seek; that seek looks for it. */
static bool is_check_of_seek(const rsq_reach *r, size_t step)
{
    int cursor = r->steps[step].p1;

    for (size_t i = step; i-- > 0;) {
        if (rsq_region_is_seek(r->steps[i].opcode) && r->steps[i].p1 == cursor)
            return rsq_region_find_check(r, i, cursor, false) == step;
    }
    return false;
}

static bool is_moved_by_seek(const rsq_reach *r, size_t step)
{
    int cursor = r->steps[step].p1;

    for (size_t i = step; i-- > 0;) {
        if ((rsq_region_is_seek(r->steps[i].opcode) || rsq_region_is_scan(r->steps[i].opcode)) &&
            r->steps[i].p1 == cursor)
            return true; /* loops_to() looks at it */
    }
    return false;
}

/* Does this step leave the table within what is proven? */
static bool check_step(rsq_reach *r, size_t step)
{
    const rsq_step *s = &r->steps[step];

    switch (s->opcode) {
    case RSQ_OP_OPEN_READ:
    case RSQ_OP_REOPEN_IDX:
    case RSQ_OP_CLOSE:
    case RSQ_OP_COLUMN:
    case RSQ_OP_ROWID:
    case RSQ_OP_IDX_ROWID:
    case RSQ_OP_NULL_ROW:
    case RSQ_OP_IF_NULL_ROW:
    case RSQ_OP_SEEK_HIT:
    case RSQ_OP_IF_NO_HOPE:
    case RSQ_OP_FINISH_SEEK:
        return true;
    case RSQ_OP_DEFERRED_SEEK:
        return rsq_reach_is_ours(r, s->p3);
    case RSQ_OP_SEEK_GE:
    case RSQ_OP_SEEK_GT:
    case RSQ_OP_SEEK_LE:
    case RSQ_OP_SEEK_LT:
    case RSQ_OP_REWIND:
    case RSQ_OP_LAST:
        return reach_by_seek(r, step);
    case RSQ_OP_NOT_FOUND:
        return is_row_of_entry(r, step);
    case RSQ_OP_SEEK_ROWID:
    case RSQ_OP_NOT_EXISTS:
        return reach_by_rowid(r, step);
    case RSQ_OP_IDX_GT:
    case RSQ_OP_IDX_GE:
    case RSQ_OP_IDX_LT:
    case RSQ_OP_IDX_LE:
        return is_check_of_seek(r, step);
    case RSQ_OP_NEXT:
    case RSQ_OP_PREV:
        return is_moved_by_seek(r, step);
    default:
        return false;
    }
}

static bool reach_table(rsq_reach *r)
{
    bool opened = false;

    for (size_t i = 0; i < r->count; i++) {
        const rsq_step *s = &r->steps[i];
        /* The cursor that a deferred seek will place is the step's third operand. */
        bool places =
            s->opcode == RSQ_OP_DEFERRED_SEEK && rsq_reach_is_ours(r, s->p3) && !rsq_reach_is_ours(r, s->p1);

        if (places)
            return false;
        if (!(s->does & RSQ_STEP_CURSOR) || !rsq_reach_is_ours(r, s->p1))
            continue;
        opened = true;
        if (!check_step(r, i) || r->failed)
            return false;
    }
    return opened && r->dep->nprobes > 0;
}

void rsq_analysis_reach(rsq_analysis *a)
{
    rsq_reach r = {.a = a, .steps = a->program.steps, .count = a->program.count};

    rsq_conn_ask_encoding(a->conn);
    /* In UTF-16 SQLite compares other bytes than these. */
    if (!a->conn->utf8)
        return;
    r.target = rsq_alloc_zero(r.count * sizeof *r.target);
    if (!r.target) {
        a->failed = true;
        return;
    }
    rsq_reach_mark_targets(&r);
    for (size_t i = 0; i < a->d->ntables; i++) {
        r.dep = &a->d->tables[i];
        r.dep_index = i;
        r.dep->keyed = reach_table(&r);
        if (!r.dep->keyed)
            rsq_table_dep_drop_keys(r.dep);
    }
    a->failed = a->failed || r.failed;
    rsq_free(r.target);
}
