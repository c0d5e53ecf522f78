/*
 * Random commits against random live queries: one that a commit did not wake must have the same answer as
 * before it. The answer is asked again with rsq_select(), so what is tested is the decision to wake and
 * nothing of what follows it.
 *
 * RSQ_TEST_SEED repeats a run, RSQ_TEST_COMMITS makes it longer.
 */
#include "fixture.h"

#include <inttypes.h>

#define STREAMS 60

static const char *const schema[] = {
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT, c TEXT COLLATE NOCASE, r REAL, n, "
    "g AS (a + 1), s AS (a % 3) STORED)",
    "CREATE INDEX ta ON t(a)",
    "CREATE INDEX tba ON t(b, a DESC)",
    "CREATE INDEX tc ON t(c)",
    "CREATE INDEX tr ON t(r)",
    "CREATE INDEX tn ON t(n COLLATE RTRIM)",
    "CREATE INDEX tp ON t(n) WHERE a > 2",
    "CREATE INDEX te ON t(a + r)",
    "CREATE INDEX tg ON t(g)",
    "CREATE TABLE w(x, k TEXT, j INT, y, PRIMARY KEY(k, j DESC)) WITHOUT ROWID",
    "CREATE INDEX wx ON w(x)",
    "CREATE TABLE u(id INTEGER PRIMARY KEY, t REFERENCES t(id) ON DELETE CASCADE ON UPDATE SET NULL, m "
    "UNIQUE)",
    "CREATE INDEX ut ON u(t)",
    "CREATE TRIGGER tu AFTER INSERT ON u WHEN new.m > 2 BEGIN UPDATE t SET n = new.m WHERE id = new.t; END",
    "CREATE TRIGGER td AFTER DELETE ON w BEGIN INSERT OR REPLACE INTO u(id, m) VALUES (old.j, old.x); END",
    "CREATE VIEW tv AS SELECT id, a, b, n FROM t WHERE s > 0",
    "CREATE VIRTUAL TABLE f USING fts5(x, y)",
};

