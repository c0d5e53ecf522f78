/*
 * Figures of a row of samples: robust ones, since a shared machine's noise only
 * ever adds time, and now and then a lot of it.
 */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stddef.h>

typedef struct bench_figures {
    double median;
    double p90;
    double p99;
    double mad; /* median distance from the median, in the unit of the samples */
} bench_figures;

/* A ratio of two medians, or their difference, with its 95 % confidence interval. */
typedef struct bench_ratio {
    double ratio;
    double low;
    double high;
} bench_ratio;

/* `scratch` has room for `n` numbers; the samples stay in their order. `n` is at least 1. */
bench_figures bench_figures_of(const double *samples, size_t n, double *scratch);

/* The smallest sample that at least so many per cent do not exceed, for each of `percents`, which rise. */
void bench_percentiles_of(const double *samples, size_t n, const unsigned *percents, size_t count,
                          double *out, double *scratch);

/*
 * Median of `a` over median of `b`. The samples are pairs: a[i] and b[i] were
 * taken one right after the other. The interval is a percentile bootstrap that
 * draws whole pairs, so what slowed both down at once does not widen it. The
 * pseudo-random numbers have a fixed seed. `scratch` has room for 2 × n numbers.
 */
bench_ratio bench_ratio_of(const double *a, const double *b, size_t n, double *scratch);

/* The median of `a` less that of `b`, in the same way; NULL for `b` is a row of zeros. */
bench_ratio bench_excess_of(const double *a, const double *b, size_t n, double *scratch);

#endif
