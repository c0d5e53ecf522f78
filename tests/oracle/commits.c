/*
 * Random commits: rows written in all ways that SQL knows, schema changes,
 * transactions with savepoints, other processes, streams that come and go.
 * Nothing is looked up in a database: many a statement fails or does nothing,
 * which is part of the test.
 */
#include "schema.h"

#include <string.h>

static sqlite3_str *sql_new(void)
{
    return sqlite3_str_new(NULL);
}

static void append_pick(generator *g, sqlite3_str *s, value_kind values)
{
    append_value(s, pick_value(g, values));
}

static const table *parent_of(const generator *g)
{
    return &g->schema.tables[0];
}

/* --------------------------------------------------------- inserts -- */

static void append_insert_value(generator *g, sqlite3_str *s, const table *t, const column *c)
{
    if (c->values == VALUE_KEY && t->kind == TABLE_ROWID && random_chance(&g->random, 12))
        sqlite3_str_appendall(s, "NULL"); /* the next row id */
    else if (c->values == VALUE_PARENT && random_chance(&g->random, 50))
        sqlite3_str_appendf(s, "(SELECT id FROM t0 ORDER BY id LIMIT 1 OFFSET %d)",
                            (int)random_below(&g->random, 12));
    else if (t->kind == TABLE_RTREE && strcmp(c->name, "x1") == 0)
        sqlite3_str_appendf(s, "%d", 8 + (int)random_below(&g->random, 6));
    else
        append_pick(g, s, c->values);
}

static void append_row(generator *g, sqlite3_str *s, const table *t)
{
    const char *comma = "";

    sqlite3_str_appendall(s, "(");
    if (t->kind == TABLE_BARE || t->kind == TABLE_FTS || t->kind == TABLE_FTS_EXTERNAL) {
        append_pick(g, s, VALUE_KEY);
        comma = ", ";
    }
    for (size_t i = 0; i < t->ncolumns; i++) {
        if (t->columns[i].values == VALUE_GENERATED)
            continue;
        sqlite3_str_appendall(s, comma);
        append_insert_value(g, s, t, &t->columns[i]);
        comma = ", ";
    }
    sqlite3_str_appendall(s, ")");
}

static void append_insert_columns(sqlite3_str *s, const table *t)
{
    const char *comma = "";

    sqlite3_str_appendf(s, "%s(", t->name);
    if (t->kind == TABLE_BARE || t->kind == TABLE_FTS || t->kind == TABLE_FTS_EXTERNAL) {
        sqlite3_str_appendall(s, "rowid");
        comma = ", ";
    }
    for (size_t i = 0; i < t->ncolumns; i++) {
        if (t->columns[i].values == VALUE_GENERATED)
            continue;
        sqlite3_str_appendf(s, "%s%s", comma, t->columns[i].name);
        comma = ", ";
    }
    sqlite3_str_appendall(s, ")");
}

static char *insert_rows(generator *g, const table *t, const char *verb, size_t rows)
{
    sqlite3_str *s = sql_new();

    sqlite3_str_appendf(s, "%s INTO ", verb);
    append_insert_columns(s, t);
    sqlite3_str_appendall(s, " VALUES ");
    for (size_t i = 0; i < rows; i++) {
        if (i > 0)
            sqlite3_str_appendall(s, ", ");
        append_row(g, s, t);
    }
    return sqlite3_str_finish(s);
}

void commits_fill(generator *g, const table *t)
{
    size_t rows = 5 + random_below(&g->random, 20);

    plan_begin(g->plan, COMMIT_ALONE);
    plan_add_step(g->plan, STEP_SQL, insert_rows(g, t, "INSERT OR IGNORE", rows));
}

static char *insert(generator *g, const table *t)
{
    const char *verb = PICK(g, "INSERT", "INSERT OR REPLACE", "REPLACE", "INSERT OR REPLACE",
                            "INSERT OR IGNORE", "INSERT OR FAIL", "INSERT OR ABORT", "INSERT OR ROLLBACK");

    return insert_rows(g, t, verb, random_chance(&g->random, 70) ? 1 : 1 + random_below(&g->random, 5));
}

