/*
 * Promises at the edges, each of which was broken once: cursors whose deadline has passed before they are
 * open, and databases that close meanwhile; temporary objects by their other spelling; commit numbers while
 * another process commits; a read-only database without a log; thousands of named parameters; a file whose
 * encoding somebody else chooses; a statement that is compiled twice, since another process changed the
 * schema.
 *
 * The other process is raw_sql, given thousands of statements in one argument: it commits as fast as it can,
 * and the test does its own part until the output of that process says that it has done its share.
 */
#include "async_fixture.h"

#include <poll.h>
#include <sched.h>

/* ----------------------------------------------------------- cursors that end at once -- */

#define CURSOR_THREADS 4

/* Rows in chunks of one, which end when the caller is away for `idle_ms` or after `timeout_ms` in all. */
static rsq_code open_cursor(rsq_db *db, uint32_t idle_ms, uint32_t timeout_ms, rsq_cursor **out,
                            rsq_error *err)
{
    rsq_call_options opts = RSQ_CALL_OPTIONS_INIT;

    opts.chunk_rows = 1;
    opts.idle_timeout_ms = idle_ms;
    opts.timeout_ms = timeout_ms;
    return rsq_cursor_open(db, "SELECT x FROM t", NULL, 0, &opts, out, err);
}

static rsq_db *open_for_cursors(fixture *f)
{
    rsq_open_options opts = RSQ_OPEN_OPTIONS_INIT;

    opts.readers = 2 * CURSOR_THREADS + 1;
    return fixture_open(f, &opts);
}

static void make_rows(fixture *f)
{
    open_for_cursors(f);
    EXEC(f, "CREATE TABLE t(x)");
    EXEC(f, "INSERT INTO t VALUES (1), (2), (3)");
}

typedef struct cursor_race {
    rsq_db *db;
    verdict v;
    uint64_t rounds;          /* of each thread; UINT64_MAX: until the database is closed */
    uint64_t seed;            /* of the round */
    _Atomic uint64_t started; /* threads */
    _Atomic size_t opened;
    gate enough; /* so many cursors were opened that the database may be closed */
    size_t close_after;
} cursor_race;

/* What a cursor may say when its time is over or its database is. */
static bool is_an_end(rsq_code code)
{
    return code == RSQ_OK || code == RSQ_ETIMEOUT || code == RSQ_ECLOSED;
}

/* Both limits of 1 ms, or one of them far away. */
static void cursor_limits(uint64_t *seed, uint32_t *idle_ms, uint32_t *timeout_ms)
{
    uint64_t which = fixture_random(seed) % 4;

    *idle_ms = which == 1 ? 60000 : 1;
    *timeout_ms = which == 2 ? 60000 : which == 3 ? 0 : 1;
}

/* Open, read some of it, close; a limit may be met at any point. False: the database is closed. */
static bool race_once(cursor_race *race, uint64_t *seed)
{
    uint32_t idle_ms, timeout_ms;
    rsq_cursor *cur = NULL;
    rsq_error err = {0};
    rsq_code code;
    size_t chunks = fixture_random(seed) % 4;

    cursor_limits(seed, &idle_ms, &timeout_ms);
    code = open_cursor(race->db, idle_ms, timeout_ms, &cur, &err);
    if (code != RSQ_OK) {
        BLAME(&race->v, is_an_end(code), &err);
        return code != RSQ_ECLOSED;
    }
    if (atomic_fetch_add(&race->opened, 1) + 1 == race->close_after)
        gate_open(&race->enough);
    for (size_t i = 0; code == RSQ_OK && i < chunks; i++) {
        rsq_result *r = NULL;

        code = rsq_cursor_next(cur, &r, &err);
        BLAME(&race->v, is_an_end(code), &err);
        rsq_result_unref(r);
    }
    rsq_cursor_close(cur);
    return true;
}

static void race_thread(void *ctx)
{
    cursor_race *race = ctx;
    uint64_t seed = race->seed + atomic_fetch_add(&race->started, 1);

    for (uint64_t i = 0; i < race->rounds && race_once(race, &seed); i++)
        continue;
}

static void start_threads(thread *threads, void (*fn)(void *ctx), void *ctx)
{
    for (size_t i = 0; i < CURSOR_THREADS; i++)
        thread_start(&threads[i], fn, ctx);
}

static void join_threads(thread *threads)
{
    for (size_t i = 0; i < CURSOR_THREADS; i++)
        THREAD_JOIN(&threads[i]);
}

/* The timer ends a cursor in the moment in which it is made, read or closed. Readers are opened when they are
 * first needed, which takes longer than the limit, so the first cursors of a database are late from the
 * start. */
static void cursors_that_are_late_from_the_start(void **state)
{
    fixture *f = *state;
    cursor_race race = {.rounds = rounds_of(FIXTURE_UNDER_TSAN ? 300 : 1500)};
    thread threads[CURSOR_THREADS];

    make_rows(f);
    fixture_close(f);
    race.seed = fixture_seed(__func__);
    for (int i = 0; i < 4; i++) {
        race.db = open_for_cursors(f);
        verdict_init(&race.v);
        start_threads(threads, race_thread, &race);
        join_threads(threads);
        VERDICT(&race.v);
        fixture_close(f);
        race.seed += CURSOR_THREADS;
        race.rounds = race.rounds / 2 + 1;
    }
}

