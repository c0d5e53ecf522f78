/*
 * What a query depends on, as src/sql finds it out: a table of queries, each with the text that
 * rsq_depends_text() must give. The schema is below; the expectations are of the SQLite that is built in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sql/conn.h"

static const char *const schema[] = {
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b TEXT, c TEXT COLLATE NOCASE, v REAL, d INT)",
    "CREATE INDEX tb ON t(b)",
    "CREATE INDEX tab ON t(a, b)",
    "CREATE INDEX tc ON t(c)",
    "CREATE INDEX td ON t(d)",
    "CREATE TABLE o(id INTEGER PRIMARY KEY, tid, n)",
    "CREATE TABLE w(x, k TEXT, j INT, y, PRIMARY KEY(k, j)) WITHOUT ROWID",
    "CREATE INDEX wx ON w(x)",
    "CREATE TABLE g(id INTEGER PRIMARY KEY, a, b, s AS (b + 1) STORED, z, p AS (a + 1), q AS (p * 2))",
    "CREATE TABLE gi(a, b, d, c AS (a || b))",
    "CREATE INDEX gic ON gi(c)",
    "CREATE TABLE px(a, b, c, d)",
    "CREATE INDEX pxp ON px(a) WHERE b > 3",
    "CREATE INDEX pxe ON px(c + d)",
    "CREATE VIEW tv AS SELECT id, a, b FROM t WHERE d > 1",
    "CREATE TABLE p(x, y)",
    "CREATE TABLE fresh(x, at DEFAULT CURRENT_TIMESTAMP, r DEFAULT (random()), d DEFAULT (date('now')))",
    "CREATE TABLE q(x, z)",
    "CREATE VIRTUAL TABLE f USING fts5(title, body)",
    "CREATE TABLE docs(id INTEGER PRIMARY KEY, title, body, other)",
    "CREATE VIRTUAL TABLE fx USING fts5(title, body, content = 'docs', content_rowid='id')",
    "CREATE VIRTUAL TABLE fy USING fts5(title, body, tokenize = \"unicode61 tokenchars ')'\", c=docs)",
    "CREATE VIRTUAL TABLE fn USING fts5(title, content='', columnsize=0)",
    "CREATE VIRTUAL TABLE fv USING fts5(id, a, content=tv)",
    "CREATE VIRTUAL TABLE voc USING fts5vocab(f, row)",
    "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1, y0, y1)",
};

typedef struct want {
    const char *sql;
    const char *text;
} want;

static const want tables_and_columns[] = {
    /* Tables that the authorizer does not report. */
    {"SELECT p.y FROM p JOIN q USING (x)", "main.p: columns x, y\nmain.q: columns x\n"},
    {"SELECT count(*) FROM p JOIN q USING (x)", "main.p: columns x\nmain.q: columns x\n"},
    {"SELECT 1 FROM p NATURAL LEFT JOIN q", "main.p: columns x\nmain.q: columns x\n"},
    {"SELECT p.y FROM p FULL JOIN q USING (x)", "main.p: columns x, y\nmain.q: columns x\n"},
    /* Which rows there are, and nothing else. */
    {"SELECT count(*) FROM t", "main.t: which rows there are\n"},
    {"SELECT 1 FROM p", "main.p: which rows there are\n"},
    {"SELECT id FROM o", "main.o: columns id\n"},
    {"SELECT rowid FROM p", "main.p: which rows there are\n"},
    {"SELECT EXISTS (SELECT 1 FROM p)", "main.p: which rows there are\n"},
    /* Columns, wherever they stand. */
    {"SELECT n FROM o", "main.o: columns n\n"},
    {"SELECT n FROM o WHERE tid > 3 ORDER BY id", "main.o: columns id, tid, n\n"},
    {"SELECT a FROM tv", "main.t: key (d > 1), columns id, a, b, d\n"},
    {"WITH x AS (SELECT n FROM o) SELECT * FROM x", "main.o: columns n\n"},
    {"SELECT y FROM p UNION ALL SELECT z FROM q", "main.p: columns y\nmain.q: columns z\n"},
    {"SELECT y FROM p WHERE x IN (SELECT x FROM q)", "main.p: columns x, y\nmain.q: columns x\n"},
    {"SELECT y, (SELECT max(z) FROM q WHERE q.x = p.x) FROM p",
     "main.p: columns x, y\nmain.q: columns x, z\n"},
    {"SELECT sum(n) OVER (ORDER BY tid) FROM o", "main.o: columns tid, n\n"},
    {"WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT tid FROM o, r WHERE o.id = r.i) SELECT i FROM r",
     "main.o: columns id, tid\n"},
    {"SELECT * FROM o", "main.o: columns id, tid, n\n"},
    /* All columns of an index that is opened. */
    {"SELECT b FROM t INDEXED BY tab WHERE a > 1", "main.t: key (a > 1), columns a, b\n"},
    /* Generated columns stand for what they are made from; stored ones for themselves. */
    {"SELECT q FROM g", "main.g: columns a\n"},
    {"SELECT s FROM g", "main.g: columns s\n"},
    {"SELECT d FROM gi WHERE c > 'x'", "main.gi: columns a, b, d\n"},
    /* The condition and the expressions of an index. */
    {"SELECT c FROM px INDEXED BY pxp WHERE a > 1 AND b > 3", "main.px: key (a > 1), columns a, b, c\n"},
    {"SELECT a FROM px INDEXED BY pxe WHERE c + d > 5", "main.px: columns a, c, d\n"},
    /* No table, or one that is not there for long. */
    {"SELECT 1", "constant: no table\n"},
    {"VALUES (1), (2)", "constant: no table\n"},
    {"SELECT value FROM json_each('[1,2]')", "constant: no table\n"},
    {"SELECT date('2020-01-01', '+1 day')", "constant: no table\n"},
    /* What cannot be told. */
    {"SELECT * FROM sqlite_schema", "everything: every commit\n"},
    {"SELECT * FROM pragma_table_info('t')", "everything: every commit\n"},
    {"PRAGMA table_info(t)", "everything: every commit\n"},
    {"PRAGMA user_version", "everything: every commit\n"},
    {"EXPLAIN SELECT 1", "everything: every commit\n"},
    {"SELECT * FROM voc", "everything: every commit\n"},
    {"SELECT * FROM fv", "everything: every commit\n"},
};

