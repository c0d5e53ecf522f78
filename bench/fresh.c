/*
 * What can only be seen in a fresh process: how long it takes from its start to
 * the first row and to its end, and how much memory it had.
 *
 * The program starts itself once more for each operation, with a job, a peer and
 * a database. The peer `nothing` does nothing: what a process takes that only
 * starts and ends. Before a cold start the system is asked to forget the pages of
 * the database file, so that the first read has to fetch them.
 *
 * The bytes of heap that a result holds are asked for there as well: the library
 * keeps the memory of results that are gone, so that in a process that has read
 * before, a new one seems to need none.
 */
#define _POSIX_C_SOURCE 200809L /* posix_spawn(), posix_fadvise() */

#include "fresh.h"

#include <fcntl.h>
#include <malloc.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "checksum.h"
#include "items.h"
#include "ladder/rows.h"
#include "raw/row.h"

extern char **environ;

enum {
    JOB_NOTHING,
    JOB_FIRST_READ,
    JOB_ROWS,
    JOB_JSON,
    JOB_BATCH,
    JOB_HOLD, /* from here on: the bytes of heap that a result holds, by row */
    JOB_HOLD_JSON = JOB_HOLD,
    JOB_HOLD_RESULT,
    JOB_HOLD_FLAT,
    JOB_HOLD_RECORDS,
    JOBS
};
static const char *const job_names[JOBS] = {"nothing",   "first-read",  "rows",      "json",        "batch",
                                            "hold-json", "hold-result", "hold-flat", "hold-records"};

enum { PEER_RAW, PEER_RESQLITE, PEERS };
static const char *const peer_names[PEERS] = {"raw", "resqlite"};

/* bench_peer.variant */
#define FRESH(job, peer) ((uint32_t)(job) | (uint32_t)(peer) << 8)
#define JOB_OF(variant) ((variant)&0xff)
#define PEER_OF(variant) ((variant) >> 8)

#define BATCH_ROWS 10000
#define SQL_BATCH "INSERT INTO batch(name, value) VALUES (?, ?)"
#define SQL_BATCH_TABLE "CREATE TABLE batch(id INTEGER PRIMARY KEY, name TEXT NOT NULL, value REAL NOT NULL)"

/* ---------------------------------------------------- in the fresh process -- */

/* The rows of a batch, for both peers made before. */
static struct {
    char names[BATCH_ROWS][16];
    raw_pair pairs[BATCH_ROWS];
    rsq_value values[BATCH_ROWS * 2];
} batch;

static void fill_batch(void)
{
    for (int i = 0; i < BATCH_ROWS; i++) {
        int len = snprintf(batch.names[i], sizeof batch.names[i], "item_%d", i);

        batch.pairs[i] = (raw_pair){batch.names[i], (size_t)len, i * 1.5};
        batch.values[2 * i] = rsq_text_n(batch.names[i], (uint32_t)len);
        batch.values[2 * i + 1] = rsq_real(i * 1.5);
    }
}

static bool rsq_job(unsigned job, const char *path)
{
    const rsq_value key = rsq_integer(1);
    rsq_result *result = NULL;
    rsq_db *db;
    rsq_code rc = rsq_open(path, NULL, &db, NULL);

    if (rc != RSQ_OK)
        return false;
    if (job == JOB_FIRST_READ)
        rc = rsq_select(db, ITEMS_SQL_KEY, &key, 1, NULL, &result, NULL);
    else if (job == JOB_ROWS)
        rc = rsq_select(db, ITEMS_SQL_ALL, NULL, 0, NULL, &result, NULL);
    else if (job == JOB_JSON)
        rc = rsq_select_json(db, ITEMS_SQL_ALL, NULL, 0, NULL, &result, NULL);
    else
        rc = rsq_execute_batch(db, SQL_BATCH, batch.values, BATCH_ROWS, 2, NULL, &result, NULL);
    rsq_result_unref(result);
    return rsq_close(db) == RSQ_OK && rc == RSQ_OK;
}

