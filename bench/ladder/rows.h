/*
 * Rows as a worker gives them back, in two forms: all cells and bytes in one
 * block, as the library's results are; or an object for each row that owns a name
 * and a value for each column, each text an object of its own, as languages with
 * maps have them.
 */
#ifndef BENCH_LADDER_ROWS_H
#define BENCH_LADDER_ROWS_H

#include <stddef.h>

#include <resqlite.h>

typedef enum rows_form { ROWS_FLAT, ROWS_RECORDS } rows_form;

typedef struct row_set row_set;

/* The cells' texts are copied; NULL: no memory. `names` outlive the rows. */
row_set *rows_new(rows_form form, const rsq_value *cells, size_t count, const char *const *names,
                  size_t columns);

/* Every object of `r` once more; NULL: no memory. */
row_set *rows_copy(const row_set *r);

void rows_free(row_set *r); /* NULL is a no-op */

/* `sum` and every value, as in portable.h. */
double rows_visit(const row_set *r, double sum);

#endif