/* The same while the database is closed under it, after a few cursors or after many. */
static void cursors_of_a_database_that_closes(void **state)
{
    fixture *f = *state;
    cursor_race race = {.rounds = UINT64_MAX};
    uint64_t seed = fixture_seed(__func__);

    make_rows(f);
    fixture_close(f);
    for (uint64_t i = rounds_of(FIXTURE_UNDER_TSAN ? 20 : 80); i > 0; i--) {
        thread threads[CURSOR_THREADS];

        race.db = open_for_cursors(f);
        race.seed = fixture_random(&seed);
        race.close_after = 1 + fixture_random(&seed) % (i % 4 ? 12 : 200);
        atomic_store(&race.opened, 0);
        verdict_init(&race.v);
        gate_init(&race.enough);
        start_threads(threads, race_thread, &race);
        assert_true(gate_wait(&race.enough));
        fixture_close(f);
        join_threads(threads);
        gate_fini(&race.enough);
        VERDICT(&race.v);
    }
}

typedef struct hold {
    rsq_db *db;
    verdict v;
    _Atomic size_t opened;
    size_t close_after;
    gate enough;
    gate closed; /* rsq_close() has returned */
} hold;

/* Opens cursors until the database is closed, and keeps them open until rsq_close() has returned. */
static void hold_thread(void *ctx)
{
    rsq_cursor *mine[2 * CURSOR_THREADS];
    hold *h = ctx;
    size_t n = 0;

    for (;;) {
        rsq_error err = {0};
        rsq_code code = open_cursor(h->db, 60000, 0, &mine[n], &err);

        if (code == RSQ_ECLOSED)
            break;
        BLAME(&h->v, code == RSQ_OK || code == RSQ_ETOOBIG, &err);
        n += code == RSQ_OK;
        if (code == RSQ_OK && atomic_fetch_add(&h->opened, 1) + 1 == h->close_after)
            gate_open(&h->enough);
        /* All readers but one are taken: give one back, so that somebody is always in the middle of opening.
         */
        if (code == RSQ_ETOOBIG && n > 1)
            rsq_cursor_close(mine[--n]);
        else if (code == RSQ_ETOOBIG)
            sched_yield();
    }
    BLAME(&h->v, gate_wait(&h->closed), NULL);
    while (n > 0) {
        rsq_result *r = NULL;

        BLAME(&h->v, rsq_cursor_next(mine[--n], &r, NULL) == RSQ_ECLOSED, NULL);
        rsq_cursor_close(mine[n]);
    }
}

/* rsq_close() ends cursors that rest, also one that is being opened at that moment: it does not wait for any
 * idle time. */
static void close_does_not_wait_for_cursors(void **state)
{
    fixture *f = *state;
    uint64_t seed = fixture_seed(__func__);

    make_rows(f);
    fixture_close(f);
    for (uint64_t i = rounds_of(FIXTURE_UNDER_TSAN ? 20 : 150); i > 0; i--) {
        hold h = {.db = open_for_cursors(f)};
        uint64_t start;
        thread threads[CURSOR_THREADS];
        double ms;

        h.close_after = 1 + fixture_random(&seed) % (2 * CURSOR_THREADS);
        verdict_init(&h.v);
        gate_init(&h.enough);
        gate_init(&h.closed);
        start_threads(threads, hold_thread, &h);
        assert_true(gate_wait(&h.enough));
        start = now_ns();
        fixture_close(f);
        ms = ms_since(start);
        gate_open(&h.closed);
        join_threads(threads);
        gate_fini(&h.enough);
        gate_fini(&h.closed);
        VERDICT(&h.v);
        assert_true(ms < FIXTURE_DEADLINE_MS);
    }
}

/* ------------------------------------------------------------------- temporary objects -- */

static rsq_code tx_run(rsq_tx *tx, const char *sql, rsq_error *err)
{
    return rsq_tx_execute(tx, sql, NULL, 0, NULL, NULL, err);
}

typedef struct statements {
    const char *sql[8]; /* ends with NULL */
    rsq_code end;       /* of the transaction; RSQ_OK commits */
    bool nested;        /* all of it in a nested transaction, which ends like that */
    rsq_error why;
} statements;

static rsq_code body_statements(rsq_tx *tx, void *ctx)
{
    statements *s = ctx;

    for (size_t i = 0; s->sql[i]; i++) {
        rsq_code code = tx_run(tx, s->sql[i], &s->why);

        if (code != RSQ_OK)
            return code;
    }
    return s->end;
}

static rsq_code body_nested_statements(rsq_tx *tx, void *ctx)
{
    statements *s = ctx;
    rsq_code code = rsq_tx_transaction(tx, body_statements, s, NULL);

    return code == s->end ? RSQ_OK : code;
}

