/*
 * The baseline: SQLite used well, by hand, in C.
 *
 * Connections have the settings that the library gives its own (write-ahead log
 * with a checkpoint every 1,000 pages, synchronous NORMAL, page cache, memory map,
 * foreign keys, no mutexes, stable query plans), statements are prepared once and kept, and every loop is
 * here in one function, so that a measured operation costs one call and not a wrapper for each cell. It is
 * the same SQLite object code that the library runs on.
 *
 * No type of SQLite leaves this header. A function that returns false or NULL has
 * failed; raw_message() says why. One thread at a time per connection.
 */
#ifndef BENCH_RAW_RAW_H
#define BENCH_RAW_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <resqlite.h> /* rsq_value: parameters of any type, borrowed and bound in place */

typedef struct raw_db raw_db;
typedef struct raw_stmt raw_stmt;

/* Bits for raw_open(). */
enum {
    RAW_CREATE = 1u << 0,
    RAW_HOOK = 1u << 1,     /* with a preupdate hook that does nothing */
    RAW_READONLY = 1u << 2, /* as the library opens its readers */
    RAW_SYNC_FULL = 1u << 3,
    RAW_NO_CHECKPOINT = 1u << 4, /* none by itself */
    RAW_MUTEXES = 1u << 5,       /* SQLite guards the connection itself */
    RAW_EXCLUSIVE = 1u << 6      /* locking_mode: nobody else may open the file meanwhile */
};

/* One row for an insert; the text is borrowed for the call and bound in place. */
typedef struct raw_pair {
    const char *text;
    size_t len;
    double real;
} raw_pair;

/* Four of the columns of a wide row; the text is borrowed and bound in place. */
typedef struct raw_quad {
    int64_t first;
    double real;
    const char *text;
    size_t len;
    int64_t last;
} raw_quad;

#define RAW_QUADS 5 /* in a wide row */

/* Never NULL but for lack of memory; raw_ok() says whether the connection works. */
raw_db *raw_open(const char *path, unsigned flags);
bool raw_ok(const raw_db *db);
void raw_close(raw_db *db); /* NULL is a no-op; statements first */

/* What the last failure on the connection was; borrowed until the next call on it. */
const char *raw_message(const raw_db *db);

/* Any SQL, for set-up. */
bool raw_exec(raw_db *db, const char *sql);

/* A statement that is kept. */
raw_stmt *raw_prepare(raw_db *db, const char *sql);
void raw_finalize(raw_stmt *s); /* NULL is a no-op */

/* Add a visit of every cell of every row to `sum`; each cell by its type, as code does that takes any query.
 */
bool raw_visit(raw_stmt *s, uint64_t *sum);

/* The same with `key` bound to the first parameter. */
bool raw_visit_key(raw_stmt *s, int64_t key, uint64_t *sum);

/* The same for the table `items`, by code that knows its columns and asks for no type. */
bool raw_visit_item_typed(raw_stmt *s, int64_t key, uint64_t *sum);

/* The same with any parameters. */
bool raw_visit_with(raw_stmt *s, const rsq_value *params, size_t count, uint64_t *sum);

/* A statement without rows, with any parameters. */
bool raw_run_with(raw_stmt *s, const rsq_value *params, size_t count);

/* `rows` times the same in one transaction, begun and committed by kept statements: parameters row by row. */
bool raw_run_batch(raw_db *db, raw_stmt *s, const rsq_value *params, size_t rows, size_t columns);

/* Every byte of every cell into `hash`. `key`: NULL for a statement without parameter. */
bool raw_hash(raw_stmt *s, const int64_t *key, uint64_t *hash);

/* The statement's only cell is JSON text: into `hash` as hash_json() does. */
bool raw_hash_json(raw_stmt *s, uint64_t *hash);

/* `rows` rows through an insert of (text, real), each in a transaction of its own. */
bool raw_insert_each(raw_stmt *insert, const raw_pair *rows, size_t count);

/* The same in one transaction, begun and committed by kept statements. */
bool raw_insert_batch(raw_db *db, raw_stmt *insert, const raw_pair *rows, size_t count);

/* The same with wide rows: `rows` times RAW_QUADS quads. */
bool raw_insert_wide(raw_db *db, raw_stmt *insert, const raw_quad *quads, size_t rows);

/* A transaction around other calls, by kept statements. */
bool raw_begin(raw_db *db);
bool raw_commit(raw_db *db);

/* `update` has the parameters text, real and key; row i goes to key i + 1. One transaction. */
bool raw_update_batch(raw_db *db, raw_stmt *update, const raw_pair *rows, size_t count);

/*
 * Insert `value`, count the rows, and if there are more than `limit`, delete those of that value: one
 * transaction. `*counted` is what was counted.
 */
typedef struct raw_dialogue {
    raw_stmt *insert, *count, *remove; /* borrowed */
    int64_t value, limit;
} raw_dialogue;
bool raw_converse(raw_db *db, const raw_dialogue *d, int64_t *counted);

/* `count` savepoints in one transaction with an insert in each: one after the other, or each inside the one
 * before. `save` and `release` are kept statements of one name. */
bool raw_nest(raw_db *db, raw_stmt *save, raw_stmt *release, raw_stmt *insert, const raw_pair *rows,
              size_t count, bool deep);

/* The i-th flag that SQLite was compiled with, for the header of a report; NULL after the last. */
const char *raw_compile_option(int i);

#endif
