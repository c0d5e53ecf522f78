/*
 * Which commits wake a live query, and which do not: the table of docs/live-queries.md, line by line.
 *
 * A commit is matched with the live queries before the call that made it returns, so the counter `woken` says
 * at once whether it did; nothing is awaited but the first event, after which it is known what the query
 * reads. Each case also writes something that must wake the query, so that one which reads nothing would be
 * found.
 */
#include "fixture.h"

#define T "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, c, d DEFAULT 7)"
#define T_ROWS "INSERT INTO t VALUES (1, 10, 'x', 1.5, 1), (2, 20, 'y', 2.5, 2), (3, 30, 'z', NULL, 3)"
#define W "CREATE TABLE w(k TEXT, j INT, v, PRIMARY KEY(k, j)) WITHOUT ROWID"
#define W_ROWS "INSERT INTO w VALUES ('a', 1, 10), ('a', 2, 20), ('b', 1, 30)"

typedef struct wake_case {
    const char *id; /* of the line in the document */
    const char *setup[8];
    const char *query;
    const char *wakes[8];  /* each of them wakes the query */
    const char *spares[8]; /* none of them does */
} wake_case;

typedef struct keyed_case {
    wake_case line;
    rsq_value params[3];
    size_t nparams;
} keyed_case;

/* Values that may stand in a table of constants. */
#define I(n)                             \
    {                                    \
        .type = RSQ_INTEGER, .as.i = (n) \
    }
#define R(x)                          \
    {                                 \
        .type = RSQ_REAL, .as.d = (x) \
    }
#define X(s)                                                   \
    {                                                          \
        .type = RSQ_TEXT, .len = sizeof(s) - 1, .as.text = (s) \
    }
#define B(s)                                                   \
    {                                                          \
        .type = RSQ_BLOB, .len = sizeof(s) - 1, .as.blob = (s) \
    }

