/*
 * The schema as one analysis needs it: what lies behind a root page, the
 * columns of a table, the columns of its indexes, the shadow tables of a virtual
 * table. Asked of SQLite by its own PRAGMAs, once for each table, on the
 * connection and in the snapshot in which the query was compiled.
 * Thread: the holder of the connection.
 */
#ifndef RSQ_SQL_CATALOG_H
#define RSQ_SQL_CATALOG_H

#include "sql/depends.h"
#include "sql/internal.h"

typedef struct rsq_catalog_column {
    char *name;
    bool is_generated;
    bool is_virtual;  /* and not stored */
    bool has_default; /* rows that are older than the column may lack it */
} rsq_catalog_column;

typedef struct rsq_catalog_part {
    int column; /* -1: the row id, -2: an expression */
    rsq_collation collation;
    bool descending;
} rsq_catalog_part;

typedef struct rsq_catalog_index {
    char *name;
    bool primary; /* the b-tree of a table WITHOUT ROWID */
    bool partial;
    bool computed; /* holds an expression or a virtual column */
    rsq_catalog_part *parts;
    size_t nparts; /* with those that SQLite adds */
    size_t nkeys;
} rsq_catalog_index;

typedef enum rsq_catalog_kind {
    RSQ_CATALOG_TABLE,
    RSQ_CATALOG_VIEW,
    RSQ_CATALOG_VIRTUAL,
    RSQ_CATALOG_NOTHING /* there is none of this name */
} rsq_catalog_kind;

typedef struct rsq_catalog_table {
    struct rsq_catalog_table *next;
    char *schema, *name;
    rsq_catalog_kind kind;
    bool rowid;
    rsq_catalog_column *columns;
    size_t ncolumns;
    rsq_catalog_index *indexes;
    size_t nindexes;
} rsq_catalog_table;

typedef struct rsq_catalog {
    rsq_conn *conn;            /* borrowed */
    rsq_catalog_table *tables; /* owned */
    int rc;                    /* the first failure; then all answers are worthless */
} rsq_catalog;

void rsq_catalog_fini(rsq_catalog *cat);

/* Never NULL unless `cat->rc` says why. Borrowed until the end. */
rsq_catalog_table *rsq_catalog_find(rsq_catalog *cat, const char *schema, const char *name);

/* What lies behind a root page; false: nothing that this knows. `*index` NULL: the rows themselves. */
bool rsq_catalog_root(rsq_catalog *cat, const char *schema, int root, rsq_catalog_table **table,
                      const rsq_catalog_index **index);

/* The column that is stored at a position of a table with row ids; -1: none. */
int rsq_catalog_stored(const rsq_catalog_table *t, int position);

/* SQL of a schema object, owned by the caller (rsq_free); NULL: none. */
char *rsq_catalog_sql(rsq_catalog *cat, const char *schema, const char *name);

/* Run a query, row by row; `fn` returns non-zero to stop with SQLITE_NOMEM. */
void rsq_catalog_ask(rsq_catalog *cat, int (*fn)(void *, int, char **, char **), void *ctx,
                     const char *format, ...);

#endif
