/*
 * What changes: SQLite's preupdate hook, called once for each row before it is
 * inserted, updated or deleted, by whatever part of a statement: trigger,
 * foreign-key action, the victim of a REPLACE.
 *
 * It must be there before the first statement is compiled: a DELETE without
 * WHERE that was compiled without it truncates the table and reports nothing.
 * Schema changes report nothing either; the guard's verdict stands for them.
 *
 * The names of all tables are noted. Of a table that live queries watch it is
 * looked at what changed in the row: columns of which the value before and after
 * have not the same type and bytes, and where the row lies on the keys that are
 * watched. What is watched stands still from a transaction's first row on; see
 * watch.h. Whatever cannot be told makes the whole table changed.
 */
#include "sql/internal.h"

#include <assert.h>
#include <string.h>

#include "base/plant.h"
#include "sql/key.h"

/* One row that is about to change. */
typedef struct row {
    sqlite3 *db;
    int op;
    sqlite3_int64 key1, key2; /* row id before and after */
    bool utf8;                /* text is known to be stored as UTF-8 */
    bool failed;              /* SQLite did not tell a value */
} row;

typedef enum side { BEFORE, AFTER } side;

/* NULL may stand for the default of a column that is younger than the row. */
static bool is_doubtful(sqlite3_value *before)
{
    return sqlite3_value_type(before) == SQLITE_NULL && sqlite3_libversion_number() < RSQ_VERSION_TELLS_ROWS;
}

static sqlite3_value *value_of(row *r, uint32_t column, side s)
{
    sqlite3_value *v = NULL;
    int rc = s == BEFORE ? sqlite3_preupdate_old(r->db, (int)column, &v)
                         : sqlite3_preupdate_new(r->db, (int)column, &v);

    if (rc != SQLITE_OK || !v || (s == BEFORE && is_doubtful(v))) {
        r->failed = true;
        return NULL;
    }
    return v;
}

/* Bytes of text in UTF-8, or of a blob. NULL only for none of them, or with `failed`. */
static const void *bytes_of(row *r, sqlite3_value *v, int type, int *len)
{
    /* value_blob does not ask for a terminator, for which a text would be copied. */
    bool stored = type == SQLITE_BLOB || r->utf8;
    const void *bytes = stored ? sqlite3_value_blob(v) : (const void *)sqlite3_value_text(v);

    *len = sqlite3_value_bytes(v);
    if (!bytes && (*len > 0 || !stored))
        r->failed = true; /* no memory */
    return bytes;
}

/* The same type and bytes. */
static bool is_same(row *r, sqlite3_value *a, sqlite3_value *b)
{
    int type = sqlite3_value_type(a);
    const void *x, *y;
    int x_len, y_len;
    double d, e;

    if (RSQ_PLANTED(RSQ_PLANT_TYPE) && type == SQLITE_INTEGER && sqlite3_value_type(b) == SQLITE_FLOAT)
        return (double)sqlite3_value_int64(a) == sqlite3_value_double(b);
    if (type != sqlite3_value_type(b))
        return false;
    switch (type) {
    case SQLITE_NULL:
        return true;
    case SQLITE_INTEGER:
        return sqlite3_value_int64(a) == sqlite3_value_int64(b);
    case SQLITE_FLOAT:
        d = sqlite3_value_double(a);
        e = sqlite3_value_double(b);
        return memcmp(&d, &e, sizeof d) == 0;
    default:
        x = bytes_of(r, a, type, &x_len);
        y = bytes_of(r, b, type, &y_len);
        return !r->failed && x_len == y_len && (x_len == 0 || memcmp(x, y, (size_t)x_len) == 0);
    }
}

static bool column_changed(row *r, uint32_t column)
{
    sqlite3_value *before = value_of(r, column, BEFORE);
    sqlite3_value *after = r->failed ? NULL : value_of(r, column, AFTER);

    return r->failed || !is_same(r, before, after);
}