static const wake_case cases[] = {
    /* Kinds of write. */
    {"insert",
     {T, "CREATE TABLE u(x)"},
     "SELECT a FROM t",
     {"INSERT INTO t(a) VALUES (1)"},
     {"INSERT INTO u VALUES (1)"}},
    {"update",
     {T, T_ROWS},
     "SELECT a FROM t",
     {"UPDATE t SET a = a + 1", "UPDATE t SET a = 'q' WHERE id = 2"},
     {"UPDATE t SET a = 1 WHERE id = 99"}},
    {"delete",
     {T, T_ROWS},
     "SELECT a FROM t",
     {"DELETE FROM t WHERE id = 1"},
     {"DELETE FROM t WHERE id = 99"}},
    {"delete-all", {T, T_ROWS}, "SELECT count(*) FROM t", {"DELETE FROM t"}, {"DELETE FROM t"}},
    {"replace-rowid", {T, T_ROWS}, "SELECT a FROM t", {"REPLACE INTO t(id, a) VALUES (1, 5)"}, {NULL}},
    {"replace-unique",
     {"CREATE TABLE t(id INTEGER PRIMARY KEY, a UNIQUE, b)", "INSERT INTO t VALUES (1, 1, 1), (2, 2, 2)"},
     "SELECT count(*) FROM t",
     {"UPDATE OR REPLACE t SET a = 2 WHERE id = 1"},
     {"UPDATE t SET b = 5"}},
    {"upsert",
     {T, T_ROWS},
     "SELECT a FROM t",
     {"INSERT INTO t(id) VALUES (1) ON CONFLICT(id) DO UPDATE SET a = 99"},
     {"INSERT INTO t(id) VALUES (1) ON CONFLICT(id) DO UPDATE SET b = 99",
      "INSERT INTO t(id) VALUES (1) ON CONFLICT(id) DO NOTHING", "INSERT OR IGNORE INTO t(id) VALUES (2)"}},
    {"insert-select",
     {T, T_ROWS, "CREATE TABLE u(id INTEGER PRIMARY KEY, a, b, c, d)"},
     "SELECT count(*) FROM u",
     {"INSERT INTO u SELECT * FROM t"},
     {"INSERT INTO u SELECT * FROM t WHERE 0"}},
    {"rowid-change",
     {T, T_ROWS},
     "SELECT count(*) FROM t",
     {"UPDATE t SET id = 50 WHERE id = 1"},
     {"UPDATE t SET a = 50"}},
    {"without-rowid",
     {W, W_ROWS},
     "SELECT v FROM w",
     {"INSERT INTO w VALUES ('c', 1, 1)", "UPDATE w SET v = 11 WHERE k = 'a'", "DELETE FROM w WHERE k = 'b'",
      "REPLACE INTO w VALUES ('a', 1, 12)"},
     {"UPDATE w SET v = v", "UPDATE w SET k = k"}},
    {"primary-key-change",
     {W, W_ROWS},
     "SELECT count(*) FROM w",
     {"UPDATE w SET j = 9 WHERE k = 'b'"},
     {"UPDATE w SET v = 5"}},
    {"trigger",
     {T, T_ROWS, "CREATE TABLE u(x)",
      "CREATE TRIGGER tr AFTER INSERT ON u BEGIN UPDATE t SET a = new.x WHERE id = 1; END"},
     "SELECT a FROM t",
     {"INSERT INTO u VALUES (77)"},
     {"INSERT INTO u VALUES (77)", "UPDATE u SET x = 5"}},
    {"instead-of-trigger",
     {T, T_ROWS, "CREATE VIEW v AS SELECT a FROM t",
      "CREATE TRIGGER tr INSTEAD OF INSERT ON v BEGIN INSERT INTO t(a) VALUES (new.a); END"},
     "SELECT a FROM v",
     {"INSERT INTO v VALUES (1)"},
     {NULL}},
    {"cascade",
     {"CREATE TABLE p(id INTEGER PRIMARY KEY, n)",
      "CREATE TABLE q(p REFERENCES p(id) ON DELETE CASCADE ON UPDATE CASCADE, n)",
      "INSERT INTO p VALUES (1, 1), (2, 2), (3, 3)", "INSERT INTO q VALUES (1, 1), (2, 2)"},
     "SELECT p FROM q",
     {"DELETE FROM p WHERE id = 1", "UPDATE p SET id = 20 WHERE id = 2"},
     {"DELETE FROM p WHERE id = 3", "UPDATE p SET n = 5"}},
    {"set-null",
     {"CREATE TABLE p(id INTEGER PRIMARY KEY)", "CREATE TABLE q(p REFERENCES p(id) ON DELETE SET NULL, n)",
      "INSERT INTO p VALUES (1), (2)", "INSERT INTO q VALUES (1, 1)"},
     "SELECT p FROM q",
     {"DELETE FROM p WHERE id = 1"},
     {"DELETE FROM p WHERE id = 2"}},
    {"autoincrement",
     {"CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a)"},
     "SELECT id FROM t",
     {"INSERT INTO t(a) VALUES (1)"},
     {NULL}},
    {"fts5",
     {"CREATE VIRTUAL TABLE f USING fts5(x)", "CREATE TABLE u(x)"},
     "SELECT x FROM f WHERE f MATCH 'one'",
     {"INSERT INTO f VALUES ('one')", "UPDATE f SET x = 'two'", "DELETE FROM f",
      "INSERT INTO f(f, rank) VALUES ('rank', 'bm25(2.0)')"},
     {"INSERT INTO u VALUES (1)"}},
    {"fts5-content",
     {"CREATE TABLE t(id INTEGER PRIMARY KEY, x, y)",
      "CREATE VIRTUAL TABLE f USING fts5(x, content='t', content_rowid='id')", "CREATE TABLE u(x)"},
     "SELECT x FROM f",
     {"INSERT INTO t(x) VALUES ('one')", "INSERT INTO f(rowid, x) VALUES (1, 'one')",
      "UPDATE t SET x = 'two'"},
     {"INSERT INTO u VALUES (1)"}},
    {"rtree",
     {"CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)", "CREATE TABLE u(x)"},
     "SELECT id FROM r WHERE x0 > 1",
     {"INSERT INTO r VALUES (1, 2, 3)", "UPDATE r SET x0 = 1.5", "DELETE FROM r"},
     {"INSERT INTO u VALUES (1)"}},
    {"schema",
     {T, T_ROWS},
     "SELECT a FROM t",
     {"CREATE TABLE other(x)", "ALTER TABLE t ADD COLUMN e", "CREATE INDEX tb ON t(b)", "ANALYZE", "VACUUM",
      "DROP INDEX tb"},
     {NULL}},

    /* Columns. */
    {"column",
     {T, T_ROWS},
     "SELECT a FROM t WHERE c > 1",
     {"UPDATE t SET a = a + 1", "UPDATE t SET c = c + 1", "INSERT INTO t(b) VALUES (1)"},
     {"UPDATE t SET b = b || 'x'", "UPDATE t SET d = d + 1, b = 'k'"}},
    {"column-order",
     {T, T_ROWS},
     "SELECT a FROM t ORDER BY b",
     {"UPDATE t SET b = b || 'x'"},
     {"UPDATE t SET c = 5"}},
    {"column-index",
     {T, T_ROWS, "CREATE INDEX tab ON t(a, b)"},
     "SELECT a FROM t INDEXED BY tab WHERE a > 1",
     {"UPDATE t SET b = b || 'x'"},
     {"UPDATE t SET c = 5"}},
    {"column-join",
     {"CREATE TABLE p(x, y)", "CREATE TABLE q(x, z)", "INSERT INTO p VALUES (1, 1)",
      "INSERT INTO q VALUES (1, 1)"},
     "SELECT count(*) FROM p JOIN q USING (x)",
     {"UPDATE q SET x = 2", "UPDATE p SET x = 2"},
     {"UPDATE q SET z = 2", "UPDATE p SET y = 2"}},
    {"column-view",
     {T, T_ROWS, "CREATE VIEW v AS SELECT a FROM t WHERE b > 'a'"},
     "SELECT * FROM v",
     {"UPDATE t SET b = b || 'x'", "UPDATE t SET a = 0"},
     {"UPDATE t SET c = 9"}},
    {"rows-only",
     {T, T_ROWS},
     "SELECT count(*) FROM t",
     {"INSERT INTO t(a) VALUES (1)", "DELETE FROM t WHERE id = 1"},
     {"UPDATE t SET a = 5, b = 6, c = 7, d = 8"}},
    {"generated-virtual",
     {"CREATE TABLE g(id INTEGER PRIMARY KEY, a, b, v AS (a * 2), v2 AS (v + 1))",
      "INSERT INTO g VALUES (1, 1, 1)"},
     "SELECT v2 FROM g",
     {"UPDATE g SET a = 5"},
     {"UPDATE g SET b = 5"}},
    {"generated-stored",
     {"CREATE TABLE g(id INTEGER PRIMARY KEY, a, b, s AS (a / 10) STORED, s2 AS (s + 1) STORED)",
      "INSERT INTO g VALUES (1, 11, 1)"},
     "SELECT s2 FROM g",
     {"UPDATE g SET a = 25"},
     {"UPDATE g SET b = 5", "UPDATE g SET a = 26"}},
    {"generated-indexed",
     {"CREATE TABLE g(id INTEGER PRIMARY KEY, a, b, v AS (a * 2))", "CREATE INDEX gv ON g(v)",
      "INSERT INTO g VALUES (1, 1, 1)"},
     "SELECT v FROM g INDEXED BY gv WHERE v > 0",
     {"UPDATE g SET a = 5"},
     {"UPDATE g SET b = 5"}},
    {"index-partial",
     {T, T_ROWS, "CREATE INDEX ti ON t(a) WHERE d > 0"},
     "SELECT a FROM t INDEXED BY ti WHERE a > 0 AND d > 0",
     {"UPDATE t SET d = d - 2"},
     {"UPDATE t SET b = 5"}},
    {"index-expression",
     {T, T_ROWS, "CREATE INDEX ti ON t(a + d)"},
     "SELECT id FROM t INDEXED BY ti WHERE a + d > 0",
     {"UPDATE t SET d = d - 2"},
     {"UPDATE t SET b = 5"}},

    /* Values. */
    {"value-equal",
     {T, T_ROWS},
     "SELECT * FROM t",
     {"UPDATE t SET a = 10.0 WHERE id = 1", "UPDATE t SET b = x'79' WHERE id = 2",
      "UPDATE t SET c = 0 WHERE id = 3", "UPDATE t SET b = 'X' WHERE id = 1"},
     {"UPDATE t SET a = a, b = b, c = c, d = d", "UPDATE t SET id = id", "UPDATE t SET b = 'y' WHERE id = 2",
      "UPDATE t SET c = NULL WHERE id = 3"}},
    {"value-default",
     {T, T_ROWS, "ALTER TABLE t ADD COLUMN e DEFAULT 5"},
     "SELECT e FROM t",
     {"UPDATE t SET e = NULL WHERE id = 1", "UPDATE t SET e = 6 WHERE id = 2"},
     {"UPDATE t SET e = 5 WHERE id = 3"}},
    {"value-replace",
     {T, T_ROWS},
     "SELECT a FROM t",
     {"REPLACE INTO t SELECT * FROM t WHERE id = 1"},
     {NULL}},
};