static const char *const queries[] = {
    "SELECT * FROM t WHERE id = ?",
    "SELECT b, r FROM t WHERE id IN (?, ?)",
    "SELECT n FROM t WHERE id = ? OR a = ?",
    "SELECT b FROM t WHERE a = ?",
    "SELECT b, c FROM t WHERE a IN (?, ?, ?)",
    "SELECT n FROM t WHERE a BETWEEN ? AND ?",
    "SELECT n FROM t WHERE a >= ? AND a < ? ORDER BY a DESC, id",
    "SELECT n FROM t WHERE id > ? ORDER BY id LIMIT 3",
    "SELECT n FROM t WHERE id BETWEEN ? AND ?",
    "SELECT n FROM t WHERE id < ?",
    "SELECT n FROM t WHERE id <= ? ORDER BY id DESC LIMIT 2",
    "SELECT a FROM t WHERE b = ?",
    "SELECT c FROM t WHERE b = ? AND a = ?",
    "SELECT c FROM t WHERE b = ? AND a > ?",
    "SELECT c FROM t WHERE b = ? AND a <= ? ORDER BY a",
    "SELECT c FROM t WHERE b = ? AND a BETWEEN ? AND ?",
    "SELECT c FROM t WHERE b IN (?, ?) AND a IN (?, ?)",
    "SELECT c FROM t WHERE b > ?",
    "SELECT c FROM t WHERE b <= ?",
    "SELECT id FROM t WHERE c = ?",
    "SELECT id FROM t WHERE c BETWEEN ? AND ?",
    "SELECT id FROM t WHERE c >= ? ORDER BY c DESC",
    "SELECT id FROM t WHERE r = ?",
    "SELECT id FROM t WHERE r < ?",
    "SELECT id, r FROM t WHERE r BETWEEN ? AND ?",
    "SELECT id FROM t WHERE n = ? COLLATE RTRIM",
    "SELECT id FROM t WHERE n = ? AND a > 2",
    "SELECT id FROM t WHERE n IS ?",
    "SELECT id FROM t WHERE a IS NULL",
    "SELECT id FROM t WHERE a + r = ?",
    "SELECT id, s FROM t WHERE g = ?",
    "SELECT s FROM t WHERE a > ?",
    "SELECT g FROM t",
    "SELECT s FROM t ORDER BY id",
    "SELECT count(*) FROM t",
    "SELECT count(*) FROM t WHERE a = ?",
    "SELECT max(a), min(b) FROM t",
    "SELECT max(id) FROM t WHERE id < ?",
    "SELECT max(a) FROM t WHERE b = ?",
    "SELECT b, count(*) FROM t WHERE a = ? GROUP BY b",
    "SELECT DISTINCT b FROM t",
    "SELECT * FROM tv WHERE id = ?",
    "SELECT a, n FROM tv WHERE a = ?",
    "SELECT y FROM w WHERE k = ? AND j = ?",
    "SELECT y FROM w WHERE k = ?",
    "SELECT y FROM w WHERE k = ? AND j > ?",
    "SELECT y FROM w WHERE k = ? AND j BETWEEN ? AND ?",
    "SELECT y, x FROM w WHERE x = ?",
    "SELECT k FROM w WHERE x = ? OR k = ?",
    "SELECT k FROM w WHERE x BETWEEN ? AND ?",
    "SELECT * FROM w WHERE (k, j) > (?, ?)",
    "SELECT count(*) FROM w",
    "SELECT u.m, t.a FROM u JOIN t ON t.id = u.t WHERE u.id = ?",
    "SELECT u.m, t.a FROM u LEFT JOIN t ON t.id = u.t WHERE u.id = ? ORDER BY 1",
    "SELECT t.a, u.m FROM t LEFT JOIN u ON u.t = t.id WHERE t.id = ?",
    "SELECT u.m FROM u WHERE u.t = ?",
    "SELECT t.b FROM t JOIN u ON u.t = t.id WHERE t.a = ? AND u.m > 1",
    "SELECT a FROM t WHERE id IN (SELECT t FROM u WHERE m = ?)",
    "SELECT id FROM u WHERE EXISTS (SELECT 1 FROM t WHERE t.id = u.t AND t.a = ?)",
    "SELECT (SELECT a FROM t WHERE id = ?), (SELECT m FROM u WHERE id = ?)",
    "SELECT a FROM t WHERE id = ? UNION ALL SELECT m FROM u WHERE t = ?",
    "SELECT a FROM t WHERE id = ? UNION SELECT y FROM w WHERE k = ?",
    "WITH q AS (SELECT a, b FROM t WHERE a = ?) SELECT * FROM q, q AS p",
    "WITH RECURSIVE p(i) AS (SELECT ? UNION SELECT u.t FROM u, p WHERE u.id = p.i) SELECT i FROM p LIMIT 9",
    "SELECT t.id, x.id FROM t JOIN t AS x ON x.a = t.a WHERE t.id = ? ORDER BY 2",
    "SELECT sum(a) OVER (ORDER BY id) FROM t WHERE b = ?",
    "SELECT p.a FROM t AS p JOIN t AS q USING (b) WHERE q.id = ?",
    "SELECT count(*) FROM u JOIN t USING (id)",
    "SELECT t.a FROM t FULL JOIN u ON u.t = t.id",
    "SELECT t.a FROM t RIGHT JOIN u ON u.t = t.id WHERE u.id = ?",
    "SELECT t.a FROM u, t WHERE t.rowid = u.t AND u.m = ?",
    "SELECT x FROM f WHERE f MATCH 'one'",
    "SELECT count(*) FROM f",
    "SELECT rowid, y FROM f WHERE rowid = ?",
    "SELECT id FROM t WHERE id = ? AND a = ? AND b = ?",
    "SELECT id FROM t WHERE (id = ? AND a > 1) OR (b = ? AND a < 3) OR c = ?",
    "SELECT c FROM t WHERE c LIKE 'a%'",
    "SELECT id FROM t WHERE b GLOB 'a*'",
    "SELECT id FROM t WHERE id = 2 OR id = '3'",
    "SELECT id FROM t WHERE b = 'a' AND a = 1",
    "SELECT id FROM t WHERE NOT a = ?",
    "SELECT id FROM t WHERE a NOT IN (?, ?)",
    "SELECT id, b FROM t WHERE a = ? ORDER BY b LIMIT 1 OFFSET 1",
};

