#include "judge.h"

#include <sqlite3.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PRINTED_ROWS 12

struct judge {
    char *path, *aux;
    sqlite3 *db;
    sqlite3_stmt **statements; /* of each query; NULL until it is asked */
    size_t nqueries;
    int version; /* of the schema that was read */
};

/* What the library's readers are told, too. */
static const char settings[] =
    "PRAGMA mmap_size = 268435456; PRAGMA cache_size = -8192; PRAGMA temp_store = 2";

static bool attach(judge *j)
{
    char *sql = j->aux ? sqlite3_mprintf("ATTACH %Q AS aux", j->aux) : NULL;
    int rc = sql ? sqlite3_exec(j->db, sql, NULL, NULL, NULL) : SQLITE_OK;

    sqlite3_free(sql);
    return rc == SQLITE_OK;
}

static void connect(judge *j)
{
    if (sqlite3_open_v2(j->path, &j->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(j->db, 10000) != SQLITE_OK ||
        sqlite3_db_config(j->db, SQLITE_DBCONFIG_ENABLE_QPSG, 1, (int *)NULL) != SQLITE_OK || !attach(j) ||
        sqlite3_exec(j->db, settings, NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "the judge cannot open %s: %s\n", j->path, sqlite3_errmsg(j->db));
        abort();
    }
}

static void disconnect(judge *j)
{
    for (size_t i = 0; i < j->nqueries; i++) {
        sqlite3_finalize(j->statements[i]);
        j->statements[i] = NULL;
    }
    sqlite3_close(j->db);
    j->db = NULL;
}

judge *judge_open(const char *path, const char *aux, size_t nqueries)
{
    judge *j = calloc(1, sizeof *j);

    if (!j || !(j->statements = calloc(nqueries + 1, sizeof(sqlite3_stmt *))))
        abort();
    j->path = sqlite3_mprintf("%s", path);
    j->aux = aux ? sqlite3_mprintf("%s", aux) : NULL;
    j->nqueries = nqueries;
    connect(j);
    return j;
}

void judge_close(judge *j)
{
    if (!j)
        return;
    disconnect(j);
    sqlite3_free(j->path);
    sqlite3_free(j->aux);
    free(j->statements);
    free(j);
}

void judge_forget(judge *j, size_t number)
{
    sqlite3_finalize(j->statements[number]);
    j->statements[number] = NULL;
}

/* The number that SQLite gives the schemas. */
static int schema_version(judge *j)
{
    static const char *const asks[] = {"PRAGMA main.schema_version", "PRAGMA aux.schema_version"};
    int version = 0;

    for (size_t i = 0; i < (j->aux ? 2 : 1); i++) {
        sqlite3_stmt *s = NULL;

        if (sqlite3_prepare_v2(j->db, asks[i], -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
            version += sqlite3_column_int(s, 0);
        sqlite3_finalize(s);
    }
    return version;
}

void judge_reopen(judge *j, bool always)
{
    int version = schema_version(j);

    if (!always && version == j->version)
        return;
    disconnect(j);
    connect(j);
    j->version = version;
}

void judge_begin(judge *j)
{
    sqlite3_exec(j->db, "BEGIN", NULL, NULL, NULL);
}

void judge_end(judge *j)
{
    sqlite3_exec(j->db, "COMMIT", NULL, NULL, NULL);
}

static void bind(sqlite3_stmt *s, int index, const rsq_value *v)
{
    switch (v->type) {
    case RSQ_INTEGER:
        sqlite3_bind_int64(s, index, v->as.i);
        return;
    case RSQ_REAL:
        sqlite3_bind_double(s, index, v->as.d);
        return;
    case RSQ_TEXT:
        sqlite3_bind_text(s, index, v->as.text, (int)v->len, SQLITE_STATIC);
        return;
    case RSQ_BLOB:
        sqlite3_bind_blob(s, index, v->as.blob, (int)v->len, SQLITE_STATIC);
        return;
    default:
        sqlite3_bind_null(s, index);
    }
}

/* Ready to step; NULL: it does not compile. */
static sqlite3_stmt *prepare(judge *j, const query *q, size_t number)
{
    sqlite3_stmt *s = j->statements[number];

    if (!s) {
        if (sqlite3_prepare_v3(j->db, q->sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK)
            return NULL;
        j->statements[number] = s;
        for (size_t i = 0; i < q->nparams; i++)
            bind(s, (int)i + 1, &q->params[i]);
    }
    return s;
}

static bool same_bytes(const void *a, const void *b, size_t n)
{
    return n == 0 || memcmp(a, b, n) == 0;
}

static bool same_cell(sqlite3_stmt *s, int column, const rsq_value *v)
{
    double d;

    switch (sqlite3_column_type(s, column)) {
    case SQLITE_INTEGER:
        return v->type == RSQ_INTEGER && v->as.i == sqlite3_column_int64(s, column);
    case SQLITE_FLOAT:
        d = sqlite3_column_double(s, column);
        return v->type == RSQ_REAL && same_bytes(&d, &v->as.d, sizeof d);
    case SQLITE_TEXT:
        return v->type == RSQ_TEXT && v->len == (uint32_t)sqlite3_column_bytes(s, column) &&
               same_bytes(sqlite3_column_text(s, column), v->as.text, v->len);
    case SQLITE_BLOB:
        return v->type == RSQ_BLOB && v->len == (uint32_t)sqlite3_column_bytes(s, column) &&
               same_bytes(sqlite3_column_blob(s, column), v->as.blob, v->len);
    default:
        return v->type == RSQ_NULL;
    }
}

static bool same_names(sqlite3_stmt *s, const rsq_result *r)
{
    for (size_t i = 0; i < rsq_result_columns(r); i++) {
        if (strcmp(sqlite3_column_name(s, (int)i), rsq_result_column_name(r, i)) != 0)
            return false;
    }
    return true;
}

/* All rows in their order. `*rc` is the code of the last step. */
static bool same_rows(sqlite3_stmt *s, const rsq_result *r, bool names, int *rc)
{
    size_t rows, columns;
    const rsq_value *cell = rsq_result_cells(r, &rows, &columns);

    *rc = sqlite3_step(s); /* the columns are known after the first step: it may have compiled anew */
    if (*rc != SQLITE_ROW && *rc != SQLITE_DONE)
        return false;
    if ((size_t)sqlite3_column_count(s) != columns || (names && !same_names(s, r)))
        return false;
    for (size_t row = 0; *rc == SQLITE_ROW; row++, *rc = sqlite3_step(s)) {
        if (row == rows)
            return false;
        for (size_t i = 0; i < columns; i++, cell++) {
            if (!same_cell(s, (int)i, cell))
                return false;
        }
    }
    return *rc == SQLITE_DONE && cell == rsq_result_cells(r, NULL, NULL) + rows * columns;
}

/* ------------------------------------------------------- as multisets -- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void put_cell(sqlite3_str *s, const rsq_value *v)
{
    switch (v->type) {
    case RSQ_INTEGER:
        sqlite3_str_appendf(s, "|%lld", (long long)v->as.i);
        return;
    case RSQ_REAL:
        sqlite3_str_appendf(s, "|%!.17g", v->as.d);
        return;
    case RSQ_TEXT:
        sqlite3_str_appendf(s, "|'%.*s'", (int)v->len, v->as.text);
        return;
    case RSQ_BLOB:
        sqlite3_str_appendall(s, "|x'");
        for (uint32_t i = 0; i < v->len; i++)
            sqlite3_str_appendf(s, "%02x", ((const unsigned char *)v->as.blob)[i]);
        sqlite3_str_appendall(s, "'");
        return;
    default:
        sqlite3_str_appendall(s, "|NULL");
    }
}

/* A column as one of ours; text and blob are borrowed from the statement. */
static rsq_value column_value(sqlite3_stmt *s, int i)
{
    switch (sqlite3_column_type(s, i)) {
    case SQLITE_INTEGER:
        return rsq_integer(sqlite3_column_int64(s, i));
    case SQLITE_FLOAT:
        return rsq_real(sqlite3_column_double(s, i));
    case SQLITE_TEXT:
        return rsq_text_n((const char *)sqlite3_column_text(s, i), (uint32_t)sqlite3_column_bytes(s, i));
    case SQLITE_BLOB:
        return rsq_blob(sqlite3_column_blob(s, i), (uint32_t)sqlite3_column_bytes(s, i));
    default:
        return rsq_null();
    }
}

typedef struct lines {
    char **line; /* owned, each */
    size_t count;
} lines;

static void add_line(lines *l, sqlite3_str *s)
{
    l->line = realloc(l->line, (l->count + 1) * sizeof *l->line);
    if (!l->line)
        abort();
    l->line[l->count++] = sqlite3_str_finish(s);
}

static lines lines_of_result(const rsq_result *r)
{
    size_t rows, columns;
    const rsq_value *cell = rsq_result_cells(r, &rows, &columns);
    lines l = {0};

    for (size_t row = 0; row < rows; row++) {
        sqlite3_str *s = sqlite3_str_new(NULL);

        for (size_t i = 0; i < columns; i++)
            put_cell(s, cell++);
        add_line(&l, s);
    }
    return l;
}

static lines lines_of_statement(sqlite3_stmt *h, int *rc)
{
    lines l = {0};

    while ((*rc = sqlite3_step(h)) == SQLITE_ROW) {
        sqlite3_str *s = sqlite3_str_new(NULL);

        for (int i = 0; i < sqlite3_column_count(h); i++) {
            rsq_value v = column_value(h, i);

            put_cell(s, &v);
        }
        add_line(&l, s);
    }
    sqlite3_reset(h);
    return l;
}

static void free_lines(lines *l)
{
    for (size_t i = 0; i < l->count; i++)
        sqlite3_free(l->line[i]);
    free(l->line);
}

static void sort_lines(lines *l)
{
    if (l->count > 0)
        qsort(l->line, l->count, sizeof *l->line, compare_texts);
}

static bool same_multiset(sqlite3_stmt *h, const rsq_result *r)
{
    int rc;
    lines a = lines_of_statement(h, &rc), b = lines_of_result(r);
    bool same = rc == SQLITE_DONE && a.count == b.count;

    sort_lines(&a);
    sort_lines(&b);
    for (size_t i = 0; same && i < a.count; i++)
        same = strcmp(a.line[i], b.line[i]) == 0;
    free_lines(&a);
    free_lines(&b);
    return same;
}

verdict judge_compare(judge *j, const query *q, size_t number, const rsq_result *r, bool names)
{
    sqlite3_stmt *s = prepare(j, q, number);
    bool same;
    int rc;

    if (!s)
        return r ? VERDICT_DIFFERENT : VERDICT_SAME;
    if (!r) {
        do
            rc = sqlite3_step(s);
        while (rc == SQLITE_ROW);
        sqlite3_reset(s);
        return rc == SQLITE_DONE ? VERDICT_DIFFERENT : VERDICT_SAME;
    }
    same = same_rows(s, r, names, &rc);
    sqlite3_reset(s);
    if (same)
        return VERDICT_SAME;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return VERDICT_DIFFERENT;
    if (q->order == ORDER_NONE && same_multiset(s, r))
        return VERDICT_ORDER;
    return q->order == ORDER_CHOOSES ? VERDICT_CHOICE : VERDICT_DIFFERENT;
}

/* ------------------------------------------------------- printing -- */

static void print_lines(const lines *l, FILE *out)
{
    for (size_t i = 0; i < l->count && i < PRINTED_ROWS; i++)
        fprintf(out, "--   %s\n", l->line[i]);
    if (l->count > PRINTED_ROWS)
        fprintf(out, "--   and %zu more\n", l->count - PRINTED_ROWS);
    if (l->count == 0)
        fprintf(out, "--   no row\n");
}

void judge_print(judge *j, const query *q, size_t number, FILE *out)
{
    sqlite3_stmt *s = prepare(j, q, number);
    lines l = {0};
    int rc = SQLITE_ERROR;

    if (s)
        l = lines_of_statement(s, &rc);
    if (rc == SQLITE_DONE)
        print_lines(&l, out);
    else
        fprintf(out, "--   error: %s\n", sqlite3_errmsg(j->db));
    free_lines(&l);
}

void judge_print_result(const rsq_result *r, FILE *out)
{
    lines l = lines_of_result(r);

    print_lines(&l, out);
    free_lines(&l);
}

bool judge_equal(const rsq_result *a, const rsq_result *b)
{
    size_t rows, columns, rows_b, columns_b;
    const rsq_value *x = rsq_result_cells(a, &rows, &columns), *y = rsq_result_cells(b, &rows_b, &columns_b);

    if (rows != rows_b || columns != columns_b)
        return false;
    for (size_t i = 0; i < columns; i++) {
        if (strcmp(rsq_result_column_name(a, i), rsq_result_column_name(b, i)) != 0)
            return false;
    }
    for (size_t i = 0; i < rows * columns; i++, x++, y++) {
        if (x->type != y->type || x->len != y->len)
            return false;
        if (x->type == RSQ_INTEGER ? x->as.i != y->as.i
            : x->type == RSQ_REAL  ? !same_bytes(&x->as.d, &y->as.d, sizeof x->as.d)
                                   : !same_bytes(x->as.blob, y->as.blob, x->len))
            return false;
    }
    return true;
}
