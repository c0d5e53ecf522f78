/*
 * The live query cases. Goals of "streams" are what live queries must reach.
 *
 * Between a write and its event lie two threads that are awake or asleep, and
 * that is most of what is measured; so the consumer of each case waits as its
 * peer's name says: in rsq_queue_wait(), which looks for a while before it
 * sleeps, or in poll().
 */
#include "streams.h"

#define SAMPLE_MS 40
#define SHORT_MS 4 /* where the table grows, so that it stays near the size that the case says */

#define PEER(title, what_ops, what)                            \
    {                                                          \
        .name = (title), .ops = &(what_ops), .variant = (what) \
    }
#define RAW(what) PEER("raw", streams_raw, what)
#define RAW_ALL(what) PEER("raw-all", streams_raw_all, (what) | STREAM_ALL)
#define RESQLITE(what) PEER("resqlite", streams_rsq, what)
#define POLLING(what) PEER("resqlite-poll", streams_rsq, (what) | STREAM_POLL)
#define NO_KEYS(what) PEER("resqlite-no-keys", streams_rsq, (what) | STREAM_NO_KEYS | STREAM_SETTLE)
#define REMAPPING(what) PEER("resqlite-remap", streams_rsq, (what) | STREAM_REMAP)
#define NONE(what) PEER("resqlite-no-streams", streams_rsq_none, what)

/* A write, and the events that it causes; the baseline reads anew. */
#define EVENT_CASE(title, rows, job, n, ms)                                                            \
    {                                                                                                  \
        .workload = "event", .name = (title), .unit = "us/write and events", .size = (rows),           \
        .sample_ms = (ms),                                                                             \
        .peers = {RAW((job) | STREAMS(n)), RESQLITE((job) | STREAMS(n)), POLLING((job) | STREAMS(n))}, \
    }

