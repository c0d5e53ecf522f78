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
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sql/analysis.h"

/* More keys than this, and the table depends on columns. */
#define PROBES_MAX 256

/* Copies of copies of a register that are followed. */
#define COPIES_MAX 4

typedef struct reach {
    rsq_analysis *a;
    const rsq_step *steps;
    size_t count;
    bool *target;       /* owned: may a jump lead to the step? */
    rsq_table_dep *dep; /* the table that is looked at, */
    size_t dep_index;   /* its number */
    bool failed;        /* no memory */
} reach;

/* What a register holds: one value, or one of several. */
typedef struct source {
    size_t def;            /* the step that wrote it */
    rsq_operand *operands; /* owned, text too */
    size_t count;
} source;

/* --- jumps --- */

static void mark(reach *r, int step)
{
    if (step >= 0 && (size_t)step < r->count)
        r->target[step] = true;
}

/* A register that a Return jumps by. */
static bool is_return(const reach *r, int reg)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->steps[i].opcode == RSQ_OP_RETURN && r->steps[i].p1 == reg)
            return true;
    }
    return false;
}

static void mark_targets(reach *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const rsq_step *s = &r->steps[i];

        if (s->does & RSQ_STEP_JUMPS)
            mark(r, s->p2);
        switch (s->opcode) {
        case RSQ_OP_GOSUB:
        case RSQ_OP_YIELD:
            mark(r, (int)i + 1);
            break;
        case RSQ_OP_INIT_COROUTINE:
            mark(r, s->p3);
            break;
        case RSQ_OP_JUMP:
            mark(r, s->p1);
            mark(r, s->p2);
            mark(r, s->p3);
            break;
        case RSQ_OP_INTEGER:
            if (is_return(r, s->p2))
                mark(r, s->p1);
            break;
        default:
            break;
        }
    }
}

/* --- what a register holds --- */

/* Steps that may stand between the writing of a register and its use, and let the program go on below. */
static bool is_plain(const rsq_step *s)
{
    switch (s->opcode) {
    case RSQ_OP_VARIABLE:
    case RSQ_OP_INTEGER:
    case RSQ_OP_INT64:
    case RSQ_OP_STRING8:
    case RSQ_OP_NULL:
    case RSQ_OP_IS_NULL:
    case RSQ_OP_AFFINITY:
    case RSQ_OP_NOOP:
    case RSQ_OP_SEEK_HIT:
    case RSQ_OP_COPY:
    case RSQ_OP_SCOPY:
    case RSQ_OP_COLUMN:
    case RSQ_OP_ROWID:
    case RSQ_OP_IDX_ROWID:
    case RSQ_OP_SEEK_GE:
    case RSQ_OP_SEEK_GT:
    case RSQ_OP_SEEK_LE:
    case RSQ_OP_SEEK_LT:
        return true;
    default:
        return false;
    }
}

/* `id = (? IS NULL)` writes 1, and goes past the step that writes 0. */
static bool skips_to(const rsq_step *s, size_t use)
{
    return (s->does & RSQ_STEP_JUMPS) && s->p2 == (int)use;
}

/* The first of the steps before `use` that the program runs one after the other, whenever it comes to `use`
 * from above. */
static size_t begin_of_block(const reach *r, size_t use)
{
    size_t at = use;

    while (at > 0 && is_plain(&r->steps[at - 1]) && !skips_to(&r->steps[at - 1], use)) {
        at--;
        if (r->target[at])
            break;
    }
    return at;
}

static bool writes_value(const rsq_step *s, int reg)
{
    return s->opcode != RSQ_OP_AFFINITY && rsq_step_writes(s, reg);
}

static void free_source(source *src)
{
    for (size_t i = 0; i < src->count; i++)
        rsq_free(src->operands[i].text);
    rsq_free(src->operands);
    *src = (source){0};
}

