/*
 * Which columns of a result say which row is which? Those that are, unchanged,
 * columns of some table's primary key; or its row id, where that is the key.
 * A guess for the sake of short differences: they are right with any key.
 */
#include "sql/internal.h"

#if RSQ_SQLITE_COLUMN_METADATA

static bool is_primary_key(sqlite3_stmt *h, int column)
{
    const char *schema = sqlite3_column_database_name(h, column);
    const char *table = sqlite3_column_table_name(h, column);
    const char *origin = sqlite3_column_origin_name(h, column);
    int primary = 0;

    return schema && table && origin &&
           sqlite3_table_column_metadata(sqlite3_db_handle(h), schema, table, origin, NULL, NULL, NULL,
                                         &primary, NULL) == SQLITE_OK &&
           primary;
}

void rsq_stmt_mark_key(const rsq_stmt *s, rsq_columns *columns)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        if (is_primary_key(s->h, (int)i))
            rsq_columns_mark_key(columns, i);
    }
}

#else

void rsq_stmt_mark_key(const rsq_stmt *s, rsq_columns *columns)
{
    (void)s;
    (void)columns;
}

#endif
