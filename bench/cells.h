/* Visiting and hashing a result of the library: once as plain memory, once through the accessors. */
#ifndef BENCH_CELLS_H
#define BENCH_CELLS_H

#include <stdint.h>

#include <resqlite.h>

/* The visit of checksum.h over the cells of rsq_result_cells(). */
uint64_t cells_visit(const rsq_result *r, uint64_t sum);

/* The same through rsq_result_type(), _int64(), _double(), _text() and _blob(). */
uint64_t cells_visit_accessors(const rsq_result *r, uint64_t sum);

/* The hash of checksum.h, of one cell and of all. */
uint64_t cells_hash_one(const rsq_value *v, uint64_t hash);
uint64_t cells_hash(const rsq_result *r, uint64_t hash);

#endif
