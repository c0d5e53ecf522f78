/*
 * Read cases: whole tables as rows and as JSON, look-ups by key, two threads,
 * many statements. The table is that of items.c.
 *
 * Goals: "foundation" is what the first working version must reach, "reads" what
 * the read path must reach in the end.
 */
#include "reads.h"

#include "beside.h"

/*
 * Large results push each other's data out of the caches when peers take turns,
 * so their blocks are long enough for several reads.
 */
#define READ_SAMPLE_MS(n) ((n) >= 5000 ? 20 : BENCH_SAMPLE_MS)

/* A result of `n` rows, every cell then read, against the loop that only reads every cell. */
#define ROWS_CASE(n, ...)                                                                               \
    {                                                                                                   \
        .workload = "rows", .name = #n, .unit = "us/read", .size = (n), .sample_ms = READ_SAMPLE_MS(n), \
        .peers = {{.name = "raw", .ops = &reads_raw_rows},                                              \
                  {.name = "resqlite", .ops = &reads_rsq_rows},                                         \
                  {.name = "resqlite-accessors", .ops = &reads_rsq_rows, .variant = READ_ACCESSORS}},   \
        .goals = {__VA_ARGS__},                                                                         \
    }

/* The rows as JSON, against the loop that only reads the cells, and against SQLite's own JSON functions. */
#define JSON_CASE(n)                                                                                    \
    {                                                                                                   \
        .workload = "json", .name = #n, .unit = "us/read", .size = (n), .sample_ms = READ_SAMPLE_MS(n), \
        .peers = {{.name = "raw", .ops = &reads_raw_rows},                                              \
                  {.name = "raw-json1", .ops = &reads_raw_json1},                                       \
                  {.name = "resqlite", .ops = &reads_rsq_json}},                                        \
        .goals = {BENCH_RATIO("reads", "resqlite", "raw", 1.10),                                        \
                  BENCH_RATIO("reads", "resqlite", "raw-json1", 0.35)},                                 \
    }

static const bench_case cases[] = {
    ROWS_CASE(10, BENCH_RATIO("reads", "resqlite", "raw", 0.70)),
    ROWS_CASE(100, BENCH_RATIO("reads", "resqlite", "raw", 1.00),
              BENCH_RATIO("reads", "resqlite-accessors", "raw", 1.10)),
    ROWS_CASE(1000, BENCH_RATIO("foundation", "resqlite", "raw", 1.10),
              BENCH_RATIO("reads", "resqlite", "raw", 1.00),
              BENCH_RATIO("reads", "resqlite-accessors", "raw", 1.10)),
    ROWS_CASE(5000, BENCH_RATIO("reads", "resqlite", "raw", 1.00),
              BENCH_RATIO("reads", "resqlite-accessors", "raw", 1.10)),
    ROWS_CASE(10000, BENCH_RATIO("foundation", "resqlite", "raw", 1.10),
              BENCH_RATIO("reads", "resqlite", "raw", 1.00),
              BENCH_RATIO("reads", "resqlite-accessors", "raw", 1.10)),
    ROWS_CASE(20000, BENCH_RATIO("reads", "resqlite", "raw", 1.00),
              BENCH_RATIO("reads", "resqlite-accessors", "raw", 1.10)),
    JSON_CASE(10),
    JSON_CASE(100),
    JSON_CASE(1000),
    JSON_CASE(5000),
    JSON_CASE(10000),
    JSON_CASE(20000),
    {
        .workload = "point",
        .name = "key",
        .unit = "us/query",
        .size = 1000,
        .peers =
            {
                {.name = "raw", .ops = &reads_raw_point},
                {.name = "raw-tx", .ops = &reads_raw_point, .variant = READ_IN_TX},
                {.name = "raw-tx-typed", .ops = &reads_raw_point, .variant = READ_IN_TX | READ_TYPED},
                {.name = "resqlite", .ops = &reads_rsq_point},
                {.name = "resqlite-accessors", .ops = &reads_rsq_point, .variant = READ_ACCESSORS},
                {.name = "resqlite-not-kept", .ops = &reads_rsq_point, .variant = READ_NOT_KEPT},
            },
        .goals =
            {
                BENCH_RATIO("foundation", "resqlite", "raw", 1.20),
                BENCH_RATIO("reads", "resqlite", "raw", 0.30),
                BENCH_RATIO("reads", "resqlite", "raw-tx-typed", 1.35),
                BENCH_RATIO("reads", "resqlite-not-kept", "raw", 1.10),
            },
    },
    {
        /* No snapshot stays the newest for longer than a millisecond. */
        .workload = "point",
        .name = "beside-writer",
        .unit = "us/query",
        .size = 1000,
        .sample_ms = 20,
        .peers = {{.name = "raw", .ops = &beside_raw_point}, {.name = "resqlite", .ops = &beside_rsq_point}},
        .goals = {BENCH_RATIO("reads", "resqlite", "raw", 1.00)},
    },
    {
        .workload = "point",
        .name = "allocations",
        .unit = "allocations/query",
        .size = 1000,
        .peers = {{.name = "resqlite", .ops = &reads_rsq_point_heap}},
        .goals = {BENCH_VALUE("reads", "resqlite", 1.00)},
    },
    {
        /* 1.8 times the throughput is a time per read of at most 1 / 1.8. */
        .workload = "threads",
        .name = "two-x-1000",
        .unit = "us/read",
        .size = 1000,
        .sample_ms = 20,
        .peers =
            {
                {.name = "resqlite", .ops = &reads_rsq_rows},
                {.name = "resqlite-two", .ops = &reads_rsq_rows, .variant = READ_TWO_THREADS},
                {.name = "raw", .ops = &reads_raw_rows},
                {.name = "raw-two", .ops = &reads_raw_rows, .variant = READ_TWO_THREADS, .to = "raw"},
            },
        .goals = {BENCH_RATIO("reads", "resqlite-two", "resqlite", 1 / 1.8)},
    },
    {
        .workload = "statements",
        .name = "rotate-128",
        .unit = "us/query",
        .size = 1000,
        .peers =
            {
                {.name = "resqlite", .ops = &reads_rsq_point, .variant = READ_NUMBERED},
                {.name = "resqlite-128", .ops = &reads_rsq_point, .variant = READ_ROTATION},
                {.name = "raw", .ops = &reads_raw_point, .variant = READ_NUMBERED},
                {.name = "raw-128", .ops = &reads_raw_point, .variant = READ_ROTATION, .to = "raw"},
            },
        .goals = {BENCH_RATIO("reads", "resqlite-128", "resqlite", 1.10)},
    },
};

const bench_area bench_area_reads = {cases, BENCH_LENGTH(cases)};