static void run_statements(fixture *f, statements *s)
{
    rsq_code code =
        rsq_transaction(f->db, s->nested ? body_nested_statements : body_statements, s, NULL, NULL);

    fixture_want(s->nested ? RSQ_OK : s->end, code, NULL, s->sql[0], __FILE__, __LINE__);
}

typedef struct temp_count {
    int64_t objects;
    rsq_error why;
} temp_count;

static rsq_code body_temp_count(rsq_tx *tx, void *ctx)
{
    temp_count *c = ctx;
    rsq_result *r = NULL;
    rsq_code code =
        rsq_tx_select(tx, "SELECT count(*) FROM sqlite_temp_schema WHERE name NOT GLOB 'sqlite_*'", NULL, 0,
                      NULL, &r, &c->why);

    c->objects = code == RSQ_OK ? rsq_result_int64(r, 0, 0) : -1;
    rsq_result_unref(r);
    return code;
}

/* How many temporary objects the writer's connection has, less what SQLite made for itself. */
static int64_t temp_objects(fixture *f)
{
    temp_count c = {0};

    WANT(f, RSQ_OK, rsq_transaction(f->db, body_temp_count, &c, NULL, &f->err));
    return c.objects;
}

static const char *const makes_temp[] = {
    "CREATE TEMP TABLE q(a)",
    "CREATE TEMPORARY TABLE q(a)",
    "CREATE TABLE temp.q(a)",
    "CREATE TABLE TEMP.q(a)",
    "CREATE TABLE \"temp\".q(a)",
    "CREATE TABLE IF NOT EXISTS temp.q(a)",
    "CREATE TABLE temp.q AS SELECT a FROM t",
    "CREATE VIRTUAL TABLE temp.q USING fts5(a)",
    "CREATE TEMP VIEW v AS SELECT a FROM t",
    "CREATE VIEW temp.v AS SELECT a FROM t",
    "CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END",
    /* SQLite's authorizer calls these ones of main. */
    "CREATE TRIGGER temp.r AFTER INSERT ON t BEGIN SELECT 1; END",
    "CREATE TRIGGER temp.r AFTER INSERT ON main.t BEGIN SELECT 1; END",
    "CREATE TRIGGER IF NOT EXISTS TEMP.r INSTEAD OF INSERT ON v BEGIN SELECT 1; END",
};

/* A temporary object belongs to one connection, so outside of a transaction it is refused, however it is
 * written. */
static void temp_by_any_spelling(void **state)
{
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(a)");
    EXEC(f, "CREATE VIEW v AS SELECT a FROM t");
    for (size_t i = 0; i < LENGTH(makes_temp); i++) {
        rsq_result *r = NULL;

        fixture_want(RSQ_EREFUSED, rsq_execute(f->db, makes_temp[i], NULL, 0, NULL, NULL, &f->err), &f->err,
                     makes_temp[i], __FILE__, __LINE__);
        assert_int_not_equal(rsq_select(f->db, makes_temp[i], NULL, 0, NULL, &r, NULL), RSQ_OK);
        assert_int_equal(temp_objects(f), 0);
    }
    /* SQLite looks for the table of an index first, and there is none. */
    assert_int_not_equal(rsq_execute(f->db, "CREATE INDEX temp.i ON q(a)", NULL, 0, NULL, NULL, NULL),
                         RSQ_OK);
    assert_int_equal(temp_objects(f), 0);
    /* What is of main passes. */
    EXEC(f, "CREATE TRIGGER main.r AFTER INSERT ON t BEGIN SELECT 1; END");
    EXEC(f, "DROP TRIGGER r");
}

/* In memory too, where a temporary table that a transaction made stays. */
static void temp_in_memory(void **state)
{
    fixture *f = *state;
    statements make = {.sql = {"CREATE TEMP TABLE kept(a)", "INSERT INTO kept VALUES (1)"}};

    f->db = fixture_open_path(f, ":memory:", NULL);
    EXEC(f, "CREATE TABLE t(a)");
    EXEC(f, "CREATE VIEW v AS SELECT a FROM t");
    for (size_t i = 0; i < LENGTH(makes_temp); i++)
        fixture_want(RSQ_EREFUSED, rsq_execute(f->db, makes_temp[i], NULL, 0, NULL, NULL, &f->err), &f->err,
                     makes_temp[i], __FILE__, __LINE__);
    assert_int_equal(temp_objects(f), 0);
    run_statements(f, &make);
    EXPECT_ROWS(f, "SELECT a FROM kept", "1");
    WANT(f, RSQ_EREFUSED, rsq_execute(f->db, "CREATE INDEX temp.i ON kept(a)", NULL, 0, NULL, NULL, &f->err));
    EXEC(f, "INSERT INTO kept VALUES (2)");
    EXPECT_ROWS(f, "SELECT a FROM kept ORDER BY a", "1\n2");
    assert_int_equal(temp_objects(f), 1);
}

/* On a file, where readers could not see it, it is gone with its transaction, and so its name means again
 * what it means to everybody: also to a statement that was compiled while it hid the other table. */
