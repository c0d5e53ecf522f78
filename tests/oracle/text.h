/* Small helpers for SQL text. */
#ifndef ORACLE_TEXT_H
#define ORACLE_TEXT_H

#include <stdbool.h>
#include <string.h>

static inline bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* After it, the judge begins anew: schema, statistics. */
static inline bool changes_schema(const char *sql)
{
    static const char *const verbs[] = {"CREATE", "DROP", "ALTER", "ANALYZE", "PRAGMA", "REINDEX", "VACUUM"};

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (begins_with(sql, verbs[i]))
            return true;
    }
    return false;
}

/* `text` with each `what` replaced; sqlite3_free(). */
char *replace_all(const char *text, const char *what, const char *with);

#endif