static const want keys[] = {
    {"SELECT * FROM t WHERE id=?", "main.t: key (rowid = ?1), columns id, a, b, c, v, d\n"},
    {"SELECT a FROM t WHERE id=5", "main.t: key (rowid = 5), columns id, a\n"},
    {"SELECT a FROM t WHERE id=5000000000", "main.t: key (rowid = 5000000000), columns id, a\n"},
    {"SELECT a FROM t WHERE id=-3", "main.t: key (rowid = -3), columns id, a\n"},
    {"SELECT a FROM t WHERE b=? ORDER BY v", "main.t: key (b = ?1), columns a, b, v\n"},
    {"SELECT a FROM t WHERE b='x'", "main.t: key (b = 'x'), columns a, b\n"},
    {"SELECT a FROM t WHERE d=? AND v>3", "main.t: key (d = ?1), columns a, v, d\n"},
    {"SELECT v FROM t WHERE id IN (?,?)", "main.t: key (rowid = ?1 OR rowid = ?2), columns id, v\n"},
    {"SELECT v FROM t WHERE id IN (1,2,3)",
     "main.t: key (rowid = 1 OR rowid = 2 OR rowid = 3), columns id, v\n"},
    {"SELECT v FROM t WHERE b IN (?,?,?)", "main.t: key (b = ?1 OR b = ?2 OR b = ?3), columns b, v\n"},
    {"SELECT v FROM t WHERE id=? OR b=?", "main.t: key (rowid = ?1 OR b = ?2), columns id, b, v\n"},
    {"SELECT v FROM t WHERE d BETWEEN ? AND ?", "main.t: key (d >= ?1 AND d <= ?2), columns v, d\n"},
    {"SELECT v FROM t WHERE d >= ? AND d < ? ORDER BY d DESC",
     "main.t: key (d >= ?1 AND d < ?2), columns v, d\n"},
    {"SELECT v FROM t WHERE d >= ?", "main.t: key (d >= ?1), columns v, d\n"},
    {"SELECT v FROM t WHERE d < ?", "main.t: key (d < ?1), columns v, d\n"},
    {"SELECT v FROM t WHERE d < ? ORDER BY d DESC", "main.t: key (d < ?1), columns v, d\n"},
    {"SELECT v FROM t WHERE id BETWEEN ? AND ?",
     "main.t: key (rowid >= ?1 AND rowid <= ?2), columns id, v\n"},
    {"SELECT v FROM t WHERE id >= ? AND id < ? ORDER BY id DESC",
     "main.t: key (rowid >= ?1 AND rowid < ?2), columns id, v\n"},
    {"SELECT v FROM t WHERE id > ?", "main.t: key (rowid > ?1), columns id, v\n"},
    {"SELECT v FROM t WHERE id < ?", "main.t: key (rowid < ?1), columns id, v\n"},
    {"SELECT v FROM t WHERE id < ? ORDER BY id DESC LIMIT 5", "main.t: key (rowid < ?1), columns id, v\n"},
    {"SELECT v FROM t WHERE id > ? ORDER BY id LIMIT 5", "main.t: key (rowid > ?1), columns id, v\n"},
    {"SELECT y FROM w WHERE k=?", "main.w: key (k = ?1), columns k, j, y\n"},
    {"SELECT y FROM w WHERE k=? AND j=?", "main.w: key (k = ?1 AND j = ?2), columns k, j, y\n"},
    {"SELECT j FROM w WHERE x=?", "main.w: key (x = ?1), columns x, k, j\n"},
    {"SELECT y FROM w WHERE x=?", "main.w: key (x = ?1), columns x, k, j, y\n"},
    {"SELECT k,j FROM w WHERE k=? AND j>?", "main.w: key (k = ?1 AND j > ?2), columns k, j\n"},
    {"SELECT n FROM o WHERE rowid=?", "main.o: key (rowid = ?1), columns id, n\n"},
    {"SELECT * FROM o LEFT JOIN t ON t.id=o.tid WHERE o.id=?",
     "main.o: key (rowid = ?1), columns id, tid, n\nmain.t: columns id, a, b, c, v, d\n"},
    {"SELECT * FROM o JOIN t ON t.id=o.id WHERE o.id=?",
     "main.o: key (rowid = ?1), columns id, tid, n\nmain.t: key (rowid = ?1), columns id, a, b, c, v, d\n"},
    {"SELECT count(*) FROM t WHERE b=?", "main.t: key (b = ?1), columns b\n"},
    {"SELECT max(v) FROM t WHERE b=?", "main.t: key (b = ?1), columns b, v\n"},
    {"SELECT v FROM t WHERE a=? AND b>?", "main.t: key (a = ?1 AND b > ?2), columns a, b, v\n"},
    {"SELECT v FROM t WHERE a=? AND b=? OR c=?",
     "main.t: key (a = ?1 AND b = ?2 OR c COLLATE NOCASE = ?3), columns a, b, c, v\n"},
    {"SELECT v FROM t WHERE a=? AND b IN (?,?)",
     "main.t: key (a = ?1 AND b = ?2 OR a = ?1 AND b = ?3), columns a, b, v\n"},
    {"SELECT v FROM t WHERE a IN (?,?) AND b IN (?,?)",
     "main.t: key (a = ?1 AND b = ?3 OR a = ?2 AND b = ?3 OR a = ?1 AND b = ?4 OR a = ?2 AND b = ?4), "
     "columns a, b, v\n"},
    {"SELECT v FROM t WHERE c=?", "main.t: key (c COLLATE NOCASE = ?1), columns c, v\n"},
    {"SELECT v FROM t WHERE b IS NULL", "main.t: key (b = NULL), columns b, v\n"},
    {"SELECT v FROM t WHERE b IS ?", "main.t: key (b = ?1), columns b, v\n"},
    {"SELECT v FROM t WHERE c LIKE 'abc%'",
     "main.t: key (c COLLATE NOCASE >= 'ABC' AND c COLLATE NOCASE < 'abd'), columns c, v\n"},
    {"SELECT v FROM t WHERE id=cast(? AS int)", "main.t: columns id, v\n"},
    {"SELECT v FROM t WHERE id=?+1", "main.t: columns id, v\n"},
    {"SELECT v FROM t WHERE id=abs(?)", "main.t: columns id, v\n"},
    {"SELECT v FROM t WHERE id=(? IS NULL)", "main.t: columns id, v\n"},
    {"SELECT v FROM t WHERE id<(? IS NULL)", "main.t: columns id, v\n"},
    {"SELECT v FROM t WHERE id BETWEEN ? AND (? IS NULL)", "main.t: columns id, v\n"},
    {"SELECT v FROM t WHERE d=(? IS NULL)", "main.t: columns v, d\n"},
    {"SELECT v FROM t WHERE id=(SELECT max(id) FROM o)", "main.t: columns id, v\nmain.o: columns id\n"},
    {"SELECT v FROM t WHERE id IN (SELECT tid FROM o WHERE o.id=?)",
     "main.t: columns id, v\nmain.o: key (rowid = ?1), columns id, tid\n"},
    {"SELECT (SELECT v FROM t WHERE id=?), (SELECT n FROM o WHERE id=?)",
     "main.t: key (rowid = ?1), columns id, v\nmain.o: key (rowid = ?2), columns id, n\n"},
    {"SELECT v FROM t WHERE id=? UNION ALL SELECT n FROM o WHERE id=?",
     "main.t: key (rowid = ?1), columns id, v\nmain.o: key (rowid = ?2), columns id, n\n"},
    {"SELECT v FROM t WHERE id=? UNION SELECT v FROM t WHERE b=?",
     "main.t: key (rowid = ?1 OR b = ?2), columns id, b, v\n"},
    {"WITH x AS (SELECT v FROM t WHERE id=?) SELECT * FROM x", "main.t: key (rowid = ?1), columns id, v\n"},
    {"WITH x AS MATERIALIZED (SELECT v FROM t WHERE id=?) SELECT * FROM x, x AS y",
     "main.t: key (rowid = ?1), columns id, v\n"},
    {"SELECT max(d) FROM t WHERE d BETWEEN ? AND ?", "main.t: key (d >= ?1 AND d <= ?2), columns d\n"},
    {"SELECT max(id) FROM t", "main.t: columns id\n"},
    {"SELECT sum(v) OVER (ORDER BY id) FROM t WHERE b=?", "main.t: key (b = ?1), columns id, b, v\n"},
    {"SELECT a, count(*) FROM t WHERE b=? GROUP BY a", "main.t: key (b = ?1), columns a, b\n"},
    {"SELECT DISTINCT a FROM t WHERE b=?", "main.t: key (b = ?1), columns a, b\n"},
    {"SELECT a FROM t WHERE b=? LIMIT ? OFFSET ?", "main.t: key (b = ?1), columns a, b\n"},
    {"SELECT EXISTS(SELECT 1 FROM t WHERE b=?)", "main.t: key (b = ?1), columns b\n"},
    {"SELECT o.n FROM o WHERE EXISTS(SELECT 1 FROM t WHERE t.id=o.tid) AND o.id=?",
     "main.o: key (rowid = ?1), columns id, tid, n\nmain.t: columns id\n"},
    {"SELECT t.v FROM o, t WHERE o.id=? AND t.b=o.n",
     "main.o: key (rowid = ?1), columns id, n\nmain.t: columns b, v\n"},
    {"SELECT v FROM t WHERE (a,b)=(?,?)", "main.t: key (a = ?1 AND b = ?2), columns a, b, v\n"},
    {"SELECT v FROM t WHERE (a,b)>(?,?)", "main.t: key (a >= ?1), columns a, b, v\n"},
    {"SELECT v FROM t WHERE id=? AND id=?", "main.t: key (rowid = ?1), columns id, v\n"},
    {"SELECT v FROM t WHERE id=? OR id=? OR id=?",
     "main.t: key (rowid = ?1 OR rowid = ?2 OR rowid = ?3), columns id, v\n"},
    {"SELECT v FROM tv, t WHERE tv.id=? AND t.id=tv.id",
     "main.t: key (rowid = ?1 OR rowid = ?1), columns id, a, b, v, d\n"},
    {"SELECT a FROM tv WHERE id=?", "main.t: key (rowid = ?1), columns id, a, b, d\n"},
    {"SELECT n FROM o WHERE id=? AND n > random()",
     "volatile: random()\nmain.o: key (rowid = ?1), columns id, n\n"},
    {"SELECT b FROM px WHERE a=? AND b>3", "main.px: key (a = ?1), columns a, b\n"},
    {"SELECT a FROM px WHERE c+d=?", "main.px: columns a, c, d\n"},
    {"SELECT a FROM gi WHERE c=?", "main.gi: columns a, b\n"},
    {"SELECT v FROM t NOT INDEXED WHERE b=?", "main.t: columns b, v\n"},
    {"SELECT v FROM t WHERE b=? COLLATE NOCASE", "main.t: columns b, v\n"},
    {"SELECT v FROM t WHERE id BETWEEN ? AND ? AND b=?",
     "main.t: key (b = ?3 AND rowid >= ?1 AND rowid <= ?2), columns id, b, v\n"},
    {"SELECT count(*) FROM t WHERE d BETWEEN ? AND ?", "main.t: key (d >= ?1 AND d <= ?2), columns d\n"},
};