static bool add_operand(reach *r, source *src, rsq_operand o)
{
    rsq_operand *grown = rsq_realloc(src->operands, (src->count + 1) * sizeof *grown);

    if (!grown) {
        rsq_free(o.text);
        r->failed = true;
        return false;
    }
    src->operands = grown;
    grown[src->count++] = o;
    return true;
}

/* Newer SQLites write it in two halves. */
static int64_t int64_of(const rsq_step *s)
{
    if (s->p4 && s->p4[0])
        return strtoll(s->p4, NULL, 10);
    return (int64_t)((uint64_t)(uint32_t)s->p3 << 32 | (uint32_t)s->p1);
}

/* One that is written by a parameter or a constant. */
static bool take_constant(reach *r, const rsq_step *s, source *src)
{
    rsq_operand o = {0};

    switch (s->opcode) {
    case RSQ_OP_VARIABLE:
        o.kind = RSQ_OPERAND_PARAM;
        o.param = (uint32_t)s->p1 - 1;
        break;
    case RSQ_OP_INTEGER:
        o.kind = RSQ_OPERAND_INTEGER;
        o.integer = s->p1;
        break;
    case RSQ_OP_INT64:
        o.kind = RSQ_OPERAND_INTEGER;
        o.integer = int64_of(s);
        break;
    case RSQ_OP_STRING8:
        /* With P3 it may become a blob. */
        if (s->p3 != 0 || !s->p4)
            return false;
        o.kind = RSQ_OPERAND_TEXT;
        o.text = rsq_copy_text(s->p4, strlen(s->p4));
        r->failed = r->failed || !o.text;
        break;
    case RSQ_OP_NULL:
        o.kind = RSQ_OPERAND_NULL;
        break;
    default:
        return false;
    }
    return !r->failed && add_operand(r, src, o);
}

static bool add_affinity(source *src, char affinity)
{
    for (size_t i = 0; i < src->count; i++) {
        rsq_operand *o = &src->operands[i];
        size_t n = 0;

        while (n < sizeof o->affinity && o->affinity[n])
            n++;
        if (n > 0 && o->affinity[n - 1] == affinity)
            continue;
        if (n == sizeof o->affinity)
            return false;
        o->affinity[n] = affinity;
    }
    return true;
}

/* What the steps between say of the register: affinities, and that NULL goes elsewhere. */
static bool refine(const reach *r, source *src, int reg, size_t from, size_t use)
{
    for (size_t i = from; i < use; i++) {
        const rsq_step *s = &r->steps[i];

        if (s->opcode == RSQ_OP_AFFINITY && reg >= s->p1 && reg < s->p1 + s->p2) {
            size_t at = (size_t)(reg - s->p1);

            if (!s->p4 || strlen(s->p4) <= at || !add_affinity(src, s->p4[at]))
                return false;
        }
        if (s->opcode == RSQ_OP_IS_NULL && s->p1 == reg && s->p2 > (int)use) {
            for (size_t j = 0; j < src->count; j++)
                src->operands[j].skips_null = true;
        }
    }
    return true;
}

static bool find_source(reach *r, int reg, size_t use, unsigned copies, source *src);

/* Is the cursor a list IN (…), filled by its IdxInsert steps and by nothing else? */
static bool is_list(const reach *r, int cursor)
{
    size_t opened = 0;

    for (size_t i = 0; i < r->count; i++) {
        const rsq_step *s = &r->steps[i];

        if (s->opcode == RSQ_OP_OPEN_DUP && (s->p1 == cursor || s->p2 == cursor))
            return false;
        if (!(s->does & RSQ_STEP_CURSOR) || s->p1 != cursor)
            continue;
        switch (s->opcode) {
        case RSQ_OP_OPEN_EPHEMERAL:
            opened++;
            break;
        case RSQ_OP_IDX_INSERT:
        case RSQ_OP_COLUMN:
        case RSQ_OP_NULL_ROW:
        case RSQ_OP_NEXT:
        case RSQ_OP_PREV:
        case RSQ_OP_REWIND:
        case RSQ_OP_LAST:
        case RSQ_OP_CLOSE:
            break;
        default:
            return false;
        }
    }
    return opened == 1;
}

