#include "api/request.h"

#include "api/options.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/values.h"

/* More queries in one call than this are a mistake. */
#define QUERIES_MAX 4096

bool rsq_json_flags_are_valid(uint32_t flags)
{
    const uint32_t known = RSQ_JSON_FORM_MASK | RSQ_JSON_QUOTE_BIG | RSQ_JSON_BLOB_HEX;

    return (flags & ~known) == 0 && (flags & RSQ_JSON_FORM_MASK) <= RSQ_JSON_NDJSON;
}

size_t rsq_bytes_max(uint64_t max_result_bytes)
{
    return max_result_bytes < SIZE_MAX ? (size_t)max_result_bytes : SIZE_MAX;
}

rsq_code rsq_sql_measure(const char *sql, size_t given, size_t *len, rsq_error *err)
{
    *len = given ? given : strlen(sql);
    return *len < INT32_MAX ? RSQ_OK : rsq_error_set(err, RSQ_ETOOBIG, "the SQL is too long");
}

static rsq_code read_options(rsq_call *c, const rsq_call_options *opts, rsq_error *err)
{
    rsq_call_options o;
    rsq_code code = rsq_options_read(&o, sizeof o, opts, err);

    if (code != RSQ_OK)
        return code;
    if (!rsq_json_flags_are_valid(o.json))
        return rsq_option_refuse("json", err);
    if (o.flags)
        return rsq_option_refuse("flags", err);
    c->request.sql_len = o.sql_len;
    c->request.json = o.json;
    c->request.bytes_max = rsq_bytes_max(o.max_result_bytes);
    c->request.origin = o.origin;
    c->timeout_ms = o.timeout_ms;
    return RSQ_OK;
}

rsq_code rsq_call_read(rsq_call *c, const char *sql, rsq_args args, const rsq_call_options *opts,
                       rsq_error *err)
{
    rsq_code code = RSQ_OK;

    if (!sql)
        return rsq_error_set(err, RSQ_EINVAL, "the SQL is NULL");
    if (args.count && !args.values && !args.named)
        return rsq_error_set(err, RSQ_EINVAL, "there are %zu parameters at NULL", args.count);
    *c = (rsq_call){
        .request = {.sql = sql, .params = args.values, .named = args.named, .nparams = args.count}};
    if (opts)
        code = read_options(c, opts, err);
    return code == RSQ_OK ? rsq_sql_measure(sql, c->request.sql_len, &c->request.sql_len, err) : code;
}

rsq_code rsq_call_read_batch(rsq_call *c, const char *sql, rsq_args args, size_t rows,
                             const rsq_call_options *opts, rsq_error *err)
{
    static const rsq_value none;

    if (args.count && rows > SIZE_MAX / sizeof *args.values / args.count)
        return rsq_error_set(err, RSQ_EINVAL, "the matrix is larger than memory");
    if (rows && args.count && !args.values)
        return rsq_error_set(err, RSQ_EINVAL, "the matrix is NULL");
    /* A matrix without rows has nothing to point at. */
    if (!args.values)
        args.values = &none;
    return rsq_call_read(c, sql, args, opts, err);
}

static rsq_code read_one(const rsq_query *q, size_t index, rsq_request *rq, rsq_error *err)
{
    rsq_code code = RSQ_OK;

    if (!q->sql)
        code = rsq_error_set(err, RSQ_EINVAL, "the SQL is NULL");
    if (code == RSQ_OK)
        code = rsq_sql_measure(q->sql, q->sql_len, &rq->sql_len, err);
    if (code == RSQ_OK)
        code = rsq_values_check(q->params, q->nparams, err);
    if (code != RSQ_OK) {
        if (err)
            err->row = (int64_t)index;
        return code;
    }
    rq->sql = q->sql;
    rq->params = q->params;
    rq->nparams = q->nparams;
    return RSQ_OK;
}

rsq_code rsq_requests_read(const rsq_query *queries, size_t count, uint32_t json, uint64_t max_result_bytes,
                           rsq_request **out, rsq_error *err)
{
    rsq_request *requests;

    if (!queries || !count)
        return rsq_error_set(err, RSQ_EINVAL, "there are no queries");
    if (count > QUERIES_MAX)
        return rsq_error_set(err, RSQ_EINVAL, "there are more than %d queries", QUERIES_MAX);
    if (!rsq_json_flags_are_valid(json))
        return rsq_option_refuse("json", err);
    requests = rsq_alloc_zero(count * sizeof *requests);
    if (!requests)
        return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        rsq_code code = read_one(&queries[i], i, &requests[i], err);

        if (code != RSQ_OK) {
            rsq_free(requests);
            return code;
        }
        requests[i].json = json;
        requests[i].bytes_max = rsq_bytes_max(max_result_bytes);
    }
    *out = requests;
    return RSQ_OK;
}

rsq_code rsq_statements_read(const rsq_query *statements, size_t count, const rsq_call_options *opts,
                             uint32_t *timeout_ms, rsq_request **out, rsq_result ***got, rsq_error *err)
{
    rsq_call_options o;
    rsq_code code = rsq_options_read(&o, sizeof o, opts, err);

    if (code == RSQ_OK)
        code = rsq_requests_read(statements, count, 0, o.max_result_bytes, out, err);
    if (code != RSQ_OK)
        return code;
    (*out)[0].origin = o.origin; /* that of them all */
    if (timeout_ms)
        *timeout_ms = o.timeout_ms;
    if (got)
        *got = rsq_alloc_zero(count * sizeof(rsq_result *));
    if (!got || *got)
        return RSQ_OK;
    rsq_free(*out);
    return rsq_error_set(err, RSQ_ENOMEM, "out of memory");
}

rsq_code rsq_statements_done(rsq_code code, size_t count, rsq_request *requests, rsq_result **got,
                             rsq_result **results)
{
    if (code == RSQ_OK && got)
        memcpy(results, got, count * sizeof(rsq_result *));
    rsq_free(got);
    rsq_free(requests);
    return code;
}

void rsq_requests_of(rsq_request *requests, size_t count, const struct rsq_client *client)
{
    for (size_t i = 0; i < count; i++)
        requests[i].client = client;
}