/* A column of a virtual table's, or a generated one that is not stored, has no value here. */
static bool has_value(row *r, uint32_t column)
{
    sqlite3_value *v;

    return sqlite3_preupdate_old(r->db, (int)column, &v) != SQLITE_RANGE;
}

static bool is_moved(row *r, const rsq_watch_table *w)
{
    if (w->rowid)
        return r->key1 != r->key2 && !RSQ_PLANTED(RSQ_PLANT_ROWID_CHANGE);
    for (size_t i = 0; i < w->nprimary; i++) {
        if (column_changed(r, w->primary[i]))
            return true;
    }
    return false;
}

/* Did one of the columns that have no bit of their own change? */
static bool others_changed(row *r, const rsq_watch_table *w)
{
    size_t own = 0;

    for (uint32_t i = 0; i < w->ncolumns; i++) {
        while (own < w->ncolumns_watched && w->columns[own].column < i)
            own++;
        if (own < w->ncolumns_watched && w->columns[own].column == i)
            continue;
        if (has_value(r, i) && column_changed(r, i))
            return true;
    }
    return false;
}

/* `known`: bits that are set already, and need not be found again. */
static uint64_t changed_bits(row *r, const rsq_watch_table *w, bool compare, uint64_t known)
{
    uint64_t shared = (uint64_t)1 << RSQ_WATCH_SHARED_BIT;
    uint64_t bits = known;

    if (!compare || is_moved(r, w))
        return RSQ_WATCH_ROW;
    for (size_t i = 0; i < w->ncolumns_watched; i++) {
        uint64_t bit = (uint64_t)1 << w->columns[i].bit;

        if (!(bits & bit) && (w->columns[i].doubtful || column_changed(r, w->columns[i].column)))
            bits |= bit;
    }
    if (w->whole && !(bits & shared) && others_changed(r, w))
        bits |= shared;
    return bits;
}

static rsq_value key_value(row *r, uint32_t column, side s)
{
    sqlite3_value *v;
    int type, len;

    if (column == RSQ_KEY_ROWID)
        return rsq_integer(s == BEFORE ? r->key1 : r->key2);
    v = value_of(r, column, s);
    if (!v)
        return rsq_null();
    type = sqlite3_value_type(v);
    switch (type) {
    case SQLITE_INTEGER:
        return rsq_integer(sqlite3_value_int64(v));
    case SQLITE_FLOAT:
        return rsq_real(sqlite3_value_double(v));
    case SQLITE_TEXT: {
        const char *text = bytes_of(r, v, type, &len);

        return rsq_text_n(text ? text : "", (uint32_t)len);
    }
    case SQLITE_BLOB: {
        const void *blob = bytes_of(r, v, type, &len);

        return rsq_blob(blob ? blob : "", (uint32_t)len);
    }
    default:
        return rsq_null();
    }
}

static void take_point(row *r, rsq_change_log *log, const rsq_key_spec *key, side s, rsq_key_point *p)
{
    size_t nequal = key->ncolumns - (key->ranged ? 1 : 0);
    uint64_t h = RSQ_KEY_HASH_BEGIN;

    p->last = rsq_null();
    for (size_t i = 0; i < key->ncolumns && !r->failed; i++) {
        rsq_value v = key_value(r, key->columns[i].column, s);

        if (r->failed)
            return;
        if (i < nequal)
            h = rsq_key_hash(h, &v, key->columns[i].collation);
        else
            p->last = v;
    }
    if (!rsq_change_log_keep(log, &p->last))
        r->failed = true;
    p->hash = h;
    p->there = true;
}

static bool is_same_point(const rsq_change_log *log, const rsq_key_point *a, const rsq_key_point *b)
{
    rsq_value x = rsq_change_log_value(log, &a->last), y = rsq_change_log_value(log, &b->last);

    return a->hash == b->hash && rsq_key_compare(&x, &y, RSQ_COLLATION_BINARY) == 0;
}

