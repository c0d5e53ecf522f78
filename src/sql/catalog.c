#include "sql/catalog.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/plant.h"

static void free_table(rsq_catalog_table *t)
{
    for (size_t i = 0; i < t->ncolumns; i++)
        rsq_free(t->columns[i].name);
    for (size_t i = 0; i < t->nindexes; i++) {
        rsq_free(t->indexes[i].name);
        rsq_free(t->indexes[i].parts);
    }
    rsq_free(t->columns);
    rsq_free(t->indexes);
    rsq_free(t->schema);
    rsq_free(t->name);
    rsq_free(t);
}

void rsq_catalog_fini(rsq_catalog *cat)
{
    while (cat->tables) {
        rsq_catalog_table *t = cat->tables;

        cat->tables = t->next;
        free_table(t);
    }
}

void rsq_catalog_ask(rsq_catalog *cat, int (*fn)(void *, int, char **, char **), void *ctx,
                     const char *format, ...)
{
    va_list args;
    char *sql;
    int rc;

    if (cat->rc != SQLITE_OK)
        return;
    va_start(args, format);
    sql = sqlite3_vmprintf(format, args);
    va_end(args);
    rc = sql ? sqlite3_exec(cat->conn->db, sql, fn, ctx, NULL) : SQLITE_NOMEM;
    sqlite3_free(sql);
    /* A callback says by stopping that there is no memory. */
    cat->rc = rc == SQLITE_ABORT ? SQLITE_NOMEM : rc;
}

static char *copy(const char *text)
{
    return rsq_copy_text(text ? text : "", text ? strlen(text) : 0);
}

/* Room for one more element at the end of `array`, zeroed; NULL: no memory. */
static void *one_more(void *array, size_t count, size_t size)
{
    char *grown = rsq_realloc(array, (count + 1) * size);

    if (grown)
        memset(grown + count * size, 0, size);
    return grown;
}

/* Columns of PRAGMA table_list. */
enum { LIST_TYPE = 2, LIST_WITHOUT_ROWID = 4 };

static int take_kind(void *ctx, int n, char **v, char **names)
{
    rsq_catalog_table *t = ctx;

    (void)n;
    (void)names;
    if (strcmp(v[LIST_TYPE], "view") == 0)
        t->kind = RSQ_CATALOG_VIEW;
    else if (strcmp(v[LIST_TYPE], "virtual") == 0)
        t->kind = RSQ_CATALOG_VIRTUAL;
    else
        t->kind = RSQ_CATALOG_TABLE;
    t->rowid = strcmp(v[LIST_WITHOUT_ROWID], "0") == 0;
    return 0;
}

/* Columns of PRAGMA table_xinfo, and of its `hidden`. */
enum { XINFO_NAME = 1, XINFO_DEFAULT = 4, XINFO_HIDDEN = 6 };

static int take_column(void *ctx, int n, char **v, char **names)
{
    rsq_catalog_table *t = ctx;
    rsq_catalog_column *grown = one_more(t->columns, t->ncolumns, sizeof *grown);
    rsq_catalog_column *column;

    (void)n;
    (void)names;
    if (!grown)
        return 1;
    t->columns = grown;
    column = &grown[t->ncolumns++];
    column->name = copy(v[XINFO_NAME]);
    column->is_virtual = strcmp(v[XINFO_HIDDEN], "2") == 0;
    column->is_generated = column->is_virtual || strcmp(v[XINFO_HIDDEN], "3") == 0;
    column->has_default = v[XINFO_DEFAULT] != NULL;
    return column->name == NULL;
}

/* Columns of PRAGMA index_list. */
enum { INDEX_NAME = 1, INDEX_ORIGIN = 3, INDEX_PARTIAL = 4 };

static int take_index(void *ctx, int n, char **v, char **names)
{
    rsq_catalog_table *t = ctx;
    rsq_catalog_index *grown = one_more(t->indexes, t->nindexes, sizeof *grown);
    rsq_catalog_index *index;

    (void)n;
    (void)names;
    if (!grown)
        return 1;
    t->indexes = grown;
    index = &grown[t->nindexes++];
    index->name = copy(v[INDEX_NAME]);
    index->primary = !t->rowid && strcmp(v[INDEX_ORIGIN], "pk") == 0;
    index->partial = strcmp(v[INDEX_PARTIAL], "0") != 0;
    return index->name == NULL;
}

static rsq_collation collation_of(const char *name)
{
    if (!name || sqlite3_stricmp(name, "BINARY") == 0 || RSQ_PLANTED(RSQ_PLANT_COLLATION))
        return RSQ_COLLATION_BINARY;
    if (sqlite3_stricmp(name, "NOCASE") == 0)
        return RSQ_COLLATION_NOCASE;
    if (sqlite3_stricmp(name, "RTRIM") == 0)
        return RSQ_COLLATION_RTRIM;
    return RSQ_COLLATION_OTHER;
}

/* Columns of PRAGMA index_xinfo. */
enum { PART_COLUMN = 1, PART_DESCENDING = 3, PART_COLLATION = 4, PART_KEY = 5 };

typedef struct part_target {
    const rsq_catalog_table *table;
    rsq_catalog_index *index;
} part_target;