static const keyed_case keyed_cases[] = {
    {{"key-rowid",
      {T, T_ROWS},
      "SELECT a FROM t WHERE id = ?",
      {"UPDATE t SET a = a + 1 WHERE id = 2", "DELETE FROM t WHERE id = 2", "INSERT INTO t(id) VALUES (2)",
       "UPDATE t SET id = 9 WHERE id = 2", "INSERT INTO t(id) VALUES (2)",
       "REPLACE INTO t(id, a) VALUES (2, 1)", "UPDATE t SET a = a + 1", "DELETE FROM t"},
      {"UPDATE t SET a = a + 1 WHERE id = 1", "UPDATE t SET b = b || 'x' WHERE id = 2",
       "DELETE FROM t WHERE id = 3",
       "INSERT INTO t(id) SELECT max(id) + 50 FROM (SELECT max(id) AS id FROM t UNION ALL SELECT 5)",
       "UPDATE t SET id = (SELECT max(id) FROM t) + 100 WHERE id = (SELECT max(id) FROM t) AND id > 2",
       "REPLACE INTO t(id) VALUES (77)"}},
     {I(2)},
     1},
    {{"key-rowid",
      {T, T_ROWS},
      "SELECT a FROM t WHERE id = ?",
      {"UPDATE t SET a = a + 1 WHERE id = 2"},
      {"UPDATE t SET a = a + 1 WHERE id = 1"}},
     {X("2")},
     1},
    {{"key-rowid",
      {T, T_ROWS},
      "SELECT a FROM t WHERE id = ?",
      {"UPDATE t SET a = a + 1 WHERE id = 2"},
      {"UPDATE t SET a = a + 1 WHERE id = 1"}},
     {R(2.0)},
     1},
    {{"key-rowid",
      {T, T_ROWS},
      "SELECT a FROM t WHERE rowid = 2",
      {"UPDATE t SET a = a + 1 WHERE id = 2"},
      {"UPDATE t SET a = a + 1 WHERE id = 1"}},
     {I(0)},
     0},
    {{"key-rowid",
      {"CREATE TABLE t(a)", "INSERT INTO t(rowid, a) VALUES (5000000000, 1), (705032704, 2)"},
      "SELECT a FROM t WHERE rowid = 5000000000",
      {"UPDATE t SET a = a + 1 WHERE rowid = 5000000000"},
      {"UPDATE t SET a = a + 1 WHERE rowid = 705032704"}},
     {I(0)},
     0},
    {{"key-index",
      {T, T_ROWS, "CREATE INDEX tb ON t(b)"},
      "SELECT a FROM t WHERE b = ? AND c > 0",
      {"UPDATE t SET a = a + 1 WHERE b = 'y'", "UPDATE t SET b = 'q' WHERE b = 'y'",
       "UPDATE t SET b = 'y' WHERE b = 'x'", "INSERT INTO t(b) VALUES ('y')", "DELETE FROM t WHERE b = 'y'"},
      {"UPDATE t SET a = a + 1 WHERE b <> 'y'", "UPDATE t SET d = d + 1",
       "INSERT INTO t(b) VALUES ('Y'), ('y '), (x'79'), (NULL)", "DELETE FROM t WHERE b = 'z'"}},
     {X("y")},
     1},
    {{"key-unique",
      {"CREATE TABLE t(id INTEGER PRIMARY KEY, a UNIQUE, b)",
       "INSERT INTO t VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3)"},
      "SELECT b FROM t WHERE a = ?",
      {"UPDATE OR REPLACE t SET a = 2 WHERE id = 1", "INSERT OR REPLACE INTO t VALUES (9, 2, 5)",
       "UPDATE t SET b = b + 1 WHERE a = 2"},
      {"UPDATE t SET b = b + 1 WHERE a = 3", "INSERT OR REPLACE INTO t VALUES (3, 3, 3)",
       "INSERT OR IGNORE INTO t VALUES (50, 2, 2)"}},
     {I(2)},
     1},
    {{"key-nocase",
      {"CREATE TABLE t(id INTEGER PRIMARY KEY, c COLLATE NOCASE, a)", "CREATE INDEX tc ON t(c)",
       "INSERT INTO t(c, a) VALUES ('Abc', 1), ('x', 2)"},
      "SELECT a FROM t WHERE c = ?",
      {"UPDATE t SET a = a + 1 WHERE c = 'abc'", "INSERT INTO t(c) VALUES ('ABC')",
       "UPDATE t SET c = 'aBC' WHERE c = 'x'"},
      {"UPDATE t SET a = a + 1 WHERE c = 'x'", "INSERT INTO t(c) VALUES ('ABCD'), ('AB')"}},
     {X("aBc")},
     1},
    {{"key-rtrim",
      {"CREATE TABLE t(id INTEGER PRIMARY KEY, c COLLATE RTRIM, a)", "CREATE INDEX tc ON t(c)",
       "INSERT INTO t(c, a) VALUES ('abc   ', 1), ('x', 2)"},
      "SELECT a FROM t WHERE c = ?",
      {"UPDATE t SET a = a + 1 WHERE id = 1", "INSERT INTO t(c) VALUES ('abc')"},
      {"UPDATE t SET a = a + 1 WHERE c = 'x'", "INSERT INTO t(c) VALUES ('Abc'), (' abc')"}},
     {X("abc ")},
     1},
    {{"key-affinity",
      {"CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, x TEXT, r REAL, z)", "CREATE INDEX tn ON t(n)",
       "CREATE INDEX tx ON t(x)",
       "INSERT INTO t VALUES (1, 5, '5', 5, 1), (2, 6, '6', 6, 2), (3, 5.5, '5.0', 5.5, 3)"},
      "SELECT z FROM t WHERE n = ?",
      {"UPDATE t SET z = z + 1 WHERE id = 1", "INSERT INTO t(n) VALUES ('5')",
       "INSERT INTO t(n) VALUES (5.0)"},
      {"UPDATE t SET z = z + 1 WHERE id > 1 AND id < 4", "INSERT INTO t(n) VALUES ('5x'), (x'35')"}},
     {X("5")},
     1},
    {{"key-affinity",
      {"CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT, z)", "CREATE INDEX tx ON t(x)",
       "INSERT INTO t VALUES (1, '5', 1), (2, '6', 2), (3, '5.0', 3)"},
      "SELECT z FROM t WHERE x = ?",
      {"UPDATE t SET z = z + 1 WHERE id = 1", "INSERT INTO t(x) VALUES (5)"},
      {"UPDATE t SET z = z + 1 WHERE id = 2"}},
     {I(5)},
     1},
    {{"key-affinity",
      {"CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT, z)", "CREATE INDEX tx ON t(x)",
       "INSERT INTO t VALUES (1, '5', 1), (2, '6', 2), (3, '5.0', 3)"},
      "SELECT z FROM t WHERE x = ?",
      {"UPDATE t SET z = z + 1 WHERE id = 3", "INSERT INTO t(x) VALUES (5.0)"},
      {NULL}},
     {R(5.0)},
     1},
    {{"key-affinity",
      {"CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL, z)", "CREATE INDEX tr ON t(r)",
       "INSERT INTO t VALUES (1, 5, 1), (2, 6, 2), (3, 9007199254740993, 1)"},
      "SELECT z FROM t WHERE r = ?",
      {"UPDATE t SET z = z + 1 WHERE id = 3", "INSERT INTO t(r) VALUES (9007199254740992)"},
      {"UPDATE t SET z = z + 1 WHERE id = 2"}},
     {I(9007199254740992)},
     1},
    {{"key-blob",
      {"CREATE TABLE t(k BLOB PRIMARY KEY, a) WITHOUT ROWID",
       "INSERT INTO t VALUES (x'616263', 1), ('abc', 2), (x'61', 3)"},
      "SELECT a FROM t WHERE k = ?",
      {"UPDATE t SET a = a + 1 WHERE k = x'616263'", "DELETE FROM t WHERE k = x'616263'",
       "INSERT INTO t VALUES (x'616263', 1)"},
      {"UPDATE t SET a = a + 1 WHERE k = 'abc'", "UPDATE t SET a = a + 1 WHERE k = x'61'"}},
     {B("abc")},
     1},
    {{"key-composite",
      {W, W_ROWS},
      "SELECT v FROM w WHERE k = ? AND j = ?",
      {"UPDATE w SET v = v + 1 WHERE j = 2", "UPDATE w SET j = 5 WHERE j = 2",
       "UPDATE w SET j = 2 WHERE j = 5", "REPLACE INTO w VALUES ('a', 2, 7)", "DELETE FROM w WHERE j = 2"},
      {"UPDATE w SET v = v + 1 WHERE j = 1", "INSERT OR REPLACE INTO w VALUES ('a', 3, 1)",
       "INSERT OR REPLACE INTO w VALUES ('b', 2, 1)", "DELETE FROM w WHERE k = 'b'"}},
     {X("a"), I(2)},
     2},
    {{"key-composite",
      {W, W_ROWS},
      "SELECT v FROM w WHERE k = ?",
      {"UPDATE w SET v = v + 1 WHERE j = 2", "INSERT INTO w VALUES ('a', 9, 9)"},
      {"UPDATE w SET v = v + 1 WHERE k = 'b'"}},
     {X("a")},
     1},
    {{"key-in",
      {T, T_ROWS},
      "SELECT a FROM t WHERE id IN (?, ?, ?)",
      {"UPDATE t SET a = a + 1 WHERE id = 1", "UPDATE t SET a = a + 1 WHERE id = 3"},
      {"UPDATE t SET a = a + 1 WHERE id = 2"}},
     {I(1), I(3), X("4")},
     3},
    {{"key-in",
      {T, T_ROWS, "CREATE INDEX tab ON t(a, b)"},
      "SELECT c FROM t WHERE a = ? AND b IN (?, ?)",
      {"UPDATE t SET c = coalesce(c, 0) + 1 WHERE id = 1", "INSERT INTO t(a, b) VALUES (10, 'k')"},
      {"UPDATE t SET c = coalesce(c, 0) + 1 WHERE id > 1 AND id < 4",
       "INSERT INTO t(a, b) VALUES (10, 'y'), (20, 'k')"}},
     {I(10), X("x"), X("k")},
     3},
    {{"key-or",
      {T, T_ROWS, "CREATE INDEX tb ON t(b)"},
      "SELECT a FROM t WHERE id = ? OR b = ?",
      {"UPDATE t SET a = a + 1 WHERE id = 1", "UPDATE t SET a = a + 1 WHERE id = 3",
       "INSERT INTO t(b) VALUES ('z')"},
      {"UPDATE t SET a = a + 1 WHERE id = 2", "INSERT INTO t(b) VALUES ('a')"}},
     {I(1), X("z")},
     2},
    {{"key-range",
      {T, T_ROWS, "CREATE INDEX ta ON t(a)"},
      "SELECT c FROM t WHERE a BETWEEN ? AND ?",
      {"UPDATE t SET c = 9 WHERE id = 2", "INSERT INTO t(a) VALUES (15)", "INSERT INTO t(a) VALUES (25.0)",
       "UPDATE t SET a = 40 WHERE id = 2", "UPDATE t SET a = 16 WHERE id = 3", "DELETE FROM t WHERE a = 15"},
      {"UPDATE t SET c = coalesce(c, 0) + 1 WHERE a < 15 OR a > 25",
       "INSERT INTO t(a) VALUES (14), (26), (25.5), (NULL), ('17'), (x'17')", "UPDATE t SET d = d + 1"}},
     {I(15), I(25)},
     2},
    {{"key-range",
      {T, T_ROWS},
      "SELECT c FROM t WHERE id >= ? AND id < ? ORDER BY id DESC",
      {"UPDATE t SET c = 9 WHERE id = 2", "INSERT INTO t(id) VALUES (4)",
       "UPDATE t SET id = 50 WHERE id = 4"},
      {"UPDATE t SET c = c + 1 WHERE id = 1", "INSERT OR REPLACE INTO t(id) VALUES (5), (6)",
       "UPDATE t SET id = id + 100 WHERE id > 4"}},
     {I(2), X("5")},
     2},
    {{"key-range",
      {T, T_ROWS},
      "SELECT c FROM t WHERE id > ? LIMIT 3",
      {"INSERT INTO t(a) VALUES (1)", "UPDATE t SET c = 9 WHERE id = 3"},
      {"UPDATE t SET c = coalesce(c, 0) + 1 WHERE id <= 2"}},
     {R(2.5)},
     1},
    {{"key-range",
      {T, T_ROWS},
      "SELECT c FROM t WHERE id < ?",
      {"UPDATE t SET c = 9 WHERE id = 1"},
      {"UPDATE t SET c = coalesce(c, 0) + 1 WHERE id >= 2", "INSERT INTO t(a) VALUES (1)"}},
     {I(2)},
     1},
    {{"key-range",
      {T, T_ROWS, "CREATE INDEX ta ON t(b, a DESC)"},
      "SELECT c FROM t WHERE b = ? AND a > ?",
      {"INSERT INTO t(b, a) VALUES ('y', 20.5)", "UPDATE t SET a = 21 WHERE id = 2"},
      {"INSERT INTO t(b, a) VALUES ('y', 19), ('x', 30)",
       "UPDATE t SET c = coalesce(c, 0) + 1 WHERE b = 'x'"}},
     {X("y"), I(20)},
     2},
    {{"key-range",
      {"CREATE TABLE t(id INTEGER PRIMARY KEY, n TEXT COLLATE NOCASE, z)", "CREATE INDEX tn ON t(n)",
       "INSERT INTO t VALUES (1, 'Bob', 1), (2, 'carol', 2), (3, 'dave', 3)"},
      "SELECT z FROM t WHERE n >= ? AND n < ?",
      {"UPDATE t SET z = z + 1 WHERE id = 2", "INSERT INTO t(n) VALUES ('CZ')"},
      {"UPDATE t SET z = z + 1 WHERE id = 1", "UPDATE t SET z = z + 1 WHERE id = 3",
       "INSERT INTO t(n) VALUES ('D')"}},
     {X("C"), X("d")},
     2},
    {{"key-null",
      {T, T_ROWS, "CREATE INDEX tc ON t(c)"},
      "SELECT a FROM t WHERE c IS ?",
      {"UPDATE t SET a = a + 1 WHERE c IS NULL", "INSERT INTO t(a) VALUES (1)"},
      {"UPDATE t SET a = a + 1 WHERE c > 0", "INSERT INTO t(c) VALUES (0), ('')"}},
     {{.type = RSQ_NULL}},
     1},
    {{"key-join",
      {T, T_ROWS, "CREATE TABLE u(id INTEGER PRIMARY KEY, t, n)",
       "INSERT INTO u VALUES (1, 1, 1), (2, 2, 2)"},
      "SELECT u.n, t.a FROM u JOIN t ON t.id = u.t WHERE u.id = ?",
      {"UPDATE u SET n = n + 1 WHERE id = 1", "UPDATE t SET a = a + 1 WHERE id = 3"},
      {"UPDATE u SET n = n + 1 WHERE id = 2", "UPDATE t SET b = b || 'x' WHERE id = 1",
       "INSERT INTO u(n) VALUES (1)"}},
     {I(1)},
     1},
    {{"key-without-rowid",
      {"CREATE TABLE w(x, k TEXT, j INT, y, PRIMARY KEY(k, j)) WITHOUT ROWID", "CREATE INDEX wx ON w(x)",
       "INSERT INTO w VALUES (1, 'a', 1, 1), (2, 'b', 1, 2)"},
      "SELECT y FROM w WHERE x = ?",
      {"UPDATE w SET y = y + 1 WHERE k = 'a'", "UPDATE w SET x = 1 WHERE k = 'b'",
       "DELETE FROM w WHERE k = 'b'"},
      {"INSERT OR REPLACE INTO w VALUES (3, 'z', 1, 1)", "UPDATE w SET y = y + 1 WHERE x = 3"}},
     {I(1)},
     1},
    {{"key-trigger",
      {T, T_ROWS, "CREATE TABLE u(x)",
       "CREATE TRIGGER tr AFTER INSERT ON u BEGIN UPDATE t SET a = a + 1 WHERE id = new.x; END"},
      "SELECT a FROM t WHERE id = ?",
      {"INSERT INTO u VALUES (1)"},
      {"INSERT INTO u VALUES (2)", "INSERT INTO u VALUES (99)"}},
     {I(1)},
     1},
    {{"key-cascade",
      {"CREATE TABLE p(id INTEGER PRIMARY KEY)",
       "CREATE TABLE q(id INTEGER PRIMARY KEY, p REFERENCES p(id) ON DELETE CASCADE)",
       "CREATE INDEX qp ON q(p)", "INSERT INTO p VALUES (1), (2), (3)",
       "INSERT INTO q VALUES (1, 1), (2, 2)"},
      "SELECT id FROM q WHERE p = ?",
      {"DELETE FROM p WHERE id = 1"},
      {"DELETE FROM p WHERE id = 2"}},
     {I(1)},
     1},
};