/* Where the row lies on each key, before and after. */
static void take_points(row *r, rsq_change_log *log, rsq_table_change *t, uint64_t bits)
{
    const rsq_watch_table *w = t->watch;
    rsq_key_point *points = rsq_change_log_add_row(log, t, bits);

    for (size_t i = 0; points && i < w->nkeys && !r->failed; i++) {
        rsq_key_point *before = &points[i], *after = &points[w->nkeys + i];

        if (r->op != SQLITE_INSERT && !(r->op == SQLITE_UPDATE && RSQ_PLANTED(RSQ_PLANT_OLD_KEY)))
            take_point(r, log, &w->keys[i], BEFORE, before);
        if (r->op != SQLITE_DELETE && !r->failed)
            take_point(r, log, &w->keys[i], AFTER, after);
        if (before->there && after->there && !r->failed && is_same_point(log, before, after))
            after->there = false;
    }
}

/* The same by row ids alone, which often come one after the other. */
static void take_rowids(const row *r, rsq_change_log *log, rsq_table_change *t, uint64_t bits)
{
    if (r->key1 != r->key2 && !RSQ_PLANTED(RSQ_PLANT_OLD_KEY) &&
        !rsq_change_log_add_rowid(log, t, r->key1, bits))
        return;
    (void)rsq_change_log_add_rowid(log, t, r->key2, bits);
}

static void capture_row(rsq_conn *c, row *r)
{
    rsq_capture *cap = &c->capture;
    rsq_table_change *t = cap->table;
    const rsq_watch_table *w = t->watch;
    bool keyed = w->nkeys > 0;
    uint64_t bits = RSQ_WATCH_ROW;

    if (t->unknown || (!keyed && t->bits == RSQ_WATCH_ROW))
        return;
    if (r->op == SQLITE_UPDATE && cap->spared && r->key1 == r->key2) {
        t->others = true;
        return;
    }
    /* One value of a row, which is reported as the row's end. */
    if (r->op == SQLITE_DELETE && sqlite3_preupdate_blobwrite(r->db) >= 0) {
        t->unknown = true;
        return;
    }
    if (r->op == SQLITE_UPDATE)
        bits = changed_bits(r, w, !(c->config->flags & RSQ_OPEN_NO_VALUE_LEVEL), keyed ? 0 : t->bits);
    t->bits |= bits;
    /* Only for the account of who was spared by what. */
    if (!bits && !t->others)
        t->others = others_changed(r, w);
    if (keyed && bits && rsq_watch_by_rowid(w) && !(c->config->flags & RSQ_OPEN_NO_SHORTCUTS))
        take_rowids(r, cap->log, t, bits);
    else if (keyed && bits)
        take_points(r, cap->log, t, bits);
    if (r->failed)
        t->unknown = true;
}

/* The entry of a table that is watched. NULL: it is not, or there is no memory. */
static rsq_table_change *find_table(rsq_conn *c, const char *schema, const char *table)
{
    rsq_capture *cap = &c->capture;
    const rsq_watch_table *w;
    rsq_table_change *t;

    if (!cap->watching) {
        cap->watching = true;
        if (c->config->board)
            rsq_watch_board_take(c->config->board, &cap->watch);
    }
    w = cap->watch ? rsq_watch_find(cap->watch, schema, table) : NULL;
    if (!w || cap->untold)
        return NULL;
    if (!cap->log)
        cap->log = rsq_change_log_new(cap->watch);
    t = cap->log ? rsq_change_log_table(cap->log, w) : NULL;
    if (!t)
        cap->untold = true;
    return t;
}

/* Is it a row that the statement that runs removes to make room? For RSQ_PLANT_VICTIM. */
static bool is_victim(sqlite3 *db, int op)
{
    sqlite3_stmt *s = NULL;

    if (op != SQLITE_DELETE || sqlite3_preupdate_depth(db) > 0)
        return false;
    while ((s = sqlite3_next_stmt(db, s)) != NULL) {
        const char *sql = sqlite3_stmt_busy(s) ? sqlite3_sql(s) : NULL;

        if (sql && !sqlite3_stmt_readonly(s) && sqlite3_strnicmp(sql, "DELETE", 6) != 0)
            return true;
    }
    return false;
}

