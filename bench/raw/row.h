/*
 * The baseline for statements of any shape: parameters and cells as values of
 * the public header, so that plans can be written once for all peers.
 */
#ifndef BENCH_RAW_ROW_H
#define BENCH_RAW_ROW_H

#include <resqlite.h>

#include "raw/raw.h"

#define RAW_ROW_COLUMNS_MAX 32

/* Called with each row; the cells are borrowed for the call. */
typedef void (*raw_row_fn)(void *ctx, const rsq_value *cells, size_t columns);

/* Run a statement with parameters, texts bound in place. `each`: NULL to ignore the rows. */
bool raw_row_each(raw_stmt *s, const rsq_value *params, size_t nparams, raw_row_fn each, void *ctx);

/* The same as raw_visit(), with parameters. */
bool raw_row_visit(raw_stmt *s, const rsq_value *params, size_t nparams, uint64_t *sum);

/* The visit of portable.h, inline like that of raw_visit(). */
bool raw_row_portable(raw_stmt *s, const rsq_value *params, size_t nparams, double *sum);

/* raw_insert_each(), but SQLite finds out how long a text is and copies it. */
bool raw_row_insert_copied(raw_stmt *insert, const raw_pair *rows, size_t count);

#endif