static const want virtual_tables[] = {
    {"SELECT title FROM f WHERE f MATCH ?",
     "main.f_data: whole rows\nmain.f_idx: whole rows\nmain.f_content: whole rows\n"
     "main.f_docsize: whole rows\nmain.f_config: whole rows\n"},
    {"SELECT count(*) FROM p JOIN f",
     "main.f_data: whole rows\nmain.f_idx: whole rows\nmain.f_content: whole rows\n"
     "main.f_docsize: whole rows\nmain.f_config: whole rows\nmain.p: which rows there are\n"},
    {"SELECT title FROM fx",
     "main.fx_data: whole rows\nmain.fx_idx: whole rows\nmain.fx_docsize: whole rows\n"
     "main.fx_config: whole rows\nmain.docs: whole rows\n"},
    {"SELECT rowid FROM fy WHERE fy MATCH 'x'",
     "main.fy_data: whole rows\nmain.fy_idx: whole rows\nmain.fy_docsize: whole rows\n"
     "main.fy_config: whole rows\nmain.docs: whole rows\n"},
    {"SELECT rowid FROM fn WHERE fn MATCH 'x'",
     "main.fn_data: whole rows\nmain.fn_idx: whole rows\nmain.fn_config: whole rows\n"},
    {"SELECT id FROM r WHERE x0 > 1",
     "main.r_node: whole rows\nmain.r_rowid: whole rows\nmain.r_parent: whole rows\n"},
};