/* Would the defect that is planted overlook the row? */
static bool is_overlooked(const rsq_capture *cap, sqlite3 *db, int op, const char *table)
{
    return (RSQ_PLANTED(RSQ_PLANT_TRIGGER) && sqlite3_preupdate_depth(db) > 0) ||
           (RSQ_PLANTED(RSQ_PLANT_VICTIM) && is_victim(db, op)) ||
           (RSQ_PLANTED(RSQ_PLANT_FIRST_TABLE) && cap->last_table && cap->last_table != table);
}

/* Does the statement that runs change nothing that is watched in the rows of the table that it updates? */
static bool is_spared(const rsq_capture *cap, const char *schema, const char *table)
{
    return cap->runs && rsq_target_is(cap->runs->target, schema, table) &&
           rsq_stmt_spares(cap->runs, cap->table->watch);
}

void rsq_capture_preupdate(void *conn, sqlite3 *db, int op, const char *schema, const char *table,
                           sqlite3_int64 key1, sqlite3_int64 key2)
{
    rsq_conn *c = conn;
    rsq_capture *cap = &c->capture;
    row r = {.db = db, .op = op, .key1 = key1, .key2 = key2, .utf8 = c->utf8};

    if (!c->locked)
        rsq_conn_note_lock(c);
    if (is_overlooked(cap, db, op, table))
        return;
    if (RSQ_PLANTED(RSQ_PLANT_ATTACHED))
        schema = "main";
    /* Both names belong to the schema, which cannot change while a statement runs. */
    if (table != cap->last_table || schema != cap->last_schema) {
        cap->last_table = table;
        cap->last_schema = schema;
        cap->table = NULL;
        cap->spared = false;
        cap->ended = false;
        if (sqlite3_preupdate_depth(db) > 0)
            cap->nested = true;
        /* Temporary tables are the writer's own, and no reader can see them, unless there is but one
         * connection. */
        if (c->role == RSQ_CONN_ONLY || sqlite3_stricmp(schema, "temp") != 0) {
            rsq_table_bits_add(&cap->statement, rsq_tables_number(&cap->tables, schema, table));
            cap->table = find_table(c, schema, table);
            /* The schema that is watched may be an older one. */
            if (cap->table && (uint32_t)sqlite3_preupdate_count(db) != cap->table->watch->ncolumns)
                cap->table->unknown = true;
            cap->spared = cap->table && is_spared(cap, schema, table);
        }
    }
    if (cap->table && (cap->table->watch->rowid || !RSQ_PLANTED(RSQ_PLANT_NO_ROWID)))
        capture_row(c, &r);
}

/* The program's own may do anything, such as change another table. */
static bool has_functions(rsq_conn *c)
{
    return rsq_functions_ask(&c->functions, c->db) != SQLITE_OK || !rsq_names_empty(&c->functions.names);
}

/*
 * Of a table that nobody watches, or that is known to be changed as a whole, rows
 * tell nothing more than its name. So a batch that changes no other table goes on
 * without the hook, which costs more than all else that the library does for a row.
 *
 * Which tables a statement can change is the authorizer's word: it names those of
 * triggers and of foreign keys too. Behind a virtual table, which it cannot tell
 * from others, there are tables that it does not name; but of that one the hook
 * reports no row, so nothing is told of it, and it is reported on.
 */
static bool is_told(const rsq_capture *cap, const char *target)
{
    const rsq_table_change *t = cap->table;

    if (!cap->last_table || !rsq_target_is(target, cap->last_schema, cap->last_table))
        return false;
    return !t || t->unknown || (t->bits == RSQ_WATCH_ROW && t->watch->nkeys == 0);
}

bool rsq_capture_rest(rsq_conn *c, const rsq_stmt *s)
{
    if (!s->target || (c->config->flags & RSQ_OPEN_NO_SHORTCUTS) || !is_told(&c->capture, s->target) ||
        rsq_stmt_was_reprepared(s) || has_functions(c))
        return false;
    sqlite3_preupdate_hook(c->db, NULL, NULL);
    return true;
}

