/*
 * What does a register hold, when the program comes to a step? Parameters and
 * constants, or the entries of a list IN (?, …) of them; see reach.c.
 */
#include "sql/reach.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* --- jumps --- */

static void mark(rsq_reach *r, int step)
{
    if (step >= 0 && (size_t)step < r->count)
        r->target[step] = true;
}

/* A register that a Return jumps by. */
static bool is_return(const rsq_reach *r, int reg)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->steps[i].opcode == RSQ_OP_RETURN && r->steps[i].p1 == reg)
            return true;
    }
    return false;
}

void rsq_reach_mark_targets(rsq_reach *r)
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
bool rsq_reach_is_plain(const rsq_step *s)
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
size_t rsq_reach_block_begin(const rsq_reach *r, size_t use)
{
    size_t at = use;

    while (at > 0 && rsq_reach_is_plain(&r->steps[at - 1]) && !skips_to(&r->steps[at - 1], use)) {
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

void rsq_source_fini(rsq_source *src)
{
    for (size_t i = 0; i < src->count; i++)
        rsq_free(src->operands[i].text);
    rsq_free(src->operands);
    *src = (rsq_source){0};
}

static bool add_operand(rsq_reach *r, rsq_source *src, rsq_operand o)
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
static bool take_constant(rsq_reach *r, const rsq_step *s, rsq_source *src)
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

bool rsq_source_add_affinity(rsq_source *src, char affinity)
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
static bool refine(const rsq_reach *r, rsq_source *src, int reg, size_t from, size_t use)
{
    for (size_t i = from; i < use; i++) {
        const rsq_step *s = &r->steps[i];

        if (s->opcode == RSQ_OP_AFFINITY && reg >= s->p1 && reg < s->p1 + s->p2) {
            size_t at = (size_t)(reg - s->p1);

            if (!s->p4 || strlen(s->p4) <= at || !rsq_source_add_affinity(src, s->p4[at]))
                return false;
        }
        if (s->opcode == RSQ_OP_IS_NULL && s->p1 == reg && s->p2 > (int)use) {
            for (size_t j = 0; j < src->count; j++)
                src->operands[j].skips_null = true;
        }
    }
    return true;
}

/* Is the cursor a list IN (…), filled by its IdxInsert steps and by nothing else? */
static bool is_list(const rsq_reach *r, int cursor)
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
static bool take_list(rsq_reach *r, int cursor, rsq_source *src)
{
    if (!is_list(r, cursor))
        return false;
    for (size_t i = 0; i < r->count; i++) {
        const rsq_step *s = &r->steps[i];
        const rsq_step *record = i > 0 ? s - 1 : s;
        rsq_source one = {0};

        if (s->opcode != RSQ_OP_IDX_INSERT || s->p1 != cursor)
            continue;
        if (record->opcode != RSQ_OP_MAKE_RECORD || record->p2 != 1 || record->p3 != s->p2 || r->target[i])
            return false;
        if (!rsq_source_find(r, record->p1, i - 1, RSQ_COPIES_MAX, &one) || one.count != 1 ||
            (record->p4 && !rsq_source_add_affinity(&one, record->p4[0]))) {
            rsq_source_fini(&one);
            return false;
        }
        if (!add_operand(r, src, one.operands[0])) {
            rsq_free(one.operands);
            return false;
        }
        rsq_free(one.operands);
        if (src->count > RSQ_PROBES_MAX)
            return false;
    }
    return src->count > 0;
}

static bool take_written(rsq_reach *r, size_t def, int reg, unsigned copies, rsq_source *src)
{
    const rsq_step *s = &r->steps[def];

    src->def = def;
    if (s->opcode == RSQ_OP_SCOPY || s->opcode == RSQ_OP_COPY) {
        size_t keep = def;

        if (copies == 0 || !rsq_source_find(r, s->p1 + (reg - s->p2), def, copies - 1, src))
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
bool rsq_source_find(rsq_reach *r, int reg, size_t use, unsigned copies, rsq_source *src)
{
    size_t begin = rsq_reach_block_begin(r, use), def = r->count, outside = 0, other = r->count;

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