/* Each of its entries is one value, made into a record right before it is inserted. */
static bool take_list(reach *r, int cursor, source *src)
{
    if (!is_list(r, cursor))
        return false;
    for (size_t i = 0; i < r->count; i++) {
        const rsq_step *s = &r->steps[i];
        const rsq_step *record = i > 0 ? s - 1 : s;
        source one = {0};

        if (s->opcode != RSQ_OP_IDX_INSERT || s->p1 != cursor)
            continue;
        if (record->opcode != RSQ_OP_MAKE_RECORD || record->p2 != 1 || record->p3 != s->p2 || r->target[i])
            return false;
        if (!find_source(r, record->p1, i - 1, COPIES_MAX, &one) || one.count != 1 ||
            (record->p4 && !add_affinity(&one, record->p4[0]))) {
            free_source(&one);
            return false;
        }
        if (!add_operand(r, src, one.operands[0])) {
            rsq_free(one.operands);
            return false;
        }
        rsq_free(one.operands);
        if (src->count > PROBES_MAX)
            return false;
    }
    return src->count > 0;
}

static bool take_written(reach *r, size_t def, int reg, unsigned copies, source *src)
{
    const rsq_step *s = &r->steps[def];

    src->def = def;
    if (s->opcode == RSQ_OP_SCOPY || s->opcode == RSQ_OP_COPY) {
        size_t keep = def;

        if (copies == 0 || !find_source(r, s->p1 + (reg - s->p2), def, copies - 1, src))
            return false;
        src->def = keep;
        return true;
    }
    if (s->opcode == RSQ_OP_COLUMN)
        return s->p2 == 0 && take_list(r, s->p1, src);
    return take_constant(r, s, src);
}

/*
 * What the register holds when the program comes to `use`. Either it was written
 * in the steps right before; if the program may also come to `use` from a loop,
 * nothing else may write it. Or a single step writes it at all.
 */
static bool find_source(reach *r, int reg, size_t use, unsigned copies, source *src)
{
    size_t begin = begin_of_block(r, use), def = r->count, outside = 0, other = r->count;

    for (size_t i = 0; i < r->count; i++) {
        const rsq_step *s = &r->steps[i];

        if (!rsq_step_writes(s, reg))
            continue;
        if (i < begin || i >= use) {
            outside++;
            other = i;
        } else if (writes_value(s, reg)) {
            def = i;
        }
    }
    if (def < r->count) {
        if (r->target[use] && outside > 0)
            return false;
        return take_written(r, def, reg, copies, src) && refine(r, src, reg, def + 1, use);
    }
    if (outside != 1 || !writes_value(&r->steps[other], reg))
        return false;
    return take_written(r, other, reg, copies, src) && refine(r, src, reg, begin, use);
}

/* --- where a cursor is placed --- */

/* What one side of a seek is compared with, column by column of the index. */
typedef struct bound {
    source *sources; /* owned, each too */
    size_t count;
    bool open; /* the key itself is not reached */
} bound;

/* How a cursor moves from one place to another. */
typedef struct region {
    const rsq_opened *on;
    bound low, high; /* in the order of the index; `count` 0: no bound */
} region;

static void free_bound(bound *b)
{
    for (size_t i = 0; i < b->count; i++)
        free_source(&b->sources[i]);
    rsq_free(b->sources);
    *b = (bound){0};
}

static bool take_bound(reach *r, int reg, size_t count, size_t use, bound *b)
{
    b->sources = rsq_alloc_zero(count * sizeof *b->sources);
    if (!b->sources) {
        r->failed = true;
        return false;
    }
    for (; b->count < count; b->count++) {
        if (!find_source(r, reg + (int)b->count, use, COPIES_MAX, &b->sources[b->count])) {
            b->count++; /* what it has is freed too */
            return false;
        }
    }
    return true;
}

