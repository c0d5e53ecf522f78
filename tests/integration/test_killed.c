/*
 * A process that is killed while it writes: what it was told is done is there when the file is opened again,
 * and of no transaction there is a half. (The machine stays up, so this holds for each `synchronous`.)
 *
 * The process is this program, started anew: threads of it write in every way and put the number of each
 * write that was answered into a pipe. The test kills it when so many have come, whatever it does just then.
 */
#include "fixture.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

/* Rows that a write of each kind has: all or none. */
#define ROW_ROWS 1
#define PAIR_ROWS 2
#define BATCH_ROWS 5

/* Writes of one process, at most; each process numbers its own. */
#define NUMBERS 1000000

/* ------------------------------------------------------------------------ the process -- */

typedef struct writer {
    rsq_db *db;
    int told; /* the pipe */
    _Atomic int64_t number;
} writer;

static writer the_writer;

/* The kind is the number of rows. A pipe takes so few bytes at once or not at all. */
static void tell(int64_t number, int64_t rows)
{
    int64_t told[2] = {number, rows};

    if (write(the_writer.told, told, sizeof told) != (ssize_t)sizeof told)
        _exit(2);
}

static void must(rsq_code code)
{
    if (code != RSQ_OK)
        _exit(3);
}

static int64_t next_number(void)
{
    return atomic_fetch_add(&the_writer.number, 1);
}

static void *write_rows(void *unused)
{
    for (;;) {
        rsq_value number = rsq_integer(next_number());

        must(rsq_execute(the_writer.db, "INSERT INTO t VALUES (?1, 1)", &number, 1, NULL, NULL, NULL));
        tell(number.as.i, ROW_ROWS);
    }
    return unused;
}

static rsq_code insert_pair(rsq_tx *tx, void *ctx)
{
    rsq_value *number = ctx;
    rsq_code code = rsq_tx_execute(tx, "INSERT INTO t VALUES (?1, 2)", number, 1, NULL, NULL, NULL);

    if (code == RSQ_OK)
        code = rsq_tx_execute(tx, "INSERT INTO t VALUES (?1, 2)", number, 1, NULL, NULL, NULL);
    return code;
}

static void *write_pairs(void *unused)
{
    for (;;) {
        rsq_value number = rsq_integer(next_number());

        must(rsq_transaction(the_writer.db, insert_pair, &number, NULL, NULL));
        tell(number.as.i, PAIR_ROWS);
    }
    return unused;
}

static void *write_batches(void *unused)
{
    for (;;) {
        rsq_value rows[BATCH_ROWS];

        rows[0] = rsq_integer(next_number());
        for (int i = 1; i < BATCH_ROWS; i++)
            rows[i] = rows[0];
        must(rsq_execute_batch(the_writer.db, "INSERT INTO t VALUES (?, 5)", rows, BATCH_ROWS, 1, NULL, NULL,
                               NULL));
        tell(rows[0].as.i, BATCH_ROWS);
    }
    return unused;
}

static void on_done(rsq_op *op, void *ctx)
{
    must(rsq_op_status(op));
    tell((intptr_t)ctx, ROW_ROWS);
}

/* Some at a time. */
static void write_asynchronously(void)
{
    rsq_queue *q = rsq_queue_default(the_writer.db);

    for (;;) {
        size_t left = 8;

        for (size_t i = 0; i < left; i++) {
            rsq_value number = rsq_integer(next_number());
            rsq_op_options opts = {
                .size = sizeof opts, .done = on_done, .ctx = (void *)(intptr_t)number.as.i};

            must(rsq_execute_async(the_writer.db, "INSERT INTO t VALUES (?1, 1)", &number, 1, &opts, NULL));
        }
        while (left > 0) {
            size_t n = 0;

            (void)rsq_queue_wait(q, FIXTURE_DEADLINE_MS);
            must(rsq_queue_dispatch(q, left, &n));
            left -= n;
        }
    }
}

static void *checkpoint(void *unused)
{
    for (uint32_t mode = 0;; mode = (mode + 1) % (RSQ_CHECKPOINT_TRUNCATE + 1)) {
        rsq_checkpoint_options opts = {.size = sizeof opts, .mode = mode, .timeout_ms = 10};

        (void)rsq_checkpoint(the_writer.db, &opts, NULL, NULL);
    }
    return unused;
}

/* killed PATH SYNCHRONOUS FLAGS PIPE FIRST: until it is killed, or for some minutes. */
static int write_until_killed(char **args)
{
    void *(*const mains[])(void *) = {write_rows, write_rows, write_pairs, write_batches, checkpoint};
    rsq_open_options opts = RSQ_OPEN_OPTIONS_INIT;
    pthread_t started;

    (void)alarm(4 * FIXTURE_DEADLINE_MS / 1000);
    opts.lease_timeout_ms = 4 * FIXTURE_DEADLINE_MS;
    opts.synchronous = (uint32_t)strtoul(args[1], NULL, 10);
    opts.flags = (uint32_t)strtoul(args[2], NULL, 10);
    the_writer.told = atoi(args[3]);
    atomic_init(&the_writer.number, strtoll(args[4], NULL, 10));
    must(rsq_open(args[0], &opts, &the_writer.db, NULL));
    for (size_t i = 0; i < LENGTH(mains); i++) {
        if (pthread_create(&started, NULL, mains[i], NULL) != 0)
            _exit(4);
    }
    write_asynchronously();
    return 0;
}

