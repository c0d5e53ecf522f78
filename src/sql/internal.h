/*
 * What the files of src/sql share: the connection's struct and the functions
 * between them. Nobody outside this folder includes it.
 */
#ifndef RSQ_SQL_INTERNAL_H
#define RSQ_SQL_INTERNAL_H

/* Declares the preupdate hook in sqlite3.h; whether the library has it is checked when a database is opened.
 */
#ifndef SQLITE_ENABLE_PREUPDATE_HOOK
#define SQLITE_ENABLE_PREUPDATE_HOOK 1
#endif
#include <limits.h>
#include <sqlite3.h>

#include "base/error.h"
#include "result/builder.h"
#include "sql/changes.h"
#include "sql/conn.h"
#include "sql/functions.h"
#include "sql/notes.h"
#include "sql/stmt_cache.h"
#include "sql/tables.h"
#include "sql/walindex.h"

/* Transaction control, prepared when first used and kept: one parse in a connection's life. */
typedef enum rsq_control {
    RSQ_CONTROL_BEGIN,           /* a reader's */
    RSQ_CONTROL_BEGIN_IMMEDIATE, /* the writer's */
    RSQ_CONTROL_COMMIT,
    RSQ_CONTROL_ROLLBACK,
    RSQ_CONTROL_COUNT
} rsq_control;

/* What is done with a savepoint. */
typedef enum rsq_savepoint_verb {
    RSQ_SAVEPOINT_SET,
    RSQ_SAVEPOINT_RELEASE,
    RSQ_SAVEPOINT_ROLLBACK_TO,
    RSQ_SAVEPOINT_VERBS
} rsq_savepoint_verb;

/* Depths whose statements are kept, those of the two units (unit.c) among them. */
#define RSQ_SAVEPOINTS_KEPT 66

/* What the authorizer said while a statement was compiled; bits of rsq_stmt.kind. */
enum {
    RSQ_STMT_DML = 1u << 0,    /* inserts, updates or deletes rows: with SCHEMA, those of the schema */
    RSQ_STMT_SCHEMA = 1u << 1, /* changes the schema or the statistics: any query may change its answer */
    RSQ_STMT_READONLY = 1u << 2,
    RSQ_STMT_EXPLAIN = 1u << 3,
    RSQ_STMT_TEMP = 1u << 4, /* makes a temporary object */
    /* Does, or asks for, something that belongs to the connection: a setting, the count of the last change.
     */
    RSQ_STMT_CONNECTION = 1u << 5,
    RSQ_STMT_UPDATES = 1u << 6 /* sets columns */
};

#define RSQ_GUARD_TEMP_TEXT "temporary objects belong to one connection: use them inside rsq_transaction()"

/*
 * From this version on the preupdate hook is told all that is asked for. An older
 * one numbers columns behind one that is not stored otherwise, and tells NULL as
 * the value before of a column that ALTER TABLE added after the row was written.
 * 3.40.1 does, 3.54.1 does not; what lies between was not tried.
 */
#define RSQ_VERSION_TELLS_ROWS 3054001

/* The authorizer's state; see guard.c. */
typedef struct rsq_guard {
    bool compiling;    /* one of our own prepares is running */
    bool may_temp;     /* TEMP tables are allowed: inside a transaction */
    uint32_t kind;     /* collected RSQ_STMT_… */
    char refused[256]; /* why it was refused; empty: it was not */
    rsq_notes *notes;  /* borrowed; collects what is read, or NULL */
    /* Owned: "schema.table", whose rows it changes; NULL: none so far. A copy, since a compilation that finds
     * its schema outdated begins again with another one, and the first one's names are gone. */
    char *target;
    bool others; /* it may change rows of another one too */
} rsq_guard;