static char *upsert(generator *g, const table *t)
{
    const char *target = t->key;
    char *start = insert_rows(g, t, "INSERT", 1 + random_below(&g->random, 3));

    if (t->kind == TABLE_BARE || t->kind >= TABLE_FTS || random_chance(&g->random, 25))
        return sqlite3_mprintf("%z ON CONFLICT DO NOTHING", start);
    return sqlite3_mprintf("%z ON CONFLICT(%s) DO UPDATE SET %s", start, target,
                           t->kind == TABLE_LOG ? "a = excluded.a"
                                                : PICK(g, "a = excluded.a", "b = excluded.b, a = a + 1",
                                                       "a = excluded.a WHERE excluded.a > 2", "a = a",
                                                       "b = lower(b)", "a = excluded.a, b = excluded.b"));
}

static char *insert_select(generator *g, const table *t)
{
    const table *from = pick_ordinary_table(g);

    if (t->kind == TABLE_PAIR)
        return sqlite3_mprintf(
            "INSERT OR REPLACE INTO %s(x, y, a) SELECT a, %d, a FROM %s WHERE a > 3 LIMIT 4", t->name,
            (int)random_below(&g->random, 32), from->name);
    if (t->kind == TABLE_TEXTKEY || t->kind >= TABLE_LOG)
        return insert(g, t);
    return sqlite3_mprintf("INSERT OR IGNORE INTO %s(a, b) SELECT a + 1, 'sel' FROM %s WHERE a < 2 LIMIT 3",
                           t->name, from->name);
}

/* --------------------------------------------------- conditions -- */

static const char *key_of(const table *t)
{
    return t->kind == TABLE_PAIR ? "y" : t->key;
}

static value_kind key_values(const table *t)
{
    return t->text_key ? VALUE_TEXT : VALUE_KEY;
}

static void append_condition(generator *g, sqlite3_str *s, const table *t)
{
    const column *c = pick_column(g, t);

    switch (random_below(&g->random, 8)) {
    case 0:
    case 1:
    case 2:
        sqlite3_str_appendf(s, " WHERE %s = ", key_of(t));
        append_pick(g, s, key_values(t));
        return;
    case 3:
        sqlite3_str_appendf(s, " WHERE %s IN (", key_of(t));
        append_pick(g, s, key_values(t));
        sqlite3_str_appendall(s, ", ");
        append_pick(g, s, key_values(t));
        sqlite3_str_appendall(s, ")");
        return;
    case 4:
        sqlite3_str_appendf(s, " WHERE %s BETWEEN ", key_of(t));
        append_pick(g, s, key_values(t));
        sqlite3_str_appendall(s, " AND ");
        append_pick(g, s, key_values(t));
        return;
    case 5:
        sqlite3_str_appendf(s, " WHERE %s IS ", c->name);
        append_pick(g, s, c->values);
        return;
    default:
        sqlite3_str_appendf(s, " WHERE %s = ", c->name);
        append_pick(g, s, c->values);
        return;
    }
}

/* --------------------------------------------------------- updates -- */

/* Another type, or two rows that change places on a key. */
static const char *pick_conversion(generator *g)
{
    return PICK(g, "CAST(a AS TEXT)", "a + 0.0", "CAST(a AS INTEGER)", "a || ''",
                "CASE a WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE a END", "9 - a", "NULL");
}

static void append_assignment(generator *g, sqlite3_str *s, const table *t)
{
    const column *c = pick_column(g, t);

    if (c->values == VALUE_GENERATED)
        c = find_column(t, VALUE_INT);
    sqlite3_str_appendf(s, "%s = ", c->name);
    if (random_chance(&g->random, 12))
        sqlite3_str_appendf(s, "%s", c->name); /* as it was */
    else if (c->values == VALUE_INT && random_chance(&g->random, 30))
        sqlite3_str_appendf(s, "%s", random_chance(&g->random, 60) ? "a + 1" : pick_conversion(g));
    else if (c->values == VALUE_TEXT && random_chance(&g->random, 20))
        sqlite3_str_appendf(s, PICK(g, "upper(%s)", "lower(%s)"), c->name);
    else
        append_pick(g, s, c->values);
    if (strcmp(c->name, "a") != 0 && random_chance(&g->random, 15))
        sqlite3_str_appendf(s, ", a = %s", pick_conversion(g));
}

static char *update(generator *g, const table *t)
{
    sqlite3_str *s = sql_new();

    sqlite3_str_appendf(
        s, "%s %s SET ",
        PICK(g, "UPDATE", "UPDATE", "UPDATE OR REPLACE", "UPDATE OR IGNORE", "UPDATE OR FAIL"), t->name);
    append_assignment(g, s, t);
    if (!random_chance(&g->random, 6))
        append_condition(g, s, t);
    return sqlite3_str_finish(s);
}

