/*
 * Plans: what all peers do, whatever language they are written in. A plan is
 * data: a schema, a statement, where its parameters come from. A peer that is a
 * program of its own gets it as a line of JSON; see docs/benchmarks.md.
 *
 * Parameters follow from a number: that of the operation, or of the row in a
 * batch. Texts are ASCII and numbers are multiples of a half, so that a visit
 * gives the same sum everywhere; see portable.h.
 */
#ifndef BENCH_PEERS_PLAN_H
#define BENCH_PEERS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <resqlite.h>

typedef enum plan_kind {
    PLAN_ROWS,    /* run the query, visit all values */
    PLAN_JSON,    /* the rows of the query as bytes of JSON: an array of objects */
    PLAN_EXECUTE, /* run the statement, in a transaction of its own */
    PLAN_BATCH,   /* run it for `batch` rows in one transaction */
    PLAN_LIVE     /* run it, and wait until the live query `watch` tells its new answer */
} plan_kind;

typedef enum plan_source {
    PLAN_INTEGER, /* number % mod + add */
    PLAN_HALVES,  /* (number % mod) * 1.5 */
    PLAN_TEXT,    /* the prefix, then number % mod */
    PLAN_RANDOM,  /* as an integer, of the number mixed with the seed */
    PLAN_CALL     /* how many such parameters there were, from 1: never the same twice. Live plans only */
} plan_source;

typedef struct plan_param {
    plan_source from;
    uint32_t mod; /* not 0 */
    uint32_t add; /* PLAN_RANDOM: the seed as well */
    const char *prefix;
} plan_param;

#define PLAN_PARAMS_MAX 4
#define PLAN_STATEMENTS_MAX 4
#define PLAN_TEXT_MAX 32

/* Steps that a live query must tell of before it counts: insert, update, delete, two inserts together,
 * replace. */
enum { PLAN_STEPS = 5, PLAN_STEP_REPLACE = 4 };

typedef struct plan {
    const char *name;
    plan_kind kind;
    const char *schema[PLAN_STATEMENTS_MAX]; /* ends with NULL */
    const char *sql;
    const char *sql_json1; /* PLAN_JSON: the same as one cell, for who has no other way to JSON */
    plan_param params[PLAN_PARAMS_MAX];
    size_t nparams;
    size_t batch;
    const char *empty;   /* before a block, not timed; NULL: nothing */
    const char *content; /* what is hashed after writes */
    const char *watch;
    /* Whose value, in the first row of the new answer, is that of the last PLAN_CALL (or as much as
     * `expect_add` more). */
    const char *expect;
    uint32_t expect_add;
    size_t hashed; /* operations that are hashed */
} plan;

#define PLAN_STEP_STATEMENTS 2

/* Of PLAN_LIVE: the statements of the steps, which leave as many rows as there were; ends of steps are NULL.
 */
extern const char *const plan_steps[PLAN_STEPS][PLAN_STEP_STATEMENTS];
/* What PostgreSQL has instead of INSERT OR REPLACE. */
extern const char plan_replace_elsewhere[];

/* Settings of the connection, for all peers that are SQLite. */
extern const char *const plan_pragmas[];
extern const size_t plan_npragmas;

/* The i-th parameter for a number. `text` is where a text goes. `calls`: how many PLAN_CALL there were;
 * counted on. */
rsq_value plan_value(const plan_param *p, uint64_t number, uint64_t *calls, char text[PLAN_TEXT_MAX]);

/* {"open":PATH,"plan":{…}} and a line's end. */
void plan_write(const plan *p, const char *path, FILE *out);

/* The hash that all peers compute: over every byte of a cell, then the end of a row. FNV-1a of 32 bits. */
#define PLAN_HASH_START 2166136261u
uint32_t plan_hash_cell(uint32_t hash, const rsq_value *v);
uint32_t plan_hash_row(uint32_t hash);
uint32_t plan_hash_bytes(uint32_t hash, const void *bytes, size_t len);
/* JSON, without the ".0" that some write after a whole number. */
uint32_t plan_hash_json(uint32_t hash, const char *json, size_t len);

#endif
