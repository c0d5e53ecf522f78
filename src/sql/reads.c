/*
 * What does a query depend on?
 *
 * The authorizer does not say all of it (`SELECT count(*) FROM p JOIN q
 * USING (x)` reports neither table), so the answer is the union of what it
 * reports and of the compiled program: each OpenRead names a root page, which
 * the schema maps to a table or an index, and each Column names a column of it.
 * What cannot be explained (a virtual table that is not known, a read of the
 * file's header, an opcode that is not known) means "everything".
 *
 * Of a table that is read matter, besides the columns named:
 *   - all columns of each index that the program opens, with those of its
 *     condition and of its expressions: they decide which rows come, in what order;
 *   - for a generated column that is not stored, those that it is made from.
 * A cursor that only counts depends on which rows there are, and on no column.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/plant.h"
#include "sql/analysis.h"

static bool is_system(const char *table)
{
    return sqlite3_strnicmp(table, "sqlite_", 7) == 0;
}

/* --- tables --- */

static bool copy_names(rsq_table_dep *dep, const rsq_catalog_table *t)
{
    dep->names = rsq_alloc_zero(t->ncolumns * sizeof *dep->names);
    if (!dep->names)
        return false;
    dep->ncolumns = (uint32_t)t->ncolumns;
    for (size_t i = 0; i < t->ncolumns; i++) {
        dep->names[i] = rsq_copy_text(t->columns[i].name, strlen(t->columns[i].name));
        if (!dep->names[i])
            return false;
    }
    return true;
}

static bool copy_primary(rsq_table_dep *dep, const rsq_catalog_table *t)
{
    for (size_t i = 0; i < t->nindexes; i++) {
        const rsq_catalog_index *index = &t->indexes[i];

        if (!index->primary)
            continue;
        dep->primary = rsq_alloc(index->nkeys * sizeof *dep->primary);
        if (!dep->primary)
            return false;
        for (size_t j = 0; j < index->nkeys; j++)
            dep->primary[j] = (uint32_t)index->parts[j].column;
        dep->nprimary = index->nkeys;
    }
    return true;
}

static bool fill_table(rsq_table_dep *dep, const rsq_catalog_table *t)
{
    size_t schema_len = strlen(t->schema);
    size_t name_len = strlen(t->name);

    dep->name = rsq_alloc(schema_len + name_len + 2);
    if (!dep->name || !copy_names(dep, t) || !copy_primary(dep, t))
        return false;
    memcpy(dep->name, t->schema, schema_len);
    dep->name[schema_len] = '.';
    memcpy(dep->name + schema_len + 1, t->name, name_len + 1);
    dep->rowid = t->rowid;
    for (size_t i = 0; i < t->ncolumns; i++) {
        if (t->columns[i].has_default && sqlite3_libversion_number() < RSQ_VERSION_TELLS_ROWS)
            rsq_column_set_add(&dep->doubtful, (unsigned)i);
    }
    return true;
}

/* An older SQLite counts only columns that are stored: behind one that is not it tells another's value. */
static bool is_misnumbered(const rsq_catalog_table *t)
{
    bool shifted = false;

    for (size_t i = 0; i < t->ncolumns; i++) {
        if (shifted && !t->columns[i].is_virtual)
            return sqlite3_libversion_number() < RSQ_VERSION_TELLS_ROWS;
        shifted = shifted || t->columns[i].is_virtual;
    }
    return false;
}

static bool is_of(const rsq_table_dep *dep, const rsq_catalog_table *t)
{
    size_t schema_len = strlen(t->schema);

    return strlen(dep->name) == schema_len + 1 + strlen(t->name) &&
           sqlite3_strnicmp(dep->name, t->schema, (int)schema_len) == 0 &&
           sqlite3_stricmp(dep->name + schema_len + 1, t->name) == 0;
}

