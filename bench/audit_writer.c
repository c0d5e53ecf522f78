/*
 * The audit of a burst of writes: on which part of the way does the writing thread
 * spend its time, without live queries and beside three kinds of them?
 *
 * One thread writes, one statement after the other, and dispatches its queue after
 * each, as an event loop would. The clock stops at the last write: what other
 * threads still have to do then is awaited, but not counted. Their work during the
 * burst is shown beside, as a share of the same wall time; on several cores it may
 * be more than all of it.
 *
 * All of the writing thread's time is in one of the parts. The library's counters
 * tell those inside rsq_execute(), two readings of the clock the time in
 * rsq_queue_dispatch(), and the residual is what is left: the loop, the clock, and
 * the way into the library.
 */
#include <stdlib.h>

#include "audit.h"

#define READERS 4
#define STREAMS 50
#define RESIDUAL_MAX 10.0 /* per cent of the wall */

#define SQL_WIDE                                                                                         \
    "CREATE TABLE wide(id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT NOT NULL, c TEXT NOT NULL, "      \
    "d TEXT NOT NULL, e TEXT NOT NULL, f TEXT NOT NULL, g TEXT NOT NULL, h TEXT NOT NULL, "              \
    "i TEXT NOT NULL, j TEXT NOT NULL, k TEXT NOT NULL, l TEXT NOT NULL, m TEXT NOT NULL, "              \
    "n TEXT NOT NULL, o TEXT NOT NULL, p TEXT NOT NULL, q TEXT NOT NULL, r TEXT NOT NULL, "              \
    "s TEXT NOT NULL, t TEXT NOT NULL); "                                                                \
    "INSERT INTO wide WITH RECURSIVE x(i, v) AS (SELECT 0, 'v0' UNION ALL SELECT i + 1, 'v' || (i + 1) " \
    "FROM x WHERE i < 4999) SELECT i, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v FROM x"
#define SQL_ITEMS                                                                                        \
    "CREATE TABLE items(id INTEGER PRIMARY KEY, body TEXT NOT NULL, updated_at INTEGER NOT NULL); "      \
    "INSERT INTO items WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x WHERE i < 10000) " \
    "SELECT i, 'seed_body_' || i, 0 FROM x"
#define SQL_WATCH_RANGE "SELECT id, a, b FROM wide WHERE id >= ? AND id < ? ORDER BY id"
#define SQL_WATCH_KEY "SELECT id, body, updated_at FROM items WHERE id = ?"

/* Rows that a live query of the wide table watches; how far the keys lie apart that are watched, and how many
 * of the writes meet one. */
enum { PARTITION = 100, KEYS_APART = 200, KEY_HITS = 3, KEYS = 10000 };

typedef struct workload {
    const char *name;
    const char *schema;
    const char *watch; /* NULL: no live queries */
    const char *update;
    char letter; /* the values written begin with it */
    unsigned writes;
    unsigned concerned; /* live queries, by all writes of a burst together */
    bool keyed;
} workload;

static const workload workloads[] = {
    {"baseline", SQL_WIDE, NULL, "UPDATE wide SET b = ? WHERE id = ?", 'b', 500, 0, false},
    {"disjoint", SQL_WIDE, SQL_WATCH_RANGE, "UPDATE wide SET c = ? WHERE id = ?", 'd', 500, 0, false},
    {"overlap", SQL_WIDE, SQL_WATCH_RANGE, "UPDATE wide SET a = ? WHERE id = ?", 'z', 500, 500, false},
    {"keyed", SQL_ITEMS, SQL_WATCH_KEY, "UPDATE items SET body = ?, updated_at = ?3 WHERE id = ?2", 'k', 200,
     KEY_HITS, true},
};

#define WORKLOADS BENCH_LENGTH(workloads)

/* On the writing thread. */
typedef enum part {
    PART_STEP,
    PART_CAPTURE,
    PART_COMMIT,
    PART_INVALIDATE,
    PART_HANDOFF,
    PART_DISPATCH,
    PART_DELIVERY,
    PART_RESIDUAL,
    PARTS
} part;

static const char *const part_names[PARTS] = {
    [PART_STEP] = "SQLite step",        [PART_CAPTURE] = "capture",   [PART_COMMIT] = "commit",
    [PART_INVALIDATE] = "invalidation", [PART_HANDOFF] = "hand-off",  [PART_DISPATCH] = "writer dispatch",
    [PART_DELIVERY] = "delivery",       [PART_RESIDUAL] = "residual",
};

/* On other threads. */
typedef enum side { SIDE_RERUN, SIDE_COMPARE, SIDE_DIFF, SIDE_EMIT, SIDE_SPINNING, SIDES } side;

