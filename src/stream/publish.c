/*
 * From a live query to its streams.
 *
 * After each run the newest outcome of every stream (the one that waits, else
 * the one it was handed last) has the bytes of the live query's last one. A
 * stream that joined while a run was overtaken skips that run: its answer may be
 * older than the stream.
 */
#include "stream/stream.h"

/* What a stream was handed, when something newer waits already. */
static bool is_laggard(const rsq_stream *s)
{
    return !rsq_outcome_is_none(&s->pending) && !rsq_outcome_is_none(&s->handed);
}

static const bool *find_laggard(const rsq_laggards *lag, const rsq_outcome *handed)
{
    for (size_t i = 0; i < lag->count; i++) {
        if (rsq_outcome_same(&lag->handed[i], handed))
            return &lag->equal[i];
    }
    return NULL;
}

bool rsq_laggards_collect_locked(rsq_laggards *lag, const rsq_live *live)
{
    lag->count = 0;
    for (const rsq_stream *s = live->first; s && lag->count < RSQ_LAGGARDS_MAX; s = s->next) {
        if (is_laggard(s) && !find_laggard(lag, &s->handed))
            lag->handed[lag->count++] = rsq_outcome_ref(&s->handed);
    }
    return lag->count > 0;
}

void rsq_laggards_compare(rsq_laggards *lag, const rsq_outcome *o)
{
    for (size_t i = 0; i < lag->count; i++)
        lag->equal[i] = rsq_outcome_equal(&lag->handed[i], o);
}

void rsq_laggards_fini(rsq_laggards *lag)
{
    for (size_t i = 0; i < lag->count; i++)
        rsq_outcome_clear(&lag->handed[i]);
    lag->count = 0;
}

static void publish_to_locked(rsq_stream *s, const rsq_outcome *o, const rsq_laggards *lag)
{
    bool lags = is_laggard(s);
    const bool *equal = lags ? find_laggard(lag, &s->handed) : NULL;

    if (equal && *equal) {
        s->counters.suppressed++;
        rsq_stream_replace_locked(s);
        return;
    }
    /* There are so many of its kind that it was not compared: its dispatch does. */
    s->compares = lags && !equal;
    rsq_stream_emit_locked(s, o);
}

void rsq_live_publish_locked(rsq_live *live, const rsq_outcome *o, const rsq_laggards *lag)
{
    rsq_outcome before = live->last;
    rsq_stream *next;

    live->last = rsq_outcome_ref(o);
    rsq_outcome_clear(&before);
    for (rsq_stream *s = live->first; s; s = next) {
        next = s->next; /* an error may end the stream */
        if (s->skips_run)
            s->skips_run = false;
        else
            publish_to_locked(s, o, lag);
    }
}

void rsq_live_repeat_locked(rsq_live *live)
{
    rsq_stream *next;

    for (rsq_stream *s = live->first; s; s = next) {
        next = s->next;
        if (s->skips_run)
            s->skips_run = false;
        else if (!s->told)
            rsq_stream_emit_locked(s, &live->last);
    }
}