rsq_table_dep *rsq_analysis_table(rsq_analysis *a, rsq_catalog_table *t)
{
    rsq_depends *d = a->d;
    rsq_table_dep *grown, *dep;

    for (size_t i = 0; i < d->ntables; i++) {
        if (is_of(&d->tables[i], t))
            return &d->tables[i];
    }
    grown = rsq_realloc(d->tables, (d->ntables + 1) * sizeof *grown);
    if (!grown) {
        a->failed = true;
        return NULL;
    }
    d->tables = grown;
    dep = &grown[d->ntables++];
    memset(dep, 0, sizeof *dep);
    if (is_misnumbered(t))
        d->everything = true;
    if (fill_table(dep, t))
        return dep;
    a->failed = true;
    return NULL;
}

/* --- cursors --- */

static bool opens_btree(const rsq_step *s)
{
    return s->opcode == RSQ_OP_OPEN_READ || s->opcode == RSQ_OP_REOPEN_IDX;
}

static void open_cursor(rsq_analysis *a, size_t step)
{
    const rsq_step *s = &a->program.steps[step];
    const char *schema = sqlite3_db_name(a->conn->db, s->p3);
    rsq_opened *grown = rsq_realloc(a->opened, (a->nopened + 1) * sizeof *grown);
    rsq_opened *o;
    rsq_table_dep *dep;

    if (!grown) {
        a->failed = true;
        return;
    }
    a->opened = grown;
    o = &grown[a->nopened];
    *o = (rsq_opened){.cursor = s->p1, .step = step};
    if (!schema || s->p2 <= 1 || !rsq_catalog_root(&a->catalog, schema, s->p2, &o->table, &o->index) ||
        is_system(o->table->name)) {
        /* System tables change without a row event: they depend on every commit. */
        a->d->everything = true;
        return;
    }
    dep = rsq_analysis_table(a, o->table);
    if (!dep)
        return;
    o->dep = (size_t)(dep - a->d->tables);
    a->nopened++;
}

static void open_cursors(rsq_analysis *a)
{
    const rsq_program *p = &a->program;

    if (!p->known)
        a->d->everything = true;
    for (size_t i = 0; i < p->count; i++) {
        const rsq_step *s = &p->steps[i];

        if (s->does & RSQ_STEP_OPAQUE)
            a->d->everything = true;
        else if (opens_btree(s) && !RSQ_PLANTED(RSQ_PLANT_CURSORS))
            open_cursor(a, i);
        else if (s->opcode == RSQ_OP_VOPEN)
            rsq_analysis_virtual(a, s->p4 ? s->p4 : "");
    }
}

/* --- columns --- */

/* The columns that a program of ours reads from the only table it opens. */
static void add_read_by(rsq_analysis *a, const rsq_catalog_table *t, rsq_column_set *to, const char *sql)
{
    rsq_program p = {0};

    if (rsq_program_load(a->conn, sql, strlen(sql), &p, NULL) != RSQ_OK) {
        to->all = true;
        return;
    }
    for (size_t i = 0; i < p.count; i++) {
        const rsq_step *s = &p.steps[i];
        int cursor = -1;

        for (size_t j = 0; j < i; j++) {
            if (p.steps[j].opcode == RSQ_OP_OPEN_READ && p.steps[j].p1 == s->p1)
                cursor = s->p1;
        }
        if (s->opcode == RSQ_OP_COLUMN && s->p1 == cursor) {
            int column = rsq_catalog_stored(t, s->p2);

            if (column < 0)
                to->all = true;
            else
                rsq_column_set_add(to, (unsigned)column);
        }
    }
    if (!p.known)
        to->all = true;
    rsq_program_fini(&p);
}

/* What SQLite would read to make the index anew: its columns, those of its condition and of its expressions.
 */
static void add_computed_index(rsq_analysis *a, const rsq_catalog_table *t, const rsq_catalog_index *index,
                               rsq_column_set *to)
{
    char *sql = t->rowid ? sqlite3_mprintf("REINDEX \"%w\".\"%w\"", t->schema, index->name) : NULL;

    if (sql)
        add_read_by(a, t, to, sql);
    else
        to->all = true;
    sqlite3_free(sql);
}

