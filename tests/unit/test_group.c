/*
 * Group commit against one commit each: random lists of statements, those that fail in every way among them,
 * run as groups on a connection of the library and one by one on a plain connection of SQLite. Every outcome
 * and the database must be the same.
 *
 * RSQ_TEST_ROUNDS sets how many groups of two and more members are made; the seed is fixed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "random.h"
#include "sql/internal.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define SEED UINT64_C(0x5eed0404)
#define LIST_MAX 12
#define PARAMS_MAX 4

static const char *const schema =
    "CREATE TABLE parent(id INTEGER PRIMARY KEY, v);"
    "CREATE TABLE child(id INTEGER PRIMARY KEY AUTOINCREMENT, n, "
    "    pid REFERENCES parent(id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);"
    "CREATE TABLE held(id INTEGER PRIMARY KEY, pid NOT NULL REFERENCES parent(id) ON DELETE RESTRICT);"
    "CREATE TABLE u(a INTEGER PRIMARY KEY, b TEXT UNIQUE, c INT NOT NULL CHECK (c >= 0));"
    "CREATE TABLE w(k TEXT, j INT, v, PRIMARY KEY (k, j)) WITHOUT ROWID;"
    "CREATE TABLE s(id INTEGER PRIMARY KEY, n INT) STRICT;"
    "CREATE TABLE log(id INTEGER PRIMARY KEY, what, at);"
    "CREATE TRIGGER u_log AFTER INSERT ON u BEGIN INSERT INTO log(what, at) VALUES ('insert', new.a); END;"
    "CREATE TRIGGER u_gone AFTER DELETE ON u BEGIN INSERT INTO log(what, at) VALUES ('delete', old.a); END;"
    "CREATE TRIGGER u13 AFTER INSERT ON u WHEN new.c = 13 BEGIN SELECT RAISE(ROLLBACK, 'thirteen'); END;"
    "CREATE TRIGGER u14 AFTER INSERT ON u WHEN new.c = 14 BEGIN SELECT RAISE(ABORT, 'fourteen'); END;"
    "CREATE TRIGGER u15 AFTER INSERT ON u WHEN new.c = 15 BEGIN SELECT RAISE(FAIL, 'fifteen'); END;"
    "CREATE TRIGGER u16 BEFORE INSERT ON u WHEN new.c = 16 BEGIN SELECT RAISE(IGNORE); END;";
static const char *const fts_schema = "CREATE VIRTUAL TABLE f USING fts5(x);";

/* Parameters of a kind: a small integer, a short text, a value of c, a size in bytes. */
typedef struct form {
    const char *sql;
    const char *params; /* a letter each: i, t, c, z; '!': one too few is given */
    unsigned weight;
    enum { EITHER, WITH_FTS, WITHOUT_FTS } where;
} form;