static const char *const side_names[SIDES] = {
    [SIDE_RERUN] = "re-run", [SIDE_COMPARE] = "compare",   [SIDE_DIFF] = "difference",
    [SIDE_EMIT] = "emit",    [SIDE_SPINNING] = "spinning",
};

/* Of all passes of a workload. */
typedef struct findings {
    audit_band share[PARTS], us[PARTS];
    audit_band wall_us; /* of a write */
    audit_band handle;  /* share of the writer in use: what is not delivery and residual */
    audit_band beside[SIDES];
    audit_band runs;   /* of live queries, by 100 writes */
    audit_band woken;  /* posts that woke somebody, by 100 writes */
    audit_band parked; /* callers parked for a reader */
} findings;

/* A database with its live queries. */
typedef struct scene {
    const workload *of;
    rsq_db *db;       /* owned */
    rsq_queue *queue; /* borrowed from `db` */
    rsq_stream *streams[STREAMS];
    uint64_t values; /* written so far: no value is written twice */
    uint64_t events;
} scene;

/* Sums over the bursts of a pass. */
typedef struct sums {
    int64_t wall_ns, delivery_ns;
    rsq_profile_counters counters;
} sums;

static bool fail_code(const scene *s, const char *what, rsq_code code)
{
    return audit_fail("%s: %s: %s", s->of->name, what, rsq_code_name(code));
}

static void on_event(rsq_stream *stream, const rsq_stream_event *ev, void *ctx)
{
    scene *s = ctx;

    (void)stream;
    if (ev->kind == RSQ_EVENT_RESULT)
        s->events++;
}

static bool watch(scene *s)
{
    for (int64_t i = 0; s->of->watch && i < STREAMS; i++) {
        rsq_stream_options opts = {.size = sizeof opts, .event = on_event, .ctx = s};
        rsq_value range[2] = {rsq_integer(i * PARTITION), rsq_integer((i + 1) * PARTITION)};
        rsq_value key = rsq_integer(1 + i * KEYS_APART);
        rsq_code rc = rsq_stream_open(s->db, s->of->watch, s->of->keyed ? &key : range, s->of->keyed ? 1 : 2,
                                      &opts, &s->streams[i], NULL);

        if (rc != RSQ_OK)
            return fail_code(s, "watch", rc);
    }
    return true;
}

/* Until all live queries have seen all commits. */
static bool settle(scene *s)
{
    rsq_result *newest;
    rsq_code rc = rsq_select(s->db, "SELECT 1", NULL, 0, NULL, &newest, NULL);

    if (rc != RSQ_OK)
        return fail_code(s, "select", rc);
    for (size_t i = 0; s->of->watch && i < STREAMS && rc == RSQ_OK;) {
        rsq_stream_counters c = {.size = sizeof c};

        rc = rsq_stream_stats(s->streams[i], &c);
        if (rc == RSQ_OK && c.settled_seq >= rsq_result_commit_seq(newest))
            i++;
        else if (rc == RSQ_OK && rsq_queue_wait(s->queue, 1) == RSQ_OK)
            rc = rsq_queue_dispatch(s->queue, 0, NULL);
    }
    rsq_result_unref(newest);
    if (rc == RSQ_OK)
        rc = rsq_queue_dispatch(s->queue, 0, NULL); /* what was posted by the last run */
    return rc == RSQ_OK || fail_code(s, "settle", rc);
}

static bool scene_open(scene *s, const workload *of, const char *path)
{
    rsq_open_options opts = RSQ_OPEN_OPTIONS_INIT;
    rsq_error err;
    rsq_code rc;

    *s = (scene){.of = of};
    opts.readers = READERS;
    rc = rsq_open(path, &opts, &s->db, &err);
    if (rc == RSQ_OK)
        rc = rsq_execute_script(s->db, of->schema, NULL, &err);
    if (rc != RSQ_OK)
        return audit_fail("%s: %s", of->name, err.message);
    s->queue = rsq_queue_default(s->db);
    return watch(s) && settle(s);
}

/* Keys that nobody watches, but for some writes of a burst, each of which meets another live query. */
static int64_t key_of(const scene *s, unsigned i)
{
    unsigned between = s->of->writes / (KEY_HITS + 1);
    /* A multiplicative sequence that visits all keys, made to miss those that are watched. */
    int64_t key = 1 + (int64_t)((s->values * 7919) % KEYS);

    if (!s->of->keyed)
        return (int64_t)i;
    if ((i + 1) % between == 0 && (i + 1) / between <= KEY_HITS)
        return 1 + (int64_t)((i + 1) / between) * KEYS_APART;
    return key % KEYS_APART == 1 ? key + 1 : key;
}