/* Woken by all commits together. */
static uint64_t woken(probe *p)
{
    return probe_stats(p).woken;
}

/* The first time it may have found something to change; the second time it may not wake the query. */
static void check_spared(fixture *f, const wake_case *w, probe *p, const char *sql, unsigned *wrong)
{
    uint64_t before;

    EXEC(f, sql);
    before = woken(p);
    EXEC(f, sql);
    if (woken(p) == before)
        return;
    print_error("%s: \"%s\" is woken by \"%s\"\n", w->id, w->query, sql);
    ++*wrong;
}

static void check_case(fixture *f, const wake_case *w, const rsq_value *params, size_t nparams, bool exact,
                       unsigned *wrong)
{
    probe *p;

    for (size_t i = 0; i < LENGTH(w->setup) && w->setup[i]; i++)
        EXEC(f, w->setup[i]);
    p = WATCH_WITH(f, w->query, params, nparams);
    (void)probe_await(p, __FILE__, __LINE__);
    assert_int_equal(p->events[0].kind, RSQ_EVENT_RESULT);
    for (size_t i = 0; i < LENGTH(w->wakes) && w->wakes[i]; i++) {
        uint64_t before = woken(p);

        EXEC(f, w->wakes[i]);
        if (woken(p) != before + 1) {
            print_error("%s: \"%s\" is not woken by \"%s\"\n", w->id, w->query, w->wakes[i]);
            ++*wrong;
        }
        for (size_t j = 0; exact && j < LENGTH(w->spares) && w->spares[j]; j++)
            check_spared(f, w, p, w->spares[j], wrong);
    }
    probe_close(p);
    fixture_close(f);
}

