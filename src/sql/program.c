#include "sql/program.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define J RSQ_STEP_JUMPS
#define C RSQ_STEP_CURSOR
#define W1 RSQ_STEP_WRITES_1
#define W2 RSQ_STEP_WRITES_2
#define W3 RSQ_STEP_WRITES_3
#define S RSQ_STEP_SPECIAL
#define O RSQ_STEP_OPAQUE

typedef struct known_opcode {
    const char *name;
    rsq_opcode opcode;
    uint32_t does;
} known_opcode;

/*
 * What a query's program may consist of, and that of REINDEX, in the order of strcmp(). Taken from
 * the descriptions of the opcodes at sqlite.org/opcode.html and checked against
 * the programs of the unit test.
 */
static const known_opcode known_opcodes[] = {
    {"Add", RSQ_OP_OTHER, W3},
    {"AddImm", RSQ_OP_OTHER, W1},
    {"Affinity", RSQ_OP_AFFINITY, S},
    {"AggFinal", RSQ_OP_AGGREGATE, W1},
    {"AggInverse", RSQ_OP_AGGREGATE, W3},
    {"AggStep", RSQ_OP_AGGREGATE, W3},
    {"AggStep1", RSQ_OP_AGGREGATE, W3},
    {"AggValue", RSQ_OP_AGGREGATE, W3},
    {"And", RSQ_OP_OTHER, W3},
    {"BeginSubrtn", RSQ_OP_BEGIN_SUBRTN, S},
    {"BitAnd", RSQ_OP_OTHER, W3},
    {"BitNot", RSQ_OP_OTHER, W2},
    {"BitOr", RSQ_OP_OTHER, W3},
    {"Blob", RSQ_OP_OTHER, W2},
    {"Cast", RSQ_OP_OTHER, W1},
    {"Clear", RSQ_OP_OTHER, O},
    {"Close", RSQ_OP_CLOSE, C},
    {"ClrSubtype", RSQ_OP_OTHER, W1},
    {"CollSeq", RSQ_OP_OTHER, W1},
    {"Column", RSQ_OP_COLUMN, C | W3},
    {"ColumnsUsed", RSQ_OP_OTHER, C},
    {"Compare", RSQ_OP_OTHER, 0},
    {"Concat", RSQ_OP_OTHER, W3},
    {"Copy", RSQ_OP_COPY, S},
    {"Count", RSQ_OP_COUNT, C | W2},
    {"DecrJumpZero", RSQ_OP_OTHER, J | W1},
    {"DeferredSeek", RSQ_OP_DEFERRED_SEEK, C},
    {"Delete", RSQ_OP_OTHER, C},
    {"Divide", RSQ_OP_OTHER, W3},
    {"ElseEq", RSQ_OP_OTHER, J},
    {"EndCoroutine", RSQ_OP_OTHER, W1},
    {"Eq", RSQ_OP_OTHER, J},
    {"Expire", RSQ_OP_OTHER, 0},
    {"Explain", RSQ_OP_OTHER, 0},
    {"Filter", RSQ_OP_OTHER, J},
    {"FilterAdd", RSQ_OP_OTHER, W1},
    {"FinishSeek", RSQ_OP_FINISH_SEEK, C},
    {"Found", RSQ_OP_OTHER, J | C},
    {"Function", RSQ_OP_FUNCTION, W3},
    {"Ge", RSQ_OP_GE, J},
    {"GetSubtype", RSQ_OP_OTHER, W2},
    {"Gosub", RSQ_OP_GOSUB, J | W1},
    {"Goto", RSQ_OP_OTHER, J},
    {"Gt", RSQ_OP_GT, J},
    {"Halt", RSQ_OP_HALT, 0},
    {"HaltIfNull", RSQ_OP_OTHER, 0},
    {"IdxGE", RSQ_OP_IDX_GE, J | C},
    {"IdxGT", RSQ_OP_IDX_GT, J | C},
    {"IdxInsert", RSQ_OP_IDX_INSERT, C},
    {"IdxLE", RSQ_OP_IDX_LE, J | C},
    {"IdxLT", RSQ_OP_IDX_LT, J | C},
    {"IdxRowid", RSQ_OP_IDX_ROWID, C | W2},
    {"If", RSQ_OP_OTHER, J},
    {"IfEmpty", RSQ_OP_OTHER, J | C},
    {"IfNoHope", RSQ_OP_IF_NO_HOPE, J | C},
    {"IfNot", RSQ_OP_OTHER, J},
    {"IfNotZero", RSQ_OP_OTHER, J | W1},
    {"IfNullRow", RSQ_OP_IF_NULL_ROW, J | C | W3},
    {"IfPos", RSQ_OP_OTHER, J | W1},
    {"IfSizeBetween", RSQ_OP_OTHER, J | C},
    {"Init", RSQ_OP_OTHER, J},
    {"InitCoroutine", RSQ_OP_INIT_COROUTINE, J | W1 | S},
    {"Insert", RSQ_OP_OTHER, C},
    {"Int64", RSQ_OP_INT64, W2},
    {"IntCopy", RSQ_OP_OTHER, W2},
    {"Integer", RSQ_OP_INTEGER, W2},
    {"IntegrityCk", RSQ_OP_OTHER, O},
    {"IsNull", RSQ_OP_IS_NULL, J},
    {"IsTrue", RSQ_OP_OTHER, W2},
    {"JournalMode", RSQ_OP_OTHER, O},
    {"Jump", RSQ_OP_JUMP, S},
    {"Last", RSQ_OP_LAST, J | C},
    {"Le", RSQ_OP_LE, J},
    {"Lt", RSQ_OP_LT, J},
    {"MakeRecord", RSQ_OP_MAKE_RECORD, W3},
    {"MaxPgcnt", RSQ_OP_OTHER, O},
    {"MemMax", RSQ_OP_OTHER, W1},
    {"Move", RSQ_OP_MOVE, S},
    {"Multiply", RSQ_OP_OTHER, W3},
    {"MustBeInt", RSQ_OP_OTHER, J | W1},
    {"Ne", RSQ_OP_OTHER, J},
    {"NewRowid", RSQ_OP_OTHER, C | W2 | W3},
    {"Next", RSQ_OP_NEXT, J | C},
    {"NoConflict", RSQ_OP_OTHER, J | C},
    {"Noop", RSQ_OP_NOOP, 0},
    {"Not", RSQ_OP_OTHER, W2},
    {"NotExists", RSQ_OP_NOT_EXISTS, J | C},
    {"NotFound", RSQ_OP_NOT_FOUND, J | C},
    {"NotNull", RSQ_OP_OTHER, J},
    {"Null", RSQ_OP_NULL, S},
    {"NullRow", RSQ_OP_NULL_ROW, C},
    {"OffsetLimit", RSQ_OP_OTHER, W2},
    {"Once", RSQ_OP_OTHER, J},
    {"OpenAutoindex", RSQ_OP_OTHER, C},
    {"OpenDup", RSQ_OP_OPEN_DUP, C},
    {"OpenEphemeral", RSQ_OP_OPEN_EPHEMERAL, C | W3},
    {"OpenPseudo", RSQ_OP_OTHER, C},
    {"OpenRead", RSQ_OP_OPEN_READ, C},
    {"OpenWrite", RSQ_OP_OTHER, C | O},
    {"Or", RSQ_OP_OTHER, W3},
    {"Pagecount", RSQ_OP_OTHER, O},
    {"Permutation", RSQ_OP_OTHER, 0},
    {"Prev", RSQ_OP_PREV, J | C},
    {"Program", RSQ_OP_OTHER, O},
    {"PureFunc", RSQ_OP_FUNCTION, W3},
    {"ReadCookie", RSQ_OP_OTHER, O | W2},
    {"Real", RSQ_OP_OTHER, W2},
    {"RealAffinity", RSQ_OP_OTHER, W1},
    {"ReleaseReg", RSQ_OP_OTHER, 0},
    {"Remainder", RSQ_OP_OTHER, W3},
    {"ReopenIdx", RSQ_OP_REOPEN_IDX, C},
    {"ResetSorter", RSQ_OP_OTHER, C},
    {"ResultRow", RSQ_OP_RESULT_ROW, 0},
    {"Return", RSQ_OP_RETURN, 0},
    {"Rewind", RSQ_OP_REWIND, J | C},
    {"RowData", RSQ_OP_ROW_DATA, C | W2},
    {"RowSetAdd", RSQ_OP_OTHER, W1},
    {"RowSetRead", RSQ_OP_OTHER, J | W1 | W3},
    {"RowSetTest", RSQ_OP_OTHER, J | W1},
    {"Rowid", RSQ_OP_ROWID, C | W2},
    {"SCopy", RSQ_OP_SCOPY, W2},
    {"SeekEnd", RSQ_OP_OTHER, C},
    {"SeekGE", RSQ_OP_SEEK_GE, J | C},
    {"SeekGT", RSQ_OP_SEEK_GT, J | C},
    {"SeekHit", RSQ_OP_SEEK_HIT, C},
    {"SeekLE", RSQ_OP_SEEK_LE, J | C},
    {"SeekLT", RSQ_OP_SEEK_LT, J | C},
    {"SeekRowid", RSQ_OP_SEEK_ROWID, J | C},
    {"SeekScan", RSQ_OP_OTHER, J | C},
    {"Sequence", RSQ_OP_OTHER, C | W2},
    {"SequenceTest", RSQ_OP_OTHER, J | C},
    {"SetSubtype", RSQ_OP_OTHER, W2},
    {"ShiftLeft", RSQ_OP_OTHER, W3},
    {"ShiftRight", RSQ_OP_OTHER, W3},
    {"SoftNull", RSQ_OP_OTHER, W1},
    {"Sort", RSQ_OP_OTHER, J | C},
    {"SorterCompare", RSQ_OP_OTHER, J | C},
    {"SorterData", RSQ_OP_OTHER, C | W2},
    {"SorterInsert", RSQ_OP_OTHER, C},
    {"SorterNext", RSQ_OP_OTHER, J | C},
    {"SorterOpen", RSQ_OP_OTHER, C},
    {"SorterSort", RSQ_OP_OTHER, J | C},
    {"String", RSQ_OP_OTHER, W2},
    {"String8", RSQ_OP_STRING8, W2},
    {"Subtract", RSQ_OP_OTHER, W3},
    {"TableLock", RSQ_OP_OTHER, 0},
    {"Trace", RSQ_OP_OTHER, 0},
    {"Transaction", RSQ_OP_OTHER, 0},
    {"VColumn", RSQ_OP_OTHER, C | W3},
    {"VFilter", RSQ_OP_OTHER, J | C},
    {"VInitIn", RSQ_OP_OTHER, C | W2},
    {"VNext", RSQ_OP_OTHER, J | C},
    {"VOpen", RSQ_OP_VOPEN, C},
    {"Variable", RSQ_OP_VARIABLE, W2},
    {"Yield", RSQ_OP_YIELD, J | W1 | S},
    {"ZeroOrNull", RSQ_OP_OTHER, W2},
};