static void temp_ends_with_its_transaction(void **state)
{
    fixture *f = *state;
    statements makers[] = {
        {.sql = {"CREATE TEMP TABLE t(a)", "INSERT INTO t VALUES (1)"}},
        {.sql = {"CREATE TABLE temp.t(a)", "INSERT INTO t VALUES (1)", "CREATE INDEX temp.i ON t(a)"}},
        {.sql = {"CREATE TEMP TABLE t(a)", "INSERT INTO t VALUES (1)"}, .end = RSQ_ECANCELLED},
        {.sql = {"CREATE TEMP TABLE t(a)", "INSERT INTO t VALUES (1)"}, .nested = true},
        {.sql = {"CREATE TEMP TABLE t(a)", "INSERT INTO t VALUES (1)"},
         .nested = true,
         .end = RSQ_ECANCELLED},
        {.sql = {"CREATE TEMP TABLE t AS SELECT 9 AS a", "CREATE TEMP VIEW v AS SELECT a FROM temp.t",
                 "INSERT INTO t VALUES (1)"}},
        {.sql = {"CREATE TEMP TRIGGER r AFTER INSERT ON main.t BEGIN INSERT INTO seen VALUES (new.a); END"}},
        {.sql = {"CREATE TRIGGER temp.r AFTER INSERT ON t BEGIN INSERT INTO seen VALUES (new.a); END"}},
        {.sql = {"CREATE TEMP TABLE \"odd \"\"name\"(a)", "CREATE TEMP TABLE sqlitely(a)",
                 "CREATE TEMP TABLE \"100%\"(a, UNIQUE (a))",
                 "CREATE TEMP VIEW \"a view\" AS SELECT a FROM sqlitely"}},
        {.sql = {"CREATE TEMP TABLE t(a PRIMARY KEY) WITHOUT ROWID", "INSERT INTO t VALUES (1)",
                 "CREATE TEMP TRIGGER r AFTER INSERT ON temp.t BEGIN INSERT INTO seen VALUES (new.a); END"}},
        {.sql = {"CREATE TEMP TABLE parent(a PRIMARY KEY)", "CREATE TEMP TABLE child(a REFERENCES parent)",
                 "INSERT INTO parent VALUES (1)", "INSERT INTO child VALUES (1)"}},
        {.sql = {"CREATE TEMP TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT)", "INSERT INTO t VALUES (1)"}},
        {.sql = {"CREATE VIRTUAL TABLE temp.t USING fts5(a)", "INSERT INTO t VALUES (1)"}},
    };
    probe *p;

    fixture_open(f, NULL);
    fixture_canary(f);
    EXEC(f, "CREATE TABLE t(a)");
    EXEC(f, "CREATE TABLE seen(a)");
    EXEC(f, "CREATE VIEW v AS SELECT 'main'");
    p = WATCH(f, "SELECT count(*) FROM t");
    EXPECT_EVENT(p, "0");
    for (size_t i = 0; i < LENGTH(makers); i++) {
        rsq_result *r = NULL;
        char expected[16];

        run_statements(f, &makers[i]);
        assert_int_equal(temp_objects(f), 0);
        WANT(f, RSQ_OK, rsq_execute(f->db, "INSERT INTO t VALUES (1)", NULL, 0, NULL, &r, &f->err));
        assert_true(fixture_changed(r, "main.t"));
        rsq_result_unref(r);
        snprintf(expected, sizeof expected, "%zu", i + 1);
        EXPECT_ROWS(f, "SELECT count(*) FROM t", expected);
        EXPECT_REACHES(p, expected);
        EXPECT_ROWS(f, "SELECT * FROM v", "'main'");
    }
    EXPECT_ROWS(f, "SELECT * FROM seen", "");
    EXPECT_QUIET(p);
}

/* ------------------------------------------------------- while another process commits -- */

#define BLOCKS_MAX 10
#define PER_BLOCK 3500 /* Linux takes 128 KiB in one argument */

/* A process that makes BLOCKS_MAX * PER_BLOCK commits as soon as it is told to. */
typedef struct committer {
    foreign process;
    char *block;
} committer;

/* Many statements as one, each a commit. */
static char *repeated(const char *statement, size_t times)
{
    size_t len = strlen(statement);
    char *text = malloc(times * len + 1);

    assert_non_null(text);
    for (size_t i = 0; i < times; i++)
        memcpy(text + i * len, statement, len);
    text[times * len] = 0;
    return text;
}

static void committer_start(fixture *f, committer *c, const char *statement, size_t blocks)
{
    const char *sql[2 + BLOCKS_MAX];

    c->block = repeated(statement, PER_BLOCK);
    sql[0] = "PRAGMA synchronous = OFF";
    sql[1] = "-";
    assert_true(blocks <= BLOCKS_MAX);
    for (size_t i = 0; i < blocks; i++)
        sql[2 + i] = c->block;
    foreign_start(f, &c->process, f->path, sql, 2 + blocks);
    foreign_await(&c->process);
    foreign_go(&c->process);
}

