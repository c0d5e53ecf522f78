/*
 * What is watched: of each table the columns that somebody reads, and the keys
 * by which somebody reaches its rows. Made by the index of live queries, taken
 * by the writer when a transaction changes its first row, and the transaction's
 * until its end. Immutable, counted, any thread.
 *
 * Columns are told by bits, so that what a row changed is one word: the first 63
 * columns that are watched have one each, all further ones share the last.
 */
#ifndef RSQ_SQL_WATCH_H
#define RSQ_SQL_WATCH_H

#include <stdatomic.h>

#include "plat/thread.h"
#include "sql/depends.h"

/* The bit of every column that has none of its own. */
#define RSQ_WATCH_SHARED_BIT 63u

/* All bits: a row came, went or moved. */
#define RSQ_WATCH_ROW UINT64_MAX

typedef struct rsq_watch_column {
    uint32_t column;
    uint8_t bit;
    bool doubtful; /* SQLite may not tell its old value: it counts as changed */
} rsq_watch_column;

typedef struct rsq_watch_table {
    char *name;        /* owned: "schema.table" */
    uint32_t ncolumns; /* of the schema that is watched */
    bool rowid;
    bool whole;                /* every column is looked at */
    rsq_watch_column *columns; /* owned; in order of column */
    size_t ncolumns_watched;
    uint32_t *primary; /* owned: columns whose change moves a row of a table WITHOUT ROWID */
    size_t nprimary;
    rsq_key_spec *keys; /* owned */
    size_t nkeys;
} rsq_watch_table;

/* Is its only key an interval of row ids? */
static inline bool rsq_watch_by_rowid(const rsq_watch_table *t)
{
    return t->nkeys == 1 && t->keys[0].ncolumns == 1 && t->keys[0].ranged &&
           t->keys[0].columns[0].column == RSQ_KEY_ROWID;
}

typedef struct rsq_watch {
    _Atomic uint32_t refs;   /* release on drop, acquire by the one that frees */
    uint64_t epoch;          /* rises with each one that is made */
    rsq_watch_table *tables; /* owned; sorted by name */
    size_t ntables;
} rsq_watch;

rsq_watch *rsq_watch_ref(rsq_watch *w);
void rsq_watch_unref(rsq_watch *w); /* NULL is a no-op */

/* Frees what a table owns. */
void rsq_watch_table_fini(rsq_watch_table *t);

/* Bring the tables of a new one in order. */
void rsq_watch_sort(rsq_watch *w);

/* NULL: nobody watches it. */
const rsq_watch_table *rsq_watch_find(const rsq_watch *w, const char *schema, const char *table);
const rsq_watch_table *rsq_watch_find_name(const rsq_watch *w, const char *name);

/* Where the newest one hangs. */
typedef struct rsq_watch_board {
    /* The newest one's number, 0: nothing is watched. Written under the mutex; a writer that finds its own
     * number looks no further. Orders nothing: who has another number takes the mutex. */
    _Atomic uint64_t epoch;

    /* Any thread; a leaf. */
    rsq_mutex mu;

    /* Under mu. */
    rsq_watch *newest; /* owned reference; NULL: nothing is watched */
} rsq_watch_board;

void rsq_watch_board_init(rsq_watch_board *b);
void rsq_watch_board_fini(rsq_watch_board *b);

/* Takes ownership of the reference. */
void rsq_watch_board_put(rsq_watch_board *b, rsq_watch *w);

/* Make `*held` (an owned reference, or NULL) the newest one. */
void rsq_watch_board_take(rsq_watch_board *b, rsq_watch **held);

#endif