/* A key that changes is another row. */
static char *update_key(generator *g, const table *t)
{
    sqlite3_str *s = sql_new();

    sqlite3_str_appendf(s, "%s %s SET %s = ", PICK(g, "UPDATE", "UPDATE OR REPLACE", "UPDATE OR IGNORE"),
                        t->name, key_of(t));
    if (t->text_key || random_chance(&g->random, 60))
        append_pick(g, s, key_values(t));
    else
        sqlite3_str_appendf(s, "%s + %d", key_of(t), 1 + (int)random_below(&g->random, 3));
    sqlite3_str_appendf(s, " WHERE %s = ", key_of(t));
    append_pick(g, s, key_values(t));
    return sqlite3_str_finish(s);
}

static char *update_from(generator *g, const table *t)
{
    const table *from = pick_ordinary_table(g);

    if (t->kind >= TABLE_FTS)
        return update(g, t);
    return sqlite3_mprintf(
        "UPDATE OR IGNORE %s SET a = q.a FROM (SELECT a, count(*) AS n FROM %s GROUP BY a) AS q "
        "WHERE q.n = %s.a",
        t->name, from->name, t->name);
}

/* --------------------------------------------------------- deletes -- */

static char *delete_some(generator *g, const table *t)
{
    sqlite3_str *s = sql_new();

    sqlite3_str_appendf(s, "DELETE FROM %s", t->name);
    append_condition(g, s, t);
    if (t->kind < TABLE_FTS && random_chance(&g->random, 15))
        sqlite3_str_appendall(s, " RETURNING *");
    return sqlite3_str_finish(s);
}

static char *delete_all(generator *g, const table *t)
{
    (void)g;
    if (t->kind == TABLE_FTS_EXTERNAL)
        return sqlite3_mprintf("INSERT INTO f2(f2) VALUES ('rebuild')");
    return sqlite3_mprintf("DELETE FROM %s", t->name);
}

/* Row ids that SQLite chose grow without end; this keeps tables small. */
static char *delete_surplus(generator *g, const table *t)
{
    (void)g;
    if (t->text_key || t->kind == TABLE_PAIR || t->kind >= TABLE_FTS)
        return sqlite3_mprintf("DELETE FROM %s WHERE %s > 20", t->name, t->kind == TABLE_PAIR ? "y" : t->key);
    return sqlite3_mprintf("DELETE FROM %s WHERE rowid > 30 OR b IN ('sel', 'trig')", t->name);
}

/* ------------------------------------------------------- row statements -- */

static char *virtual_command(generator *g, const table *t)
{
    if (t->kind == TABLE_FTS)
        return sqlite3_mprintf("INSERT INTO f1(f1%s) VALUES ('%s')", "",
                               PICK(g, "optimize", "rebuild", "merge"));
    if (t->kind == TABLE_FTS_EXTERNAL)
        return sqlite3_mprintf("INSERT INTO f2(f2) VALUES ('rebuild')");
    return NULL;
}

static char *cascade(generator *g)
{
    const table *t = parent_of(g);

    if (random_chance(&g->random, 60))
        return sqlite3_mprintf("DELETE FROM %s WHERE id = (SELECT id FROM %s ORDER BY id LIMIT 1 OFFSET %d)",
                               t->name, t->name, (int)random_below(&g->random, 10));
    return update_key(g, t);
}

static char *row_statement(generator *g)
{
    const table *t = pick_table(g);
    char *command = random_chance(&g->random, 12) ? virtual_command(g, t) : NULL;

    if (command)
        return command;
    switch (random_below(&g->random, 28)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
        return insert(g, t);
    case 8:
        return upsert(g, t);
    case 9:
        return insert_select(g, t);
    case 10:
    case 11:
    case 12:
    case 13:
    case 14:
    case 22:
    case 23:
    case 24:
    case 25:
        return update(g, t);
    case 15:
    case 16:
        return update_key(g, t);
    case 17:
        return update_from(g, t);
    case 18:
    case 19:
        return delete_some(g, t);
    case 20:
        return random_chance(&g->random, 20) ? delete_all(g, t) : delete_some(g, t);
    case 21:
        return t->kind == TABLE_LOG ? delete_all(g, t) : delete_surplus(g, t);
    default:
        return cascade(g);
    }
}