/* A database of its own for each case. */
static void open_next(fixture *f, uint32_t flags, size_t number)
{
    rsq_open_options opts = {.size = sizeof opts, .flags = flags};
    char name[32];
    char *file;

    snprintf(name, sizeof name, "%zu.db", number);
    file = fixture_file(f, name);
    f->db = fixture_open_path(f, file, &opts);
    free(file);
}

static void check_all(fixture *f, uint32_t flags)
{
    unsigned wrong = 0;
    /* What an older SQLite does not tell counts as changed. */
    bool exact = flags == 0 && (rsq_features() & RSQ_FEATURE_BUNDLED_SQLITE);

    for (size_t i = 0; i < LENGTH(cases); i++) {
        open_next(f, flags, i);
        check_case(f, &cases[i], NULL, 0, exact, &wrong);
    }
    for (size_t i = 0; i < LENGTH(keyed_cases); i++) {
        const keyed_case *k = &keyed_cases[i];

        open_next(f, flags, LENGTH(cases) + i);
        check_case(f, &k->line, k->params, k->nparams, exact, &wrong);
    }
    assert_int_equal(wrong, 0);
}

/* fts5-savepoint: FTS5 writes its index when a savepoint begins, between two statements. */
static rsq_code write_inside(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;

    return rsq_tx_execute(tx, "INSERT INTO u VALUES (1)", NULL, 0, NULL, NULL, &f->err);
}

