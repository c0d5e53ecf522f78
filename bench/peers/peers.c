/*
 * What people would use instead, in the same run: plans, and the cases made of
 * them. Peers that are not installed are taken out of the cases; the header of
 * the results says so.
 */
#include "peers/peers.h"

#include <string.h>

#include "peers/process.h"

#define TABLE_ITEMS                                                                              \
    "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL, " \
    "value REAL NOT NULL, category TEXT NOT NULL, created_at TEXT NOT NULL)"
#define ROWS_ITEMS(n)                                                                                    \
    "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < " #n ") "              \
    "INSERT INTO items(id, name, description, value, category, created_at) SELECT i + 1, 'Item ' || i, " \
    "'This is a description for item number ' || i || ' with some padding text to simulate real data', " \
    "i * 1.5, 'category_' || (i % 10), '2026-04-0' || (i % 9 + 1) || 'T12:00:00Z' FROM c"
#define TABLE_CATEGORIES                                                                   \
    "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL, value REAL NOT NULL, " \
    "category TEXT NOT NULL)"
#define ROWS_CATEGORIES                                                                   \
    "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < 5000) " \
    "INSERT INTO items(id, name, value, category) SELECT i + 1, 'Item ' || i, i * 1.5, "  \
    "'cat_' || (i % 10) FROM c"
#define TABLE_T "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT NOT NULL, value REAL NOT NULL)"
#define INSERT_T "INSERT INTO t(name, value) VALUES (?, ?)"
/* With a condition, so that it empties the table row by row, hook or no hook. */
#define EMPTY_T "DELETE FROM t WHERE true"
#define CONTENT_T "SELECT * FROM t ORDER BY id"
#define TABLE_LIVE "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL, value INTEGER NOT NULL)"
#define ROWS_LIVE                                                                        \
    "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < 100) " \
    "INSERT INTO items(id, name, value) SELECT i + 1, 'item_' || i, i FROM c"

static const plan plans[] = {
    {
        .name = "rows-1000",
        .kind = PLAN_ROWS,
        .schema = {TABLE_ITEMS, ROWS_ITEMS(1000)},
        .sql = "SELECT * FROM items",
        .hashed = 1,
    },
    {
        .name = "json-1000",
        .kind = PLAN_JSON,
        .schema = {TABLE_ITEMS, ROWS_ITEMS(1000)},
        .sql = "SELECT * FROM items",
        .sql_json1 =
            "SELECT json_group_array(json_object('id', id, 'name', name, 'description', description, "
            "'value', value, 'category', category, 'created_at', created_at)) FROM items",
        .hashed = 1,
    },
    {
        .name = "point",
        .kind = PLAN_ROWS,
        .schema = {TABLE_ITEMS, ROWS_ITEMS(1000)},
        .sql = "SELECT * FROM items WHERE id = ?",
        .params = {{PLAN_RANDOM, 1000, 0x5eed, ""}},
        .nparams = 1,
        .hashed = 200,
    },
    {
        .name = "look-up-100",
        .kind = PLAN_ROWS,
        .schema = {TABLE_ITEMS, ROWS_ITEMS(100)},
        .sql = "SELECT * FROM items WHERE id = ?",
        .params = {{PLAN_INTEGER, 100, 1, ""}},
        .nparams = 1,
        .hashed = 100,
    },
    {
        .name = "parameterised",
        .kind = PLAN_ROWS,
        .schema = {TABLE_CATEGORIES, ROWS_CATEGORIES, "CREATE INDEX idx_category ON items(category)"},
        .sql = "SELECT * FROM items WHERE category = ?",
        .params = {{PLAN_TEXT, 10, 0, "cat_"}},
        .nparams = 1,
        .hashed = 10,
    },
    {
        .name = "insert",
        .kind = PLAN_EXECUTE,
        .schema = {TABLE_T},
        .sql = INSERT_T,
        .params = {{PLAN_TEXT, 10000, 0, "item_"}, {PLAN_HALVES, 10000, 0, ""}},
        .nparams = 2,
        .empty = EMPTY_T,
        .content = CONTENT_T,
        .hashed = 50,
    },
    {
        .name = "batch-1000",
        .kind = PLAN_BATCH,
        .schema = {TABLE_T},
        .sql = INSERT_T,
        .params = {{PLAN_TEXT, 10000, 0, "item_"}, {PLAN_HALVES, 10000, 0, ""}},
        .nparams = 2,
        .batch = 1000,
        .empty = EMPTY_T,
        .content = CONTENT_T,
        .hashed = 2,
    },
    {
        .name = "live-count",
        .kind = PLAN_LIVE,
        .schema = {TABLE_LIVE, ROWS_LIVE},
        .sql = "INSERT INTO items(id, name, value) VALUES (?, 'new', 1)",
        .params = {{PLAN_CALL, 1, 1000000, ""}},
        .nparams = 1,
        .watch = "SELECT COUNT(*) AS n, SUM(value) AS total FROM items",
        .expect = "n",
        .expect_add = 100,
    },
    {
        .name = "live-rows-100",
        .kind = PLAN_LIVE,
        .schema = {TABLE_LIVE, ROWS_LIVE},
        .sql = "UPDATE items SET value = ? WHERE id = 1",
        .params = {{PLAN_CALL, 1, 1000, ""}},
        .nparams = 1,
        .watch = "SELECT id, name, value FROM items ORDER BY id",
        .expect = "value",
        .expect_add = 1000,
    },
};

