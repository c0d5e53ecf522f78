/* Verdicts; see verdict.h. */
#include "verdict.h"

#include <math.h>

#include "stats.h"

#define MADS 3

/* Of a normal distribution: standard deviation over MAD; standard error of a median over that of a mean. */
#define SIGMA_OF_MAD 1.4826
#define MEDIAN_OVER_MEAN 1.2533

/* Standard errors to be seen with 80 % power at 5 % error: 1.96 + 0.84. */
#define STANDARD_ERRORS 2.8

const char *bench_verdict_name(bench_verdict v)
{
    static const char *const names[BENCH_VERDICTS] = {
        [BENCH_NEUTRAL] = "neutral",
        [BENCH_STABLE_WIN] = "stable win",
        [BENCH_NOISY_WIN] = "noisy win",
        [BENCH_STABLE_REGRESSION] = "stable regression",
        [BENCH_NOISY_REGRESSION] = "noisy regression",
    };

    return names[v];
}

double bench_threshold(const bench_reading *before, const bench_reading *after)
{
    double mad = before->mad > after->mad ? before->mad : after->mad;
    double share = before->value > 0 ? MADS * mad / before->value : 0;

    return share > BENCH_CHANGE_MIN ? share : BENCH_CHANGE_MIN;
}

double bench_change(const bench_reading *before, const bench_reading *after)
{
    double difference = after->value - before->value;

    if (before->value > 0)
        return difference / before->value;
    return difference > 0 ? HUGE_VAL : 0;
}

static bool is_stable(const bench_reading *r)
{
    return r->passes >= BENCH_PASSES_STABLE && !r->noisy && r->detectable <= BENCH_CHANGE_MIN;
}

bench_verdict bench_judge(const bench_reading *before, const bench_reading *after, double floor)
{
    double change = bench_change(before, after);
    bool stable = is_stable(before) && is_stable(after);

    if (fabs(after->value - before->value) <= floor || fabs(change) <= bench_threshold(before, after))
        return BENCH_NEUTRAL;
    if (change < 0)
        return stable ? BENCH_STABLE_WIN : BENCH_NOISY_WIN;
    return stable ? BENCH_STABLE_REGRESSION : BENCH_NOISY_REGRESSION;
}

double bench_detectable(const double *values, size_t n, double *scratch)
{
    bench_figures f;

    if (n < 2)
        return 0;
    f = bench_figures_of(values, n, scratch);
    if (f.median <= 0)
        return 0;
    return STANDARD_ERRORS * MEDIAN_OVER_MEAN * SIGMA_OF_MAD * f.mad / f.median * sqrt(2.0 / (double)n);
}
