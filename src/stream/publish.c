/*
 * From a live query to its streams.
 *
 * After each run the newest outcome of every stream (the one that waits, else
 * the one it was handed last) has the bytes of the live query's last one. A
 * stream that joined while a run was overtaken skips that run: its answer may be
 * older than the stream.
 */
#include "base/profile.h"
#include "stream/stream.h"

/* What a stream was handed, when something newer waits already. */
static bool is_laggard(const rsq_stream *s)
{
    return !rsq_outcome_is_none(&s->pending) && !rsq_outcome_is_none(&s->handed);
}

static const bool *find_laggard(const rsq_comparisons *c, const rsq_outcome *handed)
{
    for (size_t i = 0; i < c->laggards; i++) {
        if (rsq_outcome_same(&c->handed[i], handed))
            return &c->equal[i];
    }
    return NULL;
}

static bool same_key(const rsq_columns *a, const rsq_columns *b)
{
    return rsq_columns_equal(a, b);
}

static rsq_diff *find_diff(const rsq_comparisons *c, const rsq_stream *s)
{
    for (size_t i = 0; i < c->diffs; i++) {
        if (c->wanted[i].before == s->shown && same_key(c->wanted[i].key, s->key))
            return c->wanted[i].diff;
    }
    return NULL;
}

static bool is_wanted(const rsq_comparisons *c, const rsq_stream *s)
{
    for (size_t i = 0; i < c->diffs; i++) {
        if (c->wanted[i].before == s->shown && same_key(c->wanted[i].key, s->key))
            return true;
    }
    return false;
}

static void want_diff(rsq_comparisons *c, const rsq_stream *s)
{
    if (!s->shown || c->diffs == RSQ_DIFFS_MAX || is_wanted(c, s))
        return;
    c->wanted[c->diffs++] =
        (rsq_wanted_diff){.before = rsq_result_ref(s->shown), .key = s->key ? rsq_columns_ref(s->key) : NULL};
}

bool rsq_comparisons_collect_locked(rsq_comparisons *c, const rsq_live *live)
{
    for (const rsq_stream *s = live->first; s; s = s->next) {
        want_diff(c, s);
        if (is_laggard(s) && c->laggards < RSQ_LAGGARDS_MAX && !find_laggard(c, &s->handed))
            c->handed[c->laggards++] = rsq_outcome_ref(&s->handed);
    }
    return c->laggards > 0 || c->diffs > 0;
}

void rsq_comparisons_run(rsq_comparisons *c, const rsq_outcome *o)
{
    int64_t began = rsq_profile_begin();

    for (size_t i = 0; i < c->laggards; i++)
        c->equal[i] = rsq_outcome_equal(&c->handed[i], o);
    for (size_t i = 0; o->result && i < c->diffs; i++) {
        rsq_wanted_diff *w = &c->wanted[i];

        if (rsq_diff_is_possible(w->before, o->result))
            w->diff = rsq_diff_new(w->before, o->result, w->key);
    }
    rsq_profile_end(c->diffs ? RSQ_TIME_STREAM_DIFF : RSQ_TIME_STREAM_COMPARE, began);
}

void rsq_comparisons_fini(rsq_comparisons *c)
{
    for (size_t i = 0; i < c->laggards; i++)
        rsq_outcome_clear(&c->handed[i]);
    for (size_t i = 0; i < c->diffs; i++) {
        rsq_result_unref(c->wanted[i].before);
        rsq_columns_unref(c->wanted[i].key);
        rsq_diff_unref(c->wanted[i].diff);
    }
    *c = (rsq_comparisons){0};
}

static void publish_to_locked(rsq_stream *s, const rsq_outcome *o, const rsq_reason *why,
                              const rsq_comparisons *c)
{
    bool lags = is_laggard(s);
    const bool *equal = lags ? find_laggard(c, &s->handed) : NULL;

    if (equal && *equal) {
        s->counters.suppressed++;
        rsq_stream_replace_locked(s);
        return;
    }
    /* There are so many of its kind that it was not compared: its dispatch does. */
    s->compares = lags && !equal;
    rsq_stream_emit_locked(s, o, why, find_diff(c, s));
}

void rsq_live_publish_locked(rsq_live *live, const rsq_outcome *o, const rsq_reason *why,
                             const rsq_comparisons *c)
{
    int64_t began = rsq_profile_begin();
    rsq_outcome before = live->last;
    rsq_stream *next;

    live->last = rsq_outcome_ref(o);
    rsq_outcome_clear(&before);
    for (rsq_stream *s = live->first; s; s = next) {
        next = s->next; /* an error may end the stream */
        if (s->skips_run)
            s->skips_run = false;
        else
            publish_to_locked(s, o, why, c);
    }
    rsq_profile_end(RSQ_TIME_STREAM_EMIT, began);
}

void rsq_live_repeat_locked(rsq_live *live)
{
    const rsq_reason none = {0};
    rsq_stream *next;

    for (rsq_stream *s = live->first; s; s = next) {
        next = s->next;
        if (s->skips_run)
            s->skips_run = false;
        else if (!s->told)
            rsq_stream_emit_locked(s, &live->last, &none, NULL);
    }
}
