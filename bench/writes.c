/*
 * The write cases. The table is emptied before each block, outside the timed part.
 *
 * Goals of "writes" are what the write path must reach. A batch has two
 * baselines: one without a preupdate hook, and one with a hook that does nothing,
 * because a writer that knows what it changed cannot be had without the hook.
 */
#include "writes.h"

/*
 * A checkpoint comes every 1,000 pages and costs as much as hundreds of inserts:
 * a block must be so long that it contains a few, or the samples fall into those
 * with one and those without.
 */
#define WRITE_SAMPLE_MS 60

/* Commits that a block of `commit/tail` times: thousands, for the thousandth slowest. */
#define TAIL_SAMPLE_MS 200

#define RAW(what)                                            \
    {                                                        \
        .name = "raw", .ops = &writes_raw, .variant = (what) \
    }
#define RAW_HOOKED(what)                                                       \
    {                                                                          \
        .name = "raw-hook", .ops = &writes_raw, .variant = (what) | WRITE_HOOK \
    }
#define RESQLITE(what)                                            \
    {                                                             \
        .name = "resqlite", .ops = &writes_rsq, .variant = (what) \
    }
#define THREADS(n, how)                                           \
    {                                                             \
        .name = "resqlite-" #n, .ops = &writes_rsq_threads,       \
        .variant = WRITE_ONE | (how) | (n) << WRITE_THREADS_SHIFT \
    }

/* One statement, `rows` rows, one transaction. */
#define BATCH_CASE(title, rows, job)                                                       \
    {                                                                                      \
        .workload = "batch", .name = (title), .unit = "us/batch", .size = (rows),          \
        .sample_ms = WRITE_SAMPLE_MS, .peers = {RAW(job), RAW_HOOKED(job), RESQLITE(job)}, \
        .goals = {BENCH_RATIO("writes", "resqlite", "raw-hook", 1.00),                     \
                  BENCH_RATIO("writes", "resqlite", "raw", 1.10)},                         \
    }

/* One transaction. */
#define TX_CASE(title, rows, raw_job, job, max)                                                    \
    {                                                                                              \
        .workload = "transaction", .name = (title), .unit = "us/transaction", .size = (rows),      \
        .sample_ms = WRITE_SAMPLE_MS, .peers = {RAW(raw_job), RAW_HOOKED(raw_job), RESQLITE(job)}, \
        .goals = {BENCH_RATIO("writes", "resqlite", "raw", max)},                                  \
    }