static const form forms[] = {
    {"INSERT INTO u VALUES (?, ?, ?)", "itc", 12, EITHER},
    {"INSERT OR ROLLBACK INTO u VALUES (?, ?, ?)", "itc", 2, EITHER},
    {"INSERT OR ABORT INTO u VALUES (?, ?, ?)", "itc", 4, EITHER},
    {"INSERT OR FAIL INTO u VALUES (?, ?, ?)", "itc", 4, EITHER},
    {"INSERT OR IGNORE INTO u VALUES (?, ?, ?)", "itc", 6, EITHER},
    {"INSERT OR REPLACE INTO u VALUES (?, ?, ?)", "itc", 6, EITHER},
    {"INSERT INTO u VALUES (?1, ?2, ?3), (?1 + 1, ?2 || 'y', ?3), (?1 + 2, ?2 || 'z', ?3 + 1)", "itc", 6,
     EITHER},
    {"INSERT OR FAIL INTO u VALUES (?1, ?2, ?3), (?1 + 1, ?2 || 'y', ?3), (?1 + 2, ?2, ?3)", "itc", 6,
     EITHER},
    {"INSERT OR ROLLBACK INTO u VALUES (?1, ?2, ?3), (?1 + 1, ?2, ?3)", "itc", 1, EITHER},
    {"INSERT OR IGNORE INTO u VALUES (?1, ?2, ?3), (?1 + 1, ?2, ?3)", "itc", 4, EITHER},
    {"INSERT INTO u VALUES (?, ?, ?) ON CONFLICT (a) DO UPDATE SET c = c + 1 RETURNING a, b, c", "itc", 6,
     EITHER},
    {"INSERT OR FAIL INTO u SELECT ?1 + value, ?2 || value, ?3 FROM json_each('[0,1,2,1]') RETURNING a",
     "itc", 3, EITHER},
    {"UPDATE u SET c = c - ? WHERE a >= ?", "ii", 6, EITHER},
    {"UPDATE OR FAIL u SET b = ? WHERE a >= ?", "ti", 3, EITHER},
    {"UPDATE OR ROLLBACK u SET b = ? WHERE a >= ?", "ti", 1, EITHER},
    {"UPDATE OR REPLACE u SET b = ? WHERE a >= ? RETURNING a", "ti", 3, EITHER},
    {"UPDATE OR IGNORE u SET a = a + ? WHERE a < ?", "ii", 3, EITHER},
    {"DELETE FROM u WHERE a % ? = 0", "i", 4, EITHER},
    {"DELETE FROM log WHERE id % 3 <> 0", "", 2, EITHER},
    {"DELETE FROM w", "", 1, EITHER},
    {"INSERT INTO child(pid, n) VALUES (?, ?)", "ii", 12, EITHER},
    {"UPDATE child SET pid = ? WHERE n = ?", "ii", 3, EITHER},
    {"INSERT INTO parent VALUES (?, ?)", "it", 8, EITHER},
    {"INSERT OR REPLACE INTO parent VALUES (?, ?)", "it", 6, EITHER},
    {"DELETE FROM parent WHERE id = ?", "i", 4, EITHER},
    {"INSERT INTO held VALUES (?, ?)", "ii", 6, EITHER},
    {"DELETE FROM held WHERE pid < ?", "i", 3, EITHER},
    {"INSERT INTO w VALUES (?, ?, ?)", "tii", 8, EITHER},
    {"UPDATE w SET j = j + 1 WHERE k >= ?", "t", 4, EITHER},
    /* In a transaction SQLite leaves the rows before the one that fails. */
    {"INSERT INTO s(n) SELECT 1 UNION ALL SELECT CASE WHEN ?1 % 2 THEN ?2 ELSE 2 END", "it", 3, EITHER},
    {"INSERT OR IGNORE INTO s(n) SELECT ?1 UNION ALL SELECT ?2 RETURNING id", "it", 2, EITHER},
    {"UPDATE s SET n = CASE WHEN id > ?1 THEN ?2 ELSE 3 END", "it", 2, EITHER},
    {"DELETE FROM s WHERE id % 3 <> 0", "", 2, EITHER},
    {"SELECT count(*), sum(c), (SELECT count(*) FROM log) FROM u", "", 4, EITHER},
    /* FTS5 writes at COMMIT, and changes() says how much: there it depends on where the commits are. */
    {"INSERT INTO log(what, at) VALUES ('changes', changes())", "", 2, WITHOUT_FTS},
    {"INSERT INTO log(what, at) SELECT 'rowid', last_insert_rowid()", "", 2, EITHER},
    {"INSERT INTO log(what, at) VALUES (?, abs(-9223372036854775807 - ?))", "ti", 3, EITHER},
    {"INSERT INTO log(what, at) VALUES (zeroblob(?), 0)", "z", 3, EITHER},
    {"INSERT INTO nowhere VALUES (?)", "i", 2, EITHER},
    {"INSERT INTO u VALUES (?, ?, ?)", "it!", 1, EITHER},
    {"CREATE TABLE IF NOT EXISTS extra(x, y)", "", 1, EITHER},
    {"DROP TABLE IF EXISTS extra", "", 1, EITHER},
    {"INSERT INTO f(x) VALUES (?)", "t", 8, WITH_FTS},
    {"DELETE FROM f WHERE f MATCH ?", "t", 4, WITH_FTS},
    {"UPDATE f SET x = x || ' ' || ? WHERE rowid % 3 = ?", "ti", 3, WITH_FTS},
};

