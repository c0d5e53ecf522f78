/*
 * Opening a database that exists: with one reader and with eight, alone and with
 * the first read. Closing is outside the timed part, but for one case. The goal is of
 * "foundation": readers are opened at the same time or when first needed, so
 * eight of them cost little more than one.
 */
#include "bench.h"

#include <stdlib.h>

#include "cells.h"
#include "checksum.h"
#include "items.h"
#include "raw/raw.h"

#define ROWS 1000

/* Variants: readers in the low bits, and whether the first read and closing are part of the operation. */
enum { OPEN_READERS = 0xff, OPEN_AND_READ = 0x100, OPEN_AND_CLOSE = 0x200 };

typedef struct opener {
    const bench_ctx *at;
} opener;

static void opener_close(void *state)
{
    free(state);
}

static void *opener_open(const bench_ctx *at)
{
    opener *o = malloc(sizeof *o);

    if (!o) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    o->at = at;
    if (items_make(at, at->of->size))
        return o;
    free(o);
    return NULL;
}

static bool opener_reads(const opener *o)
{
    return (o->at->peer->variant & OPEN_AND_READ) != 0;
}

static bool opener_closes(const opener *o)
{
    return (o->at->peer->variant & OPEN_AND_CLOSE) != 0;
}

static int64_t key_of(const opener *o, uint64_t op)
{
    return (int64_t)(op % o->at->of->size) + 1;
}

/* ------------------------------------------------------------ the library -- */

static bool rsq_opener_open(const opener *o, rsq_db **db)
{
    rsq_open_options opts = RSQ_OPEN_OPTIONS_INIT;
    rsq_error err;
    rsq_code rc;

    opts.readers = o->at->peer->variant & OPEN_READERS;
    rc = rsq_open(o->at->path, &opts, db, &err);
    return rc == RSQ_OK || bench_fail_code(o->at, "open", rc, &err);
}

static bool rsq_opener_read(const opener *o, rsq_db *db, uint64_t op, rsq_result **out)
{
    rsq_value key = rsq_integer(key_of(o, op));
    rsq_error err;
    rsq_code rc = rsq_select(db, ITEMS_SQL_KEY, &key, 1, NULL, out, &err);

    return rc == RSQ_OK || bench_fail_code(o->at, "select", rc, &err);
}

static bool rsq_opener_once(const opener *o, uint64_t op, bench_block *b)
{
    rsq_result *result = NULL;
    rsq_db *db;
    int64_t paused;
    bool ok;

    if (!rsq_opener_open(o, &db))
        return false;
    ok = !opener_reads(o) || rsq_opener_read(o, db, op, &result);
    if (result)
        b->sum = cells_visit(result, b->sum);
    paused = bench_now_ns();
    rsq_result_unref(result);
    rsq_close(db);
    if (!opener_closes(o))
        b->paused_ns += bench_now_ns() - paused;
    return ok;
}

static bool rsq_opener_run(void *state, bench_block *b)
{
    for (uint64_t i = 0; i < b->count; i++) {
        if (!rsq_opener_once(state, b->first + i, b))
            return false;
    }
    return true;
}

static bool rsq_opener_hash(void *state, uint64_t *hash)
{
    rsq_result *result;
    rsq_db *db;
    bool ok;

    if (!rsq_opener_open(state, &db))
        return false;
    ok = rsq_opener_read(state, db, 0, &result);
    if (ok) {
        *hash = cells_hash(result, HASH_START);
        rsq_result_unref(result);
    }
    rsq_close(db);
    return ok;
}

static const bench_ops rsq_opener = {
    .answer = "row",
    .open = opener_open,
    .run = rsq_opener_run,
    .hash = rsq_opener_hash,
    .close = opener_close,
};

/* ------------------------------------------ the baseline: two connections -- */

