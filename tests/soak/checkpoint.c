/*
 * checkpoint [SECONDS]: does the write-ahead log stay short, and what do checkpoints cost a commit?
 *
 * One thread writes as fast as it can, four read without a pause, two of them slowly: one by queries that
 * take a good part of a second, one in chunks with work between them. Meanwhile the length of the log's file
 * is looked at. Then each commit is timed: of a log that grows for the first time, too short for a
 * checkpoint, and of one that is kept short.
 *
 * Prints TAP, and what it found as comments. The times are told and not judged: they depend on what else the
 * machine does.
 */
#include <resqlite.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROWS 20000
#define LOG_MAX ((int64_t)64 << 20)
#define READERS 4

/* Commits that are timed, and how many of them a log takes before its first checkpoint. */
#define TIMED 20000
#define TIMED_FRESH 400

static char folder[256], path[300], log_path[310];
static atomic_bool stop;
static atomic_ulong commits, fast_reads, slow_reads, cut_reads, failures;

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void fail(const char *what, const rsq_error *err)
{
    printf("# %s: %s\n", what, err->message);
    atomic_fetch_add(&failures, 1);
}

static void run(rsq_db *db, const char *sql)
{
    rsq_error err;

    if (rsq_execute(db, sql, NULL, 0, NULL, NULL, &err) != RSQ_OK)
        fail(sql, &err);
}

static rsq_db *open_db(void)
{
    const rsq_open_options opts = {.size = sizeof opts, .readers = READERS};
    rsq_error err;
    rsq_db *db;

    if (rsq_open(path, &opts, &db, &err) != RSQ_OK) {
        printf("Bail out! %s\n", err.message);
        exit(1);
    }
    run(db, "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, n INTEGER, v BLOB)");
    run(db, "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 20000) "
            "INSERT OR IGNORE INTO t SELECT x, x, randomblob(200) FROM c");
    return db;
}

static void remove_db(void)
{
    char other[310];

    (void)remove(path);
    (void)remove(log_path);
    snprintf(other, sizeof other, "%s-shm", path);
    (void)remove(other);
}

static uint64_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* ------------------------------------------------------------------ the threads -- */

static void write_one(rsq_db *db, uint64_t *state)
{
    rsq_value id = rsq_integer((int64_t)(next(state) % ROWS) + 1);
    rsq_error err;

    if (rsq_execute(db, "UPDATE t SET n = n + 1, v = randomblob(200) WHERE id = ?", &id, 1, NULL, NULL,
                    &err) != RSQ_OK)
        fail("update", &err);
}

static void *writer_main(void *db)
{
    uint64_t state = 1;

    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        write_one(db, &state);
        atomic_fetch_add_explicit(&commits, 1, memory_order_relaxed);
    }
    return NULL;
}

static void *fast_main(void *db)
{
    uint64_t state = 2;

    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        rsq_value id = rsq_integer((int64_t)(next(&state) % ROWS) + 1);
        rsq_result *r = NULL;
        rsq_error err;

        if (rsq_select(db, "SELECT n, v FROM t WHERE id = ?", &id, 1, NULL, &r, &err) != RSQ_OK)
            fail("point read", &err);
        rsq_result_unref(r);
        atomic_fetch_add_explicit(&fast_reads, 1, memory_order_relaxed);
    }
    return NULL;
}

/* A third of a second on the machine that this was written on; with a snapshot from its first moment. */
static void *slow_main(void *db)
{
    static const char sql[] = "SELECT count(*) FROM t AS a, (SELECT n FROM t LIMIT 300) AS b WHERE a.n > b.n";

    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        rsq_result *r = NULL;
        rsq_error err;

        if (rsq_select(db, sql, NULL, 0, NULL, &r, &err) != RSQ_OK)
            fail("slow read", &err);
        rsq_result_unref(r);
        atomic_fetch_add_explicit(&slow_reads, 1, memory_order_relaxed);
    }
    return NULL;
}

/* All rows, with something to do for each chunk. The library may end it when the log has to begin anew. */
static void *chunk_main(void *db)
{
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        const rsq_call_options opts = {.size = sizeof opts, .chunk_rows = 100};
        rsq_cursor *cursor = NULL;
        rsq_result *r = NULL;
        rsq_error err;
        rsq_code code = rsq_cursor_open(db, "SELECT * FROM t", NULL, 0, &opts, &cursor, &err);

        while (code == RSQ_OK && (code = rsq_cursor_next(cursor, &r, &err)) == RSQ_OK && r) {
            double until = now_s() + 0.003;

            while (now_s() < until && !atomic_load_explicit(&stop, memory_order_relaxed))
                ;
            rsq_result_unref(r);
        }
        rsq_cursor_close(cursor);
        if (code == RSQ_ESNAPSHOT)
            atomic_fetch_add_explicit(&cut_reads, 1, memory_order_relaxed);
        else if (code != RSQ_OK)
            fail("chunks", &err);
        else
            atomic_fetch_add_explicit(&slow_reads, 1, memory_order_relaxed);
    }
    return NULL;
}

