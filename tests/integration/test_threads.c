/*
 * Many threads at once: what must hold at every moment holds in every answer.
 *
 * Money moves between accounts, so the sum of all balances is the same in every committed state; each
 * transfer also adds a line to a log and raises a counter, so those two agree in every committed state. A
 * torn snapshot, a lost update or a half transaction shows in one of the three. Every answer carries a commit
 * number, which must never fall for one thread and never be older than what that thread, or another one
 * before it, was told.
 *
 * The seed of each run is printed; RSQ_TEST_SEED repeats the choices, though not the interleaving.
 */
#include "fixture.h"

#include <stdatomic.h>

enum { ACCOUNTS = 20, START = 1000, ROUNDS = FIXTURE_UNDER_TSAN ? 40 : 200 };

typedef struct bank {
    rsq_db *db;
    uint64_t seed;
    size_t writers; /* threads with a lower index write */
    verdict verdict;
    atomic_size_t transfers, writing;
    _Atomic uint64_t published; /* the highest commit number that a writer was told */
} bank;

static void open_bank(fixture *f, bank *b, const rsq_open_options *opts, const char *what)
{
    memset(b, 0, sizeof *b);
    b->db = opts ? fixture_open(f, opts) : (f->db = fixture_open_path(f, ":memory:", NULL));
    b->seed = fixture_seed(what);
    verdict_init(&b->verdict);
    EXEC(f, "CREATE TABLE accounts(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK(balance >= 0))");
    EXEC(f, "CREATE TABLE log(id INTEGER PRIMARY KEY, what TEXT)");
    EXEC(f, "CREATE TABLE counter(n INTEGER)");
    EXEC(f, "INSERT INTO counter VALUES (0)");
    EXEC(f, "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i < 20) "
            "INSERT INTO accounts SELECT i, 1000 FROM c");
}

static void publish(bank *b, uint64_t seq)
{
    uint64_t seen = atomic_load(&b->published);

    while (seen < seq && !atomic_compare_exchange_weak(&b->published, &seen, seq))
        continue;
}

/* ------------------------------------------------------------------------ writers -- */

typedef struct transfer {
    bank *bank;
    int64_t from, to, amount;
    bool refuse; /* undo it at the end */
} transfer;

static rsq_code move(rsq_tx *tx, const char *sql, int64_t account, int64_t amount, rsq_error *err)
{
    const rsq_value v[] = {rsq_integer(amount), rsq_integer(account)};

    return rsq_tx_execute(tx, sql, v, 2, NULL, NULL, err);
}

/* The line of the log and the counter: a transfer is complete only with both. */
static rsq_code note(rsq_tx *tx, void *ctx)
{
    rsq_code rc = rsq_tx_execute(tx, "UPDATE counter SET n = n + 1", NULL, 0, NULL, NULL, NULL);

    (void)ctx;
    return rc == RSQ_OK
               ? rsq_tx_execute(tx, "INSERT INTO log(what) VALUES ('transfer')", NULL, 0, NULL, NULL, NULL)
               : rc;
}

/* A transfer as a program would write it: read, compute, write; the balance that was read must still be the
 * one that is overwritten, or an update was lost. */
static rsq_code transfer_body(rsq_tx *tx, void *ctx)
{
    const transfer *t = ctx;
    rsq_value from = rsq_integer(t->from);
    rsq_result *r = NULL;
    int64_t balance;
    rsq_code rc = rsq_tx_select(tx, "SELECT balance FROM accounts WHERE id = ?", &from, 1, NULL, &r, NULL);

    if (rc != RSQ_OK)
        return rc;
    balance = rsq_result_int64(r, 0, 0);
    rsq_result_unref(r);
    if (balance < t->amount)
        return RSQ_ECANCELLED;
    rc = move(tx, "UPDATE accounts SET balance = ?1 WHERE id = ?2", t->from, balance - t->amount, NULL);
    if (rc == RSQ_OK)
        rc = move(tx, "UPDATE accounts SET balance = balance + ?1 WHERE id = ?2", t->to, t->amount, NULL);
    if (rc == RSQ_OK)
        rc = t->amount % 2 ? note(tx, NULL) : rsq_tx_transaction(tx, note, NULL, NULL);
    return rc == RSQ_OK && t->refuse ? RSQ_ECANCELLED : rc;
}

