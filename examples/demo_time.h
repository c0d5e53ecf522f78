/*
 * Time measured: a clock, a histogram of durations, and a probe, which measures
 * how long a write takes to arrive as an event.
 */
#ifndef DEMO_TIME_H
#define DEMO_TIME_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

/** A clock that only goes forward. */
uint64_t now_ns(void);

/* Each power of two is cut into 32 buckets, so a quantile is off by 2 % at most; 2^40 ns are 18 minutes. */
enum { HISTOGRAM_STEPS = 32, HISTOGRAM_BUCKETS = (40 - 5 + 1) * HISTOGRAM_STEPS };

/** Durations, not in order. All-zero is empty. */
typedef struct histogram {
    uint64_t count;
    uint32_t buckets[HISTOGRAM_BUCKETS];
} histogram;

void histogram_add(histogram *h, uint64_t ns);

/** The duration that the part `q` (0.99: 99 %) does not exceed; 0 if there is none. */
uint64_t histogram_quantile(const histogram *h, double q);

/** Writes whose event has not been seen yet, at most. */
enum { PROBE_WRITES = 64 };

/**
 * From write to event. A write knows the number of its commit, an event the
 * number of the newest commit in its result: an event shows each write whose
 * number is not above its own.
 */
typedef struct probe {
    /* The writing thread and the one that dispatches, under mu. */
    pthread_mutex_t mu;
    struct {
        uint64_t commit, started_ns;
    } waiting[PROBE_WRITES];
    size_t nwaiting;
    uint64_t seen_commit, seen_ns; /* the newest event */
    histogram latency;
} probe;

void probe_init(probe *p);
void probe_fini(probe *p);

/** A write that changes the query's answer is done. 0 as commit: it changed nothing. */
void probe_written(probe *p, uint64_t commit, uint64_t started_ns);

/** An event came. */
void probe_seen(probe *p, uint64_t commit, uint64_t at_ns);

/** Copy the latencies so far. */
void probe_read(probe *p, histogram *latency);

#endif
