/* What a change of one figure from one run to another is worth. No files, no output: arithmetic only. */
#ifndef BENCH_VERDICT_H
#define BENCH_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

/* Passes that a run needs on both sides before a change of it is called stable. */
#define BENCH_PASSES_STABLE 3

/* A change below this share of the figure is none. */
#define BENCH_CHANGE_MIN 0.10

/* One figure of one run; less is better. */
typedef struct bench_reading {
    double value;
    double mad;        /* spread of `value`: between passes if there are enough, else between samples */
    double detectable; /* smallest detectable effect, as a share of `value` */
    size_t passes;
    bool noisy; /* its samples are spread too widely to be trusted */
} bench_reading;

typedef enum bench_verdict {
    BENCH_NEUTRAL,
    BENCH_STABLE_WIN,
    BENCH_NOISY_WIN,
    BENCH_STABLE_REGRESSION,
    BENCH_NOISY_REGRESSION,
    BENCH_VERDICTS
} bench_verdict;

/* As text: "stable win". */
const char *bench_verdict_name(bench_verdict v);

/*
 * The share by which a figure must have changed to count: max(10 %, 3 × MAD), the
 * MAD being the larger one of both runs, as a share of the first run's figure.
 */
double bench_threshold(const bench_reading *before, const bench_reading *after);

/* (after - before) / before; of nothing to something it is infinite. */
double bench_change(const bench_reading *before, const bench_reading *after);

/*
 * `floor`: a change of at most so much, in the figure's unit, is neutral whatever
 * its share. A change is stable if both runs have passes enough, neither is noisy,
 * and each could have told a change of 10 % from its own noise.
 */
bench_verdict bench_judge(const bench_reading *before, const bench_reading *after, double floor);

/*
 * The effect that two runs like this one would show in four of five tries at 5 %
 * error: 2.8 standard errors of the difference of two medians, the standard
 * deviation being taken from the MAD. As a share of the median; `scratch` has room
 * for `n` numbers. 0 if there are fewer than two values or the median is 0.
 */
double bench_detectable(const double *values, size_t n, double *scratch);

#endif