#undef J
#undef C
#undef W1
#undef W2
#undef W3
#undef S
#undef O

static int compare_name(const void *name, const void *known)
{
    return strcmp(name, ((const known_opcode *)known)->name);
}

/* Columns of EXPLAIN. */
enum { EXPLAIN_OPCODE = 1, EXPLAIN_P1, EXPLAIN_P2, EXPLAIN_P3, EXPLAIN_P4, EXPLAIN_P5 };

/* False: no memory. */
static bool take_step(rsq_program *p, sqlite3_stmt *row, size_t *capacity)
{
    const char *name = (const char *)sqlite3_column_text(row, EXPLAIN_OPCODE);
    const char *p4 = (const char *)sqlite3_column_text(row, EXPLAIN_P4);
    const known_opcode *known;
    rsq_step *s;

    if (!name)
        return false;
    if (p->count == *capacity) {
        size_t more = *capacity ? 2 * *capacity : 32;
        rsq_step *grown = rsq_realloc(p->steps, more * sizeof *grown);

        if (!grown)
            return false;
        p->steps = grown;
        *capacity = more;
    }
    known = bsearch(name, known_opcodes, sizeof known_opcodes / sizeof known_opcodes[0],
                    sizeof known_opcodes[0], compare_name);
    s = &p->steps[p->count++];
    *s = (rsq_step){.opcode = known ? known->opcode : RSQ_OP_UNKNOWN,
                    .does = known ? known->does : 0,
                    .p1 = sqlite3_column_int(row, EXPLAIN_P1),
                    .p2 = sqlite3_column_int(row, EXPLAIN_P2),
                    .p3 = sqlite3_column_int(row, EXPLAIN_P3),
                    .p5 = (unsigned)sqlite3_column_int(row, EXPLAIN_P5)};
    if (!known)
        p->known = false;
    if (!p4)
        return sqlite3_errcode(sqlite3_db_handle(row)) != SQLITE_NOMEM;
    s->p4 = rsq_copy_text(p4, (size_t)sqlite3_column_bytes(row, EXPLAIN_P4));
    return s->p4 != NULL;
}