/* Is it ever open on the table? One that is open on another one as well is on none for opened_at(). */
static bool is_ours(const reach *r, int cursor)
{
    for (size_t i = 0; i < r->a->nopened; i++) {
        if (r->a->opened[i].cursor == cursor && r->a->opened[i].dep == r->dep_index)
            return true;
    }
    return false;
}

/* Does a jump from elsewhere lead into the steps after `from`, up to `to`? */
static bool is_entered(const reach *r, size_t from, size_t to)
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
static const rsq_opened *opened_at(const reach *r, int cursor, size_t step)
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

static bool is_seek(rsq_opcode op)
{
    return op == RSQ_OP_SEEK_GE || op == RSQ_OP_SEEK_GT || op == RSQ_OP_SEEK_LE || op == RSQ_OP_SEEK_LT;
}

/* From the first row, or from the last. */
static bool is_scan(rsq_opcode op)
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

static bool is_rowid_check(const reach *r, size_t step, int cursor)
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
static size_t find_check(const reach *r, size_t seek, int cursor, bool rowid)
{
    for (size_t i = seek + 1; i < r->count; i++) {
        const rsq_step *s = &r->steps[i];

        if (rowid ? is_rowid_check(r, i, cursor) : is_end_check(s->opcode) && s->p1 == cursor)
            return i;
        if (!is_plain(s) || is_seek(s->opcode) || r->target[i])
            break; /* a row may go another way */
    }
    return r->count;
}

/*
 * The steps that move the cursor on from `seek` lead back to the check, and in the direction of the seek; and
 * the check leads out of the loop, behind them. `out`: the step that jumps; `r->count`: there is no check.
 */
