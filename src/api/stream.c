/* Opening a live query: check the arguments, pin the database, pass on. */
#include "api/db.h"
#include "api/options.h"
#include "api/request.h"
#include "base/error.h"
#include "base/values.h"

/* Columns named as a key at most: a query has no more. */
#define KEYS_MAX 32767

static rsq_code check_options(const rsq_stream_options *o, rsq_error *err)
{
    if (!o->event)
        return rsq_error_set(err, RSQ_EINVAL, "the option event is NULL");
    if (o->mode > RSQ_STREAM_SIGNAL)
        return rsq_option_refuse("mode", err);
    if (!rsq_json_flags_are_valid(o->json) || (o->json && o->mode != RSQ_STREAM_JSON))
        return rsq_option_refuse("json", err);
    if (o->flags & ~(uint32_t)RSQ_STREAM_VOLATILE)
        return rsq_option_refuse("flags", err);
    if (o->refresh_ms && !(o->flags & RSQ_STREAM_VOLATILE))
        return rsq_error_set(err, RSQ_EINVAL, "refresh_ms is for RSQ_STREAM_VOLATILE");
    if (o->nkeys > KEYS_MAX || (o->nkeys && (!o->keys || o->mode != RSQ_STREAM_DIFFERENCE)))
        return rsq_option_refuse("nkeys", err);
    for (size_t i = 0; i < o->nkeys; i++) {
        if (!o->keys[i])
            return rsq_error_set(err, RSQ_EINVAL, "keys[%zu] is NULL", i);
    }
    return RSQ_OK;
}

static rsq_live_traits traits_of(const rsq_stream_options *o)
{
    return (rsq_live_traits){.shape = o->mode == RSQ_STREAM_JSON ? RSQ_SHAPE_JSON : RSQ_SHAPE_CELLS,
                             .json = o->json,
                             .flags = o->flags,
                             .min_interval_ms = o->min_interval_ms,
                             .refresh_ms = o->refresh_ms,
                             .skip_origin = o->skip_origin,
                             .group = o->group};
}

rsq_code rsq_stream_open(rsq_db *db, const char *sql, const rsq_value *params, size_t nparams,
                         const rsq_stream_options *opts, rsq_stream **out, rsq_error *err)
{
    rsq_stream_options o;
    rsq_stream_spec spec;
    size_t sql_len;
    rsq_code code;

    if (!sql || !opts || !out)
        return rsq_error_set(err, RSQ_EINVAL, "the SQL, the options or out is NULL");
    code = rsq_options_read(&o, sizeof o, opts, err);
    if (code == RSQ_OK)
        code = check_options(&o, err);
    if (code == RSQ_OK)
        code = rsq_sql_measure(sql, o.sql_len, &sql_len, err);
    if (code == RSQ_OK)
        code = rsq_values_check(params, nparams, err);
    if (code == RSQ_OK)
        code = rsq_db_pin(db, err);
    if (code != RSQ_OK)
        return code;
    spec = (rsq_stream_spec){.key = {.sql = sql,
                                     .sql_len = sql_len,
                                     .params = params,
                                     .nparams = nparams,
                                     .traits = traits_of(&o)},
                             .client = &db->client,
                             .queue = o.queue ? o.queue : db->queue,
                             .mode = o.mode,
                             .keys = o.keys,
                             .nkeys = o.nkeys,
                             .event = o.event,
                             .ctx = o.ctx};
    if (o.group)
        spec.key.traits.client = db->client.number;
    code = rsq_streams_open(db->streams, &spec, out, err);
    rsq_db_unpin(db);
    return code;
}

const char *rsq_why_name(uint32_t rule)
{
    static const char *const names[] = {"first",   "params",   "table",      "rows",     "column",  "value",
                                        "key",     "interval", "everything", "volatile", "refresh", "schema",
                                        "foreign", "notify",   "retry",      "check",    "other"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (rule == (uint32_t)1 << i)
            return names[i];
    }
    return NULL;
}
