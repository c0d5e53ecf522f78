/* Rows into a table; see import_load.h. */
#include "import_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "mem.h"
#include "strbuf.h"

#define CHUNK_ROWS 10000
#define CHUNK_TEXT_BYTES ((size_t)16 * 1024 * 1024)
#define CHUNK_CELLS ((size_t)1 << 20)

/* ------------------------------------------------------------- the table -- */

static int read_table_names(loader *l, const char *database)
{
    strbuf sql = {0};
    rsq_result *r;
    rsq_error err;
    rsq_code rc;

    strbuf_puts(&sql, "SELECT * FROM ");
    strbuf_identifier(&sql, l->table);
    strbuf_puts(&sql, " LIMIT 0");
    rc = rsq_select(l->db, strbuf_cstr(&sql), NULL, 0, NULL, &r, &err);
    strbuf_fini(&sql);
    if (rc != RSQ_OK)
        return diag_sql(database, &err);
    for (size_t c = 0; c < rsq_result_columns(r); c++) {
        const char *name = rsq_result_column_name(r, c);

        columns_add(&l->table_names, name, strlen(name));
    }
    rsq_result_unref(r);
    return STATUS_OK;
}

int loader_init(loader *l, const char *database)
{
    static const char sql[] = "SELECT count(*) FROM sqlite_schema"
                              " WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE";
    rsq_value name = rsq_text(l->table);
    rsq_result *r;
    rsq_error err;

    if (rsq_select(l->db, sql, &name, 1, NULL, &r, &err) != RSQ_OK)
        return diag_sql(database, &err);
    l->had_table = rsq_result_int64(r, 0, 0) > 0;
    l->has_table = l->had_table;
    rsq_result_unref(r);
    return l->had_table ? read_table_names(l, database) : STATUS_OK;
}

bool loader_column(loader *l, reader *r, size_t column, uint64_t offset)
{
    const char *name = l->columns->names[column];

    if (l->had_table && columns_find(&l->table_names, name, strlen(name), column) == COLUMNS_NONE)
        return import_fail_at(r, offset, "table \"%s\" has no column \"%s\"", l->table, name);
    return true;
}

/* CREATE TABLE with all columns known, or ALTER TABLE for one of those that came later. */
static void add_schema_sql(const loader *l, strbuf *sql, bool create, size_t column)
{
    strbuf_puts(sql, create ? "CREATE TABLE " : "ALTER TABLE ");
    strbuf_identifier(sql, l->table);
    strbuf_puts(sql, create ? " (" : " ADD COLUMN ");
    for (size_t c = column; c < (create ? l->columns->count : column + 1); c++) {
        if (c > column)
            strbuf_puts(sql, ", ");
        strbuf_identifier(sql, l->columns->names[c]);
        strbuf_puts(sql, import_types_declared(l->types, c));
    }
    if (create)
        strbuf_putc(sql, ')');
}

static void add_insert_sql(const loader *l, strbuf *sql)
{
    strbuf_puts(sql, "INSERT INTO ");
    strbuf_identifier(sql, l->table);
    strbuf_puts(sql, " (");
    for (size_t c = 0; c < l->width; c++) {
        if (c)
            strbuf_puts(sql, ", ");
        strbuf_identifier(sql, l->columns->names[c]);
    }
    strbuf_puts(sql, ") VALUES (");
    for (size_t c = 0; c < l->width; c++)
        strbuf_puts(sql, c ? ", ?" : "?");
    strbuf_putc(sql, ')');
}

/* ------------------------------------------------------------- one chunk -- */

typedef struct chunk {
    const loader *l; /* borrowed */
    size_t rows;     /* the first so many */
    rsq_error err;   /* of the call that failed */
} chunk;

static rsq_code make_columns(rsq_tx *tx, chunk *k)
{
    const loader *l = k->l;
    strbuf sql = {0};
    rsq_code rc = RSQ_OK;

    if (!l->has_table) {
        add_schema_sql(l, &sql, true, 0);
        rc = rsq_tx_execute(tx, strbuf_cstr(&sql), NULL, 0, NULL, NULL, &k->err);
    }
    for (size_t c = l->made_columns; l->has_table && !l->had_table && c < l->columns->count && rc == RSQ_OK;
         c++) {
        strbuf_cut(&sql, 0);
        add_schema_sql(l, &sql, false, c);
        rc = rsq_tx_execute(tx, strbuf_cstr(&sql), NULL, 0, NULL, NULL, &k->err);
    }
    strbuf_fini(&sql);
    return rc;
}