/* A transfer in one statement; CHECK refuses what is not covered. Log and counter are not touched. */
static void transfer_by_statement(const transfer *t)
{
    const rsq_value v[] = {rsq_integer(t->from), rsq_integer(t->to), rsq_integer(t->amount)};
    bank *b = t->bank;
    rsq_result *w = NULL, *r = NULL;
    rsq_error err;
    rsq_code rc = rsq_execute(b->db,
                              "UPDATE accounts SET balance = balance + CASE id WHEN ?1 THEN -?3 ELSE ?3 END "
                              "WHERE id IN (?1, ?2)",
                              v, 3, NULL, &w, &err);

    BLAME(&b->verdict, rc == RSQ_OK || (rc == RSQ_ESQL && err.sqlite_code == 275), &err);
    if (rc != RSQ_OK)
        return;
    BLAME(&b->verdict, rsq_result_changes(w) == 2, NULL);
    publish(b, rsq_result_commit_seq(w));
    /* Whoever wrote reads it: the answer contains that commit, whichever reader it came from. */
    rc = rsq_select(b->db, "SELECT sum(balance) FROM accounts", NULL, 0, NULL, &r, &err);
    BLAME(&b->verdict, rc == RSQ_OK, &err);
    if (rc == RSQ_OK) {
        BLAME(&b->verdict, rsq_result_commit_seq(r) >= rsq_result_commit_seq(w), NULL);
        BLAME(&b->verdict, rsq_result_int64(r, 0, 0) == ACCOUNTS * START, NULL);
    }
    rsq_result_unref(r);
    rsq_result_unref(w);
}

/* Two opposite movements as a batch: all or nothing, so that the sum stays. */
static void transfer_by_batch(const transfer *t)
{
    const rsq_value v[] = {rsq_integer(t->amount), rsq_integer(t->to), rsq_integer(-t->amount),
                           rsq_integer(t->from)};
    rsq_error err;
    rsq_code rc = rsq_execute_batch(t->bank->db, "UPDATE accounts SET balance = balance + ? WHERE id = ?", v,
                                    2, 2, NULL, NULL, &err);

    BLAME(&t->bank->verdict, rc == RSQ_OK || (rc == RSQ_ESQL && err.sqlite_code == 275 && err.row == 1),
          &err);
}

static void write_transfers(bank *b, uint64_t *seed)
{
    for (int i = 0; i < ROUNDS; i++) {
        transfer t = {.bank = b};
        rsq_error err;
        rsq_code rc;

        t.from = (int64_t)(fixture_random(seed) % ACCOUNTS) + 1;
        t.to = t.from % ACCOUNTS + 1;
        t.amount = (int64_t)(fixture_random(seed) % 400) + 1;
        t.refuse = fixture_random(seed) % 8 == 0;
        switch (fixture_random(seed) % 4) {
        case 0:
            transfer_by_statement(&t);
            break;
        case 1:
            transfer_by_batch(&t);
            break;
        default:
            rc = rsq_transaction(b->db, transfer_body, &t, NULL, &err);
            BLAME(&b->verdict, rc == RSQ_OK || rc == RSQ_ECANCELLED, &err);
            if (rc == RSQ_OK)
                atomic_fetch_add(&b->transfers, 1);
            break;
        }
    }
    atomic_fetch_sub(&b->writing, 1);
}

/* ------------------------------------------------------------------------ readers -- */

/* What holds in each committed state, in one answer. */
#define STATE                                                                                           \
    "SELECT (SELECT sum(balance) FROM accounts), (SELECT count(*) FROM log), (SELECT n FROM counter), " \
    "(SELECT min(balance) FROM accounts)"

static bool state_is_whole(const rsq_result *r)
{
    return rsq_result_rows(r) == 1 && rsq_result_int64(r, 0, 0) == ACCOUNTS * START &&
           rsq_result_int64(r, 0, 1) == rsq_result_int64(r, 0, 2) && rsq_result_int64(r, 0, 3) >= 0;
}

/* The sum over rows that were read one by one, and not by SQLite. */
static bool rows_are_whole(const rsq_result *r)
{
    int64_t sum = 0;

    for (size_t i = 0; i < rsq_result_rows(r); i++)
        sum += rsq_result_int64(r, i, 1);
    return rsq_result_rows(r) == ACCOUNTS && sum == ACCOUNTS * START;
}

