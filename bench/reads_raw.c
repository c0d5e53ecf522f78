/*
 * Peers of the read cases: the C loop over SQLite. A connection for each thread,
 * statements prepared when the peer opens.
 */
#include "reads.h"

#include <stdlib.h>

#include "checksum.h"
#include "crew.h"
#include "items.h"
#include "raw/raw.h"

#define MEMBERS_MAX 2

/* One thread's connection, and its share of a block. */
typedef struct lane {
    _Alignas(64) raw_db *db;             /* owned */
    raw_stmt *stmts[ITEMS_NUMBERED_MAX]; /* owned */
    unsigned nstmts;
    uint64_t sum;
    bool ok;
} lane;

typedef struct reader {
    const bench_ctx *at;
    bench_crew *crew; /* owned; NULL: the calling thread alone */
    unsigned nlanes;
    const bench_block *block; /* borrowed while the crew runs it */
    lane lanes[MEMBERS_MAX];
} reader;

static void lane_close(lane *l)
{
    for (unsigned i = 0; i < l->nstmts; i++)
        raw_finalize(l->stmts[i]);
    raw_close(l->db);
}

static void reader_close(void *state)
{
    reader *r = state;

    bench_crew_free(r->crew);
    for (unsigned i = 0; i < r->nlanes; i++)
        lane_close(&r->lanes[i]);
    free(r);
}

static bool lane_prepare(lane *l, const char *sql)
{
    l->stmts[l->nstmts] = raw_prepare(l->db, sql);
    if (!l->stmts[l->nstmts])
        return false;
    l->nstmts++;
    return true;
}

static unsigned open_flags(uint32_t variant)
{
    unsigned flags = variant & READ_EXCLUSIVE ? RAW_EXCLUSIVE : RAW_READONLY;

    return variant & READ_MUTEXES ? flags | RAW_MUTEXES : flags;
}

/* `sql`: NULL for texts of items_sql_numbered(). */
static bool lane_open(lane *l, const bench_ctx *at, const char *sql)
{
    unsigned texts = at->peer->variant & READ_ROTATION ? ITEMS_NUMBERED_MAX : 1;

    l->db = raw_open(at->path, open_flags(at->peer->variant));
    if (!l->db || !raw_ok(l->db))
        return false;
    if (sql && !lane_prepare(l, sql))
        return false;
    for (unsigned i = 0; i < texts && !sql; i++) {
        char numbered[ITEMS_NUMBERED_LEN];

        items_sql_numbered(i, numbered);
        if (!lane_prepare(l, numbered))
            return false;
    }
    /* The snapshot is taken by the first read and then stays. */
    return !(at->peer->variant & READ_IN_TX) || raw_exec(l->db, "BEGIN");
}

static void *reader_open(const bench_ctx *at, const char *sql)
{
    unsigned lanes = at->peer->variant & READ_TWO_THREADS ? MEMBERS_MAX : 1;
    reader *r = aligned_alloc(_Alignof(reader), sizeof *r);

    if (!r) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    memset(r, 0, sizeof *r);
    r->at = at;
    if (!items_make(at, at->of->size))
        goto fail;
    while (r->nlanes < lanes) {
        lane *l = &r->lanes[r->nlanes++];

        if (!lane_open(l, at, sql)) {
            bench_fail(at, "open: %s", raw_message(l->db));
            goto fail;
        }
    }
    if (lanes > 1) {
        r->crew = bench_crew_new(lanes);
        if (!r->crew) {
            bench_fail(at, "no thread");
            goto fail;
        }
    }
    return r;

fail:
    reader_close(r);
    return NULL;
}

static void *rows_open(const bench_ctx *at)
{
    return reader_open(at, ITEMS_SQL_ALL);
}

static void *json1_open(const bench_ctx *at)
{
    return reader_open(at, ITEMS_SQL_JSON1);
}

static void *point_open(const bench_ctx *at)
{
    return reader_open(at, at->peer->variant & (READ_NUMBERED | READ_ROTATION) ? NULL : ITEMS_SQL_KEY);
}

/* The operations of the block from `first` on, every `step`-th. */
static void lane_visit(lane *l, uint64_t first, uint64_t count, uint64_t step)
{
    uint64_t sum = 0;
    bool ok = true;

    for (uint64_t i = first; i < count && ok; i += step)
        ok = raw_visit(l->stmts[0], &sum);
    l->sum = sum;
    l->ok = ok;
}

static void lane_visit_share(void *ctx, unsigned member)
{
    reader *r = ctx;

    lane_visit(&r->lanes[member], member, r->block->count, MEMBERS_MAX);
}

static bool visit_run(void *state, bench_block *b)
{
    reader *r = state;

    if (r->crew) {
        r->block = b;
        bench_crew_run(r->crew, lane_visit_share, r);
    } else {
        lane_visit(&r->lanes[0], 0, b->count, 1);
    }
    for (unsigned i = 0; i < r->nlanes; i++) {
        if (!r->lanes[i].ok)
            return bench_fail(r->at, "step: %s", raw_message(r->lanes[i].db));
        b->sum += r->lanes[i].sum;
    }
    return true;
}

static bool rows_hash(void *state, uint64_t *hash)
{
    reader *r = state;

    *hash = HASH_START;
    return raw_hash(r->lanes[0].stmts[0], NULL, hash) ||
           bench_fail(r->at, "step: %s", raw_message(r->lanes[0].db));
}

static bool json1_hash(void *state, uint64_t *hash)
{
    reader *r = state;

    *hash = HASH_START;
    return raw_hash_json(r->lanes[0].stmts[0], hash) ||
           bench_fail(r->at, "step: %s", raw_message(r->lanes[0].db));
}

const bench_ops reads_raw_rows = {
    .answer = READS_ANSWER_ROWS,
    .open = rows_open,
    .run = visit_run,
    .hash = rows_hash,
    .close = reader_close,
};

const bench_ops reads_raw_json1 = {
    .answer = READS_ANSWER_JSON,
    .own_sum = true,
    .open = json1_open,
    .run = visit_run,
    .hash = json1_hash,
    .close = reader_close,
};

static bool point_run(void *state, bench_block *b)
{
    const reader *r = state;
    const lane *l = &r->lanes[0];
    bool typed = (r->at->peer->variant & READ_TYPED) != 0;
    bool ok = true;

    for (uint64_t op = b->first; op < b->first + b->count && ok; op++) {
        raw_stmt *s = l->stmts[op % l->nstmts];
        int64_t key = (int64_t)(op % r->at->of->size) + 1;

        ok = typed ? raw_visit_item_typed(s, key, &b->sum) : raw_visit_key(s, key, &b->sum);
    }
    return ok || bench_fail(r->at, "step: %s", raw_message(l->db));
}

static bool point_hash(void *state, uint64_t *hash)
{
    const reader *r = state;
    const lane *l = &r->lanes[0];
    bool ok = true;

    *hash = HASH_START;
    for (size_t i = 0; i < r->at->of->size && ok; i++) {
        int64_t key = (int64_t)i + 1;

        ok = raw_hash(l->stmts[i % l->nstmts], &key, hash);
    }
    return ok || bench_fail(r->at, "step: %s", raw_message(l->db));
}

const bench_ops reads_raw_point = {
    .answer = READS_ANSWER_POINTS,
    .open = point_open,
    .run = point_run,
    .hash = point_hash,
    .close = reader_close,
};