static int take_part(void *ctx, int n, char **v, char **names)
{
    part_target *to = ctx;
    rsq_catalog_index *index = to->index;
    rsq_catalog_part *grown = one_more(index->parts, index->nparts, sizeof *grown);
    rsq_catalog_part *part;

    (void)n;
    (void)names;
    if (!grown)
        return 1;
    index->parts = grown;
    part = &grown[index->nparts++];
    part->column = atoi(v[PART_COLUMN]);
    part->descending = strcmp(v[PART_DESCENDING], "0") != 0;
    part->collation = collation_of(v[PART_COLLATION]);
    if (strcmp(v[PART_KEY], "0") != 0)
        index->nkeys++;
    if (part->column < -1 || part->column >= (int)to->table->ncolumns ||
        (part->column >= 0 && to->table->columns[part->column].is_virtual))
        index->computed = true;
    return 0;
}

static void load_table(rsq_catalog *cat, rsq_catalog_table *t)
{
    rsq_catalog_ask(cat, take_kind, t, "PRAGMA \"%w\".table_list(\"%w\")", t->schema, t->name);
    if (t->kind == RSQ_CATALOG_NOTHING)
        return;
    rsq_catalog_ask(cat, take_column, t, "PRAGMA \"%w\".table_xinfo(\"%w\")", t->schema, t->name);
    if (t->kind != RSQ_CATALOG_TABLE)
        return;
    rsq_catalog_ask(cat, take_index, t, "PRAGMA \"%w\".index_list(\"%w\")", t->schema, t->name);
    for (size_t i = 0; i < t->nindexes; i++) {
        part_target to = {t, &t->indexes[i]};

        rsq_catalog_ask(cat, take_part, &to, "PRAGMA \"%w\".index_xinfo(\"%w\")", t->schema,
                        t->indexes[i].name);
    }
}

rsq_catalog_table *rsq_catalog_find(rsq_catalog *cat, const char *schema, const char *name)
{
    rsq_catalog_table *t;

    for (t = cat->tables; t; t = t->next) {
        if (sqlite3_stricmp(t->schema, schema) == 0 && sqlite3_stricmp(t->name, name) == 0)
            return t;
    }
    t = rsq_alloc_zero(sizeof *t);
    if (!t) {
        cat->rc = SQLITE_NOMEM;
        return NULL;
    }
    t->kind = RSQ_CATALOG_NOTHING;
    t->schema = copy(schema);
    t->name = copy(name);
    t->next = cat->tables;
    cat->tables = t;
    if (!t->schema || !t->name)
        cat->rc = SQLITE_NOMEM;
    load_table(cat, t);
    return cat->rc == SQLITE_OK ? t : NULL;
}

/* An object of the schema, by its root page. */
typedef struct object {
    char *type, *name, *table;
} object;

static int take_object(void *ctx, int n, char **v, char **names)
{
    object *o = ctx;

    (void)n;
    (void)names;
    if (o->type)
        return 0;
    o->type = copy(v[0]);
    o->name = copy(v[1]);
    o->table = copy(v[2]);
    return !o->type || !o->name || !o->table;
}

static const rsq_catalog_index *find_index(const rsq_catalog_table *t, const char *name)
{
    for (size_t i = 0; i < t->nindexes; i++) {
        if (name ? sqlite3_stricmp(t->indexes[i].name, name) == 0 : t->indexes[i].primary)
            return &t->indexes[i];
    }
    return NULL;
}

bool rsq_catalog_root(rsq_catalog *cat, const char *schema, int root, rsq_catalog_table **table,
                      const rsq_catalog_index **index)
{
    object o = {0};
    bool found = false;

    rsq_catalog_ask(cat, take_object, &o,
                    "SELECT type, name, tbl_name FROM \"%w\".sqlite_schema WHERE rootpage = %d", schema,
                    root);
    if (cat->rc == SQLITE_OK && o.type) {
        bool is_index = strcmp(o.type, "index") == 0;

        *table = rsq_catalog_find(cat, schema, o.table);
        if (*table && (*table)->kind == RSQ_CATALOG_TABLE) {
            bool needs_index = is_index || !(*table)->rowid;

            *index = needs_index ? find_index(*table, is_index ? o.name : NULL) : NULL;
            found = !needs_index || *index;
        }
    }
    rsq_free(o.type);
    rsq_free(o.name);
    rsq_free(o.table);
    return found;
}

int rsq_catalog_stored(const rsq_catalog_table *t, int position)
{
    /* Columns that are not stored come after all others. */
    for (size_t i = 0; i < t->ncolumns; i++) {
        if (!t->columns[i].is_virtual && position-- == 0)
            return (int)i;
    }
    return -1;
}

static int take_text(void *ctx, int n, char **v, char **names)
{
    char **to = ctx;

    (void)n;
    (void)names;
    if (*to || !v[0])
        return 0;
    *to = copy(v[0]);
    return *to == NULL;
}

char *rsq_catalog_sql(rsq_catalog *cat, const char *schema, const char *name)
{
    char *sql = NULL;

    rsq_catalog_ask(cat, take_text, &sql,
                    "SELECT sql FROM \"%w\".sqlite_schema WHERE name = %Q COLLATE NOCASE AND type = 'table'",
                    schema, name);
    return sql;
}