static void read_states(bank *b, uint64_t *seed)
{
    uint64_t last = 0;
    int64_t last_log = 0;

    do {
        uint64_t told = atomic_load(&b->published);
        bool rows = fixture_random(seed) % 2;
        rsq_result *r = NULL;
        rsq_error err;
        rsq_code rc =
            rsq_select(b->db, rows ? "SELECT id, balance FROM accounts" : STATE, NULL, 0, NULL, &r, &err);

        BLAME(&b->verdict, rc == RSQ_OK, &err);
        if (rc != RSQ_OK)
            return;
        BLAME(&b->verdict, rows ? rows_are_whole(r) : state_is_whole(r), NULL);
        BLAME(&b->verdict, rsq_result_commit_seq(r) >= last, NULL);
        BLAME(&b->verdict, rsq_result_commit_seq(r) >= told, NULL);
        last = rsq_result_commit_seq(r);
        if (!rows) {
            BLAME(&b->verdict, rsq_result_int64(r, 0, 1) >= last_log, NULL);
            last_log = rsq_result_int64(r, 0, 1);
        }
        rsq_result_unref(r);
    } while (atomic_load(&b->writing) > 0);
}

static void bank_thread(size_t index, void *ctx)
{
    bank *b = ctx;
    uint64_t seed = b->seed + index;

    if (index < b->writers)
        write_transfers(b, &seed);
    else
        read_states(b, &seed);
}

/* Live queries on the same invariants: each of their answers is a whole state as well, and the last is the
 * end. */
static void check_events(bank *b, probe *p, fixture *f)
{
    char *end;
    rsq_result *r = NULL;

    WANT(f, RSQ_OK, rsq_select(b->db, STATE, NULL, 0, NULL, &r, &f->err));
    end = fixture_dump(r);
    rsq_result_unref(r);
    EXPECT_REACHES(p, end);
    free(end);
    for (size_t i = 0; i < p->count; i++)
        assert_true(state_is_whole(p->events[i].result));
}

static void run_bank(fixture *f, bank *b, size_t writers, size_t readers)
{
    probe *p[3];

    b->writers = writers;
    atomic_init(&b->writing, writers);
    for (size_t i = 0; i < LENGTH(p); i++)
        p[i] = WATCH(f, STATE);
    crew_run(writers + readers, bank_thread, b);
    VERDICT(&b->verdict);
    for (size_t i = 0; i < LENGTH(p); i++)
        check_events(b, p[i], f);
    assert_int_equal(INTEGER(f, "SELECT count(*) FROM log"), atomic_load(&b->transfers));
    assert_int_equal(INTEGER(f, "SELECT sum(balance) FROM accounts"), ACCOUNTS * START);
}

/* Nothing is torn, lost or stale, in a file. */
static void bank_in_a_file(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts};
    char *said;
    bank b;

    open_bank(f, &b, &opts, "bank_in_a_file");
    run_bank(f, &b, 3, 4);
    fixture_close(f);
    said = foreign_sql(f, f->path, "PRAGMA integrity_check; SELECT sum(balance) FROM accounts");
    assert_string_equal(said, "ok\n20000");
    free(said);
}

/* The same with fewer readers than threads, so that all queue for one. */
static void bank_with_one_reader(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 1};
    bank b;

    open_bank(f, &b, &opts, "bank_with_one_reader");
    run_bank(f, &b, 2, 4);
}

/* The same without kept snapshots. */
static void bank_without_kept_snapshots(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .flags = RSQ_OPEN_NO_KEPT_SNAPSHOTS};
    bank b;

    open_bank(f, &b, &opts, "bank_without_kept_snapshots");
    run_bank(f, &b, 2, 2);
}

/* The same on the one connection of a database in memory. */
static void bank_in_memory(void **state)
{
    fixture *f = *state;
    bank b;

    open_bank(f, &b, NULL, "bank_in_memory");
    run_bank(f, &b, 2, 2);
}

/* -------------------------------------------------------------------- the numbers -- */

/* A counter that each commit raises by one, so that it and the number of a commit differ by the same all the
 * time. */
typedef struct counted {
    rsq_db *db;
    uint64_t offset;
    verdict verdict;
    atomic_bool done;
} counted;