/* Whether it still commits: its output ends when it does. */
static bool committer_runs(committer *c)
{
    struct pollfd fd = {.fd = c->process.from, .events = POLLIN};

    return poll(&fd, 1, 0) == 0;
}

static void committer_finish(committer *c)
{
    free(foreign_finish(&c->process));
    free(c->block);
}

#define OWN_MAX 20000
#define OWN_READERS 3

/* A row of this process's, which says how many commits of the other one came before it. */
#define OWN_WRITE "INSERT INTO own(seen) SELECT n FROM foreign_counter RETURNING id, seen"
#define OWN_BATCH "INSERT INTO own(seen) SELECT n FROM foreign_counter WHERE n > ?"
#define OWN_READ "SELECT n, (SELECT count(*) FROM own) FROM foreign_counter"

/* Every commit of either process is counted in a table, so what is read or written says which number it has.
 */
typedef struct numbers {
    rsq_db *db;
    verdict v;
    uint64_t before;                 /* number of the commit before all of these */
    uint64_t write_seq[OWN_MAX + 1]; /* by the id of the row, from 1 */
    _Atomic bool stop;
} numbers;

static uint64_t exact_number(const numbers *n, const rsq_result *r)
{
    return n->before + (uint64_t)rsq_result_int64(r, 0, 0) + (uint64_t)rsq_result_int64(r, 0, 1);
}

/* Since each read has the number of exactly what it sees, and each write too, a read whose number is not
 * below that of a write sees the write. */
static void number_reads(void *ctx)
{
    numbers *n = ctx;

    while (!atomic_load(&n->stop)) {
        rsq_result *r = NULL;
        rsq_error err = {0};
        rsq_code code = rsq_select(n->db, OWN_READ, NULL, 0, NULL, &r, &err);

        BLAME(&n->v, code == RSQ_OK, &err);
        if (code != RSQ_OK)
            return;
        BLAME(&n->v, rsq_result_commit_seq(r) == exact_number(n, r), NULL);
        rsq_result_unref(r);
    }
}

/* One own write, by the calls that tell a number in turn. Other threads run, so nothing is asserted here. */
static bool number_write(numbers *n, int64_t id)
{
    const rsq_value none = rsq_integer(-1);
    rsq_result *r = NULL;
    rsq_error err = {0};
    rsq_code code;

    if (id % 8 == 0)
        code = rsq_execute_batch(n->db, OWN_BATCH, &none, 1, 1, NULL, &r, &err);
    else
        code = rsq_execute(n->db, OWN_WRITE, NULL, 0, NULL, &r, &err);
    BLAME(&n->v, code == RSQ_OK, &err);
    if (code != RSQ_OK)
        return false;
    BLAME(&n->v, rsq_result_last_insert_rowid(r) == id, NULL);
    BLAME(&n->v, id % 8 == 0 || rsq_result_commit_seq(r) == exact_number(n, r), NULL);
    n->write_seq[id] = rsq_result_commit_seq(r);
    rsq_result_unref(r);
    return true;
}

/* Write until the other process has done its share, and once more; returns how many. */
static int64_t number_writes(numbers *n, committer *c)
{
    int64_t id = 1;

    while (number_write(n, id) && id < OWN_MAX - 1 && committer_runs(c))
        id++;
    committer_finish(c);
    (void)number_write(n, ++id);
    return id;
}

/* The numbers that were told, of batches too, by what is in the table. */
static void check_numbers(fixture *f, const numbers *n, int64_t writes)
{
    rsq_result *r = NULL;

    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT id, seen FROM own ORDER BY id", NULL, 0, NULL, &r, &f->err));
    assert_int_equal(rsq_result_rows(r), writes);
    for (int64_t id = 1; id <= writes; id++) {
        uint64_t seen = (uint64_t)rsq_result_int64(r, (size_t)id - 1, 1);

        assert_int_equal(n->write_seq[id], n->before + (uint64_t)id + seen);
    }
    rsq_result_unref(r);
}

static numbers *make_numbers(fixture *f)
{
    numbers *n = calloc(1, sizeof *n);
    rsq_result *r = NULL;

    assert_non_null(n);
    n->db = fixture_open(f, NULL);
    verdict_init(&n->v);
    EXEC(f, "CREATE TABLE foreign_counter(n INTEGER)");
    EXEC(f, "CREATE TABLE own(id INTEGER PRIMARY KEY, seen INTEGER)");
    WANT(f, RSQ_OK, rsq_execute(f->db, "INSERT INTO foreign_counter VALUES (0)", NULL, 0, NULL, &r, &f->err));
    n->before = rsq_result_commit_seq(r);
    rsq_result_unref(r);
    return n;
}

#define ONE_MORE "UPDATE foreign_counter SET n=n+1;"

/* The number of an own commit is its own, and not that of a commit that another process made right after it;
 * so it is exact, and no two commits have the same. The readers are there to take the processor away from the
 * writer at the wrong moment. */