/* The preupdate hook's state; see capture.c. */
typedef struct rsq_capture {
    rsq_tables tables;          /* owned */
    rsq_table_bits statement;   /* tables changed by the statement that runs */
    rsq_table_bits transaction; /* by all statements of the open transaction */
    const char *last_table;     /* borrowed for the statement: the name the hook saw last */
    const char *last_schema;
    const rsq_stmt *runs;    /* borrowed: the statement, if it is known which columns it can change */
    bool spared;             /* in rows of `table` that it updates nothing that is watched changes */
    bool ended;              /* `statement` is in `transaction` */
    bool nested;             /* a trigger or a foreign key changed rows in the statement */
    bool watching;           /* `watch` is what this transaction looks at */
    bool untold;             /* there was no memory to note what it changed */
    rsq_watch *watch;        /* owned reference; NULL: nothing is watched */
    rsq_change_log *log;     /* owned; NULL: it has changed nothing that is watched */
    rsq_table_change *table; /* borrowed from `log`: of `last_table`; NULL: it is not watched */
} rsq_capture;

/* The log of one database, as the log hook saw it. */
typedef struct rsq_log {
    int pages;         /* after the last commit */
    int checkpoint_at; /* the size from which it is copied next */
} rsq_log;

typedef struct rsq_mapping rsq_mapping;

/* mapping.c: keep the memory maps of a reader's files over commits, if the flags allow. */
void rsq_conn_keep_mappings(rsq_conn *c);
void rsq_conn_free_mappings(rsq_conn *c);

/* One statement, or batch, that is measured; see timed.c. */
typedef struct rsq_write_times {
    int64_t began_ns;
    int64_t commit_ns; /* when its own commit began; 0: it has none */
    int64_t capture_ns;
    bool captured; /* a row, at least */
} rsq_write_times;

struct rsq_conn {
    /* Immutable after rsq_conn_open(). */
    const rsq_conn_config *config; /* borrowed; outlives the connection */
    rsq_conn_role role;
    bool wal; /* the main database is in WAL mode */

    /* The holder of the lease only; `db` also by rsq_conn_interrupt(). */
    sqlite3 *db;                              /* owned */
    rsq_mapping *mappings;                    /* owned; freed after `db` */
    rsq_stmt_cache statements;                /* owned; closed before `db` */
    sqlite3_stmt *control[RSQ_CONTROL_COUNT]; /* owned; NULL until first used */
    /* Owned; NULL until first used. */
    sqlite3_stmt *savepoints[RSQ_SAVEPOINTS_KEPT][RSQ_SAVEPOINT_VERBS];
    rsq_builder builder;
    rsq_guard guard;
    rsq_capture capture;
    rsq_walindex walindex;
    uint64_t snapshot_seq;
    bool snapshot_exact;      /* the copy in `walindex` is of the last snapshot, whose number is above */
    bool alone;               /* the next select opens the snapshot itself; see rsq_conn_snapshot_alone() */
    const _Atomic bool *stop; /* borrowed; see rsq_conn_watch() */
    int64_t busy_until_ns;    /* how long a lock of another process is waited for, once it is */
    rsq_stmt *scan;           /* borrowed from `statements`: half read; NULL: none */
    int scan_rc;              /* of its last step */
    bool broken;
    rsq_functions functions;   /* that the program added */
    size_t cell_stride;        /* of rsq_row; 0: not known yet */
    bool utf8;                 /* text is known to be stored as UTF-8 */
    bool encoding_known;       /* a table exists, so that it cannot change any more */
    int64_t last_insert_rowid; /* of the last INSERT of a caller's */

    /* Commits, kept by the log hook (checkpoint.c) and transaction.c. */
    rsq_log logs[RSQ_WALINDEX_MAX]; /* of main, then of the attached databases */
    unsigned logged;                /* databases whose log grew by the commit that is running */
    uint32_t raw_before;            /* change counter when the last commit of ours was done */
    bool locked; /* the transaction that runs has the write lock, and `raw_locked` is of then */
    uint32_t raw_locked;
    bool has_temp;    /* the transaction that runs may have made temporary objects */
    bool stale;       /* the schema changed: cached statements that read no table would not notice */
    bool left_rows;   /* the statement that ran last has failed, and may have left rows that it changed */
    bool unstoppable; /* a control statement is stepped */
    uint32_t origin;  /* of what is being written; 0 again after it was committed or undone */
    rsq_write_times times; /* of the statement that is measured */
    rsq_changes committed; /* waits for rsq_conn_take_changes() */
};