static rsq_code write_chunk(rsq_tx *tx, void *ctx)
{
    chunk *k = ctx;
    const loader *l = k->l;
    rsq_code rc = make_columns(tx, k);
    strbuf sql = {0};

    if (rc == RSQ_OK && k->rows) {
        add_insert_sql(l, &sql);
        rc = rsq_tx_execute_batch(tx, strbuf_cstr(&sql), l->cells, k->rows, l->width, NULL, NULL, &k->err);
    }
    strbuf_fini(&sql);
    return rc;
}

/* Write the first rows of the chunk, all or none of them. */
static rsq_code save(loader *l, size_t rows, rsq_error *err)
{
    chunk k = {.l = l, .rows = rows};
    rsq_code rc;

    k.err.code = RSQ_OK;
    k.err.row = -1;
    if (l->tx) {
        rc = write_chunk(l->tx, &k);
        *err = k.err;
    } else {
        rc = rsq_transaction(l->db, write_chunk, &k, NULL, err);
        if (rc != RSQ_OK && k.err.code != RSQ_OK)
            *err = k.err; /* what failed inside, with its row */
    }
    if (rc != RSQ_OK)
        return rc;
    l->has_table = true;
    l->made_columns = l->columns->count;
    l->rows_saved += rows;
    return RSQ_OK;
}

/* A failure that is there already is one of a later row: the rows before it were still to be written. */
static void fail(loader *l, const rsq_error *err)
{
    import_failure *f = l->failure;

    f->happened = true;
    f->status = diag_status(err);
    f->placed = err->row >= 0 && (size_t)err->row < l->rows;
    f->in_database = !f->placed;
    if (f->placed)
        f->place = l->places[err->row];
    snprintf(f->message, sizeof f->message, "%s", err->message);
}

bool loader_flush(loader *l)
{
    bool wants_table = !l->has_table && l->columns->count;
    rsq_error err, again;
    rsq_code rc;

    if (!l->rows && (!wants_table || l->failure->happened))
        return true;
    rc = save(l, l->rows, &err);
    if (rc != RSQ_OK) {
        fail(l, &err);
        if (!l->tx && err.row > 0 && (size_t)err.row < l->rows)
            save(l, (size_t)err.row, &again); /* if this fails too, fewer rows are kept, which is reported */
    }
    l->rows = 0;
    l->width = 0;
    arena_clear(&l->texts);
    return rc == RSQ_OK;
}

/* ------------------------------------------------------------------ rows -- */

/* Room for one more row, `columns` wide. Rows are moved apart when they become wider. */
static void make_room(loader *l, size_t columns)
{
    if (columns > l->width && l->rows) {
        rsq_value *wider = mem_alloc(l->rows + 1, columns * sizeof *wider); /* zero is NULL */

        for (size_t i = 0; i < l->rows && l->width; i++)
            memcpy(wider + i * columns, l->cells + i * l->width, l->width * sizeof *wider);
        free(l->cells);
        l->cells = wider;
        l->cell_capacity = (l->rows + 1) * columns;
    }
    l->width = columns;
    if ((l->rows + 1) * columns > l->cell_capacity) {
        l->cell_capacity = mem_grow(l->cell_capacity, (l->rows + 64) * columns);
        l->cells = mem_resize(l->cells, l->cell_capacity, sizeof *l->cells);
    }
    if (l->rows == l->row_capacity) {
        l->row_capacity = mem_grow(l->row_capacity, 1024);
        l->places = mem_resize(l->places, l->row_capacity, sizeof *l->places);
    }
}

bool loader_row(loader *l, reader *r, const import_row *row)
{
    rsq_value *cells;

    if (!l->columns->count)
        return import_fail_at(r, row->offset, "an object without keys, before any column is known");
    make_room(l, l->columns->count);
    cells = l->cells + l->rows * l->width;
    memset(cells, 0, l->width * sizeof *cells);
    for (size_t i = 0; i < row->count; i++) {
        const import_field *f = &row->fields[i];

        if (!import_types_value(l->types, f, &cells[f->column]))
            return import_fail_at(r, import_field_offset(r, row, i), "column \"%s\": %s is expected",
                                  l->columns->names[f->column], import_types_expected(l->types, f->column));
    }
    l->places[l->rows++] = input_locate(r->in, row->offset);
    if (l->rows < CHUNK_ROWS && l->rows * l->width < CHUNK_CELLS && l->texts.used < CHUNK_TEXT_BYTES)
        return true;
    return loader_flush(l);
}

void loader_fini(loader *l)
{
    columns_fini(&l->table_names);
    arena_fini(&l->texts);
    free(l->cells);
    free(l->places);
}
