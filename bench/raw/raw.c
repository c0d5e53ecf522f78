/*
 * The baseline; see raw.h. The only file of the benchmark that includes
 * <sqlite3.h>.
 *
 * The cell loops switch on sqlite3_column_type() and then ask for the value and
 * its length, which is what code for arbitrary queries has to do. They visit
 * values through checksum.h, as every other peer does.
 */
#ifndef SQLITE_ENABLE_PREUPDATE_HOOK
#define SQLITE_ENABLE_PREUPDATE_HOOK 1 /* for its declaration; the library needs it as well */
#endif
#include <sqlite3.h>

#include "raw/raw.h"

#include <stdlib.h>

#include "checksum.h"

struct raw_db {
    sqlite3 *db;          /* owned */
    sqlite3_stmt *begin;  /* owned */
    sqlite3_stmt *commit; /* owned */
    bool ok;
};

/* A raw_stmt is a sqlite3_stmt: the loops must not pay for an indirection. */
static sqlite3_stmt *stmt_of(raw_stmt *s)
{
    return (sqlite3_stmt *)(void *)s;
}

static void empty_hook(void *ctx, sqlite3 *db, int op, const char *schema, const char *table,
                       sqlite3_int64 key1, sqlite3_int64 key2)
{
    (void)ctx;
    (void)db;
    (void)op;
    (void)schema;
    (void)table;
    (void)key1;
    (void)key2;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;

    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK)
        return NULL;
    return s;
}

/*
 * The library's defaults, see rsq_open_options, and what it sets on every
 * connection besides. SQLite's own automatic checkpoint comes at the same number
 * of pages as the library's, so it stays as it is.
 */
static bool configure(raw_db *db, unsigned flags)
{
    if (sqlite3_busy_timeout(db->db, 5000) != SQLITE_OK ||
        sqlite3_db_config(db->db, SQLITE_DBCONFIG_ENABLE_QPSG, 1, NULL) != SQLITE_OK ||
        sqlite3_db_config(db->db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL) != SQLITE_OK)
        return false;
    /* Before the first access, or the log's index is in shared memory all the same. */
    if ((flags & RAW_EXCLUSIVE) && !raw_exec(db, "PRAGMA locking_mode = EXCLUSIVE"))
        return false;
    if (!raw_exec(db, "PRAGMA mmap_size = 268435456; PRAGMA cache_size = -8192; PRAGMA temp_store = 2"))
        return false;
    if (!(flags & RAW_READONLY) &&
        !raw_exec(db, "PRAGMA page_size = 4096; PRAGMA journal_mode = wal; PRAGMA synchronous = NORMAL;"
                      "PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 1000"))
        return false;
    if ((flags & RAW_SYNC_FULL) && !raw_exec(db, "PRAGMA synchronous = FULL"))
        return false;
    if ((flags & RAW_NO_CHECKPOINT) && !raw_exec(db, "PRAGMA wal_autocheckpoint = 0"))
        return false;
    if (flags & RAW_HOOK)
        sqlite3_preupdate_hook(db->db, empty_hook, NULL);
    /* The first read, which a connection's user would otherwise pay for. */
    if (!raw_exec(db, "SELECT count(*) FROM sqlite_schema"))
        return false;
    db->begin = prepare(db->db, "BEGIN IMMEDIATE");
    db->commit = prepare(db->db, "COMMIT");
    return db->begin != NULL && db->commit != NULL;
}

static int open_flags(unsigned flags)
{
    int how = SQLITE_OPEN_EXRESCODE;

    how |= flags & RAW_MUTEXES ? SQLITE_OPEN_FULLMUTEX : SQLITE_OPEN_NOMUTEX;

    if (flags & RAW_READONLY)
        return how | SQLITE_OPEN_READONLY;
    how |= SQLITE_OPEN_READWRITE;
    return flags & RAW_CREATE ? how | SQLITE_OPEN_CREATE : how;
}

raw_db *raw_open(const char *path, unsigned flags)
{
    raw_db *db = calloc(1, sizeof *db);

    if (!db)
        return NULL;
    db->ok = sqlite3_open_v2(path, &db->db, open_flags(flags), NULL) == SQLITE_OK && configure(db, flags);
    return db;
}

bool raw_ok(const raw_db *db)
{
    return db->ok;
}

void raw_close(raw_db *db)
{
    if (!db)
        return;
    sqlite3_finalize(db->begin);
    sqlite3_finalize(db->commit);
    sqlite3_close(db->db);
    free(db);
}

const char *raw_message(const raw_db *db)
{
    return db && db->db ? sqlite3_errmsg(db->db) : "out of memory";
}