/* What the database must agree on. */
static const char *const contents[] = {
    "SELECT * FROM parent ORDER BY id", "SELECT * FROM child ORDER BY id", "SELECT * FROM held ORDER BY id",
    "SELECT * FROM u ORDER BY a",       "SELECT * FROM w ORDER BY k, j",   "SELECT * FROM log ORDER BY id",
    "SELECT * FROM s ORDER BY id",      "SELECT * FROM sqlite_sequence",   "PRAGMA foreign_key_check",
    "PRAGMA integrity_check",
};
static const char *const fts_content = "SELECT rowid, x FROM f ORDER BY rowid";

static uint64_t below(uint64_t *state, uint64_t n)
{
    return next_random(state) % n;
}

/* --- the two databases --- */

typedef struct pair {
    char dir[64], path[96], plain_path[96];
    rsq_seq seq;
    rsq_conn_config config;
    rsq_conn *conn;
    sqlite3 *plain;
    bool fts;
    uint64_t random;
    size_t groups, members, undone;
} pair;

static void run_sql(sqlite3 *db, const char *sql)
{
    char *message = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
}

static void run_both(pair *p, const char *sql)
{
    run_sql(p->conn->db, sql);
    run_sql(p->plain, sql);
}

static void open_pair(pair *p, bool in_file, bool fts, uint64_t seed)
{
    rsq_changes none = {0};
    rsq_error err;

    memset(p, 0, sizeof *p);
    p->random = seed;
    p->fts = fts;
    atomic_init(&p->seq.newest, 0);
    atomic_init(&p->seq.base, 0);
    strcpy(p->path, ":memory:");
    strcpy(p->plain_path, ":memory:");
    if (in_file) {
        strcpy(p->dir, "/tmp/rsq-group-XXXXXX");
        assert_non_null(mkdtemp(p->dir));
        (void)snprintf(p->path, sizeof p->path, "%s/ours.db", p->dir);
        (void)snprintf(p->plain_path, sizeof p->plain_path, "%s/plain.db", p->dir);
    }
    p->config = (rsq_conn_config){.path = p->path, .busy_timeout_ms = 1000, .synchronous = RSQ_SYNC_NORMAL};
    p->config.cache_bytes = 8 << 20;
    p->config.seq = &p->seq;
    if (rsq_conn_open(&p->config, in_file ? RSQ_CONN_WRITER : RSQ_CONN_ONLY, &p->conn, &err) != RSQ_OK)
        fail_msg("open: %s", err.message);
    assert_int_equal(sqlite3_open(p->plain_path, &p->plain), SQLITE_OK);
    (void)sqlite3_extended_result_codes(p->plain, 1);
    (void)sqlite3_db_config(p->plain, SQLITE_DBCONFIG_ENABLE_QPSG, 1, NULL);
    run_sql(p->plain,
            in_file ? "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON" : "PRAGMA foreign_keys = ON");
    run_both(p, schema);
    if (fts)
        run_both(p, fts_schema);
    (void)rsq_conn_take_changes(p->conn, &none);
    rsq_names_fini(&none.tables);
}

static void remove_file(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char name[128];

    for (size_t i = 0; i < LENGTH(ends); i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
        (void)unlink(name);
    }
}

static void close_pair(pair *p)
{
    rsq_conn_close(p->conn);
    assert_int_equal(sqlite3_close(p->plain), SQLITE_OK);
    if (!p->dir[0])
        return;
    remove_file(p->path);
    remove_file(p->plain_path);
    assert_int_equal(rmdir(p->dir), 0);
}

/* --- lists of statements --- */

typedef struct item {
    const form *of;
    rsq_value params[PARAMS_MAX];
    char texts[PARAMS_MAX][8];
    rsq_request rq;
    rsq_member member;
    int64_t last_insert_rowid; /* of the plain connection, after it */
} item;

static uint64_t weight_of(const pair *p, const form *f)
{
    return f->where == (p->fts ? WITHOUT_FTS : WITH_FTS) ? 0 : f->weight;
}