static rsq_code write_and_nest(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_code code =
        rsq_tx_execute(tx, "INSERT INTO n(rowid, x) VALUES (1, 'one')", NULL, 0, NULL, NULL, &f->err);

    return code == RSQ_OK ? rsq_tx_transaction(tx, write_inside, f, &f->err) : code;
}

static void fts5_writes_at_a_savepoint(void **state)
{
    fixture *f = *state;
    uint64_t before;
    probe *p;

    fixture_open(f, NULL);
    EXEC(f, "CREATE VIRTUAL TABLE n USING fts5(x, content='', columnsize=0)");
    EXEC(f, "CREATE TABLE u(x)");
    p = WATCH(f, "SELECT rowid FROM n WHERE n MATCH 'one'");
    EXPECT_EVENT(p, "");
    before = woken(p);
    WANT(f, RSQ_OK, rsq_transaction(f->db, write_and_nest, f, NULL, &f->err));
    assert_int_equal(woken(p), before + 1);
    EXPECT_EVENT(p, "1");
}

/* blob-write: needs a function of the program's own, and is in test_functions.c. */

/* attached: tables of one name in two files are two tables. */
static void attached_databases(void **state)
{
    fixture *f = *state;
    char *file = fixture_file(f, "other.db");
    rsq_attach other = {.name = "other", .path = file};
    rsq_open_options opts = {.size = sizeof opts, .attach = &other, .nattach = 1};
    uint64_t a_before, b_before;
    probe *a, *b;

    fixture_open(f, &opts);
    free(file);
    EXEC(f, "CREATE TABLE main.t(x, y)");
    EXEC(f, "CREATE TABLE other.t(x, y)");
    EXEC(f, "INSERT INTO main.t VALUES (1, 1)");
    EXEC(f, "INSERT INTO other.t VALUES (1, 1)");
    a = WATCH(f, "SELECT x FROM main.t");
    b = WATCH(f, "SELECT x FROM other.t");
    EXPECT_EVENT(a, "1");
    EXPECT_EVENT(b, "1");
    a_before = woken(a);
    b_before = woken(b);
    EXEC(f, "UPDATE other.t SET x = 2");
    EXEC(f, "UPDATE other.t SET y = 2");
    assert_int_equal(woken(a), a_before);
    assert_int_equal(woken(b), b_before + 1);
    EXEC(f, "UPDATE main.t SET x = 2");
    EXEC(f, "UPDATE main.t SET y = 2");
    assert_int_equal(woken(a), a_before + 1);
    assert_int_equal(woken(b), b_before + 1);
}