/* A column that is not stored stands for those that it is made from. */
static void add_column(rsq_analysis *a, const rsq_catalog_table *t, int column, rsq_column_set *to)
{
    char *sql;

    if (column < 0 || (size_t)column >= t->ncolumns) {
        to->all = true;
        return;
    }
    if (!t->columns[column].is_virtual) {
        rsq_column_set_add(to, (unsigned)column);
        return;
    }
    if (RSQ_PLANTED(RSQ_PLANT_GENERATED))
        return;
    sql = t->rowid ? sqlite3_mprintf("SELECT \"%w\" FROM \"%w\".\"%w\" NOT INDEXED", t->columns[column].name,
                                     t->schema, t->name)
                   : NULL;
    if (sql)
        add_read_by(a, t, to, sql);
    else
        to->all = true;
    sqlite3_free(sql);
}

static void add_index(rsq_analysis *a, const rsq_opened *o, rsq_column_set *to)
{
    const rsq_catalog_index *index = o->index;

    if (index->computed && RSQ_PLANTED(RSQ_PLANT_GENERATED))
        return;
    if (index->partial || index->computed) {
        add_computed_index(a, o->table, index, to);
        return;
    }
    /* The b-tree of a table holds all its columns; those that are read are named. */
    for (size_t i = 0; i < (index->primary ? index->nkeys : index->nparts); i++) {
        if (index->parts[i].column >= 0)
            rsq_column_set_add(to, (unsigned)index->parts[i].column);
    }
}

/* Is nothing asked of the cursor but how many entries there are? */
static bool only_counts(const rsq_analysis *a, int cursor)
{
    for (size_t i = 0; i < a->program.count; i++) {
        const rsq_step *s = &a->program.steps[i];

        if (s->opcode == RSQ_OP_DEFERRED_SEEK && s->p3 == cursor)
            return false;
        if (!(s->does & RSQ_STEP_CURSOR) || s->p1 != cursor)
            continue;
        if (!opens_btree(s) && s->opcode != RSQ_OP_COUNT && s->opcode != RSQ_OP_CLOSE)
            return false;
    }
    return true;
}

static void add_step_columns(rsq_analysis *a, const rsq_opened *o, rsq_column_set *to)
{
    const rsq_program *p = &a->program;

    for (size_t i = 0; i < p->count; i++) {
        const rsq_step *s = &p->steps[i];
        int column;

        if (!(s->does & RSQ_STEP_CURSOR) || s->p1 != o->cursor)
            continue;
        if (s->opcode == RSQ_OP_ROW_DATA)
            to->all = true;
        if (s->opcode != RSQ_OP_COLUMN)
            continue;
        if (!o->index)
            column = rsq_catalog_stored(o->table, s->p2);
        else if (s->p2 >= 0 && (size_t)s->p2 < o->index->nparts)
            column = o->index->parts[s->p2].column;
        else
            column = -1;
        if (column >= 0 && RSQ_PLANTED(RSQ_PLANT_GENERATED) && o->table->columns[column].is_virtual)
            continue;
        if (column >= 0)
            rsq_column_set_add(to, (unsigned)column);
        /* The columns of an index are added as a whole; a cursor number may serve several. */
        else if (!o->index || o->index->primary)
            to->all = true;
    }
}

static void add_cursor_columns(rsq_analysis *a, const rsq_opened *o)
{
    rsq_column_set columns = {0};

    add_step_columns(a, o, &columns);
    if (o->index && !only_counts(a, o->cursor) && !RSQ_PLANTED(RSQ_PLANT_INDEX))
        add_index(a, o, &columns);
    rsq_column_set_merge(&a->d->tables[o->dep].columns, &columns);
    rsq_column_set_fini(&columns);
}

