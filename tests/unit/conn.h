/* A connection for unit tests of what works on one. */
#ifndef RSQ_TESTS_UNIT_CONN_H
#define RSQ_TESTS_UNIT_CONN_H

#include <string.h>

#include "sql/internal.h"

/* `path` and `seq` are borrowed for as long as a connection is open. */
static inline rsq_conn_config test_config(char *path, rsq_seq *seq)
{
    return (rsq_conn_config){.path = path,
                             .seq = seq,
                             .busy_timeout_ms = 1000,
                             .page_size = 4096,
                             .synchronous = RSQ_SYNC_NORMAL,
                             .cache_bytes = 1 << 20};
}

static inline rsq_code execute_sql(rsq_conn *c, const char *sql)
{
    rsq_request rq = {.sql = sql, .sql_len = strlen(sql)};

    return rsq_conn_execute(c, &rq, NULL, NULL);
}

#endif