static const bench_case cases[] = {
    {
        .workload = "event",
        .name = "count",
        .unit = "us/write and event",
        .size = 100,
        .sample_ms = SHORT_MS,
        .peers = {RAW(STREAM_COUNT | STREAMS(1)), RESQLITE(STREAM_COUNT | STREAMS(1)),
                  POLLING(STREAM_COUNT | STREAMS(1))},
        .goals = {BENCH_RATIO("streams", "resqlite", "raw", 1.50)},
    },
    EVENT_CASE("fan-out-10", 100, STREAM_FAN_OUT, 10, SHORT_MS),
    EVENT_CASE("growing", 500, STREAM_GROWING, 1, SHORT_MS),
    EVENT_CASE("long-text", 64, STREAM_LONG_TEXT, 1, SAMPLE_MS),
    EVENT_CASE("long-blob", 64, STREAM_LONG_BLOB, 1, SAMPLE_MS),
    {
        /* The first row of as many as the peer's name says changes. */
        .workload = "event",
        .name = "caller",
        .unit = "us of the consumer/event",
        .size = 20000,
        .sample_ms = SAMPLE_MS,
        .peers = {PEER("resqlite-1", streams_rsq_figure, STREAM_TOP | STREAM_CPU | STREAMS(1)),
                  PEER("resqlite-100", streams_rsq_figure, STREAM_TOP | STREAM_CPU | STREAMS(100)),
                  PEER("resqlite-1000", streams_rsq_figure, STREAM_TOP | STREAM_CPU | STREAMS(1000)),
                  PEER("resqlite-20000", streams_rsq_figure, STREAM_TOP | STREAM_CPU | STREAMS(20000))},
        .goals = {BENCH_VALUE("streams", "resqlite-1", 1.00), BENCH_VALUE("streams", "resqlite-100", 1.00),
                  BENCH_VALUE("streams", "resqlite-1000", 1.00),
                  BENCH_VALUE("streams", "resqlite-20000", 1.00)},
    },
    {
        .workload = "keyed",
        .name = "miss-10000",
        .unit = "us/update",
        .size = 20000,
        .sample_ms = SAMPLE_MS,
        .peers = {NONE(STREAM_KEYED_MISS | STREAM_LATER),
                  RESQLITE(STREAM_KEYED_MISS | STREAM_LATER | STREAMS(10000))},
        .goals = {BENCH_RATIO("streams", "resqlite", "resqlite-no-streams", 1.15)},
    },
    {
        .workload = "keyed",
        .name = "hit-10000",
        .unit = "us/update and event",
        .size = 20000,
        .sample_ms = SAMPLE_MS,
        .peers = {RAW(STREAM_KEYED | STREAMS(10000)), RESQLITE(STREAM_KEYED | STREAMS(10000)),
                  POLLING(STREAM_KEYED | STREAMS(10000)), REMAPPING(STREAM_KEYED | STREAMS(10000))},
        .goals = {BENCH_RATIO("streams", "resqlite", "raw", 2.00)},
    },
    {
        .workload = "keyed",
        .name = "miss-100000",
        .unit = "us/update",
        .size = 110000,
        .sample_ms = SAMPLE_MS,
        .peers = {PEER("resqlite-100", streams_rsq, STREAM_KEYED_MISS | STREAM_LATER | STREAMS(100)),
                  PEER("resqlite-100000", streams_rsq, STREAM_KEYED_MISS | STREAM_LATER | STREAMS(100000))},
        .goals = {BENCH_RATIO("streams", "resqlite-100000", "resqlite-100", 1.20)},
    },
    {
        .workload = "keyed",
        .name = "memory",
        .unit = "bytes/live query",
        .size = 110000,
        .sample_ms = SAMPLE_MS,
        .peers = {PEER("resqlite", streams_rsq_figure,
                       STREAM_KEYED_MISS | STREAM_LATER | STREAM_MEMORY | STREAMS(100000))},
        .goals = {BENCH_VALUE("streams", "resqlite", 2048)},
    },
    {
        /* Of 200 updates one or so hits one of the 50 rows that are shown. */
        .workload = "keyed",
        .name = "random-50",
        .unit = "us/200 updates",
        .size = 10000,
        .sample_ms = SAMPLE_MS,
        .peers = {RAW(STREAM_KEYED_RANDOM | STREAMS(50)),
                  RESQLITE(STREAM_KEYED_RANDOM | STREAM_LATER | STREAMS(50)),
                  NONE(STREAM_KEYED_RANDOM | STREAM_LATER)},
        .goals = {BENCH_RATIO("streams", "resqlite", "resqlite-no-streams", 1.10)},
    },
    {
        .workload = "keyed",
        .name = "owner-100",
        .unit = "us/200 updates",
        .size = 10000,
        .sample_ms = SAMPLE_MS,
        .peers = {RAW(STREAM_OWNER | STREAM_SETTLE | STREAMS(100)),
                  RESQLITE(STREAM_OWNER | STREAM_SETTLE | STREAMS(100)), NONE(STREAM_OWNER | STREAM_SETTLE)},
    },
    {
        .workload = "range",
        .name = "disjoint",
        .unit = "us/500 updates",
        .size = 5000,
        .sample_ms = SAMPLE_MS,
        .peers = {NONE(STREAM_RANGE_DISJOINT | STREAM_SETTLE),
                  RESQLITE(STREAM_RANGE_DISJOINT | STREAM_SETTLE | STREAMS(50))},
        /* 0.97 of the writes in a second. */
        .goals = {BENCH_RATIO("streams", "resqlite", "resqlite-no-streams", 1.03)},
    },
    {
        .workload = "range",
        .name = "overlap",
        .unit = "us/500 updates",
        .size = 5000,
        .sample_ms = SAMPLE_MS,
        .peers = {NONE(STREAM_RANGE_OVERLAP | STREAM_SETTLE),
                  RESQLITE(STREAM_RANGE_OVERLAP | STREAM_SETTLE | STREAMS(50)),
                  RAW(STREAM_RANGE_OVERLAP | STREAM_SETTLE | STREAMS(50))},
        /* 0.6 of them. */
        .goals = {BENCH_RATIO("streams", "resqlite", "resqlite-no-streams", 1.66)},
    },
    {
        .workload = "range",
        .name = "latency",
        .unit = "us, 99th percentile from commit to event",
        .size = 5000,
        .sample_ms = SAMPLE_MS,
        .peers = {PEER("resqlite", streams_rsq_figure,
                       STREAM_RANGE_OVERLAP | STREAM_SETTLE | STREAM_LATENCY | STREAMS(50))},
        .goals = {BENCH_VALUE("streams", "resqlite", 5000)},
    },
    {
        .workload = "same",
        .name = "disjoint",
        .unit = "us/500 updates",
        .size = 5000,
        .sample_ms = SAMPLE_MS,
        .peers = {NONE(STREAM_SAME_DISJOINT | STREAM_SETTLE),
                  RESQLITE(STREAM_SAME_DISJOINT | STREAM_SETTLE | STREAMS(10))},
    },
    {
        .workload = "same",
        .name = "overlap",
        .unit = "us/500 updates",
        .size = 5000,
        .sample_ms = SAMPLE_MS,
        .peers = {NONE(STREAM_SAME_OVERLAP | STREAM_SETTLE),
                  RESQLITE(STREAM_SAME_OVERLAP | STREAM_SETTLE | STREAMS(10)),
                  RAW(STREAM_SAME_OVERLAP | STREAM_SETTLE | STREAMS(1))},
    },
    {
        .workload = "unchanged",
        .name = "fan-out-10",
        .unit = "us/write and event",
        .size = 1000,
        .sample_ms = SAMPLE_MS,
        .peers = {RAW(STREAM_UNCHANGED | STREAMS(10)), RAW_ALL(STREAM_UNCHANGED | STREAMS(10)),
                  RESQLITE(STREAM_UNCHANGED | STREAMS(10)), NO_KEYS(STREAM_UNCHANGED | STREAMS(10))},
        .goals = {BENCH_VALUE("streams", "resqlite", 1000), BENCH_VALUE("streams", "resqlite-no-keys", 1000)},
    },
    {
        .workload = "unchanged",
        .name = "long-text-8",
        .unit = "us/write and event",
        .size = 256,
        .sample_ms = SAMPLE_MS,
        .peers = {RAW(STREAM_LONG_UNCHANGED | STREAMS(8)), RAW_ALL(STREAM_LONG_UNCHANGED | STREAMS(8)),
                  RESQLITE(STREAM_LONG_UNCHANGED | STREAMS(8)), NO_KEYS(STREAM_LONG_UNCHANGED | STREAMS(8))},
    },
    {
        .workload = "subscribe",
        .name = "churn",
        .unit = "us/live query, from open to end",
        .size = 100,
        .peers = {PEER("raw-read", streams_raw_read, STREAM_COUNT | STREAMS(1)),
                  PEER("resqlite", streams_rsq_churn, STREAM_COUNT),
                  PEER("resqlite-texts", streams_rsq_churn, STREAM_COUNT | STREAM_ALL),
                  PEER("resqlite-poll", streams_rsq_churn, STREAM_COUNT | STREAM_POLL)},
        .goals = {BENCH_VALUE("streams", "resqlite", 10)},
    },
    {
        .workload = "subscribe",
        .name = "initial",
        .unit = "us/first event",
        .size = 100,
        .peers = {PEER("raw-read", streams_raw_read, STREAM_INITIAL | STREAMS(1)),
                  PEER("resqlite", streams_rsq_initial, STREAM_INITIAL),
                  PEER("resqlite-poll", streams_rsq_initial, STREAM_INITIAL | STREAM_POLL)},
    },
    {
        .workload = "foreign",
        .name = "commit-10000",
        .unit = "us/commit and 10000 reads",
        .size = 20000,
        .sample_ms = 200,
        .peers = {PEER("raw-all", streams_raw_all, STREAM_KEYED_MISS | STREAM_ALL | STREAMS(10000)),
                  PEER("resqlite", streams_rsq_foreign, STREAM_KEYED_MISS | STREAMS(10000))},
        /* 10 us for each live query. */
        .goals = {BENCH_VALUE("streams", "resqlite", 100000)},
    },
    {
        .workload = "foreign",
        .name = "beside-10000",
        .unit = "us, 99th percentile of point reads",
        .size = 20000,
        .sample_ms = 200,
        .peers = {PEER("resqlite", streams_rsq_beside, STREAM_KEYED_MISS | STREAMS(10000))},
        .goals = {BENCH_VALUE("streams", "resqlite", 1000)},
    },
    {
        .workload = "feed",
        .name = "likes-100",
        .unit = "us/100 updates",
        .size = 100000,
        .sample_ms = SAMPLE_MS,
        .peers = {RAW_ALL(STREAM_FEED | STREAM_SETTLE | STREAMS(1)),
                  RESQLITE(STREAM_FEED | STREAM_SETTLE | STREAMS(1)), NONE(STREAM_FEED | STREAM_SETTLE)},
    },
    {
        .workload = "sync",
        .name = "burst",
        .unit = "us/51000 rows in 110 batches",
        .size = 0,
        .sample_ms = SAMPLE_MS,
        .peers = {RAW(STREAM_SYNC | STREAM_SETTLE | STREAMS(1)),
                  RESQLITE(STREAM_SYNC | STREAM_SETTLE | STREAMS(1)), NONE(STREAM_SYNC | STREAM_SETTLE)},
    },
};

const bench_area bench_area_streams = {cases, BENCH_LENGTH(cases)};
