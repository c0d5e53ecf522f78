/*
 * Median, percentiles, MAD, bootstrap; see stats.h.
 *
 * The bootstrap takes the median of thousands of resamples, so medians come from
 * a selection in linear time and not from a sort.
 */
#include "stats.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define RESAMPLES 2000
#define SEED 0xC10FF1Eu

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void swap(double *a, double *b)
{
    double t = *a;

    *a = *b;
    *b = t;
}

/* The k-th smallest of `v`, which is reordered: everything before k is at most as large (Hoare's selection).
 */
static double select_kth(double *v, size_t n, size_t k)
{
    ptrdiff_t low = 0;
    ptrdiff_t high = (ptrdiff_t)n - 1;
    ptrdiff_t want = (ptrdiff_t)k;

    while (low < high) {
        double pivot = v[low + (high - low) / 2];
        ptrdiff_t i = low;
        ptrdiff_t j = high;

        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i <= j)
                swap(&v[i++], &v[j--]);
        }
        if (want <= j)
            high = j;
        else if (want >= i)
            low = i;
        else
            break;
    }
    return v[k];
}

/* Reorders `v`. */
static double median_of(double *v, size_t n)
{
    double upper = select_kth(v, n, n / 2);
    double lower = v[0];

    if (n % 2 == 1)
        return upper;
    for (size_t i = 1; i < n / 2; i++)
        lower = v[i] > lower ? v[i] : lower;
    return (lower + upper) / 2;
}

/* The smallest sample that at least `percent` of all samples do not exceed. */
static double percentile_sorted(const double *sorted, size_t n, unsigned percent)
{
    size_t rank = (n * percent + 99) / 100;

    return sorted[rank > 0 ? rank - 1 : 0];
}

bench_figures bench_figures_of(const double *samples, size_t n, double *scratch)
{
    bench_figures f;

    memcpy(scratch, samples, n * sizeof *samples);
    qsort(scratch, n, sizeof *scratch, compare_doubles);
    f.p90 = percentile_sorted(scratch, n, 90);
    f.p99 = percentile_sorted(scratch, n, 99);
    f.median = median_of(scratch, n);
    for (size_t i = 0; i < n; i++)
        scratch[i] = samples[i] > f.median ? samples[i] - f.median : f.median - samples[i];
    f.mad = median_of(scratch, n);
    return f;
}

void bench_percentiles_of(const double *samples, size_t n, const unsigned *percents, size_t count,
                          double *out, double *scratch)
{
    memcpy(scratch, samples, n * sizeof *samples);
    qsort(scratch, n, sizeof *scratch, compare_doubles);
    for (size_t i = 0; i < count; i++)
        out[i] = percentile_sorted(scratch, n, percents[i]);
}

/* splitmix64 */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

typedef double (*combine)(double a, double b);

static double quotient(double a, double b)
{
    return b != 0 ? a / b : 0;
}

static double difference(double a, double b)
{
    return a - b;
}

static double resampled(const double *a, const double *b, size_t n, combine of, double *scratch,
                        uint64_t *state)
{
    double second;

    for (size_t i = 0; i < n; i++) {
        size_t pick = (size_t)(random_next(state) % n);

        scratch[i] = a[pick];
        scratch[n + i] = b ? b[pick] : 0;
    }
    second = median_of(scratch + n, n);
    return of(median_of(scratch, n), second);
}

static bench_ratio bootstrap(const double *a, const double *b, size_t n, combine of, double *scratch)
{
    double figures[RESAMPLES];
    uint64_t state = SEED;
    bench_ratio r;

    for (size_t i = 0; i < n; i++) {
        scratch[i] = a[i];
        scratch[n + i] = b ? b[i] : 0;
    }
    r.ratio = of(median_of(scratch, n), median_of(scratch + n, n));
    for (size_t i = 0; i < RESAMPLES; i++)
        figures[i] = resampled(a, b, n, of, scratch, &state);
    qsort(figures, RESAMPLES, sizeof *figures, compare_doubles);
    r.low = figures[RESAMPLES * 25 / 1000];
    r.high = figures[RESAMPLES * 975 / 1000 - 1];
    return r;
}

bench_ratio bench_ratio_of(const double *a, const double *b, size_t n, double *scratch)
{
    return bootstrap(a, b, n, quotient, scratch);
}

bench_ratio bench_excess_of(const double *a, const double *b, size_t n, double *scratch)
{
    return bootstrap(a, b, n, difference, scratch);
}