/* ---------------------------------------------------- schema changes -- */

/* What is taken away comes back some commits later. SQL is transferred. */
static void repair_later(generator *g, char *sql)
{
    if (g->nrepairs == REPAIRS_MAX)
        sqlite3_free(sql);
    else
        g->repairs[g->nrepairs++] = sql;
}

static char *next_repair(generator *g)
{
    char *sql = g->repairs[0];

    g->nrepairs--;
    memmove(g->repairs, g->repairs + 1, g->nrepairs * sizeof *g->repairs);
    return sql;
}

/* A table takes its indexes and triggers along; IF NOT EXISTS makes it harmless to make too much again. */
static char *drop(generator *g)
{
    const schema *s = &g->schema;
    size_t number = random_below(&g->random, s->nobjects);
    const object *o = &s->objects[number];

    if (o->type[1] == 'A' && random_chance(&g->random, 60))
        return sqlite3_mprintf("%s", o->create); /* tables seldom */
    repair_later(g, sqlite3_mprintf("%s", o->create));
    for (size_t i = 0; o->type[1] == 'A' && i < s->nobjects; i++) {
        if (i != number && strstr(s->objects[i].create, o->name))
            repair_later(g, sqlite3_mprintf("%s", s->objects[i].create));
    }
    return sqlite3_mprintf("DROP %s IF EXISTS %s", o->type, o->name);
}

static char *alter(generator *g)
{
    const table *picked = pick_ordinary_table(g);
    const char *t = picked->name;

    switch (random_below(&g->random, 3)) {
    case 0:
        repair_later(g, sqlite3_mprintf("ALTER TABLE %s DROP COLUMN n1", t));
        return sqlite3_mprintf("ALTER TABLE %s ADD COLUMN n1%s", t, PICK(g, "", " INT DEFAULT 4", " AS (a)"));
    case 1:
        repair_later(g, sqlite3_mprintf("ALTER TABLE %s RENAME COLUMN a2 TO a", t));
        return sqlite3_mprintf("ALTER TABLE %s RENAME COLUMN a TO a2", t);
    default:
        repair_later(g, sqlite3_mprintf("ALTER TABLE %st9 RENAME TO %s", picked->attached ? "aux." : "",
                                        picked->base));
        return sqlite3_mprintf("ALTER TABLE %s RENAME TO t9", t);
    }
}

/* A view of the same name with another body: what its readers read changes. */
static char *redefine_view(generator *g)
{
    const table *t = pick_ordinary_table(g);

    if (g->schema.nviews == 0)
        return drop(g);
    return sqlite3_mprintf("CREATE VIEW IF NOT EXISTS %s AS SELECT a, count(*) AS b FROM %s GROUP BY a",
                           g->schema.views[random_below(&g->random, g->schema.nviews)], t->name);
}

static char *schema_statement(generator *g)
{
    switch (random_below(&g->random, 10)) {
    case 0:
    case 1:
    case 2:
    case 3:
        return drop(g);
    case 4:
    case 5:
        return alter(g);
    case 6:
        return sqlite3_mprintf("PRAGMA user_version = %d", (int)random_below(&g->random, 4));
    case 7:
        if (g->plan->analyzes)
            return sqlite3_mprintf(PICK(g, "ANALYZE", "PRAGMA optimize"));
        return sqlite3_mprintf("REINDEX");
    default:
        return redefine_view(g);
    }
}

/* ------------------------------------------------------- commits -- */

static char *any_statement(generator *g)
{
    if (g->nrepairs > 0 && random_chance(&g->random, 15))
        return next_repair(g);
    return random_chance(&g->random, 1) ? schema_statement(g) : row_statement(g);
}

static void add_statement(generator *g)
{
    plan_add_step(g->plan, STEP_SQL, any_statement(g));
}

static void add_batch(generator *g)
{
    const table *t = pick_ordinary_table(g);
    step *s;

    plan_begin(g->plan, COMMIT_ALONE);
    plan_add_step(g->plan, STEP_BATCH,
                  t->kind == TABLE_PAIR
                      ? sqlite3_mprintf("INSERT OR REPLACE INTO %s(y, x) VALUES (?1, ?1 %% 7)", t->name)
                      : sqlite3_mprintf("%s %s SET a = ?1 WHERE %s", PICK(g, "UPDATE", "UPDATE OR IGNORE"),
                                        t->name, t->text_key ? "length(k) = ?1" : "rowid = ?1"));
    s = plan_last_step(g->plan);
    s->nvalues = 1 + random_below(&g->random, BATCH_MAX);
    for (size_t i = 0; i < s->nvalues; i++)
        s->values[i] = (int64_t)random_below(&g->random, 24);
}