bool raw_exec(raw_db *db, const char *sql)
{
    return sqlite3_exec(db->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

raw_stmt *raw_prepare(raw_db *db, const char *sql)
{
    return (raw_stmt *)(void *)prepare(db->db, sql);
}

void raw_finalize(raw_stmt *s)
{
    sqlite3_finalize(stmt_of(s));
}

static bool control(sqlite3_stmt *s)
{
    return sqlite3_step(s) == SQLITE_DONE && sqlite3_reset(s) == SQLITE_OK;
}

static uint64_t visit_column(sqlite3_stmt *s, int i, uint64_t sum)
{
    const void *bytes;

    switch (sqlite3_column_type(s, i)) {
    case SQLITE_INTEGER:
        return visit_integer(sum, sqlite3_column_int64(s, i));
    case SQLITE_FLOAT:
        return visit_real(sum, sqlite3_column_double(s, i));
    case SQLITE_TEXT:
        bytes = sqlite3_column_text(s, i);
        return visit_bytes(sum, bytes, (size_t)sqlite3_column_bytes(s, i));
    case SQLITE_BLOB:
        bytes = sqlite3_column_blob(s, i);
        return visit_bytes(sum, bytes, (size_t)sqlite3_column_bytes(s, i));
    default:
        return sum;
    }
}

static bool visit_rows(sqlite3_stmt *s, uint64_t *sum)
{
    int columns = sqlite3_column_count(s);
    uint64_t all = *sum;

    while (sqlite3_step(s) == SQLITE_ROW) {
        for (int i = 0; i < columns; i++)
            all = visit_column(s, i, all);
    }
    *sum = all;
    return sqlite3_reset(s) == SQLITE_OK;
}

bool raw_visit(raw_stmt *s, uint64_t *sum)
{
    return visit_rows(stmt_of(s), sum);
}

bool raw_visit_key(raw_stmt *s, int64_t key, uint64_t *sum)
{
    return sqlite3_bind_int64(stmt_of(s), 1, key) == SQLITE_OK && visit_rows(stmt_of(s), sum);
}

static bool bind_value(sqlite3_stmt *s, int i, const rsq_value *v)
{
    switch (v->type) {
    case RSQ_INTEGER:
        return sqlite3_bind_int64(s, i, v->as.i) == SQLITE_OK;
    case RSQ_REAL:
        return sqlite3_bind_double(s, i, v->as.d) == SQLITE_OK;
    case RSQ_TEXT:
        return sqlite3_bind_text(s, i, v->as.text, (int)v->len, SQLITE_STATIC) == SQLITE_OK;
    case RSQ_BLOB:
        return sqlite3_bind_blob(s, i, v->as.blob, (int)v->len, SQLITE_STATIC) == SQLITE_OK;
    default:
        return sqlite3_bind_null(s, i) == SQLITE_OK;
    }
}

static bool bind_values(sqlite3_stmt *s, const rsq_value *params, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!bind_value(s, (int)i + 1, &params[i]))
            return false;
    }
    return true;
}

bool raw_visit_with(raw_stmt *s, const rsq_value *params, size_t count, uint64_t *sum)
{
    return bind_values(stmt_of(s), params, count) && visit_rows(stmt_of(s), sum);
}

bool raw_run_with(raw_stmt *s, const rsq_value *params, size_t count)
{
    return bind_values(stmt_of(s), params, count) && control(stmt_of(s));
}

bool raw_run_batch(raw_db *db, raw_stmt *s, const rsq_value *params, size_t rows, size_t columns)
{
    if (!control(db->begin))
        return false;
    for (size_t i = 0; i < rows; i++, params += columns) {
        if (!raw_run_with(s, params, columns))
            return false;
    }
    return control(db->commit);
}

static uint64_t visit_text(sqlite3_stmt *s, int i, uint64_t sum)
{
    const void *text = sqlite3_column_text(s, i);

    return visit_bytes(sum, text, (size_t)sqlite3_column_bytes(s, i));
}

bool raw_visit_item_typed(raw_stmt *stmt, int64_t key, uint64_t *sum)
{
    sqlite3_stmt *s = stmt_of(stmt);
    uint64_t all = *sum;

    if (sqlite3_bind_int64(s, 1, key) != SQLITE_OK)
        return false;
    while (sqlite3_step(s) == SQLITE_ROW) {
        all = visit_integer(all, sqlite3_column_int64(s, 0));
        all = visit_text(s, 1, all);
        all = visit_text(s, 2, all);
        all = visit_real(all, sqlite3_column_double(s, 3));
        all = visit_text(s, 4, all);
        all = visit_text(s, 5, all);
    }
    *sum = all;
    return sqlite3_reset(s) == SQLITE_OK;
}

static uint64_t hash_column(sqlite3_stmt *s, int i, uint64_t hash)
{
    const void *bytes;
    int64_t integer;
    double real;

    switch (sqlite3_column_type(s, i)) {
    case SQLITE_INTEGER:
        integer = sqlite3_column_int64(s, i);
        return hash_cell(hash, 'i', &integer, sizeof integer);
    case SQLITE_FLOAT:
        real = sqlite3_column_double(s, i);
        return hash_cell(hash, 'r', &real, sizeof real);
    case SQLITE_TEXT:
        bytes = sqlite3_column_text(s, i);
        return hash_cell(hash, 't', bytes, (size_t)sqlite3_column_bytes(s, i));
    case SQLITE_BLOB:
        bytes = sqlite3_column_blob(s, i);
        return hash_cell(hash, 'b', bytes, (size_t)sqlite3_column_bytes(s, i));
    default:
        return hash_cell(hash, 'n', NULL, 0);
    }
}

