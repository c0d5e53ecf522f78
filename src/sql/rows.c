/*
 * Rows → cells, in one pass.
 *
 * A cell is read as an sqlite3_value: the functions of a value skip the checks
 * that each sqlite3_column_… call repeats.
 */
#include "sql/internal.h"

#include "base/plant.h"

void rsq_row_measure(rsq_conn *c, sqlite3_stmt *h, size_t columns)
{
    const char *first;
    const char *second;
    const char *last;

    if (columns < 2)
        return;
    first = (const char *)sqlite3_column_value(h, 0);
    second = (const char *)sqlite3_column_value(h, 1);
    last = (const char *)sqlite3_column_value(h, (int)columns - 1);
    c->cell_stride = (size_t)(second - first);
    if (second <= first || first + (columns - 1) * c->cell_stride != last)
        c->cell_stride = RSQ_ROW_NO_STRIDE;
}

/* A text of at most so many bytes is copied in place. */
#define FEW_MAX 32

/* Most texts are short: two overlapping words cost less than a call of memcpy(). */
static inline void copy_few(char *to, const char *from, size_t len)
{
    uint64_t first;
    uint64_t last;
    uint32_t half[2];
    char quarter[2][16];

    if (len > 16) {
        memcpy(quarter[0], from, 16);
        memcpy(quarter[1], from + len - 16, 16);
        memcpy(to, quarter[0], 16);
        memcpy(to + len - 16, quarter[1], 16);
    } else if (len >= 8) {
        memcpy(&first, from, 8);
        memcpy(&last, from + len - 8, 8);
        memcpy(to, &first, 8);
        memcpy(to + len - 8, &last, 8);
    } else if (len >= 4) {
        memcpy(&half[0], from, 4);
        memcpy(&half[1], from + len - 4, 4);
        memcpy(to, &half[0], 4);
        memcpy(to + len - 4, &half[1], 4);
    } else {
        for (size_t i = 0; i < len; i++)
            to[i] = from[i];
    }
}

static inline bool copy_bytes(rsq_builder *b, rsq_value *cell, const char *bytes, uint32_t len)
{
    char *to = rsq_builder_bytes(b, (size_t)len + 1);

    if (!to)
        return false;
    if (len && !bytes) {
        b->failed = RSQ_ENOMEM; /* SQLite had no memory to convert the text */
        return false;
    }
    if (len <= FEW_MAX)
        copy_few(to, bytes, len);
    else
        memcpy(to, bytes, len);
    to[len] = '\0';
    cell->len = len;
    cell->as.text = to;
    return true;
}

static inline bool copy_cell(rsq_builder *b, rsq_value *cell, sqlite3_value *v, bool utf8)
{
    const char *bytes;

    cell->len = 0;
    switch (sqlite3_value_type(v)) {
    case SQLITE_INTEGER:
        cell->type = RSQ_INTEGER;
        cell->as.i = sqlite3_value_int64(v);
        return true;
    case SQLITE_FLOAT:
        cell->type = RSQ_REAL;
        cell->as.d = sqlite3_value_double(v);
        return true;
    case SQLITE_TEXT:
        cell->type = RSQ_TEXT;
        /* value_blob does not ask for a terminator, but gives the text as it is stored. */
        bytes = utf8 ? sqlite3_value_blob(v) : (const char *)sqlite3_value_text(v);
        return copy_bytes(b, cell, bytes, (uint32_t)sqlite3_value_bytes(v));
    case SQLITE_BLOB:
        cell->type = RSQ_BLOB;
        bytes = sqlite3_value_blob(v);
        return copy_bytes(b, cell, bytes, (uint32_t)sqlite3_value_bytes(v));
    default:
        cell->type = RSQ_NULL;
        cell->as.i = 0;
        return true;
    }
}

/* Inlined where it is used, in the loop that measures too: it is most of what a row costs. */
static inline __attribute__((always_inline)) bool copy_row(rsq_conn *c, sqlite3_stmt *h, size_t columns)
{
    rsq_row from = rsq_row_of(c, h, columns);
    rsq_value *to = rsq_builder_row(&c->builder);

    if (!to)
        return false;
    for (size_t i = 0; i < columns; i++) {
        if (!copy_cell(&c->builder, &to[i], rsq_row_cell(&from, i), c->utf8))
            return false;
    }
    return true;
}

/* Rows of another result, from the first on. */
static bool copy_rows(rsq_builder *b, const rsq_result *from, size_t rows)
{
    size_t columns = from->head.columns;
    const rsq_value *cells = from->head.cells;

    for (; rows > 0; rows--, cells += columns) {
        rsq_value *to = rsq_builder_row(b);

        if (!to)
            return false;
        for (size_t i = 0; i < columns; i++) {
            to[i] = cells[i];
            if (cells[i].type >= RSQ_TEXT && !copy_bytes(b, &to[i], cells[i].as.text, cells[i].len))
                return false;
        }
    }
    return true;
}

static rsq_code builder_failed(const rsq_builder *b, rsq_error *err)
{
    if (b->failed == RSQ_ETOOBIG)
        return rsq_error_set(err, RSQ_ETOOBIG, "the result is larger than its limit");
    return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
}

/* `times` is a constant NULL, or not. Nor is `known` always 0: so many rows, which were stepped over, are the
 * first ones of `rq->like`. */