static const want volatile_ones[] = {
    {"SELECT random()", "volatile: random()\nconstant: no table\n"},
    {"SELECT n FROM o ORDER BY randomblob(3)", "volatile: randomblob()\nmain.o: columns n\n"},
    {"SELECT changes()", "volatile: changes()\nconstant: no table\n"},
    {"SELECT total_changes()", "volatile: total_changes()\nconstant: no table\n"},
    {"SELECT last_insert_rowid()", "volatile: last_insert_rowid()\nconstant: no table\n"},
    {"SELECT current_timestamp", "volatile: current_timestamp()\nconstant: no table\n"},
    {"SELECT current_date, current_time", "volatile: current_time()\nconstant: no table\n"},
    {"SELECT n FROM o WHERE n > datetime('now', '-1 day')", "volatile: datetime()\nmain.o: columns n\n"},
    {"SELECT strftime('%s', 'NOW')", "volatile: strftime()\nconstant: no table\n"},
    {"SELECT n FROM o WHERE n > unixepoch()", "volatile: unixepoch()\nmain.o: columns n\n"},
    {"SELECT date()", "volatile: date()\nconstant: no table\n"},
    {"SELECT date(?), strftime('%Y', n) FROM o", "main.o: columns n\n"},
    {"SELECT sqlite_version()", "constant: no table\n"},
    {"SELECT count(*) FILTER (WHERE random() > n) FROM o", "volatile: random()\nmain.o: columns n\n"},
    {"SELECT random() FROM pragma_table_info('o')", "volatile: random()\neverything: every commit\n"},
    /* What a column says of rows that are yet to come. */
    {"SELECT x, at, r FROM fresh", "main.fresh: columns x, at, r\n"},
    {"SELECT count(at) FROM fresh WHERE r > 1", "main.fresh: columns at, r\n"},
    {"SELECT at, random() FROM fresh", "volatile: random()\nmain.fresh: columns at\n"},
    {"SELECT at FROM fresh WHERE at < CURRENT_DATE", "volatile: current_date()\nmain.fresh: columns at\n"},
};

