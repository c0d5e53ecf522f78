/*
 * The experiments that can be measured again: each case is the command of a page in
 * experiments/. They are not part of a run: `rsq-bench experiment NAME`.
 */
#include "raw/trials.h"
#include "reads.h"
#include "trials/trials.h"
#include "writes.h"

#define WORKLOAD "experiment"

/* A call for each cell, for each value, for each row; and the loop without calls of its own. */
#define STEP_CASE(n)                                                                       \
    {                                                                                      \
        .workload = WORKLOAD, .name = "row-step-" #n, .unit = "us/read", .size = (n),      \
        .peers = {{.name = "raw-by-cell", .ops = &trials_fetch, .variant = RAW_BY_CELL},   \
                  {.name = "raw-by-value", .ops = &trials_fetch, .variant = RAW_BY_VALUE}, \
                  {.name = "raw-by-row", .ops = &trials_fetch, .variant = RAW_BY_ROW},     \
                  {.name = "raw", .ops = &reads_raw_rows}},                                \
    }

#define RECORDS_CASE(n)                                                              \
    {                                                                                \
        .workload = WORKLOAD, .name = "records-" #n, .unit = "us/read", .size = (n), \
        .peers = {{.name = "raw-records", .ops = &trials_records},                   \
                  {.name = "raw-flat", .ops = &trials_copied, .variant = 1},         \
                  {.name = "resqlite", .ops = &reads_rsq_rows}},                     \
    }

#define ARENA_CASE(n)                                                              \
    {                                                                              \
        .workload = WORKLOAD, .name = "arena-" #n, .unit = "us/read", .size = (n), \
        .sample_ms = (n) >= 5000 ? 20 : BENCH_SAMPLE_MS,                           \
        .peers = {{.name = "raw-fresh", .ops = &trials_copied},                    \
                  {.name = "raw-recycled", .ops = &trials_copied, .variant = 1}},  \
    }

#define JSON_CASE(n)                                                              \
    {                                                                             \
        .workload = WORKLOAD, .name = "json-" #n, .unit = "us/read", .size = (n), \
        .peers = {{.name = "resqlite", .ops = &reads_rsq_json},                   \
                  {.name = "resqlite-encoded", .ops = &trials_json_encoded},      \
                  {.name = "resqlite-tree", .ops = &trials_json_tree},            \
                  {.name = "raw-json1", .ops = &reads_raw_json1}},                \
    }

#define REALS_CASE(word, kind)                                                            \
    {                                                                                     \
        .workload = WORKLOAD, .name = "reals-" word, .unit = "us/read", .size = 1000,     \
        .peers = {{.name = "raw-printf", .ops = &trials_reals_printf, .variant = (kind)}, \
                  {.name = "raw-json1", .ops = &trials_reals_json1, .variant = (kind)},   \
                  {.name = "resqlite", .ops = &trials_reals_rsq, .variant = (kind)}},     \
    }

#define SPIN_CASE(gap)                                                                         \
    {                                                                                          \
        .workload = WORKLOAD, .name = "spin-gap-" #gap, .unit = "us/hand-over", .size = (gap), \
        .sample_ms = 20,                                                                       \
        .peers = {{.name = "raw-0us", .ops = &trials_hand_over, .variant = 0},                 \
                  {.name = "raw-2us", .ops = &trials_hand_over, .variant = 2},                 \
                  {.name = "raw-10us", .ops = &trials_hand_over, .variant = 10},               \
                  {.name = "raw-50us", .ops = &trials_hand_over, .variant = 50},               \
                  {.name = "raw-200us", .ops = &trials_hand_over, .variant = 200}},            \
    }

#define POOL(readers, threads) ((readers) | (threads) << 8)

static const bench_case cases[] = {
    STEP_CASE(10),
    STEP_CASE(1000),
    RECORDS_CASE(10),
    RECORDS_CASE(1000),
    RECORDS_CASE(20000),
    ARENA_CASE(10),
    ARENA_CASE(1000),
    ARENA_CASE(20000),
    JSON_CASE(10),
    JSON_CASE(1000),
    JSON_CASE(10000),
    REALS_CASE("whole", TRIALS_WHOLE),
    REALS_CASE("quarters", TRIALS_QUARTERS),
    REALS_CASE("any", TRIALS_ANY),
    {
        .workload = WORKLOAD,
        .name = "parameters",
        .unit = "us/1000 rows",
        .size = 1000,
        .sample_ms = 20,
        .peers = {{.name = "raw-in-place", .ops = &trials_texts, .variant = RAW_IN_PLACE},
                  {.name = "raw-strlen", .ops = &trials_texts, .variant = RAW_STRLEN},
                  {.name = "raw-transient", .ops = &trials_texts, .variant = RAW_TRANSIENT},
                  {.name = "raw-each", .ops = &trials_texts, .variant = RAW_EACH},
                  {.name = "raw-packed", .ops = &trials_texts, .variant = RAW_PACKED}},
    },
    SPIN_CASE(0),
    SPIN_CASE(20),
    SPIN_CASE(100),
    {
        .workload = WORKLOAD,
        .name = "pool",
        .unit = "us/read",
        .size = 1000,
        .sample_ms = 20,
        .peers = {{.name = "resqlite-one-1", .ops = &trials_pool, .variant = POOL(1, 1)},
                  {.name = "resqlite-one-2", .ops = &trials_pool, .variant = POOL(1, 2)},
                  {.name = "resqlite-one-4", .ops = &trials_pool, .variant = POOL(1, 4)},
                  {.name = "resqlite-pool-1", .ops = &trials_pool, .variant = POOL(4, 1)},
                  {.name = "resqlite-pool-2", .ops = &trials_pool, .variant = POOL(4, 2)},
                  {.name = "resqlite-pool-4", .ops = &trials_pool, .variant = POOL(4, 4)}},
    },
    {
        .workload = WORKLOAD,
        .name = "mutexes-rows",
        .unit = "us/read",
        .size = 1000,
        .peers = {{.name = "raw", .ops = &reads_raw_rows},
                  {.name = "raw-mutexes", .ops = &reads_raw_rows, .variant = READ_MUTEXES}},
    },
    {
        .workload = WORKLOAD,
        .name = "mutexes-point",
        .unit = "us/query",
        .size = 1000,
        .peers = {{.name = "raw-tx", .ops = &reads_raw_point, .variant = READ_IN_TX},
                  {.name = "raw-tx-mutexes", .ops = &reads_raw_point, .variant = READ_IN_TX | READ_MUTEXES}},
    },
    {
        .workload = WORKLOAD,
        .name = "exclusive-insert",
        .unit = "us/100 inserts",
        .size = 100,
        .sample_ms = 60,
        .peers = {{.name = "raw", .ops = &writes_raw, .variant = WRITE_EACH},
                  {.name = "raw-exclusive", .ops = &writes_raw, .variant = WRITE_EACH | WRITE_EXCLUSIVE},
                  {.name = "resqlite", .ops = &writes_rsq, .variant = WRITE_EACH}},
    },
    {
        .workload = WORKLOAD,
        .name = "exclusive-point",
        .unit = "us/query",
        .size = 1000,
        .peers = {{.name = "raw", .ops = &reads_raw_point},
                  {.name = "raw-exclusive", .ops = &reads_raw_point, .variant = READ_EXCLUSIVE},
                  {.name = "resqlite", .ops = &reads_rsq_point}},
    },
};

const bench_area bench_area_experiments = {cases, BENCH_LENGTH(cases)};