static rsq_code update_and_fail(rsq_tx *tx, void *ctx)
{
    fixture *f = ctx;
    rsq_code code = rsq_tx_execute(tx, "UPDATE t SET a = a + 1", NULL, 0, NULL, NULL, &f->err);

    return code == RSQ_OK ? RSQ_ECANCELLED : code;
}

/* failed: what did not come about wakes nobody. */
static void failed_writes(void **state)
{
    fixture *f = *state;
    uint64_t before;
    probe *p;

    fixture_open(f, NULL);
    EXEC(f, T);
    EXEC(f, T_ROWS);
    p = WATCH(f, "SELECT a FROM t WHERE id = 1");
    EXPECT_EVENT(p, "10");
    before = woken(p);
    WANT(f, RSQ_ESQL,
         rsq_execute(f->db, "INSERT INTO t(id) VALUES (8), (9), (1)", NULL, 0, NULL, NULL, &f->err));
    WANT(f, RSQ_ECANCELLED, rsq_transaction(f->db, update_and_fail, f, NULL, &f->err));
    assert_int_equal(woken(p), before);
    /* OR FAIL keeps the rows before the one that failed. */
    WANT(f, RSQ_ESQL,
         rsq_execute(f->db, "INSERT OR FAIL INTO t(id) VALUES (8), (9), (1)", NULL, 0, NULL, NULL, &f->err));
    EXEC(f, "UPDATE t SET a = 11 WHERE id = 1");
    EXPECT_EVENT(p, "11");
}

/* column-many: there is no limit, but beyond the 63rd column they are not told apart. */
static void many_columns(void **state)
{
    fixture *f = *state;
    char sql[2048] = "CREATE TABLE t(id INTEGER PRIMARY KEY";
    uint64_t before;
    probe *all, *last, *first;

    fixture_open(f, NULL);
    for (int i = 0; i < 100; i++)
        snprintf(sql + strlen(sql), sizeof sql - strlen(sql), ", c%d DEFAULT 0", i);
    strcat(sql, ")");
    EXEC(f, sql);
    EXEC(f, "INSERT INTO t(id) VALUES (1)");
    all = WATCH(f, "SELECT * FROM t");
    (void)probe_await(all, __FILE__, __LINE__);
    last = WATCH(f, "SELECT c99 FROM t");
    EXPECT_EVENT(last, "0");
    first = WATCH(f, "SELECT c0 FROM t");
    EXPECT_EVENT(first, "0");
    before = woken(first);
    EXEC(f, "UPDATE t SET c99 = 1");
    EXPECT_EVENT(last, "1");
    (void)probe_await(all, __FILE__, __LINE__);
    EXEC(f, "UPDATE t SET c80 = 1");
    (void)probe_await(all, __FILE__, __LINE__);
    if (rsq_features() & RSQ_FEATURE_BUNDLED_SQLITE)
        assert_int_equal(woken(first), before);
    EXEC(f, "UPDATE t SET c0 = 1");
    EXPECT_EVENT(first, "1");
    (void)probe_await(all, __FILE__, __LINE__);
}

/* Of columns behind one that is not stored, the values are those of these columns and not of the next ones.
 */
static void behind_a_generated_column(void **state)
{
    fixture *f = *state;
    probe *one, *stored, *keyed;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE g(id INTEGER PRIMARY KEY, v AS (5), a, s AS (a + 1) STORED, b, c)");
    EXEC(f, "CREATE INDEX gb ON g(b)");
    EXEC(f, "INSERT INTO g VALUES (1, 1, 1, 1)");
    one = WATCH(f, "SELECT b FROM g WHERE id = 1");
    EXPECT_EVENT(one, "1");
    keyed = WATCH(f, "SELECT count(*) FROM g WHERE b = 7");
    EXPECT_EVENT(keyed, "0");
    stored = WATCH(f, "SELECT s FROM g");
    EXPECT_EVENT(stored, "2");
    EXEC(f, "UPDATE g SET b = 7");
    EXPECT_EVENT(one, "7");
    EXPECT_EVENT(keyed, "1");
    EXEC(f, "UPDATE g SET a = 2");
    EXPECT_EVENT(stored, "3");
}

/* late: it runs its first time inside a transaction that changed a row already. */
static void query_opened_during_a_transaction(void **state)
{
    fixture *f = *state;
    parked *held;
    probe *p, *q;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE items(id INTEGER PRIMARY KEY, name, value)");
    q = WATCH(f, "SELECT value FROM items");
    EXPECT_EVENT(q, "");
    held = fixture_park(f, f->db);
    p = WATCH(f, "SELECT name FROM items ORDER BY name");
    EXPECT_EVENT(p, "");
    parked_go(held);
    parked_join(held);
    EXPECT_EVENT(p, "'first'\n'second'");
}

/* A query whose answer the clock or chance changes is no live query, unless it is said to be one. */
static void volatile_queries_are_refused(void **state)
{
    static const char *const queries[] = {"SELECT random()", "SELECT a FROM t WHERE c < julianday('now')",
                                          "SELECT current_timestamp", "SELECT changes() FROM t"};
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, T);
    for (size_t i = 0; i < LENGTH(queries); i++) {
        probe *p = WATCH(f, queries[i]);
        const rsq_error *err = EXPECT_ERROR(p);

        assert_int_equal(err->code, RSQ_EREFUSED);
        assert_non_null(strstr(err->message, "RSQ_STREAM_VOLATILE"));
        EXPECT_END(p);
    }
}