static const form *pick_form(pair *p)
{
    uint64_t total = 0, at;

    for (size_t i = 0; i < LENGTH(forms); i++)
        total += weight_of(p, &forms[i]);
    at = below(&p->random, total);
    for (size_t i = 0;; i++) {
        uint64_t weight = weight_of(p, &forms[i]);

        if (at < weight)
            return &forms[i];
        at -= weight;
    }
}

static rsq_value pick_value(pair *p, char kind, char *text)
{
    switch (kind) {
    case 't':
        (void)snprintf(text, 8, "t%u", (unsigned)below(&p->random, 30));
        return rsq_text(text);
    case 'c':
        return rsq_integer((int64_t)below(&p->random, 40) - 1);
    case 'z':
        return rsq_integer((int64_t)below(&p->random, 40000));
    default:
        return rsq_integer((int64_t)below(&p->random, 40));
    }
}

static void make_item(pair *p, item *it)
{
    size_t n = 0;

    memset(it, 0, sizeof *it);
    it->of = pick_form(p);
    for (const char *kind = it->of->params; *kind && *kind != '!'; kind++, n++)
        it->params[n] = pick_value(p, *kind, it->texts[n]);
    it->rq =
        (rsq_request){.sql = it->of->sql, .sql_len = strlen(it->of->sql), .params = it->params, .nparams = n};
    it->member = (rsq_member){.rq = &it->rq, .wants_result = below(&p->random, 4) != 0};
}

/* Where the members of a list come from. */
typedef struct list {
    rsq_members from;
    item *items;
    size_t count, taken;
} list;

static rsq_member *take(rsq_members *from)
{
    list *l = (list *)(void *)from;

    return l->taken < l->count ? &l->items[l->taken++].member : NULL;
}

/* As the writer does it: groups as far as they go, else one by itself. */
static void run_list(pair *p, item *items, size_t count)
{
    list l = {.from.take = take, .items = items, .count = count};
    size_t done = 0;

    while (done < count) {
        rsq_member *m = &items[done].member;
        bool was_alone = m->alone;
        rsq_changes changes = {0};
        size_t n;

        l.taken = done + 1;
        n = rsq_conn_execute_group(p->conn, m, &l.from);
        p->undone += n == 0 && m->alone && !was_alone;
        p->groups += n > 1;
        p->members += n > 1 ? n : 0;
        if (n == 0)
            rsq_conn_execute_member(p->conn, m);
        (void)rsq_conn_take_changes(p->conn, &changes);
        rsq_names_fini(&changes.tables);
        done += n ? n : 1;
    }
}

/* --- the judge --- */

static void differs(const item *it, const char *what, const char *ours, const char *plain)
{
    fail_msg("%s differs: %s, plain %s\n    %s", what, ours, plain, it->of->sql);
}

static void check_number(const item *it, const char *what, int64_t ours, int64_t plain)
{
    char a[32], b[32];

    if (ours == plain)
        return;
    (void)snprintf(a, sizeof a, "%lld", (long long)ours);
    (void)snprintf(b, sizeof b, "%lld", (long long)plain);
    differs(it, what, a, b);
}

static void bind(sqlite3_stmt *s, const item *it)
{
    for (size_t i = 0; i < it->rq.nparams; i++) {
        const rsq_value *v = &it->params[i];

        if (v->type == RSQ_TEXT)
            (void)sqlite3_bind_text(s, (int)i + 1, v->as.text, (int)v->len, SQLITE_STATIC);
        else
            (void)sqlite3_bind_int64(s, (int)i + 1, v->as.i);
    }
}

static void check_row(const item *it, sqlite3_stmt *s, size_t row)
{
    const rsq_result *r = it->member.result;

    for (int i = 0; r && i < sqlite3_column_count(s); i++) {
        const rsq_value *v = rsq_result_cell(r, row, (size_t)i);

        if (!v)
            differs(it, "rows", "too few", "more");
        else if (v->type == RSQ_TEXT && strcmp(v->as.text, (const char *)sqlite3_column_text(s, i)) != 0)
            differs(it, "a text", v->as.text, (const char *)sqlite3_column_text(s, i));
        else if (v->type == RSQ_INTEGER)
            check_number(it, "a cell", v->as.i, sqlite3_column_int64(s, i));
        check_number(it, "null", v && v->type == RSQ_NULL, sqlite3_column_type(s, i) == SQLITE_NULL);
    }
}

