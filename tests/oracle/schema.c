/*
 * The schema: two to five ordinary tables of all kinds, a log that triggers
 * write to, full-text and R-Tree tables, and indexes, views and triggers on
 * them. Tables share the names of columns, so that USING and NATURAL find some.
 */
#include "schema.h"

#include <stdio.h>
#include <string.h>

static void add_object(schema *s, const char *type, const char *name, char *create)
{
    object *o = &s->objects[s->nobjects];

    if (s->nobjects == OBJECTS_MAX) {
        sqlite3_free(create);
        return;
    }
    *o = (object){.type = type, .create = create};
    (void)snprintf(o->name, sizeof o->name, "%s", name);
    s->nobjects++;
}

static void add_column(table *t, sqlite3_str *sql, const char *name, value_kind values, const char *decl)
{
    t->columns[t->ncolumns++] = (column){.name = name, .values = values};
    sqlite3_str_appendf(sql, "%s%s %s", t->ncolumns > 1 ? ", " : "", name, decl);
}

/* The columns that tell rows apart. Returns what follows the columns in CREATE TABLE. */
static const char *add_key(generator *g, table *t, sqlite3_str *sql)
{
    switch (t->kind) {
    case TABLE_TEXTKEY:
        t->text_key = true;
        t->key = "k";
        add_column(t, sql, "k", VALUE_TEXT,
                   PICK(g, "TEXT PRIMARY KEY", "TEXT COLLATE NOCASE PRIMARY KEY", "ANY PRIMARY KEY DESC",
                        "TEXT COLLATE RTRIM PRIMARY KEY"));
        return ") WITHOUT ROWID";
    case TABLE_PAIR:
        t->key = "x, y";
        add_column(t, sql, "x", VALUE_INT,
                   PICK(g, "INTEGER", "", "TEXT", "TEXT COLLATE NOCASE", "REAL", "NUMERIC"));
        add_column(t, sql, "y", VALUE_KEY, PICK(g, "INTEGER", "INTEGER", "", "TEXT COLLATE RTRIM"));
        return PICK(g, ", PRIMARY KEY (x, y)) WITHOUT ROWID", ", PRIMARY KEY (y, x DESC)) WITHOUT ROWID");
    case TABLE_BARE:
        t->key = "rowid";
        return ")";
    default:
        t->key = "id";
        add_column(
            t, sql, "id", VALUE_KEY,
            PICK(g, "INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT"));
        return ")";
    }
}

static void add_parent(generator *g, table *t, sqlite3_str *sql)
{
    if (t->kind == TABLE_CHILD)
        add_column(t, sql, "pid", VALUE_PARENT,
                   PICK(g, "INTEGER REFERENCES t0(id) ON DELETE CASCADE ON UPDATE CASCADE",
                        "INTEGER REFERENCES t0(id) ON DELETE CASCADE ON UPDATE SET NULL",
                        "INTEGER DEFAULT 1 REFERENCES t0 ON DELETE SET DEFAULT ON UPDATE CASCADE",
                        "INTEGER REFERENCES t0 ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED"));
}

static void add_generated(generator *g, table *t, sqlite3_str *sql)
{
    if (random_chance(&g->random, 35))
        add_column(t, sql, "g", VALUE_GENERATED,
                   PICK(g, "AS (a + 1)", "INT AS (a * 2) STORED", "AS (a || b) VIRTUAL",
                        "AS (coalesce(a, -1))", "INT AS (a % 4) STORED",
                        "TEXT COLLATE NOCASE AS (b) STORED"));
    if (random_chance(&g->random, 25))
        add_column(t, sql, "h", VALUE_GENERATED,
                   PICK(g, "TEXT AS (lower(b)) STORED", "TEXT AS (lower(b))", "AS (length(b)) VIRTUAL"));
}

/* Names of attached tables begin so. */
#define AUX "aux."

/* Queries by a generated column read nothing that it is made from, if it has an index. */
static void index_generated(generator *g, const table *t)
{
    const column *c = find_column(t, VALUE_GENERATED);
    char name[16];

    if (!c || random_chance(&g->random, 40))
        return;
    (void)snprintf(name, sizeof name, "%sg_%s", t->attached ? AUX : "", t->base);
    add_object(&g->schema, "INDEX", name,
               sqlite3_mprintf("CREATE INDEX IF NOT EXISTS %s ON %s(%s)", name, t->base, c->name));
}