static inline __attribute__((always_inline)) rsq_code take(rsq_conn *c, rsq_stmt *s, const rsq_request *rq,
                                                           int *rc, size_t rows_max, size_t known,
                                                           rsq_read_times *times, rsq_result **out,
                                                           rsq_error *err)
{
    rsq_builder *b = &c->builder;
    size_t columns;
    rsq_result *r;

    if (*rc != SQLITE_ROW && *rc != SQLITE_DONE)
        return rsq_sql_error(c, *rc, NULL, err);
    /* Only now: the first step may have re-prepared the statement with other columns. */
    if (!rsq_stmt_refresh(s))
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    if (!c->encoding_known)
        rsq_conn_ask_encoding(c);
    columns = s->columns->count;
    if (!rsq_builder_begin(b, columns, rq->bytes_max, &s->rows_hint))
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    if (known && !copy_rows(b, rq->like, known)) {
        rsq_builder_abandon(b);
        return builder_failed(b, err);
    }
    for (size_t row = known; *rc == SQLITE_ROW && row < rows_max; row++) {
        if (!copy_row(c, s->h, columns)) {
            rsq_builder_abandon(b);
            return builder_failed(b, err);
        }
        *rc = rsq_stmt_next(s, times);
    }
    if (*rc != SQLITE_DONE && *rc != SQLITE_ROW) {
        rsq_builder_abandon(b);
        return rsq_sql_error(c, *rc, NULL, err);
    }
    r = rsq_builder_finish(b, s->columns, &s->rows_hint);
    if (!r) {
        rsq_builder_abandon(b);
        return builder_failed(b, err);
    }
    *out = r;
    return RSQ_OK;
}

rsq_code rsq_rows_take(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, int *rc, size_t rows_max,
                       rsq_result **out, rsq_error *err)
{
    return take(c, s, rq, rc, rows_max, 0, NULL, out, err);
}

#if RSQ_PROFILE
__attribute__((cold)) rsq_code rsq_rows_take_timed(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, int *rc,
                                                   size_t rows_max, rsq_read_times *times, rsq_result **out,
                                                   rsq_error *err)
{
    return take(c, s, rq, rc, rows_max, 0, times, out, err);
}
#endif

rsq_code rsq_rows_collect(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, int rc, rsq_result **out,
                          rsq_error *err)
{
    return rsq_rows_take(c, s, rq, &rc, SIZE_MAX, out, err);
}

/* --- compared with an answer that there is --- */

static inline bool is_bytes(const rsq_value *cell, const char *bytes, uint32_t len)
{
    return cell->len == len && (len == 0 || (bytes && memcmp(cell->as.text, bytes, len) == 0));
}

/* As rsq_value_same(). */
static inline bool is_cell(const rsq_value *cell, sqlite3_value *v, bool utf8)
{
    const char *bytes;
    double d;

    switch (sqlite3_value_type(v)) {
    case SQLITE_INTEGER:
        return cell->type == RSQ_INTEGER && cell->as.i == sqlite3_value_int64(v);
    case SQLITE_FLOAT:
        d = sqlite3_value_double(v);
        return cell->type == RSQ_REAL && memcmp(&cell->as.d, &d, sizeof d) == 0;
    case SQLITE_TEXT:
        bytes = utf8 ? sqlite3_value_blob(v) : (const char *)sqlite3_value_text(v);
        return cell->type == RSQ_TEXT && is_bytes(cell, bytes, (uint32_t)sqlite3_value_bytes(v));
    case SQLITE_BLOB:
        bytes = sqlite3_value_blob(v);
        return cell->type == RSQ_BLOB && is_bytes(cell, bytes, (uint32_t)sqlite3_value_bytes(v));
    default:
        return cell->type == RSQ_NULL;
    }
}

static bool is_row(rsq_conn *c, sqlite3_stmt *h, const rsq_value *cells, size_t columns)
{
    rsq_row row = rsq_row_of(c, h, columns);

    for (size_t i = 0; i < columns; i++) {
        if (!is_cell(&cells[i], rsq_row_cell(&row, i), c->utf8))
            return false;
    }
    return true;
}

/* Step over rows that are those of `like`, from the first on. Returns how many there were. */
static size_t skip_rows(rsq_conn *c, rsq_stmt *s, const rsq_result *like, int *rc, rsq_read_times *times)
{
    size_t columns = like->head.columns, row = 0;

    for (; *rc == SQLITE_ROW && row < like->head.rows; row++) {
        if (!is_row(c, s->h, like->head.cells + row * columns, columns))
            break;
        *rc = rsq_stmt_next(s, times);
    }
    return row;
}

rsq_code rsq_rows_compare(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, int rc, rsq_read_times *times,
                          rsq_result **out, rsq_error *err)
{
    rsq_result *like = rq->like;
    size_t known = 0;

    if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        if (!rsq_stmt_refresh(s))
            return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
        if (!c->encoding_known)
            rsq_conn_ask_encoding(c);
    }
    if (s->columns && !like->json && rsq_columns_equal(like->columns, s->columns)) {
        known = skip_rows(c, s, like, &rc, times);
        if ((rc == SQLITE_DONE || RSQ_PLANTED(RSQ_PLANT_ALONG)) && known == like->head.rows) {
            *out = rsq_result_ref(like);
            return RSQ_OK;
        }
    }
    return take(c, s, rq, &rc, SIZE_MAX, known, times, out, err);
}