static const char *const writes[] = {
    "INSERT OR IGNORE INTO t(id, a, b, c, r, n) VALUES (?, ?, ?, ?, ?, ?)",
    "INSERT OR REPLACE INTO t(id, a, b, c, r, n) VALUES (?, ?, ?, ?, ?, ?)",
    "INSERT INTO t(a, b, c, r, n) VALUES (?, ?, ?, ?, ?)",
    "UPDATE t SET a = ? WHERE id = ?",
    "UPDATE t SET b = ? WHERE id = ?",
    "UPDATE t SET c = ? WHERE id = ?",
    "UPDATE t SET r = ? WHERE id = ?",
    "UPDATE t SET n = ? WHERE id = ?",
    "UPDATE t SET n = n, a = ? WHERE b = ?",
    "UPDATE OR REPLACE t SET id = ? WHERE id = ?",
    "UPDATE OR FAIL t SET id = ? WHERE a = ?",
    "UPDATE t SET a = a, b = b, c = c, r = r",
    "UPDATE t SET c = upper(c) WHERE a = ?",
    "DELETE FROM t WHERE id = ?",
    "DELETE FROM t WHERE a = ? AND r > ?",
    "INSERT INTO t(id, a) VALUES (?, ?) ON CONFLICT(id) DO UPDATE SET n = excluded.a",
    "INSERT OR REPLACE INTO w(x, k, j, y) VALUES (?, ?, ?, ?)",
    "INSERT OR IGNORE INTO w(x, k, j, y) VALUES (?, ?, ?, ?)",
    "UPDATE w SET y = ? WHERE k = ?",
    "UPDATE w SET x = ? WHERE k = ? AND j = ?",
    "UPDATE OR REPLACE w SET j = ? WHERE k = ?",
    "UPDATE OR REPLACE w SET k = ? WHERE j = ?",
    "DELETE FROM w WHERE k = ? AND j = ?",
    "DELETE FROM w WHERE x = ?",
    "INSERT OR REPLACE INTO u(id, t, m) VALUES (?, (SELECT id FROM t ORDER BY abs(id - ?) LIMIT 1), ?)",
    "UPDATE OR REPLACE u SET m = ? WHERE id = ?",
    "UPDATE u SET t = (SELECT id FROM t WHERE a = ?) WHERE id = ?",
    "DELETE FROM u WHERE id = ?",
    "INSERT INTO f(rowid, x, y) VALUES ((SELECT coalesce(max(rowid), 0) + 1 FROM f), ?, ?)",
    "UPDATE f SET y = ? WHERE rowid = ?",
    "DELETE FROM f WHERE rowid = ?",
    "INSERT INTO t(a, b, c, r, n) SELECT a, b, c, r, n FROM t WHERE id = ?",
};

/* Few values, and such that are equal or unequal in ways that are easily confused. */
static rsq_value some_value(uint64_t *seed)
{
    static const char *const texts[] = {"a", "A", "a ", "ab", "AB", "b", "", "1", "2", "3.0", "one", "x1"};
    static const double reals[] = {1.0, 2.0, 2.5, 3.0, -1.0, 0.0};
    uint64_t kind = fixture_random(seed) % 16;
    const char *text = texts[fixture_random(seed) % LENGTH(texts)];

    if (kind < 8)
        return rsq_integer((int64_t)(fixture_random(seed) % 7));
    if (kind < 13)
        return rsq_text(text);
    if (kind < 14)
        return rsq_real(reals[fixture_random(seed) % LENGTH(reals)]);
    if (kind < 15)
        return rsq_blob(text, (uint32_t)strlen(text));
    return rsq_null();
}

static size_t count_params(const char *sql)
{
    size_t n = 0;

    for (; *sql; sql++)
        n += *sql == '?';
    return n;
}

typedef struct watched {
    probe *probe;
    const char *sql;
    rsq_value params[6];
    size_t nparams;
    rsq_result *answer;
    uint64_t woken;
    unsigned spared, in_vain;
} watched;

static rsq_result *ask(fixture *f, const watched *w)
{
    rsq_result *r = NULL;

    WANT(f, RSQ_OK, rsq_select(f->db, w->sql, w->params, w->nparams, NULL, &r, &f->err));
    return r;
}

static bool is_equal(const rsq_result *a, const rsq_result *b)
{
    char *x = fixture_dump(a), *y = fixture_dump(b);
    bool equal = strcmp(x, y) == 0;

    free(x);
    free(y);
    return equal;
}

#define BATCH_MAX 6