/* ---------------------------------------------------------------------- the soak -- */

static int64_t log_size(void)
{
    struct stat st;

    return stat(log_path, &st) == 0 ? st.st_size : 0;
}

static void soak(double seconds)
{
    void *(*const mains[])(void *) = {writer_main, fast_main, fast_main, slow_main, chunk_main};
    enum { THREADS = sizeof mains / sizeof mains[0] };
    pthread_t threads[THREADS];
    rsq_counters c = {.size = sizeof c};
    int64_t largest = 0;
    double began, took;
    rsq_queue *clock_queue;
    rsq_error err;
    rsq_db *db = open_db();

    if (rsq_queue_new(&clock_queue, &err) != RSQ_OK)
        fail("queue", &err);
    began = now_s();
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, mains[i], db);
    while (now_s() - began < seconds) {
        int64_t size = log_size();

        largest = size > largest ? size : largest;
        (void)rsq_queue_wait(clock_queue, 5); /* nothing is ever posted to it: it only lets time pass */
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    took = now_s() - began;
    if (rsq_stats(db, &c, &err) != RSQ_OK)
        fail("stats", &err);
    printf("# %.1f s: %.0f commits/s, %.0f point reads/s, %lu slow reads, %lu ended by the log\n", took,
           (double)commits / took, (double)fast_reads / took, (unsigned long)slow_reads,
           (unsigned long)cut_reads);
    printf("# the log had at most %.1f MiB; %" PRIu64 " checkpoints, %" PRIu64
           " times it began anew, %" PRIu64 " attempts at that were blocked, %" PRIu64 " errors\n",
           (double)largest / (1 << 20), c.checkpoints, c.log_restarts, c.log_blocked, c.checkpoint_errors);
    printf("%s 1 - the log stays within 64 MiB\n", largest <= LOG_MAX ? "ok" : "not ok");
    printf("%s 2 - everything works meanwhile\n", atomic_load(&failures) == 0 ? "ok" : "not ok");
    rsq_queue_free(clock_queue);
    rsq_close(db);
    remove_db();
}

/* --------------------------------------------------------------------- the times -- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Returns the 99.9th percentile, in µs. */
static double tell(const char *what, double *us, size_t n)
{
    double p999 = 0;

    qsort(us, n, sizeof *us, by_size);
    p999 = us[n - 1 - n / 1000];
    printf("# commit, µs, %s: p50 %.1f, p99 %.1f, p99.9 %.1f, max %.1f (%zu commits)\n", what, us[n / 2],
           us[n - 1 - n / 100], p999, us[n - 1], n);
    return p999;
}

static void time_commits(rsq_db *db, double *us, size_t n)
{
    uint64_t state = 3;

    for (size_t i = 0; i < n; i++) {
        double began = now_s();

        write_one(db, &state);
        us[i] = (now_s() - began) * 1e6;
    }
}

static void times(size_t timed)
{
    const rsq_checkpoint_options truncate = {.size = sizeof truncate, .mode = RSQ_CHECKPOINT_TRUNCATE};
    double *us = calloc(timed, sizeof *us);
    double without, with;
    rsq_error err;
    rsq_db *db = open_db();

    if (!us)
        exit(1);
    /* Each time so few that no checkpoint begins. */
    for (size_t done = 0; done < timed; done += TIMED_FRESH) {
        if (rsq_checkpoint(db, &truncate, NULL, &err) != RSQ_OK)
            fail("checkpoint", &err);
        time_commits(db, us + done, timed - done < TIMED_FRESH ? timed - done : TIMED_FRESH);
    }
    without = tell("without checkpoints", us, timed);
    time_commits(db, us, timed);
    with = tell("with them", us, timed);
    printf("# p99.9: %.1f times that without\n", with / without);
    free(us);
    rsq_close(db);
    remove_db();
    printf("%s 3 - commits are timed\n", atomic_load(&failures) == 0 ? "ok" : "not ok");
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 600;
    const char *tmp = getenv("TMPDIR");

    printf("1..3\n");
    snprintf(folder, sizeof folder, "%.200s/resqlite-soak-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder)) {
        printf("Bail out! no folder\n");
        return 1;
    }
    snprintf(path, sizeof path, "%s/soak.db", folder);
    snprintf(log_path, sizeof log_path, "%s-wal", path);
    soak(seconds);
    times(seconds < 10 ? TIMED / 4 : TIMED);
    rmdir(folder);
    return atomic_load(&failures) != 0;
}