static void numbers_beside_another_process(void **state)
{
    fixture *f = *state;
    numbers *n = make_numbers(f);
    thread readers[OWN_READERS];
    committer c;
    int64_t writes;

    committer_start(f, &c, ONE_MORE, 6);
    for (size_t i = 0; i < OWN_READERS; i++)
        thread_start(&readers[i], number_reads, n);
    writes = number_writes(n, &c);
    atomic_store(&n->stop, true);
    for (size_t i = 0; i < OWN_READERS; i++)
        THREAD_JOIN(&readers[i]);
    print_message("# %" PRId64 " own writes beside %d of another process\n", writes, 6 * PER_BLOCK);
    VERDICT(&n->v);
    check_numbers(f, n, writes);
    free(n);
}

/* The number of a live query's event is exact as well: that of its result. */
static void events_beside_another_process(void **state)
{
    fixture *f = *state;
    numbers *n = make_numbers(f);
    probe *p = WATCH(f, OWN_READ);
    committer c;
    int64_t writes;
    char last[48];

    EXPECT_EVENT(p, "0|0");
    committer_start(f, &c, ONE_MORE, 1);
    writes = number_writes(n, &c);
    VERDICT(&n->v);
    check_numbers(f, n, writes);
    snprintf(last, sizeof last, "%d|%" PRId64, PER_BLOCK, writes);
    EXPECT_REACHES(p, last);
    for (size_t i = 0; i < p->count; i++)
        assert_int_equal(p->events[i].commit_seq, exact_number(n, p->events[i].result));
    free(n);
}

/* A live query hears of another process's commit with this database's next own commit, of whatever table. */
static void others_are_heard_of_with_the_next_commit(void **state)
{
    fixture *f = *state;
    char expected[16];
    probe *p;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(x)");
    EXEC(f, "CREATE TABLE unrelated(x)");
    p = WATCH(f, "SELECT count(*) FROM t");
    EXPECT_EVENT(p, "0");
    for (int i = 1; i <= 5; i++) {
        free(foreign_sql(f, f->path, "INSERT INTO t VALUES (1)"));
        EXEC(f, "INSERT INTO unrelated VALUES (1)");
        snprintf(expected, sizeof expected, "%d", i);
        EXPECT_EVENT(p, expected);
    }
}

/* ------------------------------------------------- a read-only database without a log -- */

#define SEEN "SELECT n FROM foreign_counter"

/* Several queries see one commit, also where no log keeps what a commit replaces. */
static void several_queries_without_a_log(void **state)
{
    fixture *f = *state;
    const rsq_query queries[] = {{SEEN, 0, NULL, 0},
                                 {"SELECT count(*), (" SEEN ") FROM foreign_counter", 0, NULL, 0},
                                 {SEEN, 0, NULL, 0}};
    rsq_open_options opts = RSQ_OPEN_OPTIONS_INIT;
    size_t answers = 0, moved = 0;
    int64_t last = -1;
    committer c;
    char *mode;

    free(foreign_sql(f, f->path, "CREATE TABLE foreign_counter(n); INSERT INTO foreign_counter VALUES (0)"));
    opts.flags = RSQ_OPEN_READONLY;
    fixture_open(f, &opts);
    committer_start(f, &c, ONE_MORE, 2);
    while (committer_runs(&c)) {
        rsq_result *r[3] = {NULL, NULL, NULL};
        rsq_code code = rsq_select_all(f->db, queries, 3, NULL, r, &f->err);

        if (code == RSQ_EBUSY)
            continue;
        WANT(f, RSQ_OK, code);
        assert_int_equal(rsq_result_int64(r[0], 0, 0), rsq_result_int64(r[1], 0, 1));
        assert_int_equal(rsq_result_int64(r[0], 0, 0), rsq_result_int64(r[2], 0, 0));
        assert_int_equal(rsq_result_commit_seq(r[0]), rsq_result_commit_seq(r[2]));
        assert_true(rsq_result_int64(r[0], 0, 0) >= last);
        moved += rsq_result_int64(r[0], 0, 0) > last;
        last = rsq_result_int64(r[0], 0, 0);
        answers++;
        for (size_t i = 0; i < 3; i++)
            rsq_result_unref(r[i]);
    }
    committer_finish(&c);
    print_message("# %zu answers, %zu of them newer than the one before\n", answers, moved);
    assert_true(answers > 0);
    assert_int_equal(INTEGER(f, SEEN), 2 * PER_BLOCK);
    mode = foreign_sql(f, f->path, "PRAGMA journal_mode");
    assert_string_equal(mode, "delete");
    free(mode);
}

/* ----------------------------------------------------------------- named parameters -- */

#define MANY 2000

/* Room for the names and the SQL of `n` parameters. */
typedef struct many_names {
    char names[MANY][12]; /* with the sign */
    rsq_named named[MANY];
    char sql[MANY * 16];
} many_names;