/*
 * The cells of the row that a statement stands on. sqlite3_column_value() costs
 * as much as all else that is done with a small cell, but its answers lie side by
 * side: SQLite calls a row "registers P1 through P1+P2-1" (opcode ResultRow). So
 * the first one is asked for, and how far apart two are, once per connection.
 */
typedef struct rsq_row {
    sqlite3_stmt *h;
    char *first;
    size_t stride; /* RSQ_ROW_NO_STRIDE: each is asked for */
} rsq_row;

#define RSQ_ROW_NO_STRIDE SIZE_MAX

/* rows.c: look how far the cells of a row are apart; it has `columns` of them. */
void rsq_row_measure(rsq_conn *c, sqlite3_stmt *h, size_t columns);

/* The row that `h` stands on now. Valid until the next step. */
static inline rsq_row rsq_row_of(rsq_conn *c, sqlite3_stmt *h, size_t columns)
{
    if (!c->cell_stride)
        rsq_row_measure(c, h, columns);
    return (rsq_row){h, (char *)sqlite3_column_value(h, 0),
                     c->cell_stride ? c->cell_stride : RSQ_ROW_NO_STRIDE};
}

static inline sqlite3_value *rsq_row_cell(const rsq_row *row, size_t i)
{
    if (row->stride == RSQ_ROW_NO_STRIDE)
        return sqlite3_column_value(row->h, (int)i);
    return (sqlite3_value *)(void *)(row->first + i * row->stride);
}

/* errors.c: turn the connection's last failure into an rsq_error; `what` (NULL: none) begins the message. */
rsq_code rsq_sql_error(rsq_conn *c, int rc, const char *what, rsq_error *err);

/* control.c: run a kept control statement; returns SQLite's code, the statement is reset. */
int rsq_conn_control(rsq_conn *c, rsq_control which);

/* control.c: the same for the savepoint of a depth, whose statement is kept unless it is very deep. */
int rsq_conn_control_savepoint(rsq_conn *c, rsq_savepoint_verb verb, unsigned depth);

/* control.c: free all of them. */
void rsq_conn_finalize_controls(rsq_conn *c);

/* transaction.c: drop the temporary objects that the writer has, if it may have some. SQLite's code. */
int rsq_conn_drop_temporary(rsq_conn *c);

/* control.c: compile all of them. */
int rsq_conn_prepare_controls(rsq_conn *c);

/* control.c: run SQL of our own, for set-up. */
int rsq_conn_run(rsq_conn *c, const char *sql);

/* guard.c */
int rsq_guard_authorize(void *guard, int action, const char *arg3, const char *arg4, const char *schema,
                        const char *inner);

/* capture.c */
void rsq_capture_preupdate(void *conn, sqlite3 *db, int op, const char *schema, const char *table,
                           sqlite3_int64 key1, sqlite3_int64 key2);
void rsq_capture_statement_begin(rsq_conn *c);
/* `s` runs until the end: what it cannot change is not looked at. */
void rsq_capture_statement_is(rsq_conn *c, rsq_stmt *s);
void rsq_capture_statement_end(rsq_conn *c, uint32_t kind);
void rsq_capture_statement_drop(rsq_conn *c);          /* it failed, and nothing of it is left */
void rsq_capture_drop(rsq_conn *c);                    /* it was rolled back */
void rsq_capture_commit(rsq_conn *c, rsq_changes *to); /* it is committed: added to `to` */
void rsq_capture_end(rsq_conn *c);                     /* the next row belongs to another transaction */
void rsq_capture_fini(rsq_capture *cap);
void rsq_capture_assert(rsq_conn *c);

/*
 * Between two runs of one statement, with a row changed before: take the hook
 * away if it would learn nothing more from this statement. True: it is away, and
 * rsq_capture_resume() is due before anything else is run or compiled.
 */
bool rsq_capture_rest(rsq_conn *c, const rsq_stmt *s);
void rsq_capture_resume(rsq_conn *c);

/* Compiled anew since it was prepared: then what the authorizer said does not hold any more. */
static inline bool rsq_stmt_was_reprepared(const rsq_stmt *s)
{
    return sqlite3_stmt_status(s->h, SQLITE_STMTSTATUS_REPREPARE, 0) != 0;
}

