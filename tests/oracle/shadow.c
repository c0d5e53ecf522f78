#ifndef SQLITE_ENABLE_PREUPDATE_HOOK
#define SQLITE_ENABLE_PREUPDATE_HOOK 1
#endif
#include "shadow.h"

#include <sqlite3.h>

#include <stdlib.h>
#include <string.h>

#include "text.h"

#define NAMES_MAX 16

/* Tables of a kind, by the text that made them. */
typedef struct names {
    char name[NAMES_MAX][16];
    size_t count;
} names;

struct shadow {
    sqlite3 *db;
    tally *tally; /* borrowed */
    names children, computed;
    const char *sql; /* of the statement that runs */
    bool trigger, cascade, victim, key_change, fts, generated, attached;
    size_t deleted;
    int version; /* of the schema */
};

static bool has_name(const names *n, const char *name)
{
    for (size_t i = 0; i < n->count; i++) {
        if (strcmp(n->name[i], name) == 0)
            return true;
    }
    return false;
}

static void hook(void *ctx, sqlite3 *db, int op, const char *schema, const char *table, sqlite3_int64 before,
                 sqlite3_int64 after)
{
    shadow *s = ctx;
    bool ordinary = table[0] == 't' || table[0] == 'l';

    if (strcmp(schema, "aux") == 0)
        s->attached = true;
    if (table[0] == 'f')
        s->fts = true;
    if (!ordinary)
        return;
    if (has_name(&s->computed, table))
        s->generated = true;
    if (op == SQLITE_UPDATE && before != after)
        s->key_change = true;
    if (sqlite3_preupdate_depth(db) > 0) {
        if (has_name(&s->children, table))
            s->cascade = true;
        else
            s->trigger = true;
    } else if (op == SQLITE_DELETE && !begins_with(s->sql, "DELETE")) {
        s->victim = true;
    } else if (op == SQLITE_DELETE) {
        s->deleted++;
    }
}

shadow *shadow_open(tally *t, bool attaches)
{
    shadow *s = calloc(1, sizeof *s);

    if (!s || sqlite3_open(":memory:", &s->db) != SQLITE_OK)
        abort();
    s->tally = t;
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, (int *)NULL);
    sqlite3_preupdate_hook(s->db, hook, s);
    if (attaches)
        sqlite3_exec(s->db, "ATTACH ':memory:' AS aux", NULL, NULL, NULL);
    return s;
}

void shadow_close(shadow *s)
{
    if (!s)
        return;
    sqlite3_close(s->db);
    free(s);
}

/* CREATE TABLE name(…: what kind is it? */
static void note_table(shadow *s, const char *sql)
{
    static const char prefix[] = "CREATE TABLE IF NOT EXISTS ";
    char name[16] = "";
    size_t len;

    if (!begins_with(sql, prefix))
        return;
    len = strcspn(sql + sizeof prefix - 1, "(");
    if (len >= sizeof name)
        return;
    memcpy(name, sql + sizeof prefix - 1, len);
    if (strstr(sql, "REFERENCES") && s->children.count < NAMES_MAX && !has_name(&s->children, name))
        memcpy(s->children.name[s->children.count++], name, sizeof name);
    if (strstr(sql, " AS (") && s->computed.count < NAMES_MAX && !has_name(&s->computed, name))
        memcpy(s->computed.name[s->computed.count++], name, sizeof name);
}

static bool has_new_schema(shadow *s)
{
    sqlite3_stmt *h = NULL;
    int version = s->version;

    if (sqlite3_prepare_v2(s->db, "PRAGMA schema_version", -1, &h, NULL) == SQLITE_OK &&
        sqlite3_step(h) == SQLITE_ROW)
        version = sqlite3_column_int(h, 0);
    sqlite3_finalize(h);
    if (version == s->version)
        return false;
    s->version = version;
    return true;
}

static void count(shadow *s, bool done)
{
    tally *t = s->tally;

    t->triggers += s->trigger;
    t->cascades += s->cascade;
    t->victims += s->victim;
    t->key_changes += s->key_change;
    t->fts += s->fts;
    t->generated += s->generated;
    t->attached += s->attached;
    t->truncates += s->deleted > 0 && !strstr(s->sql, "WHERE");
    t->schema_changes += done && changes_schema(s->sql) && has_new_schema(s);
    t->refused += !done;
    t->statements++;
}

static void run_sql(shadow *s, const char *sql)
{
    int rc;

    s->sql = sql;
    s->trigger = s->cascade = s->victim = s->key_change = s->fts = s->generated = s->attached = false;
    s->deleted = 0;
    rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        note_table(s, sql);
    count(s, rc == SQLITE_OK);
}

static void run_batch(shadow *s, const step *st)
{
    sqlite3_exec(s->db, "SAVEPOINT batch", NULL, NULL, NULL);
    for (size_t i = 0; i < st->nvalues; i++) {
        char *value = sqlite3_mprintf("%lld", (long long)st->values[i]);
        char *sql = replace_all(st->sql, "?1", value);

        run_sql(s, sql);
        sqlite3_free(sql);
        sqlite3_free(value);
    }
    sqlite3_exec(s->db, "RELEASE batch", NULL, NULL, NULL);
}

static void run_savepoint(shadow *s, step_kind kind)
{
    if (kind == STEP_SAVEPOINT) {
        sqlite3_exec(s->db, "SAVEPOINT s", NULL, NULL, NULL);
    } else if (kind == STEP_RELEASE) {
        sqlite3_exec(s->db, "RELEASE s", NULL, NULL, NULL);
    } else if (sqlite3_exec(s->db, "ROLLBACK TO s; RELEASE s", NULL, NULL, NULL) == SQLITE_OK) {
        s->tally->undone++;
    }
}

void shadow_run(shadow *s, const plan *p, const commit *c)
{
    bool framed = c->kind == COMMIT_TX || c->kind == COMMIT_TX_UNDONE;

    if (framed)
        sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL);
    for (size_t i = c->first; i < c->first + c->count; i++) {
        const step *st = &p->steps[i];

        if (st->dropped)
            continue;
        if (framed && sqlite3_get_autocommit(s->db))
            break; /* SQLite rolled the transaction back */
        if (!st->sql)
            run_savepoint(s, st->kind);
        else if (st->kind == STEP_BATCH)
            run_batch(s, st);
        else
            run_sql(s, st->sql);
    }
    if (sqlite3_get_autocommit(s->db))
        return;
    if (c->kind == COMMIT_TX && sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
        return;
    sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}