static void make_table(generator *g, const char *name, table_kind kind)
{
    table *t = &g->schema.tables[g->schema.ntables++];
    sqlite3_str *sql = sqlite3_str_new(NULL);
    const char *tail;

    *t = (table){.name = name, .kind = kind, .base = name};
    if (strncmp(name, AUX, sizeof AUX - 1) == 0) {
        t->attached = true;
        t->base += sizeof AUX - 1;
    }
    sqlite3_str_appendf(sql, "CREATE TABLE IF NOT EXISTS %s(", name);
    tail = add_key(g, t, sql);
    add_parent(g, t, sql);
    add_column(t, sql, "a", VALUE_INT, PICK(g, "INTEGER", "INT", "", "NUMERIC DEFAULT 3", "TEXT"));
    add_column(t, sql, "b", VALUE_TEXT, PICK(g, "TEXT", "TEXT COLLATE NOCASE", "TEXT COLLATE RTRIM", "TEXT"));
    if (random_chance(&g->random, 50))
        add_column(t, sql, "c", VALUE_REAL, PICK(g, "REAL", "", "REAL DEFAULT 0.5"));
    if (random_chance(&g->random, 40))
        add_column(t, sql, "d", VALUE_DOC, PICK(g, "", "TEXT", "BLOB"));
    if (random_chance(&g->random, 55))
        add_column(t, sql, "u", VALUE_UNIQUE,
                   PICK(g, "INT UNIQUE", "UNIQUE", "INTEGER UNIQUE ON CONFLICT REPLACE", "TEXT UNIQUE",
                        "REAL UNIQUE"));
    add_generated(g, t, sql);
    sqlite3_str_appendall(sql, tail);
    add_object(&g->schema, "TABLE", name, sqlite3_str_finish(sql));
    index_generated(g, t);
}

/* Its rows are bounded by its key. */
static void make_log(generator *g)
{
    table *t = &g->schema.tables[g->schema.ntables++];

    *t = (table){.name = "log",
                 .kind = TABLE_LOG,
                 .base = "log",
                 .columns = {{"id", VALUE_KEY}, {"t", VALUE_TEXT}, {"a", VALUE_INT}},
                 .ncolumns = 3,
                 .key = "id"};
    add_object(&g->schema, "TABLE", "log",
               sqlite3_mprintf("CREATE TABLE IF NOT EXISTS log(id INTEGER PRIMARY KEY, t TEXT, a INT)"));
}

static void make_virtual_tables(generator *g)
{
    schema *s = &g->schema;

    if (random_chance(&g->random, 45)) {
        s->tables[s->ntables++] = (table){.name = "f1",
                                          .kind = TABLE_FTS,
                                          .columns = {{"b", VALUE_WORDS}, {"w", VALUE_WORDS}},
                                          .ncolumns = 2,
                                          .key = "rowid"};
        add_object(s, "TABLE", "f1",
                   sqlite3_mprintf("CREATE VIRTUAL TABLE IF NOT EXISTS f1 USING fts5(b, w%s)",
                                   PICK(g, "", ", prefix='2'", ", columnsize=0")));
    }
    if (random_chance(&g->random, 30)) {
        s->tables[s->ntables++] = (table){.name = "f2",
                                          .kind = TABLE_FTS_EXTERNAL,
                                          .columns = {{"b", VALUE_TEXT}},
                                          .ncolumns = 1,
                                          .key = "rowid"};
        add_object(s, "TABLE", "f2",
                   sqlite3_mprintf("CREATE VIRTUAL TABLE IF NOT EXISTS f2 USING "
                                   "fts5(b, content='t0', content_rowid='id')"));
    }
    if (random_chance(&g->random, 25)) {
        s->tables[s->ntables++] =
            (table){.name = "r1",
                    .kind = TABLE_RTREE,
                    .columns = {{"id", VALUE_KEY}, {"x0", VALUE_REAL}, {"x1", VALUE_REAL}},
                    .ncolumns = 3,
                    .key = "id"};
        add_object(s, "TABLE", "r1",
                   sqlite3_mprintf("CREATE VIRTUAL TABLE IF NOT EXISTS r1 USING rtree(id, x0, x1)"));
    }
}