static int find_column(const rsq_catalog_table *t, const char *name)
{
    for (size_t i = 0; i < t->ncolumns; i++) {
        if (sqlite3_stricmp(t->columns[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

/* Without a schema the authorizer names a table of which no column is read; its cursor says the rest. */
static void add_noted(rsq_analysis *a, const rsq_note *note)
{
    rsq_column_set columns = {0};
    rsq_catalog_table *t;
    rsq_table_dep *dep;
    int column;

    if (!note->schema || is_system(note->table))
        return;
    t = rsq_catalog_find(&a->catalog, note->schema, note->table);
    if (!t || t->kind != RSQ_CATALOG_TABLE)
        return; /* views are expanded, virtual tables have a cursor */
    dep = rsq_analysis_table(a, t);
    if (!dep || note->column[0] == '\0')
        return;
    column = find_column(t, note->column);
    if (column < 0)
        return; /* the row id: a changed one is another row */
    add_column(a, t, column, &columns);
    rsq_column_set_merge(&dep->columns, &columns);
    rsq_column_set_fini(&columns);
}

/* --- all of it --- */

/* SQLite refuses longer ones. */
#define FUNCTION_NAME_MAX 256

/* Which function does a step call? The program has `date(-1)`. */
static bool called_function(const rsq_step *s, char name[FUNCTION_NAME_MAX])
{
    const char *end = s->p4 ? strrchr(s->p4, '(') : NULL;
    size_t len = end ? (size_t)(end - s->p4) : 0;

    if ((s->opcode != RSQ_OP_FUNCTION && s->opcode != RSQ_OP_AGGREGATE) || len == 0 ||
        len >= FUNCTION_NAME_MAX)
        return false;
    memcpy(name, s->p4, len);
    name[len] = '\0';
    return true;
}

/*
 * The authorizer is asked about the functions in the DEFAULT of each column that
 * is read, too, though none of them is called: so the program has to call one. It
 * tells only if all of its steps are known.
 */
static bool calls_volatile(const rsq_analysis *a, char name[FUNCTION_NAME_MAX])
{
    for (size_t i = a->program.count; i > 0; i--) {
        if (called_function(&a->program.steps[i - 1], name) &&
            rsq_functions_is_volatile(a->notes.functions, name))
            return true;
    }
    return false;
}

/*
 * A constant in the program that makes a function of time read the clock, or
 * such a function without one, whose first register is none. What a parameter or
 * a column says is seen when it is run; see clock.h.
 */
static bool says_now(const rsq_program *p, char by[FUNCTION_NAME_MAX])
{
    char name[FUNCTION_NAME_MAX];
    bool now = false;

    by[0] = '\0';
    for (size_t i = 0; i < p->count; i++) {
        const rsq_step *s = &p->steps[i];

        if (called_function(s, name) && rsq_functions_may_read_clock(name)) {
            memcpy(by, name, sizeof name);
            now = now || s->p2 == 0;
        }
        now = now || (s->opcode == RSQ_OP_STRING8 && s->p4 && sqlite3_stricmp(s->p4, "now") == 0);
    }
    return now && by[0];
}

static void note_volatile(rsq_analysis *a)
{
    const char *noted = a->notes.volatile_by;
    char called[FUNCTION_NAME_MAX];
    const char *by = "";

    if (noted[0] && !a->program.known)
        by = noted;
    else if ((noted[0] && calls_volatile(a, called)) || says_now(&a->program, called))
        by = called;
    (void)snprintf(a->d->volatile_by, sizeof a->d->volatile_by, "%.63s", by);
}

static rsq_code analyse(rsq_analysis *a, const rsq_request *rq, rsq_error *err)
{
    rsq_conn *c = a->conn;
    rsq_code code;

    code = rsq_program_load(c, rq->sql, rq->sql_len, &a->program, err);
    if (code != RSQ_OK)
        return code;
    note_volatile(a);
    open_cursors(a);
    for (size_t i = 0; !a->d->everything && i < a->nopened; i++)
        add_cursor_columns(a, &a->opened[i]);
    for (size_t i = 0; !a->d->everything && i < a->notes.count; i++)
        add_noted(a, &a->notes.reads[i]);
    if (!a->d->everything && !a->failed && a->catalog.rc == SQLITE_OK)
        rsq_analysis_reach(a);
    if (a->failed || a->catalog.rc == SQLITE_NOMEM)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    return a->catalog.rc == SQLITE_OK ? RSQ_OK : rsq_sql_error(c, a->catalog.rc, NULL, err);
}

/* Compiled once more, for what the authorizer says; EXPLAIN itself cannot be explained. */
static rsq_code take_notes(rsq_analysis *a, const rsq_request *rq, rsq_error *err)
{
    rsq_conn *c = a->conn;
    sqlite3_stmt *h = NULL;
    rsq_code code;
    int rc = rsq_functions_ask(&c->functions, c->db);

    if (rc != SQLITE_OK)
        return rsq_sql_error(c, rc, NULL, err);
    a->notes.functions = &c->functions;
    c->guard.notes = &a->notes;
    code = rsq_conn_compile(c, rq->sql, rq->sql_len, 0, &h, err);
    c->guard.notes = NULL;
    if (code != RSQ_OK)
        return code;
    a->d->everything = sqlite3_stmt_isexplain(h) != 0 || a->notes.pragma;
    sqlite3_finalize(h);
    return a->notes.failed ? rsq_error_set(err, RSQ_ENOMEM, "out of memory") : RSQ_OK;
}

static rsq_code find_out(rsq_conn *c, const rsq_request *rq, rsq_depends **out, rsq_error *err)
{
    rsq_analysis a = {.conn = c, .d = rsq_depends_new(), .catalog = {.conn = c}};
    rsq_code code;

    if (!a.d)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    code = take_notes(&a, rq, err);
    if (code == RSQ_OK && !a.d->everything)
        code = analyse(&a, rq, err);
    rsq_program_fini(&a.program);
    rsq_notes_fini(&a.notes);
    rsq_catalog_fini(&a.catalog);
    rsq_free(a.opened);
    if (code != RSQ_OK) {
        rsq_depends_unref(a.d);
        return code;
    }
    *out = a.d;
    return RSQ_OK;
}

/*
 * Finding out costs as much as a hundred small queries, so a statement in a
 * reader's cache keeps what it depends on. It holds for one schema, and the whole
 * cache goes when a snapshot of the reader has another one than that before: each
 * snapshot looks (snapshot.c), and none is older. The statement's own count of
 * being compiled anew is looked at besides. Other connections may see a schema
 * that is rolled back afterwards, so nothing is kept there.
 */
rsq_code rsq_conn_depends(rsq_conn *c, const rsq_request *rq, rsq_depends **out, rsq_error *err)
{
    rsq_depends *found = NULL;
    int reprepares;
    rsq_stmt *s;
    rsq_code code;

    if (c->role != RSQ_CONN_READER)
        return find_out(c, rq, out, err);
    code = rsq_conn_prepare(c, rq, &s, err);
    if (code != RSQ_OK)
        return code;
    reprepares = sqlite3_stmt_status(s->h, SQLITE_STMTSTATUS_REPREPARE, 0);
    if (!s->depends || s->depends_reprepares != reprepares) {
        code = find_out(c, rq, &found, err);
        if (code != RSQ_OK)
            return code;
        rsq_depends_unref(s->depends);
        s->depends = found;
        s->depends_reprepares = reprepares;
    }
    *out = rsq_depends_ref(s->depends);
    return RSQ_OK;
}

rsq_code rsq_conn_dependencies(rsq_conn *c, const rsq_request *rq, rsq_result **out, rsq_error *err)
{
    rsq_columns *columns = NULL;
    rsq_depends *d = NULL;
    rsq_result *r = NULL;
    rsq_stmt *s;
    rsq_code code = rsq_conn_prepare(c, rq, &s, err);

    if (code != RSQ_OK)
        return code;
    if (!(s->kind & RSQ_STMT_READONLY))
        return rsq_error_set(err, RSQ_EREADONLY, "the statement writes: it cannot be a live query");
    code = rsq_conn_depends(c, rq, &d, err);
    if (code != RSQ_OK)
        return code;
    columns = rsq_depends_columns();
    if (columns && rsq_builder_begin(&c->builder, columns->count, rq->bytes_max, &(rsq_builder_hint){0})) {
        if (rsq_depends_rows(d, c->config->flags, &c->builder))
            r = rsq_builder_finish(&c->builder, columns, &(rsq_builder_hint){0});
        else
            rsq_builder_abandon(&c->builder);
    }
    rsq_columns_unref(columns);
    rsq_depends_unref(d);
    if (!r)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    r->commit_seq = c->snapshot_seq;
    *out = r;
    return RSQ_OK;
}
