/* Experiments on how rows are read; see trials.h. */
#include "raw/trials.h"

#include <stdlib.h>

#include "checksum.h"
#include "items.h"
#include "reads.h"
#include "trials/trials.h"

typedef struct trial {
    const bench_ctx *at;
    raw_db *db;      /* owned */
    raw_stmt *stmt;  /* owned */
    raw_arena arena; /* owned */
} trial;

static void trial_close(void *state)
{
    trial *t = state;

    raw_arena_fini(&t->arena);
    raw_finalize(t->stmt);
    raw_close(t->db);
    free(t);
}

static void *trial_open(const bench_ctx *at)
{
    trial *t = calloc(1, sizeof *t);

    if (!t) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    t->at = at;
    if (!items_make(at, at->of->size))
        goto fail;
    t->db = raw_open(at->path, RAW_READONLY);
    t->stmt = t->db && raw_ok(t->db) ? raw_prepare(t->db, ITEMS_SQL_ALL) : NULL;
    if (!t->stmt) {
        bench_fail(at, "open: %s", raw_message(t->db));
        goto fail;
    }
    return t;

fail:
    trial_close(t);
    return NULL;
}

static bool trial_hash(void *state, uint64_t *hash)
{
    const trial *t = state;

    *hash = HASH_START;
    return raw_hash(t->stmt, NULL, hash) || bench_fail(t->at, "step: %s", raw_message(t->db));
}

static bool report(const trial *t, bool ok)
{
    return ok || bench_fail(t->at, "step: %s", raw_message(t->db));
}

static bool fetch_run(void *state, bench_block *b)
{
    const trial *t = state;
    bool ok = true;

    for (uint64_t i = 0; i < b->count && ok; i++)
        ok = raw_visit_fetched(t->stmt, (raw_fetch)t->at->peer->variant, &b->sum);
    return report(t, ok);
}

const bench_ops trials_fetch = {
    .answer = READS_ANSWER_ROWS,
    .open = trial_open,
    .run = fetch_run,
    .hash = trial_hash,
    .close = trial_close,
};

static bool records_run(void *state, bench_block *b)
{
    const trial *t = state;
    bool ok = true;

    for (uint64_t i = 0; i < b->count && ok; i++)
        ok = raw_visit_records(t->stmt, &b->sum);
    return report(t, ok);
}

const bench_ops trials_records = {
    .answer = READS_ANSWER_ROWS,
    .open = trial_open,
    .run = records_run,
    .hash = trial_hash,
    .close = trial_close,
};

static bool copied_run(void *state, bench_block *b)
{
    trial *t = state;
    bool ok = true;

    for (uint64_t i = 0; i < b->count && ok; i++)
        ok = raw_visit_copied(t->stmt, &t->arena, t->at->peer->variant != 0, &b->sum);
    return report(t, ok);
}

const bench_ops trials_copied = {
    .answer = READS_ANSWER_ROWS,
    .open = trial_open,
    .run = copied_run,
    .hash = trial_hash,
    .close = trial_close,
};
