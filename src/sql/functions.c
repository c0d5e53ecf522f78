#include "sql/functions.h"

static const char *const volatile_functions[] = {
    "random",       "randomblob",   "changes",           "total_changes", "last_insert_rowid",
    "current_date", "current_time", "current_timestamp", "sqlite_offset",
};

/* Exact functions of their arguments, unless these say "now". */
static const char *const clock_functions[] = {
    "date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff",
};

/*
 * Of those that are no part of SQLite's core, and are not said to be
 * deterministic: the program's, but for what FTS5 and R-Tree add, whose answers
 * depend on the tables behind them and the query.
 */
static const char others[] = "SELECT name FROM pragma_function_list WHERE builtin = 0 AND flags & 0x800 = 0 "
                             "AND lower(name) NOT IN ('match', 'bm25', 'highlight', 'snippet', 'fts5', "
                             "'fts5_source_id', 'fts5_locale', 'fts5_get_locale', 'fts5_insttoken', "
                             "'rtreecheck', 'rtreedepth', 'rtreenode')";

_Static_assert(SQLITE_DETERMINISTIC == 0x800, "the flag is written out in SQL");

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static bool is_listed(const char *const *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (sqlite3_stricmp(list[i], name) == 0)
            return true;
    }
    return false;
}

static int take_name(void *ctx, int n, char **v, char **names)
{
    rsq_functions *f = ctx;

    (void)n;
    (void)names;
    rsq_names_add_text(&f->names, v[0]);
    return f->names.all; /* no memory */
}

int rsq_functions_ask(rsq_functions *f, sqlite3 *db)
{
    rsq_functions found = {.known = true};
    int rc;

    if (f->known)
        return SQLITE_OK;
    rc = sqlite3_exec(db, others, take_name, &found, NULL);
    /* A SQLite without these pragmas cannot tell, and then only what is known by name is found. */
    if (rc == SQLITE_OK || rc == SQLITE_ERROR) {
        *f = found;
        return SQLITE_OK;
    }
    rsq_functions_fini(&found);
    return rc == SQLITE_ABORT ? SQLITE_NOMEM : rc;
}

void rsq_functions_fini(rsq_functions *f)
{
    rsq_names_fini(&f->names);
    *f = (rsq_functions){0};
}

bool rsq_functions_is_volatile(const rsq_functions *f, const char *name)
{
    if (is_listed(volatile_functions, COUNT(volatile_functions), name))
        return true;
    return f && is_listed((const char *const *)f->names.names, f->names.count, name);
}

bool rsq_functions_may_read_clock(const char *name)
{
    return is_listed(clock_functions, COUNT(clock_functions), name);
}