/* An INSERT-free sum of all of them, each times its place, given backwards. */
static many_names *make_names(void)
{
    many_names *m = calloc(1, sizeof *m);
    size_t len;

    assert_non_null(m);
    len = (size_t)snprintf(m->sql, sizeof m->sql, "SELECT sum(column1), count(*) FROM (VALUES ");
    for (size_t i = 0; i < MANY; i++) {
        snprintf(m->names[i], sizeof m->names[i], "%c%s%zu", ":@$"[i % 3], i % 2 ? "p" : "name", i);
        len += (size_t)snprintf(m->sql + len, sizeof m->sql - len, "%s(%s)", i ? "," : "", m->names[i]);
        m->named[MANY - 1 - i].name = m->names[i] + (i % 5 == 0); /* some without the sign */
        m->named[MANY - 1 - i].value = rsq_integer((int64_t)i);
    }
    snprintf(m->sql + len, sizeof m->sql - len, ")");
    return m;
}

/* What this thread has worked: no other program's doing. */
static double worked_ms(void)
{
    struct timespec t;

    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* The time of a call by name grows with the number of names, not with its square or cube. */
static void many_named_parameters(void **state)
{
    fixture *f = *state;
    many_names *m = make_names();
    rsq_result *r = NULL;
    double start, ms;

    f->db = fixture_open_path(f, ":memory:", NULL);
    start = worked_ms();
    WANT(f, RSQ_OK, rsq_select_named(f->db, m->sql, m->named, MANY, NULL, &r, &f->err));
    ms = worked_ms() - start;
    EXPECT_RESULT(r, "1999000|2000");
    rsq_result_unref(r);
    print_message("# %d names: %.1f ms\n", MANY, ms);
    assert_true(ms < 2000.0 * SLOWNESS);

    /* Errors are found as quickly: one missing, one too many, one twice. */
    start = worked_ms();
    WANT(f, RSQ_EINVAL, rsq_select_named(f->db, m->sql, m->named, MANY - 1, NULL, &r, &f->err));
    m->named[7].name = "nobody";
    WANT(f, RSQ_EINVAL, rsq_select_named(f->db, m->sql, m->named, MANY, NULL, &r, &f->err));
    m->named[7].name = m->named[1900].name;
    WANT(f, RSQ_EINVAL, rsq_select_named(f->db, m->sql, m->named, MANY, NULL, &r, &f->err));
    assert_true(worked_ms() - start < 3 * 2000.0 * SLOWNESS);
    free(m);
}

/* "Each parameter must be given once": two spellings of one parameter are twice. */
static void one_parameter_by_two_names(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *sql;
        const char *names[3];
    } cases[] = {
        {"SELECT :id", {"id", ":id"}},
        {"SELECT :id", {":id", "id"}},
        {"SELECT :id", {":id", ":id"}},
        {"SELECT :id", {"id", "id"}},
        {"SELECT @id", {"id", "@id"}},
        {"SELECT $id", {"$id", "id"}},
        {"SELECT :id + :other", {"id", ":other", ":id"}},
        {"SELECT :id + :id", {"id", ":id"}},
        {"SELECT ?3", {"?3", "?3"}},
    };
    const rsq_named good[] = {{":id", rsq_integer(1)}, {"other", rsq_integer(2)}};
    rsq_result *r = NULL;

    fixture_open(f, NULL);
    for (size_t i = 0; i < LENGTH(cases); i++) {
        rsq_named named[3];
        size_t n = 0;

        for (; n < 3 && cases[i].names[n]; n++)
            named[n] = (rsq_named){cases[i].names[n], rsq_integer(1)};
        WANT(f, RSQ_EINVAL, rsq_select_named(f->db, cases[i].sql, named, n, NULL, &r, &f->err));
        assert_null(r);
    }
    WANT(f, RSQ_OK, rsq_select_named(f->db, "SELECT :id + :other + :id", good, 2, NULL, &r, &f->err));
    EXPECT_RESULT(r, "4");
    rsq_result_unref(r);
}

/* --------------------------------------------------------------------- the encoding -- */

#define LATE_TEXT "'gr\xc3\xbc\xc3\x9f'"

static void expect_late_text(fixture *f)
{
    const rsq_value text = rsq_text("gr\xc3\xbc\xc3\x9f");
    rsq_result *r = NULL;

    EXPECT_ROWS(f, "SELECT a FROM t", LATE_TEXT);
    WANT(f, RSQ_OK, rsq_select_json(f->db, "SELECT a FROM t", NULL, 0, NULL, &r, &f->err));
    assert_string_equal(rsq_result_json(r, NULL), "[{\"a\":\"gr\xc3\xbc\xc3\x9f\"}]");
    rsq_result_unref(r);
    WANT(f, RSQ_OK, rsq_select(f->db, "SELECT count(*) FROM t WHERE a = ?", &text, 1, NULL, &r, &f->err));
    EXPECT_RESULT(r, "1");
    rsq_result_unref(r);
    WANT(f, RSQ_OK, rsq_execute(f->db, "UPDATE t SET a = a RETURNING a", NULL, 0, NULL, &r, &f->err));
    EXPECT_RESULT(r, LATE_TEXT);
    rsq_result_unref(r);
}

/* An empty file gets its encoding with its first table, which may be another process's, after this one has
 * opened it: text is UTF-8 all the same, on connections that were there before and on new ones. */