/* What a program does that needs all rows at once: an array of them. */
typedef struct kept_rows {
    row_set *rows[BATCH_ROWS];
    size_t n;
} kept_rows;

static void keep_row(void *ctx, const rsq_value *cells, size_t columns)
{
    static const char *const none[RAW_ROW_COLUMNS_MAX];
    kept_rows *kept = ctx;

    if (kept->n < BATCH_ROWS)
        kept->rows[kept->n++] = rows_new(ROWS_FLAT, cells, 1, none, columns);
}

static void copy_text(void *ctx, const rsq_value *cells, size_t columns)
{
    char **copy = ctx;

    (void)columns;
    *copy = malloc((size_t)cells[0].len + 1);
    if (*copy)
        memcpy(*copy, cells[0].as.text, cells[0].len);
}

static bool raw_read_all(raw_stmt *s)
{
    static kept_rows kept;
    bool ok = raw_row_each(s, NULL, 0, keep_row, &kept);

    for (size_t i = 0; i < kept.n; i++)
        rows_free(kept.rows[i]);
    return ok && kept.n > 0;
}

static bool raw_job(unsigned job, const char *path)
{
    static const char *const sql[JOBS] = {[JOB_FIRST_READ] = ITEMS_SQL_KEY,
                                          [JOB_ROWS] = ITEMS_SQL_ALL,
                                          [JOB_JSON] = ITEMS_SQL_JSON1,
                                          [JOB_BATCH] = SQL_BATCH};
    raw_db *db = raw_open(path, job == JOB_BATCH ? 0 : RAW_READONLY);
    raw_stmt *s = db && raw_ok(db) ? raw_prepare(db, sql[job]) : NULL;
    char *text = NULL;
    uint64_t sum = 0;
    bool ok = s != NULL;

    if (ok && job == JOB_FIRST_READ)
        ok = raw_visit_key(s, 1, &sum);
    else if (ok && job == JOB_ROWS)
        ok = raw_read_all(s);
    else if (ok && job == JOB_JSON)
        ok = raw_row_each(s, NULL, 0, copy_text, &text) && text;
    else if (ok)
        ok = raw_insert_batch(db, s, batch.pairs, BATCH_ROWS);
    free(text);
    raw_finalize(s);
    raw_close(db);
    return ok;
}

static bool print_memory(void)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    long kib = 0;

    if (!f)
        return false;
    while (fgets(line, sizeof line, f) && sscanf(line, "VmHWM: %ld", &kib) != 1)
        ;
    fclose(f);
    printf("%ld\n", kib);
    return kib > 0 && fflush(stdout) == 0;
}

/* In use, in the heap and in blocks that have a mapping of their own. */
static double heap_bytes(void)
{
    struct mallinfo2 now = mallinfo2();

    return (double)now.uordblks + (double)now.hblkhd;
}

/* Bytes by row of the rows of a result in one of the forms of the ladder; 0: no memory. */
static double rows_bytes(const rsq_result *result, rows_form form)
{
    static const char *const names[] = {"id", "name", "description", "value", "category", "created_at"};
    double before = heap_bytes();
    size_t rows;
    size_t columns;
    const rsq_value *cells = rsq_result_cells(result, &rows, &columns);
    row_set *made = rows_new(form, cells, rows, names, columns);
    double bytes = (heap_bytes() - before) / (double)rows;

    rows_free(made);
    return made ? bytes : 0;
}

