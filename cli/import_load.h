/*
 * Rows into a table, chunk by chunk.
 *
 * Each chunk is one batch in one transaction, which also makes the table, or
 * adds the columns that rows of a table of ours have brought up since. With
 * `tx` set, all of it happens inside that transaction instead.
 *
 * When a row is wrong, the rows before it are kept (unless the transaction is
 * not ours): the batch that failed is undone by the library and run again
 * without the bad row and those after it.
 */
#ifndef CLI_IMPORT_LOAD_H
#define CLI_IMPORT_LOAD_H

#include <resqlite.h>

#include "import.h"
#include "import_types.h"

typedef struct loader {
    rsq_db *db;        /* borrowed, like all but what is marked */
    rsq_tx *tx;        /* NULL: a transaction for each chunk */
    const char *table; /* its name */
    column_list *columns;
    import_types *types;
    import_failure *failure;
    arena texts;         /* owned; of the chunk */
    uint64_t rows_saved; /* committed, or, with `tx`, in the transaction */

    bool had_table;          /* the table was there before */
    column_list table_names; /* owned; its columns then */
    bool has_table;          /* there now */
    size_t made_columns;     /* how many of `columns` a table of ours has */

    rsq_value *cells;    /* owned; of the chunk, row after row */
    input_place *places; /* owned; where each row began */
    size_t rows, row_capacity;
    size_t width; /* columns of each row of the chunk */
    size_t cell_capacity;
} loader;

/** Find out about the table. Returns STATUS_OK or, reported for `database`, another status. */
int loader_init(loader *l, const char *database);

/** For reader.on_column: refuse a column that the table does not have. */
bool loader_column(loader *l, reader *r, size_t column, uint64_t offset);

/** For reader.on_row: take one row. */
bool loader_row(loader *l, reader *r, const import_row *row);

/** Write what has been taken. Also makes the table if there were columns but no rows. */
bool loader_flush(loader *l);

void loader_fini(loader *l);

#endif