typedef struct setting {
    rsq_seq seq;
    rsq_conn_config config;
    rsq_conn *conn;
} setting;

static void run(setting *s, const char *sql)
{
    rsq_request rq = {.sql = sql, .sql_len = strlen(sql)};
    rsq_error err = {0};

    if (rsq_conn_execute(s->conn, &rq, NULL, &err) != RSQ_OK)
        fail_msg("%s: %s", sql, err.message);
}

static int set_up(void **state)
{
    static char path[] = ":memory:";
    setting *s = calloc(1, sizeof *s);
    rsq_error err = {0};

    assert_non_null(s);
    s->config = (rsq_conn_config){.path = path,
                                  .seq = &s->seq,
                                  .mmap_bytes = 0,
                                  .cache_bytes = 1 << 20,
                                  .synchronous = RSQ_SYNC_NORMAL};
    if (rsq_conn_open(&s->config, RSQ_CONN_ONLY, &s->conn, &err) != RSQ_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < sizeof schema / sizeof schema[0]; i++)
        run(s, schema[i]);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    setting *s = *state;

    rsq_conn_close(s->conn);
    free(s);
    return 0;
}

/* All rows of a table are looked at before the test fails. */
static void check(setting *s, const want *wants, size_t n)
{
    size_t wrong = 0;

    for (size_t i = 0; i < n; i++) {
        rsq_request rq = {.sql = wants[i].sql, .sql_len = strlen(wants[i].sql)};
        rsq_depends *d = NULL;
        rsq_error err = {0};
        rsq_code code = rsq_conn_depends(s->conn, &rq, &d, &err);
        char *text = code == RSQ_OK ? rsq_depends_text(d) : rsq_copy_text(err.message, strlen(err.message));

        if (strcmp(text, wants[i].text) != 0) {
            print_error("%s\n  is      %s\n  and not %s\n", wants[i].sql, text, wants[i].text);
            wrong++;
        }
        rsq_free(text);
        rsq_depends_unref(d);
    }
    assert_int_equal(wrong, 0);
}