/* Bytes by row that a result holds; 0: failed. */
static double held_bytes(unsigned job, const char *path)
{
    const rsq_value key = rsq_integer(1);
    rsq_result *first = NULL;
    rsq_result *result = NULL;
    rsq_result *rows = NULL;
    rsq_db *db;
    double bytes = 0;
    double before;

    if (rsq_open(path, NULL, &db, NULL) != RSQ_OK)
        return 0;
    /* What a connection allocates for its first read is not the result's. */
    if (rsq_select(db, ITEMS_SQL_KEY, &key, 1, NULL, &first, NULL) == RSQ_OK) {
        before = heap_bytes();
        if (job == JOB_HOLD_JSON)
            (void)rsq_select_json(db, ITEMS_SQL_ALL, NULL, 0, NULL, &result, NULL);
        else
            (void)rsq_select(db, ITEMS_SQL_ALL, NULL, 0, NULL, &result, NULL);
        bytes = heap_bytes() - before;
    }
    if (result && rsq_select(db, ITEMS_SQL_ALL, NULL, 0, NULL, &rows, NULL) == RSQ_OK) {
        bytes /= (double)rsq_result_rows(rows);
        if (job == JOB_HOLD_FLAT || job == JOB_HOLD_RECORDS)
            bytes = rows_bytes(rows, job == JOB_HOLD_FLAT ? ROWS_FLAT : ROWS_RECORDS);
    }
    rsq_result_unref(rows);
    rsq_result_unref(result);
    rsq_result_unref(first);
    return rsq_close(db) == RSQ_OK ? bytes : 0;
}

static unsigned index_of(const char *const *names, unsigned n, const char *name)
{
    unsigned i = 0;

    while (i < n && strcmp(names[i], name) != 0)
        i++;
    return i;
}

int bench_fresh(const bench_options *o)
{
    unsigned job = index_of(job_names, JOBS, o->words[0]);
    unsigned peer = index_of(peer_names, PEERS, o->words[1]);
    bool ok = true;

    if (job == JOBS || peer == PEERS)
        return bench_usage_error("no such job, or no such peer", o->words[job == JOBS ? 0 : 1]);
    if (job >= JOB_HOLD) {
        double bytes = held_bytes(job, o->words[2]);

        printf("%.3f\n", bytes);
        return bytes > 0 && fflush(stdout) == 0 ? BENCH_EXIT_OK : BENCH_EXIT_MISSED;
    }
    /* Everybody pays for these pages, also who does nothing. */
    fill_batch();
    if (job != JOB_NOTHING)
        ok = peer == PEER_RAW ? raw_job(job, o->words[2]) : rsq_job(job, o->words[2]);
    return ok && print_memory() ? BENCH_EXIT_OK : BENCH_EXIT_MISSED;
}

/* ---------------------------------------------------------- who starts it -- */

typedef struct starter {
    const bench_ctx *at;
} starter;

static void starter_close(void *state)
{
    free(state);
}

static bool make_batch_table(const bench_ctx *at)
{
    raw_db *db = raw_open(at->path, 0);
    bool ok = db && raw_ok(db) && raw_exec(db, SQL_BATCH_TABLE);

    if (!ok)
        bench_fail(at, "make the table: %s", raw_message(db));
    raw_close(db);
    return ok;
}

static void *starter_open(const bench_ctx *at)
{
    starter *s = malloc(sizeof *s);

    if (!s) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    s->at = at;
    if (items_make(at, at->of->size) && make_batch_table(at))
        return s;
    free(s);
    return NULL;
}