static rsq_code take_steps(rsq_conn *c, sqlite3_stmt *rows, rsq_program *p, rsq_error *err)
{
    size_t capacity = 0;
    int rc;

    while ((rc = sqlite3_step(rows)) == SQLITE_ROW) {
        if (!take_step(p, rows, &capacity))
            return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    }
    return rc == SQLITE_DONE ? RSQ_OK : rsq_sql_error(c, rc, NULL, err);
}

rsq_code rsq_program_load(rsq_conn *c, const char *sql, size_t sql_len, rsq_program *out, rsq_error *err)
{
    static const char prefix[] = "EXPLAIN ";
    size_t prefix_len = sizeof prefix - 1;
    size_t skip = rsq_sql_skip(sql, sql_len);
    size_t len = sql_len - skip;
    char *explain = rsq_alloc(prefix_len + len + 1);
    rsq_program p = {.known = true};
    sqlite3_stmt *rows = NULL;
    rsq_code code;

    if (!explain)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    memcpy(explain, prefix, prefix_len);
    memcpy(explain + prefix_len, sql + skip, len);
    explain[prefix_len + len] = '\0';
    code = rsq_conn_compile(c, explain, prefix_len + len, 0, &rows, err);
    rsq_free(explain);
    if (code != RSQ_OK)
        return code;
    code = take_steps(c, rows, &p, err);
    sqlite3_finalize(rows);
    if (code != RSQ_OK) {
        rsq_program_fini(&p);
        return code;
    }
    *out = p;
    return RSQ_OK;
}