/* --------------------------------------------------------------------------- the test -- */

typedef struct killed {
    int64_t first;  /* the number of its first write */
    int64_t *told;  /* rows of each write that it told of, by number from there; owned */
    size_t answers; /* how many these are */
} killed;

static pid_t start_process(fixture *f, const rsq_open_options *opts, int64_t first, int told)
{
    char synchronous[16], flags[16], pipe_number[16], number[32];
    pid_t pid;

    snprintf(synchronous, sizeof synchronous, "%u", (unsigned)opts->synchronous);
    snprintf(flags, sizeof flags, "%u", (unsigned)opts->flags);
    snprintf(pipe_number, sizeof pipe_number, "%d", told);
    snprintf(number, sizeof number, "%" PRId64, first);
    pid = fork();
    if (pid == 0) {
        char *args[] = {(char *)(uintptr_t) "killed", f->path, synchronous, flags, pipe_number, number, NULL};

        execv("/proc/self/exe", args);
        _exit(5);
    }
    assert_true(pid > 0);
    return pid;
}

/* One more answer of it; false: it is gone, and so is what it had told. */
static bool hear(killed *k, int told)
{
    int64_t answer[2];

    if (read(told, answer, sizeof answer) != (ssize_t)sizeof answer)
        return false;
    assert_in_range(answer[0] - k->first, 0, NUMBERS - 1);
    k->told[answer[0] - k->first] = answer[1];
    k->answers++;
    return true;
}

static void run_and_kill(fixture *f, killed *k, const rsq_open_options *opts, size_t answers)
{
    int told[2], status = 0;
    pid_t pid;

    assert_int_equal(pipe(told), 0);
    pid = start_process(f, opts, k->first, told[1]);
    close(told[1]);
    while (k->answers < answers && hear(k, told[0]))
        ;
    (void)kill(pid, SIGKILL);
    while (hear(k, told[0]))
        ;
    close(told[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(k->answers >= answers);
}

/* Each write that was answered is there, and each that is there is whole. */
static void check(fixture *f, killed *k)
{
    rsq_value first = rsq_integer(k->first);
    rsq_result *r = NULL;
    size_t found = 0;

    EXPECT_ROWS(f, "PRAGMA integrity_check", "'ok'");
    WANT(f, RSQ_OK,
         rsq_select(f->db, "SELECT number, max(rows), count(*) FROM t WHERE number >= ?1 GROUP BY number",
                    &first, 1, NULL, &r, &f->err));
    for (size_t i = 0; i < rsq_result_rows(r); i++) {
        int64_t rows = rsq_result_int64(r, i, 1);
        int64_t told = k->told[rsq_result_int64(r, i, 0) - k->first];

        assert_int_equal(rsq_result_int64(r, i, 2), rows);
        assert_true(told == 0 || told == rows);
        found += told != 0;
    }
    rsq_result_unref(r);
    assert_int_equal(found, k->answers);
}

static void kill_after(fixture *f, size_t answers, uint32_t synchronous, uint32_t flags)
{
    static int64_t first = 1;
    rsq_open_options opts = RSQ_OPEN_OPTIONS_INIT;
    killed k = {.first = first, .told = calloc(NUMBERS, sizeof *k.told)};

    assert_non_null(k.told);
    first += NUMBERS;
    opts.synchronous = synchronous;
    opts.flags = flags;
    run_and_kill(f, &k, &opts, answers);
    fixture_open(f, NULL);
    check(f, &k);
    fixture_close(f);
    free(k.told);
}

static void what_was_answered_is_there(void **state)
{
    static const size_t answers[] = {1, 7, 60, 333};
    fixture *f = *state;

    fixture_open(f, NULL);
    EXEC(f, "CREATE TABLE t(number, rows)");
    EXEC(f, "CREATE INDEX by_number ON t(number)");
    fixture_close(f);
    for (size_t i = 0; i < LENGTH(answers); i++) {
        kill_after(f, answers[i], RSQ_SYNC_NORMAL, 0);
        kill_after(f, answers[i], RSQ_SYNC_FULL, 0);
        kill_after(f, answers[i], RSQ_SYNC_FULL, RSQ_OPEN_NO_GROUP_COMMIT);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {CASE(what_was_answered_is_there)};

    if (argc == 6 && strcmp(argv[0], "killed") == 0)
        return write_until_killed(argv + 1);
    return cmocka_run_group_tests_name("killed", tests, NULL, NULL);
}
