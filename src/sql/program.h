/*
 * The compiled form of a statement, as EXPLAIN lists it, with what each opcode
 * does to registers, cursors and the flow of the program.
 *
 * Opcodes are no stable interface. One that is not in the table here is unknown,
 * and whoever reads a program with an unknown step believes nothing that depends
 * on knowing all of them.
 */
#ifndef RSQ_SQL_PROGRAM_H
#define RSQ_SQL_PROGRAM_H

#include "sql/internal.h"

/* What a step does; bits of rsq_step.does. */
enum {
    RSQ_STEP_JUMPS = 1u << 0,    /* may go on at P2 */
    RSQ_STEP_CURSOR = 1u << 1,   /* P1 is a cursor */
    RSQ_STEP_WRITES_1 = 1u << 2, /* the register P1 */
    RSQ_STEP_WRITES_2 = 1u << 3,
    RSQ_STEP_WRITES_3 = 1u << 4,
    RSQ_STEP_SPECIAL = 1u << 5, /* writes several registers, or jumps otherwise: told by its opcode */
    RSQ_STEP_OPAQUE = 1u << 6   /* reads something that is no table */
};

/* The opcodes that somebody tells apart. */
typedef enum rsq_opcode {
    RSQ_OP_UNKNOWN,
    RSQ_OP_OTHER, /* known, and nothing special */
    RSQ_OP_AFFINITY,
    RSQ_OP_AGGREGATE, /* a step of one, or its value */
    RSQ_OP_BEGIN_SUBRTN,
    RSQ_OP_CLOSE,
    RSQ_OP_COLUMN,
    RSQ_OP_COPY,
    RSQ_OP_COUNT,
    RSQ_OP_DEFERRED_SEEK,
    RSQ_OP_FINISH_SEEK,
    RSQ_OP_FUNCTION,
    RSQ_OP_GE,
    RSQ_OP_GOSUB,
    RSQ_OP_GT,
    RSQ_OP_HALT,
    RSQ_OP_IDX_GE,
    RSQ_OP_IDX_GT,
    RSQ_OP_IDX_INSERT,
    RSQ_OP_IDX_LE,
    RSQ_OP_IDX_LT,
    RSQ_OP_IDX_ROWID,
    RSQ_OP_IF_NO_HOPE,
    RSQ_OP_IF_NULL_ROW,
    RSQ_OP_INIT_COROUTINE,
    RSQ_OP_INT64,
    RSQ_OP_INTEGER,
    RSQ_OP_IS_NULL,
    RSQ_OP_JUMP,
    RSQ_OP_LAST,
    RSQ_OP_LE,
    RSQ_OP_LT,
    RSQ_OP_MAKE_RECORD,
    RSQ_OP_MOVE,
    RSQ_OP_NEXT,
    RSQ_OP_NOOP,
    RSQ_OP_NOT_EXISTS,
    RSQ_OP_NOT_FOUND,
    RSQ_OP_NULL,
    RSQ_OP_NULL_ROW,
    RSQ_OP_OPEN_EPHEMERAL,
    RSQ_OP_OPEN_READ,
    RSQ_OP_OPEN_DUP,
    RSQ_OP_PREV,
    RSQ_OP_REOPEN_IDX,
    RSQ_OP_RESULT_ROW,
    RSQ_OP_RETURN,
    RSQ_OP_REWIND,
    RSQ_OP_ROW_DATA,
    RSQ_OP_ROWID,
    RSQ_OP_SCOPY,
    RSQ_OP_SEEK_GE,
    RSQ_OP_SEEK_GT,
    RSQ_OP_SEEK_HIT,
    RSQ_OP_SEEK_LE,
    RSQ_OP_SEEK_LT,
    RSQ_OP_SEEK_ROWID,
    RSQ_OP_STRING8,
    RSQ_OP_VARIABLE,
    RSQ_OP_VOPEN,
    RSQ_OP_YIELD
} rsq_opcode;

typedef struct rsq_step {
    rsq_opcode opcode;
    uint32_t does;
    int p1, p2, p3;
    unsigned p5;
    char *p4; /* owned; NULL: none */
} rsq_step;

typedef struct rsq_program {
    rsq_step *steps; /* owned */
    size_t count;
    bool known; /* every opcode is in the table */
} rsq_program;

/* Of one statement, without EXPLAIN in front. */
rsq_code rsq_program_load(rsq_conn *c, const char *sql, size_t sql_len, rsq_program *out, rsq_error *err);
void rsq_program_fini(rsq_program *p);

/* Does a step write a register? */
bool rsq_step_writes(const rsq_step *s, int reg);

/* Is its first row its last, whatever the parameters and the data? After a row a program goes on with the
 * next step, so it is if that ends it without an error. */
bool rsq_program_ends_with_row(const rsq_program *p);

#endif
