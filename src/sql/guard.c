/*
 * The guard: SQLite's authorizer, asked while a statement is compiled.
 *
 * It refuses what would pull the runtime's connections apart (transaction
 * control, ATTACH, settings of a single connection), says what a statement is
 * (rows, schema), and can note the tables that it reads.
 *
 * Only our own compiling counts. SQLite also compiles while it steps: VACUUM
 * attaches a file, FTS5 reads its tables, a changed schema re-prepares a
 * statement that was accepted before. All of that passes.
 */
#include "sql/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/plant.h"

__attribute__((format(printf, 2, 3))) static int refuse(rsq_guard *g, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(g->refused, sizeof g->refused, format, args);
    va_end(args);
    return SQLITE_DENY;
}

typedef struct pragma_rule {
    const char *name;
    const char *instead; /* what to use instead, NULL: nothing */
} pragma_rule;

/* Look at the schema or check the file; an argument is a table or a count. */
static const char *const pragmas_that_look[] = {
    "table_info",        "table_xinfo",      "table_list",      "index_list",
    "index_info",        "index_xinfo",      "database_list",   "function_list",
    "foreign_key_check", "foreign_key_list", "collation_list",  "module_list",
    "pragma_list",       "compile_options",  "integrity_check", "quick_check",
};

/* Stored in the file, or of the running transaction: may be set by a write. */
static const char *const pragmas_that_write[] = {
    "user_version", "application_id", "auto_vacuum",        "incremental_vacuum",
    "optimize",     "analysis_limit", "defer_foreign_keys",
};

/* Refused with an argument; with what stands for them. */
static const pragma_rule pragmas_with_option[] = {
    {"journal_mode", "the database is always in WAL mode"},
    {"locking_mode", "readers and the writer need the file to be shared"},
    {"synchronous", "use the open option synchronous"},
    {"foreign_keys", "use the open flag RSQ_OPEN_NO_FOREIGN_KEYS"},
    {"cache_size", "use the open option cache_bytes"},
    {"mmap_size", "use the open option mmap_bytes"},
    {"busy_timeout", "use the open option busy_timeout_ms"},
    {"page_size", "use the open option page_size"},
    {"query_only", "use the open flag RSQ_OPEN_READONLY"},
    {"wal_autocheckpoint", "the library checkpoints by itself"},
};

/* Refused even without one, since looking at them acts. */
static const pragma_rule pragmas_that_act[] = {
    {"wal_checkpoint", "the library checkpoints by itself"},
    {"shrink_memory", NULL},
};

static bool is_listed(const char *const *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (sqlite3_stricmp(list[i], name) == 0)
            return true;
    }
    return false;
}

static const pragma_rule *find_rule(const pragma_rule *rules, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (sqlite3_stricmp(rules[i].name, name) == 0)
            return &rules[i];
    }
    return NULL;
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static int authorize_pragma(rsq_guard *g, const char *name, const char *argument)
{
    const pragma_rule *rule = find_rule(pragmas_that_act, COUNT(pragmas_that_act), name);

    if (!rule && is_listed(pragmas_that_look, COUNT(pragmas_that_look), name))
        return SQLITE_OK;
    if (!rule && is_listed(pragmas_that_write, COUNT(pragmas_that_write), name)) {
        if (argument)
            g->kind |= RSQ_STMT_SCHEMA;
        return SQLITE_OK;
    }
    if (!rule && !argument)
        return SQLITE_OK;
    if (!rule)
        rule = find_rule(pragmas_with_option, COUNT(pragmas_with_option), name);
    if (rule && rule->instead)
        return refuse(g, "PRAGMA %s is refused: %s", name, rule->instead);
    return refuse(g, "PRAGMA %s is refused: it would change one connection only", name);
}

/* Functions whose answer is about the statement before, which may be another caller's. */
static bool asks_connection(const char *function)
{
    static const char *const names[] = {"changes", "total_changes", "last_insert_rowid"};

    return function && is_listed(names, COUNT(names), function);
}

static int authorize_temp(rsq_guard *g)
{
    g->kind |= RSQ_STMT_SCHEMA | RSQ_STMT_TEMP;
    return g->may_temp ? SQLITE_OK : refuse(g, RSQ_GUARD_TEMP_TEXT);
}