/* What a query depends on can be asked without opening it. */
static void dependencies(void **state)
{
    fixture *f = *state;
    rsq_result *r = NULL;

    fixture_open(f, NULL);
    EXEC(f, T);
    EXEC(f, "CREATE INDEX tb ON t(b)");
    EXEC(f, "CREATE TABLE u(x, y)");
    WANT(f, RSQ_OK,
         rsq_stream_dependencies(f->db,
                                 "SELECT t.a, u.x FROM t JOIN u ON u.x = t.a WHERE t.b = ? AND u.y > 1", NULL,
                                 &r, &f->err));
    EXPECT_RESULT(r, "'main.t'|'key'|'columns a, b'|'b = ?1'\n'main.u'|'column'|'columns x, y'|NULL");
    assert_string_equal(rsq_result_column_name(r, 1), "level");
    rsq_result_unref(r);
    WANT(f, RSQ_OK, rsq_stream_dependencies(f->db, "SELECT random(), 1", NULL, &r, &f->err));
    EXPECT_RESULT(r, "NULL|'volatile'|'random'|NULL\nNULL|'constant'|NULL|NULL");
    rsq_result_unref(r);
    WANT(f, RSQ_EREADONLY, rsq_stream_dependencies(f->db, "DELETE FROM t", NULL, &r, &f->err));
    WANT(f, RSQ_ESQL, rsq_stream_dependencies(f->db, "SELECT FROM", NULL, &r, &f->err));
}

/* The counters say why a query was spared. */
static void spared_commits_are_counted(void **state)
{
    fixture *f = *state;
    rsq_stream_counters c;
    probe *by_key, *by_column;

    if (!(rsq_features() & RSQ_FEATURE_BUNDLED_SQLITE))
        skip(); /* an older one does not tell all values */
    fixture_open(f, NULL);
    EXEC(f, T);
    EXEC(f, T_ROWS);
    EXEC(f, "CREATE TABLE u(x)");
    EXEC(f, "CREATE TRIGGER tr AFTER INSERT ON u BEGIN UPDATE t SET a = a, c = c; END");
    by_key = WATCH(f, "SELECT a FROM t WHERE id = 1");
    by_column = WATCH(f, "SELECT c FROM t");
    EXPECT_EVENT(by_key, "10");
    (void)probe_await(by_column, __FILE__, __LINE__);
    EXEC(f, "UPDATE t SET a = 21 WHERE id = 2");
    EXEC(f, "UPDATE t SET a = 22 WHERE id = 2");
    EXEC(f, "UPDATE t SET d = d + 1");
    /* With something else in the commit: SQLite writes no page that stays as it was. */
    EXEC(f, "INSERT INTO u VALUES (1)");
    EXEC(f, "UPDATE t SET a = 11 WHERE id = 1");
    c = probe_stats(by_key);
    assert_int_equal(c.woken, 1);
    assert_int_equal(c.spared_by_key, 3);
    assert_int_equal(c.spared_by_value, 1);
    assert_int_equal(c.spared_by_column, 0);
    c = probe_stats(by_column);
    assert_int_equal(c.woken, 0);
    assert_int_equal(c.spared_by_key, 0);
    assert_int_equal(c.spared_by_value, 1);
    assert_int_equal(c.spared_by_column, 4);
}

/* The same of all live queries together, and nothing is forgotten when one is closed. */
static void all_are_counted(void **state)
{
    fixture *f = *state;
    rsq_counters now = {.size = sizeof now};
    probe *p[4];

    fixture_open(f, NULL);
    EXEC(f, T);
    EXEC(f, T_ROWS);
    p[0] = WATCH(f, "SELECT a FROM t WHERE id = 1");
    p[1] = WATCH(f, "SELECT a FROM t WHERE id = 1");
    p[2] = WATCH(f, "SELECT a FROM t WHERE id = 2");
    p[3] = WATCH(f, "SELECT b FROM t");
    for (size_t i = 0; i < LENGTH(p); i++)
        (void)probe_await(p[i], __FILE__, __LINE__);
    EXEC(f, "UPDATE t SET a = 11 WHERE id = 1");
    EXPECT_EVENT(p[0], "11");
    EXPECT_EVENT(p[1], "11");
    for (int closed = 0; closed < 2; closed++) {
        WANT(f, RSQ_OK, rsq_stats(f->db, &now, &f->err));
        assert_int_equal(now.live_queries, closed ? 0 : 3);
        assert_int_equal(now.live_woken, 1);
        assert_int_equal(now.live_runs, 4);
        assert_int_equal(now.live_suppressed, 0);
        assert_int_equal(now.live_emitted, 6);
        assert_int_equal(now.live_spared_by_key, 1);
        assert_int_equal(now.live_spared_by_column, 1);
        assert_int_equal(now.live_spared_by_value, 0);
        assert_int_equal(now.live_missed + now.live_checks + now.live_skipped, 0);
        for (size_t i = 0; !closed && i < LENGTH(p); i++)
            probe_close(p[i]);
    }
}

/* C01, C02, C03, C04, C05, C06, C07, C08: each kind of write, and what it wakes; see docs/live-queries.md. */
static void the_table_of_wakes(void **state)
{
    check_all(*state, 0);
}

/* Each level can be turned off, and then more wakes, never less. */
static void without_the_column_level(void **state)
{
    check_all(*state, RSQ_OPEN_NO_COLUMN_LEVEL);
}

static void without_the_value_level(void **state)
{
    check_all(*state, RSQ_OPEN_NO_VALUE_LEVEL);
}

static void without_the_key_level(void **state)
{
    check_all(*state, RSQ_OPEN_NO_KEY_LEVEL);
}

static void without_any_level(void **state)
{
    check_all(*state, RSQ_OPEN_NO_COLUMN_LEVEL | RSQ_OPEN_NO_VALUE_LEVEL | RSQ_OPEN_NO_KEY_LEVEL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(fts5_writes_at_a_savepoint),
        CASE(attached_databases),
        CASE(failed_writes),
        CASE(many_columns),
        CASE(behind_a_generated_column),
        CASE(query_opened_during_a_transaction),
        CASE(volatile_queries_are_refused),
        CASE(dependencies),
        CASE(spared_commits_are_counted),
        CASE(all_are_counted),
        CASE(the_table_of_wakes),
        CASE(without_the_column_level),
        CASE(without_the_value_level),
        CASE(without_the_key_level),
        CASE(without_any_level),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
