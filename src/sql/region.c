/* Between which keys does a cursor move? See reach.c. */
#include "sql/reach.h"

#include <stdlib.h>

#include "base/alloc.h"

void rsq_bound_fini(rsq_bound *b)
{
    for (size_t i = 0; i < b->count; i++)
        rsq_source_fini(&b->sources[i]);
    rsq_free(b->sources);
    *b = (rsq_bound){0};
}

bool rsq_bound_take(rsq_reach *r, int reg, size_t count, size_t use, rsq_bound *b)
{
    b->sources = rsq_alloc_zero(count * sizeof *b->sources);
    if (!b->sources) {
        r->failed = true;
        return false;
    }
    for (; b->count < count; b->count++) {
        if (!rsq_source_find(r, reg + (int)b->count, use, RSQ_COPIES_MAX, &b->sources[b->count])) {
            b->count++; /* what it has is freed too */
            return false;
        }
    }
    return true;
}

/* Is it ever open on the table? One that is open on another one as well is on none for rsq_reach_opened_at().
 */
bool rsq_reach_is_ours(const rsq_reach *r, int cursor)
{
    for (size_t i = 0; i < r->a->nopened; i++) {
        if (r->a->opened[i].cursor == cursor && r->a->opened[i].dep == r->dep_index)
            return true;
    }
    return false;
}

/* Does a jump from elsewhere lead into the steps after `from`, up to `to`? */
static bool is_entered(const rsq_reach *r, size_t from, size_t to)
{
    for (size_t i = 0; i < r->count; i++) {
        const rsq_step *s = &r->steps[i];
        bool inside = i >= from && i <= to;

        if (!inside && (s->does & RSQ_STEP_JUMPS) && s->p2 > (int)from && s->p2 <= (int)to)
            return true;
    }
    return false;
}

/* What the cursor is open on at a step. A cursor that is opened more than once is on what was opened above,
 * if the program can come from there only. NULL: not certain. */
const rsq_opened *rsq_reach_opened_at(const rsq_reach *r, int cursor, size_t step)
{
    const rsq_opened *on = NULL;
    size_t times = 0;

    for (size_t i = 0; i < r->a->nopened; i++) {
        const rsq_opened *o = &r->a->opened[i];

        if (o->cursor != cursor)
            continue;
        if (o->dep != r->dep_index)
            return NULL;
        times++;
        if (o->step < step)
            on = o;
    }
    if (on && times > 1 && is_entered(r, on->step, step))
        return NULL;
    return on;
}

bool rsq_region_is_seek(rsq_opcode op)
{
    return op == RSQ_OP_SEEK_GE || op == RSQ_OP_SEEK_GT || op == RSQ_OP_SEEK_LE || op == RSQ_OP_SEEK_LT;
}

/* From the first row, or from the last. */
bool rsq_region_is_scan(rsq_opcode op)
{
    return op == RSQ_OP_REWIND || op == RSQ_OP_LAST;
}

static bool goes_up(rsq_opcode op)
{
    return op == RSQ_OP_SEEK_GE || op == RSQ_OP_SEEK_GT || op == RSQ_OP_REWIND;
}

static bool is_end_check(rsq_opcode op)
{
    return op == RSQ_OP_IDX_GT || op == RSQ_OP_IDX_GE || op == RSQ_OP_IDX_LT || op == RSQ_OP_IDX_LE;
}

/* P5 of a comparison: it jumps as well if one of the two is NULL; and both are made numbers first. */
#define JUMP_IF_NULL 0x10u
#define AFFINITY_MASK 0x47u
#define AFFINITY_NUMERIC 0x43u

static bool is_rowid_check(const rsq_reach *r, size_t step, int cursor)
{
    const rsq_step *s = &r->steps[step];
    const rsq_step *next = s + 1;

    if (step + 1 >= r->count || s->opcode != RSQ_OP_ROWID || s->p1 != cursor || r->target[step + 1])
        return false;
    if (next->opcode != RSQ_OP_GT && next->opcode != RSQ_OP_GE && next->opcode != RSQ_OP_LT &&
        next->opcode != RSQ_OP_LE)
        return false;
    return next->p3 == s->p2 && (next->p5 & JUMP_IF_NULL) && (next->p5 & AFFINITY_MASK) == AFFINITY_NUMERIC;
}