static void add_savepoint(generator *g, unsigned depth)
{
    size_t n = random_below(&g->random, 4);

    plan_add_step(g->plan, STEP_SAVEPOINT, NULL);
    for (size_t i = 0; i < n; i++) {
        if (depth < 3 && random_chance(&g->random, 15))
            add_savepoint(g, depth + 1);
        else
            add_statement(g);
    }
    plan_add_step(g->plan, random_chance(&g->random, 55) ? STEP_ROLLBACK_TO : STEP_RELEASE, NULL);
}

static void add_transaction(generator *g)
{
    size_t n = 1 + random_below(&g->random, 5);

    plan_begin(g->plan, random_chance(&g->random, 12) ? COMMIT_TX_UNDONE : COMMIT_TX);
    if (random_chance(&g->random, 10))
        plan_add_step(g->plan, STEP_SQL, sqlite3_mprintf("PRAGMA defer_foreign_keys = 1"));
    for (size_t i = 0; i < n; i++) {
        if (random_chance(&g->random, 30))
            add_savepoint(g, 1);
        else
            add_statement(g);
    }
}

static void add_together(generator *g)
{
    size_t n = 2 + random_below(&g->random, 5);

    plan_begin(g->plan, COMMIT_ASYNC);
    for (size_t i = 0; i < n; i++)
        add_statement(g);
}

static void add_foreign(generator *g)
{
    size_t n = 1 + random_below(&g->random, 2);

    plan_begin(g->plan, COMMIT_FOREIGN);
    for (size_t i = 0; i < n; i++)
        add_statement(g);
}

/* One stream less, another one more. */
static void exchange_stream(generator *g)
{
    plan_add_opening(g->plan, COMMIT_CLOSE, random_below(&g->random, g->plan->nqueries));
    plan_add_stream(g);
    g->plan->commits[g->plan->ncommits - 1].hasty = random_chance(&g->random, 60);
}

/* Other values for one of the parameters. */
static void move_stream(generator *g)
{
    size_t number = random_below(&g->random, g->plan->nqueries);
    const query *q = &g->plan->queries[number];
    commit *c;

    if (q->nparams == 0)
        return;
    plan_add_opening(g->plan, COMMIT_MOVE, number);
    c = &g->plan->commits[g->plan->ncommits - 1];
    memcpy(c->params, q->params, sizeof c->params);
    for (size_t i = 0; i < q->nparams; i++) {
        if (random_chance(&g->random, 60))
            c->params[i] = pick_value(g, (value_kind)q->kinds[i]);
    }
    c->hasty = random_chance(&g->random, 60);
}

void commits_generate(generator *g)
{
    size_t dice = random_below(&g->random, 100);
    commit *c;

    if (dice < 1)
        exchange_stream(g);
    else if (dice < 6)
        move_stream(g);
    if (dice < 72) {
        plan_begin(g->plan, COMMIT_ALONE);
        add_statement(g);
    } else if (dice < 92) {
        add_transaction(g);
    } else if (dice < 95) {
        add_batch(g);
    } else if (dice < 98) {
        add_together(g);
    } else if (dice < 99) {
        add_foreign(g);
    } else {
        plan_begin(g->plan, COMMIT_ALONE);
        plan_add_step(g->plan, STEP_SQL,
                      random_chance(&g->random, 90) ? schema_statement(g) : sqlite3_mprintf("VACUUM"));
    }
    c = &g->plan->commits[g->plan->ncommits - 1];
    c->hasty = random_chance(&g->random, 20);
    if (c->hasty && random_chance(&g->random, 40))
        c->after_us = 100u << random_below(&g->random, 5);
    /* Not two in a row: the second one is what comes meanwhile. */
    if (!c->hasty && g->plan->gated && random_chance(&g->random, 12))
        c->meets_run = g->plan->ncommits < 2 || !c[-1].meets_run;
    if (c->kind <= COMMIT_TX && random_chance(&g->random, 10))
        c->origin = ORACLE_ORIGIN;
}