static void check_failure(pair *p, const item *it, int rc)
{
    const rsq_error *why = it->member.error;

    if (it->member.code == RSQ_OK || !why)
        differs(it, "outcome", "it went well", sqlite3_errmsg(p->plain));
    else if (strcmp(why->message, sqlite3_errmsg(p->plain)) != 0)
        differs(it, "message", why->message, sqlite3_errmsg(p->plain));
    else
        check_number(it, "code", why->sqlite_code, rc);
}

static void check_success(pair *p, const item *it, size_t rows, bool dml)
{
    const rsq_result *r = it->member.result;

    if (it->member.code != RSQ_OK)
        differs(it, "outcome", it->member.error ? it->member.error->message : "no memory", "it went well");
    if (!r)
        return;
    check_number(it, "rows", (int64_t)rsq_result_rows(r), (int64_t)rows);
    if (!dml)
        return;
    check_number(it, "changes", rsq_result_changes(r), sqlite3_changes64(p->plain));
    /* What FTS5 writes at COMMIT may count as an insert too: there it depends on where the commits are. */
    if (!p->fts)
        check_number(it, "rowid", rsq_result_last_insert_rowid(r), sqlite3_last_insert_rowid(p->plain));
}

static void judge(pair *p, item *it)
{
    sqlite3_stmt *s = NULL;
    bool dml = strncmp(it->of->sql, "INSERT", 6) == 0 || strncmp(it->of->sql, "UPDATE", 6) == 0 ||
               strncmp(it->of->sql, "DELETE", 6) == 0;
    size_t rows = 0;
    int rc = sqlite3_prepare_v2(p->plain, it->of->sql, -1, &s, NULL);

    if (rc == SQLITE_OK && (size_t)sqlite3_bind_parameter_count(s) != it->rq.nparams) {
        check_number(it, "code", it->member.code, RSQ_EINVAL);
        assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
        return;
    }
    if (rc == SQLITE_OK) {
        bind(s, it);
        while ((rc = sqlite3_step(s)) == SQLITE_ROW)
            check_row(it, s, rows++);
    }
    if (rc == SQLITE_DONE)
        rc = sqlite3_reset(s);
    if (rc == SQLITE_OK)
        check_success(p, it, it->member.result && !sqlite3_column_count(s) ? 0 : rows, dml);
    else
        check_failure(p, it, rc);
    (void)sqlite3_finalize(s);
}

static void print_content(sqlite3 *db, const char *sql, sqlite3_str *out)
{
    sqlite3_stmt *s;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);

    assert_int_equal(rc, SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(s); i++) {
            const char *text = (const char *)sqlite3_column_text(s, i);

            sqlite3_str_appendf(out, "%s|", text ? text : "NULL");
        }
        sqlite3_str_appendall(out, "\n");
    }
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
}

/* Fail with the first line that is not the same. */
static void show_difference(const char *sql, const char *ours, const char *plain)
{
    size_t line = 0, i = 0;

    for (; ours[i] && ours[i] == plain[i]; i++)
        line = ours[i] == '\n' ? i + 1 : line;
    fail_msg("the databases differ: %s\nours  %.*s\nplain %.*s", sql, (int)strcspn(ours + line, "\n"),
             ours + line, (int)strcspn(plain + line, "\n"), plain + line);
}

static void compare_content(pair *p, const char *sql)
{
    sqlite3_str *ours = sqlite3_str_new(NULL), *plain = sqlite3_str_new(NULL);
    char *a, *b;

    print_content(p->conn->db, sql, ours);
    print_content(p->plain, sql, plain);
    a = sqlite3_str_finish(ours);
    b = sqlite3_str_finish(plain);
    if (strcmp(a ? a : "", b ? b : "") != 0)
        show_difference(sql, a ? a : "", b ? b : "");
    sqlite3_free(a);
    sqlite3_free(b);
}