/* The step that each row of the loop goes through first, and that ends it; `r->count`: there is none. */
size_t rsq_region_find_check(const rsq_reach *r, size_t seek, int cursor, bool rowid)
{
    for (size_t i = seek + 1; i < r->count; i++) {
        const rsq_step *s = &r->steps[i];

        if (rowid ? is_rowid_check(r, i, cursor) : is_end_check(s->opcode) && s->p1 == cursor)
            return i;
        if (!rsq_reach_is_plain(s) || rsq_region_is_seek(s->opcode) || r->target[i])
            break; /* a row may go another way */
    }
    return r->count;
}

/*
 * The steps that move the cursor on from `seek` lead back to the check, and in the direction of the seek; and
 * the check leads out of the loop, behind them. `out`: the step that jumps; `r->count`: there is no check.
 */
static bool loops_to(const rsq_reach *r, size_t seek, int cursor, size_t check, size_t out)
{
    bool up = goes_up(r->steps[seek].opcode);

    for (size_t i = seek + 1; i < r->count; i++) {
        const rsq_step *s = &r->steps[i];

        if (!(s->does & RSQ_STEP_CURSOR) || s->p1 != cursor)
            continue;
        if (rsq_region_is_seek(s->opcode) || rsq_region_is_scan(s->opcode))
            break;
        if (s->opcode != RSQ_OP_NEXT && s->opcode != RSQ_OP_PREV)
            continue;
        if ((s->opcode == RSQ_OP_NEXT) != up)
            return false;
        if (check < r->count ? s->p2 != (int)check : s->p2 <= (int)seek)
            return false;
        if (out < r->count && r->steps[out].p2 <= (int)i)
            return false;
    }
    return true;
}

static void refuse_null(rsq_bound *b)
{
    for (size_t i = 0; i < b->count; i++) {
        for (size_t j = 0; j < b->sources[i].count; j++)
            b->sources[i].operands[j].skips_null = true;
    }
}

/* Row ids are compared as numbers, and with NULL not at all. */
bool rsq_bound_as_rowid(rsq_bound *b)
{
    refuse_null(b);
    return b->count == 0 || rsq_source_add_affinity(&b->sources[0], 'C');
}

size_t rsq_region_fields(const rsq_step *s)
{
    int n = s->p4 ? atoi(s->p4) : 0;

    return n > 0 ? (size_t)n : 0;
}

bool rsq_region_take(rsq_reach *r, size_t seek, rsq_region *g)
{
    const rsq_step *s = &r->steps[seek];
    bool up = goes_up(s->opcode);
    rsq_bound *first = up ? &g->low : &g->high, *last = up ? &g->high : &g->low;
    bool rowid;
    size_t check, out;

    g->on = rsq_reach_opened_at(r, s->p1, seek);
    if (!g->on)
        return false;
    rowid = !g->on->index;
    check = rsq_region_find_check(r, seek, s->p1, rowid);
    out = rowid && check < r->count ? check + 1 : check;
    if (!loops_to(r, seek, s->p1, check, out))
        return false;
    if (rsq_region_is_scan(s->opcode) && (!rowid || check == r->count))
        return false; /* of the whole table */
    if (rsq_region_is_seek(s->opcode) &&
        !rsq_bound_take(r, s->p3, rowid ? 1 : rsq_region_fields(s), seek, first))
        return false;
    first->open = s->opcode == RSQ_OP_SEEK_GT || s->opcode == RSQ_OP_SEEK_LT;
    if (check < r->count) {
        const rsq_step *c = &r->steps[out];
        rsq_opcode gt = rowid ? RSQ_OP_GT : RSQ_OP_IDX_GT, ge = rowid ? RSQ_OP_GE : RSQ_OP_IDX_GE;
        rsq_opcode lt = rowid ? RSQ_OP_LT : RSQ_OP_IDX_LT, le = rowid ? RSQ_OP_LE : RSQ_OP_IDX_LE;

        if (c->opcode != (up ? gt : lt) && c->opcode != (up ? ge : le))
            return false;
        if (!rsq_bound_take(r, rowid ? c->p1 : c->p3, rowid ? 1 : rsq_region_fields(c), check, last))
            return false;
        last->open = c->opcode == (up ? ge : le);
    }
    return !rowid || (rsq_bound_as_rowid(&g->low) && rsq_bound_as_rowid(&g->high));
}