/* Ask the system to forget what it has read of the file. */
static void forget(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    fdatasync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

/* Start the process with its output in a pipe; the reading end, or -1. */
static int spawn_fresh(const bench_ctx *at, pid_t *pid)
{
    const char *job = job_names[JOB_OF(at->peer->variant)];
    const char *peer = peer_names[PEER_OF(at->peer->variant)];
    char *const argv[] = {
        "rsq-bench", "fresh", (char *)(uintptr_t)job, (char *)(uintptr_t)peer, (char *)(uintptr_t)at->path,
        NULL};
    posix_spawn_file_actions_t actions;
    int fds[2];
    int failed;

    if (pipe(fds) != 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, fds[0]);
    failed = posix_spawn(pid, "/proc/self/exe", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    if (!failed)
        return fds[0];
    close(fds[0]);
    return -1;
}

/* What the process prints: the memory that it had. */
static bool run_fresh(const bench_ctx *at, double *figure)
{
    char text[32] = "";
    size_t len = 0;
    ssize_t got;
    int status = 0;
    pid_t pid;
    int fd = spawn_fresh(at, &pid);

    if (fd < 0)
        return bench_fail(at, "cannot start a process");
    while (len < sizeof text - 1 && (got = read(fd, text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)got;
    close(fd);
    waitpid(pid, &status, 0);
    *figure = strtod(text, NULL);
    return (status == 0 && *figure > 0) || bench_fail(at, "the process failed");
}

static bool start_run(void *state, bench_block *b)
{
    const starter *s = state;
    bool ok = true;

    for (uint64_t i = 0; i < b->count && ok; i++) {
        int64_t paused = bench_now_ns();
        double kib;

        forget(s->at->path);
        b->paused_ns += bench_now_ns() - paused;
        ok = run_fresh(s->at, &kib);
    }
    return ok;
}

static bool memory_run(void *state, bench_block *b)
{
    const starter *s = state;
    bool ok = true;

    for (uint64_t i = 0; i < b->count && ok; i++) {
        double kib = 0;

        ok = run_fresh(s->at, &kib);
        b->figure += kib;
    }
    return ok;
}

/* That the process ends well is what there is to compare. */
static bool starter_hash(void *state, uint64_t *hash)
{
    const starter *s = state;
    double kib;

    *hash = HASH_START;
    return run_fresh(s->at, &kib);
}

static const bench_ops starts = {
    .answer = "ends well",
    .open = starter_open,
    .run = start_run,
    .hash = starter_hash,
    .close = starter_close,
};

static const bench_ops memories = {
    .answer = "ends well",
    .own_figure = true,
    .open = starter_open,
    .run = memory_run,
    .hash = starter_hash,
    .close = starter_close,
};

/* ------------------------------------------------------------------ cases -- */

#define PROCESS_CASE(of, as, what, made_by, rows, job)                                                   \
    {                                                                                                    \
        .workload = (of), .name = (as), .unit = (what), .size = (rows),                                  \
        .peers = {                                                                                       \
            {.name = "nothing", .ops = &(made_by), .variant = FRESH(JOB_NOTHING, PEER_RAW)},             \
            {.name = "raw", .ops = &(made_by), .variant = FRESH(job, PEER_RAW)},                         \
            {.name = "resqlite", .ops = &(made_by), .variant = FRESH(job, PEER_RESQLITE), .to = "raw"}}, \
    }

#define HEAP_CASE(as, rows)                                                                               \
    {                                                                                                     \
        .workload = "memory", .name = (as), .unit = "bytes of heap/row", .size = (rows),                  \
        .peers = {                                                                                        \
            {.name = "raw-flat", .ops = &memories, .variant = FRESH(JOB_HOLD_FLAT, PEER_RESQLITE)},       \
            {.name = "raw-records", .ops = &memories, .variant = FRESH(JOB_HOLD_RECORDS, PEER_RESQLITE)}, \
            {.name = "resqlite", .ops = &memories, .variant = FRESH(JOB_HOLD_RESULT, PEER_RESQLITE)},     \
            {.name = "resqlite-json", .ops = &memories, .variant = FRESH(JOB_HOLD_JSON, PEER_RESQLITE)}}, \
    }

static const bench_case cases[] = {
    PROCESS_CASE("start", "cold", "us/process", starts, 1000, JOB_FIRST_READ),
    PROCESS_CASE("memory", "process-rows-10000", "KiB/process", memories, 10000, JOB_ROWS),
    PROCESS_CASE("memory", "process-json-10000", "KiB/process", memories, 10000, JOB_JSON),
    PROCESS_CASE("memory", "process-batch-10000", "KiB/process", memories, 10, JOB_BATCH),
    HEAP_CASE("heap-1000", 1000),
    HEAP_CASE("heap-10000", 10000),
};

const bench_area bench_area_fresh = {cases, BENCH_LENGTH(cases)};
