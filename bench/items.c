/*
 * The standard table; see items.h. SQLite makes the rows itself: the same
 * statement gives the same file for every peer, so no peer reads a better packed
 * b-tree than another.
 */
#include "items.h"

#include <stdio.h>

#include "raw/raw.h"

static const char table[] = "CREATE TABLE items("
                            "id INTEGER PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL, "
                            "value REAL NOT NULL, category TEXT NOT NULL, created_at TEXT NOT NULL)";

static const char rows_format[] =
    "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < %zu) "
    "INSERT INTO items(name, description, value, category, created_at) "
    "SELECT 'Item ' || i, "
    "'This is a description for item number ' || i || ' with some padding text to simulate real data', "
    "i * 1.5, 'category_' || (i %% 10), '2026-04-0' || (i %% 9 + 1) || 'T12:00:00Z' FROM c";

void items_sql_numbered(unsigned i, char sql[ITEMS_NUMBERED_LEN])
{
    snprintf(sql, ITEMS_NUMBERED_LEN, "SELECT * FROM items AS items_%03u WHERE id = ?", i);
}

bool items_make(const bench_ctx *at, size_t rows)
{
    char insert[sizeof rows_format + 32];
    raw_db *db = raw_open(at->path, RAW_CREATE);
    bool ok;

    snprintf(insert, sizeof insert, rows_format, rows);
    ok = db && raw_ok(db) && raw_exec(db, table) && raw_exec(db, insert);
    if (!ok)
        bench_fail(at, "make the table: %s", raw_message(db));
    raw_close(db);
    return ok;
}