/* An index on a column of any kind. */
static char *index_on(generator *g, const char *name, const table *t, char form)
{
    const column *generated = find_column(t, VALUE_GENERATED);
    const char *c = generated && random_chance(&g->random, 50) ? generated->name : pick_column(g, t)->name;
    const char *a = t->kind == TABLE_LOG ? "t" : "a";
    const char *other = strcmp(c, a) == 0 ? t->columns[0].name : c;
    char *what;

    switch (form) {
    case '2':
        what = sqlite3_mprintf("%s, %s", other, a);
        break;
    case '3':
        what = sqlite3_mprintf("%s, %s DESC", a, other);
        break;
    case '4':
        what = sqlite3_mprintf("%s COLLATE NOCASE, %s", other, a);
        break;
    case '5':
        return sqlite3_mprintf("CREATE INDEX IF NOT EXISTS %s ON %s(%s) WHERE %s IS NOT NULL", name, t->base,
                               a, other);
    default:
        what = sqlite3_mprintf("%s", c);
    }
    return sqlite3_mprintf("CREATE INDEX IF NOT EXISTS %s ON %s(%z)", name, t->base, what);
}

static void make_index(generator *g, size_t number)
{
    const table *t = pick_ordinary_table(g);
    const char *what =
        PICK(g, "(a)", "(b)", "(a, b)", "(b COLLATE NOCASE)", "(b, a)", "(a DESC)", "(lower(b))", "(a + 0)",
             "(a) WHERE a > 2", "(b) WHERE b IS NOT NULL", "(a, b) WHERE a < 5", "*", "*", "2", "3", "4", "5",
             "(a, b COLLATE RTRIM)", "(b COLLATE NOCASE, a DESC)", "(a) WHERE b = 'ab'",
             "(b) WHERE a BETWEEN 1 AND 5", "(lower(b), a)", "(length(b))", "(a) WHERE b > 'aa'");
    const char *unique = random_chance(&g->random, 15) ? "UNIQUE " : "";
    char name[16];

    (void)snprintf(name, sizeof name, "%si%zu", t->attached ? AUX : "", number);
    if (t->kind == TABLE_LOG)
        what = "(a)";
    if (what[0] == '(')
        add_object(&g->schema, "INDEX", name,
                   sqlite3_mprintf("CREATE %sINDEX IF NOT EXISTS %s ON %s%s", unique, name, t->base, what));
    else
        add_object(&g->schema, "INDEX", name, index_on(g, name, t, what[0]));
}

/* Triggers and views reach no other file. */
static const table *pick_main_table(generator *g)
{
    const table *t;

    do
        t = pick_ordinary_table(g);
    while (t->attached);
    return t;
}

/* What a trigger does; %s is "new" or "old". */
static char *trigger_body(generator *g, const table *t, const char *row)
{
    const table *other = pick_main_table(g);

    /* A child's rows are changed by the statement itself and by foreign keys only, so that these can be told.
     */
    if (other == t || other->kind == TABLE_CHILD || other->kind == TABLE_LOG || random_chance(&g->random, 40))
        return sqlite3_mprintf("INSERT OR REPLACE INTO log VALUES (abs(coalesce(%s.a, 0)) %% 16, '%s', %s.a)",
                               row, t->name, row);
    switch (random_below(&g->random, 4)) {
    case 0:
        return sqlite3_mprintf("DELETE FROM %s WHERE a = %s.a", other->name, row);
    case 1:
        return sqlite3_mprintf("UPDATE OR IGNORE %s SET b = %s.b WHERE a = %s.a", other->name, row, row);
    case 2:
        return sqlite3_mprintf("INSERT OR IGNORE INTO %s(a, b) VALUES (%s.a, 'trig')", other->name, row);
    default:
        return sqlite3_mprintf("UPDATE OR IGNORE %s SET a = a + 1 WHERE b = %s.b AND a < 9", other->name,
                               row);
    }
}

static void make_trigger(generator *g, size_t number)
{
    const table *t = pick_main_table(g);
    const char *event = PICK(g, "INSERT", "UPDATE", "UPDATE OF a", "DELETE");
    const char *moment = PICK(g, "AFTER", "AFTER", "BEFORE");
    char *body;
    char name[16];

    if (t->kind == TABLE_LOG)
        return;
    (void)snprintf(name, sizeof name, "g%zu", number);
    body = trigger_body(g, t, event[0] == 'D' ? "old" : "new");
    add_object(&g->schema, "TRIGGER", name,
               sqlite3_mprintf("CREATE TRIGGER IF NOT EXISTS %s %s %s ON %s BEGIN %z; END", name, moment,
                               event, t->name, body));
}