static void count_or_check(size_t index, void *ctx)
{
    counted *c = ctx;
    rsq_error err;

    for (int i = 0; index == 0 && i < 10 * ROUNDS; i++) {
        rsq_code rc = rsq_execute(c->db, "UPDATE counter SET n = n + 1", NULL, 0, NULL, NULL, &err);
        BLAME(&c->verdict, rc == RSQ_OK, &err);
    }
    if (index == 0)
        atomic_store(&c->done, true);
    while (!atomic_load(&c->done)) {
        rsq_result *r = NULL;
        rsq_code rc = rsq_select(c->db, "SELECT n FROM counter", NULL, 0, NULL, &r, &err);

        BLAME(&c->verdict, rc == RSQ_OK, &err);
        if (rc == RSQ_OK)
            BLAME(&c->verdict, rsq_result_commit_seq(r) == (uint64_t)rsq_result_int64(r, 0, 0) + c->offset,
                  NULL);
        rsq_result_unref(r);
    }
}

/* The number of a read is that of its own snapshot exactly, not of one nearby: also while commits come as
 * fast as they can; with kept snapshots and without; and the same for the events of a live query. */
static void numbers_are_exact(void **state)
{
    fixture *f = *state;

    for (uint32_t flags = 0; flags <= RSQ_OPEN_NO_KEPT_SNAPSHOTS; flags += RSQ_OPEN_NO_KEPT_SNAPSHOTS) {
        rsq_open_options opts = {.size = sizeof opts, .flags = flags};
        rsq_result *w = NULL;
        counted c;
        probe *p;

        c.db = fixture_open(f, &opts);
        EXEC(f, "CREATE TABLE IF NOT EXISTS counter(n INTEGER)");
        EXEC(f, "DELETE FROM counter");
        WANT(f, RSQ_OK, rsq_execute(f->db, "INSERT INTO counter VALUES (0)", NULL, 0, NULL, &w, &f->err));
        c.offset = rsq_result_commit_seq(w);
        rsq_result_unref(w);
        p = WATCH(f, "SELECT n FROM counter");
        atomic_init(&c.done, false);
        verdict_init(&c.verdict);
        crew_run(3, count_or_check, &c);
        VERDICT(&c.verdict);
        EXPECT_REACHES(p, FIXTURE_UNDER_TSAN ? "400" : "2000");
        for (size_t i = 0; i < p->count; i++)
            assert_int_equal(p->events[i].commit_seq,
                             (uint64_t)rsq_result_int64(p->events[i].result, 0, 0) + c.offset);
        fixture_close(f);
    }
}

/* --------------------------------------------------------------------- the schema -- */

typedef struct churn {
    rsq_db *db;
    verdict verdict;
    atomic_bool done;
} churn;

static void alter_or_read(size_t index, void *ctx)
{
    churn *c = ctx;
    rsq_error err;

    for (int i = 1; index == 0 && i <= 30; i++) {
        char sql[96];

        snprintf(sql, sizeof sql, "ALTER TABLE t ADD COLUMN c%d DEFAULT %d", i, i);
        BLAME(&c->verdict, rsq_execute(c->db, sql, NULL, 0, NULL, NULL, &err) == RSQ_OK, &err);
    }
    if (index == 0)
        atomic_store(&c->done, true);
    do {
        rsq_result *r = NULL;
        rsq_code rc = rsq_select(c->db, "SELECT * FROM t", NULL, 0, NULL, &r, &err);

        BLAME(&c->verdict, rc == RSQ_OK, &err);
        for (size_t i = 0; rc == RSQ_OK && i < rsq_result_columns(r); i++) {
            char name[32];

            snprintf(name, sizeof name, "c%zu", i);
            BLAME(&c->verdict, strcmp(rsq_result_column_name(r, i), name) == 0, NULL);
            BLAME(&c->verdict, rsq_result_int64(r, 0, i) == (int64_t)i, NULL);
        }
        rsq_result_unref(r);
    } while (!atomic_load(&c->done));
}

/* Columns come while others read SELECT *: each answer has the names and values of one schema, old or new. */
static void schema_changes_under_readers(void **state)
{
    fixture *f = *state;
    churn c;

    c.db = fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(c0)");
    EXEC(f, "INSERT INTO t VALUES (0)");
    atomic_init(&c.done, false);
    verdict_init(&c.verdict);
    crew_run(4, alter_or_read, &c);
    VERDICT(&c.verdict);
}

/* ---------------------------------------------------------------------- deadlines -- */

typedef struct impatient {
    rsq_db *db;
    verdict verdict;
    atomic_size_t served, late;
} impatient;

