/*
 * Other ways of doing what raw.h does: each is a design that was decided against, or
 * for, and stays here so that the decision can be measured again. Rules and types
 * as in raw.h.
 */
#ifndef BENCH_RAW_TRIALS_H
#define BENCH_RAW_TRIALS_H

#include "raw/raw.h"

/* How the cells of a row are fetched; the visit is always the same. */
typedef enum raw_fetch {
    RAW_BY_CELL,  /* a call of a function for each cell, which asks for type, value and length */
    RAW_BY_VALUE, /* sqlite3_column_value once a cell, then the functions of values */
    RAW_BY_ROW    /* a call of a function for each row, which fills an array of cells */
} raw_fetch;

bool raw_visit_fetched(raw_stmt *s, raw_fetch how, uint64_t *sum);

/* Every row as an object of its own with name and value for each column, texts on the heap; all are kept
 * until the last was read, then visited and freed. */
bool raw_visit_records(raw_stmt *s, uint64_t *sum);

/* Memory that a result is built in; all-zero is empty. */
typedef struct raw_arena {
    void *cells;
    char *bytes;
    size_t cells_room, bytes_room;
} raw_arena;

/* Copy all rows into the arena, as 16-byte cells and their bytes, which grow by doubling; then visit the
 * cells. `recycle`: keep the memory for the next time. */
bool raw_visit_copied(raw_stmt *s, raw_arena *arena, bool recycle, uint64_t *sum);
void raw_arena_fini(raw_arena *arena);

/* How the texts of an insert reach SQLite. */
typedef enum raw_binding {
    RAW_IN_PLACE,  /* the caller's memory and its length, static */
    RAW_STRLEN,    /* the same, SQLite measures */
    RAW_TRANSIENT, /* SQLite copies */
    RAW_EACH,      /* a block from the heap for each, bound static, freed afterwards */
    RAW_PACKED     /* one block for the row, bound static, freed afterwards */
} raw_binding;

#define RAW_TEXTS 4 /* parameters of such an insert */

/* `rows` rows of RAW_TEXTS texts, which end with a zero, in one transaction. */
bool raw_insert_texts(raw_db *db, raw_stmt *insert, const char *const *texts, const size_t *lens, size_t rows,
                      raw_binding how);

/* The rows of a statement whose columns are all real as a JSON array of arrays, by printf("%.17g"); the visit
 * is of the text. `room` is enough. */
bool raw_print_reals(raw_stmt *s, char *buffer, size_t room, uint64_t *sum);

#endif