#define CHECK(state, wants) check(*(state), wants, sizeof(wants) / sizeof(wants)[0])

static void reads_tables_and_columns(void **state)
{
    CHECK(state, tables_and_columns);
}

static void virtual_tables_read_their_shadows(void **state)
{
    CHECK(state, virtual_tables);
}

static void keys_are_proven(void **state)
{
    CHECK(state, keys);
}

static void volatile_functions_are_found(void **state)
{
    CHECK(state, volatile_ones);
}

/* --- kept with the statement --- */

/* A database in a file, with a writer and a reader. */
typedef struct pair {
    char folder[64], path[96];
    rsq_seq seq;
    rsq_conn_config config;
    rsq_conn *writer, *reader;
} pair;

static int open_pair(void **state)
{
    pair *p = calloc(1, sizeof *p);

    assert_non_null(p);
    (void)snprintf(p->folder, sizeof p->folder, "/tmp/depends-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    (void)snprintf(p->path, sizeof p->path, "%s/t.db", p->folder);
    p->config = (rsq_conn_config){.path = p->path,
                                  .seq = &p->seq,
                                  .busy_timeout_ms = 1000,
                                  .cache_bytes = 1 << 20,
                                  .synchronous = RSQ_SYNC_OFF};
    assert_int_equal(rsq_conn_open(&p->config, RSQ_CONN_WRITER, &p->writer, NULL), RSQ_OK);
    assert_int_equal(rsq_conn_open(&p->config, RSQ_CONN_READER, &p->reader, NULL), RSQ_OK);
    *state = p;
    return 0;
}

static int close_pair(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    pair *p = *state;
    char name[128];

    rsq_conn_close(p->reader);
    rsq_conn_close(p->writer);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(name, sizeof name, "%s%s", p->path, suffixes[i]);
        (void)unlink(name);
    }
    (void)rmdir(p->folder);
    free(p);
    return 0;
}