static void compare_databases(pair *p)
{
    for (size_t i = 0; i < LENGTH(contents); i++)
        compare_content(p, contents[i]);
    if (p->fts)
        compare_content(p, fts_content);
}

static void one_list(pair *p)
{
    item items[LIST_MAX];
    size_t n = 2 + below(&p->random, LIST_MAX - 1);

    for (size_t i = 0; i < n; i++)
        make_item(p, &items[i]);
    run_list(p, items, n);
    for (size_t i = 0; i < n; i++) {
        judge(p, &items[i]);
        rsq_result_unref(items[i].member.result);
        free(items[i].member.error);
    }
}

/* --- the tests --- */

static int64_t page_count(sqlite3 *db)
{
    sqlite3_stmt *s;
    int64_t n;

    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA page_count", -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    n = sqlite3_column_int64(s, 0);
    assert_int_equal(sqlite3_finalize(s), SQLITE_OK);
    return n;
}

/* Every so often there is room for only a few pages more. */
static void limit_size(pair *p, size_t round)
{
    char sql[64];

    if (round % 200 == 100) {
        (void)snprintf(sql, sizeof sql, "PRAGMA max_page_count = %lld", (long long)page_count(p->plain) + 3);
        run_both(p, sql);
    } else if (round % 200 == 150) {
        run_both(p, "PRAGMA max_page_count = 1000000");
        run_both(p, "DELETE FROM log");
    }
}

static size_t rounds(size_t usual)
{
    const char *given = getenv("RSQ_TEST_ROUNDS");

    return given ? (size_t)strtoull(given, NULL, 10) : usual;
}

static void compare_groups(bool in_file, bool fts, size_t wanted)
{
    pair p;

    open_pair(&p, in_file, fts, SEED + in_file + 2 * fts);
    for (size_t round = 0; p.groups < wanted; round++) {
        if (!fts)
            limit_size(&p, round);
        one_list(&p);
        if (round % 50 == 0)
            compare_databases(&p);
    }
    compare_databases(&p);
    print_message("# %zu groups of %.1f members on average, %zu groups undone\n", p.groups,
                  (double)p.members / (double)p.groups, p.undone);
    assert_true(p.members > 2 * p.groups); /* four and more, where the machine gives them the time */
    assert_true(p.undone > wanted / 100);
    close_pair(&p);
}

static void like_one_commit_each(void **state)
{
    (void)state;
    compare_groups(false, false, rounds(10000));
}

static void like_one_commit_each_in_a_file(void **state)
{
    (void)state;
    compare_groups(true, false, rounds(10000) / 10);
}

static void like_one_commit_each_with_fts(void **state)
{
    (void)state;
    compare_groups(false, true, rounds(10000) / 10);
}

/* --- rules of a group that random lists hardly show --- */

static const char insert_u[] = "INSERT OR ROLLBACK INTO u VALUES (?, ?, 1)";
static const char insert_log[] = "INSERT INTO log(what, at) VALUES ('x', ?)";

static void set_item(item *it, const char *sql, int64_t a, int64_t b)
{
    memset(it, 0, sizeof *it);
    it->params[0] = rsq_integer(a);
    it->params[1] = rsq_integer(b);
    it->rq = (rsq_request){.sql = sql, .sql_len = strlen(sql), .params = it->params};
    for (const char *p = sql; *p; p++)
        it->rq.nparams += *p == '?';
    it->member = (rsq_member){.rq = &it->rq, .wants_result = true};
}

/* How many shared the first commit. */
static size_t run_group(pair *p, item *items, size_t count)
{
    list l = {.from.take = take, .items = items, .count = count, .taken = 1};

    return rsq_conn_execute_group(p->conn, &items[0].member, &l.from);
}

static void drop_items(item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rsq_result_unref(items[i].member.result);
        free(items[i].member.error);
    }
}

static void run_alone(pair *p, const char *sql, int64_t a, int64_t b, rsq_code code)
{
    item it;

    set_item(&it, sql, a, b);
    rsq_conn_execute_member(p->conn, &it.member);
    assert_int_equal(it.member.code, code);
    drop_items(&it, 1);
}

