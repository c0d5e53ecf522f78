/*
 * The standard table of the read cases, and the statements on it. All peers of a
 * case get a file of their own with the same bytes in it.
 */
#ifndef BENCH_ITEMS_H
#define BENCH_ITEMS_H

#include <stdbool.h>
#include <stddef.h>

#include "bench.h"

#define ITEMS_SQL_ALL "SELECT * FROM items"
#define ITEMS_SQL_KEY "SELECT * FROM items WHERE id = ?"
#define ITEMS_SQL_JSON1                                                                        \
    "SELECT json_group_array(json_object('id', id, 'name', name, 'description', description, " \
    "'value', value, 'category', category, 'created_at', created_at)) FROM items"

/* Distinct texts of the query by key that compile to the same program; all are of equal length. */
#define ITEMS_NUMBERED_MAX 128
#define ITEMS_NUMBERED_LEN 64
void items_sql_numbered(unsigned i, char sql[ITEMS_NUMBERED_LEN]);

/* Make the database of a peer: table `items` with `rows` rows, ids from 1. */
bool items_make(const bench_ctx *at, size_t rows);

#endif
