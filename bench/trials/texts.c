/* Experiments on how parameters reach SQLite; see trials.h. The rows of a batch are the case's size. */
#include "raw/trials.h"

#include <stdlib.h>

#include "checksum.h"
#include "trials/trials.h"

#define TABLE "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b TEXT, c TEXT, d TEXT)"
#define INSERT "INSERT INTO t(a, b, c, d) VALUES (?, ?, ?, ?)"
#define TEXT_MAX 64

typedef struct trial {
    const bench_ctx *at;
    raw_db *db;              /* owned */
    raw_stmt *insert;        /* owned */
    char (*words)[TEXT_MAX]; /* owned */
    const char **texts;      /* owned; of `words` */
    size_t *lens;            /* owned */
} trial;

static void trial_close(void *state)
{
    trial *t = state;

    raw_finalize(t->insert);
    raw_close(t->db);
    free(t->words);
    free(t->texts);
    free(t->lens);
    free(t);
}

/* Texts of 8 to 60 bytes. */
static bool make_texts(trial *t)
{
    size_t n = t->at->of->size * RAW_TEXTS;

    t->words = malloc(n * sizeof *t->words);
    t->texts = malloc(n * sizeof *t->texts);
    t->lens = malloc(n * sizeof *t->lens);
    if (!t->words || !t->texts || !t->lens)
        return bench_fail(t->at, "out of memory");
    for (size_t i = 0; i < n; i++) {
        int pad = (int)(i * 7 % 52);

        t->lens[i] = (size_t)snprintf(t->words[i], TEXT_MAX, "%07zu %*s", i % 10000000, pad, "x");
        t->texts[i] = t->words[i];
    }
    return true;
}

static void *trial_open(const bench_ctx *at)
{
    trial *t = calloc(1, sizeof *t);

    if (!t) {
        bench_fail(at, "out of memory");
        return NULL;
    }
    t->at = at;
    if (!make_texts(t))
        goto fail;
    t->db = raw_open(at->path, RAW_CREATE);
    if (t->db && raw_ok(t->db) && raw_exec(t->db, TABLE))
        t->insert = raw_prepare(t->db, INSERT);
    if (t->insert)
        return t;
    bench_fail(at, "open: %s", raw_message(t->db));

fail:
    trial_close(t);
    return NULL;
}

static bool trial_prepare(void *state)
{
    const trial *t = state;

    return raw_exec(t->db, "DELETE FROM t") || bench_fail(t->at, "empty: %s", raw_message(t->db));
}

static bool insert(const trial *t)
{
    return raw_insert_texts(t->db, t->insert, t->texts, t->lens, t->at->of->size,
                            (raw_binding)t->at->peer->variant) ||
           bench_fail(t->at, "insert: %s", raw_message(t->db));
}

static bool trial_run(void *state, bench_block *b)
{
    for (uint64_t i = 0; i < b->count; i++) {
        if (!insert(state))
            return false;
    }
    return true;
}

static bool trial_hash(void *state, uint64_t *hash)
{
    const trial *t = state;
    raw_stmt *all;
    bool ok;

    if (!trial_prepare(state) || !insert(t))
        return false;
    all = raw_prepare(t->db, "SELECT a, b, c, d FROM t ORDER BY id");
    *hash = HASH_START;
    ok = all && raw_hash(all, NULL, hash);
    raw_finalize(all);
    return ok || bench_fail(t->at, "select: %s", raw_message(t->db));
}

const bench_ops trials_texts = {
    .answer = "texts",
    .open = trial_open,
    .prepare = trial_prepare,
    .run = trial_run,
    .hash = trial_hash,
    .close = trial_close,
};
