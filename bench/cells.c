/* Visiting and hashing a result; see cells.h. */
#include "cells.h"

#include "checksum.h"

uint64_t cells_visit(const rsq_result *r, uint64_t sum)
{
    size_t rows;
    size_t columns;
    const rsq_value *v = rsq_result_cells(r, &rows, &columns);

    for (const rsq_value *end = v + rows * columns; v < end; v++) {
        switch (v->type) {
        case RSQ_INTEGER:
            sum = visit_integer(sum, v->as.i);
            break;
        case RSQ_REAL:
            sum = visit_real(sum, v->as.d);
            break;
        case RSQ_TEXT:
        case RSQ_BLOB:
            sum = visit_bytes(sum, v->as.blob, v->len);
            break;
        default:
            break;
        }
    }
    return sum;
}

static uint64_t visit_accessor(const rsq_result *r, size_t row, size_t column, uint64_t sum)
{
    const void *bytes;
    size_t len = 0;

    switch (rsq_result_type(r, row, column)) {
    case RSQ_INTEGER:
        return visit_integer(sum, rsq_result_int64(r, row, column));
    case RSQ_REAL:
        return visit_real(sum, rsq_result_double(r, row, column));
    case RSQ_TEXT:
        bytes = rsq_result_text(r, row, column, &len);
        return visit_bytes(sum, bytes, len);
    case RSQ_BLOB:
        bytes = rsq_result_blob(r, row, column, &len);
        return visit_bytes(sum, bytes, len);
    default:
        return sum;
    }
}

uint64_t cells_visit_accessors(const rsq_result *r, uint64_t sum)
{
    size_t rows = rsq_result_rows(r);
    size_t columns = rsq_result_columns(r);

    for (size_t row = 0; row < rows; row++) {
        for (size_t column = 0; column < columns; column++)
            sum = visit_accessor(r, row, column, sum);
    }
    return sum;
}

uint64_t cells_hash_one(const rsq_value *v, uint64_t hash)
{
    switch (v->type) {
    case RSQ_INTEGER:
        return hash_cell(hash, 'i', &v->as.i, sizeof v->as.i);
    case RSQ_REAL:
        return hash_cell(hash, 'r', &v->as.d, sizeof v->as.d);
    case RSQ_TEXT:
        return hash_cell(hash, 't', v->as.text, v->len);
    case RSQ_BLOB:
        return hash_cell(hash, 'b', v->as.blob, v->len);
    default:
        return hash_cell(hash, 'n', NULL, 0);
    }
}

uint64_t cells_hash(const rsq_result *r, uint64_t hash)
{
    size_t rows;
    size_t columns;
    const rsq_value *v = rsq_result_cells(r, &rows, &columns);

    for (const rsq_value *end = v + rows * columns; v < end; v++)
        hash = cells_hash_one(v, hash);
    return hash;
}
