/*
 * Rows as an aligned table, for people.
 *
 *   name         |  lat
 *   -------------+---------
 *   Longyearbyen | 78.22334
 *
 * Columns are as wide as their widest cell on the terminal, numbers stand on
 * the right. NULL is `NULL` (dim on a terminal); a text that reads NULL is
 * shown as `'NULL'`, a BLOB as x'00ff'. What could control the terminal is
 * shown as escapes (visible.h). What is left out, rows or columns, is counted in
 * a line below.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include <resqlite.h>

typedef struct table_options {
    size_t max_width;     /* columns of the terminal: longer cells are cut with "…"; 0: nothing is cut */
    size_t max_rows;      /* rows shown at most; 0: all */
    bool clip;            /* leave out columns on the right rather than exceed max_width */
    bool header;          /* the names and the line below them */
    bool footer;          /* "(3 rows)" */
    bool color;           /* NULL is dim */
    bool cursor;          /* columns may be reached by moving the cursor, where widths are not sure */
    const char *line_end; /* borrowed; NULL: "\n" */
    const bool
        *marked; /* by row and column: cells that stand out, if there is colour; borrowed; NULL: none */
} table_options;

/** Print a result of at least one column. Returns the number of lines. */
size_t table_print(const rsq_result *r, const table_options *options);

#endif
