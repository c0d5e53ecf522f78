/*
 * Finding out what a query depends on; shared by reads.c (tables and columns),
 * shadow.c (virtual tables) and reach.c (keys).
 */
#ifndef RSQ_SQL_ANALYSIS_H
#define RSQ_SQL_ANALYSIS_H

#include "sql/catalog.h"
#include "sql/depends.h"
#include "sql/notes.h"
#include "sql/program.h"

/* A step of the program that opens a cursor on a b-tree. */
typedef struct rsq_opened {
    int cursor;
    size_t step;
    rsq_catalog_table *table;
    const rsq_catalog_index *index; /* NULL: the rows of a table with row ids */
    size_t dep;                     /* in rsq_depends.tables */
} rsq_opened;

typedef struct rsq_analysis {
    rsq_conn *conn; /* borrowed */
    rsq_depends *d; /* borrowed; being filled */
    rsq_catalog catalog;
    rsq_notes notes;
    rsq_program program;
    rsq_opened *opened; /* owned */
    size_t nopened;
    bool failed; /* memory ran out, or see catalog.rc */
} rsq_analysis;

/* The dependency on a table, made if it is new; NULL: no memory. Valid until the next is made. */
rsq_table_dep *rsq_analysis_table(rsq_analysis *a, rsq_catalog_table *t);

/* shadow.c: what a cursor on a virtual table reads; `pointer` is how the program names it. */
void rsq_analysis_virtual(rsq_analysis *a, const char *pointer);

/* reach.c: prove for each table by which keys it is reached, if it can be proved. */
void rsq_analysis_reach(rsq_analysis *a);

#endif
