/* The baseline of the write cases; see writes.h. */
#include <stdlib.h>

#include "checksum.h"
#include "writes.h"

struct raw_writer {
    const bench_ctx *at;
    write_rows *rows; /* owned */
    raw_db *db;       /* owned */
    /* Owned, NULL where the job has none. */
    raw_stmt *write, *empty, *content, *count, *remove, *save, *release;
};

void raw_writer_close(void *state)
{
    raw_writer *w = state;

    raw_finalize(w->write);
    raw_finalize(w->empty);
    raw_finalize(w->content);
    raw_finalize(w->count);
    raw_finalize(w->remove);
    raw_finalize(w->save);
    raw_finalize(w->release);
    raw_close(w->db);
    write_rows_free(w->rows);
    free(w);
}

static bool prepare(raw_writer *w)
{
    const write_job *job = write_job_of(w->at);
    uint32_t kind = w->at->peer->variant & WRITE_JOB_MASK;

    w->write = raw_prepare(w->db, job->sql);
    w->empty = job->empty ? raw_prepare(w->db, job->empty) : NULL;
    w->content = raw_prepare(w->db, job->content);
    if (kind == WRITE_DIALOGUE) {
        w->count = raw_prepare(w->db, WRITE_SQL_COUNT);
        w->remove = raw_prepare(w->db, WRITE_SQL_REMOVE);
    }
    w->save = raw_prepare(w->db, "SAVEPOINT s");
    w->release = raw_prepare(w->db, "RELEASE s");
    return w->write && w->content && w->save && w->release && (!job->empty || w->empty) &&
           (kind != WRITE_DIALOGUE || (w->count && w->remove));
}

static unsigned open_flags(uint32_t variant)
{
    unsigned flags = 0;

    flags |= variant & WRITE_HOOK ? RAW_HOOK : 0u;
    flags |= variant & WRITE_FULL ? RAW_SYNC_FULL : 0u;
    flags |= variant & WRITE_EXCLUSIVE ? RAW_EXCLUSIVE : 0u;
    flags |= variant & WRITE_NO_CHECKPOINT ? RAW_NO_CHECKPOINT : 0u;
    return flags;
}

static bool fill_log(const raw_writer *w)
{
    return (raw_exec(w->db, WRITE_SQL_FILL) && raw_exec(w->db, WRITE_SQL_UNFILL) &&
            raw_exec(w->db, "PRAGMA wal_checkpoint(RESTART)")) ||
           bench_fail(w->at, "fill the log: %s", raw_message(w->db));
}

void *raw_writer_open(const bench_ctx *at)
{
    raw_writer *w = calloc(1, sizeof *w);

    if (!w) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    w->at = at;
    w->rows = write_rows_new(at);
    if (!w->rows || !write_make_table(at))
        goto fail;
    w->db = raw_open(at->path, open_flags(at->peer->variant));
    if (!w->db || !raw_ok(w->db) || !prepare(w)) {
        bench_fail(at, "open: %s", raw_message(w->db));
        goto fail;
    }
    if ((at->peer->variant & WRITE_FULL) && !fill_log(w))
        goto fail;
    return w;

fail:
    raw_writer_close(w);
    return NULL;
}

bool raw_writer_empty(void *state)
{
    const raw_writer *w = state;
    uint64_t none = 0;
    bool ok = !w->empty || raw_visit(w->empty, &none);

    if (ok && (w->at->peer->variant & WRITE_NO_CHECKPOINT))
        ok = raw_exec(w->db, "PRAGMA wal_checkpoint(TRUNCATE)");
    return ok || bench_fail(w->at, "empty the table: %s", raw_message(w->db));
}

static bool converse(const raw_writer *w)
{
    const raw_dialogue d = {w->write, w->count, w->remove, WRITE_VALUE, WRITE_LIMIT};
    int64_t counted;

    return raw_converse(w->db, &d, &counted);
}

static bool do_job(const raw_writer *w, uint64_t op)
{
    size_t start = write_rows_start(w->at, op);
    const raw_pair *rows = &w->rows->pairs[start];
    size_t size = w->at->of->size;

    switch (w->at->peer->variant & WRITE_JOB_MASK) {
    case WRITE_EACH:
    case WRITE_ONE:
        return raw_insert_each(w->write, rows, size);
    case WRITE_WIDE:
        return raw_insert_wide(w->db, w->write, &w->rows->quads[start * RAW_QUADS], size);
    case WRITE_UPDATE:
        return raw_update_batch(w->db, w->write, &w->rows->pairs[op % 2], size);
    case WRITE_DIALOGUE:
        return converse(w);
    case WRITE_NESTED:
        return raw_nest(w->db, w->save, w->release, w->write, rows, size, false);
    case WRITE_NESTED_DEEP:
        return raw_nest(w->db, w->save, w->release, w->write, rows, size, true);
    default:
        return raw_insert_batch(w->db, w->write, rows, size);
    }
}

bool raw_writer_one(const raw_writer *w, uint64_t op)
{
    return do_job(w, op) || bench_fail(w->at, "write: %s", raw_message(w->db));
}

static bool run(void *state, bench_block *b)
{
    const raw_writer *w = state;

    for (uint64_t i = 0; i < b->count; i++) {
        if (!raw_writer_one(w, b->first + i))
            return false;
        b->sum += w->at->of->size;
    }
    return true;
}

bool raw_writer_content(const raw_writer *w, uint64_t *hash)
{
    *hash = HASH_START;
    return raw_hash(w->content, NULL, hash) || bench_fail(w->at, "select: %s", raw_message(w->db));
}

static bool hash(void *state, uint64_t *out)
{
    const raw_writer *w = state;
    uint64_t ops = (w->at->peer->variant & WRITE_JOB_MASK) == WRITE_ONE ? WRITE_HASHED : 1;
    bool ok = raw_writer_empty(state);

    for (uint64_t op = 0; op < ops && ok; op++)
        ok = raw_writer_one(w, op);
    return ok && raw_writer_content(w, out);
}

const bench_ops writes_raw = {
    .answer = WRITE_ANSWER,
    .open = raw_writer_open,
    .prepare = raw_writer_empty,
    .run = run,
    .hash = hash,
    .close = raw_writer_close,
};
