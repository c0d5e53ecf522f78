/*
 * Which functions have an answer that depends on more than their arguments?
 * Those of SQLite are known by name. Of the program's own (added to every
 * connection by sqlite3_auto_extension()) SQLite tells whether they were said to
 * be SQLITE_DETERMINISTIC.
 *
 * Thread: the holder of the connection.
 */
#ifndef RSQ_SQL_FUNCTIONS_H
#define RSQ_SQL_FUNCTIONS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/names.h"

/* A connection's: the program's functions that are not deterministic. All-zero: not asked for yet. */
typedef struct rsq_functions {
    bool known;
    rsq_names names;
} rsq_functions;

/* Ask SQLite, the first time. SQLite's code. */
int rsq_functions_ask(rsq_functions *f, sqlite3 *db);
void rsq_functions_fini(rsq_functions *f);

/* Random, of the connection, of the clock, or the program's own and not deterministic. */
bool rsq_functions_is_volatile(const rsq_functions *f, const char *name);

/* Reads the clock if it is asked for 'now', or for nothing. */
bool rsq_functions_may_read_clock(const char *name);

#endif
