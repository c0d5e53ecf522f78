/* Time measured; see demo_time.h. */
#include "demo_time.h"

#include <time.h>

uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_SECOND + (uint64_t)t.tv_nsec;
}

/* Below 32 ns one bucket a nanosecond; above, the five bits after the highest one choose the step. */
static size_t bucket_of(uint64_t ns)
{
    size_t shift = 0, bucket;

    while (ns >> shift >= 2 * HISTOGRAM_STEPS)
        shift++;
    bucket = shift * HISTOGRAM_STEPS + (size_t)(ns >> shift);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The middle of a bucket. */
static uint64_t duration_of(size_t bucket)
{
    size_t shift = bucket / HISTOGRAM_STEPS;

    if (shift < 2)
        return bucket;
    shift--;
    return ((uint64_t)(bucket - shift * HISTOGRAM_STEPS) << shift) + ((uint64_t)1 << shift) / 2;
}

void histogram_add(histogram *h, uint64_t ns)
{
    h->count++;
    h->buckets[bucket_of(ns)]++;
}

uint64_t histogram_quantile(const histogram *h, double q)
{
    double wanted = q * (double)h->count;
    uint64_t below = 0;

    for (size_t i = 0; h->count && i < HISTOGRAM_BUCKETS; i++) {
        below += h->buckets[i];
        if (below && (double)below >= wanted)
            return duration_of(i);
    }
    return 0;
}

void probe_init(probe *p)
{
    pthread_mutex_init(&p->mu, NULL);
}

void probe_fini(probe *p)
{
    pthread_mutex_destroy(&p->mu);
}

void probe_written(probe *p, uint64_t commit, uint64_t started_ns)
{
    if (!commit)
        return;
    pthread_mutex_lock(&p->mu);
    if (p->seen_commit >= commit) {
        /* The event was faster than the return of the write. There is one writer, so it was the newest event.
         */
        histogram_add(&p->latency, p->seen_ns - started_ns);
    } else if (p->nwaiting < PROBE_WRITES) {
        p->waiting[p->nwaiting].commit = commit;
        p->waiting[p->nwaiting].started_ns = started_ns;
        p->nwaiting++;
    }
    pthread_mutex_unlock(&p->mu);
}

void probe_seen(probe *p, uint64_t commit, uint64_t at_ns)
{
    size_t kept = 0;

    pthread_mutex_lock(&p->mu);
    p->seen_commit = commit;
    p->seen_ns = at_ns;
    for (size_t i = 0; i < p->nwaiting; i++) {
        if (p->waiting[i].commit <= commit)
            histogram_add(&p->latency, at_ns - p->waiting[i].started_ns);
        else
            p->waiting[kept++] = p->waiting[i];
    }
    p->nwaiting = kept;
    pthread_mutex_unlock(&p->mu);
}

void probe_read(probe *p, histogram *latency)
{
    pthread_mutex_lock(&p->mu);
    *latency = p->latency;
    pthread_mutex_unlock(&p->mu);
}