static bool write_one(scene *s, unsigned i)
{
    rsq_value params[3];
    char text[32];
    rsq_error err;
    int len = snprintf(text, sizeof text, "%c%llu", s->of->letter, (unsigned long long)++s->values);

    params[0] = rsq_text_n(text, (uint32_t)len);
    params[1] = rsq_integer(key_of(s, i));
    params[2] = rsq_integer((int64_t)s->values);
    if (rsq_execute(s->db, s->of->update, params, s->of->keyed ? 3 : 2, NULL, NULL, &err) == RSQ_OK)
        return true;
    return audit_fail("%s: %s", s->of->name, err.message);
}

/* Adds what was counted since to `sum`. */
static void add(rsq_profile_counters *sum, const rsq_profile_counters *before)
{
    rsq_profile_counters now = {.size = sizeof now};
    uint64_t to[sizeof now / sizeof(uint64_t)], from[sizeof now / sizeof(uint64_t)];

    (void)rsq_profile(&now);
    (void)rsq_profile_difference(before, &now, &now);
    /* Numbers and nothing else, behind the size. */
    memcpy(to, sum, sizeof to);
    memcpy(from, &now, sizeof from);
    for (size_t i = sizeof now.size / sizeof *to; i < BENCH_LENGTH(to); i++)
        to[i] += from[i];
    memcpy(sum, to, sizeof to);
    sum->size = sizeof *sum;
}

static bool burst(scene *s, sums *sum)
{
    rsq_profile_counters before = {.size = sizeof before};
    int64_t started, delivery_ns = 0;
    bool ok = true;

    (void)rsq_profile(&before);
    started = bench_now_ns();
    for (unsigned i = 0; i < s->of->writes && ok; i++) {
        int64_t written;

        ok = write_one(s, i);
        written = bench_now_ns();
        ok = ok && rsq_queue_dispatch(s->queue, 0, NULL) == RSQ_OK;
        delivery_ns += bench_now_ns() - written;
    }
    sum->wall_ns += bench_now_ns() - started;
    add(&sum->counters, &before);
    sum->delivery_ns += delivery_ns;
    return ok && settle(s);
}

static double percent(double of, double whole)
{
    return 100.0 * of / whole;
}

static void find(findings *f, unsigned pass, const sums *sum, double writes)
{
    const rsq_profile_counters *c = &sum->counters;
    double wall = (double)sum->wall_ns, request = (double)c->writer_request.total_ns;
    double ns[PARTS], beside[SIDES];

    ns[PART_STEP] = (double)c->writer_step.total_ns;
    ns[PART_CAPTURE] = (double)c->writer_capture.total_ns;
    ns[PART_COMMIT] = (double)c->writer_commit.total_ns;
    ns[PART_HANDOFF] = (double)c->stream_handoff.total_ns;
    ns[PART_INVALIDATE] = (double)c->stream_invalidate.total_ns - ns[PART_HANDOFF];
    ns[PART_DISPATCH] =
        request - ns[PART_STEP] - ns[PART_CAPTURE] - ns[PART_COMMIT] - (double)c->stream_invalidate.total_ns;
    ns[PART_DELIVERY] = (double)sum->delivery_ns;
    ns[PART_RESIDUAL] = wall - request - ns[PART_DELIVERY];
    for (size_t i = 0; i < PARTS; i++) {
        f->share[i].of[pass] = percent(ns[i], wall);
        f->us[i].of[pass] = ns[i] / writes / 1000.0;
    }
    f->wall_us.of[pass] = wall / writes / 1000.0;
    f->handle.of[pass] = percent(request, wall);
    beside[SIDE_RERUN] = (double)c->stream_run.total_ns;
    beside[SIDE_COMPARE] = (double)c->stream_compare.total_ns;
    beside[SIDE_DIFF] = (double)c->stream_diff.total_ns;
    beside[SIDE_EMIT] = (double)c->stream_emit.total_ns;
    beside[SIDE_SPINNING] = (double)c->workers_spinning.total_ns;
    for (size_t i = 0; i < SIDES; i++)
        f->beside[i].of[pass] = percent(beside[i], wall);
    f->runs.of[pass] = percent((double)c->stream_run.count, writes);
    f->parked.of[pass] = (double)c->parked_total;
    f->woken.of[pass] = percent((double)c->queue_wakes_sent, writes);
}

