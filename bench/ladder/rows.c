/* Rows in two forms; see rows.h. */
#define _POSIX_C_SOURCE 200809L /* strdup() */

#include "ladder/rows.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "portable.h"

/* Of a record. */
typedef struct field {
    char *name;      /* owned */
    rsq_value value; /* its bytes are owned */
} field;

struct row_set {
    rows_form form;
    size_t count;
    size_t columns;
    size_t bytes; /* flat: of the whole block */
    /* Flat: count × columns values, then their bytes. Records: an array of fields for each row, owned. */
    union {
        rsq_value cells[1];
        field *records[1];
    } as;
};

static bool has_bytes(const rsq_value *v)
{
    return v->type == RSQ_TEXT || v->type == RSQ_BLOB;
}

static row_set *flat_new(const rsq_value *cells, size_t count, size_t columns)
{
    size_t n = count * columns;
    size_t size = sizeof(row_set) + n * sizeof *cells;
    size_t at = size;
    row_set *r;

    for (size_t i = 0; i < n; i++)
        size += has_bytes(&cells[i]) ? cells[i].len : 0;
    r = malloc(size);
    if (!r)
        return NULL;
    *r = (row_set){.form = ROWS_FLAT, .count = count, .columns = columns, .bytes = size};
    memcpy(r->as.cells, cells, n * sizeof *cells);
    for (size_t i = 0; i < n; i++) {
        rsq_value *v = &r->as.cells[i];

        if (!has_bytes(v))
            continue;
        memcpy((char *)r + at, v->as.blob, v->len);
        v->as.blob = (char *)r + at;
        at += v->len;
    }
    return r;
}

/* Its pointers point into the block, so they move with it. */
static row_set *flat_copy(const row_set *of)
{
    row_set *r = malloc(of->bytes);

    if (!r)
        return NULL;
    memcpy(r, of, of->bytes);
    for (size_t i = 0; i < r->count * r->columns; i++) {
        rsq_value *v = &r->as.cells[i];

        if (has_bytes(v))
            v->as.blob = (const char *)r + ((const char *)v->as.blob - (const char *)of);
    }
    return r;
}

static void record_free(field *fields, size_t columns)
{
    for (size_t c = 0; c < columns; c++) {
        free(fields[c].name);
        if (has_bytes(&fields[c].value))
            free((void *)(uintptr_t)fields[c].value.as.blob);
    }
    free(fields);
}

static bool field_set(field *f, const char *name, const rsq_value *value)
{
    void *bytes;

    f->name = strdup(name);
    if (!f->name || !has_bytes(value)) {
        f->value = *value;
        return f->name != NULL;
    }
    bytes = malloc(value->len + 1u);
    if (!bytes)
        return false;
    memcpy(bytes, value->as.blob, value->len);
    f->value = *value;
    f->value.as.blob = bytes;
    return true;
}

static row_set *records_new(size_t count, size_t columns)
{
    row_set *r = calloc(1, sizeof *r + count * sizeof(field *));

    if (r)
        *r = (row_set){.form = ROWS_RECORDS, .columns = columns};
    return r;
}

/* An empty record at the end; NULL: no memory. */
static field *records_add(row_set *r)
{
    field *fields = calloc(r->columns, sizeof *fields);

    if (fields)
        r->as.records[r->count++] = fields;
    return fields;
}

static row_set *records_of(const rsq_value *cells, size_t count, const char *const *names, size_t columns)
{
    row_set *r = records_new(count, columns);

    for (size_t i = 0; r && i < count; i++) {
        field *fields = records_add(r);
        bool ok = fields != NULL;

        for (size_t c = 0; ok && c < columns; c++)
            ok = field_set(&fields[c], names[c], &cells[i * columns + c]);
        if (!ok) {
            rows_free(r);
            r = NULL;
        }
    }
    return r;
}

static row_set *records_copy(const row_set *of)
{
    row_set *r = records_new(of->count, of->columns);

    for (size_t i = 0; r && i < of->count; i++) {
        field *fields = records_add(r);
        bool ok = fields != NULL;

        for (size_t c = 0; ok && c < of->columns; c++)
            ok = field_set(&fields[c], of->as.records[i][c].name, &of->as.records[i][c].value);
        if (!ok) {
            rows_free(r);
            r = NULL;
        }
    }
    return r;
}

row_set *rows_new(rows_form form, const rsq_value *cells, size_t count, const char *const *names,
                  size_t columns)
{
    return form == ROWS_FLAT ? flat_new(cells, count, columns) : records_of(cells, count, names, columns);
}

row_set *rows_copy(const row_set *r)
{
    return r->form == ROWS_FLAT ? flat_copy(r) : records_copy(r);
}

void rows_free(row_set *r)
{
    if (r && r->form == ROWS_RECORDS) {
        for (size_t i = 0; i < r->count; i++)
            record_free(r->as.records[i], r->columns);
    }
    free(r);
}

double rows_visit(const row_set *r, double sum)
{
    for (size_t i = 0; i < r->count; i++) {
        for (size_t c = 0; c < r->columns; c++)
            sum = portable_value(sum, r->form == ROWS_FLAT ? &r->as.cells[i * r->columns + c]
                                                           : &r->as.records[i][c].value);
    }
    return sum;
}