/* sets.c: find out which columns the statement, which has a target, can change. */
void rsq_stmt_find_sets(rsq_conn *c, rsq_stmt *s);
/* Is none of them watched, once they are known? */
bool rsq_stmt_spares(const rsq_stmt *s, const rsq_watch_table *w);

/* transaction.c: the write lock is ours, so the change counter stands still: note where. */
void rsq_conn_note_lock(rsq_conn *c);

/* conn.c: ask for the encoding of text, if it is not fixed yet. */
void rsq_conn_ask_encoding(rsq_conn *c);

/* checkpoint.c: have SQLite tell of each commit that wrote to a log. */
void rsq_conn_start_log(rsq_conn *c);

/*
 * Is a transaction left open on the writer's connection, since there was no memory to roll it back? What
 * joined it would be told that it is done, and go with it. (While one of ours runs TEMP tables are allowed.)
 */
static inline bool rsq_conn_has_leftover(const rsq_conn *c)
{
    return c->broken && c->role != RSQ_CONN_READER && !c->guard.may_temp && !sqlite3_get_autocommit(c->db);
}

/* transaction.c: then try once more, and fail: what is asked for may belong to that transaction. */
rsq_code rsq_conn_refuse_leftover(rsq_conn *c, rsq_error *err);

/* transaction.c: rsq_conn_begin(), whose failure is told as that of something else; `what` as above. */
rsq_code rsq_conn_begin_for(rsq_conn *c, uint32_t origin, const char *what, rsq_error *err);

/* transaction.c */
void rsq_conn_note_commit(rsq_conn *c);

/* The same after a statement of its own that failed, which may have kept rows all the same. */
void rsq_conn_note_failure(rsq_conn *c, int64_t total_before);

/* prepare.c: length of the white space, semicolons and comments that `sql` begins with. */
size_t rsq_sql_skip(const char *sql, size_t len);

/* prepare.c: one statement from the cache or compiled, checked to be alone. Borrowed until it is used again.
 */
rsq_code rsq_conn_prepare(rsq_conn *c, const rsq_request *rq, rsq_stmt **out, rsq_error *err);

/* prepare.c: compile without the cache; the caller finalises. */
rsq_code rsq_conn_compile(rsq_conn *c, const char *sql, size_t len, unsigned flags, sqlite3_stmt **out,
                          rsq_error *err);

/* prepare.c: the first statement of several, whatever follows; NULL: only white space. `len` may count a NUL
 * at the end. */
rsq_code rsq_conn_compile_next(rsq_conn *c, const char *sql, size_t len, unsigned flags, sqlite3_stmt **out,
                               const char **tail, rsq_error *err);

/* guard.c: "schema.table", if the statement that was compiled last can change rows of that table alone; NULL:
 * of others too, or of none, or no memory. Transferred: asked once. */
char *rsq_guard_take_target(rsq_guard *g);

/* guard.c: is it of this table? */
bool rsq_target_is(const char *target, const char *schema, const char *table);

/* prepare.c: what the statement that was compiled last is; RSQ_STMT_…. */
uint32_t rsq_stmt_kind(const rsq_conn *c, sqlite3_stmt *h);

/* Only rows: CREATE TABLE inserts too, into the schema; and what is explained does nothing. */
static inline bool rsq_stmt_is_dml(const rsq_stmt *s)
{
    return (s->kind & (RSQ_STMT_DML | RSQ_STMT_SCHEMA | RSQ_STMT_EXPLAIN)) == RSQ_STMT_DML;
}

/* write.c: the figures of a write. `room`: bytes behind the result. */
void rsq_conn_fill_result(rsq_conn *c, rsq_result *r, size_t room, int64_t changes);

/* write.c: after a statement of that kind. */
void rsq_conn_note_rowid(rsq_conn *c, uint32_t kind);

/* prepare.c: after a step: take columns anew if SQLite re-prepared the statement. False: no memory. */
bool rsq_stmt_refresh(rsq_stmt *s);

/* write.c: bind the request to its statement and run it, in the open transaction or in one of its own. `out`
 * may be NULL. */
rsq_code rsq_conn_execute_prepared(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, rsq_result **out,
                                   rsq_error *err);
/* row_key.c: mark the columns that are of a primary key. */
void rsq_stmt_mark_key(const rsq_stmt *s, rsq_columns *columns);