/* A statement, or a batch of it. */
static void write_once(fixture *f, uint64_t *seed, char *said, size_t size)
{
    const char *sql = writes[fixture_random(seed) % LENGTH(writes)];
    rsq_value params[6 * BATCH_MAX];
    size_t n = count_params(sql);
    size_t rows = fixture_random(seed) % 3 ? 1 : 2 + fixture_random(seed) % (BATCH_MAX - 1);
    size_t len = (size_t)snprintf(said, size, "%s", sql);

    for (size_t i = 0; i < rows * n; i++) {
        params[i] = some_value(seed);
        if (params[i].type == RSQ_INTEGER)
            len += (size_t)snprintf(said + len, size - len, " %" PRId64, params[i].as.i);
        else if (params[i].type == RSQ_TEXT)
            len += (size_t)snprintf(said + len, size - len, " '%s'", params[i].as.text);
        else
            len += (size_t)snprintf(said + len, size - len, " type %u", params[i].type);
    }
    /* A constraint that fails is as good as any other write. */
    if (rows == 1)
        (void)rsq_execute(f->db, sql, params, n, NULL, NULL, &f->err);
    else
        (void)rsq_execute_batch(f->db, sql, params, rows, n, NULL, NULL, &f->err);
}

static void look(fixture *f, watched *w, const char *said, unsigned *wrong)
{
    uint64_t now = probe_stats(w->probe).woken;
    rsq_result *fresh = ask(f, w);
    bool equal = is_equal(fresh, w->answer);

    if (now == w->woken && !equal) {
        char *before = fixture_dump(w->answer), *after = fixture_dump(fresh);

        print_error("\"%s\" was not woken by %s:\n%s\nis now\n%s\n", w->sql, said, before, after);
        free(before);
        free(after);
        ++*wrong;
    }
    w->spared += now == w->woken;
    w->in_vain += now != w->woken && equal;
    w->woken = now;
    rsq_result_unref(w->answer);
    w->answer = fresh;
}

static void run(fixture *f, uint32_t flags)
{
    rsq_open_options opts = {.size = sizeof opts, .flags = flags};
    uint64_t seed = fixture_seed("wakes_random");
    const char *longer = getenv("RSQ_TEST_COMMITS");
    unsigned commits = longer ? (unsigned)atoi(longer) : 400, wrong = 0, spared = 0, in_vain = 0;
    watched *all = calloc(STREAMS, sizeof *all);

    assert_non_null(all);
    fixture_open(f, &opts);
    for (size_t i = 0; i < LENGTH(schema); i++)
        EXEC(f, schema[i]);
    for (size_t i = 0; i < STREAMS; i++) {
        watched *w = &all[i];

        w->sql = queries[fixture_random(&seed) % LENGTH(queries)];
        w->nparams = count_params(w->sql);
        for (size_t j = 0; j < w->nparams; j++)
            w->params[j] = some_value(&seed);
        w->probe = WATCH_WITH(f, w->sql, w->params, w->nparams);
        assert_int_equal(probe_await(w->probe, __FILE__, __LINE__)->kind, RSQ_EVENT_RESULT);
        w->answer = ask(f, w);
        w->woken = probe_stats(w->probe).woken;
    }
    for (unsigned n = 0; n < commits && wrong == 0; n++) {
        char said[1024];

        write_once(f, &seed, said, sizeof said);
        for (size_t i = 0; i < STREAMS; i++)
            look(f, &all[i], said, &wrong);
        if (n % 64 == 0)
            WANT_CODE(RSQ_OK, rsq_queue_dispatch(fixture_queue(f), 0, NULL));
    }
    for (size_t i = 0; i < STREAMS; i++) {
        spared += all[i].spared;
        in_vain += all[i].in_vain;
        if (longer)
            print_message("# %6u spared, %6u in vain: %s\n", all[i].spared, all[i].in_vain, all[i].sql);
        rsq_result_unref(all[i].answer);
        probe_close(all[i].probe);
    }
    print_message("# %u commits, %d queries: %u times spared, %u times woken in vain\n", commits, STREAMS,
                  spared, in_vain);
    free(all);
    assert_int_equal(wrong, 0);
}

static void nothing_is_missed(void **state)
{
    run(*state, 0);
}

static void nothing_is_missed_without_shortcuts(void **state)
{
    run(*state, RSQ_OPEN_NO_SHORTCUTS);
}

static void nothing_is_missed_without_keys(void **state)
{
    run(*state, RSQ_OPEN_NO_KEY_LEVEL);
}

static void nothing_is_missed_without_values(void **state)
{
    run(*state, RSQ_OPEN_NO_VALUE_LEVEL);
}

static void nothing_is_missed_without_columns(void **state)
{
    run(*state, RSQ_OPEN_NO_COLUMN_LEVEL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_is_missed),
        CASE(nothing_is_missed_without_shortcuts),
        CASE(nothing_is_missed_without_keys),
        CASE(nothing_is_missed_without_values),
        CASE(nothing_is_missed_without_columns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