/* A group ends after two milliseconds, which a busy machine may take from it: then the member that would undo
 * it is not reached, and there is another attempt. */
#define ATTEMPTS 100

static void undo_a_group(pair *p, item *items)
{
    size_t shared = 1;

    for (int i = 0; i < ATTEMPTS && shared > 0; i++) {
        set_item(&items[0], insert_log, 1, 0);
        set_item(&items[1], insert_u, 1, 2);
        shared = run_group(p, items, 2);
        drop_items(items, 2);
    }
    assert_int_equal(shared, 0);
}

/* SQL that undid a group runs by itself for a while, and then shares commits again. */
static void alone_after_an_undone_group(void **state)
{
    item items[2];
    pair p;
    int alone = 0;

    (void)state;
    open_pair(&p, false, false, SEED);
    run_alone(&p, insert_u, 1, 1, RSQ_OK);
    undo_a_group(&p, items);
    for (size_t shared = 0; shared < 2; alone++) {
        set_item(&items[0], insert_log, 1, 0);
        set_item(&items[1], insert_u, 100 + alone, 100 + alone);
        shared = run_group(&p, items, 2);
        drop_items(items, 2);
        /* As the writer does it: the one that is not shared with runs next. */
        if (shared < 2)
            run_alone(&p, insert_u, 100 + alone, 100 + alone, RSQ_OK);
        assert_true(alone < 1000);
    }
    assert_true(alone > 10);
    close_pair(&p);
}

/* False: the group was not undone. */
static bool see_row_id(void)
{
    item items[3];
    bool undone;
    pair p;

    open_pair(&p, false, false, SEED);
    run_alone(&p, insert_u, 7, 1, RSQ_OK);
    set_item(&items[0], "UPDATE parent SET v = 1 WHERE id = ?", 1, 0);
    set_item(&items[1], "INSERT INTO parent VALUES (?, ?)", 500, 1);
    set_item(&items[2], insert_u, 7, 2);
    undone = run_group(&p, items, 3) == 0;
    if (undone) {
        assert_true(items[0].member.alone);
        rsq_conn_execute_member(p.conn, &items[0].member);
        assert_int_equal(items[0].member.code, RSQ_OK);
        assert_int_equal(rsq_result_last_insert_rowid(items[0].member.result), 7);
    }
    drop_items(items, 3);
    close_pair(&p);
    return undone;
}

/* What an undone group inserted last is not seen by those that run again. */
static void row_id_of_an_undone_group(void **state)
{
    bool undone = false;

    (void)state;
    for (int i = 0; i < ATTEMPTS && !undone; i++)
        undone = see_row_id();
    assert_true(undone);
}

/* A group ends at a number of members, and a slow one is not kept waiting for others. */
static void limits_of_a_group(void **state)
{
    static const char slow[] = "INSERT INTO log(what, at) WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL "
                               "SELECT i + 1 FROM n WHERE i < 200000 + ?) SELECT 'slow', count(*) FROM n";
    size_t count = 600, shared;
    item *items = calloc(count, sizeof *items);
    pair p;

    (void)state;
    assert_non_null(items);
    open_pair(&p, false, false, SEED);
    for (size_t i = 0; i < count; i++)
        set_item(&items[i], insert_log, (int64_t)i, 0);
    /* On a slow machine its time may end a group before. */
    shared = run_group(&p, items, count);
    assert_in_range(shared, 1, 256);
    drop_items(items, count);
    set_item(&items[0], insert_log, 1, 0);
    set_item(&items[1], slow, 0, 0);
    set_item(&items[2], insert_log, 2, 0);
    shared = run_group(&p, items, 3);
    assert_in_range(shared, 1, 2);
    assert_null(items[2].member.result);
    drop_items(items, 3);
    free(items);
    close_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone_after_an_undone_group),
        cmocka_unit_test(row_id_of_an_undone_group),
        cmocka_unit_test(limits_of_a_group),
        cmocka_unit_test(like_one_commit_each),
        cmocka_unit_test(like_one_commit_each_in_a_file),
        cmocka_unit_test(like_one_commit_each_with_fts),
    };

    return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
