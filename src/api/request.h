/* Arguments of calls, checked and turned into requests. */
#ifndef RSQ_API_REQUEST_H
#define RSQ_API_REQUEST_H

#include "sql/conn.h"

/* The parameters of a call, in either form; borrowed. */
typedef struct rsq_args {
    const rsq_value *values;
    const rsq_named *named; /* NULL: positional */
    size_t count;
} rsq_args;

/* A call in place, after its arguments were checked. */
typedef struct rsq_call {
    rsq_request request;
    uint32_t timeout_ms;
} rsq_call;

/*
 * How long the SQL is, whose length was `given`; 0: up to its NUL. RSQ_ETOOBIG: longer than SQLite takes,
 * such as -1, which is told before so many bytes are read.
 */
rsq_code rsq_sql_measure(const char *sql, size_t given, size_t *len, rsq_error *err);

/* RSQ_OK, RSQ_EINVAL, RSQ_ETOOBIG. */
rsq_code rsq_call_read(rsq_call *c, const char *sql, rsq_args args, const rsq_call_options *opts,
                       rsq_error *err);

/* The same for a batch; the matrix is in `args`, a row's width its count. */
rsq_code rsq_call_read_batch(rsq_call *c, const char *sql, rsq_args args, size_t rows,
                             const rsq_call_options *opts, rsq_error *err);

bool rsq_json_flags_are_valid(uint32_t flags);

/* A limit of the caller's in the size of this machine. */
size_t rsq_bytes_max(uint64_t max_result_bytes);

/*
 * `count` queries as requests, in one block that rsq_free() frees; SQL and
 * values stay borrowed. RSQ_OK, RSQ_EINVAL, RSQ_ETOOBIG, RSQ_ENOMEM.
 */
rsq_code rsq_requests_read(const rsq_query *queries, size_t count, uint32_t json, uint64_t max_result_bytes,
                           rsq_request **out, rsq_error *err);

/*
 * The same with the options, and room for as many results if `got` is
 * not NULL: the caller's array is written on success only. `timeout_ms` may be
 * NULL. rsq_statements_done() frees both, and returns `code`.
 */
rsq_code rsq_statements_read(const rsq_query *statements, size_t count, const rsq_call_options *opts,
                             uint32_t *timeout_ms, rsq_request **out, rsq_result ***got, rsq_error *err);
rsq_code rsq_statements_done(rsq_code code, size_t count, rsq_request *requests, rsq_result **got,
                             rsq_result **results);

/* Say who asks. */
void rsq_requests_of(rsq_request *requests, size_t count, const struct rsq_client *client);

#endif