/* reads.c: what a query depends on, as rows. */
rsq_code rsq_conn_dependencies(rsq_conn *c, const rsq_request *rq, rsq_result **out, rsq_error *err);

/*
 * unit.c: what is undone as a whole, though SQLite would keep a part of it: a
 * transaction, or inside one a savepoint of a depth that no nested transaction
 * reaches. A list may hold a statement that is a unit itself, so there are two.
 */
#define RSQ_UNIT_STATEMENT UINT_MAX
#define RSQ_UNIT_LIST (UINT_MAX - 1)

typedef struct rsq_unit {
    rsq_conn *conn;
    bool alone; /* it is a transaction of its own */
    unsigned depth;
} rsq_unit;

rsq_code rsq_unit_begin(rsq_unit *u, rsq_conn *c, unsigned depth, uint32_t origin, rsq_error *err);
void rsq_unit_undo(const rsq_unit *u);
rsq_code rsq_unit_keep(const rsq_unit *u, rsq_error *err); /* on failure it is undone */

/* bind.c */
rsq_code rsq_stmt_bind(rsq_conn *c, rsq_stmt *s, const rsq_value *values, size_t n, rsq_error *err);
rsq_code rsq_stmt_bind_named(rsq_conn *c, rsq_stmt *s, const rsq_named *named, size_t n, rsq_error *err);
rsq_code rsq_stmt_bind_request(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, rsq_error *err);

/* What a read is measured for; see base/profile.h. */
typedef struct rsq_read_times {
    int64_t step_ns; /* in the steps to the second row and those after it */
} rsq_read_times;

/*
 * rows.c, rows_json.c: `rc` is the code of the last step, at first that of the
 * first. Take at most `rows_max` rows (`*rc` is SQLITE_ROW if there are more),
 * or collect all.
 */
rsq_code rsq_rows_take(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, int *rc, size_t rows_max,
                       rsq_result **out, rsq_error *err);
/* `times` NULL: not measured. */
rsq_code rsq_rows_take_json(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, int *rc, size_t rows_max,
                            rsq_read_times *times, rsq_result **out, rsq_error *err);
/* All rows; if they and their columns are those of `rq->like`, a reference to that. `times` may be NULL. */
rsq_code rsq_rows_compare(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, int rc, rsq_read_times *times,
                          rsq_result **out, rsq_error *err);
rsq_code rsq_rows_collect(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, int rc, rsq_result **out,
                          rsq_error *err);

/* one_row.c: find out whether the statement, which was just read to its end, has one row at most in any case.
 */
void rsq_stmt_ask_one_row(rsq_conn *c, rsq_stmt *s);

/* Reads after which that is asked. It costs some 30 us and saves 25 ns a read: no statement loses more than
 * it would have won. */
#define RSQ_ONE_ROW_READS 1000

/*
 * timed.c: what is between begin and end is SQLite's part of a write; a step of a
 * read, and its time added. rows.c: rsq_rows_take(), measured. Called only if
 * rsq_profile_on(); where that is the constant false, they are nothing.
 */
#if RSQ_PROFILE
void rsq_write_times_begin(rsq_conn *c);
void rsq_write_times_end(rsq_conn *c);
int rsq_step_timed(sqlite3_stmt *h, rsq_read_times *times);
rsq_code rsq_rows_take_timed(rsq_conn *c, rsq_stmt *s, const rsq_request *rq, int *rc, size_t rows_max,
                             rsq_read_times *times, rsq_result **out, rsq_error *err);
#else
#define rsq_write_times_begin(c) ((void)(c))
#define rsq_write_times_end(c) ((void)(c))
#define rsq_step_timed(h, times) sqlite3_step(h)
#define rsq_rows_take_timed(c, s, rq, rc, rows_max, times, out, err) \
    rsq_rows_take(c, s, rq, rc, rows_max, out, err)
#endif

/* The step after a row. `times` NULL: not measured. */
static inline int rsq_stmt_next(rsq_stmt *s, rsq_read_times *times)
{
    if (s->one_row)
        return SQLITE_DONE;
    return RSQ_PROFILE && times ? rsq_step_timed(s->h, times) : sqlite3_step(s->h);
}

#endif