/* The table that temporary objects are written in, by its old name or its new one. */
static bool is_temp_schema(const char *table, const char *schema)
{
    static const char *const names[] = {"sqlite_temp_master", "sqlite_temp_schema"};

    return schema && sqlite3_stricmp(schema, "temp") == 0 && is_listed(names, COUNT(names), table);
}

/* NULL: no memory. */
static char *make_target(const char *schema, const char *table)
{
    size_t schema_len = strlen(schema), table_len = strlen(table);
    char *target = rsq_alloc(schema_len + table_len + 2);

    if (!target)
        return NULL;
    memcpy(target, schema, schema_len);
    target[schema_len] = '.';
    memcpy(target + schema_len + 1, table, table_len + 1);
    return target;
}

bool rsq_target_is(const char *target, const char *schema, const char *table)
{
    size_t schema_len = strlen(schema);

    return strncmp(target, schema, schema_len) == 0 && target[schema_len] == '.' &&
           strcmp(target + schema_len + 1, table) == 0;
}

/* The statement changes rows of a table. `inner`: the trigger or view that says so. */
static void note_change(rsq_guard *g, const char *schema, const char *table, const char *inner)
{
    g->kind |= RSQ_STMT_DML;
    if (RSQ_PLANTED(RSQ_PLANT_TARGET) && g->target)
        return;
    if (inner || !schema || !table)
        g->others = true;
    if (g->others)
        return;
    if (!g->target)
        g->target = make_target(schema, table);
    g->others = !g->target || !rsq_target_is(g->target, schema, table);
}

char *rsq_guard_take_target(rsq_guard *g)
{
    char *target = g->target;

    g->target = NULL;
    if (!g->others && !(g->kind & RSQ_STMT_SCHEMA))
        return target;
    rsq_free(target);
    return NULL;
}

int rsq_guard_authorize(void *guard, int action, const char *arg3, const char *arg4, const char *schema,
                        const char *inner)
{
    rsq_guard *g = guard;

    if (!g->compiling)
        return SQLITE_OK;
    switch (action) {
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        return refuse(g, "transaction control is refused: use rsq_transaction() or rsq_begin()");
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
        return refuse(g, "ATTACH and DETACH are refused: use the open option attach");
    case SQLITE_PRAGMA:
        g->kind |= RSQ_STMT_CONNECTION;
        if (g->notes)
            g->notes->pragma = true;
        return authorize_pragma(g, arg3, arg4);
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_CREATE_VIEW:
    case SQLITE_CREATE_VTABLE:
        g->kind |= RSQ_STMT_SCHEMA;
        if (!schema || sqlite3_stricmp(schema, "temp") != 0)
            return SQLITE_OK;
        return authorize_temp(g);
    case SQLITE_CREATE_TEMP_INDEX:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_TEMP_VIEW:
        return authorize_temp(g);
    case SQLITE_INSERT:
        note_change(g, schema, arg3, inner);
        /* CREATE TRIGGER temp.t ON a table of main says that it makes one in main: this row tells the truth.
         */
        return is_temp_schema(arg3, schema) ? authorize_temp(g) : SQLITE_OK;
    case SQLITE_UPDATE:
        note_change(g, schema, arg3, inner);
        g->kind |= RSQ_STMT_UPDATES;
        if (g->notes && !(RSQ_PLANTED(RSQ_PLANT_SETS) && !rsq_names_empty(&g->notes->sets)))
            rsq_names_add_text(&g->notes->sets, arg4 ? arg4 : "");
        return SQLITE_OK;
    case SQLITE_DELETE:
        note_change(g, schema, arg3, inner);
        return SQLITE_OK;
    case SQLITE_READ:
        if (g->notes)
            rsq_notes_add_read(g->notes, schema, arg3, arg4);
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        if (asks_connection(arg4))
            g->kind |= RSQ_STMT_CONNECTION;
        if (g->notes && arg4)
            rsq_notes_add_function(g->notes, arg4);
        return SQLITE_OK;
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
        g->others = true; /* it may read a virtual table, which may write */
        return SQLITE_OK;
    default:
        /* CREATE, DROP, ALTER, ANALYZE, REINDEX of every kind. */
        g->kind |= RSQ_STMT_SCHEMA;
        return SQLITE_OK;
    }
}
