#include "exec/migrate.h"

#include <stdio.h>

#include "base/error.h"
#include "exec/begin.h"

typedef struct work {
    rsq_core *core;
    const rsq_client *client;
    const rsq_migration *list;
    size_t count;
    size_t known; /* the first so many are written down, and were compared */
    size_t next;  /* what will be known when the transaction that runs commits */
    bool has_table;
    rsq_error why; /* what is wrong with what is written down; code 0: nothing */
} work;

static rsq_request request(const work *w, const char *sql, const rsq_value *params, size_t nparams)
{
    return (rsq_request){
        .client = w->client, .sql = sql, .sql_len = strlen(sql), .params = params, .nparams = nparams};
}

/* `tx` NULL: on a reader. */
static rsq_code ask(const work *w, rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                    rsq_result **out, rsq_error *err)
{
    rsq_request rq = request(w, sql, params, nparams);

    if (tx)
        return rsq_tx_run_select(tx, &rq, RSQ_SHAPE_CELLS, 0, out, err);
    return rsq_core_select(w->core, &rq, RSQ_SHAPE_CELLS, 0, out, err);
}

static rsq_code execute(const work *w, rsq_tx *tx, const char *sql, const rsq_value *params, size_t nparams,
                        rsq_error *err)
{
    rsq_request rq = request(w, sql, params, nparams);

    return rsq_tx_run_execute(tx, &rq, NULL, err);
}

/* --- what is written down --- */

static size_t length_of(const rsq_migration *m)
{
    return m->sql_len ? m->sql_len : strlen(m->sql);
}

#define FINGERPRINT_MAX 48

/* Of a text: its length, and FNV-1a of 64 bits. It is to notice a change, not to resist one that hides. */
static void take_fingerprint(const rsq_migration *m, char out[FINGERPRINT_MAX])
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    size_t len = length_of(m);

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)m->sql[i]) * UINT64_C(0x100000001b3);
    (void)snprintf(out, FINGERPRINT_MAX, "%zu-%016llx", len, (unsigned long long)hash);
}

static bool is_listed(const work *w, const char *name)
{
    for (size_t i = 0; i < w->count; i++) {
        if (strcmp(w->list[i].name, name) == 0)
            return true;
    }
    return false;
}

static const char *text_of(const rsq_result *r, size_t row, size_t column)
{
    const char *text = rsq_result_text(r, row, column, NULL);

    return text ? text : "";
}

/* One that is written down, at position `at`, against the list. */
static rsq_code compare_one(work *w, size_t at, const char *name, const char *fingerprint)
{
    char expected[FINGERPRINT_MAX];

    if (!is_listed(w, name))
        return rsq_error_set(
            &w->why, RSQ_ENEWER,
            "the database is newer: it has the migration \"%.100s\", which is not in the list", name);
    if (at >= w->count || strcmp(w->list[at].name, name) != 0)
        return rsq_error_set(
            &w->why, RSQ_EINVAL,
            "the migration \"%.100s\" was applied as number %zu, and is elsewhere in the list", name, at + 1);
    take_fingerprint(&w->list[at], expected);
    if (strcmp(fingerprint, expected) != 0)
        return rsq_error_set(&w->why, RSQ_EINVAL,
                             "the migration \"%.100s\" was changed after it had been applied", name);
    return RSQ_OK;
}

static rsq_code compare(work *w, const rsq_result *r)
{
    for (size_t row = 0; row < rsq_result_rows(r); row++) {
        rsq_code code = compare_one(w, w->known, text_of(r, row, 0), text_of(r, row, 1));

        if (code != RSQ_OK) {
            w->why.row = (int64_t)w->known;
            return code;
        }
        w->known++;
    }
    return RSQ_OK;
}