static const bench_case cases[] = {
    {
        .workload = "insert",
        .name = "sequential-100",
        .unit = "us/100 inserts",
        .size = 100,
        .sample_ms = WRITE_SAMPLE_MS,
        .peers = {RAW(WRITE_EACH), RAW_HOOKED(WRITE_EACH), RESQLITE(WRITE_EACH)},
        .goals = {BENCH_RATIO("writes", "resqlite", "raw", 1.05)},
    },
    {
        .workload = "insert",
        .name = "sequential-200",
        .unit = "us/200 inserts",
        .size = 200,
        .sample_ms = WRITE_SAMPLE_MS,
        .peers = {RAW(WRITE_EACH), RESQLITE(WRITE_EACH)},
        .goals = {BENCH_RATIO("writes", "resqlite", "raw", 1.05)},
    },
    {
        .workload = "insert",
        .name = "async-100",
        .unit = "us/100 inserts",
        .size = 100,
        .sample_ms = WRITE_SAMPLE_MS,
        .peers = {RAW(WRITE_EACH), {.name = "resqlite", .ops = &writes_rsq_waiting}},
        .goals = {BENCH_RATIO("writes", "resqlite", "raw", 1.25)},
    },
    {
        .workload = "insert",
        .name = "together-100",
        .unit = "us/100 inserts",
        .size = 100,
        .sample_ms = WRITE_SAMPLE_MS,
        .peers = {RAW(WRITE_EACH),
                  {.name = "resqlite", .ops = &writes_rsq_together},
                  {.name = "resqlite-parked", .ops = &writes_rsq_together, .variant = WRITE_PARKED},
                  {.name = "resqlite-no-groups", .ops = &writes_rsq_together, .variant = WRITE_NO_GROUPS}},
        .goals = {BENCH_RATIO("writes", "resqlite", "raw", 0.10),
                  BENCH_RATIO("writes", "resqlite-parked", "raw", 0.25)},
    },
    {
        .workload = "insert",
        .name = "in-flight-10000",
        .unit = "us/10000 inserts",
        .size = 10000,
        .sample_ms = WRITE_SAMPLE_MS,
        .peers = {RAW(WRITE_EACH), {.name = "resqlite", .ops = &writes_rsq_together}},
        .goals = {BENCH_RATIO("writes", "resqlite", "raw", 0.10)},
    },
    {
        /* 1.2 times the throughput with eight threads, and with fewer at least as much. */
        .workload = "insert",
        .name = "threads",
        .unit = "us/insert",
        .size = 1,
        .sample_ms = WRITE_SAMPLE_MS,
        .peers = {RAW(WRITE_ONE), THREADS(1, 0), THREADS(2, 0), THREADS(4, 0), THREADS(8, 0)},
        .goals = {BENCH_RATIO("writes", "resqlite-8", "raw", 0.83),
                  BENCH_RATIO("writes", "resqlite-2", "raw", 1.00),
                  BENCH_RATIO("writes", "resqlite-4", "raw", 1.00)},
    },
    {
        .workload = "insert",
        .name = "threads-full",
        .unit = "us/insert",
        .size = 1,
        .sample_ms = WRITE_SAMPLE_MS,
        .peers = {RAW(WRITE_ONE | WRITE_FULL), THREADS(8, WRITE_FULL)},
        .goals = {BENCH_RATIO("writes", "resqlite-8", "raw", 0.33)},
    },
    BATCH_CASE("100", 100, WRITE_BATCH),
    BATCH_CASE("1000", 1000, WRITE_BATCH),
    BATCH_CASE("10000", 10000, WRITE_BATCH),
    BATCH_CASE("wide-10000", 10000, WRITE_WIDE),
    TX_CASE("batch-100", 100, WRITE_BATCH, WRITE_BATCH_IN_TX, 1.05),
    TX_CASE("batch-1000", 1000, WRITE_BATCH, WRITE_BATCH_IN_TX, 1.05),
    TX_CASE("dialogue", 1, WRITE_DIALOGUE, WRITE_DIALOGUE, 1.05),
    TX_CASE("nested-50", 50, WRITE_NESTED, WRITE_NESTED, 1.10),
    TX_CASE("nested-deep-50", 50, WRITE_NESTED_DEEP, WRITE_NESTED_DEEP, 1.10),
    {
        .workload = "watched",
        .name = "insert-10000",
        .unit = "us/batch",
        .size = 10000,
        .sample_ms = WRITE_SAMPLE_MS,
        .peers = {RAW(WRITE_BATCH), RAW_HOOKED(WRITE_BATCH), RESQLITE(WRITE_BATCH | WRITE_WATCHED)},
        .goals = {BENCH_RATIO("writes", "resqlite", "raw", 1.15)},
    },
    {
        .workload = "watched",
        .name = "update-10000",
        .unit = "us/batch",
        .size = 10000,
        .sample_ms = WRITE_SAMPLE_MS,
        .peers = {RAW(WRITE_UPDATE), RAW_HOOKED(WRITE_UPDATE), RESQLITE(WRITE_UPDATE | WRITE_WATCHED)},
        .goals = {BENCH_RATIO("writes", "resqlite", "raw", 1.60)},
    },
    {
        .workload = "commit",
        .name = "tail",
        .unit = "us, 99.9th percentile of single inserts",
        .size = 1,
        .sample_ms = TAIL_SAMPLE_MS,
        .peers = {{.name = "raw-no-checkpoint",
                   .ops = &commits_raw,
                   .variant = WRITE_ONE | WRITE_NO_CHECKPOINT},
                  {.name = "raw", .ops = &commits_raw, .variant = WRITE_ONE},
                  {.name = "resqlite", .ops = &commits_rsq, .variant = WRITE_ONE},
                  {.name = "resqlite-longest", .ops = &commits_rsq, .variant = WRITE_ONE | WRITE_TAKE_MAX}},
        .goals = {BENCH_RATIO("writes", "resqlite", "raw-no-checkpoint", 5.00)},
    },
};

const bench_area bench_area_writes = {cases, BENCH_LENGTH(cases)};