static void read_impatiently(size_t index, void *ctx)
{
    impatient *im = ctx;
    rsq_call_options soon = {.size = sizeof soon, .timeout_ms = 1};
    (void)index;

    for (int i = 0; i < 20; i++) {
        rsq_result *r = NULL;
        rsq_error err;
        rsq_code rc =
            rsq_select(im->db,
                       "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i < 3000) "
                       "SELECT count(*) FROM c",
                       NULL, 0, &soon, &r, &err);

        BLAME(&im->verdict, rc == RSQ_OK || rc == RSQ_ETIMEOUT, &err);
        if (rc == RSQ_OK)
            BLAME(&im->verdict, rsq_result_int64(r, 0, 0) == 3000, NULL);
        atomic_fetch_add(rc == RSQ_OK ? &im->served : &im->late, 1);
        rsq_result_unref(r);
    }
}

/* Callers that give up leave no reader behind: afterwards the pool serves as before. */
static void deadlines_lose_no_reader(void **state)
{
    fixture *f = *state;
    rsq_open_options opts = {.size = sizeof opts, .readers = 2};
    impatient im;

    im.db = fixture_open(f, &opts);
    atomic_init(&im.served, 0);
    atomic_init(&im.late, 0);
    verdict_init(&im.verdict);
    crew_run(8, read_impatiently, &im);
    VERDICT(&im.verdict);
    assert_int_equal(atomic_load(&im.served) + atomic_load(&im.late), 8 * 20);
    for (int i = 0; i < 10; i++)
        EXPECT_ROWS(f, "SELECT 1", "1");
}

/* ------------------------------------------------------------------ open and close -- */

static void open_use_close(size_t index, void *ctx)
{
    churn *c = ctx;
    (void)index;

    for (int i = 0; i < 10; i++) {
        rsq_db *db = NULL;
        rsq_error err;
        rsq_code rc = rsq_open(":memory:", NULL, &db, &err);

        BLAME(&c->verdict, rc == RSQ_OK, &err);
        if (rc != RSQ_OK)
            return;
        rc = rsq_execute(db, "CREATE TABLE t(x)", NULL, 0, NULL, NULL, &err);
        BLAME(&c->verdict, rc == RSQ_OK, &err);
        BLAME(&c->verdict, rsq_close(db) == RSQ_OK, NULL);
    }
}

/* Databases are opened and closed by many threads at once; the list of closed handles is shared by all. */
static void open_and_close_in_parallel(void **state)
{
    churn c;
    (void)state;

    verdict_init(&c.verdict);
    crew_run(8, open_use_close, &c);
    VERDICT(&c.verdict);
}

static void use_until_closed(size_t index, void *ctx)
{
    churn *c = ctx;
    rsq_error err;
    rsq_code rc = RSQ_OK;

    for (int i = 0; rc == RSQ_OK; i++) {
        rsq_result *r = NULL;

        if (index == 0 && i == 20) {
            BLAME(&c->verdict, rsq_close(c->db) == RSQ_OK, NULL);
        } else if (index % 2) {
            rc = rsq_select(c->db, "SELECT count(*), max(rowid) FROM t", NULL, 0, NULL, &r, &err);
            if (rc == RSQ_OK)
                BLAME(&c->verdict, rsq_result_int64(r, 0, 0) == rsq_result_int64(r, 0, 1), NULL);
        } else {
            rc = rsq_execute(c->db, "INSERT INTO t VALUES (1)", NULL, 0, NULL, &r, &err);
        }
        rsq_result_unref(r);
    }
    BLAME(&c->verdict, rc == RSQ_ECLOSED, &err);
}

/* A database is closed under eight threads that use it: each gets RSQ_ECLOSED and nothing else. */
static void close_under_load(void **state)
{
    fixture *f = *state;

    for (int i = 0; i < 20; i++) {
        churn c;

        c.db = fixture_open(f, NULL);
        EXEC(f, "DROP TABLE IF EXISTS t");
        EXEC(f, "CREATE TABLE t(x)");
        verdict_init(&c.verdict);
        crew_run(8, use_until_closed, &c);
        f->db = NULL;
        VERDICT(&c.verdict);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(bank_in_a_file),           CASE(bank_with_one_reader),       CASE(bank_without_kept_snapshots),
        CASE(bank_in_memory),           CASE(numbers_are_exact),          CASE(schema_changes_under_readers),
        CASE(deadlines_lose_no_reader), CASE(open_and_close_in_parallel), CASE(close_under_load),
    };

    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