static void encoding_chosen_by_another_process(void **state)
{
    fixture *f = *state;
    static const char *const encodings[] = {"UTF-16le", "UTF-16be", "UTF-8"};
    /* Made, filled and used at least once before the other process comes. */
    static const char *const before[] = {NULL, "SELECT 1", "SELECT count(*) FROM sqlite_schema"};

    for (size_t i = 0; i < LENGTH(encodings) * LENGTH(before); i++) {
        char name[32], sql[160], *path, *kept;
        probe *p;

        snprintf(name, sizeof name, "empty-%zu.db", i);
        path = fixture_file(f, name);
        f->db = fixture_open_path(f, path, NULL);
        if (before[i % 3])
            assert_true(INTEGER(f, before[i % 3]) >= 0);
        snprintf(sql, sizeof sql,
                 "PRAGMA encoding = '%s'; CREATE TABLE t(a); INSERT INTO t VALUES (" LATE_TEXT ")",
                 encodings[i / 3]);
        free(foreign_sql(f, path, sql));
        kept = foreign_sql(f, path, "PRAGMA encoding");
        assert_string_equal(kept, encodings[i / 3]);
        free(kept);
        expect_late_text(f);
        p = WATCH(f, "SELECT a FROM t");
        EXPECT_EVENT(p, LATE_TEXT);
        EXEC(f, "UPDATE t SET a = a || '!'");
        EXPECT_EVENT(p, "'gr\xc3\xbc\xc3\x9f!'");
        fixture_close(f);
        EXPECT_END(p);
        free(path);
    }
}

/* ----------------------------------------------------------- a schema that is outdated -- */

/*
 * With the schema that it knows SQLite comes as far as the column that it does not know, finds out that the
 * schema is another one by now, and begins again. What the authorizer was told before is gone then.
 */
static void columns_that_another_process_adds(void **state)
{
    fixture *f = *state;
    probe *p;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)");
    EXEC(f, "INSERT INTO t VALUES (1, 1)");
    p = WATCH(f, "SELECT count(*) FROM t");
    EXPECT_EVENT(p, "1");
    free(foreign_sql(f, f->path, "ALTER TABLE t ADD COLUMN b"));
    EXEC(f, "UPDATE t SET a = 2, b = 3");
    EXPECT_ROWS(f, "SELECT * FROM t", "1|2|3");
    free(foreign_sql(f, f->path, "ALTER TABLE t ADD COLUMN c"));
    EXEC(f, "INSERT INTO t(a, b) VALUES (4, 5) ON CONFLICT DO UPDATE SET a = 6, c = 7");
    EXPECT_REACHES(p, "2");
}

/* ----------------------------------------------------------------------- attaching -- */

static void expect_not_attached(fixture *f, const char *path, const char *attached)
{
    rsq_attach attach = {"again", attached};
    rsq_open_options opts = RSQ_OPEN_OPTIONS_INIT;
    rsq_db *db = NULL;

    opts.attach = &attach;
    opts.nattach = 1;
    fixture_want(RSQ_EINVAL, rsq_open(path, &opts, &db, &f->err), &f->err, attached, __FILE__, __LINE__);
    assert_null(db);
}

/* The writer of main would wait for itself: the file of main cannot be attached, by any of its names. */
static void main_cannot_be_attached(void **state)
{
    fixture *f = *state;
    char *dotted = fixture_file(f, "./test.db");
    char *linked = fixture_file(f, "linked.db");
    char *again = fixture_file(f, "again.db");

    expect_not_attached(f, f->path, f->path);
    expect_not_attached(f, f->path, dotted);
    assert_false(fixture_exists(f->path));
    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(x)");
    fixture_close(f);
    assert_int_equal(symlink(f->path, linked), 0);
    assert_int_equal(link(f->path, again), 0);
    expect_not_attached(f, f->path, f->path);
    expect_not_attached(f, f->path, dotted);
    expect_not_attached(f, f->path, linked);
    expect_not_attached(f, linked, f->path);
    expect_not_attached(f, f->path, again);
    fixture_open(f, NULL);
    EXEC(f, "INSERT INTO t VALUES (1)");
    EXPECT_ROWS(f, "SELECT * FROM t", "1");
    free(dotted);
    free(linked);
    free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(cursors_that_are_late_from_the_start),
        CASE(cursors_of_a_database_that_closes),
        CASE(close_does_not_wait_for_cursors),
        CASE(temp_by_any_spelling),
        CASE(temp_in_memory),
        CASE(temp_ends_with_its_transaction),
        CASE(numbers_beside_another_process),
        CASE(events_beside_another_process),
        CASE(others_are_heard_of_with_the_next_commit),
        CASE(several_queries_without_a_log),
        CASE(many_named_parameters),
        CASE(one_parameter_by_two_names),
        CASE(encoding_chosen_by_another_process),
        CASE(columns_that_another_process_adds),
        CASE(main_cannot_be_attached),
    };

    return cmocka_run_group_tests_name("review", tests, NULL, NULL);
}