/* They keep the text index of the first table's texts. */
static void make_external_triggers(schema *s)
{
    add_object(s, "TRIGGER", "e_i",
               sqlite3_mprintf("CREATE TRIGGER IF NOT EXISTS e_i AFTER INSERT ON t0 BEGIN "
                               "INSERT INTO f2(rowid, b) VALUES (new.id, new.b); END"));
    add_object(s, "TRIGGER", "e_d",
               sqlite3_mprintf("CREATE TRIGGER IF NOT EXISTS e_d AFTER DELETE ON t0 BEGIN "
                               "INSERT INTO f2(f2, rowid, b) VALUES ('delete', old.id, old.b); END"));
    add_object(s, "TRIGGER", "e_u",
               sqlite3_mprintf("CREATE TRIGGER IF NOT EXISTS e_u AFTER UPDATE ON t0 BEGIN "
                               "INSERT INTO f2(f2, rowid, b) VALUES ('delete', old.id, old.b); "
                               "INSERT INTO f2(rowid, b) VALUES (new.id, new.b); END"));
}

static void make_view(generator *g, size_t number)
{
    static const char *const names[VIEWS_MAX] = {"v0", "v1", "v2"};
    const char *t = pick_main_table(g)->name, *u = pick_main_table(g)->name;
    schema *s = &g->schema;
    char *body;

    if (number > 0 && random_chance(&g->random, 40))
        body = sqlite3_mprintf("SELECT a, count(*) AS b FROM %s GROUP BY a", s->views[number - 1]);
    else if (random_chance(&g->random, 50))
        body = sqlite3_mprintf("SELECT p.a AS a, q.a AS b FROM %s p JOIN %s q ON p.a = q.a", t, u);
    else
        body = sqlite3_mprintf("SELECT a, %s AS b FROM %s WHERE a > 1", t[0] == 'l' ? "t" : "b", t);
    s->views[s->nviews++] = names[number];
    add_object(s, "VIEW", names[number],
               sqlite3_mprintf("CREATE VIEW IF NOT EXISTS %s AS %z", names[number], body));
}

static void make_tables(generator *g)
{
    static const char *const names[] = {"t0", "t1", "t2", "t3", "t4"};
    size_t n = 2 + random_below(&g->random, 4);

    for (size_t i = 0; i < n; i++)
        make_table(g, names[i], i == 0 ? TABLE_ROWID : (table_kind)random_below(&g->random, TABLE_LOG));
    make_log(g);
    make_virtual_tables(g);
    /* Names that main has, too. */
    if (g->plan->attaches) {
        make_table(g, AUX "t0", (table_kind)random_below(&g->random, TABLE_CHILD));
        make_table(g, AUX "t1", (table_kind)random_below(&g->random, TABLE_CHILD));
    }
}

void schema_generate(generator *g)
{
    schema *s = &g->schema;
    size_t indexes = 1 + random_below(&g->random, 8), triggers = random_below(&g->random, 4);
    size_t views = random_below(&g->random, VIEWS_MAX + 1);

    make_tables(g);
    for (size_t i = 0; i < indexes; i++)
        make_index(g, i);
    for (size_t i = 0; i < triggers; i++)
        make_trigger(g, i);
    for (size_t i = 0; i < s->ntables; i++) {
        if (s->tables[i].kind == TABLE_FTS_EXTERNAL)
            make_external_triggers(s);
    }
    for (size_t i = 0; i < views; i++)
        make_view(g, i);
    for (size_t i = 0; i < s->nobjects; i++) {
        plan_begin(g->plan, COMMIT_ALONE);
        plan_add_step(g->plan, STEP_SQL, sqlite3_mprintf("%s", s->objects[i].create));
    }
    for (size_t i = 0; i < s->ntables; i++)
        commits_fill(g, &s->tables[i]);
}

void schema_fini(generator *g)
{
    for (size_t i = 0; i < g->schema.nobjects; i++)
        sqlite3_free(g->schema.objects[i].create);
    for (size_t i = 0; i < g->nrepairs; i++)
        sqlite3_free(g->repairs[i]);
}
