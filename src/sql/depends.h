/*
 * What a query depends on: the tables it reads, of each the columns, and, where
 * the compiled program proves it, the keys by which alone it reaches the rows.
 *
 * One rsq_depends belongs to one SQL text in one schema, not to the values of
 * its parameters: with QPSG on, SQLite's plan does not depend on them. So all
 * live queries of one text share it. Immutable once made, counted, any thread.
 *
 * What cannot be told exactly falls back to the level above: key → columns →
 * whole rows of the table → everything. See docs/live-queries.md.
 */
#ifndef RSQ_SQL_DEPENDS_H
#define RSQ_SQL_DEPENDS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "result/builder.h"
#include "result/columns.h"

/* A set of column numbers. All-zero is the empty set. */
typedef struct rsq_column_set {
    uint64_t *words; /* owned */
    size_t nwords;
    bool all; /* every column, also those that a later schema may add */
} rsq_column_set;

/* `all` when memory ran out. */
void rsq_column_set_add(rsq_column_set *set, unsigned column);
void rsq_column_set_merge(rsq_column_set *set, const rsq_column_set *from);
bool rsq_column_set_has(const rsq_column_set *set, unsigned column);
bool rsq_column_set_empty(const rsq_column_set *set);
void rsq_column_set_fini(rsq_column_set *set);

/* Collations whose comparison is known here, byte for byte; see key.h. */
typedef enum rsq_collation {
    RSQ_COLLATION_BINARY,
    RSQ_COLLATION_NOCASE,
    RSQ_COLLATION_RTRIM,
    RSQ_COLLATION_OTHER
} rsq_collation;

/* Where one value of a key comes from, and what SQLite turns it into before it compares. */
typedef struct rsq_operand {
    enum { RSQ_OPERAND_PARAM, RSQ_OPERAND_INTEGER, RSQ_OPERAND_TEXT, RSQ_OPERAND_NULL } kind;
    uint32_t param; /* index in the request, from 0 */
    int64_t integer;
    char *text;       /* owned */
    char affinity[3]; /* applied in order, as SQLite writes them ('A' blob … 'E' real); 0: no more */
    bool skips_null;  /* NULL matches nothing */
} rsq_operand;

/* The row id of a table that has no column for it. */
#define RSQ_KEY_ROWID UINT32_MAX

/* A column of a key. */
typedef struct rsq_key_column {
    uint32_t column; /* or RSQ_KEY_ROWID */
    rsq_collation collation;
} rsq_key_column;

/* Columns by which rows are reached. */
typedef struct rsq_key_spec {
    rsq_key_column *columns; /* owned */
    size_t ncolumns;
    bool ranged; /* the last column lies in an interval, the others are equal */
} rsq_key_spec;

/* Rows are reached if the columns of `spec` have these values. */
typedef struct rsq_probe {
    uint32_t spec;
    rsq_operand *equal;     /* owned; one for each column, but for the ranged one */
    bool has_low, has_high; /* of the ranged column; neither: any value */
    bool low_open, high_open;
    rsq_operand low, high;
} rsq_probe;

typedef struct rsq_table_dep {
    char *name;   /* owned: "schema.table" */
    char **names; /* owned, each too: of the columns */
    uint32_t ncolumns;
    rsq_column_set columns; /* whose change matters */
    bool rowid;             /* has row ids */
    uint32_t *primary; /* owned: WITHOUT ROWID: the columns of the primary key, whose change moves a row */
    size_t nprimary;
    rsq_column_set doubtful; /* columns whose old value SQLite may not tell */
    bool keyed;              /* reached through `probes` only */
    rsq_key_spec *specs;     /* owned */
    size_t nspecs;
    rsq_probe *probes; /* owned */
    size_t nprobes;
} rsq_table_dep;

typedef struct rsq_depends {
    _Atomic uint32_t refs; /* release on drop, acquire by the one that frees */
    bool everything;       /* every commit may change the answer */
    char volatile_by[64];  /* the function for which the answer may change without a commit; empty: none */
    rsq_table_dep *tables; /* owned */
    size_t ntables;        /* none, and not everything: the answer is constant until the schema changes */
} rsq_depends;

rsq_depends *rsq_depends_new(void); /* NULL: no memory */
rsq_depends *rsq_depends_ref(rsq_depends *d);
void rsq_depends_unref(rsq_depends *d); /* NULL is a no-op */

/* Back to the level of columns. */
void rsq_table_dep_drop_keys(rsq_table_dep *t);

/* The rows of rsq_stream_dependencies(), added to a result with these columns that was begun; `flags`:
 * RSQ_OPEN_NO_…_LEVEL. False: see the builder. */
bool rsq_depends_rows(const rsq_depends *d, uint32_t flags, rsq_builder *b);
rsq_columns *rsq_depends_columns(void); /* NULL: no memory */

/* For people: one line a table. Owned by the caller, rsq_free(); NULL: no memory. */
char *rsq_depends_text(const rsq_depends *d);

#endif