/* Compare what is written down and was not compared yet. */
static rsq_code look(work *w, rsq_tx *tx, rsq_error *err)
{
    rsq_value known = rsq_integer((int64_t)w->known);
    rsq_result *r = NULL;
    rsq_code code;

    if (!w->has_table) {
        code = ask(w, tx, "SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = 'rsq_migrations'",
                   NULL, 0, &r, err);
        if (code != RSQ_OK)
            return code;
        w->has_table = rsq_result_rows(r) > 0;
        rsq_result_unref(r);
    }
    if (!w->has_table)
        return RSQ_OK;
    code =
        ask(w, tx, "SELECT name, fingerprint FROM main.rsq_migrations WHERE position > ?1 ORDER BY position",
            &known, 1, &r, err);
    if (code != RSQ_OK)
        return code;
    code = compare(w, r);
    rsq_result_unref(r);
    if (code != RSQ_OK && err)
        *err = w->why;
    return code;
}

/* --- one transaction --- */

static rsq_code write_down(work *w, rsq_tx *tx, rsq_error *err)
{
    const rsq_migration *m = &w->list[w->known];
    char fingerprint[FINGERPRINT_MAX];
    rsq_value values[3];

    take_fingerprint(m, fingerprint);
    values[0] = rsq_integer((int64_t)w->known + 1);
    values[1] = rsq_text(m->name);
    values[2] = rsq_text(fingerprint);
    return execute(w, tx,
                   "INSERT INTO main.rsq_migrations(position, name, fingerprint, applied_at) "
                   "VALUES (?1, ?2, ?3, strftime('%Y-%m-%dT%H:%M:%fZ'))",
                   values, 3, err);
}

static rsq_code apply(rsq_tx *tx, void *ctx)
{
    work *w = ctx;
    rsq_request script;
    rsq_error why;
    rsq_code code = look(w, tx, &why);

    if (code != RSQ_OK || w->known == w->count)
        return code;
    if (!w->has_table)
        code = execute(
            w, tx,
            "CREATE TABLE main.rsq_migrations(position INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, "
            "fingerprint TEXT NOT NULL, applied_at TEXT NOT NULL)",
            NULL, 0, &why);
    if (code != RSQ_OK)
        return code;
    script = request(w, w->list[w->known].sql, NULL, 0);
    script.sql_len = length_of(&w->list[w->known]);
    code = rsq_tx_run_script(tx, &script, &why);
    if (code == RSQ_OK)
        code = write_down(w, tx, &why);
    if (code == RSQ_OK)
        w->next = w->known + 1;
    return code;
}

/* Which one it was, before what happened. */
static void name_failure(const work *w, rsq_code code, rsq_error *err)
{
    rsq_error inner;

    if (!err)
        return;
    if (w->why.code == (int32_t)code) {
        *err = w->why;
        return;
    }
    inner = *err;
    (void)rsq_error_set(err, code, "migration \"%.100s\": %s", w->list[w->known].name, inner.message);
    err->sqlite_code = inner.sqlite_code;
    err->sql_offset = inner.sql_offset;
    err->system_errno = inner.system_errno;
    err->row = (int64_t)w->known;
}

static rsq_code migrate_one(work *w, uint32_t timeout_ms, size_t *applied, rsq_error *err)
{
    rsq_code code;

    w->next = 0;
    code = rsq_core_transaction(w->core, w->client, apply, w, 0, timeout_ms, err);
    if (code != RSQ_OK) {
        /* It may have been the one that made the table. */
        w->has_table = false;
        name_failure(w, code, err);
        return code;
    }
    if (w->next) {
        w->known = w->next;
        w->has_table = true;
        (*applied)++;
    }
    return RSQ_OK;
}

rsq_code rsq_core_migrate(rsq_core *core, const rsq_client *client, const rsq_migration *list, size_t count,
                          uint32_t timeout_ms, size_t *applied, rsq_error *err)
{
    work w = {.core = core, .client = client, .list = list, .count = count};
    rsq_code code;

    *applied = 0;
    if (rsq_tx_here(core))
        return rsq_error_set(err, RSQ_EMISUSE,
                             "each migration is a transaction of its own, and one runs here");
    code = rsq_begun_check_wait(core, err);
    if (code == RSQ_OK)
        code = look(&w, NULL, err);
    while (code == RSQ_OK && w.known < count)
        code = migrate_one(&w, timeout_ms, applied, err);
    return code;
}