/* The same number of live queries each time: or what is measured is not what the workload says. */
static bool check(const scene *s, const sums *sum, unsigned bursts)
{
    uint64_t must = (uint64_t)s->of->concerned * bursts;

    if (sum->counters.stream_candidates != must)
        return audit_fail("%s: %llu live queries were concerned, and not %llu", s->of->name,
                          (unsigned long long)sum->counters.stream_candidates, (unsigned long long)must);
    if (s->of->keyed && s->events != must)
        return audit_fail("%s: %llu events, and not %llu", s->of->name, (unsigned long long)s->events,
                          (unsigned long long)must);
    if (must == 0 && s->events > 0)
        return audit_fail("%s: an event, though nothing that is watched has changed", s->of->name);
    return true;
}

static bool run_pass(const audit *a, const workload *of, unsigned pass, findings *f)
{
    char path[BENCH_PATH_MAX];
    scene *s = calloc(1, sizeof *s);
    sums warm_up = {0}, sum = {0};
    bool ok;

    if (!s)
        return audit_fail("out of memory");
    bench_place_database(&a->tables.place, 0, path);
    ok = scene_open(s, of, path) && burst(s, &warm_up);
    s->events = 0;
    for (unsigned i = 0; i < a->effort.bursts && ok; i++)
        ok = burst(s, &sum);
    ok = ok && check(s, &sum, a->effort.bursts);
    rsq_close(s->db);
    free(s);
    bench_place_remove(path);
    if (ok)
        find(f, pass, &sum, (double)a->effort.bursts * of->writes);
    return ok;
}

/* --- what is printed --- */

static void print_head(const char *title)
{
    printf("\n%-34s", title);
    for (size_t i = 0; i < WORKLOADS; i++)
        printf(" %14s", workloads[i].name);
    printf("\n");
}

/* A line of a table, and its JSON. `at` is where the band is in the findings. */
static void print_line(const audit *a, const findings *all, size_t at, const char *name, const char *unit)
{
    printf("  %-32s", name);
    for (size_t i = 0; i < WORKLOADS; i++) {
        const audit_band *b = (const audit_band *)(const void *)((const char *)&all[i] + at);
        char text[AUDIT_BAND_TEXT];

        audit_band_text(a, b, text);
        printf(" %14s", text);
        audit_json(a, "writer", workloads[i].name, name, unit, b);
    }
    printf("\n");
}

#define LINE(name, field, unit) print_line(a, all, offsetof(findings, field), name, unit)

static void print_all(const audit *a, const findings *all)
{
    print_head("% of the wall, writing thread");
    for (size_t i = 0; i < PARTS; i++)
        print_line(a, all, offsetof(findings, share) + i * sizeof(audit_band), part_names[i], "%");
    printf("  %-32s", "re-run");
    for (size_t i = 0; i < WORKLOADS; i++)
        printf(" %14s", "-");
    printf("  (on other threads only)\n");
    LINE("writer handle", handle, "%");
    print_head("us per write");
    for (size_t i = 0; i < PARTS; i++)
        print_line(a, all, offsetof(findings, us) + i * sizeof(audit_band), part_names[i], "us/write");
    LINE("wall", wall_us, "us/write");
    print_head("% of the wall, other threads");
    for (size_t i = 0; i < SIDES; i++)
        print_line(a, all, offsetof(findings, beside) + i * sizeof(audit_band), side_names[i], "% beside");
    print_head("by 100 writes");
    LINE("runs of live queries", runs, "by 100 writes");
    LINE("queue wake-ups sent", woken, "by 100 writes");
    print_head("callers parked for a reader");
    LINE("parked_total", parked, "callers");
}

static bool judge(const audit *a, const findings *all)
{
    bool ok = true;

    for (size_t i = 0; i < WORKLOADS; i++) {
        if (audit_high(a, &all[i].parked) > 0)
            ok = audit_fail("%s: callers were parked for a reader", workloads[i].name);
        if (audit_high(a, &all[i].share[PART_RESIDUAL]) > RESIDUAL_MAX)
            ok = audit_fail("%s: more than %.0f %% is unexplained", workloads[i].name, RESIDUAL_MAX);
    }
    return ok;
}

/* Passes in turn, so that what drifts meets all workloads alike. */
bool audit_writer(audit *a)
{
    findings *all = calloc(WORKLOADS, sizeof *all);
    bool ok = all != NULL;

    for (unsigned pass = 0; pass < a->effort.passes && ok; pass++) {
        for (size_t i = 0; i < WORKLOADS && ok; i++)
            ok = run_pass(a, &workloads[i], pass, &all[i]);
    }
    if (ok) {
        printf("\n%u passes of %u bursts, %d readers, %d live queries; bands are the lowest and the highest "
               "pass\n",
               a->effort.passes, a->effort.bursts, READERS, STREAMS);
        print_all(a, all);
        ok = judge(a, all);
    }
    free(all);
    return ok;
}