void rsq_program_fini(rsq_program *p)
{
    for (size_t i = 0; i < p->count; i++)
        rsq_free(p->steps[i].p4);
    rsq_free(p->steps);
    *p = (rsq_program){0};
}

static bool in(int reg, int first, int last)
{
    return reg >= first && reg <= last;
}

bool rsq_step_writes(const rsq_step *s, int reg)
{
    switch (s->opcode) {
    case RSQ_OP_AFFINITY:
        return in(reg, s->p1, s->p1 + s->p2 - 1);
    case RSQ_OP_COPY:
        return in(reg, s->p2, s->p2 + s->p3);
    case RSQ_OP_MAKE_RECORD: /* with P4 it applies affinities in place */
        return s->p3 == reg || (s->p4 && in(reg, s->p1, s->p1 + s->p2 - 1));
    case RSQ_OP_MOVE:
        return in(reg, s->p1, s->p1 + s->p3 - 1) || in(reg, s->p2, s->p2 + s->p3 - 1);
    case RSQ_OP_NULL:
    case RSQ_OP_BEGIN_SUBRTN:
        return in(reg, s->p2, s->p3 > s->p2 ? s->p3 : s->p2);
    default:
        return ((s->does & RSQ_STEP_WRITES_1) && s->p1 == reg) ||
               ((s->does & RSQ_STEP_WRITES_2) && s->p2 == reg) ||
               ((s->does & RSQ_STEP_WRITES_3) && s->p3 == reg);
    }
}

bool rsq_program_ends_with_row(const rsq_program *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const rsq_step *next = i + 1 < p->count ? &p->steps[i + 1] : NULL;

        if (p->steps[i].opcode != RSQ_OP_RESULT_ROW)
            continue;
        if (!next || next->opcode != RSQ_OP_HALT || next->p1 != SQLITE_OK)
            return false;
    }
    return p->known;
}