static void write_to(pair *p, const char *sql)
{
    rsq_request rq = {.sql = sql, .sql_len = strlen(sql)};
    rsq_error err = {0};

    if (rsq_conn_execute(p->writer, &rq, NULL, &err) != RSQ_OK)
        fail_msg("%s: %s", sql, err.message);
}

/* By a connection that the library knows nothing of. */
static void write_beside(pair *p, const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

#define KEPT "SELECT x FROM v WHERE a = ?"

/* In the newest snapshot. Owned by the caller. */
static rsq_depends *ask(pair *p, const char *text)
{
    rsq_request rq = {.sql = KEPT, .sql_len = strlen(KEPT)};
    rsq_depends *d = NULL;
    char *is;

    assert_int_equal(rsq_conn_snapshot_open(p->reader, NULL), RSQ_OK);
    assert_int_equal(rsq_conn_depends(p->reader, &rq, &d, NULL), RSQ_OK);
    is = rsq_depends_text(d);
    assert_string_equal(is, text);
    rsq_free(is);
    return d;
}

/* One for all queries of a text, until the schema is another one. */
static void kept_until_the_schema_changes(void **state)
{
    pair *p = *state;
    rsq_depends *first, *again;

    write_to(p, "CREATE TABLE t(a, b, c)");
    write_to(p, "CREATE VIEW v AS SELECT a, b AS x FROM t");
    first = ask(p, "main.t: columns a, b\n");
    again = ask(p, "main.t: columns a, b\n");
    assert_ptr_equal(first, again);
    rsq_depends_unref(again);
    write_to(p, "INSERT INTO t VALUES (1, 2, 3)");
    again = ask(p, "main.t: columns a, b\n");
    assert_ptr_equal(first, again);
    rsq_depends_unref(again);
    rsq_depends_unref(first);
    write_to(p, "CREATE INDEX ta ON t(a)");
    rsq_depends_unref(ask(p, "main.t: key (a = ?1), columns a, b\n"));
    write_to(p, "DROP VIEW v");
    write_to(p, "CREATE VIEW v AS SELECT a, c AS x FROM t");
    rsq_depends_unref(ask(p, "main.t: key (a = ?1), columns a, c\n"));
    write_beside(p, "DROP INDEX ta");
    rsq_depends_unref(ask(p, "main.t: columns a, c\n"));
    write_beside(p, "BEGIN; CREATE TABLE u(a, x); DROP VIEW v; CREATE VIEW v AS SELECT a, x FROM u; COMMIT");
    rsq_depends_unref(ask(p, "main.u: columns a, x\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_tables_and_columns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(virtual_tables_read_their_shadows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_are_proven, set_up, tear_down),
        cmocka_unit_test_setup_teardown(volatile_functions_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kept_until_the_schema_changes, open_pair, close_pair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
