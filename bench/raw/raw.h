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

typedef struct raw_db raw_db;
typedef struct raw_stmt raw_stmt;

/* Bits for raw_open(). */
enum {
    RAW_CREATE = 1u << 0,
    RAW_HOOK = 1u << 1,    /* with a preupdate hook that does nothing */
    RAW_READONLY = 1u << 2 /* as the library opens its readers */
};

/* One row for an insert; the text is borrowed for the call and bound in place. */
typedef struct raw_pair {
    const char *text;
    size_t len;
    double real;
} raw_pair;

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

/* Every byte of every cell into `hash`. `key`: NULL for a statement without parameter. */
bool raw_hash(raw_stmt *s, const int64_t *key, uint64_t *hash);

/* The statement's only cell is JSON text: into `hash` as hash_json() does. */
bool raw_hash_json(raw_stmt *s, uint64_t *hash);

/* `rows` rows through an insert of (text, real), each in a transaction of its own. */
bool raw_insert_each(raw_stmt *insert, const raw_pair *rows, size_t count);

/* The same in one transaction, begun and committed by kept statements. */
bool raw_insert_batch(raw_db *db, raw_stmt *insert, const raw_pair *rows, size_t count);

/* The i-th flag that SQLite was compiled with, for the header of a report; NULL after the last. */
const char *raw_compile_option(int i);

#endif