void rsq_capture_resume(rsq_conn *c)
{
    sqlite3_preupdate_hook(c->db, rsq_capture_preupdate, c);
}

static void forget_statement(rsq_capture *cap)
{
    cap->last_table = NULL;
    cap->last_schema = NULL;
    cap->table = NULL;
    cap->runs = NULL;
}

static void keep_statement(rsq_capture *cap)
{
    rsq_table_bits_merge(&cap->transaction, &cap->statement);
    cap->ended = true;
}

void rsq_capture_statement_begin(rsq_conn *c)
{
    /* Rows between two statements: FTS5 writes what it holds back when a savepoint begins. */
    if (!c->capture.ended)
        keep_statement(&c->capture);
    rsq_table_bits_clear(&c->capture.statement);
    if (rsq_table_bits_empty(&c->capture.transaction))
        rsq_tables_trim(&c->capture.tables);
    c->capture.nested = false;
    forget_statement(&c->capture);
}

void rsq_capture_statement_is(rsq_conn *c, rsq_stmt *s)
{
    const uint32_t without = RSQ_OPEN_NO_SHORTCUTS | RSQ_OPEN_NO_VALUE_LEVEL;
    rsq_watch_board *board = c->config->board;

    if (!(s->kind & RSQ_STMT_UPDATES) || !s->target || (c->config->flags & without) || !board ||
        atomic_load_explicit(&board->epoch, memory_order_relaxed) == 0 || has_functions(c))
        return;
    if (!s->sets_known)
        rsq_stmt_find_sets(c, s);
    c->capture.runs = s;
}

void rsq_capture_statement_end(rsq_conn *c, uint32_t kind)
{
    keep_statement(&c->capture);
    forget_statement(&c->capture);
    if ((kind & RSQ_STMT_SCHEMA) && !RSQ_PLANTED(RSQ_PLANT_SCHEMA))
        c->capture.transaction.all = true;
}

void rsq_capture_statement_drop(rsq_conn *c)
{
    /* Rows that it has in the log stay there: of a table that others changed too, they wake once too often.
     */
    rsq_table_bits_clear(&c->capture.statement);
    c->capture.ended = true;
    forget_statement(&c->capture);
}

void rsq_capture_end(rsq_conn *c)
{
    rsq_capture *cap = &c->capture;

    rsq_table_bits_clear(&cap->transaction);
    rsq_change_log_free_all(cap->log);
    cap->log = NULL;
    cap->untold = false;
    cap->watching = false;
    forget_statement(cap);
}

void rsq_capture_drop(rsq_conn *c)
{
    /* Of the statement only the names stay, for its result. */
    c->capture.ended = true;
    rsq_capture_end(c);
}

void rsq_capture_commit(rsq_conn *c, rsq_changes *to)
{
    rsq_capture *cap = &c->capture;

    to->tables.all = to->tables.all || cap->transaction.all;
    for (int i = rsq_table_bits_next(&cap->transaction, 0); i >= 0;
         i = rsq_table_bits_next(&cap->transaction, i + 1))
        rsq_names_add_text(&to->tables, cap->tables.names[i].text);
    /* A log that holds nothing says that of all that is watched nothing changed. */
    if (cap->watch && !cap->log && !cap->untold)
        cap->log = rsq_change_log_new(cap->watch);
    if (!cap->log || cap->untold) {
        to->untold = true;
        return;
    }
    cap->log->next = to->logs;
    to->logs = cap->log;
    cap->log = NULL;
}

void rsq_capture_fini(rsq_capture *cap)
{
    rsq_tables_fini(&cap->tables);
    rsq_change_log_free_all(cap->log);
    rsq_watch_unref(cap->watch);
}

void rsq_capture_assert(rsq_conn *c)
{
    /* Setting the hook returns the context of the one before: the session extension would have replaced ours.
     */
    void *before = sqlite3_preupdate_hook(c->db, rsq_capture_preupdate, c);

    assert(before == c);
    if (before != c)
        c->capture.transaction.all = true;
}