static bool raw_opener_open(const opener *o, raw_db *dbs[2])
{
    dbs[0] = raw_open(o->at->path, RAW_HOOK);
    dbs[1] = raw_open(o->at->path, RAW_READONLY);
    for (int i = 0; i < 2; i++) {
        if (!dbs[i] || !raw_ok(dbs[i]))
            return bench_fail(o->at, "open: %s", raw_message(dbs[i]));
    }
    return true;
}

static void raw_opener_close(raw_db *dbs[2])
{
    raw_close(dbs[1]);
    raw_close(dbs[0]);
}

static bool raw_opener_read(const opener *o, raw_db *db, uint64_t op, uint64_t *sum)
{
    raw_stmt *s = raw_prepare(db, ITEMS_SQL_KEY);
    bool ok = s && raw_visit_key(s, key_of(o, op), sum);

    if (!ok)
        bench_fail(o->at, "select: %s", raw_message(db));
    raw_finalize(s);
    return ok;
}

static bool raw_opener_run(void *state, bench_block *b)
{
    const opener *o = state;
    bool ok = true;

    for (uint64_t i = 0; i < b->count && ok; i++) {
        raw_db *dbs[2];
        int64_t paused;

        ok = raw_opener_open(o, dbs);
        if (ok && opener_reads(o))
            ok = raw_opener_read(o, dbs[1], b->first + i, &b->sum);
        paused = bench_now_ns();
        raw_opener_close(dbs);
        if (!opener_closes(o))
            b->paused_ns += bench_now_ns() - paused;
    }
    return ok;
}

static bool raw_opener_hash(void *state, uint64_t *hash)
{
    const opener *o = state;
    raw_db *dbs[2];
    raw_stmt *s = NULL;
    int64_t key = 1;
    bool ok = raw_opener_open(o, dbs);

    *hash = HASH_START;
    if (ok) {
        s = raw_prepare(dbs[1], ITEMS_SQL_KEY);
        ok = s && raw_hash(s, &key, hash);
        if (!ok)
            bench_fail(o->at, "select: %s", raw_message(dbs[1]));
        raw_finalize(s);
    }
    raw_opener_close(dbs);
    return ok;
}

static const bench_ops raw_opener = {
    .answer = "row",
    .open = opener_open,
    .run = raw_opener_run,
    .hash = raw_opener_hash,
    .close = opener_close,
};

/* ------------------------------------------------------------------ cases -- */

static const bench_case cases[] = {
    {
        .workload = "open",
        .name = "readers",
        .unit = "us/open",
        .size = ROWS,
        .peers =
            {
                {.name = "resqlite-1", .ops = &rsq_opener, .variant = 1},
                {.name = "resqlite-8", .ops = &rsq_opener, .variant = 8},
                {.name = "raw", .ops = &raw_opener},
            },
        .goals = {BENCH_RATIO("foundation", "resqlite-8", "resqlite-1", 3.0)},
    },
    {
        .workload = "open",
        .name = "readers-first-read",
        .unit = "us/open and read",
        .size = ROWS,
        .peers =
            {
                {.name = "resqlite-1", .ops = &rsq_opener, .variant = 1 | OPEN_AND_READ},
                {.name = "resqlite-8", .ops = &rsq_opener, .variant = 8 | OPEN_AND_READ},
                {.name = "raw", .ops = &raw_opener, .variant = OPEN_AND_READ},
            },
        .goals = {BENCH_RATIO("foundation", "resqlite-8", "resqlite-1", 3.0)},
    },
    {
        .workload = "open",
        .name = "read-close",
        .unit = "us/open, read and close",
        .size = ROWS,
        .peers =
            {
                {.name = "raw", .ops = &raw_opener, .variant = OPEN_AND_READ | OPEN_AND_CLOSE},
                {.name = "resqlite", .ops = &rsq_opener, .variant = OPEN_AND_READ | OPEN_AND_CLOSE},
            },
    },
};

const bench_area bench_area_open = {cases, BENCH_LENGTH(cases)};