const plan *peers_plan(const char *name)
{
    for (size_t i = 0; i < BENCH_LENGTH(plans); i++) {
        if (strcmp(plans[i].name, name) == 0)
            return &plans[i];
    }
    return NULL;
}

const plan *peers_plan_of(const bench_case *of)
{
    return peers_plan(of->name);
}

/* ------------------------------------------------------------------ cases -- */

#define PROGRAM(as, which)                                      \
    {                                                           \
        .name = (as), .ops = &peers_process, .variant = (which) \
    }
#define PROGRAM_JSON(as, which)                                      \
    {                                                                \
        .name = (as), .ops = &peers_process_json, .variant = (which) \
    }

#define PLAIN_CASE(as, what, rows, ms)                                                        \
    {                                                                                         \
        .workload = "peers", .name = (as), .unit = (what), .size = (rows), .sample_ms = (ms), \
        .peers = {{.name = "sqlite3", .ops = &peers_sqlite},                                  \
                  {.name = "resqlite", .ops = &peers_library},                                \
                  PROGRAM("better-sqlite3", PROCESS_BETTER_SQLITE3),                          \
                  PROGRAM("aiosqlite", PROCESS_AIOSQLITE),                                    \
                  PROGRAM("sqlitecpp", PROCESS_SQLITECPP)},                                   \
    }

#define LIVE_CASE(as)                                                                                  \
    {                                                                                                  \
        .workload = "peers", .name = (as), .unit = "us/write and event", .size = 100, .sample_ms = 20, \
        .peers = {{.name = "sqlite3", .ops = &peers_sqlite},                                           \
                  {.name = "resqlite", .ops = &peers_library},                                         \
                  PROGRAM("pglite", PROCESS_PGLITE)},                                                  \
    }

/* Not constant: bench_peers_look() takes out peers that are not here. */
static bench_case cases[] = {
    PLAIN_CASE("rows-1000", "us/read", 1000, 20),
    {
        .workload = "peers",
        .name = "json-1000",
        .unit = "us/read",
        .size = 1000,
        .sample_ms = 20,
        .peers = {{.name = "sqlite3+json1", .ops = &peers_sqlite_json},
                  {.name = "resqlite", .ops = &peers_library_json},
                  PROGRAM_JSON("better-sqlite3", PROCESS_BETTER_SQLITE3),
                  PROGRAM_JSON("aiosqlite", PROCESS_AIOSQLITE),
                  PROGRAM_JSON("sqlitecpp", PROCESS_SQLITECPP)},
    },
    PLAIN_CASE("point", "us/query", 1000, 4),
    PLAIN_CASE("look-up-100", "us/query", 100, 4),
    PLAIN_CASE("parameterised", "us/query", 5000, 20),
    PLAIN_CASE("insert", "us/insert", 1, 60),
    PLAIN_CASE("batch-1000", "us/batch", 1000, 60),
    LIVE_CASE("live-count"),
    LIVE_CASE("live-rows-100"),
};

static void take_out(bench_case *c, int which)
{
    size_t kept = 0;

    for (size_t i = 0; i < BENCH_PEERS_MAX && c->peers[i].name; i++) {
        if (strcmp(c->peers[i].name, process_name(which)) != 0)
            c->peers[kept++] = c->peers[i];
    }
    if (kept < BENCH_PEERS_MAX)
        c->peers[kept] = (bench_peer){.name = NULL};
}

static bool looked;
static bool found[PROCESSES];
static bench_program programs[PROCESSES];

bool peers_is_here(int which)
{
    bench_peers_look();
    return found[which];
}

const bench_program *bench_peers_found(size_t *n)
{
    *n = looked ? PROCESSES : 0;
    return looked ? programs : NULL;
}

void bench_peers_look(void)
{
    if (looked)
        return;
    looked = true;
    for (int which = 0; which < PROCESSES; which++) {
        char version[200];
        bench_program *p = &programs[which];

        found[which] = process_find(which, version, sizeof version);
        p->name = process_name(which);
        snprintf(p->version, sizeof p->version, "%s%s", found[which] ? "" : "MISSING: ", version);
        for (size_t i = 0; !found[which] && i < BENCH_LENGTH(cases); i++)
            take_out(&cases[i], which);
    }
}

const bench_area bench_area_peers = {cases, BENCH_LENGTH(cases)};