bool raw_hash(raw_stmt *stmt, const int64_t *key, uint64_t *hash)
{
    sqlite3_stmt *s = stmt_of(stmt);
    int columns = sqlite3_column_count(s);

    if (key && sqlite3_bind_int64(s, 1, *key) != SQLITE_OK)
        return false;
    while (sqlite3_step(s) == SQLITE_ROW) {
        for (int i = 0; i < columns; i++)
            *hash = hash_column(s, i, *hash);
    }
    return sqlite3_reset(s) == SQLITE_OK;
}

bool raw_hash_json(raw_stmt *stmt, uint64_t *hash)
{
    sqlite3_stmt *s = stmt_of(stmt);

    if (sqlite3_step(s) == SQLITE_ROW) {
        const char *json = (const char *)sqlite3_column_text(s, 0);

        *hash = hash_json(*hash, json, (size_t)sqlite3_column_bytes(s, 0));
    }
    return sqlite3_reset(s) == SQLITE_OK;
}

static bool insert(sqlite3_stmt *s, const raw_pair *row)
{
    if (sqlite3_bind_text(s, 1, row->text, (int)row->len, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_bind_double(s, 2, row->real) != SQLITE_OK)
        return false;
    return sqlite3_step(s) == SQLITE_DONE && sqlite3_reset(s) == SQLITE_OK;
}

bool raw_insert_each(raw_stmt *stmt, const raw_pair *rows, size_t count)
{
    sqlite3_stmt *s = stmt_of(stmt);

    for (size_t i = 0; i < count; i++) {
        if (!insert(s, &rows[i]))
            return false;
    }
    return true;
}

bool raw_begin(raw_db *db)
{
    return control(db->begin);
}

bool raw_commit(raw_db *db)
{
    return control(db->commit);
}

bool raw_insert_batch(raw_db *db, raw_stmt *stmt, const raw_pair *rows, size_t count)
{
    return control(db->begin) && raw_insert_each(stmt, rows, count) && control(db->commit);
}

static bool bind_quad(sqlite3_stmt *s, int at, const raw_quad *q)
{
    return sqlite3_bind_int64(s, at, q->first) == SQLITE_OK &&
           sqlite3_bind_double(s, at + 1, q->real) == SQLITE_OK &&
           sqlite3_bind_text(s, at + 2, q->text, (int)q->len, SQLITE_STATIC) == SQLITE_OK &&
           sqlite3_bind_int64(s, at + 3, q->last) == SQLITE_OK;
}

bool raw_insert_wide(raw_db *db, raw_stmt *insert, const raw_quad *quads, size_t rows)
{
    sqlite3_stmt *s = stmt_of(insert);

    if (!control(db->begin))
        return false;
    for (size_t i = 0; i < rows; i++) {
        for (int q = 0; q < RAW_QUADS; q++) {
            if (!bind_quad(s, 4 * q + 1, quads++))
                return false;
        }
        if (!control(s))
            return false;
    }
    return control(db->commit);
}

bool raw_update_batch(raw_db *db, raw_stmt *update, const raw_pair *rows, size_t count)
{
    sqlite3_stmt *s = stmt_of(update);

    if (!control(db->begin))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (sqlite3_bind_int64(s, 3, (sqlite3_int64)i + 1) != SQLITE_OK || !insert(s, &rows[i]))
            return false;
    }
    return control(db->commit);
}

static bool run_with(raw_stmt *stmt, int64_t value)
{
    return sqlite3_bind_int64(stmt_of(stmt), 1, value) == SQLITE_OK && control(stmt_of(stmt));
}

bool raw_converse(raw_db *db, const raw_dialogue *d, int64_t *counted)
{
    if (!control(db->begin) || !run_with(d->insert, d->value) ||
        sqlite3_step(stmt_of(d->count)) != SQLITE_ROW)
        return false;
    *counted = sqlite3_column_int64(stmt_of(d->count), 0);
    if (sqlite3_reset(stmt_of(d->count)) != SQLITE_OK)
        return false;
    if (*counted > d->limit && !run_with(d->remove, d->value))
        return false;
    return control(db->commit);
}

bool raw_nest(raw_db *db, raw_stmt *save, raw_stmt *release, raw_stmt *stmt, const raw_pair *rows,
              size_t count, bool deep)
{
    bool ok = control(db->begin);

    for (size_t i = 0; i < count && ok; i++) {
        ok = control(stmt_of(save)) && insert(stmt_of(stmt), &rows[i]);
        ok = ok && (deep || control(stmt_of(release)));
    }
    for (size_t i = 0; deep && i < count && ok; i++)
        ok = control(stmt_of(release));
    return ok && control(db->commit);
}

const char *raw_compile_option(int i)
{
    return sqlite3_compileoption_get(i);
}