static bool loops_to(const reach *r, size_t seek, int cursor, size_t check, size_t out)
{
    bool up = goes_up(r->steps[seek].opcode);

    for (size_t i = seek + 1; i < r->count; i++) {
        const rsq_step *s = &r->steps[i];

        if (!(s->does & RSQ_STEP_CURSOR) || s->p1 != cursor)
            continue;
        if (is_seek(s->opcode) || is_scan(s->opcode))
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

static void refuse_null(bound *b)
{
    for (size_t i = 0; i < b->count; i++) {
        for (size_t j = 0; j < b->sources[i].count; j++)
            b->sources[i].operands[j].skips_null = true;
    }
}

/* Row ids are compared as numbers, and with NULL not at all. */
static bool as_rowid(bound *b)
{
    refuse_null(b);
    return b->count == 0 || add_affinity(&b->sources[0], 'C');
}

static size_t fields(const rsq_step *s)
{
    int n = s->p4 ? atoi(s->p4) : 0;

    return n > 0 ? (size_t)n : 0;
}

static bool take_region(reach *r, size_t seek, region *g)
{
    const rsq_step *s = &r->steps[seek];
    bool up = goes_up(s->opcode);
    bound *first = up ? &g->low : &g->high, *last = up ? &g->high : &g->low;
    bool rowid;
    size_t check, out;

    g->on = opened_at(r, s->p1, seek);
    if (!g->on)
        return false;
    rowid = !g->on->index;
    check = find_check(r, seek, s->p1, rowid);
    out = rowid && check < r->count ? check + 1 : check;
    if (!loops_to(r, seek, s->p1, check, out))
        return false;
    if (is_scan(s->opcode) && (!rowid || check == r->count))
        return false; /* of the whole table */
    if (is_seek(s->opcode) && !take_bound(r, s->p3, rowid ? 1 : fields(s), seek, first))
        return false;
    first->open = s->opcode == RSQ_OP_SEEK_GT || s->opcode == RSQ_OP_SEEK_LT;
    if (check < r->count) {
        const rsq_step *c = &r->steps[out];
        rsq_opcode gt = rowid ? RSQ_OP_GT : RSQ_OP_IDX_GT, ge = rowid ? RSQ_OP_GE : RSQ_OP_IDX_GE;
        rsq_opcode lt = rowid ? RSQ_OP_LT : RSQ_OP_IDX_LT, le = rowid ? RSQ_OP_LE : RSQ_OP_IDX_LE;

        if (c->opcode != (up ? gt : lt) && c->opcode != (up ? ge : le))
            return false;
        if (!take_bound(r, rowid ? c->p1 : c->p3, rowid ? 1 : fields(c), check, last))
            return false;
        last->open = c->opcode == (up ? ge : le);
    }
    return !rowid || (as_rowid(&g->low) && as_rowid(&g->high));
}

/* --- from a region to probes --- */

static bool key_column(const reach *r, const rsq_opened *on, size_t position, rsq_key_column *out)
{
    const rsq_catalog_part *part;

    if (!on->index) {
        *out = (rsq_key_column){.column = RSQ_KEY_ROWID, .collation = RSQ_COLLATION_BINARY};
        return position == 0;
    }
    if (position >= on->index->nparts)
        return false;
    part = &on->index->parts[position];
    *out = (rsq_key_column){.column = part->column == -1 ? RSQ_KEY_ROWID : (uint32_t)part->column,
                            .collation = part->collation};
    if (part->column < -1 || part->collation == RSQ_COLLATION_OTHER)
        return false;
    return part->column == -1 || (!on->table->columns[part->column].is_virtual &&
                                  !rsq_column_set_has(&r->dep->doubtful, (unsigned)part->column));
}

/* The number of a key, made if it is new; -1: no memory. */
static int find_spec(reach *r, const rsq_key_column *columns, size_t count, bool ranged)
{
    rsq_table_dep *dep = r->dep;
    rsq_key_spec *grown;

    for (size_t i = 0; i < dep->nspecs; i++) {
        const rsq_key_spec *s = &dep->specs[i];

        if (s->ncolumns == count && s->ranged == ranged &&
            memcmp(s->columns, columns, count * sizeof *columns) == 0)
            return (int)i;
    }
    grown = rsq_realloc(dep->specs, (dep->nspecs + 1) * sizeof *grown);
    if (!grown)
        return -1;
    dep->specs = grown;
    grown[dep->nspecs] =
        (rsq_key_spec){.columns = rsq_alloc(count * sizeof *columns), .ncolumns = count, .ranged = ranged};
    if (!grown[dep->nspecs].columns)
        return -1;
    memcpy(grown[dep->nspecs].columns, columns, count * sizeof *columns);
    return (int)dep->nspecs++;
}

static bool copy_operand(reach *r, rsq_operand *to, const rsq_operand *from)
{
    *to = *from;
    if (!from->text)
        return true;
    to->text = rsq_copy_text(from->text, strlen(from->text));
    r->failed = r->failed || !to->text;
    return to->text != NULL;
}

/* An interval of a region: the ends of the first column in which they differ. */
typedef struct ends {
    const rsq_operand *low, *high; /* borrowed; NULL: none */
    bool low_open, high_open;
} ends;

static bool add_probe(reach *r, int spec, const source *equal, const size_t *choice, size_t nequal,
                      const ends *e)
{
    rsq_table_dep *dep = r->dep;
    rsq_probe *grown = rsq_realloc(dep->probes, (dep->nprobes + 1) * sizeof *grown);
    rsq_probe *p;

    if (!grown) {
        r->failed = true;
        return false;
    }
    dep->probes = grown;
    p = &grown[dep->nprobes];
    *p = (rsq_probe){.spec = (uint32_t)spec, .equal = rsq_alloc_zero(nequal * sizeof *p->equal)};
    if (!p->equal) {
        r->failed = true;
        return false;
    }
    dep->nprobes++;
    for (size_t i = 0; i < nequal; i++) {
        if (!copy_operand(r, &p->equal[i], &equal[i].operands[choice[i]]))
            return false;
    }
    p->has_low = e->low != NULL;
    p->has_high = e->high != NULL;
    p->low_open = e->low_open;
    p->high_open = e->high_open;
    return (!e->low || copy_operand(r, &p->low, e->low)) && (!e->high || copy_operand(r, &p->high, e->high));
}

/* One probe for each way to choose from the lists. */
static bool add_choices(reach *r, int spec, const source *equal, size_t nequal, const ends *e)
{
    size_t *choice = rsq_alloc_zero(nequal * sizeof *choice);
    size_t at;

    if (!choice) {
        r->failed = true;
        return false;
    }
    do {
        if (r->dep->nprobes >= PROBES_MAX || !add_probe(r, spec, equal, choice, nequal, e)) {
            rsq_free(choice);
            return false;
        }
        for (at = 0; at < nequal && ++choice[at] == equal[at].count; at++)
            choice[at] = 0;
    } while (at < nequal);
    rsq_free(choice);
    return true;
}

/* Written by the same step, and not made something else since. */
static bool is_same_source(const source *a, const source *b)
{
    if (a->def != b->def || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (memcmp(a->operands[i].affinity, b->operands[i].affinity, sizeof a->operands[i].affinity) != 0)
            return false;
    }
    return true;
}

/* Columns in which both ends are the same value. */
static size_t count_equal(const region *g)
{
    size_t n = 0;

    while (n < g->low.count && n < g->high.count && is_same_source(&g->low.sources[n], &g->high.sources[n]))
        n++;
    return n;
}

/* The ends in column `at`. An end that goes on in further columns may have rows of its own value on both
 * sides. False: it is not one value. */
static bool take_ends(const region *g, size_t at, ends *e)
{
    const bound *low = &g->low, *high = &g->high;
    const rsq_catalog_part *part = g->on->index ? &g->on->index->parts[at] : NULL;

    if ((low->count > at && low->sources[at].count != 1) ||
        (high->count > at && high->sources[at].count != 1))
        return false;
    if (part && part->descending) {
        low = &g->high;
        high = &g->low;
    }
    if (low->count > at && low->sources[at].operands[0].kind != RSQ_OPERAND_NULL)
        e->low = &low->sources[at].operands[0];
    if (high->count > at && high->sources[at].operands[0].kind != RSQ_OPERAND_NULL)
        e->high = &high->sources[at].operands[0];
    e->low_open = e->low && low->open && low->count == at + 1;
    e->high_open = e->high && high->open && high->count == at + 1;
    return true;
}

/* Columns of one key at most. */
#define KEY_COLUMNS_MAX 16

static bool add_region(reach *r, const region *g)
{
    rsq_key_column columns[KEY_COLUMNS_MAX] = {{0}};
    size_t nequal = count_equal(g);
    bool ranged = nequal < g->low.count || nequal < g->high.count;
    ends e = {0};
    int spec;

    if (nequal + (ranged ? 1 : 0) > KEY_COLUMNS_MAX || (!ranged && (g->low.open || g->high.open)))
        return false;
    for (size_t i = 0; i < nequal + (ranged ? 1 : 0); i++) {
        if (!key_column(r, g->on, i, &columns[i]))
            return false;
    }
    if (ranged && !take_ends(g, nequal, &e))
        return false;
    ranged = e.low || e.high;
    if (nequal == 0 && !ranged)
        return false;
    spec = find_spec(r, columns, nequal + (ranged ? 1 : 0), ranged);
    if (spec < 0) {
        r->failed = true;
        return false;
    }
    return add_choices(r, spec, g->low.sources, nequal, &e);
}

static bool reach_by_seek(reach *r, size_t seek)
{
    region g = {0};
    bool proven = take_region(r, seek, &g) && add_region(r, &g);

    free_bound(&g.low);
    free_bound(&g.high);
    return proven;
}

/* The step right before that wrote the register from an entry of the same table; `r->count`: none did. */
static size_t find_entry(const reach *r, int reg, size_t use, rsq_opcode opcode)
{
    size_t begin = begin_of_block(r, use);

    for (size_t i = use; !r->target[use] && i-- > begin;) {
        if (rsq_step_writes(&r->steps[i], reg))
            return r->steps[i].opcode == opcode && is_ours(r, r->steps[i].p1) ? i : r->count;
    }
    return r->count;
}

/* A row of a table WITHOUT ROWID, by the primary key that an entry of an index of the same table ends with.
 */
static bool is_row_of_entry(const reach *r, size_t step)
{
    const rsq_step *s = &r->steps[step];
    const rsq_opened *row = opened_at(r, s->p1, step);
    size_t n = fields(s);

    if (!row || !row->index || !row->index->primary || n != row->index->nkeys)
        return false;
    for (size_t i = 0; i < n; i++) {
        size_t at = find_entry(r, s->p3 + (int)i, step, RSQ_OP_COLUMN);
        const rsq_opened *entry = at < r->count ? opened_at(r, r->steps[at].p1, at) : NULL;

        if (!entry || !entry->index || (size_t)r->steps[at].p2 >= entry->index->nparts ||
            entry->index->parts[r->steps[at].p2].column != row->index->parts[i].column)
            return false;
    }
    return true;
}

static bool reach_by_rowid(reach *r, size_t step)
{
    const rsq_step *s = &r->steps[step];
    bound at = {0};
    region g = {0};
    bool proven;

    if (find_entry(r, s->p3, step, RSQ_OP_IDX_ROWID) < r->count)
        return true;
    g.on = opened_at(r, s->p1, step);
    proven = g.on && !g.on->index && take_bound(r, s->p3, 1, step, &at) && as_rowid(&at);
    if (proven) {
        rsq_key_column column = {.column = RSQ_KEY_ROWID, .collation = RSQ_COLLATION_BINARY};
        int spec = find_spec(r, &column, 1, false);
        ends none = {0};

        r->failed = r->failed || spec < 0;
        proven = spec >= 0 && add_choices(r, spec, at.sources, 1, &none);
    }
    free_bound(&at);
    return proven;
}

/* The end of a loop must belong to a seek; that seek looks for it. */
static bool is_check_of_seek(const reach *r, size_t step)
{
    int cursor = r->steps[step].p1;

    for (size_t i = step; i-- > 0;) {
        if (is_seek(r->steps[i].opcode) && r->steps[i].p1 == cursor)
            return find_check(r, i, cursor, false) == step;
    }
    return false;
}

static bool is_moved_by_seek(const reach *r, size_t step)
{
    int cursor = r->steps[step].p1;

    for (size_t i = step; i-- > 0;) {
        if ((is_seek(r->steps[i].opcode) || is_scan(r->steps[i].opcode)) && r->steps[i].p1 == cursor)
            return true; /* loops_to() looks at it */
    }
    return false;
}

/* Does this step leave the table within what is proven? */
static bool check_step(reach *r, size_t step)
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
        return is_ours(r, s->p3);
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

static bool reach_table(reach *r)
{
    bool opened = false;

    for (size_t i = 0; i < r->count; i++) {
        const rsq_step *s = &r->steps[i];
        /* The cursor that a deferred seek will place is the step's third operand. */
        bool places = s->opcode == RSQ_OP_DEFERRED_SEEK && is_ours(r, s->p3) && !is_ours(r, s->p1);

        if (places)
            return false;
        if (!(s->does & RSQ_STEP_CURSOR) || !is_ours(r, s->p1))
            continue;
        opened = true;
        if (!check_step(r, i) || r->failed)
            return false;
    }
    return opened && r->dep->nprobes > 0;
}

void rsq_analysis_reach(rsq_analysis *a)
{
    reach r = {.a = a, .steps = a->program.steps, .count = a->program.count};

    rsq_conn_ask_encoding(a->conn);
    /* In UTF-16 SQLite compares other bytes than these. */
    if (!a->conn->utf8)
        return;
    r.target = rsq_alloc_zero(r.count * sizeof *r.target);
    if (!r.target) {
        a->failed = true;
        return;
    }
    mark_targets(&r);
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
